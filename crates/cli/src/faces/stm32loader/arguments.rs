//! The options of stm32loader 0.7.1, as it reads them.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::faces::argparse::{self, Opt, Piece, python_int};

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Job(Box<Arguments>),
    Help,
    Version,
    /// It cannot be understood, and why.
    Wrong(String),
}

/// A job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) file: PathBuf,
    pub(super) erase: bool,
    pub(super) unprotect: bool,
    pub(super) protect: bool,
    pub(super) write: bool,
    pub(super) verify: bool,
    pub(super) read: bool,
    /// How many bytes to read or erase.
    pub(super) length: Option<i128>,
    pub(super) port: String,
    pub(super) baud: i128,
    /// Where to read, write or erase; `None` is the start of the flash.
    pub(super) address: Option<i128>,
    pub(super) go: Option<i128>,
    pub(super) family: Option<String>,
    pub(super) talk: Verbosity,
    /// RTS is reset and DTR is BOOT0.
    pub(super) swap: bool,
    pub(super) reset_active_high: bool,
    pub(super) boot0_active_low: bool,
    pub(super) no_progress: bool,
    /// Whether characters have a parity bit: even.
    pub(super) parity: bool,
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verbosity {
    Quiet,
    #[default]
    Usual,
    Verbose,
}

const fn flag(short: char, long: &'static str) -> Opt {
    Opt {
        short: Some(short),
        long,
        has_long: true,
        takes_value: false,
    }
}

const fn value(short: char, long: &'static str) -> Opt {
    Opt {
        takes_value: true,
        ..flag(short, long)
    }
}

/// In the order of the original's help.
const OPTIONS: [Opt; 21] = [
    flag('h', "help"),
    flag('e', "erase"),
    flag('u', "unprotect"),
    flag('x', "protect"),
    flag('w', "write"),
    flag('v', "verify"),
    flag('r', "read"),
    value('l', "length"),
    value('p', "port"),
    value('b', "baud"),
    value('a', "address"),
    value('g', "go-address"),
    value('f', "family"),
    flag('V', "verbose"),
    flag('q', "quiet"),
    flag('s', "swap-rts-dtr"),
    flag('R', "reset-active-high"),
    flag('B', "boot0-active-low"),
    flag('n', "no-progress"),
    value('P', "parity"),
    Opt {
        short: None,
        long: "version",
        has_long: true,
        takes_value: false,
    },
];

/// The speed where none is given, in bits per second.
const DEFAULT_BAUD: i128 = 115_200;

/// What the environment gives where the command line does not.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    /// `STM32LOADER_SERIAL_PORT`.
    pub(super) port: Option<String>,
    /// `STM32LOADER_FAMILY`.
    pub(super) family: Option<String>,
}

/// Reads a command line.
pub(super) fn parse(words: &[OsString], defaults: Defaults) -> Asked {
    let mut arguments = Arguments {
        port: defaults.port.unwrap_or_default(),
        family: defaults.family,
        baud: DEFAULT_BAUD,
        parity: true,
        ..Arguments::default()
    };
    let mut file = None;
    let mut unknown = Vec::new();
    for piece in argparse::split(words, &OPTIONS) {
        match piece {
            Piece::Option("help", _) => return Asked::Help,
            Piece::Option("version", _) => return Asked::Version,
            Piece::Option(name, value) => {
                if let Err(what) = arguments.set(name, value.as_deref()) {
                    return Asked::Wrong(what);
                }
            }
            Piece::Word(word) if file.is_none() => file = Some(PathBuf::from(word)),
            Piece::Word(word) | Piece::Unknown(word) => {
                unknown.push(word.to_string_lossy().into_owned());
            }
            Piece::Wrong(what) => return Asked::Wrong(what),
        }
    }
    if !unknown.is_empty() {
        return Asked::Wrong(format!("unrecognized arguments: {}", unknown.join(" ")));
    }
    let missing = arguments.missing(file.is_some());
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Asked::Wrong(format!("the following arguments are required: {missing}"));
    }
    arguments.file = file.unwrap_or_default();
    Asked::Job(Box::new(arguments))
}

