//! Control transfers: USB 2.0, section 8.5.3.

use crate::machine::Machine;
use crate::time::Time;

use super::{Host, HostError};

/// How long the host waits before it sends a SETUP again that was not answered.
const SETUP_RETRY: Time = Time::from_micros(2);

/// CLEAR_FEATURE(ENDPOINT_HALT): USB 2.0, section 9.4.1 and table 9-6.
const TO_ENDPOINT: u8 = 0x02;
const CLEAR_FEATURE: u8 = 1;
const ENDPOINT_HALT: u16 = 0;

/// What a control transfer asks for: USB 2.0, table 9-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// bmRequestType.
    pub request_type: u8,
    /// bRequest.
    pub request: u8,
    /// wValue.
    pub value: u16,
    /// wIndex.
    pub index: u16,
    /// wLength.
    pub length: u16,
}

impl Setup {
    /// Whether data comes from the device.
    pub fn is_in(self) -> bool {
        self.request_type & 0x80 != 0
    }

    /// The packet.
    pub fn bytes(self) -> [u8; 8] {
        let [value, index, length] =
            [self.value, self.index, self.length].map(|word| word.to_le_bytes());
        [
            self.request_type,
            self.request,
            value[0],
            value[1],
            index[0],
            index[1],
            length[0],
            length[1],
        ]
    }
}

impl Host {
    /// Carries out a control transfer with packets of `max_packet` bytes. `data` goes to the device
    /// if the request says so; what comes from it is returned.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn control(
        &mut self,
        machine: &mut Machine,
        setup: Setup,
        data: &[u8],
        max_packet: usize,
    ) -> Result<Vec<u8>, HostError> {
        self.idle(machine, self.config.control_gap)?;
        let deadline = machine.now() + self.config.control_timeout;
        self.setup_stage(machine, setup, deadline)?;
        let mut received = Vec::new();
        if setup.is_in() && setup.length > 0 {
            loop {
                let packet = self.wait_in(machine, 0x80, deadline)?;
                let short = packet.len() < max_packet;
                received.extend(packet);
                if received.len() > usize::from(setup.length) {
                    return Err(HostError::Babble(0x80));
                }
                if short || received.len() == usize::from(setup.length) {
                    break;
                }
            }
            self.toggles.set(0x00, true);
            self.wait_out(machine, 0x00, &[], deadline)?;
        } else {
            for packet in data.chunks(max_packet.max(1)) {
                self.wait_out(machine, 0x00, packet, deadline)?;
            }
            self.toggles.set(0x80, true);
            if !self.wait_in(machine, 0x80, deadline)?.is_empty() {
                return Err(HostError::Babble(0x80));
            }
        }
        if let Setup {
            request_type: TO_ENDPOINT,
            request: CLEAR_FEATURE,
            value: ENDPOINT_HALT,
            index,
            ..
        } = setup
        {
            // Both ends begin with DATA0 again (USB 2.0, section 9.4.5).
            self.toggles.set(index as u8, false);
        }
        Ok(received)
    }

    fn setup_stage(
        &mut self,
        machine: &mut Machine,
        setup: Setup,
        deadline: Time,
    ) -> Result<(), HostError> {
        let mut strikes = 0;
        while !self.try_setup(machine, &setup.bytes(), &mut strikes)? {
            if machine.now() >= deadline {
                return Err(self.timed_out(0));
            }
            self.idle(machine, SETUP_RETRY)?;
        }
        Ok(())
    }

    /// Tries until a packet comes.
    fn wait_in(
        &mut self,
        machine: &mut Machine,
        endpoint: u8,
        deadline: Time,
    ) -> Result<Vec<u8>, HostError> {
        let mut strikes = 0;
        loop {
            self.wait_for_retry(machine, endpoint)?;
            if let Some(packet) = self.try_in(machine, endpoint, &mut strikes)? {
                return Ok(packet);
            }
            if machine.now() >= deadline {
                return Err(self.timed_out(endpoint));
            }
        }
    }

    /// Tries until a packet is taken.
    fn wait_out(
        &mut self,
        machine: &mut Machine,
        endpoint: u8,
        packet: &[u8],
        deadline: Time,
    ) -> Result<(), HostError> {
        let mut strikes = 0;
        loop {
            self.wait_for_retry(machine, endpoint)?;
            if self.try_out(machine, endpoint, packet, &mut strikes)? {
                return Ok(());
            }
            if machine.now() >= deadline {
                return Err(self.timed_out(endpoint));
            }
        }
    }

    fn wait_for_retry(&mut self, machine: &mut Machine, endpoint: u8) -> Result<(), HostError> {
        let retry = self.retry_at(endpoint);
        if retry > machine.now() {
            machine.run_until(retry)?;
        }
        Ok(())
    }

    fn timed_out(&self, endpoint: u8) -> HostError {
        HostError::TimedOut {
            endpoint,
            after: self.config.control_timeout,
        }
    }
}
