//! What a session tells while it works, and what it asks: events, not widgets.

use std::time::Duration;

use flashwire_plan::{Event, Phase, Plan};

/// Receives what happens, and answers questions. Every method has a default that does nothing, or
/// says no.
pub trait Watcher {
    /// How far a stage of the work is.
    fn progress(&mut self, progress: &Progress) {
        let _ = progress;
    }

    /// Something is not as it should be, but no reason to stop; a sentence fragment.
    fn warn(&mut self, text: &str) {
        let _ = text;
    }

    /// What takes its time now, where there is no progress to show; a sentence fragment.
    fn say(&mut self, text: &str) {
        let _ = text;
    }

    /// Something that a curious person may want to know; a sentence fragment.
    fn note(&mut self, text: &str) {
        let _ = text;
    }

    /// Nothing answers on `link`, and nobody but the user can put the target into its bootloader.
    /// True: they have been asked to, so go on trying until they cancel.
    fn ask_for_bootloader(&mut self, link: &str) -> bool {
        let _ = link;
        false
    }
}

/// Watches nothing and answers no.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {}

/// How far a stage is. A stage is a run of phases that belong together: looking at the present
/// content; erasing, writing and verifying.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Bytes of this phase that are done.
    pub done_bytes: u64,
    /// All bytes of this phase; never 0.
    pub total_bytes: u64,
    /// How much of the whole stage's time has passed, from 0 to 1, by the plan's estimate.
    pub fraction: f64,
    /// Time since the stage began, on the link's clock.
    pub elapsed: Duration,
    /// Time since the phase began, on the link's clock.
    pub phase_elapsed: Duration,
    /// Time that the rest of the stage will take, once that can be told.
    pub remaining: Option<Duration>,
}

impl Progress {
    /// Bytes of this phase per second so far; `None` while there is too little to tell.
    pub fn bytes_per_second(&self) -> Option<f64> {
        let seconds = self.phase_elapsed.as_secs_f64();
        (self.done_bytes > 0 && seconds > 0.0).then(|| self.done_bytes as f64 / seconds)
    }

    /// Whether the stage is done.
    pub fn is_last(&self) -> bool {
        self.fraction >= 1.0
    }
}

/// How much of a stage each of its phases takes, as fractions that add up to 1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stage {
    shares: Vec<(Phase, f64)>,
}

impl Stage {
    /// A stage with one phase.
    pub(crate) fn single(phase: Phase) -> Self {
        Self {
            shares: vec![(phase, 1.0)],
        }
    }

    /// The stage that carries out `plan`.
    pub(crate) fn of(plan: &Plan) -> Self {
        let summary = plan.summary();
        let costs = plan.geometry().costs;
        let block_bytes = plan.geometry().program.block_bytes as f64;
        let blocks = |bytes: u64, each: Duration| bytes as f64 / block_bytes * each.as_secs_f64();
        let erasing: f64 = summary
            .erased
            .iter()
            .map(|kind| kind.time.as_secs_f64())
            .sum();
        let times = [
            (Phase::Erasing, erasing),
            (
                Phase::Writing,
                blocks(summary.programmed_bytes, costs.program_block),
            ),
            (
                Phase::Verifying,
                blocks(summary.verified_bytes, costs.compare_block),
            ),
        ];
        let present: Vec<_> = times
            .into_iter()
            .filter(|(_, seconds)| *seconds > 0.0)
            .collect();
        let total: f64 = present.iter().map(|(_, seconds)| seconds).sum();
        let shares = present
            .into_iter()
            .map(|(phase, seconds)| (phase, seconds / total))
            .collect();
        Self { shares }
    }

    /// How much of the stage is over at this event.
    fn fraction(&self, event: &Event) -> f64 {
        let within = event.done_bytes as f64 / event.total_bytes.max(1) as f64;
        let Some(at) = self
            .shares
            .iter()
            .position(|(phase, _)| *phase == event.phase)
        else {
            return within;
        };
        if at + 1 == self.shares.len() && event.done_bytes >= event.total_bytes {
            return 1.0;
        }
        let before: f64 = self.shares[..at].iter().map(|(_, share)| share).sum();
        (before + self.shares[at].1 * within).min(1.0)
    }
}

/// Turns the executor's events into [`Progress`].
pub(crate) struct Reporter<'a> {
    stage: Stage,
    watcher: &'a mut dyn Watcher,
    clock: &'a dyn Fn() -> Duration,
    began: Duration,
    phase: Option<(Phase, Duration)>,
}

/// How much of a stage must be over before its end can be told.
const TELLING_FRACTION: f64 = 0.02;

impl<'a> Reporter<'a> {
    pub(crate) fn new(
        stage: Stage,
        watcher: &'a mut dyn Watcher,
        clock: &'a dyn Fn() -> Duration,
    ) -> Self {
        Self {
            stage,
            watcher,
            began: clock(),
            clock,
            phase: None,
        }
    }

    pub(crate) fn tell(&mut self, event: &Event) {
        let now = (self.clock)();
        let phase_began = match self.phase {
            Some((phase, began)) if phase == event.phase => began,
            _ => {
                self.phase = Some((event.phase, now));
                now
            }
        };
        let fraction = self.stage.fraction(event);
        let elapsed = now.saturating_sub(self.began);
        let remaining = (fraction >= TELLING_FRACTION)
            .then(|| elapsed.mul_f64((1.0 - fraction).max(0.0) / fraction));
        self.watcher.progress(&Progress {
            phase: event.phase,
            done_bytes: event.done_bytes,
            total_bytes: event.total_bytes,
            fraction,
            elapsed,
            phase_elapsed: now.saturating_sub(phase_began),
            remaining,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn event(phase: Phase, done_bytes: u64) -> Event {
        Event {
            phase,
            done_bytes,
            total_bytes: 100,
        }
    }

    #[test]
    fn a_stage_goes_from_zero_to_one_across_its_phases() {
        let stage = Stage {
            shares: vec![(Phase::Erasing, 0.25), (Phase::Writing, 0.75)],
        };
        assert_eq!(stage.fraction(&event(Phase::Erasing, 0)), 0.0);
        assert_eq!(stage.fraction(&event(Phase::Erasing, 100)), 0.25);
        assert_eq!(stage.fraction(&event(Phase::Writing, 0)), 0.25);
        assert_eq!(stage.fraction(&event(Phase::Writing, 50)), 0.625);
        assert_eq!(stage.fraction(&event(Phase::Writing, 100)), 1.0);
    }

    #[test]
    fn the_rate_is_that_of_the_phase_and_the_rest_that_of_the_stage() {
        struct Last(Option<Progress>);
        impl Watcher for Last {
            fn progress(&mut self, progress: &Progress) {
                self.0 = Some(*progress);
            }
        }
        let now = Cell::new(Duration::from_secs(100));
        let clock = || now.get();
        let mut last = Last(None);
        let stage = Stage {
            shares: vec![(Phase::Erasing, 0.5), (Phase::Writing, 0.5)],
        };
        let mut reporter = Reporter::new(stage, &mut last, &clock);
        reporter.tell(&event(Phase::Erasing, 0));
        now.set(Duration::from_secs(104));
        reporter.tell(&event(Phase::Writing, 0));
        now.set(Duration::from_secs(106));
        reporter.tell(&event(Phase::Writing, 50));
        let progress = last.0.unwrap();
        assert_eq!(progress.bytes_per_second(), Some(25.0));
        assert_eq!(progress.remaining, Some(Duration::from_secs(2)));
    }
}
