//! What holds for every memory, every image and every content.

use std::ops::Range;

use flashwire_plan::image::{Format, Image, Segment};
use flashwire_plan::{
    Costs, EraseChoice, EraseKind, Geometry, Options, Plan, PlanError, Program, Rewrite, Run,
    execute,
};
use proptest::prelude::*;

use crate::geometries::ms;
use crate::memory::Memory;
use crate::{go_on, survey_and_plan};

/// Fine units of one size or several, larger ones made of them, all of it at once, holes.
fn geometry() -> impl Strategy<Value = Geometry> {
    let rewrite = prop_oneof![
        Just(Rewrite::Once),
        Just(Rewrite::OnlyToZero),
        Just(Rewrite::ClearBits),
        Just(Rewrite::Freely)
    ];
    let program = (0_u32..6, 1_u64..9, rewrite).prop_map(|(log, blocks, rewrite)| {
        let unit_bytes = 1 << log;
        Program {
            unit_bytes,
            block_bytes: unit_bytes * blocks,
            rewrite,
        }
    });
    // Sizes of the fine units, in program units.
    let fine = prop_oneof![
        (2_u64..40, 4_usize..30).prop_map(|(size, count)| vec![size; count]),
        prop::collection::vec(prop::sample::select(vec![4_u64, 16, 32]), 3..12),
    ];
    let times = prop::collection::vec(0_u64..200, 4);
    let costs = prop::collection::vec(0_u64..30, 3);
    let groups = prop::sample::subsequence(vec![2_usize, 4, 8], 0..=3);
    let shape = (
        fine,
        groups,
        any::<bool>(),
        prop::sample::select(vec![0xFF_u8, 0x00]),
    );
    let holes = prop::collection::vec((any::<prop::sample::Index>(), 1_usize..3), 0..2);
    (program, shape, times, costs, holes, 0_u64..3).prop_map(
        |(program, (fine, groups, all_at_once, erased), times, costs, holes, base)| {
            let start = base * 0x1000 * program.unit_bytes;
            let mut bounds = vec![start];
            for size in &fine {
                bounds.push(bounds[bounds.len() - 1] + size * program.unit_bytes);
            }
            let range = start..bounds[fine.len()];
            let mut erase_kinds = vec![kind(&bounds, 1, times[0])];
            for (n, group) in groups.iter().enumerate() {
                erase_kinds.push(kind(&bounds, *group, times[n + 1]));
            }
            if all_at_once {
                let runs = vec![Run {
                    start,
                    unit_bytes: range.end - range.start,
                    count: 1,
                    time: ms(times[0] * 3),
                }];
                erase_kinds.push(EraseKind {
                    name: "all".into(),
                    runs,
                    whole: true,
                });
            }
            let holes = holes.first().map(|(at, len)| {
                let first = at.index(fine.len() - 1);
                bounds[first]..bounds[(first + len).min(fine.len() - 1)]
            });
            Geometry {
                range,
                holes: holes.into_iter().collect(),
                erased,
                erase_kinds,
                program,
                costs: Costs {
                    program_block: ms(costs[0]),
                    read_block: ms(costs[1]),
                    compare_block: ms(costs[2]),
                },
            }
        },
    )
}

/// Units of `group` fine ones each, whatever their sizes; none for a rest.
fn kind(bounds: &[u64], group: usize, time: u64) -> EraseKind {
    let starts: Vec<u64> = bounds.iter().copied().step_by(group).collect();
    let runs = starts.windows(2).map(|pair| Run {
        start: pair[0],
        unit_bytes: pair[1] - pair[0],
        count: 1,
        time: ms(time),
    });
    EraseKind {
        name: format!("{group}"),
        runs: runs.collect(),
        whole: false,
    }
}

