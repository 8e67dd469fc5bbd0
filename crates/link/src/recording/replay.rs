//! Replaying a recording.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Entry, Event, Hex, VERSION};
use crate::{Deadline, Instant, LineChange, Link, LinkError, Settings};

/// The text is no recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct RecordingError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A link that gives what a recorded device gave, in virtual time.
///
/// Strict: the host has to do what it did in the recording, call by call and byte by byte; anything
/// else is [`LinkError::Diverged`] with the first line that does not fit, and so is every call after
/// that. Only the host's times are free: an answer comes as long after what the host did last as it
/// did in the recording.
#[derive(Debug)]
pub struct Replay {
    port: String,
    settings: Settings,
    now: Duration,
    /// What is still to come, each with the number of its line.
    entries: VecDeque<(usize, Entry)>,
    /// The line after the last one.
    end_line: usize,
    /// When the host acted last: in the recording, and here.
    recorded_act: Duration,
    act: Duration,
    /// How many bytes of the next entry have been taken already.
    taken: usize,
    closed: bool,
    diverged: Option<Divergence>,
}

/// The first difference: [`LinkError::Diverged`], to be told again and again.
#[derive(Clone, Debug)]
struct Divergence {
    line: usize,
    recorded: String,
    found: String,
}

impl From<Divergence> for LinkError {
    fn from(divergence: Divergence) -> Self {
        Self::Diverged {
            line: divergence.line,
            recorded: divergence.recorded,
            found: divergence.found,
        }
    }
}

impl Replay {
    /// Reads a recording.
    ///
    /// # Errors
    /// [`RecordingError`] with the first line that is wrong.
    pub fn new(text: &str) -> Result<Self, RecordingError> {
        let mut entries = VecDeque::new();
        for (index, text) in text.lines().enumerate() {
            let line = index + 1;
            let entry: Entry = serde_json::from_str(text).map_err(|error| RecordingError {
                line,
                reason: error.to_string(),
            })?;
            entries.push_back((line, entry));
        }
        let wrong_start = |reason: String| RecordingError { line: 1, reason };
        let Some((
            _,
            Entry {
                at_us,
                event:
                    Event::Open {
                        version,
                        port,
                        settings,
                    },
            },
        )) = entries.pop_front()
        else {
            return Err(wrong_start(
                "a recording begins with an open event".to_owned(),
            ));
        };
        if version != VERSION {
            return Err(wrong_start(format!("version {version} is not known")));
        }
        let settings = settings.parse();
        let opened = Duration::from_micros(at_us);
        Ok(Self {
            port,
            settings: settings.map_err(|error| wrong_start(format!("{error}")))?,
            now: opened,
            end_line: entries.len() + 2,
            entries,
            recorded_act: opened,
            act: opened,
            taken: 0,
            closed: false,
            diverged: None,
        })
    }

    /// Whether all of the recording has been replayed, and nothing else.
    ///
    /// # Errors
    /// [`LinkError::Diverged`] with the first difference, or the first line that is left.
    pub fn finish(mut self) -> Result<(), LinkError> {
        match self.diverged.take() {
            Some(divergence) => Err(divergence.into()),
            None if self.entries.is_empty() => Ok(()),
            None => self.diverge("the end".to_owned()),
        }
    }

    /// The host does `found`: the recording has to have that next.
    fn act(&mut self, found: &Event) -> Result<(), LinkError> {
        self.check()?;
        match self.entries.front() {
            Some((_, recorded)) if recorded.event == *found && self.taken == 0 => {
                self.recorded_act = Duration::from_micros(recorded.at_us);
                self.act = self.now;
                self.entries.pop_front();
            }
            _ => return self.diverge(found.to_string()),
        }
        match self.entries.front() {
            Some((_, recorded)) if recorded.event == (Event::Closed { at_once: true }) => {
                self.close()
            }
            _ => Ok(()),
        }
    }

    /// The recorded link ends here.
    fn close(&mut self) -> Result<(), LinkError> {
        self.entries.pop_front();
        self.closed = true;
        self.check()
    }

    fn check(&self) -> Result<(), LinkError> {
        match &self.diverged {
            Some(divergence) => Err(divergence.clone().into()),
            None if self.closed => Err(LinkError::Closed),
            None => Ok(()),
        }
    }

    fn diverge(&mut self, found: String) -> Result<(), LinkError> {
        let (line, recorded) = match self.entries.front() {
            Some((line, entry)) => (*line, entry.event.to_string()),
            None => (self.end_line, "the end".to_owned()),
        };
        self.diverged = Some(Divergence {
            line,
            recorded,
            found,
        });
        self.check()
    }
}

impl Link for Replay {
    fn name(&self) -> &str {
        &self.port
    }

    fn now(&self) -> Instant {
        Instant::from_open(self.now)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.act(&Event::send(bytes))
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        self.check()?;
        let end = deadline.moment().since_open();
        if let Some((_, Entry { at_us, event })) = self.entries.front() {
            let after_act = Duration::from_micros(*at_us).saturating_sub(self.recorded_act);
            let due = self.act + after_act;
            match event {
                Event::Recv { bytes: Hex(bytes) } if due <= end.max(self.now) => {
                    let rest = &bytes[self.taken..];
                    let count = rest.len().min(buffer.len());
                    buffer[..count].copy_from_slice(&rest[..count]);
                    self.now = self.now.max(due);
                    self.taken += count;
                    if self.taken == bytes.len() {
                        self.taken = 0;
                        self.entries.pop_front();
                    }
                    return Ok(count);
                }
                Event::Closed { .. } if due <= end.max(self.now) => {
                    self.now = self.now.max(due);
                    self.close()?;
                }
                _ => {}
            }
        }
        self.now = self.now.max(end);
        Ok(0)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.check()?;
        self.now += duration;
        Ok(())
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.act(&Event::configure(settings))?;
        self.settings = settings;
        Ok(())
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        self.act(&Event::lines(changes))
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.act(&Event::Discard)
    }

    fn real_time(&self) -> bool {
        false
    }
}
