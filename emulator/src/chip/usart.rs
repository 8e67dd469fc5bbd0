//! USART: RM0008 rev 21, section 27.6.
//!
//! Asynchronous, 8 or 9 bits, parity, one or two stop bits, break, idle line, errors, DMA. Not
//! here: synchronous mode, LIN, smartcard, IrDA, half duplex, multiprocessor mute, hardware flow
//! control, and noise.

use crate::serial::{Frame, Line};
use crate::time::Time;

use super::Refusal;

/// USART_SR: section 27.6.1.
const SR_PE: u32 = 1 << 0;
const SR_FE: u32 = 1 << 1;
const SR_ORE: u32 = 1 << 3;
const SR_IDLE: u32 = 1 << 4;
const SR_RXNE: u32 = 1 << 5;
const SR_TC: u32 = 1 << 6;
const SR_TXE: u32 = 1 << 7;
/// Flags that a read of SR followed by one of DR clears.
const SR_BY_READ: u32 = SR_PE | SR_FE | SR_ORE | SR_IDLE;

/// USART_CR1: section 27.6.4.
const CR1_SBK: u32 = 1 << 0;
const CR1_RWU: u32 = 1 << 1;
const CR1_RE: u32 = 1 << 2;
const CR1_TE: u32 = 1 << 3;
const CR1_IDLEIE: u32 = 1 << 4;
const CR1_RXNEIE: u32 = 1 << 5;
const CR1_TCIE: u32 = 1 << 6;
const CR1_TXEIE: u32 = 1 << 7;
const CR1_PEIE: u32 = 1 << 8;
const CR1_PS: u32 = 1 << 9;
const CR1_PCE: u32 = 1 << 10;
const CR1_M: u32 = 1 << 12;
const CR1_UE: u32 = 1 << 13;

/// USART_CR2: section 27.6.5: STOP, and what is not modelled: CLKEN, LINEN.
const CR2_STOP_SHIFT: u32 = 12;
const CR2_OTHERS: u32 = 1 << 11 | 1 << 14;

/// USART_CR3: section 27.6.6.
const CR3_EIE: u32 = 1 << 0;
const CR3_DMAR: u32 = 1 << 6;
const CR3_DMAT: u32 = 1 << 7;
/// IREN, HDSEL, SCEN, RTSE, CTSE.
const CR3_OTHERS: u32 = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 8 | 1 << 9;

/// One USART.
#[derive(Debug)]
pub(super) struct Usart {
    /// Flags but TXE.
    status: u32,
    /// SR was read since the last read of DR.
    status_was_read: bool,
    divider: u32,
    cr1: u32,
    cr2: u32,
    cr3: u32,
    prescaler: u32,
    received: u16,
    /// Written to DR, not yet in the shift register.
    waiting: Option<u16>,
    /// The shift register is busy until then.
    sending_until: Option<Time>,
    /// Since when the line has been idle without IDLE being flagged.
    quiet_since: Option<Time>,
    /// What comes in from outside.
    pub(super) input: Line,
    /// What goes out.
    pub(super) output: Vec<Frame>,
}

impl Default for Usart {
    fn default() -> Self {
        Self {
            status: SR_TC,
            status_was_read: false,
            divider: 0,
            cr1: 0,
            cr2: 0,
            cr3: 0,
            prescaler: 0,
            received: 0,
            waiting: None,
            sending_until: None,
            quiet_since: None,
            input: Line::default(),
            output: Vec::new(),
        }
    }
}

impl Usart {
    /// The registers forget; what is on the wires stays there.
    pub(super) fn reset(&mut self) {
        *self = Self {
            input: std::mem::take(&mut self.input),
            output: std::mem::take(&mut self.output),
            ..Self::default()
        };
    }

