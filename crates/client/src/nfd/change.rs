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

/// A page that is to be programmed.
struct Page {
    number: u16,
    /// What goes to the programmer: bytes that are not to be programmed are erased ones.
    sent: [u8; PAGE_BYTES],
    /// What the page holds after it.
    wanted: [u8; PAGE_BYTES],
    /// How many bytes the executor knows of it.
    bytes: u64,
    /// It is looked at as soon as it is programmed: the first one in each sector.
    is_sample: bool,
}

impl Page {
    /// A piece of data, on a page that holds `before`.
    fn new(piece: &Piece<'_>, before: &[u8; PAGE_BYTES], is_sample: bool) -> Self {
        let mut sent = [ERASED; PAGE_BYTES];
        sent[piece.offset..][..piece.bytes.len()].copy_from_slice(piece.bytes);
        let mut wanted = *before;
        for (wanted, sent) in wanted.iter_mut().zip(sent) {
            *wanted &= sent;
        }
        wanted[piece.offset..][..piece.bytes.len()].copy_from_slice(piece.bytes);
        Self {
            number: piece.page,
            sent,
            wanted,
            bytes: piece.bytes.len() as u64,
            is_sample,
        }
    }

    fn address(&self) -> u64 {
        u64::from(self.number) * PAGE_BYTES as u64
    }

    /// There is nothing to program.
    fn is_blank(&self) -> bool {
        self.sent.iter().all(|&byte| byte == ERASED)
    }

    /// Whether the page holds what it should; or an error if programming cannot make that of it any
    /// more.
    fn is_there(&self, client: &mut Client) -> Result<bool, Error> {
        let found = client.read_page(self.number)?;
        let is_damaged = |(found, wanted): (&u8, &u8)| found & wanted != *wanted;
        match found.iter().zip(&self.wanted).position(is_damaged) {
            None => Ok(found == self.wanted),
            Some(offset) => Err(spinor::Error::Damaged {
                address: self.address() + offset as u64,
                wanted: self.wanted[offset],
                found: found[offset],
            }
            .into()),
        }
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
        let pages = self.client.pages_of(&Piece::of(address, data)?)?;
        for page in &pages {
            self.known.remove(&page.number);
        }
        let work = longest(self.program_time);
        let mut done = 0;
        let mut tries = 0;
        loop {
            let before = done;
            match self.client.program_ahead(&pages, &mut done, work, tick) {
                Err(error) if error.may_pass() => {
                    tries = if done > before { 1 } else { tries + 1 };
                    if tries > TRIES {
                        return Err(error);
                    }
                    // What is missing can be programmed again.
                    self.client.resynchronise()?;
                    if let Some(page) = pages.get(done) {
                        page.is_there(&mut self.client)?;
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

    /// The pages of pieces. What else is on those that are programmed in part is looked at before.
    fn pages_of(&mut self, pieces: &[Piece<'_>]) -> Result<Vec<Page>, Error> {
        let is_partial = |piece: &&Piece<'_>| piece.bytes.len() < PAGE_BYTES;
        let partial: Vec<u16> = pieces.iter().filter(is_partial).map(|p| p.page).collect();
        let mut used = BTreeSet::new();
        let _ = self.read_crcs(&partial, &mut |index, crc| {
            if crc != blank_crc() {
                used.insert(partial[index]);
            }
            ControlFlow::Continue(())
        })?;
        let mut pages: Vec<Page> = Vec::new();
        let mut sampled = None;
        for piece in pieces {
            let before = match used.contains(&piece.page) {
                true => self.read_page(piece.page)?,
                false => [ERASED; PAGE_BYTES],
            };
            let sector = Some(piece.page / SECTOR_PAGES);
            let page = Page::new(piece, &before, sampled != sector);
            if !page.is_blank() {
                sampled = sector;
            }
            pages.push(page);
        }
        Ok(pages)
    }

    /// Sends pages from `done` on, each with its content, and counts those that are programmed.
    fn program_ahead(
        &mut self,
        pages: &[Page],
        done: &mut usize,
        work: Duration,
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut queued = *done;
        let mut flow = ControlFlow::Continue(());
        loop {
            while queued < pages.len().min(*done + PAGES_AHEAD) && flow.is_continue() {
                let page = &pages[queued];
                if !page.is_blank() {
                    self.queue_fill(&page.sent)?;
                    self.begin(&Request::program_page(page.number), work)?;
                    if page.is_sample {
                        self.queue_crc(page.number)?;
                    }
                }
                queued += 1;
            }
            if *done == queued {
                return Ok(flow);
            }
            let page = &pages[*done];
            if !page.is_blank() {
                let command = Command::Fill;
                if self.collect_crc(command)? != Crc32::of(&page.sent) {
                    return Err(Error::Checksum { command });
                }
                self.end()?;
                if page.is_sample {
                    let crc = self.collect_crc(Command::ReadPage)?;
                    if crc != Crc32::of(&page.wanted) {
                        self.program_again(page, work)?;
                        // What was queued behind it was given up.
                        queued = *done + 1;
                    }
                }
            }
            *done += 1;
            let told = tick(page.bytes);
            if flow.is_continue() {
                flow = told;
            }
        }
    }

    /// A page that was programmed is not there: finds out why.
    fn program_again(&mut self, page: &Page, work: Duration) -> Result<(), Error> {
        // Behind it only content can be under way, and no program: the ring does not hold so much.
        self.resynchronise()?;
        if page.is_there(self)? {
            // The answer was garbled, not the page.
            return Ok(());
        }
        self.change_surely(
            &Change {
                what: "programmed",
                address: page.address(),
                was_in_vain: true,
            },
            &mut |client| {
                client.queue_fill(&page.sent)?;
                client.collect_crc(Command::Fill)?;
                client.run(&Request::program_page(page.number), work)
            },
            &mut |client| page.is_there(client),
        )
    }
}
