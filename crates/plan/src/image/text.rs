//! What the two text formats have in common: lines of hexadecimal digits.

use super::ImageError;

/// Most bytes that a record can hold: a length byte of 255, the length itself, and in Intel HEX
/// address, type and checksum on top.
const MOST_RECORD_BYTES: usize = 260;

/// The bytes of one line.
pub(super) struct Record {
    bytes: [u8; MOST_RECORD_BYTES],
    len: usize,
}

impl Record {
    /// Decodes the digits of a line from `column` on, counted from 1, and checks its length: the
    /// first byte and `fixed` say how many follow.
    pub(super) fn decode(
        line: u64,
        column: usize,
        digits: &[u8],
        fixed: usize,
    ) -> Result<Self, ImageError> {
        let mut record = Self {
            bytes: [0; MOST_RECORD_BYTES],
            len: digits.len() / 2,
        };
        for (n, &digit) in digits.iter().enumerate() {
            let value = char::from(digit).to_digit(16).ok_or(ImageError::BadDigit {
                line,
                column: column + n,
                found: digit,
            })?;
            if let Some(byte) = record.bytes.get_mut(n / 2) {
                *byte = *byte << 4 | value as u8;
            }
        }
        if digits.len() % 2 == 1 {
            return Err(ImageError::OddDigits { line });
        }
        let said = usize::from(record.bytes[0]) + fixed;
        let found = record.len.saturating_sub(1);
        if said != found {
            return Err(ImageError::WrongLength { line, said, found });
        }
        Ok(record)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The lines that are not blank, each with its number from 1, its first column from 1, and without
/// surrounding white space. Lines end with LF, CR LF, or, in a file without any LF, CR.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = (u64, usize, &[u8])> {
    let text = bytes.strip_prefix(UTF8_BOM).unwrap_or(bytes);
    let end_of_line = if text.contains(&b'\n') { b'\n' } else { b'\r' };
    let numbered = text.split(move |&byte| byte == end_of_line).zip(1..);
    numbered.filter_map(|(line, number)| {
        let start = line.trim_ascii_start();
        let column = line.len() - start.len() + 1;
        let line = start.trim_ascii_end();
        (!line.is_empty()).then_some((number, column, line))
    })
}

/// Some editors put this before the first character.
pub(super) const UTF8_BOM: &[u8] = &[0xEF, 0xBB, 0xBF];

/// Appends `bytes` as digits.
pub(super) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Sum of all bytes, modulo 256.
pub(super) fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}
