//! What a run says, and where: words to standard output as the original does, unless data goes
//! there; errors to standard error.
//!
//! The lines that scripts look for are worded as the original's: docs/stm32flash.md lists them.

use std::io::{self, Write};

use flashwire::{Error, Phase, Progress, Watcher};

use crate::args::{ProgressKind, ScreenArgs};
use crate::screen::Screen;

/// Says how far a run is.
pub(super) struct Talk {
    /// Whether standard output is for data.
    data_on_output: bool,
    /// The first address of the piece of memory that is worked on.
    start: u64,
    /// What is done to it where the phase does not say so: reading for a checksum.
    verb: &'static str,
    /// The phase and percent shown last.
    shown: Option<(Phase, u64)>,
}

impl Talk {
    pub(super) fn new(data_on_output: bool) -> Self {
        Self {
            data_on_output,
            start: 0,
            verb: "Read",
            shown: None,
        }
    }

    /// Says a line.
    pub(super) fn line(&mut self, text: &str) {
        self.put(&format!("{text}\n"));
    }

    /// Says a piece of a line. Who does not listen is not told.
    pub(super) fn put(&mut self, text: &str) {
        let _ = if self.data_on_output {
            write_all(&mut io::stderr().lock(), text)
        } else {
            write_all(&mut io::stdout().lock(), text)
        };
    }

    /// From here on progress is about the memory from `start` on; `verb` is what is done to it.
    pub(super) fn begin(&mut self, start: u64, verb: &'static str) {
        self.start = start;
        self.verb = verb;
    }

    /// Says what went wrong.
    pub(super) fn error(&mut self, error: &Error) {
        self.end("");
        screen().error(error);
    }

    /// Says what is not as it should be, but no reason to stop.
    pub(super) fn warning(&mut self, text: &str) {
        self.end("");
        screen().warn(text);
    }

    /// Ends the line that shows progress, if one is under way.
    pub(super) fn end(&mut self, text: &str) {
        if self.shown.take().is_some() || !text.is_empty() {
            self.line(text);
        }
    }
}

fn write_all(out: &mut dyn Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Shows errors and warnings as all commands do.
pub(super) fn screen() -> Screen {
    Screen {
        args: ScreenArgs {
            json: false,
            progress: ProgressKind::None,
            quiet: false,
            verbose: false,
        },
    }
}

impl Watcher for Talk {
    fn progress(&mut self, progress: &Progress) {
        let Progress {
            phase,
            done_bytes,
            total_bytes,
            ..
        } = *progress;
        let verb = match phase {
            Phase::Reading if self.verb == "Wrote" => return,
            Phase::Reading => self.verb,
            Phase::Writing => "Wrote",
            Phase::Verifying => "Wrote and verified",
            // Quick, and said before.
            _ => return,
        };
        let percent = done_bytes * 100 / total_bytes;
        if done_bytes == 0 || self.shown == Some((phase, percent)) {
            return;
        }
        self.shown = Some((phase, percent));
        let exact = done_bytes as f64 * 100.0 / total_bytes as f64;
        let address = self.start + done_bytes;
        self.put(&format!("\r{verb} address {address:#010x} ({exact:.2}%) "));
    }

    fn warn(&mut self, text: &str) {
        self.warning(text);
    }

    fn say(&mut self, text: &str) {
        self.end("");
        self.line(text);
    }
}
