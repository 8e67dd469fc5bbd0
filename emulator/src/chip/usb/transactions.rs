//! What comes over the cable: tokens, start of frame, reset, suspend and resume.

use crate::time::Time;

use super::endpoint::{Direction, Stat};
use super::{
    CNTR_FSUSP, CNTR_LPMODE, CNTR_RESUME, FRAME, ISTR_ERR, ISTR_SOF, ISTR_WKUP, Usb, Wires,
};

/// The answer to an IN token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InReply {
    /// None.
    Silence,
    /// STALL.
    Stall,
    /// NAK.
    Nak,
    /// A data packet.
    Data {
        /// The endpoint register that sends it, to be told of the handshake.
        register: usize,
        /// DATA1 instead of DATA0.
        toggle: bool,
        /// The payload.
        bytes: Vec<u8>,
    },
}

/// The answer to a data packet behind an OUT or SETUP token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutReply {
    /// None.
    Silence,
    /// STALL.
    Stall,
    /// NAK.
    Nak,
    /// ACK.
    Ack,
}

impl Usb {
    /// The register of an endpoint that is enabled in either direction.
    fn find(&self, address: u8, endpoint: u8) -> Option<usize> {
        if !self.is_enabled() || (self.address & 0x7f) as u8 != address {
            return None;
        }
        self.endpoints
            .iter()
            .position(|candidate| candidate.address() == endpoint && candidate.is_enabled())
    }

    /// Offset of an entry of the buffer description table: section 23.5.3. `slot` 0 is ADDRn_TX,
    /// 1 is ADDRn_RX; the count stands two bytes behind.
    fn table_entry(&self, register: usize, slot: u16) -> u16 {
        self.buffer_table
            .wrapping_add(register as u16 * 8 + slot * 4)
    }

    /// An IN token: section 23.4.2, IN packets.
    pub(crate) fn in_token(&mut self, address: u8, endpoint: u8) -> InReply {
        let Some(register) = self.find(address, endpoint) else {
            return InReply::Silence;
        };
        let endpoint = self.endpoints[register];
        match endpoint.stat(Direction::In) {
            Stat::Disabled => return InReply::Silence,
            Stat::Stall => return InReply::Stall,
            Stat::Nak => return InReply::Nak,
            Stat::Valid if endpoint.is_blocked(self.double_buffering) => return InReply::Nak,
            Stat::Valid => {}
        }
        let toggle = endpoint.toggle(Direction::In);
        // Double-buffered, the toggle chooses the buffer.
        let slot = u16::from(toggle && endpoint.is_double_buffered());
        let entry = self.table_entry(register, slot);
        let start = self.memory.half(entry);
        let count = self.memory.half(entry + 2) & 0x3ff;
        InReply::Data {
            register,
            toggle,
            bytes: self.memory.bytes(start, count),
        }
    }

    /// The host acknowledged what [`in_token`](Self::in_token) sent.
    pub(crate) fn in_acknowledged(&mut self, register: usize) {
        self.endpoints[register].complete(Direction::In, self.double_buffering);
    }

    /// The host's acknowledgement did not come: section 23.5.1, ERR.
    pub(crate) fn in_unanswered(&mut self) {
        self.status |= ISTR_ERR;
    }

    /// A data packet with a wrong check sum: nothing is answered.
    pub(crate) fn out_garbled(&mut self) {
        self.status |= ISTR_ERR;
    }

    /// A data packet behind an OUT token: section 23.4.2, OUT packets.
    pub(crate) fn out_data(
        &mut self,
        address: u8,
        endpoint: u8,
        toggle: bool,
        bytes: &[u8],
    ) -> OutReply {
        let Some(register) = self.find(address, endpoint) else {
            return OutReply::Silence;
        };
        let endpoint = self.endpoints[register];
        match endpoint.stat(Direction::Out) {
            Stat::Disabled => return OutReply::Silence,
            Stat::Stall => return OutReply::Stall,
            Stat::Nak => return OutReply::Nak,
            Stat::Valid if endpoint.is_blocked(self.double_buffering) => return OutReply::Nak,
            Stat::Valid => {}
        }
        // A packet that came before: the host missed the acknowledgement.
        if toggle != endpoint.toggle(Direction::Out) {
            return OutReply::Ack;
        }
        if endpoint.takes_status_only() && !bytes.is_empty() {
            return OutReply::Stall;
        }
        let second = !endpoint.is_double_buffered() || endpoint.toggle(Direction::Out);
        if !self.store(register, u16::from(second), bytes) {
            return OutReply::Stall;
        }
        self.endpoints[register].complete(Direction::Out, self.double_buffering);
        if register > 0 {
            self.requests += 1;
            self.unanswered = true;
        }
        OutReply::Ack
    }

