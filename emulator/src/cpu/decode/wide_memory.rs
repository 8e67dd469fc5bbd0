//! The 32-bit loads and stores: DDI 0403E, sections A5.3.5 to A5.3.10.

use super::super::instruction::{Address, Hint, Instruction, Reg, Width};
use super::{bit, bits};

const UNDEFINED: Instruction = Instruction::Undefined;
const UNPREDICTABLE: Instruction = Instruction::Unpredictable;

/// Load and store multiple: table A5-16.
pub(super) fn multiple(first: u32, second: u32) -> Instruction {
    let before = match bits(first, 8, 7) {
        0b01 => false,
        0b10 => true,
        _ => return UNDEFINED,
    };
    let rn = Reg::new(bits(first, 3, 0));
    let (write_back, load) = (bit(first, 5), bit(first, 4));
    let list = second as u16;
    let base_in_list = list >> rn.index() & 1 != 0;
    // Never the stack pointer; a store never the program counter, a load never it and the link
    // register together.
    let fixed = if load {
        bit(second, 13) || bits(second, 15, 14) == 0b11
    } else {
        bit(second, 13) || bit(second, 15)
    };
    if fixed || rn == Reg::PC || list.count_ones() < 2 || write_back && base_in_list {
        return UNPREDICTABLE;
    }
    if load {
        Instruction::LoadMultiple {
            rn,
            list,
            write_back,
            before,
        }
    } else {
        Instruction::StoreMultiple {
            rn,
            list,
            write_back,
            before,
        }
    }
}

/// Load and store dual or exclusive, table branch: table A5-17.
pub(super) fn dual_or_exclusive(first: u32, second: u32) -> Instruction {
    let (pre, up, write_back) = (bit(first, 8), bit(first, 7), bit(first, 5));
    if pre || write_back {
        return dual(first, second);
    }
    match (up, bit(first, 4)) {
        (false, false) => store_exclusive(first, second),
        (false, true) => load_exclusive(first, second),
        (true, false) => store_exclusive_narrow(first, second),
        (true, true) => load_exclusive_narrow(first, second),
    }
}

/// LDRD and STRD: sections A7.7.50, A7.7.51 and A7.7.166.
fn dual(first: u32, second: u32) -> Instruction {
    let (rn, rt, rt2) = (
        Reg::new(bits(first, 3, 0)),
        Reg::new(bits(second, 15, 12)),
        Reg::new(bits(second, 11, 8)),
    );
    let (pre, up, write_back, load) = (bit(first, 8), bit(first, 7), bit(first, 5), bit(first, 4));
    let distance = (bits(second, 7, 0) * 4) as i16;
    let offset = if up { distance } else { -distance };
    let base = write_back && (rn == rt || rn == rt2);
    let literal = rn == Reg::PC && (write_back || !load);
    if base || literal || !rt.is_general() || !rt2.is_general() || load && rt == rt2 {
        return UNPREDICTABLE;
    }
    let address = indexed(rn, offset, pre, write_back);
    if load {
        Instruction::LoadDual { rt, rt2, address }
    } else {
        Instruction::StoreDual { rt, rt2, address }
    }
}

const fn indexed(rn: Reg, offset: i16, pre: bool, write_back: bool) -> Address {
    match (pre, write_back) {
        (true, false) => Address::Offset { rn, offset },
        (true, true) => Address::PreIndexed { rn, offset },
        (false, _) => Address::PostIndexed { rn, offset },
    }
}

/// STREX: section A7.7.167.
fn store_exclusive(first: u32, second: u32) -> Instruction {
    let (rn, rt, rd) = (
        Reg::new(bits(first, 3, 0)),
        Reg::new(bits(second, 15, 12)),
        Reg::new(bits(second, 11, 8)),
    );
    exclusive_store(Width::Word, rd, rt, rn, bits(second, 7, 0) * 4)
}

fn exclusive_store(width: Width, rd: Reg, rt: Reg, rn: Reg, offset: u32) -> Instruction {
    if !rd.is_general() || !rt.is_general() || rn == Reg::PC || rd == rn || rd == rt {
        return UNPREDICTABLE;
    }
    Instruction::StoreExclusive {
        width,
        rd,
        rt,
        rn,
        offset: offset as u16,
    }
}

/// LDREX: section A7.7.52.
fn load_exclusive(first: u32, second: u32) -> Instruction {
    let (rn, rt) = (Reg::new(bits(first, 3, 0)), Reg::new(bits(second, 15, 12)));
    if bits(second, 11, 8) != 15 || !rt.is_general() || rn == Reg::PC {
        return UNPREDICTABLE;
    }
    Instruction::LoadExclusive {
        width: Width::Word,
        rt,
        rn,
        offset: (bits(second, 7, 0) * 4) as u16,
    }
}

/// STREXB and STREXH: sections A7.7.168 and A7.7.169.
fn store_exclusive_narrow(first: u32, second: u32) -> Instruction {
    let width = match bits(second, 7, 4) {
        0b0100 => Width::Byte,
        0b0101 => Width::Half,
        _ => return UNDEFINED,
    };
    let (rn, rt, rd) = (
        Reg::new(bits(first, 3, 0)),
        Reg::new(bits(second, 15, 12)),
        Reg::new(bits(second, 3, 0)),
    );
    if bits(second, 11, 8) != 15 {
        return UNPREDICTABLE;
    }
    exclusive_store(width, rd, rt, rn, 0)
}

