//! Doing what a plan says.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use crate::meter::{Meter, OnEvent, Phase};
use crate::{EraseUnit, Failure, FlashDevice, Mismatch, Plan, PlanError, Summary, ranges};

/// A plan that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was done.
    pub summary: Summary,
    /// Whether all of it was checked afterwards. Also true if there was nothing to check.
    pub verified: bool,
}

/// Why a run did not reach its end, and in which state it left the target.
#[derive(Debug)]
pub struct RunError {
    /// What it was at.
    pub phase: Phase,
    /// What happened.
    pub cause: Cause,
    /// What is known of the target now.
    pub state: Box<TargetState>,
}

/// What made a run end early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The receiver of events said `Break`.
    #[error("stopped on request")]
    Stopped,
    /// The target or the link failed.
    #[error(transparent)]
    Device(Box<dyn Error + Send + Sync>),
    /// The target does not hold what was written.
    #[error("{0}")]
    Mismatch(Mismatch),
    /// What was asked for does not fit this target.
    #[error(transparent)]
    Refused(#[from] PlanError),
}

impl From<Failure> for Cause {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Stopped => Self::Stopped,
            Failure::Device(error) => Self::Device(error),
        }
    }
}

/// What is known of a target after a run that ended early.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetState {
    /// Whether its content may have changed.
    pub touched: bool,
    /// Units that are erased for sure. If it was erasing that failed (not: was stopped), others of
    /// the plan may be erased, too.
    pub erased: Vec<EraseUnit>,
    /// Everything that was to be programmed below this address is, as far as the target says;
    /// `None` if nothing is.
    pub programmed_to: Option<u64>,
    /// Whether everything has been erased and programmed, and only the check is missing or failed.
    pub all_written: bool,
    /// Outside data that may have been erased and has not been written back. It is in
    /// [`Current::contents`](crate::Current::contents).
    pub kept_lost: Vec<Range<u64>>,
}

impl RunError {
    pub(crate) fn untouched(phase: Phase, cause: Cause) -> Self {
        Self {
            phase,
            cause,
            state: Box::default(),
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.phase, self.cause)
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// Erases, programs, and then verifies, as `plan` says.
///
/// `Break` from `on_event` stops at the next clean boundary, with [`Cause::Stopped`]; a `Break` at
/// the very last event is too late to stop anything.
///
/// Verifying goes on after the first difference, to count them all.
///
/// # Errors
/// What ended the run, with what is known of the target after it. [`PlanError::OtherMemory`] if
/// `device` is not what the plan was made for.
pub fn execute(
    plan: &Plan,
    device: &mut dyn FlashDevice,
    on_event: &mut OnEvent<'_>,
) -> Result<Report, RunError> {
    let mut run = Run {
        plan,
        meter: Meter::new(on_event),
        state: TargetState::default(),
    };
    match run.carry_out(device) {
        Ok(()) => {
            let written = ranges::total(plan.programs()) > 0;
            let verified = !plan.verifies().is_empty() || !written && plan.erase_units().is_empty();
            Ok(Report {
                summary: plan.summary().clone(),
                verified,
            })
        }
        Err(cause) => Err(RunError {
            phase: run.meter.phase(),
            cause,
            state: Box::new(run.state),
        }),
    }
}

/// Most bytes that a device is given in one call: enough to keep any pipeline full, little enough
/// to build in memory.
pub(crate) const CALL_BYTES: u64 = 1 << 20;

/// A plan on its way.
struct Run<'a, 'b, 'c> {
    plan: &'a Plan,
    meter: Meter<'b, 'c>,
    state: TargetState,
}

impl Run<'_, '_, '_> {
    fn carry_out(&mut self, device: &mut dyn FlashDevice) -> Result<(), Cause> {
        if !self.plan.geometry().is_same_memory(device.geometry()) {
            return Err(PlanError::OtherMemory.into());
        }
        self.erase(device)?;
        self.program(device)?;
        self.state.all_written = true;
        self.verify(device)
    }

    fn erase(&mut self, device: &mut dyn FlashDevice) -> Result<(), Cause> {
        let units = self.plan.erase_units();
        let bytes = units.iter().map(EraseUnit::bytes).sum();
        self.meter.begin(Phase::Erasing, bytes)?;
        if units.is_empty() {
            return Ok(());
        }
        let result = self.meter.measure(bytes, |tick| device.erase(units, tick));

        let mut end = 0;
        let done = units.iter().take_while(|unit| {
            end += unit.bytes();
            end <= self.meter.done_bytes()
        });
        self.state.erased = done.cloned().collect();
        let in_doubt = match &result {
            Ok(()) | Err(Cause::Stopped) => &self.state.erased,
            Err(_) => units,
        };
        self.state.touched = !in_doubt.is_empty();
        let areas = ranges::normalise(in_doubt.iter().map(EraseUnit::range).collect());
        self.state.kept_lost = ranges::intersection(&self.plan.summary().kept, &areas);
        result
    }

    fn program(&mut self, device: &mut dyn FlashDevice) -> Result<(), Cause> {
        let runs = self.plan.programs();
        self.meter.begin(Phase::Writing, ranges::total(runs))?;
        let block_bytes = self.plan.geometry().program.block_bytes;
        for piece in runs.iter().flat_map(|run| pieces(run, block_bytes)) {
            let data = self.plan.content(&piece);
            let before = self.meter.done_bytes();
            let bytes = piece.end - piece.start;
            let result = self
                .meter
                .measure(bytes, |tick| device.program(piece.start, &data, tick));

            let done = self.meter.done_bytes() - before;
            if done > 0 {
                self.state.programmed_to = Some(piece.start + done);
                let left = piece.start + done..u64::MAX;
                self.state.kept_lost = ranges::within(&self.state.kept_lost, &left).collect();
            }
            self.state.touched |= done > 0 || !matches!(result, Err(Cause::Stopped));
            result?;
        }
        self.state.kept_lost.clear();
        Ok(())
    }

    fn verify(&mut self, device: &mut dyn FlashDevice) -> Result<(), Cause> {
        let checked = self.plan.verifies();
        self.meter.begin(Phase::Verifying, ranges::total(checked))?;
        let mut worst: Option<Mismatch> = None;
        for piece in checked.iter().flat_map(|range| pieces(range, 1)) {
            let data = self.plan.content(&piece);
            let bytes = piece.end - piece.start;
            let result = self
                .meter
                .measure(bytes, |tick| device.compare(piece.start, &data, tick));
            match (result, worst) {
                (Ok(None), _) => {}
                (Ok(found), None) => worst = found,
                (Ok(Some(more)), Some(first)) => {
                    worst = Some(Mismatch {
                        count: first.count + more.count,
                        ..first
                    });
                }
                // What is known to be wrong says more than why the count is not complete.
                (Err(_), Some(first)) => return Err(Cause::Mismatch(first)),
                (Err(cause), None) => return Err(cause),
            }
        }
        worst.map_or(Ok(()), |mismatch| Err(Cause::Mismatch(mismatch)))
    }
}

/// Cuts `range` into calls, between blocks.
fn pieces(range: &Range<u64>, block_bytes: u64) -> impl Iterator<Item = Range<u64>> + use<> {
    let Range { mut start, end } = *range;
    std::iter::from_fn(move || {
        let from = start;
        start = ((from + CALL_BYTES) / block_bytes * block_bytes).min(end);
        (from < end).then_some(from..start)
    })
}
