//! Bringing host and programmer to the same place.
//!
//! A programmer waits either for an opcode, or for the rest of a command that somebody began, or it
//! sends an answer that nobody wants any more. SYNCNOP finds out: only its answer is `15 06`. A
//! rest is filled up with NOPs, because zeros make no length longer than it was: with as many as
//! bytes are missing it is over. Whatever else comes is thrown away.
//!
//! A programmer of this project that refused an X_PROGRAM listens again after four SYNCNOPs.

use std::time::Duration;

use flashwire_link::{Instant, Line, LineChange};
use flashwire_protocol::serprog::extension::RECOVERY_SYNCNOPS;
use flashwire_protocol::serprog::{Opcode, SYNC_ANSWER};

use super::{Client, Error};

/// One way to make a programmer answer.
struct Stage {
    /// Close and open the port as far as the programmer sees it: DTR.
    reopen: bool,
    nops: usize,
    syncnops: usize,
    /// How long to listen, beyond the wire.
    wait: Duration,
    /// How much unwanted data is listened to, in bytes.
    most_bytes: usize,
}

impl Stage {
    const fn new(nops: usize, syncnops: usize, wait_ms: u64) -> Self {
        Self {
            reopen: false,
            nops,
            syncnops,
            wait: Duration::from_millis(wait_ms),
            most_bytes: 16 * 1024,
        }
    }

    /// For a programmer that could not be brought to stop sending: it has to come to its end.
    const fn until_it_ends(self) -> Self {
        Self {
            most_bytes: usize::MAX,
            ..self
        }
    }
}

const FOUR: usize = RECOVERY_SYNCNOPS as usize;

/// From what costs nothing to what takes long. A page that was begun is over after 300 bytes.
const STAGES: [Stage; 8] = [
    Stage::new(0, 1, 60),
    Stage::new(0, 1, 200),
    Stage::new(16, FOUR, 200),
    Stage::new(300, FOUR, 400),
    Stage {
        reopen: true,
        ..Stage::new(0, 1, 300)
    },
    // Boards that start when the port is opened: an Arduino waits in its boot loader first.
    Stage::new(0, 1, 700).until_it_ends(),
    Stage::new(0, 1, 1200).until_it_ends(),
    Stage::new(4096, FOUR, 1000).until_it_ends(),
];

/// When SYNCNOP's answer is believed without listening for a while whether more follows: among
/// answers that nobody wants any more there may be one that looks like it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quiet {
    /// If it is the first thing that comes: nothing was under way.
    IfClean,
    /// Not at all.
    Never,
}

/// How long DTR stays dropped.
const REOPEN: Duration = Duration::from_millis(50);

/// Pause that ends a run of answers: longer than any adapter holds bytes back.
const GAP: Duration = Duration::from_millis(30);

/// How much a programmer is fed at once, in bytes, and how long it is listened to after that.
const FEED_BYTES: usize = 4096;
const FEED_WAIT: Duration = Duration::from_millis(5);

/// How often: 512 KiB are more than any length becomes by which one byte of a short transaction's
/// header is lost.
const FEEDS: usize = 128;

/// Longest that an answer which nobody wants is listened to: 16 MiB over USB.
const LONGEST_DRAIN: Duration = Duration::from_secs(20);

/// Most bytes of a wrong answer that are kept.
const SAMPLE_BYTES: usize = 16;

impl Client {
    /// Makes the programmer answer SYNCNOP for the first time.
    pub(super) fn find(&mut self) -> Result<(), Error> {
        let begun = self.link.now();
        let mut sample = Vec::new();
        if self.bring_in_step(Quiet::IfClean, &mut sample)? {
            return Ok(());
        }
        Err(if sample.is_empty() {
            Error::NoAnswer {
                waited: self.link.now() - begun,
            }
        } else {
            Error::WrongAnswer { sample }
        })
    }

    /// Makes the programmer answer SYNCNOP again, and sets it up again in case it was reset. What
    /// was outstanding is lost.
    pub(super) fn resynchronise(&mut self) -> Result<(), Error> {
        if !self.bring_in_step(Quiet::Never, &mut Vec::new())? {
            return Err(Error::LostSync);
        }
        if self.is_set_up {
            self.apply_options()?;
        }
        Ok(())
    }

    fn bring_in_step(&mut self, quiet: Quiet, sample: &mut Vec<u8>) -> Result<bool, Error> {
        self.in_step = false;
        self.outstanding.clear();
        self.window.clear();
        self.outbox.clear();
        self.inbox.clear();
        self.link.discard_input()?;
        let end = self.link.now() + LONGEST_DRAIN;
        for stage in STAGES {
            if self.try_stage(&stage, quiet, end, sample)? {
                return Ok(true);
            }
        }
        self.feed()?;
        let end = self.link.now() + LONGEST_DRAIN;
        self.try_stage(&Stage::new(0, 1, 1000).until_it_ends(), quiet, end, sample)
    }

    /// Fills up what a programmer waits for that took data for a length: until it says something.
    fn feed(&mut self) -> Result<(), Error> {
        let nops = [Opcode::Nop.code(); FEED_BYTES];
        let mut buffer = [0; 256];
        for _ in 0..FEEDS {
            self.link.send(&nops)?;
            let deadline = self.link.deadline(FEED_WAIT);
            if self.link.recv(&mut buffer, deadline)? > 0 {
                break;
            }
        }
        Ok(())
    }

    fn try_stage(
        &mut self,
        stage: &Stage,
        quiet: Quiet,
        end: Instant,
        sample: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        if stage.reopen {
            for on in [false, true] {
                let line = Line::Dtr;
                self.link.lines(&[LineChange { line, on }])?;
                self.link.pause(REOPEN)?;
            }
        }
        let nops = std::iter::repeat_n(Opcode::Nop.code(), stage.nops);
        let syncnops = std::iter::repeat_n(Opcode::SyncNop.code(), stage.syncnops);
        let bytes: Vec<u8> = nops.chain(syncnops).collect();
        self.link.send(&bytes)?;
        if !self.hears_sync(stage, quiet, end, sample)? {
            return Ok(false);
        }
        // What was heard may have been data that looked so: once more, and exactly.
        self.in_step = true;
        match self.syncnop() {
            Ok(()) => Ok(true),
            Err(error) if error.may_pass() => {
                self.in_step = false;
                self.inbox.clear();
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Listens until SYNCNOP's answer is the last thing that came and nothing follows it.
    fn hears_sync(
        &mut self,
        stage: &Stage,
        quiet: Quiet,
        end: Instant,
        sample: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        let mut tail = [0; SYNC_ANSWER.len()];
        let mut heard = 0;
        let mut buffer = [0; 4096];
        let sent = 2 * (stage.nops + stage.syncnops);
        let mut wait = stage.wait + self.link.settings().wire_time(sent);
        while self.link.now() < end && heard < stage.most_bytes {
            let deadline = self.link.deadline(wait);
            let count = self.link.recv(&mut buffer, deadline)?;
            if count == 0 {
                return Ok(tail == SYNC_ANSWER);
            }
            for &byte in &buffer[..count] {
                tail = [tail[1], byte];
            }
            heard += count;
            sample.extend(&buffer[..count]);
            let excess = sample.len().saturating_sub(SAMPLE_BYTES);
            sample.drain(..excess);
            // The first half of an answer is followed by the second.
            let is_clean = heard == SYNC_ANSWER.len() && tail == SYNC_ANSWER;
            if is_clean && quiet == Quiet::IfClean {
                return Ok(true);
            }
            wait = GAP;
        }
        Ok(false)
    }
}
