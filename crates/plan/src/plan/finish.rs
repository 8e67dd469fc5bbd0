//! From what is erased and overwritten to what is kept, programmed and verified.

use std::ops::Range;

use super::task::{Task, areas};
use super::{Plan, Summary};
use crate::image::Segment;
use crate::survey::Current;
use crate::{EraseUnit, Geometry, Rewrite, content, ranges};

impl Task<'_> {
    /// The plan that erases `units`, and programs `overwrites` where nothing is erased.
    pub(super) fn finish(
        &self,
        current: &Current,
        units: Vec<EraseUnit>,
        overwrites: Vec<Range<u64>>,
    ) -> Plan {
        let erased = areas(&units);
        let image = covered(self.image.segments(), &erased);
        let (outside, dropped) = self.kept_and_dropped(&erased);
        let kept = self.not_blank(current, &outside);

        // Whole program units that hold something of the image, or of what is kept.
        let unit_bytes = self.geometry.program.unit_bytes;
        let filled = image
            .iter()
            .chain(&kept)
            .map(|range| content::widen(range, unit_bytes));
        let filled = ranges::normalise(filled.collect());
        let all = |more: &[Range<u64>]| {
            ranges::normalise(more.iter().chain(&overwrites).cloned().collect())
        };
        let mut plan = Plan {
            geometry: self.geometry.clone(),
            image: Some(self.image.clone()),
            current: current.clone(),
            background: all(&outside),
            erase: units,
            program: Vec::new(),
            verify: if self.options.verify {
                all(&filled)
            } else {
                Vec::new()
            },
            summary: Summary::default(),
        };
        let after_erase = self.programs(&plan, &filled);
        let segments = self.image.segments();
        let image_bytes = self.image.total_bytes();
        let erased_bytes = ranges::total(&image);
        let overwritten_bytes = ranges::total(&covered(segments, &overwrites));
        plan.summary = Summary {
            image_bytes,
            blank_bytes: erased_bytes - ranges::total(&covered(segments, &after_erase)),
            unchanged_bytes: image_bytes - erased_bytes - overwritten_bytes,
            kept,
            dropped,
            ..Summary::default()
        };
        plan.program = all(&after_erase);
        plan.summed_up()
    }

    /// What of `filled` has to be programmed after an erase.
    fn programs(&self, plan: &Plan, filled: &[Range<u64>]) -> Vec<Range<u64>> {
        let Geometry {
            erased: blank,
            program,
            ..
        } = self.geometry;
        let mut runs = Vec::new();
        for stretch in filled.iter().flat_map(|range| self.stretches(range)) {
            let bytes = plan.content(&stretch);
            for block in program.blocks(stretch.clone()) {
                let (from, to) = (block.start - stretch.start, block.end - stretch.start);
                let bytes = &bytes[from as usize..to as usize];
                let run = content::without_blank_ends(&block, bytes, *blank, program.step_bytes());
                ranges::push(&mut runs, run);
            }
        }
        runs
    }

    /// Cuts `range` at multiples of blocks: where a segment of the image has several blocks they
    /// stay together, the others come one by one.
    fn stretches(&self, range: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let block_bytes = self.geometry.program.block_bytes;
        let Range { mut start, end } = *range;
        std::iter::from_fn(move || {
            let from = start;
            let segment = content::touching(self.image.segments(), &(from..end)).next();
            let shared = segment.filter(|segment| segment.address <= from);
            let shared_end = shared.map_or(from, |segment| segment.range().end);
            let next_block = (from / block_bytes + 1) * block_bytes;
            start = match shared_end {
                all if all >= end => end,
                part => (part / block_bytes * block_bytes).max(next_block).min(end),
            };
            (from < end).then_some(from..start)
        })
    }

    /// What is outside the image where it is erased: to be written back, or lost.
    fn kept_and_dropped(&self, erased: &[Range<u64>]) -> (Vec<Range<u64>>, Vec<Range<u64>>) {
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        for area in erased {
            for (cell, _) in self.cells.within(area) {
                let parts = self.parts(&cell);
                let list = if self.keeps(&parts) {
                    &mut kept
                } else {
                    &mut dropped
                };
                parts
                    .outside
                    .into_iter()
                    .for_each(|range| ranges::push(list, range));
            }
        }
        (kept, dropped)
    }

    /// What of `outside`, which is known, is not blank, in whole program units as far as
    /// it goes. Where blank units may be programmed over and over, whole blocks are precise enough.
    pub(super) fn not_blank(&self, current: &Current, outside: &[Range<u64>]) -> Vec<Range<u64>> {
        let Geometry {
            erased: blank,
            program,
            ..
        } = self.geometry;
        let unit_bytes = match program.rewrite {
            Rewrite::ClearBits => program.block_bytes,
            Rewrite::Once | Rewrite::OnlyToZero | Rewrite::Freely => program.unit_bytes,
        };
        let mut found = Vec::new();
        for range in outside {
            for block in program.blocks(range.clone()) {
                let bytes = content::bytes(current.contents(), &block, *blank);
                if content::is_blank(&bytes, *blank) {
                    continue;
                }
                let mut start = block.start;
                while start < block.end {
                    let end = block.end.min((start / unit_bytes + 1) * unit_bytes);
                    let unit = &bytes[(start - block.start) as usize..(end - block.start) as usize];
                    if !content::is_blank(unit, *blank) {
                        ranges::push(&mut found, start..end);
                    }
                    start = end;
                }
            }
        }
        found
    }
}

/// What the segments cover of a list of ranges.
fn covered(segments: &[Segment], list: &[Range<u64>]) -> Vec<Range<u64>> {
    list.iter()
        .flat_map(|range| content::covered(segments, range))
        .collect()
}
