//! An application that talks: a line of text again and again, as firmware does that logs.

use std::time::Duration;

use flashwire_link::{Instant, Settings};

/// Pause between two lines.
const PAUSE: Duration = Duration::from_millis(100);

/// What an application says, and when next.
#[derive(Debug)]
pub(super) struct Talk {
    line: Vec<u8>,
    settings: Settings,
    next: Instant,
}

impl Talk {
    /// A line at this speed, without parity.
    pub(super) fn new(text: &str, baud: u32) -> Self {
        Self {
            line: format!("{text}\r\n").into_bytes(),
            settings: Settings::plain(baud),
            next: Instant::default(),
        }
    }

    /// Speed and format.
    pub(super) fn settings(&self) -> Settings {
        self.settings
    }

    /// When it speaks next.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// What it says now, if anything.
    pub(super) fn say(&mut self, now: Instant) -> &[u8] {
        if now < self.next {
            return &[];
        }
        self.next = now + self.settings.wire_time(self.line.len()) + PAUSE;
        &self.line
    }
}
