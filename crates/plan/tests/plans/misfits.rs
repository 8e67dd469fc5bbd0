//! Images, ranges and geometries that do not fit.

use flashwire_plan::image::Image;
use flashwire_plan::{
    Current, EraseKind, Geometry, GeometryError, MOST_BLOCK_BYTES, MOST_MEMORY_BYTES, Options,
    PlanError, Rewrite, needs, plan, plan_erase, plan_verify,
};

use crate::geometries::{f103, kind, nor, whole, with_hole};
use crate::{image, pattern, plan_for};

const KIB: u64 = 1024;

#[test]
fn an_image_larger_than_the_memory_says_by_how_much() {
    let image = image(&[(0x0800_0000, &pattern(70_000))]);
    let range = 0x0801_0000..0x0801_1170;
    let memory = 0x0800_0000..0x0801_0000;
    let expected = PlanError::OutOfRange {
        range,
        misfit_bytes: 4464,
        memory,
    };
    assert_eq!(plan_for(f103(), &image, |_| {}), Err(expected.clone()));
    assert_eq!(
        plan(&f103(), &image, &Current::new(), &Options::default()),
        Err(expected.clone())
    );
    assert_eq!(plan_verify(&f103(), &image), Err(expected.clone()));
    let sentence =
        "4464 bytes at 0x08010000..0x08011170 lie outside the memory 0x08000000..0x08010000";
    assert_eq!(expected.to_string(), sentence);
}

#[test]
fn every_byte_outside_is_counted() {
    let image = image(&[
        (0x0000_0000, &pattern(16)),
        (0x07FF_FFFE, &pattern(4)),
        (0x1FFF_F800, &pattern(100)),
    ]);
    let expected = PlanError::OutOfRange {
        range: 0..16,
        misfit_bytes: 118,
        memory: f103().range,
    };
    assert_eq!(plan_for(f103(), &image, |_| {}), Err(expected));
}

#[test]
fn an_image_in_a_hole_is_refused() {
    let image = image(&[(4 * KIB - 4, &pattern(20))]);
    let (range, hole) = (4 * KIB..4 * KIB + 16, 4 * KIB..8 * KIB);
    let expected = PlanError::InHole {
        range: range.clone(),
        hole: hole.clone(),
    };
    assert_eq!(plan_for(with_hole(), &image, |_| {}), Err(expected.clone()));
    assert_eq!(
        plan_erase(&with_hole(), Some(3 * KIB..9 * KIB), true),
        Err(PlanError::InHole {
            range: hole.clone(),
            hole,
        })
    );
}

#[test]
fn a_binary_without_an_address_is_refused() {
    let image = Image::from_binary(pattern(8), None).unwrap();
    for result in [
        needs(&nor(), &image, &Options::default()).map(drop),
        plan(&nor(), &image, &Current::new(), &Options::default()).map(drop),
        plan_verify(&nor(), &image).map(drop),
    ] {
        assert_eq!(result, Err(PlanError::NoAddress));
    }
    assert!(plan_verify(&nor(), &image.place(0).unwrap()).is_ok());
}

#[test]
fn an_empty_range_to_erase_is_refused() {
    let range = 0x0800_0400..0x0800_0400;
    let expected = PlanError::EmptyRange {
        range: range.clone(),
    };
    assert_eq!(plan_erase(&f103(), Some(range), true), Err(expected));
    let outside = 0x0801_0000..0x0801_0400;
    assert!(matches!(
        plan_erase(&f103(), Some(outside), true),
        Err(PlanError::OutOfRange { .. })
    ));
}

/// What a change to a good geometry is called.
fn fault(change: impl FnOnce(&mut Geometry)) -> GeometryError {
    let mut geometry = f103();
    change(&mut geometry);
    let image = image(&[(0x0800_0000, &pattern(8))]);
    let expected = geometry.check().unwrap_err();
    let error = PlanError::Geometry(expected.clone());
    assert_eq!(
        needs(&geometry, &image, &Options::default()),
        Err(error.clone())
    );
    assert_eq!(plan_verify(&geometry, &image), Err(error.clone()));
    assert_eq!(plan_erase(&geometry, None, true), Err(error));
    expected
}

