//! The wire: a host's end, a device's end, and everything that happens to a byte between them.
//!
//! ```text
//! host ──latency──▶ adapter ──characters──▶ device
//! host ◀──latency + timer── adapter ◀──characters── device
//! ```
//!
//! All delays are delay lines: what is under way does not hold up what follows. Characters take
//! their bit times. The engine knows no clock: whoever owns it says what time it is
//! ([`advance`](Wire::advance)), and it says when it wants to be asked again
//! ([`next_event`](Wire::next_event)). So the same engine runs in virtual time under
//! [`SimLink`](crate::SimLink) and in real time under [`serve`](crate::serve).

mod bus;
mod cable;
mod format;
mod lane;

use std::any::Any;
use std::collections::VecDeque;
use std::time::Duration;

use flashwire_link::{Direction, Fault, FaultKind, Instant, Parity, Settings};

pub use bus::{BusConfig, BusTarget};
pub use cable::Cable;
pub use format::{Format, Listening};
pub use lane::Heard;
use lane::{Event, Lane};

use crate::Complaint;

/// What a packet costs beside its data, in byte times. USB 2.0, table 5-9: 13 bytes of overhead for
/// a bulk transaction at full speed.
const PACKET_OVERHEAD_BYTES: u32 = 13;

/// The lines beside the data, as the host drives them: its port's, and its computer's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Data Terminal Ready: asserted or not; `None` if the port has no such line.
    pub dtr: Option<bool>,
    /// Request To Send: asserted or not; `None` if the port has no such line.
    pub rts: Option<bool>,
    /// Whether the transmit line is held low.
    pub brk: bool,
    /// The GPIO lines of the host's computer: high or low; `None` while nobody drives them.
    pub gpio: [Option<bool>; GPIO_LINES],
}

/// How many GPIO lines a bench has: those of a chip `gpiochip0`.
pub const GPIO_LINES: usize = 32;

/// What stands at the far end of the wire.
///
/// All methods are told the time. The engine calls [`advance`](Self::advance) after each of the
/// others and whenever [`wake_up`](Self::wake_up) is due.
pub trait FarEnd: Any + Send {
    /// What its receiver does at the moment. Its transmitter uses the same format.
    fn listening(&self) -> Listening;

    /// Whether it can take a byte now. Only packet buses ask: a UART loses what comes.
    fn ready(&self) -> bool {
        true
    }

    /// A character has arrived.
    fn receive(&mut self, now: Instant, heard: Heard);

    /// A receiver that was [`Measuring`](Listening::Measuring) has measured this speed.
    fn measured(&mut self, now: Instant, baud: u32) {
        let _ = (now, baud);
    }

    /// A tool has opened the port. On a wire without modem lines nothing else tells of it.
    fn connected(&mut self, now: Instant) {
        let _ = now;
    }

    /// The host's lines changed.
    fn lines(&mut self, now: Instant, lines: Lines) {
        let _ = (now, lines);
    }

    /// The device as one on an I2C bus, if it is one.
    fn bus(&mut self) -> Option<&mut dyn BusTarget> {
        None
    }

    /// Does all that is due by now, and appends what the transmitter begins to send now, back to
    /// back.
    fn advance(&mut self, now: Instant, sent: &mut Vec<u8>);

    /// When something happens next by itself; later than the last [`advance`](Self::advance).
    fn wake_up(&self) -> Option<Instant>;

    /// What it holds against its host so far.
    fn complaints(&self) -> &[Complaint];

    /// The content of its flash: what a bench keeps in its image file.
    fn flash(&self) -> &[u8];

    /// What else outlives power (option bytes, status registers), as lines of text: what a bench
    /// keeps in its state file.
    fn state(&self) -> String;
}

