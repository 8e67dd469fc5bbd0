//! Judging what becomes of each cell of the memory.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use super::cells::{Cell, Cells, Reach};
use super::{Plan, check_image};
use crate::content::{self, Overwriting};
use crate::image::{Image, Segment};
use crate::survey::{Current, Need};
use crate::{EraseChoice, EraseUnit, Geometry, Options, PlanError, Rewrite, ranges};

/// An image to write, checked against the memory it is for.
pub(super) struct Task<'a> {
    pub(super) geometry: &'a Geometry,
    pub(super) image: &'a Image,
    pub(super) options: &'a Options,
    pub(super) cells: Cells,
}

/// What is in a cell.
pub(super) struct Parts {
    /// Where the image goes.
    pub(super) image: Vec<Range<u64>>,
    /// The rest; nothing in a hole.
    pub(super) outside: Vec<Range<u64>>,
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

    /// What is erased: nothing where programming does it.
    pub(super) fn way(&self) -> EraseChoice {
        match (self.options.erase, self.geometry.program.rewrite) {
            (EraseChoice::Touched, Rewrite::Freely) => EraseChoice::None,
            (erase, _) => erase,
        }
    }

    /// Without an erase everything depends on what is there.
    pub(super) fn needs_to_overwrite(&self) -> Vec<Need> {
        reads(self.program_units(&self.geometry.range))
    }

    /// What is outside the image in the units that would be erased, if every unit that the image
    /// touches had to be, has to be read; with `only_changed`, all that the image covers has to be
    /// looked at first.
    pub(super) fn needs_to_erase(&self) -> Result<Vec<Need>, PlanError> {
        let fates: Vec<_> = self
            .cells
            .iter()
            .map(|(cell, reach)| self.worst_fate(&cell, reach))
            .collect();
        let units = self.choose(&fates)?;
        if !self.options.only_changed {
            let outside = units
                .iter()
                .flat_map(|unit| self.to_keep(&unit.range()))
                .collect();
            return Ok(reads(outside));
        }

        let costs = self.geometry.costs;
        let comparing_is_faster = costs.compare_block < costs.read_block;
        let mut read = Vec::new();
        let mut compare = Vec::new();
        for (cell, _) in self.cells.iter() {
            let parts = self.parts(&cell);
            if parts.outside.is_empty() && !parts.image.is_empty() && comparing_is_faster {
                compare.push(Need::compare(cell));
            } else {
                read.extend(self.program_units(&cell));
            }
        }
        let read = ranges::normalise(read);
        let mut needs = reads(read.clone());
        needs.append(&mut compare);
        // What is outside does not matter where the image turns out to be there already.
        for unit in units.iter().map(EraseUnit::range) {
            let outside = ranges::difference(&ranges::normalise(self.to_keep(&unit)), &read);
            needs.extend(
                reads(outside)
                    .into_iter()
                    .map(|need| need.if_changed(unit.clone())),
            );
        }
        Ok(needs)
    }

    /// What is outside the image in an erase unit, and has to be written back.
    fn to_keep(&self, unit: &Range<u64>) -> Vec<Range<u64>> {
        let cells = self.cells.within(unit).map(|(cell, _)| self.parts(&cell));
        let kept = cells.filter(|parts| self.keeps(parts));
        kept.flat_map(|parts| parts.outside).collect()
    }

    /// Whether what is outside the image in a cell is to survive an erase of it.
    pub(super) fn keeps(&self, parts: &Parts) -> bool {
        match self.options.erase {
            EraseChoice::All => false,
            // Only what shares a cell with the image may be given up.
            EraseChoice::Touched | EraseChoice::None => {
                self.options.keep_outside || parts.image.is_empty()
            }
        }
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
        Cell {
            leave: parts.image.is_empty().then_some(0),
            erase: Some(if self.keeps(&parts) { restore } else { 0 }),
            foreign_bytes: foreign_bytes(&parts, reach, outside_bytes),
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
        let restore = match (self.keeps(&parts), &unknown) {
            (false, _) => Some(0),
            (true, None) => Some(self.program_nanos(outside_bytes)),
            (true, Some(_)) => None,
        };
        // Of what holds nothing of the image, nothing has to be programmed.
        let overwrite = if parts.image.is_empty() {
            Some(Vec::new())
        } else if self.options.only_changed {
            self.overwrite_cell(cell, &parts, current, known)
        } else {
            None
        };
        if let (None, None, Some(range)) = (restore, &overwrite, unknown) {
            return Err(PlanError::UnknownContent { range });
        }
        // An image that has to be programmed either way makes no difference.
        let image_bytes = overwrite
            .as_ref()
            .map_or(0, |_| ranges::total(&parts.image));
        let anew = self.program_nanos(image_bytes);
        let fate = Cell {
            leave: overwrite
                .as_ref()
                .map(|runs| self.program_nanos(ranges::total(runs))),
            erase: restore.map(|restore| restore.saturating_add(anew)),
            foreign_bytes: foreign_bytes(&parts, reach, outside_bytes),
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

    fn choose(&self, fates: &[Cell]) -> Result<Vec<EraseUnit>, PlanError> {
        self.cells
            .choose(fates)
            .map_err(|range| PlanError::NotErasable { range })
    }

    pub(super) fn parts(&self, cell: &Range<u64>) -> Parts {
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

/// How much of what is outside belongs to others: in a cell that the image touches nothing does,
/// unless all that can erase it erases everything.
fn foreign_bytes(parts: &Parts, reach: Reach, outside_bytes: u64) -> u64 {
    if !parts.image.is_empty() && reach == Reach::Fine {
        0
    } else {
        outside_bytes
    }
}

/// What units cover.
pub(super) fn areas(units: &[EraseUnit]) -> Vec<Range<u64>> {
    ranges::normalise(units.iter().map(EraseUnit::range).collect())
}

/// What is known byte by byte.
fn known(current: &Current) -> Vec<Range<u64>> {
    ranges::normalise(current.contents().iter().map(Segment::range).collect())
}

fn reads(ranges: Vec<Range<u64>>) -> Vec<Need> {
    ranges::normalise(ranges)
        .into_iter()
        .map(Need::read)
        .collect()
}
