//! The wire as an I2C bus with one device on it.
//!
//! A bus has no bytes under way: the host's controller clocks each transfer, and the device can do
//! no more than refuse a byte or hold the clock. So a transfer is a call that lets the time pass that
//! it takes, and what it returns is what a controller tells its driver. UM10204 rules the bus; how
//! long a controller lets a device hold the clock is its own affair ([`BusConfig::hold_limit`]).

use std::time::Duration;

use flashwire_link::{BusFault, Direction, Fault, FaultKind, Instant};

use super::Wire;

/// The host's controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusConfig {
    /// The clock of the bus, in Hz.
    pub clock_hz: u32,
    /// How long the controller lets anybody hold the clock before it gives a transfer up.
    pub hold_limit: Duration,
}

/// Clocks of one byte: eight bits and the acknowledge. UM10204, section 3.1.5.
const CLOCKS_PER_BYTE: u32 = 9;

impl BusConfig {
    /// How long one byte takes.
    pub fn byte_time(&self) -> Duration {
        Duration::from_secs(u64::from(CLOCKS_PER_BYTE)) / self.clock_hz.max(1)
    }
}

/// A device on the bus, as its controller sees it.
pub trait BusTarget {
    /// START and an address: whether the device acknowledges it. `clock_hz` is how fast the host is.
    fn start(&mut self, now: Instant, address: u8, reading: bool, clock_hz: u32) -> bool;

    /// Whether the device holds the clock, so that nothing more can happen in the transfer.
    fn holds_clock(&self) -> bool;

    /// The host writes a byte: whether the device acknowledges it.
    fn write(&mut self, now: Instant, byte: u8) -> bool;

    /// The host reads a byte; `last` if it will not acknowledge it.
    fn read(&mut self, now: Instant, last: bool) -> u8;

    /// STOP, or whatever else ends a transfer.
    fn stop(&mut self, now: Instant);
}

/// Why a transfer ended early.
enum Broken {
    /// A byte was refused, the clock was held, or the like.
    Fault(BusFault),
    /// The host's adapter is gone.
    Cut,
}

impl Wire {
    /// The controller of the bus, if the wire is one.
    pub fn bus(&self) -> Option<BusConfig> {
        self.bus
    }

    /// The host writes to the device at an address, in one transfer.
    ///
    /// # Errors
    /// What the controller tells. After a cut nothing is told but that nobody is there;
    /// [`is_closed`](Wire::is_closed) tells the rest.
    pub fn bus_write(&mut self, address: u8, bytes: &[u8]) -> Result<(), BusFault> {
        self.transfer(address, false, |wire| {
            bytes
                .iter()
                .try_for_each(|&byte| wire.byte_out(byte, BusFault::NotAcknowledged))
        })
    }

    /// The host reads from the device at an address, in one transfer that fills the buffer.
    ///
    /// # Errors
    /// As [`bus_write`](Wire::bus_write).
    pub fn bus_read(&mut self, address: u8, buffer: &mut [u8]) -> Result<(), BusFault> {
        let last = buffer.len().saturating_sub(1);
        self.transfer(address, true, |wire| {
            for (index, byte) in buffer.iter_mut().enumerate() {
                *byte = wire.byte_in(index == last)?;
            }
            Ok(())
        })
    }

    /// How many bytes of the last write the device acknowledged, its address not counted.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// One transfer, from the host's call to the host's answer.
    fn transfer(
        &mut self,
        address: u8,
        reading: bool,
        bytes: impl FnOnce(&mut Self) -> Result<(), Broken>,
    ) -> Result<(), BusFault> {
        self.acknowledged = 0;
        self.advance(self.now + self.latency);
        // A clock that is still held from before is a busy bus.
        let done = self
            .wait_for_clock()
            .and_then(|()| self.start(address, reading))
            .and_then(|()| bytes(self));
        if let Some(device) = self.far.bus() {
            device.stop(self.now);
        }
        self.pump();
        self.advance(self.now + self.latency);
        match done {
            Ok(()) => Ok(()),
            Err(Broken::Fault(fault)) => Err(fault),
            Err(Broken::Cut) => Err(BusFault::NoDevice),
        }
    }

