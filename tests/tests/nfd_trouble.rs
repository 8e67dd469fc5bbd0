//! Chips, boards and firmwares that are not as they should be, behind nfd's protocol.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::nfd::{self, ChipOptions, Client, Error, Options, Output};
use flashwire_client::spinor::{self, Parts};
use flashwire_link::Link;
use flashwire_plan::{Failure, FlashDevice};
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::socket::{read, try_write};

const SKETCH: &str = "nfd-sketch+w25q80bv,boot-ms=0";

const BYTES: usize = 8 << 10;

fn open(bench: &Bench) -> Result<nfd::Chip, Error> {
    open_with(bench, Options::default())
}

fn open_with(bench: &Bench, options: Options) -> Result<nfd::Chip, Error> {
    let client = Client::open(bench.link(), options)?;
    nfd::Chip::open(client, &Parts::built_in(), &ChipOptions::default())
}

/// What the client says of an operation that did not reach its end.
fn error<T: std::fmt::Debug>(done: Result<T, Failure>) -> Error {
    match done {
        Err(Failure::Device(error)) => *error.downcast().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn nothing(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Programs 8 KiB, and does something to the bench after a quarter of it.
fn program(chip: &mut nfd::Chip, mut trouble: impl FnMut()) -> Result<(), Failure> {
    let mut done = 0;
    let mut pending = true;
    chip.program(0, &noise(BYTES, 2), &mut |bytes| {
        done += bytes;
        if pending && done > BYTES as u64 / 4 {
            pending = false;
            trouble();
        }
        ControlFlow::Continue(())
    })
}

fn pull_chip(bench: &Bench) {
    let now = bench.look().now();
    bench.nor_mut().set_connected(now, false);
}

#[test]
fn a_chip_that_is_missing_is_seen_before_anything_is_changed() {
    let bench = Bench::open("nfd-sketch+w25q80bv,socket=empty");
    let opened = open(&bench);
    assert!(
        matches!(opened, Err(Error::Chip(spinor::Error::AllOnes))),
        "{opened:?}"
    );
}

/// The sketch waits for it without end, and so does not even greet any more.
#[test]
fn a_chip_that_is_pulled_out_hangs_the_sketch_and_that_is_said() {
    let bench = Bench::open(SKETCH);
    let mut chip = open(&bench).unwrap();
    let error = error(program(&mut chip, || pull_chip(&bench)));
    let Error::Hung { command, waited } = error else {
        panic!("{error:?}");
    };
    assert_eq!(command, nfd::Command::ProgramPage);
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    assert!(bench.now() < Duration::from_secs(20), "{:?}", bench.now());
}

#[test]
fn a_chip_that_is_pulled_out_during_an_erase_hangs_the_sketch() {
    let bench = Bench::open(SKETCH);
    bench.fill_nor(&noise(0x4000, 1));
    let mut chip = open(&bench).unwrap();
    let units: Vec<_> = chip.geometry().erase_kinds[0].units(0).take(4).collect();
    let error = error(chip.erase(&units, &mut |_| {
        pull_chip(&bench);
        ControlFlow::Continue(())
    }));
    let is_erase = matches!(
        error,
        Error::Hung {
            command: nfd::Command::EraseSector,
            ..
        }
    );
    assert!(is_erase, "{error:?}");
}

#[test]
fn a_board_that_hangs_is_reset_by_the_next_opening() {
    let bench = Bench::open("nfd-sketch+w25q80bv,boot-ms=1000");
    let mut chip = open(&bench).unwrap();
    error(program(&mut chip, || pull_chip(&bench)));
    drop(chip);
    let now = bench.look().now();
    bench.nor_mut().set_connected(now, true);
    let mut chip = open(&bench).unwrap();
    assert_eq!(read(&mut chip, 0..16), noise(BYTES, 2)[..16]);
}

/// What was on its way is lost, and the buffer with it.
#[test]
fn a_board_that_is_reset_in_the_middle_is_never_taken_for_one_that_did_it() {
    for name in [
        SKETCH,
        "nfd-sketch+w25q80bv,boot-ms=1500",
        "nfd-sketch+w25q80bv,boot-ms=30",
        "uno+w25q80bv,boot-ms=0",
        "uno+w25q80bv",
    ] {
        let bench = Bench::open(name);
        let mut chip = open(&bench).unwrap();
        let written = program(&mut chip, || {
            let now = bench.look().now();
            bench.programmer_mut().power_cycle(now);
        });
        match written {
            Ok(()) => {
                let right = bench.flash()[..BYTES] == noise(BYTES, 2);
                assert!(right, "{name}: wrong and reported as right");
            }
            failed => {
                let error = error(failed);
                let is_told = matches!(error, Error::Chip(spinor::Error::Damaged { .. }));
                assert!(is_told, "{name}: {error:?}");
            }
        }
        assert!(bench.now() < Duration::from_secs(40), "{:?}", bench.now());
    }
}

/// The sketch acknowledges what the chip ignores (issue 18 of its repository: protected and 5 V
/// chips).
#[test]
fn a_chip_that_ignores_erases_or_programs_is_not_taken_for_done() {
    let bench = Bench::open(SKETCH);
    bench.fill_nor(&noise(0x1000, 1));
    bench.nor_mut().set_register(0, 0x1C);
    let mut chip = open(&bench).unwrap();
    let units: Vec<_> = chip.geometry().erase_kinds[0].units(0).take(2).collect();
    let erased = error(chip.erase(&units, &mut nothing));
    assert!(
        matches!(
            erased,
            Error::Ignored {
                what: "erased",
                address: 0
            }
        ),
        "{erased:?}"
    );
    let written = error(chip.program(0x2000, &noise(256, 2), &mut nothing));
    assert!(
        matches!(
            written,
            Error::Ignored {
                what: "programmed",
                address: 0x2000
            }
        ),
        "{written:?}"
    );
    let whole = chip.geometry().erase_kinds[1].units(1).next().unwrap();
    let erased = error(chip.erase(&[whole], &mut nothing));
    assert!(matches!(erased, Error::Ignored { .. }), "{erased:?}");
}

#[test]
fn everything_is_erased_at_once_with_progress() {
    let bench = Bench::open(SKETCH);
    bench.fill_nor(&noise(0x1000, 1));
    let mut chip = open(&bench).unwrap();
    let whole = chip.geometry().erase_kinds[1].units(1).next().unwrap();
    let mut told = Vec::new();
    let begun = bench.now();
    chip.erase(&[whole], &mut |bytes| {
        told.push(bytes);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(bench.flash().iter().all(|&byte| byte == 0xFF));
    assert_eq!(told.iter().sum::<u64>(), 1 << 20);
    assert!(told.len() >= 3, "{told:?}");
    assert!(bench.now() - begun > Duration::from_secs(2));
    assert_eq!(bench.complaints(), [""; 0]);
}

#[test]
fn protection_is_lifted_and_set_again_at_the_end() {
    let bench = Bench::open(SKETCH);
    bench.nor_mut().set_register(0, 0x1C);
    let mut chip = open(&bench).unwrap();
    assert!(chip.protection().unwrap().unwrap().is_protected);
    assert!(
        chip.unprotect_until_closed().unwrap(),
        "it can be set again"
    );
    assert!(!chip.protection().unwrap().unwrap().is_protected);
    try_write(&mut chip, 0, &noise(300, 2)).unwrap();
    chip.close().unwrap();
    assert_eq!(bench.nor_mut().registers()[0] & 0x1C, 0x1C);
    assert!(bench.flash()[..300] == noise(300, 2));
}

#[test]
fn protection_of_a_part_cannot_be_set_again_and_that_is_known() {
    let bench = Bench::open(SKETCH);
    bench.nor_mut().set_register(0, 0x04);
    let mut chip = open(&bench).unwrap();
    assert!(!chip.unprotect_until_closed().unwrap());
    chip.close().unwrap();
    assert_eq!(bench.nor_mut().registers()[0] & 0x1C, 0);
}

/// The sketch writes both registers one after the other and waits between them for too short.
#[test]
fn complement_protection_is_lifted_or_it_is_said_that_it_stays() {
    for part in ["w25q80bv", "w25q64jv", "w25q128jv"] {
        let bench = Bench::open(&format!("nfd-sketch+{part},boot-ms=0"));
        bench.nor_mut().set_register(1, 0x40);
        let mut chip = open(&bench).unwrap();
        assert!(chip.protection().unwrap().unwrap().is_protected, "{part}");
        let lifted = chip.unprotect();
        let stays = bench.nor_mut().registers()[1] & 0x40 != 0;
        match lifted {
            Ok(_) => assert!(!stays, "{part}"),
            Err(Error::ProtectionStays { registers }) => {
                assert!(stays && registers[1] == 0x40, "{part}: {registers:?}");
            }
            Err(error) => panic!("{part}: {error:?}"),
        }
    }
}

/// 35h puts these into a mode in which they hear nothing on one line any more.
#[test]
fn a_chip_that_would_fall_silent_is_not_asked_for_its_status() {
    let bench = Bench::open("nfd-sketch+mx25l25635f,boot-ms=0");
    let mut chip = open(&bench).unwrap();
    assert_eq!(chip.protection().unwrap(), None);
    let lifted = chip.unprotect();
    assert!(
        matches!(lifted, Err(Error::ProtectionUnknown)),
        "{lifted:?}"
    );
    try_write(&mut chip, 0x1000, &noise(300, 2)).unwrap();
    assert!(bench.flash()[0x1000..][..300] == noise(300, 2));
}

#[test]
fn chips_that_the_sketch_cannot_serve_are_read_and_not_changed() {
    for part in ["sst25vf016b", "m25p80", "a25l80p"] {
        let bench = Bench::open(&format!("nfd-sketch+{part},boot-ms=0"));
        bench.fill_nor(&noise(1000, 1));
        let mut chip = match open(&bench) {
            Ok(chip) => chip,
            Err(Error::Chip(spinor::Error::Ambiguous { .. })) => continue,
            Err(error) => panic!("{part}: {error:?}"),
        };
        assert!(read(&mut chip, 0..1000) == noise(1000, 1), "{part}");
        let changeable = chip.check_changeable();
        // M25P80 is programmed in pages, and erased as a whole by C7h.
        let can = part == "m25p80";
        assert_eq!(changeable.is_ok(), can, "{part}: {changeable:?}");
    }
}

#[test]
fn what_a_previous_owner_left_half_sent_is_no_obstacle() {
    for rest in [&b"s0123"[..], b"w0000000", b"r", b"o0", b"l", b"rl", b"?"] {
        let bench = Bench::open(SKETCH);
        bench.fill_nor(&noise(300, 1));
        let mut link = bench.link();
        link.pause(Duration::from_millis(100)).unwrap();
        link.send(rest).unwrap();
        let mut chip = open(&bench).unwrap();
        assert!(read(&mut chip, 0..300) == noise(300, 1));
        assert!(bench.flash()[300..].iter().all(|&byte| byte == 0xFF));
        assert_eq!(bench.complaints(), [""; 0]);
    }
}

#[test]
fn a_line_that_answers_late_is_no_obstacle() {
    for latency_us in [100, 16_000, 70_000, 200_000] {
        let bench = Bench::open(&format!("nfd-sketch+w25q80bv,latency-us={latency_us}"));
        let mut chip = open(&bench).unwrap();
        try_write(&mut chip, 0x100, &noise(1000, 2)).unwrap();
        chip.close().unwrap();
        assert!(bench.flash()[0x100..][..1000] == noise(1000, 2));
        assert_eq!(bench.complaints(), [""; 0], "{latency_us}");
    }
}

#[test]
fn other_firmware_is_no_programmer_of_this_kind() {
    for name in ["frser-duino+w25q80bv", "serprog+w25q80bv", "stm32f103cb"] {
        let bench = Bench::open(name);
        let opened = Client::open(bench.link(), Options::default());
        let is_none = matches!(
            opened,
            Err(Error::WrongAnswer { .. } | Error::NoAnswer { .. })
        );
        assert!(is_none, "{name}: {opened:?}");
        assert!(bench.now() < Duration::from_secs(10), "{:?}", bench.now());
    }
}

#[test]
fn pins_are_set_at_each_opening_and_again_after_a_reset() {
    let options = Options {
        chip_select: Some(9),
        outputs: vec![Output {
            pin: 7,
            level: Some(true),
        }],
    };
    let bench = Bench::open("nfd-sketch+w25q80bv,boot-ms=30,select-pin=9");
    bench.fill_nor(&noise(BYTES, 1));
    assert!(open(&bench).is_err(), "the chip is elsewhere");
    let mut chip = open_with(&bench, options).unwrap();
    let driven = |bench: &Bench| bench.programmer().board().driven_pins().get(&7).copied();
    assert_eq!(driven(&bench), Some(Some(true)));
    let mut resets = 1;
    let found = chip.compare(0, &noise(BYTES, 1), &mut |_| {
        if std::mem::take(&mut resets) > 0 {
            let now = bench.look().now();
            bench.programmer_mut().power_cycle(now);
            assert_eq!(driven(&bench), None);
        }
        ControlFlow::Continue(())
    });
    assert_eq!(found.unwrap(), None);
    assert_eq!(driven(&bench), Some(Some(true)));
}

#[test]
fn a_sketch_of_2018_has_no_pins_to_choose() {
    let bench = Bench::open("nfd-sketch+w25q80bv,sketch=2018");
    let options = Options {
        chip_select: Some(9),
        ..Options::default()
    };
    let opened = Client::open(bench.link(), options);
    let command = nfd::Command::ChipSelect;
    assert!(
        matches!(opened, Err(Error::Unsupported { command: found }) if found == command),
        "{opened:?}"
    );
}

#[test]
fn every_question_of_the_protocol_is_answered() {
    let bench = Bench::open("nfd-sketch+w25q64jv");
    bench.nor_mut().set_register(0, 0x1C);
    let mut client = Client::open(bench.link(), Options::default()).unwrap();
    assert_eq!(client.name(), "SPI Flash programmer v1.0");
    assert_eq!(
        client.buffer_crc().unwrap(),
        0x08A8_9683,
        "as after a reset"
    );
    assert_eq!(client.jedec_id().unwrap(), Some([0xEF, 0x40, 0x17]));
    assert_eq!(client.status_registers().unwrap()[0], 0x1C);
    let protection = client.firmware_protection().unwrap();
    assert_eq!((protection.registers, protection.memory), (0, 2));
    let help = client.help().unwrap();
    assert_eq!(help[0], "SPI Flash programmer v1.0");
    assert!(help.len() > 5, "{help:?}");
}
