//! Firmware images: ELF, Intel HEX, or what stands in the flash byte by byte.

/// Where the flash begins: RM0008 rev 21, section 3.3.
pub(crate) const FLASH_BASE: u32 = 0x0800_0000;

/// Where a stack may begin: the largest RAM of the family, and its end (RM0008 rev 21, section 3.3).
const RAM: std::ops::RangeInclusive<u32> = 0x2000_0000..=0x2001_8000;

/// Why a file is no image for this chip.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// There is nothing in it.
    #[error("the image is empty")]
    Empty,
    /// An ELF file for something else.
    #[error("the ELF file is not for a 32-bit little-endian ARM")]
    WrongMachine,
    /// A file that ends too early or contradicts itself.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// It does not begin as a program for this chip does.
    #[error(
        "it is no program for this chip: no vector table at {table:#010x} (stack {stack:#010x}, reset {reset:#010x})"
    )]
    NoVectors {
        /// Where it should be.
        table: u32,
        /// What stands there as the stack pointer.
        stack: u32,
        /// What stands there as the reset vector.
        reset: u32,
    },
    /// It is for a part with more RAM.
    #[error(
        "its stack begins at {stack:#010x}, behind the RAM of this part: it is for a larger one"
    )]
    StackOutside {
        /// Its stack pointer.
        stack: u32,
    },
    /// It says bytes where the chip has no flash.
    #[error("the image has {bytes} bytes at {address:#010x}, where the chip has no flash")]
    Outside {
        /// Where they should go.
        address: u32,
        /// How many.
        bytes: usize,
    },
}

/// A stretch of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it goes.
    pub address: u32,
    /// What goes there.
    pub bytes: Vec<u8>,
    /// Whether it holds code, data between it included.
    pub executable: bool,
}

/// What goes where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    segments: Vec<Segment>,
}

