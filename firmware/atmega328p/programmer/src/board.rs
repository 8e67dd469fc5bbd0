//! The Arduino around the programmer: the SPI bus on pins 10 to 13, chip selects, a clock.

use flashwire_device::nfd::Pins;
use flashwire_device::{Board, Moment};

use crate::registers::{
    DDRB, DDRC, DDRD, PORTB, PORTC, PORTD, Register, SPCR, SPDR, SPSR, TCCR1B, TCNT1H, TCNT1L,
};

/// Frequency of the crystal, in Hz.
const CLOCK_HZ: u32 = 16_000_000;
/// Pin 10: chip select until the host chooses another. It must be an output for the SPI to stay
/// master (DS40002061B, section 19.3.2).
const SS_PIN: u8 = 10;
/// MOSI and SCK, pins 11 and 13, in port B.
const MOSI_SCK: u8 = 1 << 3 | 1 << 5;
/// The chip selects that serprog numbers from 0: pins 10, 9, 8, 7.
const CHIP_SELECTS: [u8; 4] = [SS_PIN, 9, 8, 7];
/// How many there are.
pub(crate) const CHIP_SELECT_COUNT: u8 = CHIP_SELECTS.len() as u8;
/// The fastest clock of the bus, in Hz.
pub(crate) const FASTEST_HZ: u32 = CLOCK_HZ / 2;

/// SPSR: a transfer is complete.
const SPIF: u8 = 1 << 7;
/// SPCR: enabled, master.
const SPE_MSTR: u8 = 1 << 6 | 1 << 4;

/// How many bytes the bus may run ahead of the line. A power of two.
const AHEAD_BYTES: u8 = 32;

/// The board.
pub(crate) struct Uno {
    micros: u32,
    ticks: u16,
    chip_select: u8,
    /// The pin that nfd's protocol chose; serprog chooses by line.
    chosen: Option<u8>,
    ahead: Ahead,
}

/// Bytes read before they are asked for.
struct Ahead {
    bytes: [u8; AHEAD_BYTES as usize],
    head: u8,
    tail: u8,
    /// Transfers that were announced and not begun.
    left: u32,
    /// Whether one is under way.
    running: bool,
}

impl Uno {
    /// The board with its timer running and its pins let go.
    pub(crate) fn new() -> Self {
        const CLOCK_BY_64: u8 = 0b011;
        TCCR1B.write(CLOCK_BY_64);
        let mut uno = Self {
            micros: 0,
            ticks: 0,
            chip_select: SS_PIN,
            chosen: None,
            ahead: Ahead {
                bytes: [0; AHEAD_BYTES as usize],
                head: 0,
                tail: 0,
                left: 0,
                running: false,
            },
        };
        uno.set_outputs(false);
        uno
    }

    /// Takes a byte from the bus if one has come, and begins the next. To be called while there is
    /// nothing better to do.
    #[inline(always)]
    pub(crate) fn run_ahead(&mut self) {
        let ahead = &mut self.ahead;
        if !ahead.running || SPSR.read() & SPIF == 0 {
            return;
        }
        ahead.collect();
    }
}

impl Ahead {
    fn len(&self) -> u8 {
        self.head.wrapping_sub(self.tail)
    }

    /// Stores the byte that has come and begins the next transfer if there is room for it.
    #[inline(always)]
    fn collect(&mut self) {
        let byte = SPDR.read();
        self.running = false;
        if let Some(slot) = self.bytes.get_mut(usize::from(self.head % AHEAD_BYTES)) {
            *slot = byte;
        }
        self.head = self.head.wrapping_add(1);
        self.begin();
    }

    #[inline(always)]
    fn begin(&mut self) {
        if self.left > 0 && self.len() < AHEAD_BYTES {
            self.left -= 1;
            self.running = true;
            SPDR.write(0xFF);
        }
    }

    #[inline(always)]
    fn next(&mut self) -> u8 {
        while self.len() == 0 && self.running {
            if SPSR.read() & SPIF != 0 {
                self.collect();
            }
        }
        let byte = self
            .bytes
            .get(usize::from(self.tail % AHEAD_BYTES))
            .copied();
        self.tail = self.tail.wrapping_add(1);
        if !self.running {
            self.begin();
        }
        byte.unwrap_or(0xFF)
    }

    /// Waits for the transfer that is under way and forgets what was read.
    fn stop(&mut self) {
        self.left = 0;
        if self.running {
            while SPSR.read() & SPIF == 0 {}
            SPDR.read();
            self.running = false;
        }
        self.tail = self.head;
    }
}

