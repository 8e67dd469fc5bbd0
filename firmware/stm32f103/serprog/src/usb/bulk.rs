//! The two bulk endpoints.
//!
//! In both builds the core fills or empties one buffer while the hardware works with the other, and
//! an interrupt switches them between two tokens of the host.

#[cfg_attr(feature = "single-buffered", path = "bulk/switched.rs")]
#[cfg_attr(not(feature = "single-buffered"), path = "bulk/double_buffered.rs")]
mod buffers;

pub(super) use buffers::{Input, Output, resume_interrupts};

use super::endpoint::Endpoint;

/// From the host.
const OUT: Endpoint = Endpoint::new(1);
/// To the host.
const IN: Endpoint = Endpoint::new(2);

/// Where their buffers begin in the packet memory.
const OUT_STARTS: [u16; 2] = [192, 256];
const IN_STARTS: [u16; 2] = [320, 384];
