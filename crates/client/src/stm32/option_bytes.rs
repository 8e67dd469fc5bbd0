//! Option bytes: what a chip is told about itself once and for all, or until the next change.
//!
//! Where a loader shows them they stand in a small area (two on parts with a second bank), each
//! value beside its complement on most families. Write Memory to the first address of an area
//! erases all of it, programs what was sent and resets the chip (AN3155, section 3.6), so a change
//! of one bit writes the whole area back. Families whose option bytes stand in registers only (F7,
//! H5, H7, L5, U5 and others) cannot be read and written here.

use std::ops::Range;

use super::bootloader::Parser;
use super::{Bootloader, Error, Family, Identity, Part};

/// The option bytes of a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionBytes {
    /// The areas, as they stand in memory.
    pub blocks: Vec<OptionBlock>,
    /// What is known of their meaning, in order of address.
    pub fields: Vec<OptionField>,
    format: &'static Format,
}

/// An area of option bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionBlock {
    /// First address.
    pub address: u32,
    /// Content, complements included.
    pub bytes: Vec<u8>,
}

/// A field of the option bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionField {
    /// What the reference manual calls it.
    pub name: &'static str,
    /// Its value.
    pub value: u32,
    /// How many bits it has.
    pub bits: u32,
}

/// Why option bytes cannot be changed so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// No field of this name.
    #[error("there is no option `{name}`; there are {known}")]
    NoField {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// More than the field holds.
    #[error("{name} has {bits} bits, and {value:#x} does not fit")]
    Value {
        /// The field.
        name: &'static str,
        /// Its size in bits.
        bits: u32,
        /// What was to go in.
        value: u32,
    },
    /// The read protection is not set this way: level 2 could never be taken back.
    #[error("the read protection is not changed by its option byte")]
    ReadProtection,
    /// Not an area of option bytes, or not its length.
    #[error("{length} bytes at {address:#010x} are no whole area of option bytes")]
    NoBlock {
        /// Where they were to go.
        address: u32,
        /// How many they are.
        length: usize,
    },
}

/// Where a field is: offset in bytes from the start of the first area, first bit, number of bits.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    name: &'static str,
    offset: usize,
    bit: u32,
    bits: u32,
}

/// How a family's option bytes are laid out.
#[derive(Debug, PartialEq, Eq)]
struct Format {
    /// Bytes of a value; its complement follows it.
    value_bytes: usize,
    /// Whether there are complements.
    complements: bool,
    fields: &'static [Place],
}

const fn field(name: &'static str, offset: usize, bit: u32, bits: u32) -> Place {
    Place {
        name,
        offset,
        bit,
        bits,
    }
}

/// Name of the read protection in every format.
const RDP: &str = "RDP";

/// F1: PM0075, section 2.5, table 5. Also F0 (RM0091, section 4) and F3 (RM0316, section 5) with
/// more bits in USER; `stm32f072xb.h` and `stm32f303xc.h` of ST, `FLASH_OBR_*`.
static F1: Format = Format {
    value_bytes: 1,
    complements: true,
    fields: &[
        field(RDP, 0, 0, 8),
        field("WDG_SW", 2, 0, 1),
        field("nRST_STOP", 2, 1, 1),
        field("nRST_STDBY", 2, 2, 1),
        field("DATA0", 4, 0, 8),
        field("DATA1", 6, 0, 8),
        field("WRP0", 8, 0, 8),
        field("WRP1", 10, 0, 8),
        field("WRP2", 12, 0, 8),
        field("WRP3", 14, 0, 8),
    ],
};

static F0: Format = Format {
    value_bytes: 1,
    complements: true,
    fields: &[
        field(RDP, 0, 0, 8),
        field("WDG_SW", 2, 0, 1),
        field("nRST_STOP", 2, 1, 1),
        field("nRST_STDBY", 2, 2, 1),
        field("nBOOT1", 2, 4, 1),
        field("VDDA_MONITOR", 2, 5, 1),
        field("RAM_PARITY_CHECK", 2, 6, 1),
        field("DATA0", 4, 0, 8),
        field("DATA1", 6, 0, 8),
        field("WRP0", 8, 0, 8),
        field("WRP1", 10, 0, 8),
        field("WRP2", 12, 0, 8),
        field("WRP3", 14, 0, 8),
    ],
};

