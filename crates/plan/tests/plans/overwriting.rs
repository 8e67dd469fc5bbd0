//! Programming without any erase.

use flashwire_plan::{Current, EraseChoice, Need, Options, PlanError, execute, needs, plan};

use crate::geometries::{arduino, f103, f407, g0, l1};
use crate::memory::Memory;
use crate::{go_on, image, pattern, survey_and_plan};

fn no_erase() -> Options {
    Options {
        erase: EraseChoice::None,
        ..Options::default()
    }
}

#[test]
fn what_is_there_is_read_in_whole_program_units() {
    let image = image(&[(0x0800_0003, &pattern(3)), (0x0800_0007, &pattern(2))]);
    let range = 0x0800_0000..0x0800_0010;
    assert_eq!(
        needs(&g0(), &image, &no_erase()),
        Ok(vec![Need::read(range)])
    );
    let expected = PlanError::UnknownContent {
        range: 0x0800_0000..0x0800_0010,
    };
    assert_eq!(
        plan(&g0(), &image, &Current::new(), &no_erase()),
        Err(expected)
    );
}

#[test]
fn a_blank_memory_takes_everything() {
    for geometry in [f103(), f407(), g0(), l1()] {
        let start = geometry.range.start;
        let image = image(&[(start + 0x103, &pattern(1000))]);
        let mut memory = Memory::blank(geometry);
        let plan = survey_and_plan(&mut memory, &image, &no_erase()).unwrap();
        assert!(plan.erase_units().is_empty());
        execute(&plan, &mut memory, &mut go_on).unwrap();
        assert_eq!(
            memory.at(&(start + 0x103..start + 0x103 + 1000)),
            pattern(1000)
        );
    }
}

#[test]
fn what_is_there_already_is_not_programmed_again() {
    let image = image(&[(0x0800_0000, &pattern(0x20))]);
    let mut memory = Memory::blank(g0());
    memory.put(0x0800_0000, &pattern(0x10));
    let plan = survey_and_plan(&mut memory, &image, &no_erase()).unwrap();
    assert_eq!(plan.programs(), [0x0800_0010..0x0800_0020]);
    assert_eq!(plan.verifies(), [0x0800_0010..0x0800_0020]);
    assert_eq!(plan.summary().unchanged_bytes, 0x10);
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.at(&(0x0800_0000..0x0800_0020)), pattern(0x20));
}

#[test]
fn the_rest_of_a_program_unit_keeps_its_value() {
    let image = image(&[(0x0800_0101, &[0x00])]);
    let mut memory = Memory::blank(f407());
    memory.put(0x0800_0100, &[0x12, 0x34, 0x56, 0x78]);
    let plan = survey_and_plan(&mut memory, &image, &no_erase()).unwrap();
    assert_eq!(plan.programs(), [0x0800_0100..0x0800_0104]);
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(
        memory.at(&(0x0800_0100..0x0800_0104)),
        [0x12, 0x00, 0x56, 0x78]
    );
}

#[test]
fn what_is_in_the_way_is_counted_and_the_first_named() {
    let image = image(&[(0x0800_0000, &pattern(0x800))]);
    let mut memory = Memory::blank(g0());
    memory.put(0x0800_0104, &[0x00]);
    memory.put(0x0800_0400, &[0x00; 16]);
    let expected = PlanError::NeedsErase {
        address: 0x0800_0100,
        bytes: 24,
    };
    assert_eq!(
        survey_and_plan(&mut memory, &image, &no_erase()),
        Err(expected)
    );
}

#[test]
fn a_half_word_of_zeros_goes_over_anything_on_an_f1() {
    let mut memory = Memory::full(f103());
    let zeros = image(&[(0x0800_0100, &[0, 0])]);
    let plan = survey_and_plan(&mut memory, &zeros, &no_erase()).unwrap();
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.at(&(0x0800_0100..0x0800_0102)), [0, 0]);

    let half_zeros = image(&[(0x0800_0200, &[0])]);
    let expected = PlanError::NeedsErase {
        address: 0x0800_0200,
        bytes: 2,
    };
    assert_eq!(
        survey_and_plan(&mut memory, &half_zeros, &no_erase()),
        Err(expected)
    );
}

#[test]
fn a_memory_that_erases_as_it_programs_is_never_erased_first() {
    let mut memory = Memory::full(arduino());
    let old = memory.content.clone();
    let image = image(&[(0x100, &pattern(300))]);
    let plan = survey_and_plan(&mut memory, &image, &Options::default()).unwrap();
    assert!(plan.erase_units().is_empty());
    assert_eq!(plan.programs(), [0x100..0x280]);
    assert_eq!(plan.verifies(), [0x100..0x280]);
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.at(&(0x100..0x22C)), pattern(300));
    assert_eq!(memory.content[..0x100], old[..0x100]);
    // The last page is not all image: its rest is written back.
    assert_eq!(memory.content[0x22C..], old[0x22C..]);
}

#[test]
fn a_memory_that_erases_as_it_programs_is_erased_where_all_of_it_is_to_be() {
    let mut memory = Memory::full(arduino());
    let image = image(&[(0x100, &pattern(0x80))]);
    let options = Options {
        erase: EraseChoice::All,
        ..Options::default()
    };
    let plan = survey_and_plan(&mut memory, &image, &options).unwrap();
    assert_eq!(plan.erase_units().len(), 240);
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.at(&(0x100..0x180)), pattern(0x80));
    assert!(memory.content[0x180..].iter().all(|&byte| byte == 0xFF));
}
