//! SPI NOR flash chips from the host's side.
//!
//! [`Chip::open`] finds out what is there over any [`SpiController`]: by RDID, by the older REMS
//! and RES, by the chip's own SFDP, and by the parts table where the chip says nothing of itself.
//! What comes out is a [`Chip`], a [`FlashDevice`](flashwire_plan::FlashDevice) whose pages are
//! programmed ahead of their answers where the controller allows it.
//!
//! | file | what |
//! |---|---|
//! | `controller` | what a SPI bus can do for a chip |
//! | `probe` | asking a chip who it is |
//! | `parts` | the table of parts, for chips without SFDP and for names |
//! | `definition` | what is known of a chip: from SFDP, from the table, from both |
//! | `addressing` | three and four address bytes |
//! | `status` | status registers and what they protect |
//! | `chip` | the chip as a `FlashDevice`: reading, comparing, erasing |
//! | `program` | programming, sent ahead |

mod addressing;
mod chip;
mod controller;
mod definition;
mod error;
mod parts;
mod probe;
mod program;
mod status;

pub use addressing::Addressing;
pub use chip::{Chip, Options};
pub use controller::{ControllerError, Job, Limits, SpiController};
pub use definition::{Definition, Erase, Programming, Timing};
pub use error::Error;
pub use parts::{Part, Parts, PartsError, ProbeMethod, Voltage};
pub(crate) use probe::named;
pub use probe::{Answers, Identity};
pub use status::{Protection, SavedStatus};
pub(crate) use status::{WITH_SR2, WITHOUT_SR2};
