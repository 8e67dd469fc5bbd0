//! The command line's surface: commands, options, and the words that they take.
//!
//! Doc comments in here are what `--help`, the manual pages and the completions show.

pub(crate) mod firmware;
pub(crate) mod spi;
pub(crate) mod stm32;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Effects};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use flashwire::{families, number};

/// Flash chips over a serial wire.
#[derive(Debug, Parser)]
#[command(
    name = "flashwire",
    version,
    styles = STYLES,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) screen: ScreenArgs,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Try it without a board:
  flashwire write app.hex -p sim:stm32f103cb,image=board.bin

Exit codes: 0 done, 1 the device or the link failed, 2 wrong use, 3 verify mismatch, 4 refused for
safety, 5 nothing answered, 6 the port cannot be opened, 7 the input file is bad, 130 cancelled.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the serial ports and I2C buses of this computer, and what each probably is
    List(ListArgs),
    /// Show what is at the other end: part, sizes, unique id, protection
    Info(InfoArgs),
    /// Write a firmware file into the flash and verify it
    #[command(visible_alias = "flash")]
    Write(WriteArgs),
    /// Read flash into a file
    Read(ReadArgs),
    /// Compare the flash with a firmware file
    Verify(VerifyArgs),
    /// Erase the flash, or a part of it
    Erase(EraseArgs),
    /// Start the application
    Run(RunArgs),
    /// Reset the target
    Reset(ResetArgs),
    /// Protections, checksums and option bytes of an STM32
    #[command(subcommand)]
    Stm32(stm32::Stm32Command),
    /// Chips, their descriptions of themselves, and the protection of a SPI NOR chip
    #[command(subcommand)]
    Spi(spi::SpiCommand),
    /// Serve a simulated bench, for any tool to talk to in real time
    Sim(SimArgs),
    /// Look into firmware files, convert and merge them
    #[command(subcommand)]
    Image(ImageCommand),
    /// The firmware that flashwire brings along: programmers for boards that you have
    #[command(subcommand)]
    Firmware(firmware::FirmwareCommand),
    /// Say why nothing answers: permissions, other programs, wiring, BOOT0
    Doctor(DoctorArgs),
    /// Take the options of stm32flash 0.7 (`flashwire stm32flash -h`); also under that name
    #[command(name = "stm32flash", disable_help_flag = true)]
    Stm32flash(FaceArgs),
    /// Take the options of stm32loader 0.7.1 (`flashwire stm32loader -h`); also under that name
    #[command(name = "stm32loader", disable_help_flag = true)]
    Stm32loader(FaceArgs),
    /// Take the options of nfd's spi_flash_programmer_client.py (`flashwire spi-flash-programmer -h`);
    /// also under that name
    #[command(name = "spi-flash-programmer", disable_help_flag = true)]
    SpiFlashProgrammer(FaceArgs),
    /// Explain an error code at length
    Explain(ExplainArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder
    Man(ManArgs),
}

/// What is shown, and how.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ScreenArgs {
    /// Print the result as one JSON object on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How to show progress; `json` prints one event a line on standard output
    #[arg(
        long,
        global = true,
        value_name = "HOW",
        default_value = "auto",
        hide_default_value = true
    )]
    pub(crate) progress: ProgressKind,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more: what is tried, and how long each step took
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressKind {
    /// A bar on a terminal, else a line every 10 %
    #[default]
    Auto,
    /// A bar
    Bar,
    /// One JSON object a line, on standard output
    Json,
    /// Nothing
    None,
}

