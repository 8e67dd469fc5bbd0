//! Single transactions and their timing: USB 2.0, sections 7.1.18 and 8.4 to 8.6.

use crate::chip::{InReply, OutReply};
use crate::halt::Halt;
use crate::machine::Machine;
use crate::time::Time;

use super::{BIT, FRAME, Fault, Host, HostError};

/// A token: synchronisation, PID, address, endpoint, check sum, end of packet.
const TOKEN_BITS: u64 = 8 + 8 + 7 + 4 + 5 + 3;
/// A handshake: synchronisation, PID, end of packet.
const HANDSHAKE_BITS: u64 = 8 + 8 + 3;
/// Between two packets: section 7.1.18 allows a device 7.5 and gives the cable its part.
const TURN_BITS: u64 = 8;
/// How long an answer is waited for: section 7.1.19.
const TIMEOUT_BITS: u64 = 18;
/// A start of frame and what follows it.
const FRAME_START_BITS: u64 = 40;
/// Nothing may begin that would not be over this long before the end of the frame: the host's
/// scheduler and the end-of-frame points (section 11.2.5).
const FRAME_END_BITS: u64 = 60;
/// The largest packet of a bulk or control endpoint at full speed.
const LARGEST_PACKET: usize = 64;

/// How often in a row a transaction may go unanswered.
const STRIKES: u32 = 3;

/// A data packet of `count` bytes: synchronisation, PID, data, check sum, end of packet, and the
/// bits that are stuffed into average data, one in 64.
const fn data_bits(count: usize) -> u64 {
    let payload = 8 * count as u64;
    8 + 8 + payload + payload / 64 + 16 + 3
}

/// The next toggle of each endpoint, one bit per endpoint number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Toggles {
    input: u16,
    output: u16,
}

impl Toggles {
    fn get(self, endpoint: u8) -> bool {
        let set = if is_in(endpoint) {
            self.input
        } else {
            self.output
        };
        set >> number(endpoint) & 1 != 0
    }

    pub(super) fn set(&mut self, endpoint: u8, toggle: bool) {
        let set = if is_in(endpoint) {
            &mut self.input
        } else {
            &mut self.output
        };
        let bit = 1 << number(endpoint);
        *set = if toggle { *set | bit } else { *set & !bit };
    }

    fn flip(&mut self, endpoint: u8) {
        self.set(endpoint, !self.get(endpoint));
    }
}

/// An endpoint address with its direction bit: USB 2.0, table 9-13.
fn is_in(endpoint: u8) -> bool {
    endpoint & 0x80 != 0
}

fn number(endpoint: u8) -> u8 {
    endpoint & 15
}

/// What a try came to.
enum Try<T> {
    Done(T),
    Nak,
    /// Nothing usable was answered.
    Strike,
}

impl Host {
    /// Sends the start of a frame if one is due.
    pub(super) fn next_frame(&mut self, machine: &mut Machine) -> Result<(), Halt> {
        if !self.running || machine.now() < self.frame_start + FRAME {
            return Ok(());
        }
        let frames = (machine.now() - self.frame_start).periods(FRAME);
        self.frame_start += FRAME * frames;
        self.frame = self.frame.wrapping_add(1);
        self.pass(machine, FRAME_START_BITS)?;
        let (frame, now) = (self.frame, machine.now());
        machine
            .chip_mut()
            .usb(now, |usb| usb.start_of_frame(frame, now));
        Ok(())
    }

    /// Lets bit times pass.
    fn pass(&mut self, machine: &mut Machine, bits: u64) -> Result<(), Halt> {
        machine.run_until(machine.now() + BIT * bits)
    }

    /// Waits until a transaction of `bits` fits into the frame.
    fn wait_for_slot(&mut self, machine: &mut Machine, bits: u64) -> Result<(), Halt> {
        loop {
            self.next_frame(machine)?;
            let end = machine.now() + BIT * (bits + FRAME_END_BITS);
            if end <= self.frame_start + FRAME {
                return Ok(());
            }
            machine.run_until(self.frame_start + FRAME)?;
        }
    }

