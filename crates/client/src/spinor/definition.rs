//! What is known of a chip.

use std::time::Duration;

use flashwire_plan::{Costs, EraseKind, Geometry, Program, Rewrite, Run};
use flashwire_protocol::spinor::sfdp::{Bfpt, FourByteInstructions, Map, QuadEnable};
use flashwire_protocol::spinor::{PAGE_BYTES, instruction};

use super::addressing::{self, Addressing};
use super::parts::PowerUp;
use super::{Error, Part, Voltage};

/// Typical and longest time of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Typical.
    pub typical: Duration,
    /// At most.
    pub maximum: Duration,
}

impl Timing {
    const fn ms(typical: u64, maximum: u64) -> Self {
        Self {
            typical: Duration::from_millis(typical),
            maximum: Duration::from_millis(maximum),
        }
    }

    /// Page program of a chip that does not tell: between the W25Q family (0.7 ms) and the oldest
    /// parts (5 ms, AT25F: 20 ms at most).
    pub(crate) const PAGE: Self = Self::ms(1, 25);

    /// Byte program of a chip that does not tell: SST25VF parts take 7 to 20 us, M25P05 5 ms.
    const BYTE: Self = Self {
        typical: Duration::from_micros(14),
        maximum: Duration::from_millis(5),
    };

    /// An erase of a chip that does not tell: 60 ms for 4 KiB, 0.5 s for 64 KiB, as parts of the
    /// middle ages took; at most what the slowest took.
    pub(super) fn of_erase(unit_bytes: u64) -> Self {
        match unit_bytes {
            0..=8192 => Self::ms(60, 1000),
            8193..=32_768 => Self::ms(250, 3000),
            _ => {
                let blocks = unit_bytes.div_ceil(65_536);
                Self::ms(500 * blocks, 6000 * blocks)
            }
        }
    }

    fn of_chip(size_bytes: u64) -> Self {
        let blocks = size_bytes.div_ceil(65_536);
        Self::ms(400 * blocks, 5000 + 4000 * blocks)
    }
}

impl From<flashwire_protocol::spinor::sfdp::Timing> for Timing {
    fn from(timing: flashwire_protocol::spinor::sfdp::Timing) -> Self {
        Self {
            typical: timing.typical,
            maximum: timing.maximum,
        }
    }
}

/// How a chip is programmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programming {
    /// Up to a page at once.
    Pages {
        /// Length of a page, in bytes.
        bytes: usize,
    },
    /// A byte at a time.
    Bytes,
    /// A byte at a time, or two by auto address increment.
    Words,
}

impl Programming {
    /// What chips of both kinds can do.
    fn in_common_with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Pages { bytes }, Self::Pages { bytes: others }) => Some(Self::Pages {
                bytes: bytes.min(others),
            }),
            (Self::Words, Self::Words) => Some(Self::Words),
            (Self::Bytes | Self::Words, Self::Bytes | Self::Words) => Some(Self::Bytes),
            _ => None,
        }
    }
}

/// One way to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erase {
    /// The instruction.
    pub opcode: u8,
    /// It takes no address and erases everything.
    pub is_chip: bool,
    /// What it erases: runs of start, unit size and count.
    pub runs: Vec<(u64, u64, u64)>,
    /// How long a unit takes.
    pub time: Timing,
}

impl Erase {
    /// An erase of the whole chip.
    pub(super) fn chip(opcode: u8, size_bytes: u64) -> Self {
        Self {
            opcode,
            is_chip: true,
            runs: vec![(0, size_bytes, 1)],
            time: Timing::of_chip(size_bytes),
        }
    }

    /// Whether its address always has four bytes.
    pub fn is_four_byte(&self) -> bool {
        [instruction::SE_4B, instruction::BE32_4B, instruction::BE_4B].contains(&self.opcode)
    }

    /// What a person calls it.
    fn name(&self) -> String {
        let mut units: Vec<u64> = self.runs.iter().map(|(_, unit, _)| *unit).collect();
        units.dedup();
        match units[..] {
            _ if self.is_chip => "chip".to_owned(),
            [unit] if unit < 32 << 10 => format!("{}K sector", unit >> 10),
            [unit] => format!("{}K block", unit >> 10),
            _ => "sector".to_owned(),
        }
    }
}

/// How status registers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusWrite {
    /// One register, by WRSR.
    One,
    /// Two at once, by WRSR: alone the first one would clear the second.
    Two,
    /// Each by an instruction of its own.
    Each,
}

/// What is known of a chip: all that reading, erasing and programming needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The names of the parts that it can be; empty if no table knows it.
    pub names: Vec<String>,
    /// Its size, in bytes.
    pub size_bytes: u64,
    /// How it is programmed.
    pub programming: Programming,
    /// How long a page, or a byte, takes.
    pub program_time: Timing,
    /// The ways to erase it; each index is an erase kind of the geometry.
    pub erases: Vec<Erase>,
    /// How it is told addresses.
    pub addressing: Addressing,
    /// Supply voltage, if a table knows it.
    pub voltage: Option<Voltage>,
    /// Whether its figures are its own, by SFDP.
    pub has_sfdp: bool,
    /// Protection comes back with the power and is nobody's decision: it is lifted before the first
    /// change, and nobody has to ask for that.
    pub is_protected_by_birth: bool,
    pub(super) power_up: PowerUp,
    pub(super) status_write: StatusWrite,
    pub(super) ewsr: bool,
}

