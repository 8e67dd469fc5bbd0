//! Simulated benches: their list, and serving one to other tools.
//!
//! A bench is opened as a port, `sim:BENCH[,key=value...]`; see [`Session::open`](crate::Session).

#[cfg(feature = "os")]
mod server;

pub use flashwire_sim::{BenchInfo, benches};
#[cfg(feature = "os")]
pub use server::Server;
