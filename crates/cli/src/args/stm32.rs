//! Options and commands that only STM32 bootloaders have.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use flashwire::{FrameLimits, number};

use super::TargetArgs;

/// How to talk to an STM32's bootloader.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "STM32")]
pub(crate) struct LoaderArgs {
    /// Take up a bootloader that was greeted before: send no 0x7F and touch no line
    #[arg(long, conflicts_with = "reset")]
    pub(crate) resume: bool,
    /// Parity of the line [default: even; none where the bootloader turns out to speak so]
    #[arg(long, value_name = "HOW")]
    pub(crate) parity: Option<ParityKind>,
    /// The longest frames that the adapter does, in bytes: received 20 to 256, sent 6 to 258
    #[arg(long, value_name = "RX[:TX]")]
    pub(crate) frame: Option<FrameLimits>,
    /// How often to try again what failed in passing [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) retries: Option<u32>,
    /// A table of parts of your own, which goes before the built-in one; see docs/stm32.md
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) parts: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ParityKind {
    /// The parity bit makes the number of ones even
    Even,
    /// No parity bit
    None,
    /// The parity bit makes the number of ones odd
    Odd,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Stm32Command {
    /// Print the CRC of a range of memory, computed on the chip where its bootloader can
    Crc(CrcArgs),
    /// Protect the flash against reading (RDP level 1)
    Protect(ProtectArgs),
    /// Remove the read protection, which erases the whole flash
    Unprotect(ProtectArgs),
    /// Protect sectors against erasing and writing (WRP)
    WriteProtect(WriteProtectArgs),
    /// Remove the write protection of the whole flash
    WriteUnprotect(ProtectArgs),
    /// Show the option bytes, or change some of them
    Options(OptionsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CrcArgs {
    /// First address [default: the start of the flash]
    #[arg(long, value_name = "A", value_parser = number::parse)]
    pub(crate) address: Option<u64>,
    /// How many bytes [default: to the end of the flash]
    #[arg(long, value_name = "N", value_parser = number::parse)]
    pub(crate) length: Option<u64>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ProtectArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OptionsArgs {
    /// Give a field another value, `WDG_SW=0`; the chip resets itself
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = true, args = ["all", "address", "sectors"])]
pub(crate) struct WriteProtectArgs {
    /// Protect the whole flash
    #[arg(long, conflicts_with_all = ["address", "length", "sectors"])]
    pub(crate) all: bool,
    /// First address; must begin a sector
    #[arg(long, value_name = "A", value_parser = number::parse, requires = "length")]
    pub(crate) address: Option<u64>,
    /// How many bytes; whole sectors
    #[arg(long, value_name = "N", value_parser = number::parse, requires = "address")]
    pub(crate) length: Option<u64>,
    /// The bootloader's own codes, and no others: sector numbers, or first and last page of each
    /// area
    #[arg(long, value_name = "N,N...", value_delimiter = ',', conflicts_with_all = ["address", "length"])]
    pub(crate) sectors: Vec<u8>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}
