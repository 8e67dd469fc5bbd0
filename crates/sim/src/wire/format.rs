//! How bytes travel on a wire, and how long each takes.

use std::time::Duration;

use flashwire_link::Settings;

/// How bytes travel on a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As characters of a UART. Both ends have settings of their own, and they may differ.
    Uart(Settings),
    /// As bytes of a packet bus (USB) that needs no settings, loses nothing and is held up by a
    /// receiver that is not ready.
    Packets {
        /// What one byte costs, headers and gaps included.
        byte_time: Duration,
    },
}

impl Format {
    /// How long `count` bytes take back to back.
    pub fn wire_time(self, count: usize) -> Duration {
        match self {
            Self::Uart(settings) => settings.wire_time(count),
            Self::Packets { byte_time } => {
                byte_time.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
            }
        }
    }
}

/// What a device's receiver does with its line at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Nothing: whatever arrives is lost (in reset, or a program that does not listen).
    Deaf,
    /// It measures the time from the first falling edge to the second rising edge, to learn the
    /// speed: nine bit times if the character is 0x7F.
    Measuring,
    /// It receives.
    As(Format),
}
