//! The loader's parser: bytes in, steps for its processor out.
//!
//! Ruled by AN3155, and AN4221 (revision 14) on I2C. Like the loaders themselves it knows no time-outs: half a frame is waited for
//! for ever, and after a NACK whatever still arrives is taken for an opcode. It does not know what
//! wire its bytes come over, nor how long its steps take; that is [`Chip`](super::Chip)'s business.

use std::collections::VecDeque;
use std::time::Duration;

use flashwire_protocol::stm32::{
    ACK, CHECKSUM_ALIGN_BYTES, Command, DecodeError, EraseRequest, FlashCrc, NACK, PageCount, SYNC,
    SpecialErase, WRITE_ALIGN_BYTES, check, complement, decode_byte_count, decode_erase,
    decode_extended_erase, decode_page_count, decode_word, decode_write, xor,
};

use super::memory::{Memory, Region};
use super::options::ReadProtection;
use super::part::{I2cLoader, Part};
use crate::ComplaintKind;

/// Most pages of one Extended Erase list that a loader keeps; it acknowledges longer lists and
/// forgets the rest. The figure is that of ST's Open Bootloader, whose buffer is 1164 bytes.
const MAX_ERASE_PAGES: usize = 580;

/// Cycles of the loader's clock for each word of a checksum: load, feed, compare, branch. No
/// document states it; an assumption.
const CHECKSUM_CYCLES_PER_WORD: u32 = 12;

/// Something the loader's processor does, which takes its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Sends bytes back to back, waiting for the last to leave.
    Send(Vec<u8>),
    /// Waits: the time between the end of a frame and what it leads to.
    Wait(Duration),
    /// Computes a checksum.
    Compute(Duration),
    /// Programs flash, then acknowledges.
    Program { address: u32, data: Vec<u8> },
    /// Erases units, one after the other.
    Erase(VecDeque<u32>),
    /// Erases whole banks by the mass erase of the flash.
    EraseBanks(Vec<u32>),
    /// Programs option bytes.
    ProgramOptions {
        cells: std::ops::Range<usize>,
        data: Vec<u8>,
    },
    /// Changes the protection against writing: these codes only, or none.
    WriteProtect(Option<Vec<u8>>),
    /// Changes the protection against reading.
    ReadoutProtect(bool),
    /// Writes RAM.
    WriteRam { address: u32, data: Vec<u8> },
    /// Resets the chip.
    Reset,
    /// Loads the stack pointer from an address and jumps where the next word points to.
    Go(u32),
}

impl Step {
    /// What the loader does, after "while the loader".
    pub(super) fn doing(&self) -> &'static str {
        match self {
            Self::Send(_) => "was sending",
            Self::Wait(_) | Self::Compute(_) => "was computing",
            Self::Program { .. } => "was programming flash",
            Self::Erase(_) | Self::EraseBanks(_) => "was erasing flash",
            Self::ProgramOptions { .. } | Self::WriteProtect(_) | Self::ReadoutProtect(_) => {
                "was programming option bytes"
            }
            Self::WriteRam { .. } => "was writing RAM",
            Self::Reset | Self::Go(_) => "was leaving",
        }
    }
}

/// Steps, and what the loader holds against its host.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) steps: VecDeque<Step>,
    pub(super) complaints: Vec<(ComplaintKind, String)>,
}

impl Outcome {
    fn send(&mut self, bytes: impl Into<Vec<u8>>) {
        self.steps.push_back(Step::Send(bytes.into()));
    }

    fn ack(&mut self) {
        self.send([ACK]);
    }

    fn nack(&mut self) {
        self.send([NACK]);
    }

    fn then(&mut self, step: Step) {
        self.steps.push_back(step);
    }

    fn complain(&mut self, kind: ComplaintKind, detail: impl Into<String>) {
        self.complaints.push((kind, detail.into()));
    }
}

/// Which frame the parser is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Between commands: a code and its complement.
    Opcode,
    /// The address of this command.
    Address(Command),
    /// The length of Read Memory.
    ReadCount {
        /// Where to read.
        address: u32,
    },
    /// The data of Write Memory.
    Data {
        /// Where to write.
        address: u32,
    },
    /// The page list of Erase.
    Pages,
    /// The page list of Extended Erase.
    ExtendedPages,
    /// The sector list of Write Protect.
    Sectors,
    /// On I2C: how many pages an erase has.
    PageCount,
    /// On I2C: which pages those are.
    PageList {
        /// How many.
        pages: usize,
    },
    /// On I2C: how many sectors Write Protect has.
    SectorCount,
    /// On I2C: which sectors those are.
    SectorList {
        /// How many.
        sectors: usize,
    },
    /// The size of Get Checksum.
    ChecksumSize {
        /// Where to begin.
        address: u32,
    },
    /// The polynomial of Get Checksum.
    ChecksumPolynomial {
        /// Where to begin.
        address: u32,
        /// How many bytes.
        bytes: u32,
    },
    /// The initial value of Get Checksum.
    ChecksumInitial {
        /// Where to begin.
        address: u32,
        /// How many bytes.
        bytes: u32,
        /// The polynomial.
        polynomial: u32,
    },
}