    /// A data packet behind a SETUP token: section 23.4.2, control transfers.
    pub(crate) fn setup_data(&mut self, address: u8, endpoint: u8, bytes: &[u8]) -> OutReply {
        let Some(register) = self.find(address, endpoint) else {
            return OutReply::Silence;
        };
        let endpoint = self.endpoints[register];
        if !endpoint.is_control() || endpoint.stat(Direction::Out) == Stat::Disabled {
            return OutReply::Silence;
        }
        // One that the program has not looked at must not be lost: the host will try again.
        if endpoint.has_received() {
            self.dropped_setups += 1;
            return OutReply::Silence;
        }
        if !self.store(register, 1, bytes) {
            return OutReply::Stall;
        }
        self.endpoints[register].accept_setup();
        OutReply::Ack
    }

    /// Puts a packet and its check sum into the buffer of a table entry, and its length into the
    /// entry. False if it does not fit: what fits is there, the length is not.
    fn store(&mut self, register: usize, slot: u16, bytes: &[u8]) -> bool {
        let entry = self.table_entry(register, slot);
        let start = self.memory.half(entry);
        let count = self.memory.half(entry + 2);
        // BL_SIZE and NUM_BLOCK: section 23.5.3.
        let blocks = usize::from(count >> 10 & 0x1f);
        let capacity = if count & 0x8000 != 0 {
            (blocks + 1) * 32
        } else {
            blocks * 2
        };
        let crc = crc16(bytes).to_le_bytes();
        let line: Vec<u8> = bytes.iter().chain(&crc).copied().collect();
        self.memory.fill(start, &line[..line.len().min(capacity)]);
        if bytes.len() > capacity {
            return false;
        }
        self.memory
            .set_half(entry + 2, count & 0xfc00 | bytes.len() as u16);
        true
    }

    /// A start of frame.
    pub(crate) fn start_of_frame(&mut self, number: u16, now: Time) {
        self.frame = number & 0x7ff;
        self.lost_frames = 0;
        self.frames_in_a_row = self.frames_in_a_row.saturating_add(1);
        self.traffic(now);
        if self.is_powered() {
            self.status |= ISTR_SOF;
        }
    }

    /// Anything on the bus defers the suspend.
    pub(crate) fn traffic(&mut self, now: Time) {
        // One and a half frames: the device's clock and the host's need not agree.
        self.expected_frame = now + FRAME + FRAME.halved();
    }

    /// The host drives both wires low: a reset.
    pub(crate) fn bus_reset(&mut self, now: Time) {
        self.wires = Wires::Se0;
        if !self.is_powered() {
            return;
        }
        self.wake();
        self.reset_protocol(now);
    }

    /// Both wires are idle: the end of a reset or a resume, or the device was just attached.
    pub(crate) fn bus_idle(&mut self, now: Time) {
        self.wires = Wires::J;
        self.expected_frame = now + FRAME;
        self.lost_frames = 0;
    }

    /// Nothing is at the other end.
    pub(crate) fn detached(&mut self) {
        self.wires = Wires::Se0;
    }

    /// The host begins to signal a resume.
    pub(crate) fn bus_resume(&mut self) {
        self.wires = Wires::K;
        self.wake();
    }

    /// Activity while suspended: section 23.4.5.
    fn wake(&mut self) {
        if self.control & CNTR_FSUSP != 0 {
            self.status |= ISTR_WKUP;
            self.control &= !CNTR_LPMODE;
        }
    }

    /// Whether the device itself signals a resume.
    pub(crate) fn signals_resume(&self) -> bool {
        self.is_powered() && self.control & CNTR_RESUME != 0 && self.control & CNTR_FSUSP != 0
    }
}

/// The check sum of a data packet: USB 2.0, section 8.3.5.2.
fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = 0xffff_u16;
    for &byte in bytes {
        crc ^= u16::from(byte);
        for _ in 0..8 {
            // The polynomial 0x8005, lowest bit first.
            crc = if crc & 1 != 0 {
                crc >> 1 ^ 0xa001
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::crc16;

    #[test]
    fn the_check_sum_is_that_of_a_published_packet() {
        // "Cyclic Redundancy Checks in USB" (USB-IF): 00 01 02 03 has 0xF75E and 23 45 67 89 has
        // 0x7038, both in the order of the line; here the first bit of the line is the lowest.
        assert_eq!(crc16(&[0, 1, 2, 3]), 0x7aef);
        assert_eq!(crc16(&[0x23, 0x45, 0x67, 0x89]), 0x1c0e);
    }
}
