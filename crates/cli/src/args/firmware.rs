//! The commands about the firmware that flashwire brings along.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::{ChangeArgs, TargetArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum FirmwareCommand {
    /// Show the images that there are, and what each is for
    List,
    /// Make a programmer of a board: write an image into its chip, verify and start it
    Install(Box<FirmwareInstallArgs>),
    /// Put an image into a file, for other tools
    Extract(FirmwareExtractArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FirmwareInstallArgs {
    /// Which image; `flashwire firmware list` shows them
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FirmwareExtractArgs {
    /// Which image; `flashwire firmware list` shows them
    pub(crate) name: String,
    /// Where to put it; `-` is standard output, the extension decides the format [default: NAME.hex]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// The format to write: bin, hex or srec
    #[arg(long, value_name = "F", value_parser = super::format)]
    pub(crate) to: Option<flashwire::Format>,
}
