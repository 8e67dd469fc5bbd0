//! In which state a job that ended early left the target, and what to do about it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use flashwire_plan::TargetState;

/// The state of a target after a job that ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aftermath {
    /// What is known of the flash.
    pub state: TargetState,
    /// How many erase units the job wanted to erase.
    pub planned_units: usize,
    /// Whether the job was only to erase.
    pub only_erasing: bool,
    /// Whether the flash was compared and did not hold what it should.
    pub differs: bool,
    /// Where the old content is that the job had to read.
    pub kept: Kept,
}

/// What became of old content that a job had to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// There was none that matters.
    #[default]
    Nothing,
    /// It is in this file.
    In(PathBuf),
    /// It was not kept, because the user said so.
    Dropped,
}

/// What is said of a target that nothing was done to.
pub(super) const UNTOUCHED: &str = "the flash is as it was";

impl Kept {
    /// The file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::In(file) => Some(file),
            Self::Nothing | Self::Dropped => None,
        }
    }
}

impl Aftermath {
    /// The state in sentences, the important one first.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences = vec![self.flash()];
        if !self.state.kept_lost.is_empty() {
            sentences.push(self.lost());
        }
        sentences
    }

    /// What to do now; `None` if the flash is as it was.
    pub(super) fn remedy(&self) -> Option<String> {
        match &self.kept {
            _ if !self.state.touched => None,
            // In this order: a backup can hold more than what the job was to keep.
            Kept::In(backup) if !self.state.kept_lost.is_empty() => Some(format!(
                "`flashwire write {}` with the same port, then the same command again",
                backup.display()
            )),
            _ => Some("run the same command again".to_owned()),
        }
    }

    fn flash(&self) -> String {
        let state = &self.state;
        let done = if self.only_erasing {
            "erased"
        } else {
            "written"
        };
        if !state.touched {
            return UNTOUCHED.to_owned();
        }
        if self.differs {
            return format!("everything was {done}, and that did not take everywhere");
        }
        if state.all_written {
            return format!("everything is {done}, but not verified");
        }
        let erased = state.erased.len();
        match state.programmed_to {
            Some(address) => {
                format!("the flash is written below {address:#010x}, and not from there on")
            }
            None if erased == 0 && self.planned_units > 0 => {
                "the erase had begun: none, some or all of it is done".to_owned()
            }
            None if erased < self.planned_units => format!(
                "the flash is partly erased (at least {erased} of {} units), nothing is written",
                self.planned_units
            ),
            None if self.planned_units == 0 => "the flash may be partly written".to_owned(),
            None => "the old content is erased, nothing is written yet".to_owned(),
        }
    }

    fn lost(&self) -> String {
        let ranges: Vec<String> = self.state.kept_lost.iter().map(span).collect();
        let ranges = ranges.join(", ");
        match &self.kept {
            Kept::In(backup) => format!(
                "{ranges} beside the file is not written back yet; its old content is in {}",
                backup.display()
            ),
            _ => format!("{ranges} beside the file is not written back, and no copy was kept"),
        }
    }
}

fn span(range: &Range<u64>) -> String {
    format!("{:#010x}..{:#010x}", range.start, range.end)
}
