//! serprog from the host's side.
//!
//! Ruled by flashrom's "Serial Flasher Protocol Specification", interface version 1.
//! [`Client::open`] finds the programmer and asks what it can do; from there on a [`Client`] is a
//! [`SpiController`]: SPI transactions are sent ahead as far as the
//! programmer can take them, and their answers collected in order.
//!
//! What firmwares do differently is found out, not looked up by name:
//!
//! | habit | how it is met |
//! |---|---|
//! | one command a packet (picoprog) | four SYNCNOPs in one write, once: too few answers mean lock-step, opcode and parameters in writes of their own |
//! | silent on unknown commands (serprog-stm32vcp, vserprog, HydraFW) | nothing is sent that the command map does not list, and every wait has a deadline |
//! | NOP unanswered (HydraFW) | NOP is never waited for |
//! | a buffer of 256 bytes, told as such (opensensor's pico-serprog) | no O_SPIOP is longer than Q_WRNMAXLEN says, opcode and address included |
//! | refuses what is too long without swallowing it (HydraFW) | the same |
//! | a limit on reads that it does not tell (stm32-serprog-rs) | a long read that is refused is asked for in smaller pieces; see `spinor` |
//! | no flow control (UARTs) | see `window` |

mod error;
mod open;
mod resynchronise;
mod window;

use std::collections::VecDeque;
use std::time::Duration;

use flashwire_link::{Instant, Link};
use flashwire_protocol::serprog::extension::{Capabilities, Program, Range};
use flashwire_protocol::serprog::{
    ACK, CommandMap, Header, NAK, ProgrammerName, Request, SYNC_ANSWER, U24,
};

use crate::spinor::{ControllerError, Job, Limits, SpiController};
pub use error::Error;
pub use flashwire_protocol::serprog::Opcode;
use window::Window;

/// How long an answer may keep the host waiting beyond what line and bus take: a busy host, a
/// virtual machine, a hub.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is tried to let the pins go over a line with faults.
const RELEASES: u32 = 3;

/// How much a USB packet carries, in bytes. USB 2.0, section 5.8.3: bulk at full speed.
const PACKET_BYTES: usize = 64;

/// What a host can choose of a programmer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// SPI clock, in Hz: the programmer takes the highest that is not above it. `None` leaves it
    /// as it is.
    pub spi_hz: Option<u32>,
    /// Chip select line. `None` leaves it as it is.
    pub chip_select: Option<u8>,
    /// Do without this project's extensions, though the programmer has them.
    pub plain: bool,
}

/// What a programmer says of itself, and what was found out about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name, if it tells one.
    pub name: Option<ProgrammerName>,
    /// Its commands.
    pub commands: CommandMap,
    /// How much it can take without its answers being fetched, in bytes; 0xFFFF is any amount.
    pub serial_buffer_bytes: u16,
    /// Most bytes that one transaction sends, as it tells.
    pub max_send_bytes: u32,
    /// Most bytes that one transaction receives, as it tells.
    pub max_receive_bytes: u32,
    /// The SPI clock, in Hz, as far as it is known.
    pub spi_hz: Option<u32>,
    /// Its extensions, if they are this project's and wanted.
    pub extensions: Option<Capabilities>,
    /// Whether it takes commands that are sent ahead.
    pub pipelined: bool,
}

/// A command whose answer has not been collected.
struct Outstanding {
    opcode: Opcode,
    command_bytes: usize,
    answer_bytes: usize,
    /// How long the programmer may work before it answers, or pause in its answer.
    work: Duration,
}

/// A programmer, found and in step.
///
/// Dropping it lets the programmer's pins go, if it can; [`close`](Self::close) does the same and
/// tells whether it worked.
pub struct Client {
    link: Box<dyn Link>,
    options: Options,
    identity: Identity,
    outstanding: VecDeque<Outstanding>,
    window: Window,
    /// Commands that have not been handed to the link, so that several go out in one write.
    outbox: Vec<u8>,
    /// Received and not yet collected.
    inbox: VecDeque<u8>,
    /// Whether the next byte that comes begins the answer of the oldest outstanding command.
    in_step: bool,
    round_trip: Duration,
    /// Clock, chip select and pins have been set as the options want them.
    is_set_up: bool,
    pins_driven: bool,
}

