//! Firmware images: file content with addresses.
//!
//! [`Image::parse`] reads a file's bytes, whatever its format, and either understands all of it or
//! says at which line or offset it does not. There is no falling back from a broken file of one
//! format to raw binary: that is how other tools come to flash the text of a HEX file. Content
//! decides what a file is; a name that says otherwise is an error, unless the caller names the
//! format.
//!
//! Strict about content: checksums, lengths, counts, end records and numbering all have to be right.
//! Records may come in any order and far apart. What is there twice must be the same both times
//! (linkers do repeat themselves), and a [`Note`] says so.
//!
//! Not here: reading files, and knowing which addresses a target has ([`plan`](crate::plan) checks
//! those).

mod assembly;
mod detect;
mod dfuse;
mod elf;
mod error;
mod intel_hex;
mod srecord;
mod text;
mod uf2;
mod write;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub use error::{ImageError, Place};

pub use write::{MOST_GAP_BYTES, WriteError, WriteOptions};

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
    segments: Arc<Vec<Segment>>,
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
        let assembly = match format {
            Format::Binary => return Self::from_binary(bytes.into_owned(), options.address),
            Format::IntelHex => intel_hex::parse(&bytes)?,
            Format::SRecord => srecord::parse(&bytes)?,
            Format::Elf => elf::parse(&bytes)?,
            Format::Uf2 => uf2::parse(&bytes, options.family)?,
            Format::DfuSe => dfuse::parse(&bytes)?,
        };
        let image = assembly.finish(format)?;
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
        if bytes.is_empty() {
            return Err(ImageError::Empty);
        }
        let mut assembly = Assembly::default();
        let segment = Segment {
            address: address.unwrap_or(0),
            data: bytes,
        };
        assembly.add_segment(segment, Place::Offset(0))?;
        Ok(Self {
            placed: address.is_some(),
            ..assembly.finish(Format::Binary)?
        })
    }

    /// Sorts and joins `segments`. Two that overlap must agree on what they share.
    ///
    /// # Errors
    /// [`ImageError::NoData`], [`ImageError::Overlap`], [`ImageError::AddressOverflow`].
    pub fn from_segments(format: Format, segments: Vec<Segment>) -> Result<Self, ImageError> {
        let mut assembly = Assembly::default();
        for (n, segment) in segments.into_iter().enumerate() {
            assembly.add_segment(segment, Place::Segment(n))?;
        }
        assembly.finish(format)
    }

    /// One image of several, in the format of the first. They may overlap where they agree. The
    /// entry and the machine are those of the first image that has one.
    ///
    /// # Errors
    /// [`ImageError::NoData`] for no images at all, [`ImageError::NoAddress`] for a raw binary that
    /// is not [placed](Self::place), [`ImageError::Overlap`].
    pub fn merge(images: &[Self]) -> Result<Self, ImageError> {
        let mut assembly = Assembly::default();
        for (n, image) in images.iter().enumerate() {
            let place = Place::Image(n);
            if !image.placed {
                return Err(ImageError::NoAddress { place });
            }
            for segment in image.segments() {
                assembly.add_segment(segment.clone(), place)?;
            }
            assembly.entry = assembly.entry.or(image.entry);
            assembly.machine = assembly.machine.or(image.machine);
            assembly.families.extend_from_slice(&image.families);
            assembly.notes.extend_from_slice(&image.notes);
        }
        assembly.finish(images.first().map_or(Format::Binary, Self::format))
    }

    /// Gives a raw binary that has none yet its address; leaves any other image as it is.
    ///
    /// # Errors
    /// [`ImageError::AddressOverflow`].
    pub fn place(mut self, address: u64) -> Result<Self, ImageError> {
        if !self.placed {
            let bytes = self.total_bytes();
            if address.checked_add(bytes).is_none() {
                return Err(ImageError::AddressOverflow {
                    place: Place::Offset(0),
                    address,
                    bytes,
                });
            }
            // It has just one segment, with address 0.
            for segment in Arc::make_mut(&mut self.segments) {
                segment.address += address;
            }
            self.placed = true;
        }
        Ok(self)
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
        let [first, .., last] = &self.segments[..] else {
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
    /// The text in an S-record file's header.
    Header {
        /// The text; printable.
        text: String,
    },
    /// A segment of an ELF file begins with the file's own headers, which were left out.
    ElfHeaders {
        /// Where they would have gone.
        address: u64,
        /// Their size, padding included.
        bytes: u64,
    },
    /// Blocks of a UF2 file that say they are not for the main flash, and were left out.
    NotMainFlash {
        /// How many.
        blocks: u64,
    },
    /// One of several targets (memories) of a DfuSe file; all of them are in the image.
    Target {
        /// Its USB alternate setting; 0 is the internal flash.
        alternate_setting: u8,
        /// Its name; printable, may be empty.
        name: String,
        /// How much data it has.
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
            Self::Header { text } => write!(f, "header {text:?}"),
            Self::ElfHeaders { address, bytes } => {
                write!(
                    f,
                    "left out {bytes} bytes at {address:#010x}, the ELF file's own headers"
                )
            }
            Self::NotMainFlash { blocks } => {
                write!(
                    f,
                    "left out {blocks} blocks that are not for the main flash"
                )
            }
            Self::Target {
                alternate_setting,
                name,
                bytes,
            } => {
                write!(f, "target {alternate_setting} {name:?} has {bytes} bytes")
            }
        }
    }
}
