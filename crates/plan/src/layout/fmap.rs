//! Flash maps: the table of coreboot and ChromeOS that names the parts of a memory and lies
//! somewhere in it.
//!
//! Source: github.com/dhendrix/flashmap, "fmap.h", format version 1.1; all numbers little-endian,
//! nothing padded.

use super::{Layout, LayoutError, MOST_REGIONS, Region, word};

/// What a flash map begins with.
const SIGNATURE: &[u8] = b"__FMAP__";

/// The version that is read: another major one is another format.
const MAJOR: u8 = 1;

/// Length of a name, in bytes, NULs after it included.
const NAME_BYTES: usize = 32;

/// Everything before the first area, in bytes: signature, version, base, size, name, count.
pub const FMAP_HEADER_BYTES: usize = 56;

/// One area, in bytes: offset, size, name, flags.
const AREA_BYTES: usize = 42;

/// How many bytes a flash map has that begins with `bytes`, at least [`FMAP_HEADER_BYTES`] of it;
/// `None` if none begins there.
pub fn fmap_bytes(bytes: &[u8]) -> Option<usize> {
    Some(FMAP_HEADER_BYTES + AREA_BYTES * areas(bytes)?)
}

/// The number of areas, if a flash map begins here.
fn areas(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..FMAP_HEADER_BYTES)?;
    let is_one = header.starts_with(SIGNATURE) && header[8] == MAJOR;
    is_one.then(|| usize::from(u16::from_le_bytes([header[54], header[55]])))
}

pub(super) fn parse(bytes: &[u8]) -> Result<Layout, LayoutError> {
    let bad = |what: String| LayoutError::BadFmap { what };
    let count = areas(bytes).ok_or(LayoutError::NoFmap)?;
    if count > MOST_REGIONS {
        return Err(bad(format!("it has {count} areas")));
    }
    let memory_bytes = word(bytes, 18).map_or(0, u64::from);
    let areas = bytes
        .get(FMAP_HEADER_BYTES..FMAP_HEADER_BYTES + count * AREA_BYTES)
        .ok_or_else(|| bad("it is cut off".to_owned()))?;
    let mut regions = Vec::with_capacity(count);
    for (area, number) in areas.chunks_exact(AREA_BYTES).zip(1..) {
        let name = name(&area[8..8 + NAME_BYTES])
            .ok_or_else(|| bad(format!("area {number} has no name that can be read")))?;
        let (start, size) = (word(area, 0), word(area, 4));
        let (start, size) = (u64::from(start.unwrap_or(0)), u64::from(size.unwrap_or(0)));
        if start + size > memory_bytes {
            return Err(bad(format!(
                "the area {name}, {start:#x}..{:#x}, goes beyond its {memory_bytes:#x} bytes",
                start + size
            )));
        }
        // Place holders: a name for what this board does not have.
        if size > 0 {
            regions.push(Region {
                name,
                range: start..start + size,
            });
        }
    }
    Layout::of(regions)
}

pub(super) fn find(bytes: &[u8]) -> Result<Layout, LayoutError> {
    let mut first_wrong = None;
    let mut from = 0;
    while let Some(at) = signature(&bytes[from..]) {
        // Programs that look for flash maps have the signature in them, too.
        match parse(&bytes[from + at..]) {
            Ok(layout) => return Ok(layout),
            Err(LayoutError::NoFmap) => {}
            Err(error) => first_wrong = first_wrong.or(Some(error)),
        }
        from += at + SIGNATURE.len();
    }
    Err(first_wrong.unwrap_or(LayoutError::NoFmap))
}

/// Where the next signature is.
fn signature(bytes: &[u8]) -> Option<usize> {
    let mut starts = bytes.windows(SIGNATURE.len());
    starts.position(|window| window == SIGNATURE)
}

