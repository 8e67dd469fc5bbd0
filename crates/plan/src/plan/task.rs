//! Judging what becomes of each cell of the memory.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use super::cells::{Cell, Cells, Reach};
use super::content::{self, Overwriting};
use super::{Plan, Summary, check_image};
use crate::image::{Image, Segment};
use crate::survey::{Current, Look, Need};
use crate::{EraseChoice, EraseUnit, Geometry, Options, PlanError, Rewrite, ranges};

/// An image to write, checked against the memory it is for.
pub(super) struct Task<'a> {
    geometry: &'a Geometry,
    image: &'a Image,
    options: &'a Options,
    cells: Cells,
}

/// What is in a cell.
struct Parts {
    image: Vec<Range<u64>>,
    outside: Vec<Range<u64>>,
    hole: bool,
}

impl<'a> Task<'a> {
    pub(super) fn new(
        geometry: &'a Geometry,
        image: &'a Image,
        options: &'a Options,
    ) -> Result<Self, PlanError> {
        geometry.check()?;
        check_image(geometry, image)?;
        if options.only_changed && options.erase == EraseChoice::All {
            return Err(PlanError::AllIsChanged);
        }
        Ok(Self {
            geometry,
            image,
            options,
            cells: Cells::new(geometry),
        })
    }

    /// Without an erase everything depends on what is there.
    pub(super) fn needs_to_overwrite(&self) -> Vec<Need> {
        reads(self.program_units(&self.geometry.range))
    }

    /// What is outside the image in the units that would be erased, if every unit that the image
    /// touches had to be, has to be read; with `only_changed`, all that the image covers has to be
    /// looked at as well.
    pub(super) fn needs_to_erase(&self) -> Result<Vec<Need>, PlanError> {
        let fates: Vec<_> = self
            .cells
            .iter()
            .map(|(cell, reach)| self.worst_fate(&cell, reach))
            .collect();
        let erased = areas(&self.choose(&fates)?);
        let costs = self.geometry.costs;
        let comparing_is_faster = costs.compare_block < costs.read_block;

        let mut read = Vec::new();
        let mut compare = Vec::new();
        for (cell, _) in self.cells.iter() {
            let parts = self.parts(&cell);
            let touched = !parts.image.is_empty();
            let is_erased = ranges::within(&erased, &cell).next().is_some();
            if is_erased && (self.options.keep_outside || !touched) {
                read.extend_from_slice(&parts.outside);
            }
            if !touched || !self.options.only_changed {
                continue;
            }
            if parts.outside.is_empty() && comparing_is_faster {
                compare.push(Need {
                    range: cell,
                    look: Look::Compare,
                });
            } else {
                read.extend(self.program_units(&cell));
            }
        }
        let mut needs = reads(read);
        needs.append(&mut compare);
        Ok(needs)
    }

    /// Plans without any erase.
    pub(super) fn overwrite(&self, current: &Current) -> Result<Plan, PlanError> {
        let wanted = ranges::normalise(self.program_units(&self.geometry.range));
        if let Some(range) = ranges::difference(&wanted, &known(current))
            .into_iter()
            .next()
        {
            return Err(PlanError::UnknownContent { range });
        }
        let blocks = wanted
            .iter()
            .flat_map(|range| self.geometry.program.blocks(range.clone()));
        let mut program = Vec::new();
        let mut in_the_way: Option<(u64, u64)> = None;
        for block in blocks {
            match self.overwrite_block(current, &block) {
                Ok(runs) => runs
                    .into_iter()
                    .for_each(|run| ranges::push(&mut program, run)),
                Err((first, more)) => {
                    let (address, bytes) = in_the_way.unwrap_or((first, 0));
                    in_the_way = Some((address, bytes + more));
                }
            }
        }
        match in_the_way {
            Some((address, bytes)) => Err(PlanError::NeedsErase { address, bytes }),
            None => Ok(self.finish(current, Vec::new(), program)),
        }
    }

    /// Plans erases, and programming after them; with `only_changed` also without them.
    pub(super) fn erase_and_write(&self, current: &Current) -> Result<Plan, PlanError> {
        let known = known(current);
        let mut fates = Vec::new();
        let mut overwrites = Vec::new();
        for (cell, reach) in self.cells.iter() {
            let (fate, runs) = if self.options.erase == EraseChoice::All {
                (self.fate_of_all(&cell, reach), Vec::new())
            } else {
                self.fate(&cell, reach, current, &known)?
            };
            fates.push(fate);
            overwrites.extend(runs);
        }
        let units = self.choose(&fates)?;
        // What an erase takes with it is not overwritten but written anew.
        let overwrites = ranges::difference(&ranges::normalise(overwrites), &areas(&units));
        Ok(self.finish(current, units, overwrites))
    }

