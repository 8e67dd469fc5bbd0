//! The bricks that all commands are built of: frames out, acknowledgements in, each wait with a
//! deadline.

use std::time::Duration;

use flashwire_protocol::stm32::{ACK, BLOCK_BYTES, BUSY, Command, Frame, NACK};

use super::bootloader::{Parser, malformed};
use super::{Bootloader, Error, Phase, Step};

/// Most phases that are answered together: opcode, address, and count or data.
pub(super) const MOST_STEPS: usize = 3;

/// Pause before a loader that says BUSY is asked again: a small part of what the shortest work
/// takes, and room on the bus for others.
const BUSY_PAUSE: Duration = Duration::from_micros(500);

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
        self.working = Duration::ZERO;
        self.parser = Parser::Unknown;
        Ok(())
    }

    /// Ends a command that was said and answered to its end: the loader waits for the next.
    pub(super) fn finish(&mut self) {
        self.parser = Parser::Idle;
    }

    /// The command that does the same without holding the clock of a bus, where the loader lists it.
    pub(super) fn gentle(&self, command: Command) -> Command {
        let listed = |other: &Command| self.commands.contains(*other);
        command.no_stretch().filter(listed).unwrap_or(command)
    }

    /// The opcode phase: code and complement out, ACK in.
    pub(super) fn opcode(&mut self, command: Command) -> Result<(), Error> {
        let sent = self.link.now();
        let step = Step::of(command, Phase::Opcode);
        self.put(step, &[&command.opcode()])?;
        self.collect(&[step], &mut [], 2, Duration::ZERO)?;
        let wire = self.link.settings().wire_time(3);
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
        self.put(step, &[frame.as_bytes()])?;
        self.collect(&[step], &mut [], frame.as_bytes().len(), most)
    }

    /// Sends frames in one go, and remembers them as what the parser may be in the middle of.
    pub(super) fn put(&mut self, step: Step, frames: &[&[u8]]) -> Result<(), Error> {
        let from = self.in_flight.len();
        for frame in frames {
            self.note(frame);
        }
        let sent = self.link.send(&self.in_flight[from..]);
        sent.map_err(|error| Error::at(step, error))
    }

    /// Remembers a frame as what the parser may be in the middle of.
    pub(super) fn note(&mut self, frame: &[u8]) {
        self.frames.push(self.in_flight.len());
        self.in_flight.extend_from_slice(frame);
    }

    /// Receives one ACK per step and then `data`, in as few reads as they arrive in; on a bus each
    /// in a read of its own. `sent` bytes have just been put on the wire; the work that they ask
    /// for takes `most` at most, and a loader that says BUSY meanwhile is asked again.
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
        self.working = most;
        let framed = self.options.interface.framed;
        let mut filled = 0;
        while filled < wanted {
            let step = steps[filled.min(steps.len() - 1)];
            let is_ack = filled < steps.len();
            let end = if framed && is_ack { filled + 1 } else { wanted };
            let count = self
                .link
                .recv(&mut answer[filled..end], deadline)
                .map_err(|error| Error::at(step, error))?;
            if count == 0 {
                return Err(Error::Timeout {
                    step,
                    received: filled,
                    expected: wanted,
                    waited: wait,
                });
            }
            if framed && is_ack && answer[filled] == BUSY && step.command.answers_busy() {
                if deadline.remaining(self.link.now()).is_zero() {
                    return Err(Error::Busy { step, waited: wait });
                }
                self.link.pause(BUSY_PAUSE)?;
                continue;
            }
            let acknowledged = filled.min(steps.len())..(filled + count).min(steps.len());
            for (&step, &byte) in steps[acknowledged.clone()]
                .iter()
                .zip(&answer[acknowledged])
            {
                match byte {
                    ACK => {}
                    NACK => {
                        self.refused();
                        return Err(Error::Nack { step });
                    }
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
        let received = self
            .link
            .recv_all(bytes, deadline)
            .map_err(|error| Error::at(step, error))?;
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

    /// The loader has refused a frame, which ends the command. On a bus that leaves no doubt where
    /// its parser stands; on a stream more may have been said than it has refused.
    fn refused(&mut self) {
        if self.options.interface.framed {
            self.finish();
        }
    }

    /// Makes sure that nothing more comes than was asked for: a character or two of silence. On a
    /// bus nothing comes unasked.
    pub(super) fn expect_silence(&mut self) -> Result<(), Error> {
        if self.options.interface.framed {
            return Ok(());
        }
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
