//! The words of a command line, as stm32flash 0.7 reads them.
//!
//! The same words mean the same, in the same order, and what the original refuses is refused. Beyond
//! that a number must be one to its end: where the original takes `-e all` for `-e 0` and `08` for
//! 0, these are errors.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use flashwire::{FrameLimits, ResetSpec};

use crate::faces::getopt::{self, Piece};

/// The letters of the original, each followed by `:` if it takes a value.
pub(super) const LETTERS: &str = "a:b:m:r:w:Cujkoe:vn:g:S:F:s:fhcRi:";

/// What a command line comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    /// Something is to be done.
    Job(Box<Arguments>),
    /// The help.
    Help,
    /// An option is wrong.
    Wrong(String),
    /// The options do not say what to do with what; the help goes with it.
    Nothing(String),
}

/// What is to be done, with what, and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arguments {
    /// The port as it was written.
    pub(super) port: String,
    /// `-a`: the address on an I2C bus.
    pub(super) bus_address: Option<u32>,
    /// `-b`: bits per second; 0 leaves the port's speed as it is.
    pub(super) baud: u32,
    /// `-m`: the character format.
    pub(super) parity: Parity,
    /// What is to be done.
    pub(super) action: Action,
    /// `-S`, `-s`, `-e`: where.
    pub(super) place: Place,
    /// `-e 0`: nothing is erased before writing.
    pub(super) no_erase: bool,
    /// `-v`: what was written is compared.
    pub(super) verify: bool,
    /// `-n`: how often a block that came out wrong is written again.
    pub(super) retries: u32,
    /// `-g`: where to start the program afterwards; 0 is the start of the flash.
    pub(super) start: Option<u32>,
    /// `-F`: the longest frames, received and sent, in bytes.
    pub(super) frame: FrameLimits,
    /// `-f`: the file is binary, whatever it looks like.
    pub(super) binary: bool,
    /// `-c`: the loader has been greeted before.
    pub(super) resume: bool,
    /// `-R`: the chip is reset at the end.
    pub(super) reset: bool,
    /// `-i`: how lines lead into the loader and out of it.
    pub(super) lines: Option<ResetSpec>,
    /// Letters that are no options, which the original names and goes on.
    pub(super) ignored: Vec<String>,
}

/// Parity of the characters: the only part of `-m` that an STM32 leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parity {
    Even,
    Odd,
    None,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// No more than tell what is there.
    Look,
    Read(PathBuf),
    Write(PathBuf),
    Crc,
    Erase,
    WriteUnprotect,
    ReadProtect,
    ReadUnprotect,
}

/// Where it is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The whole flash, or what the file covers.
    Unsaid,
    /// Pages, from one on; without a count all that follow.
    Pages { first: u32, count: Option<u32> },
    /// Addresses, from one on; without a length all that follow.
    Addresses { start: u32, length: Option<u32> },
}

/// Line speeds that the original takes besides 0.
const BAUDS: [u32; 26] = [
    1200, 1800, 2400, 4800, 9600, 14_400, 19_200, 38_400, 56_000, 57_600, 115_200, 128_000,
    230_400, 256_000, 460_800, 500_000, 576_000, 921_600, 1_000_000, 1_152_000, 1_500_000,
    2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000,
];

/// Where nobody says otherwise.
const DEFAULT_BAUD: u32 = 57_600;
const DEFAULT_RETRIES: u32 = 10;

/// Most pages that `-e` takes: more than any part has.
const MOST_PAGES: u32 = 0xFFFF;

/// Reads the words behind the program's name.
pub(super) fn parse(words: &[OsString], posix: bool) -> Asked {
    let mut reader = Reader::new();
    let mut ports = Vec::new();
    for piece in getopt::split(words, LETTERS, posix) {
        let read = match piece {
            Piece::Flag('h') => return Asked::Help,
            Piece::Flag(letter) => reader.flag(letter),
            Piece::Value(letter, value) => reader.value(letter, &value),
            Piece::Unknown(letter) => {
                reader.ignored.push(format!("there is no option -{letter}"));
                Ok(())
            }
            Piece::Missing(letter) => {
                reader.ignored.push(format!("-{letter} lacks its value"));
                Ok(())
            }
            Piece::Word(word) => {
                ports.push(word);
                Ok(())
            }
        };
        if let Err(what) = read {
            return Asked::Wrong(what);
        }
    }
    let port = match &ports[..] {
        [port] => port.to_string_lossy().into_owned(),
        [] => return Asked::Nothing("which port? None is named".to_owned()),
        [_, second, ..] => {
            let second = second.display();
            return Asked::Nothing(format!("{second} is one word too many: there is one port"));
        }
    };
    if reader.verify && !matches!(reader.action, Action::Write(_)) {
        return Asked::Nothing("-v goes only with -w".to_owned());
    }
    Asked::Job(Box::new(reader.arguments(port)))
}

