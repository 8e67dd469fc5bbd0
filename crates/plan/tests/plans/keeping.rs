//! What is outside the image in the units that are erased.

use flashwire_plan::{Current, Need, Options, PlanError, execute, needs, plan};

use crate::geometries::{f103, f407, g0};
use crate::memory::Memory;
use crate::{go_on, image, pattern, survey_and_plan};

fn read(start: u64, end: u64) -> Need {
    Need::read(start..end)
}

#[test]
fn the_rest_of_a_unit_is_read_first_and_nothing_else() {
    let image = image(&[
        (0x0800_0410, &pattern(0x20)),
        (0x0800_0C00, &pattern(0x400)),
    ]);
    let needs = needs(&f103(), &image, &Options::default()).unwrap();
    assert_eq!(
        needs,
        [
            read(0x0800_0400, 0x0800_0410),
            read(0x0800_0430, 0x0800_0800)
        ]
    );
}

#[test]
fn nothing_is_read_when_whole_units_are_written_or_nothing_is_kept() {
    let whole = image(&[(0x0800_0400, &pattern(0x800))]);
    assert_eq!(needs(&f103(), &whole, &Options::default()), Ok(vec![]));
    let part = image(&[(0x0800_0400, &pattern(0x10))]);
    let options = Options {
        keep_outside: false,
        ..Options::default()
    };
    assert_eq!(needs(&f103(), &part, &options), Ok(vec![]));
}

#[test]
fn the_rest_of_a_unit_is_written_back_and_the_plan_says_so() {
    let image = image(&[(0x0800_0411, &pattern(5))]);
    let mut memory = Memory::full(f103());
    let before = memory.content.clone();
    let plan = survey_and_plan(&mut memory, &image, &Options::default()).unwrap();
    assert_eq!(
        plan.summary().kept,
        [0x0800_0400..0x0800_0411, 0x0800_0416..0x0800_0800]
    );
    assert!(plan.summary().dropped.is_empty());

    let report = execute(&plan, &mut memory, &mut go_on).unwrap();
    assert!(report.verified);
    let mut expected = before;
    expected[0x411..0x416].copy_from_slice(&pattern(5));
    assert_eq!(memory.content, expected);
}

#[test]
fn blank_parts_of_the_rest_are_not_written_and_not_called_kept() {
    let image = image(&[(0x0800_0000, &pattern(8))]);
    let mut memory = Memory::blank(g0());
    memory.put(0x0800_0203, &[0x55]);
    let plan = survey_and_plan(&mut memory, &image, &Options::default()).unwrap();
    assert_eq!(
        plan.summary().kept,
        [0x0800_0200..0x0800_0208],
        "one double word"
    );
    assert_eq!(
        plan.programs(),
        [0x0800_0000..0x0800_0008, 0x0800_0200..0x0800_0208]
    );
}

#[test]
fn blank_double_words_between_kept_ones_stay_unprogrammed() {
    // An application may still want to program them, once.
    let image = image(&[(0x0800_0000, &pattern(8))]);
    let mut memory = Memory::blank(g0());
    memory.put(0x0800_0100, &[1]);
    memory.put(0x0800_0110, &[2]);
    let plan = survey_and_plan(&mut memory, &image, &Options::default()).unwrap();
    let programs = [
        0x0800_0000..0x0800_0008,
        0x0800_0100..0x0800_0108,
        0x0800_0110..0x0800_0118,
    ];
    assert_eq!(plan.programs(), programs);
}

#[test]
fn dropping_the_rest_is_said() {
    let image = image(&[(0x0800_0410, &pattern(0x20))]);
    let mut memory = Memory::full(f103());
    let options = Options {
        keep_outside: false,
        ..Options::default()
    };
    let plan = survey_and_plan(&mut memory, &image, &options).unwrap();
    assert_eq!(
        plan.summary().dropped,
        [0x0800_0400..0x0800_0410, 0x0800_0430..0x0800_0800]
    );
    assert!(plan.summary().kept.is_empty());
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.at(&(0x0800_0400..0x0800_0410)), [0xFF; 16]);
    assert_eq!(memory.at(&(0x0800_0430..0x0800_0800)), [0xFF; 0x3D0]);
}

#[test]
fn planning_without_having_looked_is_refused() {
    let image = image(&[(0x0800_4000, &pattern(0x4000)), (0x0801_0000, &pattern(16))]);
    let expected = PlanError::UnknownContent {
        range: 0x0801_0010..0x0802_0000,
    };
    assert_eq!(
        plan(&f407(), &image, &Current::new(), &Options::default()),
        Err(expected)
    );
}

#[test]
fn gaps_between_segments_in_one_unit_are_kept_too() {
    let image = image(&[
        (0x0800_0000, &pattern(0x100)),
        (0x0800_0300, &pattern(0x100)),
    ]);
    let mut memory = Memory::full(f103());
    let gap = memory.at(&(0x0800_0100..0x0800_0300)).to_vec();
    let plan = survey_and_plan(&mut memory, &image, &Options::default()).unwrap();
    execute(&plan, &mut memory, &mut go_on).unwrap();
    assert_eq!(memory.at(&(0x0800_0100..0x0800_0300)), gap);
}
