//! SPI1 and its pins: the board of the programmer.
//!
//! | pin | signal |
//! |---|---|
//! | PA5 | SCK |
//! | PA6 | MISO |
//! | PA7 | MOSI |
//! | PA4 PA3 PA2 PA1 | chip select 0 to 3 |
//!
//! A byte or a few are sent and read by the core: the host waits for a status with every page that
//! it programs, so what they take counts, and they become part of who calls them. For more than
//! that, DMA feeds the bus while the core looks after USB: what is written lies in one of two buffers
//! meanwhile, what is read comes into a ring that is read ahead of the host.
//!
//! What comes in while bytes are written is not looked at, so the receiver overruns: section 25.3.5,
//! "transmit-only procedure". Every write ends with clearing that, when its last bit has left.

use core::ptr;

use flashwire_device::{Board, Moment};
use stm32f1::stm32f103::{DMA1, GPIOA, Peripherals, SPI1};

use crate::clocks::{CORE_HZ, Micros};

/// How many chip select lines there are.
pub(crate) const CHIP_SELECTS: u8 = 4;

/// The clock until the host asks for another: serprog-stm32vcp's, within ST's 18 MHz and fast enough
/// for USB.
pub(crate) const DEFAULT_SPI_HZ: u32 = 9_000_000;

/// The pins of the chip selects at port A go down from this one.
const FIRST_SELECT_PIN: u32 = 4;

/// What GPIOA_BSRR sets the pin of a chip select with: section 9.2.5. 0 if there is none.
const fn select_bit(line: u8) -> u32 {
    if line < CHIP_SELECTS {
        1 << FIRST_SELECT_PIN >> line
    } else {
        0
    }
}

/// What it clears a pin with lies this much higher.
const BSRR_RESET: u32 = 16;

/// Slowest of the eight settings of SPI_CR1.BR, which divide by 2 to 256: section 25.5.1.
const SLOWEST_SETTING: u8 = 7;

/// GPIOx_CRL: four bits a pin, pin 0 lowest: section 9.2.1.
const fn pin_bits(pin: u8, bits: u32) -> u32 {
    bits << (4 * pin)
}

const FLOATING_INPUT: u32 = 0b0100;
const PULLED_INPUT: u32 = 0b1000;
const OUTPUT_50MHZ: u32 = 0b0011;
const FUNCTION_50MHZ: u32 = 0b1011;

/// PA1 to PA7.
const BUS_PINS: u32 = 0xFFFF_FFF0;

const RELEASED: u32 = {
    let mut pins = 0;
    let mut pin = 1;
    while pin <= 7 {
        pins |= pin_bits(pin, FLOATING_INPUT);
        pin += 1;
    }
    pins
};

const DRIVEN: u32 = pin_bits(1, OUTPUT_50MHZ)
    | pin_bits(2, OUTPUT_50MHZ)
    | pin_bits(3, OUTPUT_50MHZ)
    | pin_bits(4, OUTPUT_50MHZ)
    | pin_bits(5, FUNCTION_50MHZ)
    | pin_bits(6, PULLED_INPUT)
    | pin_bits(7, FUNCTION_50MHZ);

/// Levels of the pins while the bus is idle: no chip selected, and a missing chip reads as ones.
const IDLE_LEVELS: u32 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6;

/// DMA1 channels of SPI1: section 13.3.7, table 78. Counted from 0.
const FROM_SPI: usize = 1;
const TO_SPI: usize = 2;

/// From how many bytes on DMA takes less time than the core alone.
const DMA_FROM_BYTES: usize = 12;

/// A packet of USB full speed, so that what came in one goes out in one.
const SEND_BYTES: usize = 64;

/// The ring is read ahead of the host by this much. A power of two.
const RING_BYTES: usize = 1024;

/// How much is read between two looks at the ring.
const CHUNK_BYTES: u32 = 256;

/// Where DMA writes what it reads. Nothing but [`SpiBoard`] touches it.
static mut RING: [u8; RING_BYTES] = [0; RING_BYTES];