impl Phase {
    /// How many bytes the frame has, as far as what has arrived of it tells.
    fn length(self, frame: &[u8]) -> usize {
        match self {
            Self::Opcode | Self::ReadCount { .. } | Self::SectorCount => 2,
            Self::PageCount => 3,
            Self::PageList { pages } => 2 * pages + 1,
            Self::SectorList { sectors } => sectors + 1,
            Self::Address(_)
            | Self::ChecksumSize { .. }
            | Self::ChecksumPolynomial { .. }
            | Self::ChecksumInitial { .. } => 5,
            // A count that is one too small, data, checksum.
            Self::Data { .. } | Self::Sectors => match frame {
                [count, ..] => usize::from(*count) + 3,
                [] => 1,
            },
            Self::Pages => match frame {
                [0xFF, ..] => 2,
                [count, ..] => usize::from(*count) + 3,
                [] => 1,
            },
            Self::ExtendedPages => match frame {
                [high, low, ..] => match u16::from_be_bytes([*high, *low]) {
                    0xFFF0.. => 3,
                    count => 2 * usize::from(count) + 5,
                },
                _ => 2,
            },
        }
    }
}

/// The parser.
#[derive(Debug)]
pub(super) struct Rom {
    part: &'static Part,
    /// The interface that its host is on, if that is I2C.
    i2c: Option<I2cLoader>,
    phase: Phase,
    frame: Vec<u8>,
    /// The command under way, or the last one.
    command: Option<Command>,
}

impl Rom {
    pub(super) fn new(part: &'static Part, i2c: Option<I2cLoader>) -> Self {
        Self {
            part,
            i2c,
            phase: Phase::Opcode,
            frame: Vec::new(),
            command: None,
        }
    }

    /// Whether the command under way lets the loader say BUSY while it works.
    pub(super) fn answers_busy(&self) -> bool {
        self.command.is_some_and(Command::answers_busy)
    }

