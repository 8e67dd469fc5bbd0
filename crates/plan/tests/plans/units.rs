//! Which units are erased.

use flashwire_plan::{EraseChoice, Geometry, PlanError, plan_erase};

use crate::geometries::{f103, f407, kind, l1, ms, nor, nor_of, with_hole};
use crate::memory::Memory;
use crate::{erased, image, pattern, plan_for, survey_and_plan};

const KIB: u64 = 1024;

#[test]
fn only_the_pages_that_the_image_touches_are_erased() {
    let image = image(&[(0x0800_0400, &pattern(1)), (0x0800_0FFF, &pattern(2))]);
    let plan = plan_for(f103(), &image, |_| {}).unwrap();
    let expected = [
        ("page", 0x0800_0400..0x0800_0800),
        ("page", 0x0800_0C00..0x0800_1000),
        ("page", 0x0800_1000..0x0800_1400),
    ];
    assert_eq!(erased(&plan), expected);
}

#[test]
fn sectors_of_different_sizes_are_found() {
    let image = image(&[(0x0800_C000, &pattern(80 * 1024 + 1))]);
    let plan = plan_for(f407(), &image, |_| {}).unwrap();
    let expected = [
        ("sector", 0x0800_C000..0x0801_0000),
        ("sector", 0x0801_0000..0x0802_0000),
        ("sector", 0x0802_0000..0x0804_0000),
    ];
    assert_eq!(erased(&plan), expected);
}

#[test]
fn the_whole_memory_is_erased_at_once_when_every_page_is_touched_and_it_is_faster() {
    let whole = image(&[(0x0800_0000, &pattern(64 * 1024))]);
    assert_eq!(
        erased(&plan_for(f103(), &whole, |_| {}).unwrap()),
        [("all", f103().range)]
    );
    // The last page only in part, its rest kept.
    let nearly = image(&[(0x0800_0000, &pattern(64 * 1024 - 100))]);
    assert_eq!(
        erased(&plan_for(f103(), &nearly, |_| {}).unwrap()),
        [("all", f103().range)]
    );
}

#[test]
fn the_whole_memory_is_not_erased_at_once_when_a_page_is_not_touched() {
    let image = image(&[(0x0800_0000, &pattern(63 * 1024))]);
    for keep_outside in [true, false] {
        let plan = plan_for(f103(), &image, |options| {
            options.keep_outside = keep_outside
        })
        .unwrap();
        assert_eq!(plan.erase_units().len(), 63);
    }
}

#[test]
fn the_whole_memory_is_not_erased_at_once_when_that_takes_longer() {
    let image = image(&[(0, &pattern(256 * 1024))]);
    let plan = plan_for(nor(), &image, |_| {}).unwrap();
    assert_eq!(
        erased(&plan).iter().map(|unit| unit.0).collect::<Vec<_>>(),
        ["64K"; 4]
    );
}

#[test]
fn erasing_all_takes_the_faster_way_and_drops_what_is_outside() {
    let small = image(&[(0x0800_0400, &pattern(10))]);
    let plan = plan_for(f103(), &small, |options| options.erase = EraseChoice::All).unwrap();
    assert_eq!(erased(&plan), [("all", f103().range)]);
    let dropped = [0x0800_0000..0x0800_0400, 0x0800_040A..0x0801_0000];
    assert_eq!(plan.summary().dropped, dropped);

    let plan = plan_for(l1(), &small, |options| options.erase = EraseChoice::All).unwrap();
    assert_eq!(
        plan.erase_units().len(),
        64,
        "page by page where there is no other way"
    );
    let plan = plan_for(nor(), &image(&[(0, &[1])]), |options| {
        options.erase = EraseChoice::All
    });
    assert_eq!(erased(&plan.unwrap())[0].0, "64K");
}

#[test]
fn kinds_are_chosen_by_time_not_by_count() {
    // 4 KiB erases take 45 ms, 32 KiB 120, 64 KiB 150, reading and writing back a sector 14.7:
    // four sectors take 180 ms, or 120 and 59 for the other four.
    for (sectors, expected) in [
        (1, vec!["4K"]),
        (2, vec!["4K"; 2]),
        (3, vec!["4K"; 3]),
        (4, vec!["32K"]),
        (5, vec!["32K"]),
        (8, vec!["32K"]),
        (9, vec!["32K", "4K"]),
        (13, vec!["64K"]),
        (16, vec!["64K"]),
        (17, vec!["64K", "4K"]),
    ] {
        let image = image(&[(0, &pattern(sectors * 4096))]);
        let mut memory = Memory::full(nor());
        let plan = survey_and_plan(&mut memory, &image, &Default::default()).unwrap();
        let kinds: Vec<_> = erased(&plan).iter().map(|unit| unit.0).collect();
        assert_eq!(kinds, expected, "{sectors} sectors");
    }
}

#[test]
fn a_larger_unit_around_foreign_data_writes_it_back() {
    let image = image(&[(0, &pattern(13 * 4096))]);
    let mut memory = Memory::full(nor());
    let plan = survey_and_plan(&mut memory, &image, &Default::default()).unwrap();
    let outside = 13 * 4096..64 * KIB;
    assert_eq!(plan.summary().kept, [outside]);
    assert_eq!(
        plan.programs().iter().map(|r| r.end - r.start).sum::<u64>(),
        64 * KIB
    );
}

#[test]
fn foreign_data_is_never_dropped_by_a_larger_unit_even_without_keeping() {
    let image = image(&[(0, &pattern(13 * 4096 - 5))]);
    let mut memory = Memory::full(nor());
    let options = flashwire_plan::Options {
        keep_outside: false,
        ..Default::default()
    };
    let plan = survey_and_plan(&mut memory, &image, &options).unwrap();
    let (rest, foreign) = (13 * 4096 - 5..13 * 4096, 13 * 4096..64 * KIB);
    assert_eq!(plan.summary().dropped, [rest]);
    assert_eq!(plan.summary().kept, [foreign]);
}