/// What DMA sends. Nothing but [`SpiBoard`] touches it.
static mut SEND: [[u8; SEND_BYTES]; 2] = [[0; SEND_BYTES]; 2];

/// What is sent while reading.
static IDLE_BYTE: u8 = 0;

/// What DMA does, or has done without its channels being closed again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transfer {
    None,
    Write,
    Read,
}

/// A read that is long enough for DMA.
#[derive(Clone, Copy)]
struct Reading {
    /// Bytes that are not asked of the chip yet.
    unasked: u32,
    /// Bytes that are asked of the chip and were not handed out yet.
    asked: u32,
    /// Where in the ring the next byte is handed out.
    tail: usize,
}

const NOTHING: Reading = Reading {
    unasked: 0,
    asked: 0,
    tail: 0,
};

/// The SPI bus.
pub(crate) struct SpiBoard {
    spi: SPI1,
    dma: DMA1,
    pins: GPIOA,
    micros: Micros,
    /// [`select_bit`] of the line that is low; 0 if none is.
    selected: u32,
    /// While DMA reads: how far it is.
    reading: Reading,
    /// Which of the two send buffers comes next.
    next_send: usize,
    /// What DMA does.
    transfer: Transfer,
}

impl SpiBoard {
    /// The bus, its pins let go.
    pub(crate) fn new(peripherals: &Peripherals, micros: Micros) -> Self {
        let rcc = &peripherals.RCC;
        rcc.apb2enr()
            .modify(|_, w| w.iopaen().set_bit().spi1en().set_bit());
        rcc.ahbenr().modify(|_, w| w.dma1en().set_bit());
        // SAFETY: this is the only user of SPI1 and of DMA1. Port A is shared: its pins 1 to 7 are
        // this one's, and what lies in a register with others is changed from the main loop only.
        let (spi, dma, pins) = unsafe { (SPI1::steal(), DMA1::steal(), GPIOA::steal()) };
        let mut board = Self {
            spi,
            dma,
            pins,
            micros,
            selected: 0,
            reading: NOTHING,
            next_send: 0,
            transfer: Transfer::None,
        };
        board.set_outputs(false);
        board.spi.cr1().write(|w| {
            // Mode 0, eight bits, most significant first; chip select is not SPI's business.
            w.mstr().master().ssm().enabled().ssi().slave_not_selected()
        });
        board
            .spi
            .cr2()
            .write(|w| w.rxdmaen().enabled().txdmaen().enabled());
        let data_register = board.spi.dr().as_ptr() as u32;
        // SAFETY: the address of SPI1's data register, for both channels.
        unsafe {
            let (from, to) = (board.dma.ch(FROM_SPI), board.dma.ch(TO_SPI));
            from.par().write(|w| w.pa().bits(data_register));
            to.par().write(|w| w.pa().bits(data_register));
        }
        board
    }

    /// Waits until DMA has nothing more to send and what it sent has left; gives up a read.
    #[inline(always)]
    fn finish_transfer(&mut self) {
        if self.transfer != Transfer::None {
            self.close_transfer();
        }
    }

    #[inline(never)]
    fn close_transfer(&mut self) {
        if self.transfer == Transfer::Write {
            while self.dma_is_busy() {}
        }
        self.stop_channel(TO_SPI);
        self.wait_until_sent();
        self.stop_channel(FROM_SPI);
        self.clear_overrun();
        self.transfer = Transfer::None;
    }

    /// Forgets what came in. Section 25.3.10: data, then status, clears an overrun.
    #[inline(always)]
    fn clear_overrun(&self) {
        self.spi.dr().read();
        self.spi.sr().read();
    }

    fn dma_is_busy(&self) -> bool {
        self.dma.ch(TO_SPI).ndtr().read().bits() != 0
    }

    /// Waits until nothing is left in the SPI and its clock has stopped: section 25.3.8.
    #[inline(always)]
    fn wait_until_sent(&self) {
        while self.spi.sr().read().txe().bit_is_clear() {}
        self.wait_for_clock();
    }