/// What a wire is made of.
#[derive(Clone, Debug)]
pub struct WireConfig {
    /// What every byte and every line change takes one way, both ways.
    pub latency: Duration,
    /// What every byte from the device takes besides: the latency timer of a USB adapter.
    pub timer: Duration,
    /// Speed and format of the host's end until it sets others.
    pub host: Settings,
    /// The host's controller, if the wire is an I2C bus.
    pub bus: Option<BusConfig>,
    /// The lines as the host drives them when the wire is plugged in.
    pub lines: Lines,
    /// How the cable is plugged.
    pub cable: Cable,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// A wire with a device at its far end.
pub struct Wire {
    far: Box<dyn FarEnd>,
    latency: Duration,
    timer: Duration,
    host: Settings,
    cable: Cable,
    bus: Option<BusConfig>,
    /// Bytes of the last write on a bus that the device acknowledged.
    acknowledged: usize,
    now: Instant,
    /// From the host to the device.
    out: Channel,
    /// From the device to the host.
    back: Channel,
    faults: Vec<Fault>,
    /// Whether the device was deaf when it was last looked at.
    deaf: bool,
    /// Line changes on their way to the device.
    lines: VecDeque<(Instant, Lines)>,
    /// Bytes at the host, each with the moment from which the host sees it.
    arrived: VecDeque<(Instant, u8)>,
    /// When the port goes away: from then on nothing passes, and the host is told.
    cut: Option<Instant>,
    sent: Vec<u8>,
}

impl Wire {
    /// Plugs a device in.
    pub fn new(config: &WireConfig, far: Box<dyn FarEnd>) -> Self {
        let mut wire = Self {
            far,
            latency: config.latency,
            timer: config.timer,
            host: config.host,
            cable: config.cable,
            bus: config.bus,
            acknowledged: 0,
            now: Instant::default(),
            out: Channel::default(),
            back: Channel::default(),
            faults: config.faults.clone(),
            deaf: false,
            lines: VecDeque::new(),
            arrived: VecDeque::new(),
            cut: None,
            sent: Vec::new(),
        };
        wire.far.lines(wire.now, config.lines);
        wire.pump();
        wire.start_receiver();
        wire
    }

    /// The device.
    pub fn far(&self) -> &dyn FarEnd {
        self.far.as_ref()
    }

    /// The device, to do something to. Call [`advance`](Self::advance) afterwards.
    pub fn far_mut(&mut self) -> &mut dyn FarEnd {
        self.far.as_mut()
    }

    /// A tool has opened the host's end of the port.
    pub fn open(&mut self) {
        self.far.connected(self.now);
        self.pump();
    }

    /// The time that everything up to has happened.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Speed and format of the host's end.
    pub fn host_settings(&self) -> Settings {
        self.host
    }

    /// Whether the host has been told that the port is gone.
    pub fn is_closed(&self) -> bool {
        self.cut.is_some_and(|at| at <= self.now)
    }

    /// The moment by which everything that the host has sent so far has left its end.
    pub fn sent_by(&self) -> Instant {
        self.out.lane.free_from().max(self.now)
    }

    /// The host changes speed and format; for what it sends and receives from now on.
    pub fn configure(&mut self, settings: Settings) {
        self.host = settings;
        self.start_receiver();
    }

    /// The host's receiver looks at its line anew.
    fn start_receiver(&mut self) {
        if self.cable == Cable::Low {
            self.back.lane.put_break(self.now, self.host);
        }
    }

    /// The host sends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let format = self.host_format();
        // On a packet bus, what is sent in one go begins a packet of its own.
        let gap = match format {
            Format::Uart(_) => Duration::ZERO,
            Format::Packets { byte_time } => byte_time * PACKET_OVERHEAD_BYTES,
        };
        let earliest = (self.now + self.latency).max(self.out.lane.free_from() + gap);
        for &byte in bytes {
            if self.cable.reaches_device() {
                self.carry(Direction::Out, earliest, format, byte);
            } else {
                // It takes its time on a line that ends nowhere.
                self.out.lane.pass(earliest, format);
            }
            if self.cable == Cable::Loop {
                self.carry(Direction::In, earliest, format, byte);
            }
        }
    }

