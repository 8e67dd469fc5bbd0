//! The board at the end of a cable, for a client in the same process: time is the board's own, so
//! that every run takes the same number of cycles.

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

use flashwire_link::{Deadline, Instant, Line, LineChange, Link, LinkError, Settings};

use crate::machine::{Halt, Machine};

/// A board that is at the end of a cable and in somebody's hands at the same time; clones are the
/// same board.
#[derive(Clone, Debug)]
pub struct Uno(Rc<RefCell<Machine>>);

impl Uno {
    /// Puts a board on the desk.
    pub fn new(machine: Machine) -> Self {
        Self(Rc::new(RefCell::new(machine)))
    }

    /// The board, to look at.
    ///
    /// # Panics
    /// If it is borrowed for changes at the same time, which no safe use does across calls of a
    /// link.
    pub fn machine(&self) -> Ref<'_, Machine> {
        self.0.borrow()
    }

    /// The board, to change something.
    ///
    /// # Panics
    /// If it is borrowed at the same time, which no safe use does across calls of a link.
    pub fn machine_mut(&self) -> RefMut<'_, Machine> {
        self.0.borrow_mut()
    }

    /// Opens its port, at that speed. DTR goes on, so the board is reset.
    pub fn open(&self, baud: u32) -> UnoLink {
        let mut machine = self.machine_mut();
        machine.discard();
        machine.set_baud(baud);
        machine.reset();
        let opened = machine.now();
        drop(machine);
        UnoLink {
            uno: self.clone(),
            opened,
            settings: Settings::plain(baud),
            dtr: true,
            warnings: Vec::new(),
        }
    }
}

/// The host's end of the cable.
#[derive(Debug)]
pub struct UnoLink {
    uno: Uno,
    opened: Duration,
    settings: Settings,
    dtr: bool,
    warnings: Vec<String>,
}

impl UnoLink {
    fn go_on(&self, to: Instant) -> Result<(), LinkError> {
        let time = self.opened + to.since_open();
        Ok(self.uno.machine_mut().run_until(time)?)
    }
}

impl From<Halt> for LinkError {
    fn from(halt: Halt) -> Self {
        Self::Io(std::io::Error::other(halt))
    }
}

impl Link for UnoLink {
    fn name(&self) -> &str {
        "simavr"
    }

    fn now(&self) -> Instant {
        Instant::from_open(self.uno.machine().now() - self.opened)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.uno.machine_mut().send(bytes);
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        let mut machine = self.uno.machine_mut();
        if machine.arrived() == 0 {
            let end = self.opened + deadline.moment().since_open();
            machine.run_to_arrival(end)?;
        }
        Ok(machine.receive(buffer))
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.go_on(self.now() + duration)
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        let sent_by = self.uno.machine().sent_by();
        if sent_by > self.uno.machine().now() {
            self.uno.machine_mut().run_until(sent_by)?;
        }
        self.uno.machine_mut().set_baud(settings.baud);
        self.settings = settings;
        Ok(())
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        for change in changes {
            match change.line {
                // A capacitor makes a pulse of the falling edge of /DTR.
                Line::Dtr => {
                    if change.on && !self.dtr {
                        self.uno.machine_mut().reset();
                    }
                    self.dtr = change.on;
                }
                // Nothing is wired to it.
                Line::Rts => {}
                ref other => self.warnings.push(format!("the board has no line {other}")),
            }
        }
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        let mut nowhere = [0; 256];
        while self.uno.machine_mut().receive(&mut nowhere) > 0 {}
        Ok(())
    }

    fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn real_time(&self) -> bool {
        false
    }
}
