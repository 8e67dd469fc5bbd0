//! From half-words to [`Instruction`]s.
//!
//! Follows the tables of DDI 0403E, chapter A5, as far as they apply to a Cortex-M3: no DSP
//! extension, no floating point. Every bit pattern has a result: encodings that are undefined
//! decode to [`Instruction::Undefined`], and those that the architecture calls UNPREDICTABLE to
//! [`Instruction::Unpredictable`], so that no program gets a meaning by accident.

mod narrow;
mod wide;
mod wide_data;
mod wide_memory;

use super::instruction::Instruction;

/// Whether a half-word is the first of a 32-bit instruction (DDI 0403E, section A5.1).
#[inline]
pub const fn is_wide(first: u16) -> bool {
    first >= 0xe800
}

/// Decodes a 16-bit instruction.
pub fn narrow(code: u16) -> Instruction {
    narrow::decode(u32::from(code))
}

/// Decodes a 32-bit instruction from its two half-words.
pub fn wide(first: u16, second: u16) -> Instruction {
    wide::decode(u32::from(first), u32::from(second))
}

/// Bits `high` down to `low` of `word`.
const fn bits(word: u32, high: u32, low: u32) -> u32 {
    (word >> low) & (u32::MAX >> (31 - (high - low)))
}

/// Bit `index` of `word`.
const fn bit(word: u32, index: u32) -> bool {
    word >> index & 1 != 0
}

/// The low `width` bits of `value` as a signed number.
const fn sign_extend(value: u32, width: u32) -> i32 {
    ((value << (32 - width)) as i32) >> (32 - width)
}
