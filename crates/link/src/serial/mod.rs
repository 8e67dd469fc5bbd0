//! Real serial ports, and everything that looks like one: ptys, `socat`, USB CDC devices.
//!
//! # Opening
//! A port is opened exactly as named (`/dev/ttyUSB0`, `/dev/serial/by-path/...`, a symbolic link, a
//! pty, `COM5`), never matched against a list. It is ours alone while it is open: `flock` keeps out
//! every program that locks ports, root's included, and `TIOCEXCL` every other one but root's.
//!
//! # The modem lines
//! While the port is open DTR and RTS are asserted, until [`Link::lines`] moves them: Linux asserts
//! both when a port is opened and cannot be told otherwise, and many USB CDC devices send nothing to
//! a host that does not assert DTR. Nothing else moves them, so opening costs no pulse beyond what
//! the operating system does by itself.
//!
//! When the port is closed the lines drop, as with any program (`HUPCL`, on by default), *unless*
//! [`Link::lines`] has moved one of them: then they stay as they were left, because whoever wires
//! them to NRST and BOOT0 wants the target to go on in the mode it was put into. The port keeps that
//! property (`stty -hupcl`) until it is unplugged. On Windows the driver decides.
//!
//! # What a port cannot do
//! Ptys have no parity and no modem lines. What a port cannot do is reported once by
//! [`Link::take_warnings`], and never an error.
//!
//! Overrun, framing and parity errors are not visible: a character that arrived with wrong parity
//! reads as 0x00.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix::Port;
#[cfg(windows)]
use windows::Port;

use std::time::Duration;

use crate::clock::Clock;
use crate::input::Input;
use crate::warnings::Warnings;
use crate::{Deadline, Instant, Line, LineChange, Link, LinkError, Parity, Settings};

/// How far a port may miss the speed it was asked for, in per mille. The receiver samples the last
/// bit of an 11-bit character 10.5 bit times after its start; half a bit off is another bit, so that
/// both ends together have 0.5 / 10.5 = 47 per mille.
const SPEED_TOLERANCE_PERMILLE: u64 = 47;

/// Opens the port `path` and sets it up. A speed of 0 is the one that the port has.
///
/// # Errors
/// * [`LinkError::NotFound`]: there is no such port.
/// * [`LinkError::Busy`]: another program has it open.
/// * [`LinkError::Denied`]: this user may not open it.
/// * [`LinkError::NotAPort`]: a directory, a regular file, a FIFO, a disk, `/dev/null`, a console, the
///   terminal that the user types in, a port without hardware. All but the last are refused without
///   being opened; in particular a FIFO does not hang.
/// * [`LinkError::Unsupported`]: the speed cannot be set.
pub fn open(path: &str, settings: Settings) -> Result<SerialLink, LinkError> {
    let port = Port::open(path)?;
    let baud = match settings.baud {
        0 => port.speed_before().ok_or_else(|| {
            LinkError::Unsupported("the speed that it has: it does not say which".to_owned())
        })?,
        baud => baud,
    };
    let settings = Settings { baud, ..settings };
    let mut link = SerialLink {
        name: path.to_owned(),
        port,
        clock: Clock::start(),
        settings,
        input: Input::default(),
        warnings: Warnings::default(),
    };
    link.apply(settings, None)?;
    // What came before the port had its speed is noise.
    link.port.discard_input()?;
    Ok(link)
}

/// Whether this user may open the port `path`, as far as can be told without opening it.
pub fn is_allowed(path: &str) -> bool {
    #[cfg(unix)]
    return crate::sys::may_read_and_write(path);
    #[cfg(not(unix))]
    return std::path::Path::new(path).exists();
}

/// An open serial port. Made by [`open`].
#[derive(Debug)]
pub struct SerialLink {
    name: String,
    port: Port,
    clock: Clock,
    settings: Settings,
    input: Input,
    warnings: Warnings,
}

impl SerialLink {
    /// Gives the port `settings`, and notes what it could not do. `known` is what it has by now, if
    /// that is known: each change can cost an adapter milliseconds.
    fn apply(&mut self, settings: Settings, known: Option<Settings>) -> Result<(), LinkError> {
        self.port.configure(settings, known)?;
        if self.port.parity() == Some(Parity::None) && settings.parity != Parity::None {
            let parity = match settings.parity {
                Parity::Odd => "odd",
                _ => "even",
            };
            self.warnings
                .add(format!("{parity} parity is not supported by this port"));
        }
        if let Some(actual) = self.port.baud() {
            let wanted = u64::from(settings.baud);
            let off = u64::from(actual).abs_diff(wanted) * 1000;
            if off > wanted * SPEED_TOLERANCE_PERMILLE {
                return Err(LinkError::Unsupported(format!(
                    "{wanted} baud (the nearest is {actual})"
                )));
            }
        }
        self.settings = settings;
        Ok(())
    }

    /// Waits until everything sent has left the wire, within the same bound as a send.
    fn drain(&mut self) -> Result<(), LinkError> {
        let start = self.clock.now();
        loop {
            let queued = self.port.queued()?;
            if queued == 0 {
                return self.port.drain();
            }
            if self.clock.now() - start > self.settings.send_limit(queued) {
                return Err(LinkError::Stalled);
            }
            let left = self.settings.wire_time(queued);
            self.clock
                .pause(left.clamp(Duration::from_micros(200), Duration::from_millis(10)));
        }
    }
}

impl Link for SerialLink {
    fn name(&self) -> &str {
        &self.name
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let limit = self.deadline(self.settings.send_limit(bytes.len()));
        let mut rest = bytes;
        while !rest.is_empty() {
            let wait = limit.remaining(self.clock.now());
            match self.port.write(rest, wait)? {
                0 if wait.is_zero() => return Err(LinkError::Stalled),
                count => rest = &rest[count..],
            }
        }
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        while self.input.is_empty() && !buffer.is_empty() {
            let wait = deadline.remaining(self.clock.now());
            let count = self.port.read(self.input.space(), wait)?;
            self.input.filled(count);
            if count == 0 && wait.is_zero() {
                break;
            }
        }
        Ok(self.input.take(buffer))
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.clock.pause(duration);
        Ok(())
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        if settings == self.settings {
            return Ok(());
        }
        self.drain()?;
        self.apply(settings, Some(self.settings))
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        let mut modem = Modem::default();
        for LineChange { line, on } in changes {
            match line {
                Line::Dtr => modem.dtr = Some(*on),
                Line::Rts => modem.rts = Some(*on),
                Line::Break => {
                    // A break in the middle of what is still being sent would destroy it.
                    self.drain()?;
                    if !self.port.set_break(*on)? {
                        self.warnings.add_line(line);
                    }
                }
                Line::Gpio { .. } => self.warnings.add_line(line),
            }
        }
        if modem != Modem::default() && !self.port.set_modem(modem)? {
            let moved = [(modem.dtr, Line::Dtr), (modem.rts, Line::Rts)];
            for (_, line) in moved.iter().filter(|(change, _)| change.is_some()) {
                self.warnings.add_line(line);
            }
        }
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.input.clear();
        self.port.discard_input()
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.warnings.take()
    }
}

/// States that DTR and RTS are to have; `None` leaves a line alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modem {
    pub(crate) dtr: Option<bool>,
    pub(crate) rts: Option<bool>,
}