/// Content with blank, equal and random stretches.
fn content(geometry: &Geometry, image: &Image, choices: &[u8], noise: &[u8]) -> Vec<u8> {
    let start = geometry.range.start;
    let len = (geometry.range.end - start) as usize;
    let mut content = vec![geometry.erased; len];
    let stretch = len.div_ceil(choices.len());
    for (n, byte) in content.iter_mut().enumerate() {
        let address = start + n as u64;
        let wanted = image.slice(&(address..address + 1)).map(|byte| byte[0]);
        *byte = match (choices[n / stretch] % 4, wanted) {
            (0, _) | (1, None) => geometry.erased,
            (1, Some(wanted)) => wanted,
            (2, Some(wanted)) => wanted ^ (noise[n % noise.len()] & 0x11 & !geometry.erased),
            _ => noise[n % noise.len()],
        };
    }
    content
}

/// One to four pieces in the memory, none in a hole; blank, random or mixed.
fn image_in(geometry: &Geometry, pieces: &[(f64, f64, u8)], noise: &[u8]) -> Option<Image> {
    let bytes = (geometry.range.end - geometry.range.start) as f64;
    let mut segments: Vec<Segment> = Vec::new();
    for (at, len, kind) in pieces {
        let start = geometry.range.start + (at * bytes) as u64;
        let end = start + 1 + (len * len * (geometry.range.end - start - 1) as f64) as u64;
        for memory in geometry.memory() {
            let part = start.max(memory.start)..end.min(memory.end);
            let taken = segments
                .iter()
                .any(|s| s.range().start < part.end && part.start < s.range().end);
            if part.start >= part.end || taken {
                continue;
            }
            let byte = |address: u64| match kind % 3 {
                0 => geometry.erased,
                1 => noise[(address as usize * 7) % noise.len()],
                _ if address >> 6 & 1 == 0 => geometry.erased,
                _ => noise[address as usize % noise.len()],
            };
            segments.push(Segment {
                address: part.start,
                data: part.map(byte).collect(),
            });
        }
    }
    Image::from_segments(Format::Binary, segments).ok()
}

#[derive(Debug)]
struct Case {
    geometry: Geometry,
    image: Image,
    content: Vec<u8>,
    options: Options,
}

fn case() -> impl Strategy<Value = Case> {
    let pieces = prop::collection::vec((0.0..1.0, 0.0..1.0, any::<u8>()), 1..5);
    let noise = prop::collection::vec(any::<u8>(), 64..257);
    let choices = prop::collection::vec(any::<u8>(), 1..20);
    let erase = prop_oneof![
        4 => Just(EraseChoice::Touched),
        1 => Just(EraseChoice::All),
        1 => Just(EraseChoice::None),
    ];
    let options = (
        erase,
        any::<bool>(),
        any::<bool>(),
        prop::bool::weighted(0.8),
    );
    (geometry(), pieces, noise, choices, options).prop_filter_map(
        "no image in this memory",
        |(geometry, pieces, noise, choices, (erase, only_changed, keep_outside, verify))| {
            let image = image_in(&geometry, &pieces, &noise)?;
            let content = content(&geometry, &image, &choices, &noise);
            let only_changed = only_changed && erase != EraseChoice::All;
            let options = Options {
                erase,
                only_changed,
                keep_outside,
                verify,
            };
            Some(Case {
                geometry,
                image,
                content,
                options,
            })
        },
    )
}

/// Whether an address is in one of the ranges.
fn is_in(ranges: &[Range<u64>], address: u64) -> bool {
    ranges.iter().any(|range| range.contains(&address))
}

