//! Random cases.

use flashwire_emulator::cpu::decode;
use flashwire_emulator::cpu::instruction::{Hint, Instruction};

use crate::memory::RAM_BASE;
use crate::random::Random;
use crate::rig::{PRIVATE_TARGETS, RAM_BYTES};

/// Where the code of a case begins.
const CODE: u32 = RAM_BASE + 0x100;
/// Where data pointers point, give or take a little.
const DATA: u32 = RAM_BASE + 0x900;

/// A situation and how long to look at it.
pub(crate) struct Case {
    pub(crate) ram: Vec<u8>,
    pub(crate) r: [u32; 16],
    pub(crate) msp: u32,
    pub(crate) psp: u32,
    pub(crate) flags: u32,
    pub(crate) primask: bool,
    pub(crate) faultmask: bool,
    pub(crate) basepri: u8,
    pub(crate) control: u32,
    /// Writes to the core's private peripherals.
    pub(crate) system: Vec<(u32, u32)>,
    /// Interrupt lines: before which step, which line, which level.
    pub(crate) lines: Vec<(u32, u16, bool)>,
    pub(crate) steps: u32,
}

/// A case that runs `code`.
fn case(random: &mut Random, code: &[u16], steps: u32) -> Case {
    let mut ram: Vec<u8> = (0..RAM_BYTES / 4)
        .flat_map(|_| random.word().to_le_bytes())
        .collect();
    let start = (CODE - RAM_BASE) as usize;
    // Behind the code come NOPs.
    let filled = code.iter().copied().chain(std::iter::repeat(0xbf00));
    for (slot, half) in ram[start..start + 0x100].chunks_exact_mut(2).zip(filled) {
        slot.copy_from_slice(&half.to_le_bytes());
    }
    let mut r = [0; 16];
    for register in &mut r {
        *register = value(random);
    }
    r[15] = CODE;
    Case {
        ram,
        r,
        msp: RAM_BASE + 0x800 + 4 * random.below(16),
        psp: RAM_BASE + 0xc00 + 4 * random.below(16),
        flags: random.word() & 0xf800_0000,
        primask: false,
        faultmask: false,
        basepri: 0,
        control: random.pick(&[0, 0, 0, 2]),
        system: Vec::new(),
        lines: Vec::new(),
        steps,
    }
}

/// A register: pointers, small numbers, corner cases, anything.
fn value(random: &mut Random) -> u32 {
    match random.below(6) {
        0 | 1 => DATA + random.below(0x80),
        2 => random.below(40),
        3 => random.pick(&[0, 1, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]),
        4 => 1 << random.below(32),
        // Not in the private peripherals, which have tests of their own.
        _ => random.word() & !0x4000_0000,
    }
}

pub(crate) fn any_narrow(random: &mut Random) -> Case {
    let code = narrow(random);
    let mut case = case(random, &[code], 1);
    special_state(random, &mut case);
    unprivileged(random, &mut case);
    case
}

/// One instruction that somebody's program has, in any state.
pub(crate) fn one(random: &mut Random, code: [u16; 2]) -> Case {
    let mut case = case(random, &code, 1);
    special_state(random, &mut case);
    case
}

/// Takes the privileges away sometimes.
fn unprivileged(random: &mut Random, case: &mut Case) {
    if random.one_in(4) {
        case.control |= 1;
    }
}

fn narrow(random: &mut Random) -> u16 {
    loop {
        let code = random.half();
        if !decode::is_wide(code) && !sleeps(decode::narrow(code)) {
            return code;
        }
    }
}

/// Any 32-bit pattern; half of the time one with a defined result.
pub(crate) fn any_wide(random: &mut Random) -> Case {
    let code = loop {
        let code = [0xe800 | random.half(), random.half()];
        if !decode::is_wide(code[0]) {
            continue;
        }
        let instruction = decode::wide(code[0], code[1]);
        let defined = !matches!(
            instruction,
            Instruction::Unpredictable | Instruction::Undefined | Instruction::Coprocessor
        );
        if sleeps(instruction) || !defined && !random.one_in(8) {
            continue;
        }
        break code;
    };
    let mut case = case(random, &code, 1);
    special_state(random, &mut case);
    // The oracle lets unprivileged code read the stack pointers (DDI 0403E, section B5.2.2: zero).
    if !matches!(
        decode::wide(code[0], code[1]),
        Instruction::ReadSpecial { .. }
    ) {
        unprivileged(random, &mut case);
    }
    case
}

pub(crate) fn sleeps(instruction: Instruction) -> bool {
    matches!(
        instruction,
        Instruction::Hint(Hint::WaitForEvent | Hint::WaitForInterrupt)
    )
}

