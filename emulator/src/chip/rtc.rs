//! The real-time clock: RM0008 rev 21, chapter 18. It lives in the backup domain and outlives resets.
//!
//! Nothing counts while nobody looks: flags and counter are computed from the time that has passed.

use crate::time::Time;

use super::Refusal;

/// Flags of RTC_CRL and interrupts of RTC_CRH: second, alarm, overflow (sections 18.4.1 and 18.4.2).
const SECOND: u32 = 1 << 0;
const ALARM: u32 = 1 << 1;
const OVERFLOW: u32 = 1 << 2;
const FLAGS: u32 = SECOND | ALARM | OVERFLOW;
/// RTC_CRL: the registers are synchronised with the clock.
const CRL_RSF: u32 = 1 << 3;
/// RTC_CRL: the program may write counter, prescaler and alarm.
const CRL_CNF: u32 = 1 << 4;
/// RTC_CRL: the last write is done. Here it always is.
const CRL_RTOFF: u32 = 1 << 5;

/// The clock.
#[derive(Debug)]
pub(super) struct Rtc {
    flags: u32,
    interrupts: u32,
    configuring: bool,
    /// RSF is set from here on.
    synchronised: Option<Time>,
    reload: u32,
    alarm: u32,
    /// The counter's value at `since`, the beginning of a second.
    counter: u32,
    since: Time,
}

impl Rtc {
    /// As after a reset of the backup domain.
    pub(super) fn new(now: Time) -> Self {
        Self {
            flags: 0,
            interrupts: 0,
            configuring: false,
            synchronised: None,
            reload: 0x8000,
            alarm: u32::MAX,
            counter: 0,
            since: now,
        }
    }

    fn second(&self, clock: Time) -> Time {
        clock * u64::from(self.reload + 1)
    }

    /// Counts up to `now`. `clock` is the period of what is counted, if it runs.
    pub(super) fn follow(&mut self, now: Time, clock: Option<Time>) {
        let Some(clock) = clock else {
            self.since = now;
            return;
        };
        let second = self.second(clock);
        let seconds = now.saturating_sub(self.since).periods(second);
        if seconds == 0 {
            return;
        }
        self.since += second * seconds;
        self.flags |= SECOND;
        let to_alarm = u64::from(self.alarm.wrapping_sub(self.counter));
        // The counter stands on the alarm already: the next time is a whole round away.
        if to_alarm != 0 && to_alarm <= seconds {
            self.flags |= ALARM;
        }
        let sum = u64::from(self.counter) + seconds;
        if sum > u64::from(u32::MAX) {
            self.flags |= OVERFLOW;
        }
        self.counter = sum as u32;
    }

    /// When a flag will be set that somebody may wait for.
    pub(super) fn next_event(&self, clock: Option<Time>) -> Time {
        let Some(clock) = clock else {
            return Time::NEVER;
        };
        let second = self.second(clock);
        if self.interrupts & (SECOND | OVERFLOW) & !self.flags != 0 {
            return self.since + second;
        }
        if self.flags & ALARM != 0 {
            return Time::NEVER;
        }
        match self.alarm.wrapping_sub(self.counter) {
            0 => Time::NEVER,
            seconds => self.since + second * u64::from(seconds),
        }
    }

    pub(super) fn read(&mut self, offset: u32, now: Time, clock: Option<Time>) -> Option<u32> {
        self.follow(now, clock);
        // What is left of the second.
        let left = || match clock {
            Some(clock) => {
                let passed = now.saturating_sub(self.since).periods(clock);
                self.reload.saturating_sub(passed as u32)
            }
            None => self.reload,
        };
        Some(match offset {
            0x00 => self.interrupts,
            0x04 => {
                let synchronised = self.synchronised.is_some_and(|moment| moment <= now);
                let flag = |set: bool, bit: u32| if set { bit } else { 0 };
                self.flags
                    | CRL_RTOFF
                    | flag(synchronised, CRL_RSF)
                    | flag(self.configuring, CRL_CNF)
            }
            // PRL and ALR are write-only.
            0x08 | 0x0c | 0x20 | 0x24 => 0,
            0x10 => left() >> 16 & 0xf,
            0x14 => left() & 0xffff,
            0x18 => self.counter >> 16,
            0x1c => self.counter & 0xffff,
            _ => return None,
        })
    }

