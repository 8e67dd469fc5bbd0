//! General-purpose timers, and the advanced one as far as it is the same: RM0008 rev 21, chapters
//! 15 and 14.
//!
//! Counting up, down and both ways, repetition, one pulse, update and compare flags with interrupts
//! and DMA requests; what [pins](inputs) do to it. Not here: triggers by other timers and by the ETR
//! pin, and what the channels do to pins.
//!
//! Nothing counts while nobody looks: flags and value are computed from the time that has passed.

mod inputs;

use crate::time::Time;

use super::Refusal;

/// TIMx_CR1: section 15.4.1.
const CR1_CEN: u32 = 1 << 0;
const CR1_UDIS: u32 = 1 << 1;
const CR1_URS: u32 = 1 << 2;
const CR1_OPM: u32 = 1 << 3;
const CR1_DIR: u32 = 1 << 4;
const CR1_CMS: u32 = 3 << 5;
const CR1_ARPE: u32 = 1 << 7;

/// Flags of TIMx_SR and interrupts of TIMx_DIER: update, and channels 1 to 4 (sections 15.4.4 and
/// 15.4.5).
const UPDATE: u32 = 1 << 0;
const FLAGS: u32 = 0x1f;
/// A trigger: SR.TIF and DIER.TIE.
const TRIGGER: u32 = 1 << 6;
/// DMA requests stand eight bits above the interrupts.
const DMA_SHIFT: u32 = 8;

/// A timer.
#[derive(Debug, Default)]
pub(super) struct Timer {
    cr1: u32,
    cr2: u32,
    smcr: u32,
    dier: u32,
    sr: u32,
    ccmr: [u32; 2],
    ccer: u32,
    /// PSC as written and as in force.
    prescaler: u32,
    prescaler_shadow: u32,
    /// ARR as written and as in force.
    reload: u32,
    reload_shadow: u32,
    compare: [u32; 4],
    /// RCR, and how many periods there are still before an update event. Timers without the register
    /// leave it at zero.
    repetition: u32,
    periods_left: u32,
    break_register: u32,
    dma_control: u32,
    /// The counter's value at `since`.
    start: u32,
    since: Time,
    /// DMA requests that nobody has served yet.
    dma: u32,
    inputs: inputs::Inputs,
}

impl Timer {
    /// A timer out of reset.
    pub(super) fn new() -> Self {
        Self {
            reload: 0xffff,
            reload_shadow: 0xffff,
            ..Self::default()
        }
    }

    /// Whether its own clock makes it count. A reload value of zero blocks it (section 15.3.1).
    fn is_running(&self) -> bool {
        self.cr1 & CR1_CEN != 0 && self.reload_shadow != 0 && self.counts_its_clock()
    }

    /// Whether it counts up and down in turn.
    fn is_centred(&self) -> bool {
        self.cr1 & CR1_CMS != 0
    }

    /// After so many overflows and underflows everything is as before.
    fn updates_in_a_cycle(&self) -> u64 {
        let directions = if self.is_centred() { 2 } else { 1 };
        directions * u64::from(self.repetition + 1)
    }

    fn count_time(&self, clock: Time) -> Time {
        clock * u64::from(self.prescaler_shadow + 1)
    }

    /// Counts since `since`.
    fn counts(&self, now: Time, clock: Time) -> u64 {
        (now - self.since).periods(self.count_time(clock))
    }

    /// Counts to the next update event: overflow or underflow.
    fn counts_to_update(&self) -> u64 {
        let (start, top) = (u64::from(self.start), u64::from(self.reload_shadow));
        if self.is_centred() && self.cr1 & CR1_DIR != 0 {
            start.max(1)
        } else if self.is_centred() && start < top {
            top - start
        } else if self.cr1 & CR1_DIR != 0 {
            start + 1
        } else if start <= top {
            top - start + 1
        } else {
            // The reload value was set below the counter: it runs through 0xffff.
            0x1_0000 - start + top + 1
        }
    }

    /// Counts from one overflow or underflow to the next.
    fn period_counts(&self) -> u64 {
        u64::from(self.reload_shadow) + u64::from(!self.is_centred())
    }

    /// Value after `counts` counts without an update.
    fn value_after(&self, counts: u64) -> u32 {
        let counts = counts as u32;
        if self.cr1 & CR1_DIR != 0 {
            self.start.wrapping_sub(counts) & 0xffff
        } else {
            self.start.wrapping_add(counts) & 0xffff
        }
    }

