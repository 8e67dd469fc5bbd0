//! What a SPI bus can do for a chip.

use std::error::Error;
use std::time::Duration;

use flashwire_link::Instant;

/// What a controller says went wrong. Its own error type is behind it, to be downcast.
pub type ControllerError = Box<dyn Error + Send + Sync>;

/// One thing for the bus to do. `head` is what goes out first: instruction, address, dummy bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job<'a> {
    /// Select, send head and data, receive, deselect. Answered by what was received.
    Transfer {
        /// Instruction, address, dummy bytes.
        head: &'a [u8],
        /// What follows it.
        data: &'a [u8],
        /// How many bytes to receive after that.
        receive_bytes: usize,
    },
    /// The CRC-32 of what a read would receive, computed by the controller. Answered by its four
    /// bytes, little endian.
    Crc {
        /// The read.
        head: &'a [u8],
        /// How many bytes.
        range_bytes: usize,
    },
    /// How many bytes from the start of what a read would receive are 0xFF. Answered by four
    /// bytes, little endian.
    Blank {
        /// The read.
        head: &'a [u8],
        /// How many bytes.
        range_bytes: usize,
    },
    /// WREN, then head and data, once the chip is ready. Answered by nothing when they have gone
    /// out; refused if the chip stays busy, and then everything after it is refused too.
    Program {
        /// The page program.
        head: &'a [u8],
        /// The page.
        data: &'a [u8],
        /// Longest wait for the chip, in milliseconds.
        wait_ms: u16,
    },
}

impl<'a> Job<'a> {
    /// A transaction without data and answer.
    pub fn send(head: &'a [u8]) -> Self {
        Self::receive(head, 0)
    }

    /// A transaction that receives.
    pub fn receive(head: &'a [u8], receive_bytes: usize) -> Self {
        Self::Transfer {
            head,
            data: &[],
            receive_bytes,
        }
    }
}

/// What a controller can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes that one transaction sends, head included.
    pub send_bytes: usize,
    /// Most bytes that one transaction receives.
    pub receive_bytes: usize,
    /// Whether jobs can be submitted before the answers of earlier ones have come.
    pub pipelined: bool,
    /// Most data of one [`Job::Program`]; `None` if there is no such job.
    pub program_bytes: Option<usize>,
    /// Longest range of [`Job::Crc`] and [`Job::Blank`], in bytes; `None` if there are no such
    /// jobs.
    pub range_bytes: Option<usize>,
}

/// A SPI bus with a chip on it, and the clock that waits are measured by.
///
/// Jobs are submitted and their answers collected, in the same order. A controller that is not
/// pipelined has room for one job at a time.
pub trait SpiController {
    /// What it can take.
    fn limits(&self) -> Limits;

    /// The SPI clock, in Hz, if it is known.
    fn spi_hz(&self) -> Option<u32>;

    /// The time that one job and its answer took at least.
    fn round_trip(&self) -> Duration;

    /// About how long a byte takes between host and controller.
    fn byte_time(&self) -> Duration;

    /// The time now.
    fn now(&self) -> Instant;

    /// Lets time pass.
    ///
    /// # Errors
    /// If the user gave up meanwhile.
    fn pause(&mut self, duration: Duration) -> Result<(), ControllerError>;

    /// Whether a job can be submitted now without overrunning anything.
    fn has_room_for(&self, job: &Job<'_>) -> bool;

    /// How many submitted jobs have not been collected.
    fn outstanding(&self) -> usize;

    /// Hands a job over.
    ///
    /// # Errors
    /// If it cannot be sent.
    fn submit(&mut self, job: &Job<'_>) -> Result<(), ControllerError>;

    /// Takes the answer of the oldest job that was not collected; `received` is as long as the job
    /// said.
    ///
    /// # Errors
    /// If the job was refused ([`is_refusal`](Self::is_refusal)); then the jobs after it can still
    /// be collected. Any other error needs [`recover`](Self::recover).
    fn collect(&mut self, received: &mut [u8]) -> Result<(), ControllerError>;

    /// Whether an error of this controller says that it refused a job.
    fn is_refusal(&self, error: &ControllerError) -> bool;

    /// Whether an error of this controller may pass: after [`recover`](Self::recover) the same jobs
    /// can be tried again.
    fn may_pass(&self, error: &ControllerError) -> bool;

    /// Proves that no byte of an answer is missing or left over. Nothing may be outstanding.
    ///
    /// # Errors
    /// If there is, or if nothing comes.
    fn confirm(&mut self) -> Result<(), ControllerError>;

    /// Brings host and controller back in step after an error; drops what is outstanding.
    ///
    /// # Errors
    /// If that is not possible.
    fn recover(&mut self) -> Result<(), ControllerError>;

    /// Lets the bus go, at the end: whoever else is on it may drive it from here on. Waits for
    /// nothing that is outstanding.
    ///
    /// # Errors
    /// If that is not possible.
    fn release(&mut self) -> Result<(), ControllerError>;

    /// One job, in lock-step. Nothing may be outstanding.
    ///
    /// # Errors
    /// As [`submit`](Self::submit) and [`collect`](Self::collect).
    fn run(&mut self, job: &Job<'_>, received: &mut [u8]) -> Result<(), ControllerError> {
        self.submit(job)?;
        self.collect(received)
    }
}
