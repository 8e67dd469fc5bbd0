//! Exceptions: DDI 0403E, section B1.5.

use flashwire_emulator::Halt;

use flashwire_emulator::Time;

use super::*;

#[test]
fn an_interrupt_in_an_it_block_keeps_the_rest_of_the_block() {
    // ITTE EQ; ADDEQ r0, #1; ADDEQ r0, #2; ADDNE r0, #4
    let mut machine = Machine::new(&[0xbf06, 0x3001, 0x3002, 0x3004, NOP]);
    let mut registers = machine.cpu.registers();
    registers.r[0] = 0;
    registers.xpsr |= 1 << 30;
    machine.cpu.set_registers(&registers);
    machine.set_system(0xe000_e100, 1);
    machine.steps(2);
    machine.memory.interrupts = 1;
    machine.steps(1);
    assert_eq!(machine.exception(), 16);
    // B1.5.6, PushStack: ITSTATE is in the frame; B1.5.6, ExceptionTaken: the handler has none.
    assert_ne!(machine.stacked_psr() & 0x0600_fc00, 0);
    assert_eq!(machine.cpu.registers().xpsr & 0x0600_fc00, 0);
    machine.memory.interrupts = 0;
    machine.steps(3);
    assert_eq!(machine.exception(), 0);
    assert_eq!(machine.r(0), 3);
}

#[test]
fn a_branch_to_an_even_address_faults_at_its_target() {
    // BX r0
    let mut machine = Machine::new(&[0x4700]);
    machine.set(0, CODE + 0x20);
    machine.set_system(SHCSR, 1 << 18);
    machine.steps(2);
    assert_eq!(machine.exception(), USAGE_FAULT);
    assert_eq!(machine.system(CFSR), 1 << 17, "INVSTATE");
    assert_eq!(machine.stacked_pc(), CODE + 0x20);
    assert_eq!(
        machine.stacked_psr() & 1 << 24,
        0,
        "T is clear in the frame"
    );
}

#[test]
fn code_in_the_peripheral_region_is_a_memory_fault() {
    // BX r0
    let mut machine = Machine::new(&[0x4700]);
    machine.set(0, 0x4000_0001);
    machine.set_system(SHCSR, 1 << 16);
    machine.steps(2);
    assert_eq!(machine.exception(), 4);
    assert_eq!(machine.system(CFSR), 1, "IACCVIOL");
    assert_eq!(machine.stacked_pc(), 0x4000_0000);
}

#[test]
fn a_fault_that_is_not_enabled_becomes_a_hard_fault() {
    let mut machine = Machine::new(&[NOP, UDF]);
    machine.steps(2);
    assert_eq!(machine.exception(), HARD_FAULT);
    assert_eq!(machine.system(CFSR), 1 << 16, "UNDEFINSTR");
    assert_eq!(machine.system(HFSR), 1 << 30, "FORCED");
    assert_eq!(machine.stacked_pc(), CODE + 2);
}

#[test]
fn a_supervisor_call_returns_behind_itself() {
    let mut machine = Machine::new(&[SVC, NOP]);
    machine.steps(1);
    assert_eq!(machine.exception(), SV_CALL);
    assert_eq!(machine.stacked_pc(), CODE + 2);
    machine.steps(1);
    assert_eq!(machine.exception(), 0);
    assert_eq!(machine.cpu.pc(), CODE + 2);
}

#[test]
fn a_supervisor_call_that_is_masked_becomes_a_hard_fault() {
    // CPSID i; SVC
    let mut machine = Machine::new(&[0xb672, SVC]);
    machine.steps(2);
    assert_eq!(machine.exception(), HARD_FAULT);
    assert_eq!(machine.system(HFSR), 1 << 30, "FORCED");
}

#[test]
fn a_breakpoint_without_a_debugger_is_a_hard_fault_at_the_breakpoint() {
    // BKPT
    let mut machine = Machine::new(&[0xbe00]);
    machine.steps(1);
    assert_eq!(machine.exception(), HARD_FAULT);
    assert_eq!(machine.system(HFSR), 1 << 31, "DEBUGEVT");
    assert_eq!(machine.stacked_pc(), CODE);
}

#[test]
fn a_fault_in_the_hard_fault_handler_locks_the_core_up() {
    let mut machine = Machine::new(&[UDF]);
    machine.place(handler(HARD_FAULT), &[UDF]);
    machine.steps(1);
    let halt = machine.cpu.run_one(&mut machine.memory);
    assert!(matches!(halt, Err(Halt::LockedUp { pc, .. }) if pc == handler(HARD_FAULT)));
}

