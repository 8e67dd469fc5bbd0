//! Reading the language.

use std::time::Duration;

use super::{PRESETS, Pin, ResetSpec, Sequence, Signal, Step, Wiring};
use crate::{Line, LineChange};

/// Longest time that the waits of one sequence may take together.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// How long `brk` sends a break: what POSIX `tcsendbreak` does at least.
pub(super) const BREAK_TIME: Duration = Duration::from_millis(250);

/// What is wrong with a reset string, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (column {column} of `{text}`)")]
pub struct ResetError {
    /// What is wrong.
    pub problem: ResetProblem,
    /// Where it begins, in characters from 1.
    pub column: usize,
    /// The whole reset string.
    pub text: String,
}

/// What is wrong with a reset string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResetProblem {
    /// Nothing where something has to be.
    #[error("something is missing")]
    Missing,
    /// Neither a keyword nor a preset.
    #[error(
        "`{0}` is no preset; there are none, auto, brk, {known}, wirings (dtr=nrst,rts=boot0) and \
         sequences (seq:-dtr,100ms,+dtr)",
        known = known_presets()
    )]
    UnknownPreset(String),
    /// Not `LINE=PIN`.
    #[error("`{0}` is not LINE=PIN, such as dtr=nrst")]
    NotAnAssignment(String),
    /// No such line.
    #[error("`{0}` is no line; there are dtr, rts, brk and gpio:CHIP/LINE")]
    UnknownLine(String),
    /// No such pin.
    #[error("`{0}` is no pin; there are nrst and boot0, and !nrst and !boot0 behind an inverter")]
    UnknownPin(String),
    /// One line for two pins.
    #[error("{0} drives two pins")]
    LineTwice(Line),
    /// One pin on two lines.
    #[error("{0} is driven by two lines")]
    PinTwice(Signal),
    /// Neither a change nor a wait.
    #[error("`{0}` is no step; there are +LINE, -LINE, brk and waits such as 100ms")]
    UnknownStep(String),
    /// A wait cannot happen at the same moment as a change.
    #[error("`{0}` cannot be joined by `&`, only +LINE and -LINE can")]
    NotJoinable(String),
    /// The waits take too long.
    #[error("the waits take more than {} s", LONGEST.as_secs())]
    TooLong,
    /// No signal of stm32flash.
    #[error("`{0}` is no signal; there are rts, dtr, brk and numbers of GPIO lines")]
    NotASignal(String),
    /// More than an entry and an exit.
    #[error("there are at most two sequences, seq:ENTER:LEAVE")]
    TooManySequences,
}

fn known_presets() -> String {
    let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    names.join(", ")
}

/// A part of the text, and where it begins in it, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) text: &'a str,
    start: usize,
}

impl<'a> Part<'a> {
    /// The parts between separators, the places of which `is_separator` tells.
    pub(super) fn split(self, is_separator: impl Fn(usize, char) -> bool) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let mut start = 0;
        let separators = self
            .text
            .char_indices()
            .filter(|&(at, c)| is_separator(at, c));
        for (at, separator) in separators {
            parts.push(self.slice(start, at));
            start = at + separator.len_utf8();
        }
        parts.push(self.slice(start, self.text.len()));
        parts
    }

    /// A part of the part, without the blanks around it.
    pub(super) fn slice(self, from: usize, to: usize) -> Part<'a> {
        let text = &self.text[from..to];
        let blanks = text.len() - text.trim_start().len();
        Part {
            text: text.trim(),
            start: self.start + from + blanks,
        }
    }

    pub(super) fn fail<T>(
        self,
        problem: impl FnOnce(String) -> ResetProblem,
    ) -> Result<T, Failure> {
        Err(Failure {
            problem: problem(self.text.to_owned()),
            start: self.start,
        })
    }
}

/// A problem, and where it begins in the text, in bytes.
pub(super) struct Failure {
    problem: ResetProblem,
    start: usize,
}

/// Reads a reset string.
pub(super) fn spec(text: &str) -> Result<ResetSpec, ResetError> {
    read(text, parse)
}