#[test]
fn without_any_times_the_fewest_units_without_foreign_data_are_chosen() {
    let mut geometry = nor();
    for run in geometry
        .erase_kinds
        .iter_mut()
        .flat_map(|kind| &mut kind.runs)
    {
        run.time = ms(0);
    }
    geometry.costs = Default::default();
    let image = image(&[(0, &pattern(25 * 4096))]);
    let plan = plan_for(geometry, &image, |_| {}).unwrap();
    let kinds: Vec<_> = erased(&plan).iter().map(|unit| unit.0).collect();
    assert_eq!(kinds, ["64K", "32K", "4K"]);
}

#[test]
fn a_memory_that_can_only_be_erased_whole_refuses_unless_all_may_go() {
    let mut geometry = f103();
    geometry.erase_kinds.remove(0);
    let part = image(&[(0x0800_0000, &pattern(1000))]);
    let expected = PlanError::NotErasable {
        range: f103().range,
    };
    assert_eq!(
        plan_for(geometry.clone(), &part, |_| {}),
        Err(expected.clone())
    );
    let dropping = plan_for(geometry.clone(), &part, |options| {
        options.keep_outside = false
    });
    assert_eq!(dropping, Err(expected));
    let all = plan_for(geometry.clone(), &part, |options| {
        options.erase = EraseChoice::All
    });
    assert_eq!(erased(&all.unwrap()), [("all", f103().range)]);
    let full = image(&[(0x0800_0000, &pattern(64 * 1024))]);
    assert_eq!(
        erased(&plan_for(geometry, &full, |_| {}).unwrap()),
        [("all", f103().range)]
    );
}

#[test]
fn what_no_unit_covers_is_named() {
    let mut geometry = f103();
    geometry.erase_kinds = vec![kind("page", &[(0x0800_0000, KIB, 60, 30)])];
    let image = image(&[(0x0800_E000, &pattern(5 * 1024))]);
    let expected = PlanError::NotErasable {
        range: 0x0800_F000..0x0801_0000,
    };
    assert_eq!(
        plan_for(geometry.clone(), &image, |_| {}),
        Err(expected.clone())
    );
    let all = plan_for(geometry.clone(), &image, |options| {
        options.erase = EraseChoice::All
    });
    assert_eq!(all, Err(expected));
    // Outside the image it is in nobody's way.
    let plan = plan_erase(&geometry, None, true);
    assert!(matches!(plan, Err(PlanError::NotErasable { .. })));
}

#[test]
fn kinds_that_cover_only_a_part_each_are_combined() {
    // Small sectors at the bottom only, as on Spansion parts.
    let mut geometry = nor_of(256 * KIB);
    geometry.erase_kinds = vec![
        kind("4K", &[(0, 4 * KIB, 8, 45)]),
        kind(
            "64K",
            &[(32 * KIB, 32 * KIB, 1, 150), (64 * KIB, 64 * KIB, 3, 150)],
        ),
    ];
    let image = image(&[(28 * KIB, &pattern(40 * 1024))]);
    let plan = plan_for(geometry, &image, |_| {}).unwrap();
    let expected = [
        ("4K", 28 * KIB..32 * KIB),
        ("64K", 32 * KIB..64 * KIB),
        ("64K", 64 * KIB..128 * KIB),
    ];
    assert_eq!(erased(&plan), expected);
}

#[test]
fn erasing_a_range_takes_exactly_its_units() {
    let plan = plan_erase(&nor(), Some(4 * KIB..136 * KIB), true).unwrap();
    let kinds: Vec<_> = erased(&plan).iter().map(|unit| unit.0).collect();
    let around_64k = ["4K"; 7].into_iter().chain(["32K", "64K", "4K", "4K"]);
    assert_eq!(kinds, around_64k.collect::<Vec<_>>());
    let range = 4 * KIB..136 * KIB;
    assert_eq!(plan.verifies(), std::slice::from_ref(&range));
    assert_eq!(plan.summary().dropped, [range]);
    assert!(plan.programs().is_empty());
}

#[test]
fn erasing_a_range_that_cuts_a_unit_is_refused_and_the_right_range_named() {
    for (start, end) in [(0x401, 0x800), (0x400, 0x7FF), (0x700, 0x701)] {
        let range = 0x0800_0000 + start..0x0800_0000 + end;
        let aligned = 0x0800_0400..0x0800_0800;
        let expected = PlanError::Unaligned {
            range: range.clone(),
            aligned,
        };
        assert_eq!(plan_erase(&f103(), Some(range), true), Err(expected));
    }
    let range = 0x0800_8000..0x0801_0000;
    let aligned = 0x0800_0000 + 0x8000..0x0801_0000;
    assert_eq!(
        erased(&plan_erase(&f103(), Some(range), true).unwrap()).len(),
        32
    );
    assert!(plan_erase(&f407(), Some(aligned), true).is_ok());
}

#[test]
fn erasing_everything_goes_around_holes() {
    let plan = plan_erase(&with_hole(), None, true).unwrap();
    assert_eq!(plan.erase_units().len(), 12, "12 pages of 30 ms beat 1 s");
    assert_eq!(plan.verifies(), [0..4 * KIB, 8 * KIB..16 * KIB]);

    let mut slow_pages: Geometry = with_hole();
    slow_pages.erase_kinds[0]
        .runs
        .iter_mut()
        .for_each(|run| run.time = ms(100));
    let plan = plan_erase(&slow_pages, None, true).unwrap();
    assert_eq!(erased(&plan), [("all", 0..16 * KIB)]);
}
