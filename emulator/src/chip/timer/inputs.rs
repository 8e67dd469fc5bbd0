//! What the pins of a timer do to it: capture, and the slave modes (RM0008 rev 21, sections 15.3.5,
//! 15.3.12, 15.3.14 and 15.4.3).
//!
//! The filters take no time.

use crate::chip::Refusal;
use crate::time::Time;

use super::{CR1_CEN, CR1_DIR, TRIGGER, Timer};

/// TIMx_SMCR: section 15.4.3. SMS and TS.
const SMCR_SMS: u32 = 7;
/// Modes in which something else than the internal clock counts.
const ENCODER_ON_TI2: u32 = 1;
const ENCODER_ON_TI1: u32 = 2;
const ENCODER: u32 = 3;
const RESET: u32 = 4;
const GATED: u32 = 5;
const TRIGGERED: u32 = 6;
const CLOCKED: u32 = 7;
/// Triggers that come from the timer's own pins: TI1F_ED, TI1FP1, TI2FP2.
const TI1_EDGES: u32 = 4;
const TI1: u32 = 5;
const TI2: u32 = 6;
/// SMCR.ECE: the ETR pin is the clock.
const SMCR_ECE: u32 = 1 << 14;
/// TIMx_CCMR.CCxS of both channels: not zero for an input.
const CCMR_INPUTS: u32 = 0x0303;
/// SR.CC1OF: a capture was not read before the next.
const OVERCAPTURE: u32 = 1 << 9;

/// The levels of the four inputs and what was counted of them.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    levels: u8,
    /// Edges of each channel since its last capture.
    edges: [u8; 4],
    /// Pulses of an outside clock since the last count.
    pulses: u32,
}

impl Timer {
    /// Whether the pins can do anything to it.
    pub(in crate::chip) fn listens(&self) -> bool {
        self.smcr & SMCR_SMS != 0 || (self.ccmr[0] | self.ccmr[1]) & CCMR_INPUTS != 0
    }

    /// Whether a channel is an input: CCMRx.CCxS.
    pub(super) fn is_input(&self, channel: usize) -> bool {
        self.channel_mode(channel) & 3 != 0
    }

    fn channel_mode(&self, channel: usize) -> u32 {
        self.ccmr[channel / 2] >> (8 * (channel % 2)) & 0xff
    }

    fn mode(&self) -> u32 {
        self.smcr & SMCR_SMS
    }

    /// Whether an encoder counts.
    pub(super) fn follows_an_encoder(&self) -> bool {
        matches!(self.mode(), ENCODER_ON_TI2..=ENCODER)
    }

    /// Whether the internal clock counts now.
    pub(super) fn counts_its_clock(&self) -> bool {
        match self.mode() {
            ENCODER_ON_TI2..=ENCODER | CLOCKED => false,
            GATED => self.trigger(self.inputs.levels),
            _ => true,
        }
    }

    pub(super) fn write_slave_mode(&mut self, value: u32) -> Result<(), Refusal> {
        if value & SMCR_ECE != 0 {
            return Err(Refusal::NotModelled("a timer clocked by its ETR pin"));
        }
        let needs_trigger = matches!(value & SMCR_SMS, RESET..=CLOCKED);
        if needs_trigger && !matches!(value >> 4 & 7, TI1_EDGES..=TI2) {
            return Err(Refusal::NotModelled(
                "a timer triggered by another timer or its ETR pin",
            ));
        }
        self.smcr = value;
        Ok(())
    }

    /// CCRx; reading a captured value clears its flag (section 15.4.5).
    pub(super) fn read_channel(&mut self, channel: usize) -> u32 {
        if self.is_input(channel) {
            self.sr &= !(2 << channel);
        }
        self.compare[channel]
    }

    /// An input with the polarity of the channel of the same number: TIxFPx.
    fn polarised(&self, levels: u8, input: usize, channel: usize) -> bool {
        let inverts = self.ccer >> (4 * channel + 1) & 1 != 0;
        (levels >> input & 1 != 0) != inverts
    }

    /// The level of the trigger.
    fn trigger(&self, levels: u8) -> bool {
        match self.smcr >> 4 & 7 {
            TI1 => self.polarised(levels, 0, 0),
            TI2 => self.polarised(levels, 1, 1),
            _ => false,
        }
    }