#[test]
fn the_return_from_an_exception_that_is_not_active_is_refused_without_a_new_frame() {
    let mut machine = Machine::new(&[SVC, NOP]);
    machine.set_system(SHCSR, 1 << 18);
    machine.steps(1);
    let sp = machine.r(13);
    // SHCSR: SVCall not active.
    machine.set_system(SHCSR, 1 << 18);
    machine.steps(1);
    assert_eq!(machine.exception(), USAGE_FAULT);
    assert_eq!(machine.system(CFSR), 1 << 18, "INVPC");
    assert_eq!(machine.r(13), sp);
    assert_eq!(machine.r(14), 0xffff_fff9);
}

#[test]
fn a_return_to_thread_mode_while_another_handler_waits_is_refused() {
    // A pending NMI preempts the SVC handler; its return claims Thread mode. UsageFault is more
    // urgent than SVCall.
    let mut machine = Machine::new(&[SVC]);
    machine.set_system(SHCSR, 1 << 18);
    machine.set_system(0xe000_ed1c, 0x8000_0000);
    machine.steps(1);
    machine.set_system(ICSR, 1 << 31);
    machine.steps(1);
    assert_eq!(machine.exception(), NMI);
    machine.set(14, 0xffff_fff9);
    machine.steps(1);
    assert_eq!(machine.exception(), USAGE_FAULT);
    assert_eq!(machine.system(CFSR), 1 << 18, "INVPC");
}

#[test]
fn the_same_return_is_allowed_when_the_program_says_so() {
    let mut machine = Machine::new(&[SVC, NOP]);
    // CCR: STKALIGN, NONBASETHRDENA.
    machine.set_system(CCR, 0x201);
    machine.steps(1);
    machine.set_system(ICSR, 1 << 31);
    machine.steps(1);
    // The NMI's frame names the SVC handler; make it name Thread mode.
    let frame = machine.r(13);
    let psr = machine.stacked_psr() & !0x1ff;
    let half = |value: u32, index: u32| (value >> (16 * index)) as u16;
    machine.place(frame + 28, &[half(psr, 0), half(psr, 1)]);
    machine.set(14, 0xffff_fff9);
    machine.steps(1);
    assert_eq!(machine.exception(), 0);
    assert_eq!(machine.system(CFSR), 0);
}

#[test]
fn a_frame_that_names_the_wrong_mode_is_put_back_and_refused() {
    let mut machine = Machine::new(&[SVC, NOP]);
    machine.set_system(SHCSR, 1 << 18);
    machine.steps(1);
    let frame = machine.r(13);
    machine.place(frame + 28, &[SV_CALL as u16]);
    machine.steps(1);
    assert_eq!(machine.exception(), USAGE_FAULT);
    assert_eq!(machine.system(CFSR), 1 << 18, "INVPC");
    assert_eq!(machine.r(13), frame);
}

#[test]
fn the_stack_is_aligned_to_eight_only_if_stkalign_says_so() {
    for (ccr, frame, padded) in [(0x200, STACK - 40, true), (0, STACK - 36, false)] {
        let mut machine = Machine::new(&[SVC, NOP]);
        machine.set_system(CCR, ccr);
        machine.set(13, STACK - 4);
        machine.steps(1);
        assert_eq!(machine.r(13), frame);
        assert_eq!(machine.stacked_psr() >> 9 & 1 != 0, padded);
        machine.steps(1);
        assert_eq!(machine.r(13), STACK - 4);
    }
}

#[test]
fn stacking_where_no_memory_is_becomes_a_bus_fault_before_the_handler() {
    let mut machine = Machine::new(&[SVC]);
    // BusFault more urgent than SVCall; then the stack of the fault itself is missing too.
    machine.set_system(SHCSR, 1 << 17);
    machine.set_system(0xe000_ed1c, 0x8000_0000);
    machine.set(13, 0x1000_0100);
    machine.steps(1);
    assert_eq!(machine.exception(), BUS_FAULT);
    assert_eq!(machine.system(CFSR), 1 << 12, "STKERR");
    assert_eq!(
        machine.system(SHCSR) >> 15 & 1,
        1,
        "SVCall is still pending"
    );
}

#[test]
fn a_load_multiple_that_faults_leaves_its_base_alone() {
    // LDMIA r0!, {r1, r2}
    let mut machine = Machine::new(&[0xc806]);
    machine.set(0, RAM_BASE + 0x0ffc);
    machine.set_system(SHCSR, 1 << 17);
    machine.steps(1);
    assert_eq!(machine.exception(), BUS_FAULT);
    assert_eq!(machine.r(0), RAM_BASE + 0x0ffc);
    // PRECISERR, BFARVALID.
    assert_eq!(machine.system(CFSR), 0x8200);
    assert_eq!(machine.system(0xe000_ed38), RAM_BASE + 0x1000);
}

