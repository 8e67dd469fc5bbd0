//! Steps that move lines and wait.

use std::fmt;
use std::time::Duration;

use crate::{Line, LineChange, Link, LinkError};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Lines that move at the same moment.
    Set(Vec<LineChange>),
    /// Time that passes.
    Wait(Duration),
}

/// Steps in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence(Vec<Step>);

impl Sequence {
    /// A sequence of `steps`.
    pub fn new(steps: Vec<Step>) -> Self {
        Self(steps)
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// How long it takes.
    pub fn duration(&self) -> Duration {
        let waits = self.0.iter().map(|step| match step {
            Step::Wait(wait) => *wait,
            Step::Set(_) => Duration::ZERO,
        });
        waits.sum()
    }
}

impl fmt::Display for Sequence {
    /// As `seq:` takes it: `-dtr&+rts,100ms,+dtr`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match step {
                Step::Set(changes) => {
                    for (index, change) in changes.iter().enumerate() {
                        let joint = if index > 0 { "&" } else { "" };
                        write!(f, "{joint}{change}")?;
                    }
                }
                Step::Wait(wait) if wait.subsec_micros() % 1000 == 0 => {
                    write!(f, "{}ms", wait.as_millis())?;
                }
                Step::Wait(wait) => write!(f, "{}us", wait.as_micros())?,
            }
        }
        Ok(())
    }
}

/// Takes the steps of `sequence` on `link`.
///
/// If it cannot finish (the user gave up during a wait, a line cannot be driven), the other lines
/// still get the states that the whole sequence would have left, so that no target is left held in
/// reset.
///
/// # Errors
/// The error of the link that ended it.
pub fn run(link: &mut dyn Link, sequence: &Sequence) -> Result<(), LinkError> {
    for (index, step) in sequence.0.iter().enumerate() {
        let result = match step {
            Step::Set(changes) => link.lines(changes),
            Step::Wait(wait) => link.pause(*wait),
        };
        if let Err(error) = result {
            give_up(link, &sequence.0[index..], &error);
            return Err(error);
        }
    }
    Ok(())
}

/// Gives the lines what they would have after `steps`, as far as that is possible: the first error
/// is the one to tell.
fn give_up(link: &mut dyn Link, steps: &[Step], error: &LinkError) {
    let mut states = final_states(steps);
    if let LinkError::Line { line: broken, .. } = error {
        states.retain(|change| change.line.to_string() != *broken);
    }
    if link.lines(&states).is_err() {
        // One of them held up the others.
        for state in &states {
            let _ = link.lines(std::slice::from_ref(state));
        }
    }
}

/// What the lines are after `steps`.
fn final_states(steps: &[Step]) -> Vec<LineChange> {
    let mut states: Vec<(Line, bool)> = Vec::new();
    for step in steps {
        let Step::Set(changes) = step else { continue };
        for LineChange { line, on } in changes {
            match states.iter_mut().find(|(known, _)| known == line) {
                Some((_, state)) => *state = *on,
                None => states.push((line.clone(), *on)),
            }
        }
    }
    states
        .into_iter()
        .map(|(line, on)| LineChange::new(line, on))
        .collect()
}
