//! From the emulated chip to programs of the real world, and how the two times go together.
//!
//! [`Stream`] carries the bytes of the chip's CDC-ACM port to a TCP port or a pseudo-terminal;
//! [`Redirection`] carries its whole USB to a virtual machine.

mod pacer;
mod redirection;
mod stream;

use std::time::{Duration, Instant};

use flashwire_link::CancelFlag;
use flashwire_sim::serve::ServeError;

use crate::halt::Halt;
use crate::host::HostError;

pub use pacer::Pace;
pub use redirection::Redirection;
pub use stream::Stream;

/// Why a bridge broke down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The emulator cannot go on.
    #[error(transparent)]
    Halt(#[from] Halt),
    /// The program in the chip is no USB device with such a port, or not any more.
    #[error("the USB device does not work: {0}")]
    Device(HostError),
    /// The place to listen on.
    #[error(transparent)]
    Place(#[from] ServeError),
    /// The port failed while a tool was there.
    #[error("the port failed: {0}")]
    Port(#[from] std::io::Error),
    /// What came from the virtual machine is no usbredir.
    #[error("the virtual machine sent {0}")]
    Protocol(&'static str),
}

impl From<HostError> for BridgeError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Halt(halt) => Self::Halt(halt),
            other => Self::Device(other),
        }
    }
}

/// When a bridge ends by itself, in real time.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// After so many tools.
    pub tools: Option<u32>,
    /// At the latest after so long.
    pub time: Option<Duration>,
    /// When somebody says so.
    pub stop: CancelFlag,
}

impl Limits {
    fn are_reached(&self, begun: Instant, tools: u32) -> bool {
        self.stop.is_raised()
            || self.tools.is_some_and(|most| tools >= most)
            || self.time.is_some_and(|longest| begun.elapsed() >= longest)
    }
}