    /// The pins of the channels, TI1 in bit 0, have these levels from now on.
    pub(in crate::chip) fn set_inputs(&mut self, levels: u8, now: Time, clock: Time) {
        if levels == self.inputs.levels {
            return;
        }
        self.follow(now, clock);
        let before = self.inputs.levels;
        let was_running = self.is_running();
        self.inputs.levels = levels;
        if !was_running {
            self.since = now;
        }
        for channel in 0..4 {
            self.capture(channel, before, levels);
        }
        self.obey(before, levels, now);
    }

    fn capture(&mut self, channel: usize, before: u8, levels: u8) {
        let mode = self.channel_mode(channel);
        let input = match mode & 3 {
            1 => channel,
            // The neighbour: 1 and 2, 3 and 4.
            2 => channel ^ 1,
            _ => return,
        };
        let is_edge =
            self.polarised(levels, input, channel) && !self.polarised(before, input, channel);
        let is_enabled = self.ccer >> (4 * channel) & 1 != 0;
        if !is_edge || !is_enabled {
            return;
        }
        // ICxPSC: every edge, or every second, fourth, eighth.
        self.inputs.edges[channel] += 1;
        if self.inputs.edges[channel] < 1 << (mode >> 2 & 3) {
            return;
        }
        self.inputs.edges[channel] = 0;
        if self.sr & 2 << channel != 0 {
            self.sr |= OVERCAPTURE << channel;
        }
        self.compare[channel] = self.start;
        self.raise(2 << channel);
    }

    /// The slave modes.
    fn obey(&mut self, before: u8, levels: u8, now: Time) {
        let changed = self.trigger(levels) != self.trigger(before);
        let is_pulse = match self.smcr >> 4 & 7 {
            TI1_EDGES => (levels ^ before) & 1 != 0,
            _ => changed && self.trigger(levels),
        };
        match self.mode() {
            ENCODER_ON_TI2..=ENCODER => self.turn(before, levels),
            RESET if is_pulse => {
                self.update(false);
                self.since = now;
                self.sr |= TRIGGER;
            }
            GATED if changed => self.sr |= TRIGGER,
            TRIGGERED if is_pulse => {
                self.cr1 |= CR1_CEN;
                self.since = now;
                self.sr |= TRIGGER;
            }
            CLOCKED if is_pulse => {
                self.count_pulse();
                self.sr |= TRIGGER;
            }
            _ => {}
        }
    }

    /// An encoder moves: table 85.
    fn turn(&mut self, before: u8, levels: u8) {
        let signal = |timer: &Self, levels, input| timer.polarised(levels, input, input);
        for (input, mode) in [(0, ENCODER_ON_TI1), (1, ENCODER_ON_TI2)] {
            let level = signal(self, levels, input);
            let counts = self.mode() & mode != 0;
            if !counts || level == signal(self, before, input) {
                continue;
            }
            let other = signal(self, levels, 1 - input);
            let goes_up = (level != other) == (input == 0);
            self.cr1 = self.cr1 & !CR1_DIR | if goes_up { 0 } else { CR1_DIR };
            self.count_pulse();
        }
    }

