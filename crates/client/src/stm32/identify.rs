//! Finding out what is at the other end.

use std::fmt;
use std::ops::Range;

use flashwire_protocol::stm32::{BLOCK_BYTES, Command, CommandSet};

use super::{Bootloader, Error, Part, Parts, Phase, Quirk};

/// What a loader and its chip say of themselves, and what the tables add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The product id.
    pub product_id: u16,
    /// What the tables say of it; a generic part if they do not know it.
    pub part: Part,
    /// Whether the tables know it.
    pub known: bool,
    /// Version of the protocol, one decimal digit in each half: 0x22 is 2.2.
    pub version: u8,
    /// The commands that the loader lists.
    pub commands: CommandSet,
    /// The bootloader id, where it was needed or came along; see
    /// [`Bootloader::bootloader_id`].
    pub bootloader_id: Option<u8>,
    /// Size of the flash in KiB as the chip's own register has it.
    pub flash_kib: Option<u32>,
    /// The chip's unique id.
    pub unique_id: Option<UniqueId>,
    /// Whether the flash is read protected. Then nothing above that had to be read is known.
    pub read_protected: bool,
}

/// The 96 bits that no two chips share, in the order of the reference manuals' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UniqueId(pub [u8; 12]);

impl Identity {
    /// Size of the flash in bytes: the chip's own figure, else the largest sold under this id.
    pub fn flash_bytes(&self) -> Option<u64> {
        let kib = self.flash_kib.or(self.part.flash_kib)?;
        Some(u64::from(kib) * 1024)
    }
}

impl fmt::Display for UniqueId {
    /// The three words as they read in a debugger: each most significant byte first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self
            .0
            .chunks_exact(4)
            .map(|word| word.iter().rev().map(|b| format!("{b:02X}")).collect())
            .collect();
        f.write_str(&words.join("-"))
    }
}

/// A place in system memory and what was read from it.
struct Window {
    start: u32,
    bytes: Vec<u8>,
}

impl Window {
    fn get<const N: usize>(&self, address: u32) -> Option<[u8; N]> {
        let offset = address.checked_sub(self.start)? as usize;
        self.bytes.get(offset..offset + N)?.try_into().ok()
    }
}

/// Length of the unique id with the gap in it. See [`Quirk::SplitUniqueId`].
const SPLIT_UNIQUE_ID_BYTES: u32 = 0x18;

impl Bootloader {
    /// Asks for version, commands and product id, and reads flash size and unique id. Everything is
    /// asked until two answers agree, for none of them has a checksum.
    ///
    /// An id that `parts` does not know is no error, and neither is read protection: both stand in
    /// the answer.
    ///
    /// # Errors
    /// [`Error::Unsteady`] if answers keep differing; otherwise as [`get`](Self::get).
    pub fn identify(&mut self, parts: &Parts) -> Result<Identity, Error> {
        let answer = self.steadily(Command::Get, Self::get)?;
        let product_id = self.steadily(Command::GetId, Self::get_id)?.product_id();

        let siblings = parts.siblings(product_id);
        let known = !siblings.is_empty();
        let shared = siblings.len() > 1;
        let first = siblings.into_iter().next();
        let mut part = first.unwrap_or_else(|| Part::generic(product_id));

        let (window, read_protected) = self.read_signature(&part)?;
        let mut bootloader_id = window
            .as_ref()
            .zip(part.bootloader_id_at)
            .and_then(|(window, at)| window.get(at))
            .map(|[id]| id);
        // Where it decides what the part is, or what its loader can be trusted with.
        if (shared || part.has(Quirk::RamWriteCorrupt)) && !read_protected {
            if bootloader_id.is_none() {
                bootloader_id = self.bootloader_id(&part)?;
            }
            part = parts.find(product_id, bootloader_id).unwrap_or(part);
        }
        Ok(Identity {
            product_id,
            known,
            version: answer.version,
            commands: answer.commands,
            bootloader_id,
            flash_kib: window.as_ref().and_then(|window| flash_kib(&part, window)),
            unique_id: window.as_ref().and_then(|window| unique_id(&part, window)),
            read_protected,
            part,
        })
    }

    /// The bootloader id of a part whose table says where it stands: the loader's interfaces in the
    /// high half, its revision in the low one. AN2606, "Bootloader identification". `None` where
    /// it cannot be read.
    ///
    /// # Errors
    /// As [`read_memory`](Self::read_memory), but for refusals.
    pub fn bootloader_id(&mut self, part: &Part) -> Result<Option<u8>, Error> {
        let Some(at) = part.bootloader_id_at else {
            return Ok(None);
        };
        let window = self.read_window(part, &(at..at + 1))?;
        Ok(window.and_then(|window| window.get(at)).map(|[id]| id))
    }

