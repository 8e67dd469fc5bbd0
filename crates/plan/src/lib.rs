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
mod error;
mod execute;
mod geometry;
pub mod image;
mod meter;
mod options;
mod plan;
mod ranges;
mod survey;

pub use device::{Failure, FlashDevice, Mismatch, Tick};
pub use error::PlanError;
pub use execute::{Cause, Report, RunError, TargetState, execute};
pub use geometry::{
    Costs, EraseKind, EraseUnit, Geometry, GeometryError, MOST_BLOCK_BYTES, MOST_MEMORY_BYTES,
    MOST_UNITS, Program, Rewrite, Run,
};
pub use image::{Format, Image, ImageError, ParseOptions, Segment};
pub use meter::{Event, OnEvent, Phase};
pub use options::{EraseChoice, Options};
pub use plan::{ErasedKind, Plan, Step, Summary, needs, plan, plan_erase, plan_verify};
pub use survey::{Current, Look, Need, read_range, survey};
