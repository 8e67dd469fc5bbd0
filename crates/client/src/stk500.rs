//! The bootloaders of Arduino boards with an ATmega328P, over a serial port.
//!
//! [`Bootloader`] resets the board, finds a loader (optiboot or the older ATmegaBOOT) and its speed,
//! and reads and programs flash by pages of 128 bytes; [`Target`] makes a
//! [`FlashDevice`](flashwire_plan::FlashDevice) of it. The protocol is AVR061's
//! (`flashwire_protocol::stk500`), the behaviour that of the loaders' sources.
//!
//! Nothing of it has a checksum, so everything that is programmed has to be read back. What is
//! deliberately not here: fuses, lock bits and EEPROM, which these loaders do not reach, and the last
//! 2 KiB of the flash, where they live.

mod bootloader;
mod error;
mod greet;
mod part;
mod reading;
mod talk;
mod target;

pub use bootloader::{Bootloader, Identity, Loader, Options};
pub use error::Error;
pub use flashwire_protocol::stk500::Command;
pub use greet::auto_reset;
pub use part::{PAGE_BYTES, Part, Signature};
pub use reading::Reading;
pub use target::Target;
