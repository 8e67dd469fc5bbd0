//! The 16-bit instructions: DDI 0403E, section A5.2.

use super::super::instruction::{
    Address, Alu, Compare, Condition, Flags, Hint, Instruction, Operand, Reg, Reverse, Shift, Width,
};
use super::{bit, bits, sign_extend};

/// Table A5-1.
pub(super) fn decode(code: u32) -> Instruction {
    match bits(code, 15, 10) {
        0b000000..=0b001111 => shift_add_move(code),
        0b010000 => data_processing(code),
        0b010001 => special_data(code),
        0b010010 | 0b010011 => Instruction::Load {
            width: Width::Word,
            signed: false,
            rt: Reg::new(bits(code, 10, 8)),
            address: Address::Offset {
                rn: Reg::PC,
                offset: word_offset(code),
            },
        },
        0b010100..=0b010111 => load_store_register(code),
        0b011000..=0b100011 => load_store_immediate(code),
        0b100100..=0b100111 => load_store_stack(code),
        0b101000 | 0b101001 => Instruction::AddressOf {
            rd: Reg::new(bits(code, 10, 8)),
            offset: word_offset(code),
        },
        0b101010 | 0b101011 => Instruction::Alu {
            op: Alu::Add,
            flags: Flags::Keep,
            rd: Reg::new(bits(code, 10, 8)),
            rn: Reg::SP,
            operand: Operand::constant(bits(code, 7, 0) * 4),
        },
        0b101100..=0b101111 => miscellaneous(code),
        0b110000..=0b110011 => multiple(code),
        0b110100..=0b110111 => conditional_branch(code),
        0b111000 | 0b111001 => Instruction::Branch {
            offset: sign_extend(bits(code, 10, 0) << 1, 12),
        },
        // 11101, 1111x: the first half of a 32-bit instruction.
        _ => Instruction::Undefined,
    }
}

/// An 8-bit number of words.
const fn word_offset(code: u32) -> i16 {
    (bits(code, 7, 0) * 4) as i16
}

/// Shift (immediate), add, subtract, move, compare: table A5-2.
fn shift_add_move(code: u32) -> Instruction {
    let (rd, rm) = (Reg::new(bits(code, 2, 0)), Reg::new(bits(code, 5, 3)));
    let rdn = Reg::new(bits(code, 10, 8));
    let immediate = Operand::constant(bits(code, 7, 0));
    let flags = Flags::SetOutsideIt;
    let alu = |op, rd, rn, operand| Instruction::Alu {
        op,
        flags,
        rd,
        rn,
        operand,
    };
    match bits(code, 13, 9) {
        0b00000..=0b01011 => Instruction::Move {
            flags,
            rd,
            operand: shifted(rm, bits(code, 12, 11), bits(code, 10, 6)),
            invert: false,
        },
        0b01100 => alu(
            Alu::Add,
            rd,
            rm,
            Operand::register(Reg::new(bits(code, 8, 6))),
        ),
        0b01101 => alu(
            Alu::Sub,
            rd,
            rm,
            Operand::register(Reg::new(bits(code, 8, 6))),
        ),
        0b01110 => alu(Alu::Add, rd, rm, Operand::constant(bits(code, 8, 6))),
        0b01111 => alu(Alu::Sub, rd, rm, Operand::constant(bits(code, 8, 6))),
        0b10000..=0b10011 => Instruction::Move {
            flags,
            rd: rdn,
            operand: immediate,
            invert: false,
        },
        0b10100..=0b10111 => Instruction::Compare {
            op: Compare::Cmp,
            rn: rdn,
            operand: immediate,
        },
        0b11000..=0b11011 => alu(Alu::Add, rdn, rdn, immediate),
        _ => alu(Alu::Sub, rdn, rdn, immediate),
    }
}

/// A register shifted by a 5-bit constant: `DecodeImmShift`, section A7.4.2.
pub(super) fn shifted(rm: Reg, kind: u32, amount: u32) -> Operand {
    let (shift, amount) = match (kind & 3, amount & 31) {
        (0, amount) => (Shift::Lsl, amount),
        (1, 0) => (Shift::Lsr, 32),
        (1, amount) => (Shift::Lsr, amount),
        (2, 0) => (Shift::Asr, 32),
        (2, amount) => (Shift::Asr, amount),
        (_, 0) => (Shift::Rrx, 1),
        (_, amount) => (Shift::Ror, amount),
    };
    Operand::Register {
        rm,
        shift,
        amount: amount as u8,
    }
}

