//! Leaving alone what is there already.

use flashwire_plan::{EraseChoice, Need, Options, PlanError, execute, needs};

use crate::geometries::{f103, f407, g0, nor};
use crate::memory::Memory;
use crate::{erased, go_on, image, pattern, plan_for, survey_and_plan};

fn only_changed() -> Options {
    Options {
        only_changed: true,
        ..Options::default()
    }
}

#[test]
fn an_image_that_is_there_already_changes_nothing() {
    for geometry in [f103(), g0(), nor()] {
        let image = image(&[(geometry.range.start + 0x1003, &pattern(0x1234))]);
        let mut memory = Memory::full(geometry);
        memory.put(image.range().start, &pattern(0x1234));
        let plan = survey_and_plan(&mut memory, &image, &only_changed()).unwrap();
        assert!(plan.changes_nothing());
        assert!(plan.verifies().is_empty());
        assert_eq!(plan.summary().unchanged_bytes, 0x1234);
        assert!(execute(&plan, &mut memory, &mut go_on).unwrap().verified);
    }
}

#[test]
fn one_changed_byte_costs_one_unit() {
    let mut memory = Memory::full(f103());
    memory.put(0x0800_0000, &pattern(0x8000));
    let mut data = pattern(0x8000);
    data[0x1234] ^= 0x80;
    let image = image(&[(0x0800_0000, &data)]);
    let plan = survey_and_plan(&mut memory, &image, &only_changed()).unwrap();
    assert_eq!(erased(&plan), [("page", 0x0800_1000..0x0800_1400)]);
    assert_eq!(plan.programs(), [0x0800_1000..0x0800_1400]);
    assert_eq!(plan.verifies(), [0x0800_1000..0x0800_1400]);
    assert_eq!(plan.summary().unchanged_bytes, 0x8000 - 0x400);
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.at(&(0x0800_0000..0x0800_8000)), data);
}

#[test]
fn all_that_the_image_covers_is_read_unless_comparing_is_faster() {
    let whole = image(&[
        (0x0800_0000, &pattern(0x1000)),
        (0x0800_2000, &pattern(0x10)),
    ]);
    let looks = |geometry| needs(&geometry, &whole, &only_changed()).unwrap();
    let (whole, part) = (0x0800_0000..0x0800_1000, 0x0800_2000..0x0800_2010);
    let page = 0x0800_2000..0x0800_2400;
    let reading = [
        Need::read(whole),
        Need::read(part.clone()),
        Need::read(part.end..page.end).if_changed(page),
    ];
    assert_eq!(looks(f103()), reading);
    // The G0's loader sums up by itself; of a page that the image covers in part that is read.
    let page = 0x0800_2000..0x0800_2800;
    let comparing = [
        Need::read(part.clone()),
        Need::compare(0x0800_0000..0x0800_0800),
        Need::compare(0x0800_0800..0x0800_1000),
        Need::read(part.end..page.end).if_changed(page),
    ];
    assert_eq!(looks(g0()), comparing);
}

#[test]
fn what_is_outside_an_unchanged_image_is_not_read() {
    // Large sectors: reading the rest of one takes longer than anything else.
    let image = image(&[(0x0800_0000, &pattern(0x1_1000))]);
    let rest = 0x0801_1000..0x0802_0000;
    let mut memory = Memory::full(f407());
    memory.put(0x0800_0000, &pattern(0x1_1000));
    survey_and_plan(&mut memory, &image, &only_changed()).unwrap();
    assert!(
        memory.reads.iter().all(|read| read.end <= rest.start),
        "{:x?}",
        memory.reads
    );

    // Nor is it when the change is in another sector.
    memory.put(0x0800_1234, &[0]);
    let plan = survey_and_plan(&mut memory, &image, &only_changed()).unwrap();
    assert_eq!(erased(&plan), [("sector", 0x0800_0000..0x0800_4000)]);
    assert!(
        memory.reads.iter().all(|read| read.end <= rest.start),
        "{:x?}",
        memory.reads
    );

    memory.put(0x0801_0123, &[0]);
    let plan = survey_and_plan(&mut memory, &image, &only_changed()).unwrap();
    assert_eq!(plan.summary().kept, std::slice::from_ref(&rest));
    assert!(memory.reads.contains(&rest), "{:x?}", memory.reads);
}