    /// The host moves its lines.
    pub fn set_lines(&mut self, lines: Lines) {
        self.lines.push_back((self.now + self.latency, lines));
    }

    /// Takes what the host can see by now; returns how many bytes that is.
    pub fn pop(&mut self, buffer: &mut [u8]) -> usize {
        let seen = self
            .arrived
            .iter()
            .take_while(|(at, _)| *at <= self.now)
            .count();
        let count = seen.min(buffer.len());
        for (room, (_, byte)) in buffer.iter_mut().zip(self.arrived.drain(..count)) {
            *room = byte;
        }
        count
    }

    /// Drops what the host can see by now.
    pub fn discard(&mut self) {
        while self.arrived.front().is_some_and(|(at, _)| *at <= self.now) {
            self.arrived.pop_front();
        }
    }

    /// Whether the host can see a byte by now.
    pub fn has_arrived(&self) -> bool {
        self.arrived.front().is_some_and(|(at, _)| *at <= self.now)
    }

    /// The delay between the adapter's end of the wire and the host's, for bytes from the device.
    pub fn back_delay(&self) -> Duration {
        self.latency + self.timer
    }

    /// When the host is to be given the next bytes, if it takes those together that follow the
    /// first within `together`.
    pub fn next_arrivals(&self, together: Duration) -> Option<Instant> {
        let (first, _) = *self.arrived.front()?;
        self.arrived
            .iter()
            .map(|(at, _)| *at)
            .take_while(|at| *at <= first + together)
            .last()
    }

    /// Plugs the wire in again after a cut; what was on its way is lost, and so are the faults.
    pub fn plug_in(&mut self) {
        self.cut = None;
        self.faults.clear();
        self.out.lane = Lane::default();
        self.back.lane = Lane::default();
        self.lines.clear();
        self.arrived.clear();
    }

    /// When something happens next if the host does nothing: to the device, or a byte arrives.
    pub fn next_event(&self) -> Option<Instant> {
        let inside = self.next_inside();
        let arrival = self
            .arrived
            .iter()
            .map(|(at, _)| *at)
            .find(|at| *at > self.now);
        let gone = self.cut.filter(|at| *at > self.now);
        [inside, arrival, gone].into_iter().flatten().min()
    }

    /// Lets everything happen that is due by `to`, which must not lie in the past.
    pub fn advance(&mut self, to: Instant) {
        // Somebody may have done something to the device.
        self.pump();
        while let Some(at) = self.next_inside().filter(|at| *at <= to) {
            self.now = at;
            self.step();
        }
        self.now = self.now.max(to);
    }

    /// Runs until nothing happens any more, for at most `longest`: the device ends what it was
    /// doing when the host went away.
    pub fn settle(&mut self, longest: Duration) {
        let end = self.now + longest;
        while let Some(at) = self.next_inside().filter(|at| *at <= end) {
            self.advance(at);
        }
    }

    /// How the host's end sends and receives: on a packet bus it has nothing to say.
    fn host_format(&self) -> Format {
        match self.far.listening() {
            Listening::As(format @ Format::Packets { .. }) => format,
            _ if self.cable == Cable::Plain => Format::Uart(Settings {
                parity: Parity::None,
                ..self.host
            }),
            _ => Format::Uart(self.host),
        }
    }

    /// When the device's receiver has something to tell it.
    fn next_out(&self) -> Option<Instant> {
        let listening = self.far.listening();
        let held = matches!(listening, Listening::As(Format::Packets { .. })) && !self.far.ready();
        if held {
            None
        } else {
            self.out.lane.next(listening)
        }
    }

    /// When the host's receiver has something to tell it.
    fn next_back(&self) -> Option<Instant> {
        self.back.lane.next(Listening::As(self.host_format()))
    }

