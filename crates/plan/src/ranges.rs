//! Arithmetic on lists of ranges: in order of address, disjoint, not touching, none empty.

use std::ops::Range;

/// The part that two ranges share, if any.
pub(crate) fn overlap(a: &Range<u64>, b: &Range<u64>) -> Option<Range<u64>> {
    let both = a.start.max(b.start)..a.end.min(b.end);
    (both.start < both.end).then_some(both)
}

/// Bytes in all.
pub(crate) fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|r| r.end - r.start).sum()
}

/// Appends a range that does not begin before the end of the last one; joins the two if they touch.
pub(crate) fn push(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    if range.start >= range.end {
        return;
    }
    match ranges.last_mut() {
        Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
        _ => ranges.push(range),
    }
}

/// Sorts, joins, and drops what is empty.
pub(crate) fn normalise(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|r| r.start);
    let mut joined = Vec::with_capacity(ranges.len());
    for range in ranges {
        push(&mut joined, range);
    }
    joined
}

/// The part of a list that lies in `window`.
pub(crate) fn within<'a>(
    ranges: &'a [Range<u64>],
    window: &Range<u64>,
) -> impl Iterator<Item = Range<u64>> + use<'a> {
    let window = window.clone();
    let first = ranges.partition_point(|r| r.end <= window.start);
    ranges[first..]
        .iter()
        .take_while({
            let end = window.end;
            move |r| r.start < end
        })
        .filter_map(move |r| overlap(r, &window))
}

/// The part of `window` that a list does not cover.
pub(crate) fn gaps(ranges: &[Range<u64>], window: &Range<u64>) -> Vec<Range<u64>> {
    let mut left = Vec::new();
    let mut from = window.start;
    for part in within(ranges, window) {
        push(&mut left, from..part.start);
        from = part.end;
    }
    push(&mut left, from..window.end);
    left
}

/// What is in both lists.
pub(crate) fn intersection(a: &[Range<u64>], b: &[Range<u64>]) -> Vec<Range<u64>> {
    a.iter().flat_map(|r| within(b, r)).collect()
}

/// What is in `a` and not in `b`.
pub(crate) fn difference(a: &[Range<u64>], b: &[Range<u64>]) -> Vec<Range<u64>> {
    a.iter().flat_map(|r| gaps(b, r)).collect()
}
