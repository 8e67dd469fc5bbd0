//! A board for tests: it writes down what happens on its bus, answers with bytes that tell where
//! they come from, and notes every call that a real board could not make sense of.

use std::collections::VecDeque;

use flashwire_device::serprog::Programmer;
use flashwire_device::{Board, Device, Moment};

/// What happened between two edges of a chip select.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// Which chip select.
    pub(crate) line: u8,
    /// What was sent.
    pub(crate) sent: Vec<u8>,
    /// How many bytes were read.
    pub(crate) read: u32,
}

/// A bus with one chip that is busy for some status polls after each page program.
#[derive(Debug, Default)]
pub(crate) struct TestBoard {
    pub(crate) log: Vec<Transaction>,
    pub(crate) misuse: Vec<&'static str>,
    /// Clock and outputs as last set.
    pub(crate) spi_hz: u32,
    pub(crate) outputs: bool,
    /// How many status polls find the chip busy after each program.
    pub(crate) busy_polls: u32,
    /// Content from address 0; beyond its end the chip is blank.
    pub(crate) memory: Vec<u8>,
    busy: u32,
    open: Option<Transaction>,
    announced: Option<u32>,
    micros: u32,
}

/// Clocks that the board has, in Hz.
pub(crate) const CLOCKS: [u32; 3] = [18_000_000, 9_000_000, 281_250];

impl TestBoard {
    /// The chip's answer byte `index` after what was sent.
    fn miso(&self, sent: &[u8], index: u32) -> u8 {
        match *sent {
            [0x05, ..] => u8::from(self.busy > 0),
            [0x9F] => [0xEF, 0x40, 0x17][index as usize % 3],
            [0x03, a, b, c] | [0x0B, a, b, c, _] => {
                let address = u32::from_be_bytes([0, a, b, c]) + index;
                self.memory.get(address as usize).copied().unwrap_or(0xFF)
            }
            _ => index as u8,
        }
    }

    fn expect(&mut self, is_right: bool, misuse: &'static str) {
        if !is_right {
            self.misuse.push(misuse);
        }
    }
}

impl Board for TestBoard {
    fn now(&self) -> Moment {
        Moment::from_micros(self.micros)
    }

    fn select(&mut self, line: u8) {
        self.expect(self.open.is_none(), "select while selected");
        self.expect(self.outputs, "select while the pins are let go");
        self.open = Some(Transaction {
            line,
            ..Transaction::default()
        });
        self.announced = None;
    }

    fn deselect(&mut self) {
        let Some(transaction) = self.open.take() else {
            return;
        };
        match transaction.sent.first() {
            Some(0x02) => self.busy = self.busy_polls,
            Some(0x05) => self.busy = self.busy.saturating_sub(1),
            _ => {}
        }
        self.log.push(transaction);
    }

    fn write(&mut self, bytes: &[u8]) {
        self.expect(self.announced.is_none(), "write after read");
        self.micros += bytes.len() as u32;
        match &mut self.open {
            Some(transaction) => transaction.sent.extend(bytes),
            None => self.misuse.push("write while deselected"),
        }
    }

    fn start_read(&mut self, count: u32) {
        self.expect(self.open.is_some(), "read while deselected");
        self.expect(self.announced.is_none(), "two reads in one transaction");
        self.announced = Some(count);
    }

    fn finish_read(&mut self, out: &mut [u8]) {
        let announced = self.announced.unwrap_or_default();
        self.expect(
            out.len() as u32 <= announced,
            "more is read than was announced",
        );
        self.announced = Some(announced.saturating_sub(out.len() as u32));
        self.micros += out.len() as u32;
        let Some(transaction) = self.open.take() else {
            return self.misuse.push("read while deselected");
        };
        for (byte, index) in out.iter_mut().zip(transaction.read..) {
            *byte = self.miso(&transaction.sent, index);
        }
        self.open = Some(Transaction {
            read: transaction.read + out.len() as u32,
            ..transaction
        });
    }

    fn set_clock(&mut self, hz: u32) -> u32 {
        let [.., slowest] = CLOCKS;
        self.spi_hz = CLOCKS
            .into_iter()
            .find(|&clock| clock <= hz)
            .unwrap_or(slowest);
        self.spi_hz
    }

    fn set_outputs(&mut self, driven: bool) {
        self.outputs = driven;
    }
}

/// Offers `input` in chunks of `chunk` bytes, fetches answers in buffers of `packet` bytes, and
/// goes on until nothing moves any more. Returns the answers; bytes that were never taken are
/// counted in the second value.
pub(crate) fn converse(
    programmer: &mut Programmer<TestBoard>,
    input: &[u8],
    chunk: usize,
    packet: usize,
) -> (Vec<u8>, usize) {
    let mut pending: VecDeque<u8> = input.iter().copied().collect();
    let mut answers = Vec::new();
    let mut offered = Vec::new();
    loop {
        if offered.is_empty() {
            offered.extend(pending.drain(..chunk.min(pending.len())));
        }
        let now = programmer.board().now();
        let taken = programmer.receive(now, &offered);
        offered.drain(..taken);
        let mut buffer = vec![0; packet];
        let filled = programmer.transmit(programmer.board().now(), &mut buffer);
        answers.extend(&buffer[..filled]);
        let finished = offered.is_empty() && pending.is_empty();
        let idle = programmer.wake_up().is_none();
        if filled == 0 && idle && (taken == 0 || finished) {
            return (answers, offered.len() + pending.len());
        }
    }
}

/// As [`converse`] with comfortable buffers; everything must have been taken.
pub(crate) fn ask(programmer: &mut Programmer<TestBoard>, input: &[u8]) -> Vec<u8> {
    let (answers, left) = converse(programmer, input, 64, 64);
    assert_eq!(left, 0, "bytes were not taken");
    answers
}
