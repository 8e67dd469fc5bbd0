//! serprog, the serial flasher protocol, for both ends of the wire.
//!
//! Ruled by flashrom's "Serial Flasher Protocol Specification", interface version 1
//! (`Documentation/serprog-protocol.txt`, later `doc/supported_hw/supported_prog/serprog`); section
//! names below are those of that text. A command is one opcode, fixed fields and at times data;
//! its length follows from the opcode and the fields alone. Each is answered once and in order:
//! [`ACK`] and data, or a lone [`NAK`]. There is no checksum and no sequence number. Integers are
//! little endian.
//!
//! The opcodes from 0x80 up are this project's own ([`extension`]): a programmer that has them
//! says so in its command map, and nobody needs them.
//!
//! There is no state machine here: what comes after what is the client's straight line and the
//! device's parser.

pub mod extension;
mod fields;
mod map;
mod opcode;
mod request;

pub use fields::{BusTypes, ProgrammerName, U24};
pub use map::CommandMap;
pub use opcode::{Opcode, UnknownOpcode};
pub use request::{Header, Request};

/// Positive answer. Section "Command list", `S_ACK`.
#[doc(alias = "S_ACK")]
pub const ACK: u8 = 0x06;
/// Negative answer. Section "Command list", `S_NAK`.
#[doc(alias = "S_NAK")]
pub const NAK: u8 = 0x15;
/// What [`Opcode::SyncNop`] answers, the one answer that begins with a NAK and goes on: a
/// programmer in step shows it by these two bytes, and none of its other answers contains them
/// where an answer begins.
pub const SYNC_ANSWER: [u8; 2] = [NAK, ACK];

/// The interface version that [`Opcode::QIface`] answers and that all of this describes.
pub const INTERFACE_VERSION: u16 = 1;

/// Bytes of SPI command and address that flashrom sends beyond a programmer's
/// [`Opcode::QWrnMaxLen`]: it takes that limit for one of payload and sends opcode, up to four
/// address bytes and then as much. A programmer must take them, a careful client does not send
/// them.
pub const WRITE_LIMIT_SLACK_BYTES: u32 = 5;
