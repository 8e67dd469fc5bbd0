//! Why no plan can be made.

use std::fmt;
use std::ops::Range;

use crate::GeometryError;

/// Why no plan can be made. Nothing has been changed on the target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The memory is described in a way that makes no sense: a defect of the caller's tables.
    #[error("the description of the memory is wrong")]
    Geometry(#[from] GeometryError),
    /// The image is a raw binary that was never given an address.
    #[error("a raw binary has no address of its own, and none was given")]
    NoAddress,
    /// There is nothing to do: an empty range.
    #[error("the range {range} is empty", range = Span(range))]
    EmptyRange {
        /// The range asked for.
        range: Range<u64>,
    },
    /// Something lies outside the memory.
    #[error(
        "{bytes} bytes at {range} lie outside the memory {memory}",
        bytes = range.end - range.start, range = Span(range), memory = Span(memory)
    )]
    OutOfRange {
        /// The first stretch that does not fit.
        range: Range<u64>,
        /// All bytes that do not fit, in this and in further stretches.
        misfit_bytes: u64,
        /// The memory's whole range.
        memory: Range<u64>,
    },
    /// Something lies where the memory has a hole.
    #[error(
        "{bytes} bytes at {range} lie in {hole}, where there is no memory",
        bytes = range.end - range.start, range = Span(range), hole = Span(hole)
    )]
    InHole {
        /// The first stretch that lies in a hole.
        range: Range<u64>,
        /// That hole.
        hole: Range<u64>,
    },
    /// No erase unit covers this stretch (or none without destroying data that must stay).
    #[error("{range} cannot be erased on its own", range = Span(range))]
    NotErasable {
        /// The first such stretch.
        range: Range<u64>,
    },
    /// A range to erase does not begin and end with an erase unit.
    #[error(
        "{range} does not begin and end with an erase unit; {aligned} would",
        range = Span(range), aligned = Span(aligned)
    )]
    Unaligned {
        /// The range asked for.
        range: Range<u64>,
        /// The smallest range around it that can be erased.
        aligned: Range<u64>,
    },
    /// [`needs`](crate::needs) asked for this content, and [`Current`](crate::Current) lacks it.
    #[error("the present content of {range} is not known", range = Span(range))]
    UnknownContent {
        /// The first stretch that is missing.
        range: Range<u64>,
    },
    /// [`EraseChoice::None`](crate::EraseChoice::None), but what is there cannot be overwritten.
    #[error("{address:#010x} cannot be programmed without an erase")]
    NeedsErase {
        /// Start of the first program unit that is in the way.
        address: u64,
        /// How many bytes of program units are in the way in all.
        bytes: u64,
    },
    /// [`only_changed`](crate::Options::only_changed) together with
    /// [`EraseChoice::All`](crate::EraseChoice::All).
    #[error("erasing everything leaves nothing unchanged")]
    AllIsChanged,
    /// A plan or a range that was made for another memory.
    #[error("the plan was made for a different memory")]
    OtherMemory,
}

/// Writes a range as `0x08000000..0x08000400`.
pub(crate) struct Span<'a>(pub(crate) &'a Range<u64>);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}..{:#010x}", self.0.start, self.0.end)
    }
}