#[test]
fn unprivileged_code_cannot_reach_the_cores_registers() {
    // MSR CONTROL, r0; LDR r1, [r2]
    let mut machine = Machine::new(&[0xf380, 0x8814, 0x6811]);
    machine.set(0, 1);
    machine.set(2, CFSR);
    machine.set_system(SHCSR, 1 << 17);
    machine.steps(2);
    assert_eq!(machine.exception(), BUS_FAULT);
    assert_eq!(machine.system(0xe000_ed38), CFSR);
}

#[test]
fn unprivileged_code_reads_zero_from_the_masks_and_cannot_set_them() {
    // MSR CONTROL, r0; CPSID i; MRS r1, PRIMASK; MRS r2, MSP; MSR PRIMASK, r0
    let code = [
        0xf380, 0x8814, 0xb672, 0xf3ef, 0x8110, 0xf3ef, 0x8208, 0xf380, 0x8810,
    ];
    let mut machine = Machine::new(&code);
    machine.set(0, 1);
    machine.set(1, 99);
    machine.steps(5);
    assert_eq!((machine.r(1), machine.r(2)), (0, 0));
    assert!(!machine.cpu.registers().primask);
}

#[test]
fn basepri_max_only_raises_and_has_four_bits() {
    // MSR BASEPRI_MAX, r0
    for (before, value, after) in [
        (0x00, 0x47, 0x40),
        (0x40, 0x60, 0x40),
        (0x40, 0x30, 0x30),
        (0x40, 0x0f, 0x40),
    ] {
        let mut machine = Machine::new(&[0xf380, 0x8812]);
        let mut registers = machine.cpu.registers();
        registers.basepri = before;
        registers.r[0] = value;
        machine.cpu.set_registers(&registers);
        machine.steps(1);
        assert_eq!(machine.cpu.registers().basepri, after);
    }
}

#[test]
fn wfi_wakes_for_a_masked_interrupt_without_taking_it() {
    // CPSID i; WFI; NOP
    let mut machine = Machine::new(&[0xb672, 0xbf30, NOP]);
    machine.steps(1);
    machine.set_system(ICSR, 1 << 28);
    machine.steps(1);
    assert!(machine.cpu.is_asleep());
    machine.steps(1);
    assert_eq!((machine.exception(), machine.cpu.pc()), (0, CODE + 6));
    assert_eq!(machine.system(ICSR) >> 28 & 1, 1, "PendSV is still pending");
}

#[test]
fn wfe_takes_an_event_of_the_past_and_sleeps_for_the_next() {
    // SEV; WFE; WFE
    let mut machine = Machine::new(&[0xbf40, 0xbf20, 0xbf20]);
    machine.steps(2);
    assert!(!machine.cpu.is_asleep());
    machine.steps(1);
    assert!(machine.cpu.is_asleep());
}

#[test]
fn a_deep_sleep_ends_only_by_what_has_no_need_of_a_clock() {
    // WFI; NOP, with SCR.SLEEPDEEP, interrupts 0 and 6 enabled, and SysTick at its end soon.
    let mut machine = Machine::new(&[0xbf30, NOP]);
    for (register, value) in [
        (0xe000_ed10, 1 << 2),
        (0xe000_e100, 1 << 6 | 1),
        (0xe000_e014, 20),
        (0xe000_e010, 7),
    ] {
        assert!(machine.cpu.write_private(register, value));
    }
    machine.memory.wakers = 1 << 6;
    machine.memory.interrupts = 1;
    machine.memory.interrupts = 0;
    let later = Time::from_micros(100);
    machine.cpu.run(&mut machine.memory, later).unwrap();
    assert!(machine.cpu.is_asleep());
    machine.memory.interrupts = 1;
    machine.cpu.run(&mut machine.memory, later * 2).unwrap();
    assert!(machine.cpu.is_asleep(), "its clock stands still");
    machine.memory.interrupts = 1 << 6;
    machine.steps(1);
    assert!(!machine.cpu.is_asleep());
    assert_eq!(machine.memory.woken, 1);
}

#[test]
fn of_two_handlers_the_second_follows_without_unstacking() {
    let mut machine = Machine::new(&[SVC, NOP]);
    machine.steps(1);
    let sp = machine.r(13);
    // PendSV is less urgent: it waits for the end of the SVC handler.
    machine.set_system(0xe000_ed20, 0x0080_0000);
    machine.set_system(ICSR, 1 << 28);
    machine.steps(1);
    assert_eq!(machine.exception(), PEND_SV);
    assert_eq!(machine.r(13), sp);
    assert_eq!(machine.r(14), 0xffff_fff9);
    machine.steps(1);
    assert_eq!((machine.exception(), machine.r(13)), (0, STACK));
}

#[test]
fn a_reset_request_without_the_key_is_ignored() {
    let mut machine = Machine::new(&[NOP]);
    machine.set_system(0xe000_ed0c, 1 << 2);
    assert!(!machine.cpu.reset_requested());
    machine.set_system(0xe000_ed0c, 0x05fa_0004);
    assert!(machine.cpu.reset_requested());
}
