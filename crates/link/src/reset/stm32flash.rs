//! Reading the `-i` strings of stm32flash 0.7, as its manual page ("BOOTLOADER GPIO SEQUENCE") and
//! its behaviour have them.
//!
//! What it does and the page leaves out: signals may follow each other without a delimiter, and a
//! minus before a delimiter changes nothing. The second is refused here: it is a signal forgotten.

use std::time::Duration;

use super::parse::{BREAK_TIME, Failure, LONGEST, Part};
use super::{ResetProblem, ResetSpec, Sequence, Step};
use crate::{Line, LineChange};

/// What a comma waits.
const COMMA: Duration = Duration::from_millis(100);

/// `ENTER:LEAVE`, each possibly empty.
pub(super) fn sequences(whole: Part<'_>) -> Result<ResetSpec, Failure> {
    let parts = whole.split(|_, c| c == ':');
    match parts[..] {
        [enter] => Ok(ResetSpec::Sequence {
            enter: sequence(enter)?,
            leave: None,
        }),
        [enter, leave] => Ok(ResetSpec::Sequence {
            enter: sequence(enter)?,
            // Nothing after the colon is as good as no colon.
            leave: (!leave.text.is_empty())
                .then(|| sequence(leave))
                .transpose()?,
        }),
        [_, _, third, ..] => third.fail(|_| ResetProblem::TooManySequences),
        [] => whole.fail(|_| ResetProblem::Missing),
    }
}

fn sequence(whole: Part<'_>) -> Result<Sequence, Failure> {
    let mut steps = Vec::new();
    let mut at = 0;
    while at < whole.text.len() {
        let rest = &whole.text[at..];
        let length = match rest.as_bytes()[0] {
            b',' => {
                steps.push(Step::Wait(COMMA));
                1
            }
            b'&' => 1,
            _ => {
                let length = signal_length(rest);
                signal(whole.slice(at, at + length), &mut steps)?;
                length
            }
        };
        at += length;
    }
    let sequence = Sequence::new(steps);
    if sequence.duration() > LONGEST {
        return whole.fail(|_| ResetProblem::TooLong);
    }
    Ok(sequence)
}

/// How long the signal is with which `text` begins, in bytes; if it begins with none, everything up
/// to the next delimiter.
fn signal_length(text: &str) -> usize {
    let sign = usize::from(text.starts_with('-'));
    let name = &text[sign..];
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let word = ["rts", "dtr", "brk"]
        .iter()
        .any(|word| name.starts_with(word));
    match (digits, word) {
        (0, true) => sign + 3,
        (0, false) => text.find([',', '&']).unwrap_or(text.len()),
        (digits, _) => sign + digits,
    }
}

fn signal(part: Part<'_>, steps: &mut Vec<Step>) -> Result<(), Failure> {
    let (on, name) = match part.text.strip_prefix('-') {
        Some(name) => (false, name),
        None => (true, part.text),
    };
    let line = match name {
        "rts" => Line::Rts,
        "dtr" => Line::Dtr,
        "brk" if on => {
            steps.push(Step::Set(vec![LineChange::new(Line::Break, true)]));
            steps.push(Step::Wait(BREAK_TIME));
            Line::Break
        }
        // Without effect, by the manual page.
        "brk" => return Ok(()),
        number if number.bytes().all(|b| b.is_ascii_digit()) && !number.is_empty() => Line::Gpio {
            chip: "sysfs".to_owned(),
            line: number.to_owned(),
        },
        _ => return part.fail(ResetProblem::NotASignal),
    };
    let on = on && line != Line::Break;
    steps.push(Step::Set(vec![LineChange::new(line, on)]));
    Ok(())
}
