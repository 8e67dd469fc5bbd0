//! The 32-bit instructions: DDI 0403E, section A5.3; branches and control are here, the rest in
//! the neighbours.

use super::super::instruction::{Condition, Instruction, Reg};
use super::narrow::hint;
use super::{bit, bits, sign_extend, wide_data, wide_memory};

/// Table A5-9. `first` and `second` are the half-words.
pub(super) fn decode(first: u32, second: u32) -> Instruction {
    match (bits(first, 12, 11), bits(first, 10, 9)) {
        (0b01, 0b00) if bit(first, 6) => wide_memory::dual_or_exclusive(first, second),
        (0b01, 0b00) => wide_memory::multiple(first, second),
        (0b01, 0b01) => wide_data::shifted_register(first, second),
        (0b01 | 0b11, 0b10 | 0b11) => Instruction::Coprocessor,
        (0b10, _) if bit(second, 15) => branch_or_control(first, second),
        (0b10, _) if bit(first, 9) => wide_data::plain_immediate(first, second),
        (0b10, _) => wide_data::modified_immediate(first, second),
        (0b11, 0b00) => wide_memory::single(first, second),
        (0b11, 0b01) if !bit(first, 8) => wide_data::register(first, second),
        (0b11, 0b01) if !bit(first, 7) => wide_data::multiply(first, second),
        (0b11, 0b01) => wide_data::multiply_long(first, second),
        _ => Instruction::Undefined,
    }
}

/// Branches and miscellaneous control: table A5-13.
fn branch_or_control(first: u32, second: u32) -> Instruction {
    let sign = bits(first, 10, 10);
    let (j1, j2) = (bits(second, 13, 13), bits(second, 11, 11));
    match (bit(second, 14), bit(second, 12)) {
        // B, encoding T4, and BL: sections A7.7.12 and A7.7.18.
        (link, true) => {
            let (i1, i2) = (!(j1 ^ sign) & 1, !(j2 ^ sign) & 1);
            let magnitude = sign << 24
                | i1 << 23
                | i2 << 22
                | bits(first, 9, 0) << 12
                | bits(second, 10, 0) << 1;
            let offset = sign_extend(magnitude, 25);
            if link {
                Instruction::BranchLink { offset }
            } else {
                Instruction::Branch { offset }
            }
        }
        // B, encoding T3: section A7.7.12.
        (false, false) if bits(first, 9, 7) != 0b111 => {
            let magnitude = sign << 20
                | j2 << 19
                | j1 << 18
                | bits(first, 5, 0) << 12
                | bits(second, 10, 0) << 1;
            Instruction::BranchIf {
                condition: Condition(bits(first, 9, 6) as u8),
                offset: sign_extend(magnitude, 21),
            }
        }
        (false, false) => control(first, second),
        // UDF.W (section A7.7.194); BLX to ARM code does not exist.
        (true, false) => Instruction::Undefined,
    }
}

/// MSR, MRS, hints and barriers: table A5-13, lower half.
fn control(first: u32, second: u32) -> Instruction {
    match bits(first, 10, 4) {
        0b0111000 | 0b0111001 => write_special(first, second),
        0b0111010 => wide_hint(first, second),
        0b0111011 => barrier(first, second),
        0b0111110 | 0b0111111 => read_special(first, second),
        _ => Instruction::Undefined,
    }
}

/// The special registers that exist on ARMv7-M: section B5.1.1.
const fn is_special(number: u32) -> bool {
    matches!(number, 0..=3 | 5..=9 | 16..=20)
}

/// MSR: section B5.2.3.
fn write_special(first: u32, second: u32) -> Instruction {
    let rn = Reg::new(bits(first, 3, 0));
    let special = bits(second, 7, 0);
    // The mask must select the flags and nothing else: the GE bits belong to the DSP extension.
    let mask = bits(second, 11, 10);
    let fixed = bit(first, 4) || bit(second, 13) || bits(second, 9, 8) != 0;
    if fixed || !rn.is_general() || mask != 0b10 || !is_special(special) {
        return Instruction::Unpredictable;
    }
    Instruction::WriteSpecial {
        rn,
        special: special as u8,
    }
}

/// MRS: section B5.2.2.
fn read_special(first: u32, second: u32) -> Instruction {
    let rd = Reg::new(bits(second, 11, 8));
    let special = bits(second, 7, 0);
    let fixed = bit(first, 4) || bits(first, 3, 0) != 15 || bit(second, 13);
    if fixed || !rd.is_general() || !is_special(special) {
        return Instruction::Unpredictable;
    }
    Instruction::ReadSpecial {
        rd,
        special: special as u8,
    }
}

/// Hint instructions: table A5-14.
fn wide_hint(first: u32, second: u32) -> Instruction {
    if bits(second, 10, 8) != 0 {
        return Instruction::Undefined;
    }
    if bits(first, 3, 0) != 15 || bit(second, 13) || bit(second, 11) {
        return Instruction::Unpredictable;
    }
    hint(bits(second, 7, 0))
}

/// Miscellaneous control instructions: table A5-15.
fn barrier(first: u32, second: u32) -> Instruction {
    let fixed = bits(first, 3, 0) != 15 || bit(second, 13) || bits(second, 11, 8) != 15;
    match bits(second, 7, 4) {
        0b0010 | 0b0100..=0b0110 if fixed => Instruction::Unpredictable,
        0b0010 if bits(second, 3, 0) != 15 => Instruction::Unpredictable,
        0b0010 => Instruction::ClearExclusive,
        0b0100..=0b0110 => Instruction::Barrier,
        _ => Instruction::Undefined,
    }
}
