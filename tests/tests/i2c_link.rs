//! Our own link over i2c-dev, system calls and all, on buses that the preload library stands for.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;

use flashwire_tests::built;
use flashwire_tests::i2c::{self, Answer, BUS, Bus};

/// What `i2c BUS@0x39 TRANSFER...` says, line by line.
fn said(mut command: Command) -> Vec<String> {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8(said)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The program that does transfers with the device at 0x39, on this bus.
fn program(bus: &Bus, keys: &str, transfers: &[&str]) -> Command {
    let mut command = Command::new(built::i2c_example());
    command.arg(format!("{BUS}@0x39")).args(transfers);
    bus.attach(&mut command, keys);
    command
}

fn transfers(answers: &[Answer], keys: &str, transfers: &[&str]) -> Vec<String> {
    let bus = Bus::new(answers.iter().cloned());
    said(program(&bus, keys, transfers))
}

#[test]
fn writes_and_reads_are_single_transfers_to_the_address() {
    let bus = Bus::new([
        Answer::Done(&[]),
        Answer::Done(&[0x79]),
        Answer::Done(&[1, 2, 3]),
    ]);
    assert_eq!(
        said(program(&bus, "", &["w:00ff", "r:1", "r:3"])),
        ["w:00ff: written", "r:1: [79]", "r:3: [01, 02, 03]"]
    );
    assert_eq!(bus.take_transfers(), ["w 39 00ff", "r 39 1", "r 39 3"]);
}

#[test]
fn a_long_frame_is_one_transfer() {
    let bus = Bus::new([Answer::Done(&[]), Answer::Done(&[])]);
    let frame = "5a".repeat(258);
    let heard = said(program(&bus, "", &[&format!("w:{frame}"), "r:8192"]));
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(
        bus.take_transfers(),
        [format!("w 39 {frame}"), "r 39 8192".to_owned()]
    );
}

/// i2c-dev would cut it in silence.
#[test]
fn a_frame_that_would_be_cut_is_refused_before_anything_is_sent() {
    let bus = Bus::new([Answer::Done(&[])]);
    let heard = said(program(&bus, "", &["r:8193"]));
    assert!(heard[0].contains("Unsupported"), "{heard:?}");
    assert_eq!(bus.take_transfers(), [""; 0]);
}

#[test]
fn what_goes_wrong_in_a_write_is_told_apart() {
    for (answer, keys, fault) in [
        (Answer::NoDevice, "", "Bus(NoDevice)"),
        (Answer::NotAcknowledged(1), "", "Bus(NotAcknowledged)"),
        // Drivers that tell the two apart no better than that.
        (Answer::NoDevice, ",nak=121", "Bus(NotAcknowledged)"),
        (Answer::NotAcknowledged(1), ",nak=6", "Bus(NoDevice)"),
        (Answer::NotAcknowledged(1), ",nak=5", "Bus(Controller)"),
        (Answer::ArbitrationLost, "", "Bus(ArbitrationLost)"),
        (Answer::ClockHeld, "", "Bus(ClockHeld)"),
        (Answer::Failed, "", "Bus(Controller)"),
    ] {
        let heard = transfers(std::slice::from_ref(&answer), keys, &["w:00ff"]);
        let expected = format!("w:00ff: {fault}: ");
        assert!(
            heard[0].starts_with(&expected),
            "{answer:?}{keys}: {heard:?}"
        );
    }
}

#[test]
fn after_a_failed_transfer_the_bus_is_still_there() {
    let answers = [
        Answer::ArbitrationLost,
        Answer::ClockHeld,
        Answer::Done(&[0x79]),
    ];
    let heard = transfers(&answers, "", &["w:00ff", "r:1", "r:1"]);
    assert!(heard[0].contains("ArbitrationLost"), "{heard:?}");
    assert!(heard[1].contains("ClockHeld"), "{heard:?}");
    assert_eq!(heard[2], "r:1: [79]");
}

/// In a read only the address can be refused: a device that is busy or starting.
#[test]
fn a_read_that_nobody_acknowledges_is_tried_again() {
    for keys in ["", ",nak=121"] {
        let bus = Bus::new([Answer::NoDevice, Answer::NoDevice, Answer::Done(&[0x79])]);
        assert_eq!(said(program(&bus, keys, &["r:1"])), ["r:1: [79]"]);
        assert_eq!(bus.take_transfers(), ["r 39 1"; 3]);
    }
}

#[test]
fn a_read_that_nobody_ever_acknowledges_is_silence() {
    let bus = Bus::new([]);
    assert_eq!(said(program(&bus, "", &["r:1"])), ["r:1: []"]);
    assert!(bus.take_transfers().len() > 2);
}

/// It may have had an effect.
#[test]
fn a_write_that_nobody_acknowledges_is_not_repeated() {
    let bus = Bus::new([]);
    said(program(&bus, "", &["w:00ff"]));
    assert_eq!(bus.take_transfers(), ["w 39 00ff"]);
}

#[test]
fn what_keeps_a_bus_from_being_opened_is_told_apart() {
    for (keys, problem) in [
        (",open=13", "Denied"),
        (",open=1", "Denied"),
        (",open=2", "NotFound"),
        (",open=6", "NotFound"),
        (",open=16", "Busy"),
        (",driver-at=0x39", "Busy"),
        // A controller for SMBus only.
        (",functions=0x0eff0008", "NotABus"),
    ] {
        let heard = transfers(&[], keys, &["r:1"]);
        assert!(
            heard[0].starts_with(&format!("Error: {problem}")),
            "{keys}: {heard:?}"
        );
    }
}

#[test]
fn a_bus_that_is_not_there_is_not_found() {
    let bus = Bus::new([]);
    let mut command = Command::new(built::i2c_example());
    command.args(["/dev/i2c-2@0x39", "r:1"]);
    bus.attach(&mut command, "");
    assert_eq!(said(command), ["Error: NotFound"]);
}

#[test]
fn what_is_no_bus_is_said_to_be_none() {
    for (path, why) in [
        ("/dev/null", "a device of another kind"),
        ("/proc/version", "no device"),
        ("/tmp", "no device"),
    ] {
        let mut command = Command::new(built::i2c_example());
        command.args([&format!("{path}@0x39"), "r:1"]);
        i2c::attach(&mut command, Path::new("/nowhere"), "");
        let heard = said(command);
        assert!(
            heard[0].contains("NotABus") && heard[0].contains(why),
            "{path}: {heard:?}"
        );
    }
}

#[test]
fn a_scan_asks_every_address_once_and_takes_what_a_driver_has_for_there() {
    // Addresses are asked from 0x03 on; of these 0x03 and 0x05 answer, 0x04 does not.
    let bus = Bus::new([Answer::Done(&[]), Answer::NoDevice, Answer::Done(&[])]);
    let mut command = Command::new(built::i2c_example());
    command.arg(BUS);
    bus.attach(&mut command, ",driver-at=0x50");
    assert_eq!(said(command), ["0x03", "0x05", "0x50"]);

    let asked = bus.take_transfers();
    assert_eq!(asked.len(), 0x77 - 0x03 + 1 - 1, "all but the driver's");
    assert_eq!(asked[0], "w 03");
    // Where EEPROMs are, an empty write may be the beginning of one.
    let reads =
        |from: u8, to: u8| (from..=to).all(|address| asked.contains(&format!("r {address:02x} 1")));
    assert!(reads(0x30, 0x37) && reads(0x51, 0x5F), "{asked:?}");
    assert_eq!(
        asked
            .iter()
            .filter(|transfer| transfer.starts_with('r'))
            .count(),
        8 + 15
    );
}
