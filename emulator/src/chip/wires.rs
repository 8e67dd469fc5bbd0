//! What is wired to the pins: SPI chips, serial lines, and whoever watches a pin.

use std::fmt;

use crate::serial::{Frame, Line};
use crate::time::Time;

use super::pins::{Drive, Pin, Port};
use super::spi::{Direction, Exchange};
use super::{Bus, Chip};

/// The slave end of a SPI bus.
pub trait SpiSlave {
    /// Chip select goes low.
    fn select(&mut self, now: Time);

    /// Eight bits go in and eight come out; `clock_hz` is the bus's clock.
    fn transfer(&mut self, byte: u8, clock_hz: u64, now: Time) -> u8;

    /// Chip select goes high.
    fn deselect(&mut self, now: Time);
}

/// Which SPI of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpiBus {
    /// SPI1.
    Spi1,
    /// SPI2.
    Spi2,
}

/// A change of a pin that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: Time,
    /// What the chip does with the pin from then on.
    pub drive: Drive,
}

/// Level of a data line that nobody drives: pulled up.
const FLOATING: u8 = 0xff;

/// How many transitions of a pin are kept.
const MOST_TRANSITIONS: usize = 1 << 20;

struct Wired {
    bus: SpiBus,
    select: Pin,
    selected: bool,
    slave: Box<dyn SpiSlave>,
}

impl fmt::Debug for Wired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a slave of {:?}, selected by {}", self.bus, self.select)
    }
}

#[derive(Debug)]
struct Watched {
    pin: Pin,
    transitions: Vec<Transition>,
}

/// Everything outside.
#[derive(Debug, Default)]
pub(super) struct Wires {
    slaves: Vec<Wired>,
    watched: Vec<Watched>,
    /// What came out of the USARTs and was not taken yet.
    sent: [Vec<Frame>; 3],
}

/// The pins of a SPI: SCK, MOSI.
fn clock_and_data(bus: usize, remapped: bool) -> (Pin, Pin) {
    match (bus, remapped) {
        (0, false) => (Pin::new(Port::A, 5), Pin::new(Port::A, 7)),
        // AFIO_MAPR.SPI1_REMAP: RM0008 rev 21, table 55.
        (0, true) => (Pin::new(Port::B, 3), Pin::new(Port::B, 5)),
        _ => (Pin::new(Port::B, 13), Pin::new(Port::B, 15)),
    }
}

/// The NSS pin of a SPI.
fn select_pin(bus: usize, remapped: bool) -> Pin {
    match (bus, remapped) {
        (0, false) => Pin::new(Port::A, 4),
        (0, true) => Pin::new(Port::A, 15),
        _ => Pin::new(Port::B, 12),
    }
}

/// The TX pin of a USART: RM0008 rev 21, tables 52 to 54.
fn transmit_pin(index: usize, remap: u32) -> Pin {
    match (index, remap >> 2 & 1, remap >> 3 & 1, remap >> 4 & 3) {
        (0, 0, ..) => Pin::new(Port::A, 9),
        (0, ..) => Pin::new(Port::B, 6),
        (1, _, 0, _) => Pin::new(Port::A, 2),
        (1, ..) => Pin::new(Port::D, 5),
        (_, _, _, 0) => Pin::new(Port::B, 10),
        (_, _, _, 1) => Pin::new(Port::C, 10),
        _ => Pin::new(Port::D, 8),
    }
}

/// The pins of the four channels of TIM1 to TIM4, counted from 0: RM0008 rev 21, tables 43 to 46.
fn channel_pins(timer: usize, remap: u32) -> [Pin; 4] {
    use Port::{A, B, C, D, E};
    let (tim1, tim2, tim3, tim4) = (
        remap >> 6 & 3,
        remap >> 8 & 3,
        remap >> 10 & 3,
        remap >> 12 & 1,
    );
    let pins = match timer {
        0 if tim1 == 3 => [(E, 9), (E, 11), (E, 13), (E, 14)],
        0 => [(A, 8), (A, 9), (A, 10), (A, 11)],
        1 => {
            let [first, second] = match tim2 & 1 {
                0 => [(A, 0), (A, 1)],
                _ => [(A, 15), (B, 3)],
            };
            let [third, fourth] = match tim2 & 2 {
                0 => [(A, 2), (A, 3)],
                _ => [(B, 10), (B, 11)],
            };
            [first, second, third, fourth]
        }
        2 if tim3 == 3 => [(C, 6), (C, 7), (C, 8), (C, 9)],
        2 if tim3 == 2 => [(B, 4), (B, 5), (B, 0), (B, 1)],
        2 => [(A, 6), (A, 7), (B, 0), (B, 1)],
        _ if tim4 == 1 => [(D, 12), (D, 13), (D, 14), (D, 15)],
        _ => [(B, 6), (B, 7), (B, 8), (B, 9)],
    };
    pins.map(|(port, number)| Pin::new(port, number))
}

