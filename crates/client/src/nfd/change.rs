//! Erasing and programming.
//!
//! An answer to `k` or `w` says that the firmware is done, and nothing about the chip; and a page or
//! sector number that was garbled on its way makes it a command for another place. So of each sector
//! a page that was not blank is looked at after its erase, and of each sector that is programmed the
//! first page. One that is as it was is tried once more: if that works, the first one went
//! elsewhere ([`spinor::Error::Disturbed`]); if not, the chip ignores it ([`Error::Ignored`]). The
//! executor's verify looks at all of it.
//!
//! A page goes out as `s` with its content and `w` behind it, the next one behind that as far as the
//! ring holds it. A byte that is lost in `s` makes a digit of the `w`, which is refused and not
//! carried out: then the page is still as it was, and is sent again.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_plan::{EraseUnit, Tick};
use flashwire_protocol::crc32::Crc32;
use flashwire_protocol::nfd::{Command, PAGE_BYTES, Request, SECTOR_BYTES};

use super::ask::TRIES;
use super::chip::page_of;
use super::exchange::chip_work;
use super::pages::Piece;
use super::{Chip, Client, Error};
use crate::spinor::{self, Timing};

/// Pages of a sector.
const SECTOR_PAGES: u16 = (SECTOR_BYTES / PAGE_BYTES) as u16;

/// How many pages are queued: one that is programmed, and one whose content is sent behind it.
const PAGES_AHEAD: usize = 2;

/// How often the progress of an erase of everything is told.
const CHIP_ERASE_TICK: Duration = Duration::from_secs(1);

/// The value of an erased byte.
const ERASED: u8 = 0xFF;

/// Longest that a chip is waited for: what its datasheet allows, twice.
fn longest(time: Timing) -> Duration {
    chip_work(time.maximum * 2)
}

fn blank_crc() -> u32 {
    Crc32::of(&[ERASED; PAGE_BYTES])
}

fn is_blank(piece: &Piece<'_>) -> bool {
    piece.bytes.iter().all(|&byte| byte == ERASED)
}

/// What the buffer holds for a piece: bytes that are not to be programmed are erased ones.
fn page_with(piece: &Piece<'_>) -> [u8; PAGE_BYTES] {
    let mut page = [ERASED; PAGE_BYTES];
    page[piece.offset..][..piece.bytes.len()].copy_from_slice(piece.bytes);
    page
}

