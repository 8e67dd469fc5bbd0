//! An STM32F103 that executes firmware images: the [core](cpu), the [chip](chip::Chip) around it,
//! and the world at its pins.
//!
//! [`Machine`] is core and chip together, [`Board`] what a person has on the desk, and [`bridge`]
//! lets programs of the real world use it.

mod board;
pub mod bridge;
pub mod chip;
mod complaints;
pub mod cpu;
mod functions;
mod halt;
pub mod host;
mod image;
mod machine;
mod nor;
pub mod serial;
pub mod stack;
mod time;

pub use board::Board;
pub use complaints::Complaint;
pub use functions::{Functions, FunctionsError, cost_table};
pub use halt::{AccessKind, Halt};
pub use image::{Image, ImageError, Segment};
pub use machine::Machine;
pub use nor::SharedNor;
pub use time::Time;