/// F2, F4: RM0090, section 3.6.1, tables 8 and 9; `stm32f407xx.h`, `FLASH_OPTCR_*`.
static F4: Format = Format {
    value_bytes: 2,
    complements: false,
    fields: &[
        field("BOR_LEV", 0, 2, 2),
        field("WDG_SW", 0, 5, 1),
        field("nRST_STOP", 0, 6, 1),
        field("nRST_STDBY", 0, 7, 1),
        field(RDP, 0, 8, 8),
        field("nWRP", 8, 0, 12),
    ],
};

/// L0, L1: RM0038, section 3.8, table 18; `stm32l152xe.h`, `FLASH_OBR_*`.
static L1: Format = Format {
    value_bytes: 2,
    complements: true,
    fields: &[
        field(RDP, 0, 0, 8),
        field("BOR_LEV", 4, 0, 4),
        field("IWDG_SW", 4, 4, 1),
        field("nRST_STOP", 4, 5, 1),
        field("nRST_STDBY", 4, 6, 1),
        field("WRP1L", 8, 0, 16),
        field("WRP1H", 12, 0, 16),
    ],
};

/// C0, G0: RM0444, section 3.4, table 21; `stm32g0b1xx.h` and `stm32c011xx.h`, `FLASH_OPTR_*`.
static G0: Format = Format {
    value_bytes: 4,
    complements: true,
    fields: &[
        field(RDP, 0, 0, 8),
        field("BOR_EN", 0, 8, 1),
        field("BORR_LEV", 0, 9, 2),
        field("BORF_LEV", 0, 11, 2),
        field("nRST_STOP", 0, 13, 1),
        field("nRST_STDBY", 0, 14, 1),
        field("nRST_SHDW", 0, 15, 1),
        field("IWDG_SW", 0, 16, 1),
        field("IWDG_STOP", 0, 17, 1),
        field("IWDG_STDBY", 0, 18, 1),
        field("WWDG_SW", 0, 19, 1),
        field("RAM_PARITY_CHECK", 0, 22, 1),
        field("nBOOT_SEL", 0, 24, 1),
        field("nBOOT1", 0, 25, 1),
        field("nBOOT0", 0, 26, 1),
        field("NRST_MODE", 0, 27, 2),
        field("IRHEN", 0, 29, 1),
        field("WRP1A_STRT", 0x18, 0, 7),
        field("WRP1A_END", 0x18, 16, 7),
        field("WRP1B_STRT", 0x20, 0, 7),
        field("WRP1B_END", 0x20, 16, 7),
    ],
};

/// L4: RM0351, section 3.4, table 13; `stm32l476xx.h`, `FLASH_OPTR_*`. What differs between its
/// lines (banks, boot bits) is left out.
static L4: Format = Format {
    value_bytes: 4,
    complements: true,
    fields: &[
        field(RDP, 0, 0, 8),
        field("BOR_LEV", 0, 8, 3),
        field("nRST_STOP", 0, 12, 1),
        field("nRST_STDBY", 0, 13, 1),
        field("nRST_SHDW", 0, 14, 1),
        field("IWDG_SW", 0, 16, 1),
        field("IWDG_STOP", 0, 17, 1),
        field("IWDG_STDBY", 0, 18, 1),
        field("WWDG_SW", 0, 19, 1),
        field("nBOOT1", 0, 23, 1),
        field("SRAM2_PE", 0, 24, 1),
        field("SRAM2_RST", 0, 25, 1),
        field("WRP1A_STRT", 0x18, 0, 8),
        field("WRP1A_END", 0x18, 16, 8),
        field("WRP1B_STRT", 0x20, 0, 8),
        field("WRP1B_END", 0x20, 16, 8),
    ],
};

/// The format of a part's option bytes, and where its areas are.
fn layout(part: &Part) -> Option<(&'static Format, Vec<Range<u32>>)> {
    let range = part.option_bytes.as_ref()?;
    let from = |start: u32, bytes: u32| start..start + bytes;
    Some(match part.family {
        Family::F1 => (&F1, vec![from(range.start, 16)]),
        Family::F0 | Family::F3 => (&F0, vec![from(range.start, 16)]),
        Family::F2 | Family::F4 => (&F4, vec![from(range.end.checked_sub(16)?, 16)]),
        Family::L0 | Family::L1 => {
            let mut areas = vec![from(range.start, 0x20)];
            // L1 categories 4 and 5 go on here.
            if range.len() > 0x80 {
                areas.push(from(range.start + 0x80, 8));
            }
            (&L1, areas)
        }
        Family::C0 => (&G0, vec![from(range.start, 0x28)]),
        Family::G0 => {
            // With two banks the second one's areas follow. No other G0 has more than 128 KiB.
            let two_banks = part.flash_kib > Some(128);
            (
                &G0,
                vec![from(range.start, if two_banks { 0x60 } else { 0x28 })],
            )
        }
        Family::G4 | Family::L4 => (&L4, vec![from(range.start, 0x28)]),
        _ => return None,
    })
}

