//! Programmers, each with a SPI NOR chip clipped to it.
//!
//! Ours are the machines of `flashwire-device`, the very objects that the firmware images run, on a
//! [`SpiBoard`] that keeps SPI time. Other people's are [`Foreign`], which speaks serprog, and
//! [`Sketch`], nfd's own: the protocols once more, written for this bench alone, with the limits and
//! quirks that the originals have. [`Programmer`] puts any of them at the far end of a wire.

mod board;
mod foreign;
mod machine;
mod models;
mod sketch;

use std::collections::VecDeque;
use std::time::Duration;

use flashwire_link::{Instant, Settings};

pub use board::SpiBoard;
pub use foreign::{Foreign, Quirks};
use machine::Machine;
pub use models::{MODELS, Model, Port, find};
pub use sketch::{Edition, Sketch};

use crate::nor::{self, Chip, Misuse};
use crate::wire::{FarEnd, Format, Heard, Lines, Listening};
use crate::{Complaint, ComplaintKind};

/// How much a USB packet carries, in bytes. USB 2.0, section 5.8.3: bulk at full speed.
const PACKET_BYTES: usize = 64;

/// Most bytes of a packet that the wire still brings together: as long as no gap of two byte times
/// lies between them.
const GAP_BYTES: u32 = 2;

/// How long the boot loader of an Arduino waits for somebody to talk to it, before it starts what is
/// in the flash: optiboot's watchdog, one second (optiboot.c, `WATCHDOG_1S`).
pub(crate) const BOOT_TIME: Duration = Duration::from_secs(1);

/// Clock of an Arduino Uno, in Hz.
const ARDUINO_HZ: u32 = 16_000_000;

/// What differs between two programmers of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether ours know this project's extensions of serprog.
    pub extensions: bool,
    /// Speed of a UART as its firmware was built for it, in baud.
    pub baud: u32,
    /// How long the boot loader keeps a board that opening the port resets.
    pub boot: Duration,
    /// The edition of nfd's sketch.
    pub sketch: Edition,
    /// The Arduino pin that the chip's select is wired to.
    pub select_pin: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            extensions: true,
            baud: 115_200,
            boot: BOOT_TIME,
            sketch: Edition::default(),
            select_pin: board::SELECT_PINS[0],
        }
    }
}

/// What the UART of an Arduino makes of a speed: at double speed, a divider of 8 times the baud rate
/// (DS40002061B, section 20.3.1), rounded as the Arduino core rounds it.
fn arduino_baud(baud: u32) -> u32 {
    let divider = (ARDUINO_HZ / 4 / baud).saturating_sub(1) / 2 + 1;
    ARDUINO_HZ / 8 / divider
}

/// A programmer and its chip at the far end of a wire.
pub struct Programmer {
    machine: Box<dyn Machine>,
    format: Format,
    /// How much the machine is given and asked for at once, in bytes.
    chunk_bytes: usize,
    /// How much can wait to be taken, in bytes.
    room_bytes: usize,
    inbox: VecDeque<u8>,
    /// A packet that is still coming in, and since when its last byte is there.
    packet: Vec<u8>,
    packet_at: Instant,
    /// Bytes ready to be sent, and from when on.
    outbox: Option<(Instant, Vec<u8>)>,
    /// When the wire to the host is free again.
    wire_free: Instant,
    now: Instant,
    dtr: Option<bool>,
    /// How long its boot loader waits, if opening the port resets it.
    boot: Option<Duration>,
    /// Until when the boot loader has the board.
    boots_until: Option<Instant>,
    complaints: Vec<Complaint>,
}

impl Programmer {
    /// A programmer of this model with this chip, both under power.
    pub fn new(model: &Model, chip: Chip, options: &Options) -> Self {
        let mut board = SpiBoard::new(chip, model.spi_clocks);
        board.wire_select(options.select_pin);
        let mut boot = None;
        let (format, chunk_bytes, room_bytes) = match model.port {
            Port::Usb { bytes_per_second } => {
                let byte_time = Duration::from_secs(1) / bytes_per_second;
                (
                    Format::Packets { byte_time },
                    PACKET_BYTES,
                    2 * PACKET_BYTES,
                )
            }
            Port::Uart { ring_bytes, resets } => {
                let mut baud = options.baud;
                if resets {
                    boot = Some(options.boot);
                    baud = arduino_baud(baud);
                }
                (Format::Uart(Settings::plain(baud)), 1, ring_bytes)
            }
        };
        Self {
            machine: machine::build(model, board, options),
            format,
            chunk_bytes,
            room_bytes,
            inbox: VecDeque::new(),
            packet: Vec::new(),
            packet_at: Instant::default(),
            outbox: None,
            wire_free: Instant::default(),
            now: Instant::default(),
            dtr: None,
            boot,
            boots_until: None,
            complaints: Vec::new(),
        }
    }

