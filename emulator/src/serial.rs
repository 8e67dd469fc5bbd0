//! Characters on a serial line, bit by bit.
//!
//! A sender puts frames on the line; a receiver samples it at its own speed, in the middle of each
//! of its bits, beginning at the falling edge of a start bit. So whatever two ends disagree about
//! (speed, parity, length) has the effect that it has on a wire.

use std::collections::VecDeque;

use crate::time::Time;

/// One character, or a break, as it stands on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When its start bit begins.
    pub start: Time,
    /// Length of a bit.
    pub bit: Time,
    /// Levels of the bits, the start bit in bit 0.
    pub levels: u16,
    /// How many bits there are, stop bits included.
    pub count: u8,
}

impl Frame {
    /// When its last bit ends.
    pub fn end(&self) -> Time {
        self.start + self.bit * u64::from(self.count)
    }

    /// Level of the line at `moment`, which must not be before the start.
    fn level(&self, moment: Time) -> bool {
        let index = (moment - self.start).periods(self.bit);
        index >= u64::from(self.count) || self.levels >> index & 1 != 0
    }
}

/// Parity bit of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// There is none.
    None,
    /// The number of ones is even.
    Even,
    /// The number of ones is odd.
    Odd,
}

/// Speed and form of characters of eight data bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Bits per second.
    pub baud: u32,
    /// Parity bit.
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    pub stop_bits: u8,
}

impl Format {
    /// The bits of `byte` on the line, lowest first, and how many they are.
    pub fn encode(self, byte: u8) -> (u16, u8) {
        let mut levels = u16::from(byte) << 1;
        let mut count = 9;
        let ones = byte.count_ones();
        let parity = match self.parity {
            Parity::None => None,
            Parity::Even => Some(!ones.is_multiple_of(2)),
            Parity::Odd => Some(ones.is_multiple_of(2)),
        };
        if let Some(bit) = parity {
            levels |= u16::from(bit) << count;
            count += 1;
        }
        for _ in 0..self.stop_bits {
            levels |= 1 << count;
            count += 1;
        }
        (levels, count)
    }
}

/// What a receiver made of a stretch of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// The bits between start and stop bit, lowest first.
    pub data: u16,
    /// The stop bit was low.
    pub framing_error: bool,
    /// When the stop bit was sampled.
    pub done: Time,
}

/// A line in one direction, high when idle.
#[derive(Debug, Default)]
pub struct Line {
    frames: VecDeque<Frame>,
    /// The receiver looks for the next start bit from here on.
    watched: Time,
}

impl Line {
    /// Puts a frame on the line, behind all that is there.
    pub fn send(&mut self, frame: Frame) {
        self.frames.push_back(frame);
    }

    /// When the line becomes idle.
    pub fn idle_from(&self) -> Time {
        self.frames.back().map_or(Time::ZERO, Frame::end)
    }

    /// Drops what is on the line.
    pub fn clear(&mut self) {
        self.frames.clear();
    }

    fn level(&self, moment: Time) -> bool {
        self.frames
            .iter()
            .rev()
            .find(|frame| frame.start <= moment)
            .is_none_or(|frame| frame.level(moment))
    }

    /// The next falling edge that the receiver can see.
    fn next_start(&self) -> Option<Time> {
        for frame in &self.frames {
            let mut before = true;
            for index in 0..frame.count {
                let level = frame.levels >> index & 1 != 0;
                let moment = frame.start + frame.bit * u64::from(index);
                if before && !level && moment >= self.watched {
                    return Some(moment);
                }
                before = level;
            }
        }
        None
    }

    /// When a receiver with bits of length `bit` and `bits` of them between start and stop bit will
    /// have sampled its next character.
    pub fn next_event(&self, bit: Time, bits: u8) -> Time {
        match self.next_start() {
            Some(start) => start + bit * u64::from(bits + 1) + half(bit),
            None => Time::NEVER,
        }
    }

