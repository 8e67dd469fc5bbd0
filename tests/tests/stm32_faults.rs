//! A small job over a wire that damages one byte: every byte, every kind of damage.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::stm32::{Error, Options, Parts, Pipeline, Target};
use flashwire_link::LinkError;
use flashwire_plan::image::Image;
use flashwire_plan::{FlashDevice, RunError, execute, needs, plan, survey};
use flashwire_protocol::stm32::Command;
use flashwire_sim::stm32::ChipState;
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::job::Ended;

/// Longer than any of these jobs takes with all its time-outs and retries.
const LIMIT: Duration = Duration::from_secs(40);

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
        "{what}: outside is damaged by the first run, {first:?}"
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

/// Damages every byte of the job, or every `stride`th.
fn every_byte(part: &str, pipeline: Pipeline, data: &[u8], stride: usize) {
    let clean = Bench::open(part);
    job(&clean, pipeline, data).unwrap();
    let sent = clean.take_sends().concat().len() as u64;
    let all = sent + clean.received();
    for kind in ["drop", "flip", "dup", "delay", "cut"] {
        for byte in (0..all).step_by(stride) {
            let fault = format!("{kind}@{byte}");
            let Some(ended) = run(part, pipeline, data, &fault) else {
                continue;
            };
            println!("{part} {pipeline:?} {fault}: {ended:?}");
            // One damaged byte is got over, but for a link that ends, a greeting by which the
            // loader measured a wrong speed, and data with a byte doubled that equals their
            // checksum: the loader finds nothing wrong with them, but verification does.
            let excused = match &ended {
                Ended::Error(Error::Link(LinkError::Closed)) => kind == "cut",
                Ended::Error(Error::LostSync { .. }) => fault == "flip@0",
                Ended::Mismatch(mismatch) => kind == "dup" && mismatch.count > 0,
                Ended::Error(_) => false,
            };
            assert!(excused, "{part}, {pipeline:?}, {fault}: {ended:?}");
        }
    }
}

#[test]
fn every_byte_of_a_job_on_an_f103_may_be_damaged() {
    every_byte("stm32f103c8", Pipeline::Address, &noise(300, 3), 1);
}

#[test]
fn every_byte_of_a_job_with_all_pipelining_may_be_damaged() {
    // With the opcodes of what would hurt most in the data.
    let mut data = noise(600, 4);
    data[300..302].copy_from_slice(&Command::ReadoutUnprotect.opcode());
    data[401..403].copy_from_slice(&Command::Erase.opcode());
    every_byte("stm32f103c8", Pipeline::Full, &data, 2);
}

#[test]
fn every_byte_of_a_job_in_lock_step_may_be_damaged() {
    every_byte("stm32l152rb", Pipeline::Off, &noise(256, 5), 2);
}

#[test]
fn every_byte_of_a_job_verified_by_checksum_may_be_damaged() {
    every_byte("stm32g0b1re", Pipeline::Address, &noise(512, 6), 3);
}

/// Writes an image that covers its page only in part, so that the rest of the page is read, erased
/// and written back: the only copy of it is what came over the wire.
fn partial_job(bench: &Bench, data: &[u8]) -> Result<(), RunError> {
    let mut target = bench.target(Options::default());
    let image = Image::from_binary(data.to_vec(), Some(0x0800_0000)).unwrap();
    let options = flashwire_plan::Options::default();
    let on_event = &mut |_: &_| ControlFlow::Continue(());
    let needs = needs(target.geometry(), &image, &options).unwrap();
    let current = survey(&mut target, &needs, &image, on_event)?;
    let plan = plan(target.geometry(), &image, &current, &options).unwrap();
    execute(&plan, &mut target, on_event).map(drop)
}

