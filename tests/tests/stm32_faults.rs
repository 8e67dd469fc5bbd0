//! A small job over a wire that damages one byte: every byte, every kind of damage.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::stm32::{Error, Options, Parts, Pipeline, Target};
use flashwire_plan::{Failure, FlashDevice, Mismatch};
use flashwire_sim::stm32::ChipState;
use flashwire_tests::bench::{Bench, noise};

/// Longer than any of these jobs takes with all its time-outs and retries.
const LIMIT: Duration = Duration::from_secs(40);

/// How a job ended that did not reach its end.
#[derive(Debug)]
enum Ended {
    Error(Error),
    Mismatch(Mismatch),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Device(error) => Self::Error(*error.downcast().unwrap()),
            Failure::Stopped => panic!("nobody asked to stop"),
        }
    }
}

/// Greets, identifies, erases the first page, writes and verifies.
fn job(bench: &Bench, pipeline: Pipeline, data: &[u8]) -> Result<(), Ended> {
    let options = Options {
        pipeline,
        ..Options::default()
    };
    let mut loader = bench.loader(options);
    match loader.synchronise() {
        Err(Error::NoAnswer { .. } | Error::WrongAnswer { .. }) => loader.resume()?,
        greeted => drop(greeted?),
    }
    let identity = loader.identify(&Parts::built_in())?;
    assert!(identity.known, "{identity:?}");
    let mut target = Target::new(loader, identity);
    let nothing = &mut |_| ControlFlow::Continue(());
    let start = target.geometry().range.start;
    let unit = target.geometry().erase_kinds[0].units(0).next().unwrap();
    target.erase(&[unit], nothing)?;
    target.program(start, data, nothing)?;
    match target.compare(start, data, nothing)? {
        None => Ok(()),
        Some(mismatch) => Err(Ended::Mismatch(mismatch)),
    }
}

/// Runs the job with one fault and checks everything that must hold.
fn run(part: &str, pipeline: Pipeline, data: &[u8], fault: &str) -> Option<Ended> {
    let folder = tempfile::tempdir().unwrap();
    let cut = fault.starts_with("cut");
    let spec = if cut {
        // The board is plugged in again: what it holds must outlast the link.
        format!("{part},image={}", folder.path().join("board.bin").display())
    } else {
        part.to_owned()
    };
    let old = noise(0x1000, 7);
    let what = format!("{part}, {pipeline:?}, {fault}");

    let bench = Bench::open(&format!("{spec},faults={fault}"));
    bench.fill_flash(&old);
    let first = job(&bench, pipeline, data);
    assert!(bench.now() < LIMIT, "{what}: {:?}", bench.now());
    let unit = bench.chip().part().flash.sectors[0].bytes as usize;
    if first.is_ok() {
        assert!(
            bench.flash()[..data.len()] == *data,
            "{what}: wrong and reported as right"
        );
    }
    assert!(
        bench.flash()[unit..0x1000] == old[unit..],
        "{what}: outside is damaged"
    );

    // The next run, on the same chip as it was left; after a cut, plugged in again.
    let bench = if cut {
        drop(bench);
        Bench::open(&spec)
    } else {
        bench
    };
    let mut second = job(&bench, pipeline, data);
    if second.is_err() {
        // A loader that measured the speed by a damaged greeting is deaf until its next reset;
        // nothing else may be beyond mending from this end.
        let state = bench.chip().state();
        let greeted = matches!(
            state,
            ChipState::Loader {
                baud: 115_000..=115_400,
                ..
            }
        );
        assert!(!greeted, "{what}: {second:?}, {state:?}");
        bench.press_reset();
        second = job(&bench, pipeline, data);
    }
    if let Err(error) = second {
        panic!("{what}: the second run failed: {error:?}, the first {first:?}");
    }
    assert!(
        bench.flash()[..data.len()] == *data,
        "{what}: the second run"
    );
    assert!(
        bench.flash()[unit..0x1000] == old[unit..],
        "{what}: outside is damaged"
    );
    first.err()
}

fn every_byte(part: &str, pipeline: Pipeline, data: &[u8]) {
    let clean = Bench::open(part);
    job(&clean, pipeline, data).unwrap();
    let sent = clean.take_sends().concat().len() as u64;
    let all = sent + clean.received();
    for kind in ["drop", "flip", "dup", "delay", "cut"] {
        let mut failed = 0;
        for byte in 0..all {
            match run(part, pipeline, data, &format!("{kind}@{byte}")) {
                None => {}
                Some(Ended::Mismatch(mismatch)) => panic!("{part} {kind}@{byte}: {mismatch:?}"),
                Some(Ended::Error(error)) => {
                    failed += 1;
                    println!("{part} {pipeline:?} {kind}@{byte}: {error}");
                }
            }
        }
        println!("{part} {pipeline:?} {kind}: {failed} of {all}");
    }
}

#[test]
fn every_byte_of_a_job_on_an_f103_may_be_damaged() {
    every_byte("stm32f103c8", Pipeline::Address, &noise(300, 3));
}
