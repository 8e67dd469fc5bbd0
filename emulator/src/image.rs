//! Firmware images: ELF, or what stands in the flash byte by byte.

/// Where the flash begins: RM0008 rev 21, section 3.3.
const FLASH_BASE: u32 = 0x0800_0000;

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
    /// An ELF file that ends too early or contradicts itself.
    #[error("the ELF file is damaged: {0}")]
    Damaged(&'static str),
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
    /// Reads an image: an ELF file, or anything else as the flash's content from its beginning.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        if bytes.starts_with(b"\x7fELF") {
            return Self::parse_elf(bytes);
        }
        if bytes.is_empty() {
            return Err(ImageError::Empty);
        }
        Ok(Self {
            segments: vec![Segment {
                address: FLASH_BASE,
                bytes: bytes.to_vec(),
                executable: true,
            }],
        })
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
}