    pub(super) fn read(&mut self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => {
                self.status_was_read = true;
                self.status_register()
            }
            0x04 => {
                self.status &= !SR_RXNE;
                if std::mem::take(&mut self.status_was_read) {
                    self.status &= !SR_BY_READ;
                }
                u32::from(self.received)
            }
            0x08 => self.divider,
            0x0c => self.cr1,
            0x10 => self.cr2,
            0x14 => self.cr3,
            0x18 => self.prescaler,
            _ => return None,
        })
    }

    fn status_register(&self) -> u32 {
        let empty = if self.waiting.is_none() { SR_TXE } else { 0 };
        self.status | empty
    }

    /// Writes a register. `clock` is the period of PCLK.
    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Time,
        clock: Time,
    ) -> Result<Option<&'static str>, Refusal> {
        let mut complaint = None;
        match offset {
            // TC and RXNE can be cleared by writing 0.
            0x00 => self.status &= value | !(SR_TC | SR_RXNE),
            0x04 => {
                if self.cr1 & (CR1_UE | CR1_TE) != CR1_UE | CR1_TE {
                    complaint = Some("USART_DR was written while the transmitter was off");
                } else if self.waiting.is_some() {
                    complaint =
                        Some("USART_DR was written while TXE was clear: a character is lost");
                }
                if self.status_was_read {
                    self.status &= !SR_TC;
                }
                self.waiting = Some(value as u16 & 0x1ff);
            }
            0x08 => self.divider = value & 0xffff,
            0x0c => self.write_cr1(value, now, clock)?,
            0x10 if value & CR2_OTHERS != 0 => {
                return Err(Refusal::NotModelled("synchronous mode or LIN of a USART"));
            }
            0x10 => self.cr2 = value & 0x7fff,
            0x14 if value & CR3_OTHERS != 0 => {
                return Err(Refusal::NotModelled(
                    "IrDA, half duplex, smartcard or flow control of a USART",
                ));
            }
            0x14 => self.cr3 = value & 0x07ff,
            0x18 => self.prescaler = value & 0xffff,
            _ => return Err(Refusal::Unknown),
        }
        self.start(now, clock);
        Ok(complaint)
    }

    fn write_cr1(&mut self, value: u32, now: Time, clock: Time) -> Result<(), Refusal> {
        if value & CR1_RWU != 0 {
            return Err(Refusal::NotModelled("the mute mode of a USART"));
        }
        let sends = |cr1: u32| cr1 & (CR1_UE | CR1_TE) == CR1_UE | CR1_TE;
        let receives = |cr1: u32| cr1 & (CR1_UE | CR1_RE) == CR1_UE | CR1_RE;
        // An idle frame precedes the first character (section 27.3.2).
        if sends(value) && !sends(self.cr1) {
            self.cr1 = value;
            let frame = self.bit(clock) * u64::from(self.data_bits() + 2);
            self.sending_until = Some(now + frame);
        }
        if !sends(value) {
            self.sending_until = None;
            self.waiting = None;
        }
        if receives(value) && !receives(self.cr1) {
            self.input.skip_to(now);
        }
        self.cr1 = value & 0x3fff;
        Ok(())
    }

    /// Length of a bit: BRR counts PCLK (section 27.3.4).
    fn bit(&self, clock: Time) -> Time {
        clock * u64::from(self.divider.max(1))
    }

    /// Bits between start and stop bit.
    fn data_bits(&self) -> u8 {
        if self.cr1 & CR1_M != 0 { 9 } else { 8 }
    }

    fn receives(&self) -> bool {
        self.cr1 & (CR1_UE | CR1_RE) == CR1_UE | CR1_RE && self.divider != 0
    }

    fn sends(&self) -> bool {
        self.cr1 & (CR1_UE | CR1_TE) == CR1_UE | CR1_TE && self.divider != 0
    }

    /// The highest bit of a word is replaced by its parity (section 27.3.7).
    fn with_parity(&self, word: u16) -> u16 {
        if self.cr1 & CR1_PCE == 0 {
            return word;
        }
        let top = self.data_bits() - 1;
        let data = word & ((1 << top) - 1);
        let odd_ones = !data.count_ones().is_multiple_of(2);
        let parity = odd_ones != (self.cr1 & CR1_PS != 0);
        data | u16::from(parity) << top
    }

    /// Moves a waiting character, or a break, onto the line if that is free.
    pub(super) fn start(&mut self, now: Time, clock: Time) {
        if !self.sends() || self.sending_until.is_some() {
            return;
        }
        let bits = self.data_bits();
        // 00: 1, 01: 0.5, 10: 2, 11: 1.5 stop bits; halves only in smartcard mode.
        let stop_bits = if self.cr2 >> (CR2_STOP_SHIFT + 1) & 1 != 0 {
            2
        } else {
            1
        };
        let frame = if self.cr1 & CR1_SBK != 0 {
            self.cr1 &= !CR1_SBK;
            // A break is a frame of zeros, stop bits included, and a stop bit (section 27.3.2).
            let zeros = bits + 1 + stop_bits;
            Frame {
                start: now,
                bit: self.bit(clock),
                levels: 1 << zeros,
                count: zeros + 1,
            }
        } else if let Some(word) = self.waiting.take() {
            let mask = (1 << bits) - 1;
            let stop = ((1 << stop_bits) - 1) << (bits + 1);
            Frame {
                start: now,
                bit: self.bit(clock),
                levels: (self.with_parity(word) & mask) << 1 | stop,
                count: bits + 1 + stop_bits,
            }
        } else {
            return;
        };
        self.status &= !SR_TC;
        self.sending_until = Some(frame.end());
        self.output.push(frame);
    }

    /// When a character will be out or in, or the line idle.
    pub(super) fn next_event(&self, clock: Time) -> Time {
        let sent = self.sending_until.unwrap_or(Time::NEVER);
        if !self.receives() {
            return sent;
        }
        let received = self.input.next_event(self.bit(clock), self.data_bits());
        sent.min(received).min(self.idle_at(clock))
    }

    /// IDLE is flagged after a frame's length of silence (section 27.3.3).
    fn idle_at(&self, clock: Time) -> Time {
        match self.quiet_since {
            Some(since) => since + self.bit(clock) * u64::from(self.data_bits() + 2),
            None => Time::NEVER,
        }
    }

    /// Does what is due at `now`. Tells whether a character was lost.
    pub(super) fn service(&mut self, now: Time, clock: Time) -> bool {
        let mut lost = false;
        while let Some(end) = self.sending_until.filter(|&end| end <= now) {
            self.sending_until = None;
            self.start(end, clock);
            if self.sending_until.is_none() {
                self.status |= SR_TC;
            }
        }
        if !self.receives() {
            self.input.skip_to(now);
            return false;
        }
        let (bit, bits) = (self.bit(clock), self.data_bits());
        while let Some(sampled) = self.input.receive(now, bit, bits) {
            self.quiet_since = Some(sampled.done);
            if self.status & SR_RXNE != 0 {
                // The old character stays in DR (section 27.3.3, overrun).
                self.status |= SR_ORE;
                lost = true;
                continue;
            }
            self.received = sampled.data;
            self.status |= SR_RXNE;
            if sampled.framing_error {
                self.status |= SR_FE;
            }
            if self.with_parity(sampled.data) != sampled.data {
                self.status |= SR_PE;
            }
        }
        if self.idle_at(clock) <= now {
            self.quiet_since = None;
            self.status |= SR_IDLE;
        }
        lost
    }

    pub(super) fn requests_receive_dma(&self) -> bool {
        self.status & SR_RXNE != 0 && self.cr3 & CR3_DMAR != 0
    }

    pub(super) fn requests_transmit_dma(&self) -> bool {
        self.waiting.is_none() && self.cr3 & CR3_DMAT != 0 && self.sends()
    }

    pub(super) fn interrupts(&self) -> bool {
        let status = self.status_register();
        let enabled = |mask: u32, bits: u32| self.cr1 & mask != 0 && status & bits != 0;
        let errors = SR_FE | SR_ORE;
        enabled(CR1_TXEIE, SR_TXE)
            || enabled(CR1_TCIE, SR_TC)
            || enabled(CR1_RXNEIE, SR_RXNE | SR_ORE)
            || enabled(CR1_IDLEIE, SR_IDLE)
            || enabled(CR1_PEIE, SR_PE)
            || self.cr3 & CR3_EIE != 0 && self.cr3 & CR3_DMAR != 0 && status & errors != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serial::{Format, Parity};

    const SR: u32 = 0x00;
    const DR: u32 = 0x04;
    const BRR: u32 = 0x08;
    const CR1: u32 = 0x0c;
    const CLOCK: Time = Time::period_of(72_000_000);
    const EVEN: Format = Format {
        baud: 115_200,
        parity: Parity::Even,
        stop_bits: 1,
    };

    /// 115200 baud, on in both directions.
    fn usart(cr1: u32) -> Usart {
        let mut usart = Usart::default();
        usart.write(BRR, 625, Time::ZERO, CLOCK).unwrap();
        let on = CR1_UE | CR1_RE | CR1_TE | cr1;
        usart.write(CR1, on, Time::ZERO, CLOCK).unwrap();
        usart.service(Time::MILLISECOND, CLOCK);
        usart
    }

    fn send(usart: &mut Usart, start: Time, bytes: &[u8], format: Format) {
        let bit = Time::period_of(u64::from(format.baud));
        let mut start = start;
        for &byte in bytes {
            let (levels, count) = format.encode(byte);
            let frame = Frame {
                start,
                bit,
                levels,
                count,
            };
            start = frame.end();
            usart.input.send(frame);
        }
    }

    #[test]
    fn a_character_goes_out_with_even_parity_as_the_boot_loader_wants_it() {
        let mut usart = usart(CR1_M | CR1_PCE);
        let now = Time::from_millis(2);
        usart.write(DR, 0x07, now, CLOCK).unwrap();
        let frame = usart.output[0];
        // Start, 1 1 1 0 0 0 0 0, parity 1, stop.
        assert_eq!((frame.levels, frame.count), (0b110_0000_1110, 11));
        assert_eq!(frame.bit, CLOCK * 625);
        assert_eq!(usart.read(SR).unwrap() & (SR_TXE | SR_TC), SR_TXE);
        usart.service(frame.end(), CLOCK);
        assert_eq!(usart.read(SR).unwrap() & (SR_TXE | SR_TC), SR_TXE | SR_TC);
    }

    #[test]
    fn a_wrong_parity_is_flagged_and_cleared_by_sr_then_dr() {
        let mut usart = usart(CR1_M | CR1_PCE);
        let odd = Format {
            parity: Parity::Odd,
            ..EVEN
        };
        send(&mut usart, Time::from_millis(2), &[0x55], odd);
        usart.service(Time::from_millis(3), CLOCK);
        assert_eq!(usart.read(SR).unwrap() & (SR_PE | SR_RXNE), SR_PE | SR_RXNE);
        assert_eq!(usart.read(DR).unwrap() & 0xff, 0x55);
        assert_eq!(usart.read(SR).unwrap() & (SR_PE | SR_RXNE), 0);
    }

    #[test]
    fn an_overrun_loses_the_new_character() {
        let mut usart = usart(CR1_M | CR1_PCE);
        send(&mut usart, Time::from_millis(2), b"AB", EVEN);
        assert!(usart.service(Time::from_millis(3), CLOCK));
        assert_eq!(usart.read(SR).unwrap() & SR_ORE, SR_ORE);
        assert_eq!(usart.read(DR).unwrap() as u8, b'A');
        assert_eq!(usart.read(SR).unwrap() & SR_ORE, 0);
    }

    #[test]
    fn the_line_is_idle_one_frame_after_the_last_character() {
        let mut usart = usart(CR1_M | CR1_PCE);
        send(&mut usart, Time::from_millis(2), b"A", EVEN);
        let received = usart.next_event(CLOCK);
        usart.service(received, CLOCK);
        assert_eq!(usart.read(SR).unwrap() & SR_IDLE, 0);
        let idle = usart.next_event(CLOCK);
        assert_eq!(idle, received + CLOCK * (625 * 11));
        usart.service(idle, CLOCK);
        assert_eq!(usart.read(SR).unwrap() & SR_IDLE, SR_IDLE);
    }

    #[test]
    fn characters_at_another_speed_are_garbled() {
        let mut usart = usart(CR1_M | CR1_PCE);
        let slow = Format {
            baud: 57_600,
            ..EVEN
        };
        send(&mut usart, Time::from_millis(2), &[0x7f], slow);
        usart.service(Time::from_millis(4), CLOCK);
        let status = usart.read(SR).unwrap();
        assert!(usart.read(DR).unwrap() as u8 != 0x7f || status & (SR_FE | SR_PE) != 0);
    }

    #[test]
    fn a_break_is_longer_than_any_character() {
        let mut usart = usart(0);
        usart
            .write(CR1, CR1_UE | CR1_TE | CR1_SBK, Time::from_millis(2), CLOCK)
            .unwrap();
        let frame = usart.output[0];
        assert_eq!((frame.levels, frame.count), (1 << 10, 11));
        assert_eq!(usart.read(CR1).unwrap() & CR1_SBK, 0);
    }

    #[test]
    fn what_comes_in_while_the_receiver_is_off_is_not_there_later() {
        let mut usart = Usart::default();
        usart.write(BRR, 625, Time::ZERO, CLOCK).unwrap();
        send(&mut usart, Time::ZERO, b"A", EVEN);
        let now = Time::from_millis(1);
        usart
            .write(CR1, CR1_UE | CR1_RE | CR1_M | CR1_PCE, now, CLOCK)
            .unwrap();
        usart.service(Time::from_millis(2), CLOCK);
        assert_eq!(usart.read(SR).unwrap() & SR_RXNE, 0);
    }
}