/// Reads a text by the rules of `parse`.
pub(super) fn read(
    text: &str,
    parse: fn(Part<'_>) -> Result<ResetSpec, Failure>,
) -> Result<ResetSpec, ResetError> {
    let whole = Part { text, start: 0 };
    parse(whole.slice(0, text.len())).map_err(|Failure { problem, start }| ResetError {
        problem,
        column: text[..start].chars().count() + 1,
        text: text.to_owned(),
    })
}

fn parse(whole: Part<'_>) -> Result<ResetSpec, Failure> {
    if whole.text.is_empty() {
        return whole.fail(|_| ResetProblem::Missing);
    }
    if let Some(steps) = whole.text.strip_prefix("seq:") {
        return sequences(whole.slice(whole.text.len() - steps.len(), whole.text.len()));
    }
    if whole.text.contains('=') {
        return wiring(whole).map(ResetSpec::Wiring);
    }
    match whole.text {
        "none" => Ok(ResetSpec::None),
        "auto" => Ok(ResetSpec::Auto),
        "brk" => sequences(whole),
        name => {
            let preset = PRESETS
                .iter()
                .find(|preset| preset.name == name || preset.aliases.contains(&name));
            match preset {
                Some(preset) => Ok(ResetSpec::Wiring(preset.wiring.clone())),
                None => whole.fail(ResetProblem::UnknownPreset),
            }
        }
    }
}

/// `LINE=PIN,LINE=PIN`
fn wiring(whole: Part<'_>) -> Result<Wiring, Failure> {
    let mut wiring = Wiring {
        nrst: None,
        boot0: None,
    };
    for part in whole.split(|_, c| c == ',') {
        if part.text.is_empty() {
            return part.fail(|_| ResetProblem::Missing);
        }
        let Some(equals) = part.text.find('=') else {
            return part.fail(ResetProblem::NotAnAssignment);
        };
        let line_part = part.slice(0, equals);
        let pin_part = part.slice(equals + 1, part.text.len());
        let Ok(line) = line_part.text.parse::<Line>() else {
            return line_part.fail(ResetProblem::UnknownLine);
        };
        let (inverted, name) = match pin_part.text.strip_prefix('!') {
            Some(name) => (true, name),
            None => (false, pin_part.text),
        };
        let (signal, pin) = match name.to_ascii_lowercase().as_str() {
            "nrst" | "reset" => (Signal::Nrst, &mut wiring.nrst),
            "boot0" | "boot" => (Signal::Boot0, &mut wiring.boot0),
            _ => return pin_part.fail(ResetProblem::UnknownPin),
        };
        if pin.is_some() {
            return pin_part.fail(|_| ResetProblem::PinTwice(signal));
        }
        *pin = Some(Pin { line, inverted });
        if let (Some(nrst), Some(boot0)) = (&wiring.nrst, &wiring.boot0)
            && nrst.line == boot0.line
        {
            let line = nrst.line.clone();
            return line_part.fail(|_| ResetProblem::LineTwice(line));
        }
    }
    Ok(wiring)
}

/// `ENTER` or `ENTER:LEAVE`
fn sequences(whole: Part<'_>) -> Result<ResetSpec, Failure> {
    // The colon of `gpio:gpiochip0/17` separates nothing.
    let parts = whole.split(|at, c| c == ':' && !whole.text[..at].ends_with("gpio"));
    match parts[..] {
        [enter] => Ok(ResetSpec::Sequence {
            enter: sequence(enter)?,
            leave: None,
        }),
        [enter, leave] => Ok(ResetSpec::Sequence {
            enter: sequence(enter)?,
            leave: Some(sequence(leave)?),
        }),
        [_, _, third, ..] => third.fail(|_| ResetProblem::TooManySequences),
        [] => whole.fail(|_| ResetProblem::Missing),
    }
}

/// `STEP,STEP&STEP,STEP`
fn sequence(whole: Part<'_>) -> Result<Sequence, Failure> {
    let mut steps = Vec::new();
    for part in whole.split(|_, c| c == ',') {
        let joined = part.split(|_, c| c == '&');
        if let [single] = joined[..] {
            steps.extend(step(single)?);
        } else {
            let changes: Result<_, _> = joined.into_iter().map(joined_change).collect();
            steps.push(Step::Set(changes?));
        }
    }
    let sequence = Sequence::new(steps);
    if sequence.duration() > LONGEST {
        return whole.fail(|_| ResetProblem::TooLong);
    }
    Ok(sequence)
}

fn step(part: Part<'_>) -> Result<Vec<Step>, Failure> {
    match part.text {
        "" => return part.fail(|_| ResetProblem::Missing),
        "brk" => {
            return Ok(vec![
                Step::Set(vec![LineChange::new(Line::Break, true)]),
                Step::Wait(BREAK_TIME),
                Step::Set(vec![LineChange::new(Line::Break, false)]),
            ]);
        }
        _ => {}
    }
    if part.text.starts_with(['+', '-']) {
        return Ok(vec![Step::Set(vec![change(part)?])]);
    }
    match wait(part.text) {
        Some(wait) if wait > LONGEST => part.fail(|_| ResetProblem::TooLong),
        Some(wait) => Ok(vec![Step::Wait(wait)]),
        None => part.fail(ResetProblem::UnknownStep),
    }
}

fn joined_change(part: Part<'_>) -> Result<LineChange, Failure> {
    match part.text {
        "" => part.fail(|_| ResetProblem::Missing),
        text if text.starts_with(['+', '-']) => change(part),
        _ => part.fail(ResetProblem::NotJoinable),
    }
}

/// `+LINE`, `-LINE`
fn change(part: Part<'_>) -> Result<LineChange, Failure> {
    match part.text.parse() {
        Ok(change) => Ok(change),
        Err(_) => part
            .slice(1, part.text.len())
            .fail(ResetProblem::UnknownLine),
    }
}

/// `100ms`, `500us`, `1s`
fn wait(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    match &text[digits.len()..] {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}
