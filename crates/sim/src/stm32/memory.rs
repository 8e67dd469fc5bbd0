//! The memories of a chip, and what reading, programming and erasing does to them.

use std::ops::Range;
use std::time::Duration;

use super::options::Options;
use super::part::{Part, ProgramRule};

/// The memories of a chip.
#[derive(Debug)]
pub struct Memory {
    part: &'static Part,
    flash: Vec<u8>,
    ram: Vec<Vec<u8>>,
    /// The option bytes.
    pub options: Options,
    uid: [u8; 12],
}

/// What kind of memory an address lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Region {
    /// Main flash.
    Flash,
    /// RAM; the flag tells whether the loader needs it for itself.
    Ram {
        /// Whether the loader needs it for itself.
        reserved: bool,
    },
    /// Option bytes: the cells of the block, and whether the address is where the block starts.
    Options {
        /// The cells of the block.
        cells: Range<usize>,
        /// Whether the address is the first of the block.
        at_start: bool,
    },
    /// System memory.
    System,
}

/// What programming did, beside what it changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Programmed {
    /// Bytes dropped because they do not fill an aligned piece.
    pub misaligned: usize,
    /// Bytes in pieces that were not erased: dropped, or mixed with what was there.
    pub not_erased: usize,
    /// Bytes dropped because they are protected against writing.
    pub protected: usize,
    /// Bytes behind the end of flash.
    pub outside: usize,
    /// Whether the hardware flagged an error: something was not programmed.
    pub flagged: bool,
}

impl Memory {
    /// A chip as delivered: flash and option bytes erased, RAM random, a unique id made of `seed`.
    pub fn new(part: &'static Part, seed: u64) -> Self {
        let mut noise = Noise(seed);
        let mut memory = Self {
            part,
            flash: vec![part.flash.erased; part.flash.bytes() as usize],
            ram: Vec::new(),
            options: Options::factory(&part.options),
            uid: [0; 12],
        };
        memory.uid.fill_with(|| noise.byte());
        memory.ram = part.ram.iter().map(|area| vec![0; area.len()]).collect();
        for area in &mut memory.ram {
            area.fill_with(|| noise.byte());
        }
        memory
    }

    /// The flash.
    pub fn flash(&self) -> &[u8] {
        &self.flash
    }

    /// The flash, to fill it.
    pub fn flash_mut(&mut self) -> &mut [u8] {
        &mut self.flash
    }

    /// The unique id, its three words in the order of the reference manual.
    pub fn uid(&self) -> [u8; 12] {
        self.uid
    }

    /// What an address belongs to, as far as the loader allows it at all.
    pub fn region(&self, address: u32) -> Option<Region> {
        if self.part.flash.addresses().contains(&address) {
            return Some(Region::Flash);
        }
        if let Some(area) = self.part.ram.iter().find(|area| area.contains(&address)) {
            let reserved = area.start == self.part.ram[0].start
                && address - area.start < self.part.loader.ram_bytes;
            return Some(Region::Ram { reserved });
        }
        if let Some((cells, addresses)) = Options::block(&self.part.options, address) {
            return Some(Region::Options {
                cells,
                at_start: address == addresses.start,
            });
        }
        self.part
            .system
            .iter()
            .any(|area| area.contains(&address))
            .then_some(Region::System)
    }

    /// One byte as the CPU reads it; `None` where nothing is.
    pub fn byte(&self, address: u32) -> Option<u8> {
        let signature = self.signature_byte(address);
        match self.region(address)? {
            Region::Flash => {
                let offset = address - self.part.flash.start;
                self.flash.get(offset as usize).copied()
            }
            Region::Ram { .. } => self
                .ram_at(address)
                .map(|(area, offset)| self.ram[area][offset]),
            Region::Options { cells, .. } => {
                let (_, addresses) = Options::block(&self.part.options, address)?;
                let bytes = self.options.memory(&self.part.options, cells);
                bytes.get((address - addresses.start) as usize).copied()
            }
            // The loader's code is ST's; what stands here is only as long and as stable as it.
            Region::System => signature.or_else(|| Some(Noise(u64::from(address)).byte())),
        }
    }

    /// A word, little endian; `None` where nothing is.
    pub fn word(&self, address: u32) -> Option<u32> {
        let mut bytes = [0; 4];
        for (offset, byte) in (0..).zip(&mut bytes) {
            *byte = self.byte(address.checked_add(offset)?)?;
        }
        Some(u32::from_le_bytes(bytes))
    }

    /// What the factory wrote: size, unique id, loader id.
    fn signature_byte(&self, address: u32) -> Option<u8> {
        let part = self.part;
        let kib = (part.flash.bytes() / 1024) as u16;
        if let Some(byte) = byte_at(part.size_address, &kib.to_le_bytes(), address) {
            return Some(byte);
        }
        for (word, offset) in self.uid.chunks(4).zip(part.uid_words) {
            if let Some(byte) = byte_at(part.uid_address + offset, word, address) {
                return Some(byte);
            }
        }
        let (id_address, id) = part.loader.id?;
        byte_at(id_address, &[id], address)
    }