    /// Waits until the clock has stopped.
    #[inline(always)]
    fn wait_for_clock(&self) {
        while self.spi.sr().read().bsy().bit_is_set() {}
    }

    /// Stops a channel, whatever it still had to do.
    fn stop_channel(&self, channel: usize) {
        let channel = self.dma.ch(channel);
        channel.cr().modify(|_, w| w.en().clear_bit());
        // SAFETY: any count is valid. None is what others look for.
        channel.ndtr().write(|w| unsafe { w.ndt().bits(0) });
    }

    /// Starts DMA from memory to SPI: `count` bytes from `start` on, or `count` times the same one.
    fn feed(&self, start: *const u8, advance: bool, count: u16) {
        let channel = self.dma.ch(TO_SPI);
        channel.cr().write(|w| w);
        // SAFETY: an address in a static, with at least as many bytes as are read behind it.
        channel
            .mar()
            .write(|w| unsafe { w.ma().bits(start as u32) });
        // SAFETY: any count is valid.
        channel.ndtr().write(|w| unsafe { w.ndt().bits(count) });
        // The ring must not overflow, so reading goes before feeding.
        channel.cr().write(|w| {
            w.dir().from_memory().minc().bit(advance);
            w.pl().medium().en().set_bit()
        });
    }

    /// Sends through the two buffers.
    #[inline(never)]
    fn write_by_dma(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(SEND_BYTES) {
            let buffer = self.next_send;
            self.next_send ^= 1;
            let start = (&raw mut SEND).cast::<[u8; SEND_BYTES]>();
            // SAFETY: there are two buffers and `buffer` is 0 or 1; `part` is not longer than one; DMA
            // reads the other one at most.
            let start = unsafe {
                let start = start.add(buffer).cast::<u8>();
                ptr::copy_nonoverlapping(part.as_ptr(), start, part.len());
                start
            };
            while self.dma_is_busy() {}
            self.feed(start, true, part.len() as u16);
            self.transfer = Transfer::Write;
        }
    }

    /// Lets DMA fill the ring, from its start, round and round.
    fn open_ring(&mut self) {
        let channel = self.dma.ch(FROM_SPI);
        channel.cr().write(|w| w);
        let ring = &raw mut RING;
        // SAFETY: the address of a static that nothing else is written to.
        channel.mar().write(|w| unsafe { w.ma().bits(ring as u32) });
        // SAFETY: any count is valid; this is the ring's length.
        channel
            .ndtr()
            .write(|w| unsafe { w.ndt().bits(RING_BYTES as u16) });
        channel.cr().write(|w| {
            w.dir().from_peripheral().minc().enabled();
            w.circ().enabled().pl().very_high().en().set_bit()
        });
    }

    /// Where DMA writes next in the ring.
    fn ring_head(&self) -> usize {
        let left = self.dma.ch(FROM_SPI).ndtr().read().bits() as usize;
        RING_BYTES.wrapping_sub(left) % RING_BYTES
    }

    /// Lets DMA read ahead.
    #[inline(never)]
    fn start_reading_ahead(&mut self, count: u32) {
        self.reading = Reading {
            unasked: count,
            ..NOTHING
        };
        self.transfer = Transfer::Read;
        self.open_ring();
        self.read_ahead();
    }

    /// Asks the chip for more if it is not at work and the ring has room.
    fn read_ahead(&mut self) {
        let reading = self.reading;
        let room = (RING_BYTES as u32 - 1).saturating_sub(reading.asked);
        let chunk = reading.unasked.min(CHUNK_BYTES);
        if chunk == 0 || chunk > room || self.dma_is_busy() {
            return;
        }
        self.feed(&raw const IDLE_BYTE, false, chunk as u16);
        self.reading.unasked -= chunk;
        self.reading.asked += chunk;
    }

