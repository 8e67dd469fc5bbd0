//! What can go wrong with a cable.

use std::io;

/// Why a link could not be opened, or stopped working.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// There is no such port or host.
    #[error("no such port")]
    NotFound,
    /// Somebody else has the port open.
    #[error("the port is in use by another program")]
    Busy,
    /// This user may not open the port.
    #[error("permission denied")]
    Denied,
    /// It exists, but it is no serial port (a directory, a regular file, `/dev/null`).
    #[error("not a serial port: {0}")]
    NotAPort(String),
    /// It exists, but it is no I2C bus.
    #[error("not an I2C bus: {0}")]
    NotABus(String),
    /// The port cannot do what it was asked for.
    #[error("the port does not support {0}")]
    Unsupported(String),
    /// The other end is gone: unplugged, or the peer closed.
    #[error("the port has gone away")]
    Closed,
    /// The port did not take the bytes in time.
    #[error("the port accepts no more data")]
    Stalled,
    /// One transfer on a framed bus went wrong. The bus is still there: the next one may succeed.
    #[error(transparent)]
    Bus(#[from] BusFault),
    /// A line that was named cannot be driven.
    #[error("{line} cannot be driven: {why}")]
    Line {
        /// The line, as the reset language writes it.
        line: String,
        /// What the operating system said.
        why: String,
    },
    /// The host did something else than in the recording that is being replayed.
    #[error("line {line} of the recording says {recorded}, but now: {found}")]
    Diverged {
        /// The first line of the recording that does not fit, counted from 1.
        line: usize,
        /// What the recording has there.
        recorded: String,
        /// What the host did.
        found: String,
    },
    /// The user gave up.
    #[error("cancelled")]
    Cancelled,
    /// Anything else the operating system said.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What can go wrong with one transfer on a framed bus.
///
/// What a host sees of it is coarse: a controller that gives up cannot know how far the device got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BusFault {
    /// Nobody acknowledged the address.
    #[error("no device acknowledges this address")]
    NoDevice,
    /// The device did not acknowledge a byte, or, with some controllers, its address.
    #[error("the device did not acknowledge")]
    NotAcknowledged,
    /// Another controller was faster.
    #[error("another controller took the bus")]
    ArbitrationLost,
    /// The clock was held low for longer than the controller waits.
    #[error("the clock of the bus was held for too long")]
    ClockHeld,
    /// The controller failed and does not say more.
    #[error("the bus controller reports an error")]
    Controller,
}
