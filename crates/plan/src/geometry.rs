//! What a flash memory can do, as data.

use std::ops::Range;
use std::time::Duration;

use crate::error::Span;
use crate::ranges;

/// The shape, rules and speed of a flash memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The whole address space of the memory.
    pub range: Range<u64>,
    /// Parts of [`range`](Self::range) that hold no memory, in order.
    pub holes: Vec<Range<u64>>,
    /// Value of an erased byte: 0xFF, or 0x00 on STM32L0 and L1.
    pub erased: u8,
    /// The ways to erase. They may overlap (4, 32, 64 KiB and the whole chip of a SPI NOR).
    pub erase_kinds: Vec<EraseKind>,
    /// How it is programmed.
    pub program: Program,
    /// What moving data costs, for estimates and for choosing between erase kinds.
    pub costs: Costs,
}

/// One way to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EraseKind {
    /// What a person calls it: `page`, `sector`, `64K block`, `chip`.
    pub name: String,
    /// Which units it has, in order of address, not overlapping.
    pub runs: Vec<Run>,
    /// Erases everything at once; has exactly one unit, [`Geometry::range`].
    pub whole: bool,
}

/// Neighbouring erase units of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Address of the first unit.
    pub start: u64,
    /// Size of each unit, in bytes.
    pub unit_bytes: u64,
    /// How many units.
    pub count: u64,
    /// Typical time to erase one unit.
    pub time: Duration,
}

/// One thing that an erase command erases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EraseUnit {
    /// Index into [`Geometry::erase_kinds`].
    pub kind: usize,
    /// What is erased.
    pub start: u64,
    /// End of what is erased, exclusive.
    pub end: u64,
}

/// How a memory is programmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Alignment and smallest size of what can be programmed, in bytes; a power of two.
    pub unit_bytes: u64,
    /// Most that one program command takes, in bytes; it must not cross a multiple of this. A
    /// multiple of [`unit_bytes`](Self::unit_bytes).
    pub block_bytes: u64,
    /// What may be programmed over what is not erased.
    pub rewrite: Rewrite,
}

/// What may be programmed over what is not erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// Nothing: one program operation per unit between erases.
    Once,
    /// Only all-zero units (STM32 F1: a half-word of zeros; G0, L4: a double word of zeros).
    OnlyToZero,
    /// Any bit may be cleared (SPI NOR, STM32 F2/F4).
    ClearBits,
    /// Anything: what programs a unit erases it first by itself (the bootloaders of Arduino boards).
    Freely,
}

/// What moving data costs on this target over this link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Time to send and program one block of [`Program::block_bytes`].
    pub program_block: Duration,
    /// Time to read back one block of [`Program::block_bytes`].
    pub read_block: Duration,
    /// Time to compare one block: less than reading where the target has a checksum.
    pub compare_block: Duration,
}

impl Geometry {
    /// The parts of [`range`](Self::range) that hold memory, in order.
    pub fn memory(&self) -> Vec<Range<u64>> {
        ranges::gaps(&self.holes, &self.range)
    }

