//! A host that says bytes and expects bytes.

use std::time::Duration;

use flashwire_link::{Link, Settings};
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
