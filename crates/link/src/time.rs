//! Time as a link tells it.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on a link's clock, counted from when the link was opened. Moments of two links cannot
/// be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

impl Instant {
    /// The moment `since_open` after the link was opened. For implementations of
    /// [`Link`](crate::Link): code above gets its moments from [`Link::now`](crate::Link::now).
    pub const fn from_open(since_open: Duration) -> Self {
        Self(since_open)
    }

    /// Time since the link was opened.
    pub const fn since_open(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Time from `earlier` to `self`; zero if it lies the other way round.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The end of a wait. Only [`Link::deadline`](crate::Link::deadline) makes one, so that every wait
/// is measured by the clock of the link that it waits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    pub(crate) const fn at(moment: Instant) -> Self {
        Self(moment)
    }

    /// The moment at which the wait ends.
    pub const fn moment(self) -> Instant {
        self.0
    }

    /// What is left of the wait at `now`; zero once it is over.
    pub fn remaining(self, now: Instant) -> Duration {
        self.0 - now
    }
}
