//! Telling how far a run is, and hearing that it should stop.

use std::fmt;
use std::ops::ControlFlow;

use crate::{Cause, Failure, Tick};

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

/// Receives events; `Break` asks to stop at the next clean boundary. No event follows a `Break`.
pub type OnEvent<'a> = dyn FnMut(&Event) -> ControlFlow<()> + 'a;

/// Counts bytes, tells them, and remembers that it was told to stop.
pub(crate) struct Meter<'a, 'b> {
    on_event: &'a mut OnEvent<'b>,
    event: Event,
    stopped: bool,
}

impl<'a, 'b> Meter<'a, 'b> {
    pub(crate) fn new(on_event: &'a mut OnEvent<'b>) -> Self {
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

    /// Starts a phase. A phase with nothing to do cannot be stopped either.
    pub(crate) fn begin(&mut self, phase: Phase, total_bytes: u64) -> Result<(), Cause> {
        self.event = Event {
            phase,
            done_bytes: 0,
            total_bytes,
        };
        if total_bytes == 0 {
            return Ok(());
        }
        self.tell();
        self.go_on()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.event.phase
    }

    pub(crate) fn done_bytes(&self) -> u64 {
        self.event.done_bytes
    }

    /// Makes one call to a device, worth `bytes` once it succeeds, and before that whatever it
    /// says. A `Break` that comes too late to stop the call ends the run before the next one.
    pub(crate) fn measure<T>(
        &mut self,
        bytes: u64,
        call: impl FnOnce(&mut Tick<'_>) -> Result<T, Failure>,
    ) -> Result<T, Cause> {
        self.go_on()?;
        let end = self.event.done_bytes + bytes;
        let value = call(&mut |done| {
            self.advance_to((self.event.done_bytes + done).min(end));
            self.flow()
        })?;
        self.advance_to(end);
        Ok(value)
    }

    /// Makes one call to a device that settles nothing by itself: it can be stopped, and what it
    /// says to have done is not counted.
    pub(crate) fn watch<T>(
        &mut self,
        call: impl FnOnce(&mut Tick<'_>) -> Result<T, Failure>,
    ) -> Result<T, Cause> {
        self.go_on()?;
        Ok(call(&mut |_| {
            self.tell();
            self.flow()
        })?)
    }

    /// Counts what was settled.
    pub(crate) fn advance(&mut self, bytes: u64) {
        self.advance_to((self.event.done_bytes + bytes).min(self.event.total_bytes));
    }

    fn advance_to(&mut self, done_bytes: u64) {
        if done_bytes > self.event.done_bytes {
            self.event.done_bytes = done_bytes;
            self.tell();
        }
    }

    fn tell(&mut self) {
        if !self.stopped && (self.on_event)(&self.event).is_break() {
            self.stopped = true;
        }
    }

    fn flow(&self) -> ControlFlow<()> {
        if self.stopped {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn go_on(&self) -> Result<(), Cause> {
        if self.stopped {
            Err(Cause::Stopped)
        } else {
            Ok(())
        }
    }
}