impl Arguments {
    fn set(&mut self, name: &str, value: Option<&OsStr>) -> Result<(), String> {
        let text = value.map(OsStr::to_string_lossy).unwrap_or_default();
        let number = |any_base: bool| {
            python_int(&text, any_base).ok_or_else(|| {
                let name = OPTIONS.iter().find(|option| option.long == name);
                let letter = name.and_then(|option| option.short).unwrap_or('?');
                let kind = if any_base { "_auto_int" } else { "int" };
                format!(
                    "argument -{letter}/--{}: invalid {kind} value: '{text}'",
                    name.map_or("", |o| o.long)
                )
            })
        };
        match name {
            "erase" => self.erase = true,
            "unprotect" => self.unprotect = true,
            "protect" => self.protect = true,
            "write" => self.write = true,
            "verify" => self.verify = true,
            "read" => self.read = true,
            "length" => self.length = Some(number(true)?),
            "port" => self.port = text.into_owned(),
            "baud" => self.baud = number(false)?,
            "address" => self.address = Some(number(true)?),
            "go-address" => self.go = Some(number(true)?),
            "family" => self.family = Some(text.into_owned()),
            "verbose" => self.talk = Verbosity::Verbose,
            "quiet" => self.talk = Verbosity::Quiet,
            "swap-rts-dtr" => self.swap = true,
            "reset-active-high" => self.reset_active_high = true,
            "boot0-active-low" => self.boot0_active_low = true,
            "no-progress" => self.no_progress = true,
            "parity" => {
                self.parity = match &*text {
                    "even" => true,
                    "none" => false,
                    _ => {
                        return Err(format!(
                            "argument -P/--parity: invalid choice: '{text}' (choose from 'even', 'none')"
                        ));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What has to be there and is not. A read needs both address and length, although the address
    /// has a default: the original has it so.
    fn missing(&self, has_file: bool) -> Vec<&'static str> {
        let required = [
            (
                !has_file && (self.read || self.write || self.verify),
                "FILE.BIN",
            ),
            (self.read && self.length.is_none(), "-l/--length"),
            (self.port.is_empty(), "-p/--port"),
            (self.read && self.address.is_none(), "-a/--address"),
        ];
        let missing = required.into_iter().filter(|(is_missing, _)| *is_missing);
        missing.map(|(_, what)| what).collect()
    }
}

/// The help, in our own words; `name` is what this program is called.
pub(super) fn help(name: &str) -> String {
    format!(
        "\
usage: {name} [options] -p PORT [FILE.BIN]

Flashes STM32 microcontrollers, with the options of stm32loader 0.7.1. This is flashwire {version}:
`flashwire --help` has more, docs/stm32loader.md says what differs.

  FILE.BIN                      file to write, to compare with, or to read into
  -e, --erase                   erase the whole flash, or --length bytes from --address on
  -u, --unprotect               remove the read protection (erases everything)
  -x, --protect                 protect the flash against reading
  -w, --write                   write FILE.BIN into the flash
  -v, --verify                  compare the flash with FILE.BIN
  -r, --read                    read --length bytes from --address on into FILE.BIN
  -l, --length LENGTH           how many bytes to read or erase
  -p, --port PORT               serial port (default: $STM32LOADER_SERIAL_PORT)
  -b, --baud BAUD               line speed (default: 115200)
  -a, --address ADDRESS         where to read, write or erase (default: 0x08000000)
  -g, --go-address ADDRESS      start the program at this address
  -f, --family FAMILY           not needed: the chip says what it is (default: $STM32LOADER_FAMILY)
  -V, --verbose                 say more
  -q, --quiet                   say less
  -s, --swap-rts-dtr            RTS is wired to reset and DTR to BOOT0
  -R, --reset-active-high       reset is inverted
  -B, --boot0-active-low        BOOT0 is inverted
  -n, --no-progress             show no progress
  -P, --parity {{even,none}}      parity (default: even)
  -h, --help                    show this help
      --version                 show the version of stm32loader that this stands in for
",
        version = env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        parse(&words, Defaults::default())
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
        let job = job("-p port");
        assert_eq!(
            (job.baud, job.parity, job.talk),
            (115_200, true, Verbosity::Usual)
        );
        assert_eq!((job.address, job.length, job.go), (None, None, None));
        assert!(!(job.erase || job.write || job.verify || job.read || job.swap));
    }

    #[test]
    fn the_environment_stands_behind_the_command_line() {
        let defaults = || Defaults {
            port: Some("low".to_owned()),
            family: Some("F4".to_owned()),
        };
        let words = [OsString::from("-fF1")];
        let Asked::Job(job) = parse(&words, defaults()) else {
            panic!()
        };
        assert_eq!(
            (job.port.as_str(), job.family.as_deref()),
            ("low", Some("F1"))
        );
        // Empty is none.
        let empty = Defaults {
            port: Some(String::new()),
            family: None,
        };
        assert!(matches!(parse(&[], empty), Asked::Wrong(_)));
    }

    #[test]
    fn what_a_job_needs_has_to_be_there() {
        assert_eq!(
            wrong("-e"),
            "the following arguments are required: -p/--port"
        );
        for line in ["-p port -w", "-p port -v", "-p port -r -l 1 -a 0"] {
            assert!(wrong(line).ends_with(" FILE.BIN"), "{line}");
        }
        // The default address does not count for a read.
        assert!(wrong("-p port -r -l 4 f").ends_with(" -a/--address"));
        assert!(wrong("-p port -r -a 0 f").ends_with(" -l/--length"));
        assert!(wrong("-p port a b").contains("unrecognized arguments: b"));
        assert!(wrong("-p port -P odd").contains("invalid choice"));
        assert!(wrong("-p port -b fast").contains("invalid int value"));
    }

    #[test]
    fn help_and_version_come_before_what_is_missing_and_after_what_is_wrong_before_them() {
        assert_eq!(asked("-e -h -b x"), Asked::Help);
        assert_eq!(asked("--version"), Asked::Version);
        assert!(matches!(asked("-b x -h"), Asked::Wrong(_)));
        for option in OPTIONS {
            assert!(
                help("x").contains(&format!("--{}", option.long)),
                "{}",
                option.long
            );
        }
    }

    #[test]
    fn the_last_word_on_talking_counts() {
        assert_eq!(job("-p port -Vq").talk, Verbosity::Quiet);
        assert_eq!(job("-p port -qV").talk, Verbosity::Verbose);
    }
}
