//! Finding out what is plugged in: USB 2.0, section 9.1.2, in the order in which Linux asks.

use crate::machine::Machine;
use crate::time::Time;

use super::descriptors::{Descriptors, TransferKind, text};
use super::{Host, HostError, Port, Setup};

/// The address that a device gets.
const ADDRESS: u8 = 42;

/// Standard requests: USB 2.0, table 9-4.
const GET_DESCRIPTOR: u8 = 6;
const SET_ADDRESS: u8 = 5;
const SET_CONFIGURATION: u8 = 9;

/// Descriptor types: USB 2.0, table 9-5.
const DEVICE: u8 = 1;
const CONFIGURATION: u8 = 2;
const STRING: u8 = 3;
const DEVICE_QUALIFIER: u8 = 6;

/// The language of the strings: English (United States).
const ENGLISH: u16 = 0x0409;

/// Requests of the communication class: "PSTN Devices" 1.2, table 13.
const SET_LINE_CODING: u8 = 0x20;
const SET_CONTROL_LINE_STATE: u8 = 0x22;

/// How long one try to reach a device waits before the next, as long as it does not answer.
const RETRY: Time = Time::from_millis(100);

/// A device that was enumerated and configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What it says of itself.
    pub descriptors: Descriptors,
}

impl Host {
    /// Waits for a device, asks it all that Linux asks, and configures it. Tries again until
    /// `patience` is over: firmware may take its time before it answers.
    ///
    /// # Errors
    /// [`HostError`] of the last try.
    pub fn enumerate(
        &mut self,
        machine: &mut Machine,
        patience: Time,
    ) -> Result<Device, HostError> {
        let deadline = machine.now() + patience;
        loop {
            let result = self.try_to_enumerate(machine);
            match result {
                Err(HostError::Halt(halt)) => return Err(halt.into()),
                Err(_) if machine.now() < deadline => machine.run_for(RETRY)?,
                result => return result,
            }
        }
    }

    fn try_to_enumerate(&mut self, machine: &mut Machine) -> Result<Device, HostError> {
        self.wait_for_attachment(machine)?;
        self.bus_reset(machine)?;
        // The first 64 bytes of the device descriptor, whatever its length, then another reset.
        let first = self.get_descriptor(machine, DEVICE, 0, 0, 64, 64)?;
        let max_packet = match first.get(7) {
            Some(&size @ (8 | 16 | 32 | 64)) => usize::from(size),
            _ => return Err(HostError::BadDescriptors("the size of endpoint 0")),
        };
        self.bus_reset(machine)?;
        self.give_address(machine, max_packet)?;
        let device = self.get_descriptor(machine, DEVICE, 0, 0, 18, max_packet)?;
        if device.len() != 18 {
            return Err(HostError::BadDescriptors(
                "the length of the device descriptor",
            ));
        }
        // A full-speed device has no device qualifier and refuses.
        optional(self.get_descriptor(machine, DEVICE_QUALIFIER, 0, 0, 10, max_packet))?;
        let head = self.get_descriptor(machine, CONFIGURATION, 0, 0, 9, max_packet)?;
        let length = match head[..] {
            [9, 2, low, high, ..] => u16::from_le_bytes([low, high]),
            _ => return Err(HostError::BadDescriptors("the configuration")),
        };
        let configuration =
            self.get_descriptor(machine, CONFIGURATION, 0, 0, length, max_packet)?;
        let strings = self.strings(machine, &device, max_packet)?;
        let descriptors = Descriptors {
            device,
            configuration,
            strings,
        };
        self.configure(machine, &descriptors)?;
        Ok(Device { descriptors })
    }

    fn give_address(&mut self, machine: &mut Machine, max_packet: usize) -> Result<(), HostError> {
        let setup = Setup {
            request_type: 0,
            request: SET_ADDRESS,
            value: u16::from(ADDRESS),
            index: 0,
            length: 0,
        };
        self.control(machine, setup, &[], max_packet)?;
        self.address = ADDRESS;
        // The device has 2 ms for its new address (USB 2.0, section 9.2.6.3); Linux waits 10.
        self.idle(machine, Time::from_millis(10))?;
        Ok(())
    }

