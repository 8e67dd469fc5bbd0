//! The serial protocol of nfd's Arduino SPI flash programmer, for both ends of the wire.
//!
//! There is no published document: the ruling text is the sketch itself (nfd/spi-flash-programmer,
//! commits 3df69c7 of 2018 to bca76ea of 2024), whose version text never changes, so features are
//! found by trying. A command is one letter and hexadecimal arguments without separators; an answer
//! starts with the same letter. Bytes that start no command are ignored, a bad digit is answered by
//! [`ERROR`] and drops the command. 8N1 at 115,200 baud.
//!
//! The programmer holds one page in a buffer: pages are read into it and programmed from it, and
//! the host moves it over the wire in hexadecimal.

mod command;
mod hex;

pub use command::{ArgumentReader, Command, Fed, Request, Start};
pub use hex::{HexError, digit_value, digits, parse_bytes, parse_u32, upper_digit};

/// Bytes of the page buffer, of a read, of a program operation.
pub const PAGE_BYTES: usize = 256;
/// Bytes that one erase command erases.
pub const SECTOR_BYTES: usize = 4096;
/// First address that cannot be reached: page numbers have 16 bits and the sketch drops the rest
/// without a word.
pub const ADDRESS_END: u64 = 0x1_0000 * PAGE_BYTES as u64;
/// Line speed that the sketch is built with, in bits per second.
pub const BAUD: u32 = 115_200;
/// Bytes that may be sent ahead while the sketch is busy: the Arduino core's receive ring holds 64,
/// one of which stays free.
pub const SEND_AHEAD_BYTES: usize = 63;

/// Answer to a bad hexadecimal digit.
pub const ERROR: u8 = b'!';
/// Ends an argument that was left half sent, without starting a command: draws [`ERROR`] inside an
/// argument and nothing otherwise.
pub const RESYNC: u8 = b'\n';
/// The name in the sketch's answer to [`Command::Hello`].
pub const VERSION_TEXT: &str = "SPI Flash programmer v1.0";
/// The answer to [`Command::Hello`]: greeting, name, line end and again the greeting.
pub const HELLO_TEXT: &str = ">SPI Flash programmer v1.0\r\n>";
/// What ends the answers to [`Command::Help`], [`Command::Dump`] and [`Command::BufferCrc`].
pub const LINE_END: &str = "\r\n";
/// Digits of a CRC in an answer.
pub const CRC_DIGITS: usize = 8;
/// Length of the answer to [`Command::Dump`]: letter, two digits a byte, line end.
pub const DUMP_BYTES: usize = 1 + 2 * PAGE_BYTES + LINE_END.len();
/// Bytes of a JEDEC id, and status registers in the answer to [`Command::Status`]. A count of them
/// comes first.
pub const REGISTERS: usize = 3;
/// Most bytes of the text in the answer to [`Command::Hello`]: as many as the original client reads.
pub const GREETING_BYTES: usize = 100;
/// How long the sketch waits besides the chip in a program or an erase, in milliseconds: ten after
/// WREN, one before the first look at the status.
pub const FIXED_WAIT_MS: u64 = 11;
/// The page buffer after a reset: these four bytes, repeated.
pub const RESET_PATTERN: [u8; 4] = [0xDE, 0xAD, 0xBE, 0xEF];

/// What the sketch finds out about write protection, in its answer to [`Command::Protection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// Whether the status registers themselves are locked: 0x00 free, 0x02 locked. 0x01 and 0x03
    /// are defined and never sent.
    pub registers: u8,
    /// How much of the memory is protected: 0x00 nothing, 0x01 a part, 0x02 everything.
    pub memory: u8,
}

impl Protection {
    /// Judges as the sketch does by status registers 1, 2 and 3. It knows the W25Q layout without
    /// TB and SEC: BP0 to BP2, CMP, SRL and WPS.
    pub const fn judge(status: [u8; 3]) -> Self {
        let registers = if status[1] & 0x01 == 0 { 0x00 } else { 0x02 };
        let block_protect = status[0] >> 2 & 0x07;
        let complement = status[1] & 0x40 != 0;
        let individual_locks = status[2] & 0x04 != 0;
        let memory = match (individual_locks, complement, block_protect) {
            (true, _, _) => 0x01,
            (false, false, 0) | (false, true, 7) => 0x00,
            (false, false, 7) | (false, true, 0) => 0x02,
            _ => 0x01,
        };
        Self { registers, memory }
    }
}
