//! What the memory is to hold: an image over kept content over blankness.

use std::borrow::Cow;
use std::ops::Range;

use crate::Rewrite;
use crate::image::Segment;
use crate::ranges;

/// The segments that share bytes with `range`.
pub(super) fn touching<'a>(
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
pub(super) fn covered(segments: &[Segment], range: &Range<u64>) -> Vec<Range<u64>> {
    touching(segments, range)
        .filter_map(|s| ranges::overlap(&s.range(), range))
        .collect()
}

/// The bytes of `range`, if one segment has all of them.
pub(super) fn slice<'a>(segments: &'a [Segment], range: &Range<u64>) -> Option<&'a [u8]> {
    let segment = touching(segments, range).next()?;
    let start = range.start.checked_sub(segment.address)? as usize;
    segment
        .data
        .get(start..start + (range.end - range.start) as usize)
}

/// The bytes of `range` from the segments; whatever they do not cover is `blank`.
pub(super) fn bytes<'a>(segments: &'a [Segment], range: &Range<u64>, blank: u8) -> Cow<'a, [u8]> {
    if let Some(slice) = slice(segments, range) {
        return Cow::Borrowed(slice);
    }
    let mut bytes = vec![blank; (range.end - range.start) as usize];
    overlay(&mut bytes, range, segments, range);
    Cow::Owned(bytes)
}

/// Copies what the segments have of `part` into `bytes`, which stand for `range`.
pub(super) fn overlay(
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
pub(super) fn widen(range: &Range<u64>, unit_bytes: u64) -> Range<u64> {
    range.start / unit_bytes * unit_bytes..range.end.next_multiple_of(unit_bytes)
}

/// Whether every byte is `blank`. Compares in pieces, as fast as memory can be read.
pub(super) fn is_blank(bytes: &[u8], blank: u8) -> bool {
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

/// `range`, whose content is `bytes`, without the blank program units at its ends; empty if all of
/// it is blank. `range` consists of whole program units.
pub(super) fn without_blank_ends(
    range: &Range<u64>,
    bytes: &[u8],
    blank: u8,
    unit_bytes: u64,
) -> Range<u64> {
    if is_blank(bytes, blank) {
        return range.start..range.start;
    }
    let first = bytes.iter().position(|&byte| byte != blank).unwrap_or(0) as u64;
    let last = bytes.iter().rposition(|&byte| byte != blank).unwrap_or(0) as u64;
    let inside = range.start + first..range.start + last + 1;
    widen(&inside, unit_bytes)
}

/// What programming without an erase takes, for a stretch of at most one block.
pub(super) enum Overwrite {
    /// These program units have to be programmed, and may be; none if nothing differs.
    Allowed(Vec<Range<u64>>),
    /// The first program unit that would need an erase, and the bytes of all such.
    Forbidden { address: u64, bytes: u64 },
}

/// How memory is programmed over what is there.
#[derive(Clone, Copy)]
pub(super) struct Overwriting {
    pub(super) rewrite: Rewrite,
    pub(super) blank: u8,
    pub(super) unit_bytes: u64,
}

impl Overwriting {
    /// Compares the present and the wanted content of `range`, whole program units.
    pub(super) fn judge(self, range: &Range<u64>, present: &[u8], wanted: &[u8]) -> Overwrite {
        if present == wanted {
            return Overwrite::Allowed(Vec::new());
        }
        if is_blank(present, self.blank) {
            let run = without_blank_ends(range, wanted, self.blank, self.unit_bytes);
            return Overwrite::Allowed(vec![run]);
        }
        let unit = self.unit_bytes as usize;
        let mut runs = Vec::new();
        let mut forbidden: Option<(u64, u64)> = None;
        for (n, (old, new)) in present.chunks(unit).zip(wanted.chunks(unit)).enumerate() {
            let start = range.start + n as u64 * self.unit_bytes;
            if old == new {
                continue;
            } else if self.allows(old, new) {
                ranges::push(&mut runs, start..start + self.unit_bytes);
            } else {
                let (address, bytes) = forbidden.unwrap_or((start, 0));
                forbidden = Some((address, bytes + self.unit_bytes));
            }
        }
        match (forbidden, &runs[..]) {
            (Some((address, bytes)), _) => Overwrite::Forbidden { address, bytes },
            // Clearing bits that are clear already does no harm, and one command beats two.
            (None, [first, .., last]) if self.rewrite == Rewrite::ClearBits => {
                let run = first.start..last.end;
                Overwrite::Allowed(vec![run])
            }
            (None, _) => Overwrite::Allowed(runs),
        }
    }

    /// Whether one program unit may be programmed from `old` to `new`.
    fn allows(self, old: &[u8], new: &[u8]) -> bool {
        if is_blank(old, self.blank) {
            return true;
        }
        match self.rewrite {
            Rewrite::Once => false,
            Rewrite::OnlyToZero => is_blank(new, !self.blank),
            // Bits that differ from the erased state stay that way.
            Rewrite::ClearBits => old
                .iter()
                .zip(new)
                .all(|(old, new)| (old ^ self.blank) & !(new ^ self.blank) == 0),
        }
    }
}
