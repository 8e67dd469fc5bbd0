//! 4-byte address instruction table. JESD216B, section 6.6.

use super::{SfdpError, bits, dwords};

/// Which instructions that always take four address bytes a chip has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FourByteInstructions {
    support: u32,
    erase: u32,
}

impl FourByteInstructions {
    /// Reads the table.
    ///
    /// # Errors
    /// [`SfdpError::Truncated`] if there are fewer than its two dwords.
    pub fn parse(bytes: &[u8]) -> Result<Self, SfdpError> {
        let mut dwords = dwords(bytes);
        match (dwords.next(), dwords.next()) {
            (Some(support), Some(erase)) => Ok(Self { support, erase }),
            _ => Err(SfdpError::Truncated {
                found_bytes: bytes.len() as u32,
                needed_bytes: 8,
            }),
        }
    }

    /// READ with four bytes (13h). Dword 1, bit 0.
    pub const fn read(&self) -> bool {
        self.has(0)
    }

    /// Fast Read with four bytes (0Ch). Dword 1, bit 1.
    pub const fn fast_read(&self) -> bool {
        self.has(1)
    }

    /// Page Program with four bytes (12h). Dword 1, bit 6.
    pub const fn page_program(&self) -> bool {
        self.has(6)
    }

    /// Instruction for erase type `number` (from 0, as [`Bfpt::erase_types`](super::Bfpt)) with
    /// four address bytes. Dword 1, bits 9 to 12, and dword 2.
    pub fn erase(&self, number: u8) -> Option<u8> {
        if number >= 4 || !self.has(9 + number) {
            return None;
        }
        let opcode = bits(self.erase, 8 * number + 7, 8 * number) as u8;
        (opcode != 0x00 && opcode != 0xFF).then_some(opcode)
    }

    /// Whether a chip can be used by these instructions alone: it reads, programs and erases.
    pub fn is_complete(&self) -> bool {
        self.read() && self.page_program() && (0..4).any(|number| self.erase(number).is_some())
    }

    const fn has(&self, bit: u8) -> bool {
        bits(self.support, bit, bit) == 1
    }
}
