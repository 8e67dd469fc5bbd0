//! What is around the chip: its serial line to a host, a flash chip on its SPI bus, and whoever
//! looks at what the program does.

use std::time::Duration;

use flashwire_link::Instant;
use flashwire_sim::nor;

use crate::avr::{Access, Interrupt};
use crate::line::Line;
use crate::pins::{Drive, Pins};
use crate::spi::{self, Spi};
use crate::uart::{self, Uart};

/// Data memory addresses of the registers. DS40002061B, section 35.
mod address {
    pub(super) const PINB: u8 = 0x23;
    pub(super) const DDRB: u8 = 0x24;
    pub(super) const PORTB: u8 = 0x25;
    pub(super) const PINC: u8 = 0x26;
    pub(super) const DDRC: u8 = 0x27;
    pub(super) const PORTC: u8 = 0x28;
    pub(super) const PIND: u8 = 0x29;
    pub(super) const DDRD: u8 = 0x2A;
    pub(super) const PORTD: u8 = 0x2B;
    pub(super) const EECR: u8 = 0x3F;
    pub(super) const SPCR: u8 = 0x4C;
    pub(super) const SPSR: u8 = 0x4D;
    pub(super) const SPDR: u8 = 0x4E;
    pub(super) const SPMCSR: u8 = 0x57;
    pub(super) const UCSR0A: u8 = 0xC0;
    pub(super) const UCSR0B: u8 = 0xC1;
    pub(super) const UCSR0C: u8 = 0xC2;
    pub(super) const UBRR0L: u8 = 0xC4;
    pub(super) const UBRR0H: u8 = 0xC5;
    pub(super) const UDR0: u8 = 0xC6;
}

/// Registers that the [`Board`] is.
pub(crate) const OURS: &[u8] = &[
    address::SPCR,
    address::SPSR,
    address::SPDR,
    address::UCSR0A,
    address::UCSR0B,
    address::UCSR0C,
    address::UBRR0L,
    address::UBRR0H,
    address::UDR0,
];

/// Registers that stay simavr's, and whose writes are told to the [`Board`].
pub(crate) const WATCHED: &[u8] = &[
    address::PINB,
    address::DDRB,
    address::PORTB,
    address::PINC,
    address::DDRC,
    address::PORTC,
    address::PIND,
    address::DDRD,
    address::PORTD,
    address::EECR,
    address::SPMCSR,
];

/// MOSI, MISO, SCK and the SPI's own select input, which are not to be chosen.
const MOSI_PIN: u8 = 11;
const SCK_PIN: u8 = 13;
const SS_PIN: u8 = 10;

/// Something that the program did and that silicon answers in its own way, or that a flash chip's
/// programmer has no business with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// When it was first done, in cycles since power came.
    pub cycle: u64,
    /// What.
    pub text: String,
    /// How often.
    pub count: u64,
}

/// What is around the chip.
#[derive(Debug)]
pub(crate) struct Board {
    clock_hz: u32,
    chip_select: u8,
    pub(crate) uart: Uart,
    pub(crate) line: Line,
    pub(crate) pins: Pins,
    spi: Spi,
    pub(crate) chip: Option<nor::Chip>,
    is_selected: bool,
    pub(crate) resets: u64,
    pub(crate) complaints: Vec<Complaint>,
    /// Ends the run when a byte arrives at the host.
    pub(crate) stops_at_arrival: bool,
    /// When the run ends.
    pub(crate) until: u64,
    /// When the alarm is set for.
    alarm: u64,
}

/// The same moment on the flash chip's clock.
pub(crate) fn instant(clock_hz: u32, cycles: u64) -> Instant {
    Instant::from_open(duration(clock_hz, cycles))
}

/// How long so many cycles take.
pub(crate) fn duration(clock_hz: u32, cycles: u64) -> Duration {
    let hz = u64::from(clock_hz);
    let nanos = (cycles % hz) * 1_000_000_000 / hz;
    Duration::new(cycles / hz, nanos as u32)
}

