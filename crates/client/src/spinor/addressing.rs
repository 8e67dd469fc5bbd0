//! Three and four address bytes.

use flashwire_protocol::spinor::sfdp::{self, Bfpt, EnterFourByte, FourByteInstructions};
use flashwire_protocol::spinor::{THREE_BYTE_REACH, instruction};

use super::Part;

/// How a chip is told addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// Three bytes reach all of it.
    Three,
    /// Four bytes, always.
    Four,
    /// Instructions of their own that take four bytes, for reading, programming and erasing.
    Dedicated,
    /// A mode in which the usual instructions take four bytes.
    Mode {
        /// Entering and leaving it needs WREN.
        wren: bool,
    },
    /// A register for the upper byte of three-byte addresses.
    Register {
        /// The instruction that writes it.
        write: u8,
        /// The write needs WREN.
        wren: bool,
    },
}

impl Addressing {
    /// The way for a chip of this size, from what it says of itself and what the table says of all
    /// parts that it may be.
    pub(super) fn choose(
        size_bytes: u64,
        bfpt: Option<&Bfpt>,
        dedicated: Option<&FourByteInstructions>,
        parts: &[&Part],
    ) -> Self {
        if bfpt.is_some_and(|table| table.addressing() == sfdp::Addressing::Four) {
            return Self::Four;
        }
        if size_bytes <= THREE_BYTE_REACH {
            return Self::Three;
        }
        let all = |has: fn(&Part) -> bool| !parts.is_empty() && parts.iter().all(|part| has(part));
        let by_table = all(|part| {
            part.read_4b && part.program_4b && part.erases.iter().any(|erase| erase.is_four_byte())
        });
        if dedicated.is_some_and(FourByteInstructions::is_complete) || by_table {
            return Self::Dedicated;
        }
        let enter = bfpt.and_then(Bfpt::enter_four_byte).unwrap_or_default();
        let can = |way| enter.contains(way);
        if can(EnterFourByte::EN4B) || all(|part| part.en4b) {
            return Self::Mode { wren: false };
        }
        if can(EnterFourByte::WREN_EN4B) || all(|part| part.en4b || part.wren_en4b) {
            return Self::Mode { wren: true };
        }
        if can(EnterFourByte::EXTENDED_ADDRESS) || all(|part| part.extended_address) {
            return Self::Register {
                write: instruction::WREAR,
                wren: true,
            };
        }
        if can(EnterFourByte::BANK_REGISTER) || all(|part| part.bank_register) {
            return Self::Register {
                write: instruction::BRWR,
                wren: false,
            };
        }
        // Nobody says. Most chips know EN4B, and WREN before it does no harm.
        Self::Mode { wren: true }
    }
}

/// The instruction with four address bytes that does what this one does with three.
pub(super) fn dedicated(opcode: u8) -> u8 {
    match opcode {
        instruction::READ => instruction::READ_4B,
        instruction::FAST_READ => instruction::FAST_READ_4B,
        instruction::PP => instruction::PP_4B,
        instruction::SE => instruction::SE_4B,
        instruction::BE32 => instruction::BE32_4B,
        instruction::BE => instruction::BE_4B,
        other => other,
    }
}