impl Image {
    /// Reads an image: an ELF file, an Intel HEX file, or anything else as the flash's content from
    /// its beginning.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        if bytes.starts_with(b"\x7fELF") {
            return Self::parse_elf(bytes);
        }
        if bytes.starts_with(b":") {
            return Self::parse_hex(bytes);
        }
        Self::parse_binary(bytes, FLASH_BASE)
    }

    /// Takes bytes as what stands from `address` on.
    ///
    /// # Errors
    /// [`ImageError::Empty`].
    pub fn parse_binary(bytes: &[u8], address: u32) -> Result<Self, ImageError> {
        if bytes.is_empty() {
            return Err(ImageError::Empty);
        }
        Ok(Self {
            segments: vec![Segment {
                address,
                bytes: bytes.to_vec(),
                executable: true,
            }],
        })
    }

    /// Where its vector table is: at the beginning of the flash, or, of a program that a boot loader
    /// starts, at its own beginning.
    pub fn vector_table(&self) -> u32 {
        let addresses = self.segments.iter().map(|segment| segment.address);
        addresses.min().unwrap_or(FLASH_BASE)
    }

    /// Checks that it begins with a vector table: a stack in RAM, of which the part has `sram_bytes`,
    /// and a reset vector that leads to Thumb code in it (DDI 0403E, section B1.5.3). A text or a
    /// program for something else does not. The core clears the lowest two bits of the stack (section
    /// B1.5.5), and programs rely on it: ST's own linker scripts name the last byte of the RAM.
    ///
    /// # Errors
    /// [`ImageError::NoVectors`], [`ImageError::StackOutside`].
    pub fn check_vectors(&self, sram_bytes: usize) -> Result<(), ImageError> {
        let table = self.vector_table();
        let word = |address| self.word(address).unwrap_or(u32::MAX);
        let (stack, reset) = (word(table), word(table.wrapping_add(4)));
        let is_stack = RAM.contains(&stack);
        // Code may be linked for the flash's window at zero.
        let leads_to_code = |base| self.word(reset & !1 | base).is_some();
        if is_stack && reset & 1 != 0 && (leads_to_code(0) || leads_to_code(FLASH_BASE)) {
            let is_inside = (stack - RAM.start()) as usize <= sram_bytes;
            return if is_inside {
                Ok(())
            } else {
                Err(ImageError::StackOutside { stack })
            };
        }
        Err(ImageError::NoVectors {
            table,
            stack,
            reset,
        })
    }

    /// The word at `address`.
    fn word(&self, address: u32) -> Option<u32> {
        self.segments.iter().find_map(|segment| {
            let offset = address.checked_sub(segment.address)? as usize;
            let bytes = segment.bytes.get(offset..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        })
    }

    /// "Hexadecimal Object File Format Specification" (Intel, 1988): data, end, and the two kinds of
    /// upper address; start addresses mean nothing here.
    fn parse_hex(text: &[u8]) -> Result<Self, ImageError> {
        let damaged = || ImageError::Damaged("a line of Intel HEX");
        let text = std::str::from_utf8(text).map_err(|_| damaged())?;
        let mut segments: Vec<Segment> = Vec::new();
        let mut upper = 0_u32;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let record = hex_record(line).ok_or_else(damaged)?;
            let (&[_, high, low, kind], data) = record.split_first_chunk().ok_or_else(damaged)?;
            match (kind, data) {
                (0, data) => {
                    let address = upper.wrapping_add(u32::from(high) << 8 | u32::from(low));
                    match segments.last_mut() {
                        Some(last) if last.end() == Some(address) => last.bytes.extend(data),
                        _ => segments.push(Segment {
                            address,
                            bytes: data.to_vec(),
                            executable: true,
                        }),
                    }
                }
                (1, _) => break,
                (2, &[high, low]) => upper = (u32::from(high) << 8 | u32::from(low)) << 4,
                (4, &[high, low]) => upper = (u32::from(high) << 8 | u32::from(low)) << 16,
                (3 | 5, _) => {}
                _ => return Err(damaged()),
            }
        }
        if segments.is_empty() {
            return Err(ImageError::Empty);
        }
        Ok(Self { segments })
    }

    /// The loadable segments by their physical addresses: "System V ABI", chapter 5, and "ELF for
    /// the Arm Architecture" (IHI 0044).
    fn parse_elf(bytes: &[u8]) -> Result<Self, ImageError> {
        let damaged = |why| ImageError::Damaged(why);
        let half = |offset: usize| {
            let bytes = bytes.get(offset..)?.first_chunk()?;
            Some(u16::from_le_bytes(*bytes))
        };
        let word = |offset: usize| {
            let bytes = bytes.get(offset..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        // EI_CLASS, EI_DATA, e_machine EM_ARM.
        let is_arm = bytes.get(4) == Some(&1) && bytes.get(5) == Some(&1) && half(18) == Some(40);
        if !is_arm {
            return Err(ImageError::WrongMachine);
        }
        let header = |offset| word(offset).ok_or(damaged("it ends in its header"));
        let table = header(28)? as usize;
        let (size, count) = match (half(42), half(44)) {
            (Some(size), Some(count)) if size >= 32 => (usize::from(size), usize::from(count)),
            _ => return Err(damaged("its program headers are too short")),
        };
        let mut segments = Vec::new();
        for index in 0..count {
            let entry = table.saturating_add(index * size);
            let field = |number: usize| {
                word(entry.saturating_add(4 * number)).ok_or(damaged("a program header is missing"))
            };
            let (kind, offset, address, length) = (field(0)?, field(1)?, field(3)?, field(4)?);
            // PT_LOAD with something in it.
            if kind != 1 || length == 0 {
                continue;
            }
            let content = bytes
                .get(offset as usize..)
                .and_then(|rest| rest.get(..length as usize))
                .ok_or(damaged("a segment is missing"))?;
            segments.push(Segment {
                address,
                bytes: content.to_vec(),
                // PF_X.
                executable: field(6)? & 1 != 0,
            });
        }
        if segments.is_empty() {
            return Err(ImageError::Empty);
        }
        Ok(Self { segments })
    }

    /// Its stretches in the order of the file.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Erases `flash` and puts the image into it.
    ///
    /// # Errors
    /// [`ImageError::Outside`], and the flash is erased.
    pub fn place(&self, flash: &mut [u8]) -> Result<(), ImageError> {
        flash.fill(0xff);
        for segment in &self.segments {
            let slot = segment
                .address
                .checked_sub(FLASH_BASE)
                .and_then(|offset| flash.get_mut(offset as usize..))
                .and_then(|rest| rest.get_mut(..segment.bytes.len()))
                .ok_or(ImageError::Outside {
                    address: segment.address,
                    bytes: segment.bytes.len(),
                })?;
            slot.copy_from_slice(&segment.bytes);
        }
        Ok(())
    }
}

impl Segment {
    /// The address behind it.
    fn end(&self) -> Option<u32> {
        self.address
            .checked_add(u32::try_from(self.bytes.len()).ok()?)
    }
}

/// The bytes of a line of Intel HEX without its check sum, if its length and sum are right.
fn hex_record(line: &str) -> Option<Vec<u8>> {
    let digits = line.strip_prefix(':')?;
    let byte = |index: usize| u8::from_str_radix(digits.get(index..index + 2)?, 16).ok();
    let mut bytes: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(byte)
        .collect::<Option<_>>()?;
    let sum = bytes.iter().fold(0_u8, |sum, &byte| sum.wrapping_add(byte));
    let count = usize::from(*bytes.first()?);
    bytes.pop();
    (sum == 0 && bytes.len() == count + 4).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with one segment of `content` at `address`.
    fn elf(address: u32, content: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 84];
        file[..6].copy_from_slice(b"\x7fELF\x01\x01");
        file[18] = 40;
        file[28] = 52;
        file[42] = 32;
        file[44] = 1;
        let mut word = |index: usize, value: u32| {
            file[52 + 4 * index..][..4].copy_from_slice(&value.to_le_bytes());
        };
        word(0, 1);
        word(1, 84);
        word(2, 0x2000_0000);
        word(3, address);
        word(4, content.len() as u32);
        word(6, 5);
        file.extend(content);
        file
    }

    #[test]
    fn an_elf_file_is_placed_by_its_physical_addresses() {
        let image = Image::parse(&elf(FLASH_BASE + 4, b"code")).unwrap();
        let mut flash = [0; 16];
        image.place(&mut flash).unwrap();
        assert_eq!(&flash[..9], b"\xff\xff\xff\xffcode\xff");
        assert!(image.segments()[0].executable);
    }

    #[test]
    fn anything_else_is_the_flash_from_its_beginning() {
        let image = Image::parse(b"binary").unwrap();
        let mut flash = [0; 8];
        image.place(&mut flash).unwrap();
        assert_eq!(&flash, b"binary\xff\xff");
    }

    #[test]
    fn intel_hex_is_placed_by_its_addresses() {
        // Upper half 0x0800, four bytes at 0x0004 in two lines, the entry, the end.
        let text = b":020000040800F2\r\n:02000400C0DE5C\r\n:02000600BEEF4B\r\n\
                     :0400000508000005EA\r\n:00000001FF\r\n";
        let image = Image::parse(text).unwrap();
        assert_eq!(image.segments().len(), 1);
        assert_eq!(image.segments()[0].address, FLASH_BASE + 4);
        assert_eq!(image.segments()[0].bytes, [0xc0, 0xde, 0xbe, 0xef]);
        for wrong in [&b":00000001FE"[..], b":0000000", b":02000000C0DE", b":\xff"] {
            assert!(Image::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_program_behind_a_boot_loader_tells_where_it_begins() {
        let image = Image::parse(&elf(FLASH_BASE + 0x2000, b"code")).unwrap();
        assert_eq!(image.vector_table(), FLASH_BASE + 0x2000);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut flash = [0; 8];
        let far = Image::parse(&elf(0x2000_0000, b"data")).unwrap();
        assert!(matches!(
            far.place(&mut flash),
            Err(ImageError::Outside { .. })
        ));
        let long = Image::parse(&[0; 9]).unwrap();
        assert!(matches!(
            long.place(&mut flash),
            Err(ImageError::Outside { .. })
        ));
        assert_eq!(Image::parse(b""), Err(ImageError::Empty));
    }

    #[test]
    fn every_truncated_elf_file_is_an_error() {
        let whole = elf(FLASH_BASE, b"code");
        for length in 4..whole.len() {
            assert!(Image::parse(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn an_elf_file_for_another_machine_is_refused() {
        let mut file = elf(FLASH_BASE, b"code");
        file[18] = 62;
        assert_eq!(Image::parse(&file), Err(ImageError::WrongMachine));
    }

    #[test]
    fn a_file_that_is_no_program_is_told_by_its_vectors() {
        let check = |bytes: &[u8]| Image::parse(bytes).unwrap().check_vectors(20 * 1024);
        let program = [0x2000_5000_u32, 0x0800_0009, 0xe7fe_e7fe].map(u32::to_le_bytes);
        assert_eq!(check(&program.concat()), Ok(()));
        let last_byte = [0x2000_4fff_u32, 0x0800_0009, 0xe7fe_e7fe].map(u32::to_le_bytes);
        assert_eq!(check(&last_byte.concat()), Ok(()));
        let larger = [0x2001_0000_u32, 0x0800_0009, 0xe7fe_e7fe].map(u32::to_le_bytes);
        let stack = 0x2001_0000;
        assert_eq!(
            check(&larger.concat()),
            Err(ImageError::StackOutside { stack })
        );
        // A text; ARM code; a stack in flash; a reset vector behind the end.
        let arm = [0x2000_5000_u32, 0x0800_0008, 0].map(u32::to_le_bytes);
        let stack = [0x0800_5000_u32, 0x0800_0009, 0].map(u32::to_le_bytes);
        let outside = [0x2000_5000_u32, 0x0800_1001, 0].map(u32::to_le_bytes);
        let text = b"This is no program at all.";
        for wrong in [&text[..], &arm.concat(), &stack.concat(), &outside.concat()] {
            assert!(
                matches!(check(wrong), Err(ImageError::NoVectors { .. })),
                "{wrong:02x?}"
            );
        }
    }
}
