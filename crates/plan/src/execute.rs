//! Doing what a plan says.

use std::error::Error;
use std::fmt;
use std::ops::{ControlFlow, Range};

use crate::{EraseUnit, Failure, FlashDevice, Mismatch, Plan, PlanError, Summary, Tick};

/// What a run is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Looking at the present content.
    Reading,
    /// Erasing.
    Erasing,
    /// Programming.
    Writing,
    /// Checking what was written.
    Verifying,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reading => "reading",
            Self::Erasing => "erasing",
            Self::Writing => "writing",
            Self::Verifying => "verifying",
        })
    }
}

/// How far a run is. The first event of a phase has `done_bytes` 0, the last `total_bytes`; a phase
/// with nothing to do has no events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is at.
    pub phase: Phase,
    /// Bytes of the phase that are done.
    pub done_bytes: u64,
    /// All bytes of the phase; never 0.
    pub total_bytes: u64,
}

/// A plan that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was done.
    pub summary: Summary,
    /// Whether all of it was checked afterwards.
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

/// What is known of a target after a run that ended early.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetState {
    /// Whether its content may have changed.
    pub touched: bool,
    /// Units that are erased for sure. While erasing failed (not: was stopped), more may be.
    pub erased: Vec<EraseUnit>,
    /// Everything that was to be programmed below this address is; `None` before the first.
    pub programmed_to: Option<u64>,
    /// Whether everything has been erased and programmed.
    pub all_written: bool,
    /// Outside data that may be erased and has not been written back.
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

/// Most bytes that a device is given in one call: enough to keep any pipeline full, little enough
/// to build in memory.
const CHUNK_BYTES: u64 = 1 << 20;

/// Erases, programs, and then verifies, as `plan` says.
///
/// `Break` from `on_event` stops at the next clean boundary, with [`Cause::Stopped`].
///
/// # Errors
/// What ended the run, with what is known of the target after it.
pub fn execute(
    plan: &Plan,
    device: &mut dyn FlashDevice,
    on_event: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<Report, RunError> {
    let mut state = TargetState::default();
    let mut meter = Meter::new(on_event);
    let fail = |phase, cause, state: &TargetState| RunError {
        phase,
        cause,
        state: Box::new(state.clone()),
    };

    let units = plan.erase_units();
    if !units.is_empty() {
        let bytes = units.iter().map(EraseUnit::bytes).sum();
        let phase = Phase::Erasing;
        meter
            .begin(phase, bytes)
            .map_err(|c| fail(phase, c, &state))?;
        state.touched = true;
        meter
            .measure(bytes, |tick| device.erase(units, tick))
            .map_err(|c| fail(phase, c, &state))?;
        state.erased = units.to_vec();
    }

    let phase = Phase::Writing;
    meter
        .begin(phase, crate::ranges::total(plan.programs()))
        .map_err(|c| fail(phase, c, &state))?;
    for run in plan.programs() {
        for piece in pieces(run, plan.geometry().program.block_bytes) {
            state.touched = true;
            let data = plan.content(&piece);
            meter
                .measure(piece.end - piece.start, |tick| {
                    device.program(piece.start, &data, tick)
                })
                .map_err(|c| fail(phase, c, &state))?;
            state.programmed_to = Some(piece.end);
        }
    }
    state.all_written = true;

    let phase = Phase::Verifying;
    meter
        .begin(phase, crate::ranges::total(plan.verifies()))
        .map_err(|c| fail(phase, c, &state))?;
    for range in plan.verifies() {
        for piece in pieces(range, 1) {
            let data = plan.content(&piece);
            let found = meter
                .measure(piece.end - piece.start, |tick| {
                    device.compare(piece.start, &data, tick)
                })
                .map_err(|c| fail(phase, c, &state))?;
            if let Some(mismatch) = found {
                return Err(fail(phase, Cause::Mismatch(mismatch), &state));
            }
        }
    }
    Ok(Report {
        summary: plan.summary().clone(),
        verified: !plan.verifies().is_empty(),
    })
}

/// Cuts `range` into calls of at most [`CHUNK_BYTES`], at multiples of `block_bytes`.
fn pieces(range: &Range<u64>, block_bytes: u64) -> impl Iterator<Item = Range<u64>> + use<> {
    let Range { mut start, end } = range.clone();
    std::iter::from_fn(move || {
        let from = start;
        start = ((from + CHUNK_BYTES) / block_bytes * block_bytes).min(end);
        (from < end).then_some(from..start)
    })
}

/// Counts bytes, tells them, and remembers that it was told to stop.
pub(crate) struct Meter<'a> {
    on_event: &'a mut dyn FnMut(&Event) -> ControlFlow<()>,
    event: Event,
    stopped: bool,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(on_event: &'a mut dyn FnMut(&Event) -> ControlFlow<()>) -> Self {
        let event = Event {
            phase: Phase::Reading,
            done_bytes: 0,
            total_bytes: 0,
        };
        Self {
            on_event,
            event,
            stopped: false,
        }
    }

    /// Starts a phase.
    pub(crate) fn begin(&mut self, phase: Phase, total_bytes: u64) -> Result<(), Cause> {
        self.event = Event {
            phase,
            done_bytes: 0,
            total_bytes,
        };
        if total_bytes > 0 {
            self.tell();
        }
        if self.stopped {
            Err(Cause::Stopped)
        } else {
            Ok(())
        }
    }

    /// Makes one call to a device, worth `bytes`.
    pub(crate) fn measure<T>(
        &mut self,
        bytes: u64,
        call: impl FnOnce(&mut Tick<'_>) -> Result<T, Failure>,
    ) -> Result<T, Cause> {
        let end = self.event.done_bytes + bytes;
        let result = call(&mut |done| {
            self.event.done_bytes = (self.event.done_bytes + done).min(end);
            self.tell();
            if self.stopped {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        match result {
            Ok(value) => {
                if self.event.done_bytes < end {
                    self.event.done_bytes = end;
                    self.tell();
                }
                if self.stopped {
                    Err(Cause::Stopped)
                } else {
                    Ok(value)
                }
            }
            Err(Failure::Stopped) => Err(Cause::Stopped),
            Err(Failure::Device(error)) => Err(Cause::Device(error)),
        }
    }

    fn tell(&mut self) {
        if !self.stopped && (self.on_event)(&self.event).is_break() {
            self.stopped = true;
        }
    }
}
