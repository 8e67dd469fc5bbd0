//! Bringing a loader back to where it waits for a command.
//!
//! A loader has no timeouts: a command that lost a byte on its way waits for it for ever. So bytes
//! are sent that bring any command to an end that changes nothing: `FF FF FF` and 256 times `FE`.
//! Neither is an opcode with its complement, `FF FF` is no count with its complement and no special
//! erase with its checksum, and as a count of data, pages or sectors `FE` and `FF` are completed by
//! the rest with a checksum that is wrong. (`FF 00`, which some tools send, is a whole erase to a
//! loader that waits for a page count.) Then single bytes go out until one is answered by NACK,
//! which is what the second byte of a pair that is no opcode gets.
//!
//! What the loader may be in the middle of is known, for this end has sent it. Where the filler
//! would happen to complete that very frame with the right checksum, another byte takes its place.

use std::time::Duration;

use flashwire_protocol::stm32::{Command, FILLER, NACK, xor};

use super::bootloader::Parser;
use super::{Bootloader, Error};

/// Bytes of the first burst: three and the longest data frame but one.
const BURST_BYTES: usize = 3 + 256;

/// Most bytes for a command other than Extended Erase: twice the longest list sent from here.
const MOST_BYTES: usize = 2 * 1027;

/// Most bytes for an Extended Erase whose count was garbled: 65,520 pages.
const MOST_ERASE_BYTES: usize = 2 * 65_520 + 2 * BURST_BYTES;

/// Single bytes after each burst. Two settle an idle parser; the others are for answers that were
/// lost.
const SINGLES: usize = 6;

/// Silence that shows that nothing more is coming, beyond the round trip. Adapters hold bytes back
/// for up to 16 ms (FTDI's default latency timer).
const QUIET: Duration = Duration::from_millis(20);

/// How long to wait for the NACK of a single byte, beyond the round trip.
const ANSWER: Duration = Duration::from_millis(100);

/// Most bytes that are drained at once: a device that sends more talks by itself.
const MOST_DRAINED: usize = 4096;

impl Bootloader {
    /// Brings the loader's parser back to where it waits for a command, whatever it was in the
    /// middle of, without erasing, writing or protecting anything. Commands do this by themselves
    /// after one that broke off.
    ///
    /// # Errors
    /// [`Error::LostSync`].
    pub fn resynchronise(&mut self) -> Result<(), Error> {
        let in_flight = std::mem::take(&mut self.in_flight);
        let starts = std::mem::take(&mut self.frames);
        let frames: Vec<&[u8]> = split(&in_flight, &starts).collect();
        let erasing = in_flight.starts_with(&Command::ExtendedErase.opcode());
        let most = if erasing {
            MOST_ERASE_BYTES
        } else {
            MOST_BYTES
        };
        let round_trip = self.round_trip.unwrap_or(QUIET);
        let mut filler = Filler::against(&frames);
        while filler.sent < most {
            self.send_filler(&mut filler, BURST_BYTES)?;
            self.drain(round_trip + QUIET)?;
            for _ in 0..SINGLES {
                self.send_filler(&mut filler, 1)?;
                let mut answer = [0];
                let wait = self.link.settings().wire_time(2) + round_trip + ANSWER;
                let deadline = self.link.deadline(wait);
                if self.link.recv(&mut answer, deadline)? == 1 && answer == [NACK] {
                    // A late answer to an earlier byte would leave this one unanswered.
                    if self.drain(round_trip + QUIET)? == 0 {
                        self.parser = Parser::Idle;
                        return Ok(());
                    }
                }
            }
        }
        Err(Error::LostSync { sent: filler.sent })
    }

    fn send_filler(&mut self, filler: &mut Filler<'_>, count: usize) -> Result<(), Error> {
        let bytes: Vec<u8> = filler.take(count).collect();
        self.link.send(&bytes)?;
        self.link.pause(self.link.settings().wire_time(count))?;
        Ok(())
    }

    /// Drops what arrives until nothing has for `quiet`; returns how many bytes that was.
    fn drain(&mut self, quiet: Duration) -> Result<usize, Error> {
        let mut bytes = [0; BURST_BYTES];
        let mut drained = 0;
        while drained < MOST_DRAINED {
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
    fn against(frames: &'a [&'a [u8]]) -> Self {
        Self {
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

    /// `FF` three times, then `FE`; where that would complete a frame, another byte of which
    /// nothing is made by an idle loader: the complements of 0xF0 and above are no commands that do
    /// more than answer.
    fn next(&mut self) -> Option<u8> {
        let usual = if self.sent < 3 { 0xFF } else { FILLER };
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
