//! What to write where.
//!
//! An [`Image`] is file content with addresses, a [`Geometry`] is what a flash memory can do, and
//! a [`Plan`] is the exact list of what will be erased, written and checked. The way of the data:
//!
//! ```text
//! file --Image::parse--> image --needs()--> ranges to look at --survey()--> Current
//!                          image + geometry + Current --plan()--> Plan --execute()--> Report
//! ```
//!
//! [`needs`] and [`plan`] are pure; [`survey`] only reads; [`execute`] is the only one that changes
//! the target. No protocol, port or clock is known here.

mod device;
mod geometry;
pub mod image;

pub use device::{Failure, FlashDevice, Mismatch, Tick};
pub use geometry::{Costs, EraseKind, EraseUnit, Geometry, Program, Rewrite, Run};
