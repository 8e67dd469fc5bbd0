//! Reading, and comparing by CRCs.
//!
//! A page is read into the programmer's buffer (`r`, answered by its CRC) and from there to the host
//! (`l`). Both commands of as many pages as the ring holds are on their way while a dump comes, so
//! that the line never pauses. Comparing asks for CRCs alone.
//!
//! The CRC shows whatever is garbled on its way to the host. A page number that is garbled on its way
//! to the programmer shows only where the content is known: a CRC that does not fit is asked for
//! again before it is believed.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_plan::{Mismatch, Tick};
use flashwire_protocol::crc32::Crc32;
use flashwire_protocol::nfd::{Command, LINE_END, PAGE_BYTES, Request};

use super::ask::{TRIES, bytes_of, crc_of};
use super::chip::page_of;
use super::{Chip, Client, Error};

/// Letter and page number, and a letter for the dump.
const CRC_BYTES: usize = 9;
const READ_BYTES: usize = CRC_BYTES + 1;

/// What of one page is to be compared or programmed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) page: u16,
    /// Where in the page it begins.
    pub(super) offset: usize,
    pub(super) bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    /// The pieces of `bytes`, which begin at `address`.
    pub(super) fn of(address: u64, bytes: &'a [u8]) -> Result<Vec<Self>, Error> {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        let mut at = address;
        while !rest.is_empty() {
            let offset = at as usize % PAGE_BYTES;
            let (bytes, more) = rest.split_at(rest.len().min(PAGE_BYTES - offset));
            let page = page_of(at)?;
            pieces.push(Self {
                page,
                offset,
                bytes,
            });
            at += bytes.len() as u64;
            rest = more;
        }
        Ok(pieces)
    }

    pub(super) fn address(&self) -> u64 {
        u64::from(self.page) * PAGE_BYTES as u64 + self.offset as u64
    }

    /// Its place in the content of the page.
    pub(super) fn found_in<'b>(&self, content: &'b [u8; PAGE_BYTES]) -> &'b [u8] {
        &content[self.offset..][..self.bytes.len()]
    }

    /// The CRC that the page has if it holds this; `None` if that is not all of it.
    pub(super) fn crc(&self) -> Option<u32> {
        (self.bytes.len() == PAGE_BYTES).then(|| Crc32::of(self.bytes))
    }
}

/// Something that is asked about a page.
struct Question<T> {
    /// How many bytes it has.
    request_bytes: usize,
    /// Asks it.
    ask: fn(&mut Client, u16) -> Result<(), Error>,
    /// Takes the answer.
    collect: fn(&mut Client) -> Result<T, Error>,
}

impl Client {
    /// The CRC of a page that was asked for.
    pub(super) fn collect_crc(&mut self, command: Command) -> Result<u32, Error> {
        crc_of(command, &self.collect()?)
    }

    /// Asks for the CRC of a page.
    pub(super) fn queue_crc(&mut self, page: u16) -> Result<(), Error> {
        self.queue(&Request::read_page(page), Duration::ZERO)
    }

    fn queue_read(&mut self, page: u16) -> Result<(), Error> {
        self.queue_crc(page)?;
        self.queue_plain(Command::Dump)
    }

    fn collect_read(&mut self) -> Result<[u8; PAGE_BYTES], Error> {
        let crc = self.collect_crc(Command::ReadPage)?;
        let command = Command::Dump;
        let dump = self.collect()?;
        let digits = dump.strip_suffix(LINE_END.as_bytes()).unwrap_or(&dump);
        let content = bytes_of::<PAGE_BYTES>(command, digits)?;
        if Crc32::of(&content) != crc {
            return Err(Error::Checksum { command });
        }
        Ok(content)
    }

    /// Asks about pages in order, ahead of the answers, and hands each answer out as long as it is
    /// wanted. What was handed out counts.
    fn ask_about<T>(
        &mut self,
        pages: &[u16],
        question: &Question<T>,
        hand_out: &mut dyn FnMut(usize, T) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut done = 0;
        // What is not wanted any more is not asked for again, either.
        let mut flow = ControlFlow::Continue(());
        self.in_runs(&mut done, |client, done| {
            let mut sent = *done;
            loop {
                while sent < pages.len()
                    && flow.is_continue()
                    && client.has_room_for(question.request_bytes)
                {
                    (question.ask)(client, pages[sent])?;
                    sent += 1;
                }
                if *done == sent {
                    return Ok(flow);
                }
                let answer = (question.collect)(client)?;
                if flow.is_continue() {
                    flow = hand_out(*done, answer);
                }
                *done += 1;
            }
        })
    }

