//! The host side of each protocol.
//!
//! Straight-line blocking code over [`flashwire_link::Link`]: it reads like the flow charts of the
//! document that rules it. A flash behind a protocol becomes a [`flashwire_plan::FlashDevice`].
//! Nothing here prints, sleeps or asks for the time except through the link.

pub mod nfd;
pub mod serprog;
pub mod spinor;
pub mod stk500;
pub mod stm32;
