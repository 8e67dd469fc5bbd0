//! Speed, character format and lines of a serial port.

use std::time::Duration;

/// Speed and character format of a serial line. Eight data bits, no flow control: no protocol of
/// this project uses anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Line speed in bits per second.
    pub baud: u32,
    /// Parity bit of each character.
    pub parity: Parity,
    /// Stop bits of each character.
    pub stop_bits: StopBits,
}

impl Settings {
    /// `baud`, eight data bits, even parity, one stop bit: what ST's ROM loaders speak (AN3155,
    /// section 2).
    pub const fn even(baud: u32) -> Self {
        Self {
            baud,
            parity: Parity::Even,
            stop_bits: StopBits::One,
        }
    }

    /// `baud`, eight data bits, no parity, one stop bit.
    pub const fn plain(baud: u32) -> Self {
        Self {
            baud,
            parity: Parity::None,
            stop_bits: StopBits::One,
        }
    }

    /// Length of one character on the wire, in bits: start, eight data, parity, stop.
    pub const fn bits_per_character(self) -> u32 {
        let parity = match self.parity {
            Parity::None => 0,
            Parity::Even | Parity::Odd => 1,
        };
        let stop = match self.stop_bits {
            StopBits::One => 1,
            StopBits::Two => 2,
        };
        1 + 8 + parity + stop
    }

    /// How long `count` bytes take on the wire back to back.
    pub fn wire_time(self, count: usize) -> Duration {
        let bits = count as u64 * u64::from(self.bits_per_character());
        Duration::from_nanos(bits * 1_000_000_000 / u64::from(self.baud.max(1)))
    }
}

impl std::fmt::Display for Settings {
    /// As people write it: `115200 8E1`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        let stop = match self.stop_bits {
            StopBits::One => 1,
            StopBits::Two => 2,
        };
        write!(f, "{} 8{parity}{stop}", self.baud)
    }
}

/// The parity bit of a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parity {
    /// No parity bit.
    #[default]
    None,
    /// The number of ones, parity bit included, is even.
    Even,
    /// The number of ones, parity bit included, is odd.
    Odd,
}

/// How many stop bits end a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopBits {
    /// One stop bit.
    #[default]
    One,
    /// Two stop bits.
    Two,
}

/// A wire of the port beside its data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Line {
    /// Data Terminal Ready.
    Dtr,
    /// Request To Send.
    Rts,
    /// The transmit line held low.
    Break,
    /// A GPIO line of this computer: a chip (`gpiochip0`) and a line on it.
    Gpio {
        /// The chip's name below `/dev`.
        chip: String,
        /// The line's offset on the chip.
        offset: u32,
    },
}

/// One line and the state it is to have.
///
/// `true` asserts a modem line: the operating system's own meaning. A TTL adapter drives its DTR
/// and RTS pins *low* when they are asserted. For a GPIO line `true` is electrically high.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineChange {
    /// Which line.
    pub line: Line,
    /// Asserted (modem lines), sending break, or high (GPIO).
    pub on: bool,
}
