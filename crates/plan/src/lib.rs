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
//!
//! ```
//! use std::time::Duration;
//! use flashwire_plan::{
//!     Costs, Current, EraseKind, Geometry, Image, Options, ParseOptions, Program, Rewrite, Run,
//!     Step, needs, plan,
//! };
//!
//! // 64 pages of 1 KiB at 0x0800_0000, programmed in half-words.
//! let pages = Run {
//!     start: 0x0800_0000,
//!     unit_bytes: 1024,
//!     count: 64,
//!     time: Duration::from_millis(30),
//! };
//! let geometry = Geometry {
//!     range: pages.range(),
//!     holes: vec![],
//!     erased: 0xFF,
//!     erase_kinds: vec![EraseKind { name: "page".into(), runs: vec![pages], whole: false }],
//!     program: Program { unit_bytes: 2, block_bytes: 256, rewrite: Rewrite::OnlyToZero },
//!     costs: Costs::default(),
//! };
//! // One byte, in the middle of the second page.
//! let hex = ":020000040800F2\n:01060000AA4F\n:00000001FF\n";
//! let image = Image::parse(hex.as_bytes(), &ParseOptions::default())?;
//!
//! // The rest of that page has to be read first; here, all of it happens to be blank.
//! let mut current = Current::new();
//! for need in needs(&geometry, &image, &Options::default())? {
//!     current.add_content(need.range.start, vec![0xFF; (need.range.end - need.range.start) as usize]);
//! }
//! let plan = plan(&geometry, &image, &current, &Options::default())?;
//! let half_word = 0x0800_0600..0x0800_0602;
//! let steps: Vec<Step> = plan.steps().collect();
//! assert!(matches!(&steps[0], Step::Erase(page) if page.range() == (0x0800_0400..0x0800_0800)));
//! assert_eq!(steps[1..], [Step::Program(half_word.clone()), Step::Verify(half_word.clone())]);
//! assert_eq!(*plan.content(&half_word), [0xAA, 0xFF]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocks;
mod content;
mod device;
mod error;
mod execute;
mod geometry;
pub mod image;
pub mod layout;
mod meter;
mod options;
mod plan;
mod ranges;
mod survey;

pub use blocks::differing_blocks;
pub use device::{Failure, FlashDevice, Mismatch, Tick};
pub use error::PlanError;
pub use execute::{Cause, Report, RunError, TargetState, execute};
pub use geometry::{
    Costs, EraseKind, EraseUnit, Geometry, GeometryError, MOST_BLOCK_BYTES, MOST_MEMORY_BYTES,
    MOST_UNITS, Program, Rewrite, Run,
};
pub use image::{Format, Image, ImageError, ParseOptions, Segment};
pub use layout::{Layout, LayoutError, Region};
pub use meter::{Event, OnEvent, Phase};
pub use options::{EraseChoice, Options};
pub use plan::{ErasedKind, Plan, Step, Summary, needs, plan, plan_erase, plan_verify};
pub use survey::{Current, Look, Need, read_range, survey};
