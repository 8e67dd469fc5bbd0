//! What can go wrong with a chip.

use std::time::Duration;

use super::ControllerError;

/// Why something with a SPI NOR chip did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Every answer is all ones: nobody drives the line.
    #[error("every answer is 0xFF: no chip drives the data line")]
    AllOnes,
    /// Every answer is all zeros: the line is held low.
    #[error("every answer is 0x00: the data line is held low")]
    AllZeros,
    /// The id is another one each time it is read.
    #[error("the id was read as {} and as {}", hex(first), hex(second))]
    Unstable {
        /// The first reading.
        first: Vec<u8>,
        /// Another one.
        second: Vec<u8>,
    },
    /// There is a chip, but it does not describe itself and is in no table.
    #[error("no part is known with the id {}, and the chip has no SFDP", hex(id))]
    UnknownChip {
        /// What it answers to RDID.
        id: Vec<u8>,
    },
    /// Several parts share the id and have too little in common.
    #[error("several parts have this id and differ: {}", names.join(", "))]
    Ambiguous {
        /// Their names.
        names: Vec<String>,
    },
    /// No part has this name.
    #[error("no part is called \"{name}\"")]
    NoSuchPart {
        /// What was asked for.
        name: String,
    },
    /// A part was asked for by name, and the chip is another one.
    #[error("the chip is no {name}: its id is {}", hex(id))]
    OtherPart {
        /// What was asked for.
        name: String,
        /// What the chip answers to RDID.
        id: Vec<u8>,
    },
    /// An operation does not end.
    #[error("the chip is still busy {:.1} s after {what}", waited.as_secs_f32())]
    StaysBusy {
        /// What it was told to do.
        what: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The chip was there and is not any more.
    #[error("the chip no longer answers: its status reads 0xFF")]
    Gone,
    /// A program that was disturbed has cleared bits that were to stay.
    #[error(
        "a disturbed write left {found:#04x} at {address:#010x} where {wanted:#04x} was to be; \
         it has to be erased and written again"
    )]
    Damaged {
        /// The first such byte.
        address: u64,
        /// What was to be there.
        wanted: u8,
        /// What is there.
        found: u8,
    },
    /// The line lost, doubled or garbled a byte while the chip was being changed. What the
    /// controller made of the rest may have changed other addresses too.
    #[error(
        "the line was disturbed while {address:#010x} was being {what}: other parts of the chip \
         may have been changed too"
    )]
    Disturbed {
        /// What was being done: `programmed`, `erased`.
        what: &'static str,
        /// About where.
        address: u64,
        /// How it was noticed.
        #[source]
        cause: ControllerError,
    },
    /// The status registers cannot be changed.
    #[error("the status register stays {found:#04x}, {wanted:#04x} was written: it is locked")]
    StatusLocked {
        /// What was written.
        wanted: u8,
        /// What it reads.
        found: u8,
    },
    /// What was asked for needs a longer transaction than the controller can do.
    #[error("the controller takes {limit} bytes in one transaction, {needed} are needed")]
    ControllerLimit {
        /// Its limit, in bytes.
        limit: usize,
        /// What is needed, in bytes.
        needed: usize,
    },
    /// An erase that the chip does not have.
    #[error("the chip cannot erase {start:#x} to {end:#x} in one go")]
    NoSuchErase {
        /// The first byte.
        start: u64,
        /// The end, exclusive.
        end: u64,
    },
    /// The controller.
    #[error(transparent)]
    Controller(#[from] ControllerError),
}

impl Error {
    /// A chip does not become ready: its last status tells whether it is still there.
    pub(super) fn still_busy(status: u8, what: String, waited: Duration) -> Self {
        if status == 0xFF {
            Self::Gone
        } else {
            Self::StaysBusy { what, waited }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.join(" ")
}
