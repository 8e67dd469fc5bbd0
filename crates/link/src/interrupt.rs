//! Letting the user give up, without leaving the device in the middle of something.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{Deadline, Instant, LineChange, Link, LinkError, Settings};

/// How long waits still go on after the user gave up: enough for the answer to a block under way
/// (256 bytes at 9600 baud, 8E1, take 293 ms).
const GRACE: Duration = Duration::from_millis(300);

/// How often a wait in real time looks at the flag.
const SLICE: Duration = Duration::from_millis(50);

/// Says that the user gave up. Clones are the same flag; any thread or signal handler may raise it.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// A flag that nobody has raised yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives up. A raised flag stays raised.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the user gave up.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A link whose waits end when a [`CancelFlag`] is raised.
///
/// A wait that would go on for more than 300 ms after the flag was raised fails with
/// [`LinkError::Cancelled`]. One that ends before does so normally, so that a block under way is
/// finished and whoever executes a plan can stop between two blocks. What has already arrived can
/// still be taken after that. In real time the flag is seen within 50 ms.
#[derive(Debug)]
pub struct Interruptible<L> {
    link: L,
    flag: CancelFlag,
    /// When the flag was first seen raised.
    raised_at: Option<Instant>,
}

impl<L: Link> Interruptible<L> {
    /// Lets `flag` end the waits on `link`.
    pub fn new(link: L, flag: CancelFlag) -> Self {
        Self {
            link,
            flag,
            raised_at: None,
        }
    }

    /// Until when a wait that began at or before `now` and is to end at `end` may go on before
    /// somebody looks at the flag again; and whether that is final.
    fn next_stop(&mut self, end: Instant) -> (Instant, Stop) {
        let now = self.link.now();
        let stop = if self.flag.is_raised() {
            (*self.raised_at.get_or_insert(now) + GRACE, Stop::Cancel)
        } else if self.link.real_time() {
            (now + SLICE, Stop::Look)
        } else {
            return (end, Stop::End);
        };
        if end <= stop.0 {
            (end, Stop::End)
        } else {
            stop
        }
    }
}

/// What happens when a part of a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The whole wait is over.
    End,
    /// Look at the flag, then go on.
    Look,
    /// The user gave up too long ago.
    Cancel,
}

impl<L: Link> Link for Interruptible<L> {
    fn name(&self) -> &str {
        self.link.name()
    }

    fn now(&self) -> Instant {
        self.link.now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.link.send(bytes)
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        if deadline.remaining(self.link.now()).is_zero() {
            // Not a wait.
            return self.link.recv(buffer, deadline);
        }
        loop {
            let (moment, stop) = self.next_stop(deadline.moment());
            let count = self.link.recv(buffer, Deadline::at(moment))?;
            match stop {
                _ if count > 0 => return Ok(count),
                Stop::End => return Ok(0),
                Stop::Cancel => return Err(LinkError::Cancelled),
                Stop::Look => {}
            }
        }
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        let end = self.link.now() + duration;
        loop {
            let (moment, stop) = self.next_stop(end);
            self.link.pause(moment - self.link.now())?;
            match stop {
                Stop::End => return Ok(()),
                Stop::Cancel => return Err(LinkError::Cancelled),
                Stop::Look => {}
            }
        }
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.link.configure(settings)
    }

    fn settings(&self) -> Settings {
        self.link.settings()
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        self.link.lines(changes)
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.link.discard_input()
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.link.take_warnings()
    }

    fn real_time(&self) -> bool {
        self.link.real_time()
    }
}
