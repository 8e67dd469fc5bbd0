//! The packet memory: 256 half-words, one in every word of the core's address space. RM0008 rev
//! 21, section 23.5.3.

/// Bytes of the memory.
const SIZE: usize = 512;

#[derive(Debug)]
pub(in crate::chip) struct PacketMemory([u8; SIZE]);

impl Default for PacketMemory {
    fn default() -> Self {
        Self([0; SIZE])
    }
}

impl PacketMemory {
    /// The half-word at `offset` bytes.
    pub(in crate::chip) fn half(&self, offset: u16) -> u16 {
        let offset = usize::from(offset & !1) % SIZE;
        u16::from_le_bytes([self.0[offset], self.0[offset + 1]])
    }

    /// Writes the half-word at `offset` bytes.
    pub(in crate::chip) fn set_half(&mut self, offset: u16, value: u16) {
        let offset = usize::from(offset & !1) % SIZE;
        self.0[offset..offset + 2].copy_from_slice(&value.to_le_bytes());
    }

    /// `count` bytes from `offset` on.
    pub(super) fn bytes(&self, offset: u16, count: u16) -> Vec<u8> {
        (0..count)
            .map(|index| self.0[usize::from(offset.wrapping_add(index)) % SIZE])
            .collect()
    }

    /// Writes bytes from `offset` on.
    pub(super) fn fill(&mut self, offset: u16, bytes: &[u8]) {
        for (index, &byte) in (0..).zip(bytes) {
            self.0[usize::from(offset.wrapping_add(index)) % SIZE] = byte;
        }
    }
}
