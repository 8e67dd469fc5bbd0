//! A small SPI NOR chip on a board.

use flashwire_device::nfd::Pins;
use flashwire_device::{Board, Moment};

/// A bus with one small chip: enough of it to see what a programmer does. Time passes with every
/// byte on the bus.
pub(crate) struct ChipBoard {
    /// Its content.
    pub(crate) memory: Vec<u8>,
    /// Status registers.
    pub(crate) status: [u8; 3],
    /// Whether there is a chip; without one the bus reads all ones.
    pub(crate) present: bool,
    /// Microseconds that each write or erase takes.
    pub(crate) work_micros: u32,
    busy_until: u32,
    /// What the clock reads.
    pub(crate) micros: u32,
    sent: Vec<u8>,
    /// Every instruction that came.
    pub(crate) instructions: Vec<u8>,
    /// Status writes that arrived while the chip was busy and were ignored.
    pub(crate) ignored_while_busy: usize,
    /// Whether the pins of the bus are driven.
    pub(crate) outputs: bool,
    /// Pins that were made outputs, with the level they were given.
    pub(crate) pins: Vec<(u8, Option<bool>)>,
    /// The pin of the chip select.
    pub(crate) chip_select: u8,
}

impl ChipBoard {
    pub(crate) fn new() -> Self {
        Self {
            memory: vec![0xFF; 64 * 1024],
            status: [0; 3],
            present: true,
            work_micros: 700,
            busy_until: 0,
            micros: 0,
            sent: Vec::new(),
            instructions: Vec::new(),
            ignored_while_busy: 0,
            outputs: false,
            pins: Vec::new(),
            chip_select: 10,
        }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.micros < self.busy_until
    }

    fn address(&self) -> usize {
        let byte = |index| self.sent.get(index).copied().unwrap_or(0);
        let address = u32::from_be_bytes([0, byte(1), byte(2), byte(3)]) as usize;
        address % self.memory.len()
    }
}

impl Board for ChipBoard {
    fn now(&self) -> Moment {
        Moment::from_micros(self.micros)
    }

    fn select(&mut self, _line: u8) {
        self.sent.clear();
    }

    fn deselect(&mut self) {
        let sent = std::mem::take(&mut self.sent);
        let Some(&instruction) = sent.first() else {
            return;
        };
        self.instructions.push(instruction);
        if matches!(instruction, 0x05 | 0x35 | 0x15 | 0x03 | 0x9F) || !self.present {
            return;
        }
        if self.is_busy() {
            self.ignored_while_busy += 1;
            return;
        }
        let is_enabled = self.status[0] & 2 != 0;
        self.sent = sent;
        match instruction {
            0x06 => {
                self.status[0] |= 2;
                return;
            }
            _ if !is_enabled => return,
            0x02 => {
                let address = self.address();
                let data = self.sent.get(4..).unwrap_or_default();
                for (cell, byte) in self.memory[address..].iter_mut().zip(data) {
                    *cell &= byte;
                }
            }
            0x20 => {
                let address = self.address() & !0xFFF;
                self.memory[address..address + 4096].fill(0xFF);
            }
            0xC7 => self.memory.fill(0xFF),
            0x01 if self.sent.len() == 2 => self.status[0] = self.sent[1],
            0x31 if self.sent.len() == 2 => self.status[1] = self.sent[1],
            _ => return,
        }
        self.status[0] &= !2;
        self.busy_until = self.micros + self.work_micros;
    }

    fn write(&mut self, bytes: &[u8]) {
        self.micros += bytes.len() as u32;
        self.sent.extend(bytes);
    }

    fn start_read(&mut self, _count: u32) {}

    fn finish_read(&mut self, out: &mut [u8]) {
        self.micros += out.len() as u32;
        let busy = u8::from(self.is_busy());
        for (index, byte) in out.iter_mut().enumerate() {
            *byte = match self.sent.first().copied().unwrap_or(0) {
                _ if !self.present => 0xFF,
                0x05 => self.status[0] | busy,
                0x35 => self.status[1],
                0x15 => self.status[2],
                0x9F => [0xEF, 0x40, 0x14][index % 3],
                0x03 => self.memory[(self.address() + index) % self.memory.len()],
                _ => 0xFF,
            };
        }
    }

    fn set_clock(&mut self, hz: u32) -> u32 {
        hz
    }

    fn set_outputs(&mut self, driven: bool) {
        self.outputs = driven;
    }
}

impl Pins for ChipBoard {
    fn choose_chip_select(&mut self, pin: u8) {
        self.chip_select = pin;
    }

    fn drive(&mut self, pin: u8, level: Option<bool>) {
        self.pins.push((pin, level));
    }
}
