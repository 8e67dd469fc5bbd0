//! The byte streams of a CDC-ACM port.

use std::collections::VecDeque;

use crate::machine::Machine;
use crate::time::Time;

use super::descriptors::EndpointInfo;
use super::{Host, HostError};

/// A port that a program has open: bytes in, bytes out.
///
/// What one [`write`](Self::write) is given is one transfer, as one `write` call is on Linux: its
/// last packet is short unless its length is a multiple of the packet size, and nothing follows
/// then. What comes in is there for the reader when a request for
/// [`read_bytes`](super::HostConfig::read_bytes) is full, or a short packet ended it: an answer of
/// exactly one full packet is not there before the next packet, were it empty.
#[derive(Debug)]
pub struct Port {
    input: EndpointInfo,
    output: EndpointInfo,
    interface: u8,
    max_packet_0: usize,
    outgoing: VecDeque<Vec<u8>>,
    /// How much of the first outgoing transfer has been taken.
    taken: usize,
    /// What the present request for input has brought so far.
    partial: Vec<u8>,
    incoming: VecDeque<u8>,
    in_strikes: u32,
    out_strikes: u32,
}

impl Port {
    pub(super) fn new(
        input: EndpointInfo,
        output: EndpointInfo,
        interface: u8,
        max_packet_0: usize,
    ) -> Self {
        Self {
            input,
            output,
            interface,
            max_packet_0,
            outgoing: VecDeque::new(),
            taken: 0,
            partial: Vec::new(),
            incoming: VecDeque::new(),
            in_strikes: 0,
            out_strikes: 0,
        }
    }

    /// Number of its communication interface.
    pub fn interface(&self) -> u8 {
        self.interface
    }

    pub(super) fn max_packet_0(&self) -> usize {
        self.max_packet_0
    }

    /// Queues bytes to be sent, as one transfer.
    pub fn write(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.outgoing.push_back(bytes.to_vec());
        }
    }

    /// Bytes that are queued and not yet taken by the device.
    pub fn unsent(&self) -> usize {
        let queued: usize = self.outgoing.iter().map(Vec::len).sum();
        queued - self.taken
    }

    /// Bytes that have come in and were not read.
    pub fn available(&self) -> usize {
        self.incoming.len()
    }

    /// Takes what has come in.
    pub fn read(&mut self) -> Vec<u8> {
        self.incoming.drain(..).collect()
    }

    /// Takes up to `limit` bytes of what has come in.
    pub fn read_up_to(&mut self, limit: usize) -> Vec<u8> {
        let count = limit.min(self.incoming.len());
        self.incoming.drain(..count).collect()
    }

    /// Forgets everything that is under way: the program closed the port, or the device is gone.
    pub fn clear(&mut self) {
        self.outgoing.clear();
        self.taken = 0;
        self.partial.clear();
        self.incoming.clear();
        self.in_strikes = 0;
        self.out_strikes = 0;
    }
}

impl Host {
    /// Moves bytes between port and device for one round: at most one packet in each direction.
    /// If nobody can be tried at once, time passes to when somebody can. Tells whether anything
    /// moved.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn pump(&mut self, machine: &mut Machine, port: &mut Port) -> Result<bool, HostError> {
        let mut moved = self.pump_out(machine, port)?;
        moved |= self.pump_in(machine, port)?;
        if !moved {
            let input = self.retry_at(port.input.address);
            let output = self.retry_at(port.output.address);
            let next = if port.outgoing.is_empty() {
                input
            } else {
                input.min(output)
            };
            if next > machine.now() {
                self.next_frame(machine)?;
                machine.run_until(next)?;
            }
        }
        Ok(moved)
    }

    /// Sends one packet if there is one and the endpoint may be tried.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn pump_out(&mut self, machine: &mut Machine, port: &mut Port) -> Result<bool, HostError> {
        let endpoint = port.output.address;
        let Some(transfer) = port.outgoing.front() else {
            return Ok(false);
        };
        if !self.is_ready(endpoint, machine.now()) {
            return Ok(false);
        }
        let rest = &transfer[port.taken..];
        let packet = &rest[..rest.len().min(usize::from(port.output.max_packet))];
        if !self.try_out(machine, endpoint, packet, &mut port.out_strikes)? {
            return Ok(false);
        }
        port.taken += packet.len();
        if port.taken == transfer.len() {
            port.outgoing.pop_front();
            port.taken = 0;
        }
        Ok(true)
    }

    /// Asks for one packet if the endpoint may be tried.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn pump_in(&mut self, machine: &mut Machine, port: &mut Port) -> Result<bool, HostError> {
        let endpoint = port.input.address;
        if !self.is_ready(endpoint, machine.now()) {
            return Ok(false);
        }
        let Some(packet) = self.try_in(machine, endpoint, &mut port.in_strikes)? else {
            return Ok(false);
        };
        let short = packet.len() < usize::from(port.input.max_packet);
        port.partial.extend(packet);
        if short || port.partial.len() >= self.config.read_bytes {
            port.incoming.extend(port.partial.drain(..));
        }
        Ok(true)
    }

    /// Sends all that is queued and waits until `count` bytes have come in; takes them.
    ///
    /// # Errors
    /// [`HostError::TimedOut`] if `timeout` passes without a packet in either direction.
    pub fn exchange(
        &mut self,
        machine: &mut Machine,
        port: &mut Port,
        count: usize,
        timeout: Time,
    ) -> Result<Vec<u8>, HostError> {
        let mut deadline = machine.now() + timeout;
        while port.unsent() > 0 || port.available() < count {
            if self.pump(machine, port)? {
                deadline = machine.now() + timeout;
            } else if machine.now() >= deadline {
                return Err(HostError::TimedOut {
                    endpoint: if port.unsent() > 0 {
                        port.output.address
                    } else {
                        port.input.address
                    },
                    after: timeout,
                });
            }
        }
        Ok(port.read_up_to(count))
    }
}
