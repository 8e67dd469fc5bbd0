//! Faults of a wire: what happens to which byte.

use std::str::FromStr;
use std::time::Duration;

/// How long a delayed byte is late unless the fault says otherwise: longer than any answer but an
/// erase may take, so that it comes after the host has given up on it.
const DEFAULT_DELAY: Duration = Duration::from_millis(1500);

/// Which way a byte travels, as seen from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the host to the device.
    Out,
    /// From the device to the host.
    In,
}

/// What happens to a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is lost.
    Drop,
    /// Its bit 0 is inverted; the parity bit fits what arrives.
    Flip,
    /// It arrives twice.
    Duplicate,
    /// It, and all that follows it, is late by this much.
    Delay(Duration),
    /// The port goes away as the byte starts: unplugged. Nothing passes any more, and the host is
    /// told.
    Cut,
    /// The wire breaks as the byte starts: nothing passes any more, and nobody is told.
    Mute,
}

/// One fault: a kind, and the byte that it happens to.
///
/// As text: `KIND@BYTE[:in|out]`, with KIND one of `drop`, `flip`, `dup`, `delay`, `cut`, `mute`,
/// and BYTE counted from 0 in its direction, which is `out` unless given. `delay-MS@BYTE` delays
/// by that many milliseconds instead of 1500. Several faults are joined by `+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// To which byte, counted from 0 in its direction since the wire was plugged in.
    pub byte: u64,
    /// In which direction.
    pub direction: Direction,
}

/// A text that is no [`Fault`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no fault: write KIND@BYTE[:in|out], KIND one of drop, flip, dup, delay, delay-MS, cut, mute"
)]
pub struct FaultSyntax(String);

impl FromStr for Fault {
    type Err = FaultSyntax;

    fn from_str(text: &str) -> Result<Self, FaultSyntax> {
        let parse = || {
            let (kind, place) = text.split_once('@')?;
            let kind = match kind.split_once('-') {
                None => match kind {
                    "drop" => FaultKind::Drop,
                    "flip" => FaultKind::Flip,
                    "dup" => FaultKind::Duplicate,
                    "delay" => FaultKind::Delay(DEFAULT_DELAY),
                    "cut" => FaultKind::Cut,
                    "mute" => FaultKind::Mute,
                    _ => return None,
                },
                Some(("delay", ms)) => FaultKind::Delay(Duration::from_millis(ms.parse().ok()?)),
                Some(_) => return None,
            };
            let (byte, direction) = match place.split_once(':') {
                None | Some((_, "out")) => (place, Direction::Out),
                Some((_, "in")) => (place, Direction::In),
                Some(_) => return None,
            };
            let byte = byte.split(':').next()?.parse().ok()?;
            Some(Self {
                kind,
                byte,
                direction,
            })
        };
        parse().ok_or_else(|| FaultSyntax(text.to_owned()))
    }
}

/// The faults of one direction, and how many bytes have passed.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    faults: Vec<Fault>,
    passed: u64,
}

impl Faults {
    pub(super) fn new(faults: &[Fault], direction: Direction) -> Self {
        Self {
            faults: faults
                .iter()
                .copied()
                .filter(|fault| fault.direction == direction)
                .collect(),
            passed: 0,
        }
    }

    /// What happens to the next byte, in the order the faults were given.
    pub(super) fn next(&mut self) -> impl Iterator<Item = FaultKind> + use<'_> {
        let byte = self.passed;
        self.passed += 1;
        self.faults
            .iter()
            .filter(move |fault| fault.byte == byte)
            .map(|fault| fault.kind)
    }
}
