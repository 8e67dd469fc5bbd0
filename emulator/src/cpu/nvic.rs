//! Which exceptions are enabled, pending and active, and which of them is the most urgent.
//!
//! Exceptions are numbered as in IPSR: 1 to 15 are the system's, interrupt `n` is `16 + n`. All
//! that this chip has fit into 64 bits. DDI 0403E, sections B1.5 and B3.4.

/// Exception numbers: DDI 0403E, table B1-4.
pub(super) const NMI: u32 = 2;
pub(super) const HARD_FAULT: u32 = 3;
pub(super) const MEM_MANAGE: u32 = 4;
pub(super) const BUS_FAULT: u32 = 5;
pub(super) const USAGE_FAULT: u32 = 6;
pub(super) const SV_CALL: u32 = 11;
pub(super) const PEND_SV: u32 = 14;
pub(super) const SYSTICK: u32 = 15;
pub(super) const FIRST_INTERRUPT: u32 = 16;

/// Interrupts of an STM32F103 of medium density: RM0008 rev 21, section 10.1.
pub(super) const INTERRUPTS: u32 = 43;

/// The priority bits that exist: the upper four (PM0056 rev 6, section 4.3.7).
pub(super) const PRIORITY_MASK: u8 = 0xf0;

/// Less urgent than any exception: the priority of Thread mode.
pub(super) const NO_PRIORITY: i16 = 256;

/// One bit per exception.
const ALL: u64 = (1 << (FIRST_INTERRUPT + INTERRUPTS)) - 1;

/// Exceptions that cannot be disabled.
const ALWAYS_ENABLED: u64 = 1 << NMI | 1 << HARD_FAULT | 1 << SV_CALL | 1 << PEND_SV | 1 << SYSTICK;

#[derive(Debug)]
pub(super) struct Exceptions {
    enabled: u64,
    pending: u64,
    active: u64,
    lines: u64,
    priority: [u8; 64],
    /// AIRCR.PRIGROUP.
    group: u32,
}

impl Default for Exceptions {
    fn default() -> Self {
        Self {
            enabled: ALWAYS_ENABLED,
            pending: 0,
            active: 0,
            lines: 0,
            priority: [0; 64],
            group: 0,
        }
    }
}

impl Exceptions {
    /// Follows the interrupt lines (bit 0 is interrupt 0): one that is high is pending unless its
    /// handler runs, and one that rises is pending even then (PM0056 rev 6, section 4.3.9). Tells
    /// whether anything became pending.
    pub(super) fn set_lines(&mut self, interrupts: u64) -> bool {
        let before = self.pending;
        let lines = interrupts << FIRST_INTERRUPT & ALL;
        self.pending |= lines & !self.lines;
        self.lines = lines;
        self.latch_lines();
        self.pending & !before != 0
    }

    /// A line that is high is pending unless its handler runs.
    fn latch_lines(&mut self) {
        self.pending |= self.lines & !self.active;
    }

    pub(super) fn pend(&mut self, number: u32) {
        self.pending |= 1 << number & ALL;
    }

    /// What is not high is not pending any more.
    pub(super) fn unpend(&mut self, number: u32) {
        self.pending &= !(1 << number);
        self.latch_lines();
    }

    /// One bit per exception.
    pub(super) fn pending(&self) -> u64 {
        self.pending
    }

    pub(super) fn is_pending(&self, number: u32) -> bool {
        self.pending >> number & 1 != 0
    }

    pub(super) fn enabled(&self) -> u64 {
        self.enabled
    }

    pub(super) fn is_enabled(&self, number: u32) -> bool {
        self.enabled >> number & 1 != 0
    }

    pub(super) fn enable(&mut self, number: u32, on: bool) {
        let bit = 1 << number & ALL;
        if on {
            self.enabled |= bit;
        } else {
            self.enabled &= !bit | ALWAYS_ENABLED;
        }
    }

    /// One bit per exception.
    pub(super) fn active(&self) -> u64 {
        self.active
    }

    pub(super) fn is_active(&self, number: u32) -> bool {
        self.active >> number & 1 != 0
    }

    pub(super) fn activate(&mut self, number: u32) {
        self.active |= 1 << number;
        self.pending &= !(1 << number);
    }

    pub(super) fn set_active(&mut self, number: u32, on: bool) {
        self.active = self.active & !(1 << number) | u64::from(on) << number;
        self.latch_lines();
    }

    /// The byte of the priority registers that belongs to `number`.
    pub(super) fn priority_byte(&self, number: u32) -> u8 {
        self.priority[(number & 63) as usize]
    }

    /// Sets that byte. NMI, HardFault and what does not exist keep theirs.
    pub(super) fn set_priority_byte(&mut self, number: u32, value: u8) {
        let configurable = matches!(number, 4..=6 | 11 | 12 | 14 | 15)
            || number >= FIRST_INTERRUPT && ALL >> number & 1 != 0;
        if configurable {
            self.priority[(number & 63) as usize] = value & PRIORITY_MASK;
        }
    }

    pub(super) fn group(&self) -> u32 {
        self.group
    }

    pub(super) fn set_group(&mut self, group: u32) {
        self.group = group & 7;
    }

    /// `ExceptionPriority`: DDI 0403E, section B1.5.4.
    fn priority(&self, number: u32) -> i16 {
        match number {
            0..=1 => -3,
            NMI => -2,
            HARD_FAULT => -1,
            _ => i16::from(self.priority_byte(number)),
        }
    }