/// How to reach a target.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArgs {
    /// Where the target is: /dev/ttyUSB0, COM5, tcp:HOST:PORT, stm32-i2c:/dev/i2c-1@0x39, sim:BENCH;
    /// before it `serprog:` or `nfd:` for a chip behind a SPI programmer, `stk500:` for an Arduino itself
    #[arg(short, long, env = "FLASHWIRE_PORT", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) port: Option<String>,
    /// Line speed, or `max` for the fastest that works [default: 115200]
    #[arg(short, long, value_name = "N|max")]
    pub(crate) baud: Option<String>,
    /// How DTR and RTS reach the chip: `dtr=nrst,rts=boot0` (`!` inverts), a sequence, a preset,
    /// `auto`, or `none` to press the buttons yourself; see `flashwire explain reset-syntax`
    #[arg(long, value_name = "WIRING")]
    pub(crate) reset: Option<String>,
    /// How far commands run ahead of their answers: off, address or full [default: address]
    #[arg(long, value_name = "HOW")]
    pub(crate) pipeline: Option<String>,
    /// How long to try to reach the target, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<f64>,
    /// Ask nothing: go on, or fail
    #[arg(long)]
    pub(crate) yes: bool,
    /// Write every byte on the wire, with its time, to a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) log: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) loader: stm32::LoaderArgs,
    #[command(flatten)]
    pub(crate) chip: spi::ChipArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Show the simulated benches too
    #[arg(long)]
    pub(crate) sim: bool,
    /// Ask every address of an I2C bus (/dev/i2c-1) whether a device is there. Some devices lock up
    /// when they are asked: STM32 bootloaders before protocol 1.2 do, for seconds
    #[arg(long, value_name = "BUS", value_hint = ValueHint::FilePath)]
    pub(crate) i2c_scan: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// A firmware file, and where it goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct FileArgs {
    /// Firmware: raw binary, Intel HEX, S-record, ELF, UF2 or DfuSe; `-` is standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Where a raw binary goes [default: the start of the flash]
    #[arg(long, value_name = "A", value_parser = number::parse)]
    pub(crate) address: Option<u64>,
    /// The file's format, whatever its name and content look like; `uf2:FAMILY` picks one of the
    /// images in a UF2 file
    #[arg(long, value_name = "F", value_parser = input_format)]
    pub(crate) format: Option<InputFormat>,
}

/// A firmware file, or what belongs into regions.
#[derive(Clone, Debug, Args)]
pub(crate) struct ContentArgs {
    /// Firmware: raw binary, Intel HEX, S-record, ELF, UF2 or DfuSe; `-` is standard input
    #[arg(value_hint = ValueHint::FilePath, required_unless_present = "region")]
    pub(crate) file: Option<PathBuf>,
    /// Where a raw binary goes [default: the start of the flash]
    #[arg(long, value_name = "A", value_parser = number::parse, conflicts_with = "region")]
    pub(crate) address: Option<u64>,
    /// The file's format, whatever its name and content look like; `uf2:FAMILY` picks one of the
    /// images in a UF2 file
    #[arg(long, value_name = "F", value_parser = input_format)]
    pub(crate) format: Option<InputFormat>,
    #[command(flatten)]
    pub(crate) regions: spi::RegionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WriteArgs {
    #[command(flatten)]
    pub(crate) content: ContentArgs,
    /// What to erase: the units that the file touches, the whole flash, or nothing
    #[arg(long, value_name = "WHAT", default_value = "touched")]
    pub(crate) erase: EraseKind,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    /// Start the application afterwards
    #[arg(long)]
    pub(crate) run: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// How a flash is changed.
#[derive(Clone, Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Leave alone what already holds what the file says
    #[arg(long)]
    pub(crate) only_changed: bool,
    /// Do not check what was written
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Read the whole flash first and keep it, in FILE or in your state folder
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, value_hint = ValueHint::FilePath)]
    pub(crate) backup: Option<Option<PathBuf>>,
    /// Do not keep a copy of the old content that had to be read
    #[arg(long, conflicts_with = "backup")]
    pub(crate) no_backup: bool,
    /// Lose what shares an erase unit with the file, instead of writing it back
    #[arg(long)]
    pub(crate) no_keep: bool,
    /// Remove what protection is in the way and go on; removing the read protection erases the whole
    /// flash, and is asked about
    #[arg(long)]
    pub(crate) unprotect: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EraseKind {
    /// The units that the file touches
    Touched,
    /// The whole flash
    All,
    /// Nothing: write only where the flash allows it
    None,
}

#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    /// Where to put it; `-` is standard output, the extension decides the format
    #[arg(value_hint = ValueHint::FilePath, required_unless_present = "region")]
    pub(crate) file: Option<PathBuf>,
    /// First address [default: the start of the flash]
    #[arg(long, value_name = "A", value_parser = number::parse, conflicts_with = "region")]
    pub(crate) address: Option<u64>,
    /// How many bytes [default: to the end of the flash]
    #[arg(long, value_name = "N", value_parser = number::parse, conflicts_with = "region")]
    pub(crate) length: Option<u64>,
    /// The format to write: bin, hex or srec
    #[arg(long, value_name = "F", value_parser = format)]
    pub(crate) format: Option<flashwire::Format>,
    #[command(flatten)]
    pub(crate) regions: spi::RegionArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) content: ContentArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = true, args = ["all", "address", "page", "region"])]
