//! Chips and programmers that go away or get stuck in the middle of a job.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::serprog;
use flashwire_client::spinor::{self, Chip, Error, Parts};
use flashwire_link::Link;
use flashwire_plan::{Failure, FlashDevice};
use flashwire_tests::bench::{Bench, noise};

const BYTES: usize = 64 << 10;

fn open(bench: &Bench, plain: bool) -> Chip {
    let options = serprog::Options {
        plain,
        ..serprog::Options::default()
    };
    let client = bench.serprog(options).unwrap();
    let options = spinor::Options::default();
    Chip::open(Box::new(client), &Parts::built_in(), options).unwrap()
}

/// Programs 64 KiB, and does something to the bench after a quarter of it.
fn program(chip: &mut Chip, mut trouble: impl FnMut()) -> Result<(), Error> {
    let mut done = 0;
    let mut pending = true;
    let tick = &mut |bytes| {
        done += bytes;
        if pending && done > BYTES as u64 / 4 {
            pending = false;
            trouble();
        }
        ControlFlow::Continue(())
    };
    match chip.program(0, &noise(BYTES, 2), tick) {
        Err(Failure::Device(error)) => Err(*error.downcast().unwrap()),
        Err(Failure::Stopped) => panic!("nobody asked to stop"),
        Ok(()) => Ok(()),
    }
}

#[test]
fn a_chip_that_is_pulled_out_is_gone() {
    for plain in [true, false] {
        let bench = Bench::open("serprog+w25q64jv");
        let mut chip = open(&bench, plain);
        let written = program(&mut chip, || {
            let now = bench.look().now();
            bench.nor_mut().set_connected(now, false);
        });
        assert!(matches!(written, Err(Error::Gone)), "{plain}: {written:?}");
        assert!(bench.now() < Duration::from_secs(10), "{:?}", bench.now());
    }
}

#[test]
fn a_chip_that_is_pulled_out_during_an_erase_is_gone() {
    let bench = Bench::open("serprog+w25q64jv");
    let mut chip = open(&bench, true);
    let units: Vec<_> = chip.geometry().erase_kinds[0].units(0).take(4).collect();
    let mut first = true;
    let tick = &mut |_| {
        if std::mem::take(&mut first) {
            let now = bench.look().now();
            bench.nor_mut().set_connected(now, false);
        }
        ControlFlow::Continue(())
    };
    let Err(Failure::Device(error)) = chip.erase(&units, tick) else {
        panic!("it reports an erase of nothing");
    };
    let error = error.downcast().unwrap();
    assert!(matches!(*error, Error::Gone), "{error:?}");
}

#[test]
fn a_chip_that_stays_busy_is_given_up() {
    // A hundred times what the datasheet says.
    let bench = Bench::open("serprog+w25q64jv,flash-percent=10000");
    let mut chip = open(&bench, true);
    let unit = chip.geometry().erase_kinds[2].units(2).next().unwrap();
    let nothing = &mut |_| ControlFlow::Continue(());
    let Err(Failure::Device(error)) = chip.erase(&[unit], nothing) else {
        panic!("it reports an erase that goes on");
    };
    let error = error.downcast().unwrap();
    assert!(matches!(*error, Error::StaysBusy { .. }), "{error:?}");
    assert!(bench.now() < Duration::from_secs(10), "{:?}", bench.now());
}

/// What was on its way is lost, and with it what the chip was told.
#[test]
fn a_programmer_that_is_reset_in_the_middle_is_never_taken_for_one_that_did_it() {
    for (name, plain) in [
        ("serprog+w25q64jv", true),
        ("serprog+w25q64jv", false),
        ("uno+w25q80bv", false),
        ("stm32vcp+w25q64jv", true),
    ] {
        let bench = Bench::open(name);
        let mut chip = open(&bench, plain);
        let written = program(&mut chip, || {
            let now = bench.look().now();
            bench.programmer_mut().power_cycle(now);
        });
        let right = bench.flash()[..BYTES] == noise(BYTES, 2);
        match written {
            Ok(()) => assert!(right, "{name}, {plain}: wrong and reported as right"),
            Err(Error::Disturbed { .. } | Error::Damaged { .. }) => {}
            Err(error) => panic!("{name}, {plain}: {error:?}"),
        }
        assert!(bench.now() < Duration::from_secs(60), "{:?}", bench.now());
    }
}

#[test]
fn pages_that_take_longer_than_expected_are_all_there() {
    for times in ["spread", "longest"] {
        for name in ["serprog+w25q64jv", "serprog+m25p80", "frser-duino+w25q80bv"] {
            let bench = Bench::open(&format!("{name},chip-times={times},seed=5"));
            let mut chip = open(&bench, true);
            program(&mut chip, || ()).unwrap();
            assert!(bench.flash()[..BYTES] == noise(BYTES, 2), "{name}, {times}");
            assert_eq!(bench.complaints(), [""; 0], "{name}, {times}");
        }
    }
}

#[test]
fn stopping_leaves_what_was_told_and_nothing_beyond() {
    for plain in [true, false] {
        let bench = Bench::open("serprog+w25q64jv");
        let mut chip = open(&bench, plain);
        let mut told = 0;
        let tick = &mut |bytes| {
            told += bytes;
            if told < 10_000 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let data = noise(BYTES, 2);
        let stopped = chip.program(0, &data, tick);
        assert!(matches!(stopped, Err(Failure::Stopped)), "{stopped:?}");
        let told = told as usize;
        let flash = bench.flash();
        assert!(flash[..told] == data[..told], "{plain}");
        assert!(flash[told..].iter().all(|&byte| byte == 0xFF), "{plain}");
        assert!(told < BYTES, "{plain}: {told}");
    }
}
