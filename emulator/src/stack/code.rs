//! A program as it lies in memory.

use crate::image::{Image, Segment};

/// The content of an image by address.
#[derive(Clone, Debug)]
pub struct Code {
    segments: Vec<Segment>,
    base: u32,
}

impl Code {
    /// What `image` puts where.
    pub fn new(image: &Image) -> Self {
        Self {
            segments: image.segments().to_vec(),
            base: image.vector_table(),
        }
    }

    /// Where the vector table is.
    pub(super) fn base(&self) -> u32 {
        self.base
    }

    /// The half-word at `address`.
    pub(super) fn half(&self, address: u32) -> Option<u16> {
        let bytes = self.at(address)?.first_chunk()?;
        Some(u16::from_le_bytes(*bytes))
    }

    /// The word at `address`.
    pub(super) fn word(&self, address: u32) -> Option<u32> {
        let bytes = self.at(address)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }

    /// Whether a word behind the vector table has this value.
    pub(super) fn holds(&self, value: u32) -> bool {
        let table = 4 * (super::SYSTEM_EXCEPTIONS + super::INTERRUPTS);
        self.segments.iter().any(|segment| {
            let skipped = if segment.address == self.base {
                table as usize
            } else {
                0
            };
            let rest = segment.bytes.get(skipped..).unwrap_or_default();
            rest.chunks_exact(4).any(|word| word == value.to_le_bytes())
        })
    }

    /// The content from `address` on.
    fn at(&self, address: u32) -> Option<&[u8]> {
        self.segments.iter().find_map(|segment| {
            let offset = address.checked_sub(segment.address)?;
            let rest = segment.bytes.get(offset as usize..)?;
            (!rest.is_empty()).then_some(rest)
        })
    }
}
