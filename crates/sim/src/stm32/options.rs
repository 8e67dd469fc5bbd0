//! Option bytes: where they are, and which of their bits protect what.
//!
//! What is kept is the *value* of each cell. On most families the flash holds every value beside
//! its complement, which the hardware makes by itself; it appears when the area is read.

use std::ops::Range;

use super::part::Flash;

/// The option bytes of a family.
#[derive(Debug)]
pub struct OptionLayout {
    /// Where the loader can read and write them, each block with its number of cells. Empty on
    /// families that have option registers only.
    pub blocks: &'static [(u32, usize)],
    /// How a cell appears in memory.
    pub cell: Cell,
    /// Value of each cell as the part is delivered.
    pub factory: &'static [u32],
    /// Cell and shift of the byte that protects against reading.
    pub read_protection: (usize, u32),
    /// Value of that byte in level 0.
    pub level_0: u8,
    /// Value of that byte in level 2; families without it have two levels only.
    pub level_2: Option<u8>,
    /// What protects against writing.
    pub write_protection: WriteProtection,
    /// Whether taking the read protection away also puts all other cells back to `factory`.
    pub wiped_by_unprotect: bool,
}

/// How a cell appears in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// One byte, then its complement.
    Byte,
    /// Two bytes, then their complement.
    HalfWord,
    /// Four bytes, then their complement.
    Word,
    /// Four bytes alone.
    Bare,
}

impl Cell {
    /// Bytes of the value in memory.
    const fn value_bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::HalfWord => 2,
            Self::Word | Self::Bare => 4,
        }
    }

    /// Bytes of the cell in memory.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bare => 4,
            with_complement => 2 * with_complement.value_bytes(),
        }
    }
}

/// What protects flash against writing.
#[derive(Debug)]
pub enum WriteProtection {
    /// One bit for each group of erase units. The command's codes are bit numbers.
    Bits {
        /// First cell that holds bits.
        first_cell: usize,
        /// Bits in each cell.
        bits_per_cell: u32,
        /// Bits in all.
        bits: u32,
        /// Value of a bit that protects.
        protects: bool,
        /// Erase units that a bit covers; the last bit covers all that is left.
        units_per_bit: u32,
    },
    /// Areas of whole pages in each bank, each with its first and its last page. The command's
    /// codes are pairs of page numbers within the bank, in the order of the areas.
    Areas {
        /// Cells of the areas: two for each bank.
        cells: &'static [usize],
        /// Bits of a page number: the first page is at bit 0, the last at bit 16.
        mask: u32,
    },
}

/// How far the flash is protected against reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadProtection {
    /// Not at all.
    Level0,
    /// The loader answers little more than who it is.
    Level1,
    /// There is no way into the loader any more, and no way back.
    Level2,
}

/// The option bytes of one chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    cells: Vec<u32>,
}

impl Options {
    /// As the part is delivered.
    pub fn factory(layout: &OptionLayout) -> Self {
        Self {
            cells: layout.factory.to_vec(),
        }
    }

    /// From the values of all cells; `None` if that is not as many as the layout has.
    pub fn from_cells(layout: &OptionLayout, cells: Vec<u32>) -> Option<Self> {
        (cells.len() == layout.factory.len()).then_some(Self { cells })
    }

    /// The value of each cell.
    pub fn cells(&self) -> &[u32] {
        &self.cells
    }

    /// How far the flash is protected against reading.
    pub fn read_protection(&self, layout: &OptionLayout) -> ReadProtection {
        let (cell, shift) = layout.read_protection;
        let byte = (self.cells[cell] >> shift) as u8;
        if byte == layout.level_0 {
            ReadProtection::Level0
        } else if Some(byte) == layout.level_2 {
            ReadProtection::Level2
        } else {
            ReadProtection::Level1
        }
    }

    /// Protects the flash against reading: level 1, or back to level 0.
    pub fn set_read_protection(&mut self, layout: &OptionLayout, on: bool) {
        let (cell, shift) = layout.read_protection;
        if !on && layout.wiped_by_unprotect {
            self.cells.copy_from_slice(layout.factory);
        }
        let byte = if on { 0x00 } else { layout.level_0 };
        self.cells[cell] = self.cells[cell] & !(0xFF << shift) | u32::from(byte) << shift;
    }

    /// Whether an erase unit, counted over all banks, is protected against writing.
    pub fn is_write_protected(&self, layout: &OptionLayout, flash: &Flash, unit: u32) -> bool {
        match layout.write_protection {
            WriteProtection::Bits {
                first_cell,
                bits_per_cell,
                bits,
                protects,
                units_per_bit,
            } => {
                let bit = (unit / units_per_bit).min(bits - 1);
                let cell = first_cell + (bit / bits_per_cell) as usize;
                (self.cells[cell] >> (bit % bits_per_cell) & 1 == 1) == protects
            }
            WriteProtection::Areas { cells, mask } => {
                let bank = (unit / flash.bank_units()) as usize;
                let page = unit % flash.bank_units();
                cells.iter().skip(2 * bank).take(2).any(|&cell| {
                    let area = self.cells[cell];
                    (area & mask..=area >> 16 & mask).contains(&page)
                })
            }
        }
    }

