//! Shared set-up of the tests across the floors.
//!
//! Everything here panics when it cannot do its work: in a test that is the message.

pub mod bench;
pub mod board;
pub mod built;
pub mod clipped;
pub mod desk;
pub mod emulated;
#[cfg(target_os = "linux")]
pub mod faces;
#[cfg(target_os = "linux")]
pub mod gpio;
#[cfg(target_os = "linux")]
pub mod i2c;
pub mod job;
#[cfg(target_os = "linux")]
pub mod judge;
#[cfg(target_os = "linux")]
pub mod linux_guest;
#[cfg(target_os = "linux")]
pub mod loaders;
pub mod original;
#[cfg(target_os = "linux")]
pub mod ours;
#[cfg(target_os = "linux")]
pub mod overheard;
pub mod plugged;
#[cfg(target_os = "linux")]
pub mod preload;
pub mod programmer;
#[cfg(target_os = "linux")]
pub mod served;
pub mod socket;
pub mod table;
