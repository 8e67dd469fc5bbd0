//! What UART and I2C have of their own, as data.
//!
//! AN3155 and AN4221 have the same commands, frames and answers. What differs stands here, and the
//! commands are written once for both.

use std::str::FromStr;
use std::time::Duration;

use flashwire_protocol::stm32::{BLOCK_BYTES, Command, Frame, GetVersionAnswer, WRITE_ALIGN_BYTES};

use super::checksum::Form;

/// The interface of a loader that a conversation goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Whether every frame and every answer is a transfer of its own: then the length of an answer
    /// has to be known before it is read, nothing is said ahead, and what comes is never half a
    /// frame or a frame too much.
    pub(super) framed: bool,
    /// Whether a list of pages or sectors is announced by a message of its own.
    pub(super) announces_lists: bool,
    /// Length of the answer to Get Version between its two ACKs, in bytes.
    pub(super) version_bytes: usize,
    /// How Get Checksum is said, if a document tells for sure.
    pub(super) checksum: Option<Form>,
    /// How long a loader waits for the rest of a command before it resets the chip; `None`: for
    /// ever.
    pub(super) gives_up: Option<Duration>,
}

impl Interface {
    /// A UART: AN3155.
    pub const UART: Self = Self {
        framed: false,
        announces_lists: false,
        version_bytes: GetVersionAnswer::BYTES,
        checksum: None,
        gives_up: None,
    };

    /// I2C: AN4221. The loaders' time-outs are 10 to 2200 ms, mostly 1000 ms (AN2606, table 230).
    pub const I2C: Self = Self {
        framed: true,
        announces_lists: true,
        version_bytes: GetVersionAnswer::I2C_BYTES,
        checksum: Some(Form::I2C),
        gives_up: Some(Duration::from_millis(2200)),
    };

    /// Whether a loader holds the clock of the bus while it does what this command asks for.
    pub(super) fn is_held_by(&self, command: Command) -> bool {
        self.framed && !command.answers_busy()
    }
}

impl Default for Interface {
    /// [`UART`](Self::UART).
    fn default() -> Self {
        Self::UART
    }
}

/// The longest transfers that an adapter does, in bytes, where it does not do all that the loader
/// would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    rx: usize,
    tx: usize,
}

impl FrameLimits {
    /// Shortest and longest limit of what is received: the answer to Get of protocol version 1.2,
    /// and a block.
    pub const RX: std::ops::RangeInclusive<usize> = 20..=BLOCK_BYTES;

    /// Shortest and longest limit of what is sent: one word and a block, each with its count and
    /// checksum.
    pub const TX: std::ops::RangeInclusive<usize> = WRITE_ALIGN_BYTES + 2..=BLOCK_BYTES + 2;

    /// Limits of what is received and what is sent; `None` where they are not in [`RX`](Self::RX)
    /// and [`TX`](Self::TX).
    pub fn new(rx: usize, tx: usize) -> Option<Self> {
        (Self::RX.contains(&rx) && Self::TX.contains(&tx)).then_some(Self { rx, tx })
    }

    /// Most bytes of one Read Memory.
    pub(super) fn read_bytes(self) -> usize {
        self.rx
    }

    /// Most bytes of one Write Memory, in whole program units of `unit` bytes; 0 if not even one
    /// fits.
    pub(super) fn write_bytes(self, unit: usize) -> usize {
        let unit = unit.max(WRITE_ALIGN_BYTES);
        (self.tx - 2) / unit * unit
    }

    /// Most pages of one list of Extended Erase: two bytes each, a checksum, and a count where the
    /// list is not announced. An adapter that takes whole blocks is taken to take long lists too.
    pub(super) fn erase_pages(self) -> usize {
        if self.tx == *Self::TX.end() {
            return Frame::MAX_ERASE_LIST;
        }
        (self.tx - 3) / 2
    }
}

/// The text is no pair of limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not of the form RX[:TX]: {rx_least} to {rx_most} bytes received, {tx_least} to {tx_most} sent",
    rx_least = FrameLimits::RX.start(),
    rx_most = FrameLimits::RX.end(),
    tx_least = FrameLimits::TX.start(),
    tx_most = FrameLimits::TX.end()
)]
pub struct ParseFrameError(String);

impl FromStr for FrameLimits {
    type Err = ParseFrameError;

    /// Reads `RX` or `RX:TX`.
    fn from_str(text: &str) -> Result<Self, ParseFrameError> {
        let (rx, tx) = match text.split_once(':') {
            Some((rx, tx)) => (rx.parse().ok(), tx.parse().ok()),
            None => (text.parse().ok(), Some(*Self::TX.end())),
        };
        rx.zip(tx)
            .and_then(|(rx, tx)| Self::new(rx, tx))
            .ok_or_else(|| ParseFrameError(text.to_owned()))
    }
}

impl Default for FrameLimits {
    /// As long as the loader takes them.
    fn default() -> Self {
        Self {
            rx: *Self::RX.end(),
            tx: *Self::TX.end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_no_loader_can_be_spoken_to_with_are_none() {
        for (rx, tx) in [(19, 258), (257, 258), (256, 5), (256, 259)] {
            assert_eq!(FrameLimits::new(rx, tx), None, "{rx}:{tx}");
        }
        assert_eq!(FrameLimits::new(256, 258), Some(FrameLimits::default()));
    }

    #[test]
    fn limits_are_read_as_people_write_them() {
        assert_eq!("128".parse(), Ok(FrameLimits { rx: 128, tx: 258 }));
        assert_eq!("20:6".parse(), Ok(FrameLimits { rx: 20, tx: 6 }));
        for text in ["", "19", "128:", ":128", "128:5", "128:128:128", "all"] {
            let error = text.parse::<FrameLimits>().unwrap_err().to_string();
            assert!(
                error.contains("20 to 256") && error.contains("6 to 258"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_limit_is_filled_with_whole_program_units() {
        let limits = FrameLimits::new(20, 254).unwrap();
        let bytes = [4, 8, 16, 32].map(|unit| limits.write_bytes(unit));
        assert_eq!(bytes, [252, 248, 240, 224]);
        assert_eq!(FrameLimits::new(20, 33).unwrap().write_bytes(32), 0);
    }
}
