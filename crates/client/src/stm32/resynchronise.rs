//! Bringing a loader back to where it waits for a command.
//!
//! A loader has no timeouts: a command that lost a byte on its way waits for it for ever. So bytes
//! are sent that bring any command to an end that changes nothing: `FF FF FB`, then 256 times `FE`.
//! None of them is an opcode with its complement; `FF FF` is no count with its complement and, with
//! `FB`, no special erase with its checksum; as a count of data, pages or sectors they are completed
//! by the rest with a checksum that is wrong. (`FF 00`, which some tools send, is a whole erase to a
//! loader that waits for a page count.) Then single bytes go out until one is answered by NACK,
//! which is what the second byte of a pair that is no opcode gets.
//!
//! A loader that somebody else left in the middle of a data frame takes the filler for the rest of
//! it, and for one state in 256 its checksum comes out right: nothing can be sent for which there is
//! no such state. `FB` makes them states that blocks of zeros, of ones, of repeated words do not
//! lead to; with `FF` in its place those would be the first to.
//!
//! On a bus there is nothing to be sent: a loader that waits for something else holds the clock. But
//! there it has a time-out, after which it resets the chip, so that silence brings it back.
//!
//! What the loader may be in the middle of is known, for this end has sent it. Where the filler
//! would happen to complete that very frame with the right checksum, another byte takes its place.

use std::time::Duration;

use flashwire_protocol::stm32::{Command, FILLER, NACK, SYNC, xor};

use super::bootloader::Parser;
use super::{Bootloader, Error};

/// What ends a phase that has just begun.
const OPENING: [u8; 3] = [0xFF, 0xFF, 0xFB];

/// What does it where two 0x7F have just been sent in vain: they were the beginning.
const OPENING_GREETED: [u8; 1] = [0xFB];

/// Bytes of the first burst: the opening and the longest data frame but one.
const BURST_BYTES: usize = OPENING.len() + 256;

/// Most bytes for a command other than Extended Erase: twice the longest list sent from here.
const MOST_BYTES: usize = 2 * 1027;

/// Most bytes for an Extended Erase whose count is not known: 65,520 pages, and a burst.
const MOST_ERASE_BYTES: usize = 2 * 65_520 + BURST_BYTES;

/// Single bytes after each burst: two settle an idle parser.
const SINGLES: usize = 2;

/// Silence that shows that nothing more is coming, beyond the round trip. Adapters hold bytes back
/// for up to 16 ms (FTDI's default latency timer).
const QUIET: Duration = Duration::from_millis(20);

/// How long most chips take from their reset to where their loader listens: 545 ms on an STM32H7A3
/// (AN2606, table 227).
const START_UP: Duration = Duration::from_millis(600);

/// How long any chip takes: 2560.5 ms on an STM32L476 without a crystal for its LSE (AN2606, table
/// 227).
const LONGEST_START_UP: Duration = Duration::from_millis(2600);

/// How long to wait for the NACK of a single byte, beyond the round trip.
const ANSWER: Duration = Duration::from_millis(100);

/// Most bytes that are drained beyond one for each that was sent: a device that sends more talks by
/// itself.
const MOST_UNASKED: usize = 4096;

impl Bootloader {
    /// Brings the loader's parser back to where it waits for a command, whatever it was in the
    /// middle of, without erasing, writing or protecting anything. Commands do this by themselves
    /// after one that broke off.
    ///
    /// # Errors
    /// [`Error::LostSync`]; on a bus [`Error::Unresponsive`].
    pub fn resynchronise(&mut self) -> Result<(), Error> {
        if let Some(gives_up) = self.options.interface.gives_up {
            return self.outwait(gives_up);
        }
        let erasing = self.in_flight.starts_with(&Command::ExtendedErase.opcode());
        self.feed_filler(if erasing {
            MOST_ERASE_BYTES
        } else {
            MOST_BYTES
        })
    }

    /// Brings back a loader that nobody knows anything of, even one that waits for the longest of
    /// all page lists, which takes 12 s at 115,200 baud.
    pub(super) fn resynchronise_at_length(&mut self) -> Result<(), Error> {
        if let Some(gives_up) = self.options.interface.gives_up {
            return self.outwait(gives_up);
        }
        self.feed_filler(MOST_ERASE_BYTES)
    }

    /// Stays silent until the loader has ended what it was doing and has given up waiting for the
    /// rest, which takes `gives_up`.
    fn outwait(&mut self, gives_up: Duration) -> Result<(), Error> {
        let silence = gives_up + START_UP;
        let most = std::mem::take(&mut self.working);
        let patience = gives_up + LONGEST_START_UP + most;
        let begun = self.link.now();
        let end = self.link.deadline(patience).moment();
        loop {
            self.link.pause(silence)?;
            self.parser = Parser::Idle;
            match self.get_version() {
                Ok(_) => return Ok(()),
                Err(error @ Error::Link(_)) => return Err(error),
                Err(error) if self.link.now() >= end => {
                    self.parser = Parser::Unknown;
                    return Err(Error::Unresponsive {
                        waited: self.link.now() - begun,
                        last: Box::new(error),
                    });
                }
                Err(_) => {}
            }
        }
    }

