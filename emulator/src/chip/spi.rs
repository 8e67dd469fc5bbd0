//! SPI: RM0008 rev 21, section 25.5.
//!
//! A master on two data lines, 8 or 16 bits at a time.
//!
//! An overrun is no mistake by itself: the manual's own procedure for a master that only transmits
//! ends with one (section 25.3.5: the received data are never read). It is one if what was received is
//! used all the same; see [`Spi::receives_with_a_gap`].
//!
//! Not here: slaves, one data line, reception
//! alone, CRC, I2S (a STM32F103xB has none, but HALs clear its register).

use crate::time::Time;

use super::Refusal;

/// SPI_CR1: section 25.5.1.
const CR1_MSTR: u32 = 1 << 2;
const CR1_SPE: u32 = 1 << 6;
const CR1_LSBFIRST: u32 = 1 << 7;
const CR1_SSI: u32 = 1 << 8;
const CR1_SSM: u32 = 1 << 9;
const CR1_RXONLY: u32 = 1 << 10;
const CR1_DFF: u32 = 1 << 11;
const CR1_CRCNEXT: u32 = 1 << 12;
const CR1_CRCEN: u32 = 1 << 13;
const CR1_BIDIOE: u32 = 1 << 14;
const CR1_BIDIMODE: u32 = 1 << 15;

/// SPI_CR2: section 25.5.2.
const CR2_RXDMAEN: u32 = 1 << 0;
const CR2_TXDMAEN: u32 = 1 << 1;
const CR2_SSOE: u32 = 1 << 2;
const CR2_ERRIE: u32 = 1 << 5;
const CR2_RXNEIE: u32 = 1 << 6;
const CR2_TXEIE: u32 = 1 << 7;

/// SPI_SR: section 25.5.3.
const SR_RXNE: u32 = 1 << 0;
const SR_TXE: u32 = 1 << 1;
const SR_CRCERR: u32 = 1 << 4;
const SR_MODF: u32 = 1 << 5;
const SR_OVR: u32 = 1 << 6;
const SR_BSY: u32 = 1 << 7;

/// Clearing the overrun takes a read of DR and then one of SR (section 25.3.10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Overrun {
    #[default]
    None,
    Flagged,
    DataRead,
}

/// A word on its way through the shift register.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    word: u16,
    done: Time,
    direction: Direction,
    /// It is the check value behind the data.
    is_crc: bool,
}

/// What a master does with its data lines: section 25.3.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// A word goes out and one comes in.
    Both,
    /// Words only go out, on the one line that there is.
    Out,
    /// Words only come in, one after the other as long as the SPI is on.
    In {
        /// On the line of the output: nobody else drives it.
        on_output_line: bool,
    },
}

/// What the pins did during one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    /// What went out, the first bit of a byte on the line in its bit 7, bytes in order of the line.
    pub(super) bytes: [u8; 2],
    /// One or two bytes.
    pub(super) count: usize,
    /// When the last bit was through.
    pub(super) done: Time,
    /// Clock polarity and phase, 0 to 3.
    pub(super) mode: u8,
    pub(super) direction: Direction,
    is_crc: bool,
}

/// One SPI.
#[derive(Debug)]
pub(super) struct Spi {
    cr1: u32,
    cr2: u32,
    crc_polynomial: u16,
    /// TXCRCR and RXCRCR.
    sent_crc: u16,
    received_crc: u16,
    crc_error: bool,
    /// Written to DR and not yet in the shift register.
    waiting: Option<u16>,
    transfer: Option<Transfer>,
    received: u16,
    full: bool,
    overrun: Overrun,
    /// A word was taken that does not follow the one before.
    has_gap: bool,
    mode_fault: bool,
}

impl Default for Spi {
    fn default() -> Self {
        Self {
            cr1: 0,
            cr2: 0,
            // Section 25.5.5.
            crc_polynomial: 7,
            sent_crc: 0,
            received_crc: 0,
            crc_error: false,
            waiting: None,
            transfer: None,
            received: 0,
            full: false,
            overrun: Overrun::None,
            has_gap: false,
            mode_fault: false,
        }
    }
}

