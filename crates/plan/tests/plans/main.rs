//! Plans are made, and carried out on a memory that obeys its rules strictly.
#![expect(
    clippy::single_range_in_vec_init,
    reason = "many a list of ranges has just one"
)]

mod blocks;
mod breaking_off;
mod estimates;
mod executing;
mod geometries;
mod keeping;
mod memory;
mod misfits;
mod only_changed;
mod overwriting;
mod programming;
mod properties;
mod surveying;
mod units;

use std::ops::{ControlFlow, Range};

use flashwire_plan::image::{Format, Image, Segment};
use flashwire_plan::{Event, Geometry, Options, Plan, PlanError, needs, plan, survey};

use memory::Memory;

/// An image of these pieces.
fn image(pieces: &[(u64, &[u8])]) -> Image {
    let segments = pieces.iter().map(|(address, data)| Segment {
        address: *address,
        data: data.to_vec(),
    });
    Image::from_segments(Format::Binary, segments.collect()).unwrap()
}

/// `len` bytes, none of them blank on any memory, no two neighbours alike.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| 1 + (n * 31 % 250) as u8).collect()
}

/// An event receiver that never stops anything.
fn go_on(_: &Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Looks at what the plan needs, and plans.
fn survey_and_plan(
    memory: &mut Memory,
    image: &Image,
    options: &Options,
) -> Result<Plan, PlanError> {
    let geometry = memory.geometry.clone();
    let needs = needs(&geometry, image, options)?;
    let current = survey(memory, &needs, image, &mut go_on).expect("the memory can be read");
    plan(&geometry, image, &current, options)
}

/// What a plan erases, as kind and range.
fn erased(plan: &Plan) -> Vec<(&str, Range<u64>)> {
    let name = |kind: usize| plan.geometry().erase_kinds[kind].name.as_str();
    plan.erase_units()
        .iter()
        .map(|unit| (name(unit.kind), unit.range()))
        .collect()
}

/// A plan for a blank memory, default options but for `change`.
fn plan_for(
    geometry: Geometry,
    image: &Image,
    change: impl FnOnce(&mut Options),
) -> Result<Plan, PlanError> {
    let mut options = Options::default();
    change(&mut options);
    survey_and_plan(&mut Memory::blank(geometry), image, &options)
}
