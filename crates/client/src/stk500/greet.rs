//! Getting a loader to answer: the reset, and Get Synchronization.

use std::time::Duration;

use flashwire_link::reset::{self, Sequence, Step};
use flashwire_link::{Line, LineChange, Link, Settings};
use flashwire_protocol::stk500::{ATMEGABOOT_BAUD, Frame, OPTIBOOT_BAUD, Response};

use super::talk::ANSWER;
use super::{Error, Reading};

/// The speeds of the loaders, the likelier one first.
const SPEEDS: [u32; 2] = [OPTIBOOT_BAUD, ATMEGABOOT_BAUD];

/// How often all speeds are tried.
pub(super) const ROUNDS: u32 = 2;

/// How often Get Synchronization is sent after a reset.
pub(super) const TRIES: usize = 3;

/// How long to wait for the first answer after a reset, beyond the wire. Optiboot blinks for 375 ms
/// (six times 62.5 ms, `flash_led` of optiboot 4.4) and ATmegaBOOT for 200 ms before they look at
/// what has come; until then there is room for one command and no more.
const FIRST_ANSWER: Duration = Duration::from_millis(600);

/// How long nothing may come before what came is taken for all.
const QUIET: Duration = Duration::from_millis(30);

/// Most bytes of a wrong answer that are kept.
const SAMPLE_BYTES: usize = 64;

/// Most bytes that are taken in one wait for an answer.
const MOST_BYTES: usize = 512;

/// The pulse by which Arduino boards are reset. Their DTR is on RESET through a capacitor: what
/// resets is the moment in which DTR is asserted, and the capacitor has to be discharged before; on
/// some boards RTS does it. Its time constant is 1 ms (100 nF, 10 kOhm: schematic of the Uno R3);
/// the waits are longer because adapters and their drivers move lines late.
pub fn auto_reset() -> Sequence {
    let both = |on| {
        Step::Set(vec![
            LineChange::new(Line::Dtr, on),
            LineChange::new(Line::Rts, on),
        ])
    };
    Sequence::new(vec![
        both(false),
        Step::Wait(Duration::from_millis(250)),
        both(true),
        Step::Wait(Duration::from_millis(50)),
    ])
}

/// Finding a loader.
pub(super) struct Greeter<'a> {
    link: &'a mut dyn Link,
    reset: &'a Sequence,
    tries: u32,
    /// The first wrong answer: later ones are of a board that has been talked to at other speeds.
    wrong: Option<Error>,
}

impl<'a> Greeter<'a> {
    pub(super) fn new(link: &'a mut dyn Link, reset: &'a Sequence) -> Self {
        Self {
            link,
            reset,
            tries: 0,
            wrong: None,
        }
    }

    /// Tries each speed. Returns the one at which a loader answers.
    pub(super) fn find(&mut self, baud: Option<u32>) -> Result<u32, Error> {
        let begun = self.link.now();
        let bauds = baud.map_or_else(|| SPEEDS.to_vec(), |baud| vec![baud]);
        for baud in bauds.repeat(ROUNDS as usize) {
            self.link.configure(Settings::plain(baud))?;
            let mut received = Vec::new();
            if greet(self.link, self.reset, &mut received)? {
                return Ok(baud);
            }
            self.tries += TRIES as u32;
            if let (None, Some(reading)) = (&self.wrong, Reading::of(&received, TRIES)) {
                received.truncate(SAMPLE_BYTES);
                self.wrong = Some(Error::WrongAnswer {
                    baud,
                    reading,
                    sample: received,
                });
            }
        }
        let waited = self.link.now() - begun;
        Err(self.wrong.take().unwrap_or(Error::NoAnswer {
            bauds,
            tries: self.tries,
            waited,
        }))
    }
}

/// Resets the board and sends Get Synchronization until it is answered; then once more, for an
/// answer to it and to nothing before. What else comes is kept in `received`.
pub(super) fn greet(
    link: &mut dyn Link,
    reset: &Sequence,
    received: &mut Vec<u8>,
) -> Result<bool, Error> {
    let sync = Frame::get_sync();
    let in_sync = [Response::InSync.code(), Response::Ok.code()];
    reset::run(link, reset)?;
    // What a sketch said before the reset is no answer. A line that is held low says a zero or two
    // when the port is set up, and then nothing.
    let mut before = Vec::new();
    listen(link, Duration::ZERO, &mut before, |_| false)?;
    if before.iter().all(|&byte| byte == 0) {
        received.extend(before);
    }
    link.discard_input()?;
    for n in 0..TRIES {
        link.send(sync.as_bytes())?;
        let patience = if n == 0 { FIRST_ANSWER } else { ANSWER };
        let from = received.len();
        listen(link, patience, received, |heard| {
            heard[from..].ends_with(&in_sync)
        })?;
        if !received[from..].ends_with(&in_sync) {
            continue;
        }
        // Late answers to earlier tries have to be out of the way.
        drain(link)?;
        link.send(sync.as_bytes())?;
        let mut answer = Vec::new();
        listen(link, ANSWER, &mut answer, |heard| heard.len() >= 2)?;
        if answer == in_sync {
            return Ok(true);
        }
        received.extend(answer);
        drain(link)?;
    }
    Ok(false)
}

/// Takes what comes until it is enough or nothing more is to be expected.
fn listen(
    link: &mut dyn Link,
    patience: Duration,
    heard: &mut Vec<u8>,
    is_enough: impl Fn(&[u8]) -> bool,
) -> Result<(), Error> {
    let wire = link.settings().wire_time(4);
    let deadline = link.deadline(patience + wire);
    let most = heard.len() + MOST_BYTES;
    let mut buffer = [0; 64];
    while heard.len() < most {
        match link.recv(&mut buffer, deadline)? {
            0 => break,
            count => heard.extend(&buffer[..count]),
        }
        if is_enough(heard) {
            break;
        }
    }
    Ok(())
}

/// Drops what comes, until the line is quiet or there is no end to it.
fn drain(link: &mut dyn Link) -> Result<(), Error> {
    let mut dropped = 0;
    let mut buffer = [0; 64];
    while dropped < MOST_BYTES {
        let deadline = link.deadline(QUIET);
        match link.recv(&mut buffer, deadline)? {
            0 => break,
            count => dropped += count,
        }
    }
    Ok(())
}
