//! The 32-bit data-processing instructions: DDI 0403E, sections A5.3.1, A5.3.3 and A5.3.11 to
//! A5.3.17.

use super::super::instruction::{
    Alu, Compare, Flags, ImmediateCarry, Instruction, Operand, Reg, Reverse, Shift, Width,
};
use super::narrow::shifted;
use super::{bit, bits};

const UNDEFINED: Instruction = Instruction::Undefined;
const UNPREDICTABLE: Instruction = Instruction::Unpredictable;

/// Data processing, shifted register: table A5-22.
pub(super) fn shifted_register(first: u32, second: u32) -> Instruction {
    let rm = Reg::new(bits(second, 3, 0));
    let amount = bits(second, 14, 12) << 2 | bits(second, 7, 6);
    let operand = shifted(rm, bits(second, 5, 4), amount);
    // PKHBT and PKHTB (0110) belong to the DSP extension.
    if !is_operation(bits(first, 8, 5)) {
        return UNDEFINED;
    }
    if bit(second, 15) {
        return UNPREDICTABLE;
    }
    if bits(first, 8, 5) == 2 && bits(first, 3, 0) == 15 {
        return move_register(first, second, rm, operand);
    }
    if !rm.is_general() {
        return UNPREDICTABLE;
    }
    // ADD and SUB to the stack pointer: LSL by at most 3 (sections A7.7.6 and A7.7.177).
    let gentle = matches!(
        operand,
        Operand::Register {
            shift: Shift::Lsl,
            amount: 0..=3,
            ..
        }
    );
    operation(first, second, operand, gentle)
}

/// MOV (register), encoding T3, and the shifts by a constant: section A7.7.77 and its neighbours.
fn move_register(first: u32, second: u32, rm: Reg, operand: Operand) -> Instruction {
    let rd = Reg::new(bits(second, 11, 8));
    let set = bit(first, 4);
    let plain = operand == Operand::register(rm);
    let fine = if plain && !set {
        rd != Reg::PC && rm != Reg::PC && !(rd == Reg::SP && rm == Reg::SP)
    } else {
        rd.is_general() && rm.is_general()
    };
    if !fine {
        return UNPREDICTABLE;
    }
    Instruction::Move {
        flags: flags(set),
        rd,
        operand,
        invert: false,
    }
}

/// Data processing, modified immediate: table A5-10.
pub(super) fn modified_immediate(first: u32, second: u32) -> Instruction {
    if !is_operation(bits(first, 8, 5)) {
        return UNDEFINED;
    }
    let code = bits(first, 10, 10) << 11 | bits(second, 14, 12) << 8 | bits(second, 7, 0);
    match expand(code) {
        Some(operand) => operation(first, second, operand, true),
        None => UNPREDICTABLE,
    }
}

/// `ThumbExpandImm`: section A5.3.2. None where it is UNPREDICTABLE.
fn expand(code: u32) -> Option<Operand> {
    let byte = bits(code, 7, 0);
    if bits(code, 11, 10) != 0 {
        return Some(Operand::Immediate {
            value: (0x80 | bits(code, 6, 0)).rotate_right(bits(code, 11, 7)),
            carry: ImmediateCarry::TopBit,
        });
    }
    let pattern = match bits(code, 9, 8) {
        0 => return Some(Operand::constant(byte)),
        1 => 0x0001_0001,
        2 => 0x0100_0100,
        _ => 0x0101_0101,
    };
    (byte != 0).then(|| Operand::constant(byte * pattern))
}

/// Whether the four operation bits of tables A5-10 and A5-22 name one.
const fn is_operation(op: u32) -> bool {
    matches!(op, 0..=4 | 8 | 10 | 11 | 13 | 14)
}