impl Chip {
    /// Wires a slave to a SPI, its chip select to `select`. A resistor pulls chip select up.
    pub fn attach_spi(&mut self, bus: SpiBus, select: Pin, slave: Box<dyn SpiSlave>) {
        self.wires.slaves.push(Wired {
            bus,
            select,
            selected: false,
            slave,
        });
    }

    /// Remembers from now on what happens at a pin.
    pub fn watch(&mut self, pin: Pin, now: Time) {
        let drive = self.pins.drive(pin);
        self.wires.watched.push(Watched {
            pin,
            transitions: vec![Transition { at: now, drive }],
        });
    }

    /// What happened at a watched pin, beginning with what it was at first.
    pub fn transitions(&self, pin: Pin) -> &[Transition] {
        self.wires
            .watched
            .iter()
            .find(|watched| watched.pin == pin)
            .map_or(&[], |watched| &watched.transitions)
    }

    /// What the chip does with a pin.
    pub fn drive(&self, pin: Pin) -> Drive {
        self.pins.drive(pin)
    }

    /// Drives a pin from outside, or lets go of it.
    pub fn set_input(&mut self, pin: Pin, level: Option<bool>, now: Time) {
        self.pins.set_outside(pin, level);
        self.move_timer_inputs(now);
        self.refresh(super::Block::Exti, now);
    }

    /// The line into a USART, counted from 0.
    pub fn serial_input(&mut self, index: usize) -> &mut Line {
        &mut self.usarts[index].input
    }

    /// What was put on the line into a USART is to be noticed.
    pub fn serial_input_changed(&mut self, index: usize, now: Time) {
        self.refresh(super::Block::Usart(index), now);
    }

    /// Takes the frames that a USART, counted from 0, has begun to send.
    pub fn take_serial_output(&mut self, index: usize) -> Vec<Frame> {
        std::mem::take(&mut self.wires.sent[index])
    }

    /// Tells the timers that listen what their pins show.
    pub(super) fn move_timer_inputs(&mut self, now: Time) {
        for index in 0..self.timers.len() {
            if !self.timers[index].listens() {
                continue;
            }
            let pins = channel_pins(index, self.exti.remap()).into_iter().rev();
            let levels = pins.fold(0, |levels, pin| {
                let level = self.pins.inputs(pin.port) >> pin.number & 1;
                levels << 1 | level as u8
            });
            let clock = self.timer_clock(index);
            self.timers[index].set_inputs(levels, now, clock);
            self.stale |= 1 << super::Source::Timer(index).index();
        }
    }

    /// Follows the pins: those of timers, chip selects and watched ones.
    pub(super) fn pins_changed(&mut self, now: Time) {
        self.move_timer_inputs(now);
        for index in 0..self.wires.watched.len() {
            let watched = &mut self.wires.watched[index];
            let drive = self.pins.drive(watched.pin);
            let changed = watched.transitions.last().map(|last| last.drive) != Some(drive);
            if changed && watched.transitions.len() < MOST_TRANSITIONS {
                watched.transitions.push(Transition { at: now, drive });
            }
        }
        for index in 0..self.wires.slaves.len() {
            let (bus, pin) = {
                let wired = &self.wires.slaves[index];
                (wired.bus as usize, wired.select)
            };
            let selected = !self.select_level(bus, pin);
            let wired = &mut self.wires.slaves[index];
            if selected == wired.selected {
                continue;
            }
            wired.selected = selected;
            if selected {
                wired.slave.select(now);
            } else {
                wired.slave.deselect(now);
                if self.spis[bus].is_busy() {
                    self.complaints.add(
                        now,
                        0,
                        "chip select went high in the middle of a SPI word",
                    );
                }
            }
        }
    }