impl Client {
    /// What is known of the programmer.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The time that one question and its answer took at least.
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// The link, to ask for its name and its warnings.
    pub fn link_mut(&mut self) -> &mut dyn Link {
        self.link.as_mut()
    }

    /// Lets the programmer's pins go, as far as it can, and gives the link back.
    ///
    /// # Errors
    /// What the programmer or the link did.
    pub fn close(mut self) -> Result<(), Error> {
        self.release_pins()
    }

    /// Sets the SPI clock; the programmer takes the highest that is not above `spi_hz`, or its
    /// lowest. Returns what it took.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if it cannot; [`Error::Refused`]; what the link did.
    pub fn set_clock(&mut self, spi_hz: u32) -> Result<u32, Error> {
        self.need(Opcode::SSpiFreq)?;
        let answer: [u8; 4] = self.ask(Request::SSpiFreq { spi_hz })?;
        let spi_hz = u32::from_le_bytes(answer);
        self.identity.spi_hz = Some(spi_hz);
        self.options.spi_hz = Some(spi_hz);
        Ok(spi_hz)
    }

    /// Selects a chip select line.
    ///
    /// # Errors
    /// As [`set_clock`](Self::set_clock).
    pub fn set_chip_select(&mut self, line: u8) -> Result<(), Error> {
        self.need(Opcode::SSpiCs)?;
        self.ask::<0>(Request::SSpiCs { line })?;
        self.options.chip_select = Some(line);
        Ok(())
    }

    fn drive_pins(&mut self) -> Result<(), Error> {
        if self.identity.commands.has(Opcode::SPinState) {
            self.ask::<0>(Request::SPinState { drive: true })?;
            self.pins_driven = true;
        }
        Ok(())
    }