/// A name: printable, without white space, NULs after it.
fn name(field: &[u8]) -> Option<String> {
    let end = field.iter().position(|&byte| byte == 0);
    let name = &field[..end.unwrap_or(field.len())];
    let readable = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    readable.then(|| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fmap(memory_bytes: u32, areas: &[(&str, u32, u32)]) -> Vec<u8> {
        let name = |name: &str| {
            let mut field = [0; NAME_BYTES];
            field[..name.len()].copy_from_slice(name.as_bytes());
            field
        };
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([1, 1]);
        bytes.extend(0xFF80_0000_u64.to_le_bytes());
        bytes.extend(memory_bytes.to_le_bytes());
        bytes.extend(name("FLASH"));
        bytes.extend((areas.len() as u16).to_le_bytes());
        assert_eq!(bytes.len(), FMAP_HEADER_BYTES);
        for (area, start, size) in areas {
            bytes.extend(start.to_le_bytes());
            bytes.extend(size.to_le_bytes());
            bytes.extend(name(area));
            bytes.extend(0_u16.to_le_bytes());
        }
        bytes
    }

    const AREAS: [(&str, u32, u32); 4] = [
        ("SI_ALL", 0, 0x20_0000),
        ("SI_DESC", 0, 0x1000),
        ("RW_UNUSED", 0x1000, 0),
        ("COREBOOT", 0x20_0000, 0x60_0000),
    ];

    #[test]
    fn areas_become_regions_and_empty_ones_do_not() {
        let bytes = fmap(0x80_0000, &AREAS);
        assert_eq!(fmap_bytes(&bytes), Some(bytes.len()));
        let layout = parse(&bytes).unwrap();
        let rows = layout.regions().iter();
        let rows: Vec<_> = rows.map(|r| (r.name.as_str(), r.range.clone())).collect();
        assert_eq!(
            rows,
            [
                ("SI_ALL", 0..0x20_0000),
                ("SI_DESC", 0..0x1000),
                ("COREBOOT", 0x20_0000..0x80_0000)
            ]
        );
    }

    #[test]
    fn the_first_map_that_makes_sense_is_found() {
        let mut memory = vec![0xFF; 0x4000];
        // The signature in a program, and a map that a bad write has damaged.
        memory[0x10..0x18].copy_from_slice(SIGNATURE);
        let damaged = fmap(0x1000, &AREAS);
        memory[0x101..0x101 + damaged.len()].copy_from_slice(&damaged);
        let nothing_else = find(&memory).unwrap_err();
        assert_eq!(
            nothing_else.to_string(),
            "the flash map (FMAP) makes no sense: \
             the area SI_ALL, 0x0..0x200000, goes beyond its 0x1000 bytes"
        );
        let good = fmap(0x80_0000, &AREAS[..2]);
        memory[0x2003..0x2003 + good.len()].copy_from_slice(&good);
        assert_eq!(find(&memory).unwrap().regions().len(), 2);
    }

    #[test]
    fn what_is_no_map_is_told_from_a_damaged_one() {
        assert_eq!(parse(b"__FMAP__"), Err(LayoutError::NoFmap));
        assert_eq!(find(&[0; 100]), Err(LayoutError::NoFmap));
        let mut newer = fmap(0x80_0000, &AREAS);
        newer[8] = 2;
        assert_eq!(parse(&newer), Err(LayoutError::NoFmap));
        let whole = fmap(0x80_0000, &AREAS);
        assert_eq!(
            parse(&whole[..whole.len() - 1]).unwrap_err().to_string(),
            "the flash map (FMAP) makes no sense: it is cut off"
        );
        let mut nameless = whole.clone();
        nameless[FMAP_HEADER_BYTES + 8] = 0;
        assert_eq!(
            parse(&nameless).unwrap_err().to_string(),
            "the flash map (FMAP) makes no sense: area 1 has no name that can be read"
        );
        assert_eq!(parse(&fmap(0x1000, &[])), Err(LayoutError::NoRegions));
    }
}
