//! Emulated time, exact in every clock of the chip.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

/// Ticks in one second: 12 MHz (the bit rate of full-speed USB) times the least common multiple of
/// 1 to 16 (the factors of the PLL, RM0008 rev 21, section 7.3.2).
///
/// Every clock that an 8 MHz crystal, the 8 MHz oscillator, the PLL and the bus prescalers can make
/// has a whole number of ticks in its period, so that nothing is ever rounded.
const TICKS_PER_SECOND: u64 = 12_000_000 * 720_720;

/// A moment since power-on, or a length of time.
///
/// 64 bits hold 24 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// Power-on; no time at all.
    pub const ZERO: Self = Self(0);
    /// Later than everything: "never".
    pub const NEVER: Self = Self(u64::MAX);
    /// One microsecond.
    pub const MICROSECOND: Self = Self(TICKS_PER_SECOND / 1_000_000);
    /// One millisecond.
    pub const MILLISECOND: Self = Self(TICKS_PER_SECOND / 1_000);
    /// One second.
    pub const SECOND: Self = Self(TICKS_PER_SECOND);

    /// The period of a clock of `hz`, to the nearest tick below. A clock that stands still (0 Hz)
    /// has an endless one.
    pub const fn period_of(hz: u64) -> Self {
        match TICKS_PER_SECOND.checked_div(hz) {
            Some(ticks) => Self(ticks),
            None => Self::NEVER,
        }
    }

    /// `count` microseconds.
    pub const fn from_micros(count: u64) -> Self {
        Self(Self::MICROSECOND.0.saturating_mul(count))
    }

    /// `count` nanoseconds, to the nearest tick below.
    pub const fn from_nanos(count: u64) -> Self {
        Self((TICKS_PER_SECOND / 1_000_000).saturating_mul(count) / 1_000)
    }

    /// `count` milliseconds.
    pub const fn from_millis(count: u64) -> Self {
        Self(Self::MILLISECOND.0.saturating_mul(count))
    }

    /// The same length as a [`Duration`](std::time::Duration), to the nearest tick below.
    pub fn from_duration(duration: std::time::Duration) -> Self {
        let ticks = duration.as_nanos() * u128::from(TICKS_PER_SECOND) / 1_000_000_000;
        Self(u64::try_from(ticks).unwrap_or(u64::MAX))
    }

    /// The same length in whole nanoseconds, rounded down.
    pub fn as_duration(self) -> std::time::Duration {
        let nanos = u128::from(self.0) * 1_000_000_000 / u128::from(TICKS_PER_SECOND);
        std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Seconds, for people: printing and rates.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / TICKS_PER_SECOND as f64
    }

    /// How many whole periods of `period` fit in this length; 0 for a clock that stands still.
    #[inline]
    pub const fn periods(self, period: Self) -> u64 {
        match self.0.checked_div(period.0) {
            Some(count) => count,
            None => 0,
        }
    }

    /// How many periods of `period` are needed to cover this length.
    #[inline]
    pub const fn periods_to_cover(self, period: Self) -> u64 {
        if period.0 == 0 {
            return 0;
        }
        self.0.div_ceil(period.0)
    }

    /// The moment `count` periods later. Not checked against the end of time: for the one place
    /// that goes there step by step.
    #[inline]
    pub(crate) const fn after(self, period: Self, count: u64) -> Self {
        Self(self.0.wrapping_add(period.0.wrapping_mul(count)))
    }

    /// Half of this length, to the nearest tick below.
    pub const fn halved(self) -> Self {
        Self(self.0 / 2)
    }

    /// This length less `other`, or no time at all if `other` is longer.
    #[inline]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Time {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Time {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Time {
    type Output = Self;

    /// Time from `other` to `self`.
    ///
    /// # Panics
    /// In debug builds if `other` is the later one.
    #[inline]
    fn sub(self, other: Self) -> Self {
        debug_assert!(self.0 >= other.0, "time runs forward");
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for Time {
    type Output = Self;

    #[inline]
    fn mul(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl fmt::Display for Time {
    /// Milliseconds with nanosecond digits: `12.345678 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.as_duration().as_nanos();
        write!(f, "{}.{:06} ms", nanos / 1_000_000, nanos % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clock_an_8_mhz_crystal_can_make_is_exact() {
        for base_hz in [4_000_000, 8_000_000] {
            for factor in 2..=16 {
                let hz = base_hz * factor;
                if hz > 72_000_000 {
                    continue;
                }
                for shift in 0..=9 {
                    let period = Time::period_of(hz) * (1 << shift);
                    assert_eq!(
                        Time::SECOND.0 << shift,
                        period.0 * hz,
                        "{hz} Hz / 2^{shift}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_usb_bit_is_six_cycles_of_72_mhz() {
        assert_eq!(Time::period_of(12_000_000), Time::period_of(72_000_000) * 6);
    }

    #[test]
    fn durations_survive_the_way_there_and_back() {
        let duration = std::time::Duration::from_nanos(700_125);
        assert_eq!(Time::from_duration(duration).as_duration(), duration);
    }
}
