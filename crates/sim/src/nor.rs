//! SPI NOR flash chips.
//!
//! A [`Chip`] is the slave end of a SPI bus: it is selected, clocked a byte at a time and
//! deselected, each at a moment in time, and does what its [`Part`]'s datasheet says, busy times
//! and block protection included. It knows no programmer and no wire, so anything that has a SPI
//! bus can carry it: the serprog bench here, an emulated microcontroller elsewhere.
//!
//! A chip on silicon suffers a host's mistakes in silence; this one does the same to its content and
//! writes a [`Complaint`] down. What a careful host may do on purpose is no complaint and only
//! counted in [`Activity`]: sending to a busy chip, which ignores it, is how pages are programmed
//! ahead, and trying instructions that a chip does not have is how chips are told apart.
//!
//! Single data line only: no programmer of this project has more.

mod chip;
mod complaint;
mod part;
mod parts;
mod protection;
mod state;
mod timing;

pub use chip::{Activity, Chip, Options};
pub use complaint::{Complaint, Misuse};
pub use part::{
    Erase, Ewsr, Extent, Features, Identity, Part, Programming, RegisterBit, StatusLayout,
    StatusRegister,
};
pub use parts::{PARTS, find};
pub use protection::Protection;
pub use state::StateSyntax;
pub(crate) use state::restore;
pub use timing::{Busy, Pace};
