//! What goes where: people read standard error, data goes to standard output.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use flashwire::{Error, Problem};
use serde::Serialize;

use crate::args::{ProgressKind, ScreenArgs};
use crate::json;

/// The two outputs, and how much is said.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    pub(crate) args: ScreenArgs,
}

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const LABEL: Style = Style::new().bold();

impl Screen {
    /// Whether JSON goes to standard output.
    pub(crate) fn writes_json(&self) -> bool {
        self.args.json || self.args.progress == ProgressKind::Json
    }

    /// Says how things stand, unless `--quiet`.
    pub(crate) fn say(&self, text: &str) {
        if !self.args.quiet {
            human(text);
        }
    }

    /// Asks something, even with `--quiet`; the answer stands on the same line.
    pub(crate) fn ask(&self, question: &str) {
        let mut error = anstream::stderr().lock();
        let _ = write!(error, "{question}").and_then(|()| error.flush());
    }

    /// Says what even `--quiet` does not silence.
    pub(crate) fn always(&self, text: &str) {
        human(text);
    }

    /// Says more, with `--verbose`.
    pub(crate) fn detail(&self, text: &str) {
        if self.args.verbose {
            human(text);
        }
    }

    /// Says what is not as it should be, but no reason to stop.
    pub(crate) fn warn(&self, text: &str) {
        self.say(&format!("{WARNING}warning:{WARNING:#} {text}"));
    }

    /// Prints the result of a command for people, or for programs with `--json`.
    pub(crate) fn result(&self, text: &str, object: &impl Serialize) -> Result<(), Error> {
        if self.args.json {
            self.object(object)
        } else {
            self.data(text.as_bytes())
        }
    }

    /// Prints `object` as the JSON result.
    pub(crate) fn object(&self, object: &impl Serialize) -> Result<(), Error> {
        self.data(json::line(object).as_bytes())
    }

    /// Writes to standard output. A reader who has had enough (`| head`) is no error.
    pub(crate) fn data(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Problem::StandardOutput(error).into())
            }
            _ => Ok(()),
        }
    }

    /// Shows an error: the sentence, what is known, why likely, what to try.
    pub(crate) fn error(&self, error: &Error) {
        let hint = error.hint();
        let mut text = format!("{ERROR}error[{}]:{ERROR:#} {error}", hint.code);
        for fact in error.facts() {
            text.push_str(&format!("\n  {fact}"));
        }
        text.push_str(&format!("\n  {LABEL}likely:{LABEL:#} {}", error.likely()));
        let remedy = error.remedy();
        text.push_str(&format!("\n  {LABEL}try:{LABEL:#}    {remedy}"));
        text.push_str(&format!(
            "    {LABEL}more:{LABEL:#} flashwire explain {}",
            hint.code
        ));
        human(&text);
        if self.args.json {
            // Standard output is gone, or takes the object; there is no third place to complain.
            let _ = self.object(&json::ErrorObject::new(error));
        }
    }
}

/// Whether standard error shows a person something that can move.
pub(crate) fn error_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// A line on standard error, without colours where they do not belong (`NO_COLOR`, no terminal).
fn human(text: &str) {
    // Standard error may be closed; then nobody is left to be told.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}