/// What a chip says of itself by SFDP.
#[derive(Clone, Debug, Default)]
pub(super) struct SelfDescription<'a> {
    pub(super) bfpt: Option<Bfpt>,
    pub(super) four_byte: Option<FourByteInstructions>,
    pub(super) map: Option<Map<'a>>,
}

impl Definition {
    /// A definition from SFDP and all rows of the table with the chip's id.
    ///
    /// # Errors
    /// [`Error::UnknownChip`] if there is neither; [`Error::Ambiguous`] if rows differ in what
    /// matters and the chip does not say.
    pub(super) fn of(id: &[u8], own: &SelfDescription<'_>, rows: &[&Part]) -> Result<Self, Error> {
        match &own.bfpt {
            Some(bfpt) => Ok(Self::from_sfdp(bfpt, own, rows)),
            None => Self::from_table(id, rows),
        }
    }

    fn from_sfdp(bfpt: &Bfpt, own: &SelfDescription<'_>, rows: &[&Part]) -> Self {
        let size_bytes = bfpt.size_bytes();
        // Twins of another size are other parts.
        let rows: Vec<&Part> = rows
            .iter()
            .copied()
            .filter(|part| part.size_bytes == size_bytes)
            .collect();
        let addressing = Addressing::choose(size_bytes, Some(bfpt), own.four_byte.as_ref(), &rows);
        let mut erases = Vec::new();
        for (number, erase) in (0..).zip(bfpt.erase_types()) {
            let Some(erase) = erase else { continue };
            let unit = u64::from(erase.size_bytes);
            let time = erase
                .timing
                .map_or_else(|| Timing::of_erase(unit), Timing::from);
            let opcode = match (addressing, &own.four_byte) {
                (Addressing::Dedicated, Some(table)) => match table.erase(number) {
                    Some(opcode) => opcode,
                    None => continue,
                },
                (Addressing::Dedicated, None) => addressing::dedicated(erase.opcode),
                _ => erase.opcode,
            };
            let runs = runs(own.map.as_ref(), number, unit, size_bytes);
            if !runs.is_empty() {
                erases.push(Erase {
                    opcode,
                    is_chip: false,
                    runs,
                    time,
                });
            }
        }
        let time = bfpt.chip_erase().map(Timing::from);
        erases.push(Erase {
            time: time.unwrap_or_else(|| Timing::of_chip(size_bytes)),
            ..Erase::chip(instruction::CE, size_bytes)
        });
        let page_bytes = bfpt.page_bytes().unwrap_or(PAGE_BYTES as u32) as usize;
        let programming = if bfpt.has_page_buffer() || bfpt.page_bytes().is_some() {
            Programming::Pages {
                bytes: page_bytes.clamp(1, PAGE_BYTES),
            }
        } else {
            rows.first()
                .map_or(Programming::Bytes, |part| part.programming)
        };
        let program_time = match programming {
            Programming::Pages { .. } => bfpt.page_program().map_or(Timing::PAGE, Timing::from),
            _ => Timing::BYTE,
        };
        let status_write = match bfpt.quad_enable() {
            Some(
                QuadEnable::Sr2Bit1ByLongWrite
                | QuadEnable::Sr2Bit1ShortWriteKeeps
                | QuadEnable::Sr2Bit1,
            ) => StatusWrite::Two,
            Some(QuadEnable::Sr2Bit1ByOwnWrite) => StatusWrite::Each,
            _ => status_write(&rows),
        };
        Self {
            names: rows.iter().map(|part| part.name()).collect(),
            size_bytes,
            programming,
            program_time,
            erases: sorted(erases),
            addressing,
            voltage: common(&rows, |part| part.voltage),
            has_sfdp: true,
            is_protected_by_birth: power_up(&rows) != PowerUp::AsLeft,
            power_up: power_up(&rows),
            status_write,
            ewsr: rows.iter().any(|part| part.ewsr),
        }
    }

