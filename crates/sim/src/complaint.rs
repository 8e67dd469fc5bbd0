//! What a bench holds against its host.

use std::fmt;

use flashwire_link::Instant;

/// Something that real silicon would have suffered in silence: the host did what no correct host
/// does, or the bench lost data that the host believes delivered.
///
/// Complaints are data. A test ends with the assertion that there are none, or with the ones it
/// provoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// When it happened, on the bench's clock.
    pub at: Instant,
    /// What kind of thing it was.
    pub kind: ComplaintKind,
    /// The values that belong to it, as a sentence fragment.
    pub detail: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.since_open().as_secs_f64();
        write!(f, "at {seconds:.6} s: {}", self.detail)
    }
}

/// The kinds of [`Complaint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ComplaintKind {
    /// Bytes came faster than the receiver could take them, and are lost.
    Overrun,
    /// Bytes came with the wrong parity or without a stop bit: speed or format do not fit.
    LineNoise,
    /// On a bus: a transfer that is shorter or longer than what is due, or goes the other way.
    Framing,
    /// A checksum or complement is wrong.
    Checksum,
    /// A command that this device does not list, or a code that its document reserves.
    Unsupported,
    /// An address, page or length that is not there.
    OutOfRange,
    /// Data that does not fill whole program units, and was dropped.
    Misaligned,
    /// Flash was programmed that was not erased.
    NotErased,
    /// A write or erase of protected memory, dropped in silence.
    Protected,
    /// A write to memory that the device needs itself.
    Reserved,
    /// The processor went where no program is.
    Crashed,
    /// A limit of the device was passed that its answer does not tell of.
    Limit,
    /// An instruction that is cut short, goes on for too long, or does not belong there.
    Malformed,
    /// The device was stopped in the middle of changing its memory.
    Interrupted,
}