    /// Sends bursts, each twice as long as the one before, until single bytes are answered by NACK:
    /// about `most` bytes, and single ones for twice the answer timeout.
    fn feed_filler(&mut self, most: usize) -> Result<(), Error> {
        let in_flight = std::mem::take(&mut self.in_flight);
        let starts = std::mem::take(&mut self.frames);
        let frames: Vec<&[u8]> = split(&in_flight, &starts).collect();
        let opening = match &in_flight[..] {
            [SYNC, SYNC] => &OPENING_GREETED[..],
            _ => &OPENING,
        };
        let mut filler = Filler::new(opening, &frames);
        let mut burst = BURST_BYTES;
        // Answers that are late enough to be given up on may still be on their way.
        let end = self.link.deadline(self.options.answer_timeout * 2).moment();
        loop {
            if filler.sent < most {
                self.send_filler(&mut filler, burst)?;
                burst *= 2;
            }
            if self.settle(&mut filler)? {
                self.parser = Parser::Idle;
                return Ok(());
            }
            if filler.sent >= most && self.link.now() >= end {
                return Err(Error::LostSync { sent: filler.sent });
            }
        }
    }

    /// Drops all answers and sends single bytes: whether one is answered by NACK and by nothing
    /// else, which only an idle parser does.
    fn settle(&mut self, filler: &mut Filler<'_>) -> Result<bool, Error> {
        let round_trip = self.round_trip.unwrap_or_default();
        let quiet = round_trip + QUIET;
        self.drain(quiet, filler.sent)?;
        for _ in 0..SINGLES {
            self.send_filler(filler, 1)?;
            let mut answer = [0];
            let deadline = self.link.deadline(round_trip + ANSWER);
            let nack = self.link.recv(&mut answer, deadline)? == 1 && answer == [NACK];
            // A late answer to an earlier byte would leave this one without its own.
            if nack && self.drain(quiet, filler.sent)? == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn send_filler(&mut self, filler: &mut Filler<'_>, count: usize) -> Result<(), Error> {
        let bytes: Vec<u8> = filler.take(count).collect();
        self.link.send(&bytes)?;
        self.link.pause(self.link.settings().wire_time(count))?;
        Ok(())
    }

    /// Drops what arrives until nothing has for `quiet`; returns how many bytes that was.
    fn drain(&mut self, quiet: Duration, sent: usize) -> Result<usize, Error> {
        let mut bytes = [0; BURST_BYTES];
        let mut drained = 0;
        while drained < sent + MOST_UNASKED {
            let deadline = self.link.deadline(quiet);
            match self.link.recv(&mut bytes, deadline)? {
                0 => break,
                count => drained += count,
            }
        }
        Ok(drained)
    }
}

/// The frames of what was sent.
fn split<'a>(sent: &'a [u8], starts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let ends = starts.iter().skip(1).copied().chain([sent.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| &sent[start..end])
}

/// The bytes that end any command.
struct Filler<'a> {
    /// The first bytes.
    opening: &'a [u8],
    /// What the loader may be in the middle of, frame by frame.
    frames: &'a [&'a [u8]],
    /// How many bytes have gone out.
    sent: usize,
    /// The first of them.
    first: u8,
    /// Their XOR.
    sum: u8,
}

impl<'a> Filler<'a> {
    fn new(opening: &'a [u8], frames: &'a [&'a [u8]]) -> Self {
        Self {
            opening,
            frames,
            sent: 0,
            first: 0,
            sum: 0,
        }
    }

    /// Whether `byte`, sent next, would be the right checksum for a loader that has taken the
    /// beginning of one of the frames and then filler, or a frame with one byte lost and no filler
    /// yet, or the first filler byte as a count.
    fn completes(&self, byte: u8) -> bool {
        let sum = self.sum ^ byte;
        let counted = self.sent == usize::from(self.first) + 2 && sum == 0;
        counted
            || self.frames.iter().any(|frame| {
                let taken = frame.len().checked_sub(self.sent + 1);
                let cut_short = taken.is_some_and(|taken| taken > 0 && xor(&frame[..taken]) == sum);
                // The XOR of a whole frame is zero, so that of one that lost a byte is that byte.
                let one_lost = self.sent == 0 && frame.len() > 2 && frame.contains(&byte);
                cut_short || one_lost
            })
    }
}

impl Iterator for Filler<'_> {
    type Item = u8;

    /// The opening, then filler; where that would complete a frame, another byte of which nothing
    /// is made by an idle loader: the complements of 0xF0 and above are no commands that do more
    /// than answer.
    fn next(&mut self) -> Option<u8> {
        let usual = self.opening.get(self.sent).copied().unwrap_or(FILLER);
        let byte = [usual]
            .into_iter()
            .chain((0xF0..=0xFF).rev())
            .find(|&byte| !self.completes(byte))
            .unwrap_or(usual);
        if self.sent == 0 {
            self.first = byte;
        }
        self.sent += 1;
        self.sum ^= byte;
        Some(byte)
    }
}
