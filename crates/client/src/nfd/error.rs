//! What can go wrong with a programmer that speaks the protocol of nfd's sketch.

use std::time::Duration;

use flashwire_link::LinkError;
use flashwire_protocol::nfd::Command;

use crate::spinor;

/// Why something with such a programmer, or with the chip behind it, did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing at all came back.
    #[error("sent > for {:.1} s, received nothing", waited.as_secs_f32())]
    NoAnswer {
        /// Time from the first try to giving up.
        waited: Duration,
    },
    /// Something came back, but no greeting.
    #[error("what answers to > is no greeting: {}", sample.escape_ascii())]
    WrongAnswer {
        /// The last bytes of it.
        sample: Vec<u8>,
    },
    /// The firmware is older than the command.
    #[error("the programmer's firmware has no command {}", letter(command))]
    Unsupported {
        /// The command.
        command: Command,
    },
    /// A pin that the programmer itself needs.
    #[error("pin {pin} is the programmer's own: 0 and 1 are its line, 11 to 13 the chip's bus")]
    PinTaken {
        /// The pin.
        pin: u8,
    },
    /// `!`: the command was dropped.
    #[error("the programmer refused {}", letter(command))]
    Refused {
        /// The command.
        command: Command,
    },
    /// It fell silent.
    #[error(
        "no answer to {}: {received} of {expected} bytes within {:.1} s",
        letter(command), waited.as_secs_f32()
    )]
    Timeout {
        /// What it did not answer.
        command: Command,
        /// How many bytes of the answer came.
        received: usize,
        /// How many bytes it should have had.
        expected: usize,
        /// How long the last wait was.
        waited: Duration,
    },
    /// It was told to have the chip do something, and has not said a word since, whatever it is
    /// asked.
    #[error("no answer since {} for {:.1} s, and none to > either", letter(command), waited.as_secs_f32())]
    Hung {
        /// The command.
        command: Command,
        /// How long ago.
        waited: Duration,
    },
    /// The answer to something else, or none.
    #[error("{} instead of an answer to {}", found.escape_ascii(), letter(command))]
    Unexpected {
        /// What it was to be the answer to.
        command: Command,
        /// What came.
        found: Vec<u8>,
    },
    /// What arrived is not what was sent, by its CRC.
    #[error("the CRC does not fit what came with {}", letter(command))]
    Checksum {
        /// The command.
        command: Command,
    },
    /// Host and programmer do not agree where an answer begins.
    #[error("out of step with the programmer: a byte was lost or doubled")]
    OutOfStep,
    /// It could not be brought back to where it waits for a command.
    #[error("the programmer does not come back to where it waits for a command")]
    LostSync,
    /// Memory that the firmware has no page numbers for.
    #[error("{address:#x} is out of reach: the page numbers of the protocol end at 16 MiB")]
    BeyondReach {
        /// The address.
        address: u64,
    },
    /// The chip works in a way that the firmware cannot serve.
    #[error("this programmer cannot change the chip: {reason}")]
    Unsuitable {
        /// Why.
        reason: &'static str,
    },
    /// The chip's size and erase units are not known.
    #[error("it is not known what the chip is")]
    UnknownChip {
        /// Its id, if the firmware can ask for it.
        id: Option<[u8; 3]>,
    },
    /// The programmer says that it was done, each time, and the chip is as it was.
    #[error("{address:#010x} was {what} twice, the programmer says so, and the chip is as it was")]
    Ignored {
        /// What was done: `erased`, `programmed`.
        what: &'static str,
        /// Where.
        address: u64,
    },
    /// Protection that the firmware cannot lift.
    #[error(
        "the protection stays as it is: status registers {:02x} {:02x} {:02x}",
        registers[0], registers[1], registers[2]
    )]
    ProtectionStays {
        /// The status registers after it was tried.
        registers: [u8; 3],
    },
    /// Protection that cannot be asked for, and so cannot be changed surely.
    #[error("the firmware's question for the protection could silence this chip")]
    ProtectionUnknown,
    /// The chip.
    #[error(transparent)]
    Chip(#[from] spinor::Error),
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl Error {
    /// Whether the same thing may work if the conversation is brought back in step and it is tried
    /// again: a disturbed line, not a missing one.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Timeout { .. }
                | Self::Unexpected { .. }
                | Self::Checksum { .. }
                | Self::OutOfStep
        )
    }
}

/// A command as people know it: its letter.
fn letter(command: &Command) -> char {
    char::from(command.letter())
}
