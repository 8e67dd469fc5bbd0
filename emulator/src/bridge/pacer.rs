//! How fast emulated time passes while real programs look on.

use std::time::{Duration, Instant};

use crate::time::Time;

/// How emulated time follows real time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As a real chip: never ahead.
    Real,
    /// As fast as possible while a tool waits for the chip, and as a real chip while the tool does
    /// something else: a tool that sleeps until an erase is over finds it over.
    #[default]
    Fast,
}

/// How long the chip may take for an answer before it is taken to have none.
const LONGEST_ANSWER: Time = Time::SECOND;

/// An answer that pauses for so long is over.
const PAUSE: Time = Time::from_millis(2);

/// What the emulator does not catch up with: it was stopped, or it is too slow.
const MOST_BEHIND: Duration = Duration::from_millis(50);

/// Follows both clocks.
#[derive(Debug)]
pub(super) struct Pacer {
    pace: Pace,
    /// The same moment on both clocks.
    real: Instant,
    emulated: Time,
    /// A tool waits until then at the longest.
    free_until: Time,
}

impl Pacer {
    pub(super) fn new(pace: Pace, now: Time) -> Self {
        Self {
            pace,
            real: Instant::now(),
            emulated: now,
            free_until: Time::ZERO,
        }
    }

    /// The tool has asked for something.
    pub(super) fn asked(&mut self, now: Time) {
        self.free_until = now + LONGEST_ANSWER;
    }

    /// The chip has answered, perhaps not yet all.
    pub(super) fn answered(&mut self, now: Time) {
        self.free_until = now + PAUSE;
    }

    /// How long to wait now so that emulated time does not run ahead.
    pub(super) fn wait(&mut self, now: Time) -> Duration {
        let free = self.pace == Pace::Fast && now < self.free_until;
        let passed = (now - self.emulated).as_duration();
        let real = self.real.elapsed();
        if free || real > passed + MOST_BEHIND {
            self.real = Instant::now();
            self.emulated = now;
            return Duration::ZERO;
        }
        passed.saturating_sub(real)
    }

    /// Lets real time pass that is none for the chip.
    pub(super) fn stand_still(&mut self, now: Time) {
        self.real = Instant::now();
        self.emulated = now;
    }

    /// Whether time stands still for the chip while no tool is there.
    pub(super) fn stops_without_tool(&self) -> bool {
        self.pace == Pace::Fast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_pace_never_runs_ahead() {
        let mut pacer = Pacer::new(Pace::Real, Time::ZERO);
        pacer.asked(Time::ZERO);
        let wait = pacer.wait(Time::SECOND);
        assert!(wait > Duration::from_millis(500), "{wait:?}");
    }

    #[test]
    fn fast_pace_runs_ahead_only_while_a_tool_waits() {
        let mut pacer = Pacer::new(Pace::Fast, Time::ZERO);
        pacer.asked(Time::ZERO);
        let halfway = Time::from_millis(500);
        assert_eq!(pacer.wait(halfway), Duration::ZERO);
        pacer.answered(halfway);
        let later = halfway + Time::from_millis(1);
        assert_eq!(pacer.wait(later), Duration::ZERO);
        // The answer has paused: from here on real time counts.
        let wait = pacer.wait(later + Time::SECOND);
        assert!(wait > Duration::from_millis(500), "{wait:?}");
    }

    #[test]
    fn time_that_stood_still_is_not_caught_up_with() {
        let mut pacer = Pacer::new(Pace::Fast, Time::ZERO);
        std::thread::sleep(Duration::from_millis(5));
        pacer.stand_still(Time::ZERO);
        assert!(pacer.wait(Time::from_millis(20)) > Duration::from_millis(10));
    }
}
