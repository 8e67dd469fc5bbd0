//! Commands sent ahead of their answers.
//!
//! The sketch takes the digits of an argument as they come, and nothing while it works or sends a
//! dump. What comes meanwhile waits in a ring of 64 bytes, and is lost beyond that without a word.
//! So at most [`SEND_AHEAD_BYTES`] go out behind the end of the oldest command whose answer has not
//! come whole. A command may be queued at any time; its bytes leave as that rule lets them.

use std::collections::VecDeque;
use std::time::Duration;

use flashwire_link::{Instant, Link};
use flashwire_protocol::nfd::{
    Command, DUMP_BYTES, ERROR, FIXED_WAIT_MS, PAGE_BYTES, Request, SEND_AHEAD_BYTES,
};

use super::{Error, Options};

/// How long an answer may keep the host waiting beyond line and work: a busy host, a virtual
/// machine, a hub.
const PATIENCE: Duration = Duration::from_secs(1);

/// Longest that the sketch computes: the CRC of a page takes an ATmega328P 3 to 4 ms.
const COMPUTING: Duration = Duration::from_millis(50);

/// Most bytes that have to pass before an answer is whole: a page to the programmer, what waits in its
/// ring, and a page from it.
const MOST_UNDER_WAY: usize = Request::FILL_BYTES + SEND_AHEAD_BYTES + DUMP_BYTES;

/// A command whose answer has not been collected.
#[derive(Clone, Copy, Debug)]
struct Outstanding {
    command: Command,
    answer_bytes: usize,
    /// How many bytes had been queued when its last one was.
    end: u64,
    /// How long the programmer may work on it.
    work: Duration,
}

/// A programmer, found and in step.
pub struct Client {
    pub(super) link: Box<dyn Link>,
    pub(super) options: Options,
    /// What it answers to `>`, letters and line end included.
    pub(super) greeting: Vec<u8>,
    outstanding: VecDeque<Outstanding>,
    /// Queued and not sent.
    outbox: VecDeque<u8>,
    /// How many bytes have been queued since the line was last idle.
    queued: u64,
    /// Received and not taken.
    inbox: VecDeque<u8>,
    /// Whether the next byte that comes begins the answer to the oldest outstanding command.
    pub(super) in_step: bool,
    /// Pins have been set as the options want them.
    pub(super) is_set_up: bool,
    /// What the chip was last told to do, and when.
    pub(super) working: Option<(Command, Instant)>,
}

impl Client {
    pub(super) fn on(link: Box<dyn Link>, options: Options) -> Self {
        Self {
            link,
            options,
            greeting: Vec::new(),
            outstanding: VecDeque::new(),
            outbox: VecDeque::new(),
            queued: 0,
            inbox: VecDeque::new(),
            in_step: false,
            is_set_up: false,
            working: None,
        }
    }

    /// What the programmer calls itself.
    pub fn name(&self) -> String {
        let name = String::from_utf8_lossy(&self.greeting);
        name.trim_matches(|c: char| c == '>' || c.is_whitespace())
            .to_owned()
    }

    /// The link, to ask for its name and its warnings.
    pub fn link_mut(&mut self) -> &mut dyn Link {
        self.link.as_mut()
    }

    /// The link, to look at.
    pub(super) fn link(&self) -> &dyn Link {
        self.link.as_ref()
    }

    /// Forgets everything that was queued, is outstanding or has come.
    pub(super) fn forget(&mut self) {
        self.in_step = false;
        self.outstanding.clear();
        self.outbox.clear();
        self.inbox.clear();
        self.queued = 0;
    }

    /// How many commands wait for their answers to be collected.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// Whether so many bytes, queued now, would go out at once.
    pub(super) fn has_room_for(&self, count: usize) -> bool {
        let Some(oldest) = self.outstanding.front() else {
            return true;
        };
        self.queued + count as u64 <= oldest.end + SEND_AHEAD_BYTES as u64
    }

    /// Queues a command and sends what may be sent.
    pub(super) fn queue(&mut self, request: &Request, work: Duration) -> Result<(), Error> {
        let letter = request.as_bytes().first().copied().unwrap_or_default();
        // A request is made of a command.
        let command = Command::from_letter(letter).unwrap_or(Command::Hello);
        self.queue_bytes(command, request.as_bytes(), work)
    }

    /// Queues a command without arguments.
    pub(super) fn queue_plain(&mut self, command: Command) -> Result<(), Error> {
        // What has arguments is never asked for so.
        let request = Request::plain(command).ok_or(Error::OutOfStep)?;
        self.queue(&request, Duration::ZERO)
    }

    /// Queues the filling of the page buffer.
    pub(super) fn queue_fill(&mut self, page: &[u8; PAGE_BYTES]) -> Result<(), Error> {
        self.queue_bytes(Command::Fill, &Request::fill(page), Duration::ZERO)
    }

