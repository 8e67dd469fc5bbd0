//! What can go wrong in a conversation with a programmer.

use std::time::Duration;

use flashwire_link::LinkError;
use flashwire_protocol::serprog::Opcode;

/// Why something with a serprog programmer did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing at all came back.
    #[error("sent SYNCNOP for {:.1} s, received nothing", waited.as_secs_f32())]
    NoAnswer {
        /// Time from the first try to giving up.
        waited: Duration,
    },
    /// Something came back, but nothing that a programmer says.
    #[error("what answers to SYNCNOP is no serprog programmer: {}", hex(sample))]
    WrongAnswer {
        /// The last bytes of it.
        sample: Vec<u8>,
    },
    /// It speaks another version of the protocol.
    #[error("the programmer speaks serprog version {version}, not 1")]
    Version {
        /// What it says.
        version: u16,
    },
    /// It has no SPI bus.
    #[error("the programmer has no SPI bus")]
    NoSpi,
    /// It lacks a command.
    #[error("the programmer has no {opcode:?}")]
    Unsupported {
        /// The command.
        opcode: Opcode,
    },
    /// It refused a command.
    #[error("the programmer refused {opcode:?}")]
    Refused {
        /// The command.
        opcode: Opcode,
    },
    /// It fell silent.
    #[error(
        "no answer to {opcode:?}: {received} of {expected} bytes within {:.1} s",
        waited.as_secs_f32()
    )]
    Timeout {
        /// What it did not answer.
        opcode: Opcode,
        /// How many bytes of the answer came.
        received: usize,
        /// How many bytes it should have had.
        expected: usize,
        /// How long the last wait was.
        waited: Duration,
    },
    /// Neither ACK nor NAK.
    #[error("0x{byte:02X} instead of an acknowledgement to {opcode:?}")]
    Unexpected {
        /// What it was the answer to.
        opcode: Opcode,
        /// What came.
        byte: u8,
    },
    /// Host and programmer do not agree where an answer begins.
    #[error("out of step with the programmer: a byte was lost or doubled")]
    OutOfStep,
    /// It could not be brought back to where it waits for a command.
    #[error("the programmer does not come back to where it waits for a command")]
    LostSync,
    /// More than the protocol can express.
    #[error("the transaction is longer than serprog allows")]
    TooLong,
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl Error {
    /// Whether the same thing may work if the conversation is brought back in step and it is tried
    /// again: a disturbed line, not a missing one.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Unexpected { .. } | Self::OutOfStep => true,
            // A programmer that lost a byte refuses what it makes of the rest.
            Self::Refused { .. } => true,
            _ => false,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.join(" ")
}
