//! A small job over an I2C bus on which one byte goes wrong: every byte, every kind of fault. And
//! a bus on which nothing goes right any more.

use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::time::Duration;

use flashwire_client::stm32::{Error, Options, Parts, Target};
use flashwire_link::{BusFault, LinkError};
use flashwire_plan::FlashDevice;
use flashwire_sim::stm32::PARTS;
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::job::Ended;

/// Longer than any of these jobs takes with all its silences and retries.
const LIMIT: Duration = Duration::from_secs(60);

/// Loaders of each kind: No-Stretch commands and checksum, No-Stretch commands only, neither.
const KINDS: [&str; 3] = ["stm32g071rb", "stm32g071rb,i2c-version=1.1", "stm32f072rb"];

/// The tables, read once for all the jobs.
static TABLES: LazyLock<Parts> = LazyLock::new(Parts::built_in);

/// Finds the loader, identifies, erases the first unit, writes and verifies.
fn job(bench: &Bench, data: &[u8]) -> Result<(), Ended> {
    let mut loader = bench.loader(Options::default());
    match loader.synchronise() {
        Err(error) if error.means_no_loader() => loader.resume()?,
        greeted => drop(greeted?),
    }
    let identity = loader.identify(&TABLES)?;
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

/// How many bytes pass in a job on which nothing goes wrong, addresses included.
fn bytes_of(part: &str, data: &[u8]) -> u64 {
    let bench = Bench::open(&format!("{part},bus=i2c"));
    bench.fill_flash(&noise(0x1000, 7));
    job(&bench, data).unwrap();
    assert_eq!(bench.complaints(), [""; 0]);
    // The address of each transfer counts.
    bench.transfers() + bench.bytes_passed()
}

/// Runs the job with one fault and checks everything that must hold; how it ended, if not well.
fn run(part: &str, data: &[u8], fault: &str) -> Option<Ended> {
    let folder = tempfile::tempdir().unwrap();
    let cut = fault.starts_with("cut");
    let spec = if cut {
        // The bus is plugged in again: what the chip holds must outlast the link.
        let image = folder.path().join("board.bin");
        format!("{part},bus=i2c,image={}", image.display())
    } else {
        format!("{part},bus=i2c")
    };
    let old = noise(0x1000, 7);
    let what = format!("{part}, {fault}");

    let bench = Bench::open(&format!("{spec},faults={fault}"));
    bench.fill_flash(&old);
    let first = job(&bench, data);
    assert!(bench.now() < LIMIT, "{what}: {:?}", bench.now());
    let unit = bench.chip().part().flash.sectors[0].bytes as usize;
    if first.is_ok() {
        assert!(
            bench.flash()[..data.len()] == *data,
            "{what}: wrong and reported as right"
        );
    }
    if unit < old.len() {
        assert!(
            bench.flash()[unit..old.len()] == old[unit..],
            "{what}: outside is damaged, {first:?}"
        );
    }

    // The next run, on the same chip as it was left; after a cut, plugged in again.
    let bench = if cut {
        drop(bench);
        Bench::open(&spec)
    } else {
        bench
    };
    let begun = bench.now();
    if let Err(error) = job(&bench, data) {
        panic!("{what}: the second run failed: {error:?}, the first {first:?}");
    }
    assert!(bench.now() - begun < LIMIT, "{what}");
    assert!(bench.flash()[..data.len()] == *data, "{what}");
    first.err()
}

/// Every byte of the job with one kind of fault; how many runs ended in an error.
fn everywhere(kind: &str) -> usize {
    let data = noise(64, 5);
    let mut failed = 0;
    for part in KINDS {
        for byte in 0..bytes_of(part, &data) {
            match run(part, &data, &format!("{kind}@{byte}")) {
                None => {}
                Some(Ended::Error(_)) => failed += 1,
                Some(Ended::Mismatch(mismatch)) => panic!("{part}, {kind}@{byte}: {mismatch:?}"),
            }
        }
    }
    failed
}

#[test]
fn a_byte_that_is_not_acknowledged_costs_time_and_nothing_else() {
    assert_eq!(everywhere("nak"), 0);
}

#[test]
fn lost_arbitration_costs_time_and_nothing_else() {
    assert_eq!(everywhere("arb"), 0);
}

#[test]
fn a_clock_that_somebody_holds_for_too_long_costs_time_and_nothing_else() {
    assert_eq!(everywhere("hold"), 0);
}

#[test]
fn a_flipped_bit_is_found() {
    assert_eq!(everywhere("flip"), 0);
}

#[test]
fn a_bus_that_is_unplugged_is_named_so_and_the_next_run_recovers() {
    let data = noise(64, 5);
    let part = KINDS[0];
    for byte in 0..bytes_of(part, &data) {
        let ended = run(part, &data, &format!("cut@{byte}"));
        assert!(
            matches!(ended, Some(Ended::Error(Error::Link(LinkError::Closed)))),
            "{byte}: {ended:?}"
        );
    }
}

/// A bus on which the clock is held from some byte on for ever.
#[test]
fn a_bus_that_is_locked_for_good_ends_the_job_with_its_name() {
    for from in [0, 40, 400] {
        let faults: Vec<String> = (from..from + 200).map(|n| format!("hold@{n}")).collect();
        let spec = format!("stm32g071rb,bus=i2c,faults={}", faults.join("+"));
        let bench = Bench::open(&spec);
        let ended = job(&bench, &noise(256, 5)).unwrap_err();
        let Ended::Error(error) = ended else {
            panic!("{from}: {ended:?}");
        };
        assert!(
            error.to_string().contains("held for too long"),
            "{from}: {error}"
        );
        assert!(bench.now() < LIMIT, "{from}: {:?}", bench.now());
    }
}

/// A loader that works longer than its controller waits: the work is done, and the loader resets
/// the chip because nobody took its answer.
#[test]
fn a_stretched_erase_that_the_controller_does_not_wait_for_is_looked_at_and_not_repeated() {
    for part in PARTS.iter().filter(|part| part.loader.i2c.is_some()) {
        let spec = format!("{},bus=i2c,i2c-version=1.0,hold-limit-ms=15", part.name);
        let bench = Bench::open(&spec);
        bench.fill_flash(&noise(0x1000, 7));
        let data = noise(256, 9);
        if let Err(error) = job(&bench, &data) {
            panic!("{}: {error:?}", part.name);
        }
        assert!(bench.flash()[..data.len()] == data, "{}", part.name);
        assert!(bench.now() < LIMIT, "{}: {:?}", part.name, bench.now());
    }
}

/// The loader of the STM32G05x in version 5.1 holds the clock in No-Stretch commands too (AN2606,
/// table 114).
#[test]
fn a_no_stretch_erase_that_stretches_all_the_same_is_looked_at() {
    let bench = Bench::open("stm32g071rb,bus=i2c,hold-limit-ms=15");
    bench.chip_mut().set_stretches_always(true);
    bench.fill_flash(&noise(0x1000, 7));
    let data = noise(256, 9);
    job(&bench, &data).unwrap();
    assert!(bench.flash()[..data.len()] == data);
}

#[test]
fn a_loader_that_is_busy_for_ever_is_named_so() {
    let bench = Bench::open("stm32g071rb,bus=i2c");
    bench.chip_mut().set_stuck(true);
    let ended = job(&bench, &noise(256, 9));
    assert!(
        matches!(ended, Err(Ended::Error(Error::Busy { .. }))),
        "{ended:?}"
    );
    assert!(bench.now() < LIMIT, "{:?}", bench.now());
    // Somebody resets it, and the next run does the job.
    bench.chip_mut().set_stuck(false);
    bench.press_reset();
    job(&bench, &noise(256, 9)).unwrap();
}

#[test]
fn a_loader_that_holds_the_clock_for_ever_is_named_so() {
    let bench = Bench::open("stm32f072rb,bus=i2c");
    bench.chip_mut().set_stuck(true);
    let ended = job(&bench, &noise(256, 9));
    let held = |error: &Error| {
        matches!(
            error,
            Error::Bus {
                fault: BusFault::ClockHeld,
                ..
            }
        )
    };
    match ended {
        Err(Ended::Error(Error::Unresponsive { last, .. })) => assert!(held(&last), "{last:?}"),
        Err(Ended::Error(error)) => assert!(held(&error), "{error:?}"),
        other => panic!("{other:?}"),
    }
    assert!(bench.now() < 3 * LIMIT, "{:?}", bench.now());
}