    /// The commands that this interface lists.
    fn commands(&self) -> &'static [Command] {
        self.i2c
            .map_or(self.part.loader.commands, |i2c| i2c.commands())
    }

    /// An answer and the ACK behind it: on I2C a frame of its own.
    fn answer(&self, mut bytes: Vec<u8>, out: &mut Outcome) {
        if self.i2c.is_some() {
            out.send(bytes);
            out.ack();
        } else {
            bytes.push(ACK);
            out.send(bytes);
        }
    }

    /// Which frame it is in, and how many bytes of it have arrived.
    pub(super) fn phase(&self) -> (Phase, usize) {
        (self.phase, self.frame.len())
    }

    /// Takes a byte.
    pub(super) fn take(&mut self, byte: u8, memory: &Memory) -> Outcome {
        let mut outcome = Outcome::default();
        self.frame.push(byte);
        if self.frame.len() >= self.phase.length(&self.frame) {
            let frame = std::mem::take(&mut self.frame);
            self.phase = self.end_of_frame(&frame, memory, &mut outcome);
        }
        outcome
    }

    /// Acts on a whole frame; returns the phase that follows.
    fn end_of_frame(&mut self, frame: &[u8], memory: &Memory, out: &mut Outcome) -> Phase {
        match self.phase {
            Phase::Opcode => return self.opcode(frame, memory, out),
            Phase::Address(command) => match decode_word(frame) {
                Ok(address) => return self.address(command, address, memory, out),
                Err(_) => refuse_checksum(out, "address", frame),
            },
            Phase::ReadCount { address } => match frame.try_into().map(decode_byte_count) {
                Ok(Ok(count)) => self.read(address, count, memory, out),
                _ => refuse_checksum(out, "length", frame),
            },
            Phase::Data { address } => match decode_write(frame) {
                Ok(data) => write(address, data, memory, out),
                Err(_) => refuse_checksum(out, "data", frame),
            },
            Phase::Pages => match decode_erase(frame) {
                Ok(EraseRequest::Pages(pages)) => {
                    self.erase(pages.iter().map(|page| u32::from(*page)), out);
                }
                Ok(EraseRequest::Special(special)) => self.special_erase(special, out),
                Err(_) => refuse_checksum(out, "page list", frame),
            },
            Phase::ExtendedPages => match decode_extended_erase(frame) {
                Ok(EraseRequest::Pages(pages)) => self.extended_erase(pages, out),
                Ok(EraseRequest::Special(special)) => self.special_erase(special, out),
                Err(DecodeError::Reserved(code)) => refuse_reserved(out, code),
                Err(_) => refuse_checksum(out, "page list", frame),
            },
            Phase::Sectors => match decode_write(frame) {
                Ok(codes) => write_protect(codes, out),
                Err(_) => refuse_checksum(out, "sector list", frame),
            },
            Phase::PageCount => match decode_page_count(frame) {
                Ok(PageCount::Pages(pages)) => {
                    out.ack();
                    return Phase::PageList { pages };
                }
                Ok(PageCount::Special(special)) => self.special_erase(special, out),
                Err(DecodeError::Reserved(code)) => refuse_reserved(out, code),
                Err(_) => refuse_checksum(out, "page count", frame),
            },
            Phase::PageList { .. } => match check(frame) {
                Ok(pages) => self.extended_erase(pages, out),
                Err(_) => refuse_checksum(out, "page list", frame),
            },
            Phase::SectorCount => match frame.try_into().map(decode_byte_count) {
                Ok(Ok(sectors)) => {
                    out.ack();
                    return Phase::SectorList { sectors };
                }
                _ => refuse_checksum(out, "sector count", frame),
            },
            Phase::SectorList { .. } => match check(frame) {
                Ok(codes) => write_protect(codes, out),
                Err(_) => refuse_checksum(out, "sector list", frame),
            },
            Phase::ChecksumSize { address } => match decode_word(frame) {
                Ok(bytes) if self.can_be_summed(address, bytes) => {
                    out.ack();
                    if self.i2c.is_some() {
                        // The unit's own polynomial and initial value: section 2.20.
                        self.checksum(address, bytes, FlashCrc::default(), memory, out);
                        return Phase::Opcode;
                    }
                    return Phase::ChecksumPolynomial { address, bytes };
                }
                Ok(bytes) => {
                    out.complain(
                        ComplaintKind::OutOfRange,
                        format!("Get Checksum of {bytes} bytes from 0x{address:08X}"),
                    );
                    out.nack();
                }
                Err(_) => refuse_checksum(out, "size", frame),
            },
            Phase::ChecksumPolynomial { address, bytes } => match decode_word(frame) {
                Ok(polynomial) => {
                    out.ack();
                    return Phase::ChecksumInitial {
                        address,
                        bytes,
                        polynomial,
                    };
                }
                Err(_) => refuse_checksum(out, "polynomial", frame),
            },
            Phase::ChecksumInitial {
                address,
                bytes,
                polynomial,
            } => match decode_word(frame) {
                Ok(initial) => {
                    out.ack();
                    let crc = FlashCrc::new(polynomial, initial);
                    self.checksum(address, bytes, crc, memory, out);
                }
                Err(_) => refuse_checksum(out, "initial value", frame),
            },
        }
        Phase::Opcode
    }

    fn opcode(&mut self, frame: &[u8], memory: &Memory, out: &mut Outcome) -> Phase {
        let [code, check] = *frame else {
            return Phase::Opcode;
        };
        if complement(code) != check {
            // Two 0x7F are how a host asks whether the loader is awake already.
            if frame != [SYNC, SYNC] {
                refuse_checksum(out, "opcode", frame);
            } else {
                out.nack();
            }
            return Phase::Opcode;
        }
        let listed = Command::try_from(code)
            .ok()
            .filter(|command| self.commands().contains(command));
        let Some(command) = listed else {
            out.complain(
                ComplaintKind::Unsupported,
                format!("command 0x{code:02X}, which Get does not list"),
            );
            out.nack();
            return Phase::Opcode;
        };
        let protection = memory.options.read_protection(&self.part.options);
        let protected = protection != ReadProtection::Level0;
        if protected && !command.works_under_read_protection() {
            out.nack();
            return Phase::Opcode;
        }
        out.ack();
        self.command = Some(command);
        self.begin(command, out)
    }

    /// What follows the acknowledge of an opcode.
    fn begin(&self, command: Command, out: &mut Outcome) -> Phase {
        let loader = &self.part.loader;
        match command {
            Command::Get => {
                // The count is one less than what follows it: version and codes.
                let version = self.i2c.map_or(loader.version, |i2c| i2c.version);
                let commands = self.commands();
                let mut answer = vec![commands.len() as u8, version];
                answer.extend(commands.iter().map(|command| command.code()));
                self.answer(answer, out);
            }
            Command::GetVersion => match self.i2c {
                Some(i2c) => self.answer(vec![i2c.version], out),
                None => self.answer(vec![loader.version, 0, 0], out),
            },
            Command::GetId => {
                let id = self.part.product_id.to_be_bytes();
                let id = self.part.loader.long_id.unwrap_or(&id);
                let count = id.len() as u8 - 1;
                self.answer([&[count], id].concat(), out);
            }
            Command::ReadMemory
            | Command::Go
            | Command::WriteMemory
            | Command::NoStretchWriteMemory
            | Command::GetChecksum => return Phase::Address(command),
            Command::Erase => return Phase::Pages,
            Command::ExtendedErase | Command::NoStretchErase if self.i2c.is_some() => {
                return Phase::PageCount;
            }
            Command::ExtendedErase | Command::NoStretchErase => return Phase::ExtendedPages,
            Command::WriteProtect | Command::NoStretchWriteProtect if self.i2c.is_some() => {
                return Phase::SectorCount;
            }
            Command::WriteProtect | Command::NoStretchWriteProtect => return Phase::Sectors,
            Command::WriteUnprotect | Command::NoStretchWriteUnprotect => {
                out.then(Step::WriteProtect(None));
                out.ack();
                out.then(Step::Reset);
            }
            Command::ReadoutProtect | Command::NoStretchReadoutProtect => {
                out.then(Step::ReadoutProtect(true));
                out.ack();
                out.then(Step::Reset);
            }
            Command::ReadoutUnprotect | Command::NoStretchReadoutUnprotect => {
                if loader.acks_unprotect_first {
                    out.ack();
                    out.then(Step::ReadoutProtect(false));
                } else {
                    out.then(Step::ReadoutProtect(false));
                    out.ack();
                }
                out.then(Step::Reset);
            }
            // Nothing behind them is known here that a host could ask for.
            Command::Special | Command::ExtendedSpecial => {}
        }
        Phase::Opcode
    }

    fn address(&self, command: Command, address: u32, memory: &Memory, out: &mut Outcome) -> Phase {
        let region = memory.region(address);
        let (allowed, next) = match command {
            Command::ReadMemory => (region.is_some(), Phase::ReadCount { address }),
            Command::WriteMemory | Command::NoStretchWriteMemory => {
                let allowed = match region {
                    Some(Region::Flash | Region::Ram { .. }) => true,
                    Some(Region::Options { at_start, .. }) => at_start,
                    Some(Region::System) | None => false,
                };
                (allowed, Phase::Data { address })
            }
            Command::Go => {
                let allowed = matches!(region, Some(Region::Flash | Region::Ram { .. }));
                (allowed, Phase::Opcode)
            }
            _ => {
                let aligned = address.is_multiple_of(CHECKSUM_ALIGN_BYTES);
                let allowed = aligned && region == Some(Region::Flash);
                (allowed, Phase::ChecksumSize { address })
            }
        };
        if !allowed {
            out.complain(
                ComplaintKind::OutOfRange,
                format!("{} at 0x{address:08X}", command.name()),
            );
            out.nack();
            return Phase::Opcode;
        }
        out.ack();
        if command == Command::Go {
            out.then(Step::Go(address));
        }
        next
    }

    fn read(&self, address: u32, count: usize, memory: &Memory, out: &mut Outcome) {
        let whole_blocks = self.part.loader.reads_system_in_blocks;
        if whole_blocks
            && memory.region(address) == Some(Region::System)
            && (count < SYSTEM_BLOCK_BYTES as usize || !address.is_multiple_of(SYSTEM_BLOCK_BYTES))
        {
            out.nack();
            return;
        }
        let bytes: Vec<Option<u8>> = (0..count as u32)
            .map(|offset| memory.byte(address.checked_add(offset)?))
            .collect();
        if bytes.contains(&None) {
            // Only the start was checked. Some chips fault here; this one reads ones.
            out.complain(
                ComplaintKind::OutOfRange,
                format!("Read Memory of {count} bytes from 0x{address:08X} runs past the end"),
            );
        }
        out.ack();
        let bytes: Vec<u8> = bytes.into_iter().map(|byte| byte.unwrap_or(0xFF)).collect();
        out.send(bytes);
    }

    fn extended_erase(&self, pages: &[u8], out: &mut Outcome) {
        let pages = pages
            .chunks_exact(2)
            .map(|page| u32::from(u16::from_be_bytes([page[0], page[1]])));
        if pages.len() > MAX_ERASE_PAGES {
            out.complain(
                ComplaintKind::Limit,
                format!(
                    "Extended Erase of {} pages: all behind the first {MAX_ERASE_PAGES} are forgotten",
                    pages.len()
                ),
            );
        }
        self.erase(pages.take(MAX_ERASE_PAGES), out);
    }

    fn erase(&self, pages: impl Iterator<Item = u32>, out: &mut Outcome) {
        let flash = &self.part.flash;
        let all = flash.bank_units() * flash.banks;
        let mut units = VecDeque::new();
        for page in pages {
            if page < all {
                units.push_back(page);
            } else {
                // Not checked by the loaders; nothing happens.
                out.complain(ComplaintKind::OutOfRange, format!("erase of page {page}"));
            }
        }
        out.then(Step::Erase(units));
        out.ack();
    }

    fn special_erase(&self, special: SpecialErase, out: &mut Outcome) {
        let flash = &self.part.flash;
        let banks = match special {
            SpecialErase::Mass => (0..flash.banks).collect(),
            SpecialErase::Bank1 if flash.banks == 2 => vec![0],
            SpecialErase::Bank2 if flash.banks == 2 => vec![1],
            SpecialErase::Bank1 | SpecialErase::Bank2 => Vec::new(),
        };
        if flash.mass_erase.is_none() || banks.is_empty() {
            out.nack();
        } else {
            out.then(Step::EraseBanks(banks));
            out.ack();
        }
    }

    fn can_be_summed(&self, address: u32, bytes: u32) -> bool {
        let flash = self.part.flash.addresses();
        bytes > 0
            && bytes.is_multiple_of(CHECKSUM_ALIGN_BYTES)
            && address
                .checked_add(bytes)
                .is_some_and(|end| end <= flash.end)
    }

    fn checksum(
        &self,
        address: u32,
        bytes: u32,
        mut crc: FlashCrc,
        memory: &Memory,
        out: &mut Outcome,
    ) {
        let words = bytes / 4;
        for word in 0..words {
            crc.update(memory.word(address + 4 * word).unwrap_or(u32::MAX));
        }
        let cycles = words.saturating_mul(CHECKSUM_CYCLES_PER_WORD);
        out.then(Step::Compute(self.part.loader.cycles(cycles)));
        out.ack();
        let sum = crc.value().to_be_bytes();
        out.send([sum[0], sum[1], sum[2], sum[3], xor(&sum)]);
    }
}

