//! USART 0 as the chip has it: two bytes and one more are kept for a program that is late, the next
//! one is lost. ATmega48A/PA/88A/PA/168A/PA/328/P data sheet (DS40002061B), section 20.
//!
//! simavr's own keeps 64 bytes and loses none, so it would hide a program that is too slow.
//! Asynchronous, eight data bits, no parity; other settings, and the interrupt "transmit complete",
//! are complaints.

use std::collections::VecDeque;

use crate::line::{Character, Ticks};

/// UCSR0A.
const RXC: u8 = 1 << 7;
const TXC: u8 = 1 << 6;
const UDRE: u8 = 1 << 5;
const FE: u8 = 1 << 4;
const DOR: u8 = 1 << 3;
const U2X: u8 = 1 << 1;
/// UCSR0B.
const RXCIE: u8 = 1 << 7;
const TXCIE: u8 = 1 << 6;
const UDRIE: u8 = 1 << 5;
const RXEN: u8 = 1 << 4;
const TXEN: u8 = 1 << 3;
/// UCSR0C without the number of stop bits, for eight data bits.
const EIGHT_BITS: u8 = 0b110;
const USBS: u8 = 1 << 3;

/// Bytes that UDR0 holds: "a two level FIFO", section 20.7.3.
const KEPT: usize = 2;

/// What passed, and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that the program read.
    pub read: u64,
    /// Bytes that were sent.
    pub sent: u64,
    /// Bytes that were lost because the program did not read those before in time (DOR0).
    pub overruns: u64,
    /// Bytes whose stop bit was none (FE0): the speeds differ too much.
    pub framing_errors: u64,
    /// Bytes that came while the receiver was off.
    pub missed: u64,
}

