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
}

impl Stage {
    const fn new(nops: usize, syncnops: usize, wait_ms: u64) -> Self {
        Self {
            reopen: false,
            nops,
            syncnops,
            wait: Duration::from_millis(wait_ms),
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
    Stage::new(0, 1, 700),
    Stage::new(0, 1, 1200),
    Stage::new(4096, FOUR, 1000),
];

/// How long DTR stays dropped.
const REOPEN: Duration = Duration::from_millis(50);

/// Pause that ends a run of answers: longer than any adapter holds bytes back.
const GAP: Duration = Duration::from_millis(30);

/// Longest that an answer which nobody wants is listened to: 16 MiB over USB.
const LONGEST_DRAIN: Duration = Duration::from_secs(20);

/// Most bytes of a wrong answer that are kept.
const SAMPLE_BYTES: usize = 16;

impl Client {
    /// Makes the programmer answer SYNCNOP for the first time.
    pub(super) fn find(&mut self) -> Result<(), Error> {
        let begun = self.link.now();
        let mut sample = Vec::new();
        if self.bring_in_step(&mut sample)? {
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
        if !self.bring_in_step(&mut Vec::new())? {
            return Err(Error::LostSync);
        }
        if self.pins_driven {
            self.apply_options()?;
        }
        Ok(())
    }

    fn bring_in_step(&mut self, sample: &mut Vec<u8>) -> Result<bool, Error> {
        self.in_step = false;
        self.outstanding.clear();
        self.window.clear();
        self.inbox.clear();
        self.link.discard_input()?;
        let end = self.link.now() + LONGEST_DRAIN;
        for stage in STAGES {
            if self.try_stage(&stage, end, sample)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn try_stage(
        &mut self,
        stage: &Stage,
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
        let line = self.link.settings().wire_time(2 * bytes.len());
        if !self.hears_sync(
            stage.wait + line,
            stage.syncnops > 1 || stage.nops > 0,
            end,
            sample,
        )? {
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

    /// Listens until SYNCNOP's answer is the last thing that came. If `more` may follow, until a
    /// pause.
    fn hears_sync(
        &mut self,
        wait: Duration,
        more: bool,
        end: Instant,
        sample: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        let mut tail = [0; SYNC_ANSWER.len()];
        let mut buffer = [0; 4096];
        let mut wait = wait;
        while self.link.now() < end {
            let deadline = self.link.deadline(wait);
            let count = self.link.recv(&mut buffer, deadline)?;
            if count == 0 {
                return Ok(tail == SYNC_ANSWER);
            }
            let heard = &buffer[..count];
            for &byte in heard {
                tail = [tail[1], byte];
            }
            sample.extend(heard);
            let excess = sample.len().saturating_sub(SAMPLE_BYTES);
            sample.drain(..excess);
            if tail == SYNC_ANSWER && !more {
                return Ok(true);
            }
            wait = GAP;
        }
        Ok(false)
    }
}