/// Blocks in which picky loaders read system memory, in bytes.
const SYSTEM_BLOCK_BYTES: u32 = 128;

fn refuse_checksum(out: &mut Outcome, what: &str, frame: &[u8]) {
    let shown = &frame[..frame.len().min(8)];
    out.complain(
        ComplaintKind::Checksum,
        format!("{what} with a wrong check: {shown:02X?}"),
    );
    out.nack();
}

fn refuse_reserved(out: &mut Outcome, code: u16) {
    out.complain(
        ComplaintKind::Unsupported,
        format!("Extended Erase with the reserved code 0x{code:04X}"),
    );
    out.nack();
}

fn write_protect(codes: &[u8], out: &mut Outcome) {
    out.then(Step::WriteProtect(Some(codes.to_vec())));
    out.ack();
    out.then(Step::Reset);
}

fn write(address: u32, data: &[u8], memory: &Memory, out: &mut Outcome) {
    if !address.is_multiple_of(WRITE_ALIGN_BYTES as u32)
        || !data.len().is_multiple_of(WRITE_ALIGN_BYTES)
    {
        out.complain(
            ComplaintKind::Misaligned,
            format!(
                "Write Memory of {} bytes at 0x{address:08X}: not whole words",
                data.len()
            ),
        );
    }
    let data = data.to_vec();
    match memory.region(address) {
        Some(Region::Flash) => out.then(Step::Program { address, data }),
        Some(Region::Ram { .. }) => {
            out.then(Step::WriteRam { address, data });
            out.ack();
        }
        Some(Region::Options { cells, .. }) => {
            out.then(Step::ProgramOptions { cells, data });
            out.ack();
            out.then(Step::Reset);
        }
        // The address phase has refused these.
        Some(Region::System) | None => out.nack(),
    }
}
