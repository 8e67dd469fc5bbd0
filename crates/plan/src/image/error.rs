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
    /// A segment given to [`Image::from_segments`](super::Image::from_segments), from 0.
    Segment(usize),
    /// An image given to [`Image::merge`](super::Image::merge), from 0.
    Image(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Offset(offset) => write!(f, "offset {offset:#x}"),
            Self::Segment(n) => write!(f, "segment {}", n + 1),
            Self::Image(n) => write!(f, "image {}", n + 1),
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
    /// The content is something that does not go into a flash as it is.
    #[error("the file is {what}, not firmware")]
    NotFirmware {
        /// What it is: `a zip archive`, `an HTML page`.
        what: &'static str,
    },
    /// The content is not what it was said to be, by its name or by the caller.
    #[error("{place}: this is not {format}")]
    NotThisFormat {
        /// The format it was said to be.
        format: Format,
        /// Where it stops being that.
        place: Place,
    },
    /// An address was given for a file that has its own.
    #[error(
        "{format} files have addresses of their own: this one begins at {own:#010x}, not {given:#010x}"
    )]
    HasAddresses {
        /// The format.
        format: Format,
        /// Its first address.
        own: u64,
        /// What was given.
        given: u64,
    },
    /// A raw binary without an address where one is needed.
    #[error("{place}: a raw binary has no address of its own, and none was given")]
    NoAddress {
        /// Which of the images.
        place: Place,
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
    /// Data beyond the end of the address space, or of what its record can reach.
    #[error("{place}: {bytes} bytes from {address:#010x} on run past the end of the address space")]
    AddressOverflow {
        /// Where.
        place: Place,
        /// Address of the first byte.
        address: u64,
        /// How many bytes.
        bytes: u64,
    },

    /// A character that does not belong into a line of a text format.
    #[error("line {line}, column {column}: {} is not a hexadecimal digit", Character(*found))]
    BadDigit {
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// What is there.
        found: u8,
    },
    /// An odd number of hexadecimal digits: the line is cut short.
    #[error("line {line}: an odd number of hexadecimal digits; the line is cut short")]
    OddDigits {
        /// The line, from 1.
        line: u64,
    },
    /// A line is longer or shorter than it says.
    #[error("line {line}: the record says that {said} bytes follow its length, but {found} do")]
    WrongLength {
        /// The line, from 1.
        line: u64,
        /// How many bytes the record says, its other fields and checksum included.
        said: usize,
        /// How many there are.
        found: usize,
    },
    /// A line's checksum is wrong.
    #[error("line {line}: the checksum is {found:#04x}, but the record sums up to {computed:#04x}")]
    Checksum {
        /// The line, from 1.
        line: u64,
        /// What it should be.
        computed: u8,
        /// What is there.
        found: u8,
    },
    /// A line whose type is not of its format.
    #[error("line {line}: {format} has no record type {kind}")]
    RecordType {
        /// The line, from 1.
        line: u64,
        /// The format.
        format: Format,
        /// The type: `06`, `S4`.
        kind: String,
    },
    /// A record of a known type has the wrong size.
    #[error("line {line}: a record of type {kind} cannot have {found} data bytes")]
    RecordSize {
        /// The line, from 1.
        line: u64,
        /// The type: `04`, `S7`.
        kind: String,
        /// How many data bytes there are.
        found: usize,
    },
    /// The number of records is not what a count record says.
    #[error("line {line}: {said} data records should come before this, but {found} do")]
    RecordCount {
        /// The line of the count record, from 1.
        line: u64,
        /// What it says.
        said: u64,
        /// How many there are.
        found: u64,
    },
    /// The record that ends a text file is missing: the file is cut short.
    #[error("line {line}: the {format} file ends here without its end record; it is cut short")]
    NoEnd {
        /// The format.
        format: Format,
        /// The last line, from 1.
        line: u64,
    },
    /// Something follows the record that ends a file.
    #[error("line {line}: there is more after the end record of line {end}")]
    AfterEnd {
        /// The line, from 1.
        line: u64,
        /// The line of the end record, from 1.
        end: u64,
    },

    /// The file ends before something that it announces.
    #[error("offset {offset:#x}: {what} needs {needed} bytes, but only {left} are left")]
    Truncated {
        /// Where that begins.
        offset: u64,
        /// What it is.
        what: &'static str,
        /// How many bytes it needs.
        needed: u64,
        /// How many there are.
        left: u64,
    },
    /// A field holds what it cannot hold.
    #[error("offset {offset:#x}: {what} cannot be {found:#x}")]
    BadField {
        /// Where the field is.
        offset: u64,
        /// Which field.
        what: &'static str,
        /// What it holds.
        found: u64,
    },
    /// A field contradicts what is elsewhere in the file.
    #[error("offset {offset:#x}: {what} is {found:#x}, expected {expected:#x}")]
    WrongField {
        /// Where the field is.
        offset: u64,
        /// Which field.
        what: &'static str,
        /// What it holds.
        found: u64,
        /// What it should hold.
        expected: u64,
    },
    /// An ELF file that cannot be loaded: an object file, a core dump.
    #[error("the ELF file is {what}, not an executable")]
    NotExecutable {
        /// What it is.
        what: &'static str,
    },
    /// A UF2 file for several families, and nobody said which.
    #[error(
        "the UF2 file holds images for several families: {}",
        Families(families)
    )]
    SeveralFamilies {
        /// Their ids.
        families: Vec<u32>,
    },
    /// A UF2 file without the wanted family.
    #[error(
        "the UF2 file holds nothing for family {wanted:#010x}, only {}",
        Families(families)
    )]
    NotThisFamily {
        /// The wanted id.
        wanted: u32,
        /// The ids it has.
        families: Vec<u32>,
    },
    /// A UF2 file lacks blocks.
    #[error("the UF2 file has {found} of its {said} blocks; block {missing} is the first missing")]
    MissingBlocks {
        /// How many blocks the file says that it has.
        said: u32,
        /// How many there are.
        found: u32,
        /// The first that is not there, from 0.
        missing: u32,
    },
}

impl ImageError {
    /// [`Truncated`](Self::Truncated).
    pub(super) fn truncated(offset: u64, what: &'static str, needed: u64, left: u64) -> Self {
        Self::Truncated {
            offset,
            what,
            needed,
            left,
        }
    }

    /// [`BadField`](Self::BadField).
    pub(super) fn bad_field(offset: u64, what: &'static str, found: impl Into<u64>) -> Self {
        Self::BadField {
            offset,
            what,
            found: found.into(),
        }
    }

    /// [`WrongField`](Self::WrongField).
    pub(super) fn wrong_field(
        offset: u64,
        what: &'static str,
        found: impl Into<u64>,
        expected: impl Into<u64>,
    ) -> Self {
        Self::WrongField {
            offset,
            what,
            found: found.into(),
            expected: expected.into(),
        }
    }
}

/// Shows a byte of a text file.
struct Character(u8);

impl fmt::Display for Character {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            byte @ 0x21..=0x7E => write!(f, "'{}'", char::from(byte)),
            byte => write!(f, "byte {byte:#04x}"),
        }
    }
}

/// Shows family ids.
struct Families<'a>(&'a [u32]);

impl fmt::Display for Families<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, family) in self.0.iter().enumerate() {
            write!(f, "{}{family:#010x}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