    /// Level of a chip select: of the pin, or of the NSS output of the SPI.
    fn select_level(&self, bus: usize, pin: Pin) -> bool {
        match self.pins.drive(pin) {
            Drive::Peripheral => {
                let remapped = self.is_remapped(bus);
                let is_nss = pin == select_pin(bus, remapped);
                !(is_nss && self.spis[bus].drives_select_low())
            }
            drive => drive.level(true),
        }
    }

    fn is_remapped(&self, bus: usize) -> bool {
        bus == 0 && self.exti.remap() & 1 != 0
    }

    /// Exchanges the words of a SPI that are through.
    pub(super) fn service_spi(&mut self, index: usize, now: Time) {
        while let Some(exchange) = self.spis[index].finished(now) {
            let (clock, clock_hz) = self.spi_clock(index);
            let mut bytes = [FLOATING; 2];
            if self.spi_reaches_pins(index, &exchange) {
                let clock_hz = self.spis[index].clock_hz(clock_hz);
                for (incoming, outgoing) in bytes.iter_mut().zip(exchange.bytes) {
                    let (outgoing, is_heard) = match exchange.direction {
                        Direction::Both | Direction::Out => (outgoing, true),
                        Direction::In { on_output_line } => (FLOATING, !on_output_line),
                    };
                    let answer = self.transfer(index, outgoing, clock_hz, exchange.done);
                    *incoming = if is_heard { answer } else { FLOATING };
                    if exchange.count == 1 {
                        break;
                    }
                }
            }
            self.spis[index].end(&exchange, bytes);
            self.serve_dma(exchange.done);
            self.spis[index].start(exchange.done, clock);
            self.serve_dma(exchange.done);
        }
    }

    /// Whether the words of a SPI are on the wires in a form that flash chips understand.
    fn spi_reaches_pins(&mut self, index: usize, exchange: &Exchange) -> bool {
        let (mode, now) = (exchange.mode, exchange.done);
        let (clock, data) = clock_and_data(index, self.is_remapped(index));
        let sends = matches!(exchange.direction, Direction::Both | Direction::Out);
        let driven =
            self.pins.is_alternate_output(clock) && (self.pins.is_alternate_output(data) || !sends);
        if !driven {
            self.complaints.add(
                now,
                0,
                "a SPI word was sent while SCK or MOSI was no output of the SPI",
            );
        }
        // Flash chips work in modes 0 and 3.
        let understood = matches!(mode, 0 | 3);
        if !understood && !self.wires.slaves.is_empty() {
            self.complaints.add(
                now,
                0,
                "a SPI word was sent in mode 1 or 2, which no flash chip reads",
            );
        }
        driven && understood
    }

    /// One byte on the wires of a SPI.
    fn transfer(&mut self, index: usize, byte: u8, clock_hz: u64, now: Time) -> u8 {
        let mut result = FLOATING;
        let mut selected = 0;
        for wired in &mut self.wires.slaves {
            if wired.selected && wired.bus as usize == index {
                result &= wired.slave.transfer(byte, clock_hz, now);
                selected += 1;
            }
        }
        if selected > 1 {
            self.complaints
                .add(now, self.pc, "two SPI chips were selected at the same time");
        }
        result
    }

    /// Does what is due in a USART.
    pub(super) fn service_usart(&mut self, index: usize, now: Time) {
        let clock = self.usart_clock(index);
        if self.usarts[index].service(now, clock) {
            self.complaints
                .add(now, self.pc, "a USART character was lost: overrun");
        }
        self.take_output(index, now);
    }

    /// Puts what a USART sends on its line, if its pin is one.
    pub(super) fn take_output(&mut self, index: usize, now: Time) {
        if self.usarts[index].output.is_empty() {
            return;
        }
        let frames = std::mem::take(&mut self.usarts[index].output);
        let pin = transmit_pin(index, self.exti.remap());
        if self.pins.is_alternate_output(pin) {
            self.wires.sent[index].extend(frames);
        } else {
            self.complaints.add(
                now,
                self.pc,
                "a USART sent while its TX pin was no output of it",
            );
        }
    }

    /// A word of memory, for a debugger.
    pub fn peek(&self, address: u32) -> Option<u32> {
        self.load(address, crate::cpu::instruction::Width::Word)
    }
}
