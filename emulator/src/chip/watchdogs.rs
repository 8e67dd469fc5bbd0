//! IWDG and WWDG: RM0008 rev 21, chapters 19 and 20.

use crate::time::Time;

use super::Refusal;

/// The internal low-speed oscillator, typical: DS5319 rev 18, table 25.
const LSI_PERIOD: Time = Time::period_of(40_000);

/// How long PVU and RVU stay set: up to five LSI periods (section 19.4.4).
const UPDATE: Time = Time::from_micros(125);

/// The independent watchdog.
#[derive(Debug)]
pub(super) struct Iwdg {
    unlocked: bool,
    prescaler: u32,
    reload: u32,
    prescaler_update: Time,
    reload_update: Time,
    /// When it bites, once it runs.
    deadline: Option<Time>,
}

impl Default for Iwdg {
    fn default() -> Self {
        Self {
            unlocked: false,
            prescaler: 0,
            reload: 0xfff,
            prescaler_update: Time::ZERO,
            reload_update: Time::ZERO,
            deadline: None,
        }
    }
}

impl Iwdg {
    pub(super) fn read(&self, offset: u32, now: Time) -> Option<u32> {
        Some(match offset {
            // KR is write-only.
            0x00 => 0,
            0x04 => self.prescaler,
            0x08 => self.reload,
            0x0c => {
                u32::from(now < self.prescaler_update) | u32::from(now < self.reload_update) << 1
            }
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, value: u32, now: Time) -> Result<(), Refusal> {
        match (offset, value & 0xffff) {
            // Section 19.4.1.
            (0x00, 0x5555) => self.unlocked = true,
            (0x00, 0xaaaa) => {
                self.unlocked = false;
                if self.deadline.is_some() {
                    self.feed(now);
                }
            }
            (0x00, 0xcccc) => {
                self.unlocked = false;
                self.feed(now);
            }
            (0x00, _) => self.unlocked = false,
            (0x04 | 0x08, _) if !self.unlocked => {
                return Err(Refusal::Mistake(
                    "IWDG_PR or IWDG_RLR was written while locked",
                ));
            }
            (0x04, value) => {
                self.prescaler = value & 7;
                self.prescaler_update = now + UPDATE;
            }
            (0x08, value) => {
                self.reload = value & 0xfff;
                self.reload_update = now + UPDATE;
            }
            (0x0c, _) => {}
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    /// Table 96: the counter runs at LSI / 4, 8, up to 256.
    fn feed(&mut self, now: Time) {
        let divider = 4 << self.prescaler.min(6);
        self.deadline = Some(now + LSI_PERIOD * (divider * u64::from(self.reload + 1)));
    }

    pub(super) fn next_event(&self) -> Time {
        self.deadline.unwrap_or(Time::NEVER)
    }

    /// Whether it has bitten by `now`.
    pub(super) fn bites(&self, now: Time) -> bool {
        self.next_event() <= now
    }
}

/// WWDG_CR.WDGA: section 20.6.1.
const CR_ACTIVE: u32 = 1 << 7;
/// The counter resets the chip when it goes below 0x40.
const LOWEST: u32 = 0x40;

/// The window watchdog.
#[derive(Debug)]
pub(super) struct Wwdg {
    active: bool,
    /// The counter's value at `since`.
    start: u32,
    since: Time,
    /// CFR without EWI: WDGTB and the window.
    configuration: u32,
    early: bool,
    early_flag: bool,
    /// It was fed outside its window.
    violated: bool,
}

impl Default for Wwdg {
    fn default() -> Self {
        Self {
            active: false,
            start: 0x7f,
            since: Time::ZERO,
            configuration: 0x7f,
            early: false,
            early_flag: false,
            violated: false,
        }
    }
}

impl Wwdg {
    /// One count: PCLK1 / 4096 / 2^WDGTB (section 20.4).
    fn count(&self, clock: Time) -> Time {
        clock * (4096 << (self.configuration >> 7 & 3))
    }

    fn value(&self, now: Time, clock: Time) -> u32 {
        if !self.active {
            return self.start;
        }
        let counts = (now - self.since).periods(self.count(clock));
        self.start.saturating_sub(counts.min(127) as u32)
    }

    pub(super) fn read(&self, offset: u32, now: Time, clock: Time) -> Option<u32> {
        Some(match offset {
            0x00 => {
                let active = if self.active { CR_ACTIVE } else { 0 };
                active | self.value(now, clock)
            }
            0x04 => self.configuration | u32::from(self.early) << 9,
            0x08 => u32::from(self.early_flag),
            _ => return None,
        })
    }

    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Time,
        clock: Time,
    ) -> Result<(), Refusal> {
        match offset {
            0x00 => {
                let window = self.configuration & 0x7f;
                self.violated |= self.active && self.value(now, clock) > window;
                // Once active it stays so; a counter below 0x40 resets at once.
                self.active |= value & CR_ACTIVE != 0;
                self.start = value & 0x7f;
                self.since = now;
                self.violated |= self.active && self.start < LOWEST;
            }
            0x04 => {
                self.start = self.value(now, clock);
                self.since = now;
                self.configuration = value & 0x1ff;
                self.early |= value & 1 << 9 != 0;
            }
            0x08 => self.early_flag &= value & 1 != 0,
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    /// When the counter reaches `value`.
    fn at(&self, value: u32, clock: Time) -> Time {
        if !self.active || self.start < value {
            return Time::NEVER;
        }
        self.since + self.count(clock) * u64::from(self.start - value)
    }

    pub(super) fn next_event(&self, clock: Time) -> Time {
        if self.violated {
            return Time::ZERO;
        }
        let warning = if self.early_flag {
            Time::NEVER
        } else {
            self.at(LOWEST, clock)
        };
        warning.min(self.at(LOWEST - 1, clock))
    }

    /// Does what is due; tells whether it bites.
    pub(super) fn service(&mut self, now: Time, clock: Time) -> bool {
        if self.at(LOWEST, clock) <= now {
            self.early_flag = true;
        }
        self.violated || self.at(LOWEST - 1, clock) <= now
    }

    pub(super) fn interrupts(&self) -> bool {
        self.early && self.early_flag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_independent_watchdog_bites_after_its_time_unless_it_is_fed() {
        let mut iwdg = Iwdg::default();
        iwdg.write(0x00, 0x5555, Time::ZERO).unwrap();
        iwdg.write(0x04, 1, Time::ZERO).unwrap();
        iwdg.write(0x08, 999, Time::ZERO).unwrap();
        assert_eq!(iwdg.read(0x0c, Time::ZERO), Some(3));
        assert_eq!(iwdg.read(0x0c, Time::MILLISECOND), Some(0));
        iwdg.write(0x00, 0xcccc, Time::ZERO).unwrap();
        // 40 kHz / 8, 1000 counts.
        assert_eq!(iwdg.next_event(), Time::from_millis(200));
        iwdg.write(0x00, 0xaaaa, Time::from_millis(150)).unwrap();
        assert!(!iwdg.bites(Time::from_millis(349)));
        assert!(iwdg.bites(Time::from_millis(350)));
    }

    #[test]
    fn its_registers_are_locked() {
        let mut iwdg = Iwdg::default();
        assert!(iwdg.write(0x08, 5, Time::ZERO).is_err());
        assert_eq!(iwdg.read(0x08, Time::ZERO), Some(0xfff));
    }

    #[test]
    fn the_window_watchdog_bites_early_and_late() {
        let clock = Time::period_of(36_000_000);
        let count = clock * 4096;
        let mut late = Wwdg::default();
        late.write(0x00, 0xff, Time::ZERO, clock).unwrap();
        assert!(!late.service(count * 63, clock));
        assert!(late.service(count * 64, clock));
        let mut early = Wwdg::default();
        early.write(0x04, 0x50, Time::ZERO, clock).unwrap();
        early.write(0x00, 0xff, Time::ZERO, clock).unwrap();
        early.write(0x00, 0xff, count, clock).unwrap();
        assert!(early.service(count, clock));
    }
}
