//! One direction of the wire: a waveform made of characters, and a receiver that samples it.
//!
//! When both ends agree, a character is heard when it ends, and that is all. When they do not, the
//! receiver here does what a UART does: it takes a falling edge for a start bit and samples the
//! line in the middle of each bit *it* expects. What comes out is garbled or lost as on silicon.

use std::collections::VecDeque;
use std::time::Duration;

use flashwire_link::{Instant, Parity, Settings, StopBits};

use super::{Format, Listening};

/// Bit times from the falling edge of the start bit of 0x7F to its second rising edge: start bit,
/// seven ones, one zero.
const MEASURED_BITS: u32 = 9;

/// A character on its way.
#[derive(Clone, Copy, Debug)]
struct Character {
    start: Instant,
    end: Instant,
    format: Format,
    /// Levels of the bits in the order they are sent, lowest bit first: start, data, parity, stop.
    levels: u16,
    byte: u8,
}

impl Character {
    fn bits(&self) -> u32 {
        match self.format {
            Format::Uart(settings) => settings.bits_per_character(),
            Format::Packets { .. } => 1,
        }
    }

    /// The moment at which bit `index` begins.
    fn bit_start(&self, index: u32) -> Instant {
        match self.format {
            Format::Uart(settings) => self.start + bit_times(settings.baud, 2 * index),
            Format::Packets { .. } => self.start,
        }
    }

    fn level(&self, index: u32) -> bool {
        self.levels >> index & 1 == 1
    }

    /// The level at a moment that lies inside the character.
    fn level_at(&self, at: Instant) -> bool {
        let last = self.bits() - 1;
        let bit = (1..=last).take_while(|&bit| self.bit_start(bit) <= at);
        self.level(bit.last().unwrap_or(0))
    }
}

/// `halves` half bit times at `baud`.
fn bit_times(baud: u32, halves: u32) -> Duration {
    Duration::from_nanos(u64::from(halves) * 500_000_000 / u64::from(baud.max(1)))
}

/// The levels of a character, lowest bit first.
fn levels(byte: u8, settings: Settings) -> u16 {
    let odd_ones = byte.count_ones() % 2 == 1;
    let parity = match settings.parity {
        Parity::None => true,
        Parity::Even => odd_ones,
        Parity::Odd => !odd_ones,
    };
    // Bits 10 to 15 stay high: stop bits and the idle line.
    0b1111_1100_0000_0000 | u16::from(parity) << 9 | u16::from(byte) << 1
}

/// What a receiver made of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The data bits.
    pub byte: u8,
    /// Whether the parity bit was right, or there is none.
    pub parity_right: bool,
    /// Whether there was a stop bit.
    pub stop_seen: bool,
}

/// What [`Lane::take`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A character was received.
    Heard(Heard),
    /// A measuring receiver saw its edges: the speed they stand for.
    Measured(u32),
    /// A character went by that nobody listened to.
    Missed,
}

/// One direction of the wire.
#[derive(Debug, Default)]
pub(super) struct Lane {
    characters: VecDeque<Character>,
    /// Back-to-back characters are timed from the first of them, so that rounding to nanoseconds
    /// does not add up.
    burst_start: Instant,
    burst_count: usize,
    burst_format: Option<Format>,
    /// The receiver looks for its next start bit from here on.
    search_from: Instant,
}

impl Lane {
    /// The moment from which the line is free for the next character.
    pub(super) fn free_from(&self) -> Instant {
        match self.burst_format {
            Some(format) => self.burst_start + format.wire_time(self.burst_count),
            None => self.burst_start,
        }
    }

    /// Reserves the time of one character, not before `earliest`; returns its start and end.
    pub(super) fn pass(&mut self, earliest: Instant, format: Format) -> (Instant, Instant) {
        let free = self.free_from();
        if earliest > free || self.burst_format != Some(format) {
            self.burst_start = earliest.max(free);
            self.burst_count = 0;
            self.burst_format = Some(format);
        }
        let start = self.free_from();
        self.burst_count += 1;
        (start, self.free_from())
    }

    /// Puts a byte on the line, not before `earliest`.
    pub(super) fn put(&mut self, earliest: Instant, format: Format, byte: u8) {
        let levels = match format {
            Format::Uart(settings) => levels(byte, settings),
            Format::Packets { .. } => 0,
        };
        self.put_levels(earliest, format, byte, levels);
    }

    /// Holds the line low for one character and then idle for another: as much of a break as a
    /// receiver tells.
    pub(super) fn put_break(&mut self, earliest: Instant, settings: Settings) {
        self.put_levels(earliest, Format::Uart(settings), 0, 0);
        self.put_levels(earliest, Format::Uart(settings), 0, u16::MAX);
    }

    fn put_levels(&mut self, earliest: Instant, format: Format, byte: u8, levels: u16) {
        let (start, end) = self.pass(earliest, format);
        self.characters.push_back(Character {
            start,
            end,
            format,
            levels,
            byte,
        });
    }

    /// A receiver that was deaf begins to listen: what went by it has not heard.
    pub(super) fn listen_from(&mut self, now: Instant) {
        self.search_from = self.search_from.max(now);
        self.forget();
    }

    /// Drops everything that starts at `from` or later; the line is free again from there.
    pub(super) fn cut(&mut self, from: Instant) {
        let before = self.characters.len();
        self.characters.retain(|character| character.start < from);
        if self.characters.len() < before {
            self.burst_start = self.characters.back().map_or(from, |last| last.end);
            self.burst_count = 0;
            self.burst_format = None;
        }
    }