    /// When something happens next to the device or on the line.
    pub fn next_inside(&self) -> Option<Instant> {
        let lines = self.lines.front().map(|(at, _)| *at);
        let out = self.next_out();
        let back = self.next_back();
        // What a device wants to do "now" it did when it was last advanced.
        let wake_up = self.far.wake_up().filter(|at| *at > self.now);
        [lines, out, back, wake_up]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(self.now))
    }

    /// Does one thing of all that is due now, and all that the device has to do now.
    fn step(&mut self) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= self.now);
        if due(self.lines.front().map(|(at, _)| *at)) {
            if let Some((_, lines)) = self.lines.pop_front()
                && !self.is_closed()
            {
                if lines.brk && self.cable.reaches_device() {
                    self.out.lane.put_break(self.now, self.host);
                }
                self.far.lines(self.now, lines);
            }
        } else if due(self.next_back()) {
            let listening = Listening::As(self.host_format());
            if let Some(Event::Heard(heard)) = self.back.lane.take(listening) {
                let at = self.now + self.latency + self.timer;
                self.arrived.push_back((at, heard.byte));
            }
        } else if due(self.next_out()) {
            match self.out.lane.take(self.far.listening()) {
                Some(Event::Heard(heard)) => self.far.receive(self.now, heard),
                Some(Event::Measured(baud)) => self.far.measured(self.now, baud),
                Some(Event::Missed) | None => {}
            }
        }
        self.pump();
    }

    /// Lets the device act, and puts what it sends on the wire. A device that has stopped sending
    /// (reset, switched off) takes back what had not begun.
    fn pump(&mut self) {
        let mut sent = std::mem::take(&mut self.sent);
        self.far.advance(self.now, &mut sent);
        let listening = self.far.listening();
        if std::mem::replace(&mut self.deaf, listening == Listening::Deaf) && !self.deaf {
            self.out.lane.listen_from(self.now);
        }
        match listening {
            _ if !self.cable.reaches_host() => {}
            Listening::As(format) => {
                for &byte in &sent {
                    self.carry(Direction::In, self.now, format, byte);
                }
            }
            Listening::Deaf | Listening::Measuring => self.back.lane.cut(self.now),
        }
        sent.clear();
        self.sent = sent;
    }

    /// Puts a byte on the line, not before `earliest`, as the faults will have it.
    fn carry(&mut self, direction: Direction, earliest: Instant, format: Format, byte: u8) {
        let total = self.out.passed + self.back.passed;
        let channel = match direction {
            Direction::Out => &mut self.out,
            Direction::In => &mut self.back,
        };
        let fault = self.faults.iter().find(|fault| match fault.direction {
            None => fault.byte == total,
            Some(of) => of == direction && fault.byte == channel.passed,
        });
        let kind = fault.map(|fault| fault.kind);
        if kind == Some(FaultKind::Delay) {
            channel.not_before = earliest + Fault::DELAY;
        }
        channel.passed += 1;
        let earliest = earliest.max(channel.not_before);
        let start = earliest.max(channel.lane.free_from());
        match kind {
            // Lost on the way, but it took its time.
            Some(FaultKind::Drop) => drop(channel.lane.pass(earliest, format)),
            Some(FaultKind::Flip) => channel.lane.put(earliest, format, byte ^ 1),
            Some(FaultKind::Double) => {
                channel.lane.put(earliest, format, byte);
                channel.lane.put(earliest, format, byte);
            }
            Some(FaultKind::Cut) if self.cut.is_none_or(|at| start < at) => self.cut = Some(start),
            // The others are faults of a bus.
            Some(_) | None => {
                channel.lane.put(earliest, format, byte);
            }
        }
        if let Some(at) = self.cut {
            self.out.lane.cut(at);
            self.back.lane.cut(at);
        }
    }
}

/// One direction of the wire.
#[derive(Debug, Default)]
struct Channel {
    lane: Lane,
    /// Bytes that have set out, lost ones included.
    passed: u64,
    /// Nothing sets out before: what a delayed byte holds up.
    not_before: Instant,
}
