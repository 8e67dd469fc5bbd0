//! Commands one at a time, and what is believed of their answers.

use std::time::Duration;

use flashwire_protocol::nfd::{Command, LINE_END, Protection, REGISTERS, Request, parse_bytes};

use super::exchange::chip_work;
use super::{Client, Error};
use crate::spinor;

/// How often something is tried again after a fault that may pass.
pub(super) const TRIES: u32 = 3;

/// Most questions until two in a row have the same answer.
const ROUNDS: u32 = 5;

/// How long after the last of it a text is over.
const TEXT_GAP: Duration = Duration::from_millis(200);

/// Most bytes of a text; the sketch's help has 781.
const MOST_TEXT_BYTES: usize = 4096;

impl Client {
    /// The page of help, as the firmware has it, without its line ends.
    ///
    /// # Errors
    /// What the programmer or the link did.
    pub fn help(&mut self) -> Result<Vec<String>, Error> {
        if self.outstanding() > 0 {
            return Err(Error::OutOfStep);
        }
        self.link.send(&[Command::Help.letter()])?;
        let mut text = Vec::new();
        let mut wait = TEXT_GAP * 5;
        while text.len() < MOST_TEXT_BYTES && self.receive(wait)? {
            text.extend(self.inbox().drain(..));
            wait = TEXT_GAP;
        }
        self.resynchronise()?;
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().map(ToOwned::to_owned).collect())
    }

    /// The CRC of what is in the page buffer.
    ///
    /// # Errors
    /// [`spinor::Error::Unstable`] if it is another one each time; what the programmer or the link
    /// did.
    pub fn buffer_crc(&mut self) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.surely(&mut bytes, |client| {
            let answer = client.ask_plain(Command::BufferCrc, Duration::ZERO)?;
            let line = answer.strip_suffix(LINE_END.as_bytes());
            bytes_of::<4>(Command::BufferCrc, line.unwrap_or(&answer)).map(Vec::from)
        })?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// The chip's JEDEC id. `None` if the firmware cannot ask for it.
    ///
    /// # Errors
    /// As [`buffer_crc`](Self::buffer_crc).
    pub fn jedec_id(&mut self) -> Result<Option<[u8; REGISTERS]>, Error> {
        let question = Request::plain(Command::JedecId).ok_or(Error::OutOfStep)?;
        let mut id = [0; REGISTERS];
        let known = self.surely(&mut id, |client| {
            let answer = client.try_new(&question)?;
            answer.map_or(Ok(Vec::new()), |answer| {
                registers(Command::JedecId, &answer)
            })
        })?;
        Ok(known.then_some(id))
    }

    /// Status registers 1 to 3, as the chip answers 05h, 35h and 15h.
    ///
    /// # Errors
    /// As [`buffer_crc`](Self::buffer_crc).
    pub fn status_registers(&mut self) -> Result<[u8; REGISTERS], Error> {
        let mut status = [0; REGISTERS];
        self.surely(&mut status, |client| {
            let answer = client.ask_plain(Command::Status, Duration::ZERO)?;
            registers(Command::Status, &answer)
        })?;
        Ok(status)
    }

    /// What the firmware makes of the chip's protection.
    ///
    /// # Errors
    /// As [`buffer_crc`](Self::buffer_crc).
    pub fn firmware_protection(&mut self) -> Result<Protection, Error> {
        let mut bytes = [0; 2];
        self.surely(&mut bytes, |client| {
            let answer = client.ask_plain(Command::Protection, Duration::ZERO)?;
            bytes_of::<2>(Command::Protection, &answer).map(Vec::from)
        })?;
        let [registers, memory] = bytes;
        Ok(Protection { registers, memory })
    }

    /// Has the firmware set or clear BP0 to BP2, and clear CMP. It answers before it begins; the next
    /// command is answered when it is done.
    pub(super) fn change_protection(&mut self, command: Command) -> Result<(), Error> {
        /// Two status writes: 15 ms each on most chips, a second and more on the oldest.
        const LONGEST_WRITES: Duration = Duration::from_secs(3);
        self.working = Some((command, self.link().now()));
        self.ask_plain(command, Duration::ZERO)?;
        let hello = Request::plain(Command::Hello).ok_or(Error::OutOfStep)?;
        self.queue(&hello, chip_work(LONGEST_WRITES))?;
        self.collect()?;
        self.working = None;
        Ok(())
    }

    /// A command without arguments.
    fn ask_plain(&mut self, command: Command, work: Duration) -> Result<Vec<u8>, Error> {
        if self.outstanding() > 0 {
            return Err(Error::OutOfStep);
        }
        let request = Request::plain(command).ok_or(Error::OutOfStep)?;
        self.queue(&request, work)?;
        self.collect()
    }

    /// A command that old firmware does not have, and then ignores: `>` behind it is answered at
    /// once. `None` if it does not have it.
    pub(super) fn try_new(&mut self, request: &Request) -> Result<Option<Vec<u8>>, Error> {
        if self.outstanding() > 0 {
            return Err(Error::OutOfStep);
        }
        self.queue(request, Duration::ZERO)?;
        self.queue_plain(Command::Hello)?;
        let answer = if self.peek()? == Command::Hello.letter() {
            self.skip()?;
            None
        } else {
            Some(self.collect()?)
        };
        let greeting = self.collect()?;
        if greeting != self.greeting {
            self.in_step = false;
            return Err(Error::OutOfStep);
        }
        Ok(answer)
    }

    /// Does what changes nothing, again after a fault that may pass.
    pub(super) fn patiently<T>(
        &mut self,
        mut ask: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            match ask(self) {
                Err(error) if tries < TRIES && error.may_pass() => {
                    tries += 1;
                    self.resynchronise()?;
                }
                done => return done,
            }
        }
    }

    /// Asks until two answers in a row are the same: none carries a check value. Whether there was
    /// one to fill `out` with.
    fn surely(
        &mut self,
        out: &mut [u8],
        mut ask: impl FnMut(&mut Self) -> Result<Vec<u8>, Error>,
    ) -> Result<bool, Error> {
        let mut first = self.patiently(&mut ask)?;
        for _ in 1..ROUNDS {
            let second = self.patiently(&mut ask)?;
            if second == first {
                let is_known = first.len() == out.len();
                if is_known {
                    out.copy_from_slice(&first);
                }
                return Ok(is_known);
            }
            first = second;
        }
        let second = self.patiently(&mut ask)?;
        Err(spinor::Error::Unstable { first, second }.into())
    }
}

/// A letter and a CRC.
pub(super) fn crc_of(command: Command, answer: &[u8]) -> Result<u32, Error> {
    bytes_of(command, answer).map(u32::from_be_bytes)
}

/// A letter, a count of three, and as many bytes.
fn registers(command: Command, answer: &[u8]) -> Result<Vec<u8>, Error> {
    match bytes_of::<{ 1 + REGISTERS }>(command, answer)? {
        [count, registers @ ..] if usize::from(count) == REGISTERS => Ok(registers.to_vec()),
        _ => Err(unexpected(command, answer)),
    }
}

/// A letter and so many bytes.
pub(super) fn bytes_of<const N: usize>(command: Command, answer: &[u8]) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let digits = answer.get(1..).unwrap_or_default();
    parse_bytes(digits, &mut bytes).map_err(|_| unexpected(command, answer))?;
    Ok(bytes)
}

fn unexpected(command: Command, answer: &[u8]) -> Error {
    /// A dump is no reading matter.
    const MOST_SHOWN_BYTES: usize = 24;
    let found = answer[..answer.len().min(MOST_SHOWN_BYTES)].to_vec();
    Error::Unexpected { command, found }
}
