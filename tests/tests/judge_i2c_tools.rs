//! i2c-tools (Debian), unmodified, judge how the preload library stands for i2c-dev, and our own link
//! beside them: both see the same bus and make the same transfers on it.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;

use flashwire_tests::i2c::{Answer, BUS, Bus};
use flashwire_tests::{built, judge};

/// Outside of an ordinary user's PATH on Debian.
fn tool(name: &str, arguments: &[&str]) -> Command {
    let path = Path::new("/usr/sbin").join(name);
    assert!(
        path.is_file(),
        "{name} is not installed: cargo xtask test --install"
    );
    let mut command = Command::new(path);
    command.args(arguments);
    command
}

/// Our own link, at the bus or at a device on it.
fn ours(arguments: &[&str]) -> Command {
    let mut command = Command::new(built::i2c_example());
    command.args(arguments);
    command
}

/// What a program says of a bus with these answers and a controller that is special in these ways, and
/// what it does there.
fn run(mut program: Command, answers: &[Answer], keys: &str) -> (String, Vec<String>) {
    let bus = Bus::new(answers.iter().cloned());
    bus.attach(&mut program, keys);
    let said = judge::run(&mut program).said;
    (said, bus.take_transfers())
}

/// i2cdetect begins at 0x08, as newer versions do, and asks in the same way.
#[test]
#[ignore = "needs i2c-tools"]
fn our_scan_asks_what_i2cdetect_asks() {
    let (theirs, asked_by_them) = run(tool("i2cdetect", &["-y", "1"]), &[], "");
    let (ours, asked_by_us) = run(ours(&[BUS]), &[], "");
    let below = 0x08 - 0x03;
    assert_eq!(asked_by_us[below..], asked_by_them);
    assert_eq!(asked_by_them.len(), 0x77 - 0x08 + 1);
    assert!(theirs.contains("70: -- -- -- -- -- -- -- --"), "{theirs}");
    assert_eq!(ours, "");
}

#[test]
#[ignore = "needs i2c-tools"]
fn what_is_there_is_found_by_both() {
    // The third address that i2cdetect asks, and the eighth of ours, is 0x0a.
    let mut answers = vec![Answer::NoDevice; 8];
    answers[2] = Answer::Done(&[]);
    let (said, _) = run(tool("i2cdetect", &["-y", "1"]), &answers, ",driver-at=0x50");
    assert!(
        said.contains(" -- -- 0a -- --") && said.contains("50: UU"),
        "{said}"
    );
    answers[2] = Answer::NoDevice;
    answers[7] = Answer::Done(&[]);
    let (said, _) = run(ours(&[BUS]), &answers, ",driver-at=0x50");
    assert_eq!(said, "0x0a\n0x50\n");
}

#[test]
#[ignore = "needs i2c-tools"]
fn transfers_are_the_same() {
    let answers = [Answer::Done(&[0x79, 0x11, 0x22])];
    for (theirs, by_us, expected) in [
        (
            ["w2@0x39", "0x00", "0xff"].as_slice(),
            "w:00ff",
            "w 39 00ff",
        ),
        (&["r3@0x39"], "r:3", "r 39 3"),
    ] {
        let mut i2ctransfer = tool("i2ctransfer", &["-y", "1"]);
        i2ctransfer.args(theirs);
        let (said, transfers) = run(i2ctransfer, &answers, "");
        assert_eq!(transfers, [expected], "{said}");
        let (said, transfers) = run(ours(&[&format!("{BUS}@0x39"), by_us]), &answers, "");
        assert_eq!(transfers, [expected], "{said}");
    }
}

#[test]
#[ignore = "needs i2c-tools"]
fn a_controller_tells_what_it_cannot_do() {
    let (said, _) = run(tool("i2cdetect", &["-F", "1"]), &[], "");
    let plain =
        |said: &str, can: &str| said.contains(&format!("I2C                              {can}"));
    assert!(plain(&said, "yes"), "{said}");
    let (said, _) = run(
        tool("i2cdetect", &["-F", "1"]),
        &[],
        ",functions=0x0eff0008",
    );
    assert!(
        plain(&said, "no") && said.contains("SMBus Quick Command              yes"),
        "{said}"
    );
}
