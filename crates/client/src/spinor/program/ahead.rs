//! Programming by plain transactions, sent ahead of their answers.
//!
//! A busy chip ignores WREN and Page Program, and nothing happens to it. So pages can be sent one
//! after the other without waiting, each as WREN, Page Program and as many status polls as the page
//! is likely to take. What the polls answer says later what became of them: if the last poll before
//! the next WREN found the chip ready, the next page was taken. If it found it busy, the next page
//! may have been ignored, and is sent once more. A page that is there already takes no harm from
//! that, so doubt costs time and nothing else.
//!
//! How many polls a page needs is learned from the pages before. A controller that takes one job at
//! a time is served by the same rules: there, each page is polled until it is done.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use flashwire_link::Instant;
use flashwire_plan::Tick;
use flashwire_protocol::spinor::{instruction, status};

use super::{Pieces, page_patience};
use crate::spinor::{Chip, Error, Job};

/// How many pages the number of polls is learned from.
const REMEMBERED: usize = 32;

/// How many of them may have taken longer: about every two hundredth page of a chip takes several
/// times as long as the others, and waiting for those each time would cost more than sending them
/// again.
const OUTLIERS: usize = 1;

/// Most polls that are sent with a page.
const MOST_POLLS: usize = 2000;

/// Most polls that are under way while it is not known how many there will be: about as many as fill
/// a round trip.
const OPEN_POLLS: usize = 64;

/// How many polls it took until pages were done, and how many to send with the next one.
#[derive(Debug, Default)]
pub(in crate::spinor) struct Polls {
    /// How many polls found the chip busy, of the last pages.
    busy: VecDeque<usize>,
}

impl Polls {
    /// How many polls to send with a page; `None` as long as nothing is known.
    fn wanted(&self) -> Option<usize> {
        let mut sorted: Vec<usize> = self.busy.iter().copied().collect();
        sorted.sort_unstable();
        let rank = sorted.len().checked_sub(1)?;
        let usual = *sorted.get(rank.saturating_sub(OUTLIERS))?;
        // One more finds it ready, and a little for the next page being slower.
        Some((usual + usual / 32 + 2).min(MOST_POLLS))
    }

    /// A page kept the chip busy for so many polls.
    fn learn(&mut self, busy: usize) {
        if self.busy.len() == REMEMBERED {
            self.busy.pop_front();
        }
        self.busy.push_back(busy);
    }
}

/// What was submitted, in order.
enum Sent {
    /// WREN, or a program.
    Step,
    /// A status poll after the oldest program whose polls have not all come, and when it was
    /// submitted: its answer may come late, and tells nothing of the time after that.
    Poll(Instant),
}

/// A piece whose program was submitted.
struct Flight {
    piece: usize,
    polls_sent: usize,
    polls_seen: usize,
    /// How many polls found the chip busy before the first that did not.
    ready_at: Option<usize>,
    /// What the last poll found.
    ends_busy: bool,
    /// No more polls are sent for it.
    closed: bool,
}

/// What is known of pieces that are sent ahead.
#[derive(Default)]
struct Run {
    /// What is to be programmed next, as indices of pieces.
    todo: VecDeque<usize>,
    sent: VecDeque<Sent>,
    flights: VecDeque<Flight>,
    /// The oldest flight may have been ignored.
    is_doubtful: bool,
    /// WREN was submitted and its program not.
    enabled: bool,
    /// Since when no poll has found the chip ready.
    busy_since: Option<Instant>,
}

impl Chip {
    /// Programs the pieces from `pieces.done` on.
    pub(super) fn program_ahead(
        &mut self,
        pieces: &mut Pieces<'_>,
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut finished = vec![false; pieces.ranges.len()];
        let mut flow = ControlFlow::Continue(());
        let mut run = Run {
            todo: (pieces.done..pieces.ranges.len()).collect(),
            ..Run::default()
        };
        loop {
            self.submit_ahead(pieces, &mut run)?;
            match run.sent.pop_front() {
                None => return Ok(flow),
                Some(Sent::Step) => self.controller.collect(&mut [])?,
                Some(Sent::Poll(at)) => {
                    let mut answer = [0];
                    self.controller.collect(&mut answer)?;
                    self.note_poll(&mut run, at, answer[0], pieces)?;
                }
            }
            while let Some((piece, taken)) = self.conclude(&mut run) {
                if !taken {
                    run.todo.push_front(piece);
                    continue;
                }
                finished[piece] = true;
                let open = finished[pieces.done..].iter().position(|done| !done);
                let done = open.map_or(finished.len(), |open| pieces.done + open);
                if pieces.tell(done, tick).is_break() {
                    flow = ControlFlow::Break(());
                    run.todo.clear();
                }
            }
            if flow.is_break() {
                run.todo.clear();
            }
        }
    }