/// Masks, privileges and traps that change what an instruction does.
fn special_state(random: &mut Random, case: &mut Case) {
    if random.one_in(4) {
        // SHCSR: the three configurable faults enabled.
        case.system.push((0xe000_ed24, random.below(8) << 16));
    }
    if random.one_in(4) {
        // CCR: DIV_0_TRP, UNALIGN_TRP. The oracle has no STKALIGN to clear.
        case.system
            .push((0xe000_ed14, 0x200 | random.word() & 0x18));
    }
    if random.one_in(8) {
        case.basepri = random.word() as u8 & 0xf0;
    }
}

/// One instruction whose only effect is on registers.
fn register_instruction(random: &mut Random) -> Vec<u16> {
    loop {
        let code = if random.one_in(2) {
            vec![narrow(random)]
        } else {
            // 11101_01x, 11110_x: data processing; 11111_010, 11111_011: register, multiply.
            let first = match random.below(4) {
                0 => 0xea00 | random.half() & 0x01ff,
                1 | 2 => 0xf000 | random.half() & 0x07ff,
                _ => 0xfa00 | random.half() & 0x01ff,
            };
            vec![first, random.half()]
        };
        let instruction = match code[..] {
            [only] => decode::narrow(only),
            [first, second, ..] => decode::wide(first, second),
            [] => unreachable!("never empty"),
        };
        let fine = matches!(
            instruction,
            Instruction::Alu { .. }
                | Instruction::Move { .. }
                | Instruction::MoveTop { .. }
                | Instruction::AddressOf { .. }
                | Instruction::Compare { .. }
                | Instruction::ShiftByRegister { .. }
                | Instruction::Extend { .. }
                | Instruction::Reverse { .. }
                | Instruction::CountLeadingZeros { .. }
                | Instruction::Saturate { .. }
                | Instruction::BitFieldExtract { .. }
                | Instruction::BitFieldInsert { .. }
                | Instruction::Multiply { .. }
                | Instruction::MultiplyAdd { .. }
                | Instruction::MultiplyLong { .. }
                | Instruction::Divide { .. }
        );
        if fine {
            return code;
        }
    }
}

pub(crate) fn data_processing(random: &mut Random) -> Case {
    let mut code = Vec::new();
    let count = 1 + random.below(6);
    for _ in 0..count {
        code.extend(register_instruction(random));
    }
    case(random, &code, count)
}

/// One load or store.
fn memory_instruction(random: &mut Random) -> Vec<u16> {
    loop {
        let code = match random.below(5) {
            0 => vec![0x4800 | random.half() & 0x07ff],
            1 => vec![0x5000 | random.half() & 0x7fff],
            2 => vec![0xb400 | random.half() & 0x09ff],
            3 => vec![0xe800 | random.half() & 0x01ff, random.half()],
            _ => vec![0xf800 | random.half() & 0x01ff, random.half()],
        };
        let instruction = match code[..] {
            [only] if !decode::is_wide(only) => decode::narrow(only),
            [first, second, ..] => decode::wide(first, second),
            _ => continue,
        };
        let fine = matches!(
            instruction,
            Instruction::Load { .. }
                | Instruction::Store { .. }
                | Instruction::LoadUnprivileged { .. }
                | Instruction::StoreUnprivileged { .. }
                | Instruction::LoadDual { .. }
                | Instruction::StoreDual { .. }
                | Instruction::LoadMultiple { .. }
                | Instruction::StoreMultiple { .. }
                | Instruction::LoadExclusive { .. }
                | Instruction::StoreExclusive { .. }
        );
        if fine {
            return code;
        }
    }
}

pub(crate) fn memory(random: &mut Random) -> Case {
    let mut code = Vec::new();
    let count = 1 + random.below(3);
    for _ in 0..count {
        code.extend(memory_instruction(random));
    }
    let mut case = case(random, &code, count);
    // Mostly sensible addresses, a few of them unaligned.
    for register in &mut case.r[..13] {
        *register = match random.below(8) {
            0 => value(random),
            1 => DATA + random.below(0x200),
            2 => random.below(0x20),
            _ => DATA + 4 * random.below(0x80),
        };
    }
    special_state(random, &mut case);
    case
}