impl Spi {
    /// Whether a word was lost and the program has not yet said that it knows.
    pub(super) fn is_overrun(&self) -> bool {
        self.overrun != Overrun::None
    }

    pub(super) fn read(&mut self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => self.cr1,
            0x04 => self.cr2,
            0x08 => {
                let status = self.status();
                if self.overrun == Overrun::DataRead {
                    self.overrun = Overrun::None;
                }
                status
            }
            0x0c => {
                self.has_gap |= self.receives_with_a_gap();
                self.full = false;
                if self.overrun == Overrun::Flagged {
                    self.overrun = Overrun::DataRead;
                }
                u32::from(self.received)
            }
            0x10 => u32::from(self.crc_polynomial),
            0x14 => u32::from(self.received_crc),
            0x18 => u32::from(self.sent_crc),
            // I2SCFGR, I2SPR.
            0x1c => 0,
            0x20 => 2,
            _ => return None,
        })
    }

    /// Writes a register. `bit` is the period of the clock of the peripheral (PCLK).
    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Time,
        clock: Time,
    ) -> Result<Option<&'static str>, Refusal> {
        let mut complaint = None;
        match offset {
            0x00 => complaint = self.write_cr1(value),
            0x04 => self.cr2 = value & 0xe7,
            0x08 => self.crc_error &= value & SR_CRCERR != 0,
            0x0c => {
                if self.cr1 & CR1_SPE == 0 {
                    complaint = Some("SPI_DR was written while the SPI was off");
                } else if self.waiting.is_some() {
                    complaint = Some("SPI_DR was written while TXE was clear: a word is lost");
                }
                self.waiting = Some(value as u16);
            }
            0x10 => self.crc_polynomial = value as u16,
            0x14 | 0x18 => {}
            0x1c if value & 0x0800 != 0 => return Err(Refusal::NotModelled("I2S")),
            0x1c | 0x20 => {}
            _ => return Err(Refusal::Unknown),
        }
        self.start(now, clock);
        Ok(complaint)
    }

    fn write_cr1(&mut self, value: u32) -> Option<&'static str> {
        let value = value & 0xffff;
        let mut complaint = None;
        let ends_reception = self
            .transfer
            .is_some_and(|transfer| matches!(transfer.direction, Direction::In { .. }));
        // A reception is ended like this, in its last word: section 25.3.8.
        if value & CR1_SPE == 0 && self.is_busy() && !ends_reception {
            complaint = Some("the SPI was switched off in the middle of a word");
            self.transfer = None;
            self.waiting = None;
        }
        // Section 25.3.6.
        if value & !self.cr1 & CR1_CRCEN != 0 {
            (self.sent_crc, self.received_crc) = (0, 0);
        }
        self.cr1 = value;
        // Section 25.3.10: a master that sees its NSS low is no master any more.
        let selected = value & CR1_SSM != 0 && value & CR1_SSI == 0;
        if value & CR1_MSTR != 0 && value & CR1_SPE != 0 && selected {
            self.mode_fault = true;
            self.cr1 &= !(CR1_MSTR | CR1_SPE);
        } else {
            self.mode_fault = false;
        }
        complaint
    }

    fn status(&self) -> u32 {
        let flag = |condition: bool, bit: u32| if condition { bit } else { 0 };
        flag(self.full, SR_RXNE)
            | flag(self.waiting.is_none(), SR_TXE)
            | flag(self.crc_error, SR_CRCERR)
            | flag(self.mode_fault, SR_MODF)
            | flag(self.overrun != Overrun::None, SR_OVR)
            | flag(self.is_busy(), SR_BSY)
    }

    /// Whether reading DR now takes a word out of a stream in which words are missing. One word may
    /// be read after an overrun while nothing is under way: so the flag is cleared, and nothing
    /// follows. Read while the next word comes, it is an old one that is taken for new; and a word
    /// that is read before SR was is one of those of which the manual says that they are lost.
    fn receives_with_a_gap(&self) -> bool {
        let is_unread = self.full;
        match self.overrun {
            Overrun::None => false,
            Overrun::Flagged => is_unread && self.is_busy(),
            Overrun::DataRead => is_unread,
        }
    }

    /// Whether a word was taken since this was last asked that does not follow the one before.
    pub(super) fn take_gap(&mut self) -> bool {
        std::mem::take(&mut self.has_gap)
    }

    /// Whether a word is under way or waiting to be.
    pub(super) fn is_busy(&self) -> bool {
        let is_master = self.cr1 & (CR1_SPE | CR1_MSTR) == CR1_SPE | CR1_MSTR;
        self.transfer.is_some() || self.waiting.is_some() && is_master
    }

    /// Whether the NSS pin is an output, and low.
    pub(super) fn drives_select_low(&self) -> bool {
        self.cr1 & CR1_SPE != 0 && self.cr1 & CR1_SSM == 0 && self.cr2 & CR2_SSOE != 0
    }

    /// Begins with the next word if the shift register is free: one that waits, the check value, or
    /// whatever comes in.
    pub(super) fn start(&mut self, now: Time, clock: Time) {
        let is_master = self.cr1 & (CR1_SPE | CR1_MSTR) == CR1_SPE | CR1_MSTR;
        if self.transfer.is_some() || !is_master {
            return;
        }
        let direction = self.direction();
        let receives_only = matches!(direction, Direction::In { .. });
        let waiting = if receives_only {
            None
        } else {
            self.waiting.take()
        };
        let is_crc = waiting.is_none() && self.cr1 & CR1_CRCEN != 0 && self.cr1 & CR1_CRCNEXT != 0;
        let word = match waiting {
            Some(word) => {
                if self.cr1 & CR1_CRCEN != 0 {
                    self.sent_crc = self.crc_with(self.sent_crc, word);
                }
                word
            }
            None if is_crc => {
                self.cr1 &= !CR1_CRCNEXT;
                self.sent_crc
            }
            None if receives_only => u16::MAX,
            None => return,
        };
        self.transfer = Some(Transfer {
            word,
            done: now + clock * (self.divider() * u64::from(self.bits())),
            direction,
            is_crc,
        });
    }

    /// Section 25.3.4.
    fn direction(&self) -> Direction {
        let both_lines = self.cr1 & CR1_BIDIMODE == 0;
        if both_lines && self.cr1 & CR1_RXONLY == 0 {
            Direction::Both
        } else if both_lines || self.cr1 & CR1_BIDIOE == 0 {
            Direction::In {
                on_output_line: !both_lines,
            }
        } else {
            Direction::Out
        }
    }

    /// Bits of a word.
    fn bits(&self) -> u32 {
        if self.cr1 & CR1_DFF != 0 { 16 } else { 8 }
    }

    /// A check value with one word more: section 25.3.6.
    fn crc_with(&self, crc: u16, word: u16) -> u16 {
        let bits = self.bits();
        let mask = u16::MAX >> (16 - bits);
        let mut crc = (crc ^ word) & mask;
        for _ in 0..bits {
            let top = crc >> (bits - 1) & 1 != 0;
            crc = crc << 1 & mask;
            if top {
                crc ^= self.crc_polynomial & mask;
            }
        }
        crc
    }

    /// Periods of PCLK in one of SCK: CR1.BR.
    fn divider(&self) -> u64 {
        2 << (self.cr1 >> 3 & 7)
    }

    /// Frequency of SCK for a PCLK of `clock_hz`.
    pub(super) fn clock_hz(&self, clock_hz: u64) -> u64 {
        clock_hz / self.divider()
    }

    /// When the word under way is through.
    pub(super) fn next_event(&self) -> Time {
        self.transfer.map_or(Time::NEVER, |transfer| transfer.done)
    }

    /// The word that is through by `now`, to be exchanged with whoever is on the bus.
    pub(super) fn finished(&mut self, now: Time) -> Option<Exchange> {
        let Transfer {
            word,
            done,
            direction,
            is_crc,
        } = self.transfer.filter(|transfer| transfer.done <= now)?;
        self.transfer = None;
        let wide = self.cr1 & CR1_DFF != 0;
        let word = if self.cr1 & CR1_LSBFIRST == 0 {
            word
        } else if wide {
            word.reverse_bits()
        } else {
            u16::from((word as u8).reverse_bits())
        };
        let [high, low] = word.to_be_bytes();
        Some(Exchange {
            bytes: if wide { [high, low] } else { [low, 0] },
            count: if wide { 2 } else { 1 },
            done,
            mode: (self.cr1 & 3) as u8,
            direction,
            is_crc,
        })
    }

    /// Ends an exchange with what came in during it.
    pub(super) fn end(&mut self, exchange: &Exchange, bytes: [u8; 2]) {
        if exchange.direction == Direction::Out {
            return;
        }
        let word = self.word_of(bytes);
        if exchange.is_crc {
            self.crc_error |= word != self.received_crc;
        } else if self.cr1 & CR1_CRCEN != 0 {
            self.received_crc = self.crc_with(self.received_crc, word);
        }
        self.receive(word);
    }

    /// Takes a word that came in. If the one before was not taken, that stays and this one is lost
    /// (section 25.3.10, overrun).
    fn receive(&mut self, word: u16) {
        if self.full {
            self.overrun = Overrun::Flagged;
        } else {
            self.received = word;
            self.full = true;
        }
    }

    /// The word that came over the line as `bytes`.
    fn word_of(&self, bytes: [u8; 2]) -> u16 {
        let wide = self.cr1 & CR1_DFF != 0;
        let word = if wide {
            u16::from_be_bytes(bytes)
        } else {
            u16::from(bytes[0])
        };
        match (self.cr1 & CR1_LSBFIRST != 0, wide) {
            (false, _) => word,
            (true, true) => word.reverse_bits(),
            (true, false) => u16::from((word as u8).reverse_bits()),
        }
    }

    pub(super) fn requests_receive_dma(&self) -> bool {
        self.full && self.cr2 & CR2_RXDMAEN != 0
    }

    pub(super) fn requests_transmit_dma(&self) -> bool {
        self.waiting.is_none() && self.cr2 & CR2_TXDMAEN != 0
    }

    pub(super) fn interrupts(&self) -> bool {
        let status = self.status();
        self.cr2 & CR2_TXEIE != 0 && status & SR_TXE != 0
            || self.cr2 & CR2_RXNEIE != 0 && status & SR_RXNE != 0
            || self.cr2 & CR2_ERRIE != 0 && status & (SR_OVR | SR_MODF | SR_CRCERR) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CR1: u32 = 0x00;
    const CR2: u32 = 0x04;
    const SR: u32 = 0x08;
    const DR: u32 = 0x0c;
    const CLOCK: Time = Time::period_of(72_000_000);

    /// Master, on, software NSS, PCLK / 4.
    fn master() -> Spi {
        let mut spi = Spi::default();
        spi.write(CR1, 0x034c, Time::ZERO, CLOCK).unwrap();
        spi
    }

    #[test]
    fn a_byte_takes_eight_periods_of_its_clock() {
        let mut spi = master();
        spi.write(DR, 0xa5, Time::ZERO, CLOCK).unwrap();
        assert_eq!(spi.next_event(), CLOCK * 32);
        assert_eq!(spi.read(SR), Some(SR_TXE | SR_BSY));
        assert_eq!(spi.finished(CLOCK * 31), None);
        let exchange = spi.finished(CLOCK * 32).unwrap();
        assert_eq!((exchange.bytes[0], exchange.count), (0xa5, 1));
        spi.end(&exchange, [0x5a, 0]);
        assert_eq!(spi.read(SR), Some(SR_TXE | SR_RXNE));
        assert_eq!(spi.read(DR), Some(0x5a));
    }

    #[test]
    fn a_second_word_waits_and_follows_without_a_gap() {
        let mut spi = master();
        spi.write(DR, 1, Time::ZERO, CLOCK).unwrap();
        spi.write(DR, 2, CLOCK, CLOCK).unwrap();
        assert_eq!(spi.read(SR), Some(SR_BSY));
        let done = spi.finished(CLOCK * 40).unwrap().done;
        spi.start(done, CLOCK);
        assert_eq!(spi.next_event(), CLOCK * 64);
    }

    #[test]
    fn an_overrun_keeps_the_old_word_and_is_cleared_by_dr_then_sr() {
        let mut spi = master();
        spi.receive(1);
        spi.receive(2);
        assert_eq!(spi.read(SR).unwrap() & SR_OVR, SR_OVR);
        assert_eq!(spi.read(DR), Some(1));
        assert_eq!(spi.read(SR).unwrap() & SR_OVR, SR_OVR, "read, then cleared");
        assert_eq!(spi.read(SR).unwrap() & SR_OVR, 0);
        assert!(!spi.take_gap(), "what came in was not wanted");
    }

    #[test]
    fn a_word_from_before_an_overrun_that_is_read_while_the_next_one_comes_is_old() {
        let mut spi = master();
        spi.receive(1);
        spi.receive(2);
        spi.write(DR, 3, Time::ZERO, CLOCK).unwrap();
        assert_eq!(spi.read(DR), Some(1));
        assert!(spi.take_gap());
        assert!(!spi.take_gap(), "told once");
    }

    #[test]
    fn words_that_are_read_on_after_an_overrun_have_a_gap_before_them() {
        // As DMA does it, which never looks at SR.
        let mut spi = master();
        spi.receive(1);
        spi.receive(2);
        spi.read(DR);
        spi.receive(3);
        assert_eq!(spi.read(DR), Some(3));
        assert!(spi.take_gap());
    }

    #[test]
    fn sixteen_bits_go_high_byte_first() {
        let mut spi = Spi::default();
        spi.write(CR1, 0x0b4c, Time::ZERO, CLOCK).unwrap();
        spi.write(DR, 0x1234, Time::ZERO, CLOCK).unwrap();
        let exchange = spi.finished(CLOCK * 64).unwrap();
        assert_eq!((exchange.bytes, exchange.count), ([0x12, 0x34], 2));
        spi.end(&exchange, [0xab, 0xcd]);
        assert_eq!(spi.read(DR), Some(0xabcd));
    }

    #[test]
    fn least_significant_bit_first_is_reversed_on_the_line() {
        let mut spi = Spi::default();
        spi.write(CR1, 0x03cc, Time::ZERO, CLOCK).unwrap();
        spi.write(DR, 0x01, Time::ZERO, CLOCK).unwrap();
        let exchange = spi.finished(Time::SECOND).unwrap();
        assert_eq!(exchange.bytes[0], 0x80);
        spi.end(&exchange, [0x40, 0]);
        assert_eq!(spi.read(DR), Some(0x02));
    }

    /// Switches it on as a master with `mode` in CR1.
    fn master_with(mode: u32) -> Spi {
        let mut spi = Spi::default();
        spi.write(CR1, 0x030c | mode, Time::ZERO, CLOCK).unwrap();
        spi.write(CR1, 0x034c | mode, Time::ZERO, CLOCK).unwrap();
        spi
    }

    #[test]
    fn reception_alone_goes_on_until_the_spi_is_switched_off() {
        let mut spi = master_with(CR1_RXONLY);
        for word in 1..=3 {
            let exchange = spi.finished(CLOCK * (32 * u64::from(word))).unwrap();
            let on_its_own_line = Direction::In {
                on_output_line: false,
            };
            assert_eq!(exchange.direction, on_its_own_line);
            spi.end(&exchange, [word, 0]);
            assert_eq!(spi.read(DR), Some(u32::from(word)));
            spi.start(exchange.done, CLOCK);
        }
        // In the middle of the fourth: that one is finished, and no fifth begins.
        let told = spi.write(CR1, 0x030c | CR1_RXONLY, CLOCK * 100, CLOCK);
        assert_eq!(told.unwrap(), None);
        let exchange = spi.finished(CLOCK * 128).unwrap();
        spi.end(&exchange, [4, 0]);
        spi.start(exchange.done, CLOCK);
        assert_eq!(spi.read(SR), Some(SR_TXE | SR_RXNE));
        assert_eq!(spi.next_event(), Time::NEVER);
    }

    #[test]
    fn on_one_line_words_go_out_or_come_in() {
        let mut out = master_with(CR1_BIDIMODE | CR1_BIDIOE);
        out.write(DR, 0x12, Time::ZERO, CLOCK).unwrap();
        let exchange = out.finished(CLOCK * 32).unwrap();
        out.end(&exchange, [0x34, 0]);
        assert_eq!(out.read(SR), Some(SR_TXE), "nothing was received");
        let input = master_with(CR1_BIDIMODE).finished(CLOCK * 32).unwrap();
        assert!(matches!(
            input.direction,
            Direction::In {
                on_output_line: true
            }
        ));
    }

    #[test]
    fn the_check_value_follows_the_data_and_is_compared() {
        // SMBus's polynomial: CRC-8 of the digits 1 to 9 is 0xf4, as any calculator has it.
        for (last, error) in [(0xf4, 0), (0xf5, SR_CRCERR)] {
            let mut spi = master_with(CR1_CRCEN);
            let mut line = Vec::new();
            for digit in *b"123456789" {
                spi.write(DR, digit.into(), Time::ZERO, CLOCK).unwrap();
                if digit == b'9' {
                    spi.write(CR1, 0x034c | CR1_CRCEN | CR1_CRCNEXT, Time::ZERO, CLOCK)
                        .unwrap();
                }
                let exchange = spi.finished(Time::SECOND).unwrap();
                line.push(exchange.bytes[0]);
                spi.end(&exchange, [digit, 0]);
                spi.read(DR);
                spi.start(Time::ZERO, CLOCK);
            }
            assert_eq!((spi.read(0x14), spi.read(0x18)), (Some(0xf4), Some(0xf4)));
            let exchange = spi.finished(Time::SECOND).unwrap();
            assert_eq!(exchange.bytes[0], 0xf4);
            spi.end(&exchange, [last, 0]);
            assert_eq!(spi.read(SR).unwrap() & SR_CRCERR, error);
            spi.write(SR, 0, Time::ZERO, CLOCK).unwrap();
            assert_eq!(spi.read(SR).unwrap() & SR_CRCERR, 0);
        }
    }

    #[test]
    fn nobody_clocks_a_slave() {
        let mut spi = Spi::default();
        spi.write(CR1, 0x0040, Time::ZERO, CLOCK).unwrap();
        spi.write(DR, 1, Time::ZERO, CLOCK).unwrap();
        assert_eq!(spi.next_event(), Time::NEVER);
    }

    #[test]
    fn a_master_whose_nss_is_low_is_switched_off() {
        let mut spi = Spi::default();
        spi.write(CR1, 0x0244, Time::ZERO, CLOCK).unwrap();
        assert_eq!(spi.read(SR).unwrap() & SR_MODF, SR_MODF);
        assert_eq!(spi.read(CR1).unwrap() & (CR1_SPE | CR1_MSTR), 0);
    }

    #[test]
    fn mistakes_with_dr_are_told() {
        let mut spi = Spi::default();
        assert!(spi.write(DR, 1, Time::ZERO, CLOCK).unwrap().is_some());
        let mut spi = master();
        assert!(spi.write(DR, 1, Time::ZERO, CLOCK).unwrap().is_none());
        assert!(spi.write(DR, 2, Time::ZERO, CLOCK).unwrap().is_none());
        assert!(spi.write(DR, 3, Time::ZERO, CLOCK).unwrap().is_some());
    }

    #[test]
    fn dma_is_asked_for_while_there_is_room_or_data() {
        let mut spi = master();
        spi.write(CR2, 3, Time::ZERO, CLOCK).unwrap();
        assert!(spi.requests_transmit_dma() && !spi.requests_receive_dma());
        spi.receive(0);
        assert!(spi.requests_receive_dma());
    }
}
