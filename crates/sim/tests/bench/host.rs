//! A host that says bytes and expects bytes.

use std::time::Duration;

use flashwire_link::{Instant, Line, LineChange, Link, Settings};
use flashwire_protocol::stm32::{Command, Frame};
use flashwire_sim::stm32::{Chip, ChipState};
use flashwire_sim::{ComplaintKind, SimLink};

pub(crate) const ACK: u8 = 0x79;
pub(crate) const NACK: u8 = 0x1F;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than any gap within an answer, and than a block takes.
const SILENCE: Duration = Duration::from_millis(100);

pub(crate) struct Host {
    pub(crate) link: SimLink,
}

impl Host {
    /// Opens a bench at 115200 8E1.
    pub(crate) fn open(spec: &str) -> Self {
        let mut link = SimLink::open(spec).expect("the bench opens");
        link.configure(Settings::even(115_200)).expect("configured");
        Self { link }
    }

    /// Opens a bench and synchronises its loader.
    pub(crate) fn synchronised(spec: &str) -> Self {
        let mut host = Self::open(spec);
        host.exchange(&[0x7F], &[ACK]);
        host
    }

    /// Sends bytes and expects exactly this answer, then silence.
    #[track_caller]
    pub(crate) fn exchange(&mut self, sent: &[u8], answer: &[u8]) {
        self.link.send(sent).expect("sent");
        assert_eq!(self.answer(answer.len()), answer, "to {sent:02X?}");
    }

    /// What arrives: `expected` bytes within a minute, and whatever follows without a pause.
    pub(crate) fn answer(&mut self, expected: usize) -> Vec<u8> {
        let mut got = vec![0; expected];
        let deadline = self.link.deadline(PATIENCE);
        let count = self
            .link
            .recv_all(&mut got, deadline)
            .expect("the link lives");
        got.truncate(count);
        let mut more = [0; 512];
        let deadline = self.link.deadline(SILENCE);
        let count = self
            .link
            .recv_all(&mut more, deadline)
            .expect("the link lives");
        got.extend(&more[..count]);
        got
    }

    /// Sends a command that is acknowledged.
    #[track_caller]
    pub(crate) fn command(&mut self, command: Command) {
        self.exchange(&command.opcode(), &[ACK]);
    }

    /// Sends a frame; returns the one byte that answers it.
    #[track_caller]
    pub(crate) fn frame(&mut self, frame: &[u8]) -> u8 {
        self.link.send(frame).expect("sent");
        let answer = self.answer(1);
        assert_eq!(answer.len(), 1, "{answer:02X?} to {frame:02X?}");
        answer[0]
    }

    /// Reads memory; `None` if the address or the length is refused.
    #[track_caller]
    pub(crate) fn read(&mut self, address: u32, count: usize) -> Option<Vec<u8>> {
        self.command(Command::ReadMemory);
        if self.frame(Frame::word(address).as_bytes()) == NACK {
            return None;
        }
        let length = Frame::byte_count(count).expect("a length");
        self.link.send(length.as_bytes()).expect("sent");
        let answer = self.answer(1 + count);
        match answer[..] {
            [ACK, ref data @ ..] if data.len() == count => Some(data.to_vec()),
            [NACK] => None,
            _ => panic!("{answer:02X?} to a read"),
        }
    }

    /// Writes memory; returns the answer to the data.
    #[track_caller]
    pub(crate) fn write(&mut self, address: u32, data: &[u8]) -> u8 {
        self.command(Command::WriteMemory);
        assert_eq!(self.frame(Frame::word(address).as_bytes()), ACK);
        self.frame(Frame::data(data).expect("a block").as_bytes())
    }

    /// Erases pages by the command that the part has; returns the answer.
    #[track_caller]
    pub(crate) fn erase(&mut self, pages: &[u16]) -> u8 {
        let commands = self.chip().part().loader.commands;
        if commands.contains(&Command::Erase) {
            self.command(Command::Erase);
            let pages: Vec<u8> = pages.iter().map(|page| *page as u8).collect();
            return self.frame(Frame::erase(&pages).expect("pages").as_bytes());
        }
        self.command(Command::ExtendedErase);
        self.frame(Frame::extended_erase(pages).expect("pages").as_bytes())
    }

    /// Lets time pass.
    pub(crate) fn pause(&mut self, duration: Duration) {
        self.link.pause(duration).expect("the link lives");
    }

    /// Sends 0x7F to a loader that has been reset, and expects its acknowledge.
    #[track_caller]
    pub(crate) fn synchronise(&mut self) {
        self.pause(Duration::from_millis(100));
        self.exchange(&[0x7F], &[ACK]);
    }

    /// Moves lines, all at once.
    pub(crate) fn lines(&mut self, lines: &[(Line, bool)]) {
        let changes: Vec<LineChange> = lines
            .iter()
            .map(|(line, on)| LineChange {
                line: line.clone(),
                on: *on,
            })
            .collect();
        self.link.lines(&changes).expect("the link lives");
        self.pause(Duration::from_millis(1));
    }

    pub(crate) fn now(&self) -> Instant {
        self.link.now()
    }

    pub(crate) fn chip(&self) -> &Chip {
        self.link.bench().chip().expect("an STM32")
    }

    pub(crate) fn state(&self) -> ChipState {
        self.chip().state()
    }

    /// The kinds of complaints so far.
    pub(crate) fn complaints(&self) -> Vec<ComplaintKind> {
        let complaints = self.link.bench().complaints();
        complaints.iter().map(|complaint| complaint.kind).collect()
    }

    #[track_caller]
    pub(crate) fn no_complaints(&self) {
        assert_eq!(self.link.bench().complaints(), []);
    }
}
