//! Why a file is not an image.

use std::fmt;

use super::Format;

/// Where in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of text, from 1.
    Line(u64),
    /// Bytes from the start of the file.
    Offset(u64),
    /// A segment given to [`Image::from_segments`](super::Image::from_segments), or an image given
    /// to [`Image::merge`](super::Image::merge), from 0.
    Segment(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Offset(offset) => write!(f, "offset {offset:#x}"),
            Self::Segment(n) => write!(f, "segment {n}"),
        }
    }
}

/// Why a file is not an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file has no content.
    #[error("the file is empty")]
    Empty,
    /// The file is well formed and holds no data.
    #[error("the {format} file holds no data")]
    NoData {
        /// Its format.
        format: Format,
    },
    /// The file's name says one format, its content another.
    #[error("the file is named like {named}, but its content is {content}")]
    NameDisagrees {
        /// What the extension says.
        named: Format,
        /// What the content is.
        content: Format,
    },
    /// The content is not what it was said to be.
    #[error("{place}: this is not {format}")]
    NotThisFormat {
        /// The format it was said to be, by its name or by the caller.
        format: Format,
        /// Where it stops being that.
        place: Place,
    },
    /// An address was given for a file that has its own.
    #[error("a {format} file has its own addresses (it begins at {own:#010x}, not {given:#010x})")]
    HasAddresses {
        /// The format.
        format: Format,
        /// Its first address.
        own: u64,
        /// What was given.
        given: u64,
    },
    /// The same address twice, with different content.
    #[error("{place}: {address:#010x} already has a different value from {earlier}")]
    Overlap {
        /// Where the later value is.
        place: Place,
        /// Where the earlier one is.
        earlier: Place,
        /// The first address in question.
        address: u64,
    },
    /// Data beyond the end of the address space, or of the segment that its record can reach.
    #[error("{place}: {bytes} bytes from {address:#010x} on run past the end of the address space")]
    AddressOverflow {
        /// Where.
        place: Place,
        /// Address of the first byte.
        address: u64,
        /// How many bytes.
        bytes: u64,
    },
}
