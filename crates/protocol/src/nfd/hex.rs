//! Hexadecimal as the sketch reads and writes it.

/// A byte that is no hexadecimal digit, and where it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HexError {
    /// Index of the byte.
    pub index: usize,
    /// The byte.
    pub byte: u8,
}

/// The value of a digit in either case.
pub const fn digit_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The digit of the low four bits, in upper case as the sketch answers. Computed, because a table
/// would lie in RAM on an AVR.
pub const fn upper_digit(value: u8) -> u8 {
    match value & 0x0F {
        value @ 0..=9 => b'0' + value,
        value => b'A' + (value - 10),
    }
}

/// The two upper-case digits of a byte.
pub const fn digits(byte: u8) -> [u8; 2] {
    [upper_digit(byte >> 4), upper_digit(byte)]
}

/// Reads up to eight digits, most significant first.
///
/// # Errors
/// The first byte that is no digit, or the ninth digit.
pub fn parse_u32(text: &[u8]) -> Result<u32, HexError> {
    text.iter()
        .enumerate()
        .try_fold(0_u32, |value, (index, &byte)| match digit_value(byte) {
            Some(digit) if index < 8 => Ok(value << 4 | u32::from(digit)),
            _ => Err(HexError { index, byte }),
        })
}

/// Reads two digits for each byte of `out`.
///
/// # Errors
/// The first byte that is no digit; the end of a text that is too short, or what is too much of it.
pub fn parse_bytes(text: &[u8], out: &mut [u8]) -> Result<(), HexError> {
    let wanted = 2 * out.len();
    if text.len() != wanted {
        let index = text.len().min(wanted);
        let byte = text.get(index).copied().unwrap_or_default();
        return Err(HexError { index, byte });
    }
    for (index, (slot, pair)) in out.iter_mut().zip(text.chunks_exact(2)).enumerate() {
        let mut value = 0;
        for (offset, &byte) in pair.iter().enumerate() {
            let index = 2 * index + offset;
            value = value << 4 | digit_value(byte).ok_or(HexError { index, byte })?;
        }
        *slot = value;
    }
    Ok(())
}
