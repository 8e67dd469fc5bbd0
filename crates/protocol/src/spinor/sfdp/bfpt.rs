//! Basic flash parameter table. JESD216, section 6.4.

use core::time::Duration;

use super::{SfdpError, bits, dwords};
use crate::spinor::{AddressWidth, instruction};

/// The basic flash parameter table: size, erase types, times, addressing.
///
/// Revision 1.0 has nine dwords, A and B sixteen, C and D twenty, E and F twenty-three; some early
/// parts have four. What a table is too short to say is `None`. Dwords from 17 on are about eight
/// data lines, which no serial programmer has: they are kept and readable by
/// [`dword`](Self::dword).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bfpt {
    dwords: [u32; Self::MAX_DWORDS],
    count: u8,
}

impl Bfpt {
    /// Length of the longest table that is known, in dwords: JESD216F.
    pub const MAX_DWORDS: usize = 23;
    /// Length of the shortest table that says anything, in dwords: Intel's forerunner of JESD216.
    const MIN_DWORDS: usize = 4;

    /// Reads the table; dwords beyond [`MAX_DWORDS`](Self::MAX_DWORDS) are of a later revision and
    /// left out.
    ///
    /// # Errors
    /// [`SfdpError::Truncated`] if there are fewer than four dwords; [`SfdpError::Reserved`] if
    /// the size or the address width make no sense.
    pub fn parse(bytes: &[u8]) -> Result<Self, SfdpError> {
        let mut table = Self {
            dwords: [0; Self::MAX_DWORDS],
            count: 0,
        };
        for (slot, dword) in table.dwords.iter_mut().zip(dwords(bytes)) {
            *slot = dword;
            table.count += 1;
        }
        if usize::from(table.count) < Self::MIN_DWORDS {
            return Err(SfdpError::Truncated {
                found_bytes: bytes.len() as u32,
                needed_bytes: 4 * Self::MIN_DWORDS as u32,
            });
        }
        for (dword, valid) in [
            (1, table.checked_addressing().is_some()),
            (2, table.checked_size().is_some()),
        ] {
            if !valid {
                let value = table.dword(dword).unwrap_or_default();
                return Err(SfdpError::Reserved { dword, value });
            }
        }
        Ok(table)
    }

    /// A dword by its number, from 1; `None` beyond the end of the table.
    pub fn dword(&self, number: u8) -> Option<u32> {
        let index = number.checked_sub(1).filter(|&index| index < self.count)?;
        self.dwords.get(usize::from(index)).copied()
    }

    /// How many dwords the table has, up to [`MAX_DWORDS`](Self::MAX_DWORDS).
    pub const fn dword_count(&self) -> u8 {
        self.count
    }

    /// Size of the memory, in bytes. Dword 2.
    pub fn size_bytes(&self) -> u64 {
        self.checked_size().unwrap_or_default()
    }

    fn checked_size(&self) -> Option<u64> {
        let density = self.dword(2)?;
        let exponent = bits(density, 30, 0);
        let size_bits = match density >> 31 {
            0 => u64::from(exponent) + 1,
            // Four address bytes reach 2^35 bits and the document allows 2^64; more is no chip.
            _ => 1u64.checked_shl(exponent)?,
        };
        (size_bits >= 8).then_some(size_bits / 8)
    }

    /// How many address bytes the 3-byte instructions take, or can be made to take. Dword 1, bits
    /// 18 to 17.
    pub fn addressing(&self) -> Addressing {
        self.checked_addressing().unwrap_or(Addressing::Three)
    }

    fn checked_addressing(&self) -> Option<Addressing> {
        match bits(self.dword(1)?, 18, 17) {
            0b00 => Some(Addressing::Three),
            0b01 => Some(Addressing::ThreeOrFour),
            0b10 => Some(Addressing::Four),
            _ => None,
        }
    }

    /// Instruction that enables a write to the volatile status register: WREN or EWSR; `None` if
    /// the block protection bits are not volatile and WREN is the one. Dword 1, bits 4 to 3.
    pub fn volatile_status_enable(&self) -> Option<u8> {
        match bits(self.dword(1)?, 4, 3) {
            0b01 => Some(instruction::EWSR),
            0b11 => Some(instruction::WREN),
            _ => None,
        }
    }

    /// Whether the chip has a program buffer of 64 bytes at least; else it programs byte by byte.
    /// Dword 1, bit 2.
    pub fn has_page_buffer(&self) -> bool {
        self.dword(1).is_some_and(|dword| bits(dword, 2, 2) == 1)
    }

