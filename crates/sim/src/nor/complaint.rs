//! What a chip holds against its host.

use std::fmt;

use flashwire_link::Instant;

/// Something that no correct host does, and when it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// When, on the bus's clock.
    pub at: Instant,
    /// The instruction it was about.
    pub instruction: u8,
    /// What.
    pub misuse: Misuse,
}

/// What a host did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The transaction ended before the instruction was complete; nothing happened.
    CutShort {
        /// Bytes that the instruction needs, itself included.
        needed: usize,
        /// Bytes that came.
        found: usize,
    },
    /// The transaction went on after the instruction was complete; nothing happened.
    TooLong {
        /// Bytes that the instruction takes at most, itself included.
        limit: usize,
        /// Bytes that came.
        found: usize,
    },
    /// A program passed the end of its page: it went on at the page's start.
    PageWrap {
        /// Where it was to begin.
        address: usize,
        /// How many bytes came.
        length: usize,
    },
    /// A program asked for a one where a zero is: the zero stays. (0xFF over anything is no such
    /// case: it asks for nothing.)
    NotErased {
        /// The first such byte.
        address: usize,
        /// What is there.
        found: u8,
        /// What was asked for.
        wanted: u8,
    },
    /// A program or erase touched a protected area; nothing happened.
    Protected {
        /// Where it was to begin.
        address: usize,
    },
    /// An address beyond the end of the chip; it was taken modulo the size.
    BeyondEnd {
        /// The address.
        address: usize,
    },
    /// A status register was written while it was locked; nothing happened.
    StatusLocked,
    /// The clock was faster than the instruction allows.
    TooFast {
        /// The clock, in Hz.
        spi_hz: u32,
        /// The limit, in Hz.
        limit_hz: u32,
    },
    /// Reset in the middle of an operation: what it worked on is now undefined.
    ResetWhileBusy,
    /// The power went in the middle of an operation: what it worked on is now undefined.
    PowerLost,
    /// An instruction that the chip does not take while it programs by auto address increment.
    InAutoIncrement,
    /// Auto address increment began at an odd address.
    OddAddress {
        /// The address.
        address: usize,
    },
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.since_open().as_secs_f64();
        write!(f, "at {seconds:.6} s: {:02X}h: ", self.instruction)?;
        self.misuse.fmt(f)
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort { needed, found } => {
                write!(f, "ended after {found} of {needed} bytes")
            }
            Self::TooLong { limit, found } => {
                write!(f, "went on for {found} bytes, {limit} is the limit")
            }
            Self::PageWrap { address, length } => {
                write!(
                    f,
                    "{length} bytes at {address:#08X} pass the end of the page"
                )
            }
            Self::NotErased {
                address,
                found,
                wanted,
            } => write!(
                f,
                "{wanted:#04X} programmed over {found:#04X} at {address:#08X}"
            ),
            Self::Protected { address } => write!(f, "{address:#08X} is protected"),
            Self::BeyondEnd { address } => write!(f, "{address:#08X} is beyond the end"),
            Self::StatusLocked => write!(f, "the status register is locked"),
            Self::TooFast { spi_hz, limit_hz } => {
                write!(f, "clocked at {spi_hz} Hz, {limit_hz} Hz is the limit")
            }
            Self::ResetWhileBusy => write!(f, "reset while busy"),
            Self::PowerLost => write!(f, "power lost while busy"),
            Self::InAutoIncrement => write!(f, "not taken during auto address increment"),
            Self::OddAddress { address } => {
                write!(f, "auto address increment from odd address {address:#08X}")
            }
        }
    }
}
