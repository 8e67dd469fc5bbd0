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
    /// The port cannot do what it was asked for.
    #[error("the port does not support {0}")]
    Unsupported(String),
    /// The other end is gone: unplugged, or the peer closed.
    #[error("the port has gone away")]
    Closed,
    /// The port did not take the bytes in time.
    #[error("the port accepts no more data")]
    Stalled,
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
