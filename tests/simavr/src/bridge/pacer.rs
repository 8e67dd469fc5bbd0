//! How fast the board's time passes while real programs look on.

use std::time::{Duration, Instant};

/// How the board's time follows real time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As a real board: never ahead.
    Real,
    /// As fast as possible while a tool waits for the board, and as a real board while the tool does
    /// something else: a tool that sleeps until an erase is over finds it over.
    #[default]
    Fast,
}

/// How long the board may take for an answer before it is taken to have none.
const LONGEST_ANSWER: Duration = Duration::from_secs(1);

/// An answer that pauses for so long is over.
const PAUSE: Duration = Duration::from_millis(2);

/// What the board does not catch up with: it was stopped, or it is too slow.
const MOST_BEHIND: Duration = Duration::from_millis(50);

/// Follows both clocks.
#[derive(Debug)]
pub(super) struct Pacer {
    pace: Pace,
    /// The same moment on both clocks.
    real: Instant,
    board: Duration,
    /// A tool waits until then at the longest.
    free_until: Duration,
}

impl Pacer {
    pub(super) fn new(pace: Pace, now: Duration) -> Self {
        Self {
            pace,
            real: Instant::now(),
            board: now,
            free_until: Duration::ZERO,
        }
    }

    /// The tool has asked for something.
    pub(super) fn asked(&mut self, now: Duration) {
        self.free_until = now + LONGEST_ANSWER;
    }

    /// The board has answered, perhaps not yet all.
    pub(super) fn answered(&mut self, now: Duration) {
        self.free_until = now + PAUSE;
    }

    /// How long to wait now so that the board's time does not run ahead.
    pub(super) fn wait(&mut self, now: Duration) -> Duration {
        let free = self.pace == Pace::Fast && now < self.free_until;
        let passed = now.saturating_sub(self.board);
        let real = self.real.elapsed();
        if free || real > passed + MOST_BEHIND {
            self.stand_still(now);
            return Duration::ZERO;
        }
        passed.saturating_sub(real)
    }

    /// Lets real time pass that is none for the board.
    pub(super) fn stand_still(&mut self, now: Duration) {
        self.real = Instant::now();
        self.board = now;
    }

    /// Whether time stands still for the board while no tool is there.
    pub(super) fn stops_without_tool(&self) -> bool {
        self.pace == Pace::Fast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_pace_never_runs_ahead() {
        let mut pacer = Pacer::new(Pace::Real, Duration::ZERO);
        pacer.asked(Duration::ZERO);
        let wait = pacer.wait(Duration::from_secs(1));
        assert!(wait > Duration::from_millis(500), "{wait:?}");
    }

    #[test]
    fn fast_pace_runs_ahead_only_while_a_tool_waits() {
        let mut pacer = Pacer::new(Pace::Fast, Duration::ZERO);
        pacer.asked(Duration::ZERO);
        let halfway = Duration::from_millis(500);
        assert_eq!(pacer.wait(halfway), Duration::ZERO);
        pacer.answered(halfway);
        let later = halfway + Duration::from_millis(1);
        assert_eq!(pacer.wait(later), Duration::ZERO);
        // The answer has paused: from here on real time counts.
        let wait = pacer.wait(later + Duration::from_secs(1));
        assert!(wait > Duration::from_millis(500), "{wait:?}");
    }
}