    /// A definition from all rows of the table with the chip's id alone.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(crate) fn from_table(id: &[u8], rows: &[&Part]) -> Result<Self, Error> {
        let Some((first, others)) = rows.split_first() else {
            return Err(Error::UnknownChip { id: id.to_vec() });
        };
        let names: Vec<String> = rows.iter().map(|part| part.name()).collect();
        let size_bytes = first.size_bytes;
        // What all of them have in common is what any of them does.
        let common_erases: Vec<Erase> = first
            .erases
            .iter()
            .filter(|erase| others.iter().all(|part| part.erases.contains(erase)))
            .cloned()
            .collect();
        let programming = others
            .iter()
            .try_fold(first.programming, |common, part| {
                common.in_common_with(part.programming)
            })
            .filter(|_| others.iter().all(|part| part.size_bytes == size_bytes));
        let Some(programming) = programming.filter(|_| !common_erases.is_empty()) else {
            return Err(Error::Ambiguous { names });
        };
        let program_time = match programming {
            Programming::Pages { .. } => Timing::PAGE,
            _ => Timing::BYTE,
        };
        let addressing = Addressing::choose(size_bytes, None, None, rows);
        let dedicated = addressing == Addressing::Dedicated;
        let usable = |erase: &Erase| erase.is_chip || erase.is_four_byte() == dedicated;
        Ok(Self {
            names,
            size_bytes,
            programming,
            program_time,
            erases: sorted(common_erases.into_iter().filter(usable).collect()),
            addressing,
            voltage: common(rows, |part| part.voltage),
            has_sfdp: false,
            is_protected_by_birth: power_up(rows) != PowerUp::AsLeft,
            power_up: power_up(rows),
            status_write: status_write(rows),
            ewsr: rows.iter().any(|part| part.ewsr),
        })
    }

    /// Most bytes that one program instruction takes.
    pub fn page_bytes(&self) -> usize {
        match self.programming {
            Programming::Pages { bytes } => bytes,
            Programming::Bytes | Programming::Words => 1,
        }
    }

    /// The same as the planner wants it.
    pub(super) fn geometry(&self, costs: Costs) -> Geometry {
        let erase_kinds = self
            .erases
            .iter()
            .map(|erase| EraseKind {
                name: erase.name(),
                runs: erase
                    .runs
                    .iter()
                    .map(|&(start, unit_bytes, count)| Run {
                        start,
                        unit_bytes,
                        count,
                        time: erase.time.typical,
                    })
                    .collect(),
                whole: erase.is_chip,
            })
            .collect();
        Geometry {
            range: 0..self.size_bytes,
            holes: Vec::new(),
            erased: 0xFF,
            erase_kinds,
            program: Program {
                unit_bytes: 1,
                block_bytes: self.block_bytes() as u64,
                rewrite: Rewrite::ClearBits,
            },
            costs,
        }
    }

    /// What the planner takes for a block: a page, or as much where there are no pages.
    pub(super) fn block_bytes(&self) -> usize {
        match self.programming {
            Programming::Pages { bytes } => bytes,
            Programming::Bytes | Programming::Words => PAGE_BYTES,
        }
    }
}

/// The runs of an erase type: where a sector map allows it, or everywhere.
fn runs(map: Option<&Map<'_>>, number: u8, unit: u64, size_bytes: u64) -> Vec<(u64, u64, u64)> {
    let Some(map) = map else {
        return vec![(0, unit, size_bytes / unit)];
    };
    let mut runs = Vec::new();
    let mut start = 0;
    for region in map.regions() {
        let end = (start + region.size_bytes).min(size_bytes);
        let allowed = region.erase_types & (1 << number) != 0;
        // A unit that does not lie in the region as a whole cannot be erased there.
        if allowed && start.is_multiple_of(unit) && end - start >= unit {
            runs.push((start, unit, (end - start) / unit));
        }
        start = end;
    }
    runs
}

/// One erase for each layout, the smallest units first; of two for the whole chip the first.
fn sorted(erases: Vec<Erase>) -> Vec<Erase> {
    let mut sorted: Vec<Erase> = Vec::new();
    for erase in erases {
        if !sorted
            .iter()
            .any(|other| other.runs == erase.runs && other.is_chip == erase.is_chip)
        {
            sorted.push(erase);
        }
    }
    sorted.sort_by_key(|erase| {
        let largest = erase.runs.iter().map(|(_, unit, _)| *unit).max();
        (erase.is_chip, largest)
    });
    // A block as large as the chip is a chip erase with an address: one of them is enough.
    let whole = |erase: &Erase| matches!(erase.runs[..], [(0, _, 1)]);
    if sorted.iter().any(|erase| erase.is_chip) {
        sorted.retain(|erase| erase.is_chip || !whole(erase));
    }
    sorted
}

fn status_write(rows: &[&Part]) -> StatusWrite {
    let any = |has: fn(&Part) -> bool| rows.iter().any(|part| has(part));
    if any(|part| part.own_sr2_write) {
        StatusWrite::Each
    } else if any(|part| part.long_wrsr) {
        StatusWrite::Two
    } else {
        StatusWrite::One
    }
}

/// How the chip comes up: what any of its twins does, it may do.
fn power_up(rows: &[&Part]) -> PowerUp {
    let all = rows.iter().map(|part| part.power_up());
    all.fold(PowerUp::AsLeft, |chosen, own| match own {
        PowerUp::AsLeft => chosen,
        own => own,
    })
}

/// What all rows say, if they say the same.
fn common<T: PartialEq>(rows: &[&Part], of: impl Fn(&Part) -> T) -> Option<T> {
    let (first, others) = rows.split_first()?;
    let value = of(first);
    others.iter().all(|part| of(part) == value).then_some(value)
}
