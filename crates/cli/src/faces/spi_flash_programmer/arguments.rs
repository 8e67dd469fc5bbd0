//! The options of spi_flash_programmer_client.py, as it reads them.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::faces::argparse::{self, Opt, Piece, python_int};

/// What the original erases at once, in bytes.
pub(super) const SECTOR_BYTES: u64 = 4096;
/// What the original reads and compares at once, in bytes.
pub(super) const PAGE_BYTES: u64 = 256;

/// The length where none is given, in bytes.
const DEFAULT_LENGTH: u64 = 4096 * 1024;

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Job(Box<Arguments>),
    Help,
    /// It cannot be understood, and why.
    Wrong(String),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Command {
    #[default]
    Ports,
    Write,
    Read,
    Verify,
    Erase,
    EnableProtection,
    DisableProtection,
    CheckProtection,
    StatusRegister,
    IdRegister,
    SetCsIo,
    SetOutput,
}

/// The commands, in the order of the original's help.
const COMMANDS: [(&str, Command); 12] = [
    ("ports", Command::Ports),
    ("write", Command::Write),
    ("read", Command::Read),
    ("verify", Command::Verify),
    ("erase", Command::Erase),
    ("enable-protection", Command::EnableProtection),
    ("disable-protection", Command::DisableProtection),
    ("check-protection", Command::CheckProtection),
    ("status-register", Command::StatusRegister),
    ("id-register", Command::IdRegister),
    ("set-cs-io", Command::SetCsIo),
    ("set-output", Command::SetOutput),
];

/// How many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Bytes(u64),
    /// `-1`: to the end of the file, or of the chip.
    All,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) command: Command,
    pub(super) device: String,
    pub(super) file: PathBuf,
    pub(super) length: Length,
    pub(super) baud: u32,
    pub(super) flash_offset: u64,
    pub(super) file_offset: u64,
    /// What fills the sectors that are only partly written.
    pub(super) pad: Option<u8>,
    pub(super) is_verbose: bool,
    /// The Arduino pin that a command is about, or the chip select of the others.
    pub(super) io: Option<u8>,
    pub(super) value: Option<bool>,
}

const fn letter(short: char, name: &'static str) -> Opt {
    Opt {
        short: Some(short),
        long: name,
        has_long: false,
        takes_value: true,
    }
}

const fn word(long: &'static str) -> Opt {
    Opt {
        short: None,
        long,
        has_long: true,
        takes_value: true,
    }
}

/// In the order of the original's help.
const OPTIONS: [Opt; 11] = [
    Opt {
        short: Some('h'),
        takes_value: false,
        ..word("help")
    },
    letter('d', "device"),
    letter('f', "filename"),
    letter('l', "length"),
    word("rate"),
    word("flash-offset"),
    word("file-offset"),
    word("pad"),
    word("debug"),
    word("io"),
    word("value"),
];

/// The values of options as they stand there, before they are judged together.
struct Values {
    device: String,
    file: PathBuf,
    length: i128,
    rate: i128,
    flash_offset: i128,
    file_offset: i128,
    pad: Option<i128>,
    is_verbose: bool,
    io: Option<i128>,
    value: Option<i128>,
}

/// Reads a command line.
pub(super) fn parse(words: &[OsString]) -> Asked {
    let mut values = Values {
        device: "COM1".to_owned(),
        file: "flash.bin".into(),
        length: DEFAULT_LENGTH.into(),
        rate: 115_200,
        flash_offset: 0,
        file_offset: 0,
        pad: None,
        is_verbose: false,
        io: None,
        value: None,
    };
    let mut command = None;
    let mut unknown = Vec::new();
    for piece in argparse::split(words, &OPTIONS) {
        let read = match piece {
            Piece::Option("help", _) => return Asked::Help,
            Piece::Option(name, value) => values.set(name, value.unwrap_or_default()),
            Piece::Word(word) if command.is_none() => {
                command_of(&word).map(|it| command = Some(it))
            }
            Piece::Word(word) | Piece::Unknown(word) => {
                unknown.push(word.to_string_lossy().into_owned());
                Ok(())
            }
            Piece::Wrong(what) => Err(what),
        };
        if let Err(what) = read {
            return Asked::Wrong(what);
        }
    }
    let Some(command) = command else {
        return Asked::Wrong("the following arguments are required: command".to_owned());
    };
    if !unknown.is_empty() {
        return Asked::Wrong(format!("unrecognized arguments: {}", unknown.join(" ")));
    }
    match values.judge(command) {
        Ok(arguments) => Asked::Job(Box::new(arguments)),
        Err(what) => Asked::Wrong(what),
    }
}

fn command_of(word: &OsStr) -> Result<Command, String> {
    let known = COMMANDS.iter().find(|(name, _)| word == *name);
    known.map(|(_, command)| *command).ok_or_else(|| {
        let word = word.to_string_lossy();
        let names = COMMANDS.map(|(name, _)| format!("'{name}'")).join(", ");
        format!("argument command: invalid choice: '{word}' (choose from {names})")
    })
}