/// The unit.
#[derive(Debug, Default)]
pub(crate) struct Uart {
    double_speed: bool,
    control_b: u8,
    control_c: u8,
    divider: u16,
    transmit_complete: bool,
    overrun: bool,
    received: VecDeque<Received>,
    /// Complete, and without a place in `received`.
    shifted: Option<Received>,
    arriving: Option<Arriving>,
    sending: Option<Sending>,
    waiting: Option<u8>,
    traffic: Traffic,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    byte: u8,
    is_framed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Arriving {
    content: Received,
    /// In the middle of the stop bit.
    complete_at: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sending {
    character: Character,
    done_at: u64,
}

/// A register of the unit. Section 20.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Register {
    Data,
    StatusA,
    ControlB,
    ControlC,
    DividerLow,
    DividerHigh,
}

impl Uart {
    /// What passed since power came.
    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// All registers as after a reset; what is under way is lost.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            traffic: self.traffic,
            control_c: EIGHT_BITS,
            ..Self::default()
        };
    }

    /// Length of a bit: table 20-1.
    fn bit_cycles(&self) -> u64 {
        let samples = if self.double_speed { 8 } else { 16 };
        (u64::from(self.divider) + 1) * samples
    }

    fn character_bits(&self) -> u64 {
        if self.control_c & USBS == 0 { 10 } else { 11 }
    }

    /// Whether "receive complete" wants its handler.
    pub(crate) fn wants_received(&self) -> bool {
        self.control_b & RXCIE != 0 && !self.received.is_empty()
    }

    /// Whether "data register empty" wants its handler.
    pub(crate) fn wants_empty(&self) -> bool {
        self.control_b & UDRIE != 0 && self.control_b & TXEN != 0 && self.waiting.is_none()
    }

    /// What reading a register gives.
    pub(crate) fn read(&mut self, register: Register) -> u8 {
        match register {
            Register::Data => self.take(),
            Register::StatusA => self.status(),
            Register::ControlB => self.control_b,
            Register::ControlC => self.control_c,
            Register::DividerLow => self.divider as u8,
            Register::DividerHigh => (self.divider >> 8) as u8,
        }
    }

    fn status(&self) -> u8 {
        let front = self.received.front();
        let bits = [
            (RXC, front.is_some()),
            (TXC, self.transmit_complete),
            (UDRE, self.waiting.is_none()),
            (FE, front.is_some_and(|front| !front.is_framed)),
            (DOR, self.overrun),
            (U2X, self.double_speed),
        ];
        bits.iter()
            .filter(|(_, is_set)| *is_set)
            .fold(0, |status, (bit, _)| status | bit)
    }

    fn take(&mut self) -> u8 {
        self.overrun = false;
        let front = self.received.pop_front();
        self.received.extend(self.shifted.take());
        self.traffic.read += u64::from(front.is_some());
        front.map_or(0, |front| front.byte)
    }

    /// What writing a register does. Returns what is wrong with it.
    pub(crate) fn write(
        &mut self,
        now: u64,
        register: Register,
        value: u8,
    ) -> Option<&'static str> {
        match register {
            Register::Data => return self.put(now, value),
            Register::StatusA => {
                self.double_speed = value & U2X != 0;
                self.transmit_complete &= value & TXC == 0;
            }
            Register::ControlB => {
                self.control_b = value;
                if value & RXEN == 0 {
                    // Section 20.7.6: the buffer is flushed.
                    self.received.clear();
                    self.shifted = None;
                    self.arriving = None;
                    self.overrun = false;
                }
                if value & TXCIE != 0 {
                    return Some("the interrupt \"transmit complete\" is not modelled");
                }
            }
            Register::ControlC => {
                self.control_c = value;
                if value & !USBS != EIGHT_BITS {
                    return Some(
                        "the USART is set to something else than eight bits and no parity",
                    );
                }
            }
            Register::DividerLow => self.divider = self.divider & 0xFF00 | u16::from(value),
            Register::DividerHigh => {
                self.divider = self.divider & 0x00FF | u16::from(value & 0x0F) << 8;
            }
        }
        None
    }

    fn put(&mut self, now: u64, byte: u8) -> Option<&'static str> {
        if self.control_b & TXEN == 0 {
            return Some("UDR0 was written while the transmitter was off");
        }
        if self.sending.is_none() {
            self.send(now, byte);
        } else if self.waiting.is_none() {
            self.waiting = Some(byte);
        } else {
            return Some("UDR0 was written while it was full");
        }
        None
    }

    fn send(&mut self, now: u64, byte: u8) {
        let bit = Ticks::from_cycles(self.bit_cycles());
        self.sending = Some(Sending {
            character: Character { byte, bit },
            done_at: now + self.bit_cycles() * self.character_bits(),
        });
    }

    /// A start bit comes: the character is there half a stop bit before its end.
    pub(crate) fn start_bit(&mut self, now: u64, character: Character) {
        if self.control_b & RXEN == 0 {
            self.traffic.missed += 1;
            return;
        }
        if self.arriving.is_some() {
            // Still in the stop bit of the one before: a sender that is much too fast.
            self.traffic.framing_errors += 1;
            return;
        }
        if self.received.len() == KEPT && self.shifted.take().is_some() {
            self.overrun = true;
            self.traffic.overruns += 1;
        }
        let bit = self.bit_cycles();
        let (byte, is_framed) = character.sampled(Ticks::from_cycles(bit));
        self.arriving = Some(Arriving {
            content: Received { byte, is_framed },
            complete_at: now + bit * 19 / 2,
        });
    }

    /// When something happens by itself.
    pub(crate) fn next_event(&self) -> Option<u64> {
        let arriving = self.arriving.map(|arriving| arriving.complete_at);
        let sending = self.sending.map(|sending| sending.done_at);
        [arriving, sending].into_iter().flatten().min()
    }

    /// Lets happen what is due. Returns the character that has left.
    pub(crate) fn advance(&mut self, now: u64) -> Option<Character> {
        if let Some(arrived) = self
            .arriving
            .take_if(|arriving| arriving.complete_at <= now)
        {
            self.traffic.framing_errors += u64::from(!arrived.content.is_framed);
            if self.received.len() < KEPT {
                self.received.push_back(arrived.content);
            } else {
                self.shifted = Some(arrived.content);
            }
        }
        let sent = self.sending.take_if(|sending| sending.done_at <= now)?;
        self.traffic.sent += 1;
        match self.waiting.take() {
            Some(byte) => self.send(sent.done_at, byte),
            None => self.transmit_complete = true,
        }
        Some(sent.character)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 Mbaud at 16 MHz.
    fn uart() -> Uart {
        let mut uart = Uart::default();
        uart.reset();
        for (register, value) in [
            (Register::StatusA, U2X),
            (Register::DividerLow, 1),
            (Register::ControlB, RXEN | TXEN | RXCIE),
        ] {
            assert_eq!(uart.write(0, register, value), None);
        }
        uart
    }

    fn character(byte: u8, bit_cycles: u64) -> Character {
        Character {
            byte,
            bit: Ticks::from_cycles(bit_cycles),
        }
    }

    /// Sends bytes back to back, without anybody reading.
    fn flood(uart: &mut Uart, bytes: std::ops::Range<u8>) {
        for byte in bytes {
            let start = u64::from(byte) * 160;
            uart.start_bit(start, character(byte, 16));
            uart.advance(start + 152);
        }
    }

    #[test]
    fn a_byte_is_there_in_the_middle_of_its_stop_bit() {
        let mut uart = uart();
        uart.start_bit(1000, character(0x5A, 16));
        assert_eq!(uart.next_event(), Some(1152));
        uart.advance(1151);
        assert!(!uart.wants_received());
        uart.advance(1152);
        assert!(uart.wants_received());
        assert_eq!(uart.read(Register::StatusA) & (RXC | FE), RXC);
        assert_eq!(uart.read(Register::Data), 0x5A);
        assert!(!uart.wants_received());
    }

    #[test]
    fn three_bytes_wait_and_the_start_of_a_fourth_loses_one() {
        let mut uart = uart();
        flood(&mut uart, 0..3);
        assert_eq!(uart.traffic().overruns, 0);
        flood(&mut uart, 3..4);
        assert_eq!(uart.traffic().overruns, 1);
        assert_eq!(uart.read(Register::StatusA) & DOR, DOR);
        let read: Vec<u8> = (0..3).map(|_| uart.read(Register::Data)).collect();
        assert_eq!(read, [0, 1, 3]);
        assert_eq!(uart.read(Register::StatusA) & (DOR | RXC), 0);
    }

    #[test]
    fn a_sender_of_twice_the_speed_is_no_sender_of_these_bytes() {
        let mut uart = uart();
        uart.start_bit(0, character(0x55, 32));
        uart.advance(1000);
        assert_ne!(uart.read(Register::Data), 0x55);
        let mut late = self::uart();
        late.start_bit(0, character(0x00, 32));
        late.advance(1000);
        assert_eq!(late.read(Register::StatusA) & FE, FE);
        assert_eq!(late.traffic().framing_errors, 1);
    }

    #[test]
    fn bytes_leave_at_the_speed_of_the_divider_one_waiting() {
        let mut uart = uart();
        assert_eq!(uart.write(0, Register::Data, 1), None);
        assert_eq!(uart.write(0, Register::Data, 2), None);
        assert!(uart.write(0, Register::Data, 3).is_some(), "it is full");
        assert_eq!(uart.advance(159), None);
        assert_eq!(uart.advance(160).map(|sent| sent.byte), Some(1));
        assert_eq!(uart.read(Register::StatusA) & (TXC | UDRE), UDRE);
        assert_eq!(uart.next_event(), Some(320));
        assert_eq!(uart.advance(320).map(|sent| sent.byte), Some(2));
        assert_eq!(uart.read(Register::StatusA) & (TXC | UDRE), TXC | UDRE);
    }

    #[test]
    fn bytes_that_come_while_the_receiver_is_off_are_missed() {
        let mut uart = uart();
        uart.write(0, Register::ControlB, TXEN);
        uart.start_bit(0, character(0x5A, 16));
        assert_eq!((uart.next_event(), uart.traffic().missed), (None, 1));
    }

    #[test]
    fn what_is_not_modelled_is_said() {
        let mut uart = uart();
        let even = 0b10 << 4 | EIGHT_BITS;
        assert!(uart.write(0, Register::ControlC, even).is_some());
        assert!(
            uart.write(0, Register::ControlC, EIGHT_BITS | USBS)
                .is_none()
        );
        assert!(uart.write(0, Register::ControlB, TXCIE).is_some());
        assert!(
            uart.write(0, Register::Data, 0).is_some(),
            "the transmitter is off"
        );
    }
}
