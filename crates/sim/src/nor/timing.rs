//! How long a chip is busy.

use std::time::Duration;

/// Typical and longest time of an operation, as a datasheet gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Typical.
    pub typical: Duration,
    /// At most.
    pub maximum: Duration,
}

impl Busy {
    /// From microseconds.
    pub const fn us(typical: u64, maximum: u64) -> Self {
        Self {
            typical: Duration::from_micros(typical),
            maximum: Duration::from_micros(maximum),
        }
    }

    /// From milliseconds.
    pub const fn ms(typical: u64, maximum: u64) -> Self {
        Self::us(typical * 1000, maximum * 1000)
    }
}

/// How long operations of one chip take, between typical and longest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// The typical time, always.
    #[default]
    Typical,
    /// The longest time, always.
    Maximum,
    /// As chips do: mostly 0.9 to 1.2 of the typical time, one operation in 200 up to four times as
    /// long, never longer than the datasheet allows.
    Spread,
    /// So many percent of the typical time: foreign tools that sleep in real time want few.
    Percent(u32),
}

/// Draws times, the same ones for the same seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch {
    pace: Pace,
    state: u64,
}

impl Stopwatch {
    pub(super) fn new(pace: Pace, seed: u64) -> Self {
        Self { pace, state: seed }
    }

    /// The time of the next operation.
    pub(super) fn draw(&mut self, busy: Busy) -> Duration {
        let Busy { typical, maximum } = busy;
        match self.pace {
            Pace::Typical => typical,
            Pace::Maximum => maximum,
            Pace::Percent(percent) => typical * percent / 100,
            Pace::Spread => {
                let slow = self.next().is_multiple_of(200);
                let (low, high) = if slow { (1200, 4000) } else { (900, 1200) };
                let permille = low + self.next() % (high - low + 1);
                (typical * permille as u32 / 1000).min(maximum)
            }
        }
    }

    /// The next pseudo-random number: splitmix64, by its public-domain definition.
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
