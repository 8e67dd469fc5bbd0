//! What an instruction means to a chip, and what goes over the bus meanwhile.

use flashwire_link::Instant;
use flashwire_protocol::spinor::{instruction as i, status};

use super::super::{Ewsr, Extent, Features, Misuse, Programming};
use super::{Chip, FLOATING, Transaction};

/// What the bytes of a transaction do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The instruction comes next.
    Instruction,
    /// Nothing, for as long as the chip is selected.
    Ignored,
    /// Memory is sent.
    Read,
    /// SFDP is sent.
    Sfdp,
    /// RDID's answer is sent.
    Id,
    /// REMS's answer is sent.
    ManufacturerAndDevice,
    /// RES's answer is sent; at the end the chip leaves deep power-down.
    Signature,
    /// The unique id is sent.
    UniqueId,
    /// A status register is sent.
    Status(usize),
    /// The flag status register is sent.
    FlagStatus,
    /// The security register is sent: nothing is locked or failed.
    SecurityRegister,
    /// The extended address or bank register is sent.
    UpperAddress,
    /// An instruction without anything, done when the chip is deselected.
    Plain(Plain),
    /// Data to program comes in.
    Program,
    /// Data of a step of auto address increment comes in.
    Increment,
    /// The address of an erase comes in; index into the part's erases.
    Erase(usize),
    /// Values of status registers come in, from this one on.
    WriteStatus(usize),
    /// A value for the extended address or bank register comes in.
    WriteUpperAddress,
}

/// Instructions that are one byte and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    WriteEnable,
    WriteDisable,
    StatusEnable,
    ClearFlags,
    PowerDown,
    Enter4Byte,
    Exit4Byte,
    ResetEnable,
    Reset,
}

impl Chip {
    /// Takes the first byte of a transaction.
    pub(super) fn begin(&mut self, now: Instant, transaction: &mut Transaction, instruction: u8) {
        self.activity.transactions += 1;
        transaction.instruction = instruction;
        transaction.action = self.admit(now, instruction);
        let (address_bytes, dummy_bytes) = self.shape(instruction, transaction.action);
        transaction.address_bytes = address_bytes;
        transaction.dummy_bytes = dummy_bytes;
        self.check_clock(now, transaction);
    }

    /// What an instruction is to do in the state that the chip is in.
    fn admit(&mut self, now: Instant, instruction: u8) -> Action {
        let Some(action) = self.meaning(instruction) else {
            self.activity.ignored_unknown += 1;
            return Action::Ignored;
        };
        let reset = matches!(action, Action::Plain(Plain::ResetEnable | Plain::Reset));
        let poll = matches!(action, Action::Status(_) | Action::FlagStatus);
        if matches!(action, Action::Status(0) | Action::FlagStatus) {
            self.activity.polls += 1;
        }
        if self.operation.is_some() && !poll && !reset {
            self.activity.ignored_while_busy += 1;
            return Action::Ignored;
        }
        if self.powered_down && action != Action::Signature && !reset {
            self.activity.ignored_unknown += 1;
            return Action::Ignored;
        }
        let in_increment = matches!(
            action,
            Action::Increment | Action::Status(0) | Action::Plain(Plain::WriteDisable)
        );
        if self.increment.is_some() && !in_increment {
            self.complain(now, instruction, Misuse::InAutoIncrement);
            return Action::Ignored;
        }
        action
    }

    /// What an instruction means to this part; `None` if it has none such.
    fn meaning(&self, instruction: u8) -> Option<Action> {
        let part = self.part;
        let erase = part
            .erases
            .iter()
            .position(|erase| erase.opcode == instruction);
        if let Some(erase) = erase {
            return Some(Action::Erase(erase));
        }
        let registers = part.status.registers;
        if let Some(read) = registers
            .iter()
            .position(|register| register.read == instruction)
        {
            return Some(Action::Status(read));
        }
        let written = |register: &super::super::StatusRegister| register.write == Some(instruction);
        if let Some(write) = registers.iter().position(written) {
            return Some(Action::WriteStatus(write));
        }
        let features = part.features;
        let only_with = |feature, action| features.has(feature).then_some(action);
        let words = match part.programming {
            Programming::Page { .. } => None,
            Programming::Byte { words, .. } => Some(words),
        };
        match instruction {
            i::READ => Some(Action::Read),
            i::FAST_READ => only_with(Features::FAST_READ, Action::Read),
            i::READ_4B | i::FAST_READ_4B => only_with(Features::READ_4B, Action::Read),
            i::PP => Some(Action::Program),
            i::PP_4B => only_with(Features::PROGRAM_4B, Action::Program),
            i::AAI_WORD => (words == Some(true)).then_some(Action::Increment),
            i::AAI_BYTE => (words == Some(false)).then_some(Action::Increment),
            i::WREN => Some(Action::Plain(Plain::WriteEnable)),
            i::WRDI => Some(Action::Plain(Plain::WriteDisable)),
            i::EWSR if features.has(Features::FLAG_STATUS) => {
                Some(Action::Plain(Plain::ClearFlags))
            }
            i::EWSR => {
                (part.status.ewsr != Ewsr::Absent).then_some(Action::Plain(Plain::StatusEnable))
            }
            i::RDID => (!part.identity.rdid.is_empty()).then_some(Action::Id),
            i::REMS => part.identity.rems.map(|_| Action::ManufacturerAndDevice),
            i::RES => {
                let wakes = features.has(Features::POWER_DOWN);
                (wakes || !part.identity.res.is_empty()).then_some(Action::Signature)
            }
            i::RDSFDP => (!self.sfdp.is_empty()).then_some(Action::Sfdp),
            i::RDUID => only_with(Features::UNIQUE_ID, Action::UniqueId),
            i::RDFSR => only_with(Features::FLAG_STATUS, Action::FlagStatus),
            i::RDSCUR => only_with(Features::SECURITY_REGISTER, Action::SecurityRegister),
            i::DP => only_with(Features::POWER_DOWN, Action::Plain(Plain::PowerDown)),
            i::EN4B => only_with(Features::EN4B, Action::Plain(Plain::Enter4Byte)),
            i::EX4B => only_with(Features::EN4B, Action::Plain(Plain::Exit4Byte)),
            i::WREAR => only_with(Features::EXTENDED_ADDRESS, Action::WriteUpperAddress),
            i::RDEAR => only_with(Features::EXTENDED_ADDRESS, Action::UpperAddress),
            i::BRWR => only_with(Features::BANK_REGISTER, Action::WriteUpperAddress),
            i::BRRD => only_with(Features::BANK_REGISTER, Action::UpperAddress),
            i::RSTEN => only_with(Features::SOFT_RESET, Action::Plain(Plain::ResetEnable)),
            i::RST => only_with(Features::SOFT_RESET, Action::Plain(Plain::Reset)),
            _ => None,
        }
    }

