//! Small programs, assembled by hand. Encodings: DDI 0403E, section A7.7.

use super::*;
use crate::Image;
use crate::chip::{Chip, Config, SRAM_BASE};
use crate::cpu::instruction::Instruction;
use crate::cpu::{Cpu, Registers, decode};

const PUSH_R7_LR: u16 = 0xb580;
const POP_R7_PC: u16 = 0xbd80;
const BX_LR: u16 = 0x4770;
const BLX_R3: u16 = 0x4798;
const MOV_R7_SP: u16 = 0x466f;
const MOV_SP_R7: u16 = 0x46bd;
const UDF: u16 = 0xde00;
const B_SELF: u16 = 0xe7fe;

/// `SUB SP, #bytes`
fn sub_sp(bytes: u16) -> u16 {
    0xb080 | (bytes / 4)
}

/// `ADD SP, #bytes`
fn add_sp(bytes: u16) -> u16 {
    0xb000 | (bytes / 4)
}

/// Where [`program`] puts function `index`.
fn address(index: u32) -> u32 {
    0x0800_0100 + 0x40 * index
}

/// `BL` to function `to`, as instruction number `at` of half-words of function `from`.
fn bl(from: u32, at: u32, to: u32) -> [u16; 2] {
    let offset = address(to).wrapping_sub(address(from) + 2 * at + 4) as i32;
    let sign = if offset < 0 { 0x400 } else { 0 };
    [
        0xf000 | sign | (offset >> 12 & 0x3ff) as u16,
        0xf800 | (offset >> 1 & 0x7ff) as u16,
    ]
}

/// A program: function 0 is the reset, each entry of `vectors` an exception and its function.
fn program(functions: &[&[u16]], vectors: &[(usize, u32)]) -> Code {
    let mut bytes = vec![0; 0x100];
    bytes[..4].copy_from_slice(&0x2000_5000_u32.to_le_bytes());
    for &(exception, function) in [(1, 0)].iter().chain(vectors) {
        let entry = address(function) | 1;
        bytes[4 * exception..][..4].copy_from_slice(&entry.to_le_bytes());
    }
    for function in functions {
        let code = function.iter().flat_map(|half| half.to_le_bytes());
        bytes.extend(code);
        // What lies between functions is no code.
        while !bytes.len().is_multiple_of(0x40) {
            bytes.extend(UDF.to_le_bytes());
        }
    }
    Code::new(&Image::parse_binary(&bytes, 0x0800_0000).unwrap())
}

/// The bound of a program whose functions have the names of their numbers.
fn bound_of(functions: &[&[u16]], vectors: &[(usize, u32)]) -> Result<Bound, StackError> {
    let names = (0..functions.len() as u32).map(|index| (address(index), index.to_string()));
    bound(&program(functions, vectors), &names.collect())
}

fn bytes_of(function: &[u16]) -> Result<u32, StackError> {
    bound_of(&[function], &[]).map(|bound| bound.bytes())
}

#[test]
fn frames_of_callers_add_up() {
    let [a, b] = bl(0, 2, 1);
    let bound = bound_of(
        &[
            &[PUSH_R7_LR, sub_sp(16), a, b, B_SELF],
            &[PUSH_R7_LR, sub_sp(32), add_sp(32), POP_R7_PC],
        ],
        &[],
    )
    .unwrap();
    assert_eq!(bound.thread.to_string(), "0 24 > 1 40");
    assert_eq!((bound.bytes(), bound.top), (64, 0x2000_5000));
}

#[test]
fn a_call_counts_with_what_is_on_the_stack_where_it_stands() {
    // The frame is gone before the call.
    let [a, b] = bl(0, 2, 1);
    let functions: [&[u16]; 2] = [
        &[sub_sp(100), add_sp(100), a, b, B_SELF],
        &[PUSH_R7_LR, POP_R7_PC],
    ];
    assert_eq!(bound_of(&functions, &[]).unwrap().bytes(), 100);
}

#[test]
fn each_handler_comes_on_top_once_with_its_frame() {
    let functions: [&[u16]; 3] = [
        &[sub_sp(8), B_SELF],
        &[PUSH_R7_LR, POP_R7_PC],
        &[0xb510, 0xbd10, UDF],
    ];
    // Two vectors share function 1.
    let bound = bound_of(&functions, &[(3, 1), (15, 1), (20, 2)]).unwrap();
    assert_eq!(bound.handlers.len(), 2);
    assert_eq!(bound.bytes(), 8 + (36 + 8) + (36 + 8));
}

