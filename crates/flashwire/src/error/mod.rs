//! Errors as sentences: what went wrong and where, why likely, what to try.
//!
//! Every floor below has its own errors, with their values; here each gets its stable code, its
//! hint and its exit status from [`hint`]. The cause is kept, never replaced.

pub mod hint;

mod aftermath;
mod arduino;
mod firmware;
mod i2c;
mod input;
mod nfd;
mod problem;
mod spi;

use std::error::Error as StdError;
use std::fmt;

pub use aftermath::{Aftermath, Kept};
pub use hint::{Exit, Hint};
pub use problem::{Access, Problem};

/// Why a job did not get done.
///
/// Its [`Display`](fmt::Display) is one sentence: what went wrong, where, and during what.
#[derive(Debug)]
pub struct Error {
    problem: Box<Problem>,
    setting: Box<Setting>,
    aftermath: Option<Box<Aftermath>>,
    /// What is known of the target where no job was under way; a sentence fragment.
    state: Option<String>,
    /// What to try instead of what the table says; `{port}` and `{file}` are filled in.
    remedy: Option<&'static str>,
}

/// Where and when an error happened, as far as the problem does not say so by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// The port string, as one would give it again.
    pub port: Option<String>,
    /// The link and its settings: `/dev/ttyUSB0 (115200 8E1)`.
    pub link: Option<String>,
    /// What was being done: `erasing`.
    pub activity: Option<String>,
    /// The file in question.
    pub file: Option<String>,
}

impl Error {
    /// The problem, with its values.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Where and when.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// In which state the target is, if a job on it ended early.
    pub fn aftermath(&self) -> Option<&Aftermath> {
        self.aftermath.as_deref()
    }

    /// The row of the table: code, exit status, texts with their placeholders.
    pub fn hint(&self) -> &'static Hint {
        self.problem.hint()
    }

    /// The exit status of a process that ends with this error.
    pub fn exit(&self) -> Exit {
        self.hint().exit
    }

    /// What is known beyond the sentence: what was sent and received, and the state of the target;
    /// a sentence fragment each.
    pub fn facts(&self) -> Vec<String> {
        let mut facts: Vec<String> = self.problem.fact().into_iter().collect();
        match &self.aftermath {
            Some(aftermath) => facts.extend(aftermath.sentences()),
            None if self.state.is_some() => facts.extend(self.state.clone()),
            None if matches!(*self.problem, Problem::Cancelled) => {
                facts.push(aftermath::UNTOUCHED.to_owned());
            }
            None => {}
        }
        facts
    }

    /// Why it probably happened; a fragment.
    pub fn likely(&self) -> String {
        self.fill(self.problem.likely())
    }

    /// What to try; a fragment.
    pub fn remedy(&self) -> String {
        let aftermath = self
            .aftermath
            .as_ref()
            .and_then(|aftermath| aftermath.remedy());
        let said = || self.remedy.map(|remedy| self.fill(remedy));
        aftermath
            .or_else(said)
            .unwrap_or_else(|| self.problem.remedy(self))
    }

    /// Puts the port and the file into a text of the table.
    pub(crate) fn fill(&self, text: &str) -> String {
        let named = self.setting.port.as_deref().or(self.problem.port());
        let port = named.unwrap_or("PORT");
        let file = self.setting.file.as_deref().unwrap_or("FILE");
        hint::fill(text, port, file)
    }

    /// The same error, on this link.
    #[must_use]
    pub fn on(mut self, port: impl Into<String>, link: impl Into<String>) -> Self {
        self.setting.port = Some(port.into());
        self.setting.link = Some(link.into());
        self
    }

    /// The same error, about this file.
    #[must_use]
    pub fn about(mut self, file: impl Into<String>) -> Self {
        self.setting.file = Some(file.into());
        self
    }

    /// The same error, about this file if it has a name.
    pub(crate) fn about_file(self, file: &str) -> Self {
        if file.is_empty() {
            self
        } else {
            self.about(file)
        }
    }

    /// The same error, with what is known of the target now: a sentence fragment.
    #[must_use]
    pub fn with_state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// The same error, with something better to try than what holds for every job; `{port}` and
    /// `{file}` in it stand for the port and the file that the error is about.
    #[must_use]
    pub(crate) fn with_remedy(mut self, remedy: &'static str) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// The same error, while doing something.
    #[must_use]
    pub fn during(mut self, activity: impl Into<String>) -> Self {
        self.setting.activity = Some(activity.into());
        self
    }

    /// The same error, with the state in which it left the target.
    #[must_use]
    pub fn leaving(mut self, aftermath: Aftermath) -> Self {
        self.aftermath = Some(Box::new(aftermath));
        self
    }
}

impl<P: Into<Problem>> From<P> for Error {
    fn from(problem: P) -> Self {
        let problem = Box::new(problem.into());
        Self {
            problem,
            setting: Box::default(),
            aftermath: None,
            state: None,
            remedy: None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match (&*self.problem, &self.setting.file) {
            (Problem::Mismatch { written: false, .. }, Some(file)) => {
                format!("the flash differs from {file}")
            }
            (problem, Some(file)) => format!("{file}: {problem}"),
            (problem, None) => problem.to_string(),
        };
        if !self.problem.happened_on_the_link() {
            return f.write_str(&sentence);
        }
        // Where and when belong to the first half; what follows it are details.
        let ends = [": ", "; ", ", which "];
        let end = ends.iter().filter_map(|end| sentence.find(end)).min();
        let (what, details) = sentence.split_at(end.unwrap_or(sentence.len()));
        f.write_str(what)?;
        if let Some(link) = &self.setting.link {
            write!(f, " on {link}")?;
        }
        if let Some(activity) = &self.setting.activity {
            write!(f, ", while {activity}")?;
        }
        f.write_str(details)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.problem)
    }
}
