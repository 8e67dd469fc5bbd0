//! The writer for Arduino boards against the bench: optiboot and ATmegaBOOT, well and disturbed.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::stk500::{Bootloader, Error, Loader, Options, Reading, Signature, Target};
use flashwire_link::LineChange;
use flashwire_link::reset::Sequence;
use flashwire_plan::{
    Cause, Failure, FlashDevice, Geometry, Image, Options as PlanOptions, Plan, Program, Rewrite,
    RunError, execute, needs, plan, survey,
};
use flashwire_tests::bench::{Bench, noise};

const BOARDS: [&str; 2] = ["arduino-uno", "arduino-nano-old"];

/// Longer than any of these jobs takes with all its time-outs and retries.
const LIMIT: Duration = Duration::from_secs(120);

fn connect(bench: &Bench, options: Options) -> Result<Bootloader, Error> {
    Bootloader::connect(bench.link(), options)
}

/// What connecting to this bench fails with.
fn refused(spec: &str) -> Error {
    let bench = Bench::open(spec);
    let refused = connect(&bench, Options::default()).err();
    assert!(bench.now() < LIMIT, "{:?}", bench.now());
    refused.expect("nobody to write with")
}

/// Writes content to the start of the flash, as the session does.
fn write(target: &mut Target, content: &[u8]) -> Result<Plan, RunError> {
    let image = Image::from_binary(content.to_vec(), Some(0)).unwrap();
    let options = PlanOptions::default();
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    let needs = needs(target.geometry(), &image, &options).unwrap();
    let current = survey(target, &needs, &image, go_on)?;
    let plan = plan(target.geometry(), &image, &current, &options).unwrap();
    execute(&plan, target, go_on)?;
    Ok(plan)
}

/// How a job ended that did not reach its end.
#[derive(Debug)]
enum Ended {
    Loader(Error),
    Mismatch,
}

impl From<RunError> for Ended {
    fn from(error: RunError) -> Self {
        match error.cause {
            Cause::Device(error) => {
                Self::Loader(*error.downcast().expect("an error of the client"))
            }
            Cause::Mismatch(_) => Self::Mismatch,
            cause => panic!("{cause}"),
        }
    }
}

#[test]
fn each_board_is_found_at_its_own_speed_and_written() {
    for (board, loader, baud) in [
        (BOARDS[0], Loader::Optiboot { major: 4, minor: 4 }, 115_200),
        (BOARDS[1], Loader::AtmegaBoot, 57_600),
    ] {
        let bench = Bench::open(board);
        let loader_there = connect(&bench, Options::default()).unwrap();
        let identity = loader_there.identity();
        assert_eq!(identity.part.name, "ATmega328P");
        assert_eq!((identity.loader, identity.baud), (loader, baud));
        let before = bench.complaints().len();

        let mut target = Target::new(loader_there);
        let content = noise(5000, 7);
        write(&mut target, &content).unwrap();
        assert_eq!(bench.flash()[..5000], content);
        // Not one character that the loader had no time for.
        assert_eq!(bench.complaints().len(), before, "{:?}", bench.complaints());
        target.loader_mut().leave().unwrap();
        // ATmegaBOOT has no way but its second of patience.
        let second = Duration::from_millis(1100);
        target.loader_mut().link_mut().pause(second).unwrap();
        assert!(bench.look().bench().board().unwrap().runs_application());
    }
}

#[test]
fn an_uno_is_written_without_a_single_complaint() {
    let bench = Bench::open("arduino-uno");
    let mut target = Target::new(connect(&bench, Options::default()).unwrap());
    write(&mut target, &noise(30_720, 1)).unwrap();
    assert_eq!(bench.complaints(), [""; 0]);
    let given = Options {
        baud: Some(57_600),
        ..Options::default()
    };
    let bench = Bench::open("arduino-nano-old");
    let mut target = Target::new(connect(&bench, given).unwrap());
    write(&mut target, &noise(30_720, 1)).unwrap();
    assert_eq!(bench.complaints(), [""; 0]);
}

#[test]
fn only_pages_that_differ_are_written() {
    let bench = Bench::open("arduino-uno");
    let mut target = Target::new(connect(&bench, Options::default()).unwrap());
    let mut content = noise(1000, 3);
    write(&mut target, &content).unwrap();
    content[300] ^= 1;
    let plan = write(&mut target, &content).unwrap();
    assert_eq!(plan.programs().len(), 1);
    assert_eq!(plan.programs()[0], 0x100..0x180);
    assert_eq!(bench.flash()[..1000], content);
}