    /// Resets a device that is known already, and brings it back to where it was: address and
    /// configuration.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn reset_device(
        &mut self,
        machine: &mut Machine,
        descriptors: &Descriptors,
    ) -> Result<(), HostError> {
        self.bus_reset(machine)?;
        self.give_address(machine, descriptors.max_packet())?;
        self.configure(machine, descriptors)
    }

    /// Begins with DATA0 on the endpoints of an interface, as after
    /// SET_CONFIGURATION and SET_INTERFACE (USB 2.0, section 9.1.1.5).
    pub fn reset_toggles(&mut self, endpoints: impl IntoIterator<Item = u8>) {
        for endpoint in endpoints {
            self.toggles.set(endpoint, false);
        }
    }

    /// USB 2.0, section 7.1.7.3: the device must stay attached for a while.
    fn wait_for_attachment(&mut self, machine: &mut Machine) -> Result<(), HostError> {
        let step = Time::from_millis(1);
        let end = machine.now() + self.config.debounce;
        while machine.now() < end {
            if !machine.chip().usb_is_attached() {
                return Err(HostError::NotAttached);
            }
            machine.run_for(step)?;
        }
        Ok(())
    }

    fn get_descriptor(
        &mut self,
        machine: &mut Machine,
        kind: u8,
        number: u8,
        language: u16,
        length: u16,
        max_packet: usize,
    ) -> Result<Vec<u8>, HostError> {
        let setup = Setup {
            request_type: 0x80,
            request: GET_DESCRIPTOR,
            value: u16::from(kind) << 8 | u16::from(number),
            index: language,
            length,
        };
        self.control(machine, setup, &[], max_packet)
    }

    fn strings(
        &mut self,
        machine: &mut Machine,
        device: &[u8],
        max_packet: usize,
    ) -> Result<[Option<String>; 3], HostError> {
        let mut strings = [None, None, None];
        if device[14..17].iter().any(|&number| number != 0) {
            optional(self.get_descriptor(machine, STRING, 0, 0, 255, max_packet))?;
        }
        // iManufacturer, iProduct, iSerialNumber.
        for (slot, &number) in strings.iter_mut().zip(&device[14..17]) {
            if number != 0 {
                let descriptor =
                    self.get_descriptor(machine, STRING, number, ENGLISH, 255, max_packet);
                *slot = optional(descriptor)?.as_deref().and_then(text);
            }
        }
        Ok(strings)
    }

    /// Sets the configuration, as after enumeration and after any bus reset.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn configure(
        &mut self,
        machine: &mut Machine,
        descriptors: &Descriptors,
    ) -> Result<(), HostError> {
        let setup = Setup {
            request_type: 0,
            request: SET_CONFIGURATION,
            value: u16::from(descriptors.configuration_value()),
            index: 0,
            length: 0,
        };
        self.control(machine, setup, &[], descriptors.max_packet())?;
        self.toggles = Default::default();
        self.not_before.clear();
        Ok(())
    }

    /// Opens the CDC-ACM port of a device as Linux does: line coding when the driver finds it, line
    /// state when a program opens it.
    ///
    /// # Errors
    /// [`HostError::BadDescriptors`] if it has no such port, or any other [`HostError`].
    pub fn open_port(&mut self, machine: &mut Machine, device: &Device) -> Result<Port, HostError> {
        let interfaces = device.descriptors.interfaces();
        let class = |class: u8| {
            interfaces
                .iter()
                .find(|interface| interface.class[0] == class)
        };
        // Communication and data class: "Class Definitions for Communication Devices" 1.2, tables
        // 14 and 18.
        let (control, data) = match (class(0x02), class(0x0a)) {
            (Some(control), Some(data)) => (control, data),
            _ => return Err(HostError::BadDescriptors("there is no CDC-ACM port")),
        };
        let bulk = |input: bool| {
            data.endpoints.iter().find(|endpoint| {
                endpoint.kind == TransferKind::Bulk && (endpoint.address & 0x80 != 0) == input
            })
        };
        let (input, output) = match (bulk(true), bulk(false)) {
            (Some(input), Some(output)) => (*input, *output),
            _ => return Err(HostError::BadDescriptors("the port lacks a data endpoint")),
        };
        let max_packet = device.descriptors.max_packet();
        let request = |request, value, length| Setup {
            request_type: 0x21,
            request,
            value,
            index: u16::from(control.number),
            length,
        };
        // 9600 baud, one stop bit, no parity, eight bits.
        let coding = [0x80, 0x25, 0, 0, 0, 0, 8];
        optional(self.control(machine, request(SET_LINE_CODING, 0, 7), &coding, max_packet))?;
        optional(self.control(
            machine,
            request(SET_CONTROL_LINE_STATE, 3, 0),
            &[],
            max_packet,
        ))?;
        Ok(Port::new(input, output, control.number, max_packet))
    }

    /// Tells the device that a program opened or closed its port: DTR and RTS.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn set_line_state(
        &mut self,
        machine: &mut Machine,
        port: &Port,
        open: bool,
    ) -> Result<(), HostError> {
        let setup = Setup {
            request_type: 0x21,
            request: SET_CONTROL_LINE_STATE,
            value: if open { 3 } else { 0 },
            index: u16::from(port.interface()),
            length: 0,
        };
        optional(self.control(machine, setup, &[], port.max_packet_0()))?;
        Ok(())
    }
}

/// What a device may refuse, as Linux lets it: strings, and what a port's driver tells it.
fn optional(result: Result<Vec<u8>, HostError>) -> Result<Option<Vec<u8>>, HostError> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(HostError::Stalled(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
