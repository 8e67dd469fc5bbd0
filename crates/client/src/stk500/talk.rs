//! Commands and their answers, and the way back when a loader has gone.

use std::time::Duration;

use flashwire_link::{Instant, Link};
use flashwire_protocol::stk500::{Command, Frame, Response};

use super::greet::{ROUNDS, TRIES, greet};
use super::{Error, Options};

/// How long to wait for any other answer, beyond the wire: a page takes at most 9 ms to be erased
/// and programmed (4.5 ms each, ATmega328P data sheet DS40002061B, "Boot Loader Support", "SPM
/// Programming Time"), and adapters hold bytes back for some 10 ms.
pub(super) const ANSWER: Duration = Duration::from_millis(400);

/// How long a loader waits for a command before it starts the application: 1 s both (`WATCHDOG_1S`
/// of optiboot 4.4, `MAX_TIME_COUNT` of ATmegaBOOT). After this much less nobody counts on it.
const PATIENCE: Duration = Duration::from_millis(700);

/// A conversation with a loader that has answered once.
pub(super) struct Talk {
    pub(super) link: Box<dyn Link>,
    pub(super) options: Options,
    /// The speed that it answered at, in bits per second.
    pub(super) baud: u32,
    /// When it last answered; `None` when nobody knows what it is at.
    pub(super) heard_at: Option<Instant>,
}

impl Talk {
    /// Load Address and a command about a block there, in one write: each loader takes the second
    /// while it answers the first, and every adapter's latency is waited for once.
    pub(super) fn at_address(
        &mut self,
        address: u32,
        request: &Frame,
        data_bytes: usize,
    ) -> Result<Vec<u8>, Error> {
        let command = match data_bytes {
            0 => Command::ProgPage,
            _ => Command::ReadPage,
        };
        let words = u16::try_from(address / 2).ok();
        let words = words.filter(|_| address.is_multiple_of(2));
        let load = Frame::load_address(words.expect("an even address that flash has"));
        self.link
            .send(&[load.as_bytes(), request.as_bytes()].concat())?;
        let sent = load.as_bytes().len() + request.as_bytes().len();
        self.answer(sent, Command::LoadAddress, Some(address), 0)?;
        self.answer(sent, command, Some(address), data_bytes)
    }

    /// One command and its answer: `data_bytes` of data.
    pub(super) fn exchange(
        &mut self,
        request: &Frame,
        command: Command,
        data_bytes: usize,
    ) -> Result<Vec<u8>, Error> {
        self.link.send(request.as_bytes())?;
        self.answer(request.as_bytes().len(), command, None, data_bytes)
    }

    /// Takes an answer. `sent` bytes are on the way to what answers.
    fn answer(
        &mut self,
        sent: usize,
        command: Command,
        address: Option<u32>,
        data_bytes: usize,
    ) -> Result<Vec<u8>, Error> {
        let expected = data_bytes + 2;
        let waited = ANSWER + self.link.settings().wire_time(sent + expected);
        let mut answer = vec![0; expected];
        let deadline = self.link.deadline(waited);
        let received = self.link.recv_all(&mut answer, deadline)?;
        answer.truncate(received);
        let begins = answer.first() == Some(&Response::InSync.code());
        let ends = answer.last() == Some(&Response::Ok.code());
        if received > 0 && !begins || received == expected && !ends {
            return Err(Error::Malformed {
                command,
                address,
                answer,
            });
        }
        if received < expected {
            return Err(Error::Timeout {
                command,
                address,
                received,
                expected,
                waited,
            });
        }
        self.heard_at = Some(self.link.now());
        answer.pop();
        answer.remove(0);
        Ok(answer)
    }

    /// Does something, again after a reset if the conversation goes wrong.
    pub(super) fn persistently<T>(
        &mut self,
        mut work: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut retries = self.options.retries;
        loop {
            let done = self.come_back().and_then(|()| work(self));
            match done {
                Err(error) if error.may_pass() && retries > 0 => {
                    retries -= 1;
                    self.heard_at = None;
                }
                Err(error) => {
                    self.heard_at = None;
                    return Err(error);
                }
                done => return done,
            }
        }
    }

    /// Whether the loader still waits for a command.
    pub(super) fn is_waiting(&self) -> bool {
        self.heard_at
            .is_some_and(|heard| self.link.now() - heard < PATIENCE)
    }

    /// Gets the loader to where it waits for a command, if it has not been waiting since the last
    /// one. It keeps nothing over a reset that matters.
    fn come_back(&mut self) -> Result<(), Error> {
        if self.is_waiting() {
            return Ok(());
        }
        let reset = &self.options.reset;
        let begun = self.link.now();
        let mut received = Vec::new();
        for _ in 0..ROUNDS {
            if greet(&mut *self.link, reset, &mut received)? {
                self.heard_at = Some(self.link.now());
                return Ok(());
            }
        }
        Err(Error::NoAnswer {
            bauds: vec![self.baud],
            tries: ROUNDS * TRIES as u32,
            waited: self.link.now() - begun,
        })
    }
}
