//! Simulated benches: their list, and serving one to other tools.
//!
//! A bench is opened as a port, `sim:BENCH[,key=value...]`; see [`Session::open`](crate::Session).

#[cfg(feature = "os")]
mod server;

use crate::port::Method;

pub use flashwire_sim::BenchInfo;
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

/// The method by which a bench is talked to, by the text after `sim:`; `None` if there is no such
/// bench.
pub(crate) fn method_of(spec: &str) -> Option<&'static str> {
    let name = spec.split(',').next().unwrap_or(spec);
    let benches = flashwire_sim::benches();
    let bench = benches.into_iter().find(|bench| bench.name == name)?;
    Some(bench.method)
}
