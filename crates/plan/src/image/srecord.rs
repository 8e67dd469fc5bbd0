//! Motorola S-records (Motorola, "M68000 Family Programmer's Reference Manual", appendix C).
//!
//! A line is `S`, a digit for the type, and then in hexadecimal: a count of the bytes that follow,
//! an address of 2 to 4 bytes, data, and a checksum (the complement of the sum of all before it).

use super::assembly::Assembly;
use super::text::{Record, lines, push_hex, sum};
use super::{Format, Image, ImageError, Note, Place};

/// Reads a whole file.
pub(super) fn parse(bytes: &[u8]) -> Result<Assembly, ImageError> {
    let mut assembly = Assembly::default();
    let mut data_records = 0;
    let mut end = None;
    let mut last_line = 1;
    for (line, column, text) in lines(bytes) {
        last_line = line;
        if let Some(end) = end {
            return Err(ImageError::AfterEnd { line, end });
        }
        let place = Place::Line(line);
        let Some((&kind @ b'0'..=b'9', digits)) =
            text.strip_prefix(b"S").and_then(<[u8]>::split_first)
        else {
            return Err(ImageError::NotThisFormat {
                format: Format::SRecord,
                place,
            });
        };
        let record = Record::decode(line, column + 2, digits, 0)?;
        let body = body(line, kind, record.bytes())?;
        let address_bytes = match kind {
            b'0' | b'1' | b'5' | b'9' => 2,
            b'2' | b'6' | b'8' => 3,
            b'3' | b'7' => 4,
            _ => {
                let format = Format::SRecord;
                return Err(ImageError::RecordType {
                    line,
                    format,
                    kind: name(kind),
                });
            }
        };
        let Some((address, data)) = body.split_at_checked(address_bytes) else {
            return Err(ImageError::RecordSize {
                line,
                kind: name(kind),
                found: body.len(),
            });
        };
        let address = address
            .iter()
            .fold(0, |value, &byte| value << 8 | u64::from(byte));
        match kind {
            b'0' => note_header(&mut assembly, data),
            b'1'..=b'3' => {
                let bytes = data.len() as u64;
                if address + bytes > 1 << (8 * address_bytes) {
                    return Err(ImageError::AddressOverflow {
                        place,
                        address,
                        bytes,
                    });
                }
                assembly.add(address, data, place)?;
                data_records += 1;
            }
            _ if !data.is_empty() => {
                return Err(ImageError::RecordSize {
                    line,
                    kind: name(kind),
                    found: data.len(),
                });
            }
            b'5' | b'6' if address != data_records => {
                let (said, found) = (address, data_records);
                return Err(ImageError::RecordCount { line, said, found });
            }
            b'5' | b'6' => {}
            _ => {
                // Writers that know of no entry put zero there.
                assembly.entry = Some(address).filter(|&address| address != 0);
                end = Some(line);
            }
        }
    }
    match end {
        Some(_) => Ok(assembly),
        None => Err(ImageError::NoEnd {
            format: Format::SRecord,
            line: last_line,
        }),
    }
}

/// Address and data of a record; checks its checksum.
fn body(line: u64, kind: u8, record: &[u8]) -> Result<&[u8], ImageError> {
    let &[_, ref body @ .., found] = record else {
        return Err(ImageError::RecordSize {
            line,
            kind: name(kind),
            found: 0,
        });
    };
    let computed = !sum(&record[..record.len() - 1]);
    if computed != found {
        return Err(ImageError::Checksum {
            line,
            computed,
            found,
        });
    }
    Ok(body)
}

fn name(kind: u8) -> String {
    format!("S{}", char::from(kind))
}

/// Keeps a header that a person can read.
fn note_header(assembly: &mut Assembly, data: &[u8]) {
    let text = data.trim_ascii_end();
    let text = text.split(|&byte| byte == 0).next().unwrap_or(&[]);
    if !text.is_empty() && text.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        let text = String::from_utf8_lossy(text).into_owned();
        assembly.notes.push(Note::Header { text });
    }
}

/// Data bytes a line that is written.
const LINE_BYTES: u64 = 16;

/// Writes a file with the smallest records that reach all addresses; every one fits 32 bits.
pub(super) fn write(image: &Image) -> Vec<u8> {
    let entry = image
        .entry()
        .and_then(|entry| u32::try_from(entry).ok())
        .unwrap_or(0);
    let highest = image.range().end.max(u64::from(entry) + 1);
    let (data_kind, end_kind, address_bytes) = match highest {
        0..=0x1_0000 => (b'1', b'9', 2),
        0x1_0001..=0x100_0000 => (b'2', b'8', 3),
        _ => (b'3', b'7', 4),
    };
    let mut out = Vec::new();
    push_record(&mut out, b'0', 2, 0, &[]);
    let mut count = 0;
    for segment in image.segments() {
        let mut address = segment.address;
        let mut rest = &segment.data[..];
        while !rest.is_empty() {
            let next = (address / LINE_BYTES + 1) * LINE_BYTES;
            let (data, more) = rest.split_at(rest.len().min((next - address) as usize));
            push_record(&mut out, data_kind, address_bytes, address as u32, data);
            address = next;
            rest = more;
            count += 1;
        }
    }
    match count {
        0..=0xFFFF => push_record(&mut out, b'5', 2, count, &[]),
        0x1_0000..=0xFF_FFFF => push_record(&mut out, b'6', 3, count, &[]),
        _ => {}
    }
    push_record(&mut out, end_kind, address_bytes, entry, &[]);
    out
}

fn push_record(out: &mut Vec<u8>, kind: u8, address_bytes: usize, address: u32, data: &[u8]) {
    let address = &address.to_be_bytes()[4 - address_bytes..];
    let count = (address_bytes + data.len() + 1) as u8;
    let checksum = !count.wrapping_add(sum(address)).wrapping_add(sum(data));
    out.extend([b'S', kind]);
    push_hex(out, &[count]);
    push_hex(out, address);
    push_hex(out, data);
    push_hex(out, &[checksum]);
    out.push(b'\n');
}
