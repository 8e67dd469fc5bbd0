//! Programming.
//!
//! Three ways, by what controller and chip can do:
//!
//! | way | when |
//! |---|---|
//! | on the controller | it programs pages itself ([`Job::Program`]), each with a check value |
//! | [`ahead`] | everything else that programs pages, or bytes |
//! | [`words`] | bytes of a chip with auto address increment, where each answer has to be waited for |
//!
//! A line that loses a byte may turn a program or an erase into one of another address, and no plain
//! transaction carries a check value. So after such a fault nothing is sent again: it is
//! [`Error::Disturbed`]. Only a controller that checks what it programs is gone on with.

mod ahead;
mod words;

use std::ops::{ControlFlow, Range};
use std::time::Duration;

use flashwire_plan::{Failure, Tick};
use flashwire_protocol::spinor::instruction;

pub(super) use ahead::Polls;

use super::chip::failure;
use super::probe::{ask_all, wait_until_ready};
use super::{Chip, ControllerError, Definition, Error, Job, Programming};

/// How often a run is begun again after a fault that may pass, without any page more being done.
const TRIES: u32 = 3;

/// How many pages are believed together, once a controller that has acknowledged them all is found
/// in step. Doing that more often costs round trips.
const BELIEVED_TOGETHER: usize = 256;

/// What is to be programmed, cut into what one instruction takes each.
struct Pieces<'a> {
    start: u64,
    bytes: &'a [u8],
    /// Ranges of `bytes`, in order. What lies between them is erased, and stays so.
    ranges: Vec<Range<usize>>,
    /// How many of them are done for sure.
    done: usize,
}

impl<'a> Pieces<'a> {
    fn address(&self, piece: usize) -> u64 {
        self.start + self.ranges[piece].start as u64
    }

    fn data(&self, piece: usize) -> &'a [u8] {
        &self.bytes[self.ranges[piece].clone()]
    }

    /// Where in `bytes` a piece begins, with what lies before it.
    fn place(&self, piece: usize) -> usize {
        match piece {
            0 => 0,
            _ => self
                .ranges
                .get(piece)
                .map_or(self.bytes.len(), |range| range.start),
        }
    }

    /// `done` pieces are done: tells the executor what is new.
    fn tell(&mut self, done: usize, tick: &mut Tick<'_>) -> ControlFlow<()> {
        let bytes = self.place(done) - self.place(self.done);
        self.done = done;
        if bytes == 0 {
            ControlFlow::Continue(())
        } else {
            tick(bytes as u64)
        }
    }
}

impl Chip {
    /// Programs a range.
    pub(super) fn program_range(
        &mut self,
        address: u64,
        data: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<(), Failure> {
        let mut from = 0;
        while from < data.len() {
            let at = address + from as u64;
            let reach = usize::try_from(self.reach(at) - at).unwrap_or(usize::MAX);
            let end = data.len().min(from.saturating_add(reach));
            self.approach(at).map_err(failure)?;
            self.program_within_reach(at, &data[from..end], tick)?;
            from = end;
        }
        Ok(())
    }

    fn program_within_reach(
        &mut self,
        address: u64,
        data: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<(), Failure> {
        let mut pieces = self.pieces(address, data).map_err(failure)?;
        let limits = self.controller.limits();
        let programming = self.definition().programming;
        let checked = matches!(programming, Programming::Pages { bytes }
            if limits.program_bytes.is_some_and(|most| most >= bytes));
        let flow = if checked {
            self.program_on_controller(&mut pieces, tick)
        } else {
            let flow = if programming == Programming::Words && !limits.pipelined {
                self.program_words(&mut pieces, tick)
            } else {
                self.program_ahead(&mut pieces, tick)
            };
            // Only now is it sure that what went out arrived as it was.
            flow.and_then(|flow| Ok(self.controller.confirm().map(|()| flow)?))
                .map_err(|error| match error {
                    Error::Controller(cause) if self.controller.may_pass(&cause) => {
                        Error::Disturbed {
                            what: "programmed",
                            address: address + pieces.place(pieces.done) as u64,
                            cause,
                        }
                    }
                    error => error,
                })
        };
        let flow = flow.map_err(failure)?;
        if pieces.ranges.is_empty() && tick(data.len() as u64).is_break() || flow.is_break() {
            return Err(Failure::Stopped);
        }
        Ok(())
    }

    /// What one program instruction takes each.
    fn pieces<'a>(&self, address: u64, data: &'a [u8]) -> Result<Pieces<'a>, Error> {
        let page = self.definition().page_bytes();
        let head = self.head(instruction::PP, address).as_bytes().len();
        let limit = self.controller.limits().send_bytes;
        let room = limit.checked_sub(head).filter(|&room| room > 0);
        let room = room.ok_or(Error::ControllerLimit {
            limit,
            needed: head + 1,
        })?;
        // Of a page that does not fit in one go all parts are equal: else the last would be tiny.
        let most = page.div_ceil(page.div_ceil(room));
        let mut ranges = Vec::new();
        let mut at = 0;
        while at < data.len() {
            let offset = (address as usize + at) % page;
            let count = (page - offset)
                .min(most - offset % most)
                .min(data.len() - at);
            // Erased bytes need no programming.
            if data[at..at + count].iter().any(|&byte| byte != 0xFF) {
                ranges.push(at..at + count);
            }
            at += count;
        }
        Ok(Pieces {
            start: address,
            bytes: data,
            ranges,
            done: 0,
        })
    }

