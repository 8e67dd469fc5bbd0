//! A SPI bus in time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use flashwire_device::nfd::Pins;
use flashwire_device::{Board, Moment};
use flashwire_link::Instant;

use crate::nor::Chip;

/// What a controller needs between two transactions, and what it takes a programmer to get there:
/// chip select, set-up of the transfer.
const TRANSACTION_TIME: Duration = Duration::from_micros(2);

/// How far a board reads ahead of its machine, in bytes: two buffers of 512.
const READ_AHEAD_BYTES: u32 = 1024;

/// The Arduino pins that a host can choose by line: the chip select of the bus first.
pub(super) const SELECT_PINS: [u8; 4] = [10, 9, 8, 7];

/// A board with one chip, whose transfers run in the background as far as [`Board`] lets them.
///
/// `now` is the time of the processor: it goes on where the processor has to wait for the bus. The
/// bus has its own time, up to which it is occupied.
pub struct SpiBoard {
    chip: Chip,
    clocks: &'static [u32],
    spi_hz: u32,
    outputs: bool,
    /// The pin that line 0 stands for, and the one that the chip's select is wired to.
    select_pin: u8,
    wired_pin: u8,
    /// Pins beside the bus that were made outputs, with the levels that they were given last.
    driven_pins: BTreeMap<u8, Option<bool>>,
    /// The transaction under way has selected the chip.
    reaches_chip: bool,
    now: Instant,
    bus_free: Instant,
    /// Bytes of the announced read that are not clocked in yet.
    to_clock: u32,
    clocked: VecDeque<u8>,
}

impl SpiBoard {
    /// A board that has these clocks, in Hz, fastest first.
    pub fn new(chip: Chip, clocks: &'static [u32]) -> Self {
        let mut board = Self {
            chip,
            clocks,
            spi_hz: 0,
            outputs: false,
            select_pin: SELECT_PINS[0],
            wired_pin: SELECT_PINS[0],
            driven_pins: BTreeMap::new(),
            reaches_chip: false,
            now: Instant::default(),
            bus_free: Instant::default(),
            to_clock: 0,
            clocked: VecDeque::new(),
        };
        board.set_clock(0);
        board
    }

    /// The chip.
    pub fn chip(&self) -> &Chip {
        &self.chip
    }

    /// The chip, to do something to.
    pub fn chip_mut(&mut self) -> &mut Chip {
        &mut self.chip
    }

    /// The SPI clock, in Hz.
    pub fn spi_hz(&self) -> u32 {
        self.spi_hz
    }

    /// Whether the pins are driven.
    pub fn outputs(&self) -> bool {
        self.outputs
    }

    /// The pins beside the bus that were made outputs, each with its level if it was given one.
    pub fn driven_pins(&self) -> &BTreeMap<u8, Option<bool>> {
        &self.driven_pins
    }

    /// Wires the chip's select to another pin.
    pub(super) fn wire_select(&mut self, pin: u8) {
        self.wired_pin = pin;
    }

    /// What a reset does to processor and pins: the one stops where it is, the others are let go.
    pub(super) fn restart(&mut self, now: Instant) {
        self.now = now;
        self.bus_free = now;
        self.set_outputs(false);
        self.select_pin = SELECT_PINS[0];
        self.driven_pins.clear();
    }

    /// Keeps the processor busy.
    pub(super) fn spend(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// The processor's time.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Lets the processor wake up at a moment, unless it is busy for longer.
    pub(super) fn set_now(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// The processor's time as firmware counts it.
    pub(super) fn moment(&self) -> Moment {
        // It wraps round, as it does in firmware.
        Moment::from_micros(self.now.since_open().as_micros() as u32)
    }

    fn byte_time(&self) -> Duration {
        Duration::from_nanos(8_000_000_000 / u64::from(self.spi_hz.max(1)))
    }

    /// Clocks one byte out and in as soon as the bus is free.
    fn transfer(&mut self, mosi: u8) -> u8 {
        self.bus_free = self.bus_free + self.byte_time();
        // Let go, the pins reach nobody; nor does a chip select that is not the chip's.
        if self.reaches_chip {
            self.chip.transfer(self.bus_free, mosi)
        } else {
            0xFF
        }
    }

    fn clock_in(&mut self) {
        let byte = self.transfer(0);
        self.clocked.push_back(byte);
        self.to_clock -= 1;
    }

    /// Waits until the bus is idle.
    fn wait_for_bus(&mut self) {
        self.now = self.now.max(self.bus_free);
        self.bus_free = self.now;
    }
}

impl Board for SpiBoard {
    fn now(&self) -> Moment {
        self.moment()
    }

    fn select(&mut self, line: u8) {
        self.now = self.now + TRANSACTION_TIME;
        self.wait_for_bus();
        let pin = match line {
            0 => Some(self.select_pin),
            _ => SELECT_PINS.get(usize::from(line)).copied(),
        };
        self.reaches_chip = self.outputs && pin == Some(self.wired_pin);
        if self.reaches_chip {
            self.chip.set_clock(self.spi_hz);
            self.chip.select(self.now);
        }
    }

    fn deselect(&mut self) {
        self.wait_for_bus();
        self.to_clock = 0;
        self.clocked.clear();
        if std::mem::take(&mut self.reaches_chip) {
            self.chip.deselect(self.now);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        // What was written before has to be out; these bytes go in the background.
        self.wait_for_bus();
        for &byte in bytes {
            self.transfer(byte);
        }
    }

    fn start_read(&mut self, count: u32) {
        self.bus_free = self.bus_free.max(self.now);
        self.to_clock = count;
    }

    fn finish_read(&mut self, out: &mut [u8]) {
        // What the bus did meanwhile by itself.
        let byte_time = self.byte_time();
        while self.to_clock > 0
            && (self.clocked.len() as u32) < READ_AHEAD_BYTES
            && self.bus_free + byte_time <= self.now
        {
            self.clock_in();
        }
        let was_full = self.clocked.len() as u32 >= READ_AHEAD_BYTES;
        for slot in out {
            if self.clocked.is_empty() && self.to_clock > 0 {
                self.clock_in();
                self.now = self.now.max(self.bus_free);
            }
            *slot = self.clocked.pop_front().unwrap_or(0xFF);
        }
        if was_full {
            // It stood still until there was room again.
            self.bus_free = self.bus_free.max(self.now);
        }
    }

    fn set_clock(&mut self, hz: u32) -> u32 {
        self.wait_for_bus();
        let fitting = self.clocks.iter().copied().find(|&clock| clock <= hz);
        self.spi_hz = fitting.or(self.clocks.last().copied()).unwrap_or(0);
        self.spi_hz
    }

    fn set_outputs(&mut self, driven: bool) {
        self.deselect();
        self.outputs = driven;
    }
}

impl Pins for SpiBoard {
    fn choose_chip_select(&mut self, pin: u8) {
        self.deselect();
        self.select_pin = pin;
    }

    fn drive(&mut self, pin: u8, level: Option<bool>) {
        self.driven_pins.insert(pin, level);
    }
}
