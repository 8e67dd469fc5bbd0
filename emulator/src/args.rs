//! The command line.

use std::path::PathBuf;

use clap::{ArgGroup, Parser, ValueEnum};
use flashwire_emulator::Time;
use flashwire_emulator::bridge::Pace;
use flashwire_emulator::chip::{self, DoubleBuffering, Pin, Port, SpiBus, UsbPullUp};
use flashwire_sim::nor::{self, Part};
use flashwire_sim::serve::Listen;

/// Runs firmware of an STM32F103, and lets other programs use its USB device.
#[derive(Debug, Parser)]
#[command(name = "flashwire-emulator", version)]
#[command(group(ArgGroup::new("task").args(["listen", "usbredir", "run"]).required(true)))]
pub(crate) struct Args {
    /// An ELF or Intel HEX file, or the content of the flash from its beginning
    pub(crate) image: PathBuf,

    /// Where the content of the flash goes if it is no ELF file, for a program behind a boot loader
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) at: Option<u32>,

    /// Carries the CDC-ACM port of the program to tcp:ADDRESS:PORT or pty:LINK
    #[arg(long, value_name = "PLACE")]
    pub(crate) listen: Option<Listen>,

    /// Lets QEMU's usb-redir have the whole USB device at tcp:ADDRESS:PORT
    #[arg(long, value_name = "PLACE", value_parser = tcp)]
    pub(crate) usbredir: Option<String>,

    /// Runs the program for so many seconds of its own time, with nobody at its USB
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) run: Option<f64>,

    /// Wires a SPI flash chip to the STM32, for example w25q64jv
    #[arg(long, value_name = "NAME", value_parser = part)]
    pub(crate) chip: Option<&'static Part>,

    /// The SPI that the chip is wired to
    #[arg(long, value_enum, default_value_t = Spi::Spi1)]
    pub(crate) spi: Spi,

    /// The pin that selects the chip: PA4, or PB12 with --spi 2, unless it is named
    #[arg(long, value_name = "PIN", value_parser = pin)]
    pub(crate) cs: Option<Pin>,

    /// The content of the chip: read at the start if it exists, written at the end
    #[arg(long, value_name = "FILE", requires = "chip")]
    pub(crate) content: Option<PathBuf>,

    /// How long the chip is busy, in percent of its typical times
    #[arg(long, value_name = "PERCENT", requires = "chip")]
    pub(crate) busy_percent: Option<u32>,

    /// Where the chip's unique id comes from
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) seed: u64,

    /// The STM32, for example stm32f103c8
    #[arg(long, value_name = "NAME", default_value = "stm32f103cb", value_parser = stm32)]
    pub(crate) part: &'static chip::Part,

    /// Its flash memory if it is another than the part's, in bytes, with k for KiB: 16k to 512k
    #[arg(long, value_name = "BYTES", value_parser = flash_size)]
    pub(crate) flash: Option<usize>,

    /// Its SRAM if it is another than the part's, in bytes, with k for KiB: 4k to 64k
    #[arg(long, value_name = "BYTES", value_parser = ram_size)]
    pub(crate) ram: Option<usize>,

    /// Frequency of the crystal; 0 if there is none
    #[arg(long, value_name = "HZ", default_value_t = 8_000_000)]
    pub(crate) crystal_hz: u64,

    /// Additional cycles of an access to APB1 or APB2
    #[arg(long, value_name = "CYCLES", default_value_t = 0)]
    pub(crate) apb_wait: u32,

    /// Bit times that the USB host waits after a NAK
    #[arg(long, value_name = "BITS", default_value_t = 10)]
    pub(crate) nak_gap: u64,

    /// How the manual is read where it speaks of double-buffered endpoints
    #[arg(long, value_enum, default_value_t = Buffering::Latched)]
    pub(crate) double_buffering: Buffering,

    /// The pull-up of D+: always, or PIN=0 or PIN=1 for a pin that switches it
    #[arg(long, value_name = "HOW", default_value = "always", value_parser = pull_up)]
    pub(crate) pull_up: UsbPullUp,

    /// How emulated time follows real time
    #[arg(long, value_enum, default_value_t = Speed::Fast)]
    pub(crate) pace: Speed,

    /// Writes where the program's cycles went, by function if the image is an ELF file with symbols
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,

    /// Ends when the first tool has gone
    #[arg(long, conflicts_with = "tools")]
    pub(crate) once: bool,

    /// Ends when so many tools have come and gone
    #[arg(long, value_name = "NUMBER")]
    pub(crate) tools: Option<u32>,

    /// Ends after so many seconds of real time, whatever happens
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) deadline: Option<f64>,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Task<'a> {
    Run(Time),
    Listen(&'a Listen),
    Redirect(&'a str),
}

/// [`SpiBus`] as its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spi {
    /// SPI1
    #[value(name = "1")]
    Spi1,
    /// SPI2
    #[value(name = "2")]
    Spi2,
}

/// [`Pace`] as a word.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Speed {
    /// As a real chip
    Real,
    /// As fast as possible while a tool waits for the chip
    Fast,
}

/// [`DoubleBuffering`] as a word.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Buffering {
    /// A conflict is latched
    Latched,
    /// A conflict is latched, and the first transaction makes STAT NAK
    FirstNaks,
    /// A conflict is whether DTOG equals SW_BUF: not as silicon
    Unlatched,
}