impl Values {
    fn set(&mut self, name: &str, value: OsString) -> Result<(), String> {
        let text = value.to_string_lossy().into_owned();
        let invalid = |what: &str| {
            let option = OPTIONS.iter().find(|option| option.long == name);
            let option = option.map(|option| argparse::shown(*option));
            let option = option.unwrap_or_default();
            format!("argument {option}: invalid {what}: '{text}'")
        };
        let number = || python_int(&text, true).ok_or_else(|| invalid("hex_dec value"));
        match name {
            "device" => self.device = text,
            "filename" => self.file = value.into(),
            "length" => self.length = number()?,
            "rate" => {
                self.rate = python_int(&text, false).ok_or_else(|| invalid("int value"))?;
            }
            "flash-offset" => self.flash_offset = number()?,
            "file-offset" => self.file_offset = number()?,
            "pad" => self.pad = Some(number()?),
            "debug" => {
                self.is_verbose = match &*text {
                    "off" => false,
                    "normal" | "verbose" => true,
                    _ => {
                        let choices = "(choose from 'off', 'normal', 'verbose')";
                        return Err(format!("{} {choices}", invalid("choice")));
                    }
                }
            }
            "io" => self.io = Some(number()?),
            "value" => self.value = Some(number()?),
            _ => {}
        }
        Ok(())
    }

    /// What the values mean for a command; what the original refuses is refused in its words, and
    /// before the port is opened.
    fn judge(self, command: Command) -> Result<Arguments, String> {
        let needs_pin = matches!(command, Command::SetCsIo | Command::SetOutput);
        let pin = |pin: i128| {
            let narrow = u8::try_from(pin).ok();
            narrow.ok_or_else(|| format!("argument --io: {pin} is no pin"))
        };
        let io = self.io.map(pin).transpose()?;
        if needs_pin && io.is_none() {
            return Err("the following arguments are required: --io".to_owned());
        }
        let pad = match self.pad.map(u8::try_from) {
            None => None,
            Some(Ok(pad)) => Some(pad),
            Some(Err(_)) if command == Command::Write => {
                return Err("pad must be in range 0x00--0xff".to_owned());
            }
            Some(Err(_)) => None,
        };
        let baud = u32::try_from(self.rate).ok().filter(|&baud| baud > 0);
        let baud = baud.ok_or_else(|| format!("argument --rate: {}: no such speed", self.rate))?;
        let file_offset = u64::try_from(self.file_offset);
        let file_offset =
            file_offset.map_err(|_| "file_offset must be a positive value or 0".to_owned())?;
        let flash_offset = u64::try_from(self.flash_offset);
        let flash_offset =
            flash_offset.map_err(|_| "flash_offset must be a positive value or 0".to_owned())?;
        let length = match self.length {
            -1 => Length::All,
            length => Length::Bytes(
                u64::try_from(length)
                    .map_err(|_| "length must be -1 or not negative".to_owned())?,
            ),
        };
        let unit = match command {
            Command::Write if pad.is_some() => None,
            Command::Write | Command::Erase => Some(("sector", SECTOR_BYTES)),
            Command::Read | Command::Verify => Some(("page", PAGE_BYTES)),
            _ => None,
        };
        if let Some((name, bytes)) = unit {
            let wrong = |what| {
                Err(format!(
                    "{what} must be a multiple of the {name} size {bytes}"
                ))
            };
            if matches!(length, Length::Bytes(length) if length % bytes != 0) {
                return wrong("length");
            }
            if flash_offset % bytes != 0 {
                return wrong("flash_offset");
            }
        }
        Ok(Arguments {
            command,
            device: self.device,
            file: self.file,
            length,
            baud,
            flash_offset,
            file_offset,
            pad,
            is_verbose: self.is_verbose,
            io,
            value: self.value.map(|value| value & 0x0F != 0),
        })
    }
}

