//! Intel HEX (Intel, "Hexadecimal Object File Format Specification", revision A, 1988).
//!
//! A line is `:LLAAAATT`, LL data bytes and a checksum, all in hexadecimal: LL bytes of type TT for
//! the low 16 address bits AAAA. Types 02 and 04 set the upper address bits.

use super::assembly::Assembly;
use super::text::{Record, lines, push_hex, sum};
use super::{Format, Image, ImageError, Place};

/// What AAAA is relative to.
#[derive(Clone, Copy)]
enum Base {
    /// Nothing so far, or type 04: linear addresses.
    Linear(u64),
    /// Type 02: addresses wrap at the end of the 64 KiB segment.
    Segment(u64),
}

/// Reads a whole file.
pub(super) fn parse(bytes: &[u8]) -> Result<Assembly, ImageError> {
    let mut assembly = Assembly::default();
    let mut base = Base::Linear(0);
    let mut end = None;
    let mut last_line = 1;
    for (line, column, text) in lines(bytes) {
        last_line = line;
        if let Some(end) = end {
            return Err(ImageError::AfterEnd { line, end });
        }
        let place = Place::Line(line);
        let Some(digits) = text.strip_prefix(b":") else {
            return Err(ImageError::NotThisFormat {
                format: Format::IntelHex,
                place,
            });
        };
        let record = Record::decode(line, column + 1, digits, FIXED_BYTES)?;
        let (offset, kind, data) = fields(line, record.bytes())?;
        match (kind, data) {
            (0x00, _) => assembly.add(address_of(base, offset, data, place)?, data, place)?,
            (0x01, []) => end = Some(line),
            (0x02, &[a, b]) => base = Base::Segment(u64::from(u16::from_be_bytes([a, b])) << 4),
            (0x03, &[a, b, c, d]) => {
                let (cs, ip) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                assembly.entry = Some((u64::from(cs) << 4) + u64::from(ip));
            }
            (0x04, &[a, b]) => base = Base::Linear(u64::from(u16::from_be_bytes([a, b])) << 16),
            (0x05, &[a, b, c, d]) => {
                assembly.entry = Some(u64::from(u32::from_be_bytes([a, b, c, d])));
            }
            (0x01..=0x05, _) => {
                let kind = format!("{kind:02X}");
                return Err(ImageError::RecordSize {
                    line,
                    kind,
                    found: data.len(),
                });
            }
            _ => {
                let kind = format!("{kind:02X}");
                return Err(ImageError::RecordType {
                    line,
                    format: Format::IntelHex,
                    kind,
                });
            }
        }
    }
    match end {
        Some(_) => Ok(assembly),
        None => Err(ImageError::NoEnd {
            format: Format::IntelHex,
            line: last_line,
        }),
    }
}

/// Bytes of a record besides its length and data: address, type, checksum.
const FIXED_BYTES: usize = 4;

/// Offset, type and data of a record; checks its checksum.
fn fields(line: u64, record: &[u8]) -> Result<(u16, u8, &[u8]), ImageError> {
    let &[_, high, low, kind, ref data @ .., found] = record else {
        return Err(ImageError::WrongLength {
            line,
            said: FIXED_BYTES,
            found: 0,
        });
    };
    let computed = sum(&record[..record.len() - 1]).wrapping_neg();
    if computed != found {
        return Err(ImageError::Checksum {
            line,
            computed,
            found,
        });
    }
    Ok((u16::from_be_bytes([high, low]), kind, data))
}

fn address_of(base: Base, offset: u16, data: &[u8], place: Place) -> Result<u64, ImageError> {
    let offset = u64::from(offset);
    let bytes = data.len() as u64;
    // By the letter a record that runs past the end of its segment wraps to its beginning. No tool
    // means that, so it is refused, as is running past 4 GiB.
    let (address, end) = match base {
        Base::Linear(base) => (base + offset, 1 << 32),
        Base::Segment(base) => (base + offset, base + (1 << 16)),
    };
    if address + bytes > end {
        return Err(ImageError::AddressOverflow {
            place,
            address,
            bytes,
        });
    }
    Ok(address)
}

/// Data bytes a line that is written.
const LINE_BYTES: u64 = 16;

/// Writes a file; every address fits 32 bits.
pub(super) fn write(image: &Image) -> Vec<u8> {
    let mut out = Vec::new();
    let mut upper = 0;
    for segment in image.segments() {
        let mut address = segment.address;
        let mut rest = &segment.data[..];
        while !rest.is_empty() {
            if address >> 16 != upper {
                upper = address >> 16;
                push_record(&mut out, 0, 0x04, &(upper as u16).to_be_bytes());
            }
            let next = (address / LINE_BYTES + 1) * LINE_BYTES;
            let (data, more) = rest.split_at(rest.len().min((next - address) as usize));
            push_record(&mut out, address as u16, 0x00, data);
            address = next;
            rest = more;
        }
    }
    if let Some(entry) = image.entry().and_then(|entry| u32::try_from(entry).ok()) {
        push_record(&mut out, 0, 0x05, &entry.to_be_bytes());
    }
    push_record(&mut out, 0, 0x01, &[]);
    out
}

fn push_record(out: &mut Vec<u8>, offset: u16, kind: u8, data: &[u8]) {
    let [high, low] = offset.to_be_bytes();
    let head = [data.len() as u8, high, low, kind];
    let checksum = sum(&head).wrapping_add(sum(data)).wrapping_neg();
    out.push(b':');
    push_hex(out, &head);
    push_hex(out, data);
    push_hex(out, &[checksum]);
    out.push(b'\n');
}