    /// Reads pages in order and hands each out, as long as it is wanted.
    fn read_pages(
        &mut self,
        pages: &[u16],
        hand_out: &mut dyn FnMut(usize, [u8; PAGE_BYTES]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let question = Question {
            request_bytes: READ_BYTES,
            ask: Self::queue_read,
            collect: Self::collect_read,
        };
        self.ask_about(pages, &question, hand_out)
    }

    /// One page.
    pub(super) fn read_page(&mut self, page: u16) -> Result<[u8; PAGE_BYTES], Error> {
        let mut content = [0; PAGE_BYTES];
        let _ = self.read_pages(&[page], &mut |_, found| {
            content = found;
            ControlFlow::Continue(())
        })?;
        Ok(content)
    }

    /// Asks for the CRCs of pages in order and hands each out, as long as it is wanted.
    pub(super) fn read_crcs(
        &mut self,
        pages: &[u16],
        hand_out: &mut dyn FnMut(usize, u32) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let question = Question {
            request_bytes: CRC_BYTES,
            ask: Self::queue_crc,
            collect: |client| client.collect_crc(Command::ReadPage),
        };
        self.ask_about(pages, &question, hand_out)
    }

    /// The CRC of a page.
    pub(super) fn read_crc(&mut self, page: u16) -> Result<u32, Error> {
        let mut found = 0;
        let _ = self.read_crcs(&[page], &mut |_, crc| {
            found = crc;
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Does what changes nothing, and again from where it was after a fault that may pass. `done`
    /// counts what counts.
    fn in_runs<T>(
        &mut self,
        done: &mut usize,
        mut run: impl FnMut(&mut Self, &mut usize) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            let before = *done;
            match run(self, done) {
                Err(error) if error.may_pass() => {
                    tries = if *done > before { 1 } else { tries + 1 };
                    if tries > TRIES {
                        return Err(error);
                    }
                    self.resynchronise()?;
                }
                ended => return ended,
            }
        }
    }
}

impl Chip {
    pub(super) fn read_range(
        &mut self,
        address: u64,
        out: &mut [u8],
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        if out.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let end = address + out.len() as u64;
        let pages: Vec<u16> = (page_of(address)?..=page_of(end - 1)?).collect();
        let mut skip = address as usize % PAGE_BYTES;
        let mut rest = out;
        self.client.read_pages(&pages, &mut |_, content| {
            let content = &content[std::mem::take(&mut skip)..];
            let count = content.len().min(rest.len());
            let (now, later) = std::mem::take(&mut rest).split_at_mut(count);
            now.copy_from_slice(&content[..count]);
            rest = later;
            tick(count as u64)
        })
    }

    /// Compares by CRCs, and reads what differs to say where.
    pub(super) fn compare_range(
        &mut self,
        address: u64,
        expected: &[u8],
        worst: &mut Option<Mismatch>,
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let pieces = Piece::of(address, expected)?;
        let mut rest = &pieces[..];
        // What was known before does not prove anything now.
        self.known.clear();
        loop {
            let piece = match self.next_difference(rest, tick)? {
                Next::Nothing => return Ok(ControlFlow::Continue(())),
                Next::Stopped => return Ok(ControlFlow::Break(())),
                Next::At(index) => {
                    let piece = &rest[index];
                    rest = &rest[index + 1..];
                    piece
                }
            };
            let content = self.client.read_page(piece.page)?;
            let found = Mismatch::between(piece.address(), piece.bytes, piece.found_in(&content));
            *worst = match (*worst, found) {
                (Some(first), Some(more)) => Some(Mismatch {
                    count: first.count + more.count,
                    ..first
                }),
                (first, more) => first.or(more),
            };
            if tick(piece.bytes.len() as u64).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// Whether a range holds `expected`, by CRCs, those that are known included.
    pub(super) fn is_same(
        &mut self,
        address: u64,
        expected: &[u8],
        same: &mut bool,
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let pieces = Piece::of(address, expected)?;
        let next = self.next_difference(&pieces, tick)?;
        *same = next == Next::Nothing;
        Ok(match next {
            Next::Stopped => ControlFlow::Break(()),
            Next::Nothing | Next::At(_) => ControlFlow::Continue(()),
        })
    }

    /// The first of these pieces that is not on the chip; those before it are told.
    fn next_difference(
        &mut self,
        pieces: &[Piece<'_>],
        tick: &mut Tick<'_>,
    ) -> Result<Next, Error> {
        let mut at = 0;
        while let Some(piece) = pieces.get(at) {
            let Some(wanted) = piece.crc() else {
                // Nobody knows the CRC of a page that is known in part.
                let content = self.client.read_page(piece.page)?;
                if piece.found_in(&content) != piece.bytes {
                    return Ok(Next::At(at));
                }
                at += 1;
                if tick(piece.bytes.len() as u64).is_break() {
                    return Ok(Next::Stopped);
                }
                continue;
            };
            if !self.known.contains_key(&piece.page) {
                let (equal, flow) = self.count_equal(&pieces[at..], tick)?;
                at += equal;
                if flow.is_break() {
                    return Ok(Next::Stopped);
                }
                if equal > 0 {
                    continue;
                }
                // It may have been the line: only what was told twice is believed.
                let again = self.client.read_crc(piece.page)?;
                self.known.insert(piece.page, again);
            }
            if self.known.get(&piece.page) != Some(&wanted) {
                return Ok(Next::At(at));
            }
            at += 1;
            if tick(PAGE_BYTES as u64).is_break() {
                return Ok(Next::Stopped);
            }
        }
        Ok(Next::Nothing)
    }

    /// How many whole pages from the first on are as they should be, of those whose CRC is not known
    /// yet; and whether `tick` said to stop.
    fn count_equal(
        &mut self,
        pieces: &[Piece<'_>],
        tick: &mut Tick<'_>,
    ) -> Result<(usize, ControlFlow<()>), Error> {
        let known = &mut self.known;
        let unknown = pieces
            .iter()
            .take_while(|piece| !known.contains_key(&piece.page))
            .map_while(|piece| Some((piece.page, piece.crc()?)));
        let (pages, crcs): (Vec<u16>, Vec<u32>) = unknown.unzip();
        let mut equal = 0;
        let mut flow = ControlFlow::Continue(());
        let _ = self.client.read_crcs(&pages, &mut |index, crc| {
            if crc != crcs[index] {
                return ControlFlow::Break(());
            }
            known.insert(pages[index], crc);
            equal += 1;
            flow = tick(PAGE_BYTES as u64);
            flow
        })?;
        Ok((equal, flow))
    }
}

/// Where the next difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    At(usize),
    Stopped,
}