    /// What becomes of a cell as long as nothing is known of its content.
    fn worst_fate(&self, cell: &Range<u64>, reach: Reach) -> Cell {
        let parts = self.parts(cell);
        if parts.hole {
            return Cell::HOLE;
        }
        let outside_bytes = ranges::total(&parts.outside);
        let read = self.nanos(outside_bytes, self.geometry.costs.read_block);
        let restore = read.saturating_add(self.program_nanos(outside_bytes));
        if parts.image.is_empty() {
            return Cell {
                leave: Some(0),
                erase: Some(restore),
                foreign_bytes: outside_bytes,
            };
        }
        Cell {
            leave: None,
            erase: Some(if self.options.keep_outside {
                restore
            } else {
                0
            }),
            foreign_bytes: if reach == Reach::Fine {
                0
            } else {
                outside_bytes
            },
        }
    }

    /// What becomes of a cell under [`EraseChoice::All`].
    fn fate_of_all(&self, cell: &Range<u64>, reach: Reach) -> Cell {
        let parts = self.parts(cell);
        if parts.hole {
            return Cell::HOLE;
        }
        // What nothing can erase is only in the way if the image wants to go there.
        let must = reach != Reach::None || !parts.image.is_empty();
        Cell {
            leave: (!must).then_some(0),
            erase: Some(0),
            foreign_bytes: 0,
        }
    }

    /// What becomes of a cell, and what is programmed in it if it is not erased.
    fn fate(
        &self,
        cell: &Range<u64>,
        reach: Reach,
        current: &Current,
        known: &[Range<u64>],
    ) -> Result<(Cell, Vec<Range<u64>>), PlanError> {
        let parts = self.parts(cell);
        if parts.hole {
            return Ok((Cell::HOLE, Vec::new()));
        }
        let unknown = ranges::difference(&parts.outside, known).into_iter().next();
        let outside_bytes = match unknown {
            Some(_) => ranges::total(&parts.outside),
            None => ranges::total(&self.not_blank(current, &parts.outside)),
        };
        let restore = unknown.is_none().then(|| self.program_nanos(outside_bytes));
        if parts.image.is_empty() {
            let fate = Cell {
                leave: Some(0),
                erase: restore,
                foreign_bytes: outside_bytes,
            };
            return Ok((fate, Vec::new()));
        }

        let restore = if self.options.keep_outside {
            restore
        } else {
            Some(0)
        };
        let overwrite = self
            .options
            .only_changed
            .then(|| self.overwrite_cell(cell, &parts, current, known))
            .flatten();
        if let (None, None, Some(range)) = (restore, &overwrite, unknown) {
            return Err(PlanError::UnknownContent { range });
        }
        let fate = Cell {
            leave: overwrite
                .as_ref()
                .map(|runs| self.program_nanos(ranges::total(runs))),
            erase: restore.map(|restore| match overwrite {
                Some(_) => restore.saturating_add(self.program_nanos(ranges::total(&parts.image))),
                // The image is programmed either way.
                None => restore,
            }),
            foreign_bytes: if reach == Reach::Fine {
                0
            } else {
                outside_bytes
            },
        };
        Ok((fate, overwrite.unwrap_or_default()))
    }

    /// What to program in a cell so that it holds the image without being erased; `None` if that
    /// cannot be, or not enough is known.
    fn overwrite_cell(
        &self,
        cell: &Range<u64>,
        parts: &Parts,
        current: &Current,
        known: &[Range<u64>],
    ) -> Option<Vec<Range<u64>>> {
        if ranges::difference(&parts.image, current.same()).is_empty() {
            return Some(Vec::new());
        }
        let units = ranges::normalise(self.program_units(cell));
        if !ranges::difference(&units, known).is_empty() {
            return None;
        }
        let present = content::slice(current.contents(), cell);
        if present.is_some() && present == self.image.slice(cell) {
            return Some(Vec::new());
        }
        let mut runs = Vec::new();
        for block in units
            .iter()
            .flat_map(|range| self.geometry.program.blocks(range.clone()))
        {
            let (present, wanted) = self.before_and_after(current, &block);
            let more = self.overwriting().runs(&block, &present, &wanted)?;
            more.into_iter()
                .for_each(|run| ranges::push(&mut runs, run));
        }
        Some(runs)
    }

