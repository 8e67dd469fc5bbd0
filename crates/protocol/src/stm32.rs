//! ST's ROM bootloader protocol on a UART and on I2C, for both ends of the wire.
//!
//! Ruled by AN3155 ("USART protocol used in the STM32 bootloader") and AN4221 ("I2C protocol used in
//! the STM32 bootloader"); section numbers below are those of revisions 18 and 14. A command is two bytes, the code and its complement, answered by one byte; what
//! follows is fields, each group closed by the XOR of its bytes. All integers are big endian.
//!
//! On I2C each group is one write transfer and each answer one read transfer, an ACK too; there is no
//! [`SYNC`]; the lists of erase and write protection are announced by a message of their own; and
//! commands exist that answer [`BUSY`] instead of holding the clock while they work.
//!
//! The host builds frames with [`Frame`], the device reads them with [`check`] and the `decode_*`
//! functions. There is no state machine here: what comes after what is the client's straight line
//! and the simulator's parser.

mod checksum;
mod command;
mod frame;

pub use checksum::{FlashCrc, complement, xor};
pub use command::{Command, CommandSet, UnknownCommand};
pub use frame::{
    DecodeError, EraseRequest, Frame, GetAnswer, GetIdAnswer, GetVersionAnswer, PageCount,
    SpecialErase, check, decode_byte_count, decode_erase, decode_extended_erase, decode_page_count,
    decode_word, decode_write,
};

/// Positive answer. AN3155, section 3.
pub const ACK: u8 = 0x79;
/// Negative answer. AN3155, section 3.
pub const NACK: u8 = 0x1F;
/// "Still at it", in place of an ACK, on I2C and from No-Stretch commands: to be read again. AN4221,
/// section 2, "No-Stretch commands".
pub const BUSY: u8 = 0x76;
/// Sent once by the host after a reset: the loader measures the speed of the line by it. AN3155,
/// section 2. Sent again it is the first half of a command, and two of them are answered by
/// [`NACK`].
pub const SYNC: u8 = 0x7F;
/// A byte that no phase of any command starts with validly: as opcode it lacks its complement, as
/// a count its checksum comes out wrong when more of it follows. Filler for resynchronising.
pub const FILLER: u8 = 0xFE;

/// Most data bytes that one Read Memory or Write Memory moves. AN3155, sections 3.4 and 3.6.
pub const BLOCK_BYTES: usize = 256;
/// Write Memory counts must be a multiple of this. AN3155, section 3.6.
pub const WRITE_ALIGN_BYTES: usize = 4;
/// Get Checksum addresses and sizes must be a multiple of this. AN3155, section 3.13.
pub const CHECKSUM_ALIGN_BYTES: u32 = 4;
/// Most pages that one Erase names: the count byte 0xFF means a global erase. AN3155, section 3.7.
pub const ERASE_PAGES: usize = 255;
/// Most pages that one Extended Erase names: counts from 0xFFF0 are special. AN3155, section 3.8.
/// Loaders take far fewer than that; see `client`.
pub const EXTENDED_ERASE_PAGES: usize = 0xFFF0;