    /// The part of a priority that counts for preemption: DDI 0403E, section B1.5.4.
    pub(super) fn group_of(&self, priority: i16) -> i16 {
        match priority {
            0.. => priority & !((2 << self.group) - 1),
            fixed => fixed,
        }
    }

    /// The priority at which `number` preempts.
    pub(super) fn group_priority(&self, number: u32) -> i16 {
        self.group_of(self.priority(number))
    }

    /// The most urgent of the active exceptions.
    pub(super) fn active_priority(&self) -> i16 {
        self.ones(self.active)
            .map(|number| self.group_priority(number))
            .min()
            .unwrap_or(NO_PRIORITY)
    }

    /// The pending and enabled exception that preempts `current`, the most urgent if there are
    /// several, of equals the one with the lowest number.
    pub(super) fn due(&self, current: i16) -> Option<u32> {
        self.ones(self.pending & self.enabled)
            .min_by_key(|&number| (self.priority(number), number))
            .filter(|&number| self.group_priority(number) < current)
    }

    /// Whether one of these interrupt lines (bit 0 is interrupt 0) is pending and enabled.
    pub(super) fn is_any_pending(&self, lines: u64) -> bool {
        self.pending & self.enabled & lines << FIRST_INTERRUPT != 0
    }

    /// The exception that would be taken if nothing were masked: ICSR.VECTPENDING.
    pub(super) fn most_urgent_pending(&self) -> u32 {
        self.due(i16::MAX).unwrap_or(0)
    }

    fn ones(&self, mut set: u64) -> impl Iterator<Item = u32> {
        std::iter::from_fn(move || {
            if set == 0 {
                return None;
            }
            let number = set.trailing_zeros();
            set &= set - 1;
            Some(number)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_enabled(numbers: &[(u32, u8)]) -> Exceptions {
        let mut exceptions = Exceptions::default();
        for &(number, priority) in numbers {
            exceptions.enable(number, true);
            exceptions.set_priority_byte(number, priority);
        }
        exceptions
    }

    #[test]
    fn the_lower_priority_number_wins_and_then_the_lower_exception() {
        let mut exceptions = with_enabled(&[(20, 0x20), (30, 0x10), (31, 0x10)]);
        for number in [20, 31, 30] {
            exceptions.pend(number);
        }
        assert_eq!(exceptions.due(NO_PRIORITY), Some(30));
        exceptions.activate(30);
        assert_eq!(exceptions.due(exceptions.active_priority()), None);
    }

    #[test]
    fn a_line_that_stays_high_is_pending_again_after_its_handler() {
        let mut exceptions = with_enabled(&[(16, 0)]);
        assert!(exceptions.set_lines(1));
        exceptions.activate(16);
        assert_eq!(exceptions.due(NO_PRIORITY), None);
        exceptions.set_active(16, false);
        assert_eq!(exceptions.due(NO_PRIORITY), Some(16));
    }

    #[test]
    fn a_pending_bit_cannot_be_cleared_while_its_line_is_high() {
        let mut exceptions = with_enabled(&[(16, 0)]);
        exceptions.set_lines(1);
        exceptions.unpend(16);
        assert_eq!(exceptions.due(NO_PRIORITY), Some(16));
        exceptions.set_lines(0);
        exceptions.unpend(16);
        assert_eq!(exceptions.due(NO_PRIORITY), None);
    }

    #[test]
    fn a_line_that_rises_while_its_handler_runs_is_pending_again() {
        let mut exceptions = with_enabled(&[(16, 0)]);
        exceptions.set_lines(1);
        exceptions.activate(16);
        exceptions.set_lines(0);
        assert!(exceptions.set_lines(1));
        exceptions.set_lines(0);
        exceptions.set_active(16, false);
        assert_eq!(exceptions.due(NO_PRIORITY), Some(16));
    }

    #[test]
    fn a_line_that_rose_stays_pending_after_it_fell() {
        let mut exceptions = with_enabled(&[(16, 0)]);
        exceptions.set_lines(1);
        exceptions.set_lines(0);
        assert_eq!(exceptions.due(NO_PRIORITY), Some(16));
        exceptions.unpend(16);
        assert_eq!(exceptions.due(NO_PRIORITY), None);
    }

    #[test]
    fn only_the_group_part_of_a_priority_preempts() {
        let mut exceptions = with_enabled(&[(16, 0x10), (17, 0x30)]);
        // PRIGROUP 5: two bits of group, two of subgroup (DDI 0403E, table B1-8).
        exceptions.set_group(5);
        exceptions.activate(17);
        exceptions.pend(16);
        assert_eq!(exceptions.due(exceptions.active_priority()), None);
        exceptions.set_group(4);
        assert_eq!(exceptions.due(exceptions.active_priority()), Some(16));
    }

    #[test]
    fn priorities_have_four_bits_and_the_fixed_ones_stay() {
        let mut exceptions = Exceptions::default();
        exceptions.set_priority_byte(20, 0xff);
        exceptions.set_priority_byte(HARD_FAULT, 0xff);
        assert_eq!(exceptions.priority_byte(20), 0xf0);
        assert_eq!(exceptions.group_priority(HARD_FAULT), -1);
    }
}