impl Board {
    pub(crate) fn new(clock_hz: u32, baud: u32, chip_select: u8, chip: Option<nor::Chip>) -> Self {
        let mut board = Self {
            clock_hz,
            chip_select,
            uart: Uart::default(),
            line: Line::new(clock_hz, baud),
            pins: Pins::default(),
            spi: Spi::default(),
            chip,
            is_selected: false,
            resets: 0,
            complaints: Vec::new(),
            stops_at_arrival: false,
            until: 0,
            alarm: u64::MAX,
        };
        board.uart.reset();
        board
    }

    fn complain(&mut self, cycle: u64, text: &str) {
        match self.complaints.iter_mut().find(|known| known.text == text) {
            Some(known) => known.count += 1,
            None => self.complaints.push(Complaint {
                cycle,
                text: text.to_owned(),
                count: 1,
            }),
        }
    }

    /// simavr has something to say: an opcode that there is not, an address outside of the memory.
    pub(crate) fn said(&mut self, cycle: u64, text: &str) {
        // Its messages have colours.
        let plain: String = text.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        self.complain(cycle, plain.trim());
    }

    /// The program reads a register of [`OURS`].
    pub(crate) fn read(&mut self, core: &mut Access<'_>, address: u8) -> u8 {
        let value = match Unit::of(address) {
            Some(Unit::Uart(register)) => self.uart.read(register),
            Some(Unit::Spi(register)) => self.spi.read(register),
            None => 0,
        };
        self.settle(core);
        value
    }

    /// The program has written to a register of [`OURS`] or [`WATCHED`].
    pub(crate) fn written(&mut self, core: &mut Access<'_>, address: u8, value: u8) {
        const EEPE: u8 = 1 << 1;
        const SELFPRGEN: u8 = 1 << 0;

        let now = core.now();
        let wrong = match Unit::of(address) {
            Some(Unit::Uart(register)) => self.uart.write(now, register, value),
            Some(Unit::Spi(spi::Register::Data)) => self.begin_transfer(now, value),
            Some(Unit::Spi(register)) => self.spi.write(now, register, value),
            None if address == address::EECR => {
                (value & EEPE != 0).then_some("the EEPROM is written")
            }
            None if address == address::SPMCSR => {
                (value & SELFPRGEN != 0).then_some("the program changes its own flash")
            }
            None => {
                self.set_pins(core);
                None
            }
        };
        if let Some(wrong) = wrong {
            self.complain(now, wrong);
        }
        self.settle(core);
    }

