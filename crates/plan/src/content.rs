//! What the memory is to hold: an image over kept content over blankness.

use std::borrow::Cow;
use std::ops::Range;

use crate::image::Segment;
use crate::{Program, Rewrite, ranges};

/// The segments that share bytes with `range`.
pub(crate) fn touching<'a>(
    segments: &'a [Segment],
    range: &Range<u64>,
) -> impl Iterator<Item = &'a Segment> + use<'a> {
    let first = segments.partition_point(|segment| segment.range().end <= range.start);
    let end = range.end;
    segments[first..]
        .iter()
        .take_while(move |segment| segment.address < end)
}

/// The addresses of `range` that the segments cover.
pub(crate) fn covered(segments: &[Segment], range: &Range<u64>) -> Vec<Range<u64>> {
    touching(segments, range)
        .filter_map(|s| ranges::overlap(&s.range(), range))
        .collect()
}

/// The bytes of `range`, if one segment has all of them.
pub(crate) fn slice<'a>(segments: &'a [Segment], range: &Range<u64>) -> Option<&'a [u8]> {
    let segment = touching(segments, range).next()?;
    let start = range.start.checked_sub(segment.address)? as usize;
    segment
        .data
        .get(start..start + (range.end - range.start) as usize)
}

/// The bytes of `range` from the segments; whatever they do not cover is `blank`.
pub(crate) fn bytes<'a>(segments: &'a [Segment], range: &Range<u64>, blank: u8) -> Cow<'a, [u8]> {
    if let Some(slice) = slice(segments, range) {
        return Cow::Borrowed(slice);
    }
    let mut bytes = vec![blank; (range.end - range.start) as usize];
    overlay(&mut bytes, range, segments, range);
    Cow::Owned(bytes)
}

/// Copies what the segments have of `part` into `bytes`, which stand for `range`.
pub(crate) fn overlay(
    bytes: &mut [u8],
    range: &Range<u64>,
    segments: &[Segment],
    part: &Range<u64>,
) {
    for segment in touching(segments, part) {
        let Some(shared) = ranges::overlap(&segment.range(), part) else {
            continue;
        };
        let from = (shared.start - segment.address) as usize;
        let to = (shared.start - range.start) as usize;
        let len = (shared.end - shared.start) as usize;
        bytes[to..to + len].copy_from_slice(&segment.data[from..from + len]);
    }
}

/// `range` widened to whole multiples of `unit_bytes`.
pub(crate) fn widen(range: &Range<u64>, unit_bytes: u64) -> Range<u64> {
    range.start / unit_bytes * unit_bytes..range.end.next_multiple_of(unit_bytes)
}

/// Whether every byte is `blank`. Compares in pieces, as fast as memory can be read.
pub(crate) fn is_blank(bytes: &[u8], blank: u8) -> bool {
    const PIECE: usize = 4096;
    static ONES: [u8; PIECE] = [0xFF; PIECE];
    static ZEROS: [u8; PIECE] = [0x00; PIECE];
    let reference = match blank {
        0xFF => &ONES,
        0x00 => &ZEROS,
        _ => return bytes.iter().all(|&byte| byte == blank),
    };
    bytes
        .chunks(PIECE)
        .all(|piece| piece == &reference[..piece.len()])
}

/// What of `range`, whose content is `bytes`, is worth programming over blankness: all but the
/// blank steps at its ends. Empty if all of it is blank. `range` consists of whole steps.
pub(crate) fn without_blank_ends(
    range: &Range<u64>,
    bytes: &[u8],
    blank: u8,
    step_bytes: u64,
) -> Range<u64> {
    if is_blank(bytes, blank) {
        return range.start..range.start;
    }
    let first = bytes.iter().position(|&byte| byte != blank).unwrap_or(0) as u64;
    let last = bytes.iter().rposition(|&byte| byte != blank).unwrap_or(0) as u64;
    let worth = widen(&(range.start + first..range.start + last + 1), step_bytes);
    worth.start.max(range.start)..worth.end.min(range.end)
}

/// How memory is programmed over what is there.
#[derive(Clone, Copy)]
pub(crate) struct Overwriting<'a> {
    pub(crate) program: &'a Program,
    pub(crate) blank: u8,
}

impl Overwriting<'_> {
    /// The program units of `range` that have to be programmed so that it holds what is wanted;
    /// `None` if that takes an erase. `range` is whole program units, at most a block.
    pub(crate) fn runs(
        self,
        range: &Range<u64>,
        present: &[u8],
        wanted: &[u8],
    ) -> Option<Vec<Range<u64>>> {
        if present == wanted {
            return Some(Vec::new());
        }
        if is_blank(present, self.blank) {
            let run = without_blank_ends(range, wanted, self.blank, self.program.step_bytes());
            return Some(vec![run]);
        }
        if self.program.rewrite == Rewrite::ClearBits {
            if !self.clears_bits_only(present, wanted) {
                return None;
            }
            // Clearing bits that are clear already does no harm, and one command beats two.
            let differs = |n: &usize| present[*n] != wanted[*n];
            let first = (0..wanted.len()).find(differs).unwrap_or(0) as u64;
            let last = (0..wanted.len()).rfind(differs).unwrap_or(0) as u64;
            let run = widen(
                &(range.start + first..range.start + last + 1),
                self.program.unit_bytes,
            );
            return Some(vec![run]);
        }
        let mut runs = Vec::new();
        for (unit, old, new) in self.units(range, present, wanted) {
            if !self.allows(old, new) {
                return None;
            }
            if old != new {
                ranges::push(&mut runs, unit);
            }
        }
        Some(runs)
    }

    /// Start of the first program unit of `range` that needs an erase, and the bytes of all such.
    pub(crate) fn obstacles(
        self,
        range: &Range<u64>,
        present: &[u8],
        wanted: &[u8],
    ) -> Option<(u64, u64)> {
        let units = self.units(range, present, wanted);
        let mut blocked = units.filter(|(_, old, new)| !self.allows(old, new));
        let (first, ..) = blocked.next()?;
        Some((
            first.start,
            self.program.unit_bytes * (1 + blocked.count() as u64),
        ))
    }

    fn units<'a>(
        self,
        range: &Range<u64>,
        present: &'a [u8],
        wanted: &'a [u8],
    ) -> impl Iterator<Item = (Range<u64>, &'a [u8], &'a [u8])> {
        let bytes = self.program.unit_bytes;
        let units = present
            .chunks(bytes as usize)
            .zip(wanted.chunks(bytes as usize));
        let starts = (range.start..range.end).step_by(bytes as usize);
        starts
            .zip(units)
            .map(move |(start, (old, new))| (start..start + bytes, old, new))
    }

    /// Whether one program unit may be programmed from `old` to `new`, or need not be.
    fn allows(self, old: &[u8], new: &[u8]) -> bool {
        let by_rule = match self.program.rewrite {
            Rewrite::Once => false,
            Rewrite::OnlyToZero => is_blank(new, !self.blank),
            Rewrite::ClearBits => self.clears_bits_only(old, new),
            Rewrite::Freely => true,
        };
        by_rule || old == new || is_blank(old, self.blank)
    }

    /// Whether every bit that already differs from the erased state stays that way.
    fn clears_bits_only(self, old: &[u8], new: &[u8]) -> bool {
        let lost = |(old, new): (&u8, &u8)| (old ^ self.blank) & !(new ^ self.blank);
        old.iter()
            .zip(new)
            .map(lost)
            .fold(0, |all, lost| all | lost)
            == 0
    }
}
