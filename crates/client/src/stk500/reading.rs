//! Reading wrong answers: what it means when something comes back that no loader says.

use std::fmt;

use flashwire_protocol::stk500::{Frame, Response};

/// What an answer that is no loader's looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reading {
    /// What was sent comes back: TX and RX are joined, or the adapter echoes.
    Echo,
    /// Only zeros: the line is held low (no power, wrong pin, ground missing).
    LineLow,
    /// Every byte is refused, as a serprog programmer does (NAK is 0x15 there, too): the board was
    /// not reset, and programmer firmware is running on it.
    Refusals,
    /// A program is talking: the board was not reset, and its sketch is running; or it is something
    /// else than a board.
    Babble,
    /// A few bytes that mean nothing: answers at another speed.
    Garbage,
}

/// The loaders answer a Get Synchronization with two bytes. What sends more than this for each talks
/// by itself.
const MOST_PER_TRY: usize = 8;

impl Reading {
    /// Reads what came back after `tries` times Get Synchronization; `None` if nothing did.
    pub fn of(received: &[u8], tries: usize) -> Option<Self> {
        if received.is_empty() {
            return None;
        }
        let all = |wanted: fn(u8) -> bool| received.iter().all(|&byte| wanted(byte));
        let sync = Frame::get_sync();
        let echo = sync.as_bytes().iter().cycle().take(received.len());
        let few = received.len() <= MOST_PER_TRY * tries;
        Some(if all(|byte| byte == 0) {
            Self::LineLow
        } else if few && received.len() >= 2 && received.iter().eq(echo) {
            Self::Echo
        } else if few && all(|byte| byte == Response::NoSync.code()) {
            Self::Refusals
        } else if !few || received.len() > 3 && all(is_text) {
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
            Self::Refusals => "every byte is refused, as programmer firmware does",
            Self::Babble => "a program is talking",
            Self::Garbage => "the bytes mean nothing, as at a wrong speed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_answers_are_told_apart() {
        assert_eq!(Reading::of(b"", 3), None);
        assert_eq!(Reading::of(b"0 0 ", 2), Some(Reading::Echo));
        assert_eq!(Reading::of(&[0; 40], 3), Some(Reading::LineLow));
        assert_eq!(Reading::of(&[0x15; 6], 3), Some(Reading::Refusals));
        assert_eq!(Reading::of(b"temp 21", 3), Some(Reading::Babble));
        assert_eq!(Reading::of(&[0xE6; 40], 3), Some(Reading::Babble));
        assert_eq!(Reading::of(&[0xFE, 0x00, 0x9E], 3), Some(Reading::Garbage));
    }
}
