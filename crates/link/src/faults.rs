//! A wire that damages what passes: for tests, and for benches that are asked to.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{Deadline, Instant, LineChange, Link, LinkError, Settings};

/// What happens to a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is lost.
    Drop,
    /// Its bit 0 is inverted.
    Flip,
    /// It comes twice.
    Double,
    /// It is held back for [`Fault::DELAY`], and everything behind it in its direction too.
    Delay,
    /// The link ends before it: [`LinkError::Closed`].
    Cut,
    /// On a bus: it is not acknowledged ([`BusFault`](crate::BusFault)). Without effect on a byte
    /// that the host reads: it is the host that acknowledges those.
    Nak,
    /// On a bus: another controller takes the bus while it passes.
    Arbitration,
    /// On a bus: the clock is held before it, for longer than the controller waits.
    Hold,
}

impl FaultKind {
    /// Whether it is one of a framed bus. All but [`Flip`](Self::Flip) and [`Cut`](Self::Cut) are
    /// either of a stream or of a bus.
    pub const fn of_a_bus(self) -> bool {
        match self {
            Self::Flip | Self::Cut | Self::Nak | Self::Arbitration | Self::Hold => true,
            Self::Drop | Self::Double | Self::Delay => false,
        }
    }

    /// Whether it is one of a stream.
    pub const fn of_a_stream(self) -> bool {
        match self {
            Self::Drop | Self::Flip | Self::Double | Self::Delay | Self::Cut => true,
            Self::Nak | Self::Arbitration | Self::Hold => false,
        }
    }
}

/// Where a byte goes, seen from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the device to the host.
    In,
    /// From the host to the device.
    Out,
}

/// One fault: what happens to which byte. As text `KIND@BYTE[:in|out]`, for instance `flip@12:in`;
/// KIND is `drop`, `flip`, `dup`, `delay` or `cut`; on a bus `flip`, `cut`, `nak`, `arb` or `hold`,
/// and the addresses that open each transfer count as bytes that go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// Which byte it happens to, counted from 0.
    pub byte: u64,
    /// Whether bytes are counted in one direction only; else in both together, in the order in
    /// which the host sends and takes them.
    pub direction: Option<Direction>,
}

/// The text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no fault: KIND@BYTE[:in|out], KIND is drop, flip, dup, delay or cut, on a bus flip, cut, nak, arb or hold"
)]
pub struct ParseFaultError(String);

impl Fault {
    /// How long [`FaultKind::Delay`] holds bytes back: longer than anybody waits for the answer to
    /// a command (1 s for ST's loaders), so that the byte comes when nobody expects it any more.
    pub const DELAY: Duration = Duration::from_millis(1500);
}

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseFaultError(text.to_owned());
        let (kind, place) = text.split_once('@').ok_or_else(error)?;
        let (byte, direction) = match place.split_once(':') {
            None => (place, None),
            Some((byte, "in")) => (byte, Some(Direction::In)),
            Some((byte, "out")) => (byte, Some(Direction::Out)),
            Some(_) => return Err(error()),
        };
        let kind = match kind {
            "drop" => FaultKind::Drop,
            "flip" => FaultKind::Flip,
            "dup" => FaultKind::Double,
            "delay" => FaultKind::Delay,
            "cut" => FaultKind::Cut,
            "nak" => FaultKind::Nak,
            "arb" => FaultKind::Arbitration,
            "hold" => FaultKind::Hold,
            _ => return Err(error()),
        };
        Ok(Self {
            kind,
            byte: byte.parse().map_err(|_| error())?,
            direction,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            FaultKind::Drop => "drop",
            FaultKind::Flip => "flip",
            FaultKind::Double => "dup",
            FaultKind::Delay => "delay",
            FaultKind::Cut => "cut",
            FaultKind::Nak => "nak",
            FaultKind::Arbitration => "arb",
            FaultKind::Hold => "hold",
        };
        let direction = match self.direction {
            None => "",
            Some(Direction::In) => ":in",
            Some(Direction::Out) => ":out",
        };
        write!(f, "{kind}@{}{direction}", self.byte)
    }
}

/// A link that damages what passes over a stream. On a framed bus use the faults of a bench: a
/// transfer is more than its bytes.
#[derive(Debug)]
pub struct Faults<L> {
    link: L,
    faults: Vec<Fault>,
    inbound: Lane,
    outbound: Lane,
    /// Nothing passes any more in either direction.
    cut: bool,
}

/// What is on its way in one direction.
#[derive(Debug, Default)]
struct Lane {
    /// Each byte, and when it gets there.
    bytes: VecDeque<(Instant, u8)>,
    /// Nothing gets there before: what a delayed byte holds up.
    earliest: Instant,
    /// How many bytes have set out, lost ones included.
    count: u64,
}

impl Lane {
    fn push(&mut self, now: Instant, byte: u8) {
        self.bytes.push_back((self.earliest.max(now), byte));
    }

    fn pop_due(&mut self, now: Instant) -> Option<u8> {
        let (due, byte) = *self.bytes.front()?;
        (due <= now).then(|| {
            self.bytes.pop_front();
            byte
        })
    }