    fn start(&mut self, address: u8, reading: bool) -> Result<(), Broken> {
        let byte = address << 1 | u8::from(reading);
        let fault = self.pass_byte(Direction::Out)?;
        let clock_hz = self.bus.map_or(0, |bus| bus.clock_hz);
        let there = fault != Some(FaultKind::Nak)
            && self
                .far
                .bus()
                .is_some_and(|device| device.start(self.now, byte >> 1, reading, clock_hz));
        self.pump();
        if there {
            Ok(())
        } else {
            Err(Broken::Fault(BusFault::NoDevice))
        }
    }

    /// A byte from the host; `refused` is what it is told if nobody acknowledges.
    fn byte_out(&mut self, byte: u8, refused: BusFault) -> Result<(), Broken> {
        self.wait_for_clock()?;
        let fault = self.pass_byte(Direction::Out)?;
        let byte = byte ^ u8::from(fault == Some(FaultKind::Flip));
        let taken = self
            .far
            .bus()
            .is_some_and(|device| device.write(self.now, byte));
        self.pump();
        // The device has the byte; it is its acknowledge that is lost.
        if taken && fault != Some(FaultKind::Nak) {
            self.acknowledged += 1;
            Ok(())
        } else {
            Err(Broken::Fault(refused))
        }
    }

    /// A byte from the device.
    fn byte_in(&mut self, last: bool) -> Result<u8, Broken> {
        self.wait_for_clock()?;
        let fault = self.pass_byte(Direction::In)?;
        // A bus that nobody drives is high.
        let byte = self
            .far
            .bus()
            .map_or(0xFF, |device| device.read(self.now, last));
        self.pump();
        Ok(byte ^ u8::from(fault == Some(FaultKind::Flip)))
    }

    /// Lets the time of one byte pass, and what goes wrong with it happen.
    fn pass_byte(&mut self, direction: Direction) -> Result<Option<FaultKind>, Broken> {
        let total = self.out.passed + self.back.passed;
        let channel = match direction {
            Direction::Out => &mut self.out,
            Direction::In => &mut self.back,
        };
        let index = channel.passed;
        channel.passed += 1;
        let fault = self.faults.iter().find(|fault: &&Fault| {
            fault.byte
                == match fault.direction {
                    None => total,
                    Some(of) if of == direction => index,
                    Some(_) => return false,
                }
        });
        let fault = fault.map(|fault| fault.kind);
        if fault == Some(FaultKind::Cut) {
            self.cut = Some(self.now);
        }
        if self.is_closed() {
            return Err(Broken::Cut);
        }
        let bus = self.bus.unwrap_or(BusConfig {
            clock_hz: 1,
            hold_limit: Duration::ZERO,
        });
        match fault {
            Some(FaultKind::Arbitration) => {
                self.advance(self.now + bus.byte_time());
                return Err(Broken::Fault(BusFault::ArbitrationLost));
            }
            // Somebody else on the bus holds it.
            Some(FaultKind::Hold) => {
                self.advance(self.now + bus.hold_limit);
                return Err(Broken::Fault(BusFault::ClockHeld));
            }
            _ => self.advance(self.now + bus.byte_time()),
        }
        Ok(fault)
    }

    /// Waits while the device holds the clock, for as long as the controller does.
    fn wait_for_clock(&mut self) -> Result<(), Broken> {
        let limit = self.bus.map_or(Duration::ZERO, |bus| bus.hold_limit);
        let end = self.now + limit;
        while self.far.bus().is_some_and(|device| device.holds_clock()) {
            match self.next_inside().filter(|at| *at <= end) {
                Some(at) => self.advance(at),
                None => {
                    self.advance(end);
                    return Err(Broken::Fault(BusFault::ClockHeld));
                }
            }
        }
        Ok(())
    }
}
