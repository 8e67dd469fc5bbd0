//! What can go wrong in a conversation with a loader.

use std::fmt;
use std::time::Duration;

use flashwire_link::{BusFault, LinkError};
use flashwire_protocol::stm32::Command;

use super::Reading;

/// A point of a conversation: in which command, how far in it, about which address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The command.
    pub command: Command,
    /// How far in it.
    pub phase: Phase,
    /// The address that the command is about, if it has one.
    pub address: Option<u32>,
}

/// The phases of the commands. AN3155, sections 3.1 to 3.15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Code and complement.
    Opcode,
    /// Address and checksum.
    Address,
    /// How many bytes to read.
    Count,
    /// Which of the special commands.
    Code,
    /// Data to write, or of a special command.
    Data,
    /// Pages to erase.
    Pages,
    /// Sectors to protect.
    Sectors,
    /// How many bytes to compute a checksum over.
    Size,
    /// Polynomial of the checksum.
    Polynomial,
    /// Initial value of the checksum.
    InitialValue,
    /// What the loader tells.
    Answer,
    /// The work itself, after everything has been said.
    Completion,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opcode => "opcode",
            Self::Address => "address",
            Self::Count => "count",
            Self::Code => "code",
            Self::Data => "data",
            Self::Pages => "page list",
            Self::Sectors => "sector list",
            Self::Size => "size",
            Self::Polynomial => "polynomial",
            Self::InitialValue => "initial value",
            Self::Answer => "answer",
            Self::Completion => "completion",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.command, self.phase)?;
        match self.address {
            Some(address) => write!(f, ", at 0x{address:08X}"),
            None => Ok(()),
        }
    }
}