/// The help, in our own words; `name` is what this program is called.
pub(super) fn help(name: &str) -> String {
    format!(
        "\
usage: {name} [options] COMMAND

Reads and writes SPI flash chips behind an Arduino with nfd's sketch, or with flashwire's own
firmware, with the options of spi_flash_programmer_client.py. This is flashwire {version}:
`flashwire --help` has more, docs/spi-flash-programmer.md says what differs.

commands:
  ports                 list the serial ports
  write                 erase and write what the file holds, and compare it
  read                  read into the file
  verify                compare with the file, page by page
  erase                 erase whole sectors of 4096 bytes
  enable-protection     protect the whole chip against writing
  disable-protection    lift the protection
  check-protection      show what is protected
  status-register       show the status registers
  id-register           show the JEDEC id
  set-cs-io             make the pin --io the chip select
  set-output            make the pin --io an output, and drive it if there is a --value

options:
  -d DEVICE             serial port, or any other port of flashwire (default: COM1)
  -f FILENAME           file to read from or write to (default: flash.bin)
  -l LENGTH             bytes to read, write, compare or erase (default: 4194304);
                        -1 for the whole file, or to the end of the chip
  --rate RATE           line speed (default: 115200)
  --flash-offset N      where to begin in the flash, in bytes (default: 0)
  --file-offset N       where to begin in the file, in bytes (default: 0)
  --pad VALUE           fill sectors that are only partly written with this byte
  --debug {{off,normal,verbose}}
                        say more
  --io PIN              the pin for set-cs-io and set-output; with other commands the chip select
  --value VALUE         the level for set-output: 0 or not
  -h, --help            show this help

Numbers are decimal, 0x hexadecimal, 0o octal or 0b binary.
",
        version = env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        parse(&words)
    }

    fn job(line: &str) -> Arguments {
        match asked(line) {
            Asked::Job(job) => *job,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn wrong(line: &str) -> String {
        match asked(line) {
            Asked::Wrong(what) => what,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn everything_has_the_default_of_the_original() {
        let job = job("read");
        assert_eq!(job.command, Command::Read);
        assert_eq!((job.device.as_str(), job.baud), ("COM1", 115_200));
        assert_eq!(job.file, PathBuf::from("flash.bin"));
        assert_eq!(job.length, Length::Bytes(4 << 20));
        assert_eq!((job.flash_offset, job.file_offset), (0, 0));
        assert_eq!((job.pad, job.io, job.value), (None, None, None));
        assert!(!job.is_verbose);
    }

    #[test]
    fn numbers_are_decimal_hexadecimal_or_binary_and_the_rate_is_decimal() {
        let job = job(
            "write -l 0x2000 --flash-offset 0b1000000000000 --file-off=8_192 --pad 0xff --rate 57600",
        );
        assert_eq!(job.length, Length::Bytes(0x2000));
        assert_eq!((job.flash_offset, job.file_offset), (0x1000, 8192));
        assert_eq!((job.pad, job.baud), (Some(0xFF), 57_600));
        assert_eq!(
            wrong("read -l 4k"),
            "argument -l: invalid hex_dec value: '4k'"
        );
        assert_eq!(
            wrong("read --rate 0x10"),
            "argument --rate: invalid int value: '0x10'"
        );
    }

    #[test]
    fn minus_one_is_everything_and_what_else_is_negative_is_refused() {
        for command in ["read", "write", "verify", "erase"] {
            assert_eq!(job(&format!("-l -1 {command}")).length, Length::All);
        }
        assert!(wrong("read -l -256").contains("length"));
        assert!(wrong("read --flash-offset -256").contains("flash_offset"));
        assert!(wrong("write --file-offset -1").contains("file_offset"));
        assert!(wrong("read --rate 0").contains("no such speed"));
    }

    #[test]
    fn lengths_and_offsets_are_whole_units_unless_padded() {
        assert_eq!(
            wrong("write -l 256"),
            "length must be a multiple of the sector size 4096"
        );
        assert_eq!(
            wrong("erase --flash-offset 256"),
            "flash_offset must be a multiple of the sector size 4096"
        );
        assert_eq!(
            wrong("verify -l 255"),
            "length must be a multiple of the page size 256"
        );
        assert_eq!(job("read -l 256 --flash-offset 256").flash_offset, 256);
        assert_eq!(job("write -l 3 --flash-offset 5 --pad 0").flash_offset, 5);
        assert_eq!(wrong("write --pad 256"), "pad must be in range 0x00--0xff");
        // What needs no unit does not look at it.
        assert_eq!(job("id-register -l 3").length, Length::Bytes(3));
    }

    #[test]
    fn commands_are_those_of_the_original_and_there_is_one() {
        for (name, command) in COMMANDS {
            assert_eq!(job(&format!("{name} --io 9")).command, command);
            assert!(help("x").contains(&format!("\n  {name} ")), "{name}");
        }
        assert!(wrong("4096").starts_with("argument command: invalid choice: '4096' (choose"));
        assert_eq!(
            wrong("-l 4096"),
            "the following arguments are required: command"
        );
        assert_eq!(wrong("read more"), "unrecognized arguments: more");
        // An option that was there once.
        assert!(wrong("-s 4096 write").contains("invalid choice: '4096'"));
    }

    #[test]
    fn pins_are_needed_where_a_command_is_about_them() {
        assert!(wrong("set-cs-io").contains("--io"));
        assert!(wrong("set-output --value 1").contains("--io"));
        assert!(wrong("set-cs-io --io 256").contains("no pin"));
        let job = job("set-output --io 0x07 --value 2");
        assert_eq!((job.io, job.value), (Some(7), Some(true)));
        assert_eq!(self::job("set-output --io 7 --value 16").value, Some(false));
        assert_eq!(self::job("set-output --io 7").value, None);
    }

    #[test]
    fn letters_have_no_words_and_all_options_are_in_the_help() {
        assert!(wrong("--device x read").contains("invalid choice: 'x'"));
        assert_eq!(job("-dx read").device, "x");
        for option in OPTIONS {
            let shown = argparse::shown(option);
            let shown = shown.split('/').next().unwrap();
            assert!(help("x").contains(&format!("\n  {shown}")), "{shown}");
        }
        assert_eq!(asked("-h nonsense"), Asked::Help);
        assert!(wrong("read --debug loud").ends_with("(choose from 'off', 'normal', 'verbose')"));
        assert!(job("read --debug normal").is_verbose);
    }
}