#[test]
fn without_only_changed_the_same_content_is_written_again() {
    let image = image(&[(0x0800_0000, &pattern(0x410))]);
    let mut memory = Memory::blank(f103());
    memory.put(0x0800_0000, &pattern(0x410));
    let plan = survey_and_plan(&mut memory, &image, &Options::default()).unwrap();
    assert_eq!(plan.erase_units().len(), 2);
    assert_eq!(plan.summary().programmed_bytes, 0x410);
}

#[test]
fn units_that_are_blank_are_not_erased_again() {
    let image = image(&[(0x0800_0000, &pattern(0x800))]);
    let mut memory = Memory::blank(f103());
    let plan = survey_and_plan(&mut memory, &image, &only_changed()).unwrap();
    assert!(plan.erase_units().is_empty());
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.at(&(0x0800_0000..0x0800_0800)), pattern(0x800));
}

#[test]
fn bits_that_can_be_cleared_are_cleared_without_an_erase() {
    let mut memory = Memory::full(nor());
    memory.put(0x2000, &[0xF0; 0x1000]);
    let mut data = vec![0xF0; 0x1000];
    data[0x345] = 0x70;
    data[0x350] = 0x30;
    let image = image(&[(0x2000, &data)]);
    let plan = survey_and_plan(&mut memory, &image, &only_changed()).unwrap();
    assert!(plan.erase_units().is_empty());
    assert_eq!(plan.programs(), [0x2345..0x2351]);
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.at(&(0x2000..0x3000)), data);
}

#[test]
fn a_unit_programmed_once_is_erased_before_it_is_programmed_again() {
    let mut memory = Memory::blank(g0());
    // Looks as if bits could be cleared; the G0's error correction does not allow it.
    memory.put(0x0800_0000, &[0xF0; 0x800]);
    let mut data = vec![0xF0; 0x800];
    data[0] = 0x70;
    let image = image(&[(0x0800_0000, &data)]);
    let plan = survey_and_plan(&mut memory, &image, &only_changed()).unwrap();
    assert_eq!(plan.erase_units().len(), 1);
}

#[test]
fn many_changed_sectors_are_erased_together_when_that_is_faster() {
    let mut memory = Memory::full(nor());
    let mut old = pattern(0x1_0000);
    memory.put(0, &old);
    // Every second sector: eight erases of 45 ms, or one of 150 and eight sectors to restore.
    for sector in (0..16).step_by(2) {
        old[sector * 0x1000] ^= 0xFF;
    }
    let image = image(&[(0, &old)]);
    let plan = survey_and_plan(&mut memory, &image, &only_changed()).unwrap();
    assert_eq!(erased(&plan), [("64K", 0..0x1_0000)]);
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.at(&(0..0x1_0000)), old);
}

#[test]
fn a_unit_that_is_covered_in_part_and_unchanged_is_left_alone() {
    let mut memory = Memory::full(f103());
    memory.put(0x0800_0123, &pattern(55));
    let image = image(&[(0x0800_0123, &pattern(55))]);
    for keep_outside in [true, false] {
        let options = Options {
            keep_outside,
            ..only_changed()
        };
        let plan = survey_and_plan(&mut memory, &image, &options).unwrap();
        assert!(plan.changes_nothing());
    }
}

#[test]
fn erasing_everything_leaves_nothing_unchanged() {
    let image = image(&[(0x0800_0000, &pattern(8))]);
    let change = |options: &mut Options| {
        options.only_changed = true;
        options.erase = EraseChoice::All;
    };
    assert_eq!(
        plan_for(f103(), &image, change),
        Err(PlanError::AllIsChanged)
    );
}
