//! An Arduino Uno on the desk: chip, crystal, reset wire, a flash chip, and a program.

use std::time::Duration;

use flashwire_plan::image::{Image, ImageError, ParseOptions};
use flashwire_sim::nor;

use crate::avr::Avr;
use crate::board::{Board, Complaint, duration};
use crate::pins::Drive;
use crate::uart::Traffic;

/// The first address of the SRAM; below it are registers. DS40002061B, section 8.3.
const SRAM: usize = 0x100;

/// How a board is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Frequency of the crystal, in Hz.
    pub clock_hz: u32,
    /// The Arduino's pin that the flash chip's select is wired to: 0 to 10, or 14 to 19.
    pub chip_select: u8,
    /// How long a boot loader keeps the chip after a reset. It swallows what it is sent.
    pub boot: Duration,
    /// Where the chip begins after a reset, in bytes: 0, or its boot section if the fuse BOOTRST says
    /// so.
    pub begins_at: u32,
    /// Speed of the host's serial port.
    pub baud: u32,
}

impl Default for Config {
    /// An Uno or a Nano: 16 MHz, pin 10, no boot loader, 115200 baud.
    fn default() -> Self {
        Self {
            clock_hz: 16_000_000,
            chip_select: 10,
            boot: Duration::ZERO,
            begins_at: 0,
            baud: 115_200,
        }
    }
}

/// Why there is no board.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    /// The image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image is larger than the flash, or for another chip.
    #[error("the image needs {needed:#x} bytes of flash, the ATmega328P has {flash:#x}")]
    DoesNotFit {
        /// The end of the image.
        needed: u64,
        /// Size of the flash.
        flash: usize,
    },
    /// These pins are the SPI's, or there is no such pin.
    #[error("pin {0} cannot select a chip")]
    ChipSelect(u8),
}

/// The chip cannot go on: simavr's word for it is among the complaints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program has crashed at {pc:#06x}, {at:?} after power came: {why}")]
pub struct Halt {
    /// Where, in bytes.
    pub pc: u32,
    /// When: time since power came.
    pub at: Duration,
    /// The last complaint.
    pub why: String,
}

/// What there is to say about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Cycles since power came.
    pub cycles: u64,
    /// What passed over the serial line.
    pub traffic: Traffic,
    /// Pulses on the RESET pin.
    pub pulses: u64,
    /// Resets by the watchdog.
    pub watchdog_resets: u64,
    /// The deepest that the stack was, in bytes from the end of the SRAM.
    pub stack_bytes: usize,
    /// SRAM that was never touched, in bytes.
    pub untouched_bytes: usize,
    /// What the board and simavr hold against the program.
    pub complaints: Vec<Complaint>,
    /// What the flash chip holds against it.
    pub chip_complaints: Vec<String>,
}

/// An Arduino Uno with a program in it.
#[derive(Debug)]
pub struct Machine {
    avr: Avr,
    board: Board,
    config: Config,
    pulses: u64,
    /// Until then the boot loader has the chip.
    held_until: u64,
}

impl Machine {
    /// A board with that program (ELF, Intel HEX or binary), and a flash chip on its SPI pins.
    ///
    /// # Errors
    /// [`MachineError`].
    pub fn new(
        image: &[u8],
        config: Config,
        chip: Option<nor::Chip>,
    ) -> Result<Self, MachineError> {
        if !matches!(config.chip_select, 0..=10 | 14..=19) {
            return Err(MachineError::ChipSelect(config.chip_select));
        }
        let image = Image::parse(image.to_vec(), &ParseOptions::default())?;
        let image = if image.is_placed() {
            image
        } else {
            image.place(0)?
        };
        let mut avr = Avr::new(config.clock_hz);
        let flash = avr.flash_bytes();
        let needed = image.range().end;
        if needed > flash as u64 {
            return Err(MachineError::DoesNotFit { needed, flash });
        }
        for segment in image.segments() {
            avr.load(segment.address as usize, &segment.data);
        }
        avr.begin_at(config.begins_at);
        for (address, byte) in avr.data_mut().iter_mut().enumerate().skip(SRAM) {
            *byte = paint(address);
        }
        Ok(Self {
            avr,
            board: Board::new(config.clock_hz, config.baud, config.chip_select, chip),
            config,
            pulses: 0,
            held_until: 0,
        })
    }

    /// What the flash holds.
    pub fn flash(&self) -> &[u8] {
        self.avr.flash()
    }

    /// How it is built.
    pub fn config(&self) -> Config {
        self.config
    }

    /// Cycles since power came.
    pub fn cycles(&self) -> u64 {
        self.avr.now()
    }

    /// Time since power came.
    pub fn now(&self) -> Duration {
        duration(self.config.clock_hz, self.cycles())
    }

    fn cycle_at(&self, time: Duration) -> u64 {
        let hz = u64::from(self.config.clock_hz);
        let part = u64::from(time.subsec_nanos()) * hz;
        time.as_secs()
            .saturating_mul(hz)
            .saturating_add(part.div_ceil(1_000_000_000))
    }

