//! The checksums of the protocol.

/// What a field that stands alone carries as its check: all bits inverted.
pub const fn complement(byte: u8) -> u8 {
    !byte
}

/// Checksum of a group of fields: XOR of all bytes. AN3155, section 3.
pub fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// The CRC of Get Checksum: that of the CRC unit, fed with little-endian 32-bit words.
///
/// Polynomial 0x04C11DB7, initial value 0xFFFFFFFF, neither reflected nor inverted at the end
/// (RM0008 rev 21, section 4; AN3155, section 3.13). It equals CRC-32/MPEG-2 over the bytes of each
/// word in reverse order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashCrc {
    polynomial: u32,
    value: u32,
}

impl Default for FlashCrc {
    fn default() -> Self {
        Self::new(Self::POLYNOMIAL, Self::INITIAL)
    }
}

impl FlashCrc {
    /// Polynomial of the CRC unit after a reset.
    pub const POLYNOMIAL: u32 = 0x04C1_1DB7;
    /// Initial value of the CRC unit after a reset.
    pub const INITIAL: u32 = 0xFFFF_FFFF;

    /// A CRC with the polynomial and initial value that Get Checksum was given.
    pub const fn new(polynomial: u32, initial: u32) -> Self {
        Self {
            polynomial,
            value: initial,
        }
    }

    /// Feeds one word of memory, as the little-endian CPU sees it.
    pub fn update(&mut self, word: u32) {
        self.value ^= word;
        for _ in 0..32 {
            let carry = self.value & 0x8000_0000 != 0;
            self.value <<= 1;
            if carry {
                self.value ^= self.polynomial;
            }
        }
    }

    /// Feeds memory content. What is left of the last word is filled up with `fill`.
    pub fn update_bytes(&mut self, bytes: &[u8], fill: u8) {
        for chunk in bytes.chunks(4) {
            let mut word = [fill; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            self.update(u32::from_le_bytes(word));
        }
    }

    /// The CRC of everything fed so far.
    pub const fn value(self) -> u32 {
        self.value
    }
}
