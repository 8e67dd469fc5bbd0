//! `flashwire info`

use std::time::Duration;

use flashwire::port::Method;
use flashwire::{Error, Info, Protection, SpiInfo};

use super::stm32;
use super::target::Run;
use crate::args::InfoArgs;
use crate::json::InfoObject;
use crate::progress::{bytes, seconds};
use crate::screen::Screen;

/// Shows what is at the other end.
pub(crate) fn info(args: &InfoArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    run.with_session(|session, info, _| {
        let protection = session.protection()?;
        screen.result(
            &text(info, &protection),
            &InfoObject::new(info, &protection),
        )
    })
}

/// What is known, a line each.
fn text(info: &Info, protection: &Protection) -> String {
    let mut lines = vec![("part", info.part.clone()), ("port", info.link.clone())];
    if let Some(stm32) = &info.stm32 {
        lines.push(("product id", format!("{:#05x}", stm32.product_id)));
        let revision = stm32.bootloader_id.map(|id| format!(", id {id:#04x}"));
        let version = &stm32.version;
        lines.push((
            "bootloader",
            format!("protocol {version}{}", revision.unwrap_or_default()),
        ));
    }
    if let Some(spi) = &info.spi {
        lines.extend(of_programmer(spi));
    }
    if let Some(arduino) = &info.arduino {
        let [high, middle, low] = arduino.signature;
        lines.push(("signature", format!("{high:02x} {middle:02x} {low:02x}")));
        lines.push(("bootloader", arduino.loader.clone()));
    }
    lines.push(("flash", flash(info)));
    match &info.spi {
        Some(spi) => lines.extend(of_chip(spi)),
        None => lines.extend(of_microcontroller(info, protection)),
    }
    lines.push(("write protection", stm32::write(protection)));
    if let Some(stm32) = &info.stm32 {
        lines.push(("commands", wrapped(&stm32.commands)));
        if let Some(wiring) = &stm32.wiring {
            lines.push(("reset", wiring.clone()));
        }
    }
    lines
        .iter()
        .map(|(label, value)| format!("{label:<LABEL_WIDTH$}{value}\n"))
        .collect()
}

fn of_microcontroller(info: &Info, protection: &Protection) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if !info.erase_units.is_empty() {
        lines.push(("erase units", erase_units(info)));
    }
    lines.push(("write unit", bytes(info.program_unit_bytes)));
    lines.push(("erased byte", format!("{:#04x}", info.erased)));
    if let Some(id) = &info.unique_id {
        lines.push(("unique id", id.clone()));
    }
    lines.push(("read protection", stm32::read(protection).to_owned()));
    lines
}

fn of_programmer(spi: &SpiInfo) -> Vec<(&'static str, String)> {
    let name = spi.programmer.as_deref().unwrap_or("without a name");
    let ahead = match (spi.extensions, spi.ahead) {
        (true, _) => "with flashwire's extensions",
        (false, true) => "takes commands ahead",
        (false, false) => "takes one command at a time",
    };
    let spi_clock = match spi.spi_hz {
        Some(hz) => clock(hz),
        None if spi.method == Method::Nfd => "as the firmware has it".to_owned(),
        None => "as the programmer has it; --spi-hz sets it".to_owned(),
    };
    let id: Vec<String> = spi.id.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("programmer", format!("{name}, {ahead}")),
        ("SPI clock", spi_clock),
        (
            "chip id",
            match &id[..] {
                [] if spi.method == Method::Nfd => "the firmware cannot ask for it".to_owned(),
                [] => "none: it does not know RDID".to_owned(),
                id => id.join(" "),
            },
        ),
    ]
}

/// A clock in the unit that shows it in few digits: 18 MHz, 1.125 MHz, 281.25 kHz.
fn clock(hz: u32) -> String {
    match hz {
        1_000_000.. => format!("{} MHz", f64::from(hz / 1000) / 1000.0),
        _ => format!("{} kHz", f64::from(hz) / 1000.0),
    }
}

fn of_chip(spi: &SpiInfo) -> Vec<(&'static str, String)> {
    let erases = spi.erases.iter().map(|(name, _, typical_ms)| {
        let time = seconds(Duration::from_millis(*typical_ms));
        format!("{name} ({time})")
    });
    let figures = match spi.has_sfdp {
        true => "the chip's own (SFDP)",
        false if spi.names.is_empty() => "none: it is not known what the chip is",
        false if spi.method == Method::Nfd => {
            "from the table of parts: this programmer cannot ask for SFDP"
        }
        false => "from the table of parts: the chip has no SFDP",
    };
    if spi.erases.is_empty() {
        return vec![("figures", figures.to_owned())];
    }
    let mut lines = vec![
        ("erase units", wrapped(&erases.collect::<Vec<_>>())),
        ("page", bytes(spi.page_bytes)),
        ("addresses", spi.addressing.to_owned()),
        ("figures", figures.to_owned()),
    ];
    if let Some(voltage) = spi.voltage_mv {
        lines.push(("supply", super::spi::volts(voltage)));
    }
    if spi.names.len() > 2 {
        lines.push(("can be", wrapped(&spi.names)));
    }
    lines
}

/// Where the values begin.
const LABEL_WIDTH: usize = 18;

fn flash(info: &Info) -> String {
    let size_bytes = info.flash.end - info.flash.start;
    let guess = match &info.stm32 {
        _ if !info.size_known => {
            return format!("from {:#010x} on, size unknown", info.flash.start);
        }
        Some(stm32) if !stm32.size_from_chip => " (the largest sold under this id)",
        _ => "",
    };
    format!(
        "{} from {:#010x} on{guess}",
        bytes(size_bytes),
        info.flash.start
    )
}

/// `128 x 1 KiB`, `4 x 16 KiB, 1 x 64 KiB, 7 x 128 KiB`.
fn erase_units(info: &Info) -> String {
    let units = info
        .erase_units
        .iter()
        .map(|(count, size)| format!("{count} x {}", bytes(*size)));
    units.collect::<Vec<_>>().join(", ")
}

/// Words with commas, in lines that fit beside the labels.
fn wrapped(words: &[String]) -> String {
    const WIDTH: usize = 60;
    let mut text = String::new();
    let mut column = 0;
    for (n, word) in words.iter().enumerate() {
        let comma = if n + 1 < words.len() { "," } else { "" };
        if column > 0 && column + word.len() > WIDTH {
            text.push_str(&format!("\n{:LABEL_WIDTH$}", ""));
            column = 0;
        } else if column > 0 {
            text.push(' ');
        }
        text.push_str(&format!("{word}{comma}"));
        column += word.len() + 2;
    }
    text
}