    /// A pulse on the RESET pin: what DTR does to it when a port is opened.
    pub fn reset(&mut self) {
        self.pulses += 1;
        self.avr.reset(&mut self.board);
        self.held_until = self.cycles() + self.cycle_at(self.config.boot);
    }

    /// Executes up to a moment since power came.
    ///
    /// # Errors
    /// [`Halt`].
    pub fn run_until(&mut self, time: Duration) -> Result<(), Halt> {
        self.run(self.cycle_at(time), false)
    }

    /// Executes up to a moment since power came, or until a byte arrives at the host.
    ///
    /// # Errors
    /// [`Halt`].
    pub fn run_to_arrival(&mut self, time: Duration) -> Result<(), Halt> {
        self.run(self.cycle_at(time), true)
    }

    fn run(&mut self, until: u64, stops_at_arrival: bool) -> Result<(), Halt> {
        let held = self.held_until.min(until).saturating_sub(self.cycles());
        if held > 0 {
            self.board.pass(self.cycles() + held);
            self.avr.skip(held);
        }
        if self.cycles() >= until {
            return Ok(());
        }
        self.board
            .begin(&mut self.avr.access(), until, stops_at_arrival);
        if self.avr.run(&mut self.board, until) {
            return Ok(());
        }
        let last = self.board.complaints.last();
        Err(Halt {
            pc: self.avr.pc(),
            at: self.now(),
            why: last.map_or_else(String::new, |complaint| complaint.text.clone()),
        })
    }

    /// The host sends: bytes get there at the speed of its port.
    pub fn send(&mut self, bytes: &[u8]) {
        let now = self.cycles();
        self.board.line.send(now, bytes);
    }

    /// How many of the host's bytes have not begun yet.
    pub fn unsent(&self) -> usize {
        self.board.line.unsent()
    }

    /// When all that the host has sent has left.
    pub fn sent_by(&self) -> Duration {
        duration(self.config.clock_hz, self.board.line.sent_by())
    }

    /// How many bytes have arrived at the host.
    pub fn arrived(&self) -> usize {
        self.board.line.arrived.len()
    }

    /// Takes what has arrived at the host, as much of it as fits.
    pub fn receive(&mut self, buffer: &mut [u8]) -> usize {
        let arrived = &mut self.board.line.arrived;
        let count = buffer.len().min(arrived.len());
        for (slot, byte) in buffer.iter_mut().zip(arrived.drain(..count)) {
            *slot = byte;
        }
        count
    }

    /// The host drops what has arrived, and what has not left.
    pub fn discard(&mut self) {
        self.board.line.arrived.clear();
        self.board.line.drop_outgoing();
    }

    /// Sets the speed of the host's port.
    pub fn set_baud(&mut self, baud: u32) {
        self.board.line.set_baud(baud);
    }

    /// The flash chip, if there is one.
    pub fn chip(&self) -> Option<&nor::Chip> {
        self.board.chip.as_ref()
    }

    /// The flash chip, to change something.
    pub fn chip_mut(&mut self) -> Option<&mut nor::Chip> {
        self.board.chip.as_mut()
    }

    /// What a pin does.
    pub fn drive(&self, pin: u8) -> Drive {
        self.board.pins.drive(pin)
    }

    /// What there is to say so far.
    pub fn report(&self) -> Report {
        let free = untouched(self.avr.data());
        let chip = self.board.chip.iter().flat_map(nor::Chip::complaints);
        Report {
            cycles: self.cycles(),
            traffic: self.board.uart.traffic(),
            pulses: self.pulses,
            watchdog_resets: self.board.resets - self.pulses,
            stack_bytes: self.avr.data().len() - free.end,
            untouched_bytes: free.len(),
            complaints: self.board.complaints.clone(),
            chip_complaints: chip.map(ToString::to_string).collect(),
        }
    }
}

/// What is in the SRAM before the program begins: noise that is never zero, as variables are.
fn paint(address: usize) -> u8 {
    (address as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0] | 1
}

/// The longest stretch of the SRAM that still has its paint: it lies between variables and stack.
fn untouched(data: &[u8]) -> std::ops::Range<usize> {
    let mut longest = data.len()..data.len();
    let mut start = SRAM;
    for (address, &byte) in data.iter().enumerate().skip(SRAM) {
        if byte != paint(address) {
            start = address + 1;
        } else if address + 1 - start > longest.len() {
            longest = start..address + 1;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_is_what_lies_behind_the_longest_stretch_of_paint() {
        let mut data: Vec<u8> = (0..0x900).map(paint).collect();
        // Variables, a hole in the stack's frames, the deepest byte.
        data[0x100..0x200].fill(0);
        data[0x8A0] ^= 1;
        data[0x8F0..].fill(0);
        assert_eq!(untouched(&data), 0x200..0x8A0);
        data.fill(0);
        assert_eq!(untouched(&data).len(), 0);
    }
}
