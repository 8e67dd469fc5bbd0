//! An STM32F103 that executes firmware images: the [core](cpu), its peripherals, and the world at
//! its pins.

pub mod cpu;
mod halt;
mod time;

pub use halt::{AccessKind, Halt};
pub use time::Time;