    /// What to program in a block, all of whose content is known; or the address of the first
    /// program unit that needs an erase, and the bytes of all such.
    fn overwrite_block(
        &self,
        current: &Current,
        block: &Range<u64>,
    ) -> Result<Vec<Range<u64>>, (u64, u64)> {
        let (present, wanted) = self.before_and_after(current, block);
        let rules = self.overwriting();
        let runs = rules.runs(block, &present, &wanted);
        runs.ok_or_else(|| {
            rules
                .obstacles(block, &present, &wanted)
                .unwrap_or((block.start, 0))
        })
    }

    fn overwriting(&self) -> Overwriting<'_> {
        Overwriting {
            program: &self.geometry.program,
            blank: self.geometry.erased,
        }
    }

    /// The content of a range that is known: as it is, and with the image over it.
    fn before_and_after<'b>(
        &'b self,
        current: &'b Current,
        range: &Range<u64>,
    ) -> (Cow<'b, [u8]>, Cow<'b, [u8]>) {
        let present = content::bytes(current.contents(), range, self.geometry.erased);
        if let Some(wanted) = self.image.slice(range) {
            return (present, Cow::Borrowed(wanted));
        }
        let mut wanted = present.to_vec();
        content::overlay(&mut wanted, range, self.image.segments(), range);
        (present, Cow::Owned(wanted))
    }

    /// The plan that erases `units`, and programs `overwrites` where nothing is erased.
    fn finish(
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
                let keep = match self.options.erase {
                    EraseChoice::All => false,
                    _ => self.options.keep_outside || parts.image.is_empty(),
                };
                let list = if keep { &mut kept } else { &mut dropped };
                parts
                    .outside
                    .into_iter()
                    .for_each(|range| ranges::push(list, range));
            }
        }
        (kept, dropped)
    }

    fn choose(&self, fates: &[Cell]) -> Result<Vec<EraseUnit>, PlanError> {
        self.cells
            .choose(fates)
            .map_err(|range| PlanError::NotErasable { range })
    }

    fn parts(&self, cell: &Range<u64>) -> Parts {
        let hole = ranges::within(&self.geometry.holes, cell).next().is_some();
        let image = content::covered(self.image.segments(), cell);
        let outside = if hole {
            Vec::new()
        } else {
            ranges::gaps(&image, cell)
        };
        Parts {
            image,
            outside,
            hole,
        }
    }

    /// The program units of `window` that hold something of the image; not joined.
    fn program_units(&self, window: &Range<u64>) -> Vec<Range<u64>> {
        let unit_bytes = self.geometry.program.unit_bytes;
        let parts = content::covered(self.image.segments(), window);
        parts
            .iter()
            .map(|part| content::widen(part, unit_bytes))
            .collect()
    }

    /// What of `outside`, which is known, is not blank, in whole program units as far as
    /// it goes. Where blank units may be programmed over and over, whole blocks are precise enough.
    fn not_blank(&self, current: &Current, outside: &[Range<u64>]) -> Vec<Range<u64>> {
        let Geometry {
            erased: blank,
            program,
            ..
        } = self.geometry;
        let unit_bytes = match program.rewrite {
            Rewrite::ClearBits => program.block_bytes,
            Rewrite::Once | Rewrite::OnlyToZero => program.unit_bytes,
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

    fn program_nanos(&self, bytes: u64) -> u64 {
        self.nanos(bytes, self.geometry.costs.program_block)
    }

    fn nanos(&self, bytes: u64, block_time: Duration) -> u64 {
        let time = self.geometry.time_for(bytes, block_time);
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Cell {
    /// There is nothing to erase and nothing to lose.
    pub(super) const HOLE: Self = Self {
        leave: Some(0),
        erase: Some(0),
        foreign_bytes: 0,
    };
}

/// What units cover.
fn areas(units: &[EraseUnit]) -> Vec<Range<u64>> {
    ranges::normalise(units.iter().map(EraseUnit::range).collect())
}

/// What is known byte by byte.
fn known(current: &Current) -> Vec<Range<u64>> {
    ranges::normalise(current.contents().iter().map(Segment::range).collect())
}

/// What the segments cover of a list of ranges.
fn covered(segments: &[Segment], list: &[Range<u64>]) -> Vec<Range<u64>> {
    list.iter()
        .flat_map(|range| content::covered(segments, range))
        .collect()
}

fn reads(ranges: Vec<Range<u64>>) -> Vec<Need> {
    let joined = ranges::normalise(ranges).into_iter();
    joined
        .map(|range| Need {
            range,
            look: Look::Read,
        })
        .collect()
}