impl OptionBytes {
    /// Reads the areas of `part` with `read`, which says whether it could.
    fn read(
        part: &Part,
        mut read: impl FnMut(u32, &mut [u8]) -> Result<bool, Error>,
    ) -> Result<Option<Self>, Error> {
        let Some((format, areas)) = layout(part) else {
            return Ok(None);
        };
        let mut blocks = Vec::new();
        for area in areas {
            let mut bytes = vec![0; area.len()];
            if !read(area.start, &mut bytes)? {
                return Ok(None);
            }
            blocks.push(OptionBlock {
                address: area.start,
                bytes,
            });
        }
        Ok(Some(Self::of(format, blocks)))
    }

    fn of(format: &'static Format, blocks: Vec<OptionBlock>) -> Self {
        let first = &blocks[0].bytes;
        let fields = format.fields.iter().map(|place| OptionField {
            name: place.name,
            value: (format.value(first, place.offset) >> place.bit) & mask(place.bits),
            bits: place.bits,
        });
        Self {
            fields: fields.collect(),
            format,
            blocks,
        }
    }

    /// The value of a field.
    pub fn value(&self, name: &str) -> Option<u32> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some(field.value)
    }

    /// The same with other values in some fields.
    ///
    /// # Errors
    /// [`OptionsError`]: no such field, a value that does not fit, or the read protection.
    pub fn with(&self, changes: &[(String, u32)]) -> Result<Self, OptionsError> {
        let mut blocks = self.blocks.clone();
        for (name, value) in changes {
            let place = self.format.fields.iter().find(|place| place.name == name);
            let place = place.ok_or_else(|| OptionsError::NoField {
                name: name.clone(),
                known: self.names(),
            })?;
            if place.name == RDP {
                return Err(OptionsError::ReadProtection);
            }
            if value & !mask(place.bits) != 0 {
                return Err(OptionsError::Value {
                    name: place.name,
                    bits: place.bits,
                    value: *value,
                });
            }
            let bytes = &mut blocks[0].bytes;
            let old = self.format.value(bytes, place.offset);
            let new = (old & !(mask(place.bits) << place.bit)) | (value << place.bit);
            self.format.put(bytes, place.offset, new);
        }
        Ok(Self::of(self.format, blocks))
    }

    /// The same with an area replaced by `bytes`, complements and all.
    ///
    /// # Errors
    /// [`OptionsError`]: not a whole area, or another read protection.
    pub fn with_block(&self, address: u32, bytes: &[u8]) -> Result<Self, OptionsError> {
        let mut blocks = self.blocks.clone();
        let block = blocks
            .iter_mut()
            .find(|block| block.address == address && block.bytes.len() == bytes.len());
        let block = block.ok_or(OptionsError::NoBlock {
            address,
            length: bytes.len(),
        })?;
        block.bytes = bytes.to_vec();
        let new = Self::of(self.format, blocks);
        if new.value(RDP) != self.value(RDP) {
            return Err(OptionsError::ReadProtection);
        }
        Ok(new)
    }

    /// The areas in which this differs from `other`.
    pub fn changed<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a OptionBlock> {
        let pairs = self.blocks.iter().zip(&other.blocks);
        pairs.filter(|(new, old)| new != old).map(|(new, _)| new)
    }

    /// The names of all fields.
    fn names(&self) -> String {
        let names: Vec<&str> = self.fields.iter().map(|field| field.name).collect();
        names.join(", ")
    }
}

impl Format {
    /// The value that stands at an offset.
    fn value(&self, bytes: &[u8], offset: usize) -> u32 {
        let bytes = bytes.get(offset..offset + self.value_bytes);
        let word = |value: u32, byte: &u8| (value << 8) | u32::from(*byte);
        bytes.map_or(0, |bytes| bytes.iter().rev().fold(0, word))
    }

