//! Serial Flash Discoverable Parameters: the tables by which a chip describes itself.
//!
//! Ruled by JESD216 up to revision F; section and dword numbers are those of that text, dwords
//! counted from 1. Reading goes in three steps, so that nothing here needs a heap or a bus: read
//! [`FIRST_READ_BYTES`] from address 0, make a [`Directory`] of them, read what its parameter
//! headers point to, and hand each table's bytes to [`Bfpt`], [`FourByteInstructions`] or
//! [`SectorMap`].
//!
//! Tables of vendors (identifiers with another high byte than 0xFF) are not read.

mod bfpt;
mod four_byte;
mod sector_map;

pub use bfpt::{Addressing, Bfpt, EnterFourByte, EraseType, ExitFourByte, QuadEnable, Timing};
pub use four_byte::FourByteInstructions;
pub use sector_map::{Detection, DetectionAddress, Map, Region, SectorMap};

/// A good amount to read at first, in bytes: holds header and tables of most chips.
pub const FIRST_READ_BYTES: usize = 256;

/// How far SFDP reaches, in bytes: its addresses have 24 bits. Section 6.1.
const SPACE_BYTES: u32 = 1 << 24;

/// Why bytes are no SFDP, or none that can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SfdpError {
    /// It does not begin with "SFDP": the chip has none.
    Signature([u8; 4]),
    /// The major revision is not 1.
    Revision {
        /// Major revision found.
        major: u8,
        /// Minor revision found.
        minor: u8,
    },
    /// More parameter headers than any chip has.
    HeaderCount(u16),
    /// A table lies beyond the 16 MiB that SFDP can address.
    Pointer {
        /// Where the table is said to begin.
        address: u32,
        /// Its length, in bytes.
        length_bytes: u32,
    },
    /// No header names the mandatory basic flash parameter table.
    NoBasicTable,
    /// A table ends before its mandatory part does.
    Truncated {
        /// Bytes that are there.
        found_bytes: u32,
        /// Bytes that have to be there.
        needed_bytes: u32,
    },
    /// A field has a value that the document reserves.
    Reserved {
        /// Number of the dword, from 1.
        dword: u8,
        /// Its value.
        value: u32,
    },
}

/// Which table a parameter header points to. Section 6.3, "Parameter ID".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableId(pub u16);

impl TableId {
    /// Basic flash parameter table.
    pub const BFPT: Self = Self(0xFF00);
    /// Sector map.
    pub const SECTOR_MAP: Self = Self(0xFF81);
    /// 4-byte address instruction table.
    pub const FOUR_BYTE: Self = Self(0xFF84);
}

/// Where a table is. Section 6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterHeader {
    /// Which table.
    pub id: TableId,
    /// Major revision of the table.
    pub major: u8,
    /// Minor revision of the table.
    pub minor: u8,
    /// Address of its first byte in SFDP space.
    pub address: u32,
    /// Its length, in bytes: whole dwords.
    pub length_bytes: u32,
}

impl ParameterHeader {
    /// Length of a parameter header, and of the SFDP header before them, in bytes.
    pub const BYTES: usize = 8;

    fn parse(bytes: [u8; Self::BYTES]) -> Self {
        let [id_low, minor, major, dwords, a, b, c, id_high] = bytes;
        // Revision 1.0 has one byte of identifier and leaves the other one erased, and its 0x00 is
        // the basic table all the same.
        Self {
            id: TableId(u16::from_be_bytes([id_high, id_low])),
            major,
            minor,
            address: u32::from_le_bytes([a, b, c, 0]),
            length_bytes: u32::from(dwords) * 4,
        }
    }

    /// This table's bytes in `sfdp`, which was read from address 0; as many as are there.
    pub fn slice<'a>(&self, sfdp: &'a [u8]) -> &'a [u8] {
        let start = self.address as usize;
        let rest = sfdp.get(start..).unwrap_or_default();
        rest.get(..self.length_bytes as usize).unwrap_or(rest)
    }
}

/// The header and the parameter headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Major revision of the whole.
    pub major: u8,
    /// Minor revision of the whole: 0 for JESD216, 5 for A, 6 for B and C, 8 for D, 9 for E, 10
    /// for F.
    pub minor: u8,
    headers: [Option<ParameterHeader>; Self::MAX_HEADERS],
}

impl Directory {
    /// Most parameter headers that are looked at. The field could say 256; no chip has more than a
    /// handful.
    pub const MAX_HEADERS: usize = 16;

    const SIGNATURE: [u8; 4] = *b"SFDP";

    /// Reads the header from the first bytes of SFDP space. Parameter headers beyond the end of
    /// `bytes` are left out; [`FIRST_READ_BYTES`] hold all of them.
    ///
    /// # Errors
    /// Every variant of [`SfdpError`] but `Reserved`.
    pub fn parse(bytes: &[u8]) -> Result<Self, SfdpError> {
        let mut chunks = bytes.as_chunks::<{ ParameterHeader::BYTES }>().0.iter();
        let Some(&[s, f, d, p, minor, major, last_header, _]) = chunks.next() else {
            return Err(SfdpError::Truncated {
                found_bytes: bytes.len() as u32,
                needed_bytes: ParameterHeader::BYTES as u32,
            });
        };
        if [s, f, d, p] != Self::SIGNATURE {
            return Err(SfdpError::Signature([s, f, d, p]));
        }
        if major != 1 {
            return Err(SfdpError::Revision { major, minor });
        }
        let count = usize::from(last_header) + 1;
        let mut headers = [None; Self::MAX_HEADERS];
        if count > headers.len() {
            return Err(SfdpError::HeaderCount(count as u16));
        }
        for (slot, &chunk) in headers.iter_mut().take(count).zip(chunks) {
            let header = ParameterHeader::parse(chunk);
            if header.address + header.length_bytes > SPACE_BYTES {
                return Err(SfdpError::Pointer {
                    address: header.address,
                    length_bytes: header.length_bytes,
                });
            }
            *slot = Some(header);
        }
        let directory = Self {
            major,
            minor,
            headers,
        };
        directory
            .find(TableId::BFPT)
            .ok_or(SfdpError::NoBasicTable)?;
        Ok(directory)
    }

    /// All parameter headers, in the chip's order.
    pub fn headers(&self) -> impl Iterator<Item = &ParameterHeader> {
        self.headers.iter().flatten()
    }

    /// Where a table is: of several the newest of major revision 1, as section 6.3 wants it.
    pub fn find(&self, id: TableId) -> Option<&ParameterHeader> {
        self.headers()
            .filter(|header| header.id == id && header.major == 1)
            .max_by_key(|header| header.minor)
    }

    /// How much to read from address 0 to have all tables that this module knows, in bytes.
    pub fn reach_bytes(&self) -> u32 {
        [TableId::BFPT, TableId::SECTOR_MAP, TableId::FOUR_BYTE]
            .into_iter()
            .filter_map(|id| self.find(id))
            .map(|header| header.address + header.length_bytes)
            .max()
            .unwrap_or(0)
    }
}

/// The dwords of a table, little endian.
fn dwords(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks().0.iter().copied().map(u32::from_le_bytes)
}

/// Bits `high` to `low` of `dword`.
const fn bits(dword: u32, high: u8, low: u8) -> u32 {
    (dword >> low) & (u32::MAX >> (31 - (high - low)))
}