    /// When the receiver has something to tell, if nothing more is sent.
    pub(super) fn next(&self, listening: Listening) -> Option<Instant> {
        let first = self.characters.front()?;
        match listening {
            Listening::Deaf => Some(first.end),
            Listening::Measuring => self.measure().map(|(at, _)| at),
            Listening::As(format) => {
                if self.agrees(first, format) {
                    return Some(first.end);
                }
                match (format, self.falling_edge(self.search_from)) {
                    (Format::Uart(settings), Some(edge)) => Some(edge + settings.wire_time(1)),
                    _ => Some(first.end),
                }
            }
        }
    }

    /// Takes what is due at [`next`](Self::next).
    pub(super) fn take(&mut self, listening: Listening) -> Option<Event> {
        let first = *self.characters.front()?;
        let event = match listening {
            Listening::Deaf => self.miss(first),
            Listening::Measuring => {
                let (at, baud) = self.measure()?;
                self.search_from = at;
                Event::Measured(baud)
            }
            Listening::As(format) => {
                if self.agrees(&first, format) {
                    self.search_from = first.end;
                    Event::Heard(Heard {
                        byte: first.byte,
                        parity_right: true,
                        stop_seen: true,
                    })
                } else {
                    match (format, self.falling_edge(self.search_from)) {
                        (Format::Uart(settings), Some(edge)) => self.sample(edge, settings),
                        _ => self.miss(first),
                    }
                }
            }
        };
        self.forget();
        Some(event)
    }

    fn miss(&mut self, character: Character) -> Event {
        self.search_from = character.end;
        Event::Missed
    }

    /// Drops characters that no receiver looks at any more.
    fn forget(&mut self) {
        while self
            .characters
            .front()
            .is_some_and(|character| character.end <= self.search_from)
        {
            self.characters.pop_front();
        }
    }

    /// Whether the receiver hears this character just as it was sent.
    fn agrees(&self, character: &Character, format: Format) -> bool {
        character.format == format
            && character.start >= self.search_from
            && match format {
                // A break is no character, and only sampling tells what a receiver makes of it.
                Format::Uart(settings) => character.levels == levels(character.byte, settings),
                Format::Packets { .. } => true,
            }
    }

    /// Samples a character whose start bit begins at `edge`.
    fn sample(&mut self, edge: Instant, settings: Settings) -> Event {
        let level = |bit: u32| self.level_at(edge + bit_times(settings.baud, 2 * bit + 1));
        let byte = (0..8).fold(0, |byte, bit| byte | u8::from(level(1 + bit)) << bit);
        let expected = levels(byte, settings);
        let parity_right = settings.parity == Parity::None || level(9) == (expected >> 9 & 1 == 1);
        // A receiver checks the first stop bit only, and is ready for the next start bit from
        // its middle on.
        let stop = match settings.stop_bits {
            StopBits::One => settings.bits_per_character() - 1,
            StopBits::Two => settings.bits_per_character() - 2,
        };
        let stop_seen = level(stop);
        // It goes on even where a bit is shorter than the clock's step.
        let middle = bit_times(settings.baud, 2 * stop + 1);
        self.search_from = edge + middle.max(Duration::from_nanos(1));
        Event::Heard(Heard {
            byte,
            parity_right,
            stop_seen,
        })
    }

    /// The level of the line at a moment: high between characters.
    fn level_at(&self, at: Instant) -> bool {
        self.characters
            .iter()
            .take_while(|character| character.start <= at)
            .find(|character| at < character.end)
            .is_none_or(|character| character.level_at(at))
    }

    /// The first falling edge at `from` or later.
    fn falling_edge(&self, from: Instant) -> Option<Instant> {
        self.edges()
            .find(|edge| !edge.rising && edge.at >= from)
            .map(|edge| edge.at)
    }

    /// When a measuring receiver has seen its two rising edges, and the speed they stand for.
    fn measure(&self) -> Option<(Instant, u32)> {
        let mut edges = self.edges().skip_while(|edge| edge.at < self.search_from);
        let first = edges.find(|edge| !edge.rising)?;
        let second = edges.filter(|edge| edge.rising).nth(1)?;
        let baud = match (
            first.character.format,
            first.character.start == second.character.start,
        ) {
            // Exact, so that a measured 115200 is 115200.
            (Format::Uart(settings), true) => {
                let bits = (second.bit - first.bit).max(1);
                settings.baud.saturating_mul(MEASURED_BITS) / bits
            }
            _ => {
                let measured = (second.at - first.at).as_nanos().max(1) as u64;
                u32::try_from(u64::from(MEASURED_BITS) * 1_000_000_000 / measured)
                    .unwrap_or(u32::MAX)
            }
        };
        Some((second.at, baud.max(1)))
    }

    /// All level changes on the line, in order.
    fn edges(&self) -> impl Iterator<Item = Edge<'_>> {
        // Only a break ends low, and an idle character always follows it.
        let before = std::iter::once(true).chain(
            self.characters
                .iter()
                .map(|character| character.level(character.bits() - 1)),
        );
        self.characters
            .iter()
            .zip(before)
            .flat_map(|(character, before)| {
                (0..character.bits()).filter_map(move |bit| {
                    let level = character.level(bit);
                    let previous = if bit == 0 {
                        before
                    } else {
                        character.level(bit - 1)
                    };
                    (level != previous).then(|| Edge {
                        at: character.bit_start(bit),
                        rising: level,
                        bit,
                        character,
                    })
                })
            })
    }
}

/// A level change on the line.
struct Edge<'a> {
    at: Instant,
    rising: bool,
    bit: u32,
    character: &'a Character,
}
