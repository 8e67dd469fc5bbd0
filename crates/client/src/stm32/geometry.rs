//! From a part and its real size to what the planner wants to know.

use std::ops::Range;
use std::time::Duration;

use flashwire_plan::{Costs, EraseKind, Geometry, Program, Rewrite, Run};
use flashwire_protocol::stm32::{BLOCK_BYTES, Command, WRITE_ALIGN_BYTES};

use super::{Bootloader, Family, Identity, Pipeline, Quirk};

/// Where the flash of a part that nobody knows is taken to end: everything between 0x0800_0000 and
/// here is flash or nothing on every STM32 (reference manuals, "Memory map").
const UNKNOWN_FLASH_BYTES: u64 = 0x0100_0000;

/// The least time to wait for an erase of everything: the longest of any part of 1 MiB is 32 s.
const MASS_ERASE_LEAST: Duration = Duration::from_secs(60);

/// How long an erase command should take at the most as far as it is up to us: progress and
/// cancelling stay lively.
const LIVELY: Duration = Duration::from_secs(1);

/// How much longer than the datasheet's figure at most an erase is waited for.
const PATIENCE: u32 = 4;

const MIB: u64 = 1 << 20;

/// The pages or sectors that a loader's erase command counts.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    runs: Vec<Run>,
    family: Family,
}

