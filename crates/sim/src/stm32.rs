//! STM32 chips as their ROM loader shows them.
//!
//! One implementation, driven by a table of [`PARTS`] that states what the silicon's documents say.
//! [`Chip`] is a [`FarEnd`](crate::wire::FarEnd) for a UART wire or an I2C bus; the loader's parser inside knows
//! nothing of the wire.

mod chip;
mod i2c;
mod memory;
mod options;
mod part;
mod parts;
mod rom;
mod state;
mod stub;
mod talk;
mod wiring;

pub use chip::{Application, Chip, ChipState};
pub use memory::{Memory, Region};
pub use options::{Cell, OptionLayout, Options, ReadProtection, WriteProtection};
pub use part::{Flash, I2cLoader, Loader, Part, ProgramRule, Sectors, Unit};
pub use parts::{PARTS, PARTS_WITHOUT_PARITY, all_parts, part};
pub use rom::Phase;
pub use state::StateSyntax;
pub(crate) use state::read as read_state;
pub use wiring::{Wiring, WiringSyntax};
