//! Benches as a host sees them.

mod arduino_loader;
mod board;
mod cable;
mod files;
mod host;
mod i2c;
mod loader;
mod names;
mod protection;
#[cfg(feature = "os")]
mod served_bus;
#[cfg(feature = "os")]
mod serving;
mod wire;
