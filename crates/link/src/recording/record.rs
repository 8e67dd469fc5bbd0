//! Writing a recording.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use super::{Entry, Event, Hex, VERSION};
use crate::{Deadline, Instant, LineChange, Link, LinkError, Settings};

/// A link that records all that passes, for [`Replay`](crate::Replay).
///
/// What cannot be written (a full disk) ends the recording, not the link; then
/// [`take_warnings`](Link::take_warnings) says so.
pub struct Record<L> {
    link: L,
    file: Option<Box<dyn Write>>,
    warnings: Vec<String>,
}

impl<L: Link> Record<L> {
    /// Records `link` to `file`, beginning with its name and settings.
    pub fn new(link: L, file: Box<dyn Write>) -> Self {
        let mut record = Self {
            link,
            file: Some(file),
            warnings: Vec::new(),
        };
        let opened = Event::Open {
            version: VERSION,
            port: record.link.name().to_owned(),
            settings: record.link.settings().to_string(),
        };
        record.write(record.link.now(), opened);
        record
    }

    fn write(&mut self, moment: Instant, event: Event) {
        let Some(file) = &mut self.file else { return };
        let at_us = u64::try_from(moment.since_open().as_micros()).unwrap_or(u64::MAX);
        let line = serde_json::to_string(&Entry { at_us, event }).map_err(std::io::Error::from);
        if let Err(error) = line.and_then(|line| writeln!(file, "{line}")) {
            self.file = None;
            self.warnings.push(format!(
                "the recording ends early, it could not be written: {error}"
            ));
        }
    }

    /// Notes the end of the link, and passes the result of an act (`at_once`) or a wait on.
    fn outcome<T>(&mut self, result: Result<T, LinkError>, at_once: bool) -> Result<T, LinkError> {
        if let Err(LinkError::Closed) = &result {
            self.write(self.link.now(), Event::Closed { at_once });
        }
        result
    }
}

impl<L> Drop for Record<L> {
    fn drop(&mut self) {
        if let Some(file) = &mut self.file {
            // Nobody is left to be told.
            let _ = file.flush();
        }
    }
}

impl<L: fmt::Debug> fmt::Debug for Record<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("link", &self.link)
            .field("recording", &self.file.is_some())
            .finish_non_exhaustive()
    }
}

impl<L: Link> Link for Record<L> {
    fn name(&self) -> &str {
        self.link.name()
    }

    fn now(&self) -> Instant {
        self.link.now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.write(self.link.now(), Event::send(bytes));
        let result = self.link.send(bytes);
        self.outcome(result, true)
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        let start = self.link.now();
        let result = self.link.recv(buffer, deadline);
        if let Ok(count) = result
            && count > 0
        {
            // What came in time is recorded as in time, even if we were late to look.
            let latest = deadline.moment().max(start);
            let bytes = Hex(buffer[..count].to_vec());
            self.write(self.link.now().min(latest), Event::Recv { bytes });
        }
        self.outcome(result, false)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        let result = self.link.pause(duration);
        self.outcome(result, false)
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.write(self.link.now(), Event::configure(settings));
        let result = self.link.configure(settings);
        self.outcome(result, true)
    }

    fn settings(&self) -> Settings {
        self.link.settings()
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        self.write(self.link.now(), Event::lines(changes));
        let result = self.link.lines(changes);
        self.outcome(result, true)
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.write(self.link.now(), Event::Discard);
        let result = self.link.discard_input();
        self.outcome(result, true)
    }

    fn take_warnings(&mut self) -> Vec<String> {
        let mut warnings = self.link.take_warnings();
        warnings.append(&mut self.warnings);
        warnings
    }

    fn real_time(&self) -> bool {
        self.link.real_time()
    }
}
