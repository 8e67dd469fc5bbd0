//! The commands, how a host writes them and how a programmer reads them.

use super::{
    CRC_DIGITS, DUMP_BYTES, LINE_END, PAGE_BYTES, REGISTERS, digit_value, digits, upper_digit,
};

/// A command letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// Answered by `>`, the version text, a line end and `>`.
    Hello = b'>',
    /// Answered by the version text and a page of help.
    Help = b'?',
    /// Reads a page into the buffer; answered by the letter and the buffer's CRC.
    ReadPage = b'r',
    /// Answered by the letter, the buffer in hexadecimal and a line end.
    Dump = b'l',
    /// Answered by the letter, the buffer's CRC and a line end.
    BufferCrc = b'h',
    /// Fills the buffer from 512 digits; answered by the letter and the buffer's CRC.
    Fill = b's',
    /// Programs the buffer to a page; answered when done, whatever the chip did.
    ProgramPage = b'w',
    /// Erases a sector of 4 KiB; answered when done, whatever the chip did.
    EraseSector = b'k',
    /// Erases the chip; answered when done.
    EraseChip = b'n',
    /// Answered by the letter, a count of three and the JEDEC id. Sketches from 2019 on.
    JedecId = b'i',
    /// Answered by the letter, a count of three and status registers 1 to 3.
    Status = b'y',
    /// Answered by the letter and what [`Protection`](super::Protection) says.
    Protection = b'x',
    /// Sets the block protection; answered *before* the work.
    Protect = b'p',
    /// Clears the block protection; answered *before* the work.
    Unprotect = b'u',
    /// Chooses the pin of the chip select. Sketches from 2019 on.
    ChipSelect = b'*',
    /// Drives a pin. Sketches from 2019 on.
    Output = b'o',
}

impl Command {
    /// Every command.
    pub const ALL: [Self; 16] = [
        Self::Hello,
        Self::Help,
        Self::ReadPage,
        Self::Dump,
        Self::BufferCrc,
        Self::Fill,
        Self::ProgramPage,
        Self::EraseSector,
        Self::EraseChip,
        Self::JedecId,
        Self::Status,
        Self::Protection,
        Self::Protect,
        Self::Unprotect,
        Self::ChipSelect,
        Self::Output,
    ];

    /// The letter on the wire.
    pub const fn letter(self) -> u8 {
        self as u8
    }

    /// The command of a letter; letters are case-sensitive.
    pub const fn from_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'>' => Self::Hello,
            b'?' => Self::Help,
            b'r' => Self::ReadPage,
            b'l' => Self::Dump,
            b'h' => Self::BufferCrc,
            b's' => Self::Fill,
            b'w' => Self::ProgramPage,
            b'k' => Self::EraseSector,
            b'n' => Self::EraseChip,
            b'i' => Self::JedecId,
            b'y' => Self::Status,
            b'x' => Self::Protection,
            b'p' => Self::Protect,
            b'u' => Self::Unprotect,
            b'*' => Self::ChipSelect,
            b'o' => Self::Output,
            _ => return None,
        })
    }

    /// How many hexadecimal digits follow the letter.
    pub const fn digits(self) -> usize {
        match self {
            Self::ReadPage | Self::ProgramPage | Self::EraseSector => 8,
            Self::Fill => 2 * PAGE_BYTES,
            Self::ChipSelect => 2,
            Self::Output => 4,
            _ => 0,
        }
    }

    /// Length of the answer in bytes, letter and line end included; `None` for those that are
    /// texts.
    pub const fn answer_bytes(self) -> Option<usize> {
        Some(match self {
            Self::Hello | Self::Help => return None,
            Self::ReadPage | Self::Fill => 1 + CRC_DIGITS,
            Self::Dump => DUMP_BYTES,
            Self::BufferCrc => 1 + CRC_DIGITS + LINE_END.len(),
            Self::JedecId | Self::Status => 1 + 2 * (1 + REGISTERS),
            Self::Protection => 1 + 2 * 2,
            Self::ProgramPage
            | Self::EraseSector
            | Self::EraseChip
            | Self::Protect
            | Self::Unprotect
            | Self::ChipSelect
            | Self::Output => 1,
        })
    }
}

