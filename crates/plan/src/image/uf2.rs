//! UF2 (Microsoft, "USB Flashing Format (UF2)", github.com/microsoft/uf2, README).
//!
//! A file is a sequence of blocks of 512 bytes in any order, each with its own address and its
//! number among all blocks. Files for several families, each numbered for itself, may be joined.

use super::assembly::Assembly;
use super::{Format, Image, ImageError, Note, Place};

/// Size of a block, in bytes ("File format").
const BLOCK_BYTES: usize = 512;
/// First word of a block.
const MAGIC_START_0: u32 = 0x0A32_4655;
/// Second word of a block.
const MAGIC_START_1: u32 = 0x9E5D_5157;
/// Last word of a block.
const MAGIC_END: u32 = 0x0AB1_6F30;
/// Where the data of a block begins.
const DATA_OFFSET: usize = 32;
/// Most data bytes of a block.
const MOST_DATA_BYTES: usize = 476;
/// Flag: the block is not for the main flash, and is to be skipped ("Flags").
const NOT_MAIN_FLASH: u32 = 0x0000_0001;
/// Flag: the file holds files of a file system, not addresses ("File containers").
const FILE_CONTAINER: u32 = 0x0000_1000;
/// Flag: the eighth word is the family ("Family ID").
const FAMILY_ID_PRESENT: u32 = 0x0000_2000;

/// Whether `bytes` begin like a block.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && word(bytes, 0) == MAGIC_START_0 && word(bytes, 4) == MAGIC_START_1
}

/// What the header of a block says.
struct Block<'a> {
    offset: u64,
    flags: u32,
    address: u32,
    number: u32,
    count: u32,
    /// 0 where the block names none.
    family: u32,
    data: &'a [u8],
}

/// Reads a whole file, or of one for several families the part for `wanted`.
pub(super) fn parse(bytes: &[u8], wanted: Option<u32>) -> Result<Assembly, ImageError> {
    if !looks_like(bytes) {
        return Err(ImageError::NotThisFormat {
            format: Format::Uf2,
            place: Place::Offset(0),
        });
    }
    let mut blocks = Vec::with_capacity(bytes.len() / BLOCK_BYTES);
    for (n, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
        blocks.push(Block::read((n * BLOCK_BYTES) as u64, block)?);
    }
    let family = choose_family(&blocks, wanted)?;
    blocks.retain(|block| block.family == family);
    check_numbers(&blocks)?;

    let mut assembly = Assembly::default();
    if blocks
        .iter()
        .any(|block| block.flags & FAMILY_ID_PRESENT != 0)
    {
        assembly.families.push(family);
    }
    let skipped = blocks
        .iter()
        .filter(|block| block.flags & NOT_MAIN_FLASH != 0)
        .count();
    if skipped > 0 {
        assembly.notes.push(Note::NotMainFlash {
            blocks: skipped as u64,
        });
    }
    for block in blocks
        .iter()
        .filter(|block| block.flags & NOT_MAIN_FLASH == 0)
    {
        let (address, place) = (u64::from(block.address), Place::Offset(block.offset));
        let data_bytes = block.data.len() as u64;
        if address + data_bytes > 1 << 32 {
            return Err(ImageError::AddressOverflow {
                place,
                address,
                bytes: data_bytes,
            });
        }
        assembly.add(address, block.data, place)?;
    }
    Ok(assembly)
}

