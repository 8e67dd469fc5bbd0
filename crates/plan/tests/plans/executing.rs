//! Carrying plans out.

use std::ops::ControlFlow;

use flashwire_plan::{
    Cause, EraseUnit, Event, Failure, FlashDevice, Geometry, Mismatch, Options, Phase, PlanError,
    Tick, execute, plan_erase, plan_verify,
};

use crate::geometries::{f103, f407, nor_of, with_hole};
use crate::memory::Memory;
use crate::{go_on, image, pattern, plan_for, survey_and_plan};

#[test]
fn events_lead_through_each_phase_from_nothing_to_everything() {
    let image = image(&[(0x0800_0010, &pattern(3000))]);
    let mut memory = Memory::full(f103());
    let plan = survey_and_plan(&mut memory, &image, &Options::default()).unwrap();
    let mut events: Vec<Event> = Vec::new();
    execute(&plan, &mut memory, &mut |event| {
        events.push(*event);
        ControlFlow::Continue(())
    })
    .unwrap();
    let phases = [Phase::Erasing, Phase::Writing, Phase::Verifying];
    let mut rest = &events[..];
    for phase in phases {
        let len = rest.iter().take_while(|event| event.phase == phase).count();
        let (of_phase, more) = rest.split_at(len);
        assert_eq!(of_phase[0].done_bytes, 0);
        assert!(
            of_phase
                .windows(2)
                .all(|pair| pair[0].done_bytes < pair[1].done_bytes)
        );
        assert_eq!(of_phase[len - 1].done_bytes, of_phase[0].total_bytes);
        rest = more;
    }
    assert!(rest.is_empty());
}

#[test]
fn phases_with_nothing_to_do_have_no_events() {
    let plan = plan_erase(&f103(), Some(0x0800_0400..0x0800_0800), false).unwrap();
    let mut phases = Vec::new();
    let mut memory = Memory::full(f103());
    execute(&plan, &mut memory, &mut |event| {
        phases.push(event.phase);
        ControlFlow::Continue(())
    })
    .unwrap();
    phases.dedup();
    assert_eq!(phases, [Phase::Erasing]);
}

#[test]
fn an_erased_range_is_checked_to_be_blank() {
    let plan = plan_erase(&f103(), Some(0x0800_0400..0x0800_0800), true).unwrap();
    let mut memory = Memory::full(f103());
    let before = memory.content.clone();
    assert!(execute(&plan, &mut memory, &mut go_on).unwrap().verified);
    assert_eq!(memory.content[..0x400], before[..0x400]);
    assert_eq!(memory.content[0x400..0x800], [0xFF; 0x400]);
    assert_eq!(memory.content[0x800..], before[0x800..]);
}

#[test]
fn verifying_compares_the_image_and_changes_nothing() {
    let image = image(&[(0x0800_0003, &pattern(100)), (0x0800_1000, &pattern(7))]);
    let plan = plan_verify(&f103(), &image).unwrap();
    assert!(plan.changes_nothing());
    let mut memory = Memory::full(f103());
    memory.put(0x0800_0003, &pattern(100));
    memory.put(0x0800_1000, &pattern(7));
    let before = memory.content.clone();
    assert!(execute(&plan, &mut memory, &mut go_on).unwrap().verified);
    assert_eq!(memory.content, before);
    assert_eq!(plan.summary().verified_bytes, 107);
}

#[test]
fn a_difference_names_the_first_address_both_values_and_counts_all() {
    let mut memory = Memory::blank(f103());
    memory.put(0x0800_0000, &pattern(0x200));
    memory.put(0x0800_1000, &pattern(0x200));
    let mut first = pattern(0x200);
    first[0x123] = 0xAA;
    let mut second = pattern(0x200);
    second[0] = 0xBB;
    second[0x1FF] = 0xCC;
    let image = image(&[(0x0800_0000, &first), (0x0800_1000, &second)]);
    let error = execute(
        &plan_verify(&f103(), &image).unwrap(),
        &mut memory,
        &mut go_on,
    )
    .unwrap_err();
    let Cause::Mismatch(mismatch) = error.cause else {
        panic!("{error}")
    };
    let found = pattern(0x200)[0x123];
    let expected = Mismatch {
        address: 0x0800_0123,
        expected: 0xAA,
        found,
        count: 3,
    };
    assert_eq!(mismatch, expected);
    assert_eq!(error.phase, Phase::Verifying);
    assert!(!error.state.touched);
}

