//! The system timer: DDI 0403E, section B3.3; PM0056 rev 6, section 4.5.
//!
//! Nothing counts while nobody looks: the value is computed from the cycles that have passed since
//! the timer was last touched.

/// What SYST_CALIB reads: 9000 counts of HCLK / 8 at 72 MHz are one millisecond (RM0008 rev 21,
/// section 10.1.1).
const CALIBRATION: u32 = 9000;

/// The counter's width: 24 bits.
const MASK: u32 = 0x00ff_ffff;

#[derive(Debug, Default)]
pub(super) struct SysTick {
    enabled: bool,
    /// Whether reaching zero raises the exception.
    interrupt: bool,
    /// Whether HCLK is counted; otherwise HCLK / 8.
    core_clock: bool,
    /// COUNTFLAG.
    counted: bool,
    reload: u32,
    /// The counter's value at cycle `since`.
    start: u32,
    since: u64,
    /// How often zero had been reached since `since` when it was last asked.
    seen: u64,
}

impl SysTick {
    /// SYST_CSR; reading it clears COUNTFLAG.
    pub(super) fn control(&mut self) -> u32 {
        let flag = std::mem::take(&mut self.counted);
        u32::from(flag) << 16
            | u32::from(self.core_clock) << 2
            | u32::from(self.interrupt) << 1
            | u32::from(self.enabled)
    }

    /// SYST_CSR.
    pub(super) fn set_control(&mut self, value: u32, cycle: u64) {
        self.rebase(cycle);
        self.enabled = value & 1 != 0;
        self.interrupt = value & 2 != 0;
        self.core_clock = value & 4 != 0;
    }

    /// SYST_RVR.
    pub(super) fn reload(&self) -> u32 {
        self.reload
    }

    /// SYST_RVR: takes effect when the counter wraps.
    pub(super) fn set_reload(&mut self, value: u32, cycle: u64) {
        self.rebase(cycle);
        self.reload = value & MASK;
    }

    /// SYST_CVR.
    pub(super) fn value(&self, cycle: u64) -> u32 {
        let counts = self.counts(cycle);
        let start = u64::from(self.start);
        if counts <= start {
            return (start - counts) as u32;
        }
        let period = u64::from(self.reload) + 1;
        self.reload - ((counts - start - 1) % period) as u32
    }

    /// SYST_CVR: any write clears the counter and COUNTFLAG and raises nothing.
    pub(super) fn clear(&mut self, cycle: u64) {
        self.start = 0;
        self.since = cycle;
        self.seen = 0;
        self.counted = false;
    }

    /// SYST_CALIB.
    pub(super) fn calibration(&self) -> u32 {
        CALIBRATION
    }

    /// Counts up to `cycle`; tells whether the exception is to be raised.
    pub(super) fn count_to(&mut self, cycle: u64) -> bool {
        if !self.enabled {
            return false;
        }
        let zeros = self.zeros(self.counts(cycle));
        if zeros == self.seen {
            return false;
        }
        self.seen = zeros;
        self.counted = true;
        self.interrupt
    }

    /// The cycle in which the exception is raised next.
    pub(super) fn next_interrupt(&self) -> Option<u64> {
        if !self.enabled || !self.interrupt {
            return None;
        }
        let start = u64::from(self.start);
        let period = u64::from(self.reload) + 1;
        let first = u64::from(start > 0);
        let counts = if self.seen < first {
            start
        } else if self.reload == 0 {
            return None;
        } else {
            start + (self.seen - first + 1) * period
        };
        Some(self.since + counts * self.divider())
    }

    /// So many cycles passed without a clock.
    pub(super) fn stand_still(&mut self, cycles: u64) {
        self.since += cycles;
    }

    fn divider(&self) -> u64 {
        if self.core_clock { 1 } else { 8 }
    }

    /// Counts since `since`.
    fn counts(&self, cycle: u64) -> u64 {
        if self.enabled {
            (cycle - self.since) / self.divider()
        } else {
            0
        }
    }

    /// How often zero is reached in `counts` counts.
    fn zeros(&self, counts: u64) -> u64 {
        let start = u64::from(self.start);
        let first = u64::from(start > 0);
        match counts.checked_sub(start) {
            None => 0,
            Some(_) if self.reload == 0 => first,
            Some(rest) => first + rest / (u64::from(self.reload) + 1),
        }
    }

    /// Makes the present value the new start.
    fn rebase(&mut self, cycle: u64) {
        self.start = self.value(cycle);
        self.since = cycle;
        self.seen = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(reload: u32) -> SysTick {
        let mut timer = SysTick::default();
        timer.set_reload(reload, 0);
        timer.clear(0);
        timer.set_control(0b111, 0);
        timer
    }

    #[test]
    fn it_reloads_one_count_after_zero() {
        let timer = running(3);
        let values: Vec<u32> = (0..9).map(|cycle| timer.value(cycle)).collect();
        assert_eq!(values, [0, 3, 2, 1, 0, 3, 2, 1, 0]);
    }

    #[test]
    fn the_interrupt_comes_every_reload_plus_one_cycles() {
        let mut timer = running(3);
        let mut raised = Vec::new();
        for cycle in 0..14 {
            let announced = timer.next_interrupt();
            if timer.count_to(cycle) {
                assert_eq!(announced, Some(cycle));
                raised.push(cycle);
            }
        }
        assert_eq!(raised, [4, 8, 12]);
    }

    #[test]
    fn reading_the_control_register_clears_the_count_flag() {
        let mut timer = running(3);
        timer.count_to(4);
        assert_eq!(timer.control(), 0x1_0007);
        assert_eq!(timer.control(), 0x0_0007);
    }

    #[test]
    fn the_slow_clock_counts_every_eighth_cycle() {
        let mut timer = running(3);
        timer.set_control(0b011, 0);
        assert_eq!(timer.value(8), 3);
        assert_eq!(timer.value(15), 3);
        assert_eq!(timer.value(16), 2);
        assert_eq!(timer.next_interrupt(), Some(32));
    }

    #[test]
    fn a_stopped_timer_keeps_its_value() {
        let mut timer = running(100);
        timer.set_control(0, 11);
        assert_eq!(timer.value(50), 90);
        timer.set_control(0b101, 60);
        assert_eq!(timer.value(70), 80);
    }
}
