//! What a run says, and where: words to standard output as the original does, unless data goes
//! there; errors to standard error.
//!
//! The lines that scripts look for are worded as the original's: docs/stm32flash.md lists them.

use std::io::{self, Write};

use flashwire::{Error, Info, Phase, Progress, Watcher};

use crate::args::{ProgressKind, ScreenArgs};
use crate::screen::Screen;

/// Says how far a run is.
pub(super) struct Talk {
    /// Whether standard output is for data.
    data_on_output: bool,
    /// The first address of the piece of memory that is worked on.
    pub(super) start: u64,
    /// The phase and percent shown last.
    shown: Option<(Phase, u64)>,
}

impl Talk {
    pub(super) fn new(data_on_output: bool) -> Self {
        Self {
            data_on_output,
            start: 0,
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

    /// Says what went wrong.
    pub(super) fn error(&mut self, error: &Error) {
        self.end_progress("");
        screen().error(error);
    }

    /// Says what is not as it should be, but no reason to stop.
    pub(super) fn warning(&mut self, text: &str) {
        self.end_progress("");
        screen().warn(text);
    }

    /// Says what answered.
    pub(super) fn target(&mut self, info: &Info) {
        self.line(&format!("Interface    : {}", info.link));
        if let Some(stm32) = &info.stm32 {
            self.line(&format!(
                "Version      : 0x{}",
                stm32.version.replace('.', "")
            ));
            let id = stm32.product_id;
            self.line(&format!("Device ID    : 0x{id:04x} ({})", info.part));
        }
        let size = match info.size_known {
            true => format!("{} KiB", (info.flash.end - info.flash.start) / 1024),
            false => "of unknown size".to_owned(),
        };
        let start = info.flash.start;
        self.line(&format!("- Flash      : {size}, from {start:#010x}"));
    }

    /// Ends the line that shows progress, if one is under way.
    pub(super) fn end_progress(&mut self, text: &str) {
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
            Phase::Reading => "Read",
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
        self.end_progress("");
        self.line(text);
    }
}