#[test]
fn every_form_of_a_frame_is_seen() {
    let forms: [(&[u16], u32); 9] = [
        // PUSH.W {R8-R11}, POP.W
        (&[0xe92d, 0x0f00, 0xe8bd, 0x0f00, BX_LR], 16),
        // STR R0, [SP, #-4]!; LDR R0, [SP], #4
        (&[0xf84d, 0x0d04, 0xf85d, 0x0b04, BX_LR], 4),
        // STR LR, [SP, #-8]!; LDR PC, [SP], #8
        (&[0xf84d, 0xed08, 0xf85d, 0xfb08], 8),
        // STRD R0, R1, [SP, #-16]!; LDRD R0, R1, [SP], #16
        (&[0xe96d, 0x0104, 0xe8fd, 0x0104, BX_LR], 16),
        // SUB.W SP, SP, #1024; ADD.W SP, SP, #1024
        (&[0xf5ad, 0x6d80, 0xf50d, 0x6d80, BX_LR], 1024),
        // SUBW SP, SP, #2100; ADDW SP, SP, #2100
        (&[0xf6ad, 0x0d34, 0xf60d, 0x0d34, BX_LR], 2100),
        // By a frame pointer: MOV R7, SP; SUB SP, #64; MOV SP, R7
        (
            &[PUSH_R7_LR, MOV_R7_SP, sub_sp(64), MOV_SP_R7, POP_R7_PC],
            72,
        ),
        // SUB.W R4, R7, #8; MOV SP, R4 takes ADD R7, SP, #8 back
        (
            &[
                sub_sp(16),
                0xaf02,
                0xf1a7,
                0x0408,
                0x46a5,
                add_sp(16),
                BX_LR,
            ],
            16,
        ),
        // An aligned frame: MOV R4, SP; BFC R4, #0, #4; MOV SP, R4
        (
            &[
                PUSH_R7_LR, MOV_R7_SP, 0x466c, 0xf36f, 0x0403, 0x46a5, MOV_SP_R7, POP_R7_PC,
            ],
            23,
        ),
    ];
    for (function, bytes) in forms {
        assert_eq!(bytes_of(function), Ok(bytes), "{function:04x?}");
    }
}

#[test]
fn a_branch_to_another_function_is_followed_in_its_place() {
    // POP {R7, LR} as POP.W; B function 1
    let at = address(0) + 2 * 3;
    let offset = (address(1) - at - 4) / 2;
    let functions: [&[u16]; 2] = [
        &[PUSH_R7_LR, 0xe8bd, 0x4080, 0xe000 | offset as u16],
        &[PUSH_R7_LR, sub_sp(48), add_sp(48), POP_R7_PC],
    ];
    let bound = bound_of(&functions, &[]).unwrap();
    assert_eq!(bound.thread.to_string(), "0 56");
}

#[test]
fn what_stands_behind_a_call_that_does_not_come_back_is_no_code_of_the_caller() {
    let [a, b] = bl(0, 1, 1);
    // Behind it a return that would not fit.
    let functions: [&[u16]; 2] = [&[PUSH_R7_LR, a, b, BX_LR], &[B_SELF]];
    assert_eq!(bound_of(&functions, &[]).unwrap().bytes(), 8);
}

#[test]
fn every_case_of_a_table_counts() {
    // TBB [PC, R0]; three cases and a byte to fill: 0 and 2 return, 1 takes 64 bytes.
    let cases: [u16; 2] = [2 | 3 << 8, 2];
    let function = [
        0xe8df,
        0xf000,
        cases[0],
        cases[1],
        BX_LR,
        sub_sp(64),
        add_sp(64),
        BX_LR,
    ];
    assert_eq!(bytes_of(&function), Ok(64));
}

#[test]
fn a_conditional_return_goes_on_too() {
    // PUSH {R7, LR}; IT EQ; POPEQ {R7, PC}; SUB SP, #8; ADD SP, #8; POP {R7, PC}
    let function = [
        PUSH_R7_LR,
        0xbf08,
        POP_R7_PC,
        sub_sp(8),
        add_sp(8),
        POP_R7_PC,
    ];
    assert_eq!(bytes_of(&function), Ok(16));
}

#[test]
fn recursion_has_no_bound() {
    let [a, b] = bl(0, 0, 1);
    let [c, d] = bl(1, 1, 1);
    let functions: [&[u16]; 2] = [&[a, b, B_SELF], &[PUSH_R7_LR, c, d, POP_R7_PC]];
    assert_eq!(
        bound_of(&functions, &[]),
        Err(GraphError::Recursion(vec!["1".into(), "1".into()]).into())
    );
}

#[test]
fn a_call_by_a_known_address_is_a_call() {
    let target = (address(1) | 1).to_le_bytes();
    let [low, high] = [0, 2].map(|at| u16::from_le_bytes([target[at], target[at + 1]]));
    // LDR R3, [PC, #4]; BLX R3; B .; the address
    let functions: [&[u16]; 2] = [
        &[0x4b01, BLX_R3, B_SELF, 0, low, high],
        &[PUSH_R7_LR, POP_R7_PC],
    ];
    let bound = bound_of(&functions, &[]).unwrap();
    assert_eq!(bound.thread.to_string(), "0 0 > 1 8");
}