/// The operations that tables A5-10 and A5-22 share. `for_stack`: the operand may be added to or
/// subtracted from the stack pointer.
fn operation(first: u32, second: u32, operand: Operand, for_stack: bool) -> Instruction {
    let (rn, rd) = (Reg::new(bits(first, 3, 0)), Reg::new(bits(second, 11, 8)));
    let set = bit(first, 4);
    let op = match bits(first, 8, 5) {
        0 => Alu::And,
        1 => Alu::Bic,
        2 => Alu::Orr,
        3 => Alu::Orn,
        4 => Alu::Eor,
        8 => Alu::Add,
        10 => Alu::Adc,
        11 => Alu::Sbc,
        13 => Alu::Sub,
        14 => Alu::Rsb,
        _ => return UNDEFINED,
    };
    if let (Alu::Orr | Alu::Orn, Reg::PC) = (op, rn) {
        if !rd.is_general() {
            return UNPREDICTABLE;
        }
        return Instruction::Move {
            flags: flags(set),
            rd,
            operand,
            invert: op == Alu::Orn,
        };
    }
    // With the program counter as destination these only compare.
    let compare = match op {
        Alu::And => Some(Compare::Tst),
        Alu::Eor => Some(Compare::Teq),
        Alu::Add => Some(Compare::Cmn),
        Alu::Sub => Some(Compare::Cmp),
        _ => None,
    };
    if let (Some(op), Reg::PC) = (compare, rd) {
        let stack_is_fine = matches!(op, Compare::Cmp | Compare::Cmn);
        if !set || rn == Reg::PC || rn == Reg::SP && !stack_is_fine {
            return UNPREDICTABLE;
        }
        return Instruction::Compare { op, rn, operand };
    }
    let fine = match op {
        Alu::Add | Alu::Sub if rn == Reg::SP => rd != Reg::SP || for_stack,
        _ => rd.is_general() && rn.is_general(),
    };
    if !fine {
        return UNPREDICTABLE;
    }
    Instruction::Alu {
        op,
        flags: flags(set),
        rd,
        rn,
        operand,
    }
}

const fn flags(set: bool) -> Flags {
    if set { Flags::Set } else { Flags::Keep }
}

/// Data processing, plain binary immediate: table A5-12.
pub(super) fn plain_immediate(first: u32, second: u32) -> Instruction {
    let (rn, rd) = (Reg::new(bits(first, 3, 0)), Reg::new(bits(second, 11, 8)));
    let upper = bits(second, 14, 12) << 8 | bits(second, 7, 0);
    let imm12 = bits(first, 10, 10) << 11 | upper;
    let imm16 = bits(first, 3, 0) << 12 | imm12;
    let lsb = bits(second, 14, 12) << 2 | bits(second, 7, 6);
    let field = bits(second, 4, 0);
    // Fixed bits of the bit-field and saturating encodings.
    let fixed = bit(first, 10) || bit(second, 5);
    match bits(first, 8, 4) {
        op @ (0b00000 | 0b01010) => add_wide(op == 0, rd, rn, imm12),
        0b00100 | 0b01100 if !rd.is_general() => UNPREDICTABLE,
        0b00100 => Instruction::Move {
            flags: Flags::Keep,
            rd,
            operand: Operand::constant(imm16),
            invert: false,
        },
        0b01100 => Instruction::MoveTop {
            rd,
            value: imm16 as u16,
        },
        // SSAT16 and USAT16 belong to the DSP extension.
        0b10010 | 0b11010 if lsb == 0 => UNDEFINED,
        op @ (0b10000 | 0b10010 | 0b11000 | 0b11010) => {
            if fixed || !rd.is_general() || !rn.is_general() {
                return UNPREDICTABLE;
            }
            let signed = op & 0b01000 == 0;
            let Operand::Register { shift, amount, .. } = shifted(rn, op & 2, lsb) else {
                return UNDEFINED;
            };
            Instruction::Saturate {
                signed,
                rd,
                rn,
                bits: field as u8 + u8::from(signed),
                shift,
                amount,
            }
        }
        op @ (0b10100 | 0b11100) => {
            if fixed || !rd.is_general() || !rn.is_general() || lsb + field > 31 {
                return UNPREDICTABLE;
            }
            Instruction::BitFieldExtract {
                signed: op == 0b10100,
                rd,
                rn,
                lsb: lsb as u8,
                width: field as u8 + 1,
            }
        }
        0b10110 => {
            if fixed || !rd.is_general() || rn == Reg::SP || field < lsb {
                return UNPREDICTABLE;
            }
            Instruction::BitFieldInsert {
                rd,
                rn: (rn != Reg::PC).then_some(rn),
                lsb: lsb as u8,
                width: (field - lsb + 1) as u8,
            }
        }
        _ => UNDEFINED,
    }
}

/// ADDW, SUBW and ADR: sections A7.7.3, A7.7.5, A7.7.7, A7.7.174 and A7.7.176.
fn add_wide(add: bool, rd: Reg, rn: Reg, imm12: u32) -> Instruction {
    if rn == Reg::PC {
        if !rd.is_general() {
            return UNPREDICTABLE;
        }
        let offset = imm12 as i16;
        return Instruction::AddressOf {
            rd,
            offset: if add { offset } else { -offset },
        };
    }
    if rd == Reg::PC || rd == Reg::SP && rn != Reg::SP {
        return UNPREDICTABLE;
    }
    Instruction::Alu {
        op: if add { Alu::Add } else { Alu::Sub },
        flags: Flags::Keep,
        rd,
        rn,
        operand: Operand::constant(imm12),
    }
}