#[test]
fn any_range_can_be_read() {
    let bench = Bench::open("arduino-uno");
    let mut target = Target::new(connect(&bench, Options::default()).unwrap());
    let content = noise(600, 5);
    write(&mut target, &content).unwrap();
    for (from, to) in [(0, 1), (1, 2), (127, 129), (3, 597), (128, 256), (255, 600)] {
        let mut out = vec![0; to - from];
        target
            .read(from as u64, &mut out, &mut |_| ControlFlow::Continue(()))
            .unwrap();
        assert_eq!(out, content[from..to], "{from}..{to}");
    }
}

#[test]
fn other_chips_are_refused_by_name() {
    let named = |spec: &str| refused(spec).to_string();
    assert_eq!(
        named("arduino-uno,signature=1E9406"),
        "the chip's signature is 1E 94 06: an ATmega168"
    );
    assert_eq!(
        named("arduino-uno,signature=1E9801"),
        "the chip's signature is 1E 98 01: an ATmega2560"
    );
    assert!(matches!(
        refused("arduino-nano-old,signature=123456"),
        Error::OtherPart {
            signature: Signature([0x12, 0x34, 0x56])
        }
    ));
    let bench = Bench::open("arduino-uno,signature=1E9514");
    let loader = connect(&bench, Options::default()).unwrap();
    assert_eq!(loader.identity().part.name, "ATmega328");
}

#[test]
fn the_boot_section_is_refused_before_a_byte_is_said() {
    let bench = Bench::open("arduino-uno");
    let mut loader = connect(&bench, Options::default()).unwrap();
    bench.take_sends();
    for address in [0x7800, 0x7E00, 0x8000, 0xFF80] {
        let refused = loader.program_page(address, &[0; 128]);
        assert!(
            matches!(refused, Err(Error::BootSection { end: 0x7800, .. })),
            "{refused:?}"
        );
    }
    assert!(bench.take_sends().is_empty());
    assert_eq!(Target::new(loader).geometry().range, 0..0x7800);
}

#[test]
fn what_is_no_bootloader_is_told_apart() {
    let silent = refused("arduino-uno,cable=open");
    assert!(
        matches!(&silent, Error::NoAnswer { bauds, .. } if bauds[..] == [115_200, 57_600]),
        "{silent}"
    );
    // A program that talks is one: stack pointer and reset vector.
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("app.bin");
    let vectors = [0x2000_1000_u32, 0x0800_0101].map(u32::to_le_bytes);
    std::fs::write(&image, vectors.concat()).unwrap();
    let keys = format!("boot0=low,says=21.5 degrees,image={}", image.display());
    let talks = format!("stm32f103cb,{keys}");
    for (spec, expected) in [
        ("arduino-uno,cable=loop", Reading::Echo),
        ("arduino-uno,cable=low", Reading::LineLow),
        ("frser-duino+w25q80bv", Reading::Refusals),
        (&talks, Reading::Babble),
    ] {
        let error = refused(spec);
        let found = matches!(&error, Error::WrongAnswer { reading, .. } if *reading == expected);
        assert!(found, "{spec}: {error}");
    }
}

#[test]
fn a_wrong_speed_finds_nobody_and_harms_nothing() {
    let wrong = Options {
        baud: Some(19_200),
        ..Options::default()
    };
    for board in BOARDS {
        let bench = Bench::open(board);
        let before = bench.flash();
        let error = connect(&bench, wrong.clone()).err().unwrap();
        assert!(
            matches!(error, Error::NoAnswer { .. } | Error::WrongAnswer { .. }),
            "{error}"
        );
        assert_eq!(bench.flash(), before);
    }
}

#[test]
fn after_a_long_pause_the_board_is_brought_back_into_its_loader() {
    for board in BOARDS {
        let bench = Bench::open(board);
        let mut target = Target::new(connect(&bench, Options::default()).unwrap());
        let content = noise(256, 9);
        write(&mut target, &content).unwrap();
        target
            .loader_mut()
            .link_mut()
            .pause(Duration::from_secs(5))
            .unwrap();
        assert!(bench.look().bench().board().unwrap().runs_application());
        let mut page = [0; 128];
        target.loader_mut().read_page(0x80, &mut page).unwrap();
        assert_eq!(page, content[128..]);
    }
}

#[test]
fn a_board_that_cannot_be_reset_is_written_in_the_second_after_the_opening() {
    let untouched = Options {
        reset: Sequence::default(),
        ..Options::default()
    };
    let bench = Bench::open("arduino-uno");
    let mut target = Target::new(connect(&bench, untouched.clone()).unwrap());
    write(&mut target, &noise(2000, 2)).unwrap();
    assert_eq!(bench.flash()[..2000], noise(2000, 2));

    let bench = Bench::open("arduino-uno");
    bench.link().pause(Duration::from_secs(3)).unwrap();
    let error = connect(&bench, untouched).err().unwrap();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
}