    /// The next character, if it is through by `now`.
    pub fn receive(&mut self, now: Time, bit: Time, bits: u8) -> Option<Sampled> {
        let start = self.next_start()?;
        let middle = |index: u8| start + bit * u64::from(index) + half(bit);
        let done = middle(bits + 1);
        if done > now {
            return None;
        }
        let data = (0..bits).fold(0, |word, index| {
            word | u16::from(self.level(middle(index + 1))) << index
        });
        let framing_error = !self.level(done);
        self.watched = done;
        while self.frames.front().is_some_and(|frame| frame.end() <= done) {
            self.frames.pop_front();
        }
        Some(Sampled {
            data,
            framing_error,
            done,
        })
    }

    /// Drops what is over by `now` and was not received.
    pub fn skip_to(&mut self, now: Time) {
        self.watched = self.watched.max(now);
        while self.frames.front().is_some_and(|frame| frame.end() <= now) {
            self.frames.pop_front();
        }
    }
}

fn half(bit: Time) -> Time {
    bit.halved()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Format = Format {
        baud: 115_200,
        parity: Parity::None,
        stop_bits: 1,
    };

    /// Bytes back to back at `baud`.
    fn line(bytes: &[u8], format: Format) -> Line {
        let mut line = Line::default();
        let bit = Time::period_of(u64::from(format.baud));
        let mut start = Time::MILLISECOND;
        for &byte in bytes {
            let (levels, count) = format.encode(byte);
            let frame = Frame {
                start,
                bit,
                levels,
                count,
            };
            start = frame.end();
            line.send(frame);
        }
        line
    }

    fn received(line: &mut Line, baud: u64, bits: u8) -> Vec<(u16, bool)> {
        let bit = Time::period_of(baud);
        std::iter::from_fn(|| line.receive(Time::SECOND, bit, bits))
            .map(|sampled| (sampled.data, sampled.framing_error))
            .collect()
    }

    #[test]
    fn bytes_arrive_as_they_were_sent_even_if_the_speeds_differ_by_two_percent() {
        for baud in [112_900, 115_200, 117_500] {
            let mut line = line(&[0x00, 0x55, 0xff, 0x7f], PLAIN);
            assert_eq!(
                received(&mut line, baud, 8),
                [(0x00, false), (0x55, false), (0xff, false), (0x7f, false)]
            );
        }
    }

    #[test]
    fn half_the_speed_makes_something_else_of_it() {
        let mut line = line(&[0x7f], PLAIN);
        assert_ne!(received(&mut line, 57_600, 8), [(0x7f, false)]);
    }

    #[test]
    fn a_parity_bit_is_the_ninth() {
        let even = Format {
            parity: Parity::Even,
            ..PLAIN
        };
        let odd = Format {
            parity: Parity::Odd,
            ..PLAIN
        };
        assert_eq!(
            received(&mut line(&[0x07], even), 115_200, 9),
            [(0x107, false)]
        );
        assert_eq!(
            received(&mut line(&[0x07], odd), 115_200, 9),
            [(0x007, false)]
        );
    }

    #[test]
    fn a_missing_stop_bit_is_a_framing_error() {
        let mut line = Line::default();
        let bit = Time::period_of(115_200);
        line.send(Frame {
            start: Time::ZERO,
            bit,
            levels: 0,
            count: 12,
        });
        let first = line.receive(Time::SECOND, bit, 8);
        assert_eq!(first.map(|sampled| sampled.framing_error), Some(true));
    }

    #[test]
    fn nothing_arrives_before_its_stop_bit() {
        let mut line = line(&[0x41], PLAIN);
        let bit = Time::period_of(115_200);
        let done = line.next_event(bit, 8);
        assert_eq!(
            line.receive(done.saturating_sub(Time::MICROSECOND), bit, 8),
            None
        );
        assert!(line.receive(done, bit, 8).is_some());
    }
}
