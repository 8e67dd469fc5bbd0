//! Options and commands of SPI NOR chips behind a programmer.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use flashwire::{PinOutput, number, parse_pin_output};

use super::TargetArgs;

/// What the options of [`ChipArgs`] stand under in the help.
pub(super) const CHIP_HEADING: &str = "SPI NOR chips";

/// How to talk to a SPI NOR chip.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = CHIP_HEADING)]
pub(crate) struct ChipArgs {
    /// Which part it is, where several answer alike; `flashwire spi chips` lists them
    #[arg(long, value_name = "NAME")]
    pub(crate) chip: Option<String>,
    /// SPI clock in Hz, with k or M; the programmer takes the highest that is not above it
    #[arg(long, value_name = "N", value_parser = number::parse_hz)]
    pub(crate) spi_hz: Option<u32>,
    /// Chip select line of the programmer; a pin of the Arduino behind nfd's sketch
    #[arg(long, value_name = "N")]
    pub(crate) cs: Option<u8>,
    /// Make a pin of an Arduino with nfd's sketch an output: high, low, or out for the level that it
    /// has; may be given several times
    #[arg(long, value_name = "PIN=LEVEL", value_parser = parse_pin_output)]
    pub(crate) pin: Vec<PinOutput>,
    /// Read everything so often, and believe it only if it is the same each time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) repeat_read: Option<u32>,
}

/// Which regions of a chip are meant, instead of all of it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Regions")]
pub(crate) struct RegionArgs {
    /// Regions are those of this file: a line `START:END NAME` for each, as flashrom takes them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ifd", "fmap"], value_hint = ValueHint::FilePath)]
    pub(crate) layout: Option<PathBuf>,
    /// Regions are those of the Intel flash descriptor on the chip, or in FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, conflicts_with = "fmap", value_hint = ValueHint::FilePath)]
    pub(crate) ifd: Option<Option<PathBuf>>,
    /// Regions are those of the flash map (FMAP of coreboot) on the chip, or in FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, value_hint = ValueHint::FilePath)]
    pub(crate) fmap: Option<Option<PathBuf>>,
    /// Only this region, with a file of its own or as a part of the whole; may be given several times
    #[arg(long, value_name = "NAME[:FILE]")]
    pub(crate) region: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SpiCommand {
    /// List the parts of the table: for chips that do not describe themselves, and for their names
    Chips(ChipsArgs),
    /// Show how a chip describes itself (SFDP)
    Sfdp(SfdpArgs),
    /// Show the status registers, as far as they are about protection
    Status(SpiTargetArgs),
    /// Protect the whole chip against erasing and writing
    Protect(SpiTargetArgs),
    /// Lift the protection of the whole chip, for good
    Unprotect(SpiTargetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ChipsArgs {
    /// Only parts with all of these words in vendor or name, in any case of letters
    pub(crate) words: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SfdpArgs {
    /// Write the tables as they are to a file; `-` is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SpiTargetArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}
