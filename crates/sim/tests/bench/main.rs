//! Benches as a host sees them.

mod host;
mod loader;
mod protection;
mod wire;
