//! The conversation with a loader, and the commands that only ask.

use std::time::Duration;

use flashwire_link::{Link, Settings};
use flashwire_protocol::stm32::{
    ACK, Command, CommandSet, Frame, GetAnswer, GetIdAnswer, GetVersionAnswer,
};

use super::checksum::Dialect;
use super::pipeline::{Pipeline, Pipelining};
use super::{Error, FrameLimits, Interface, Phase, Step};

/// How to talk to a loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long to wait for an answer, beyond the time that the bytes need on the wire and the
    /// work needs at most.
    pub answer_timeout: Duration,
    /// How often to try again what failed in a way that may pass.
    pub retries: u32,
    /// How much to send before an answer has come. On a bus nothing ever is.
    pub pipeline: Pipeline,
    /// What the conversation goes over.
    pub interface: Interface,
    /// The longest transfers that the adapter does.
    pub frame: FrameLimits,
}

impl Default for Options {
    /// One second, three retries, address phases pipelined, over a UART.
    fn default() -> Self {
        Self {
            answer_timeout: Duration::from_secs(1),
            retries: 3,
            pipeline: Pipeline::Address,
            interface: Interface::UART,
            frame: FrameLimits::default(),
        }
    }
}

/// Where the loader's parser stands, as far as this end knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parser {
    /// It has not been greeted, or has reset the chip.
    Away,
    /// It waits for a command.
    Idle,
    /// Somewhere inside a command that broke off.
    Unknown,
}

/// A conversation with a loader.
///
/// Each method is one command of AN3155 and AN4221, said once: what to do about a failure is the caller's
/// decision. The next command after one that failed brings the loader's parser back first
/// ([`resynchronise`](Self::resynchronise)).
pub struct Bootloader {
    pub(super) link: Box<dyn Link>,
    pub(super) options: Options,
    pub(super) parser: Parser,
    /// The command under way, as sent: what a broken-off parser may be in the middle of.
    pub(super) in_flight: Vec<u8>,
    /// Where the frames of [`in_flight`](Self::in_flight) begin.
    pub(super) frames: Vec<usize>,
    /// How long the work of the command under way takes at most.
    pub(super) working: Duration,
    pub(super) commands: CommandSet,
    pub(super) round_trip: Option<Duration>,
    pub(super) pipelining: Pipelining,
    pub(super) dialect: Dialect,
}

impl Bootloader {
    /// A conversation over `link`, which is set to the speed and format that the loader is to be
    /// greeted with ([`flashwire_link::Settings::even`]). Nothing is sent yet.
    pub fn new(link: Box<dyn Link>, options: Options) -> Self {
        Self {
            link,
            options,
            parser: Parser::Away,
            in_flight: Vec::new(),
            frames: Vec::new(),
            working: Duration::ZERO,
            commands: CommandSet::new(),
            round_trip: None,
            pipelining: Pipelining::default(),
            dialect: Dialect::default(),
        }
    }

    /// The link, to move its lines or change its settings. After a reset of the chip comes
    /// [`synchronise`](Self::synchronise).
    pub fn link_mut(&mut self) -> &mut dyn Link {
        &mut *self.link
    }

    /// Speed and format of the line.
    pub fn settings(&self) -> Settings {
        self.link.settings()
    }

    /// Gives the link back.
    pub fn into_link(self) -> Box<dyn Link> {
        self.link
    }

    /// How it talks.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The commands that the loader listed in its last answer to [`get`](Self::get).
    pub fn commands(&self) -> &CommandSet {
        &self.commands
    }

    /// Time from sending to receiving beyond what the bytes need on the wire, the shortest seen.
    /// `None` before the first command.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Get: the loader's version and its commands. AN3155, section 3.1; AN4221, section 2.1.
    ///
    /// On I2C the answer is read in one piece, so that its length has to be known: by the version,
    /// or, from 2.0 on, by trying. A loader that was read wrongly resets the chip.
    ///
    /// # Errors
    /// [`Error::Nack`], [`Error::Timeout`], [`Error::Unexpected`], [`Error::Malformed`];
    /// [`Error::Bus`].
    pub fn get(&mut self) -> Result<GetAnswer, Error> {
        let answer = if self.options.interface.framed {
            self.get_framed()?
        } else {
            self.get_once(None)?
        };
        self.commands = answer.commands;
        Ok(answer)
    }