pub(crate) struct EraseArgs {
    /// Erase everything
    #[arg(long, conflicts_with_all = ["address", "length", "page"])]
    pub(crate) all: bool,
    /// First address; must begin an erase unit
    #[arg(long, value_name = "A", value_parser = number::parse, requires = "length")]
    pub(crate) address: Option<u64>,
    /// How many bytes; whole erase units
    #[arg(long, value_name = "N", value_parser = number::parse, requires = "address")]
    pub(crate) length: Option<u64>,
    /// Erase from this page on (or sector), counted from 0
    #[arg(long, value_name = "N", value_parser = number::parse, conflicts_with = "address")]
    pub(crate) page: Option<u64>,
    /// How many pages [default: 1]
    #[arg(long, value_name = "N", value_parser = number::parse, requires = "page")]
    pub(crate) pages: Option<u64>,
    #[command(flatten)]
    pub(crate) regions: spi::RegionArgs,
    /// Remove what protection is in the way and go on; removing the read protection erases the whole
    /// flash, and is asked about
    #[arg(long)]
    pub(crate) unprotect: bool,
    /// Do not check that it is empty afterwards
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Where its vector table is [default: the start of the flash]
    #[arg(long, value_name = "A", value_parser = number::parse)]
    pub(crate) address: Option<u64>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    /// Which bench, as after `sim:` in a port; `flashwire list --sim` shows them
    pub(crate) bench: String,
    /// Where to serve it: tcp:ADDRESS:PORT, unix:PATH for a socket, or pty:LINK for a symbolic link to
    /// a new terminal
    #[arg(long, value_name = "WHERE")]
    pub(crate) listen: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Show what is in firmware files
    Info(ImageInfoArgs),
    /// Write a firmware file in another format
    Convert(ImageConvertArgs),
    /// Join firmware files into one
    Merge(ImageMergeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ImageInfoArgs {
    /// The files; `-` is standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Their format, whatever names and content look like
    #[arg(long, value_name = "F", value_parser = format)]
    pub(crate) format: Option<flashwire::Format>,
}

#[derive(Debug, Args)]
pub(crate) struct ImageConvertArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImageMergeArgs {
    /// The files, `FILE` or `FILE@ADDRESS` for a raw binary
    #[arg(required = true, value_name = "FILE[@A]")]
    pub(crate) files: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// An image file to make.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArgs {
    /// Where to put it; `-` is standard output, the extension decides the format
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// The format to write: bin, hex or srec
    #[arg(long, value_name = "F", value_parser = format)]
    pub(crate) to: Option<flashwire::Format>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Print rules for udev that open the ports and keep ModemManager away from them
    #[arg(long, conflicts_with_all = ["baud", "reset", "log"])]
    pub(crate) udev_rules: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// The words of a drop-in face, which reads them itself.
#[derive(Debug, Args)]
pub(crate) struct FaceArgs {
    /// The options as the original takes them
    #[arg(
        value_name = "ARGS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) words: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The word in brackets after `error`; without it, all codes are listed
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder; it is made if it is not there
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
}

/// A format, and which image of a file of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InputFormat {
    pub(crate) format: flashwire::Format,
    pub(crate) family: Option<u32>,
}

fn input_format(text: &str) -> Result<InputFormat, String> {
    let Some((id, family)) = text.split_once(':') else {
        return format(text).map(|format| InputFormat {
            format,
            family: None,
        });
    };
    let format = format(id)?;
    if format != flashwire::Format::Uf2 {
        return Err("only UF2 files have several families: uf2:FAMILY".to_owned());
    }
    let family = families::id(family).ok_or("a family is a name such as STM32F4, or a number")?;
    Ok(InputFormat {
        format,
        family: Some(family),
    })
}

fn format(text: &str) -> Result<flashwire::Format, String> {
    let known = flashwire::Format::ALL.map(flashwire::Format::id).join(", ");
    flashwire::Format::from_id(text).ok_or(format!("known are {known}"))
}
