//! Intel HEX (Intel, "Hexadecimal Object File Format Specification", revision A, 1988).

use super::assembly::Assembly;
use super::{Format, ImageError, Place};

/// Reads a whole file.
pub(super) fn parse(bytes: &[u8]) -> Result<Assembly, ImageError> {
    let mut assembly = Assembly::default();
    let mut base = 0;
    for (n, line) in bytes.split(|&b| b == b'\n').enumerate() {
        let place = Place::Line(n as u64 + 1);
        let broken = || ImageError::NotThisFormat {
            format: Format::IntelHex,
            place,
        };
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let digits = line.strip_prefix(b":").ok_or_else(broken)?;
        let digits = str::from_utf8(digits).map_err(|_| broken())?;
        let record = (0..digits.len() / 2)
            .map(|i| {
                digits
                    .get(2 * i..2 * i + 2)
                    .and_then(|d| u8::from_str_radix(d, 16).ok())
            })
            .collect::<Option<Vec<u8>>>()
            .ok_or_else(broken)?;
        let [len, high, low, kind, data @ .., _] = &record[..] else {
            return Err(broken());
        };
        let sum = record.iter().fold(0_u8, |sum, b| sum.wrapping_add(*b));
        if usize::from(*len) != data.len() || sum != 0 {
            return Err(broken());
        }
        match (kind, data) {
            (0, _) => {
                let offset = u64::from(u16::from_be_bytes([*high, *low]));
                assembly.add(base + offset, data, place)?;
            }
            (1, []) => return Ok(assembly),
            (4, [a, b]) => base = u64::from(u16::from_be_bytes([*a, *b])) << 16,
            (5, [a, b, c, d]) => {
                assembly.entry = Some(u64::from(u32::from_be_bytes([*a, *b, *c, *d])));
            }
            _ => return Err(broken()),
        }
    }
    Err(ImageError::NotThisFormat {
        format: Format::IntelHex,
        place: Place::Offset(0),
    })
}