    fn begin_transfer(&mut self, now: u64, byte: u8) -> Option<&'static str> {
        if self.pins.drive(SS_PIN) == Drive::Released {
            // Section 19.3.2: a low level there would make it a slave.
            self.complain(now, "the SPI is used while pin 10 is an input");
        }
        self.spi.write(now, spi::Register::Data, byte)
    }

    fn set_pins(&mut self, core: &mut Access<'_>) {
        use address::{DDRB, DDRC, DDRD, PORTB, PORTC, PORTD};

        self.pins = Pins {
            directions: [DDRB, DDRC, DDRD].map(|address| core.register(address)),
            outputs: [PORTB, PORTC, PORTD].map(|address| core.register(address)),
        };
        self.follow_select(core.now());
    }

    /// Selects the chip, or lets it go, as its pin says. Released, it is pulled up.
    fn follow_select(&mut self, now: u64) {
        let selected = self.pins.drive(self.chip_select) == Drive::Low;
        if selected == std::mem::replace(&mut self.is_selected, selected) {
            return;
        }
        if self.spi.is_busy() {
            self.complain(now, "the chip select moves in the middle of a byte");
        }
        let (at, hz) = (instant(self.clock_hz, now), self.spi.hz(self.clock_hz));
        if let Some(chip) = &mut self.chip {
            if selected {
                chip.set_clock(hz);
                chip.select(at);
            } else {
                chip.deselect(at);
            }
        }
    }

    /// A byte has been clocked out; what comes in from the chip, or from nobody: a line that is
    /// pulled up.
    fn exchange(&mut self, now: u64, byte: u8) -> u8 {
        const NOBODY: u8 = 0xFF;

        let is_wired = [MOSI_PIN, SCK_PIN]
            .map(|pin| self.pins.drive(pin))
            .iter()
            .all(|drive| *drive != Drive::Released);
        if !is_wired {
            self.complain(now, "the SPI is used while MOSI or SCK is an input");
            return NOBODY;
        }
        match &mut self.chip {
            Some(chip) if self.is_selected => chip.transfer(instant(self.clock_hz, now), byte),
            _ => NOBODY,
        }
    }

    /// Lets happen what is due, and returns when to be called again.
    pub(crate) fn alarm(&mut self, core: &mut Access<'_>, now: u64) -> u64 {
        if let Some(character) = self.line.advance(now) {
            self.uart.start_bit(now, character);
        }
        if let Some(sent) = self.uart.advance(now) {
            self.line.arrive(sent);
            if self.stops_at_arrival {
                core.stop();
            }
        }
        if let Some(byte) = self.spi.advance(now) {
            let received = self.exchange(now, byte);
            self.spi.complete(received);
        }
        self.set_interrupts(core);
        self.alarm = self.next_event().max(now + 1);
        self.alarm
    }

    /// What follows from what the program has done to a register.
    fn settle(&mut self, core: &mut Access<'_>) {
        self.set_interrupts(core);
        let next = self.next_event();
        if next != self.alarm {
            self.alarm = next;
            core.set_alarm(next);
        }
    }

    fn set_interrupts(&self, core: &mut Access<'_>) {
        core.set_interrupt(Interrupt::Received, self.uart.wants_received());
        core.set_interrupt(Interrupt::Empty, self.uart.wants_empty());
    }

    /// Begins to run up to a moment, or to the first byte that arrives at the host.
    pub(crate) fn begin(&mut self, core: &mut Access<'_>, until: u64, stops_at_arrival: bool) {
        self.until = until;
        self.stops_at_arrival = stops_at_arrival;
        self.alarm = self.next_event();
        core.set_alarm(self.alarm);
    }

    fn next_event(&self) -> u64 {
        let events = [
            self.line.next_event(),
            self.uart.next_event(),
            self.spi.next_event(),
        ];
        events.into_iter().flatten().fold(self.until, u64::min)
    }

    /// The chip begins anew: its pins are inputs, what its units were doing is lost.
    pub(crate) fn reset(&mut self, core: &mut Access<'_>) {
        self.resets += 1;
        self.uart.reset();
        self.spi = Spi::default();
        self.pins = Pins::default();
        self.follow_select(core.now());
        self.alarm = self.next_event();
        core.set_alarm(self.alarm);
    }

    /// The line goes on while nothing is executed.
    pub(crate) fn pass(&mut self, until: u64) {
        while let Some(at) = self.line.next_event().filter(|at| *at <= until) {
            if let Some(character) = self.line.advance(at) {
                self.uart.start_bit(at, character);
            }
        }
    }
}

/// A register of [`OURS`].
enum Unit {
    Uart(uart::Register),
    Spi(spi::Register),
}

impl Unit {
    fn of(address: u8) -> Option<Self> {
        let unit = match address {
            address::SPCR => Self::Spi(spi::Register::Control),
            address::SPSR => Self::Spi(spi::Register::Status),
            address::SPDR => Self::Spi(spi::Register::Data),
            address::UCSR0A => Self::Uart(uart::Register::StatusA),
            address::UCSR0B => Self::Uart(uart::Register::ControlB),
            address::UCSR0C => Self::Uart(uart::Register::ControlC),
            address::UBRR0L => Self::Uart(uart::Register::DividerLow),
            address::UBRR0H => Self::Uart(uart::Register::DividerHigh),
            address::UDR0 => Self::Uart(uart::Register::Data),
            _ => return None,
        };
        Some(unit)
    }
}