    /// The chip.
    pub fn chip(&self) -> &Chip {
        self.machine.board().chip()
    }

    /// The chip, to do something to.
    pub fn chip_mut(&mut self) -> &mut Chip {
        self.machine.board_mut().chip_mut()
    }

    /// The board.
    pub fn board(&self) -> &SpiBoard {
        self.machine.board()
    }

    /// The programmer loses its power and gets it back; its chip does too.
    pub fn power_cycle(&mut self, now: Instant) {
        self.reset(now);
        self.machine.board_mut().chip_mut().power_cycle(now);
        self.machine.revive();
        self.note_complaints();
    }

    /// The programmer forgets the conversation: its port was opened, or its board reset.
    fn reset(&mut self, now: Instant) {
        self.inbox.clear();
        self.packet.clear();
        self.outbox = None;
        if let Some(boot) = self.boot {
            self.machine.board_mut().restart(now);
            self.boots_until = Some(now + boot);
        } else {
            self.start(now);
        }
    }

    /// The firmware begins anew.
    fn start(&mut self, now: Instant) {
        self.machine.board_mut().set_now(now);
        let moment = self.machine.board().moment();
        self.machine.reset(moment);
    }

    fn is_usb(&self) -> bool {
        matches!(self.format, Format::Packets { .. })
    }

    /// When the packet that is coming in is whole, if one is.
    fn packet_end(&self) -> Option<Instant> {
        let gap = self.format.wire_time(1) * GAP_BYTES;
        (!self.packet.is_empty()).then(|| self.packet_at + gap)
    }

    /// Hands a whole packet on to what waits to be taken.
    fn close_packet(&mut self) {
        self.machine.packet_begins(self.packet.len());
        self.inbox.extend(self.packet.drain(..));
    }

    /// Takes what an interrupt sends next; whether there was anything.
    fn interrupt(&mut self) -> bool {
        if self.outbox.is_some() {
            return false;
        }
        self.outbox = self.machine.interrupt().map(|(at, byte)| (at, vec![byte]));
        self.outbox.is_some()
    }

    /// Lets the machine do one thing; whether it did any.
    fn step(&mut self) -> bool {
        self.machine.board_mut().set_now(self.now);
        let moment = self.machine.board().moment();
        if !self.inbox.is_empty() {
            let taken = self.machine.receive(moment, self.inbox.make_contiguous());
            self.inbox.drain(..taken);
            if taken > 0 {
                return true;
            }
        }
        let wanted = self
            .machine
            .wake_up()
            .is_some_and(|at| moment.has_reached(at));
        let room = if self.outbox.is_none() {
            self.chunk_bytes
        } else {
            0
        };
        let mut bytes = vec![0; room];
        let filled = self.machine.transmit(moment, &mut bytes);
        if filled > 0 {
            bytes.truncate(filled);
            self.outbox = Some((self.machine.board().now(), bytes));
        }
        filled > 0 || wanted
    }

    /// When the machine wants to go on by itself: as soon as it is free, or at a time of its own.
    fn machine_wakes(&self) -> Option<Instant> {
        let board = self.machine.board();
        let free = board.now();
        let own = self.machine.wake_up().map(|at| {
            let moment = board.moment();
            if moment.has_reached(at) {
                free
            } else {
                free + Duration::from_micros(u64::from(at.micros_since(moment)))
            }
        });
        let busy = (free > self.now).then_some(free);
        own.into_iter().chain(busy).min()
    }

    fn note_complaints(&mut self) {
        let chip = self.machine.board_mut().chip_mut();
        let complaints = chip.take_complaints();
        self.complaints
            .extend(complaints.into_iter().map(Complaint::from));
        self.complaints.extend(self.machine.take_complaints());
    }
}

impl FarEnd for Programmer {
    fn listening(&self) -> Listening {
        Listening::As(self.format)
    }

