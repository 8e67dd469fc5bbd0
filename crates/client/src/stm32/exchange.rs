//! The bricks that all commands are built of: frames out, acknowledgements in, each wait with a
//! deadline.

use std::time::Duration;

use flashwire_protocol::stm32::{ACK, BLOCK_BYTES, Command, Frame, NACK};

use super::bootloader::{Parser, malformed};
use super::{Bootloader, Error, Phase, Step};

/// Most phases that are answered together: opcode, address, and count or data.
pub(super) const MOST_STEPS: usize = 3;

impl Step {
    pub(super) const fn of(command: Command, phase: Phase) -> Self {
        Self {
            command,
            phase,
            address: None,
        }
    }

    pub(super) const fn at(command: Command, phase: Phase, address: u32) -> Self {
        Self {
            command,
            phase,
            address: Some(address),
        }
    }
}

impl Bootloader {
    /// Begins a command: brings a broken-off parser back first. Until [`finish`](Self::finish) the
    /// parser counts as broken off, so that an early return needs no care.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        match self.parser {
            Parser::Away => return Err(Error::NotSynchronised),
            Parser::Idle => {}
            Parser::Unknown => self.resynchronise()?,
        }
        self.in_flight.clear();
        self.frames.clear();
        self.parser = Parser::Unknown;
        Ok(())
    }

    /// Ends a command that was said and answered to its end: the loader waits for the next.
    pub(super) fn finish(&mut self) {
        self.parser = Parser::Idle;
    }

    /// The opcode phase: code and complement out, ACK in, followed by `answer` where the command
    /// is answered at once.
    pub(super) fn opcode(&mut self, command: Command, answer: &mut [u8]) -> Result<(), Error> {
        let sent = self.link.now();
        self.put(&[&command.opcode()])?;
        let step = Step::of(command, Phase::Opcode);
        self.collect(&[step], answer, 2, Duration::ZERO)?;
        let wire = self.link.settings().wire_time(3 + answer.len());
        let beyond = (self.link.now() - sent).saturating_sub(wire);
        let shortest = self.round_trip.map_or(beyond, |known| known.min(beyond));
        self.round_trip = Some(shortest);
        Ok(())
    }

    /// One phase in lock-step: a frame out, its ACK in.
    pub(super) fn phase(&mut self, step: Step, frame: &Frame) -> Result<(), Error> {
        self.work(step, frame, Duration::ZERO)
    }

    /// The last phase of a command that does something: the ACK comes when it is done, which takes
    /// `most` at most.
    pub(super) fn work(&mut self, step: Step, frame: &Frame, most: Duration) -> Result<(), Error> {
        self.put(&[frame.as_bytes()])?;
        self.collect(&[step], &mut [], frame.as_bytes().len(), most)
    }

    /// Sends frames in one go, and remembers them as what the parser may be in the middle of.
    pub(super) fn put(&mut self, frames: &[&[u8]]) -> Result<(), Error> {
        let from = self.in_flight.len();
        for frame in frames {
            self.note(frame);
        }
        self.link.send(&self.in_flight[from..])?;
        Ok(())
    }

    /// Remembers a frame as what the parser may be in the middle of.
    pub(super) fn note(&mut self, frame: &[u8]) {
        self.frames.push(self.in_flight.len());
        self.in_flight.extend_from_slice(frame);
    }

    /// Receives one ACK per step and then `data`, in as few reads as they arrive in. `sent` bytes
    /// have just been put on the wire; the work that they ask for takes `most` at most.
    pub(super) fn collect(
        &mut self,
        steps: &[Step],
        data: &mut [u8],
        sent: usize,
        most: Duration,
    ) -> Result<(), Error> {
        let mut answer = [0; MOST_STEPS + BLOCK_BYTES];
        let wanted = steps.len() + data.len();
        let answer = &mut answer[..wanted];
        let wait = self.allowance(sent + wanted, most);
        let deadline = self.link.deadline(wait);
        let mut filled = 0;
        while filled < wanted {
            let count = self.link.recv(&mut answer[filled..], deadline)?;
            if count == 0 {
                return Err(Error::Timeout {
                    step: steps[filled.min(steps.len() - 1)],
                    received: filled,
                    expected: wanted,
                    waited: wait,
                });
            }
            let acknowledged = filled.min(steps.len())..(filled + count).min(steps.len());
            for (&step, &byte) in steps[acknowledged.clone()]
                .iter()
                .zip(&answer[acknowledged])
            {
                match byte {
                    ACK => {}
                    NACK => return Err(Error::Nack { step }),
                    byte => return Err(Error::Unexpected { step, byte }),
                }
            }
            filled += count;
        }
        data.copy_from_slice(&answer[steps.len()..]);
        Ok(())
    }

    /// Receives the next bytes of an answer that has begun.
    pub(super) fn receive(&mut self, step: Step, bytes: &mut [u8]) -> Result<(), Error> {
        self.receive_late(step, bytes, Duration::ZERO)
    }

    /// Receives the next bytes of an answer that the loader works on for `most` at most.
    pub(super) fn receive_late(
        &mut self,
        step: Step,
        bytes: &mut [u8],
        most: Duration,
    ) -> Result<(), Error> {
        let waited = self.allowance(bytes.len(), most);
        let deadline = self.link.deadline(waited);
        let received = self.link.recv_all(bytes, deadline)?;
        if received < bytes.len() {
            return Err(Error::Timeout {
                step,
                received,
                expected: bytes.len(),
                waited,
            });
        }
        Ok(())
    }

    /// Makes sure that nothing more comes than was asked for: a character or two of silence.
    pub(super) fn expect_silence(&mut self) -> Result<(), Error> {
        let deadline = self.link.deadline(self.link.settings().wire_time(2));
        let mut byte = [0];
        if self.link.recv(&mut byte, deadline)? == 0 {
            return Ok(());
        }
        self.parser = Parser::Unknown;
        Err(malformed(Command::ReadMemory, &byte))
    }

    /// How long to wait for something that takes `bytes` characters and `most` of work.
    pub(super) fn allowance(&self, bytes: usize, most: Duration) -> Duration {
        self.link.settings().wire_time(bytes) + most + self.options.answer_timeout
    }

    /// Does something that may fail in passing again, up to the number of retries.
    pub(super) fn persist<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        for _ in 0..self.options.retries {
            match attempt(self) {
                Err(error) if error.may_pass() => {}
                done => return done,
            }
        }
        attempt(self)
    }
}
