//! The flash behind a loader, as the planner and the executor want it.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::ops::{ControlFlow, Range};
use std::time::Duration;

use flashwire_plan::{EraseUnit, Failure, FlashDevice, Geometry, Mismatch, Tick};
use flashwire_protocol::stm32::{
    BLOCK_BYTES, CHECKSUM_ALIGN_BYTES, Command, FlashCrc, SpecialErase,
};

use super::geometry::{self, Pages};
use super::{Bootloader, Error, Identity, Parts, Phase, Quirk};

/// An identified STM32: its flash as a [`FlashDevice`], and the conversation with its loader for
/// everything else.
pub struct Target {
    loader: Bootloader,
    identity: Identity,
    geometry: Geometry,
    pages: Pages,
    /// Whether pipelining and checksum have been tried out.
    ready: bool,
    /// Blocks that [`FlashDevice::matches`] has read, until the flash is changed: a range that
    /// differs is asked for again in halves.
    seen: BTreeMap<u32, Vec<u8>>,
}

/// Most bytes that one checksum is asked for: progress and cancelling stay lively.
const CHECKSUM_CHUNK: usize = 64 * 1024;

/// Fewest bytes for which a checksum is asked for instead of reading them.
const CHECKSUM_LEAST: usize = 512;

impl Target {
    /// The flash that `identity` tells of, behind `loader`, which is at its command prompt.
    pub fn new(loader: Bootloader, identity: Identity) -> Self {
        let pages = Pages::of(&identity);
        let geometry = geometry::of(&identity, &loader, &pages);
        Self {
            loader,
            identity,
            geometry,
            pages,
            ready: false,
            seen: BTreeMap::new(),
        }
    }

    /// What is known of the chip.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The conversation, for everything that is not reading, erasing and writing flash. After a
    /// command that resets the chip comes [`Bootloader::synchronise`] before anything here.
    pub fn loader_mut(&mut self) -> &mut Bootloader {
        &mut self.loader
    }

    /// Finds out anew what the chip is: after a reset that changed its protection, more of it may be
    /// known than before, or less. The loader has been greeted again.
    ///
    /// # Errors
    /// As [`Bootloader::identify`].
    pub fn identify_again(&mut self, parts: &Parts) -> Result<(), Error> {
        self.identity = self.loader.identify(parts)?;
        self.pages = Pages::of(&self.identity);
        self.geometry = geometry::of(&self.identity, &self.loader, &self.pages);
        self.ready = false;
        self.seen.clear();
        Ok(())
    }

    /// Longest time that removing the read protection takes, which erases the flash.
    pub fn wipe_most(&self) -> Duration {
        geometry::mass_erase_most(&self.identity)
    }

    /// Reads memory of any kind that the loader lets one read: RAM, option bytes, system memory.
    ///
    /// # Errors
    /// [`Failure::Stopped`] if `tick` said so, else what the loader or the link did:
    /// [`Error::Nack`] at the address where the loader does not want to read there.
    pub fn read_memory(
        &mut self,
        address: u32,
        out: &mut [u8],
        tick: &mut Tick<'_>,
    ) -> Result<(), Failure> {
        self.make_ready().map_err(failure)?;
        self.read_blocks(address, out, tick)
    }