/// Data processing: table A5-3.
fn data_processing(code: u32) -> Instruction {
    let (rdn, rm) = (Reg::new(bits(code, 2, 0)), Reg::new(bits(code, 5, 3)));
    let flags = Flags::SetOutsideIt;
    let operand = Operand::register(rm);
    let alu = |op| Instruction::Alu {
        op,
        flags,
        rd: rdn,
        rn: rdn,
        operand,
    };
    let shift = |shift| Instruction::ShiftByRegister {
        shift,
        flags,
        rd: rdn,
        rn: rdn,
        rm,
    };
    let compare = |op| Instruction::Compare {
        op,
        rn: rdn,
        operand,
    };
    match bits(code, 9, 6) {
        0 => alu(Alu::And),
        1 => alu(Alu::Eor),
        2 => shift(Shift::Lsl),
        3 => shift(Shift::Lsr),
        4 => shift(Shift::Asr),
        5 => alu(Alu::Adc),
        6 => alu(Alu::Sbc),
        7 => shift(Shift::Ror),
        8 => compare(Compare::Tst),
        9 => Instruction::Alu {
            op: Alu::Rsb,
            flags,
            rd: rdn,
            rn: rm,
            operand: Operand::constant(0),
        },
        10 => compare(Compare::Cmp),
        11 => compare(Compare::Cmn),
        12 => alu(Alu::Orr),
        13 => Instruction::Multiply {
            flags,
            rd: rdn,
            rn: rm,
            rm: rdn,
        },
        14 => alu(Alu::Bic),
        _ => Instruction::Move {
            flags,
            rd: rdn,
            operand,
            invert: true,
        },
    }
}

/// Special data instructions, branch and exchange: table A5-4.
fn special_data(code: u32) -> Instruction {
    let rm = Reg::new(bits(code, 6, 3));
    let rdn = Reg::new(bits(code, 7, 7) << 3 | bits(code, 2, 0));
    match bits(code, 9, 8) {
        0 if rdn == Reg::PC && rm == Reg::PC => Instruction::Unpredictable,
        0 if rdn == Reg::PC => Instruction::AddToPc { rm },
        0 => Instruction::Alu {
            op: Alu::Add,
            flags: Flags::Keep,
            rd: rdn,
            rn: rdn,
            operand: Operand::register(rm),
        },
        1 => {
            let both_low = rdn.index() < 8 && rm.index() < 8;
            if both_low || rdn == Reg::PC || rm == Reg::PC {
                return Instruction::Unpredictable;
            }
            Instruction::Compare {
                op: Compare::Cmp,
                rn: rdn,
                operand: Operand::register(rm),
            }
        }
        2 if rdn == Reg::PC => Instruction::MoveToPc { rm },
        2 => Instruction::Move {
            flags: Flags::Keep,
            rd: rdn,
            operand: Operand::register(rm),
            invert: false,
        },
        _ if bits(code, 2, 0) != 0 => Instruction::Unpredictable,
        _ if !bit(code, 7) => Instruction::BranchExchange { rm },
        _ if rm == Reg::PC => Instruction::Unpredictable,
        _ => Instruction::BranchLinkExchange { rm },
    }
}

/// Load and store, register offset: table A5-5, first half.
fn load_store_register(code: u32) -> Instruction {
    let rt = Reg::new(bits(code, 2, 0));
    let address = Address::Register {
        rn: Reg::new(bits(code, 5, 3)),
        rm: Reg::new(bits(code, 8, 6)),
        shift: 0,
    };
    match bits(code, 11, 9) {
        0 => store(Width::Word, rt, address),
        1 => store(Width::Half, rt, address),
        2 => store(Width::Byte, rt, address),
        3 => load(Width::Byte, true, rt, address),
        4 => load(Width::Word, false, rt, address),
        5 => load(Width::Half, false, rt, address),
        6 => load(Width::Byte, false, rt, address),
        _ => load(Width::Half, true, rt, address),
    }
}

/// Load and store, immediate offset: table A5-5, second half.
fn load_store_immediate(code: u32) -> Instruction {
    let rt = Reg::new(bits(code, 2, 0));
    let width = match bits(code, 15, 12) {
        0b0110 => Width::Word,
        0b0111 => Width::Byte,
        _ => Width::Half,
    };
    let address = Address::Offset {
        rn: Reg::new(bits(code, 5, 3)),
        offset: (bits(code, 10, 6) * width.bytes()) as i16,
    };
    if bit(code, 11) {
        load(width, false, rt, address)
    } else {
        store(width, rt, address)
    }
}

/// Load and store relative to the stack pointer: table A5-5, last rows.
fn load_store_stack(code: u32) -> Instruction {
    let rt = Reg::new(bits(code, 10, 8));
    let address = Address::Offset {
        rn: Reg::SP,
        offset: word_offset(code),
    };
    if bit(code, 11) {
        load(Width::Word, false, rt, address)
    } else {
        store(Width::Word, rt, address)
    }
}

const fn load(width: Width, signed: bool, rt: Reg, address: Address) -> Instruction {
    Instruction::Load {
        width,
        signed,
        rt,
        address,
    }
}