    /// Protects what the codes of a Write Protect command name, and nothing else: sectors that
    /// were protected before and are not named lose their protection (AN3155, section 3.9).
    /// Returns the codes that mean nothing on this part; the command does not check them.
    pub fn write_protect(&mut self, layout: &OptionLayout, codes: &[u8]) -> Vec<u8> {
        self.write_unprotect(layout);
        let mut meaningless = Vec::new();
        match layout.write_protection {
            WriteProtection::Bits {
                first_cell,
                bits_per_cell,
                bits,
                protects,
                ..
            } => {
                for &code in codes {
                    let bit = u32::from(code);
                    if bit >= bits {
                        meaningless.push(code);
                        continue;
                    }
                    let cell = &mut self.cells[first_cell + (bit / bits_per_cell) as usize];
                    let mask = 1 << (bit % bits_per_cell);
                    *cell = if protects {
                        *cell | mask
                    } else {
                        *cell & !mask
                    };
                }
            }
            WriteProtection::Areas { cells, mask } => {
                let mut pairs = codes.chunks_exact(2);
                for (&cell, pair) in cells.iter().zip(&mut pairs) {
                    let pages = u32::from(pair[0]) & mask | (u32::from(pair[1]) & mask) << 16;
                    self.cells[cell] = self.cells[cell] & !(mask | mask << 16) | pages;
                }
                meaningless.extend(codes.iter().skip(2 * cells.len()));
                meaningless.extend(pairs.remainder());
            }
        }
        meaningless
    }

    /// Power failed between erasing and programming them. Where each is a byte in flash they are all
    /// erased then, which protects against reading (PM0075, section 2.5: RDP is anything but its
    /// key); the other families program one word after the other, and here the first is not begun.
    pub fn tear(&mut self, layout: &OptionLayout) {
        if layout.cell == Cell::Byte {
            self.cells.fill(0xFF);
        }
    }

    /// Takes all write protection away.
    pub fn write_unprotect(&mut self, layout: &OptionLayout) {
        match layout.write_protection {
            WriteProtection::Bits {
                first_cell,
                bits_per_cell,
                bits,
                protects,
                ..
            } => {
                for bit in 0..bits {
                    let cell = &mut self.cells[first_cell + (bit / bits_per_cell) as usize];
                    let mask = 1 << (bit % bits_per_cell);
                    *cell = if protects {
                        *cell & !mask
                    } else {
                        *cell | mask
                    };
                }
            }
            WriteProtection::Areas { cells, mask } => {
                // First page behind the last: an empty area.
                for &cell in cells {
                    self.cells[cell] = self.cells[cell] & !(mask | mask << 16) | mask;
                }
            }
        }
    }

    /// The area of the block that holds an address: its cells and its addresses.
    pub fn block(layout: &OptionLayout, address: u32) -> Option<(Range<usize>, Range<u32>)> {
        let mut first = 0;
        for &(start, cells) in layout.blocks {
            let addresses = start..start + (cells * layout.cell.bytes()) as u32;
            if addresses.contains(&address) {
                return Some((first..first + cells, addresses));
            }
            first += cells;
        }
        None
    }

    /// The bytes of cells as they appear in memory.
    pub fn memory(&self, layout: &OptionLayout, cells: Range<usize>) -> Vec<u8> {
        let width = layout.cell.value_bytes();
        let mut bytes = Vec::new();
        for cell in &self.cells[cells] {
            bytes.extend(&cell.to_le_bytes()[..width]);
            if layout.cell != Cell::Bare {
                bytes.extend(&(!cell).to_le_bytes()[..width]);
            }
        }
        bytes
    }

    /// What Write Memory leaves: the cells of the block are erased, then those that the data
    /// covers are programmed. Complements are the hardware's business; those in the data are
    /// skipped.
    pub fn program(&mut self, layout: &OptionLayout, cells: Range<usize>, data: &[u8]) {
        let width = layout.cell.value_bytes();
        let values = data.chunks(layout.cell.bytes()).map(|bytes| {
            let mut value = [0xFF; 4];
            let count = bytes.len().min(width);
            value[..count].copy_from_slice(&bytes[..count]);
            let mask = u32::MAX >> (32 - 8 * width);
            u32::from_le_bytes(value) & mask
        });
        let erased = u32::MAX >> (32 - 8 * width);
        let values = values.chain(std::iter::repeat(erased));
        for (cell, value) in self.cells[cells].iter_mut().zip(values) {
            *cell = value;
        }
    }
}