/// LDREXB, LDREXH, TBB and TBH: sections A7.7.53, A7.7.54 and A7.7.185.
fn load_exclusive_narrow(first: u32, second: u32) -> Instruction {
    let (rn, rt, rm) = (
        Reg::new(bits(first, 3, 0)),
        Reg::new(bits(second, 15, 12)),
        Reg::new(bits(second, 3, 0)),
    );
    let width = if bit(second, 4) {
        Width::Half
    } else {
        Width::Byte
    };
    match bits(second, 7, 4) {
        0b0000 | 0b0001 => {
            if bits(second, 15, 8) != 0xf0 || rn == Reg::SP || !rm.is_general() {
                return UNPREDICTABLE;
            }
            Instruction::TableBranch { width, rn, rm }
        }
        0b0100 | 0b0101 => {
            let fixed = bits(second, 11, 8) != 15 || bits(second, 3, 0) != 15;
            if fixed || !rt.is_general() || rn == Reg::PC {
                return UNPREDICTABLE;
            }
            Instruction::LoadExclusive {
                width,
                rt,
                rn,
                offset: 0,
            }
        }
        _ => UNDEFINED,
    }
}

/// Load and store single, memory hints: tables A5-18 to A5-21.
pub(super) fn single(first: u32, second: u32) -> Instruction {
    let width = match bits(first, 6, 5) {
        0 => Width::Byte,
        1 => Width::Half,
        2 => Width::Word,
        _ => return UNDEFINED,
    };
    let (signed, load) = (bit(first, 8), bit(first, 4));
    if signed && (!load || width == Width::Word) {
        return UNDEFINED;
    }
    let rn = Reg::new(bits(first, 3, 0));
    let rt = Reg::new(bits(second, 15, 12));
    let form = match form(first, second) {
        Some(form) if load || rn != Reg::PC => form,
        _ => return UNDEFINED,
    };
    // Into the program counter only words are loaded; bytes and half-words are hints to a cache
    // that is not there (PLD, PLI, and the unallocated ones).
    if load && rt == Reg::PC && width != Width::Word {
        let is_hint = matches!(
            form,
            Form::Access(Address::Offset { .. } | Address::Register { .. })
        );
        let index_is_fine = !matches!(
            form,
            Form::Access(Address::Register { rm, .. }) if !rm.is_general()
        );
        return if is_hint && index_is_fine {
            Instruction::Hint(Hint::Nop)
        } else {
            UNPREDICTABLE
        };
    }
    let (address, write_back) = match form {
        Form::Unprivileged(offset) => {
            if !rt.is_general() {
                return UNPREDICTABLE;
            }
            return if load {
                Instruction::LoadUnprivileged {
                    width,
                    signed,
                    rt,
                    rn,
                    offset,
                }
            } else {
                Instruction::StoreUnprivileged {
                    width,
                    rt,
                    rn,
                    offset,
                }
            };
        }
        Form::Access(address) => (
            address,
            matches!(
                address,
                Address::PreIndexed { .. } | Address::PostIndexed { .. }
            ),
        ),
    };
    let register_is_fine = match (width, load) {
        (Width::Word, true) => true,
        (Width::Word, false) => rt != Reg::PC,
        _ => rt.is_general(),
    };
    let index_is_fine = !matches!(address, Address::Register { rm, .. } if !rm.is_general());
    if !register_is_fine || !index_is_fine || write_back && rn == rt {
        return UNPREDICTABLE;
    }
    if load {
        Instruction::Load {
            width,
            signed,
            rt,
            address,
        }
    } else {
        Instruction::Store { width, rt, address }
    }
}

enum Form {
    Access(Address),
    Unprivileged(u8),
}

/// The addressing form of a single load or store; None where the tables have a hole.
fn form(first: u32, second: u32) -> Option<Form> {
    let rn = Reg::new(bits(first, 3, 0));
    let imm12 = bits(second, 11, 0) as i16;
    if rn == Reg::PC {
        let offset = if bit(first, 7) { imm12 } else { -imm12 };
        return Some(Form::Access(Address::Offset { rn, offset }));
    }
    if bit(first, 7) {
        return Some(Form::Access(Address::Offset { rn, offset: imm12 }));
    }
    if !bit(second, 11) {
        return (bits(second, 10, 6) == 0).then(|| {
            Form::Access(Address::Register {
                rn,
                rm: Reg::new(bits(second, 3, 0)),
                shift: bits(second, 5, 4) as u8,
            })
        });
    }
    let imm8 = bits(second, 7, 0) as u8;
    let distance = i16::from(imm8);
    match (bit(second, 10), bit(second, 9), bit(second, 8)) {
        (false, _, false) => None,
        (true, true, false) => Some(Form::Unprivileged(imm8)),
        (pre, up, write_back) => Some(Form::Access(indexed(
            rn,
            if up { distance } else { -distance },
            pre,
            write_back,
        ))),
    }
}
