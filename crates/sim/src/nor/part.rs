//! What a part is, as data.

use super::{Busy, Protection};

/// A chip that can be bought: what its datasheet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, as a bench is called by it: `w25q64jv`.
    pub name: &'static str,
    /// Maker, name and size, for people.
    pub title: &'static str,
    /// Where the figures are from.
    pub source: &'static str,
    /// Its size, in bytes.
    pub size_bytes: usize,
    /// How it says who it is.
    pub identity: Identity,
    /// How it is programmed.
    pub programming: Programming,
    /// The ways to erase.
    pub erases: &'static [Erase],
    /// Its status registers.
    pub status: StatusLayout,
    /// What its status registers protect.
    pub protection: Protection,
    /// What else it can do.
    pub features: Features,
    /// Its SFDP area in hexadecimal, `ff*N` for N bytes of 0xFF; beyond it everything is erased.
    pub sfdp: Option<&'static str>,
    /// Fastest clock of READ, in Hz.
    pub read_hz: u32,
    /// Fastest clock of everything else, in Hz.
    pub max_hz: u32,
}

impl Part {
    /// Its SFDP area; empty if it has none.
    pub fn sfdp_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in self.sfdp.unwrap_or_default().split_whitespace() {
            if let Some(count) = word.strip_prefix("ff*") {
                let count: usize = count.parse().unwrap_or(0);
                bytes.resize(bytes.len() + count, 0xFF);
            } else {
                let digits = word.as_bytes().chunks(2);
                let text = digits.filter_map(|pair| std::str::from_utf8(pair).ok());
                bytes.extend(text.filter_map(|pair| u8::from_str_radix(pair, 16).ok()));
            }
        }
        bytes
    }
}

/// How a chip says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What RDID answers; empty if the chip has none.
    pub rdid: &'static [u8],
    /// Manufacturer and device as REMS answers them.
    pub rems: Option<[u8; 2]>,
    /// What RES answers, again and again; empty if it answers nothing. SST parts answer as to REMS.
    pub res: &'static [u8],
}

/// How a chip is programmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programming {
    /// Up to a page at once.
    Page {
        /// Time for a page.
        page: Busy,
    },
    /// A byte at a time; more in a row by auto address increment.
    Byte {
        /// Time for a byte, or for a step of auto address increment.
        byte: Busy,
        /// Auto address increment takes two bytes a step; else one.
        words: bool,
    },
}

/// One way to erase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erase {
    /// The instruction.
    pub opcode: u8,
    /// What it erases.
    pub extent: Extent,
    /// How long it takes.
    pub time: Busy,
}

/// What an erase instruction erases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole chip; it takes no address.
    Chip,
    /// One of equal blocks, of this size in bytes.
    Uniform(usize),
    /// The same, always with four address bytes.
    UniformFourByte(usize),
    /// One of blocks that differ: runs of size in bytes and count, from address 0.
    Runs(&'static [(usize, usize)]),
}

impl Extent {
    /// Start and end of what is erased at `address`.
    pub fn around(self, address: usize, size_bytes: usize) -> (usize, usize) {
        match self {
            Self::Chip => (0, size_bytes),
            Self::Uniform(block) | Self::UniformFourByte(block) => {
                let start = address - address % block;
                (start, start + block)
            }
            Self::Runs(runs) => {
                let mut start = 0;
                for &(block, count) in runs {
                    let end = start + block * count;
                    if address < end {
                        let start = start + (address - start) / block * block;
                        return (start, start + block);
                    }
                    start = end;
                }
                (start, size_bytes)
            }
        }
    }
}

/// A bit of a status register: register, counted from 0, and mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterBit(pub usize, pub u8);

impl RegisterBit {
    /// Whether it is set.
    pub fn is_set(self, registers: &[u8]) -> bool {
        let Self(register, mask) = self;
        registers
            .get(register)
            .is_some_and(|value| value & mask != 0)
    }
}

/// A status register. WIP and WEL of the first one are the chip's own business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRegister {
    /// The instruction that reads it.
    pub read: u8,
    /// The instruction that writes it alone, if there is one.
    pub write: Option<u8>,
    /// Bits that a host can write.
    pub writable: u8,
    /// Value as shipped, or after each power-up if the bits are volatile.
    pub factory: u8,
}

/// The status registers of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusLayout {
    /// The registers.
    pub registers: &'static [StatusRegister],
    /// How many of them one WRSR can write, a byte each.
    pub long_write: usize,
    /// A WRSR of one byte clears the second register.
    pub short_write_clears: bool,
    /// What EWSR (0x50) does.
    pub ewsr: Ewsr,
    /// The bits come up with their factory values at each power-up.
    pub is_volatile: bool,
    /// Set: the registers cannot be written until the next power-up.
    pub power_lock: Option<RegisterBit>,
    /// Shows whether the chip is in 4-byte mode.
    pub four_byte_flag: Option<RegisterBit>,
    /// How long a write takes.
    pub time: Busy,
}

/// What instruction 0x50 does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ewsr {
    /// Nothing.
    Absent,
    /// It lets the next WRSR happen.
    Enables,
    /// It makes the next WRSR volatile: at once, and gone with the power.
    MakesVolatile,
}

/// What a part can do beyond reading, programming and erasing: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u16);

impl Features {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Fast Read.
    pub const FAST_READ: Self = Self(1 << 0);
    /// READ and Fast Read with four address bytes.
    pub const READ_4B: Self = Self(1 << 1);
    /// Page Program with four address bytes.
    pub const PROGRAM_4B: Self = Self(1 << 2);
    /// 4-byte mode by EN4B and EX4B.
    pub const EN4B: Self = Self(1 << 3);
    /// EN4B and EX4B need WREN before them.
    pub const EN4B_WREN: Self = Self(1 << 4);
    /// Extended address register, by WREAR and RDEAR.
    pub const EXTENDED_ADDRESS: Self = Self(1 << 5);
    /// Bank register, by BRWR and BRRD, with 4-byte mode in bit 7.
    pub const BANK_REGISTER: Self = Self(1 << 6);
    /// Flag status register.
    pub const FLAG_STATUS: Self = Self(1 << 7);
    /// Unique ID.
    pub const UNIQUE_ID: Self = Self(1 << 8);
    /// Deep power-down.
    pub const POWER_DOWN: Self = Self(1 << 9);
    /// RSTEN and RST.
    pub const SOFT_RESET: Self = Self(1 << 10);
    /// Security register of Macronix parts.
    pub const SECURITY_REGISTER: Self = Self(1 << 11);

    /// All of both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