/// What has been read so far.
struct Reader {
    bus_address: Option<u32>,
    baud: u32,
    parity: Parity,
    action: Action,
    first_page: u32,
    pages: Option<u32>,
    addresses: Option<(u32, Option<u32>)>,
    verify: bool,
    retries: u32,
    start: Option<u32>,
    frame: FrameLimits,
    binary: bool,
    resume: bool,
    reset: bool,
    lines: Option<ResetSpec>,
    ignored: Vec<String>,
}

impl Reader {
    fn new() -> Self {
        Self {
            bus_address: None,
            baud: DEFAULT_BAUD,
            parity: Parity::Even,
            action: Action::Look,
            first_page: 0,
            pages: None,
            addresses: None,
            verify: false,
            retries: DEFAULT_RETRIES,
            start: None,
            frame: FrameLimits::default(),
            binary: false,
            resume: false,
            reset: false,
            lines: None,
            ignored: Vec::new(),
        }
    }

    fn arguments(self, port: String) -> Arguments {
        let counted = self.pages.filter(|pages| *pages > 0);
        let place = match (self.addresses, self.first_page, counted) {
            (Some((start, length)), _, _) => Place::Addresses { start, length },
            (None, 0, None) => Place::Unsaid,
            (None, first, count) => Place::Pages { first, count },
        };
        Arguments {
            port,
            bus_address: self.bus_address,
            baud: self.baud,
            parity: self.parity,
            action: self.action,
            place,
            no_erase: self.pages == Some(0),
            verify: self.verify,
            retries: self.retries,
            start: self.start,
            frame: self.frame,
            binary: self.binary,
            resume: self.resume,
            reset: self.reset,
            lines: self.lines,
            ignored: self.ignored,
        }
    }

    fn flag(&mut self, letter: char) -> Result<(), String> {
        match letter {
            'C' => self.act(Action::Crc)?,
            'u' => self.act(Action::WriteUnprotect)?,
            'j' => self.act(Action::ReadProtect)?,
            'k' => self.act(Action::ReadUnprotect)?,
            'o' => self.act(Action::Erase)?,
            'v' => self.verify = true,
            'f' => self.binary = true,
            'c' => self.resume = true,
            'R' => self.reset = true,
            _ => return Err(format!("there is no option -{letter}")),
        }
        Ok(())
    }

    fn value(&mut self, letter: char, value: &OsStr) -> Result<(), String> {
        let text = &*value.to_string_lossy();
        match letter {
            'r' => self.act(Action::Read(value.into()))?,
            'w' => self.act(Action::Write(value.into()))?,
            'a' => self.bus_address = Some(number('a', text)?),
            'b' => self.baud = baud(text)?,
            'm' => self.parity = mode(text)?,
            'e' => {
                self.no_addresses('e')?;
                self.pages = Some(pages(text)?);
            }
            's' => {
                self.no_addresses('s')?;
                self.first_page = number('s', text)?;
            }
            'S' => self.addresses(text)?,
            'n' => self.retries = number('n', text)?,
            'g' => self.start = Some(word_address(text)?),
            'F' => self.frame(text)?,
            'i' => {
                let lines = ResetSpec::parse_stm32flash(text);
                self.lines = Some(lines.map_err(|error| format!("-i {text}: {error}"))?);
            }
            _ => return Err(format!("there is no option -{letter}")),
        }
        Ok(())
    }

    /// One action a run, as the original has it.
    fn act(&mut self, action: Action) -> Result<(), String> {
        if self.action != Action::Look {
            let (first, second) = (self.action.letter(), action.letter());
            return Err(format!(
                "-{first} and -{second}: only one of -r -w -C -o -u -j -k at a time"
            ));
        }
        self.action = action;
        Ok(())
    }

    fn no_addresses(&self, letter: char) -> Result<(), String> {
        match self.addresses {
            Some(_) => Err(format!("-S and -{letter}: addresses or pages, not both")),
            None => Ok(()),
        }
    }

    fn addresses(&mut self, text: &str) -> Result<(), String> {
        if self.first_page > 0 || self.pages.is_some_and(|pages| pages > 0) {
            return Err("-S after -s or -e: addresses or pages, not both".to_owned());
        }
        let (start, length) = match text.split_once(':') {
            Some((start, length)) => (start, Some(length)),
            None => (text, None),
        };
        let length = length.map(|length| match length {
            "" => Ok(0),
            length => number('S', length),
        });
        let length = length.transpose()?;
        if length == Some(0) {
            return Err(format!("-S {text}: a length of 0 is none"));
        }
        self.addresses = Some((number('S', start)?, length));
        Ok(())
    }

    fn frame(&mut self, text: &str) -> Result<(), String> {
        let (rx, tx) = match text.split_once(':') {
            Some((rx, tx)) => (number('F', rx)?, number('F', tx)?),
            None => (number('F', text)?, 0),
        };
        let within = |value: u32, limits: RangeInclusive<usize>| match value as usize {
            0 => *limits.end(),
            value => value.min(*limits.end()),
        };
        let frame = FrameLimits::new(within(rx, FrameLimits::RX), within(tx, FrameLimits::TX));
        self.frame = frame.ok_or_else(|| {
            let (rx, tx) = (FrameLimits::RX, FrameLimits::TX);
            format!(
                "-F {text}: at least {} bytes received and {} sent",
                rx.start(),
                tx.start()
            )
        })?;
        Ok(())
    }
}