impl<'a> Block<'a> {
    fn read(offset: u64, block: &'a [u8]) -> Result<Self, ImageError> {
        if block.len() < BLOCK_BYTES {
            let (needed, left) = (BLOCK_BYTES as u64, block.len() as u64);
            return Err(ImageError::truncated(offset, "a UF2 block", needed, left));
        }
        for (at, expected) in [
            (0, MAGIC_START_0),
            (4, MAGIC_START_1),
            (BLOCK_BYTES - 4, MAGIC_END),
        ] {
            let found = word(block, at);
            if found != expected {
                let what = "the magic number of a UF2 block";
                return Err(ImageError::wrong_field(
                    offset + at as u64,
                    what,
                    found,
                    expected,
                ));
            }
        }
        let field = |at, what, found: u32| ImageError::bad_field(offset + at, what, found);
        let flags = word(block, 8);
        if flags & FILE_CONTAINER != 0 {
            return Err(field(
                8,
                "the flags of a UF2 block (a file container)",
                flags,
            ));
        }
        let payload = word(block, 16);
        if payload == 0 || payload as usize > MOST_DATA_BYTES {
            return Err(field(16, "the payload size of a UF2 block", payload));
        }
        let (number, count) = (word(block, 20), word(block, 24));
        if number >= count {
            return Err(field(20, "the number of a UF2 block", number));
        }
        Ok(Self {
            offset,
            flags,
            address: word(block, 12),
            number,
            count,
            family: if flags & FAMILY_ID_PRESENT != 0 {
                word(block, 28)
            } else {
                0
            },
            data: &block[DATA_OFFSET..DATA_OFFSET + payload as usize],
        })
    }
}

fn choose_family(blocks: &[Block<'_>], wanted: Option<u32>) -> Result<u32, ImageError> {
    let mut families: Vec<u32> = blocks.iter().map(|block| block.family).collect();
    families.sort_unstable();
    families.dedup();
    match (wanted, &families[..]) {
        // A file that names no family is for any.
        (_, [0]) => Ok(0),
        (Some(wanted), _) if families.contains(&wanted) => Ok(wanted),
        (Some(wanted), _) => Err(ImageError::NotThisFamily { wanted, families }),
        (None, &[only]) => Ok(only),
        (None, _) => Err(ImageError::SeveralFamilies { families }),
    }
}

/// Every number exactly once, and all blocks agree on how many there are.
fn check_numbers(blocks: &[Block<'_>]) -> Result<(), ImageError> {
    let said = blocks.first().map_or(0, |block| block.count);
    let mut numbers = Vec::with_capacity(blocks.len());
    for block in blocks {
        if block.count != said {
            let (offset, what) = (block.offset + 24, "the number of blocks");
            return Err(ImageError::wrong_field(offset, what, block.count, said));
        }
        numbers.push((block.number, block.offset));
    }
    numbers.sort_unstable();
    let twice = numbers.windows(2).find(|pair| pair[0].0 == pair[1].0);
    if let Some(&[_, (number, offset)]) = twice {
        let what = "a block number that was there before and";
        return Err(ImageError::bad_field(offset + 20, what, number));
    }
    let found = numbers.len() as u32;
    if found != said {
        let gap = (0..).zip(&numbers).find(|(n, (number, _))| n != number);
        let missing = gap.map_or(found, |(n, _)| n);
        return Err(ImageError::MissingBlocks {
            said,
            found,
            missing,
        });
    }
    Ok(())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Data bytes of a block that is written; blocks end at multiples of this, which is what the
/// loaders that take UF2 program ("Overview").
const PAYLOAD_BYTES: u64 = 256;

/// Writes a file; every address fits 32 bits. The number of blocks does too, a block holding at
/// least a byte.
pub(super) fn write(image: &Image, family: Option<u32>) -> Vec<u8> {
    let mut blocks = Vec::new();
    for segment in image.segments() {
        let mut address = segment.address;
        let mut rest = &segment.data[..];
        while !rest.is_empty() {
            let next = (address / PAYLOAD_BYTES + 1) * PAYLOAD_BYTES;
            let (data, more) = rest.split_at(rest.len().min((next - address) as usize));
            blocks.push((address as u32, data));
            address = next;
            rest = more;
        }
    }
    let flags = if family.is_some() {
        FAMILY_ID_PRESENT
    } else {
        0
    };
    let mut out = Vec::with_capacity(blocks.len() * BLOCK_BYTES);
    for (n, (address, data)) in blocks.iter().enumerate() {
        let count = blocks.len() as u32;
        let words = [
            MAGIC_START_0,
            MAGIC_START_1,
            flags,
            *address,
            data.len() as u32,
            n as u32,
            count,
            family.unwrap_or(0),
        ];
        out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        out.extend_from_slice(data);
        out.resize((n + 1) * BLOCK_BYTES - 4, 0);
        out.extend(MAGIC_END.to_le_bytes());
    }
    out
}
