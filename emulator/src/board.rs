//! A chip with its program, SPI flash chips clipped to it, and a USB host at the other end of the
//! cable: what a person has on the desk.

use flashwire_sim::nor;

use crate::chip::{Config, Pin, SpiBus};
use crate::host::{Device, Host, HostConfig, HostError, Port};
use crate::image::{Image, ImageError};
use crate::machine::Machine;
use crate::nor::SharedNor;
use crate::time::Time;

/// The desk.
///
/// The host's functions take the machine: it is they who let its time pass. So both are open.
#[derive(Debug)]
pub struct Board {
    /// The chip.
    pub machine: Machine,
    /// The host.
    pub host: Host,
}

impl Board {
    /// Puts the program into a fresh chip and switches the power on.
    ///
    /// # Errors
    /// [`ImageError`] if the program does not fit.
    pub fn new(chip: Config, host: HostConfig, image: &Image) -> Result<Self, ImageError> {
        let mut machine = Machine::new(chip);
        machine.load(image)?;
        Ok(Self {
            machine,
            host: Host::new(host),
        })
    }

    /// Wires a flash chip to SPI1, its chip select to `select`.
    pub fn clip(&mut self, select: Pin, chip: nor::Chip) -> SharedNor {
        self.clip_to(SpiBus::Spi1, select, chip)
    }

    /// Wires a flash chip to a SPI, its chip select to `select`.
    pub fn clip_to(&mut self, bus: SpiBus, select: Pin, chip: nor::Chip) -> SharedNor {
        let shared = SharedNor::new(chip);
        self.machine
            .chip_mut()
            .attach_spi(bus, select, Box::new(shared.clone()));
        shared
    }

    /// Enumerates the program's USB device, and opens its CDC-ACM port.
    ///
    /// # Errors
    /// [`HostError`], of the last try when `patience` is over.
    pub fn plug_in(&mut self, patience: Time) -> Result<(Device, Port), HostError> {
        let device = self.host.enumerate(&mut self.machine, patience)?;
        let port = self.host.open_port(&mut self.machine, &device)?;
        Ok((device, port))
    }

    /// Sends `bytes` and waits until `count` bytes have come back.
    ///
    /// # Errors
    /// [`HostError::TimedOut`] if `timeout` passes without a packet in either direction, or any
    /// other [`HostError`].
    pub fn exchange(
        &mut self,
        port: &mut Port,
        bytes: &[u8],
        count: usize,
        timeout: Time,
    ) -> Result<Vec<u8>, HostError> {
        port.write(bytes);
        self.host.exchange(&mut self.machine, port, count, timeout)
    }
}
