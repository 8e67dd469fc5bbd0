//! Transfers of an I2C bus as requests and answers on a stream.
//!
//! | request | bytes |
//! |---|---|
//! | write | 0, address, count (two bytes, low one first), the bytes |
//! | read | 1, address, count |
//!
//! | answer | bytes |
//! |---|---|
//! | done | 0; after a read the bytes |
//! | nobody acknowledged the address | 1 |
//! | a byte was not acknowledged | 2, which one (two bytes, low one first, counted from 0) |
//! | arbitration lost | 3 |
//! | the clock was held for too long | 4 |
//! | the controller failed | 5 |
//!
//! A request is answered when its transfer would have ended. Anything that is no request ends the
//! connection.

use flashwire_link::BusFault;

use super::{ServeError, Server, WATCH};
use crate::stm32::{Chip, ChipState};

/// Length of a request without its data, in bytes.
const HEADER_BYTES: usize = 4;

/// What a tool asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Request {
    Write { address: u8, bytes: Vec<u8> },
    Read { address: u8, count: usize },
}

/// What the first bytes of a stream are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Taken {
    /// A request, and how long it is.
    Request(Request, usize),
    /// The beginning of one.
    Part,
    /// None.
    Nonsense,
}

impl Request {
    /// Takes the first request of a stream.
    fn take(stream: &[u8]) -> Taken {
        let Some((&[kind, address, low, high], rest)) = stream.split_first_chunk::<HEADER_BYTES>()
        else {
            return Taken::Part;
        };
        let count = usize::from(u16::from_le_bytes([low, high]));
        match (kind, rest.get(..count)) {
            (0, Some(bytes)) => {
                let bytes = bytes.to_vec();
                Taken::Request(Self::Write { address, bytes }, HEADER_BYTES + count)
            }
            (0, None) => Taken::Part,
            (1, _) => Taken::Request(Self::Read { address, count }, HEADER_BYTES),
            _ => Taken::Nonsense,
        }
    }
}

/// The answer to a transfer that failed when so many bytes had been acknowledged.
fn failed(fault: BusFault, acknowledged: usize) -> Vec<u8> {
    match fault {
        BusFault::NoDevice => vec![1],
        BusFault::NotAcknowledged => {
            let [low, high] = u16::try_from(acknowledged)
                .unwrap_or(u16::MAX)
                .to_le_bytes();
            vec![2, low, high]
        }
        BusFault::ArbitrationLost => vec![3],
        BusFault::ClockHeld => vec![4],
        _ => vec![5],
    }
}

impl Server {
    /// Does what the tool has asked for.
    pub(super) fn do_transfers(&mut self) -> Result<(), ServeError> {
        loop {
            match Request::take(&self.requests) {
                Taken::Request(request, length) => {
                    self.requests.drain(..length);
                    self.transfer(request);
                    if self.bench.wire().is_closed() {
                        return Ok(());
                    }
                }
                Taken::Part => return Ok(()),
                Taken::Nonsense => {
                    self.port.hang_up()?;
                    self.tool_has_gone();
                    return Ok(());
                }
            }
        }
    }

    /// Does one transfer, and has its answer ready when it would have ended.
    fn transfer(&mut self, request: Request) {
        let now = self.now();
        self.bench.wire_mut().advance(now);
        if !std::mem::replace(&mut self.greeted, true) && !self.bench.chip().is_some_and(is_loader)
        {
            self.press_button();
        }
        let wire = self.bench.wire_mut();
        let done = match request {
            Request::Write { address, bytes } => {
                wire.bus_write(address, &bytes).map(|()| Vec::new())
            }
            Request::Read { address, count } => {
                let mut bytes = vec![0; count];
                wire.bus_read(address, &mut bytes).map(|()| bytes)
            }
        };
        let answer = match done {
            Ok(bytes) => [&[0], &bytes[..]].concat(),
            Err(fault) => failed(fault, wire.acknowledged()),
        };
        if !wire.is_closed() {
            self.unread.extend(answer);
        }
        self.catch_up();
    }

    /// Waits until the clock on the wall is where the bench is.
    fn catch_up(&self) {
        let end = self.bench.wire().now();
        std::thread::sleep((end - self.now()).saturating_sub(WATCH));
        while self.now() < end {
            std::hint::spin_loop();
        }
    }
}

fn is_loader(chip: &Chip) -> bool {
    !matches!(chip.state(), ChipState::Application(_) | ChipState::Crashed)
}