    /// The ways to erase, in the chip's order, which need not be the order of their sizes. Dwords 8
    /// to 10; tables of four dwords have only the 4 KiB erase of dword 1.
    pub fn erase_types(&self) -> [Option<EraseType>; 4] {
        let (Some(first), Some(second)) = (self.dword(8), self.dword(9)) else {
            return [self.sector_erase(), None, None, None];
        };
        let halves = [
            bits(first, 15, 0),
            bits(first, 31, 16),
            bits(second, 15, 0),
            bits(second, 31, 16),
        ];
        let mut number = 0;
        halves.map(|half| {
            let timing = self.erase_timing(number);
            number += 1;
            let exponent = bits(half, 7, 0);
            // A type of size 2^0 does not exist; sizes above 2^31 cannot.
            let size_bytes = (exponent > 0).then(|| 1u32.checked_shl(exponent))??;
            Some(EraseType {
                opcode: bits(half, 15, 8) as u8,
                size_bytes,
                timing,
            })
        })
    }

    fn sector_erase(&self) -> Option<EraseType> {
        let dword = self.dword(1)?;
        (bits(dword, 1, 0) == 0b01).then(|| EraseType {
            opcode: bits(dword, 15, 8) as u8,
            size_bytes: 4096,
            timing: None,
        })
    }

    /// Time of erase type `number`, from 0. Dword 10: five bits of count and two of unit each, from
    /// bit 4 up.
    fn erase_timing(&self, number: u8) -> Option<Timing> {
        let dword = self.dword(10)?;
        let low = 4 + 7 * number;
        let unit_ms = match bits(dword, low + 6, low + 5) {
            0b00 => 1,
            0b01 => 16,
            0b10 => 128,
            _ => 1000,
        };
        let count = bits(dword, low + 4, low) + 1;
        let typical = Duration::from_millis(u64::from(count) * unit_ms);
        Some(Timing {
            typical,
            maximum: typical * self.erase_multiplier()?,
        })
    }

    /// Longest over typical time of erases. Dword 10, bits 3 to 0.
    fn erase_multiplier(&self) -> Option<u32> {
        Some(2 * (bits(self.dword(10)?, 3, 0) + 1))
    }

    /// Time to erase the whole chip; of several dies each. Dword 11, bits 30 to 24, with the
    /// multiplier of dword 10.
    pub fn chip_erase(&self) -> Option<Timing> {
        let dword = self.dword(11)?;
        let unit_ms = match bits(dword, 30, 29) {
            0b00 => 16,
            0b01 => 256,
            0b10 => 4_000,
            _ => 64_000,
        };
        let count = bits(dword, 28, 24) + 1;
        let typical = Duration::from_millis(u64::from(count) * unit_ms);
        Some(Timing {
            typical,
            maximum: typical * self.erase_multiplier()?,
        })
    }

    /// Most bytes of one page program. Dword 11, bits 7 to 4.
    pub fn page_bytes(&self) -> Option<u32> {
        Some(1 << bits(self.dword(11)?, 7, 4))
    }

    /// Time to program a page. Dword 11, bits 13 to 8.
    pub fn page_program(&self) -> Option<Timing> {
        let dword = self.dword(11)?;
        let unit_us = if bits(dword, 13, 13) == 1 { 64 } else { 8 };
        self.program_timing(bits(dword, 12, 8), unit_us)
    }

    /// Time to program the first byte of a page. Dword 11, bits 18 to 14.
    pub fn first_byte_program(&self) -> Option<Timing> {
        let dword = self.dword(11)?;
        let unit_us = if bits(dword, 18, 18) == 1 { 8 } else { 1 };
        self.program_timing(bits(dword, 17, 14), unit_us)
    }

    /// Time for each further byte of a page. Dword 11, bits 23 to 19.
    pub fn further_byte_program(&self) -> Option<Timing> {
        let dword = self.dword(11)?;
        let unit_us = if bits(dword, 23, 23) == 1 { 8 } else { 1 };
        self.program_timing(bits(dword, 22, 19), unit_us)
    }

    fn program_timing(&self, count: u32, unit_us: u64) -> Option<Timing> {
        let multiplier = 2 * (bits(self.dword(11)?, 3, 0) + 1);
        let typical = Duration::from_micros(u64::from(count + 1) * unit_us);
        Some(Timing {
            typical,
            maximum: typical * multiplier,
        })
    }

    /// Whether the end of an operation shows in bit 0 of the status register. Dword 14, bit 2.
    /// Chips whose table is shorter do it this way.
    pub fn polls_status(&self) -> bool {
        self.dword(14).is_none_or(|dword| bits(dword, 2, 2) == 1)
    }

    /// Whether the end of an operation shows in bit 7 of the flag status register. Dword 14, bit 3.
    pub fn polls_flag_status(&self) -> bool {
        self.dword(14).is_some_and(|dword| bits(dword, 3, 3) == 1)
    }

    /// Instruction that leaves deep power-down, if the chip has that mode. Dword 14, bits 22 to 15
    /// and 31.
    pub fn exit_power_down(&self) -> Option<u8> {
        let dword = self.dword(14)?;
        (dword >> 31 == 0).then_some(bits(dword, 22, 15) as u8)
    }

