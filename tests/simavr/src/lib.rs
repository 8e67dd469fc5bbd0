//! An Arduino Uno that executes firmware images, for tests: an ATmega328P in simavr with a serial
//! line to a host, a flash chip of the bench on its SPI pins, and a reset that DTR reaches.
//!
//! simavr executes instructions and has the timers, the watchdog and the pins. What decides whether
//! a programmer is fast enough is ours: the [serial line](Machine::send), the USART with as many
//! bytes of patience as silicon has, and the SPI by its clock.
//!
//! [`Machine`] is the board, [`UnoLink`] the cable to a client in the same process, in the board's
//! own time, and [`bridge`] the one to programs that know nothing of it.

mod avr;
mod board;
pub mod bridge;
mod line;
mod link;
mod machine;
mod pins;
mod spi;
mod uart;

pub use board::Complaint;
pub use link::{Uno, UnoLink};
pub use machine::{Config, Halt, Machine, MachineError, Report};
pub use pins::Drive;
pub use uart::Traffic;