    /// Whether everything in here makes sense together. [`plan`](crate::plan) asks this first, so
    /// that tables and chips that lie (a wrong SFDP, say) end in an error and nothing worse.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn check(&self) -> Result<(), GeometryError> {
        if self.range.start >= self.range.end {
            return Err(GeometryError::Empty);
        }
        let bytes = self.range.end - self.range.start;
        if bytes > MOST_MEMORY_BYTES {
            return Err(GeometryError::TooLarge { bytes });
        }
        let unit = self.program.unit_bytes;
        let block = self.program.block_bytes;
        if !unit.is_power_of_two()
            || block == 0
            || !block.is_multiple_of(unit)
            || block > MOST_BLOCK_BYTES
        {
            return Err(GeometryError::Program {
                unit_bytes: unit,
                block_bytes: block,
            });
        }
        let aligned =
            |range: &Range<u64>| range.start.is_multiple_of(unit) && range.end.is_multiple_of(unit);
        if !aligned(&self.range) {
            return Err(GeometryError::Unaligned {
                range: self.range.clone(),
            });
        }
        let mut end = self.range.start;
        for hole in &self.holes {
            if hole.start < end || hole.start >= hole.end || hole.end > self.range.end {
                return Err(GeometryError::Hole {
                    range: hole.clone(),
                });
            }
            if !aligned(hole) {
                return Err(GeometryError::Unaligned {
                    range: hole.clone(),
                });
            }
            end = hole.end;
        }
        self.erase_kinds
            .iter()
            .try_for_each(|kind| self.check_kind(kind))
    }

    fn check_kind(&self, kind: &EraseKind) -> Result<(), GeometryError> {
        let wrong = || GeometryError::EraseKind {
            name: kind.name.clone(),
        };
        let mut end = self.range.start;
        for run in &kind.runs {
            let bytes = run.unit_bytes.checked_mul(run.count).ok_or_else(wrong)?;
            let run_end = run.start.checked_add(bytes).ok_or_else(wrong)?;
            let unaligned = run.start % self.program.unit_bytes != 0
                || run.unit_bytes % self.program.unit_bytes != 0;
            if bytes == 0 || run.start < end || run_end > self.range.end || unaligned {
                return Err(wrong());
            }
            end = run_end;
        }
        let units: u64 = kind.runs.iter().map(|run| run.count).sum();
        let one_and_all = units == 1 && kind.runs[0].range() == self.range;
        if kind.whole && !one_and_all || units > MOST_UNITS {
            return Err(wrong());
        }
        Ok(())
    }

    /// Whether a plan for this memory is a plan for `other`: they may differ in times only, which a
    /// client learns as it goes.
    pub fn is_same_memory(&self, other: &Self) -> bool {
        let untimed = |kind: &EraseKind| {
            let runs = kind
                .runs
                .iter()
                .map(|run| (run.start, run.unit_bytes, run.count));
            (kind.whole, runs.collect::<Vec<_>>())
        };
        self.range == other.range
            && self.holes == other.holes
            && self.erased == other.erased
            && self.program == other.program
            && self
                .erase_kinds
                .iter()
                .map(untimed)
                .eq(other.erase_kinds.iter().map(untimed))
    }

    /// How long it takes to erase `unit`; zero for a unit that this memory does not have.
    pub fn erase_time(&self, unit: &EraseUnit) -> Duration {
        let runs = self
            .erase_kinds
            .get(unit.kind)
            .map_or(&[][..], |kind| &kind.runs);
        let run = runs.iter().find(|run| run.range().contains(&unit.start));
        run.map_or(Duration::ZERO, |run| run.time)
    }

    /// Time to program, read or compare `bytes`, where one block takes `block_time`.
    pub(crate) fn time_for(&self, bytes: u64, block_time: Duration) -> Duration {
        let nanos =
            block_time.as_nanos() * u128::from(bytes) / u128::from(self.program.block_bytes);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl EraseKind {
    /// All units of this kind in order of address, `kind` being its index in
    /// [`Geometry::erase_kinds`].
    pub fn units(&self, kind: usize) -> impl Iterator<Item = EraseUnit> {
        self.runs.iter().flat_map(move |run| run.units(kind))
    }
}

impl Run {
    /// Its units in order of address, `kind` being the index of their kind in
    /// [`Geometry::erase_kinds`].
    pub fn units(&self, kind: usize) -> impl Iterator<Item = EraseUnit> + use<> {
        let Self {
            start,
            unit_bytes,
            count,
            ..
        } = *self;
        (0..count)
            .map(move |n| start + n * unit_bytes)
            .map(move |start| EraseUnit {
                kind,
                start,
                end: start + unit_bytes,
            })
    }

    /// From the first unit to the end of the last.
    pub fn range(&self) -> Range<u64> {
        self.start..self.start + self.unit_bytes * self.count
    }
}

impl EraseUnit {
    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.end - self.start
    }

    /// What is erased, as a range.
    pub fn range(&self) -> Range<u64> {
        self.start..self.end
    }
}

impl Program {
    /// How finely blank ends of a block are cut off: an eighth of a block, where program units
    /// allow it. What is saved must be worth a run that ends, where a device's pipeline drains.
    pub(crate) fn step_bytes(&self) -> u64 {
        const STEPS: u64 = 8;
        if self.block_bytes.is_multiple_of(self.unit_bytes * STEPS) {
            self.block_bytes / STEPS
        } else {
            self.unit_bytes
        }
    }

    /// `range` cut at the multiples of [`block_bytes`](Self::block_bytes): one program command each.
    pub fn blocks(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
        let block_bytes = self.block_bytes;
        let mut start = range.start;
        std::iter::from_fn(move || {
            let from = start;
            let next = (from / block_bytes + 1) * block_bytes;
            start = next.min(range.end);
            (from < range.end).then_some(from..start)
        })
    }
}

/// Largest [`Program::block_bytes`] that is believed, in bytes: a block is built in memory. The
/// largest known is 512 (page of a 512 Mbit Spansion SPI NOR); the rest is room.
pub const MOST_BLOCK_BYTES: u64 = 64 * 1024;

/// Largest memory that is believed, in bytes: four times the largest serial NOR (2 Gbit). Its content
/// may have to be held in memory.
pub const MOST_MEMORY_BYTES: u64 = 1 << 30;

/// Most units of one erase kind that are believed: [`MOST_MEMORY_BYTES`] of 4 KiB. Planning takes
/// time and memory for each.
pub const MOST_UNITS: u64 = 1 << 18;

/// What makes no sense in a [`Geometry`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// There is no memory.
    #[error("the memory is empty")]
    Empty,
    /// More than [`MOST_MEMORY_BYTES`].
    #[error("no memory has {bytes} bytes")]
    TooLarge {
        /// Size of [`Geometry::range`].
        bytes: u64,
    },
    /// The program unit is no power of two, or the block no reasonable multiple of it.
    #[error("program units of {unit_bytes} in blocks of {block_bytes} bytes are not possible")]
    Program {
        /// [`Program::unit_bytes`].
        unit_bytes: u64,
        /// [`Program::block_bytes`].
        block_bytes: u64,
    },
    /// The memory or a hole cuts a program unit.
    #[error("{range} cuts a program unit", range = Span(range))]
    Unaligned {
        /// Which range.
        range: Range<u64>,
    },
    /// A hole is empty, out of order, or outside the memory.
    #[error("the hole {range} is empty, out of order or outside", range = Span(range))]
    Hole {
        /// Which hole.
        range: Range<u64>,
    },
    /// The units of a kind overlap, are out of order, outside, too many or cut a program unit; or
    /// `whole` does not cover everything.
    #[error("the erase kind {name:?} does not fit the memory")]
    EraseKind {
        /// [`EraseKind::name`].
        name: String,
    },
}
