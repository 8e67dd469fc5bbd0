//! Which commands a programmer has.

use super::Opcode;

/// The answer to Q_CMDMAP: one bit a code, the least significant bit of the first byte for code 0.
/// Section "Command list", Q_CMDMAP.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct CommandMap([u8; Self::BYTES]);

impl CommandMap {
    /// Length of the map, in bytes.
    pub const BYTES: usize = 32;

    /// A map that has nothing.
    pub const EMPTY: Self = Self([0; Self::BYTES]);

    /// The map that has exactly `opcodes`.
    pub const fn of(opcodes: &[Opcode]) -> Self {
        let mut map = Self::EMPTY;
        let mut rest = opcodes;
        while let Some((&opcode, others)) = rest.split_first() {
            map = map.with(opcode);
            rest = others;
        }
        map
    }

    /// This map with `opcode` added.
    pub const fn with(self, opcode: Opcode) -> Self {
        let Self(mut bytes) = self;
        // A code's upper five bits are at most 31: the index is always inside.
        bytes[(opcode.code() >> 3) as usize] |= 1 << (opcode.code() & 7);
        Self(bytes)
    }

    /// Whether `opcode` is in it.
    pub fn has(&self, opcode: Opcode) -> bool {
        self.has_code(opcode.code())
    }

    /// Whether the command with this code is in it, known here or not.
    pub fn has_code(&self, code: u8) -> bool {
        let byte = self.0.get(usize::from(code >> 3)).copied();
        byte.is_some_and(|byte| byte & 1 << (code & 7) != 0)
    }

    /// From the wire.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// As sent.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl core::fmt::Debug for CommandMap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let codes = (0..=u8::MAX).filter(|&code| self.has_code(code));
        f.debug_set().entries(codes).finish()
    }
}
