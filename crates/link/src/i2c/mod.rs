//! One device on an I2C bus of this computer, over Linux's i2c-dev.
//!
//! Each [`send`](Link::send) is one write transfer, each [`recv`](Link::recv) one read transfer of
//! exactly its buffer: START, address, bytes, STOP. Nothing is ever joined by a repeated START, and
//! nothing is buffered here.
//!
//! * A read that nobody acknowledges is tried again until the deadline, a few times a millisecond: a
//!   device that is busy or starting answers late that way. A write that nobody acknowledges fails
//!   at once ([`BusFault`](crate::BusFault)): it may have had an effect.
//! * How long a device may hold the clock is the controller's business and its driver's; no deadline
//!   shortens it.
//! * The kernel sets the clock of a bus. [`settings`](Link::settings) tell the slowest usual one.
//! * A bus has no modem lines; [`WithGpio`](crate::WithGpio) adds lines that a computer has.
//!
//! Ruled by Linux's `Documentation/i2c/dev-interface.rst` and `fault-codes.rst`. On other systems
//! there is no such interface, and [`open`] says so.

#[cfg(target_os = "linux")]
mod linux;
mod list;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
use linux::Device;
#[cfg(not(target_os = "linux"))]
use other::Device;

pub use list::{Bus, buses};

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::clock::Clock;
use crate::warnings::Warnings;
use crate::{Deadline, Instant, LineChange, Link, LinkError, Settings};

/// The clock that a bus is taken to have, in Hz: Standard-mode, the slowest of UM10204 (section 5).
const NOMINAL_HZ: u32 = 100_000;

/// Pause between two tries of a read that nobody acknowledges.
const RETRY_PAUSE: Duration = Duration::from_micros(250);

/// A 7-bit address of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(u8);

impl Address {
    /// The addresses that devices have: what is below and above is reserved. The same ones as
    /// i2cdetect's and stm32flash's; UM10204, section 3.1.12, reserves four more at the lower end.
    pub const RANGE: RangeInclusive<u8> = 0x03..=0x77;

    /// The address `address`, if devices can have it.
    pub fn new(address: u8) -> Option<Self> {
        Self::RANGE.contains(&address).then_some(Self(address))
    }

    /// The address as a number, without the bit that tells reading from writing.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Address {
    /// As people write it: `0x39`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02x}", self.0)
    }
}

/// The text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no I2C address: 0x{first:02x} to 0x{last:02x}",
    first = Address::RANGE.start(),
    last = Address::RANGE.end()
)]
pub struct ParseAddressError(String);

impl FromStr for Address {
    type Err = ParseAddressError;

    /// Reads `0x39`, `57`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => u8::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        // `0x+5` is no number to people.
        number
            .filter(|_| !text.contains('+'))
            .and_then(Self::new)
            .ok_or_else(|| ParseAddressError(text.to_owned()))
    }
}

/// Opens the bus `path` (`/dev/i2c-1`) for the device at `address`. Nothing is sent.
///
/// # Errors
/// * [`LinkError::NotFound`]: there is no such bus.
/// * [`LinkError::Denied`]: this user may not use it.
/// * [`LinkError::Busy`]: a driver of the kernel has a device at this address.
/// * [`LinkError::NotABus`]: it is something else, or a controller that cannot do plain transfers
///   (SMBus only).
/// * [`LinkError::Unsupported`]: this operating system has no i2c-dev.
pub fn open(path: &str, address: Address) -> Result<I2cLink, LinkError> {
    Ok(I2cLink {
        name: format!("{path}@{address}"),
        device: Device::open(path, address)?,
        clock: Clock::start(),
        warnings: Warnings::default(),
    })
}

/// Asks every address of the bus `path` whether a device is there, as `i2cdetect` does: by a write
/// of no bytes, or a read of one where a write might harm an EEPROM.
///
/// Never do this unasked: ST's loaders before I2C protocol 1.2 hang from it until their time-out
/// resets the chip, and other devices have their own ways to take it badly.
///
/// # Errors
/// As [`open`]; [`LinkError::Bus`] if the bus itself does not work.
pub fn scan(path: &str) -> Result<Vec<Address>, LinkError> {
    let mut found = Vec::new();
    for address in Address::RANGE.map(Address) {
        let there = match Device::open(path, address) {
            Ok(mut device) => device.is_there()?,
            // A kernel driver has it.
            Err(LinkError::Busy) => true,
            Err(error) => return Err(error),
        };
        if there {
            found.push(address);
        }
    }
    Ok(found)
}

/// An open bus, and a device on it. Made by [`open`].
#[derive(Debug)]
pub struct I2cLink {
    name: String,
    device: Device,
    clock: Clock,
    warnings: Warnings,
}

impl Link for I2cLink {
    fn name(&self) -> &str {
        &self.name
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.device.write(bytes)
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.device.read(buffer)? {
                return Ok(buffer.len());
            }
            let left = deadline.remaining(self.clock.now());
            if left.is_zero() {
                return Ok(0);
            }
            self.clock.pause(left.min(RETRY_PAUSE));
        }
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.clock.pause(duration);
        Ok(())
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        if settings == self.settings() {
            return Ok(());
        }
        Err(LinkError::Unsupported(
            "a speed of its own: the system sets the clock of an I2C bus".to_owned(),
        ))
    }

    fn settings(&self) -> Settings {
        Settings::plain(NOMINAL_HZ)
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        for LineChange { line, .. } in changes {
            self.warnings.add_line(line);
        }
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        Ok(())
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.warnings.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_hexadecimal_and_decimal() {
        for text in ["0x39", "0X39", "57"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.get(), 0x39);
            assert_eq!(address.to_string(), "0x39");
        }
    }

    #[test]
    fn what_devices_cannot_have_is_no_address() {
        for text in [
            "", "0x02", "0x78", "128", "0x", "0x+39", "+57", "-1", "39h", "0x139",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("0x03 to 0x77"), "{text}: {error}");
        }
    }
}
