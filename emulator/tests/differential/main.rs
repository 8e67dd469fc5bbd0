//! The core against an independent one on random programs.
//!
//! Every test here runs a fixed number of random cases from a fixed seed; the long runs are the
//! same with `FLASHWIRE_DIFFERENTIAL_CASES` set (cases per test) and, if wanted,
//! `FLASHWIRE_DIFFERENTIAL_SEED`.

mod generate;
#[path = "../bare/memory.rs"]
mod memory;
mod random;
mod rig;

use generate::Case;
use random::Random;
use rig::{Outcome, Rig};

/// Cases per test of a short run: a few seconds for all of them together.
const SHORT_RUN: u64 = 15_000;

fn run(kind: fn(&mut Random) -> Case, salt: u64) {
    let setting = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let cases = setting("FLASHWIRE_DIFFERENTIAL_CASES").unwrap_or(SHORT_RUN);
    let seed = setting("FLASHWIRE_DIFFERENTIAL_SEED").unwrap_or(1);
    let mut random = Random::new(seed ^ salt << 32);
    let mut rig = Rig::new();
    let (mut agreed, mut skipped) = (0_u64, 0_u64);
    let mut differences = Vec::new();
    for _ in 0..cases {
        let case = kind(&mut random);
        match rig.compare(&case) {
            Outcome::Agreed => agreed += 1,
            Outcome::Skipped => skipped += 1,
            Outcome::Differed(text) => differences.push(text),
        }
        if differences.len() >= 10 {
            break;
        }
    }
    println!("{agreed} agreed, {skipped} without a defined result");
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    assert!(
        agreed > skipped,
        "most of the cases must have a defined result: {agreed} agreed, {skipped} skipped"
    );
}

#[test]
fn any_16_bit_instruction_does_the_same() {
    run(generate::any_narrow, 1);
}

#[test]
fn any_32_bit_instruction_does_the_same() {
    run(generate::any_wide, 2);
}

#[test]
fn data_processing_does_the_same() {
    run(generate::data_processing, 3);
}

#[test]
fn loads_and_stores_do_the_same() {
    run(generate::memory, 4);
}

#[test]
fn it_blocks_do_the_same() {
    run(generate::it_block, 5);
}

#[test]
fn branches_do_the_same() {
    run(generate::branches, 6);
}

#[test]
fn exceptions_do_the_same() {
    run(generate::exceptions, 7);
}
