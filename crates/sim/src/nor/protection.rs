//! Which part of a chip its status bits protect.

use std::ops::Range;

use super::RegisterBit;

/// Block protection by bits of the status registers.
///
/// All families of this bench count the same way: with the level bits read as a number *n*, a
/// region of `smallest_bytes` times 2^(n-1) is protected, at most the whole chip; the highest level
/// is always the whole chip. Where the region lies, and what else the bits can say, differs.
/// W25Q64JV section 7.1, tables "Status Register Memory Protection"; M25P80 table "Protected area
/// sizes"; SST25VF016B table 6; MX25L3233F table "Protected Area Sizes".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The level bits, lowest first.
    pub levels: &'static [RegisterBit],
    /// Size of the region of level 1, in bytes.
    pub smallest_bytes: usize,
    /// Set: the region begins at the bottom of the chip; else it ends at the top.
    pub bottom: Option<RegisterBit>,
    /// Set: level 1 protects 4 KiB, and no level but the highest more than 32 KiB.
    pub sector: Option<RegisterBit>,
    /// Set: all but the region is protected.
    pub complement: Option<RegisterBit>,
}

impl Protection {
    /// A part whose status protects nothing.
    pub const NONE: Self = Self {
        levels: &[],
        smallest_bytes: 0,
        bottom: None,
        sector: None,
        complement: None,
    };

    /// The protected range of a chip of `size_bytes` with these status registers.
    pub fn range(&self, registers: &[u8], size_bytes: usize) -> Range<usize> {
        let is = |bit: Option<RegisterBit>| bit.is_some_and(|bit| bit.is_set(registers));
        let bits = self.levels.iter().enumerate();
        let level = bits.fold(0, |level, (index, &bit)| {
            level | u32::from(bit.is_set(registers)) << index
        });
        let highest = (1u32 << self.levels.len()) - 1;
        let length = match level {
            0 => 0,
            _ if level == highest => size_bytes,
            _ if is(self.sector) => (4096 << (level - 1)).min(32 << 10),
            _ => (self.smallest_bytes << (level - 1)).min(size_bytes),
        };
        let (inside, outside) = if is(self.bottom) {
            (0..length, length..size_bytes)
        } else {
            let start = size_bytes - length;
            (start..size_bytes, 0..start)
        };
        if is(self.complement) { outside } else { inside }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINBOND: Protection = Protection {
        levels: &[
            RegisterBit(0, 1 << 2),
            RegisterBit(0, 1 << 3),
            RegisterBit(0, 1 << 4),
        ],
        smallest_bytes: 128 << 10,
        bottom: Some(RegisterBit(0, 1 << 5)),
        sector: Some(RegisterBit(0, 1 << 6)),
        complement: Some(RegisterBit(1, 1 << 6)),
    };

    const SIZE: usize = 8 << 20;

    fn protected(sr1: u8, sr2: u8) -> Range<usize> {
        WINBOND.range(&[sr1, sr2, 0], SIZE)
    }

    /// W25Q64FV, section 7.1.14, "Status Register Memory Protection (WPS = 0, CMP = 0)".
    #[test]
    fn levels_protect_what_the_w25q64_table_says() {
        assert!(protected(0x00, 0).is_empty());
        assert_eq!(protected(0x04, 0), 0x7E_0000..0x80_0000);
        assert_eq!(protected(0x08, 0), 0x7C_0000..0x80_0000);
        assert_eq!(protected(0x18, 0), 0x40_0000..0x80_0000);
        assert_eq!(protected(0x24, 0), 0x00_0000..0x02_0000);
        assert_eq!(protected(0x38, 0), 0x00_0000..0x40_0000);
        assert_eq!(protected(0x1C, 0), 0..SIZE);
        assert_eq!(protected(0x44, 0), 0x7F_F000..0x80_0000);
        assert_eq!(protected(0x4C, 0), 0x7F_C000..0x80_0000);
        assert_eq!(protected(0x50, 0), 0x7F_8000..0x80_0000);
        assert_eq!(protected(0x54, 0), 0x7F_8000..0x80_0000);
        assert_eq!(protected(0x64, 0), 0x00_0000..0x00_1000);
        assert_eq!(protected(0x5C, 0), 0..SIZE);
    }

    /// The same section, "(WPS = 0, CMP = 1)".
    #[test]
    fn complement_protects_all_but_that() {
        assert_eq!(protected(0x00, 0x40), 0..SIZE);
        assert_eq!(protected(0x04, 0x40), 0..0x7E_0000);
        assert_eq!(protected(0x24, 0x40), 0x02_0000..SIZE);
        assert!(protected(0x1C, 0x40).is_empty());
    }

    #[test]
    fn no_level_bits_protect_nothing() {
        assert!(Protection::NONE.range(&[0xFF, 0xFF], SIZE).is_empty());
    }
}
