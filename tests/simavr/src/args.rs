//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use flashwire_sim::nor::{self, Part};
use flashwire_sim::serve::Listen;
use flashwire_simavr::bridge::Pace;

/// Runs firmware of an Arduino Uno or Nano, and lets other programs open its serial port.
#[derive(Debug, Parser)]
#[command(name = "flashwire-simavr", version)]
pub(crate) struct Args {
    /// An ELF or Intel HEX file, or the content of the flash from its beginning
    pub(crate) image: PathBuf,

    /// Where its serial port is: tcp:ADDRESS:PORT or pty:LINK
    #[arg(long, value_name = "PLACE")]
    pub(crate) listen: Listen,

    /// Wires a SPI flash chip to pins 11 to 13, for example w25q64jv
    #[arg(long, value_name = "NAME", value_parser = part)]
    pub(crate) chip: Option<&'static Part>,

    /// The pin that selects the chip, as the board numbers it
    #[arg(long, value_name = "PIN", default_value_t = 10)]
    pub(crate) cs: u8,

    /// The content of the chip: read at the start if it exists, written at the end
    #[arg(long, value_name = "FILE", requires = "chip")]
    pub(crate) content: Option<PathBuf>,

    /// How long the chip is busy, in percent of its typical times
    #[arg(long, value_name = "PERCENT", requires = "chip")]
    pub(crate) busy_percent: Option<u32>,

    /// Where the chip's unique id comes from
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) seed: u64,

    /// Speed of a host on TCP, and of one on a pseudo-terminal that sets none
    #[arg(long, value_name = "BAUD", default_value_t = 115_200)]
    pub(crate) baud: u32,

    /// How long a boot loader keeps the board after a reset, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) boot_ms: u64,

    /// How the board's time follows real time
    #[arg(long, value_enum, default_value_t = Speed::Fast)]
    pub(crate) pace: Speed,

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

/// [`Pace`] as a word.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Speed {
    /// As a real board
    Real,
    /// As fast as possible while a tool waits for the board
    Fast,
}

impl From<Speed> for Pace {
    fn from(speed: Speed) -> Self {
        match speed {
            Speed::Real => Self::Real,
            Speed::Fast => Self::Fast,
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }
}
