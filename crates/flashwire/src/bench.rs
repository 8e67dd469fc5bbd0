//! Simulated benches: their list, and serving one to other tools.
//!
//! A bench is opened as a port, `sim:BENCH[,key=value...]`; see [`Session::open`](crate::Session).

#[cfg(feature = "os")]
mod server;

use crate::port::Method;

pub use flashwire_sim::BenchInfo;
pub(crate) use flashwire_sim::method_of;
#[cfg(feature = "os")]
pub use server::Server;

/// The benches that can be opened as a port.
pub fn benches() -> Vec<BenchInfo> {
    let mut benches = flashwire_sim::benches();
    benches.retain(|bench| {
        Method::ALL
            .iter()
            .any(|method| method.word() == bench.method)
    });
    benches
}
