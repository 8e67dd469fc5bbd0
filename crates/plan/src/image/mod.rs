//! Firmware images: file content with addresses.
//!
//! [`Image::parse`] reads a file's bytes, whatever its format, and either understands all of it or
//! says at which line or offset it does not. There is no falling back from a broken file of one
//! format to raw binary: that is how other tools come to flash the text of a HEX file. Content
//! decides what a file is; a name that says otherwise is an error, unless the caller names the
//! format.
//!
//! Not here: reading files, and knowing which addresses a target has ([`plan`](crate::plan) checks
//! those).

mod assembly;
mod detect;
mod error;
mod intel_hex;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub use error::{ImageError, Place};

use assembly::Assembly;

/// A file format for firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Nothing but the bytes.
    Binary,
    /// Intel HEX: lines that begin with a colon.
    IntelHex,
    /// Motorola S-record: lines that begin with `S`.
    SRecord,
    /// Executable and Linkable Format, 32 and 64 bits.
    Elf,
    /// USB Flashing Format: blocks of 512 bytes, each with its address.
    Uf2,
    /// DFU file with ST's extensions (UM0391).
    DfuSe,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 6] = [
        Self::Binary,
        Self::IntelHex,
        Self::SRecord,
        Self::Elf,
        Self::Uf2,
        Self::DfuSe,
    ];

    /// Its name on a command line: `bin`, `hex`, `srec`, `elf`, `uf2`, `dfuse`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Binary => "bin",
            Self::IntelHex => "hex",
            Self::SRecord => "srec",
            Self::Elf => "elf",
            Self::Uf2 => "uf2",
            Self::DfuSe => "dfuse",
        }
    }

    /// The format with this [`id`](Self::id), or with this file name extension; no dot, any case.
    pub fn from_id(id: &str) -> Option<Self> {
        detect::format_of_extension(id)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Binary => "raw binary",
            Self::IntelHex => "Intel HEX",
            Self::SRecord => "Motorola S-record",
            Self::Elf => "ELF",
            Self::Uf2 => "UF2",
            Self::DfuSe => "DfuSe",
        })
    }
}

/// Bytes that follow each other in the target's address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address of the first byte.
    pub address: u64,
    /// The bytes; never empty in an [`Image`].
    pub data: Vec<u8>,
}

impl Segment {
    /// The addresses that it covers.
    pub fn range(&self) -> Range<u64> {
        self.address..self.address + self.data.len() as u64
    }
}

/// What to do with a file beyond what it says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParseOptions<'a> {
    /// The format, whatever content and name look like.
    pub format: Option<Format>,
    /// The file's name; its extension must agree with the content, unless `format` is given.
    pub file_name: Option<&'a str>,
    /// Where a raw binary goes. Formats that have addresses of their own refuse any other than
    /// theirs: whether it would mean "move there" or "move by" is anybody's guess.
    pub address: Option<u64>,
    /// Which family to take out of a UF2 file that holds several.
    pub family: Option<u32>,
}

/// Firmware: bytes with addresses, in order, disjoint, neighbours joined, never empty.
///
/// Cloning is cheap: the bytes are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    format: Format,
    segments: Arc<[Segment]>,
    placed: bool,
    entry: Option<u64>,
    machine: Option<u16>,
    families: Vec<u32>,
    notes: Vec<Note>,
}

impl Image {
    /// Reads the content of a file. A raw binary given as `Vec` is not copied.
    ///
    /// The memory needed is bounded by a small multiple of `bytes`, whatever they say: distant
    /// pieces stay distant segments.
    ///
    /// # Errors
    /// Whatever is wrong with the content, with its line or offset.
    pub fn parse<'a>(
        bytes: impl Into<Cow<'a, [u8]>>,
        options: &ParseOptions<'_>,
    ) -> Result<Self, ImageError> {
        let bytes = bytes.into();
        let format = detect::format_of(&bytes, options)?;
        let image = match format {
            Format::Binary => Self::from_binary(bytes.into_owned(), options.address)?,
            Format::IntelHex => intel_hex::parse(&bytes)?.finish(format)?,
            _ => {
                return Err(ImageError::NotThisFormat {
                    format,
                    place: Place::Offset(0),
                });
            }
        };
        match options.address {
            Some(address) if address != image.range().start => Err(ImageError::HasAddresses {
                format,
                own: image.range().start,
                given: address,
            }),
            _ => Ok(image),
        }
    }

    /// A raw binary. Without an address it must be [placed](Self::place) before it can be planned.
    ///
    /// # Errors
    /// [`ImageError::Empty`], [`ImageError::AddressOverflow`].
    pub fn from_binary(bytes: Vec<u8>, address: Option<u64>) -> Result<Self, ImageError> {
        let segment = Segment {
            address: address.unwrap_or(0),
            data: bytes,
        };
        let image = Self::from_segments(Format::Binary, vec![segment])?;
        Ok(Self {
            placed: address.is_some(),
            ..image
        })
    }

    /// Sorts and joins `segments`. Two that overlap must agree on what they share.
    ///
    /// # Errors
    /// [`ImageError::Empty`], [`ImageError::Overlap`], [`ImageError::AddressOverflow`].
    pub fn from_segments(format: Format, segments: Vec<Segment>) -> Result<Self, ImageError> {
        let mut assembly = Assembly::default();
        for (n, segment) in segments.iter().enumerate() {
            assembly.add(segment.address, &segment.data, Place::Segment(n as u64))?;
        }
        assembly.finish(format)
    }

    /// Gives a raw binary that has none yet its address; leaves any other image as it is.
    ///
    /// # Errors
    /// [`ImageError::AddressOverflow`].
    pub fn place(self, address: u64) -> Result<Self, ImageError> {
        if self.placed {
            return Ok(self);
        }
        let mut segments = self.segments.to_vec();
        for segment in &mut segments {
            segment.address = address;
        }
        Ok(Self {
            placed: true,
            ..Self::from_segments(self.format, segments)?
        })
    }

    /// The format that it was read from.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its pieces, in order of address; at least one, none empty.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether its addresses mean anything: false for a raw binary that was given none.
    pub fn is_placed(&self) -> bool {
        self.placed
    }

    /// Where execution starts, if the file says so; on ARM, bit 0 says Thumb.
    pub fn entry(&self) -> Option<u64> {
        self.entry
    }

    /// The machine an ELF file is for, as its `e_machine`: 40 is ARM. `None` for other formats.
    pub fn machine(&self) -> Option<u16> {
        self.machine
    }

    /// The family ids of a UF2 file.
    pub fn families(&self) -> &[u32] {
        &self.families
    }

    /// What is worth telling about the file.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// How many bytes it has, gaps not counted.
    pub fn total_bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.data.len() as u64).sum()
    }

    /// The bytes of `range`, if one segment covers all of it.
    pub fn slice(&self, range: &Range<u64>) -> Option<&[u8]> {
        let next = self
            .segments
            .partition_point(|s| s.range().end <= range.start);
        let segment = self.segments.get(next)?;
        let start = range.start.checked_sub(segment.address)? as usize;
        segment
            .data
            .get(start..start + (range.end - range.start) as usize)
    }

    /// From its first byte to its last, gaps included.
    pub fn range(&self) -> Range<u64> {
        let [first, .., last] = &*self.segments else {
            return self.segments[0].range();
        };
        first.address..last.range().end
    }
}

/// Something about a file that its user may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Some bytes came more than once, always with the same value.
    Repeated {
        /// How many.
        bytes: u64,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeated { bytes } => {
                write!(
                    f,
                    "{bytes} bytes are there more than once, each time with the same value"
                )
            }
        }
    }
}
