//! Making a plan.
//!
//! Everything here is arithmetic on ranges; nothing is read from or written to a target. The
//! memory is cut into cells by the bounds of all erase units. What becomes of each cell is judged
//! from image, options and what is known of the present content ([`task`]); the units that cost
//! least time are chosen by shortest path over the cells ([`cells`]); what has to be kept and
//! programmed follows ([`finish`]).

mod cells;
mod finish;
mod task;

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use crate::image::Image;
use crate::ranges;
use crate::survey::{Current, Need};
use crate::{EraseChoice, EraseUnit, Geometry, Options, PlanError, content};

use cells::{Cell, Cells};
use task::Task;

/// What will be erased, programmed and verified, in this order.
///
/// Cloning is cheap: bytes are shared with the image and with what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    geometry: Geometry,
    image: Option<Image>,
    /// What was on the target.
    current: Current,
    /// Where that is to be there again.
    background: Vec<Range<u64>>,
    erase: Vec<EraseUnit>,
    program: Vec<Range<u64>>,
    verify: Vec<Range<u64>>,
    summary: Summary,
}

/// One step of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Erase one unit.
    Erase(EraseUnit),
    /// Program what [`Plan::content`] gives for these addresses, whole program units.
    Program(Range<u64>),
    /// Check that these addresses hold what [`Plan::content`] gives.
    Verify(Range<u64>),
}

/// A plan in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of the image.
    pub image_bytes: u64,
    /// What is erased, by kind; only kinds that are used.
    pub erased: Vec<ErasedKind>,
    /// Bytes that are programmed, padding and kept data included.
    pub programmed_bytes: u64,
    /// Bytes of the image that are not programmed because they are blank after the erase.
    pub blank_bytes: u64,
    /// Bytes of the image that are left alone because they are there already.
    pub unchanged_bytes: u64,
    /// Outside data that is erased and written back, in whole program units; blank ones are not
    /// listed.
    pub kept: Vec<Range<u64>>,
    /// Outside addresses that are erased and not written back, because the caller said so.
    pub dropped: Vec<Range<u64>>,
    /// Bytes that are checked at the end.
    pub verified_bytes: u64,
}

/// What a [`Plan`] erases with one kind of unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedKind {
    /// [`EraseKind::name`](crate::EraseKind::name).
    pub name: String,
    /// How many units.
    pub units: u64,
    /// Their size in all, in bytes.
    pub bytes: u64,
    /// Their typical time in all.
    pub time: Duration,
}

impl Plan {
    /// All steps, in order: erase, program, verify.
    pub fn steps(&self) -> impl Iterator<Item = Step> {
        let erase = self.erase.iter().cloned().map(Step::Erase);
        let program = self.program.iter().cloned().map(Step::Program);
        let verify = self.verify.iter().cloned().map(Step::Verify);
        erase.chain(program).chain(verify)
    }

    /// The units to erase, in order of address, not overlapping.
    pub fn erase_units(&self) -> &[EraseUnit] {
        &self.erase
    }

    /// The addresses to program, whole program units, in order, each address at most once.
    /// [`Program::blocks`](crate::Program::blocks) cuts them into commands.
    pub fn programs(&self) -> &[Range<u64>] {
        &self.program
    }

    /// The addresses to verify after everything has been programmed: all that is programmed, and
    /// what of the image is not because it is blank.
    pub fn verifies(&self) -> &[Range<u64>] {
        &self.verify
    }

    /// The plan in numbers.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The memory it was made for.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Whether there is nothing to erase and nothing to program.
    pub fn changes_nothing(&self) -> bool {
        self.erase.is_empty() && self.program.is_empty()
    }

    /// How long it will take, as far as [`Costs`](crate::Costs) and erase times say.
    pub fn estimate(&self) -> Duration {
        let costs = self.geometry.costs;
        let erase = self.summary.erased.iter().map(|kind| kind.time);
        let program = self
            .geometry
            .time_for(self.summary.programmed_bytes, costs.program_block);
        let verify = self
            .geometry
            .time_for(self.summary.verified_bytes, costs.compare_block);
        erase.fold(program.saturating_add(verify), Duration::saturating_add)
    }

    /// What `range` is to hold at the end, as far as it is erased or programmed: the image, over
    /// what is kept, over the erased value.
    pub fn content(&self, range: &Range<u64>) -> Cow<'_, [u8]> {
        if let Some(slice) = self.image.as_ref().and_then(|image| image.slice(range)) {
            return Cow::Borrowed(slice);
        }
        let mut bytes = vec![self.geometry.erased; (range.end - range.start) as usize];
        for kept in ranges::within(&self.background, range) {
            content::overlay(&mut bytes, range, self.current.contents(), &kept);
        }
        if let Some(image) = &self.image {
            content::overlay(&mut bytes, range, image.segments(), range);
        }
        Cow::Owned(bytes)
    }
}

/// What must be looked at on the target before [`plan`] can be asked: reads, joined where they
/// touch; then comparisons, one for each erase unit; then reads that depend on their outcome.
///
/// # Errors
/// As [`plan`], as far as it can be said without knowing what is on the target.
pub fn needs(
    geometry: &Geometry,
    image: &Image,
    options: &Options,
) -> Result<Vec<Need>, PlanError> {
    let task = Task::new(geometry, image, options)?;
    match task.way() {
        EraseChoice::All => Ok(Vec::new()),
        EraseChoice::None => Ok(task.needs_to_overwrite()),
        EraseChoice::Touched => task.needs_to_erase(),
    }
}