/// Data processing, register: table A5-24.
pub(super) fn register(first: u32, second: u32) -> Instruction {
    let (rn, rd, rm) = (
        Reg::new(bits(first, 3, 0)),
        Reg::new(bits(second, 11, 8)),
        Reg::new(bits(second, 3, 0)),
    );
    if bits(second, 15, 12) != 15 {
        return UNDEFINED;
    }
    let general = rd.is_general() && rm.is_general();
    match (bits(first, 7, 4), bits(second, 7, 4)) {
        (op @ 0b0000..=0b0111, 0b0000) => {
            if !general || !rn.is_general() {
                return UNPREDICTABLE;
            }
            Instruction::ShiftByRegister {
                shift: [Shift::Lsl, Shift::Lsr, Shift::Asr, Shift::Ror][(op >> 1) as usize],
                flags: flags(op & 1 != 0),
                rd,
                rn,
                rm,
            }
        }
        // With an addend, and in pairs, these belong to the DSP extension.
        (op @ (0b0000 | 0b0001 | 0b0100 | 0b0101), 0b1000..) if rn == Reg::PC => {
            if !general || bit(second, 6) {
                return UNPREDICTABLE;
            }
            Instruction::Extend {
                width: if op & 4 != 0 {
                    Width::Byte
                } else {
                    Width::Half
                },
                signed: op & 1 == 0,
                rd,
                rm,
                rotate: (bits(second, 5, 4) * 8) as u8,
            }
        }
        (0b1001, op @ 0b1000..=0b1011) => {
            if !general || rn != rm {
                return UNPREDICTABLE;
            }
            let op = match op & 3 {
                0 => Reverse::Rev,
                1 => Reverse::Rev16,
                2 => Reverse::Rbit,
                _ => Reverse::Revsh,
            };
            Instruction::Reverse { op, rd, rm }
        }
        (0b1011, 0b1000) => {
            if !general || rn != rm {
                return UNPREDICTABLE;
            }
            Instruction::CountLeadingZeros { rd, rm }
        }
        _ => UNDEFINED,
    }
}

/// Multiply and multiply accumulate: table A5-28.
pub(super) fn multiply(first: u32, second: u32) -> Instruction {
    let (rn, ra, rd, rm) = (
        Reg::new(bits(first, 3, 0)),
        Reg::new(bits(second, 15, 12)),
        Reg::new(bits(second, 11, 8)),
        Reg::new(bits(second, 3, 0)),
    );
    let subtract = match (bits(first, 6, 4), bits(second, 7, 4)) {
        (0, 0) => false,
        (0, 1) => true,
        _ => return UNDEFINED,
    };
    let general = rd.is_general() && rn.is_general() && rm.is_general();
    if !general || ra == Reg::SP || subtract && ra == Reg::PC {
        return UNPREDICTABLE;
    }
    if ra == Reg::PC {
        return Instruction::Multiply {
            flags: Flags::Keep,
            rd,
            rn,
            rm,
        };
    }
    Instruction::MultiplyAdd {
        subtract,
        rd,
        rn,
        rm,
        ra,
    }
}

/// Long multiply and divide: table A5-29.
pub(super) fn multiply_long(first: u32, second: u32) -> Instruction {
    let (rn, lo, hi, rm) = (
        Reg::new(bits(first, 3, 0)),
        Reg::new(bits(second, 15, 12)),
        Reg::new(bits(second, 11, 8)),
        Reg::new(bits(second, 3, 0)),
    );
    let operands = hi.is_general() && rn.is_general() && rm.is_general();
    match (bits(first, 6, 4), bits(second, 7, 4)) {
        (op @ (0b001 | 0b011), 0b1111) => {
            if !operands || lo != Reg::PC {
                return UNPREDICTABLE;
            }
            Instruction::Divide {
                signed: op == 0b001,
                rd: hi,
                rn,
                rm,
            }
        }
        (op @ (0b000 | 0b010 | 0b100 | 0b110), 0b0000) => {
            if !operands || !lo.is_general() || lo == hi {
                return UNPREDICTABLE;
            }
            Instruction::MultiplyLong {
                signed: op & 0b010 == 0,
                accumulate: op & 0b100 != 0,
                lo,
                hi,
                rn,
                rm,
            }
        }
        _ => UNDEFINED,
    }
}