    fn ready(&self) -> bool {
        self.inbox.len() + self.packet.len() < self.room_bytes
    }

    fn receive(&mut self, now: Instant, heard: Heard) {
        if self.boots_until.is_some() {
            // It is the boot loader that hears it, and makes nothing of it.
            return;
        }
        if !self.is_usb() {
            if !heard.stop_seen {
                self.complaints.push(Complaint {
                    at: now,
                    kind: ComplaintKind::LineNoise,
                    detail: "a character without a stop bit".to_owned(),
                });
            } else if !self.ready() {
                self.complaints.push(Complaint {
                    at: now,
                    kind: ComplaintKind::Overrun,
                    detail: format!("byte {:#04X} found the receive buffer full", heard.byte),
                });
            } else {
                self.inbox.push_back(heard.byte);
            }
            return;
        }
        if self.packet_end().is_some_and(|end| now >= end) {
            self.close_packet();
        }
        self.packet.push(heard.byte);
        self.packet_at = now;
        if self.packet.len() == PACKET_BYTES {
            self.close_packet();
        }
    }

    fn connected(&mut self, now: Instant) {
        self.reset(now);
    }

    fn lines(&mut self, now: Instant, lines: Lines) {
        // A port that is opened asserts DTR: USB devices are told, and it resets Arduinos.
        let reopened = lines.dtr == Some(true) && self.dtr == Some(false);
        let plugged_in = lines.dtr == Some(true) && self.dtr.is_none() && self.boot.is_some();
        let opened = reopened || plugged_in;
        let closed = lines.dtr == Some(false) && self.dtr == Some(true);
        self.dtr = lines.dtr;
        if opened || closed && self.is_usb() {
            self.reset(now);
        }
    }

    fn advance(&mut self, now: Instant, sent: &mut Vec<u8>) {
        self.now = now;
        self.machine.board_mut().chip_mut().settle(now);
        if self.packet_end().is_some_and(|end| end <= now) {
            self.close_packet();
        }
        if let Some(until) = self.boots_until {
            if now < until {
                return self.note_complaints();
            }
            self.boots_until = None;
            self.start(now);
        }
        loop {
            let due = |(ready, _): &mut (Instant, Vec<u8>)| (*ready).max(self.wire_free) <= now;
            if let Some((_, bytes)) = self.outbox.take_if(due) {
                self.wire_free = now + self.format.wire_time(bytes.len());
                sent.extend(bytes);
            }
            // The interrupt sends while the processor is busy, and what a step has just written.
            let is_busy = self.machine.board().now() > now;
            if !self.interrupt() && (is_busy || !self.step()) && !self.interrupt() {
                break;
            }
        }
        self.note_complaints();
    }

    fn wake_up(&self) -> Option<Instant> {
        let outbox = self.outbox.as_ref();
        let candidates = [
            outbox.map(|(ready, _)| (*ready).max(self.wire_free)),
            self.packet_end(),
            self.boots_until,
            self.machine_wakes(),
            // So that its content is right when nobody asks it any more.
            self.chip().busy_until(),
        ];
        candidates
            .into_iter()
            .flatten()
            .filter(|at| *at > self.now)
            .min()
    }

    fn complaints(&self) -> &[Complaint] {
        &self.complaints
    }

    fn flash(&self) -> &[u8] {
        self.chip().memory()
    }

    fn state(&self) -> String {
        self.chip().state()
    }
}

impl From<nor::Complaint> for Complaint {
    fn from(complaint: nor::Complaint) -> Self {
        let kind = match complaint.misuse {
            Misuse::CutShort { .. } | Misuse::TooLong { .. } | Misuse::InAutoIncrement => {
                ComplaintKind::Malformed
            }
            Misuse::PageWrap { .. } | Misuse::OddAddress { .. } => ComplaintKind::Misaligned,
            Misuse::NotErased { .. } => ComplaintKind::NotErased,
            Misuse::Protected { .. } | Misuse::StatusLocked => ComplaintKind::Protected,
            Misuse::BeyondEnd { .. } => ComplaintKind::OutOfRange,
            Misuse::TooFast { .. } => ComplaintKind::Limit,
            Misuse::ResetWhileBusy | Misuse::PowerLost => ComplaintKind::Interrupted,
        };
        Self {
            at: complaint.at,
            kind,
            detail: format!("{:02X}h: {}", complaint.instruction, complaint.misuse),
        }
    }
}
