//! The board's serial port for programs of the real world, on a TCP port or a pseudo-terminal.
//!
//! Opening the port is what resets the board: DTR goes on. On a pseudo-terminal the host's speed is
//! the one that the tool sets, on TCP that of [`Config`](crate::Config). What a tool wrote before it
//! closed still leaves.

mod pacer;

use std::io;
use std::time::{Duration, Instant};

use flashwire_link::CancelFlag;
use flashwire_sim::serve::{Listen, Port, ServeError, Taken};

use crate::machine::{Halt, Machine};

pub use pacer::Pace;
use pacer::Pacer;

/// Simulated time between two looks at the tool: adapters collect for longer (a USB frame is 1 ms).
const SLICE: Duration = Duration::from_micros(200);

/// Most bytes kept in either direction; a driver keeps about as many.
const MOST_KEPT: usize = 64 * 1024;

/// How long what a tool left behind may take to leave.
const DRAIN: Duration = Duration::from_secs(1);

/// How often a port without a tool, and the stop flag, are looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Why a bridge broke down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The program in the chip.
    #[error(transparent)]
    Halt(#[from] Halt),
    /// The place to listen on.
    #[error(transparent)]
    Place(#[from] ServeError),
    /// The port failed while a tool was there.
    #[error("the port failed: {0}")]
    Port(#[from] io::Error),
}

/// When a bridge ends by itself, in real time.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// After so many tools.
    pub tools: Option<u32>,
    /// At the latest after so long.
    pub time: Option<Duration>,
    /// When somebody says so.
    pub stop: CancelFlag,
}

/// A board whose serial port tools can open.
#[derive(Debug)]
pub struct Bridge {
    machine: Machine,
    tools: Port,
    pacer: Pacer,
    /// Whether a tool has the port open.
    open: bool,
    /// Tools that have come and gone.
    gone: u32,
    /// What the tool has not taken yet.
    unread: Vec<u8>,
}

impl Bridge {
    /// Listens. The chip does not run before [`run`](Self::run).
    ///
    /// # Errors
    /// [`BridgeError::Place`].
    pub fn listen(machine: Machine, place: &Listen, pace: Pace) -> Result<Self, BridgeError> {
        Ok(Self {
            tools: Port::open(place, machine.config().baud)?,
            pacer: Pacer::new(pace, machine.now()),
            machine,
            open: false,
            gone: 0,
            unread: Vec::new(),
        })
    }

    /// What a tool is to open.
    pub fn place(&self) -> String {
        self.tools.place()
    }

    /// The board.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Runs the chip and serves tools until a limit is reached.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn run(&mut self, limits: &Limits) -> Result<(), BridgeError> {
        let begun = Instant::now();
        let is_over = |gone| {
            limits.stop.is_raised()
                || limits.tools.is_some_and(|most| gone >= most)
                || limits
                    .time
                    .is_some_and(|longest| begun.elapsed() >= longest)
        };
        while !is_over(self.gone) {
            self.turn()?;
        }
        Ok(())
    }

    /// Passes on what there is, and lets a little time pass.
    fn turn(&mut self) -> Result<(), BridgeError> {
        if self.tools.has_tool()? != self.open {
            self.set_open(!self.open)?;
        }
        self.take()?;
        let stands_still = !self.open && self.pacer.stops_without_tool();
        if !stands_still && self.unread.len() < MOST_KEPT {
            self.machine.run_until(self.machine.now() + SLICE)?;
        }
        self.give()?;
        self.wait(stands_still)
    }

    /// A tool opened the port or closed it.
    fn set_open(&mut self, open: bool) -> Result<(), BridgeError> {
        self.open = open;
        if open {
            self.machine.discard();
            self.machine.reset();
        } else {
            self.gone += 1;
            let longest = self.machine.now() + DRAIN;
            let sent_by = self.machine.sent_by().min(longest);
            self.machine.run_until(sent_by.max(self.machine.now()))?;
            self.machine.discard();
            self.unread.clear();
        }
        self.pacer.asked(self.machine.now());
        Ok(())
    }

    /// Takes what the tool has written.
    fn take(&mut self) -> Result<(), BridgeError> {
        let mut buffer = [0; 4096];
        while self.open && self.machine.unsent() < MOST_KEPT {
            match self.tools.read(&mut buffer)? {
                Taken::Bytes(count) => {
                    if let Some(baud) = self.tools.baud() {
                        self.machine.set_baud(baud);
                    }
                    self.machine.send(&buffer[..count]);
                    self.pacer.asked(self.machine.now());
                }
                Taken::Nothing => break,
                Taken::End => self.set_open(false)?,
            }
        }
        Ok(())
    }

    /// Hands the tool what has arrived.
    fn give(&mut self) -> Result<(), BridgeError> {
        let mut buffer = [0; 4096];
        loop {
            let count = self.machine.receive(&mut buffer);
            if count == 0 {
                break;
            }
            self.pacer.answered(self.machine.now());
            if self.open {
                self.unread.extend(&buffer[..count]);
            }
        }
        if !self.unread.is_empty() {
            let count = self.tools.write(&self.unread)?;
            self.unread.drain(..count);
        }
        Ok(())
    }

    /// Waits for the tool or for real time.
    fn wait(&mut self, stands_still: bool) -> Result<(), BridgeError> {
        let now = self.machine.now();
        if stands_still {
            self.tools.wait(LOOK, false, false)?;
            self.pacer.stand_still(now);
            return Ok(());
        }
        let wait = self.pacer.wait(now);
        if !wait.is_zero() {
            let unread = !self.unread.is_empty();
            self.tools.wait(wait.min(LOOK), self.open, unread)?;
        }
        Ok(())
    }
}