    /// What enables four data lines: by it one sees which bits a status write must not touch. Dword
    /// 15, bits 22 to 20.
    pub fn quad_enable(&self) -> Option<QuadEnable> {
        Some(match bits(self.dword(15)?, 22, 20) {
            0 => QuadEnable::None,
            1 => QuadEnable::Sr2Bit1ByLongWrite,
            2 => QuadEnable::Sr1Bit6,
            3 => QuadEnable::Sr2Bit7,
            4 => QuadEnable::Sr2Bit1ShortWriteKeeps,
            5 => QuadEnable::Sr2Bit1,
            6 => QuadEnable::Sr2Bit1ByOwnWrite,
            _ => QuadEnable::Reserved,
        })
    }

    /// Whether RSTEN and RST reset the chip. Dword 16, bit 12.
    pub fn soft_reset(&self) -> bool {
        self.dword(16).is_some_and(|dword| bits(dword, 12, 12) == 1)
    }

    /// The ways into 4-byte addressing. Dword 16, bits 31 to 24.
    pub fn enter_four_byte(&self) -> Option<EnterFourByte> {
        Some(EnterFourByte(bits(self.dword(16)?, 31, 24) as u8))
    }

    /// The ways out of 4-byte addressing. Dword 16, bits 23 to 14.
    pub fn exit_four_byte(&self) -> Option<ExitFourByte> {
        Some(ExitFourByte(bits(self.dword(16)?, 23, 14) as u16))
    }
}

/// How many address bytes instructions take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// Three.
    Three,
    /// Three, or four when told so.
    ThreeOrFour,
    /// Four always.
    Four,
}

impl Addressing {
    /// The width after power-up.
    pub const fn at_power_up(self) -> AddressWidth {
        match self {
            Self::Three | Self::ThreeOrFour => AddressWidth::Three,
            Self::Four => AddressWidth::Four,
        }
    }
}

/// One way to erase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EraseType {
    /// The instruction.
    pub opcode: u8,
    /// How much it erases, in bytes: a power of two.
    pub size_bytes: u32,
    /// How long it takes, if the table says so.
    pub timing: Option<Timing>,
}

/// How long an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Usually.
    pub typical: Duration,
    /// At most.
    pub maximum: Duration,
}

/// What enables four data lines. Dword 15, bits 22 to 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuadEnable {
    /// 0: nothing, there are none or they are always on.
    None,
    /// 1: bit 1 of status register 2, written by a WRSR of two bytes; a WRSR of one byte clears
    /// status register 2.
    Sr2Bit1ByLongWrite,
    /// 2: bit 6 of status register 1.
    Sr1Bit6,
    /// 3: bit 7 of status register 2, with instructions of its own.
    Sr2Bit7,
    /// 4: as 1, but a WRSR of one byte leaves status register 2 alone.
    Sr2Bit1ShortWriteKeeps,
    /// 5: bit 1 of status register 2, written by a WRSR of two bytes, read by RDSR2.
    Sr2Bit1,
    /// 6: bit 1 of status register 2, written by WRSR2.
    Sr2Bit1ByOwnWrite,
    /// 7: not defined.
    Reserved,
}

/// The ways into 4-byte addressing: a set. Dword 16, bits 31 to 24.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnterFourByte(pub u8);

impl EnterFourByte {
    /// EN4B.
    pub const EN4B: Self = Self(1 << 0);
    /// WREN, then EN4B.
    pub const WREN_EN4B: Self = Self(1 << 1);
    /// The extended address register (WREAR) gives the upper byte of 3-byte addresses.
    pub const EXTENDED_ADDRESS: Self = Self(1 << 2);
    /// Bit 7 of the bank register (BRWR).
    pub const BANK_REGISTER: Self = Self(1 << 3);
    /// A non-volatile configuration register.
    pub const CONFIGURATION: Self = Self(1 << 4);
    /// Instructions of their own, which always take four bytes.
    pub const DEDICATED: Self = Self(1 << 5);
    /// The chip takes four bytes always.
    pub const ALWAYS: Self = Self(1 << 6);

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The ways out of 4-byte addressing: a set. Dword 16, bits 23 to 14.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitFourByte(pub u16);

impl ExitFourByte {
    /// EX4B.
    pub const EX4B: Self = Self(1 << 0);
    /// WREN, then EX4B.
    pub const WREN_EX4B: Self = Self(1 << 1);
    /// Zero into the extended address register.
    pub const EXTENDED_ADDRESS: Self = Self(1 << 2);
    /// Bit 7 of the bank register.
    pub const BANK_REGISTER: Self = Self(1 << 3);
    /// A non-volatile configuration register.
    pub const CONFIGURATION: Self = Self(1 << 4);
    /// Hardware reset.
    pub const HARDWARE_RESET: Self = Self(1 << 5);
    /// RSTEN and RST.
    pub const SOFT_RESET: Self = Self(1 << 6);
    /// Power off and on.
    pub const POWER_CYCLE: Self = Self(1 << 7);

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