#[test]
fn what_is_kept_outside_the_image_is_never_damaged_by_the_wire() {
    let old = noise(0x800, 7);
    let data = noise(500, 3);
    let clean = Bench::open("stm32f103c8");
    clean.fill_flash(&old);
    clean.target(Options::default());
    let first = clean.received();
    partial_job(&clean, &data).unwrap();
    let all = clean.received();
    for (kind, step) in [("flip", 1), ("drop", 11), ("dup", 7)] {
        for byte in (first..all).step_by(step) {
            // Only answers: that is where the old content is.
            let bench = Bench::open(&format!("stm32f103c8,faults={kind}@{byte}:in"));
            bench.fill_flash(&old);
            let ended = partial_job(&bench, &data);
            if ended.is_ok() {
                assert!(bench.flash()[..500] == data, "{kind}@{byte}");
                assert!(
                    bench.flash()[500..0x800] == old[500..],
                    "{kind}@{byte}: outside"
                );
            }
        }
    }
}

/// A target whose first page is erased, and what may go wrong with a block.
fn erased(spec: &str, table: &str) -> (Bench, Target) {
    let bench = Bench::open(spec);
    let mut loader = bench.loader(Options::default());
    loader.synchronise().unwrap();
    let identity = loader.identify(&Parts::with_file(table).unwrap()).unwrap();
    (bench, Target::new(loader, identity))
}

const NO_TABLE: &str = "product_id\n";

fn program(target: &mut Target, data: &[u8]) -> Result<(), Ended> {
    Ok(target.program(0x0800_0000, data, &mut |_| ControlFlow::Continue(()))?)
}

/// How many bytes the client takes before the acknowledgement of a block's data.
fn before_the_acknowledgement(data: &[u8]) -> u64 {
    let (bench, mut target) = erased("stm32f103c8", NO_TABLE);
    program(&mut target, data).unwrap();
    bench.received() - 1
}

#[test]
fn a_block_whose_acknowledgement_is_lost_is_not_programmed_again() {
    let data = noise(256, 8);
    let last = before_the_acknowledgement(&data);
    let (bench, mut target) = erased(&format!("stm32f103c8,faults=drop@{last}:in"), NO_TABLE);
    program(&mut target, &data).unwrap();
    assert_eq!(bench.flash()[..256], data);
    let writes = bench
        .take_sends()
        .iter()
        .filter(|send| send.len() == 258)
        .count();
    assert_eq!(writes, 1);
}

#[test]
fn what_is_missing_of_a_block_is_programmed_and_nothing_else() {
    // The flash takes half-words that are blank only, and says so by NACK.
    let data = noise(256, 9);
    let (bench, mut target) = erased("stm32f103c8", NO_TABLE);
    bench.fill_flash(&data[..100]);
    program(&mut target, &data).unwrap();
    assert_eq!(bench.flash()[..256], data);
}

#[test]
fn a_block_that_cannot_be_mended_is_named_with_its_address() {
    let data = noise(256, 10);
    let (bench, mut target) = erased("stm32f103c8", NO_TABLE);
    let mut old = vec![0xFF; 256];
    old[130] = data[130] ^ 0x08;
    old[131] = data[131];
    bench.fill_flash(&old);
    let Err(Ended::Error(error)) = program(&mut target, &data) else {
        panic!("programmed over what was not erased");
    };
    let Error::Damaged {
        address,
        expected,
        found,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(address, 0x0800_0000 + 130);
    assert_eq!((expected, found), (data[130], data[130] ^ 0x08));
}

#[test]
fn a_part_that_cannot_be_read_while_writing_is_not_guessed_at() {
    const TABLE: &str = "product_id,family,name,layout,flash_kib,program_unit,quirks\n\
                         0x410,F1,like an H723,1K*,64,2,no-read-while-writing\n";
    let data = noise(256, 11);
    let last = {
        let (bench, mut target) = erased("stm32f103c8", TABLE);
        program(&mut target, &data).unwrap();
        bench.received() - 1
    };
    let (_, mut target) = erased(&format!("stm32f103c8,faults=drop@{last}:in"), TABLE);
    let Err(Ended::Error(error)) = program(&mut target, &data) else {
        panic!("it was taken for written");
    };
    assert!(
        matches!(
            error,
            Error::Undecided {
                address: 0x0800_0000,
                ..
            }
        ),
        "{error}"
    );
    assert!(std::error::Error::source(&error).is_some());
}