pub(crate) fn it_block(random: &mut Random) -> Case {
    let mask = 1 + random.below(15);
    let first = if mask.count_ones() == 1 {
        random.below(15)
    } else {
        random.below(14)
    };
    let mut code = vec![(0xbf00 | first << 4 | mask) as u16];
    let length = 4 - mask.trailing_zeros();
    for index in 0..length {
        if index + 1 == length && random.one_in(4) {
            // A branch may end the block: B, BX r14 or POP {pc}.
            let forward = 0xe000 | random.half() & 0x1f;
            code.push(random.pick(&[forward, 0x4770, 0xbd00]));
        } else if random.one_in(4) {
            code.extend(memory_instruction(random));
        } else {
            code.extend(register_instruction(random));
        }
    }
    let mut case = case(random, &code, length + 2);
    case.r[14] = CODE + 0x81;
    case
}

pub(crate) fn branches(random: &mut Random) -> Case {
    let mut code = Vec::new();
    for _ in 0..40 {
        // Short distances in both directions, so that most of the targets are in the code.
        let near = random.half() & 0x0f;
        match random.below(10) {
            0 => code.push(0xd000 | (random.below(14) as u16) << 8 | near),
            1 => code.push(0xe000 | near),
            2 => code.push(0xb100 | random.half() & 0x0800 | near << 3 | random.half() & 7),
            3 => code.extend([0xf000, 0xf800 | near]),
            4 => code.extend([0xf000 | (random.below(14) as u16) << 6, 0x8000 | near]),
            5 => code.push(random.pick(&[0x4700, 0x4780]) | (random.below(15) as u16) << 3),
            6 => code.push(0x4487 | (random.below(8) as u16) << 3),
            7 => code.extend([
                0xe8d0 | random.below(13) as u16,
                0xf000 | random.half() & 0x17,
            ]),
            8 => code.extend(register_instruction(random)),
            _ => code.extend([0xf000, 0xb800 | near]),
        }
    }
    let mut case = case(random, &code, 20);
    for register in &mut case.r[..13] {
        *register = match random.below(4) {
            0 => CODE + (random.below(0x60) | u32::from(!random.one_in(8))),
            1 => random.below(32),
            _ => DATA + random.below(0x40),
        };
    }
    special_state(random, &mut case);
    case
}

/// Interrupts, faults and system calls on top of each other.
pub(crate) fn exceptions(random: &mut Random) -> Case {
    let mut code = Vec::new();
    for _ in 0..30 {
        match random.below(12) {
            // SVC, UDF
            0 => code.push(0xdf00 | random.half() & 0xff),
            1 if random.one_in(4) => code.push(0xde00),
            // CPSIE/CPSID
            2 => code.push(0xb661 + random.pick(&[0, 0x10]) + random.below(3) as u16),
            // MSR PRIMASK/BASEPRI/BASEPRI_MAX/FAULTMASK, rn
            3 => code.extend([
                0xf380 | random.below(13) as u16,
                0x8810 + random.below(4) as u16,
            ]),
            // MRS rd, special
            4 => code.extend([
                0xf3ef,
                0x8000
                    | (random.below(13) as u16) << 8
                    | random.pick(&[0, 3, 5, 8, 9, 16, 17, 18, 19, 20]),
            ]),
            // STR rt, [r12]: see below.
            5 | 6 => code.extend([0xf8cc, (random.below(12) as u16) << 12]),
            7 => code.extend(memory_instruction(random)),
            // UDIV by anything
            8 => code.extend([0xfbb0 | random.below(13) as u16, 0xf0f1]),
            _ => code.extend(register_instruction(random)),
        }
    }
    let mut case = case(random, &code, 40);
    case.r[12] = random.pick(&PRIVATE_TARGETS);
    case.system.push((0xe000_e100, random.word()));
    for index in 0..8 {
        case.system.push((0xe000_e400 + 4 * index, random.word()));
    }
    case.system.push((0xe000_ed18, random.word()));
    case.system.push((0xe000_ed1c, random.word() & 0xff00_0000));
    case.system.push((0xe000_ed20, random.word() & 0xffff_0000));
    // PRIGROUP 0 to 3: no subpriorities, which the oracle disregards (DDI 0403E, section B1.5.4).
    case.system
        .push((0xe000_ed0c, 0x05fa_0000 | random.below(4) << 8));
    special_state(random, &mut case);
    // The oracle would miss a line that falls right after its pending bit was cleared (ICPR0).
    let lines = if case.r[12] == 0xe000_e280 {
        0
    } else {
        random.below(6)
    };
    for _ in 0..lines {
        let line = random.below(32) as u16;
        let when = random.below(30);
        case.lines.push((when, line, true));
        case.lines.push((when + 1 + random.below(9), line, false));
    }
    case.lines.sort_by_key(|&(when, ..)| when);
    case
}