/// Plans the writing of `image` over `current`.
///
/// Erased are the units that the image touches, with the erase kinds that take the least time in
/// all; larger units are used where that pays for writing back what is outside, the whole memory
/// only where nothing is. After an erase blank blocks are not programmed, nor are blank eighths at
/// the ends of a block; what is blank inside is, because one command beats two.
///
/// A memory that is rewritten [`Freely`](crate::Rewrite::Freely) is erased only where all of it is
/// to be: else what differs is programmed over, and nothing else.
///
/// # Errors
/// Why it cannot be done.
pub fn plan(
    geometry: &Geometry,
    image: &Image,
    current: &Current,
    options: &Options,
) -> Result<Plan, PlanError> {
    let task = Task::new(geometry, image, options)?;
    match task.way() {
        EraseChoice::None => task.overwrite(current),
        EraseChoice::Touched | EraseChoice::All => task.erase_and_write(current),
    }
}

/// Plans to erase a range, or everything.
///
/// # Errors
/// [`PlanError::Unaligned`] where `range` does not begin and end with an erase unit,
/// [`PlanError::NotErasable`], [`PlanError::OutOfRange`], [`PlanError::InHole`].
pub fn plan_erase(
    geometry: &Geometry,
    range: Option<Range<u64>>,
    verify: bool,
) -> Result<Plan, PlanError> {
    geometry.check()?;
    let cells = Cells::new(geometry);
    let wanted = match range {
        None => geometry.memory(),
        Some(range) => {
            check_ranges(geometry, std::slice::from_ref(&range))?;
            let aligned = cells.around(&range);
            if aligned != range {
                return Err(PlanError::Unaligned { range, aligned });
            }
            vec![range]
        }
    };
    let fates: Vec<_> = cells
        .iter()
        .map(|(cell, _)| fate_of(geometry, &wanted, &cell))
        .collect();
    let erase = cells
        .choose(&fates)
        .map_err(|range| PlanError::NotErasable { range })?;
    let verify = if verify { wanted.clone() } else { Vec::new() };
    let plan = Plan {
        geometry: geometry.clone(),
        image: None,
        current: Current::new(),
        background: Vec::new(),
        erase,
        program: Vec::new(),
        verify,
        summary: Summary {
            dropped: wanted,
            ..Summary::default()
        },
    };
    Ok(plan.summed_up())
}

/// What becomes of a cell when `wanted` is erased and nothing else may be.
fn fate_of(geometry: &Geometry, wanted: &[Range<u64>], cell: &Range<u64>) -> Cell {
    if ranges::within(&geometry.holes, cell).next().is_some() {
        Cell::HOLE
    } else if ranges::within(wanted, cell).next().is_some() {
        Cell {
            leave: None,
            erase: Some(0),
            foreign_bytes: 0,
        }
    } else {
        Cell {
            leave: Some(0),
            erase: None,
            foreign_bytes: cell.end - cell.start,
        }
    }
}

/// Plans to check that the target holds `image`, and nothing else.
///
/// # Errors
/// [`PlanError::OutOfRange`], [`PlanError::InHole`], [`PlanError::NoAddress`].
pub fn plan_verify(geometry: &Geometry, image: &Image) -> Result<Plan, PlanError> {
    geometry.check()?;
    check_image(geometry, image)?;
    let plan = Plan {
        geometry: geometry.clone(),
        image: Some(image.clone()),
        current: Current::new(),
        background: Vec::new(),
        erase: Vec::new(),
        program: Vec::new(),
        verify: image
            .segments()
            .iter()
            .map(|segment| segment.range())
            .collect(),
        summary: Summary {
            image_bytes: image.total_bytes(),
            ..Summary::default()
        },
    };
    Ok(plan.summed_up())
}

impl Plan {
    /// With the numbers of its summary that follow from its steps.
    fn summed_up(mut self) -> Self {
        self.summary.programmed_bytes = ranges::total(&self.program);
        self.summary.verified_bytes = ranges::total(&self.verify);
        for (n, kind) in self.geometry.erase_kinds.iter().enumerate() {
            let units = || self.erase.iter().filter(|unit| unit.kind == n);
            if units().next().is_some() {
                self.summary.erased.push(ErasedKind {
                    name: kind.name.clone(),
                    units: units().count() as u64,
                    bytes: units().map(EraseUnit::bytes).sum(),
                    time: units()
                        .map(|unit| self.geometry.erase_time(unit))
                        .fold(Duration::ZERO, Duration::saturating_add),
                });
            }
        }
        self
    }
}

fn check_image(geometry: &Geometry, image: &Image) -> Result<(), PlanError> {
    if !image.is_placed() {
        return Err(PlanError::NoAddress);
    }
    let segments: Vec<_> = image
        .segments()
        .iter()
        .map(|segment| segment.range())
        .collect();
    check_ranges(geometry, &segments)
}

/// Refuses what lies outside the memory or in its holes; `wanted` is in order and disjoint.
pub(crate) fn check_ranges(geometry: &Geometry, wanted: &[Range<u64>]) -> Result<(), PlanError> {
    if let Some(range) = wanted.iter().find(|range| range.start >= range.end) {
        return Err(PlanError::EmptyRange {
            range: range.clone(),
        });
    }
    let memory = &geometry.range;
    let outside = ranges::difference(wanted, std::slice::from_ref(memory));
    if let Some(range) = outside.first().cloned() {
        let misfit_bytes = ranges::total(&outside);
        return Err(PlanError::OutOfRange {
            range,
            misfit_bytes,
            memory: memory.clone(),
        });
    }
    for hole in &geometry.holes {
        if let Some(range) = ranges::within(wanted, hole).next() {
            return Err(PlanError::InHole {
                range,
                hole: hole.clone(),
            });
        }
    }
    Ok(())
}