/// Why something with an STM32 loader did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing at all came back.
    #[error("sent 0x7F {tries} times in {:.1} s, received nothing", waited.as_secs_f32())]
    NoAnswer {
        /// How often 0x7F was sent.
        tries: u32,
        /// Time from the first try to giving up.
        waited: Duration,
    },
    /// On a bus: nobody acknowledged the loader's address.
    #[error("nobody acknowledged the address within {:.1} s", waited.as_secs_f32())]
    NoDevice {
        /// How long was asked.
        waited: Duration,
    },
    /// On a bus: one transfer went wrong, and how far it got nobody knows.
    #[error("{fault}: {step}")]
    Bus {
        /// What was being said.
        step: Step,
        /// What the bus controller told.
        fault: BusFault,
    },
    /// The loader says that it is still at it, for longer than any of its kind takes.
    #[error("the loader is still busy with {step} after {:.1} s", waited.as_secs_f32())]
    Busy {
        /// What it is busy with.
        step: Step,
        /// How long was waited.
        waited: Duration,
    },
    /// Something came back, but nothing that a loader says.
    #[error("what answers to 0x7F is no bootloader: {reading} ({})", hex(sample))]
    WrongAnswer {
        /// What it looks like.
        reading: Reading,
        /// The first bytes of it.
        sample: Vec<u8>,
    },
    /// The loader has not been greeted, or it has reset the chip since.
    #[error("not synchronised with the loader")]
    NotSynchronised,
    /// The loader refused.
    #[error("the loader refused {step}")]
    Nack {
        /// What it refused.
        step: Step,
    },
    /// The loader fell silent.
    #[error(
        "no answer to {step}: {received} of {expected} bytes within {:.1} s",
        waited.as_secs_f32()
    )]
    Timeout {
        /// What it did not answer.
        step: Step,
        /// How many bytes of the answer came.
        received: usize,
        /// How many bytes it should have had.
        expected: usize,
        /// How long the wait was.
        waited: Duration,
    },
    /// Neither ACK nor NACK.
    #[error("0x{byte:02X} instead of an acknowledgement to {step}")]
    Unexpected {
        /// What it was the answer to.
        step: Step,
        /// What came.
        byte: u8,
    },
    /// An answer that makes no sense.
    #[error("an answer to {command} that makes no sense: {}", hex(answer))]
    Malformed {
        /// The command.
        command: Command,
        /// What came.
        answer: Vec<u8>,
    },
    /// Repeated answers to the same question differ.
    #[error("{tries} answers to {command} that all differ; the line is disturbed")]
    Unsteady {
        /// The command.
        command: Command,
        /// How often it was asked.
        tries: u32,
    },
    /// The loader could not be brought back to where it waits for a command.
    #[error("the loader does not come back to its command prompt ({sent} bytes sent)")]
    LostSync {
        /// How many bytes were sent to bring it back.
        sent: usize,
    },
    /// On a bus: the loader did not come back after silence that outlasted its time-out.
    #[error("the loader does not come back within {:.1} s: {last}", waited.as_secs_f32())]
    Unresponsive {
        /// How long it was given.
        waited: Duration,
        /// What the last try brought.
        #[source]
        last: Box<Self>,
    },
    /// The flash is read protected: the loader refuses everything but identification and the
    /// removal of the protection, which erases the flash.
    #[error("the chip is read protected: its loader refuses {command}")]
    ReadProtected {
        /// What it refused.
        command: Command,
    },
    /// The loader does not list the command.
    #[error("the loader does not have {command}")]
    Unsupported {
        /// The command.
        command: Command,
    },
    /// More or fewer bytes than a block can have.
    #[error("{command} cannot move {bytes} bytes at once")]
    BlockSize {
        /// The command.
        command: Command,
        /// How many bytes were asked for.
        bytes: usize,
    },
    /// A page whose number the loader's erase command cannot carry.
    #[error("{command} cannot erase page {page}")]
    BadPage {
        /// The command.
        command: Command,
        /// The page.
        page: u32,
    },
    /// A list of no pages, or of more than the loader takes.
    #[error("{command} cannot erase {pages} pages at once")]
    BadList {
        /// The command.
        command: Command,
        /// Length of the list.
        pages: usize,
    },
    /// After a failed write the flash holds something that can neither be kept nor programmed over:
    /// the page has to be erased again.
    #[error(
        "a failed write left 0x{found:02X} instead of 0x{expected:02X} at 0x{address:08X}, which only another erase can mend"
    )]
    Damaged {
        /// Address of the first such byte.
        address: u32,
        /// What was to be written there.
        expected: u8,
        /// What is there.
        found: u8,
    },
    /// A write failed and this part cannot be read back before all writes are done, so that nobody
    /// can tell how much of the block was programmed.
    #[error("a write failed at 0x{address:08X}, and this part cannot tell how much of it was done")]
    Undecided {
        /// Address of the block.
        address: u32,
        /// What happened to the write.
        source: Box<Self>,
    },
    /// No speed worked.
    #[error("no speed works reliably")]
    NoSpeed,
    /// The cable.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl Error {
    /// Whether trying again after a resynchronisation can help: the conversation went wrong, not
    /// the request or the cable.
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Nack { .. }
                | Self::Timeout { .. }
                | Self::Unexpected { .. }
                | Self::Malformed { .. }
                | Self::Bus { .. }
        )
    }

    /// Of a failed greeting: whether no loader that listens is there, and not that the link failed.
    pub fn means_no_loader(&self) -> bool {
        let silent = matches!(
            self,
            Self::NoAnswer { .. } | Self::NoDevice { .. } | Self::WrongAnswer { .. }
        );
        silent || self.may_pass()
    }

    /// What a link's error means at a step: a fault of one transfer is not the end of the cable.
    pub(super) fn at(step: Step, error: LinkError) -> Self {
        match error {
            LinkError::Bus(fault) => Self::Bus { step, fault },
            error => Self::Link(error),
        }
    }
}

/// The first bytes of an answer, for people.
fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 16;
    let mut text: Vec<String> = bytes
        .iter()
        .take(SHOWN)
        .map(|b| format!("{b:02X}"))
        .collect();
    if bytes.len() > SHOWN {
        text.push("...".to_owned());
    }
    text.join(" ")
}
