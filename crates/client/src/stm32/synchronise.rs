//! Greeting a loader.

use std::time::Duration;

use flashwire_link::{BusFault, Instant};
use flashwire_protocol::stm32::{ACK, NACK, SYNC};

use super::bootloader::Parser;
use super::{Bootloader, Error, Reading};

/// What a loader made of the greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Synchronised {
    /// It was fresh from a reset and has measured the speed of the line.
    Fresh,
    /// Somebody had greeted it before, or nobody has to: it is alive, and at this speed.
    Already,
}

/// How often 0x7F is sent. The first one puts a loader that was greeted before in the middle of an
/// opcode, the second one makes it answer NACK: AN3155, section 2.
const TRIES: u32 = 2;

/// How long to wait for the answer, beyond the wire. stm32flash waits as long.
const ANSWER: Duration = Duration::from_millis(500);

/// Pause before an address is tried again on a bus.
const KNOCK_PAUSE: Duration = Duration::from_millis(10);

/// Most bytes of a wrong answer that are kept.
const SAMPLE_BYTES: usize = 64;

/// Pause before 0x7F is sent again to a chip that is about to reset.
const RESET_PAUSE: Duration = Duration::from_millis(100);

/// What one 0x7F brought.
enum Heard {
    Ack,
    Nack,
    Other,
}

impl Bootloader {
    /// Sends 0x7F until the loader answers, twice at most. AN3155, section 2. A stray zero before
    /// the answer is skipped (some adapters and pins make one).
    ///
    /// On a bus there is nothing to measure: Get Version is said until somebody acknowledges the
    /// address.
    ///
    /// A loader that was left in the middle of a command does not answer: then
    /// [`resume`](Self::resume). A reset and the boot lines are the caller's business.
    ///
    /// # Errors
    /// [`Error::NoAnswer`]; [`Error::WrongAnswer`] with what it looks like. On a bus
    /// [`Error::NoDevice`], [`Error::Bus`], and as [`get`](Self::get).
    pub fn synchronise(&mut self) -> Result<Synchronised, Error> {
        if self.options.interface.framed {
            return self.knock();
        }
        let begun = self.link.now();
        let mut received = Vec::new();
        self.parser = Parser::Away;
        self.in_flight.clear();
        self.frames.clear();
        self.link.discard_input()?;
        for _ in 0..TRIES {
            self.note(&[SYNC]);
            self.link.send(&[SYNC])?;
            let synchronised = match self.hear_greeting(&mut received)? {
                Heard::Ack => Synchronised::Fresh,
                Heard::Nack => Synchronised::Already,
                Heard::Other => continue,
            };
            self.parser = Parser::Idle;
            return Ok(synchronised);
        }
        Err(self.no_loader(&received, begun))
    }

    /// Says Get Version to whoever has the address, until somebody has.
    fn knock(&mut self) -> Result<Synchronised, Error> {
        let begun = self.link.now();
        let end = self.link.deadline(ANSWER).moment();
        loop {
            self.parser = Parser::Idle;
            match self.get_version() {
                Err(error) if self.is_nobody(&error) && self.link.now() < end => {
                    self.link.pause(KNOCK_PAUSE)?;
                }
                Err(error) if self.is_nobody(&error) => {
                    self.parser = Parser::Away;
                    let waited = self.link.now() - begun;
                    return Err(Error::NoDevice { waited });
                }
                done => return done.map(|_| Synchronised::Already),
            }
        }
    }

    /// Whether the very first frame was not acknowledged. Many controllers do not tell whether that
    /// was the address or a byte.
    fn is_nobody(&self, error: &Error) -> bool {
        let opening = self.frames.len() == 1;
        opening
            && matches!(
                error,
                Error::Bus {
                    fault: BusFault::NoDevice | BusFault::NotAcknowledged,
                    ..
                }
            )
    }

    /// As [`synchronise`](Self::synchronise), again and again for `limit`: for a chip that is
    /// resetting itself, or being reset by hand.
    ///
    /// # Errors
    /// As [`synchronise`](Self::synchronise), from the last try.
    pub fn synchronise_within(&mut self, limit: Duration) -> Result<Synchronised, Error> {
        let end = self.link.deadline(limit).moment();
        loop {
            self.link.pause(RESET_PAUSE)?;
            match self.synchronise() {
                Err(error) if error.means_no_loader() && self.link.now() < end => {}
                done => return done,
            }
        }
    }

    /// Takes up a conversation with a loader that was greeted before, without 0x7F: whatever
    /// command it was left in the middle of is brought to an end that changes nothing
    /// ([`resynchronise`](Self::resynchronise)). Gives up after about two seconds, on a bus four.
    ///
    /// # Errors
    /// [`Error::LostSync`], on a bus [`Error::Unresponsive`], if there is no sign of a loader; as [`get`](Self::get).
    pub fn resume(&mut self) -> Result<(), Error> {
        self.link.discard_input()?;
        self.resynchronise()?;
        self.confirm()
    }

    /// As [`resume`](Self::resume), also where the loader waits for the longest list of pages that
    /// there can be; at 115,200 baud it gives up after about 15 seconds.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_at_length(&mut self) -> Result<(), Error> {
        self.link.discard_input()?;
        self.resynchronise_at_length()?;
        self.confirm()
    }

    /// Makes sure that what answered is a loader.
    fn confirm(&mut self) -> Result<(), Error> {
        let found = self.persist(Self::get_version).map(drop);
        if found.is_err() {
            self.parser = Parser::Away;
        }
        found
    }

    /// Listens for the answer to one 0x7F.
    fn hear_greeting(&mut self, received: &mut Vec<u8>) -> Result<Heard, Error> {
        let wait = self.link.settings().wire_time(2) + ANSWER;
        let deadline = self.link.deadline(wait);
        let mut only_zeros = true;
        loop {
            let mut byte = [0];
            // Something that talks without end must not be listened to without end.
            if self.link.recv(&mut byte, deadline)? == 0 || self.link.now() > deadline.moment() {
                return Ok(Heard::Other);
            }
            match byte[0] {
                ACK if only_zeros => return Ok(Heard::Ack),
                NACK if only_zeros => return Ok(Heard::Nack),
                other => {
                    only_zeros &= other == 0;
                    if received.len() < SAMPLE_BYTES {
                        received.push(other);
                    }
                }
            }
        }
    }

    fn no_loader(&self, received: &[u8], begun: Instant) -> Error {
        match Reading::of(received, TRIES as usize) {
            None => Error::NoAnswer {
                tries: TRIES,
                waited: self.link.now() - begun,
            },
            Some(reading) => Error::WrongAnswer {
                reading,
                sample: received.to_vec(),
            },
        }
    }
}
