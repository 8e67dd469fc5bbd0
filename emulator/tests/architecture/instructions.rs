//! Instructions: DDI 0403E, chapters A3, A5 and A7.

use flashwire_emulator::Halt;

use super::*;

#[test]
fn a_table_of_half_words_need_not_be_aligned() {
    // TBH [r0, r1, LSL #1]
    let mut machine = Machine::new(&[0xe8d0, 0xf011]);
    machine.set(0, RAM_BASE + 0x301);
    machine.set(1, 0);
    machine.place(RAM_BASE + 0x300, &[0x0800, 0x0000]);
    machine.steps(1);
    assert_eq!(machine.cpu.pc(), CODE + 4 + 16);
}

#[test]
fn the_stack_pointer_has_no_lowest_two_bits() {
    // MOV sp, r0
    let mut machine = Machine::new(&[0x4685]);
    machine.set(0, STACK + 3);
    machine.steps(1);
    assert_eq!(machine.r(13), STACK);
}

#[test]
fn a_bit_band_word_is_one_bit() {
    // STR r1, [r0]; LDR r2, [r0]; LDR r3, [r4]
    let mut machine = Machine::new(&[0x6001, 0x6802, 0x6823]);
    // Bit 5 of the byte at RAM + 0x302.
    machine.set(0, 0x2200_0000 + 0x302 * 32 + 5 * 4);
    machine.set(4, RAM_BASE + 0x300);
    machine.set(1, 0xffff_fff1);
    machine.steps(3);
    assert_eq!(machine.r(2), 1);
    assert_eq!(machine.r(3), 1 << 21);
}

#[test]
fn an_exclusive_store_without_its_load_does_not_store() {
    // STREX r2, r1, [r0]; LDREX r3, [r0]; STREX r4, r1, [r0]; STREX r5, r1, [r0]
    let code = [
        0xe840, 0x1200, 0xe850, 0x3f00, 0xe840, 0x1400, 0xe840, 0x1500,
    ];
    let mut machine = Machine::new(&code);
    machine.set(0, RAM_BASE + 0x300);
    machine.set(1, 7);
    machine.steps(1);
    assert_eq!((machine.r(2), machine.word(RAM_BASE + 0x300)), (1, 0));
    machine.steps(3);
    assert_eq!((machine.r(4), machine.r(5)), (0, 1));
    assert_eq!(machine.word(RAM_BASE + 0x300), 7);
}

#[test]
fn an_exception_takes_the_exclusive_access_away() {
    // LDREX r3, [r0]; SVC; STREX r4, r1, [r0]
    let mut machine = Machine::new(&[0xe850, 0x3f00, SVC, 0xe840, 0x1400]);
    machine.set(0, RAM_BASE + 0x300);
    machine.steps(4);
    assert_eq!(machine.r(4), 1);
}

#[test]
fn division_by_zero_is_zero_until_it_is_trapped() {
    // UDIV r2, r0, r1
    let mut machine = Machine::new(&[0xfbb0, 0xf2f1]);
    machine.set(0, 7);
    machine.set(1, 0);
    machine.set(2, 99);
    machine.steps(1);
    assert_eq!(machine.r(2), 0);
    let mut machine = Machine::new(&[0xfbb0, 0xf2f1]);
    machine.set(1, 0);
    machine.set_system(SHCSR, 1 << 18);
    machine.set_system(CCR, 1 << 4);
    machine.steps(1);
    assert_eq!(machine.exception(), USAGE_FAULT);
    assert_eq!(machine.system(CFSR), 1 << 25, "DIVBYZERO");
}

#[test]
fn a_coprocessor_instruction_is_a_usage_fault() {
    // MCR p15, 0, r0, c7, c5, 0
    let mut machine = Machine::new(&[0xee07, 0x0f15]);
    machine.set_system(SHCSR, 1 << 18);
    machine.steps(1);
    assert_eq!(machine.exception(), USAGE_FAULT);
    assert_eq!(machine.system(CFSR), 1 << 19, "NOCP");
}

#[test]
fn an_unpredictable_encoding_stops_with_its_address() {
    // POP without a register; ADD.W sp, r0, r0
    for (code, value) in [(vec![0xbc00], 0xbc00), (vec![0xeb00, 0x0d00], 0xeb00_0d00)] {
        let mut machine = Machine::new(&code);
        let halt = machine.cpu.run_one(&mut machine.memory);
        assert_eq!(
            halt,
            Err(Halt::UnpredictableInstruction {
                pc: CODE,
                code: value
            })
        );
    }
}

#[test]
fn a_branch_in_the_middle_of_an_it_block_stops_with_its_address() {
    // ITT NE; B .+4; NOP
    let mut machine = Machine::new(&[0xbf1c, 0xe000, NOP]);
    machine.steps(1);
    let halt = machine.cpu.run_one(&mut machine.memory);
    assert!(matches!(halt, Err(Halt::UnpredictableUse { pc, .. }) if pc == CODE + 2));
}

#[test]
fn an_unknown_private_register_stops_with_its_address() {
    // LDR r1, [r0]
    let mut machine = Machine::new(&[0x6801]);
    machine.set(0, 0xe000_2000);
    let halt = machine.cpu.run_one(&mut machine.memory);
    assert!(matches!(
        halt,
        Err(Halt::UnknownRegister {
            pc: CODE,
            address: 0xe000_2000,
            ..
        })
    ));
}
