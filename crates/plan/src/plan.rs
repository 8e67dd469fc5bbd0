//! Making a plan.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use crate::image::Image;
use crate::ranges;
use crate::survey::{Current, Need};
use crate::{EraseChoice, EraseUnit, Geometry, Options, PlanError};

/// What will be erased, programmed and verified, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    geometry: Geometry,
    image: Option<Image>,
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
    /// Outside data that is erased and written back; blank stretches are not listed.
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

    /// The units to erase, in order of address.
    pub fn erase_units(&self) -> &[EraseUnit] {
        &self.erase
    }

    /// The addresses to program, whole program units.
    pub fn programs(&self) -> &[Range<u64>] {
        &self.program
    }

    /// The addresses to verify after everything has been programmed.
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
        let erase: Duration = self.summary.erased.iter().map(|kind| kind.time).sum();
        let program = self
            .geometry
            .time_for(self.summary.programmed_bytes, costs.program_block);
        let verify = self
            .geometry
            .time_for(self.summary.verified_bytes, costs.compare_block);
        erase.saturating_add(program).saturating_add(verify)
    }

    /// What `range` is to hold at the end: the image, what is kept, and else the erased value.
    pub fn content(&self, range: &Range<u64>) -> Cow<'_, [u8]> {
        if let Some(slice) = self.image.as_ref().and_then(|image| image.slice(range)) {
            return Cow::Borrowed(slice);
        }
        let mut bytes = vec![self.geometry.erased; (range.end - range.start) as usize];
        for segment in self.image.iter().flat_map(|image| image.segments()) {
            if let Some(part) = ranges::overlap(&segment.range(), range) {
                let from = (part.start - segment.address) as usize;
                let to = (part.start - range.start) as usize;
                let len = (part.end - part.start) as usize;
                bytes[to..to + len].copy_from_slice(&segment.data[from..from + len]);
            }
        }
        Cow::Owned(bytes)
    }
}

/// What must be looked at on the target before [`plan`] can be asked.
///
/// # Errors
/// As [`plan`], as far as it can be said without knowing what is on the target.
pub fn needs(
    geometry: &Geometry,
    image: &Image,
    options: &Options,
) -> Result<Vec<Need>, PlanError> {
    geometry.check()?;
    check_image(geometry, image)?;
    let _ = options;
    Ok(Vec::new())
}

/// Plans the writing of `image` over `current`.
///
/// # Errors
/// Why it cannot be done.
pub fn plan(
    geometry: &Geometry,
    image: &Image,
    current: &Current,
    options: &Options,
) -> Result<Plan, PlanError> {
    geometry.check()?;
    check_image(geometry, image)?;
    let _ = current;
    let mut erase = Vec::new();
    let fine = geometry
        .erase_kinds
        .iter()
        .enumerate()
        .max_by_key(|(n, kind)| kind.units(*n).count());
    if let Some((n, kind)) = fine.filter(|_| options.erase != EraseChoice::None) {
        erase.extend(kind.units(n).filter(|unit| {
            image
                .segments()
                .iter()
                .any(|s| ranges::overlap(&s.range(), &unit.range()).is_some())
        }));
    }
    let unit = geometry.program.unit_bytes;
    let program = ranges::normalise(
        image
            .segments()
            .iter()
            .map(|s| s.range().start / unit * unit..s.range().end.next_multiple_of(unit))
            .collect(),
    );
    let verify = if options.verify {
        program.clone()
    } else {
        Vec::new()
    };
    Ok(finish(
        geometry,
        Some(image.clone()),
        erase,
        program,
        verify,
    ))
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
    let range = range.unwrap_or(geometry.range.clone());
    let fine = geometry
        .erase_kinds
        .iter()
        .enumerate()
        .max_by_key(|(n, kind)| kind.units(*n).count());
    let erase: Vec<_> = fine
        .into_iter()
        .flat_map(|(n, kind)| kind.units(n))
        .filter(|unit| ranges::overlap(&unit.range(), &range).is_some())
        .collect();
    let verify = if verify { vec![range] } else { Vec::new() };
    Ok(finish(geometry, None, erase, Vec::new(), verify))
}

/// Plans to check that the target holds `image`, and nothing else.
///
/// # Errors
/// [`PlanError::OutOfRange`], [`PlanError::InHole`], [`PlanError::NoAddress`].
pub fn plan_verify(geometry: &Geometry, image: &Image) -> Result<Plan, PlanError> {
    geometry.check()?;
    check_image(geometry, image)?;
    let verify = image.segments().iter().map(|s| s.range()).collect();
    Ok(finish(
        geometry,
        Some(image.clone()),
        Vec::new(),
        Vec::new(),
        verify,
    ))
}

fn finish(
    geometry: &Geometry,
    image: Option<Image>,
    erase: Vec<EraseUnit>,
    program: Vec<Range<u64>>,
    verify: Vec<Range<u64>>,
) -> Plan {
    let mut erased: Vec<ErasedKind> = Vec::new();
    for (n, kind) in geometry.erase_kinds.iter().enumerate() {
        let units: Vec<_> = erase.iter().filter(|unit| unit.kind == n).collect();
        if !units.is_empty() {
            erased.push(ErasedKind {
                name: kind.name.clone(),
                units: units.len() as u64,
                bytes: units.iter().map(|unit| unit.bytes()).sum(),
                time: units.iter().map(|unit| geometry.erase_time(unit)).sum(),
            });
        }
    }
    let summary = Summary {
        image_bytes: image.as_ref().map_or(0, Image::total_bytes),
        erased,
        programmed_bytes: ranges::total(&program),
        verified_bytes: ranges::total(&verify),
        ..Summary::default()
    };
    Plan {
        geometry: geometry.clone(),
        image,
        erase,
        program,
        verify,
        summary,
    }
}

fn check_image(geometry: &Geometry, image: &Image) -> Result<(), PlanError> {
    if !image.is_placed() {
        return Err(PlanError::NoAddress);
    }
    let segments: Vec<_> = image.segments().iter().map(|s| s.range()).collect();
    check_range(geometry, &segments)
}

/// Refuses what lies outside the memory or in its holes.
pub(crate) fn check_range(geometry: &Geometry, wanted: &[Range<u64>]) -> Result<(), PlanError> {
    let memory = &geometry.range;
    if let Some(range) = wanted.iter().find(|range| range.start >= range.end) {
        return Err(PlanError::EmptyRange {
            range: range.clone(),
        });
    }
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