    /// Counts to the moment in which the counter equals `value`, if that comes before an update.
    fn counts_to(&self, channel: usize) -> Option<u64> {
        let value = self.compare[channel];
        // Centred, it may flag one direction only (section 15.4.1, CMS).
        let flags_direction = match (self.cr1 & CR1_CMS) >> 5 {
            1 => self.cr1 & CR1_DIR != 0,
            2 => self.cr1 & CR1_DIR == 0,
            _ => true,
        };
        if self.is_input(channel) || !flags_direction {
            return None;
        }
        let distance = if self.cr1 & CR1_DIR != 0 {
            self.start.checked_sub(value)?
        } else {
            value.checked_sub(self.start)?
        };
        let distance = u64::from(distance);
        (distance > 0 && distance < self.counts_to_update()).then_some(distance)
    }

    /// Moves `since` up to `now`, setting the flags of what happened on the way.
    pub(super) fn follow(&mut self, now: Time, clock: Time) {
        // A timer that nobody looked at for long has many periods behind it. All of them are alike
        // but the first two: those after are skipped in one go.
        let mut full_periods = 0;
        while self.is_running() {
            let counts = self.counts(now, clock);
            let to_update = self.counts_to_update();
            let passed = counts.min(to_update);
            for channel in 0..4 {
                if self
                    .counts_to(channel)
                    .is_some_and(|distance| distance <= passed)
                {
                    self.raise(2 << channel);
                }
            }
            self.since += self.count_time(clock) * passed;
            if counts < to_update {
                self.start = self.value_after(passed);
                return;
            }
            self.update(true);
            full_periods += 1;
            let cycle = self.updates_in_a_cycle();
            if full_periods > cycle && self.is_running() {
                let period = self.count_time(clock) * (self.period_counts() * cycle);
                let skipped = (now - self.since).periods(period);
                self.since += period * skipped;
            }
        }
        self.since = now;
    }

    /// An overflow or underflow, or what software asks for: the counter begins again. Every so many
    /// times that is an update event, which loads the shadow registers (section 15.3.2; the repetition
    /// counter: section 14.3.3).
    fn update(&mut self, by_counter: bool) {
        let is_event = !by_counter || self.periods_left == 0;
        if is_event {
            self.periods_left = self.repetition;
        } else {
            self.periods_left -= 1;
        }
        if is_event && self.cr1 & CR1_UDIS == 0 {
            self.prescaler_shadow = self.prescaler;
            self.reload_shadow = self.reload;
            if by_counter || self.cr1 & CR1_URS == 0 {
                self.raise(UPDATE);
            }
        }
        if is_event && by_counter && self.cr1 & CR1_OPM != 0 {
            self.cr1 &= !CR1_CEN;
        }
        if self.is_centred() {
            // It turns round; software lets it begin from below.
            if by_counter {
                self.cr1 ^= CR1_DIR;
            } else {
                self.cr1 &= !CR1_DIR;
            }
        }
        let begins_at_top = self.cr1 & CR1_DIR != 0;
        self.start = if begins_at_top { self.reload_shadow } else { 0 };
        // The counter equals these the moment it begins.
        for channel in 0..4 {
            if self.compare[channel] == self.start && by_counter && !self.is_input(channel) {
                self.raise(2 << channel);
            }
        }
    }

    fn raise(&mut self, flag: u32) {
        self.sr |= flag;
        self.dma |= self.dier >> DMA_SHIFT & flag;
    }

