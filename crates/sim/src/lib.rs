//! The virtual bench: what stands at the other end of the cable, in software.
//!
//! A [`Bench`] is a device under power, a wire to it, and the files that keep its content. It is
//! opened by a name (`stm32f103cb,image=board.bin`) and used in one of two ways: as a
//! [`SimLink`] inside the process, in virtual time, or by foreign tools in real time.
//!
//! Simulation stands below the wire: a bench takes and gives bytes at their time, and everything
//! above is production code. Benches are strict: what real silicon would suffer in silence is a
//! [`Complaint`], as data; nothing here panics on what a host sends.
//!
//! What a device does is stated from its own documents. Nothing here reads the client's tables:
//! that is what makes the two witnesses for each other.

pub mod arduino;
mod bench;
mod complaint;
mod link;
pub mod nor;
pub mod programmer;
#[cfg(feature = "os")]
pub mod serve;
mod state;
pub mod stm32;
mod storage;
pub mod wire;

pub use bench::{Bench, BenchError, BenchInfo, benches, method_of};
pub use complaint::{Complaint, ComplaintKind};
pub use link::SimLink;
pub use storage::StorageError;
