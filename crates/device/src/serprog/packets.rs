//! For a wire that carries packets and a host that waits for each answer: the shortest way from one
//! to the other.
//!
//! The same conversation as through [`Device`]; who owns such a wire may use either.

use flashwire_protocol::serprog::{ACK, Opcode, Request};

use super::{Programmer, State};
use crate::{Board, Device, Moment};

impl<B: Board> Programmer<B> {
    /// Takes bytes of a packet that has arrived, from the front; returns how many. The same as
    /// [`receive`](Device::receive), and sooner done for what flashrom programs a page with: short
    /// O_SPIOPs whose opcode came in a packet of its own, and data that fills packets.
    #[inline]
    pub fn receive_packet(&mut self, now: Moment, packet: &[u8]) -> usize {
        let taken = self
            .operate_at_once(packet)
            .or_else(|| self.send_all(packet))
            .unwrap_or(0);
        match packet.get(taken..) {
            Some(rest) if !rest.is_empty() => taken + self.receive(now, rest),
            _ => taken,
        }
    }

    /// All answers that wait, if nothing is to be put behind them into the same packet; they count
    /// as sent. What [`transmit`](Device::transmit) would have copied.
    #[inline]
    pub fn take_answers(&mut self) -> &[u8] {
        if self.state == State::Receiving {
            return &[];
        }
        self.answers.take_all()
    }

    /// An O_SPIOP of which all but the opcode lies here, with an answer that fits into a packet:
    /// nothing of it has to be kept in between. Returns how many bytes it had. None, and nothing is
    /// done, if it is not such a one, or the first after a reset.
    #[inline]
    fn operate_at_once(&mut self, bytes: &[u8]) -> Option<usize> {
        let begins = self.state == State::Fields && self.filled == 0;
        if !begins || self.opcode != Opcode::OSpiOp || !self.outputs_driven {
            return None;
        }
        let (fields, rest) = bytes.split_first_chunk()?;
        let Request::OSpiOp { send, receive } = Request::from_fields(Opcode::OSpiOp, fields) else {
            return None;
        };
        let (send, receive) = (send.get(), receive.get());
        // A `usize` has 16 bits on an AVR.
        let data = rest.get(..usize::try_from(send).ok()?)?;
        if !self.takes(send, receive) {
            return None;
        }
        let (ack, answer) = self.answers.append(1 + receive)?.split_first_mut()?;
        *ack = ACK;
        self.board.select(self.line);
        self.board.write(data);
        if receive > 0 {
            self.board.start_read(receive);
            self.board.finish_read(answer);
        }
        self.board.deselect();
        self.state = State::Idle;
        Some(fields.len() + data.len())
    }

    /// A packet of nothing but data of an O_SPIOP. Returns how many bytes it had; None, and nothing is
    /// done, if it is not such a one.
    #[inline]
    fn send_all(&mut self, bytes: &[u8]) -> Option<usize> {
        let left = self.left.checked_sub(u32::try_from(bytes.len()).ok()?)?;
        if self.state != State::Sending || left == 0 && self.count > 0 {
            return None;
        }
        self.left = left;
        self.board.write(bytes);
        if left == 0 {
            self.board.deselect();
            self.answer(ACK);
        }
        Some(bytes.len())
    }
}
