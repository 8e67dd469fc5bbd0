//! This project's own commands: work that a programmer can do on its end of the wire.
//!
//! `docs/serprog-extensions.md` is their specification. No client needs them. A client may use them
//! if the command map has [`Opcode::XQuery`] and its answer begins with
//! [`Capabilities::SIGNATURE`].
//!
//! A *head* is what goes over SPI first: instruction, address and dummy bytes.
//!
//! [`Opcode::XQuery`]: super::Opcode::XQuery

use crate::crc32::Crc32;

use super::{Header, Request, U24};

/// Length of the check value that closes X_PROGRAM, in bytes.
pub const CHECK_BYTES: usize = 4;

/// Longest range of X_CRC and X_BLANK, in bytes: 1 MiB. A programmer hears nothing while it reads, so
/// a length that came in wrong must not keep it for long.
pub const LONGEST_RANGE_BYTES: u32 = 1 << 20;

/// How many SYNCNOPs in a row make a programmer listen again after it refused an X_PROGRAM.
///
/// Such a refusal most likely means that a byte was lost. What is under way then is page data that
/// would be read as commands, so everything up to these is dropped. Four, because flashrom sends at
/// most eight when it cannot find a programmer.
pub const RECOVERY_SYNCNOPS: u8 = 4;

/// Fields of X_CRC and X_BLANK: an SPI read whose answer is looked at instead of sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Length of the head that follows, in bytes.
    pub head_bytes: u8,
    /// How many bytes to read after the head, at most [`LONGEST_RANGE_BYTES`].
    pub length: U24,
}

/// Fields of X_PROGRAM: one page, sent when the chip is ready for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Longest wait for a chip that is still busy, in milliseconds.
    pub wait_ms: u16,
    /// Length of the head that follows, in bytes.
    pub head_bytes: u8,
    /// Length of the data that follows the head, in bytes.
    pub data_bytes: u16,
}

impl Program {
    /// Opcode and fields of the command, and the check value that must follow head and data: the
    /// CRC-32 of all bytes from the opcode to the end of the data. `None` if the head or the data
    /// are longer than the fields can say.
    pub fn frame(wait_ms: u16, head: &[u8], data: &[u8]) -> Option<(Header, [u8; CHECK_BYTES])> {
        let header = Request::XProgram(Self {
            wait_ms,
            head_bytes: u8::try_from(head.len()).ok()?,
            data_bytes: u16::try_from(data.len()).ok()?,
        })
        .encode();
        let mut check = Crc32::new();
        for part in [header.as_bytes(), head, data] {
            check.update(part);
        }
        Some((header, check.value().to_le_bytes()))
    }
}

/// The answer to X_QUERY: which version of the extensions it is and how much they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Longest head of any extension, in bytes.
    pub head_bytes: u8,
    /// Most data of one X_PROGRAM, in bytes.
    pub data_bytes: u16,
}

impl Capabilities {
    /// Length of the answer, in bytes.
    pub const BYTES: usize = 7;
    /// What the answer begins with. The last byte is the version.
    pub const SIGNATURE: [u8; 4] = *b"FWX\x01";

    /// As sent.
    pub const fn to_bytes(self) -> [u8; Self::BYTES] {
        let [f, w, x, version] = Self::SIGNATURE;
        let [low, high] = self.data_bytes.to_le_bytes();
        [f, w, x, version, self.head_bytes, low, high]
    }

    /// From the wire; `None` if it is somebody else's extension or another version.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Option<Self> {
        let [f, w, x, version, head_bytes, low, high] = bytes;
        ([f, w, x, version] == Self::SIGNATURE).then_some(Self {
            head_bytes,
            data_bytes: u16::from_le_bytes([low, high]),
        })
    }
}
