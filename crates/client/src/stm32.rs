//! ST's ROM bootloader on a UART and on I2C, from the host's side: AN3155 and AN4221.
//!
//! [`Bootloader`] is the conversation: one method a command, each reading like the document's flow
//! chart, none trying anything twice. It keeps the loader's parser in step: a command that broke
//! off is cleaned up before the next one begins. [`Target`] is the flash behind it, as the planner
//! and executor of `flashwire_plan` want it, with retries, erase lists and verification.
//! [`Parts`] is what has to be known of a part because it cannot be asked.
//!
//! What the two have of their own is data ([`Interface`]); there is one path through the commands.
//!
//! The way in: [`Bootloader::new`] over an open link, [`Bootloader::synchronise`],
//! [`Bootloader::identify`], [`Target::new`]. Resets and boot lines are the caller's business.

mod bootloader;
mod checksum;
mod erase;
mod error;
mod exchange;
mod geometry;
mod identify;
mod interface;
mod memory;
mod option_bytes;
mod parts;
mod pipeline;
mod protect;
mod reading;
mod reset_program;
mod resynchronise;
mod sectors;
mod special;
mod speed;
mod synchronise;
mod target;
mod write_protection;

pub use bootloader::{Bootloader, Options};
pub use error::{Error, Phase, Step};
pub use identify::{Identity, UniqueId};
pub use interface::{FrameLimits, Interface, ParseFrameError};
pub use option_bytes::{OptionBlock, OptionBytes, OptionField, OptionsError};
pub use parts::{
    Family, Layout, LayoutError, Part, Parts, PartsError, PartsErrorKind, Quirk, Timing,
};
pub use pipeline::Pipeline;
pub use reading::Reading;
pub use reset_program::ResetProgram;
pub use sectors::SectorsError;
pub use special::SpecialAnswer;
pub use speed::SPEEDS;
pub use synchronise::Synchronised;
pub use target::Target;

// They are part of what identities and errors say.
pub use flashwire_protocol::stm32::{Command, CommandSet};
