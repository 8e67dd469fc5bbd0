//! Bringing host and programmer to the same place.
//!
//! A programmer waits for a command, or for the rest of an argument that somebody began, or works, or
//! sends what nobody wants any more. A line end gets it out of an argument (drawing `!`) and does
//! nothing elsewhere; `>` then draws the greeting. Whatever comes before that is thrown away.

use std::time::Duration;

use flashwire_link::{Line, LineChange};
use flashwire_protocol::nfd::{Command, GREETING_BYTES, LINE_END, RESYNC};

use super::{Client, Error};

/// How long a programmer that was just opened is greeted: a boot loader waits for a second or two.
const GREETING: Duration = Duration::from_secs(3);

/// How long to listen after the first greeting, and the longest after any.
const FIRST_WAIT: Duration = Duration::from_millis(60);
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// How long DTR stays dropped.
const REOPEN: Duration = Duration::from_millis(50);

/// How long to listen after each try to get back in step: a board that was reset comes back within the
/// sum.
const WAITS_MS: [u64; 6] = [100, 200, 500, 1000, 1500, 1500];

/// Pause that ends what comes: longer than any adapter holds bytes back.
const GAP: Duration = Duration::from_millis(50);

/// Most greetings that can come late: more than are ever sent.
const MOST_LATE: usize = 64;

/// Most unwanted bytes that are listened to at one go: far more than a dump and a page of help.
const MOST_UNWANTED_BYTES: usize = 16 * 1024;

/// Most bytes of a wrong answer that are kept.
const SAMPLE_BYTES: usize = 32;

impl Client {
    /// Gets the first greeting from a programmer.
    pub(super) fn find(&mut self) -> Result<(), Error> {
        let begun = self.link.now();
        let mut sample = Vec::new();
        for reopen in [false, true] {
            if reopen {
                for on in [false, true] {
                    let line = Line::Dtr;
                    self.link.lines(&[LineChange { line, on }])?;
                    self.link.pause(REOPEN)?;
                }
            }
            if self.greet(&mut sample)? {
                return Ok(());
            }
        }
        Err(if sample.is_empty() {
            Error::NoAnswer {
                waited: self.link.now() - begun,
            }
        } else {
            Error::WrongAnswer { sample }
        })
    }

    /// Greets again and again for a while; whether there was an answer that holds.
    fn greet(&mut self, sample: &mut Vec<u8>) -> Result<bool, Error> {
        let end = self.link.now() + GREETING;
        let mut wait = FIRST_WAIT;
        // A programmer that waits for a command may take the first byte for what it is to speak.
        let greeting = [RESYNC, Command::Hello.letter()];
        let mut bytes = &greeting[1..];
        while self.link.now() < end {
            self.forget();
            self.link.send(bytes)?;
            bytes = &greeting;
            let heard = self.hear(wait, |heard| greeting_at_end(heard) == Some(heard))?;
            if let Some(greeting) = greeting_at_end(&heard) {
                self.greeting = greeting.to_vec();
                self.in_step = true;
                match self.settle() {
                    Err(error) if error.may_pass() => {}
                    done => return done.map(|()| true),
                }
            }
            sample.extend(heard);
            let excess = sample.len().saturating_sub(SAMPLE_BYTES);
            sample.drain(..excess);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Ok(false)
    }

    /// Listens until nothing comes for a while, or until what came is enough.
    fn hear(
        &mut self,
        mut wait: Duration,
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, Error> {
        let mut heard = Vec::new();
        while heard.len() < MOST_UNWANTED_BYTES && self.receive(wait)? {
            heard.extend(self.inbox().drain(..));
            if is_enough(&heard) {
                break;
            }
            wait = GAP;
        }
        Ok(heard)
    }

    /// Makes sure that nothing is on its way any more. Greetings look all the same, and one that was
    /// asked for earlier may come late: so they are passed over until the answer to `h` comes, and
    /// behind that exactly one more.
    fn settle(&mut self) -> Result<(), Error> {
        let late = self.greeting.clone();
        self.queue_plain(Command::BufferCrc)?;
        for _ in 0..MOST_LATE {
            if self.peek()? != Command::Hello.letter() {
                break;
            }
            self.pass_over(&late)?;
        }
        let crc = self.collect()?;
        self.queue_plain(Command::Hello)?;
        let greeting = self.collect()?;
        if !crc.ends_with(LINE_END.as_bytes()) || greeting != late || !self.inbox().is_empty() {
            self.in_step = false;
            return Err(Error::OutOfStep);
        }
        Ok(())
    }

    /// Makes the programmer listen to commands again, and sets its pins again in case it was reset.
    /// What was outstanding is lost.
    ///
    /// # Errors
    /// [`Error::Hung`] if it has not said a word since the chip was told to do something;
    /// [`Error::LostSync`] if it cannot be understood any more.
    pub(super) fn resynchronise(&mut self) -> Result<(), Error> {
        let mut is_silent = true;
        for wait_ms in WAITS_MS {
            self.forget();
            self.link.discard_input()?;
            self.link.send(&[RESYNC, Command::Hello.letter()])?;
            let heard = self.hear(Duration::from_millis(wait_ms), |_| false)?;
            is_silent &= heard.is_empty();
            if heard.ends_with(&self.greeting) {
                self.in_step = true;
                match self.settle() {
                    Err(error) if error.may_pass() => {}
                    Err(error) => return Err(error),
                    Ok(()) if self.is_set_up => return self.apply_options(),
                    Ok(()) => return Ok(()),
                }
            }
        }
        Err(match self.working.take() {
            Some((command, since)) if is_silent => Error::Hung {
                command,
                waited: self.link.now() - since,
            },
            _ => Error::LostSync,
        })
    }
}

/// The greeting that `heard` ends with: `>`, a text, `>`.
fn greeting_at_end(heard: &[u8]) -> Option<&[u8]> {
    let hello = Command::Hello.letter();
    let before = heard.strip_suffix(&[hello])?;
    let start = before.iter().rposition(|&byte| byte == hello)?;
    let text = before.get(start + 1..)?;
    let is_text = |&byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let has_words = text.iter().any(u8::is_ascii_alphabetic);
    (has_words && text.len() <= GREETING_BYTES && text.iter().all(is_text)).then(|| &heard[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_found_behind_what_nobody_wants() {
        let whole: &[u8] = b">SPI Flash programmer v1.0\r\n>";
        assert_eq!(greeting_at_end(whole), Some(whole));
        let late = [b"0123!", whole].concat();
        assert_eq!(greeting_at_end(&late), Some(whole));
        let twice = [whole, whole].concat();
        assert_eq!(greeting_at_end(&twice), Some(whole));
    }

    #[test]
    fn what_is_no_greeting_is_not_taken_for_one() {
        for heard in [
            &b""[..],
            b">",
            b"\n>\n>",
            b">SPI Flash programmer v1.0\r\n",
            b">\x15\x15>",
            b">0123456789>",
        ] {
            assert_eq!(greeting_at_end(heard), None, "{}", heard.escape_ascii());
        }
    }
}