/// Whether a piece is looked at as soon as it is programmed: the first whole page in each sector.
fn is_sample(pieces: &[Piece<'_>], index: usize) -> bool {
    let of_sector = |piece: &Piece<'_>| piece.crc().map(|_| piece.page / SECTOR_PAGES);
    let Some(sector) = of_sector(&pieces[index]) else {
        return false;
    };
    let mut before = pieces[..index].iter().rev();
    !before
        .by_ref()
        .take(SECTOR_PAGES.into())
        .any(|piece| of_sector(piece) == Some(sector) && !is_blank(piece))
}

/// Whether programming a piece can still make of `found` what is wanted.
fn check_undamaged(piece: &Piece<'_>, found: &[u8; PAGE_BYTES]) -> Result<(), Error> {
    let found = piece.found_in(found);
    let is_damaged = |(found, wanted): (&u8, &u8)| found & wanted != *wanted;
    match found.iter().zip(piece.bytes).position(is_damaged) {
        None => Ok(()),
        Some(offset) => Err(spinor::Error::Damaged {
            address: piece.address() + offset as u64,
            wanted: piece.bytes[offset],
            found: found[offset],
        }
        .into()),
    }
}

fn disturbed(what: &'static str, address: u64, cause: Error) -> Error {
    let cause = Box::new(cause);
    spinor::Error::Disturbed {
        what,
        address,
        cause,
    }
    .into()
}

impl Chip {
    pub(super) fn erase_units(
        &mut self,
        units: &[EraseUnit],
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        self.make_writable()?;
        let witnesses = self.first_witnesses(units)?;
        for (unit, witness) in units.iter().zip(witnesses) {
            let time = self.erase_times.get(unit.kind).copied();
            let time = time.ok_or(spinor::Error::NoSuchErase {
                start: unit.start,
                end: unit.end,
            })?;
            let flow = if unit.bytes() == SECTOR_BYTES as u64 {
                self.erase_sector(unit.start, witness, time)?;
                tick(unit.bytes())
            } else {
                self.erase_everything(unit, time, tick)?
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The first page of each of these sectors, where it is not blank; all are asked for together.
    fn first_witnesses(&mut self, units: &[EraseUnit]) -> Result<Vec<Option<u16>>, Error> {
        let is_sector = |unit: &&EraseUnit| unit.bytes() == SECTOR_BYTES as u64;
        let starts = units.iter().filter(is_sector).map(|unit| unit.start);
        let pages: Vec<u16> = starts.map(page_of).collect::<Result<_, _>>()?;
        let mut used = BTreeSet::new();
        let _ = self.client.read_crcs(&pages, &mut |index, crc| {
            if crc != blank_crc() {
                used.insert(pages[index]);
            }
            ControlFlow::Continue(())
        })?;
        let witness = |unit: &EraseUnit| Ok(used.get(&page_of(unit.start)?).copied());
        units.iter().map(witness).collect()
    }

    /// Erases a sector and looks whether it did anything, where it was not blank. A blank one is left
    /// alone.
    fn erase_sector(
        &mut self,
        address: u64,
        witness: Option<u16>,
        time: Timing,
    ) -> Result<(), Error> {
        let first = page_of(address)?;
        let pages: Vec<u16> = (first..=first | (SECTOR_PAGES - 1)).collect();
        let witness = match witness {
            None => self.find_not_blank(&pages)?,
            known => known,
        };
        let Some(witness) = witness else {
            return Ok(());
        };
        for page in &pages {
            self.known.remove(page);
        }
        let erase = Request::erase_sector(first / SECTOR_PAGES);
        let erase = erase.ok_or(Error::BeyondReach { address })?;
        let is_blank = Cell::new(false);
        self.client.change_surely(
            &Change {
                what: "erased",
                address,
                was_in_vain: false,
            },
            &mut |client| {
                client.begin(&erase, longest(time))?;
                client.queue_crc(witness)?;
                client.end()?;
                is_blank.set(client.collect_crc(Command::ReadPage)? == blank_crc());
                Ok(())
            },
            // One that seems not to be may have been garbled.
            &mut |client| Ok(is_blank.take() || client.read_crc(witness)? == blank_crc()),
        )
    }

    /// Erases everything, and looks whether it did anything where something was.
    fn erase_everything(
        &mut self,
        unit: &EraseUnit,
        time: Timing,
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        // Nearly every chip in use holds something at its start; more is not worth the time.
        let first = page_of(unit.start)?;
        let pages: Vec<u16> = (first..=first | (SECTOR_PAGES - 1)).collect();
        let witness = self.find_not_blank(&pages)?.unwrap_or(first);
        self.known.clear();
        let erase = Request::plain(Command::EraseChip).ok_or(Error::OutOfStep)?;
        let mut flow = ControlFlow::Continue(());
        let mut told = 0;
        self.client.change_surely(
            &Change {
                what: "erased",
                address: unit.start,
                was_in_vain: false,
            },
            &mut |client| {
                client.begin(&erase, Duration::ZERO)?;
                client.await_answer(longest(time), &mut |waited| {
                    // What is not done is not told: the last twentieth belongs to the answer.
                    let share = waited.as_secs_f64() / time.typical.as_secs_f64().max(1e-3);
                    let now = (unit.bytes() as f64 * share.min(0.95)) as u64;
                    flow = tick(now.saturating_sub(told));
                    told = told.max(now);
                })?;
                client.end()
            },
            &mut |client| Ok(client.read_crc(witness)? == blank_crc()),
        )?;
        if flow.is_continue() {
            flow = tick(unit.bytes().saturating_sub(told));
        }
        Ok(flow)
    }

    /// A page of these that is not blank.
    fn find_not_blank(&mut self, pages: &[u16]) -> Result<Option<u16>, Error> {
        let blank = blank_crc();
        let is_used = |page: &&u16| self.known.get(page).is_some_and(|&crc| crc != blank);
        if let Some(&page) = pages.iter().find(is_used) {
            return Ok(Some(page));
        }
        let mut found = None;
        let _ = self.client.read_crcs(pages, &mut |index, crc| {
            if crc == blank {
                return ControlFlow::Continue(());
            }
            found = Some(pages[index]);
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    pub(super) fn program_range(
        &mut self,
        address: u64,
        data: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        self.make_writable()?;
        let pieces = Piece::of(address, data)?;
        for piece in &pieces {
            self.known.remove(&piece.page);
        }
        let work = longest(self.program_time);
        let mut done = 0;
        let mut tries = 0;
        loop {
            let before = done;
            match self.client.program_ahead(&pieces, &mut done, work, tick) {
                Err(error) if error.may_pass() => {
                    tries = if done > before { 1 } else { tries + 1 };
                    if tries > TRIES {
                        return Err(error);
                    }
                    if let Some(piece) = pieces.get(done) {
                        self.client.repair(piece)?;
                    }
                }
                ended => return ended,
            }
        }
    }
}

/// Something that is changed until it is there.
struct Change {
    /// What is done: `erased`, `programmed`.
    what: &'static str,
    address: u64,
    /// It was tried before, acknowledged, and is not there.
    was_in_vain: bool,
}

impl Client {
    /// Queues something that the chip has to work on.
    fn begin(&mut self, request: &Request, work: Duration) -> Result<(), Error> {
        let command = request.as_bytes().first().copied();
        let command = command.and_then(Command::from_letter);
        let now = self.link().now();
        self.working = command.map(|command| (command, now));
        self.queue(request, work)
    }

    /// Takes the answer to that.
    fn end(&mut self) -> Result<(), Error> {
        self.collect()?;
        self.working = None;
        Ok(())
    }

    fn run(&mut self, request: &Request, work: Duration) -> Result<(), Error> {
        self.begin(request, work)?;
        self.end()
    }

    /// Waits until an answer begins, telling how long it has been.
    fn await_answer(
        &mut self,
        most: Duration,
        tell: &mut dyn FnMut(Duration),
    ) -> Result<(), Error> {
        let begun = self.link().now();
        let mut waited = Duration::ZERO;
        while self.inbox().is_empty() && waited < most {
            self.receive(CHIP_ERASE_TICK)?;
            waited = self.link().now() - begun;
            tell(waited);
        }
        Ok(())
    }

    /// Makes a change until it is there.
    ///
    /// # Errors
    /// [`spinor::Error::Disturbed`] if one that was acknowledged was not there and another one is;
    /// [`Error::Ignored`] if two were acknowledged and are not there.
    fn change_surely(
        &mut self,
        change: &Change,
        make: &mut dyn FnMut(&mut Self) -> Result<(), Error>,
        is_there: &mut dyn FnMut(&mut Self) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let Change { what, address, .. } = *change;
        let mut was_in_vain = change.was_in_vain;
        for _ in 0..=TRIES {
            let acknowledged = match make(self) {
                Err(error) if error.may_pass() => {
                    self.resynchronise()?;
                    false
                }
                done => done.map(|()| true)?,
            };
            match (is_there(self)?, acknowledged) {
                (true, _) if was_in_vain => return Err(disturbed(what, address, Error::OutOfStep)),
                (true, _) => return Ok(()),
                (false, true) if was_in_vain => return Err(Error::Ignored { what, address }),
                (false, true) => was_in_vain = true,
                // The command did not arrive.
                (false, false) => {}
            }
        }
        Err(disturbed(what, address, Error::LostSync))
    }

    /// Sends pages from `done` on, each with its content, and counts those that are programmed.
    fn program_ahead(
        &mut self,
        pieces: &[Piece<'_>],
        done: &mut usize,
        work: Duration,
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut queued = *done;
        let mut flow = ControlFlow::Continue(());
        loop {
            while queued < pieces.len().min(*done + PAGES_AHEAD) && flow.is_continue() {
                let piece = &pieces[queued];
                if !is_blank(piece) {
                    self.queue_fill(&page_with(piece))?;
                    self.begin(&Request::program_page(piece.page), work)?;
                    if is_sample(pieces, queued) {
                        self.queue_crc(piece.page)?;
                    }
                }
                queued += 1;
            }
            if *done == queued {
                return Ok(flow);
            }
            let piece = &pieces[*done];
            if !is_blank(piece) {
                let command = Command::Fill;
                if self.collect_crc(command)? != Crc32::of(&page_with(piece)) {
                    return Err(Error::Checksum { command });
                }
                self.end()?;
                if is_sample(pieces, *done) {
                    let crc = self.collect_crc(Command::ReadPage)?;
                    if Some(crc) != piece.crc() {
                        self.program_again(piece, work)?;
                        // What was queued behind it was given up.
                        queued = *done + 1;
                    }
                }
            }
            *done += 1;
            let told = tick(piece.bytes.len() as u64);
            if flow.is_continue() {
                flow = told;
            }
        }
    }

    /// A page that was programmed is not there: finds out why.
    fn program_again(&mut self, piece: &Piece<'_>, work: Duration) -> Result<(), Error> {
        // Behind it only content can be under way, and no program: the ring does not hold so much.
        self.resynchronise()?;
        let content = self.read_page(piece.page)?;
        if piece.found_in(&content) == piece.bytes {
            // The answer was garbled, not the page.
            return Ok(());
        }
        check_undamaged(piece, &content)?;
        self.change_surely(
            &Change {
                what: "programmed",
                address: piece.address(),
                was_in_vain: true,
            },
            &mut |client| {
                client.queue_fill(&page_with(piece))?;
                client.collect_crc(Command::Fill)?;
                client.run(&Request::program_page(piece.page), work)
            },
            &mut |client| {
                let content = client.read_page(piece.page)?;
                Ok(piece.found_in(&content) == piece.bytes)
            },
        )
    }

    /// After a fault: brings the programmer back, and looks at the page that was under way. What is
    /// missing can be programmed again; what was cleared and should not have been cannot.
    fn repair(&mut self, piece: &Piece<'_>) -> Result<(), Error> {
        self.resynchronise()?;
        let content = self.read_page(piece.page)?;
        check_undamaged(piece, &content)
    }
}