    fn release_pins(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.pins_driven) {
            return Ok(());
        }
        let mut step = match self.outstanding.is_empty() && self.in_step {
            true => Ok(()),
            false => Err(Error::OutOfStep),
        };
        for _ in 0..RELEASES {
            step = step.and_then(|()| {
                self.ask::<0>(Request::SPinState { drive: false })?;
                self.syncnop()
            });
            match step {
                Err(error) if error.may_pass() => step = self.resynchronise(),
                done => return done,
            }
        }
        step
    }

    fn need(&self, opcode: Opcode) -> Result<(), Error> {
        if self.identity.commands.has(opcode) {
            Ok(())
        } else {
            Err(Error::Unsupported { opcode })
        }
    }

    /// A command that is not an SPI transaction, in lock-step.
    fn ask<const N: usize>(&mut self, request: Request) -> Result<[u8; N], Error> {
        if !self.outstanding.is_empty() {
            return Err(Error::OutOfStep);
        }
        let mut answer = [0; N];
        self.send(&request.encode(), &[], N, Duration::ZERO)?;
        self.take(&mut answer)?;
        Ok(answer)
    }

    /// One SYNCNOP, answered by exactly what it is answered by: nothing is missing and nothing is
    /// left over.
    fn syncnop(&mut self) -> Result<(), Error> {
        if !self.outstanding.is_empty() {
            return Err(Error::OutOfStep);
        }
        let sent = self.link.now();
        self.send(&Request::SyncNop.encode(), &[], 0, Duration::ZERO)?;
        let syncnop = self.outstanding.pop_front().ok_or(Error::OutOfStep)?;
        self.window
            .remove(syncnop.opcode, syncnop.command_bytes, syncnop.answer_bytes);
        self.in_step = false;
        let mut answer = [0; SYNC_ANSWER.len()];
        self.fill(&mut answer, &syncnop, 0)?;
        if answer != SYNC_ANSWER || !self.inbox.is_empty() {
            return Err(Error::OutOfStep);
        }
        self.in_step = true;
        self.round_trip = self.round_trip.min(self.link.now() - sent);
        Ok(())
    }

    /// Puts a command on the wire: header and data, in one write where the programmer allows it.
    fn send(
        &mut self,
        header: &Header,
        data: &[&[u8]],
        answer_bytes: usize,
        work: Duration,
    ) -> Result<(), Error> {
        if !self.in_step {
            return Err(Error::OutOfStep);
        }
        let header = header.as_bytes();
        let Some(&opcode) = header.first() else {
            return Ok(());
        };
        self.outbox.extend(header);
        if !self.identity.pipelined {
            // The opcode has to be in a packet of its own.
            let rest = self.outbox.split_off(1);
            self.flush()?;
            self.outbox = rest;
        }
        self.outbox.extend(data.iter().copied().flatten());
        let command_bytes = header.len() + data.iter().map(|part| part.len()).sum::<usize>();
        let opcode = Opcode::try_from(opcode).unwrap_or(Opcode::Nop);
        self.window.add(opcode, command_bytes, answer_bytes);
        self.outstanding.push_back(Outstanding {
            opcode,
            command_bytes,
            answer_bytes,
            work,
        });
        Ok(())
    }

    /// Hands over to the link what waits for it.
    fn flush(&mut self) -> Result<(), Error> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let sent = self.link.send(&self.outbox);
        self.outbox.clear();
        if sent.is_err() {
            self.in_step = false;
        }
        Ok(sent?)
    }

    /// Whether what waits should go out before an answer is waited for. Small writes are small
    /// packets, which cost USB as much as full ones: so they are kept back as long as more than
    /// that is under way.
    fn is_flush_due(&self) -> bool {
        let waiting = self.outbox.len();
        let under_way = self.window.command_bytes().saturating_sub(waiting);
        waiting >= PACKET_BYTES || waiting >= under_way || !self.window.has_flow_control()
    }

    /// Takes the answer to the oldest outstanding command: ACK and as many bytes as `out` has.
    fn take(&mut self, out: &mut [u8]) -> Result<(), Error> {
        let Some(command) = self.outstanding.pop_front() else {
            return Err(Error::OutOfStep);
        };
        debug_assert_eq!(command.answer_bytes, out.len());
        self.window
            .remove(command.opcode, command.command_bytes, command.answer_bytes);
        let step = self.in_step;
        // Until the answer is whole, nobody knows where the next one begins.
        self.in_step = false;
        if !step {
            return Err(Error::OutOfStep);
        }
        let opcode = command.opcode;
        let mut first = [0];
        self.fill(&mut first, &command, 0)?;
        match first[0] {
            ACK => {}
            NAK => {
                self.in_step = true;
                return Err(Error::Refused { opcode });
            }
            byte => return Err(Error::Unexpected { opcode, byte }),
        }
        self.fill(out, &command, 1)?;
        self.in_step = true;
        Ok(())
    }

    /// Fills `out` from what has come and what comes. Each pause is bounded.
    fn fill(&mut self, out: &mut [u8], command: &Outstanding, before: usize) -> Result<(), Error> {
        let mut filled = 0;
        while filled < out.len() {
            let have = self.inbox.len().min(out.len() - filled);
            if have > 0 {
                for (slot, byte) in out[filled..].iter_mut().zip(self.inbox.drain(..have)) {
                    *slot = byte;
                }
                filled += have;
                continue;
            }
            if self.is_flush_due() {
                self.flush()?;
            }
            let started = self.link.now();
            let deadline = self.link.deadline(self.patience(command));
            // Large answers go straight to where they belong.
            let count = if out.len() - filled >= 64 {
                let count = self.link.recv(&mut out[filled..], deadline)?;
                filled += count;
                count
            } else {
                let mut buffer = [0; 256];
                let count = self.link.recv(&mut buffer, deadline)?;
                self.inbox.extend(&buffer[..count]);
                count
            };
            if count == 0 {
                return Err(Error::Timeout {
                    opcode: command.opcode,
                    received: before + filled,
                    expected: 1 + command.answer_bytes,
                    waited: self.link.now() - started,
                });
            }
        }
        Ok(())
    }

    /// How long a pause the answer to a command may make: until everything that was sent is on the
    /// other side, the programmer has done its work, and a packet of the answer has come.
    fn patience(&self, command: &Outstanding) -> Duration {
        let behind = self.window.command_bytes() + command.command_bytes;
        let packet = command.answer_bytes.min(4096);
        let line = self.link.settings().wire_time(2 * (behind + packet));
        PATIENCE + line + command.work
    }

    /// How long so many bytes take on the SPI bus, at the least clock that may be set.
    fn bus_time(&self, count: usize) -> Duration {
        /// The slowest clock of any programmer known: 125 kHz of an AVR.
        const SLOWEST_HZ: u32 = 125_000;
        let spi_hz = self.identity.spi_hz.unwrap_or(SLOWEST_HZ).max(1);
        Duration::from_secs(8) * u32::try_from(count).unwrap_or(u32::MAX) / spi_hz
    }

    fn job_bytes(job: &Job<'_>) -> (usize, usize) {
        match job {
            Job::Transfer {
                head,
                data,
                receive_bytes,
            } => (7 + head.len() + data.len(), *receive_bytes),
            Job::Crc { head, .. } | Job::Blank { head, .. } => (5 + head.len(), 4),
            Job::Program { head, data, .. } => (10 + head.len() + data.len(), 0),
        }
    }
}