    /// Puts a value at an offset, and its complement behind it.
    fn put(&self, bytes: &mut [u8], offset: usize, value: u32) {
        let width = self.value_bytes;
        let [value, complement] = [value, !value].map(u32::to_le_bytes);
        if let Some(place) = bytes.get_mut(offset..offset + width) {
            place.copy_from_slice(&value[..width]);
        }
        let behind = offset + width..offset + 2 * width;
        if let Some(place) = bytes.get_mut(behind).filter(|_| self.complements) {
            place.copy_from_slice(&complement[..width]);
        }
    }
}

const fn mask(bits: u32) -> u32 {
    u32::MAX >> (32 - bits)
}

impl Bootloader {
    /// The option bytes of a chip. `None` where nobody knows where they are, or the loader does not
    /// show them.
    ///
    /// # Errors
    /// As [`read_memory`](Self::read_memory), but for refusals of the address.
    pub fn option_bytes(&mut self, identity: &Identity) -> Result<Option<OptionBytes>, Error> {
        OptionBytes::read(&identity.part, |address, bytes| {
            self.persist(|l| l.readable(address, bytes))
        })
    }

    /// Writes an area of option bytes: the loader erases it, programs it and resets the chip. The
    /// loader has to be greeted again.
    ///
    /// # Errors
    /// As [`write_memory`](Self::write_memory).
    pub fn write_option_bytes(&mut self, block: &OptionBlock) -> Result<(), Error> {
        self.write_memory(block.address, &block.bytes)?;
        self.parser = Parser::Away;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f1() -> OptionBytes {
        let bytes = [
            0xA5, 0x5A, 0xFF, 0x00, 0x12, 0xED, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00, 0xFE, 0x01,
            0xFF, 0x00,
        ];
        let address = 0x1FFF_F800;
        let bytes = bytes.to_vec();
        OptionBytes::of(&F1, vec![OptionBlock { address, bytes }])
    }

    #[test]
    fn fields_are_taken_apart_and_put_back_with_their_complements() {
        let options = f1();
        assert_eq!(options.value("DATA0"), Some(0x12));
        assert_eq!(options.value("WRP2"), Some(0xFE));
        assert_eq!(options.value("nRST_STOP"), Some(1));
        let changes = [("nRST_STOP".to_owned(), 0), ("DATA1".to_owned(), 0x34)];
        let new = options.with(&changes).unwrap();
        assert_eq!(
            new.blocks[0].bytes[2..8],
            [0xFD, 0x02, 0x12, 0xED, 0x34, 0xCB]
        );
        assert_eq!(new.changed(&options).count(), 1);
        assert_eq!(options.changed(&options).count(), 0);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let with = |name: &str, value| f1().with(&[(name.to_owned(), value)]).unwrap_err();
        assert!(with("nBOOT0", 1).to_string().contains("DATA0, DATA1"));
        assert_eq!(
            with("nRST_STOP", 2).to_string(),
            "nRST_STOP has 1 bits, and 0x2 does not fit"
        );
        assert_eq!(with("RDP", 0xCC), OptionsError::ReadProtection);
    }

    #[test]
    fn an_area_cannot_smuggle_in_another_read_protection() {
        let options = f1();
        let mut bytes = options.blocks[0].bytes.clone();
        bytes[4..6].copy_from_slice(&[0, 0xFF]);
        let new = options.with_block(0x1FFF_F800, &bytes).unwrap();
        assert_eq!(new.value("DATA0"), Some(0));
        bytes[..2].copy_from_slice(&[0xCC, 0x33]);
        let refused = options.with_block(0x1FFF_F800, &bytes);
        assert_eq!(refused, Err(OptionsError::ReadProtection));
        let cut = options.with_block(0x1FFF_F800, &bytes[..8]);
        assert!(matches!(cut, Err(OptionsError::NoBlock { length: 8, .. })));
    }

    #[test]
    fn fields_do_not_overlap_and_lie_within_their_area() {
        for format in [&F1, &F0, &F4, &L1, &G0, &L4] {
            let mut taken = std::collections::BTreeSet::new();
            for place in format.fields {
                assert!(place.bit + place.bits <= 8 * format.value_bytes as u32);
                for bit in place.bit..place.bit + place.bits {
                    assert!(taken.insert((place.offset, bit)), "{}", place.name);
                }
            }
            assert!(format.fields.iter().any(|place| place.name == RDP));
        }
    }
}