#[test]
fn the_reset_is_an_edge_of_dtr_after_a_rest() {
    let sequence = flashwire_client::stk500::auto_reset().to_string();
    assert_eq!(sequence, "-dtr&-rts,250ms,+dtr&+rts,50ms");
    let edge: LineChange = "+dtr".parse().unwrap();
    assert!(sequence.contains(&edge.to_string()));
}

/// A small job on a wire that damages one byte: it ends in time, and what it calls done is done.
fn disturbed(board: &str, fault: &str) -> Result<(), Ended> {
    let bench = Bench::open(&format!("{board},faults={fault}"));
    let content = noise(256, 11);
    let baud = match board {
        "arduino-uno" => 115_200,
        _ => 57_600,
    };
    let options = Options {
        baud: Some(baud),
        ..Options::default()
    };
    let connected = connect(&bench, options).map_err(Ended::Loader);
    let done = connected.and_then(|loader| {
        let mut target = Target::new(loader);
        write(&mut target, &content)?;
        Ok(())
    });
    assert!(bench.now() < LIMIT, "{fault}: {:?}", bench.now());
    if done.is_ok() {
        assert_eq!(bench.flash()[..256], content, "{board} {fault}");
    }
    done
}

/// Bytes of the job out: greeting, questions, survey, two pages, verification.
const OUT: usize = 4 + 3 + 3 + 2 + 2 + 2 * (4 + 5) + 2 * (4 + 133) + 2 * (4 + 5);

/// Bytes of the answers to it.
const IN: usize = 4 + 3 + 3 + 5 + 2 + 2 * (2 + 130) + 2 * 4 + 2 * (2 + 130);

#[test]
fn a_byte_that_is_lost_or_doubled_is_made_good_wherever_it_is() {
    for board in BOARDS {
        for kind in ["drop", "dup"] {
            for (direction, bytes) in [("out", OUT), ("in", IN)] {
                for byte in 0..bytes {
                    let fault = format!("{kind}@{byte}:{direction}");
                    let done = disturbed(board, &fault);
                    assert!(done.is_ok(), "{board} {fault}: {done:?}");
                }
            }
        }
    }
}

#[test]
fn a_byte_that_is_garbled_is_made_good_or_found_by_the_verification() {
    for board in BOARDS {
        for byte in 0..IN {
            let fault = format!("flip@{byte}:in");
            let done = disturbed(board, &fault);
            assert!(done.is_ok(), "{board} {fault}: {done:?}");
        }
        let mut found = 0;
        for byte in 0..OUT {
            let fault = format!("flip@{byte}:out");
            match disturbed(board, &fault) {
                Ok(()) => {}
                Err(Ended::Mismatch) => found += 1,
                Err(Ended::Loader(error)) => panic!("{board} {fault}: {error}"),
            }
        }
        // The data of two pages, which nothing but reading back can tell.
        assert!((256..270).contains(&found), "{found}");
    }
}

#[test]
fn a_cable_that_is_pulled_is_told_and_nothing_is_called_done() {
    for byte in [0, 10, 60, 200, 400] {
        let done = disturbed("arduino-uno", &format!("cut@{byte}:in"));
        assert!(
            matches!(done, Err(Ended::Loader(Error::Link(_)))),
            "{byte}: {done:?}"
        );
    }
}

#[test]
fn the_geometry_is_one_that_erases_as_it_programs() {
    let bench = Bench::open("arduino-uno");
    let mut target = Target::new(connect(&bench, Options::default()).unwrap());
    let geometry: &Geometry = target.geometry();
    geometry.check().unwrap();
    let Program {
        unit_bytes,
        block_bytes,
        rewrite,
    } = geometry.program;
    assert_eq!((unit_bytes, block_bytes), (128, 128));
    assert_eq!(rewrite, Rewrite::Freely);
    // Erasing is programming with what an erased page holds.
    write(&mut target, &noise(256, 4)).unwrap();
    let unit = target.geometry().erase_kinds[0].units(0).nth(1).unwrap();
    target
        .erase(&[unit], &mut |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!(bench.flash()[..128], noise(256, 4)[..128]);
    assert_eq!(bench.flash()[128..256], [0xFF; 128]);
}

#[test]
fn a_stop_is_heeded_after_the_page_that_is_under_way() {
    let bench = Bench::open("arduino-uno");
    let mut target = Target::new(connect(&bench, Options::default()).unwrap());
    let mut pages = 0;
    let stopped = target.program(0, &noise(1280, 1), &mut |_| {
        pages += 1;
        match pages {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert!(matches!(stopped, Err(Failure::Stopped)));
    assert_eq!(bench.flash()[..384], noise(1280, 1)[..384]);
    assert!(bench.flash()[384..0x7800].iter().all(|&byte| byte == 0xFF));
}