    fn queue_bytes(&mut self, command: Command, bytes: &[u8], work: Duration) -> Result<(), Error> {
        if !self.in_step {
            return Err(Error::OutOfStep);
        }
        let answer_bytes = command.answer_bytes().unwrap_or(self.greeting.len());
        self.outbox.extend(bytes);
        self.queued += bytes.len() as u64;
        self.outstanding.push_back(Outstanding {
            command,
            answer_bytes,
            end: self.queued,
            work: work + COMPUTING,
        });
        self.send_what_may()
    }

    /// Hands to the link as much as the ring at the other end surely holds.
    fn send_what_may(&mut self) -> Result<(), Error> {
        let sent = self.queued - self.outbox.len() as u64;
        let most = match self.outstanding.front() {
            Some(oldest) => (oldest.end + SEND_AHEAD_BYTES as u64).saturating_sub(sent),
            None => u64::MAX,
        };
        let count =
            usize::try_from(most).map_or(self.outbox.len(), |most| most.min(self.outbox.len()));
        if count == 0 {
            return Ok(());
        }
        let bytes: Vec<u8> = self.outbox.drain(..count).collect();
        let done = self.link.send(&bytes);
        if done.is_err() {
            self.in_step = false;
        }
        Ok(done?)
    }

    /// Takes the answer to the oldest outstanding command, letter and line end included.
    pub(super) fn collect(&mut self) -> Result<Vec<u8>, Error> {
        let Some(oldest) = self.outstanding.front().copied() else {
            return Err(Error::OutOfStep);
        };
        let step = std::mem::take(&mut self.in_step);
        if !step {
            return Err(Error::OutOfStep);
        }
        // Until the answer is whole, nobody knows where the next one begins.
        let Outstanding { command, .. } = oldest;
        let mut answer = vec![0; oldest.answer_bytes];
        let (first, rest) = answer.split_at_mut(1);
        self.fill(first, &oldest, 0)?;
        match first[0] {
            letter if letter == command.letter() => {}
            ERROR => return Err(Error::Refused { command }),
            found => {
                let found = vec![found];
                return Err(Error::Unexpected { command, found });
            }
        }
        self.fill(rest, &oldest, 1)?;
        self.outstanding.pop_front();
        self.in_step = true;
        self.send_what_may()?;
        Ok(answer)
    }

    /// Fills `out` from what has come and what comes. Each pause is bounded.
    fn fill(&mut self, out: &mut [u8], of: &Outstanding, before: usize) -> Result<(), Error> {
        let mut filled = 0;
        while filled < out.len() {
            if self.inbox.is_empty() {
                let patience = self.patience(of);
                if !self.receive(patience)? {
                    return Err(Error::Timeout {
                        command: of.command,
                        received: before + filled,
                        expected: of.answer_bytes,
                        waited: patience,
                    });
                }
            }
            let have = self.inbox.len().min(out.len() - filled);
            for (slot, byte) in out[filled..].iter_mut().zip(self.inbox.drain(..have)) {
                *slot = byte;
            }
            filled += have;
        }
        Ok(())
    }

    /// Waits for bytes; whether any came.
    pub(super) fn receive(&mut self, patience: Duration) -> Result<bool, Error> {
        let mut buffer = [0; 1024];
        let deadline = self.link.deadline(patience);
        let count = self.link.recv(&mut buffer, deadline)?;
        self.inbox.extend(&buffer[..count]);
        Ok(count > 0)
    }

    /// What has come and was not taken.
    pub(super) fn inbox(&mut self) -> &mut VecDeque<u8> {
        &mut self.inbox
    }

    /// How long a pause the answer to a command may make: until all that was sent is at the other
    /// side, the programmer has done its work, and its answer has come.
    fn patience(&self, of: &Outstanding) -> Duration {
        PATIENCE + self.link.settings().wire_time(MOST_UNDER_WAY) + of.work
    }

    /// The first byte of the answer to the oldest outstanding command, which is not taken.
    pub(super) fn peek(&mut self) -> Result<u8, Error> {
        let oldest = *self.outstanding.front().ok_or(Error::OutOfStep)?;
        let mut first = [0];
        self.in_step = false;
        self.fill(&mut first, &oldest, 0)?;
        self.inbox.push_front(first[0]);
        self.in_step = true;
        Ok(first[0])
    }

    /// Takes what comes before the answer to the oldest outstanding command, which has to be this.
    pub(super) fn pass_over(&mut self, late: &[u8]) -> Result<(), Error> {
        let oldest = *self.outstanding.front().ok_or(Error::OutOfStep)?;
        self.in_step = false;
        let mut found = vec![0; late.len()];
        self.fill(&mut found, &oldest, 0)?;
        if found != late {
            return Err(Error::OutOfStep);
        }
        self.in_step = true;
        Ok(())
    }

    /// Expects no answer to the oldest outstanding command any more: it has none.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        self.outstanding.pop_front();
        self.send_what_may()
    }
}

/// How long the programmer works if the chip takes so long at most.
pub(super) fn chip_work(most: Duration) -> Duration {
    most + Duration::from_millis(FIXED_WAIT_MS)
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("link", &self.link.name())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
