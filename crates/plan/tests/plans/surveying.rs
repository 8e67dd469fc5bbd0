//! Looking at what is there.

use std::ops::ControlFlow;

use flashwire_plan::{
    Cause, Current, Geometry, Look, Need, Options, Phase, PlanError, needs, plan, read_range,
    survey,
};

use crate::geometries::{f103, g0, nor, with_hole};
use crate::memory::Memory;
use crate::{erased, go_on, image, pattern};

fn compares(needs: &[Need]) -> usize {
    needs
        .iter()
        .filter(|need| need.look == Look::Compare)
        .count()
}

#[test]
fn what_was_read_is_what_is_there() {
    let mut memory = Memory::full(f103());
    let image = image(&[(0x0800_0000, &pattern(8))]);
    let needs = [
        Need::read(0x0800_0100..0x0800_0203),
        Need::read(0x0800_8000..0x0800_8001),
    ];
    let current = survey(&mut memory, &needs, &image, &mut go_on).unwrap();
    assert_eq!(current.contents().len(), 2);
    for (segment, need) in current.contents().iter().zip(&needs) {
        assert_eq!(segment.range(), need.range);
        assert_eq!(segment.data, memory.at(&need.range));
    }
}

#[test]
fn an_unchanged_image_takes_one_comparison() {
    let options = Options {
        only_changed: true,
        ..Options::default()
    };
    let image = image(&[(0x0800_0000, &pattern(32 * 1024))]);
    let needs = needs(&g0(), &image, &options).unwrap();
    assert_eq!(compares(&needs), 16);
    let mut memory = Memory::blank(g0());
    memory.put(0x0800_0000, &pattern(32 * 1024));
    survey(&mut memory, &needs, &image, &mut go_on).unwrap();
    assert_eq!(memory.matches, [0x0800_0000..0x0800_8000]);
    assert!(memory.reads.is_empty());
}

#[test]
fn one_changed_unit_among_many_takes_few_comparisons() {
    let options = Options {
        only_changed: true,
        ..Options::default()
    };
    let image = image(&[(0x0800_0000, &pattern(32 * 1024))]);
    let needs = needs(&g0(), &image, &options).unwrap();
    for changed in 0..16 {
        let mut memory = Memory::blank(g0());
        memory.put(0x0800_0000, &pattern(32 * 1024));
        memory.put(0x0800_0000 + changed * 2048 + 77, &[0]);
        let current = survey(&mut memory, &needs, &image, &mut go_on).unwrap();
        let plan = plan(&g0(), &image, &current, &options).unwrap();
        let start = 0x0800_0000 + changed * 2048;
        assert_eq!(erased(&plan), [("page", start..start + 2048)]);
        // All of it, and on each of four levels the left half; the right half if the left differed.
        let left_turns = (0..4).filter(|bit| changed >> bit & 1 == 0).count();
        assert_eq!(memory.matches.len(), 1 + 4 + left_turns, "{changed}");
    }
}

/// A SPI NOR chip whose programmer computes checksums in half the time that reading takes.
fn nor_with_checksums() -> Geometry {
    let mut geometry = nor();
    geometry.costs.compare_block = geometry.costs.read_block / 2;
    geometry
}

#[test]
fn where_reading_is_cheap_what_differs_is_read() {
    let options = Options {
        only_changed: true,
        ..Options::default()
    };
    let wanted = pattern(256 * 1024);
    let image = image(&[(0, &wanted)]);
    let needs = needs(&nor_with_checksums(), &image, &options).unwrap();
    let mut memory = Memory::blank(nor_with_checksums());
    memory.put(0, &wanted);
    memory.put(0x1_2345, &[!wanted[0x1_2345]]);
    let current = survey(&mut memory, &needs, &image, &mut go_on).unwrap();
    let block = |n: u64| n * 0x1_0000..(n + 1) * 0x1_0000;
    assert_eq!(memory.matches, [block(0), block(1), block(2), block(3)]);
    assert_eq!(memory.reads, [block(1)]);
    let plan = plan(&nor_with_checksums(), &image, &current, &options).unwrap();
    assert_eq!(erased(&plan), [("4K", 0x1_2000..0x1_3000)]);
}

#[test]
fn where_everything_differs_nothing_is_compared_for_long() {
    let options = Options {
        only_changed: true,
        ..Options::default()
    };
    let image = image(&[(0, &pattern(256 * 1024))]);
    let needs = needs(&nor_with_checksums(), &image, &options).unwrap();
    let mut memory = Memory::blank(nor_with_checksums());
    let current = survey(&mut memory, &needs, &image, &mut go_on).unwrap();
    assert_eq!(memory.matches.len(), 2);
    assert_eq!(memory.reads.len(), 4);
    // What is blank is known to be, and needs no erase.
    let plan = plan(&nor_with_checksums(), &image, &current, &options).unwrap();
    assert!(plan.erase_units().is_empty());
}

