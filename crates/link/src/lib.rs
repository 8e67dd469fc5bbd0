//! The cable and the clock in one object.
//!
//! Everything above this floor talks through [`Link`] and takes its time from it: nothing else
//! sleeps, and nothing else asks the operating system what time it is. That is what lets the same
//! client drive a real port in real time and a simulated board in virtual time.
//!
//! * Links: [`serial`] ports, [`tcp`] and [`i2c`] (feature `os`, on by default: all system calls
//!   stand behind it), and whatever else implements [`Link`]; [`ports()`] lists what the computer
//!   has.
//! * Wrappers, each a link around a link: [`Trace`] logs it, [`Record`] and [`Replay`] keep it for
//!   ever, [`Faults`] damages it, [`Interruptible`] lets the user give up, [`WithGpio`] gives it the
//!   GPIO lines of the computer. A log is readable if [`Trace`] is around [`Interruptible`], not
//!   inside it: it then shows waits whole.
//! * [`reset`]: the language in which people say how lines reach NRST and BOOT0.
//!
//! No wire protocol is known here: a link carries bytes and moves lines. Nothing here prints.

#[cfg(feature = "os")]
mod clock;
mod error;
mod faults;
mod forward;
#[cfg(feature = "os")]
mod gpio;
#[cfg(feature = "os")]
pub mod i2c;
#[cfg(feature = "os")]
mod input;
mod interrupt;
#[cfg(feature = "os")]
mod ports;
mod recording;
pub mod reset;
#[cfg(feature = "os")]
pub mod serial;
mod settings;
#[cfg(all(unix, feature = "os"))]
mod sys;
#[cfg(feature = "os")]
pub mod tcp;
mod time;
mod trace;
#[cfg(feature = "os")]
mod warnings;

use std::time::Duration;

pub use error::{BusFault, LinkError};
pub use faults::{Direction, Fault, FaultKind, Faults, ParseFaultError};
#[cfg(feature = "os")]
pub use gpio::WithGpio;
pub use interrupt::{CancelFlag, Interruptible};
#[cfg(feature = "os")]
pub use ports::{Port, PortKind, UsbPort, ports};
pub use recording::{Record, RecordingError, Replay};
pub use settings::{
    Line, LineChange, Parity, ParseLineError, ParseSettingsError, Settings, StopBits,
};
pub use time::{Deadline, Instant};
pub use trace::Trace;

/// The host's end of a cable, and the clock that all waits are measured by.
///
/// On a stream (UART, TCP) [`send`](Link::send) puts bytes on the wire and [`recv`](Link::recv)
/// takes what has arrived. On a framed bus (I2C) one `send` is one bus write and one `recv` is one
/// bus read that fills exactly its buffer. A device that does not acknowledge its address has not
/// answered yet: `recv` asks again until the deadline and then returns 0; `send` fails with
/// [`BusFault::NoDevice`]. Other failures of one transfer are [`LinkError::Bus`]; the bus is still
/// there after them, and how much of the transfer the device has taken nobody knows.
pub trait Link {
    /// What a person calls this link, for messages: `/dev/ttyUSB0`, `tcp:127.0.0.1:4000`.
    fn name(&self) -> &str;

    /// The time now on this link's clock.
    fn now(&self) -> Instant;

    /// Puts bytes on the wire. Returns when the link has taken all of them, which can be before
    /// the last one has left; [`Settings::wire_time`] tells how long they need.
    ///
    /// # Errors
    /// [`LinkError::Stalled`] if the link does not take them in twice their wire time and a
    /// second more; otherwise whatever ended the link.
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError>;

    /// Takes what has arrived: waits until at least one byte is there or the deadline has passed,
    /// then fills the front of `buffer` with what is there and returns how many bytes that is.
    /// 0 means that the deadline passed in silence. What has already arrived is returned even if
    /// the deadline is in the past.
    ///
    /// # Errors
    /// Whatever ended the link. A peer that closed it is [`LinkError::Closed`], not 0.
    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError>;

    /// Lets time pass.
    ///
    /// # Errors
    /// [`LinkError::Cancelled`] if the user gave up meanwhile.
    fn pause(&mut self, duration: Duration) -> Result<(), LinkError>;

    /// Sets speed and character format for everything sent and received from here on; what was
    /// sent before leaves the wire first.
    ///
    /// A port that cannot do the parity (a pty, a TCP bridge) keeps going and reports it in
    /// [`take_warnings`](Link::take_warnings).
    ///
    /// # Errors
    /// [`LinkError::Unsupported`] if the speed cannot be set.
    fn configure(&mut self, settings: Settings) -> Result<(), LinkError>;

    /// The settings in force: those of the last [`configure`](Link::configure).
    fn settings(&self) -> Settings;

    /// Moves modem, break or GPIO lines, all given ones at the same moment as far as the port can.
    /// Lines that the port does not have are skipped and reported in
    /// [`take_warnings`](Link::take_warnings).
    ///
    /// # Errors
    /// Whatever ended the link.
    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError>;

    /// Drops everything that has arrived and was not taken.
    ///
    /// # Errors
    /// Whatever ended the link.
    fn discard_input(&mut self) -> Result<(), LinkError>;

    /// What this port could not do since the last call, each a sentence fragment for the user
    /// ("even parity is not supported by this port").
    fn take_warnings(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Whether waiting on this link takes real time. A link with a virtual clock says `false`, so
    /// that nobody cuts its waits into slices to look at the real world in between.
    fn real_time(&self) -> bool {
        true
    }

    /// The moment `after` from now, to pass to [`recv`](Link::recv).
    fn deadline(&self, after: Duration) -> Deadline {
        Deadline::at(self.now() + after)
    }

    /// Fills `buffer` from the front until it is full or the deadline has passed; returns how many
    /// bytes arrived. Fewer than asked for means that the deadline passed.
    ///
    /// # Errors
    /// As [`recv`](Link::recv); bytes that arrived before the error are lost with the link.
    fn recv_all(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.recv(&mut buffer[filled..], deadline)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }
}
