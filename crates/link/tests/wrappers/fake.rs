//! A link for tests: virtual time, a device that answers by a rule, and a log of all that happens.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use flashwire_link::{CancelFlag, Deadline, Instant, LineChange, Link, LinkError, Settings};

/// What happened, one line each. Clones are the same log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn add(&self, line: String) {
        self.0.borrow_mut().push(line);
    }

    /// What happened since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// What the device answers to what was sent.
type Rule = fn(&[u8]) -> Vec<u8>;

/// How long the device needs for its answer.
pub(crate) const ANSWER_TIME: Duration = Duration::from_millis(1);

/// The link.
#[derive(Debug)]
pub(crate) struct FakeLink {
    now: Duration,
    settings: Settings,
    /// When it will have arrived, and what.
    arrivals: VecDeque<(Duration, Vec<u8>)>,
    rule: Rule,
    /// When the link ends.
    pub(crate) closes_at: Option<Duration>,
    /// When the user gives up.
    pub(crate) gives_up: Option<(Duration, CancelFlag)>,
    pub(crate) claims_real_time: bool,
    pub(crate) warnings: Vec<String>,
    pub(crate) log: Log,
}

impl FakeLink {
    pub(crate) fn new(rule: Rule) -> Self {
        Self {
            now: Duration::ZERO,
            settings: Settings::even(115_200),
            arrivals: VecDeque::new(),
            rule,
            closes_at: None,
            gives_up: None,
            claims_real_time: false,
            warnings: Vec::new(),
            log: Log::default(),
        }
    }

    /// A device that never says anything by itself.
    pub(crate) fn silent() -> Self {
        Self::new(|_| Vec::new())
    }

    /// A device that returns what it gets.
    pub(crate) fn echo() -> Self {
        Self::new(<[u8]>::to_vec)
    }

    /// Lets `bytes` arrive at `at`.
    pub(crate) fn arrive(&mut self, at: Duration, bytes: &[u8]) {
        self.arrivals.push_back((at, bytes.to_vec()));
    }

    fn advance(&mut self, to: Duration) -> Result<(), LinkError> {
        self.now = self.now.max(to);
        if let Some((_, flag)) = self.gives_up.take_if(|(at, _)| *at <= to) {
            flag.raise();
        }
        match self.closes_at {
            Some(at) if at <= self.now => Err(LinkError::Closed),
            _ => Ok(()),
        }
    }
}

impl Link for FakeLink {
    fn name(&self) -> &str {
        "fake"
    }

    fn now(&self) -> Instant {
        Instant::from_open(self.now)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.log.add(format!("{:?} send {bytes:02x?}", self.now));
        self.advance(self.now)?;
        let answer = (self.rule)(bytes);
        if !answer.is_empty() {
            self.arrivals.push_back((self.now + ANSWER_TIME, answer));
        }
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        let end = deadline.moment().since_open().max(self.now);
        self.log.add(format!("{:?} recv until {end:?}", self.now));
        let Some((at, bytes)) = self.arrivals.front_mut().filter(|(at, _)| *at <= end) else {
            self.advance(end)?;
            return Ok(0);
        };
        let at = *at;
        let count = buffer.len().min(bytes.len());
        for (to, from) in buffer.iter_mut().zip(bytes.drain(..count)) {
            *to = from;
        }
        if bytes.is_empty() {
            self.arrivals.pop_front();
        }
        self.advance(at)?;
        Ok(count)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.log.add(format!("{:?} pause {duration:?}", self.now));
        self.advance(self.now + duration)
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.log.add(format!("{:?} configure {settings}", self.now));
        self.settings = settings;
        if settings.baud == 1 {
            return Err(LinkError::Io(io::Error::other("no such speed")));
        }
        Ok(())
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        let changes: Vec<String> = changes.iter().map(LineChange::to_string).collect();
        self.log
            .add(format!("{:?} lines {}", self.now, changes.join(" ")));
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.log.add(format!("{:?} discard", self.now));
        self.arrivals.retain(|(at, _)| *at > self.now);
        Ok(())
    }

    fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn real_time(&self) -> bool {
        self.claims_real_time
    }
}

/// A file in memory. Clones are the same file.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryFile {
    content: Rc<RefCell<Vec<u8>>>,
    flushed: Rc<RefCell<usize>>,
    /// How many bytes fit.
    room: Option<usize>,
}

impl MemoryFile {
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self {
            room: Some(bytes),
            ..Self::default()
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.content.borrow().clone()).unwrap()
    }

    /// How much of it a reader would find if the program died now.
    pub(crate) fn flushed_text(&self) -> String {
        self.text()[..*self.flushed.borrow()].to_owned()
    }
}

impl io::Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut content = self.content.borrow_mut();
        if self
            .room
            .is_some_and(|room| content.len() + bytes.len() > room)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        *self.flushed.borrow_mut() = self.content.borrow().len();
        Ok(())
    }
}

pub(crate) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}