    /// What happens to the next data transaction.
    fn next_fault(&mut self) -> Option<Fault> {
        let fault = self.faults.remove(&self.transactions);
        self.transactions += 1;
        fault
    }

    /// Whether an endpoint may be tried now, or its NAK is too fresh.
    pub(crate) fn is_ready(&self, endpoint: u8, now: Time) -> bool {
        self.retry_at(endpoint) <= now
    }

    /// When an endpoint may be tried.
    pub(crate) fn retry_at(&self, endpoint: u8) -> Time {
        self.not_before
            .get(&endpoint)
            .copied()
            .unwrap_or(Time::ZERO)
    }

    fn note_nak(&mut self, endpoint: u8, now: Time) {
        let retry = now + BIT * self.config.nak_gap_bits;
        self.not_before.insert(endpoint, retry);
    }

    /// One IN transaction: the packet, or None for NAK and for what has to be tried again.
    ///
    /// # Errors
    /// [`HostError::Stalled`], [`HostError::NoAnswer`] after `strikes` reach three,
    /// [`HostError::Halt`].
    pub(crate) fn try_in(
        &mut self,
        machine: &mut Machine,
        endpoint: u8,
        strikes: &mut u32,
    ) -> Result<Option<Vec<u8>>, HostError> {
        let outcome = self.in_transaction(machine, endpoint)?;
        self.judge(machine, endpoint, outcome, strikes)
    }

    /// One OUT transaction: whether the packet was taken.
    ///
    /// # Errors
    /// As [`try_in`](Self::try_in).
    pub(crate) fn try_out(
        &mut self,
        machine: &mut Machine,
        endpoint: u8,
        bytes: &[u8],
        strikes: &mut u32,
    ) -> Result<bool, HostError> {
        let outcome = self.out_transaction(machine, endpoint, false, bytes)?;
        Ok(self.judge(machine, endpoint, outcome, strikes)?.is_some())
    }

    /// One SETUP transaction: whether it was taken.
    ///
    /// # Errors
    /// As [`try_in`](Self::try_in).
    pub(super) fn try_setup(
        &mut self,
        machine: &mut Machine,
        bytes: &[u8; 8],
        strikes: &mut u32,
    ) -> Result<bool, HostError> {
        self.toggles.set(0x00, false);
        let outcome = self.out_transaction(machine, 0, true, bytes)?;
        if matches!(outcome, Try::Done(())) {
            // The next packets are DATA1 both ways (section 8.5.3).
            self.toggles.set(0x00, true);
            self.toggles.set(0x80, true);
        }
        Ok(self.judge(machine, 0, outcome, strikes)?.is_some())
    }

    fn judge<T>(
        &mut self,
        machine: &Machine,
        endpoint: u8,
        outcome: Try<T>,
        strikes: &mut u32,
    ) -> Result<Option<T>, HostError> {
        match outcome {
            Try::Done(result) => {
                *strikes = 0;
                self.not_before.remove(&endpoint);
                Ok(Some(result))
            }
            Try::Nak => {
                *strikes = 0;
                self.note_nak(endpoint, machine.now());
                Ok(None)
            }
            Try::Strike => {
                *strikes += 1;
                if *strikes >= STRIKES {
                    return Err(HostError::NoAnswer(endpoint));
                }
                Ok(None)
            }
        }
    }

