//! The USB host at the other end of the cable, in bit time.
//!
//! Frames of a millisecond, transactions that must fit into what is left of one, NAKs that are
//! tried again after a gap, toggles, three strikes for what is not answered (USB 2.0, chapter 8).
//! On top of it control transfers, enumeration in Linux's order, and the two data pipes of a
//! CDC-ACM port with Linux's way of reading and writing them. Full speed only, one device.
//!
//! Everything that can go wrong on a cable can be made to: see [`Fault`], [`Host::bus_reset`],
//! [`Host::suspend`] and [`Host::unplug`].

mod control;
mod descriptors;
mod enumerate;
mod port;
mod transaction;

use std::collections::BTreeMap;

use crate::halt::Halt;
use crate::machine::Machine;
use crate::time::Time;

pub use control::Setup;
pub use descriptors::{Descriptors, EndpointInfo, InterfaceInfo, TransferKind};
pub use enumerate::Device;
pub use port::Port;
use transaction::Toggles;

/// One bit at full speed: USB 2.0, section 7.1.11.
const BIT: Time = Time::period_of(12_000_000);
/// One frame.
const FRAME: Time = Time::MILLISECOND;

/// Why something did not work out on the bus.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The device refused: STALL.
    #[error("endpoint {0:#04x} answers STALL")]
    Stalled(u8),
    /// Three times in a row no answer came.
    #[error("endpoint {0:#04x} does not answer")]
    NoAnswer(u8),
    /// The device answers NAK and nothing else.
    #[error("endpoint {endpoint:#04x} answered nothing but NAK for {after}")]
    TimedOut {
        /// The endpoint.
        endpoint: u8,
        /// For how long.
        after: Time,
    },
    /// It sent more than was asked for.
    #[error("endpoint {0:#04x} sent more than was asked for")]
    Babble(u8),
    /// Nothing pulls D+ up.
    #[error("no device is attached")]
    NotAttached,
    /// Its descriptors make no sense.
    #[error("the device's descriptors are wrong: {0}")]
    BadDescriptors(&'static str),
    /// The emulator cannot go on.
    #[error(transparent)]
    Halt(#[from] Halt),
}

/// Something that goes wrong on the cable during one data transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The handshake is lost: of an IN transaction the host's, of an OUT transaction the device's.
    /// The sender sends again, the receiver must drop it.
    LostHandshake,
    /// The data is garbled: the receiver answers nothing, and the sender sends again.
    GarbledData,
}

/// How a host behaves where the standard leaves it a choice.
#[derive(Clone, Copy, Debug)]
pub struct HostConfig {
    /// Bit times after a NAK before the same endpoint is tried again.
    pub nak_gap_bits: u64,
    /// What its software takes between two control transfers.
    pub control_gap: Time,
    /// How long a reset lasts: at least 10 ms (USB 2.0, section 7.1.7.5).
    pub reset: Time,
    /// How long a device must be attached before the host resets it: at least 100 ms (USB 2.0,
    /// section 7.1.7.3).
    pub debounce: Time,
    /// How long a control transfer may take: 5 s (USB 2.0, section 9.2.6.1).
    pub control_timeout: Time,
    /// Bytes that one request for input data asks for. Linux's cdc_acm asks for two packets.
    pub read_bytes: usize,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            nak_gap_bits: 10,
            control_gap: Time::from_micros(100),
            reset: Time::from_millis(10),
            debounce: Time::from_millis(100),
            control_timeout: Time::from_millis(5000),
            read_bytes: 128,
        }
    }
}

/// What went over the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// IN tokens that were answered with NAK.
    pub in_naks: u64,
    /// IN transactions that brought data.
    pub in_packets: u64,
    /// OUT data packets that were answered with NAK.
    pub out_naks: u64,
    /// OUT and SETUP data packets that were acknowledged.
    pub out_packets: u64,
    /// Packets that came twice and were dropped.
    pub repeated: u64,
}

/// A host with one port.
#[derive(Debug)]
pub struct Host {
    config: HostConfig,
    /// Start of the present frame.
    frame_start: Time,
    frame: u16,
    /// Whether starts of frame are sent.
    running: bool,
    address: u8,
    toggles: Toggles,
    /// An endpoint that answered NAK is not tried before this.
    not_before: BTreeMap<u8, Time>,
    traffic: Traffic,
    /// Data transactions so far, and what happens to which of them.
    transactions: u64,
    faults: BTreeMap<u64, Fault>,
}

