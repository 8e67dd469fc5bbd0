//! DfuSe files (ST UM0391, "DfuSe File Format Specification", with the suffix of the USB "Device
//! Class Specification for Device Firmware Upgrade" 1.1, appendix B).
//!
//! A prefix, then targets (one for each alternate setting, that is for each memory), each with
//! elements (an address and data), then a suffix with a CRC. All numbers are little endian.

use super::assembly::Assembly;
use super::{Format, Image, ImageError, Note, Place};

/// `DfuSe`, version, size, number of targets (UM0391, section 2.1).
const PREFIX_BYTES: usize = 11;
/// `Target`, alternate setting, name flag and name, size, number of elements (section 2.3.1).
const TARGET_BYTES: usize = 274;
/// Where a target's name begins.
const NAME_OFFSET: usize = 11;
/// Size of a target's name.
const NAME_BYTES: usize = 255;
/// Address and size (section 2.3.3).
const ELEMENT_BYTES: usize = 8;
/// Product, vendor, DFU version, `UFD`, length, CRC (section 2.2).
const SUFFIX_BYTES: usize = 16;
/// The only version of the format.
const VERSION: u8 = 1;

/// Whether `bytes` begin like a DfuSe file.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    bytes.starts_with(b"DfuSe")
}

/// Whether `bytes` are a DFU file without ST's extensions: a binary with a suffix that must not
/// get into a flash.
pub(super) fn is_plain_dfu(bytes: &[u8]) -> bool {
    let Some((body, crc)) = bytes.split_last_chunk() else {
        return false;
    };
    bytes.len() > SUFFIX_BYTES
        && !looks_like(bytes)
        && body.ends_with(&[b'U', b'F', b'D', SUFFIX_BYTES as u8])
        && crc32(body) == u32::from_le_bytes(*crc)
}

/// Reads a whole file; all targets.
pub(super) fn parse(bytes: &[u8]) -> Result<Assembly, ImageError> {
    if !looks_like(bytes) {
        return Err(ImageError::NotThisFormat {
            format: Format::DfuSe,
            place: Place::Offset(0),
        });
    }
    let body = check_suffix(bytes)?;
    let mut reader = Reader { body, at: 0 };
    let prefix = reader.take(PREFIX_BYTES, "the DfuSe prefix")?;
    if prefix[5] != VERSION {
        return Err(ImageError::bad_field(
            5,
            "the version of a DfuSe file",
            prefix[5],
        ));
    }
    let (found, expected) = (u64::from(word(prefix, 6)), body.len() as u64);
    if found != expected {
        return Err(ImageError::wrong_field(
            6,
            "the size of a DfuSe file",
            found,
            expected,
        ));
    }

    let targets = prefix[10];
    let mut assembly = Assembly::default();
    for _ in 0..targets {
        let note = read_target(&mut reader, &mut assembly)?;
        if targets > 1 {
            assembly.notes.push(note);
        }
    }
    if reader.at < body.len() {
        let what = "data after the last DfuSe target";
        return Err(ImageError::bad_field(
            reader.at as u64,
            what,
            body[reader.at],
        ));
    }
    Ok(assembly)
}

fn read_target(reader: &mut Reader<'_>, assembly: &mut Assembly) -> Result<Note, ImageError> {
    let start = reader.at as u64;
    let head = reader.take(TARGET_BYTES, "the head of a DfuSe target")?;
    if !head.starts_with(b"Target") {
        return Err(ImageError::bad_field(
            start,
            "the signature of a DfuSe target",
            head[0],
        ));
    }
    let elements = word(head, 270);
    let first_element = reader.at;
    let mut bytes = 0;
    for _ in 0..elements {
        let place = Place::Offset(reader.at as u64);
        let element = reader.take(ELEMENT_BYTES, "the head of a DfuSe element")?;
        let (address, size) = (u64::from(word(element, 0)), word(element, 4) as usize);
        let data = reader.take(size, "a DfuSe element")?;
        bytes += size as u64;
        if address + size as u64 > 1 << 32 {
            return Err(ImageError::AddressOverflow {
                place,
                address,
                bytes: size as u64,
            });
        }
        assembly.add(address, data, place)?;
    }
    let (found, expected) = (
        u64::from(word(head, 266)),
        (reader.at - first_element) as u64,
    );
    if found != expected {
        let what = "the size of a DfuSe target";
        return Err(ImageError::wrong_field(start + 266, what, found, expected));
    }
    let name = &head[NAME_OFFSET..NAME_OFFSET + NAME_BYTES];
    let name = name.split(|&byte| byte == 0).next().unwrap_or(&[]);
    Ok(Note::Target {
        alternate_setting: head[6],
        name: if word(head, 7) == 0 {
            String::new()
        } else {
            printable(name)
        },
        bytes,
    })
}

