//! What is programmed after an erase.

use flashwire_plan::{Options, Program, Rewrite, Step, execute};

use crate::geometries::{f103, g0, l1, nor};
use crate::memory::Memory;
use crate::{go_on, image, pattern, plan_for};

#[test]
fn neighbouring_pieces_of_one_program_unit_are_merged_and_padded() {
    // Three pieces in one double word, as a HEX file with short records brings them.
    let image = image(&[
        (0x0800_0001, &[1]),
        (0x0800_0003, &[3, 4]),
        (0x0800_0006, &[6, 7, 8]),
    ]);
    let plan = plan_for(g0(), &image, |_| {}).unwrap();
    assert_eq!(plan.programs(), [0x0800_0000..0x0800_0010]);
    let expected = [
        0xFF, 1, 0xFF, 3, 4, 0xFF, 6, 7, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    ];
    assert_eq!(*plan.content(&(0x0800_0000..0x0800_0010)), expected);
}

#[test]
fn padding_has_the_memorys_own_erased_value() {
    let image = image(&[(0x0800_0002, &[7])]);
    let plan = plan_for(l1(), &image, |_| {}).unwrap();
    assert_eq!(*plan.content(&plan.programs()[0]), [0, 0, 7, 0]);
}

#[test]
fn blank_blocks_are_skipped() {
    let mut data = pattern(0x1000);
    data[0x200..0xA00].fill(0xFF);
    let image = image(&[(0x0800_0000, &data)]);
    let plan = plan_for(f103(), &image, |_| {}).unwrap();
    assert_eq!(
        plan.programs(),
        [0x0800_0000..0x0800_0200, 0x0800_0A00..0x0800_1000]
    );
    assert_eq!(plan.summary().blank_bytes, 0x800);
    assert_eq!(plan.summary().programmed_bytes, 0x800);
}

#[test]
fn what_is_blank_depends_on_the_memory() {
    let mut data = pattern(0x300);
    data[0x100..0x200].fill(0x00);
    let image = image(&[(0x0800_0000, &data)]);
    let on_l1 = plan_for(l1(), &image, |_| {}).unwrap();
    assert_eq!(
        on_l1.programs(),
        [0x0800_0000..0x0800_0100, 0x0800_0200..0x0800_0300]
    );
    let on_f1 = plan_for(f103(), &image, |_| {}).unwrap();
    assert_eq!(on_f1.programs(), [0x0800_0000..0x0800_0300]);
}

#[test]
fn blank_eighths_are_cut_off_the_ends_of_a_block_but_not_out_of_its_middle() {
    let mut data = vec![0xFF; 0x100];
    data[0x21] = 1;
    data[0x90] = 2;
    let image = image(&[(0x0800_0000, &data)]);
    let plan = plan_for(g0(), &image, |_| {}).unwrap();
    assert_eq!(plan.programs(), [0x0800_0020..0x0800_00A0]);
    assert_eq!(plan.summary().blank_bytes, 0x100 - 0x80);
}

#[test]
fn a_gap_between_segments_is_not_programmed() {
    let image = image(&[(0x0800_0000, &pattern(8)), (0x0800_0010, &pattern(8))]);
    let plan = plan_for(g0(), &image, |_| {}).unwrap();
    assert_eq!(
        plan.programs(),
        [0x0800_0000..0x0800_0008, 0x0800_0010..0x0800_0018]
    );
}

#[test]
fn an_image_that_is_all_blank_is_erased_and_verified() {
    let image = image(&[(0x0800_0000, &[0xFF; 0x400])]);
    let plan = plan_for(f103(), &image, |_| {}).unwrap();
    let range = 0x0800_0000..0x0800_0400;
    let expected = [
        Step::Erase(plan.erase_units()[0].clone()),
        Step::Verify(range),
    ];
    assert_eq!(plan.steps().collect::<Vec<_>>(), expected);
    let mut memory = Memory::full(f103());
    assert!(execute(&plan, &mut memory, &mut go_on).unwrap().verified);
    assert_eq!(memory.at(&(0x0800_0000..0x0800_0400)), [0xFF; 0x400]);
}

#[test]
fn commands_end_at_multiples_of_the_block() {
    let image = image(&[(0x1234, &pattern(700))]);
    let plan = plan_for(nor(), &image, |_| {}).unwrap();
    let mut memory = Memory::blank(nor());
    execute(&plan, &mut memory, &mut go_on).unwrap();
    let expected = [0x1234..0x1300, 0x1300..0x1400, 0x1400..0x14F0];
    assert_eq!(memory.programs, expected);
}

#[test]
fn blocks_need_not_be_powers_of_two() {
    let program = Program {
        unit_bytes: 4,
        block_bytes: 12,
        rewrite: Rewrite::Once,
    };
    let blocks: Vec<_> = program.blocks(8..40).collect();
    assert_eq!(blocks, [8..12, 12..24, 24..36, 36..40]);
    assert_eq!(program.blocks(8..8).count(), 0);
}

#[test]
fn without_verifying_there_is_no_such_step() {
    let image = image(&[(0x0800_0000, &pattern(8))]);
    let plan = plan_for(f103(), &image, |options: &mut Options| {
        options.verify = false
    })
    .unwrap();
    assert!(plan.verifies().is_empty());
    let mut memory = Memory::blank(f103());
    let report = execute(&plan, &mut memory, &mut go_on).unwrap();
    assert!(!report.verified);
    assert!(memory.reads.is_empty());
}

#[test]
fn everything_is_verified_after_everything_is_programmed() {
    let image = image(&[(0x0800_0000, &pattern(8)), (0x0800_2000, &[0xFF; 16])]);
    let plan = plan_for(f103(), &image, |_| {}).unwrap();
    let steps: Vec<_> = plan.steps().collect();
    let kind = |step: &Step| match step {
        Step::Erase(_) => 0,
        Step::Program(_) => 1,
        Step::Verify(_) => 2,
    };
    assert!(steps.is_sorted_by_key(kind));
    assert_eq!(
        plan.verifies(),
        [0x0800_0000..0x0800_0008, 0x0800_2000..0x0800_2010]
    );
}
