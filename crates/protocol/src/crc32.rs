//! The check value that several protocols share.

/// CRC-32/ISO-HDLC, as in IEEE 802.3, zlib and ZIP: polynomial 0x04C11DB7 reflected, initial value
/// and final XOR all ones; the nine digits `123456789` give 0xCBF43926.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crc32(u32);

/// What four bits do to the remainder. Sixteen entries and not 256, because constants lie in RAM
/// on an AVR.
const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut nibble = 0;
    while nibble < table.len() {
        let mut remainder = nibble as u32;
        let mut bit = 0;
        while bit < 4 {
            let feedback = if remainder & 1 == 1 { 0xEDB8_8320 } else { 0 };
            remainder = remainder >> 1 ^ feedback;
            bit += 1;
        }
        table[nibble] = remainder;
        nibble += 1;
    }
    table
};

impl Crc32 {
    /// The state after any bytes that are followed by their own check value, least significant byte
    /// first: what a receiver compares with when it takes the check value in as well.
    pub const CHECKED: Self = Self(0xDEBB_20E3);

    /// The state before the first byte.
    pub const fn new() -> Self {
        Self(!0)
    }

    /// Takes bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        let shifted = |remainder: u32| remainder >> 4 ^ TABLE[(remainder & 0xF) as usize];
        self.0 = bytes.iter().fold(self.0, |remainder, &byte| {
            shifted(shifted(remainder ^ u32::from(byte)))
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