/// What the memory must hold after the plan, byte by byte, by the plain meaning of the options.
fn expected(case: &Case, plan: &Plan) -> Vec<u8> {
    let mut expected = case.content.clone();
    let finest = &case.geometry.erase_kinds[0];
    let touches = |unit: &Range<u64>| {
        case.image
            .segments()
            .iter()
            .any(|s| s.address < unit.end && unit.start < s.range().end)
    };
    match case.options.erase {
        EraseChoice::All => expected.fill(case.geometry.erased),
        EraseChoice::Touched if !case.options.keep_outside => {
            for unit in finest.units(0).map(|unit| unit.range()).filter(touches) {
                // With `only_changed` a unit that is the same already keeps its rest.
                let erased = plan
                    .erase_units()
                    .iter()
                    .any(|erased| erased.start <= unit.start && unit.end <= erased.end);
                if erased {
                    let start = case.geometry.range.start;
                    let (from, to) = (unit.start - start, unit.end - start);
                    expected[from as usize..to as usize].fill(case.geometry.erased);
                }
            }
        }
        _ => {}
    }
    for segment in case.image.segments() {
        let at = (segment.address - case.geometry.range.start) as usize;
        expected[at..at + segment.data.len()].copy_from_slice(&segment.data);
    }
    expected
}

/// Every byte of the image is programmed exactly once, or blank after an erase, or there already.
fn check_programs(case: &Case, plan: &Plan) -> Result<(), TestCaseError> {
    let unit = case.geometry.program.unit_bytes;
    for pair in plan.programs().windows(2) {
        prop_assert!(
            pair[0].end < pair[1].start,
            "in order and joined: {:x?}",
            pair
        );
    }
    for range in plan.programs() {
        prop_assert!(range.start % unit == 0 && range.end % unit == 0 && range.start < range.end);
    }
    let erased: Vec<_> = plan.erase_units().iter().map(|unit| unit.range()).collect();
    for pair in erased.windows(2) {
        prop_assert!(pair[0].end <= pair[1].start, "no unit twice: {:x?}", pair);
    }
    let summary = plan.summary();
    let mut blank_bytes = 0;
    let mut unchanged_bytes = 0;
    for segment in case.image.segments() {
        for (address, byte) in segment.range().zip(&segment.data) {
            if is_in(plan.programs(), address) {
                prop_assert_eq!(plan.content(&(address..address + 1))[0], *byte);
            } else if is_in(&erased, address) {
                prop_assert_eq!(*byte, case.geometry.erased, "at {:#x}", address);
                blank_bytes += 1;
            } else {
                let at = (address - case.geometry.range.start) as usize;
                prop_assert_eq!(*byte, case.content[at], "at {:#x}", address);
                unchanged_bytes += 1;
            }
        }
    }
    prop_assert_eq!(summary.image_bytes, case.image.total_bytes());
    prop_assert_eq!(summary.blank_bytes, blank_bytes);
    prop_assert_eq!(summary.unchanged_bytes, unchanged_bytes);
    let kinds = &summary.erased;
    let bytes: u64 = kinds.iter().map(|kind| kind.bytes).sum();
    prop_assert_eq!(
        bytes,
        erased
            .iter()
            .map(|range| range.end - range.start)
            .sum::<u64>()
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_that_is_carried_out_leaves_the_image_and_loses_nothing_else(case in case()) {
        let mut memory = Memory::with_content(case.geometry.clone(), case.content.clone());
        let plan = match survey_and_plan(&mut memory, &case.image, &case.options) {
            Ok(plan) => plan,
            Err(error) => {
                let no_erase = case.options.erase == EraseChoice::None;
                let in_the_way = matches!(error, PlanError::NeedsErase { .. });
                prop_assert!(no_erase && in_the_way, "{}", error);
                return Ok(());
            }
        };
        check_programs(&case, &plan)?;
        let result = execute(&plan, &mut memory, &mut go_on);
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());

        let expected = expected(&case, &plan);
        for range in case.geometry.memory() {
            let start = case.geometry.range.start;
            let wanted = &expected[(range.start - start) as usize..(range.end - start) as usize];
            prop_assert_eq!(memory.at(&range), wanted);
        }
        // A second time there is nothing left to do.
        let again = Options { only_changed: true, erase: EraseChoice::Touched, ..case.options };
        let plan = survey_and_plan(&mut memory, &case.image, &again).unwrap();
        prop_assert!(plan.changes_nothing());
    }
}