impl Pages {
    pub(super) fn of(identity: &Identity) -> Self {
        let family = identity.part.family;
        let mut start = u64::from(identity.part.flash_start);
        let layout = identity.part.layout.as_ref();
        let runs = layout
            .zip(identity.flash_bytes())
            .map_or(Vec::new(), |(layout, bytes)| layout.runs(bytes));
        let runs = runs.into_iter().map(|(unit_bytes, count)| {
            let run = Run {
                start,
                unit_bytes,
                count,
                time: family.erase_time(unit_bytes).0,
            };
            start = run.range().end;
            run
        });
        Self {
            runs: runs.collect(),
            family,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(super) fn count(&self) -> u16 {
        let count: u64 = self.runs.iter().map(|run| run.count).sum();
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    /// The number of the page that begins at `address`.
    pub(super) fn number(&self, address: u32) -> Option<u64> {
        let address = u64::from(address);
        let mut before = 0;
        for run in &self.runs {
            if run.range().contains(&address) {
                return Some(before + (address - run.start) / run.unit_bytes);
            }
            before += run.count;
        }
        None
    }

    /// The addresses of a page.
    pub(super) fn range(&self, page: u16) -> Option<Range<u64>> {
        let mut left = u64::from(page);
        for run in &self.runs {
            if left < run.count {
                let start = run.start + left * run.unit_bytes;
                return Some(start..start + run.unit_bytes);
            }
            left -= run.count;
        }
        None
    }

    /// Size of a page in bytes.
    fn unit_bytes(&self, page: u16) -> u64 {
        self.range(page).map_or(0, |range| range.end - range.start)
    }

    /// Size of pages together, in bytes.
    pub(super) fn bytes(&self, pages: &[u16]) -> usize {
        pages
            .iter()
            .map(|&page| self.unit_bytes(page) as usize)
            .sum()
    }

    /// Cuts a list into one list a command: no longer than the loader takes and than it takes about
    /// [`LIVELY`] to erase.
    pub(super) fn batches(&self, pages: &[u16], loader: &Bootloader) -> Vec<Vec<u16>> {
        let mut batches: Vec<Vec<u16>> = Vec::new();
        let mut time = Duration::ZERO;
        for &page in pages {
            time += self.family.erase_time(self.unit_bytes(page)).0;
            match batches.last_mut() {
                Some(batch) if batch.len() < loader.erase_list_pages() && time <= LIVELY => {
                    batch.push(page);
                }
                _ => {
                    batches.push(vec![page]);
                    time = self.family.erase_time(self.unit_bytes(page)).0;
                }
            }
        }
        batches
    }

    /// How long to wait for an erase of these pages.
    pub(super) fn erase_most(&self, pages: &[u16]) -> Duration {
        let most = |&page: &u16| self.family.erase_time(self.unit_bytes(page)).1;
        pages.iter().map(most).sum::<Duration>() * PATIENCE
    }
}

/// The flash of a chip.
pub(super) fn of(identity: &Identity, loader: &Bootloader, pages: &Pages) -> Geometry {
    let part = &identity.part;
    let start = u64::from(part.flash_start);
    let bytes = identity.flash_bytes().unwrap_or(UNKNOWN_FLASH_BYTES);
    let range = start..start + bytes;
    Geometry {
        erase_kinds: erase_kinds(identity, pages, &range),
        range,
        holes: Vec::new(),
        erased: part.erased,
        program: Program {
            unit_bytes: u64::from(part.program_unit).max(WRITE_ALIGN_BYTES as u64),
            block_bytes: block_bytes(part.program_unit, loader),
            rewrite: part.family.rewrite(),
        },
        costs: costs(identity, loader),
    }
}

/// What one Write Memory moves. Where not even one program unit fits into a frame it is taken to be
/// that unit: [`Target::can_write`](super::Target::can_write) tells.
fn block_bytes(program_unit: u32, loader: &Bootloader) -> u64 {
    let unit = (program_unit as usize).max(WRITE_ALIGN_BYTES);
    loader.options().frame.write_bytes(unit).max(unit) as u64
}

fn erase_kinds(identity: &Identity, pages: &Pages, range: &Range<u64>) -> Vec<EraseKind> {
    let part = &identity.part;
    let mut kinds = Vec::new();
    if !pages.is_empty() {
        kinds.push(EraseKind {
            name: unit_name(part.family).to_owned(),
            runs: pages.runs.clone(),
            whole: false,
        });
    }
    if !part.has(Quirk::NoMassErase) && !part.has(Quirk::SharedFlash) {
        let most = scaled(
            part.family.timing().mass_most_per_mib,
            range.end - range.start,
        );
        kinds.push(EraseKind {
            name: "chip".to_owned(),
            runs: vec![Run {
                start: range.start,
                unit_bytes: range.end - range.start,
                count: 1,
                time: (most / 2).max(part.family.erase_time(1).0),
            }],
            whole: true,
        });
    }
    kinds
}

/// What the reference manuals of a family call its erase unit.
fn unit_name(family: Family) -> &'static str {
    match family {
        Family::F2 | Family::F4 | Family::F7 | Family::H5 | Family::H7 | Family::H7RS => "sector",
        _ => "page",
    }
}

/// How long to wait for an erase of everything.
pub(super) fn mass_erase_most(identity: &Identity) -> Duration {
    let bytes = identity.flash_bytes().unwrap_or(4 * MIB);
    let most = scaled(identity.part.family.timing().mass_most_per_mib, bytes);
    (most * 2).max(MASS_ERASE_LEAST)
}

fn scaled(per_mib: Duration, bytes: u64) -> Duration {
    per_mib.mul_f64(bytes as f64 / MIB as f64)
}

/// What moving one block costs, with what is known of line, loader and flash so far.
pub(super) fn costs(identity: &Identity, loader: &Bootloader) -> Costs {
    /// Bytes beside the data of a block, both ways: opcode 2, address 5, count 2, ACKs 3.
    const BESIDE: usize = 12;
    /// Bytes of Get Checksum, both ways: four words, opcode, ACKs and result.
    const CHECKSUM: usize = 32;
    let wire = |bytes| loader.settings().wire_time(bytes);
    let round_trip = loader.round_trip().unwrap_or_default();
    let (write_waits, read_waits) = match loader.options().pipeline {
        Pipeline::Off => (3, 3),
        Pipeline::Address => (2, 1),
        Pipeline::Full => (1, 1),
    };
    let read_block = wire(BESIDE + BLOCK_BYTES) + round_trip * read_waits;
    let blocks = identity.flash_bytes().unwrap_or(MIB) / BLOCK_BYTES as u64;
    let compare_block = if identity.commands.contains(Command::GetChecksum) {
        (wire(CHECKSUM) + round_trip * 4) / u32::try_from(blocks.clamp(1, 256)).unwrap_or(1)
    } else {
        read_block
    };
    Costs {
        program_block: wire(BESIDE + BLOCK_BYTES)
            + round_trip * write_waits
            + identity.part.family.timing().block,
        read_block,
        compare_block,
    }
}

/// What of `data` has yet to be programmed where `found` stands, in whole program units and runs of
/// them; the offset of the first byte that cannot be programmed as the error.
pub(super) fn to_program(
    geometry: &Geometry,
    found: &[u8],
    data: &[u8],
) -> Result<Vec<Range<usize>>, usize> {
    let unit = geometry.program.unit_bytes as usize;
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (n, (old, new)) in found.chunks(unit).zip(data.chunks(unit)).enumerate() {
        let start = n * unit;
        if old == new {
            continue;
        }
        let blank = old.iter().all(|&byte| byte == geometry.erased);
        let possible = blank
            || match geometry.program.rewrite {
                Rewrite::Once => false,
                Rewrite::OnlyToZero => new.iter().all(|&byte| byte == 0),
                Rewrite::ClearBits => old.iter().zip(new).all(|(old, new)| old & new == *new),
                Rewrite::Freely => true,
            };
        if !possible {
            let differs = old.iter().zip(new).position(|(old, new)| old != new);
            return Err(start + differs.unwrap_or(0));
        }
        match runs.last_mut() {
            Some(run) if run.end == start => run.end += new.len(),
            _ => runs.push(start..start + new.len()),
        }
    }
    Ok(runs)
}