    fn in_transaction(
        &mut self,
        machine: &mut Machine,
        endpoint: u8,
    ) -> Result<Try<Vec<u8>>, HostError> {
        let most = TOKEN_BITS + data_bits(LARGEST_PACKET) + HANDSHAKE_BITS + 3 * TURN_BITS;
        self.wait_for_slot(machine, most)?;
        self.pass(machine, TOKEN_BITS + TURN_BITS)?;
        let (address, now) = (self.address, machine.now());
        let reply = machine.chip_mut().usb(now, |usb| {
            usb.traffic(now);
            usb.in_token(address, number(endpoint))
        });
        let (register, toggle, bytes) = match reply {
            InReply::Silence => {
                self.pass(machine, TIMEOUT_BITS)?;
                return Ok(Try::Strike);
            }
            InReply::Stall => {
                self.pass(machine, HANDSHAKE_BITS + TURN_BITS)?;
                return Err(HostError::Stalled(endpoint));
            }
            InReply::Nak => {
                self.traffic.in_naks += 1;
                self.pass(machine, HANDSHAKE_BITS + TURN_BITS)?;
                return Ok(Try::Nak);
            }
            InReply::Data {
                register,
                toggle,
                bytes,
            } => (register, toggle, bytes),
        };
        if bytes.len() > LARGEST_PACKET {
            return Err(HostError::Babble(endpoint));
        }
        let fault = self.next_fault();
        if fault == Some(Fault::GarbledData) {
            self.pass(machine, data_bits(bytes.len()) + TIMEOUT_BITS)?;
            let now = machine.now();
            machine.chip_mut().usb(now, |usb| usb.in_unanswered());
            return Ok(Try::Strike);
        }
        self.pass(
            machine,
            data_bits(bytes.len()) + TURN_BITS + HANDSHAKE_BITS + TURN_BITS,
        )?;
        let now = machine.now();
        machine.chip_mut().usb(now, |usb| match fault {
            Some(Fault::LostHandshake) => usb.in_unanswered(),
            _ => usb.in_acknowledged(register),
        });
        if toggle != self.toggles.get(endpoint) {
            // The device missed the last handshake (section 8.6.4).
            self.traffic.repeated += 1;
            return Ok(Try::Strike);
        }
        self.toggles.flip(endpoint);
        self.traffic.in_packets += 1;
        Ok(Try::Done(bytes))
    }

    fn out_transaction(
        &mut self,
        machine: &mut Machine,
        endpoint: u8,
        setup: bool,
        bytes: &[u8],
    ) -> Result<Try<()>, HostError> {
        let sent = TOKEN_BITS + TURN_BITS + data_bits(bytes.len()) + TURN_BITS;
        self.wait_for_slot(machine, sent + HANDSHAKE_BITS + TURN_BITS)?;
        self.pass(machine, sent)?;
        let (address, now) = (self.address, machine.now());
        let toggle = self.toggles.get(endpoint);
        let fault = self.next_fault();
        let reply = machine.chip_mut().usb(now, |usb| {
            usb.traffic(now);
            if fault == Some(Fault::GarbledData) {
                usb.out_garbled();
                OutReply::Silence
            } else if setup {
                usb.setup_data(address, number(endpoint), bytes)
            } else {
                usb.out_data(address, number(endpoint), toggle, bytes)
            }
        });
        match reply {
            OutReply::Silence => {
                self.pass(machine, TIMEOUT_BITS)?;
                Ok(Try::Strike)
            }
            _ if fault == Some(Fault::LostHandshake) => {
                self.pass(machine, TIMEOUT_BITS)?;
                Ok(Try::Strike)
            }
            OutReply::Stall => {
                self.pass(machine, HANDSHAKE_BITS + TURN_BITS)?;
                Err(HostError::Stalled(endpoint))
            }
            OutReply::Nak => {
                self.traffic.out_naks += 1;
                self.pass(machine, HANDSHAKE_BITS + TURN_BITS)?;
                Ok(Try::Nak)
            }
            OutReply::Ack => {
                self.pass(machine, HANDSHAKE_BITS + TURN_BITS)?;
                self.toggles.flip(endpoint);
                self.traffic.out_packets += 1;
                Ok(Try::Done(()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eighteen_full_packets_fit_into_a_frame() {
        let transaction = TOKEN_BITS + data_bits(64) + HANDSHAKE_BITS + 3 * TURN_BITS;
        let usable = 12_000 - FRAME_START_BITS - FRAME_END_BITS;
        assert_eq!(usable / transaction, 18);
    }

    #[test]
    fn toggles_are_kept_apart_by_direction() {
        let mut toggles = Toggles::default();
        toggles.flip(0x81);
        assert!(toggles.get(0x81) && !toggles.get(0x01));
        toggles.flip(0x81);
        assert!(!toggles.get(0x81));
    }
}