impl Host {
    /// A host whose port is empty.
    pub fn new(config: HostConfig) -> Self {
        Self {
            config,
            frame_start: Time::ZERO,
            frame: 0,
            running: false,
            address: 0,
            toggles: Toggles::default(),
            not_before: BTreeMap::new(),
            traffic: Traffic::default(),
            transactions: 0,
            faults: BTreeMap::new(),
        }
    }

    /// How it behaves.
    pub fn config(&self) -> &HostConfig {
        &self.config
    }

    /// Changes how it behaves.
    pub fn config_mut(&mut self) -> &mut HostConfig {
        &mut self.config
    }

    /// What has gone over the bus since the last [`reset_traffic`](Self::reset_traffic).
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Counts from zero again.
    pub fn reset_traffic(&mut self) {
        self.traffic = Traffic::default();
    }

    /// Makes `fault` happen to the data transaction that comes after `skip` others.
    pub fn inject(&mut self, skip: u64, fault: Fault) {
        self.faults.insert(self.transactions + skip, fault);
    }

    /// Lets time pass, with nothing but starts of frame on the bus.
    ///
    /// # Errors
    /// [`Halt`].
    pub fn idle(&mut self, machine: &mut Machine, duration: Time) -> Result<(), Halt> {
        let end = machine.now() + duration;
        while machine.now() < end {
            self.next_frame(machine)?;
            let next = if self.running {
                end.min(self.frame_start + FRAME)
            } else {
                end
            };
            machine.run_until(next)?;
        }
        Ok(())
    }

    /// Resets the bus; the device has address 0 and no configuration afterwards.
    ///
    /// # Errors
    /// [`Halt`].
    pub fn bus_reset(&mut self, machine: &mut Machine) -> Result<(), Halt> {
        self.running = false;
        let now = machine.now();
        machine.chip_mut().usb(now, |usb| usb.bus_reset(now));
        machine.run_for(self.config.reset)?;
        let now = machine.now();
        machine.chip_mut().usb(now, |usb| usb.bus_idle(now));
        self.frame_start = now;
        self.running = true;
        self.address = 0;
        self.toggles = Toggles::default();
        self.not_before.clear();
        // The device may need 10 ms to recover (USB 2.0, section 7.1.7.5).
        self.idle(machine, Time::from_millis(10))
    }

    /// Sends nothing for `duration`: the device is to suspend itself after 3 ms.
    ///
    /// # Errors
    /// [`Halt`].
    pub fn suspend(&mut self, machine: &mut Machine, duration: Time) -> Result<(), Halt> {
        self.running = false;
        machine.run_for(duration)
    }

    /// Ends a suspend: 20 ms of resume signalling (USB 2.0, section 7.1.7.7).
    ///
    /// # Errors
    /// [`Halt`].
    pub fn resume(&mut self, machine: &mut Machine) -> Result<(), Halt> {
        let now = machine.now();
        machine.chip_mut().usb(now, |usb| usb.bus_resume());
        machine.run_for(Time::from_millis(20))?;
        let now = machine.now();
        machine.chip_mut().usb(now, |usb| usb.bus_idle(now));
        self.frame_start = now;
        self.running = true;
        self.idle(machine, Time::from_millis(10))
    }

    /// Whether the device itself asks for a resume.
    pub fn sees_remote_wake_up(&self, machine: &mut Machine) -> bool {
        let now = machine.now();
        machine.chip_mut().usb(now, |usb| usb.signals_resume())
    }

    /// Pulls the plug for `duration` and puts it in again. The chip keeps its power.
    ///
    /// # Errors
    /// [`Halt`].
    pub fn unplug(&mut self, machine: &mut Machine, duration: Time) -> Result<(), Halt> {
        self.running = false;
        let now = machine.now();
        machine.chip_mut().usb(now, |usb| usb.detached());
        machine.run_for(duration)?;
        let now = machine.now();
        machine.chip_mut().usb(now, |usb| usb.bus_idle(now));
        Ok(())
    }
}
