//! Sector map: which erase types work where, on chips that are not uniform. JESD216B, section 6.5.

use super::{SfdpError, bits, dwords};
use crate::spinor::AddressWidth;

/// The sector map table.
///
/// It begins with [`detections`](Self::detections): register reads whose results, put together, are
/// the number of the map that is in force. A table without any has one map, number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectorMap<'a> {
    detections: &'a [u8],
    maps: &'a [u8],
}

/// Bit 0 of a descriptor: the last of its kind.
const LAST: u32 = 1 << 0;
/// Bit 1 of a descriptor: a map; else a detection.
const IS_MAP: u32 = 1 << 1;
/// Length of a detection, in bytes.
const DETECTION_BYTES: usize = 8;
/// Length of a dword, in bytes.
const DWORD_BYTES: usize = 4;

impl<'a> SectorMap<'a> {
    /// Reads the table.
    ///
    /// # Errors
    /// [`SfdpError::Truncated`] if a descriptor runs beyond the end.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SfdpError> {
        let truncated = |needed: usize| SfdpError::Truncated {
            found_bytes: bytes.len() as u32,
            needed_bytes: needed as u32,
        };
        let first_dword = |at: usize| {
            let dword = bytes.get(at..).and_then(|rest| dwords(rest).next());
            dword.ok_or(truncated(at + DWORD_BYTES))
        };
        let mut at = 0;
        while first_dword(at)? & IS_MAP == 0 {
            at += DETECTION_BYTES;
        }
        let (detections, maps) = bytes.split_at_checked(at).ok_or(truncated(at))?;
        loop {
            let dword = first_dword(at)?;
            at += Map::length_bytes(dword);
            if at > bytes.len() {
                return Err(truncated(at));
            }
            if dword & LAST != 0 {
                return Ok(Self { detections, maps });
            }
        }
    }

    /// The register reads by which the map in force is found, in order: each adds one bit to the
    /// map's number, the first one the most significant.
    pub fn detections(&self) -> impl Iterator<Item = Detection> {
        let chunks = self.detections.as_chunks::<DETECTION_BYTES>().0.iter();
        chunks.filter_map(|chunk| {
            let mut dwords = dwords(chunk);
            Some(Detection::parse(dwords.next()?, dwords.next()?))
        })
    }

    /// All maps, in the chip's order.
    pub fn maps(&self) -> impl Iterator<Item = Map<'a>> {
        let mut rest = Some(self.maps);
        core::iter::from_fn(move || {
            let bytes = rest.take()?;
            let dword = dwords(bytes).next()?;
            let (map, following) = bytes.split_at_checked(Map::length_bytes(dword))?;
            rest = (dword & LAST == 0).then_some(following);
            let (_, regions) = map.split_at_checked(DWORD_BYTES)?;
            Some(Map {
                id: bits(dword, 15, 8) as u8,
                regions,
            })
        })
    }

    /// The map of this number.
    pub fn find(&self, id: u8) -> Option<Map<'a>> {
        self.maps().find(|map| map.id == id)
    }
}

/// One register read that tells the map in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detection {
    /// The instruction.
    pub opcode: u8,
    /// How its address is sent.
    pub address_width: DetectionAddress,
    /// Its address.
    pub address: u32,
    /// Dummy clocks after the address; `None` if that depends on the chip's configuration.
    pub dummy_clocks: Option<u8>,
    /// Which bits of the byte that is read count.
    pub mask: u8,
}

impl Detection {
    fn parse(first: u32, address: u32) -> Self {
        let dummy = bits(first, 19, 16) as u8;
        Self {
            opcode: bits(first, 15, 8) as u8,
            address_width: match bits(first, 23, 22) {
                0b00 => DetectionAddress::None,
                0b01 => DetectionAddress::Fixed(AddressWidth::Three),
                0b10 => DetectionAddress::Fixed(AddressWidth::Four),
                _ => DetectionAddress::Current,
            },
            address,
            dummy_clocks: (dummy != 0xF).then_some(dummy),
            mask: bits(first, 31, 24) as u8,
        }
    }

    /// The bit that reading `byte` gives.
    pub const fn bit(&self, byte: u8) -> bool {
        byte & self.mask != 0
    }
}

/// How the address of a [`Detection`] is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetectionAddress {
    /// Not at all.
    None,
    /// With so many bytes.
    Fixed(AddressWidth),
    /// With as many bytes as the chip's mode takes now.
    Current,
}

/// One layout of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map<'a> {
    /// Its number.
    pub id: u8,
    regions: &'a [u8],
}

impl<'a> Map<'a> {
    fn length_bytes(dword: u32) -> usize {
        let regions = bits(dword, 23, 16) as usize + 1;
        (1 + regions) * DWORD_BYTES
    }

    /// Its regions, in order of address from 0.
    pub fn regions(&self) -> impl Iterator<Item = Region> + use<'a> {
        dwords(self.regions).map(|dword| Region {
            size_bytes: (u64::from(bits(dword, 31, 8)) + 1) * 256,
            erase_types: bits(dword, 3, 0) as u8,
        })
    }
}

/// Neighbouring memory that is erased the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its size, in bytes.
    pub size_bytes: u64,
    /// Which erase types of [`Bfpt::erase_types`](super::Bfpt) work in it: bit 0 for the first.
    pub erase_types: u8,
}
