//! The conversation with a loader, and the commands that only ask.

use std::time::Duration;

use flashwire_link::{Link, Settings};
use flashwire_protocol::stm32::{
    ACK, Command, CommandSet, Frame, GetAnswer, GetIdAnswer, GetVersionAnswer,
};

use super::checksum::Dialect;
use super::pipeline::{Pipeline, Pipelining};
use super::{Error, Phase, Step};

/// How to talk to a loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long to wait for an answer, beyond the time that the bytes need on the wire and the
    /// work needs at most.
    pub answer_timeout: Duration,
    /// How often to try again what failed in a way that may pass.
    pub retries: u32,
    /// How much to send before an answer has come.
    pub pipeline: Pipeline,
}

impl Default for Options {
    /// One second, three retries, address phases pipelined.
    fn default() -> Self {
        Self {
            answer_timeout: Duration::from_secs(1),
            retries: 3,
            pipeline: Pipeline::Address,
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
/// Each method is one command of AN3155, said once: what to do about a failure is the caller's
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

    /// Get: the loader's version and its commands. AN3155, section 3.1.
    ///
    /// # Errors
    /// [`Error::Nack`], [`Error::Timeout`], [`Error::Unexpected`], [`Error::Malformed`].
    pub fn get(&mut self) -> Result<GetAnswer, Error> {
        const COMMAND: Command = Command::Get;
        self.begin()?;
        let mut count = [0];
        self.opcode(COMMAND, &mut count)?;
        if count == [ACK] {
            // Some loaders acknowledge 0x7F twice, and the second one stands in front of this
            // answer (STM32L412; stm32flash 0.7). No loader has 122 commands.
            self.receive(Step::of(COMMAND, Phase::Answer), &mut count)?;
        }
        let mut body = vec![0; GetAnswer::body_bytes(count[0]) + 1];
        self.receive(Step::of(COMMAND, Phase::Answer), &mut body)?;
        let answer = acknowledged(&body)
            .and_then(|fields| GetAnswer::decode(fields).ok())
            .ok_or_else(|| malformed(COMMAND, &body))?;
        self.finish();
        self.commands = answer.commands;
        Ok(answer)
    }

    /// Get Version: the protocol's version and two option bytes of old loaders. AN3155, section
    /// 3.2.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_version(&mut self) -> Result<GetVersionAnswer, Error> {
        const COMMAND: Command = Command::GetVersion;
        self.begin()?;
        let mut body = [0; GetVersionAnswer::BYTES + 1];
        self.opcode(COMMAND, &mut body)?;
        let [version, first, second, ACK] = body else {
            return Err(malformed(COMMAND, &body));
        };
        self.finish();
        Ok(GetVersionAnswer::decode([version, first, second]))
    }

    /// Get ID: the product id. AN3155, section 3.3.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_id(&mut self) -> Result<GetIdAnswer, Error> {
        const COMMAND: Command = Command::GetId;
        self.begin()?;
        let mut count = [0];
        self.opcode(COMMAND, &mut count)?;
        if usize::from(count[0]) >= GetIdAnswer::MAX_BYTES {
            return Err(malformed(COMMAND, &count));
        }
        let mut body = vec![0; usize::from(count[0]) + 2];
        self.receive(Step::of(COMMAND, Phase::Answer), &mut body)?;
        let answer = acknowledged(&body)
            .and_then(|id| GetIdAnswer::decode(id).ok())
            .ok_or_else(|| malformed(COMMAND, &body))?;
        self.finish();
        Ok(answer)
    }

    /// Go: leaves the loader and starts the program whose vector table stands at `address`.
    /// AN3155, section 3.5.
    ///
    /// # Errors
    /// As [`get`](Self::get). The loader refuses addresses that are neither flash nor RAM.
    pub fn go(&mut self, address: u32) -> Result<(), Error> {
        const COMMAND: Command = Command::Go;
        self.begin()?;
        self.opcode(COMMAND, &mut [])?;
        let step = Step::at(COMMAND, Phase::Address, address);
        self.phase(step, &Frame::word(address))?;
        self.parser = Parser::Away;
        Ok(())
    }
}

/// What stands before the ACK that ends an answer.
fn acknowledged(body: &[u8]) -> Option<&[u8]> {
    match body.split_last() {
        Some((&ACK, fields)) => Some(fields),
        _ => None,
    }
}

/// An answer that makes no sense.
pub(super) fn malformed(command: Command, answer: &[u8]) -> Error {
    Error::Malformed {
        command,
        answer: answer.to_vec(),
    }
}
