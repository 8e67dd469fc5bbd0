//! The check value that several protocols share.

/// CRC-32/ISO-HDLC, as in IEEE 802.3, zlib and ZIP: polynomial 0x04C11DB7 reflected, initial value
/// and final XOR all ones; the nine digits `123456789` give 0xCBF43926.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crc32(u32);

const fn table(step: u32) -> [u32; 16] {
    let mut table = [0; 16];
    let mut index = 0;
    while index < table.len() {
        let mut remainder = index as u32 * step;
        let mut bit = 0;
        while bit < 8 {
            let feedback = if remainder & 1 == 1 { 0xEDB8_8320 } else { 0 };
            remainder = remainder >> 1 ^ feedback;
            bit += 1;
        }
        table[index] = remainder;
        index += 1;
    }
    table
}

impl Crc32 {
    /// The state after any bytes that are followed by their own check value, least significant byte
    /// first: what a receiver compares with when it takes the check value in as well.
    pub const CHECKED: Self = Self(0xDEBB_20E3);

    /// What the low four bits of a byte do to the remainder. Twice sixteen entries and not 256,
    /// because constants lie in RAM on an AVR; not sixteen alone, because it has no instruction that
    /// shifts a remainder by four bits.
    pub const LOW: [u32; 16] = table(1);
    /// What the high four bits of a byte do to the remainder.
    pub const HIGH: [u32; 16] = table(16);

    /// The state in which the remainder is this: for who takes bytes in by other code.
    pub const fn from_remainder(remainder: u32) -> Self {
        Self(remainder)
    }

    /// The remainder so far.
    pub const fn remainder(self) -> u32 {
        self.0
    }

    /// The state before the first byte.
    pub const fn new() -> Self {
        Self(!0)
    }

    /// Takes bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |remainder, &byte| {
            let index = remainder as u8 ^ byte;
            let (low, high) = (usize::from(index & 0xF), usize::from(index >> 4));
            remainder >> 8 ^ Self::LOW[low] ^ Self::HIGH[high]
        });
    }

    /// The check value of all bytes taken in.
    pub const fn value(self) -> u32 {
        !self.0
    }

    /// The check value of `bytes`.
    pub fn of(bytes: &[u8]) -> u32 {
        let mut crc = Self::new();
        crc.update(bytes);
        crc.value()
    }
}

impl Default for Crc32 {
    fn default() -> Self {
        Self::new()
    }
}
