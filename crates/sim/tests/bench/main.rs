//! Benches as a host sees them.

mod board;
mod files;
mod host;
mod loader;
mod names;
mod protection;
#[cfg(feature = "os")]
mod serving;
mod wire;
