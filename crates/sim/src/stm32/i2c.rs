//! The loader on an I2C bus: what its controller does in hardware, and how its code waits for it.
//!
//! Stated from AN4221 (revision 14), AN2606 (section "I2C connection timing") and the shape of ST's
//! Open Bootloader, which polls: it waits for its address, takes or gives the bytes of one frame, and
//! goes on. Whatever the host does beside that meets a loader that waits for something else:
//!
//! * While it works, or waits for a read and is written to, or has had half a frame, its hardware
//!   still acknowledges its address and then holds the clock, because nobody serves it.
//! * Each wait inside a command ends after a time-out in a reset of the chip.
//! * No-Stretch commands serve reads with BUSY while they work.
//!
//! A frame that is longer or shorter than the loader expects leaves it hanging, which the bench holds
//! against the host.

use std::collections::VecDeque;

use flashwire_link::Instant;
use flashwire_protocol::stm32::BUSY;

use super::chip::{Chip, LoaderState, Running};
use super::part::I2cLoader;
use super::rom::{Phase, Step};
use crate::ComplaintKind;
use crate::wire::BusTarget;

/// The loader's side of the bus.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) loader: I2cLoader,
    /// What the host is to read next, and whether it has begun to.
    offered: Option<VecDeque<u8>>,
    transfer: Transfer,
    /// Whether the loader hangs in a wait that only its time-out ends.
    hangs: bool,
    /// Whether a transfer was given up that the loader will come to serve.
    given_up: bool,
    /// When the chip resets itself if the host does not go on.
    pub(super) gives_up: Option<Instant>,
}

/// The transfer under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transfer {
    /// None that is for this device.
    None,
    /// The host writes: how many bytes so far, and whether they were a whole frame.
    Write { bytes: usize, whole: bool },
    /// The host reads what is offered, as soon as something is.
    Read,
    /// The host has read what was offered.
    Served,
    /// The host reads, and is told that the loader is busy.
    Poll,
}

impl Interface {
    pub(super) fn new(loader: I2cLoader) -> Self {
        Self {
            loader,
            offered: None,
            transfer: Transfer::None,
            hangs: false,
            given_up: false,
            gives_up: None,
        }
    }

    /// Whether the host has to read before the loader goes on.
    pub(super) fn waits_for_read(&self) -> bool {
        self.offered.is_some() || self.hangs
    }
}

impl LoaderState {
    /// Whether the loader does something that has to end before it looks at its interface. What
    /// comes after an answer that the host has yet to read has not begun.
    fn works(&self) -> bool {
        let due = |step: &Step| !matches!(step, Step::Send(_));
        let waits = self.i2c.as_ref().is_some_and(Interface::waits_for_read);
        self.current.is_some() || !waits && self.steps.front().is_some_and(due)
    }

    /// Whether it serves reads with BUSY while it does that.
    fn says_busy(&self, stretches_always: bool) -> bool {
        let working = self
            .current
            .as_ref()
            .is_some_and(|work| !matches!(work.step, Step::Wait(_)));
        working && self.rom.answers_busy() && !stretches_always
    }
}

impl Chip {
    /// The loader, while it is awake on this bus.
    fn on_bus(&mut self) -> Option<(&mut LoaderState, bool)> {
        let stretches_always = self.stretches_always;
        match &mut self.running {
            Running::Loader(loader) if loader.awake && loader.i2c.is_some() => {
                Some((loader, stretches_always))
            }
            _ => None,
        }
    }

    /// From now on only the time-out ends what the loader waits for.
    fn hang(&mut self, now: Instant, why: &str) {
        let detail = format!("{why}: the loader hangs until it resets the chip");
        self.complain(now, ComplaintKind::Framing, detail);
        if let Some((loader, _)) = self.on_bus()
            && let Some(i2c) = &mut loader.i2c
        {
            i2c.hangs = true;
            i2c.gives_up = Some(now + i2c.loader.timeout);
        }
    }

    /// The loader comes to give the host a frame.
    pub(super) fn offer(&mut self, now: Instant, bytes: Vec<u8>) {
        let Some((loader, _)) = self.on_bus() else {
            return;
        };
        let Some(i2c) = &mut loader.i2c else { return };
        i2c.offered = Some(bytes.into());
        let transfer = i2c.transfer;
        if std::mem::take(&mut i2c.given_up) {
            self.hang(now, "a transfer that was given up while the clock was held");
        } else if let Transfer::Write { whole, .. } = transfer {
            self.hang(
                now,
                if whole {
                    "a frame with too many bytes"
                } else {
                    "a write where an answer is to be read"
                },
            );
        }
        self.watch_host(now);
    }

    /// The loader has begun to work: a read that has been waiting for it is told so, if the command
    /// does not stretch (AN4221, section 2, "No-Stretch commands").
    pub(super) fn answer_waiting_read(&mut self) {
        let Some((loader, stretches_always)) = self.on_bus() else {
            return;
        };
        let busy = loader.says_busy(stretches_always);
        let Some(i2c) = &mut loader.i2c else { return };
        if busy && i2c.transfer == Transfer::Read {
            i2c.transfer = Transfer::Poll;
        }
    }

