//! Reading wrong answers: what it means when something comes back that no loader says.

use std::fmt;

use flashwire_protocol::stm32::SYNC;

/// What an answer that is no loader's looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reading {
    /// What was sent comes back: TX and RX are joined, or the adapter echoes.
    Echo,
    /// Only zeros: the line is held low (no power, wrong pin, ground missing).
    LineLow,
    /// A program is talking: more than a loader would say, or text. The chip runs its application,
    /// or something else is at the other end.
    Babble,
    /// A few bytes that mean nothing: answers at another speed or parity.
    Garbage,
}

/// A loader answers 0x7F with one byte, some with two and a stray zero before them. Anything that
/// sends more than this for each try talks by itself.
const MOST_PER_TRY: usize = 8;

impl Reading {
    /// Reads what came back after `tries` times 0x7F; `None` if nothing did.
    pub fn of(received: &[u8], tries: usize) -> Option<Self> {
        if received.is_empty() {
            return None;
        }
        let all = |wanted: fn(u8) -> bool| received.iter().all(|&byte| wanted(byte));
        Some(if all(|byte| byte == 0) {
            Self::LineLow
        } else if received.len() <= tries && all(|byte| byte == SYNC) {
            Self::Echo
        } else if received.len() > MOST_PER_TRY * tries || received.len() > 3 && all(is_text) {
            Self::Babble
        } else {
            Self::Garbage
        })
    }
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || matches!(byte, b' ' | b'\r' | b'\n' | b'\t' | 0x1B)
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Echo => "it is an echo of what was sent",
            Self::LineLow => "the line is held low",
            Self::Babble => "a program is talking",
            Self::Garbage => "the bytes mean nothing, as at a wrong speed or parity",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_answers_are_told_apart() {
        assert_eq!(Reading::of(b"", 2), None);
        assert_eq!(Reading::of(&[0x7F, 0x7F], 2), Some(Reading::Echo));
        assert_eq!(Reading::of(&[0; 40], 2), Some(Reading::LineLow));
        assert_eq!(Reading::of(b"\r\n> ", 2), Some(Reading::Babble));
        assert_eq!(Reading::of(&[0xE6; 40], 2), Some(Reading::Babble));
        assert_eq!(Reading::of(&[0xFE, 0x00, 0x9E], 2), Some(Reading::Garbage));
        assert_eq!(Reading::of(&[0x7F; 3], 2), Some(Reading::Garbage));
    }
}
