//! What there is to say about an STM32 part, for a simulator.

use std::ops::Range;
use std::time::Duration;

use flashwire_link::Parity;
use flashwire_protocol::stm32::Command;

use super::options::OptionLayout;

/// One STM32 part and its ROM loader.
#[derive(Debug)]
pub struct Part {
    /// Name of the bench: the part number in lower case, up to pins and size.
    pub name: &'static str,
    /// The part, for people.
    pub title: &'static str,
    /// Product id that Get ID answers.
    pub product_id: u16,
    /// The loader in its system memory.
    pub loader: Loader,
    /// Its main flash.
    pub flash: Flash,
    /// Its RAM areas; the loader's own memory is at the start of the first.
    pub ram: &'static [Range<u32>],
    /// System memory: the loader itself, and what the factory wrote beside it.
    pub system: &'static [Range<u32>],
    /// Address of the flash size in KiB, two bytes.
    pub size_address: u32,
    /// Address of the unique id, and the offsets of its three words from there.
    pub uid_address: u32,
    /// Offsets of the three words of the unique id.
    pub uid_words: [u32; 3],
    /// Option bytes: where they are, and which of them protect what.
    pub options: OptionLayout,
    /// Whether a chip with empty flash boots its loader although BOOT0 is low; looked at when
    /// power comes on only.
    pub empty_check: bool,
}

/// The loader of a part.
#[derive(Debug)]
pub struct Loader {
    /// Protocol version that Get answers.
    pub version: u8,
    /// Commands that Get lists, in its order.
    pub commands: &'static [Command],
    /// Address and value of the byte that tells loader versions apart; older ones have none.
    pub id: Option<(u32, u8)>,
    /// Bytes at the start of RAM that it needs for itself.
    pub ram_bytes: u32,
    /// Clock that it runs at, in Hz.
    pub clock_hz: u32,
    /// Highest speed at which it can be relied on to synchronise.
    pub max_baud: u32,
    /// From reset until it listens.
    pub start_up: Duration,
    /// Whether it refuses to read system memory but in blocks of at least 128 bytes that start at
    /// a multiple of that.
    pub reads_system_in_blocks: bool,
    /// Whether the second acknowledge of Readout Unprotect comes before the erase instead of after
    /// it.
    pub acks_unprotect_first: bool,
    /// Whether it answers NACK when programming fails. The newer ones always acknowledge.
    pub reports_program_errors: bool,
    /// The parity of its UART.
    pub parity: Parity,
    /// What it answers to Get ID, where that is not [`Part::product_id`] in two bytes.
    pub long_id: Option<&'static [u8]>,
    /// Its I2C interface, if it has one.
    pub i2c: Option<I2cLoader>,
}

/// The I2C interface of a loader (AN2606, the part's section, and table 230 for the times).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct I2cLoader {
    /// 7-bit address at which it answers.
    pub address: u8,
    /// Protocol version that Get Version answers.
    pub version: u8,
    /// Highest clock of the bus, in Hz.
    pub max_hz: u32,
    /// How long it holds the clock when it is addressed.
    pub stretch: Duration,
    /// How long it waits for the rest of a command before it resets the chip.
    pub timeout: Duration,
}

impl I2cLoader {
    /// Commands that Get lists, in its order (AN4221, section 2.1).
    pub fn commands(&self) -> &'static [Command] {
        let known = match self.version {
            0x10 => 11,
            0x11 => 17,
            0x12 => 18,
            _ => return &COMMANDS_I2C_H5,
        };
        &COMMANDS_I2C[..known]
    }

    /// Whether it survives being asked whether it is there: an address and nothing behind it
    /// (stm32flash's I2C.txt, on version 1.2).
    pub(super) fn survives_scan(&self) -> bool {
        self.version >= 0x12
    }
}

/// Commands of the I2C protocol: the first 11 are those of version 1.0, the first 17 those of 1.1.
const COMMANDS_I2C: [Command; 18] = [
    Command::Get,
    Command::GetVersion,
    Command::GetId,
    Command::ReadMemory,
    Command::Go,
    Command::WriteMemory,
    Command::ExtendedErase,
    Command::WriteProtect,
    Command::WriteUnprotect,
    Command::ReadoutProtect,
    Command::ReadoutUnprotect,
    Command::NoStretchWriteMemory,
    Command::NoStretchErase,
    Command::NoStretchWriteProtect,
    Command::NoStretchWriteUnprotect,
    Command::NoStretchReadoutProtect,
    Command::NoStretchReadoutUnprotect,
    Command::GetChecksum,
];