    /// Get where the number of commands has to be known.
    fn get_framed(&mut self) -> Result<GetAnswer, Error> {
        /// As many as the document's example of a version without a fixed number has.
        const USUAL_COUNT: u8 = 15;
        /// Enough for version and length of the list.
        const LEAST_COUNT: u8 = 0;
        let version = self.get_version()?.version;
        if let Some(count) = GetAnswer::i2c_count(version) {
            return self.get_once(Some(count));
        }
        let told = match self.get_once(Some(USUAL_COUNT)) {
            Err(Error::Malformed { answer, .. }) => answer.first().copied(),
            // More was read than there was, and the bus hung.
            Err(Error::Bus { .. }) => match self.get_once(Some(LEAST_COUNT)) {
                Err(Error::Malformed { answer, .. }) => answer.first().copied(),
                done => return done,
            },
            done => return done,
        };
        self.get_once(told)
    }

    /// Get, with the number of commands if that is known.
    fn get_once(&mut self, count: Option<u8>) -> Result<GetAnswer, Error> {
        const COMMAND: Command = Command::Get;
        self.begin()?;
        self.opcode(COMMAND)?;
        let answer = self.counted_answer(COMMAND, count, u8::MAX)?;
        GetAnswer::decode(&answer[1..]).map_err(|_| malformed(COMMAND, &answer))
    }

    /// Get Version: the protocol's version and, on a UART, two option bytes of old loaders. AN3155,
    /// section 3.2; AN4221, section 2.2.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_version(&mut self) -> Result<GetVersionAnswer, Error> {
        const COMMAND: Command = Command::GetVersion;
        self.begin()?;
        self.opcode(COMMAND)?;
        let mut body = [0; GetVersionAnswer::BYTES];
        let told = &mut body[..self.options.interface.version_bytes];
        self.receive(Step::of(COMMAND, Phase::Answer), told)?;
        self.close_answer(COMMAND, told)?;
        Ok(GetVersionAnswer::decode(body))
    }

    /// Get ID: the product id. AN3155, section 3.3; AN4221, section 2.3.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_id(&mut self) -> Result<GetIdAnswer, Error> {
        const COMMAND: Command = Command::GetId;
        /// Every STM32 has two bytes; the lineage with longer ids has no loader on I2C.
        const COUNT: u8 = 1;
        /// The count is one less than the bytes behind it.
        const MOST: u8 = GetIdAnswer::MAX_BYTES as u8 - 1;
        self.begin()?;
        self.opcode(COMMAND)?;
        let count = self.options.interface.framed.then_some(COUNT);
        let answer = self.counted_answer(COMMAND, count, MOST)?;
        GetIdAnswer::decode(&answer[1..]).map_err(|_| malformed(COMMAND, &answer))
    }

    /// An answer that begins with its own length, which is known already where it has to be read in
    /// one piece, and the ACK behind it.
    fn counted_answer(
        &mut self,
        command: Command,
        known: Option<u8>,
        most: u8,
    ) -> Result<Vec<u8>, Error> {
        let step = Step::of(command, Phase::Answer);
        let mut answer = vec![0; 1 + known.map_or(0, GetAnswer::body_bytes)];
        self.receive(step, &mut answer)?;
        if known.is_none() {
            if answer == [ACK] && command == Command::Get {
                // Some loaders acknowledge 0x7F twice, and the second one stands in front of this
                // answer (STM32L412; stm32flash 0.7). No loader has 122 commands.
                self.receive(step, &mut answer)?;
            }
            let count = answer[0];
            if count > most {
                return Err(malformed(command, &answer));
            }
            answer.resize(1 + GetAnswer::body_bytes(count), 0);
            self.receive(step, &mut answer[1..])?;
        }
        if known.is_some_and(|known| known != answer[0]) {
            return Err(malformed(command, &answer));
        }
        self.close_answer(command, &answer)?;
        Ok(answer)
    }

    /// The ACK behind an answer, which ends the command.
    fn close_answer(&mut self, command: Command, answer: &[u8]) -> Result<(), Error> {
        let mut ack = [0];
        self.receive(Step::of(command, Phase::Answer), &mut ack)?;
        if ack != [ACK] {
            return Err(malformed(command, &[answer, &ack].concat()));
        }
        self.finish();
        Ok(())
    }

    /// Go: leaves the loader and starts the program whose vector table stands at `address`.
    /// AN3155, section 3.5.
    ///
    /// # Errors
    /// As [`get`](Self::get). The loader refuses addresses that are neither flash nor RAM.
    pub fn go(&mut self, address: u32) -> Result<(), Error> {
        const COMMAND: Command = Command::Go;
        self.begin()?;
        self.opcode(COMMAND)?;
        let step = Step::at(COMMAND, Phase::Address, address);
        self.phase(step, &Frame::word(address))?;
        self.parser = Parser::Away;
        Ok(())
    }
}

/// An answer that makes no sense.
pub(super) fn malformed(command: Command, answer: &[u8]) -> Error {
    Error::Malformed {
        command,
        answer: answer.to_vec(),
    }
}
