//! Why the emulator cannot go on.

use std::fmt;

/// The kind of access to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKind {
    /// It was read.
    Read,
    /// This value was written.
    Write(u32),
}

impl fmt::Display for AccessKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("a read"),
            Self::Write(value) => write!(f, "a write of {value:#010x}"),
        }
    }
}

/// A point beyond which the emulator does not know what the chip would do, or at which the chip
/// would never do anything again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Halt {
    /// The encoding is UNPREDICTABLE in the architecture.
    #[error("instruction {code:#x} at pc {pc:#010x} is unpredictable")]
    UnpredictableInstruction {
        /// Address of the instruction.
        pc: u32,
        /// Its one or two half-words, the first one in the higher place.
        code: u32,
    },
    /// The architecture leaves open what a well-formed instruction does here.
    #[error("instruction at pc {pc:#010x} is unpredictable: {why}")]
    UnpredictableUse {
        /// Address of the instruction.
        pc: u32,
        /// What is unpredictable about it.
        why: &'static str,
    },
    /// A register that is not in the model.
    #[error("{kind} at the unknown register {address:#010x} ({block}) at pc {pc:#010x}")]
    UnknownRegister {
        /// Address of the instruction.
        pc: u32,
        /// Address of the register.
        address: u32,
        /// The block of registers that it belongs to.
        block: &'static str,
        /// What was done.
        kind: AccessKind,
    },
    /// A known register was asked for something that is not in the model.
    #[error("{what} is not modelled ({value:#x} in {address:#010x} at pc {pc:#010x})")]
    NotModelled {
        /// Address of the instruction; 0 if no instruction asked for it.
        pc: u32,
        /// Address of the register.
        address: u32,
        /// The value that asked for it.
        value: u32,
        /// What it asks for.
        what: &'static str,
    },
    /// A fault while faults cannot be handled: the core stands still (DDI 0403E, section B1.5.15).
    #[error("the core locked up at pc {pc:#010x}: {why}")]
    LockedUp {
        /// Address of the instruction.
        pc: u32,
        /// What it could not handle.
        why: String,
    },
}
