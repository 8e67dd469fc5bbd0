//! What a flash memory can do, as data.

use std::ops::Range;
use std::time::Duration;

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
    /// Most that one program command takes, in bytes; it must not cross a multiple of this.
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