    /// How many address and dummy bytes follow an instruction.
    fn shape(&self, instruction: u8, action: Action) -> (usize, usize) {
        let current = if self.four_byte { 4 } else { 3 };
        match action {
            Action::Read => match instruction {
                i::READ => (current, 0),
                i::FAST_READ => (current, 1),
                i::READ_4B => (4, 0),
                _ => (4, 1),
            },
            Action::Sfdp => (3, 1),
            Action::ManufacturerAndDevice => (3, 0),
            Action::Signature => (0, 3),
            Action::UniqueId => (0, current + 1),
            Action::Program if instruction == i::PP_4B => (4, 0),
            Action::Program => (current, 0),
            // Only the first step has an address.
            Action::Increment if self.increment.is_some() => (0, 0),
            Action::Increment => (3, 0),
            Action::Erase(erase) => match self.part.erases[erase].extent {
                Extent::Chip => (0, 0),
                Extent::UniformFourByte(_) => (4, 0),
                Extent::Uniform(_) | Extent::Runs(_) => (current, 0),
            },
            _ => (0, 0),
        }
    }

    fn check_clock(&mut self, now: Instant, transaction: &Transaction) {
        let limit_hz = match (transaction.action, transaction.instruction) {
            (Action::Ignored, _) => return,
            (Action::Read, i::READ | i::READ_4B) => self.part.read_hz,
            _ => self.part.max_hz,
        };
        if self.spi_hz > limit_hz {
            let spi_hz = self.spi_hz;
            let misuse = Misuse::TooFast { spi_hz, limit_hz };
            self.complain(now, transaction.instruction, misuse);
        }
    }

    /// Takes and gives a byte after the instruction.
    pub(super) fn clock(&mut self, now: Instant, transaction: &mut Transaction, mosi: u8) -> u8 {
        let count = transaction.count;
        transaction.count += 1;
        if count < transaction.address_bytes {
            transaction.address = transaction.address << 8 | usize::from(mosi);
            if count + 1 == transaction.address_bytes {
                self.latch_address(now, transaction);
            }
            return FLOATING;
        }
        let Some(index) = (count - transaction.address_bytes).checked_sub(transaction.dummy_bytes)
        else {
            return FLOATING;
        };
        let cycled = |bytes: &[u8]| match bytes.len() {
            0 => FLOATING,
            length => bytes[index % length],
        };
        match transaction.action {
            Action::Read => {
                let at = transaction.address + index;
                if at == self.memory.len() {
                    self.complain(
                        now,
                        transaction.instruction,
                        Misuse::BeyondEnd { address: at },
                    );
                }
                self.memory[at % self.memory.len()]
            }
            Action::Sfdp => {
                let at = transaction.address + index;
                self.sfdp.get(at).copied().unwrap_or(0xFF)
            }
            Action::Id => cycled(self.part.identity.rdid),
            Action::ManufacturerAndDevice => {
                let bytes = self.part.identity.rems.unwrap_or([FLOATING; 2]);
                bytes[(transaction.address + index) % 2]
            }
            Action::Signature => cycled(self.part.identity.res),
            Action::UniqueId => cycled(&self.unique_id),
            Action::Status(register) => self.status(register),
            Action::FlagStatus => self.flag_status(),
            Action::SecurityRegister => 0,
            Action::UpperAddress => {
                let mode = self.part.features.has(Features::BANK_REGISTER) && self.four_byte;
                self.upper_address | if mode { status::BANK_FOUR_BYTE } else { 0 }
            }
            Action::Program
            | Action::Increment
            | Action::WriteStatus(_)
            | Action::WriteUpperAddress => {
                transaction.data.push(mosi);
                FLOATING
            }
            Action::Instruction | Action::Ignored | Action::Plain(_) | Action::Erase(_) => FLOATING,
        }
    }

    /// An address is complete: puts the upper byte before it and looks whether it is there.
    fn latch_address(&mut self, now: Instant, transaction: &mut Transaction) {
        let in_memory = matches!(
            transaction.action,
            Action::Read | Action::Program | Action::Increment | Action::Erase(_)
        );
        if !in_memory {
            return;
        }
        if transaction.address_bytes == 3 {
            transaction.address |= usize::from(self.upper_address) << 24;
        }
        let address = transaction.address;
        if address >= self.memory.len() {
            self.complain(now, transaction.instruction, Misuse::BeyondEnd { address });
            transaction.address = address % self.memory.len();
        }
    }
}
