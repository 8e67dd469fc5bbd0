//! The core against an independent one on random programs.
//!
//! Every test here runs a fixed number of random cases from a fixed seed; the long runs are the
//! same with `FLASHWIRE_DIFFERENTIAL_CASES` set (cases per test) and, if wanted,
//! `FLASHWIRE_DIFFERENTIAL_SEED`.

mod generate;
mod images;
#[path = "../bare/memory.rs"]
mod memory;
mod random;
mod rig;

use std::fs;
use std::path::{Path, PathBuf};

use flashwire_emulator::Image;
use flashwire_emulator::cpu::decode;
use generate::Case;
use images::Forms;
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

/// Where our images are, and how their names end.
const IMAGES: [(&str, &str); 3] = [
    ("emulator/tests/guests", ".hex"),
    ("examples", "-f103.hex"),
    ("crates/flashwire/images", "-stm32f103.bin"),
];

/// How many encodings of a form are tried, each at first so often.
const ENCODINGS: usize = 24;
const CASES: usize = 8;
/// A form counts as compared after so many cases with a defined result; it gets so many tries.
const ENOUGH: usize = 8;
const TRIES: usize = 2000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The forms of all our images, the images by their paths from the root.
fn forms_of_ours() -> (Forms, Vec<String>) {
    let (mut forms, mut names) = (Forms::new(), Vec::new());
    for (folder, end) in IMAGES {
        let Ok(entries) = fs::read_dir(root().join(folder)) else {
            continue;
        };
        for entry in entries {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(end) {
                let bytes = fs::read(root().join(folder).join(&name)).unwrap();
                images::collect(&Image::parse(&bytes).unwrap(), &mut forms);
                names.push(format!("{folder}/{name}"));
            }
        }
    }
    (forms, names)
}

/// Compares one instruction in any state; whether the result was defined.
#[track_caller]
fn agrees(rig: &mut Rig, random: &mut Random, form: &str, code: [u16; 2]) -> bool {
    match rig.compare(&generate::one(random, code)) {
        Outcome::Agreed => true,
        Outcome::Skipped => false,
        Outcome::Differed(text) => panic!("{form}: {text}"),
    }
}

/// Lists the forms too: `cargo test -p flashwire-emulator --test differential forms -- --nocapture`.
#[test]
fn all_forms_in_our_images_do_the_same() {
    let (forms, names) = forms_of_ours();
    assert!(names.len() >= 4 && forms.len() > 100, "{names:?}");
    println!("{} forms in {}", forms.len(), names.join(", "));
    let mut random = Random::new(0xf0);
    let mut rig = Rig::new();
    let mut missing = Vec::new();
    for (form, encodings) in &forms {
        let mut codes = Vec::new();
        for &[first, second] in encodings.iter().take(ENCODINGS) {
            let wide = decode::is_wide(first);
            // Nobody would wake the two; what sleep does has tests of its own.
            if wide || !generate::sleeps(decode::narrow(first)) {
                codes.push([first, if wide { second } else { 0xbf00 }]);
            }
        }
        let mut agreed = 0;
        let tries = codes.iter().copied().cycle().take(TRIES).enumerate();
        for (index, code) in tries {
            if index >= CASES * codes.len() && agreed >= ENOUGH {
                break;
            }
            agreed += usize::from(agrees(&mut rig, &mut random, form, code));
        }
        println!("{:4} encodings, {agreed:4} cases: {form}", encodings.len());
        if agreed < ENOUGH && !codes.is_empty() {
            missing.push(form);
        }
    }
    assert!(missing.is_empty(), "not compared: {missing:#?}");
}
