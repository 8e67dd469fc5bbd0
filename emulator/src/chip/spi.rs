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
}

/// One SPI.
#[derive(Debug, Default)]
pub(super) struct Spi {
    cr1: u32,
    cr2: u32,
    crc_polynomial: u32,
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
            0x10 => self.crc_polynomial,
            // RXCRCR, TXCRCR, I2SCFGR, I2SPR.
            0x14 | 0x18 | 0x1c => 0,
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
            0x00 => complaint = self.write_cr1(value)?,
            0x04 => self.cr2 = value & 0xe7,
            // SR: only CRCERR could be cleared.
            0x08 => {}
            0x0c => {
                if self.cr1 & CR1_SPE == 0 {
                    complaint = Some("SPI_DR was written while the SPI was off");
                } else if self.waiting.is_some() {
                    complaint = Some("SPI_DR was written while TXE was clear: a word is lost");
                }
                self.waiting = Some(value as u16);
            }
            0x10 => self.crc_polynomial = value & 0xffff,
            0x1c if value & 0x0800 != 0 => return Err(Refusal::NotModelled("I2S")),
            0x1c | 0x20 => {}
            _ => return Err(Refusal::Unknown),
        }
        self.start(now, clock);
        Ok(complaint)
    }

    fn write_cr1(&mut self, value: u32) -> Result<Option<&'static str>, Refusal> {
        let value = value & 0xffff;
        if value & CR1_SPE != 0 {
            let one_way = CR1_RXONLY | CR1_BIDIMODE;
            if value & CR1_MSTR == 0 {
                return Err(Refusal::NotModelled("SPI as a slave"));
            }
            if value & one_way != 0 {
                return Err(Refusal::NotModelled("SPI in one direction only"));
            }
            if value & (CR1_CRCEN | CR1_CRCNEXT) != 0 {
                return Err(Refusal::NotModelled("the SPI's CRC"));
            }
        }
        let mut complaint = None;
        if value & CR1_SPE == 0 && self.is_busy() {
            complaint = Some("the SPI was switched off in the middle of a word");
            self.transfer = None;
            self.waiting = None;
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
        Ok(complaint)
    }

    fn status(&self) -> u32 {
        let flag = |condition: bool, bit: u32| if condition { bit } else { 0 };
        flag(self.full, SR_RXNE)
            | flag(self.waiting.is_none(), SR_TXE)
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
        self.transfer.is_some() || self.waiting.is_some() && self.cr1 & CR1_SPE != 0
    }

    /// Whether the NSS pin is an output, and low.
    pub(super) fn drives_select_low(&self) -> bool {
        self.cr1 & CR1_SPE != 0 && self.cr1 & CR1_SSM == 0 && self.cr2 & CR2_SSOE != 0
    }

    /// Moves a waiting word into the shift register if that is free.
    pub(super) fn start(&mut self, now: Time, clock: Time) {
        if self.transfer.is_some() || self.cr1 & CR1_SPE == 0 {
            return;
        }
        if let Some(word) = self.waiting.take() {
            let bits = if self.cr1 & CR1_DFF != 0 { 16 } else { 8 };
            self.transfer = Some(Transfer {
                word,
                done: now + clock * (self.divider() * bits),
            });
        }
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
        let Transfer { word, done } = self.transfer.filter(|transfer| transfer.done <= now)?;
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
        })
    }

    /// Takes what came in during an exchange. If the word before was not taken, it stays and this
    /// one is lost (section 25.3.10, overrun).
    pub(super) fn receive(&mut self, bytes: [u8; 2]) {
        let wide = self.cr1 & CR1_DFF != 0;
        let word = if wide {
            u16::from_be_bytes(bytes)
        } else {
            u16::from(bytes[0])
        };
        let word = match (self.cr1 & CR1_LSBFIRST != 0, wide) {
            (false, _) => word,
            (true, true) => word.reverse_bits(),
            (true, false) => u16::from((word as u8).reverse_bits()),
        };
        if self.full {
            self.overrun = Overrun::Flagged;
        } else {
            self.received = word;
            self.full = true;
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
            || self.cr2 & CR2_ERRIE != 0 && status & (SR_OVR | SR_MODF) != 0
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
        spi.receive([0x5a, 0]);
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
        spi.receive([1, 0]);
        spi.receive([2, 0]);
        assert_eq!(spi.read(SR).unwrap() & SR_OVR, SR_OVR);
        assert_eq!(spi.read(DR), Some(1));
        assert_eq!(spi.read(SR).unwrap() & SR_OVR, SR_OVR, "read, then cleared");
        assert_eq!(spi.read(SR).unwrap() & SR_OVR, 0);
        assert!(!spi.take_gap(), "what came in was not wanted");
    }

    #[test]
    fn a_word_from_before_an_overrun_that_is_read_while_the_next_one_comes_is_old() {
        let mut spi = master();
        spi.receive([1, 0]);
        spi.receive([2, 0]);
        spi.write(DR, 3, Time::ZERO, CLOCK).unwrap();
        assert_eq!(spi.read(DR), Some(1));
        assert!(spi.take_gap());
        assert!(!spi.take_gap(), "told once");
    }

    #[test]
    fn words_that_are_read_on_after_an_overrun_have_a_gap_before_them() {
        // As DMA does it, which never looks at SR.
        let mut spi = master();
        spi.receive([1, 0]);
        spi.receive([2, 0]);
        spi.read(DR);
        spi.receive([3, 0]);
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
        spi.receive([0xab, 0xcd]);
        assert_eq!(spi.read(DR), Some(0xabcd));
    }

    #[test]
    fn least_significant_bit_first_is_reversed_on_the_line() {
        let mut spi = Spi::default();
        spi.write(CR1, 0x03cc, Time::ZERO, CLOCK).unwrap();
        spi.write(DR, 0x01, Time::ZERO, CLOCK).unwrap();
        assert_eq!(spi.finished(Time::SECOND).unwrap().bytes[0], 0x80);
        spi.receive([0x40, 0]);
        assert_eq!(spi.read(DR), Some(0x02));
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
        spi.receive([0, 0]);
        assert!(spi.requests_receive_dma());
    }

    #[test]
    fn a_slave_is_not_modelled() {
        let mut spi = Spi::default();
        let result = spi.write(CR1, 0x0040, Time::ZERO, CLOCK);
        assert!(matches!(result, Err(Refusal::NotModelled(_))));
    }
}