    /// Hands out of the ring.
    #[inline(never)]
    fn take_from_ring(&mut self, out: &mut [u8]) {
        let wanted = out.len();
        loop {
            self.read_ahead();
            let there = self.ring_head().wrapping_sub(self.reading.tail) % RING_BYTES;
            if there >= wanted {
                break;
            }
        }
        let tail = self.reading.tail;
        let to_end = wanted.min(RING_BYTES - tail);
        let ring = (&raw const RING).cast::<u8>();
        let (first, second) = out.split_at_mut(to_end);
        // SAFETY: `tail` lies in the ring, `first` ends with it at the latest, and `second` is
        // shorter than the ring. DMA does not write here: it has filled these bytes, and gets no
        // further than the byte before `tail`.
        unsafe {
            ptr::copy_nonoverlapping(ring.add(tail), first.as_mut_ptr(), first.len());
            ptr::copy_nonoverlapping(ring, second.as_mut_ptr(), second.len());
        }
        self.reading.tail = (tail + wanted) % RING_BYTES;
        self.reading.asked -= wanted as u32;
    }

    /// Gives the SPI a byte. It must have room for one.
    #[inline(always)]
    fn put(&self, byte: u8) {
        // SAFETY: the register takes any byte.
        self.spi.dr8().write(|w| unsafe { w.dr().bits(byte) });
    }

    /// One byte out, one byte in. Nothing else may be under way.
    #[inline(always)]
    fn exchange(&self, byte: u8) -> u8 {
        self.put(byte);
        while self.spi.sr().read().rxne().bit_is_clear() {}
        self.spi.dr8().read().dr().bits()
    }
}

impl Board for SpiBoard {
    fn now(&self) -> Moment {
        self.micros.now()
    }

    #[inline(always)]
    fn select(&mut self, line: u8) {
        if self.selected != 0 {
            self.deselect();
        }
        self.selected = select_bit(line);
        // SAFETY: pulls one of this board's pins low, or none.
        self.pins
            .bsrr()
            .write(|w| unsafe { w.bits(self.selected << BSRR_RESET) });
    }

    #[inline(always)]
    fn deselect(&mut self) {
        self.finish_transfer();
        // The last bit was read in the middle of its clock.
        self.wait_for_clock();
        // SAFETY: lets one of this board's pins go high, or none.
        self.pins.bsrr().write(|w| unsafe { w.bits(self.selected) });
        self.selected = 0;
    }

    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) {
        if bytes.len() >= DMA_FROM_BYTES {
            return self.write_by_dma(bytes);
        }
        self.finish_transfer();
        for &byte in bytes {
            while self.spi.sr().read().txe().bit_is_clear() {}
            self.put(byte);
        }
        self.wait_until_sent();
        self.clear_overrun();
    }

    #[inline(always)]
    fn start_read(&mut self, count: u32) {
        self.finish_transfer();
        if count as usize >= DMA_FROM_BYTES {
            self.start_reading_ahead(count);
        }
    }

    #[inline(always)]
    fn finish_read(&mut self, out: &mut [u8]) {
        if self.transfer == Transfer::Read {
            return self.take_from_ring(out);
        }
        for byte in out {
            *byte = self.exchange(IDLE_BYTE);
        }
    }

    fn set_clock(&mut self, hz: u32) -> u32 {
        self.finish_transfer();
        let mut setting = 0;
        while setting < SLOWEST_SETTING && clock_hz(setting) > hz {
            setting += 1;
        }
        self.spi.cr1().modify(|_, w| w.spe().disabled());
        self.spi
            .cr1()
            .modify(|_, w| w.br().set(setting).spe().enabled());
        clock_hz(setting)
    }

    fn set_outputs(&mut self, driven: bool) {
        let pins = if driven { DRIVEN } else { RELEASED };
        // SAFETY: sets levels of this board's pins only.
        self.pins.bsrr().write(|w| unsafe { w.bits(IDLE_LEVELS) });
        self.pins
            .crl()
            // SAFETY: PA0 stays as it is, the other pins of this register are this board's.
            .modify(|r, w| unsafe { w.bits(r.bits() & !BUS_PINS | pins) });
    }
}

/// The clock that a setting of SPI_CR1.BR gives.
const fn clock_hz(setting: u8) -> u32 {
    CORE_HZ >> (setting + 1)
}