impl Args {
    pub(crate) fn task(&self) -> Task<'_> {
        match (&self.listen, &self.usbredir, self.run) {
            (Some(place), ..) => Task::Listen(place),
            (_, Some(address), _) => Task::Redirect(address),
            (.., run) => Task::Run(Time::from_nanos((run.unwrap_or(0.0) * 1e9) as u64)),
        }
    }

    /// The pin that selects the flash chip: the NSS of its SPI unless it is named.
    pub(crate) fn cs(&self) -> Pin {
        self.cs.unwrap_or(match self.spi {
            Spi::Spi1 => Pin::new(Port::A, 4),
            Spi::Spi2 => Pin::new(Port::B, 12),
        })
    }

    pub(crate) fn tools(&self) -> Option<u32> {
        if self.once { Some(1) } else { self.tools }
    }
}

impl From<Spi> for SpiBus {
    fn from(spi: Spi) -> Self {
        match spi {
            Spi::Spi1 => Self::Spi1,
            Spi::Spi2 => Self::Spi2,
        }
    }
}

impl From<Speed> for Pace {
    fn from(speed: Speed) -> Self {
        match speed {
            Speed::Real => Self::Real,
            Speed::Fast => Self::Fast,
        }
    }
}

impl From<Buffering> for DoubleBuffering {
    fn from(buffering: Buffering) -> Self {
        match buffering {
            Buffering::Latched => Self::Latched,
            Buffering::FirstNaks => Self::FirstNaks,
            Buffering::Unlatched => Self::Unlatched,
        }
    }
}

fn address(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0x").ok_or("write it as 0x08002000")?;
    u32::from_str_radix(digits, 16).map_err(|error| error.to_string())
}

fn tcp(text: &str) -> Result<String, String> {
    match text.parse() {
        Ok(Listen::Tcp(address)) => Ok(address),
        _ => Err("write tcp:ADDRESS:PORT".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    const MOST: f64 = 1e6;
    match text.parse() {
        Ok(seconds) if (0.0..=MOST).contains(&seconds) => Ok(seconds),
        _ => Err(format!("not a number of seconds from 0 to {MOST}")),
    }
}

fn part(name: &str) -> Result<&'static Part, String> {
    nor::find(name).ok_or_else(|| {
        let names: Vec<_> = nor::PARTS
            .iter()
            .map(|part| part.name.to_lowercase())
            .collect();
        format!("there are: {}", names.join(", "))
    })
}

fn stm32(name: &str) -> Result<&'static chip::Part, String> {
    chip::find_part(name).ok_or_else(|| {
        let names: Vec<_> = chip::PARTS.iter().map(|part| part.name).collect();
        format!("there are: {}", names.join(", "))
    })
}

fn pin(name: &str) -> Result<Pin, String> {
    Pin::parse(name).ok_or_else(|| "not a pin such as PA4".to_owned())
}

fn size(text: &str) -> Option<usize> {
    match text.strip_suffix(['k', 'K']) {
        Some(count) => count.parse::<usize>().ok()?.checked_mul(1024),
        None => text.parse().ok(),
    }
}

fn flash_size(text: &str) -> Result<usize, String> {
    match size(text) {
        Some(bytes @ 0x4000..=0x8_0000) if bytes.is_multiple_of(2048) => Ok(bytes),
        _ => Err("not 16k to 512k, in whole pages".to_owned()),
    }
}

fn ram_size(text: &str) -> Result<usize, String> {
    match size(text) {
        Some(bytes @ 0x1000..=0x1_0000) if bytes.is_multiple_of(1024) => Ok(bytes),
        _ => Err("not 4k to 64k".to_owned()),
    }
}

fn pull_up(text: &str) -> Result<UsbPullUp, String> {
    if text == "always" {
        return Ok(UsbPullUp::Always);
    }
    let wrong = || "write always, PIN=0 or PIN=1".to_owned();
    let (name, level) = text.split_once('=').ok_or_else(wrong)?;
    let level = match level {
        "0" => false,
        "1" => true,
        _ => return Err(wrong()),
    };
    let pin = Pin::parse(name).ok_or_else(wrong)?;
    Ok(UsbPullUp::Switched { pin, level })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn one_task_is_needed_and_no_more() {
        let parse = |words: &[&str]| Args::try_parse_from([&["emulator", "a.elf"], words].concat());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--run", "1", "--listen", "pty:x"]).is_err());
        assert!(parse(&["--listen", "pty:x"]).is_ok());
        assert!(parse(&["--usbredir", "pty:x"]).is_err());
    }

    #[test]
    fn sizes_and_pins_are_read() {
        assert_eq!(flash_size("64k"), Ok(65536));
        assert_eq!(flash_size("256k"), Ok(262_144));
        assert!(flash_size("1024k").is_err());
        assert!(flash_size("65537").is_err());
        assert_eq!(ram_size("20480"), Ok(20480));
        assert!(pull_up("PB9").is_err());
        let pin = Pin::parse("PB9").unwrap();
        assert_eq!(
            pull_up("PB9=0"),
            Ok(UsbPullUp::Switched { pin, level: false })
        );
    }
}
