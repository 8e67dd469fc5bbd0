//! The computer's own clock, for links on which time is real.

use std::time::Duration;

use crate::Instant;

/// Counts real time from when it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    opened: std::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            opened: std::time::Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_open(self.opened.elapsed())
    }

    pub(crate) fn pause(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}
