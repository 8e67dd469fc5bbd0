//! Which parts of the flash are write protected, as far as the option bytes tell.
//!
//! Loaders acknowledge writes and erases of protected flash and drop them (AN2662, "Write Memory"),
//! so it has to be known before. What is not certain counts as not protected: option bytes that
//! differ from their complements. Families whose option bytes stand in registers only cannot be
//! asked at all.

use std::ops::Range;

use super::geometry::Pages;
use super::{Bootloader, Error, Family, Identity, Part};

/// Pages that are write protected.
type ProtectedPages = Vec<Range<u64>>;

impl Bootloader {
    /// The write-protected parts of the flash in order of address. `None` where nothing can be
    /// known: a part or a family whose option bytes nobody can read.
    ///
    /// # Errors
    /// As [`read_memory`](Self::read_memory), but for refusals.
    pub fn write_protected(
        &mut self,
        identity: &Identity,
    ) -> Result<Option<Vec<Range<u64>>>, Error> {
        let pages = Pages::of(identity);
        let part = &identity.part;
        let (Some(options), false) = (&part.option_bytes, pages.is_empty()) else {
            return Ok(None);
        };
        let protected = match part.family {
            Family::F0 | Family::F1 | Family::F3 => self.bits_of_f1(part, options.start)?,
            Family::F2 | Family::F4 => self.bits_of_f4(options, pages.count())?,
            Family::L0 | Family::L1 => self.bits_of_l1(part, options)?,
            Family::G0 | Family::G4 | Family::L4 => self.areas(part, options, pages.count())?,
            _ => return Ok(None),
        };
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for page in 0..pages.count() {
            let is_protected = protected.iter().any(|run| run.contains(&u64::from(page)));
            let Some(range) = pages.range(page).filter(|_| is_protected) else {
                continue;
            };
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        Ok(Some(ranges))
    }

    /// F0, F1, F3: WRP0 to WRP3 from offset 8 on, each byte followed by its complement. A cleared
    /// bit protects [`Part::wrp_units`] pages; the last bit all that are left. PM0075, "Option byte
    /// organization".
    fn bits_of_f1(&mut self, part: &Part, start: u32) -> Result<ProtectedPages, Error> {
        let mut bytes = [0; 8];
        if !self.persist(|l| l.readable(start + 8, &mut bytes))? {
            return Ok(Vec::new());
        }
        let per_bit = u64::from(part.wrp_units.unwrap_or(1));
        let bits = bytes.chunks_exact(2).flat_map(|pair| {
            let protecting = !pair[0] & pair[1];
            (0..8).map(move |bit| protecting >> bit & 1 == 1)
        });
        let runs = bits.enumerate().filter(|(_, protects)| *protects);
        Ok(runs
            .map(|(bit, _)| match bit as u64 {
                31 => 31 * per_bit..u64::MAX,
                bit => bit * per_bit..(bit + 1) * per_bit,
            })
            .collect())
    }

    /// F2, F4: nWRP, one bit a sector from bit 0 of offset 8 on, twelve of them; a cleared bit
    /// protects. Parts of 2 MiB have the same for their second bank in an area before. With bit 15
    /// (SPRMOD) set they mean something else. RM0090, "Description of the option bytes".
    fn bits_of_f4(&mut self, options: &Range<u32>, sectors: u16) -> Result<ProtectedPages, Error> {
        const AREA_BYTES: u32 = 16;
        const SECTORS: u16 = 12;
        const SPRMOD: u16 = 1 << 15;
        let first_bank = options.end.saturating_sub(AREA_BYTES);
        let mut areas = vec![(0, first_bank)];
        if options.start < first_bank && sectors > SECTORS {
            areas.push((SECTORS, options.start));
        }
        let mut protected = Vec::new();
        for (first, area) in areas {
            let mut bits = [0; 2];
            if !self.persist(|l| l.readable(area + 8, &mut bits))? {
                continue;
            }
            let bits = u16::from_le_bytes(bits);
            if bits & SPRMOD != 0 {
                continue;
            }
            let cleared = (0..SECTORS).filter(|bit| bits >> bit & 1 == 0);
            protected.extend(cleared.map(|bit| {
                let sector = u64::from(first + bit);
                sector..sector + 1
            }));
        }
        Ok(protected)
    }

    /// L0, L1: words from offset 8 on, sixteen bits and their complements; a set bit protects
    /// [`Part::wrp_units`] pages. L1 categories 4 and 5 go on at offset 0x80. RM0038, "Option byte
    /// organization".
    fn bits_of_l1(&mut self, part: &Part, options: &Range<u32>) -> Result<ProtectedPages, Error> {
        const FIRST: u32 = 0x08;
        const LAST: u32 = 0x20;
        const MORE: u32 = 0x80;
        let mut areas = vec![(0, options.start + FIRST, LAST - FIRST)];
        if options.len() > MORE as usize {
            areas.push((u64::from(LAST - FIRST) / 4 * 16, options.start + MORE, 8));
        }
        let per_bit = u64::from(part.wrp_units.unwrap_or(1));
        let mut protected = Vec::new();
        for (first, area, len) in areas {
            let mut words = vec![0; len as usize];
            if !self.persist(|l| l.readable(area, &mut words))? {
                continue;
            }
            for (n, word) in words.chunks_exact(4).enumerate() {
                let protecting = u16::from_le_bytes([word[0], word[1]])
                    & !u16::from_le_bytes([word[2], word[3]]);
                let set = (0..16).filter(|bit| protecting >> bit & 1 == 1);
                protected.extend(set.map(|bit| {
                    let bit = first + n as u64 * 16 + bit;
                    bit * per_bit..(bit + 1) * per_bit
                }));
            }
        }
        Ok(protected)
    }

    /// G0, G4, L4: areas A and B of each bank, first and last page in one word, followed by its
    /// complement; a first page behind the last means none. RM0444 and RM0351, "Option byte
    /// organization".
    fn areas(
        &mut self,
        part: &Part,
        options: &Range<u32>,
        pages: u16,
    ) -> Result<ProtectedPages, Error> {
        /// Offset of area A; area B is 8 bytes on.
        const AREA_A: u32 = 0x18;
        /// Offset of area 2A on a G0 with two banks.
        const AREA_2A_G0: u32 = 0x48;
        let mask = match part.family {
            Family::G0 => 0x7F,
            _ => 0xFF,
        };
        let second = has_two_banks(part, pages).then_some(match part.family {
            Family::G0 => options.start + AREA_2A_G0,
            _ => SECOND_BANK_L4 + AREA_A,
        });
        let mut banks = vec![(0, options.start + AREA_A)];
        banks.extend(second.map(|at| (u64::from(pages / 2), at)));
        let mut protected = Vec::new();
        for (first, at) in banks {
            let mut words = [0; 16];
            if !self.persist(|l| l.readable(at, &mut words))? {
                continue;
            }
            for area in words.chunks_exact(8) {
                let [a, b, c, d, check @ ..] = area else {
                    continue;
                };
                let word = u32::from_le_bytes([*a, *b, *c, *d]);
                let complement = check.iter().zip(&area[..4]).all(|(n, byte)| *n == !byte);
                let (start, end) = (word & mask, word >> 16 & mask);
                if complement && start <= end {
                    protected.push(first + u64::from(start)..first + u64::from(end) + 1);
                }
            }
        }
        Ok(protected)
    }
}

/// Start of the second bank's option bytes on an L4. Parts with one bank have none. RM0351, "Option
/// byte organization".
const SECOND_BANK_L4: u32 = 0x1FFF_F800;

/// Whether the flash has areas for a second bank.
pub(super) fn has_two_banks(part: &Part, pages: u16) -> bool {
    /// Pages of one bank of the largest G0.
    const BANK_PAGES_G0: u16 = 128;
    match part.family {
        Family::G0 => pages > BANK_PAGES_G0,
        _ => part
            .option_bytes
            .as_ref()
            .is_some_and(|options| options.end > SECOND_BANK_L4),
    }
}
