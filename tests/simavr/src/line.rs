//! The serial line between host and board, in both directions, at the host's speed.
//!
//! A character takes its time, whoever sends it: bytes that a host hands over together reach the
//! board one after the other. Each side samples what the other sends at its own speed, so that two
//! that differ too much do not understand each other.

use std::collections::VecDeque;

/// Time in 65536ths of a cycle of the chip: the host's bits are no whole number of cycles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticks(u64);

impl Ticks {
    const PER_CYCLE: u64 = 1 << 16;

    /// So many cycles.
    pub(crate) const fn from_cycles(cycles: u64) -> Self {
        Self(cycles * Self::PER_CYCLE)
    }

    /// The first whole cycle at or after it.
    const fn cycles(self) -> u64 {
        self.0.div_ceil(Self::PER_CYCLE)
    }
}

/// A start bit, eight data bits and a stop bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Character {
    /// Its data.
    pub(crate) byte: u8,
    /// How long its sender makes a bit.
    pub(crate) bit: Ticks,
}

impl Character {
    /// The level of the line, `halves` half bits of `bit` after the start bit began.
    fn level(self, halves: u64, bit: Ticks) -> bool {
        match halves * bit.0 / (2 * self.bit.0.max(1)) {
            0 => false,
            data @ 1..=8 => self.byte >> (data - 1) & 1 != 0,
            _ => true,
        }
    }

    /// What somebody receives whose bits are so long, in the middle of each: the byte, and whether
    /// its stop bit was one.
    pub(crate) fn sampled(self, bit: Ticks) -> (u8, bool) {
        let byte = (0..8).fold(0, |byte, number| {
            byte | u8::from(self.level(2 * number + 3, bit)) << number
        });
        (byte, self.level(19, bit))
    }
}

/// The host's end.
#[derive(Debug)]
pub(crate) struct Line {
    clock_hz: u32,
    bit: Ticks,
    /// Bytes on their way to the board.
    outgoing: VecDeque<u8>,
    /// When the next of them can begin.
    free_at: Ticks,
    /// What has arrived at the host.
    pub(crate) arrived: VecDeque<u8>,
}

/// A start bit, eight data bits and a stop bit.
const CHARACTER_BITS: u64 = 10;

impl Line {
    pub(crate) fn new(clock_hz: u32, baud: u32) -> Self {
        let mut line = Self {
            clock_hz,
            bit: Ticks::default(),
            outgoing: VecDeque::new(),
            free_at: Ticks::default(),
            arrived: VecDeque::new(),
        };
        line.set_baud(baud);
        line
    }

    /// Sets the host's speed.
    pub(crate) fn set_baud(&mut self, baud: u32) {
        let second = Ticks::from_cycles(self.clock_hz.into());
        self.bit = Ticks(second.0 / u64::from(baud.max(1)));
    }

    /// The host sends.
    pub(crate) fn send(&mut self, now: u64, bytes: &[u8]) {
        if self.outgoing.is_empty() {
            self.free_at = self.free_at.max(Ticks::from_cycles(now));
        }
        self.outgoing.extend(bytes);
    }

    /// How many bytes have not begun yet.
    pub(crate) fn unsent(&self) -> usize {
        self.outgoing.len()
    }

    /// When all that was sent has left.
    pub(crate) fn sent_by(&self) -> u64 {
        let left = self.outgoing.len() as u64 * CHARACTER_BITS * self.bit.0;
        Ticks(self.free_at.0 + left).cycles()
    }

    /// When the next start bit is due.
    pub(crate) fn next_event(&self) -> Option<u64> {
        (!self.outgoing.is_empty()).then(|| self.free_at.cycles())
    }

    /// The start bit that is due, if there is one.
    pub(crate) fn advance(&mut self, now: u64) -> Option<Character> {
        if self.next_event()? > now {
            return None;
        }
        self.free_at = Ticks(self.free_at.0 + CHARACTER_BITS * self.bit.0);
        let byte = self.outgoing.pop_front()?;
        Some(Character {
            byte,
            bit: self.bit,
        })
    }

    /// A character of the board has arrived.
    pub(crate) fn arrive(&mut self, character: Character) {
        self.arrived.push_back(character.sampled(self.bit).0);
    }

    /// The host drops everything on its way.
    pub(crate) fn drop_outgoing(&mut self) {
        self.outgoing.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_follow_each_other_at_the_hosts_speed() {
        let mut line = Line::new(16_000_000, 115_200);
        line.send(1000, &[1, 2, 3]);
        let mut starts = Vec::new();
        for now in 1000..5000 {
            starts.extend(line.advance(now).map(|_| now));
        }
        // 16e6 / 115200 * 10 = 1388.9 cycles.
        assert_eq!(starts, [1000, 2389, 3778]);
        assert_eq!(line.sent_by(), 5167);
    }

    #[test]
    fn speeds_that_differ_by_little_are_understood_and_others_are_not() {
        let sent = |bit| Character {
            byte: 0xA5,
            bit: Ticks::from_cycles(bit),
        };
        let bit = Ticks::from_cycles(1000);
        for near in [960, 1000, 1040] {
            assert_eq!(sent(near).sampled(bit), (0xA5, true), "{near}");
        }
        for far in [800, 1200, 2000] {
            assert_ne!(sent(far).sampled(bit), (0xA5, true), "{far}");
        }
    }
}