/// The port of an Arduino pin, its direction register and its bit. A0 to A5 are 14 to 19.
fn port(pin: u8) -> Option<(Register, Register, u8)> {
    match pin {
        0..=7 => Some((PORTD, DDRD, 1 << pin)),
        8..=13 => Some((PORTB, DDRB, 1 << (pin - 8))),
        14..=19 => Some((PORTC, DDRC, 1 << (pin - 14))),
        _ => None,
    }
}

fn set_level(pin: u8, high: bool) {
    if let Some((output, _, bit)) = port(pin) {
        if high {
            output.set(bit)
        } else {
            output.clear(bit)
        }
    }
}

fn set_direction(pin: u8, is_output: bool) {
    if let Some((_, direction, bit)) = port(pin) {
        if is_output {
            direction.set(bit)
        } else {
            direction.clear(bit)
        }
    }
}

impl Board for Uno {
    fn now(&self) -> Moment {
        Moment::from_micros(self.micros)
    }

    #[inline(never)]
    fn select(&mut self, line: u8) {
        let pin = CHIP_SELECTS
            .get(usize::from(line))
            .copied()
            .unwrap_or(SS_PIN);
        self.chip_select = self.chosen.unwrap_or(pin);
        set_level(self.chip_select, false);
    }

    #[inline(never)]
    fn deselect(&mut self) {
        self.ahead.stop();
        set_level(self.chip_select, true);
    }

    #[inline(never)]
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            SPDR.write(byte);
            while SPSR.read() & SPIF == 0 {}
        }
        // Reading clears the flag for the transfers that follow.
        SPDR.read();
    }

    #[inline(never)]
    fn start_read(&mut self, count: u32) {
        self.ahead.left = count;
        self.ahead.begin();
    }

    #[inline(never)]
    fn finish_read(&mut self, out: &mut [u8]) {
        for slot in out {
            *slot = self.ahead.next();
        }
    }

    #[inline(never)]
    fn set_clock(&mut self, hz: u32) -> u32 {
        // SPI2X, SPR1 and SPR0 for the clock divided by 2 to 128. DS40002061B, table 19-5.
        const DIVIDERS: [(u8, u8); 7] = [(1, 0), (0, 0), (1, 1), (0, 1), (1, 2), (0, 2), (0, 3)];
        let mut actual_hz = FASTEST_HZ;
        let mut setting = DIVIDERS[0];
        for slower in DIVIDERS.into_iter().skip(1) {
            if actual_hz <= hz {
                break;
            }
            actual_hz /= 2;
            setting = slower;
        }
        SPSR.write(setting.0);
        SPCR.write(SPE_MSTR | setting.1);
        actual_hz
    }

    #[inline(never)]
    fn set_outputs(&mut self, driven: bool) {
        self.deselect();
        if driven {
            SPCR.set(SPE_MSTR);
            DDRB.set(MOSI_SCK);
            set_direction(SS_PIN, true);
            set_direction(self.chip_select, true);
        } else {
            SPCR.clear(SPE_MSTR);
            DDRB.clear(MOSI_SCK);
            for pin in CHIP_SELECTS {
                set_direction(pin, false);
            }
        }
    }
}

impl Pins for Uno {
    fn choose_chip_select(&mut self, pin: u8) {
        self.deselect();
        if self.chip_select != SS_PIN {
            set_direction(self.chip_select, false);
        }
        self.chosen = Some(pin);
        self.chip_select = pin;
        set_level(pin, true);
        set_direction(pin, true);
    }

    fn drive(&mut self, pin: u8, level: Option<bool>) {
        set_direction(pin, true);
        if let Some(high) = level {
            set_level(pin, high);
        }
    }
}

impl Uno {
    /// Lets the clock go on. To be called at least every 262 ms, when the timer wraps round.
    #[inline(always)]
    pub(crate) fn tick(&mut self) {
        const MICROS_PER_TICK: u32 = 64 / (CLOCK_HZ / 1_000_000);
        // The low byte first: reading it latches the high one.
        let ticks = u16::from_le_bytes([TCNT1L.read(), TCNT1H.read()]);
        self.micros = self
            .micros
            .wrapping_add(u32::from(ticks.wrapping_sub(self.ticks)) * MICROS_PER_TICK);
        self.ticks = ticks;
    }
}