    /// Sets when the chip resets itself, now that something has happened: never between commands.
    pub(super) fn watch_host(&mut self, now: Instant) {
        let Some((loader, _)) = self.on_bus() else {
            return;
        };
        let between_commands = loader.rom.phase() == (Phase::Opcode, 0) && loader.steps.is_empty();
        let works = loader.works();
        let Some(i2c) = &mut loader.i2c else { return };
        if i2c.hangs {
            return;
        }
        let waits = i2c.offered.is_some() || !between_commands;
        i2c.gives_up = (waits && !works).then(|| now + i2c.loader.timeout);
    }
}

impl BusTarget for Chip {
    fn start(&mut self, now: Instant, address: u8, reading: bool, clock_hz: u32) -> bool {
        let Some((loader, stretches_always)) = self.on_bus() else {
            return false;
        };
        let works = loader.works();
        let busy = loader.says_busy(stretches_always);
        let between_commands = loader.rom.phase() == (Phase::Opcode, 0);
        let Some(i2c) = &mut loader.i2c else {
            return false;
        };
        if address != i2c.loader.address {
            return false;
        }
        let too_fast = clock_hz > i2c.loader.max_hz;
        let max_hz = i2c.loader.max_hz;
        let scanned = reading && i2c.loader.survives_scan();
        let offered = i2c.offered.is_some();
        i2c.transfer = match (reading, works && busy) {
            (true, true) => Transfer::Poll,
            (true, false) => Transfer::Read,
            (false, _) => Transfer::Write {
                bytes: 0,
                whole: false,
            },
        };
        if i2c.hangs {
            return true;
        }
        if too_fast {
            let detail = format!("a bus at {clock_hz} Hz, where {max_hz} Hz is the most");
            self.complain(now, ComplaintKind::Limit, detail);
        }
        if works {
            // Held until it looks up from its work, or answered with BUSY.
            if !reading && busy {
                self.hang(now, "a write while BUSY is to be read");
            }
        } else if reading && !offered && !(between_commands && scanned) {
            self.hang(now, "a read where a frame is due");
        } else if !reading && offered {
            self.hang(now, "a write where an answer is to be read");
        }
        true
    }

    fn holds_clock(&self) -> bool {
        let Running::Loader(loader) = &self.running else {
            return false;
        };
        let Some(i2c) = &loader.i2c else { return false };
        match i2c.transfer {
            Transfer::None => false,
            _ if i2c.hangs => true,
            Transfer::Poll | Transfer::Served => false,
            Transfer::Read => i2c.offered.is_none() && loader.works(),
            Transfer::Write { .. } => loader.works() || i2c.offered.is_some(),
        }
    }

    fn write(&mut self, now: Instant, byte: u8) -> bool {
        let Some((loader, _)) = self.on_bus() else {
            return false;
        };
        let Some(i2c) = &mut loader.i2c else {
            return false;
        };
        let Transfer::Write { bytes, whole } = &mut i2c.transfer else {
            // The chip was reset in the middle of it.
            return false;
        };
        *bytes += 1;
        if *whole {
            self.hang(now, "a frame with too many bytes");
            return true;
        }
        self.take(now, byte);
        if let Some((loader, _)) = self.on_bus() {
            let ended = loader.rom.phase().1 == 0;
            if let Some(Interface {
                transfer: Transfer::Write { whole, .. },
                ..
            }) = &mut loader.i2c
            {
                *whole = ended;
            }
        }
        self.watch_host(now);
        true
    }

    fn read(&mut self, now: Instant, last: bool) -> u8 {
        /// What a host reads of a bus that nobody drives.
        const IDLE: u8 = 0xFF;

        let Some((loader, _)) = self.on_bus() else {
            return IDLE;
        };
        let Some(i2c) = &mut loader.i2c else {
            return IDLE;
        };
        if i2c.transfer == Transfer::Poll {
            if !last {
                self.hang(now, "more than one byte read where BUSY is the answer");
            }
            return BUSY;
        }
        let Some(offered) = &mut i2c.offered else {
            return IDLE;
        };
        let byte = offered.pop_front().unwrap_or(IDLE);
        let ended = offered.is_empty();
        if ended {
            i2c.offered = None;
            i2c.transfer = Transfer::Served;
        }
        match (ended, last) {
            (true, false) => self.hang(now, "a read of too many bytes"),
            (false, true) => self.hang(now, "a read of too few bytes"),
            _ => {}
        }
        self.watch_host(now);
        byte
    }

    fn stop(&mut self, now: Instant) {
        let Some((loader, _)) = self.on_bus() else {
            return;
        };
        let works = loader.works();
        let Some(i2c) = &mut loader.i2c else { return };
        let transfer = std::mem::replace(&mut i2c.transfer, Transfer::None);
        if i2c.hangs {
            return;
        }
        match transfer {
            Transfer::Write { bytes: 0, .. } if works => i2c.given_up = true,
            Transfer::Write { bytes: 0, .. } if !i2c.loader.survives_scan() => {
                self.hang(now, "an address with no bytes behind it");
            }
            Transfer::Write {
                bytes: 1..,
                whole: false,
            } => self.hang(now, "a frame with too few bytes"),
            // It will come to serve this, and nobody will be there.
            Transfer::Read if works && i2c.offered.is_none() => i2c.given_up = true,
            _ => {}
        }
    }
}