#[test]
fn a_call_through_memory_is_a_call_of_every_function_whose_address_is_anywhere() {
    // LDR R3, [R0]; BLX R3. Function 1 is pointed at by data, 2 by MOVW and MOVT, 3 by nothing.
    let target = (address(1) | 1).to_le_bytes();
    let [low, high] = [0, 2].map(|at| u16::from_le_bytes([target[at], target[at + 1]]));
    // MOVW R0, #0x181; MOVT R0, #0x0800
    assert_eq!(address(2) | 1, 0x0800_0181);
    let functions: [&[u16]; 4] = [
        &[
            0x6803, BLX_R3, 0xf240, 0x1081, 0xf6c0, 0x0000, B_SELF, UDF, low, high,
        ],
        &[PUSH_R7_LR, POP_R7_PC],
        &[sub_sp(40), add_sp(40), BX_LR],
        &[sub_sp(400), add_sp(400), BX_LR],
    ];
    let bound = bound_of(&functions, &[]).unwrap();
    assert_eq!(bound.thread.to_string(), "0 0 > 2 40");
    let nameless = super::bound(&program(&functions, &[]), &BTreeMap::new());
    assert_eq!(
        nameless,
        Err(StackError::UnknownTarget { pc: address(0) + 2 })
    );
}

#[test]
fn what_cannot_be_foreseen_is_an_error() {
    let pc = |index: u32| address(0) + 2 * index;
    let cases: [(&[u16], StackError); 8] = [
        // IT EQ; PUSHEQ {R0}; then two stacks meet.
        (&[0xbf08, 0xb401, BX_LR], StackError::Uneven { pc: pc(2) }),
        // SUB.W SP, SP, R0
        (
            &[0xebad, 0x0d00, BX_LR],
            StackError::Unfollowed { pc: pc(0) },
        ),
        // MSR MSP, R0
        (
            &[0xf380, 0x8808, BX_LR],
            StackError::Unfollowed { pc: pc(0) },
        ),
        (&[sub_sp(8), BX_LR], StackError::Unbalanced { pc: pc(1) }),
        // MOV PC, R0
        (&[0x4687], StackError::UnknownTarget { pc: pc(0) }),
        // LDR PC, [R0]
        (&[0xf8d0, 0xf000], StackError::UnknownTarget { pc: pc(0) }),
        // SUB SP, #8; B to itself
        (&[sub_sp(8), 0xe7fd], StackError::Uneven { pc: pc(0) }),
        // B behind the end of the program
        (
            &[0xe3ff],
            StackError::NoCode {
                address: pc(0) + 4 + 0x7fe,
            },
        ),
    ];
    for (function, error) in cases {
        assert_eq!(bytes_of(function), Err(error), "{function:04x?}");
    }
}

/// What is executed changes no register but those of which [`effects::written`] says so: all short
/// encodings, and many of the long ones.
#[test]
fn no_instruction_writes_more_than_is_said_of_it() {
    let mut chip = Chip::new(Config::default());
    let mut cpu = Cpu::new(&chip);
    let mut seed = 1_u32;
    let mut random = || {
        // Numerical Recipes, "quick and dirty" generator.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as u16
    };
    let shorts = (0..0xe800).map(|first| (first, 0xbf00));
    let longs = (0..300_000).map(|_| (0xe800 | random() & 0x17ff, random()));
    let mut executed = 0;
    for (first, second) in shorts.chain(longs) {
        let instruction = if decode::is_wide(first) {
            decode::wide(first, second)
        } else {
            decode::narrow(first)
        };
        let goes_elsewhere = matches!(
            instruction,
            Instruction::BranchLink { .. }
                | Instruction::BranchLinkExchange { .. }
                | Instruction::Supervisor
                | Instruction::Hint(_)
                | Instruction::WriteSpecial { .. }
                | Instruction::Undefined
                | Instruction::Unpredictable
                | Instruction::Coprocessor
        );
        if goes_elsewhere {
            continue;
        }
        let code = SRAM_BASE + 0x100;
        let halves = [first, second].map(u16::to_le_bytes).concat();
        chip.sram_mut()[0x100..0x104].copy_from_slice(&halves);
        // Pointers into the middle of the RAM, all different.
        let mut before = Registers {
            r: std::array::from_fn(|index| SRAM_BASE + 0x2000 + 16 * index as u32),
            msp: SRAM_BASE + 0x3000,
            xpsr: 1 << 24,
            ..Registers::default()
        };
        before.r[13] = before.msp;
        before.r[15] = code;
        cpu.set_registers(&before);
        let entered = cpu.run_one(&mut chip).is_err() || cpu.registers().xpsr & 0x1ff != 0;
        if entered {
            // A fault, or something that is left open.
            continue;
        }
        executed += 1;
        let after = cpu.registers();
        for register in 0..15 {
            assert!(
                after.r[register] == before.r[register]
                    || effects::written(instruction) >> register & 1 != 0,
                "{first:04x} {second:04x} {instruction:?} writes register {register}"
            );
        }
    }
    assert!(executed > 80_000, "{executed} were executed");
}