    /// Fills the controller's window.
    fn submit_ahead(&mut self, pieces: &Pieces<'_>, run: &mut Run) -> Result<(), Error> {
        // As long as nothing is known of the chip, or with nothing to send ahead, polls go on until
        // the page is done.
        let enough = self.polls.wanted().filter(|_| {
            self.controller.limits().pipelined && (run.enabled || !run.todo.is_empty())
        });
        let poll = Job::receive(&[instruction::RDSR], 1);
        loop {
            if let Some(flight) = run.flights.back_mut().filter(|flight| !flight.closed) {
                let is_enough = enough.is_some_and(|enough| flight.polls_sent >= enough);
                if is_enough || flight.ready_at.is_some() {
                    flight.closed = true;
                    continue;
                }
                let in_flight = flight.polls_sent - flight.polls_seen;
                let is_full = enough.is_none() && in_flight >= OPEN_POLLS;
                if is_full || !self.controller.has_room_for(&poll) {
                    return Ok(());
                }
                self.controller.submit(&poll)?;
                flight.polls_sent += 1;
                run.sent.push_back(Sent::Poll(self.controller.now()));
                continue;
            }
            let Some(&piece) = run.todo.front() else {
                return Ok(());
            };
            let enable = Job::send(&[instruction::WREN]);
            if !run.enabled {
                if !self.controller.has_room_for(&enable) {
                    return Ok(());
                }
                self.controller.submit(&enable)?;
                run.sent.push_back(Sent::Step);
                run.enabled = true;
            }
            let head = self.head(instruction::PP, pieces.address(piece));
            let program = Job::Transfer {
                head: head.as_bytes(),
                data: pieces.data(piece),
                receive_bytes: 0,
            };
            if !self.controller.has_room_for(&program) {
                return Ok(());
            }
            self.controller.submit(&program)?;
            run.sent.push_back(Sent::Step);
            run.enabled = false;
            run.todo.pop_front();
            run.flights.push_back(Flight {
                piece,
                polls_sent: 0,
                polls_seen: 0,
                ready_at: None,
                ends_busy: true,
                closed: false,
            });
        }
    }

    /// Looks at a poll.
    fn note_poll(
        &mut self,
        run: &mut Run,
        at: Instant,
        found: u8,
        pieces: &Pieces<'_>,
    ) -> Result<(), Error> {
        let mut flights = run.flights.iter_mut();
        let Some(flight) = flights.find(|flight| flight.polls_seen < flight.polls_sent) else {
            return Ok(());
        };
        let is_busy = found & status::WIP != 0;
        if !is_busy && flight.ready_at.is_none() {
            flight.ready_at = Some(flight.polls_seen);
        }
        flight.polls_seen += 1;
        flight.ends_busy = is_busy;
        if !is_busy {
            run.busy_since = None;
            return Ok(());
        }
        let busy_since = *run.busy_since.get_or_insert(self.controller.now());
        let waited = at - busy_since;
        if waited <= page_patience(self.definition()) {
            return Ok(());
        }
        Err(Error::still_busy(
            found,
            format!("programming at {:#010x}", pieces.address(flight.piece)),
            waited,
        ))
    }

    /// Ends the oldest flight, if all its polls have come: its piece, and whether it was taken for
    /// sure.
    fn conclude(&mut self, run: &mut Run) -> Option<(usize, bool)> {
        let is_over = |flight: &mut Flight| flight.closed && flight.polls_seen == flight.polls_sent;
        let flight = run.flights.pop_front_if(is_over)?;
        let was_doubtful = std::mem::replace(&mut run.is_doubtful, flight.ends_busy);
        if !was_doubtful {
            // Later than the last poll; how much later is not known.
            let at_least = flight.polls_seen + flight.polls_seen / 4;
            self.polls.learn(flight.ready_at.unwrap_or(at_least));
        }
        Some((flight.piece, !was_doubtful))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_of_the_first_page() {
        assert_eq!(Polls::default().wanted(), None);
    }

    #[test]
    fn one_slow_page_does_not_make_all_wait() {
        let mut polls = Polls::default();
        for _ in 0..20 {
            polls.learn(57);
        }
        polls.learn(230);
        assert_eq!(polls.wanted(), Some(60));
    }

    #[test]
    fn pages_that_become_slower_are_followed() {
        let mut polls = Polls::default();
        for busy in [20, 90, 90] {
            polls.learn(busy);
        }
        assert_eq!(polls.wanted(), Some(94));
    }
}
