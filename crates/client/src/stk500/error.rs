//! What can go wrong in a conversation with a bootloader.

use std::time::Duration;

use flashwire_link::LinkError;
use flashwire_protocol::stk500::Command;

use super::part::describe;
use super::{Reading, Signature};

/// Why something with an Arduino's bootloader did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing at all came back.
    #[error(
        "sent Get Synchronization {tries} times in {:.1} s at {}, received nothing",
        waited.as_secs_f32(),
        speeds(bauds)
    )]
    NoAnswer {
        /// The speeds that were tried, in bits per second.
        bauds: Vec<u32>,
        /// How often it was sent.
        tries: u32,
        /// Time from the first try to giving up.
        waited: Duration,
    },
    /// Something came back, but nothing that a loader says.
    #[error(
        "what answers at {baud} baud is no bootloader: {reading} ({})",
        hex(sample)
    )]
    WrongAnswer {
        /// The speed, in bits per second.
        baud: u32,
        /// What it looks like.
        reading: Reading,
        /// The first bytes of it.
        sample: Vec<u8>,
    },
    /// It is a chip that cannot be written here.
    #[error("the chip's signature is {signature}: {}", describe(*signature))]
    OtherPart {
        /// What it answers.
        signature: Signature,
    },
    /// What answers is no bootloader but a board that programs others.
    #[error("what answers is ArduinoISP, a sketch that programs other chips, and not a bootloader")]
    Isp,
    /// The loader fell silent.
    #[error(
        "no answer to {command}{}: {received} of {expected} bytes within {:.1} s",
        at(*address),
        waited.as_secs_f32()
    )]
    Timeout {
        /// What it did not answer.
        command: Command,
        /// The address that the command is about, in bytes, if it has one.
        address: Option<u32>,
        /// How many bytes of the answer came.
        received: usize,
        /// How many bytes it should have had.
        expected: usize,
        /// How long the wait was.
        waited: Duration,
    },
    /// An answer that does not begin or end as it should.
    #[error("an answer to {command}{} that makes no sense: {}", at(*address), hex(answer))]
    Malformed {
        /// The command.
        command: Command,
        /// The address that the command is about, in bytes, if it has one.
        address: Option<u32>,
        /// What came.
        answer: Vec<u8>,
    },
    /// A page lies in the bootloader, or beyond what there is.
    #[error("{address:#06x} is not below {end:#06x}, where the bootloader may begin")]
    BootSection {
        /// The address.
        address: u32,
        /// End of what may be written, exclusive.
        end: u32,
    },
    /// The cable.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl Error {
    /// Whether a reset of the board and another try can help: the conversation went wrong, not the
    /// request or the cable.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Malformed { .. })
    }
}

/// ` at 0x0080`, if there is an address.
fn at(address: Option<u32>) -> String {
    address.map_or_else(String::new, |address| format!(" at {address:#06x}"))
}

/// `115200 and 57600 baud`.
fn speeds(bauds: &[u32]) -> String {
    let bauds: Vec<String> = bauds.iter().map(u32::to_string).collect();
    format!("{} baud", bauds.join(" and "))
}

/// The first bytes of an answer, for people.
fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 16;
    let shown = bytes.iter().take(SHOWN);
    let mut text: Vec<String> = shown.map(|byte| format!("{byte:02X}")).collect();
    if bytes.len() > SHOWN {
        text.push("...".to_owned());
    }
    text.join(" ")
}