#[test]
fn events_go_from_nothing_to_everything_whether_or_not_units_are_the_same() {
    let options = Options {
        only_changed: true,
        ..Options::default()
    };
    let image = image(&[(0x0800_0000, &pattern(20 * 1024 + 3))]);
    let needs = needs(&g0(), &image, &options).unwrap();
    for mut memory in [Memory::blank(g0()), Memory::full(g0())] {
        memory.put(0x0800_1000, &pattern(20 * 1024)[0x1000..0x3000]);
        let mut events = Vec::new();
        survey(&mut memory, &needs, &image, &mut |event| {
            events.push(*event);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(events[0].done_bytes, 0);
        assert!(events.is_sorted_by_key(|event| event.done_bytes));
        let last = events.last().unwrap();
        assert_eq!(
            (last.phase, last.done_bytes),
            (Phase::Reading, last.total_bytes)
        );
    }
}

#[test]
fn a_survey_can_be_stopped_at_any_event() {
    let options = Options {
        only_changed: true,
        ..Options::default()
    };
    let image = image(&[(0x0800_0000, &pattern(5 * 1024))]);
    let needs = needs(&g0(), &image, &options).unwrap();
    for stop_at in 0.. {
        let mut memory = Memory::full(g0());
        let mut seen = 0;
        let result = survey(&mut memory, &needs, &image, &mut |_| {
            seen += 1;
            if seen > stop_at {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        match result {
            Ok(_) => {
                assert!(stop_at > 10, "it was stopped a few times at least");
                break;
            }
            Err(error) => {
                assert!(matches!(error.cause, Cause::Stopped), "{error}");
                assert_eq!(error.phase, Phase::Reading);
                assert!(!error.state.touched);
                assert_eq!(seen, stop_at + 1, "no event follows a Break");
            }
        }
    }
}

#[test]
fn what_is_no_memory_is_not_read() {
    let mut memory = Memory::full(with_hole());
    let image = image(&[(0, &pattern(8))]);
    for range in [4090..4100, 16_000..17_000, 7..7] {
        let error = read_range(&mut memory, range.clone(), &mut go_on).unwrap_err();
        assert!(matches!(error.cause, Cause::Refused(_)), "{error}");
        let needs = [Need::read(range)];
        let error = survey(&mut memory, &needs, &image, &mut go_on).unwrap_err();
        assert!(matches!(error.cause, Cause::Refused(_)), "{error}");
    }
    assert!(memory.reads.is_empty());
    let outside = read_range(&mut memory, 16_000..17_000, &mut go_on).unwrap_err();
    let Cause::Refused(PlanError::OutOfRange { range, .. }) = outside.cause else {
        panic!()
    };
    assert_eq!(range, 16_384..17_000);
}

#[test]
fn a_memory_of_absurd_size_is_not_even_asked() {
    let mut memory = Memory::full(f103());
    memory.geometry.range.end = u64::MAX - 1;
    let error = read_range(&mut memory, 0..u64::MAX - 1, &mut go_on).unwrap_err();
    assert!(
        matches!(error.cause, Cause::Refused(PlanError::Geometry(_))),
        "{error}"
    );
}

#[test]
fn a_range_is_read_as_it_is() {
    let mut memory = Memory::full(f103());
    let range = 0x0800_0003..0x0800_F001;
    let data = read_range(&mut memory, range.clone(), &mut go_on).unwrap();
    assert_eq!(data, memory.at(&range));
}

#[test]
fn a_link_that_breaks_is_the_cause() {
    let mut memory = Memory::full(f103());
    memory.breaks_after_ticks = Some(3);
    let error = read_range(&mut memory, 0x0800_0000..0x0800_1000, &mut go_on).unwrap_err();
    assert_eq!(error.to_string(), "reading: the link broke");
    assert!(!error.state.touched);
}

#[test]
fn knowledge_can_be_added_in_any_order_and_the_first_stays() {
    let mut current = Current::new();
    current.add_content(20, vec![2; 10]);
    current.add_content(0, vec![1; 10]);
    current.add_content(5, vec![3; 20]);
    current.add_content(0, vec![4; 30]);
    let known: Vec<_> = current
        .contents()
        .iter()
        .map(|s| (s.address, s.data.clone()))
        .collect();
    assert_eq!(
        known,
        [(0, vec![1; 10]), (10, vec![3; 10]), (20, vec![2; 10])]
    );
}
