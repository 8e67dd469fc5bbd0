//! What Write Protect has to be told.
//!
//! The command's codes mean different things on different families (AN3155, section 3.9, leaves
//! that to the part): numbers of groups of pages, where each has its bit in the option bytes; or
//! pairs of first and last page, where the option bytes hold areas. From addresses to codes goes
//! the way here; [`Bootloader::write_protected`](super::Bootloader::write_protected) goes back.

use std::ops::Range;

use super::geometry::Pages;
use super::{Family, Identity};

/// Why a list of ranges cannot be protected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectorsError {
    /// Nobody knows what the codes mean on this part.
    #[error("nothing is known of the sectors that this part can write protect")]
    Unknown,
    /// A range is not whole sectors.
    #[error(
        "{:#010x}..{:#010x} cuts a sector; the sectors around it are {:#010x}..{:#010x}",
        range.start, range.end, aligned.start, aligned.end
    )]
    Unaligned {
        /// The range.
        range: Range<u64>,
        /// The whole sectors that it touches.
        aligned: Range<u64>,
    },
    /// A range is not all flash.
    #[error("{:#010x}..{:#010x} is not all flash", range.start, range.end)]
    Outside {
        /// The range.
        range: Range<u64>,
    },
    /// More separate pieces than the option bytes have areas.
    #[error("{pieces} separate pieces in one bank, and this part can protect {most}")]
    TooManyPieces {
        /// How many pieces.
        pieces: usize,
        /// How many there can be.
        most: usize,
    },
}

/// How a family divides its flash for write protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Division {
    /// A bit for each group of pages; the last bit covers all that is left.
    Groups {
        /// Pages in a group.
        pages: u32,
        /// Bits in all.
        bits: u32,
    },
    /// Two areas of pages in each bank.
    Areas {
        /// Banks.
        banks: u32,
    },
}

/// Areas of pages that each bank can protect: A and B. RM0444 and RM0351, "Write protection".
const AREAS_PER_BANK: usize = 2;

/// A pair that protects nothing: the first page is behind the last. RM0444, "FLASH WRP area A
/// address register".
const NO_AREA: [u8; 2] = [0xFF, 0x00];

impl Division {
    /// That of a part, if it is known.
    pub(super) fn of(identity: &Identity, pages: &Pages) -> Option<Self> {
        let part = &identity.part;
        let groups = |bits| {
            Some(Self::Groups {
                pages: part.wrp_units?,
                bits,
            })
        };
        match part.family {
            Family::F0 | Family::F1 | Family::F3 => groups(32),
            // A bit a sector: twelve in each bank of F2 and F4, eight of F7 and H7.
            Family::F2 | Family::F4 | Family::F7 | Family::H7 => groups(u32::from(pages.count())),
            Family::L0 | Family::L1 => {
                let per_bit = part.wrp_units?;
                groups(u32::from(pages.count()).div_ceil(per_bit))
            }
            Family::C0 | Family::G0 | Family::G4 | Family::L4 | Family::WB | Family::WL => {
                let banks = if super::write_protection::has_two_banks(part, pages.count()) {
                    2
                } else {
                    1
                };
                Some(Self::Areas { banks })
            }
            // ST's Open Bootloader for the U5 takes four pairs.
            Family::U5 => Some(Self::Areas { banks: 2 }),
            _ => None,
        }
    }
}

impl Identity {
    /// The codes by which Write Protect protects exactly `ranges`, which may touch and overlap.
    ///
    /// # Errors
    /// [`SectorsError`]: nothing is known of this part's sectors, or they are cut.
    pub fn write_protect_codes(&self, ranges: &[Range<u64>]) -> Result<Vec<u8>, SectorsError> {
        let pages = Pages::of(self);
        let division = Division::of(self, &pages).ok_or(SectorsError::Unknown)?;
        let mut wanted = vec![false; usize::from(pages.count())];
        for range in ranges {
            let touched = touched_pages(&pages, range)?;
            wanted[touched].fill(true);
        }
        match division {
            Division::Groups { pages: per, bits } => {
                group_codes(&pages, &wanted, per as usize, bits as usize, ranges)
            }
            Division::Areas { banks } => area_codes(&wanted, banks as usize),
        }
    }
}

/// The pages that a range covers.
fn touched_pages(pages: &Pages, range: &Range<u64>) -> Result<Range<usize>, SectorsError> {
    let outside = || SectorsError::Outside {
        range: range.clone(),
    };
    let number = |address: u64| {
        let address = u32::try_from(address).ok()?;
        pages.number(address)
    };
    if range.is_empty() {
        return Err(outside());
    }
    let first = number(range.start).ok_or_else(outside)?;
    let last = number(range.end - 1).ok_or_else(outside)?;
    let aligned = covered(pages, first as usize..last as usize + 1);
    if aligned != *range {
        return Err(SectorsError::Unaligned {
            range: range.clone(),
            aligned,
        });
    }
    Ok(first as usize..last as usize + 1)
}

/// The addresses of pages that follow each other.
fn covered(pages: &Pages, numbers: Range<usize>) -> Range<u64> {
    let range = |number: usize| pages.range(number as u16).unwrap_or(0..0);
    range(numbers.start).start..range(numbers.end - 1).end
}

/// The numbers of the groups; each must be wanted as a whole or not at all.
fn group_codes(
    pages: &Pages,
    wanted: &[bool],
    per: usize,
    bits: usize,
    ranges: &[Range<u64>],
) -> Result<Vec<u8>, SectorsError> {
    let mut codes = Vec::new();
    for code in 0..bits {
        let start = code * per;
        if start >= wanted.len() {
            break;
        }
        let end = match code + 1 {
            last if last == bits => wanted.len(),
            next => (next * per).min(wanted.len()),
        };
        let group = &wanted[start..end];
        if group.iter().all(|&wanted| wanted) {
            codes.push(code as u8);
        } else if group.iter().any(|&wanted| wanted) {
            let whole = covered(pages, start..end);
            let cuts = |range: &&Range<u64>| range.start < whole.end && whole.start < range.end;
            let range = ranges.iter().find(cuts).unwrap_or(&whole);
            return Err(SectorsError::Unaligned {
                range: range.clone(),
                aligned: range.start.min(whole.start)..range.end.max(whole.end),
            });
        }
    }
    Ok(codes)
}

/// A pair of first and last page for each area, of all banks, in their order.
fn area_codes(wanted: &[bool], banks: usize) -> Result<Vec<u8>, SectorsError> {
    let mut codes = Vec::new();
    for bank in wanted.chunks(wanted.len().div_ceil(banks).max(1)) {
        let mut runs: Vec<[u8; 2]> = Vec::new();
        let mut open = false;
        for (page, &wanted) in bank.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if wanted && open => run[1] = page as u8,
                _ if wanted => runs.push([page as u8; 2]),
                _ => {}
            }
            open = wanted;
        }
        if runs.len() > AREAS_PER_BANK {
            return Err(SectorsError::TooManyPieces {
                pieces: runs.len(),
                most: AREAS_PER_BANK,
            });
        }
        runs.resize(AREAS_PER_BANK, NO_AREA);
        codes.extend(runs.concat());
    }
    Ok(codes)
}