impl SpiController for Client {
    fn limits(&self) -> Limits {
        Limits {
            send_bytes: self.identity.max_send_bytes as usize,
            receive_bytes: self.identity.max_receive_bytes as usize,
            pipelined: self.identity.pipelined,
            program_bytes: self
                .identity
                .extensions
                .map(|has| usize::from(has.data_bytes)),
            range_bytes: self
                .identity
                .extensions
                .map(|_| flashwire_protocol::serprog::extension::LONGEST_RANGE_BYTES as usize),
        }
    }

    fn spi_hz(&self) -> Option<u32> {
        self.identity.spi_hz
    }

    fn round_trip(&self) -> Duration {
        self.round_trip
    }

    fn byte_time(&self) -> Duration {
        self.window.byte_time(self.link.settings())
    }

    fn now(&self) -> Instant {
        self.link.now()
    }

    fn pause(&mut self, duration: Duration) -> Result<(), ControllerError> {
        Ok(self.link.pause(duration).map_err(Error::from)?)
    }

    fn has_room_for(&self, job: &Job<'_>) -> bool {
        let (command_bytes, answer_bytes) = Self::job_bytes(job);
        self.outstanding.is_empty()
            || self.identity.pipelined && self.window.has_room_for(command_bytes, answer_bytes)
    }

    fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    fn submit(&mut self, job: &Job<'_>) -> Result<(), ControllerError> {
        let u24 = |count: usize| {
            let count = u32::try_from(count).ok().and_then(U24::new);
            count.ok_or(Error::TooLong)
        };
        match *job {
            Job::Transfer {
                head,
                data,
                receive_bytes,
            } => {
                let request = Request::OSpiOp {
                    send: u24(head.len() + data.len())?,
                    receive: u24(receive_bytes)?,
                };
                let work = self.bus_time(head.len() + data.len() + receive_bytes.min(4096));
                self.send(&request.encode(), &[head, data], receive_bytes, work)?;
            }
            Job::Crc { head, range_bytes } | Job::Blank { head, range_bytes } => {
                let range = Range {
                    head_bytes: u8::try_from(head.len()).map_err(|_| Error::TooLong)?,
                    length: u24(range_bytes)?,
                };
                let request = match job {
                    Job::Crc { .. } => Request::XCrc(range),
                    _ => Request::XBlank(range),
                };
                // Its processor may be slower than its bus.
                let work = 4 * self.bus_time(head.len() + range_bytes);
                self.send(&request.encode(), &[head], 4, work)?;
            }
            Job::Program {
                head,
                data,
                wait_ms,
            } => {
                let frame = Program::frame(wait_ms, head, data);
                let (header, check) = frame.ok_or(Error::TooLong)?;
                let work = Duration::from_millis(u64::from(wait_ms))
                    + self.bus_time(head.len() + data.len());
                self.send(&header, &[head, data, &check], 0, work)?;
            }
        }
        Ok(())
    }

    fn collect(&mut self, received: &mut [u8]) -> Result<(), ControllerError> {
        Ok(self.take(received)?)
    }

    fn is_refusal(&self, error: &ControllerError) -> bool {
        matches!(error.downcast_ref(), Some(Error::Refused { .. }))
    }

    fn may_pass(&self, error: &ControllerError) -> bool {
        error.downcast_ref().is_some_and(Error::may_pass)
    }

    fn confirm(&mut self) -> Result<(), ControllerError> {
        Ok(self.syncnop()?)
    }

    fn recover(&mut self) -> Result<(), ControllerError> {
        Ok(self.resynchronise()?)
    }

    fn release(&mut self) -> Result<(), ControllerError> {
        Ok(self.release_pins()?)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // There is nobody left to tell; `close` tells.
        let _ = self.release_pins();
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("link", &self.link.name())
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}