/// From version 2.0 on the list differs from part to part; this is the example of the H5.
const COMMANDS_I2C_H5: [Command; 15] = [
    Command::Get,
    Command::GetVersion,
    Command::GetId,
    Command::ReadMemory,
    Command::Go,
    Command::WriteMemory,
    Command::ExtendedErase,
    Command::Special,
    Command::WriteProtect,
    Command::WriteUnprotect,
    Command::NoStretchWriteMemory,
    Command::NoStretchErase,
    Command::NoStretchWriteProtect,
    Command::NoStretchWriteUnprotect,
    Command::GetChecksum,
];

/// Cycles of the loader's clock between the end of a frame and its answer.
///
/// No document states it; this is the model's assumption. It makes commands that are sent without
/// waiting for each acknowledge begin to overrun above 460,800 baud at 8 MHz and above 1 Mbaud at
/// 24 MHz, which is where boards in the field are reported to become unreliable.
const TURNAROUND_CYCLES: u32 = 160;

impl Loader {
    /// What so many cycles of its clock take.
    pub(super) fn cycles(&self, count: u32) -> Duration {
        Duration::from_nanos(u64::from(count) * 1_000_000_000 / u64::from(self.clock_hz))
    }

    /// From the end of a frame to its answer.
    pub fn turnaround(&self) -> Duration {
        self.cycles(TURNAROUND_CYCLES)
    }
}

/// The main flash of a part.
#[derive(Debug)]
pub struct Flash {
    /// Where the CPU sees it.
    pub start: u32,
    /// Banks, each laid out as `sectors`.
    pub banks: u32,
    /// Erase units of one bank, in the order of their addresses.
    pub sectors: &'static [Sectors],
    /// What a mass erase of one bank takes; `None` if the loader refuses mass erases.
    pub mass_erase: Option<Duration>,
    /// Smallest piece that can be programmed, in bytes, aligned to its size.
    pub program_bytes: usize,
    /// What programming one piece takes.
    pub program: Duration,
    /// Size of the piece that `program` is the time of, in bytes, where the loader programs faster
    /// than piece by piece.
    pub program_block: usize,
    /// What an erased byte reads as.
    pub erased: u8,
    /// What may be programmed over what.
    pub rule: ProgramRule,
}

/// Erase units of one size, one after the other.
#[derive(Debug)]
pub struct Sectors {
    /// How many.
    pub count: u32,
    /// Size of each, in bytes.
    pub bytes: u32,
    /// What erasing one takes.
    pub erase: Duration,
}

/// What may be programmed over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramRule {
    /// A piece must be blank, or the new data all zero bits; otherwise nothing is programmed.
    BlankOrToZero,
    /// A piece must be blank; otherwise nothing is programmed.
    Blank,
    /// Bits change from 1 to 0, whatever was there.
    ClearsBits,
}

impl Flash {
    /// Size of the flash, in bytes.
    pub fn bytes(&self) -> u32 {
        self.bank_bytes() * self.banks
    }

    /// Size of one bank, in bytes.
    pub fn bank_bytes(&self) -> u32 {
        self.sectors.iter().map(|s| s.count * s.bytes).sum()
    }

    /// Erase units of one bank.
    pub fn bank_units(&self) -> u32 {
        self.sectors.iter().map(|s| s.count).sum()
    }

    /// All erase units in the order of their addresses: offset and size in bytes, time.
    pub fn units(&self) -> impl Iterator<Item = Unit> + '_ {
        (0..self.banks)
            .flat_map(|_| self.sectors)
            .flat_map(|s| (0..s.count).map(move |_| s))
            .scan(0, |offset, s| {
                let unit = Unit {
                    offset: *offset,
                    bytes: s.bytes,
                    erase: s.erase,
                };
                *offset += s.bytes;
                Some(unit)
            })
    }

    /// The addresses of the flash.
    pub fn addresses(&self) -> Range<u32> {
        self.start..self.start + self.bytes()
    }
}

/// One erase unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Offset from the start of flash, in bytes.
    pub offset: u32,
    /// Size, in bytes.
    pub bytes: u32,
    /// What erasing it takes.
    pub erase: Duration,
}