#[test]
fn a_geometry_that_makes_no_sense_is_an_error_and_nothing_worse() {
    let start = 0x0800_0000;
    assert_eq!(fault(|g| g.range.end = start), GeometryError::Empty);
    let bytes = MOST_MEMORY_BYTES + 2;
    assert_eq!(
        fault(|g| g.range.end = start + bytes),
        GeometryError::TooLarge { bytes }
    );
    for (unit_bytes, block_bytes) in [
        (0, 256),
        (3, 256),
        (2, 0),
        (2, 255),
        (8, 4),
        (2, MOST_BLOCK_BYTES + 2),
    ] {
        let expected = GeometryError::Program {
            unit_bytes,
            block_bytes,
        };
        let error = fault(|g| {
            g.program.unit_bytes = unit_bytes;
            g.program.block_bytes = block_bytes;
        });
        assert_eq!(error, expected);
    }
    let unaligned = start..start + 64 * KIB - 1;
    assert_eq!(
        fault(|g| g.range = unaligned.clone()),
        GeometryError::Unaligned {
            range: unaligned.clone()
        }
    );
    for holes in [
        vec![start - 2..start],
        vec![start + 4..start + 4],
        vec![start + 65_534..start + 65_538],
        vec![start + 8..start + 16, start + 4..start + 8],
    ] {
        let range = holes.last().cloned().unwrap();
        assert_eq!(fault(|g| g.holes = holes), GeometryError::Hole { range });
    }
    let odd = start + 1..start + 3;
    assert_eq!(
        fault(|g| g.holes = vec![odd.clone()]),
        GeometryError::Unaligned { range: odd.clone() }
    );
}

#[test]
fn erase_kinds_that_do_not_fit_are_named() {
    let start = 0x0800_0000;
    let wrong: [EraseKind; 10] = [
        kind("bad", &[(start, 0, 64, 1)]),
        kind("bad", &[(start, 1024, 0, 1)]),
        kind("bad", &[(start, 1024, 65, 1)]),
        kind("bad", &[(start - 1024, 1024, 2, 1)]),
        kind("bad", &[(start, 1024, 2, 1), (start + 1024, 1024, 2, 1)]),
        kind("bad", &[(start + 1, 1024, 2, 1)]),
        kind("bad", &[(start, 1023, 2, 1)]),
        kind("bad", &[(start, u64::MAX, 2, 1)]),
        kind("bad", &[(u64::MAX - 1, 2, 2, 1)]),
        EraseKind {
            name: "bad".into(),
            ..whole(start, 1024, 1)
        },
    ];
    for bad in wrong {
        let expected = GeometryError::EraseKind { name: "bad".into() };
        assert_eq!(
            fault(|g| g.erase_kinds.push(bad.clone())),
            expected,
            "{bad:?}"
        );
    }
    let huge = Geometry {
        range: 0..1 << 20,
        erase_kinds: vec![kind("tiny", &[(0, 2, 1 << 19, 1)])],
        ..f103()
    };
    assert_eq!(
        huge.check(),
        Err(GeometryError::EraseKind {
            name: "tiny".into()
        })
    );
}

#[test]
fn the_same_memory_with_other_times_is_the_same_memory() {
    let mut other = f103();
    other.costs = Default::default();
    other.erase_kinds[0].runs[0].time = Default::default();
    other.erase_kinds[0].name = "Seite".into();
    assert!(f103().is_same_memory(&other));
    let different: [fn(&mut Geometry); 6] = [
        |g| g.range.end += 1024,
        |g| g.holes.push(0x0800_0000..0x0800_0002),
        |g| g.erased = 0,
        |g| g.program.rewrite = Rewrite::Once,
        |g| g.erase_kinds[0].runs[0].count = 63,
        |g| g.erase_kinds.truncate(1),
    ];
    for change in different {
        let mut other = f103();
        change(&mut other);
        assert!(!f103().is_same_memory(&other));
    }
}