    fn ram_at(&self, address: u32) -> Option<(usize, usize)> {
        let area = self
            .part
            .ram
            .iter()
            .position(|area| area.contains(&address))?;
        Some((area, (address - self.part.ram[area].start) as usize))
    }

    /// Writes a byte of RAM; false if there is no RAM.
    pub fn write_ram(&mut self, address: u32, byte: u8) -> bool {
        match self.ram_at(address) {
            Some((area, offset)) => {
                self.ram[area][offset] = byte;
                true
            }
            None => false,
        }
    }

    /// What programming this many bytes of flash takes.
    pub fn program_time(&self, bytes: usize) -> Duration {
        let flash = &self.part.flash;
        let blocks = bytes.div_ceil(flash.program_block);
        flash.program * u32::try_from(blocks).unwrap_or(u32::MAX)
    }

    /// Programs flash piece by piece, at most `pieces` of them (power may fail half-way).
    pub fn program(&mut self, address: u32, data: &[u8], pieces: usize) -> Programmed {
        let flash = &self.part.flash;
        let piece = flash.program_bytes;
        let mut done = Programmed::default();
        let offset = (address - flash.start) as usize;
        if !offset.is_multiple_of(piece) {
            done.misaligned = data.len();
            return done;
        }
        let inside = data.len().min(self.flash.len() - offset);
        done.outside = data.len() - inside;
        let whole = data[..inside].chunks_exact(piece);
        done.misaligned = whole.remainder().len();
        for (index, new) in whole.enumerate().take(pieces) {
            let at = offset + index * piece;
            if self.is_write_protected(at) {
                done.protected += piece;
                continue;
            }
            let old = &mut self.flash[at..at + piece];
            let blank = old.iter().all(|byte| *byte == flash.erased);
            if !blank && old != new {
                done.not_erased += piece;
            }
            let allowed = match flash.rule {
                ProgramRule::ClearsBits => true,
                ProgramRule::Blank => blank,
                ProgramRule::BlankOrToZero => blank || new.iter().all(|byte| *byte == 0),
            };
            if !allowed {
                done.flagged = true;
                continue;
            }
            for (old, new) in old.iter_mut().zip(new) {
                *old = match flash.rule {
                    ProgramRule::ClearsBits => *old & new,
                    ProgramRule::Blank | ProgramRule::BlankOrToZero => *new,
                };
            }
        }
        done
    }

    fn is_write_protected(&self, offset: usize) -> bool {
        let unit = self.unit_at(offset);
        self.options
            .is_write_protected(&self.part.options, &self.part.flash, unit)
    }

    /// Number of the erase unit that an offset lies in.
    fn unit_at(&self, offset: usize) -> u32 {
        let mut number = 0;
        for unit in self.part.flash.units() {
            if (unit.offset + unit.bytes) as usize > offset {
                break;
            }
            number += 1;
        }
        number
    }

    /// Erases a unit unless it is protected; returns whether it did.
    pub fn erase(&mut self, number: u32) -> bool {
        let Some(unit) = self.part.flash.units().nth(number as usize) else {
            return false;
        };
        if self.is_write_protected(unit.offset as usize) {
            return false;
        }
        let range = unit.offset as usize..(unit.offset + unit.bytes) as usize;
        self.flash[range].fill(self.part.flash.erased);
        true
    }

    /// Leaves a unit half erased, as a reset in the middle of an erase does: bytes read old,
    /// erased or anything between.
    pub fn tear(&mut self, number: u32, seed: u64) {
        let Some(unit) = self.part.flash.units().nth(number as usize) else {
            return;
        };
        if self.is_write_protected(unit.offset as usize) {
            return;
        }
        let mut noise = Noise(seed);
        let erased = self.part.flash.erased;
        let range = unit.offset as usize..(unit.offset + unit.bytes) as usize;
        for byte in &mut self.flash[range] {
            let flipped = (*byte ^ erased) & noise.byte();
            *byte ^= flipped;
        }
    }

    /// Erases everything, protected or not: what taking the read protection away does.
    pub fn wipe(&mut self) {
        self.flash.fill(self.part.flash.erased);
    }
}

/// The byte of `bytes`, which stand at `start`, that an address holds.
fn byte_at(start: u32, bytes: &[u8], address: u32) -> Option<u8> {
    let offset = address.checked_sub(start)?;
    bytes.get(offset as usize).copied()
}

/// A small stream of reproducible bytes (SplitMix64): content that nobody may rely on.
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 56) as u8
    }
}