    /// Has the controller program, which waits for the chip itself. It refuses what did not arrive
    /// whole, and everything after it, so a disturbed line costs time and nothing else.
    fn program_on_controller(
        &mut self,
        pieces: &mut Pieces<'_>,
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut from = 0;
        let mut tries = 0;
        while from < pieces.ranges.len() {
            let to = pieces.ranges.len().min(from + BELIEVED_TOGETHER);
            match self.submit_to_controller(pieces, from..to, tick) {
                Ok(ControlFlow::Continue(())) => {
                    from = to;
                    tries = 0;
                }
                // One that was reset in the middle may have acknowledged anything: all again.
                Err(Error::Controller(error)) if tries < TRIES => {
                    tries += 1;
                    self.repair(error, pieces, from..to)?;
                }
                other => return other,
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn submit_to_controller(
        &mut self,
        pieces: &mut Pieces<'_>,
        part: Range<usize>,
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let longest = self.definition().program_time.maximum * 2 + Duration::from_millis(10);
        let wait_ms = u16::try_from(longest.as_millis()).unwrap_or(u16::MAX);
        let mut sent = part.start;
        let mut acknowledged = part.start;
        let mut flow = ControlFlow::Continue(());
        loop {
            while sent < part.end && flow.is_continue() {
                let head = self.head(instruction::PP, pieces.address(sent));
                let job = Job::Program {
                    head: head.as_bytes(),
                    data: pieces.data(sent),
                    wait_ms,
                };
                if !self.controller.has_room_for(&job) {
                    break;
                }
                self.controller.submit(&job)?;
                sent += 1;
            }
            if acknowledged == sent {
                break;
            }
            self.controller.collect(&mut [])?;
            acknowledged += 1;
            // A page is done when the one after it could be sent to the chip.
            if flow.is_continue() {
                flow = pieces.tell(pieces.done.max(acknowledged - 1), tick);
            }
        }
        self.wait_for_page(pieces.address(part.start))?;
        let last = pieces.tell(pieces.done.max(acknowledged), tick);
        Ok(if flow.is_break() { flow } else { last })
    }

    fn wait_for_page(&mut self, address: u64) -> Result<(), Error> {
        let longest = page_patience(self.definition());
        let what = format!("programming at {address:#010x}");
        wait_until_ready(self.controller.as_mut(), &what, longest)
    }

    /// After a fault: brings the controller back, and looks at what may have been under way. What
    /// is missing can be programmed again; what was cleared and should not have been cannot.
    fn repair(
        &mut self,
        error: ControllerError,
        pieces: &Pieces<'_>,
        part: Range<usize>,
    ) -> Result<(), Error> {
        self.recover_from(error)?;
        self.approach(pieces.start)?;
        self.wait_for_page(pieces.address(part.start))?;
        for piece in part {
            let (address, wanted) = (pieces.address(piece), pieces.data(piece));
            let head = self.head(instruction::READ, address);
            let [found] = ask_all(self.controller.as_mut(), &[(head, wanted.len())])?;
            let is_damaged = |(found, wanted): (&u8, &u8)| found & wanted != *wanted;
            if let Some(offset) = found.iter().zip(wanted).position(is_damaged) {
                return Err(Error::Damaged {
                    address: address + offset as u64,
                    wanted: wanted[offset],
                    found: found[offset],
                });
            }
        }
        Ok(())
    }
}

/// Longest that a page is waited for: what the chip allows twice, and what a host may be held up.
fn page_patience(definition: &Definition) -> Duration {
    definition.program_time.maximum * 2 + Duration::from_millis(500)
}