    /// Writes memory that needs no erase: RAM, or flash that is erased; a multiple of four bytes.
    /// Flash written so is not verified.
    ///
    /// # Errors
    /// As [`read_memory`](Self::read_memory); [`Error::BlockSize`].
    pub fn write_memory(
        &mut self,
        address: u32,
        data: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<(), Failure> {
        self.make_ready().map_err(failure)?;
        self.seen.clear();
        let most = self.geometry.program.block_bytes as usize;
        for block in block_ranges(address, data.len(), most) {
            let at = address + block.start as u32;
            let piece = &data[block.clone()];
            // Saying it again after a failure does no harm: RAM and erased flash take the same twice.
            let written = self.loader.persist(|l| l.write_memory(at, piece));
            written
                .map_err(|error| self.explained(error))
                .map_err(failure)?;
            proceed(tick, block.len())?;
        }
        Ok(())
    }

    /// The CRC of a range as [`FlashCrc`] computes it, and whether the loader computed it; where it
    /// cannot, the range is read. What is left of the last word is filled up with the erased value.
    ///
    /// # Errors
    /// As [`read_memory`](Self::read_memory).
    pub fn crc(&mut self, range: Range<u32>, tick: &mut Tick<'_>) -> Result<(u32, bool), Failure> {
        self.make_ready().map_err(failure)?;
        let aligned = (range.start | range.end).is_multiple_of(CHECKSUM_ALIGN_BYTES);
        if aligned && self.loader.has_checksum() {
            match self.loader.persist(|l| l.checksum(range.clone())) {
                Ok(crc) => {
                    proceed(tick, range.len())?;
                    return Ok((crc, true));
                }
                // Some loaders compute over flash only: what they refuse can still be read.
                Err(error) if error.may_pass() => {}
                Err(error) => return Err(failure(error)),
            }
        }
        let mut content = vec![0; range.len()];
        self.read_blocks(range.start, &mut content, tick)?;
        let mut crc = FlashCrc::default();
        crc.update_bytes(&content, self.geometry.erased);
        Ok((crc.value(), false))
    }

    /// Whether whole program units fit into the adapter's frames: otherwise nothing can be written.
    pub fn can_write(&self) -> bool {
        let unit = self.geometry.program.unit_bytes as usize;
        self.loader.options().frame.write_bytes(unit) > 0
    }

    /// Gives the conversation back.
    pub fn into_loader(self) -> Bootloader {
        self.loader
    }

    /// Tries out pipelining and checksum, once.
    fn make_ready(&mut self) -> Result<(), Error> {
        if self.ready {
            return Ok(());
        }
        if self.identity.read_protected {
            return Err(Error::ReadProtected {
                command: Command::ReadMemory,
            });
        }
        self.loader.prove_pipeline(&self.identity.part)?;
        if self.identity.commands.contains(Command::GetChecksum) {
            let start = self.identity.part.flash_start;
            let mut block = [0; BLOCK_BYTES];
            if self.loader.persist(|l| l.readable(start, &mut block))? {
                self.loader.prove_checksum(start, &block)?;
            }
        }
        self.ready = true;
        self.geometry.costs = geometry::costs(&self.identity, &self.loader);
        Ok(())
    }

    /// Reads blocks until all are there. A block counts only once the next exchange began cleanly:
    /// a byte that was doubled on the wire shows as one too many after the block, and a lost one as
    /// one too few.
    fn read_blocks(
        &mut self,
        address: u32,
        out: &mut [u8],
        tick: &mut Tick<'_>,
    ) -> Result<(), Failure> {
        let most = self.loader.options().frame.read_bytes();
        let blocks: Vec<Range<usize>> = block_ranges(address, out.len(), most).collect();
        let mut furthest = 0;
        let mut stalled = 0;
        let mut at = 0;
        while at < blocks.len() {
            let block = blocks[at].clone();
            let last = at + 1 == blocks.len();
            let read = self
                .read_block(address + block.start as u32, &mut out[block.clone()])
                .and_then(|()| {
                    if last {
                        self.loader.expect_silence()
                    } else {
                        Ok(())
                    }
                });
            match read {
                Ok(()) => at += 1,
                Err(error) if error.may_pass() && stalled < self.loader.options().retries => {
                    stalled += 1;
                    at = at.saturating_sub(1);
                }
                Err(error) => return Err(failure(error)),
            }
            if at > furthest {
                furthest = at;
                stalled = 0;
                proceed(tick, block.len())?;
            }
        }
        Ok(())
    }

    /// Reads one block. A refused opcode is looked into: it may be read protection.
    fn read_block(&mut self, address: u32, out: &mut [u8]) -> Result<(), Error> {
        match self.loader.read_pieces(address, out) {
            Err(Error::Nack { step }) if step.phase == Phase::Opcode => {
                if self.loader.readable(address, out)? {
                    Ok(())
                } else {
                    Err(Error::Nack { step })
                }
            }
            read => read,
        }
    }

    /// Writes one block, and sees to it that a write that failed leaves either what was to be
    /// written or an error.
    fn write_block(&mut self, address: u32, data: &[u8]) -> Result<(), Error> {
        let mut failed = match self.loader.write_memory(address, data) {
            Err(error) if error.may_pass() => error,
            Ok(()) => {
                self.loader.data_acknowledged(self.range());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if self.identity.part.has(Quirk::NoReadWhileWriting) {
            return Err(Error::Undecided {
                address,
                source: Box::new(failed),
            });
        }
        for _ in 0..self.loader.options().retries {
            let missing = self.missing(address, data)?;
            let written = missing.into_iter().try_for_each(|piece| {
                let at = address + piece.start as u32;
                self.loader.write_memory(at, &data[piece])
            });
            match written {
                Ok(()) => return Ok(()),
                Err(error) if error.may_pass() => failed = error,
                Err(error) => return Err(error),
            }
        }
        Err(self.explained(failed))
    }

    /// What of a block is not programmed yet, in whole program units.
    fn missing(&mut self, address: u32, data: &[u8]) -> Result<Vec<Range<usize>>, Error> {
        let mut found = vec![0; data.len()];
        let mut read = self.read_block(address, &mut found);
        for _ in 0..self.loader.options().retries {
            match read {
                Err(error) if error.may_pass() => read = self.read_block(address, &mut found),
                done => {
                    read = done;
                    break;
                }
            }
        }
        read?;
        geometry::to_program(&self.geometry, &found, data).map_err(|at| Error::Damaged {
            address: address + at as u32,
            expected: data[at],
            found: found[at],
        })
    }

    /// A refusal that outlasted all retries, looked into: a loader that still identifies itself but
    /// takes no command is one of a read-protected chip.
    fn explained(&mut self, error: Error) -> Error {
        match error {
            Error::Nack { step } if step.phase == Phase::Opcode => {
                match self.loader.get_version() {
                    Ok(_) => Error::ReadProtected {
                        command: step.command,
                    },
                    Err(_) => error,
                }
            }
            error => error,
        }
    }

    fn erase_everything(&mut self) -> Result<(), Error> {
        let most = geometry::mass_erase_most(&self.identity);
        let erased = self.erase_until_blank(&[self.range()], &mut |loader| {
            loader.special_erase(SpecialErase::Mass, most)
        });
        match erased {
            // Refused although its opcode was not: this loader erases by pages only.
            Err(Error::Nack { step }) if step.phase == Phase::Pages && !self.pages.is_empty() => {
                let all: Vec<u16> = (0..self.pages.count()).collect();
                let batches = self.pages.batches(&all, &self.loader);
                for batch in batches {
                    self.erase_pages(&batch)?;
                }
                Ok(())
            }
            Err(error) => Err(self.explained(error)),
            Ok(()) => Ok(()),
        }
    }

    /// Erases pages that go into one command. Saying it again after a failure does no harm.
    fn erase_pages(&mut self, pages: &[u16]) -> Result<(), Error> {
        let most = self.pages.erase_most(pages);
        let ranges: Vec<Range<u32>> = pages
            .iter()
            .filter_map(|&page| self.pages.range(page))
            .map(|range| range.start as u32..range.end as u32)
            .collect();
        let erased = self.erase_until_blank(&ranges, &mut |loader| loader.erase(pages, most));
        erased.map_err(|error| self.explained(error))
    }

    /// Erases, up to the number of retries. Controllers give up waiting for a clock that a loader
    /// holds while it erases; it erases all the same, so that a look tells what came of it.
    fn erase_until_blank(
        &mut self,
        ranges: &[Range<u32>],
        erase: &mut dyn FnMut(&mut Bootloader) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let error = match erase(&mut self.loader) {
                Err(error) if error.may_pass() => error,
                done => return done,
            };
            let begun = matches!(error, Error::Bus { step, .. } if step.phase == Phase::Pages);
            match begun.then(|| self.are_blank(ranges)).transpose() {
                Ok(Some(true)) => return Ok(()),
                Err(error) if !error.may_pass() => return Err(error),
                _ if tries == self.loader.options().retries => return Err(error),
                _ => tries += 1,
            }
        }
    }

    /// Whether ranges of the flash are erased; up to the first byte that is not.
    fn are_blank(&mut self, ranges: &[Range<u32>]) -> Result<bool, Error> {
        let most = self.loader.options().frame.read_bytes();
        for range in ranges {
            for block in block_ranges(range.start, range.len(), most) {
                let mut found = vec![0; block.len()];
                self.read_block(range.start + block.start as u32, &mut found)?;
                if found.iter().any(|&byte| byte != self.geometry.erased) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The number by which the loader knows an erase unit.
    fn page_number(&self, unit: &EraseUnit) -> Result<u16, Error> {
        let number = self.pages.number(unit.start as u32).unwrap_or(u64::MAX);
        u16::try_from(number).map_err(|_| Error::BadPage {
            command: self.loader.erase_command(),
            page: u32::try_from(number).unwrap_or(u32::MAX),
        })
    }

    /// The flash's addresses. They fit: the tables hold nothing beyond 32 bits.
    fn range(&self) -> Range<u32> {
        self.geometry.range.start as u32..self.geometry.range.end as u32
    }

    /// Whether the loader's own checksum of a range is that of `expected`; `None` if it cannot say.
    fn same_by_checksum(&mut self, address: u32, expected: &[u8]) -> Result<Option<bool>, Error> {
        let aligned = address.is_multiple_of(CHECKSUM_ALIGN_BYTES)
            && expected.len().is_multiple_of(CHECKSUM_ALIGN_BYTES as usize);
        if !aligned || expected.len() < CHECKSUM_LEAST || !self.loader.has_checksum() {
            return Ok(None);
        }
        let range = address..address + expected.len() as u32;
        let crc = match self.loader.persist(|l| l.checksum(range.clone())) {
            Ok(crc) => crc,
            Err(error) if error.may_pass() => {
                self.loader.distrust_checksum();
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut wanted = FlashCrc::default();
        wanted.update_bytes(expected, self.geometry.erased);
        Ok(Some(crc == wanted.value()))
    }

    /// Whether the flash holds `expected`, by reading up to the first block that differs.
    fn same_by_reading(
        &mut self,
        address: u32,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<bool, Failure> {
        let most = self.loader.options().frame.read_bytes();
        for block in block_ranges(address, expected.len(), most) {
            let at = address + block.start as u32;
            let wanted = &expected[block];
            let seen = self.seen.get(&at).filter(|seen| seen.len() == wanted.len());
            let same = match seen {
                Some(seen) => seen == wanted,
                None => {
                    let mut found = vec![0; wanted.len()];
                    self.read_blocks(at, &mut found, tick)?;
                    let same = found == wanted;
                    self.seen.insert(at, found);
                    same
                }
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Compares by reading. A block that differs is read again: a disturbed line must not pass for
    /// wrong content.
    fn compare_by_reading(
        &mut self,
        address: u32,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<Option<Mismatch>, Failure> {
        let mut found = vec![0; expected.len()];
        self.read_blocks(address, &mut found, tick)?;
        let most = self.loader.options().frame.read_bytes();
        for block in block_ranges(address, expected.len(), most) {
            let wanted = &expected[block.clone()];
            let found = &mut found[block.clone()];
            for _ in 0..self.loader.options().retries {
                if found == wanted {
                    break;
                }
                let at = address + block.start as u32;
                self.read_blocks(at, found, &mut |_| ControlFlow::Continue(()))?;
            }
        }
        Ok(Mismatch::between(u64::from(address), expected, &found))
    }
}

impl FlashDevice for Target {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn read(&mut self, address: u64, out: &mut [u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.make_ready().map_err(failure)?;
        let address = address as u32;
        self.read_blocks(address, out, tick)?;
        for _ in 0..self.loader.options().retries {
            // What was read has no checksum; where the loader can compute one, it is asked.
            let same = self.same_by_checksum(address, out).map_err(failure)?;
            if same != Some(false) {
                break;
            }
            self.read_blocks(address, out, &mut |_| ControlFlow::Continue(()))?;
        }
        Ok(())
    }

    fn erase(&mut self, units: &[EraseUnit], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.make_ready().map_err(failure)?;
        self.seen.clear();
        for same_kind in units.chunk_by(|one, next| one.kind == next.kind) {
            if self.geometry.erase_kinds[same_kind[0].kind].whole {
                self.erase_everything().map_err(failure)?;
                proceed(tick, same_kind[0].bytes() as usize)?;
                continue;
            }
            let number = |unit: &EraseUnit| self.page_number(unit).map_err(failure);
            let pages: Vec<u16> = same_kind.iter().map(number).collect::<Result<_, _>>()?;
            for batch in self.pages.batches(&pages, &self.loader) {
                self.erase_pages(&batch).map_err(failure)?;
                proceed(tick, self.pages.bytes(&batch))?;
            }
        }
        Ok(())
    }

    fn program(&mut self, address: u64, data: &[u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.make_ready().map_err(failure)?;
        self.seen.clear();
        let address = address as u32;
        let most = self.geometry.program.block_bytes as usize;
        for block in block_ranges(address, data.len(), most) {
            let at = address + block.start as u32;
            self.write_block(at, &data[block.clone()])
                .map_err(failure)?;
            proceed(tick, block.len())?;
        }
        Ok(())
    }

    fn compare(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<Option<Mismatch>, Failure> {
        self.make_ready().map_err(failure)?;
        let mut first: Option<Mismatch> = None;
        let mut count = 0;
        for (n, chunk) in expected.chunks(CHECKSUM_CHUNK).enumerate() {
            let at = address as u32 + (n * CHECKSUM_CHUNK) as u32;
            let same = self.same_by_checksum(at, chunk).map_err(failure)?;
            if same == Some(true) {
                proceed(tick, chunk.len())?;
                continue;
            }
            let mismatch = self.compare_by_reading(at, chunk, tick)?;
            if same == Some(false) && mismatch.is_none() {
                self.loader.distrust_checksum();
            }
            count += mismatch.map_or(0, |mismatch| mismatch.count);
            first = first.or(mismatch);
        }
        Ok(first.map(|first| Mismatch { count, ..first }))
    }

    fn matches(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<bool, Failure> {
        self.make_ready().map_err(failure)?;
        let address = address as u32;
        match self.same_by_checksum(address, expected).map_err(failure)? {
            Some(same) => Ok(same),
            None => self.same_by_reading(address, expected, tick),
        }
    }
}

/// The blocks that Read Memory and Write Memory move: cut at multiples of `most`.
fn block_ranges(address: u32, len: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let lead = address as usize % most;
    let mut start = 0;
    std::iter::from_fn(move || {
        let from = start;
        start = (((from + lead) / most + 1) * most - lead).min(len);
        (from < len).then_some(from..start)
    })
}

fn proceed(tick: &mut Tick<'_>, bytes: usize) -> Result<(), Failure> {
    match tick(bytes as u64) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Failure::Stopped),
    }
}

fn failure(error: Error) -> Failure {
    let error: Box<dyn StdError + Send + Sync> = Box::new(error);
    Failure::Device(error)
}
