//! The flash descriptor of Intel chipsets: the table at the start of a chip that says which part of
//! it belongs to whom.
//!
//! Source of all offsets and fields: Intel I/O Controller Hub 8/9/10 and later PCH datasheets and SPI
//! programming guides, "Flash Descriptor"; regions beyond the fifth as coreboot's `ifdtool` and
//! flashrom know them. The names are flashrom's.

use super::{Layout, LayoutError, Region, word};

/// Size of a descriptor, in bytes: the first 4 KiB of the chip.
pub const DESCRIPTOR_BYTES: usize = 4096;

/// FLVALSIG, the mark of a valid descriptor.
const SIGNATURE: u32 = 0x0FF0_A55A;

/// Where FLVALSIG can be: at 0 on the ICH8, behind the reset vector's 16 bytes since.
const SIGNATURE_OFFSETS: [usize; 2] = [16, 0];

/// Regions by their number.
const NAMES: [&str; 16] = [
    "fd", "bios", "me", "gbe", "pd", "reg5", "bios2", "reg7", "ec", "reg9", "ie", "10gbe", "reg12",
    "reg13", "reg14", "reg15",
];

/// Region bounds are multiples of 4 KiB.
const BOUND_SHIFT: u32 = 12;

/// A bound in FLREGn, bits 14:0 (base) and 30:16 (limit); older chipsets have 13 and write zeros
/// above.
const BOUND_MASK: u32 = 0x7FFF;

pub(super) fn parse(bytes: &[u8]) -> Result<Layout, LayoutError> {
    let descriptor = &bytes[..bytes.len().min(DESCRIPTOR_BYTES)];
    let is_there = |&at: &usize| word(descriptor, at) == Some(SIGNATURE);
    let signature = SIGNATURE_OFFSETS.into_iter().find(is_there);
    let signature = signature.ok_or(LayoutError::NoDescriptor)?;
    let bad = |what: &str| LayoutError::BadDescriptor {
        what: what.to_owned(),
    };
    let map = |number: usize| {
        word(descriptor, signature + 4 + 4 * number).ok_or_else(|| bad("it is cut off"))
    };
    let (map0, map1) = (map(0)?, map(1)?);

    // Section bases are in units of 16 bytes: FLMAP0 7:0 (components) and 23:16 (regions), FLMAP1
    // 7:0 (masters) and 23:16 (straps).
    let base = |field: u32| ((field & 0xFF) << 4) as usize;
    let start = base(map0 >> 16);
    if start <= signature {
        return Err(bad("its regions lie before it"));
    }
    let others = [base(map0), base(map1), base(map1 >> 16)];
    // Nobody says how many regions there are in a way that holds for all chipsets, but the next
    // section begins where they end.
    let end = others.into_iter().filter(|&other| other > start).min();
    let room = end.unwrap_or(DESCRIPTOR_BYTES) - start;
    let count = NAMES.len().min(room / 4);

    let mut regions = Vec::new();
    for (number, name) in NAMES.into_iter().enumerate().take(count) {
        let register =
            word(descriptor, start + 4 * number).ok_or_else(|| bad("its regions are cut off"))?;
        if let Some(range) = range(register, number) {
            regions.push(Region {
                name: name.to_owned(),
                range,
            });
        }
    }
    if regions.first().is_none_or(|region| region.range.start != 0) {
        return Err(bad("the region of the descriptor does not begin at 0"));
    }
    Layout::of(regions)
}

/// The addresses that a FLREGn gives to region `number`; `None` if it is not in use.
fn range(register: u32, number: usize) -> Option<std::ops::Range<u64>> {
    let bound = |field: u32| u64::from(field & BOUND_MASK) << BOUND_SHIFT;
    let (base, limit) = (bound(register), bound(register >> 16));
    // Only the descriptor itself begins at 0 and has one block; on other chipsets that is how a
    // register looks that nobody has written.
    let is_unwritten = register == u32::MAX || register == 0 && number > 0;
    (!is_unwritten && base <= limit).then(|| base..limit + (1 << BOUND_SHIFT))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A descriptor with its regions at 0x40 and the next section at `next`.
    fn descriptor(registers: &[u32], next: u32) -> Vec<u8> {
        let mut bytes = vec![0xFF; DESCRIPTOR_BYTES];
        let mut put = |at: usize, word: u32| {
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        };
        put(0x10, SIGNATURE);
        put(0x14, 0x0004_0003);
        put(0x18, next >> 4 | 0x10 << 16);
        for (n, register) in registers.iter().enumerate() {
            put(0x40 + 4 * n, *register);
        }
        bytes
    }

    fn names(layout: &Layout) -> Vec<(&str, u64, u64)> {
        let rows = layout.regions().iter();
        rows.map(|region| (region.name.as_str(), region.range.start, region.range.end))
            .collect()
    }

    /// A laptop of 2011: 8 MiB, management engine, network.
    const FIVE: [u32; 8] = [
        0x0000_0000,
        0x07FF_0500,
        0x04FF_0003,
        0x0002_0001,
        0x0000_1FFF,
        0,
        0,
        0,
    ];

    #[test]
    fn regions_in_use_are_found_with_their_bounds() {
        let layout = parse(&descriptor(&FIVE, 0x60)).unwrap();
        assert_eq!(
            names(&layout),
            [
                ("fd", 0, 0x1000),
                ("bios", 0x50_0000, 0x80_0000),
                ("me", 0x3000, 0x50_0000),
                ("gbe", 0x1000, 0x3000),
            ]
        );
    }

    #[test]
    fn the_regions_end_where_the_next_section_begins() {
        let mut registers = [0x0000_7FFF; 16];
        registers[0] = 0;
        registers[8] = 0x0010_0001;
        let layout = parse(&descriptor(&registers, 0x80)).unwrap();
        assert_eq!(names(&layout), [("fd", 0, 0x1000), ("ec", 0x1000, 0x11000)]);
        // The same bytes are masters where the masters begin at 0x60.
        let layout = parse(&descriptor(&registers, 0x60)).unwrap();
        assert_eq!(names(&layout), [("fd", 0, 0x1000)]);
    }

    #[test]
    fn the_oldest_chipset_has_the_signature_first() {
        let mut bytes = descriptor(&FIVE, 0x60);
        bytes.copy_within(0x10..0x20, 0);
        bytes[0x10..0x20].fill(0xFF);
        assert_eq!(parse(&bytes).unwrap().regions().len(), 4);
    }

    #[test]
    fn what_is_no_descriptor_is_told_from_a_damaged_one() {
        assert_eq!(parse(&[0xFF; 4096]), Err(LayoutError::NoDescriptor));
        assert_eq!(parse(&[]), Err(LayoutError::NoDescriptor));
        let whole = descriptor(&FIVE, 0x60);
        assert_eq!(
            parse(&whole[..0x18]).unwrap_err().to_string(),
            "the Intel flash descriptor makes no sense: it is cut off"
        );
        assert_eq!(
            parse(&whole[..0x50]).unwrap_err().to_string(),
            "the Intel flash descriptor makes no sense: its regions are cut off"
        );
        let mut first = FIVE;
        first[0] = 0x0001_0001;
        assert_eq!(
            parse(&descriptor(&first, 0x60)).unwrap_err().to_string(),
            "the Intel flash descriptor makes no sense: \
             the region of the descriptor does not begin at 0"
        );
        let mut before = whole;
        before[0x16] = 1;
        assert_eq!(
            parse(&before).unwrap_err().to_string(),
            "the Intel flash descriptor makes no sense: its regions lie before it"
        );
    }
}
