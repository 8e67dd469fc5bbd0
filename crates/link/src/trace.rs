//! A log of everything that happens on a link, for people: what `--log` writes.

use std::fmt::{self, Write as _};
use std::io::Write;
use std::time::Duration;

use crate::{Deadline, Instant, LineChange, Link, LinkError, Settings};

/// A link that writes down all that passes.
///
/// One line an event: the time in seconds since the link was opened, what happened, and with what.
///
/// ```text
///     0.000000 open /dev/ttyUSB0 115200 8E1
///     0.000104 > 2: 31 ce |1.|
///     0.001304 < 1: 79 |y|
///     0.001350 lines +dtr -rts
///     0.001420 pause 0.100000
///     0.101480 settings 230400 8E1
///     0.101500 discard
///     0.601510 < 0: nothing for 0.500010
///     0.601530 warning even parity is not supported by this port
///     0.650000 error the port has gone away
/// ```
///
/// `>` is from us to the device, `<` from the device to us: how many bytes, each in hexadecimal, and
/// the same as ASCII with dots for what has no sign. A line change is `+` for asserted (a GPIO:
/// high), `-` for the other. The time of `<` is the end of the wait; of everything else the start.
///
/// What cannot be written (a full disk) ends the log, not the link; then
/// [`take_warnings`](Link::take_warnings) says so.
pub struct Trace<L> {
    link: L,
    log: Option<Box<dyn Write>>,
    warnings: Vec<String>,
}

impl<L: Link> Trace<L> {
    /// Logs `link` to `log`, beginning with a line that tells its name and settings. `log` is
    /// flushed after an error and when the trace is dropped.
    pub fn new(link: L, log: Box<dyn Write>) -> Self {
        let mut trace = Self {
            link,
            log: Some(log),
            warnings: Vec::new(),
        };
        let opened = format!("open {} {}", trace.link.name(), trace.link.settings());
        trace.event(trace.link.now(), &opened);
        trace
    }

    fn event(&mut self, time: Instant, event: &str) {
        let Some(log) = &mut self.log else { return };
        let time = seconds(time.since_open());
        if let Err(error) = writeln!(log, "{time:>12} {event}") {
            self.log_failed(&error);
        }
    }

    /// Notes the error of a call, and passes its result on.
    fn outcome<T>(&mut self, result: Result<T, LinkError>) -> Result<T, LinkError> {
        if let Err(error) = &result {
            self.event(self.link.now(), &format!("error {error}"));
            self.flush();
        }
        result
    }

    fn flush(&mut self) {
        if let Some(Err(error)) = self.log.as_mut().map(|log| log.flush()) {
            self.log_failed(&error);
        }
    }

    fn log_failed(&mut self, error: &dyn fmt::Display) {
        self.log = None;
        self.warnings.push(format!(
            "the log ends early, it could not be written: {error}"
        ));
    }
}

impl<L> Drop for Trace<L> {
    fn drop(&mut self) {
        if let Some(log) = &mut self.log {
            // Nobody is left to be told.
            let _ = log.flush();
        }
    }
}

impl<L: fmt::Debug> fmt::Debug for Trace<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("link", &self.link)
            .field("logging", &self.log.is_some())
            .finish_non_exhaustive()
    }
}

impl<L: Link> Link for Trace<L> {
    fn name(&self) -> &str {
        self.link.name()
    }

    fn now(&self) -> Instant {
        self.link.now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.event(self.link.now(), &format!("> {}", dump(bytes)));
        let result = self.link.send(bytes);
        self.outcome(result)
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        let start = self.link.now();
        let result = self.link.recv(buffer, deadline);
        let end = self.link.now();
        match &result {
            // Looking without waiting, and finding nothing, is not an event.
            Ok(0) if deadline.remaining(start).is_zero() => {}
            Ok(0) => self.event(end, &format!("< 0: nothing for {}", seconds(end - start))),
            Ok(count) => self.event(end, &format!("< {}", dump(&buffer[..*count]))),
            Err(_) => {}
        }
        self.outcome(result)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.event(self.link.now(), &format!("pause {}", seconds(duration)));
        let result = self.link.pause(duration);
        self.outcome(result)
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.event(self.link.now(), &format!("settings {settings}"));
        let result = self.link.configure(settings);
        self.outcome(result)
    }

    fn settings(&self) -> Settings {
        self.link.settings()
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        let mut event = "lines".to_owned();
        for change in changes {
            let _ = write!(event, " {change}");
        }
        self.event(self.link.now(), &event);
        let result = self.link.lines(changes);
        self.outcome(result)
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.event(self.link.now(), "discard");
        let result = self.link.discard_input();
        self.outcome(result)
    }

    fn take_warnings(&mut self) -> Vec<String> {
        let mut warnings = self.link.take_warnings();
        for warning in &warnings {
            self.event(self.link.now(), &format!("warning {warning}"));
        }
        warnings.append(&mut self.warnings);
        warnings
    }

    fn real_time(&self) -> bool {
        self.link.real_time()
    }
}

/// A time as the log has it: seconds and microseconds.
fn seconds(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

/// Bytes as the log has them: how many, in hexadecimal, as text.
fn dump(bytes: &[u8]) -> String {
    let mut dump = format!("{}:", bytes.len());
    for byte in bytes {
        let _ = write!(dump, " {byte:02x}");
    }
    let text = bytes.iter().map(|&byte| match byte {
        b' '..=b'~' => char::from(byte),
        _ => '.',
    });
    dump.push_str(" |");
    dump.extend(text);
    dump.push('|');
    dump
}