    pub(super) fn read(&mut self, offset: u32, now: Time, clock: Time) -> Option<u32> {
        self.follow(now, clock);
        Some(match offset {
            0x00 => self.cr1,
            0x04 => self.cr2,
            0x08 => self.smcr,
            0x0c => self.dier,
            0x10 => self.sr,
            // EGR is write-only.
            0x14 => 0,
            0x18 | 0x1c => self.ccmr[(offset as usize - 0x18) / 4],
            0x20 => self.ccer,
            0x24 => self.start,
            0x28 => self.prescaler,
            0x2c => self.reload,
            0x30 => self.repetition,
            0x34..=0x40 => self.read_channel((offset as usize - 0x34) / 4),
            0x44 => self.break_register,
            0x48 => self.dma_control,
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
        self.follow(now, clock);
        let value = value & 0xffff;
        match offset {
            0x00 => self.write_control(value),
            0x04 => self.cr2 = value,
            0x08 => self.write_slave_mode(value)?,
            0x0c => self.dier = value & 0x5f5f,
            0x10 => self.sr &= value,
            0x14 => {
                self.sr |= value & (FLAGS | TRIGGER) & !UPDATE;
                if value & UPDATE != 0 {
                    self.update(false);
                }
            }
            0x18 | 0x1c => {
                let index = (offset as usize - 0x18) / 4;
                self.ccmr[index] = value;
            }
            0x20 => self.ccer = value,
            0x24 => self.start = value,
            0x28 => self.prescaler = value,
            0x2c => {
                self.reload = value;
                if self.cr1 & CR1_ARPE == 0 {
                    self.reload_shadow = value;
                }
            }
            0x30 => self.repetition = value & 0xff,
            0x34..=0x40 => self.compare[(offset as usize - 0x34) / 4] = value,
            0x44 => self.break_register = value,
            0x48 => self.dma_control = value,
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    /// Section 15.4.1. The direction is the counter's own where it changes it.
    fn write_control(&mut self, value: u32) {
        let kept = if self.is_centred() || value & CR1_CMS != 0 || self.follows_an_encoder() {
            CR1_DIR
        } else {
            0
        };
        self.cr1 = self.cr1 & kept | value & 0x3ff & !kept;
    }

    /// When a flag will be set that an interrupt or a DMA request waits for.
    pub(super) fn next_event(&self, clock: Time) -> Time {
        if !self.is_running() {
            return Time::NEVER;
        }
        let wanted = self.dier & !self.sr & FLAGS | self.dier >> DMA_SHIFT & FLAGS;
        if wanted == 0 {
            return Time::NEVER;
        }
        // With a repetition counter it may be that nothing is to be seen then: looking is enough.
        let mut counts = self.counts_to_update();
        for channel in 0..4 {
            if wanted & 2 << channel != 0
                && let Some(distance) = self.counts_to(channel)
            {
                counts = counts.min(distance);
            }
        }
        self.since + self.count_time(clock) * counts
    }

    /// Whether it raises its interrupt, update and channels together.
    pub(super) fn interrupts(&self) -> u32 {
        self.sr & self.dier & (FLAGS | TRIGGER)
    }

    /// DMA requests: bit 0 update, bits 1 to 4 the channels.
    pub(super) fn dma_requests(&self) -> u32 {
        self.dma
    }

    /// A DMA request was served.
    pub(super) fn serve_dma(&mut self, requests: u32) {
        self.dma &= !requests;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CR1: u32 = 0x00;
    const DIER: u32 = 0x0c;
    const SR: u32 = 0x10;
    const EGR: u32 = 0x14;
    const CNT: u32 = 0x24;
    const PSC: u32 = 0x28;
    const ARR: u32 = 0x2c;
    const CCR1: u32 = 0x34;
    const CLOCK: Time = Time::period_of(72_000_000);

    /// One count is a microsecond.
    fn microseconds(reload: u32, cr1: u32) -> Timer {
        let mut timer = Timer::new();
        timer.write(PSC, 71, Time::ZERO, CLOCK).unwrap();
        timer.write(ARR, reload, Time::ZERO, CLOCK).unwrap();
        timer.write(EGR, 1, Time::ZERO, CLOCK).unwrap();
        timer.write(SR, 0, Time::ZERO, CLOCK).unwrap();
        timer.write(CR1, CR1_CEN | cr1, Time::ZERO, CLOCK).unwrap();
        timer
    }

    fn count(timer: &mut Timer, us: u64) -> u32 {
        timer.read(CNT, Time::from_micros(us), CLOCK).unwrap()
    }

    #[test]
    fn it_counts_to_its_reload_value_and_begins_again() {
        let mut timer = microseconds(9, 0);
        assert_eq!(count(&mut timer, 9), 9);
        assert_eq!(timer.read(SR, Time::from_micros(9), CLOCK), Some(0));
        assert_eq!(count(&mut timer, 10), 0);
        assert_eq!(
            timer.read(SR, Time::from_micros(10), CLOCK).unwrap() & UPDATE,
            1
        );
        assert_eq!(count(&mut timer, 1_000_000_003), 3);
    }

    #[test]
    fn counting_down_ends_at_zero() {
        let mut timer = microseconds(9, CR1_DIR);
        timer.write(CNT, 9, Time::ZERO, CLOCK).unwrap();
        assert_eq!(count(&mut timer, 9), 0);
        assert_eq!(count(&mut timer, 10), 9);
    }

    #[test]
    fn the_update_interrupt_comes_when_it_is_announced() {
        let mut timer = microseconds(999, 0);
        timer.write(DIER, UPDATE, Time::ZERO, CLOCK).unwrap();
        let due = timer.next_event(CLOCK);
        assert_eq!(due, Time::from_millis(1));
        timer.follow(due, CLOCK);
        assert_eq!(timer.interrupts(), UPDATE);
        assert_eq!(
            timer.next_event(CLOCK),
            Time::NEVER,
            "not before it is cleared"
        );
        timer.write(SR, 0, due, CLOCK).unwrap();
        assert_eq!(timer.next_event(CLOCK), Time::from_millis(2));
    }

    #[test]
    fn centred_it_counts_up_and_down_in_turn() {
        // Mode 1: compare flags on the way down.
        let mut timer = microseconds(10, 1 << 5);
        timer.write(CCR1, 4, Time::ZERO, CLOCK).unwrap();
        assert_eq!(count(&mut timer, 7), 7);
        assert_eq!(timer.read(SR, Time::from_micros(7), CLOCK), Some(0));
        assert_eq!(count(&mut timer, 10), 10);
        let cr1 = timer.read(CR1, Time::from_micros(11), CLOCK).unwrap();
        assert_eq!(cr1 & CR1_DIR, CR1_DIR);
        assert_eq!(count(&mut timer, 13), 7);
        assert_eq!(timer.read(SR, Time::from_micros(15), CLOCK), Some(UPDATE));
        assert_eq!(
            timer.read(SR, Time::from_micros(16), CLOCK),
            Some(UPDATE | 2)
        );
        assert_eq!(count(&mut timer, 20), 0);
        assert_eq!(count(&mut timer, 23), 3);
        assert_eq!(count(&mut timer, 20_000_013), 7);
    }

    #[test]
    fn the_repetition_counter_lets_update_events_through_now_and_then() {
        let mut timer = microseconds(9, 0);
        timer.write(0x30, 2, Time::ZERO, CLOCK).unwrap();
        timer.write(EGR, 1, Time::ZERO, CLOCK).unwrap();
        timer.write(SR, 0, Time::ZERO, CLOCK).unwrap();
        for us in [10, 20, 29] {
            let flags = timer.read(SR, Time::from_micros(us), CLOCK).unwrap();
            assert_eq!(flags & UPDATE, 0, "{us}");
        }
        let flags = timer.read(SR, Time::from_micros(30), CLOCK).unwrap();
        assert_eq!(flags & UPDATE, UPDATE);
        assert_eq!(count(&mut timer, 300_000_005), 5);
        timer
            .write(SR, 0, Time::from_micros(300_000_005), CLOCK)
            .unwrap();
        let flags = |timer: &mut Timer, us| timer.read(SR, Time::from_micros(us), CLOCK);
        assert_eq!(flags(&mut timer, 300_000_029).unwrap() & UPDATE, 0);
        assert_eq!(flags(&mut timer, 300_000_030).unwrap() & UPDATE, UPDATE);
    }

    #[test]
    fn a_reload_value_of_zero_blocks_it() {
        let mut timer = microseconds(0, 0);
        assert_eq!(timer.read(SR, Time::SECOND, CLOCK), Some(0));
        assert_eq!(timer.next_event(CLOCK), Time::NEVER);
    }

    #[test]
    fn one_pulse_stops_it() {
        let mut timer = microseconds(9, CR1_OPM);
        assert_eq!(count(&mut timer, 500), 0);
        let stopped = timer.read(CR1, Time::from_micros(500), CLOCK).unwrap();
        assert_eq!(stopped & CR1_CEN, 0);
    }

    #[test]
    fn a_compare_value_raises_its_flag() {
        let mut timer = microseconds(99, 0);
        timer.write(CCR1, 40, Time::ZERO, CLOCK).unwrap();
        timer.write(DIER, 2, Time::ZERO, CLOCK).unwrap();
        assert_eq!(timer.next_event(CLOCK), Time::from_micros(40));
        timer.follow(Time::from_micros(39), CLOCK);
        assert_eq!(timer.interrupts(), 0);
        timer.follow(Time::from_micros(40), CLOCK);
        assert_eq!(timer.interrupts(), 2);
    }

    #[test]
    fn a_preloaded_reload_value_waits_for_the_update() {
        let mut timer = microseconds(9, CR1_ARPE);
        timer.write(ARR, 4, Time::from_micros(1), CLOCK).unwrap();
        assert_eq!(count(&mut timer, 9), 9);
        assert_eq!(count(&mut timer, 15), 0);
    }
}
