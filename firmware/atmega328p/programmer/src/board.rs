//! The Arduino around the programmer: the SPI bus on pins 10 to 13, chip selects, a clock.

use flashwire_device::nfd::Pins;
use flashwire_device::{Board, Moment};
use flashwire_protocol::crc32::Crc32;

use crate::registers::{
    DDR_TO_PORT, DDRB, DDRC, DDRD, Register, SPCR, SPDR, SPSR, TCCR1B, TCNT1H, TCNT1L,
};
use crate::{crc, uart};

/// Pin 10: chip select until the host chooses another. It must be an output for the SPI to stay
/// master (DS40002061B, section 19.3.2).
const SS_PIN: u8 = 10;
/// Pins 10, 11 and 13 in port B.
const SS: u8 = 1 << 2;
const MOSI: u8 = 1 << 3;
const SCK: u8 = 1 << 5;
/// How many chip selects serprog has: pins 10, 9, 8 and 7, counted from 0.
pub(crate) const CHIP_SELECTS: u8 = 4;
/// The fastest clock of the bus, in Hz: half of the crystal's 16 MHz.
pub(crate) const FASTEST_HZ: u32 = 8_000_000;

/// SPSR: a transfer is complete.
const SPIF: u8 = 1 << 7;
/// SPCR: enabled, master.
const SPE_MSTR: u8 = 1 << 6 | 1 << 4;

/// The board.
pub(crate) struct Uno {
    micros: u32,
    ticks: u16,
    /// The chip select of line 0; the others are the pins below.
    first_chip_select: u8,
    chip_select: u8,
}

impl Uno {
    /// The board with its timer running and its pins let go.
    pub(crate) fn new() -> Self {
        const CLOCK_BY_64: u8 = 0b011;
        TCCR1B.write(CLOCK_BY_64);
        let mut uno = Self {
            micros: 0,
            ticks: 0,
            first_chip_select: SS_PIN,
            chip_select: SS_PIN,
        };
        uno.set_outputs(false);
        uno
    }

    /// Lets the clock go on. To be called at least every 262 ms, when the timer wraps round.
    #[inline(always)]
    pub(crate) fn tick(&mut self) {
        // 64 cycles of 16 MHz.
        const MICROS_PER_TICK: u32 = 4;
        // The low byte first: reading it latches the high one.
        let ticks = u16::from_le_bytes([TCNT1L.read(), TCNT1H.read()]);
        let passed = ticks.wrapping_sub(self.ticks);
        self.ticks = ticks;
        self.micros = self
            .micros
            .wrapping_add(u32::from(passed) * MICROS_PER_TICK);
    }
}

/// The direction register of an Arduino pin and its bit; A0 to A5 are 14 to 19. Of a pin that the
/// board does not have no bit.
#[inline(never)]
fn direction(pin: u8) -> (Register, u8) {
    let (register, bit) = match pin {
        0..8 => (DDRD, pin),
        8..14 => (DDRB, pin - 8),
        _ => (DDRC, pin - 14),
    };
    (register, if pin < 20 { 1 << bit } else { 0 })
}

/// Makes a pin an output, with this level.
#[inline(never)]
fn drive(pin: u8, high: bool) {
    let (direction, bit) = direction(pin);
    let output = direction.after(DDR_TO_PORT);
    if high {
        output.set(bit);
    } else {
        output.clear(bit);
    }
    direction.set(bit);
}

/// Lets a pin go: no output, no pull-up.
#[inline(never)]
fn release(pin: u8) {
    let (direction, bit) = direction(pin);
    direction.clear(bit);
    direction.after(DDR_TO_PORT).clear(bit);
}

impl Board for Uno {
    fn now(&self) -> Moment {
        Moment::from_micros(self.micros)
    }

    #[inline(never)]
    fn select(&mut self, line: u8) {
        self.chip_select = self.first_chip_select.wrapping_sub(line);
        drive(self.chip_select, false);
    }

    #[inline(never)]
    fn deselect(&mut self) {
        drive(self.chip_select, true);
    }

    #[inline(never)]
    fn write(&mut self, bytes: &[u8]) {
        let Some((&first, rest)) = bytes.split_first() else {
            return;
        };
        SPDR.write(first);
        for &byte in rest {
            while SPSR.read() & SPIF == 0 {}
            SPDR.write(byte);
        }
        while SPSR.read() & SPIF == 0 {}
    }

    /// The bus is so much faster than the line that nothing is gained by running ahead.
    fn start_read(&mut self, _: u32) {}

    #[inline(never)]
    fn finish_read(&mut self, out: &mut [u8]) {
        for slot in out {
            SPDR.write(0xFF);
            // Eight bits take as long as this.
            uart::send_waiting();
            while SPSR.read() & SPIF == 0 {}
            *slot = SPDR.read();
        }
    }

    #[inline(never)]
    fn set_clock(&mut self, hz: u32) -> u32 {
        // How often the fastest clock is halved: 8 MHz to 125 kHz.
        let mut halvings = 0;
        let mut actual_hz = FASTEST_HZ;
        while actual_hz > hz && halvings < 6 {
            actual_hz /= 2;
            halvings += 1;
        }
        // SPI2X doubles what SPR1 and SPR0 select, each step a quarter of the one before; the last
        // step is a half. DS40002061B, table 19-5.
        if halvings == 6 {
            halvings = 7;
        }
        SPSR.write(!halvings & 1);
        SPCR.write(SPE_MSTR | halvings >> 1);
        actual_hz
    }

    #[inline(never)]
    fn set_outputs(&mut self, driven: bool) {
        let output = DDRB.after(DDR_TO_PORT);
        if driven {
            drive(self.first_chip_select, true);
            output.set(SS);
            DDRB.set(SS | MOSI | SCK);
            SPCR.set(SPE_MSTR);
        } else {
            SPCR.clear(SPE_MSTR);
            DDRB.clear(SS | MOSI | SCK);
            output.clear(SS | MOSI | SCK);
            for line in 1..CHIP_SELECTS {
                release(SS_PIN - line);
            }
            release(self.first_chip_select);
        }
    }

    fn sum_up(&self, crc: &mut Crc32, bytes: &[u8]) {
        crc::sum_up(crc, bytes);
    }
}

impl Pins for Uno {
    fn choose_chip_select(&mut self, pin: u8) {
        if self.first_chip_select != SS_PIN {
            release(self.first_chip_select);
        }
        self.first_chip_select = pin;
        drive(pin, true);
    }

    fn drive(&mut self, pin: u8, level: Option<bool>) {
        let (direction, bit) = direction(pin);
        match level {
            Some(high) => drive(pin, high),
            None => direction.set(bit),
        }
    }
}