/// A command with its arguments, as the host sends it. All but the buffer's content, which
/// [`Request::fill`] writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Request {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Request {
    /// A letter and eight digits.
    const CAPACITY: usize = 9;
    /// Length of the command that fills the buffer: letter and two digits a byte.
    pub const FILL_BYTES: usize = 1 + Command::Fill.digits();

    fn new(command: Command) -> Self {
        let mut bytes = [0; Self::CAPACITY];
        bytes[0] = command.letter();
        Self { bytes, len: 1 }
    }

    fn with(mut self, argument: &[u8]) -> Self {
        for &byte in argument {
            let [high, low] = digits(byte);
            self.bytes[self.len] = high.to_ascii_lowercase();
            self.bytes[self.len + 1] = low.to_ascii_lowercase();
            self.len += 2;
        }
        self
    }

    /// A command without arguments; `None` if it has some.
    pub fn plain(command: Command) -> Option<Self> {
        (command.digits() == 0).then(|| Self::new(command))
    }

    /// Reads a page into the buffer. The page number is the address divided by 256.
    pub fn read_page(page: u16) -> Self {
        Self::new(Command::ReadPage).with(&u32::from(page).to_be_bytes())
    }

    /// Programs the buffer to a page. The page number is the address divided by 256.
    pub fn program_page(page: u16) -> Self {
        Self::new(Command::ProgramPage).with(&u32::from(page).to_be_bytes())
    }

    /// Erases a sector; `None` beyond the twelve bits of a sector number. The sector number is the
    /// address divided by 4096.
    pub fn erase_sector(sector: u16) -> Option<Self> {
        let request = Self::new(Command::EraseSector).with(&u32::from(sector).to_be_bytes());
        (sector < 0x1000).then_some(request)
    }

    /// Makes an Arduino pin the chip select.
    pub fn chip_select(pin: u8) -> Self {
        Self::new(Command::ChipSelect).with(&[pin])
    }

    /// Makes an Arduino pin an output and drives it if a level is given.
    pub fn output(pin: u8, level: Option<bool>) -> Self {
        let drive = match level {
            None => 0x00,
            Some(false) => 0x10,
            Some(true) => 0x11,
        };
        Self::new(Command::Output).with(&[pin, drive])
    }

    /// The command that fills the buffer with `page`.
    pub fn fill(page: &[u8; PAGE_BYTES]) -> [u8; Self::FILL_BYTES] {
        let mut bytes = [0; Self::FILL_BYTES];
        bytes[0] = Command::Fill.letter();
        for (pair, &byte) in bytes[1..].chunks_exact_mut(2).zip(page) {
            pair[0] = upper_digit(byte >> 4).to_ascii_lowercase();
            pair[1] = upper_digit(byte).to_ascii_lowercase();
        }
        bytes
    }

    /// The bytes to send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl core::fmt::Debug for Request {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Request({})", self.as_bytes().escape_ascii())
    }
}

/// What a byte outside arguments starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing: it is to be ignored.
    Nothing,
    /// A command that is complete.
    Complete(Command),
    /// A command whose argument follows.
    Argument(Command),
}

impl Start {
    /// Judges a byte that stands outside arguments.
    pub const fn of(byte: u8) -> Self {
        match Command::from_letter(byte) {
            None => Self::Nothing,
            Some(command) if command.digits() == 0 => Self::Complete(command),
            Some(command) => Self::Argument(command),
        }
    }
}

/// What a byte inside an argument did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// More digits are to come.
    More,
    /// A byte of the argument is complete, more are to come.
    Byte(u8),
    /// The last byte of the argument is complete.
    Last(u8),
    /// No digit: the command is dropped, the byte is consumed and [`ERROR`](super::ERROR) is the
    /// answer.
    Bad,
}

/// Reads an argument digit by digit, as bytes, most significant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgumentReader {
    digits_left: u16,
    /// The first digit of a byte, when an odd number of digits is left.
    high: u8,
}

impl ArgumentReader {
    /// A reader for the argument of `command`.
    pub const fn new(command: Command) -> Self {
        Self {
            digits_left: command.digits() as u16,
            high: 0,
        }
    }

    /// Whether nothing is missing.
    pub const fn is_complete(&self) -> bool {
        self.digits_left == 0
    }

    /// Takes the next byte.
    pub fn feed(&mut self, byte: u8) -> Fed {
        let Some(value) = digit_value(byte) else {
            return Fed::Bad;
        };
        let value = self.high << 4 | value;
        self.high = value;
        self.digits_left = self.digits_left.saturating_sub(1);
        if self.digits_left % 2 == 1 {
            Fed::More
        } else if self.is_complete() {
            Fed::Last(value)
        } else {
            Fed::Byte(value)
        }
    }
}