    /// Flash size, unique id and, if it is near, the bootloader id, and whether the flash is read
    /// protected.
    fn read_signature(&mut self, part: &Part) -> Result<(Option<Window>, bool), Error> {
        let read = match signature(part) {
            Some(range) => self.read_window(part, &range),
            None => {
                let mut word = [0; 4];
                self.readable(part.flash_start, &mut word).map(|_| None)
            }
        };
        match read {
            Ok(window) => Ok((window, false)),
            Err(Error::ReadProtected { .. }) => Ok((None, true)),
            Err(error) => Err(error),
        }
    }

    /// Reads a range of system memory, widened to an aligned block where the loader wants that.
    /// `None` where the loader refuses to.
    fn read_window(&mut self, part: &Part, range: &Range<u32>) -> Result<Option<Window>, Error> {
        if part.has(Quirk::NoSystemReads) {
            return Ok(None);
        }
        if !part.has(Quirk::AlignedSystemReads) {
            let window = self.read_steadily(range)?;
            if window.is_some() {
                return Ok(window);
            }
        }
        let block = aligned_block(range);
        if block.len() > self.options.frame.read_bytes() {
            // The adapter cannot take such a block in one piece, and the loader gives no other.
            return Ok(None);
        }
        self.read_steadily(&block)
    }

    fn read_steadily(&mut self, range: &Range<u32>) -> Result<Option<Window>, Error> {
        let mut bytes = vec![0; range.len()];
        let read = self.steadily(Command::ReadMemory, |l| {
            let readable = l.readable(range.start, &mut bytes)?;
            Ok(readable.then(|| bytes.clone()))
        })?;
        Ok(read.map(|bytes| Window {
            start: range.start,
            bytes,
        }))
    }

    /// Reads memory that the loader may refuse to read: whether it did not. A refused opcode is
    /// asked again, so that a disturbed line does not pass for read protection.
    pub(super) fn readable(&mut self, address: u32, out: &mut [u8]) -> Result<bool, Error> {
        let refused =
            |error: &Error, phase| matches!(error, Error::Nack { step } if step.phase == phase);
        let first = match self.read_pieces(address, out) {
            Err(error) if refused(&error, Phase::Opcode) => {
                self.get_version()?;
                self.read_pieces(address, out)
            }
            first => first,
        };
        match first {
            Ok(()) => Ok(true),
            Err(error) if refused(&error, Phase::Opcode) => Err(Error::ReadProtected {
                command: Command::ReadMemory,
            }),
            Err(error) if refused(&error, Phase::Address) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks until two answers in a row agree.
    fn steadily<T: PartialEq>(
        &mut self,
        command: Command,
        mut ask: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut last = self.persist(&mut ask)?;
        let tries = self.options.retries + 1;
        for _ in 0..tries {
            let again = self.persist(&mut ask)?;
            if again == last {
                return Ok(again);
            }
            last = again;
        }
        Err(Error::Unsteady {
            command,
            tries: tries + 1,
        })
    }
}

/// The range that holds everything about the chip that one read can fetch.
fn signature(part: &Part) -> Option<Range<u32>> {
    let size = part.flash_size_at.map(|at| at..at + 2);
    let id_bytes = if part.has(Quirk::SplitUniqueId) {
        SPLIT_UNIQUE_ID_BYTES
    } else {
        12
    };
    let unique_id = part.unique_id_at.map(|at| at..at + id_bytes);
    let bootloader_id = part.bootloader_id_at.map(|at| at..at + 1);
    [size, unique_id, bootloader_id]
        .into_iter()
        .flatten()
        .reduce(|whole, range| {
            let both = whole.start.min(range.start)..whole.end.max(range.end);
            if both.len() <= BLOCK_BYTES {
                both
            } else {
                whole
            }
        })
        .filter(|range| range.len() > 1)
}

/// The smallest block of 128 or 256 bytes from a multiple of 256 on that holds `range`.
fn aligned_block(range: &Range<u32>) -> Range<u32> {
    const BLOCK: u32 = BLOCK_BYTES as u32;
    let start = range.start / BLOCK * BLOCK;
    let half = start + BLOCK / 2;
    if range.end <= half {
        start..half
    } else {
        start..start + BLOCK
    }
}

fn flash_kib(part: &Part, window: &Window) -> Option<u32> {
    let word = window.get(part.flash_size_at?).map(u16::from_le_bytes)?;
    match word {
        0 if part.has(Quirk::SizeCode) => Some(384),
        1 if part.has(Quirk::SizeCode) => Some(256),
        0 | 0xFFFF => None,
        word if part.has(Quirk::SizeLowByte) => Some(u32::from(word & 0xFF)),
        word => Some(u32::from(word)),
    }
}

fn unique_id(part: &Part, window: &Window) -> Option<UniqueId> {
    let at = part.unique_id_at?;
    let words = if part.has(Quirk::SplitUniqueId) {
        [at, at + 0x04, at + 0x14]
    } else {
        [at, at + 4, at + 8]
    };
    let mut id = [0; 12];
    for (word, address) in id.chunks_exact_mut(4).zip(words) {
        word.copy_from_slice(&window.get::<4>(address)?);
    }
    Some(UniqueId(id))
}
