//! The wrappers and the reset language, on a link in virtual time.

mod fake;
mod faults;
#[cfg(feature = "os")]
mod gpio;
mod interrupt;
mod recording;
mod reset;
mod trace;