/// Text from a file, fit to be shown.
fn printable(text: &[u8]) -> String {
    let shown = |byte: &u8| {
        if matches!(byte, b' '..=b'~') {
            char::from(*byte)
        } else {
            '?'
        }
    };
    text.iter().map(shown).collect()
}

/// The file without its suffix, which is checked.
fn check_suffix(bytes: &[u8]) -> Result<&[u8], ImageError> {
    let Some((body, suffix)) = bytes.split_last_chunk::<SUFFIX_BYTES>() else {
        let (needed, left) = ((PREFIX_BYTES + SUFFIX_BYTES) as u64, bytes.len() as u64);
        return Err(ImageError::truncated(0, "a DfuSe file", needed, left));
    };
    let start = body.len() as u64;
    let signature = [b'U', b'F', b'D', SUFFIX_BYTES as u8];
    if suffix[8..12] != signature {
        let what = "the DFU suffix (missing if the file is cut short)";
        let (found, expected) = (word(suffix, 8), u32::from_le_bytes(signature));
        return Err(ImageError::wrong_field(start + 8, what, found, expected));
    }
    let (found, expected) = (word(suffix, 12), crc32(&bytes[..bytes.len() - 4]));
    if found != expected {
        let what = "the CRC of a DfuSe file";
        return Err(ImageError::wrong_field(start + 12, what, found, expected));
    }
    Ok(body)
}

/// Takes one thing after the other.
struct Reader<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize, what: &'static str) -> Result<&'a [u8], ImageError> {
        let left = &self.body[self.at..];
        let Some(taken) = left.get(..bytes) else {
            let (offset, needed) = (self.at as u64, bytes as u64);
            return Err(ImageError::truncated(
                offset,
                what,
                needed,
                left.len() as u64,
            ));
        };
        self.at += bytes;
        Ok(taken)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// CRC-32 of IEEE 802.3 without the final inversion (DFU 1.1, appendix B).
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut n = 0;
        while n < 256 {
            let mut crc = n as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 {
                    crc >> 1 ^ 0xEDB8_8320
                } else {
                    crc >> 1
                };
                bit += 1;
            }
            table[n] = crc;
            n += 1;
        }
        table
    };
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ crc >> 8;
    bytes.iter().fold(0xFFFF_FFFF, step)
}

/// Writes a file with one target, alternate setting 0 (the internal flash); every address fits 32
/// bits.
pub(super) fn write(image: &Image) -> Vec<u8> {
    let elements: usize = image
        .segments()
        .iter()
        .map(|s| ELEMENT_BYTES + s.data.len())
        .sum();
    let mut out = Vec::with_capacity(PREFIX_BYTES + TARGET_BYTES + elements + SUFFIX_BYTES);
    out.extend(b"DfuSe");
    out.push(VERSION);
    out.extend(((PREFIX_BYTES + TARGET_BYTES + elements) as u32).to_le_bytes());
    out.push(1);

    out.extend(b"Target");
    // Alternate setting 0, and a name that is not there: a flag of 32 bits, then the name.
    out.resize(out.len() + 1 + 4 + NAME_BYTES, 0);
    out.extend((elements as u32).to_le_bytes());
    out.extend((image.segments().len() as u32).to_le_bytes());
    for segment in image.segments() {
        out.extend((segment.address as u32).to_le_bytes());
        out.extend((segment.data.len() as u32).to_le_bytes());
        out.extend_from_slice(&segment.data);
    }

    out.extend(ANY_DEVICE);
    out.extend(ST_DFU_PRODUCT.to_le_bytes());
    out.extend(ST_VENDOR.to_le_bytes());
    out.extend(DFUSE_VERSION.to_le_bytes());
    out.extend([b'U', b'F', b'D', SUFFIX_BYTES as u8]);
    let crc = crc32(&out);
    out.extend(crc.to_le_bytes());
    out
}

/// `bcdDevice` for "any" (DFU 1.1, appendix B).
const ANY_DEVICE: [u8; 2] = [0xFF, 0xFF];
/// `idProduct` of ST's ROM loaders (AN3156, section 1).
const ST_DFU_PRODUCT: u16 = 0xDF11;
/// `idVendor` of ST.
const ST_VENDOR: u16 = 0x0483;
/// `bcdDFU` of files with ST's extensions (UM0391, section 2.2).
const DFUSE_VERSION: u16 = 0x011A;
