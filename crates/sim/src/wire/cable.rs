//! Cables that are not as they should be.

use std::str::FromStr;

/// How the cable between the host's adapter and the device is plugged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cable {
    /// As it should be: TX to RX both ways.
    #[default]
    Good,
    /// The adapter's TX is on its own RX.
    Loop,
    /// The adapter's RX is on a line that is always low: ground, or a board without power. A
    /// receiver takes that for one long start bit each time it is started (opened, set up anew).
    Low,
    /// Nothing reaches the other end, either way.
    Open,
    /// The adapter sends and receives no parity bit, whatever it is told.
    Plain,
}

impl Cable {
    /// Whether what the host sends reaches the device.
    pub(super) fn reaches_device(self) -> bool {
        !matches!(self, Self::Loop | Self::Open)
    }

    /// Whether what the device sends reaches the host.
    pub(super) fn reaches_host(self) -> bool {
        matches!(self, Self::Good | Self::Plain)
    }
}

impl FromStr for Cable {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "good" => Self::Good,
            "loop" => Self::Loop,
            "low" => Self::Low,
            "open" => Self::Open,
            "plain" => Self::Plain,
            _ => return Err(()),
        })
    }
}