    fn next_due(&self) -> Option<Instant> {
        self.bytes.front().map(|&(due, _)| due)
    }
}

impl<L: Link> Faults<L> {
    /// Damages what passes over `link` as `faults` say.
    pub fn new(link: L, faults: Vec<Fault>) -> Self {
        Self {
            link,
            faults,
            inbound: Lane::default(),
            outbound: Lane::default(),
            cut: false,
        }
    }

    /// How many bytes have set out in `direction` so far, lost ones included.
    pub fn count(&self, direction: Direction) -> u64 {
        match direction {
            Direction::In => self.inbound.count,
            Direction::Out => self.outbound.count,
        }
    }

    /// Lets `bytes` set out, each with what happens to it.
    fn pass(&mut self, bytes: &[u8], direction: Direction) {
        let now = self.link.now();
        for &byte in bytes {
            if self.cut {
                return;
            }
            let total = self.inbound.count + self.outbound.count;
            let lane = match direction {
                Direction::In => &mut self.inbound,
                Direction::Out => &mut self.outbound,
            };
            let fault = self.faults.iter().find(|fault| match fault.direction {
                None => fault.byte == total,
                Some(of) => of == direction && fault.byte == lane.count,
            });
            lane.count += 1;
            match fault.map(|fault| fault.kind) {
                None => lane.push(now, byte),
                Some(FaultKind::Drop) => {}
                Some(FaultKind::Flip) => lane.push(now, byte ^ 1),
                Some(FaultKind::Double) => {
                    lane.push(now, byte);
                    lane.push(now, byte);
                }
                Some(FaultKind::Delay) => {
                    lane.earliest = now + Fault::DELAY;
                    lane.push(now, byte);
                }
                Some(FaultKind::Cut) => self.cut = true,
                Some(FaultKind::Nak | FaultKind::Arbitration | FaultKind::Hold) => {
                    lane.push(now, byte);
                }
            }
        }
    }

    /// Hands the device what has got there by now.
    fn deliver(&mut self) -> Result<(), LinkError> {
        let now = self.link.now();
        let bytes: Vec<u8> = std::iter::from_fn(|| self.outbound.pop_due(now)).collect();
        if bytes.is_empty() {
            return Ok(());
        }
        self.link.send(&bytes)
    }

    /// Takes what the device has sent within the time; whether that was anything.
    fn fetch(&mut self, size: usize, until: Instant) -> Result<bool, LinkError> {
        if self.cut {
            self.link.pause(until - self.link.now())?;
            return Ok(false);
        }
        let mut chunk = vec![0; size];
        match self.link.recv(&mut chunk, Deadline::at(until)) {
            Ok(count) => {
                self.pass(&chunk[..count], Direction::In);
                Ok(count > 0)
            }
            // What is still on its way gets there first.
            Err(LinkError::Closed) => {
                self.cut = true;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

impl<L: Link> Link for Faults<L> {
    fn name(&self) -> &str {
        self.link.name()
    }

    fn now(&self) -> Instant {
        self.link.now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        if self.cut {
            return Err(LinkError::Closed);
        }
        self.pass(bytes, Direction::Out);
        self.deliver()?;
        if self.cut {
            return Err(LinkError::Closed);
        }
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        let end = deadline.moment();
        let mut looked = false;
        loop {
            self.deliver()?;
            let now = self.link.now();
            let mut count = 0;
            while count < buffer.len()
                && let Some(byte) = self.inbound.pop_due(now)
            {
                buffer[count] = byte;
                count += 1;
            }
            if count > 0 || (looked && now >= end) {
                return Ok(count);
            }
            if self.cut && self.inbound.bytes.is_empty() {
                return Err(LinkError::Closed);
            }
            let stops = [self.inbound.next_due(), self.outbound.next_due()];
            let until = stops.into_iter().flatten().fold(end, Instant::min);
            self.fetch(buffer.len(), until)?;
            looked = true;
        }
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        let end = self.link.now() + duration;
        while let Some(due) = self.outbound.next_due().filter(|&due| due < end) {
            self.link.pause(due - self.link.now())?;
            self.deliver()?;
        }
        self.link.pause(end - self.link.now())
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        // What was sent before leaves first.
        while let Some(due) = self.outbound.next_due() {
            self.link.pause(due - self.link.now())?;
            self.deliver()?;
        }
        self.link.configure(settings)
    }

    fn settings(&self) -> Settings {
        self.link.settings()
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        self.link.lines(changes)
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        /// A device that never stops must not keep us here.
        const MOST_CHUNKS: usize = 4096;

        self.deliver()?;
        let now = self.link.now();
        for _ in 0..MOST_CHUNKS {
            if !self.fetch(256, now)? {
                break;
            }
        }
        // What is held up has not arrived.
        while self.inbound.pop_due(now).is_some() {}
        Ok(())
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.link.take_warnings()
    }

    fn real_time(&self) -> bool {
        self.link.real_time()
    }
}
