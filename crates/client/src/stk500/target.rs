//! The flash of a board as the executor sees it.

use std::error::Error as StdError;
use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_link::Settings;
use flashwire_plan::{
    Costs, EraseKind, EraseUnit, Failure, FlashDevice, Geometry, Mismatch, Program, Rewrite, Run,
    Tick,
};

use super::{Bootloader, Error, PAGE_BYTES};

/// What an erased byte reads.
const ERASED: u8 = 0xFF;

/// Time to erase or to program a page, each: the longest of 3.7 to 4.5 ms. ATmega328P data sheet
/// DS40002061B, "Boot Loader Support", "SPM Programming Time".
const SPM_TIME: Duration = Duration::from_micros(4500);

/// What one exchange costs beside its bytes: a USB adapter's frame.
const EXCHANGE_TIME: Duration = Duration::from_millis(1);

/// Bytes of an exchange about a page that are not its data: Load Address, the command, two answers.
const OVERHEAD_BYTES: usize = 13;

/// The flash of a board below its bootloader.
pub struct Target {
    loader: Bootloader,
    geometry: Geometry,
}

impl Target {
    /// The flash behind a loader.
    pub fn new(loader: Bootloader) -> Self {
        let identity = loader.identity();
        let pages = identity.part.application.clone();
        let page_bytes = PAGE_BYTES as u64;
        let move_page =
            Settings::plain(identity.baud).wire_time(PAGE_BYTES + OVERHEAD_BYTES) + EXCHANGE_TIME;
        let program_page = move_page + 2 * SPM_TIME;
        let range = u64::from(pages.start)..u64::from(pages.end);
        let geometry = Geometry {
            holes: Vec::new(),
            erased: ERASED,
            erase_kinds: vec![EraseKind {
                name: "page".to_owned(),
                runs: vec![Run {
                    start: range.start,
                    unit_bytes: page_bytes,
                    count: (range.end - range.start) / page_bytes,
                    time: program_page,
                }],
                whole: false,
            }],
            program: Program {
                unit_bytes: page_bytes,
                block_bytes: page_bytes,
                rewrite: Rewrite::Freely,
            },
            costs: Costs {
                program_block: program_page,
                read_block: move_page,
                compare_block: move_page,
            },
            range,
        };
        Self { loader, geometry }
    }

    /// The loader.
    pub fn loader(&self) -> &Bootloader {
        &self.loader
    }

    /// The loader, to talk to.
    pub fn loader_mut(&mut self) -> &mut Bootloader {
        &mut self.loader
    }
}

impl FlashDevice for Target {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn read(&mut self, address: u64, out: &mut [u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        let end = address + out.len() as u64;
        let mut page = [0; PAGE_BYTES];
        let mut at = address;
        while at < end {
            let start = at / PAGE_BYTES as u64 * PAGE_BYTES as u64;
            let next = (start + PAGE_BYTES as u64).min(end);
            // A loader reads whole words: the page's end, or one byte more than is wanted.
            let wanted = (next - start).next_multiple_of(2) as usize;
            let read = self.loader.read_page(start as u32, &mut page[..wanted]);
            read.map_err(failure)?;
            let (from, to) = ((at - start) as usize, (next - start) as usize);
            out[(at - address) as usize..(next - address) as usize]
                .copy_from_slice(&page[from..to]);
            proceed(tick, next - at)?;
            at = next;
        }
        Ok(())
    }

    /// Reads back. What differs is read once more: an answer has no check value, and a page that was
    /// garbled on its way here is not wrong there.
    fn compare(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<Option<Mismatch>, Failure> {
        let mut first: Option<Mismatch> = None;
        let mut found = [0; PAGE_BYTES];
        let mut at = address;
        for chunk in expected.chunks(PAGE_BYTES) {
            let found = &mut found[..chunk.len()];
            self.read(at, found, tick)?;
            if found != chunk {
                self.read(at, found, &mut |_| ControlFlow::Continue(()))?;
            }
            if let Some(more) = Mismatch::between(at, chunk, found) {
                let known = first.map_or(0, |first| first.count);
                let count = known + more.count;
                first = Some(Mismatch {
                    count,
                    ..first.unwrap_or(more)
                });
            }
            at += chunk.len() as u64;
        }
        Ok(first)
    }

    /// Programs pages with what erased ones hold: the loaders have no other way to erase.
    fn erase(&mut self, units: &[EraseUnit], tick: &mut Tick<'_>) -> Result<(), Failure> {
        for unit in units {
            let erased = self
                .loader
                .program_page(unit.start as u32, &[ERASED; PAGE_BYTES]);
            erased.map_err(failure)?;
            proceed(tick, unit.bytes())?;
        }
        Ok(())
    }

    fn program(&mut self, address: u64, data: &[u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        let (pages, rest) = data.as_chunks::<PAGE_BYTES>();
        debug_assert!(rest.is_empty(), "the executor programs whole pages");
        for (n, page) in pages.iter().enumerate() {
            let at = address as u32 + (n * PAGE_BYTES) as u32;
            self.loader.program_page(at, page).map_err(failure)?;
            proceed(tick, PAGE_BYTES as u64)?;
        }
        Ok(())
    }
}

fn proceed(tick: &mut Tick<'_>, bytes: u64) -> Result<(), Failure> {
    match tick(bytes) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Failure::Stopped),
    }
}

fn failure(error: Error) -> Failure {
    let error: Box<dyn StdError + Send + Sync> = Box::new(error);
    Failure::Device(error)
}
