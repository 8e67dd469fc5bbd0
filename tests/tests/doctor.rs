//! The doctor on ports of the real system, and on boards that somebody else has used before. What
//! it says of broken cables is in the transcripts.

#![cfg(target_os = "linux")]

use std::fs::OpenOptions;

use flashwire_tests::clipped::Clipped;
use flashwire_tests::desk::{Desk, run};
use flashwire_tests::ours;
use flashwire_tests::served::Served;

/// A board that nobody resets.
const BOARD: &str = "stm32f103cb,button=none";

#[test]
fn a_loader_that_was_greeted_at_another_speed_is_found() {
    let bench = Served::open(BOARD, &[]);
    run(ours::flashwire(&bench, "info").args(["-b", "57600"])).done();
    let mut doctor = ours::flashwire(&bench, "doctor");
    let ended = run(doctor.args(["--reset", "none"]));
    let said = String::from_utf8_lossy(&ended.out);
    assert_eq!(ended.code, Some(5), "{said}");
    assert!(
        said.contains("wrong[other-speed]: a bootloader answers at 57600 baud"),
        "{said}"
    );
    // What it advises works.
    run(ours::flashwire(&bench, "info").args(["-b", "57600"])).done();
    bench.finish();
}

#[test]
fn a_program_that_has_the_port_open_is_named() {
    let bench = Served::open(BOARD, &[]);
    let other = OpenOptions::new().read(true).write(true).open(bench.port());
    let other = other.unwrap();
    let mut doctor = ours::flashwire(&bench, "doctor");
    let said = run(&mut doctor);
    let out = String::from_utf8_lossy(&said.out);
    let me = format!("(process {}) has it open", std::process::id());
    assert!(out.contains("risky[shared]") && out.contains(&me), "{out}");
    assert_eq!(said.code, Some(0), "{out}{}", said.err);

    // Locked, as programs do that know of each other.
    other.lock().unwrap();
    let said = run(&mut ours::flashwire(&bench, "doctor"));
    let out = String::from_utf8_lossy(&said.out);
    assert!(out.contains("wrong[busy]") && out.contains(&me), "{out}");
    assert_eq!(said.code, Some(6), "{out}");
}

#[test]
fn a_programmer_where_a_bootloader_was_looked_for_is_recognised() {
    let programmer = Clipped::open("serprog+w25q80bv", &[]);
    let desk = Desk::new();
    let port = format!("tcp:{}", programmer.address());
    let ended = desk.run(&["doctor", "-p", &port]);
    let said = String::from_utf8_lossy(&ended.out);
    assert_eq!(ended.code, Some(5), "{said}");
    assert!(said.contains("wrong[serprog]"), "{said}");
    // What it advises works.
    assert!(
        said.contains(&format!("flashwire info -p serprog:{port}")),
        "{said}"
    );
    desk.run(&["info", "-p", &format!("serprog:{port}")]).done();
}

#[test]
fn what_the_files_of_this_system_say_is_understood() {
    let desk = Desk::new();
    let ended = desk.run(&["doctor", "--json"]);
    assert!(matches!(ended.code, Some(0 | 6)), "{}", ended.err);
    let said = String::from_utf8(ended.out).unwrap();
    assert!(
        said.starts_with("{\"schema\":\"flashwire/doctor/1\""),
        "{said}"
    );
}

#[test]
fn a_programmer_that_speaks_the_other_protocol_is_recognised() {
    let desk = Desk::new();
    for (port, speaks) in [
        ("nfd:sim:frser-duino+w25q80bv", "serprog, not nfd"),
        ("serprog:sim:nfd-sketch+w25q80bv", "nfd, not serprog"),
        (
            "serprog:sim:nfd-sketch+w25q80bv,sketch=2018",
            "nfd, not serprog",
        ),
    ] {
        let ended = desk.run(&["doctor", "-p", port]);
        let said = String::from_utf8_lossy(&ended.out);
        assert_eq!(ended.code, Some(5), "{said}");
        let finding = format!("wrong[other-protocol]: a programmer answers, and speaks {speaks}");
        assert!(said.contains(&finding), "{port}: {said}");
    }
    let ended = desk.run(&["doctor", "-p", "sim:nfd-sketch+w25q80bv"]);
    let said = String::from_utf8_lossy(&ended.out);
    assert!(said.contains("fine: Winbond W25Q80BV"), "{said}");
    assert_eq!(ended.code, Some(0), "{said}");
}
