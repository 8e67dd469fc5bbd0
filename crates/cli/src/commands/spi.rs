//! `flashwire spi`: what only SPI NOR chips have.

use flashwire::{Error, Session, SpiPart, SpiStatus, spi_parts};

use super::files::Output;
use super::target::Run;
use crate::args::spi::{ChipsArgs, SfdpArgs, SpiCommand, SpiTargetArgs};
use crate::json::spi::{ChipObject, ChipsObject, SfdpObject, StatusObject};
use crate::progress::bytes;
use crate::screen::Screen;

/// Does one of the commands.
pub(crate) fn run(command: &SpiCommand, screen: &Screen) -> Result<(), Error> {
    match command {
        SpiCommand::Chips(args) => chips(args, screen),
        SpiCommand::Sfdp(args) => sfdp(args, screen),
        SpiCommand::Status(args) => {
            status("flashwire/spi-status/1", args, screen, Session::spi_status)
        }
        SpiCommand::Protect(args) => status(
            "flashwire/spi-protect/1",
            args,
            screen,
            Session::spi_protect,
        ),
        SpiCommand::Unprotect(args) => {
            let schema = "flashwire/spi-unprotect/1";
            status(schema, args, screen, Session::spi_unprotect)
        }
    }
}

/// Lists the table.
fn chips(args: &ChipsArgs, screen: &Screen) -> Result<(), Error> {
    let words: Vec<String> = args.words.iter().map(|word| word.to_lowercase()).collect();
    let wanted = |part: &SpiPart| {
        let name = format!("{} {}", part.vendor, part.model).to_lowercase();
        words.iter().all(|word| name.contains(word))
    };
    let parts: Vec<SpiPart> = spi_parts().into_iter().filter(wanted).collect();
    if parts.is_empty() {
        screen.say(
            "no part has these words; chips that describe themselves need no row in the table",
        );
    }
    let name_width = parts
        .iter()
        .map(|part| part.vendor.len() + 1 + part.model.len())
        .max()
        .unwrap_or(0);
    let rows = parts.iter().map(|part| {
        let name = format!("{} {}", part.vendor, part.model);
        let units: Vec<String> = part.erase_bytes.iter().map(|size| bytes(*size)).collect();
        let units = match &units[..] {
            [] => "chip only".to_owned(),
            units => units.join(", "),
        };
        let size = bytes(part.size_bytes);
        let volts = volts(part.voltage_mv);
        format!("{name:<name_width$}  {size:>8}  {volts:<12}  {units}\n")
    });
    let text: String = rows.collect();
    let chips = parts.iter().map(ChipObject::new).collect();
    let schema = "flashwire/spi-chips/1";
    screen.result(&text, &ChipsObject { schema, chips })
}

/// `2.7-3.6 V`.
pub(super) fn volts((min_mv, max_mv): (u32, u32)) -> String {
    let volts = |mv: u32| {
        let text = format!("{}.{:02}", mv / 1000, mv % 1000 / 10);
        text.strip_suffix('0').unwrap_or(&text).to_owned()
    };
    format!("{}-{} V", volts(min_mv), volts(max_mv))
}

/// Shows how a chip describes itself.
fn sfdp(args: &SfdpArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    let output = match &args.output {
        Some(path) => Some(Output::create(path, false, screen)?),
        None => None,
    };
    run.with_session(|session, info, _| {
        run.say_target(info);
        let sfdp = session.spi_sfdp()?;
        if sfdp.is_empty() {
            screen.say("this chip does not describe itself: it has no SFDP");
        }
        match output {
            Some(output) => {
                output.finish(&sfdp, screen)?;
                match screen.args.json {
                    true => screen.object(&SfdpObject::new(info, &sfdp)),
                    false => Ok(()),
                }
            }
            None => screen.result(&dump(&sfdp), &SfdpObject::new(info, &sfdp)),
        }
    })
}

/// Sixteen bytes a line; lines that are all 0xFF are left out.
fn dump(content: &[u8]) -> String {
    const LINE_BYTES: usize = 16;
    let mut text = String::new();
    let mut left_out = false;
    for (line, address) in content.chunks(LINE_BYTES).zip((0..).step_by(LINE_BYTES)) {
        if line.iter().all(|&byte| byte == 0xFF) {
            left_out = true;
            continue;
        }
        if std::mem::take(&mut left_out) {
            text.push_str("*\n");
        }
        let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!("{address:06x}  {}\n", digits.join(" ")));
    }
    text
}

/// Shows the status registers, after something was done to them.
fn status(
    schema: &'static str,
    args: &SpiTargetArgs,
    screen: &Screen,
    what: fn(&mut Session) -> Result<SpiStatus, Error>,
) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    run.with_session(|session, info, _| {
        run.say_target(info);
        let status = what(session)?;
        screen.result(
            &registers(&status),
            &StatusObject::new(schema, info, &status),
        )
    })
}

fn registers(status: &SpiStatus) -> String {
    let register =
        |number: u8, value: u8| format!("status register {number}  {value:#04x}  {value:#010b}\n");
    let mut text = register(1, status.sr1);
    for (number, value) in [(2, status.sr2), (3, status.sr3)] {
        if let Some(value) = value {
            text.push_str(&register(number, value));
        }
    }
    let on = if status.is_protected { "on" } else { "off" };
    text.push_str(&format!("protection         {on}\n"));
    text
}
