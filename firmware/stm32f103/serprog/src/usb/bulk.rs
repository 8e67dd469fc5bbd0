//! The two bulk endpoints.
//!
//! In both builds the core fills or empties one buffer while the hardware works with the other, and
//! an interrupt switches them between two tokens of the host.

#[cfg_attr(feature = "single-buffered", path = "bulk/switched.rs")]
#[cfg_attr(not(feature = "single-buffered"), path = "bulk/double_buffered.rs")]
mod buffers;

pub(super) use buffers::{Input, Output, resume_interrupts};

use cortex_m::asm;
use cortex_m::peripheral::NVIC;
use stm32f1::stm32f103::Interrupt;

use super::PACKET_BYTES;
use super::endpoint::Endpoint;

/// From the host.
const OUT: Endpoint = Endpoint::new(1);
/// To the host.
const IN: Endpoint = Endpoint::new(2);

/// Where their buffers begin in the packet memory: two each.
const OUT_START: u16 = 192;
const IN_START: u16 = 320;

/// Where the first or the second of two buffers begins.
#[inline(always)]
const fn buffer(first_start: u16, second: bool) -> u16 {
    first_start + second as u16 * PACKET_BYTES as u16
}

/// Keeps an interrupt from coming. Without the barriers it can come once more, an instruction or two
/// later: "Cortex-M Programming Guide to Memory Barrier Instructions" (ARM DAI 0321A), section 4.5.
fn mask(interrupt: Interrupt) {
    NVIC::mask(interrupt);
    asm::dsb();
    asm::isb();
}