    /// A pulse of whatever counts instead of the clock.
    fn count_pulse(&mut self) {
        if self.cr1 & CR1_CEN == 0 || self.reload_shadow == 0 {
            return;
        }
        self.inputs.pulses += 1;
        if self.inputs.pulses <= self.prescaler_shadow {
            return;
        }
        self.inputs.pulses = 0;
        if self.counts_to_update() <= 1 {
            self.update(true);
            return;
        }
        self.start = self.value_after(1);
        for channel in 0..4 {
            if !self.is_input(channel) && self.compare[channel] == self.start {
                self.raise(2 << channel);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::UPDATE;
    use super::*;

    const CR1: u32 = 0x00;
    const SMCR: u32 = 0x08;
    const SR: u32 = 0x10;
    const EGR: u32 = 0x14;
    const CCMR1: u32 = 0x18;
    const CCER: u32 = 0x20;
    const CNT: u32 = 0x24;
    const PSC: u32 = 0x28;
    const ARR: u32 = 0x2c;
    const CCR1: u32 = 0x34;
    const CCR2: u32 = 0x38;
    const CLOCK: Time = Time::period_of(72_000_000);

    /// One count of the clock is a microsecond.
    fn timer(registers: &[(u32, u32)]) -> Timer {
        let mut timer = Timer::new();
        let start = [(PSC, 71), (ARR, 999), (EGR, 1), (SR, 0)];
        for &(offset, value) in start.iter().chain(registers).chain(&[(CR1, 1)]) {
            timer.write(offset, value, Time::ZERO, CLOCK).unwrap();
        }
        timer
    }

    fn read(timer: &mut Timer, offset: u32, us: u64) -> u32 {
        timer.read(offset, Time::from_micros(us), CLOCK).unwrap()
    }

    fn set(timer: &mut Timer, levels: u8, us: u64) {
        timer.set_inputs(levels, Time::from_micros(us), CLOCK);
    }

    #[test]
    fn pulse_and_period_are_captured_by_two_channels_of_one_pin() {
        // Channel 1 rising edges of TI1, channel 2 falling ones; TI1 resets: section 15.3.6.
        let mut timer = timer(&[(CCMR1, 0x0201), (CCER, 0x31), (SMCR, TI1 << 4 | RESET)]);
        set(&mut timer, 1, 100);
        assert_eq!(read(&mut timer, CCR1, 100), 100);
        set(&mut timer, 0, 130);
        set(&mut timer, 1, 150);
        assert_eq!(read(&mut timer, SR, 150) & 6, 6);
        assert_eq!(read(&mut timer, CCR1, 150), 50, "the period");
        assert_eq!(read(&mut timer, CCR2, 150), 30, "the pulse");
        assert_eq!(read(&mut timer, SR, 150) & 6, 0, "reading clears");
        assert_eq!(read(&mut timer, CNT, 157), 7);
    }

    #[test]
    fn a_capture_that_nobody_read_is_told() {
        let mut timer = timer(&[(CCMR1, 1), (CCER, 1)]);
        for us in [10, 20] {
            set(&mut timer, 1, us);
            set(&mut timer, 0, us + 5);
        }
        assert_eq!(read(&mut timer, SR, 30), 2 | OVERCAPTURE);
        assert_eq!(read(&mut timer, CCR1, 30), 20);
    }

    #[test]
    fn an_encoder_is_counted_both_ways() {
        let mut timer = timer(&[(PSC, 0), (EGR, 1), (SMCR, ENCODER), (CCMR1, 0x0101)]);
        let forth = [0b01, 0b11, 0b10, 0b00];
        for (us, levels) in (1..).zip(forth.repeat(3)) {
            set(&mut timer, levels, us);
        }
        assert_eq!(read(&mut timer, CNT, 100), 12);
        for (us, levels) in (101..).zip([0b10, 0b11, 0b01, 0b00].repeat(4)) {
            set(&mut timer, levels, us);
        }
        // 16 back: below zero is the reload value.
        assert_eq!(read(&mut timer, CNT, 200), 996);
        assert_eq!(read(&mut timer, CR1, 200) & CR1_DIR, CR1_DIR);
        assert_eq!(read(&mut timer, SR, 200) & UPDATE, UPDATE);
    }

    #[test]
    fn a_gate_lets_it_count_and_a_trigger_lets_it_begin() {
        let mut gated = timer(&[(SMCR, TI1 << 4 | GATED)]);
        assert_eq!(read(&mut gated, CNT, 50), 0);
        set(&mut gated, 1, 50);
        set(&mut gated, 0, 70);
        assert_eq!(read(&mut gated, CNT, 100), 20);
        let mut triggered = timer(&[(SMCR, TI2 << 4 | TRIGGERED)]);
        triggered.write(CR1, 0, Time::ZERO, CLOCK).unwrap();
        set(&mut triggered, 2, 30);
        assert_eq!(read(&mut triggered, CNT, 75), 45);
    }

    #[test]
    fn edges_of_a_pin_are_counted_instead_of_the_clock() {
        let mut timer = timer(&[(PSC, 1), (EGR, 1), (SMCR, TI1 << 4 | CLOCKED)]);
        for us in 0..10 {
            set(&mut timer, 1 - (us & 1) as u8, us + 1);
        }
        assert_eq!(read(&mut timer, CNT, 1000), 2, "five pulses by two");
    }

    #[test]
    fn a_trigger_that_is_not_there_is_refused() {
        let refused = Timer::new().write(SMCR, CLOCKED, Time::ZERO, CLOCK);
        assert!(matches!(refused, Err(Refusal::NotModelled(_))));
    }
}