const fn store(width: Width, rt: Reg, address: Address) -> Instruction {
    Instruction::Store { width, rt, address }
}

/// Miscellaneous 16-bit instructions: table A5-6.
fn miscellaneous(code: u32) -> Instruction {
    let (rd, rm) = (Reg::new(bits(code, 2, 0)), Reg::new(bits(code, 5, 3)));
    let move_stack = |op| Instruction::Alu {
        op,
        flags: Flags::Keep,
        rd: Reg::SP,
        rn: Reg::SP,
        operand: Operand::constant(bits(code, 6, 0) * 4),
    };
    match bits(code, 11, 8) {
        0b0000 if !bit(code, 7) => move_stack(Alu::Add),
        0b0000 => move_stack(Alu::Sub),
        0b0001 | 0b0011 | 0b1001 | 0b1011 => Instruction::CompareBranch {
            nonzero: bit(code, 11),
            rn: rd,
            offset: (bits(code, 9, 9) << 6 | bits(code, 7, 3) << 1) as u8,
        },
        0b0010 => Instruction::Extend {
            width: if bit(code, 6) {
                Width::Byte
            } else {
                Width::Half
            },
            signed: !bit(code, 7),
            rd,
            rm,
            rotate: 0,
        },
        0b0100 | 0b0101 => stack_multiple(bits(code, 7, 0) | bits(code, 8, 8) << 14, |list| {
            Instruction::StoreMultiple {
                rn: Reg::SP,
                list,
                write_back: true,
                before: true,
            }
        }),
        0b0110 if bits(code, 7, 5) == 0b011 => change_state(code),
        0b1010 => {
            let op = match bits(code, 7, 6) {
                0 => Reverse::Rev,
                1 => Reverse::Rev16,
                3 => Reverse::Revsh,
                _ => return Instruction::Undefined,
            };
            Instruction::Reverse { op, rd, rm }
        }
        0b1100 | 0b1101 => stack_multiple(bits(code, 7, 0) | bits(code, 8, 8) << 15, |list| {
            Instruction::LoadMultiple {
                rn: Reg::SP,
                list,
                write_back: true,
                before: false,
            }
        }),
        0b1110 => Instruction::Breakpoint,
        0b1111 => if_then_or_hint(code),
        _ => Instruction::Undefined,
    }
}

/// PUSH and POP, which are unpredictable without a register.
fn stack_multiple(list: u32, make: impl FnOnce(u16) -> Instruction) -> Instruction {
    match list {
        0 => Instruction::Unpredictable,
        list => make(list as u16),
    }
}

/// CPS: section B5.2.1.
fn change_state(code: u32) -> Instruction {
    let (primask, faultmask) = (bit(code, 1), bit(code, 0));
    if bits(code, 3, 2) != 0 || !(primask || faultmask) {
        return Instruction::Unpredictable;
    }
    Instruction::ChangeState {
        disable: bit(code, 4),
        primask,
        faultmask,
    }
}

/// IT (section A7.7.38) and the hints: table A5-7.
fn if_then_or_hint(code: u32) -> Instruction {
    let (first, mask) = (bits(code, 7, 4), bits(code, 3, 0));
    if mask == 0 {
        return hint(first);
    }
    if first == 0b1111 || first == 0b1110 && mask.count_ones() != 1 {
        return Instruction::Unpredictable;
    }
    Instruction::IfThen {
        state: bits(code, 7, 0) as u8,
    }
}

/// The hints by number, the same in 16 and 32 bits.
pub(super) fn hint(number: u32) -> Instruction {
    Instruction::Hint(match number {
        2 => Hint::WaitForEvent,
        3 => Hint::WaitForInterrupt,
        4 => Hint::SendEvent,
        _ => Hint::Nop,
    })
}

/// STM and LDM: sections A7.7.159 and A7.7.41.
fn multiple(code: u32) -> Instruction {
    let rn = Reg::new(bits(code, 10, 8));
    let list = bits(code, 7, 0) as u16;
    if list == 0 {
        return Instruction::Unpredictable;
    }
    if bit(code, 11) {
        Instruction::LoadMultiple {
            rn,
            list,
            write_back: list >> rn.index() & 1 == 0,
            before: false,
        }
    } else {
        Instruction::StoreMultiple {
            rn,
            list,
            write_back: true,
            before: false,
        }
    }
}

/// Conditional branch, UDF and SVC: table A5-8.
fn conditional_branch(code: u32) -> Instruction {
    match bits(code, 11, 8) {
        0b1110 => Instruction::Undefined,
        0b1111 => Instruction::Supervisor,
        condition => Instruction::BranchIf {
            condition: Condition(condition as u8),
            offset: sign_extend(bits(code, 7, 0) << 1, 9),
        },
    }
}
