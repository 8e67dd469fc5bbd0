//! The commands about the firmware that flashwire brings along.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Args, Command, Subcommand, ValueHint};
use flashwire::firmware;

use super::{ChangeArgs, TargetArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum FirmwareCommand {
    /// Show the images that there are, and what each is for
    List,
    /// Make a programmer of a board: write an image into its chip, verify and start it
    #[command(mut_args = without_chip_options)]
    Install(Box<FirmwareInstallArgs>),
    /// Put an image into a file, for other tools
    Extract(FirmwareExtractArgs),
}

/// Nobody looks for what is said of a SPI chip where a board becomes a programmer.
fn without_chip_options(arg: Arg) -> Arg {
    let is_about_chips = arg.get_help_heading() == Some(super::spi::CHIP_HEADING);
    arg.hide(is_about_chips)
}

#[derive(Debug, Args)]
pub(crate) struct FirmwareInstallArgs {
    /// Which image
    #[arg(value_parser = ImageName)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FirmwareExtractArgs {
    /// Which image
    #[arg(value_parser = ImageName)]
    pub(crate) name: String,
    /// Where to put it; `-` is standard output, the extension decides the format [default: NAME.hex]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// The format to write: bin, hex or srec
    #[arg(long, value_name = "F", value_parser = super::format)]
    pub(crate) to: Option<flashwire::Format>,
}

/// The name of an image: help and completions know them all, and a wrong one is left to the library,
/// which has its own words for that.
#[derive(Clone, Debug)]
struct ImageName;

impl TypedValueParser for ImageName {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let image = |image: &firmware::Bundled| PossibleValue::new(image.name).help(image.what);
        Some(Box::new(firmware::ALL.iter().map(image)))
    }
}
