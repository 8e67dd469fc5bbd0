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
        let again = "run the same command again";
        match &self.kept {
            _ if !self.state.touched => None,
            Kept::In(backup) if !self.state.kept_lost.is_empty() => {
                let backup = backup.display();
                Some(format!(
                    "{again}, then `flashwire write {backup}` for what was beside it"
                ))
            }
            _ => Some(again.to_owned()),
        }
    }

    fn flash(&self) -> String {
        let state = &self.state;
        if !state.touched {
            return "the flash is as it was".to_owned();
        }
        let done = if self.only_erasing {
            "erased"
        } else {
            "written"
        };
        if self.differs {
            return format!("everything was {done}, and that did not take everywhere");
        }
        if state.all_written {
            return format!("everything is {done}, but not verified");
        }
        match state.programmed_to {
            Some(address) => format!("the flash is written below {address:#010x} and no further"),
            None if self.planned_units == 0 => "the flash is partly written".to_owned(),
            None if state.erased.len() >= self.planned_units => {
                "the old firmware is erased, nothing is written yet".to_owned()
            }
            None => format!(
                "the flash is partly erased ({} of {} units), nothing is written yet",
                state.erased.len(),
                self.planned_units
            ),
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