impl Action {
    fn letter(&self) -> char {
        match self {
            Self::Look => ' ',
            Self::Read(_) => 'r',
            Self::Write(_) => 'w',
            Self::Crc => 'C',
            Self::Erase => 'o',
            Self::WriteUnprotect => 'u',
            Self::ReadProtect => 'j',
            Self::ReadUnprotect => 'k',
        }
    }
}

impl Arguments {
    /// Whether standard output is for data, so that words go elsewhere.
    pub(super) fn data_on_output(&self) -> bool {
        matches!(&self.action, Action::Read(file) if file.as_os_str() == "-")
    }
}

/// A number as strtoul(3) reads it with base 0, but to its end: decimal, `0x` hexadecimal, or octal
/// behind a 0.
fn number(letter: char, text: &str) -> Result<u32, String> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    // from_str_radix takes a sign.
    let digits = if digits.starts_with(['+', '-']) {
        ""
    } else {
        digits
    };
    u32::from_str_radix(digits, radix).map_err(|_| {
        format!("-{letter} {text}: no number (decimal, 0x hexadecimal, octal behind a 0)")
    })
}

fn baud(text: &str) -> Result<u32, String> {
    let baud = number('b', text)?;
    if baud == 0 || BAUDS.contains(&baud) {
        return Ok(baud);
    }
    let known: Vec<String> = BAUDS.iter().map(ToString::to_string).collect();
    Err(format!(
        "-b {text}: no speed that is known here; there are 0 (as the port is) {}. \
         flashwire's own commands take any",
        known.join(" ")
    ))
}

fn pages(text: &str) -> Result<u32, String> {
    let pages = number('e', text)?;
    if pages > MOST_PAGES {
        return Err(format!("-e {text}: at most {MOST_PAGES} pages"));
    }
    Ok(pages)
}

fn word_address(text: &str) -> Result<u32, String> {
    let address = number('g', text)?;
    if !address.is_multiple_of(4) {
        return Err(format!("-g {text}: no multiple of 4"));
    }
    Ok(address)
}

/// Data bits, parity and stop bits: `8e1`.
fn mode(text: &str) -> Result<Parity, String> {
    let (bits, parity, stop) = match text.as_bytes() {
        &[bits, parity, stop] => (bits, parity.to_ascii_lowercase(), stop),
        _ => (0, 0, 0),
    };
    let parity = match parity {
        b'e' => Parity::Even,
        b'o' => Parity::Odd,
        b'n' => Parity::None,
        _ => return Err(format!("-m {text}: 8e1, or 8n1 for chips without parity")),
    };
    if bits != b'8' || stop != b'1' {
        return Err(format!(
            "-m {text}: loaders speak 8 data bits and 1 stop bit; 8e1 or 8n1"
        ));
    }
    Ok(parity)
}

/// The help.
pub(super) fn help(name: &str) -> String {
    format!(
        "usage: {name} [-cfhjkouvCR] [-a ADDRESS] [-b BAUD] [-m MODE] [-r FILE] [-w FILE] [-e N]
       [-n COUNT] [-g ADDRESS] [-s PAGE] [-S ADDRESS[:LENGTH]] [-F RX[:TX]] [-i LINES] PORT

{HELP}"
    )
}

const HELP: &str = "\
The options of stm32flash 0.7, done by flashwire. PORT is a serial port, an I2C bus (with -a), or
whatever flashwire's own commands take: tcp:HOST:PORT, sim:BENCH.

One of these, or none to see what is there:
  -r FILE    read the flash into FILE (- is standard output)
  -w FILE    write FILE (- is standard input); raw binary, Intel HEX, S-record, ELF, UF2, DfuSe
  -C         checksum of the flash
  -o         erase
  -u         remove the write protection; the chip resets
  -j         protect against reading; the chip resets
  -k         remove the read protection: erases the whole flash; the chip resets

Where:
  -S ADDRESS[:LENGTH]   from this address on, so many bytes
  -s PAGE               from this page on
  -e N                  N pages; before writing, erase N pages, with 0 none

How:
  -f         FILE is raw binary, whatever it looks like
  -v         verify what was written
  -n COUNT   write a block that came out wrong again, up to COUNT times [default: 10]
  -a ADDRESS the loader's address on the I2C bus
  -b BAUD    speed; 0 leaves the port's [default: 57600]
  -m MODE    8e1, or 8n1 for chips without parity [default: 8e1]
  -F RX[:TX] longest frames in bytes [default: 256:258]
  -c         the loader has been greeted before, at this speed: do not do it again
  -i LINES   how lines lead into the loader, and behind a colon out of it: [ENTER][:[LEAVE]];
             dtr rts brk or the number of a GPIO, - before it for low, then & for at once
             or , for 100 ms

At the end:
  -g ADDRESS start the program whose vector table is there; 0 is the start of the flash
  -R         reset the chip
  -h         this help

`flashwire write --help` and its neighbours show what goes beyond; docs/stm32flash.md says what is
different on purpose.
";