#[test]
fn a_difference_found_before_the_link_breaks_is_what_is_reported() {
    let mut memory = Memory::blank(f103());
    memory.breaks_after_ticks = Some(1);
    let image = image(&[(0x0800_0000, &pattern(10)), (0x0800_1000, &pattern(10))]);
    let error = execute(
        &plan_verify(&f103(), &image).unwrap(),
        &mut memory,
        &mut go_on,
    )
    .unwrap_err();
    assert!(
        matches!(error.cause, Cause::Mismatch(Mismatch { count: 10, .. })),
        "{error}"
    );
}

#[test]
fn a_byte_that_does_not_take_is_found_by_the_check() {
    let image = image(&[(0x0800_0000, &pattern(3000))]);
    let mut memory = Memory::full(f103());
    memory.stuck_at = Some(0x0800_0777);
    let plan = survey_and_plan(&mut memory, &image, &Options::default()).unwrap();
    let error = execute(&plan, &mut memory, &mut go_on).unwrap_err();
    let Cause::Mismatch(mismatch) = error.cause else {
        panic!("{error}")
    };
    assert_eq!(
        (mismatch.address, mismatch.found, mismatch.count),
        (0x0800_0777, 0xFF, 1)
    );
    assert!(error.state.all_written);
    assert!(error.state.kept_lost.is_empty());
}

#[test]
fn a_blank_part_that_was_not_programmed_is_checked_as_well() {
    let image = image(&[(0x0800_0000, &[0xFF; 0x400])]);
    let plan = plan_for(f103(), &image, |_| {}).unwrap();
    // An erase that is acknowledged and not done, as on a protected page.
    let mut memory = Protected(Memory::full(f103()));
    let error = execute(&plan, &mut memory, &mut go_on).unwrap_err();
    assert!(matches!(error.cause, Cause::Mismatch(_)), "{error}");
}

/// Acknowledges erases and does nothing.
struct Protected(Memory);

impl FlashDevice for Protected {
    fn geometry(&self) -> &Geometry {
        &self.0.geometry
    }

    fn read(&mut self, address: u64, out: &mut [u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.0.read(address, out, tick)
    }

    fn erase(&mut self, _: &[EraseUnit], _: &mut Tick<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn program(&mut self, _: u64, _: &[u8], _: &mut Tick<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

#[test]
fn a_plan_for_another_memory_is_refused_before_anything_is_touched() {
    let plan = plan_erase(&f103(), None, true).unwrap();
    let mut memory = Memory::full(f407());
    let error = execute(&plan, &mut memory, &mut go_on).unwrap_err();
    assert!(
        matches!(error.cause, Cause::Refused(PlanError::OtherMemory)),
        "{error}"
    );
    assert!(!error.state.touched);
    assert!(memory.erased.is_empty());
}

#[test]
fn large_images_come_in_calls_of_whole_blocks() {
    let data = pattern(3 << 19);
    let mut geometry = nor_of(2 << 20);
    geometry.program.block_bytes = 3 * 256;
    let image = image(&[(0x123, &data)]);
    let mut memory = Memory::blank(geometry.clone());
    let plan = survey_and_plan(&mut memory, &image, &Options::default()).unwrap();
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.at(&image.range()), data);
    let expected: Vec<_> = geometry.program.blocks(image.range()).collect();
    assert_eq!(memory.programs, expected, "no block is cut by a call");
}

#[test]
fn holes_are_never_touched() {
    let image = image(&[(4096 - 40, &pattern(40)), (8192, &pattern(40))]);
    let mut memory = Memory::full(with_hole());
    let before = memory.content.clone();
    let plan = survey_and_plan(&mut memory, &image, &Options::default()).unwrap();
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.content[4096..8192], before[4096..8192]);
    assert_eq!(memory.at(&(8192..8232)), pattern(40));
}
