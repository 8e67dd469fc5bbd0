//! How long it will take.

use std::time::Duration;

use flashwire_plan::Options;

use crate::geometries::{f103, ms};
use crate::memory::Memory;
use crate::{image, pattern, plan_for, survey_and_plan};

#[test]
fn the_estimate_is_erases_blocks_and_comparisons() {
    let image = image(&[(0x0800_0000, &pattern(2048))]);
    let plan = plan_for(f103(), &image, |_| {}).unwrap();
    assert_eq!(plan.estimate(), ms(2 * 30 + 8 * 32 + 8 * 26));
    let kinds = &plan.summary().erased;
    assert_eq!(kinds.len(), 1);
    assert_eq!(
        (kinds[0].name.as_str(), kinds[0].units, kinds[0].bytes),
        ("page", 2, 2048)
    );
    assert_eq!(kinds[0].time, ms(60));
}

#[test]
fn nothing_to_do_takes_no_time() {
    let image = image(&[(0x0800_0000, &pattern(2048))]);
    let mut memory = Memory::blank(f103());
    memory.put(0x0800_0000, &pattern(2048));
    let options = Options {
        only_changed: true,
        ..Options::default()
    };
    let plan = survey_and_plan(&mut memory, &image, &options).unwrap();
    assert_eq!(plan.estimate(), Duration::ZERO);
}

#[test]
fn absurd_times_do_not_overflow() {
    let mut geometry = f103();
    geometry.costs.program_block = Duration::MAX;
    geometry.costs.read_block = Duration::MAX;
    geometry.erase_kinds[0].runs[0].time = Duration::MAX;
    let image = image(&[(0x0800_0000, &pattern(5000))]);
    let plan = plan_for(geometry, &image, |_| {}).unwrap();
    assert_eq!(plan.erase_units().len(), 5);
    assert!(plan.estimate() > Duration::from_secs(1 << 32));
}
