//! The bytes of the chip's CDC-ACM port, on a TCP port or a pseudo-terminal.
//!
//! Opening and closing is passed on as Linux does: DTR and RTS, and nothing is asked for while no
//! tool is there. What a tool wrote before it closed still goes to the chip.

use std::time::{Duration, Instant};

use flashwire_sim::serve::{self, Listen, Taken};

use crate::board::Board;
use crate::host::{HostError, Port};
use crate::time::Time;

use super::pacer::{Pace, Pacer};
use super::{BridgeError, Limits};

/// Emulated time between two looks at the tool: a frame.
const SLICE: Time = Time::MILLISECOND;

/// Most bytes kept in either direction; a driver keeps about as many.
const MOST_KEPT: usize = 64 * 1024;

/// How long what a tool left behind may take to reach the chip.
const DRAIN: Time = Time::SECOND;

/// How often a port without a tool, and the stop flag, are looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Speed that a pseudo-terminal shows before a tool sets one; it means nothing to USB.
const FIRST_BAUD: u32 = 115_200;

/// A board whose CDC-ACM port tools can open.
#[derive(Debug)]
pub struct Stream {
    board: Board,
    tools: serve::Port,
    line: Option<Port>,
    pacer: Pacer,
    /// Whether a tool has the port open.
    open: bool,
    /// Tools that have come and gone.
    gone: u32,
    /// How often the device had to be enumerated again.
    losses: u32,
    /// What the tool has not taken yet.
    unread: Vec<u8>,
}

impl Stream {
    /// How long a program may take to become a USB device.
    pub const PATIENCE: Time = Time::from_millis(5_000);

    /// Listens for those who want `line`, the port that [`Board::plug_in`] found: there is no place
    /// to connect to before there is a device, as with a device file. A tool that asks a program that
    /// still boots takes its silence for a failure, asks again, and is confused by two answers.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn listen(
        mut board: Board,
        line: Port,
        place: &Listen,
        pace: Pace,
    ) -> Result<Self, BridgeError> {
        board
            .host
            .set_line_state(&mut board.machine, &line, false)?;
        let now = board.machine.now();
        Ok(Self {
            tools: serve::Port::open(place, FIRST_BAUD)?,
            board,
            line: Some(line),
            pacer: Pacer::new(pace, now),
            open: false,
            gone: 0,
            losses: 0,
            unread: Vec::new(),
        })
    }

    /// What a tool is to open.
    pub fn place(&self) -> String {
        self.tools.place()
    }

    /// The board.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The board, to look and reach into.
    pub fn board_mut(&mut self) -> &mut Board {
        &mut self.board
    }

    /// How often the device went away by itself and was enumerated again.
    pub fn losses(&self) -> u32 {
        self.losses
    }

    /// Runs the chip and serves tools until a limit is reached.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn run(&mut self, limits: &Limits) -> Result<(), BridgeError> {
        let begun = Instant::now();
        while !limits.are_reached(begun, self.gone) {
            let Some(mut line) = self.line.take() else {
                self.connect()?;
                continue;
            };
            match self.turn(&mut line) {
                Ok(()) => self.line = Some(line),
                // The tool sees its port go, as when a device resets itself.
                Err(BridgeError::Device(_)) => {
                    self.losses += 1;
                    self.tools.hang_up()?;
                    self.gone += u32::from(std::mem::take(&mut self.open));
                    self.unread.clear();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), BridgeError> {
        let (_, line) = self.board.plug_in(Self::PATIENCE)?;
        self.board
            .host
            .set_line_state(&mut self.board.machine, &line, false)?;
        self.line = Some(line);
        self.pacer.stand_still(self.board.machine.now());
        Ok(())
    }

    /// Passes on what there is, and lets a little time pass.
    fn turn(&mut self, line: &mut Port) -> Result<(), BridgeError> {
        if self.tools.has_tool()? != self.open {
            self.set_open(line, !self.open)?;
        }
        self.take(line)?;
        if self.open {
            self.advance(line)?;
            self.give(line)?;
        } else if !self.pacer.stops_without_tool() {
            self.board.host.idle(&mut self.board.machine, SLICE)?;
        }
        self.wait()
    }

    /// A tool opened the port or closed it.
    fn set_open(&mut self, line: &mut Port, open: bool) -> Result<(), BridgeError> {
        let Board { machine, host } = &mut self.board;
        if !open {
            self.gone += 1;
            let end = machine.now() + DRAIN;
            while line.unsent() > 0 && machine.now() < end {
                if !host.pump_out(machine, line)? {
                    host.idle(machine, Time::from_micros(10))?;
                }
            }
            line.clear();
            self.unread.clear();
        }
        self.open = open;
        host.set_line_state(machine, line, open)?;
        self.pacer.asked(machine.now());
        Ok(())
    }

    /// Takes what the tool has written.
    fn take(&mut self, line: &mut Port) -> Result<(), BridgeError> {
        let mut buffer = [0; 4096];
        while self.open && line.unsent() < MOST_KEPT {
            match self.tools.read(&mut buffer)? {
                Taken::Bytes(count) => {
                    line.write(&buffer[..count]);
                    self.pacer.asked(self.board.machine.now());
                }
                Taken::Nothing => break,
                Taken::End => self.set_open(line, false)?,
            }
        }
        Ok(())
    }

    /// Lets a slice of time pass, or less if something arrives.
    fn advance(&mut self, line: &mut Port) -> Result<(), HostError> {
        let Board { machine, host } = &mut self.board;
        let end = machine.now() + SLICE;
        let reads = self.unread.len() < MOST_KEPT;
        while machine.now() < end && line.available() == 0 {
            if reads {
                host.pump(machine, line)?;
            } else if !host.pump_out(machine, line)? {
                host.idle(machine, Time::from_micros(10))?;
            }
        }
        Ok(())
    }

    /// Hands the tool what has arrived.
    fn give(&mut self, line: &mut Port) -> Result<(), BridgeError> {
        let arrived = line.read();
        if !arrived.is_empty() {
            self.pacer.answered(self.board.machine.now());
            self.unread.extend(arrived);
        }
        if !self.unread.is_empty() {
            let count = self.tools.write(&self.unread)?;
            self.unread.drain(..count);
        }
        Ok(())
    }

    /// Waits for the tool or for real time.
    fn wait(&mut self) -> Result<(), BridgeError> {
        let now = self.board.machine.now();
        if !self.open && self.pacer.stops_without_tool() {
            self.tools.wait(LOOK, false, false)?;
            self.pacer.stand_still(now);
            return Ok(());
        }
        let wait = self.pacer.wait(now);
        if !wait.is_zero() {
            self.tools
                .wait(wait.min(LOOK), self.open, !self.unread.is_empty())?;
        }
        Ok(())
    }
}