    /// Writes a register. `open`: whether PWR_CR.DBP lets anybody write here.
    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Time,
        clock: Option<Time>,
        open: bool,
    ) -> Result<(), Refusal> {
        self.follow(now, clock);
        if !open && !matches!(offset, 0x00 | 0x04) {
            return Err(Refusal::Mistake(
                "RTC was written while PWR_CR.DBP was clear",
            ));
        }
        match offset {
            0x00 => self.interrupts = value & FLAGS,
            0x04 => {
                self.flags &= value;
                self.configuring = value & CRL_CNF != 0;
                if value & CRL_RSF == 0 {
                    // The next edge of the clock sets it; without one nothing does.
                    self.synchronised = clock.map(|clock| now + clock);
                }
            }
            0x08..=0x24 if !self.configuring => {
                return Err(Refusal::Mistake(
                    "a counter of RTC was written while RTC_CRL.CNF was clear",
                ));
            }
            0x08 => self.reload = self.reload & 0xffff | (value & 0xf) << 16,
            0x0c => self.reload = self.reload & !0xffff | value & 0xffff,
            0x18 => self.set_counter(self.counter & 0xffff | value << 16, now),
            0x1c => self.set_counter(self.counter & !0xffff | value & 0xffff, now),
            0x20 => self.alarm = self.alarm & 0xffff | value << 16,
            0x24 => self.alarm = self.alarm & !0xffff | value & 0xffff,
            // DIV is read-only.
            0x10 | 0x14 => {}
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    fn set_counter(&mut self, value: u32, now: Time) {
        self.counter = value;
        self.since = now;
    }

    /// The line of the RTC's interrupt.
    pub(super) fn interrupts(&self) -> bool {
        self.flags & self.interrupts != 0
    }

    /// The line to EXTI 17.
    pub(super) fn rings(&self) -> bool {
        self.flags & ALARM != 0
    }

    /// The bus was reset: the counters go on, the interrupts are off, and the registers have to be
    /// synchronised again (section 18.3.3).
    pub(super) fn reset_bus(&mut self) {
        self.interrupts = 0;
        self.configuring = false;
        self.synchronised = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRH: u32 = 0x00;
    const CRL: u32 = 0x04;
    const PRLL: u32 = 0x0c;
    const CNTL: u32 = 0x1c;
    const ALRL: u32 = 0x24;

    /// The usual crystal.
    const CLOCK: Option<Time> = Some(Time::period_of(32_768));

    fn write(rtc: &mut Rtc, offset: u32, value: u32) {
        rtc.write(offset, value, Time::ZERO, CLOCK, true).unwrap();
    }

    /// Counts seconds from 0, with the alarm at 3.
    fn running() -> Rtc {
        let mut rtc = Rtc::new(Time::ZERO);
        write(&mut rtc, CRL, CRL_CNF);
        for (offset, value) in [(0x08, 0), (PRLL, 32_767), (0x20, 0), (ALRL, 3)] {
            write(&mut rtc, offset, value);
        }
        write(&mut rtc, CRL, 0);
        rtc
    }

    /// Just behind so many seconds: the period of the crystal is no whole number of ticks.
    fn after(seconds: u64) -> Time {
        Time::from_millis(1000 * seconds + 1)
    }

    #[test]
    fn seconds_are_counted_and_flagged() {
        let mut rtc = running();
        assert_eq!(rtc.read(CNTL, after(2), CLOCK), Some(2));
        assert_eq!(rtc.read(CRL, after(2), CLOCK).unwrap() & FLAGS, SECOND);
        assert_eq!(rtc.read(CNTL, Time::from_millis(3_990), CLOCK), Some(3));
    }

    #[test]
    fn the_alarm_rings_when_the_counter_gets_there() {
        let mut rtc = running();
        let rings = rtc.next_event(CLOCK);
        assert!(
            (Time::from_millis(2_990)..after(3)).contains(&rings),
            "{rings}"
        );
        rtc.follow(rings, CLOCK);
        assert!(rtc.rings());
        assert!(!rtc.interrupts());
        write_at(&mut rtc, CRH, ALARM, rings);
        assert!(rtc.interrupts());
    }

    fn write_at(rtc: &mut Rtc, offset: u32, value: u32, now: Time) {
        rtc.write(offset, value, now, CLOCK, true).unwrap();
    }

    #[test]
    fn registers_are_synchronised_at_the_next_edge_of_the_clock() {
        let mut rtc = running();
        assert_eq!(rtc.read(CRL, Time::ZERO, CLOCK).unwrap() & CRL_RSF, 0);
        let edge = Time::from_micros(31);
        assert_ne!(rtc.read(CRL, edge, CLOCK).unwrap() & CRL_RSF, 0);
        rtc.write(CRL, 0, edge, None, true).unwrap();
        assert_eq!(rtc.read(CRL, after(9), None).unwrap() & CRL_RSF, 0);
    }

    #[test]
    fn counters_are_written_in_configuration_mode_and_behind_an_open_door_only() {
        let mut rtc = running();
        let write = |rtc: &mut Rtc, open| rtc.write(CNTL, 7, Time::ZERO, CLOCK, open);
        assert!(write(&mut rtc, true).is_err());
        rtc.write(CRL, CRL_CNF, Time::ZERO, CLOCK, true).unwrap();
        assert!(write(&mut rtc, false).is_err());
        assert!(write(&mut rtc, true).is_ok());
        assert_eq!(rtc.read(CNTL, Time::ZERO, CLOCK), Some(7));
    }

    #[test]
    fn the_counter_overflows() {
        let mut rtc = running();
        write(&mut rtc, CRL, CRL_CNF);
        write(&mut rtc, 0x18, 0xffff);
        write(&mut rtc, CNTL, 0xffff);
        write(&mut rtc, CRL, 0);
        rtc.follow(after(1), CLOCK);
        assert_eq!(rtc.counter, 0);
        assert_ne!(rtc.flags & OVERFLOW, 0);
    }
}
