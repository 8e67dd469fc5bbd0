//! Our own GPIO lines, system calls and all, on a computer that the preload library stands for.

#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::Duration;

use flashwire_tests::built;
use flashwire_tests::gpio::{Computer, Gpio};
use flashwire_tests::i2c::{BUS, Bus};

/// What `reset` says about these steps, with a link without lines of its own, and the log of the lines.
fn steps(gpio: &Gpio, arguments: &[&str]) -> (Result<String, String>, Vec<String>) {
    let bus = Bus::new([]);
    let mut command = Command::new(built::reset_example());
    command.arg(format!("{BUS}@0x39")).args(arguments);
    bus.attach(&mut command, "");
    gpio.attach(&mut command);
    let output = command.output().unwrap();
    let said = match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    };
    assert_eq!(bus.take_transfers(), [""; 0], "lines are beside the bus");
    (said, gpio.take_log())
}

/// Why these steps fail, and the log of the lines.
#[track_caller]
fn failure(gpio: &Gpio, arguments: &[&str]) -> (String, Vec<String>) {
    let (said, log) = steps(gpio, arguments);
    (said.expect_err("it cannot be done"), log)
}

/// The log of steps that can be done.
#[track_caller]
fn log(gpio: &Gpio, arguments: &[&str]) -> Vec<String> {
    let (said, log) = steps(gpio, arguments);
    assert!(!said.expect("it can be done").contains("warning"));
    log
}

#[test]
fn a_line_is_taken_with_its_first_level_and_given_back_at_the_end() {
    let gpio = Computer::default().start();
    assert_eq!(
        log(&gpio, &["seq:+gpio:gpiochip0/17,-gpio:gpiochip0/17"]),
        [
            "17 taken by flashwire",
            "17 high by flashwire",
            "17 low by flashwire",
            "17 released by flashwire",
        ]
    );
    assert_eq!(
        gpio.level(17),
        Some(false),
        "its driver leaves it as it was"
    );
}

#[test]
fn a_line_can_be_named_and_its_chip_be_a_path() {
    let gpio = Computer::default().start();
    let expected = [
        "4 taken by flashwire",
        "4 low by flashwire",
        "4 released by flashwire",
    ];
    for line in ["gpiochip0/GPIO4", "/dev/gpiochip0/4", "gpiochip0/4"] {
        assert_eq!(log(&gpio, &[&format!("seq:-gpio:{line}")]), expected);
    }
}

#[test]
fn a_wiring_pulses_reset_with_boot0_high_and_holds_both_lines_meanwhile() {
    let gpio = Computer::default().start();
    let log = log(&gpio, &["gpio:gpiochip0/17=nrst,gpio:gpiochip0/18=boot0"]);
    assert_eq!(
        log,
        [
            // Into the bootloader.
            "18 taken by flashwire",
            "18 high by flashwire",
            "17 taken by flashwire",
            "17 low by flashwire",
            "17 high by flashwire",
            // And back.
            "18 high by flashwire",
            "17 low by flashwire",
            "18 low by flashwire",
            "17 high by flashwire",
            "18 released by flashwire",
            "17 released by flashwire",
        ]
    );
}

#[test]
fn waits_between_changes_are_as_long_as_the_sequence_says() {
    let gpio = Computer::default().start();
    let bus = Bus::new([]);
    let mut command = Command::new(built::reset_example());
    command.args([
        &format!("{BUS}@0x39"),
        "seq:-gpio:gpiochip0/17,150ms,+gpio:gpiochip0/17",
    ]);
    bus.attach(&mut command, "");
    gpio.attach(&mut command);
    assert!(command.output().unwrap().status.success());
    let events = gpio.take_events();
    let wait = events[2].at - events[1].at;
    let least = Duration::from_millis(150);
    assert!((least..least * 2).contains(&wait), "{wait:?}");
}

#[test]
fn who_has_a_line_is_told() {
    let gpio = Computer::default().taken(17, "spi0 CS0").start();
    let (said, log) = failure(&gpio, &["seq:-gpio:gpiochip0/17"]);
    assert!(
        said.contains("gpio:gpiochip0/17") && said.contains("spi0 CS0 has it"),
        "{said}"
    );
    assert_eq!(log, [""; 0]);
}

#[test]
fn what_is_wrong_with_a_line_is_told_and_nothing_is_moved() {
    let gpio = Computer::default().start();
    for (line, why) in [
        ("gpiochip9/17", "there is no /dev/gpiochip9"),
        ("gpiochip0/32", "gpiochip0 has 32 lines, from 0 on"),
        ("gpiochip0/LED", "gpiochip0 has no line of this name"),
        ("null/1", "/dev/null is no GPIO chip"),
    ] {
        let (said, log) = failure(&gpio, &[&format!("seq:-gpio:{line}")]);
        assert!(said.contains(why), "{line}: {said}");
        assert_eq!(log, [""; 0]);
    }
}

#[test]
fn a_chip_that_may_not_be_used_is_told_apart() {
    let gpio = Computer::default().denied().start();
    let (said, _) = failure(&gpio, &["seq:-gpio:gpiochip0/17"]);
    assert!(said.contains("you may not use /dev/gpiochip0"), "{said}");
}

/// The second line cannot be driven. The first goes where the sequence would have left it, so that
/// no target stays in reset, and is given back.
#[test]
fn after_an_error_the_lines_are_as_the_sequence_leaves_them_and_released() {
    let gpio = Computer::default().taken(18, "somebody").start();
    let (_, log) = failure(
        &gpio,
        &["seq:-gpio:gpiochip0/17,+gpio:gpiochip0/18,100ms,+gpio:gpiochip0/17"],
    );
    assert_eq!(
        log,
        [
            "17 taken by flashwire",
            "17 low by flashwire",
            "17 high by flashwire",
            "17 released by flashwire",
        ]
    );
}

/// None of those that cannot be driven holds up the others.
#[test]
fn after_an_error_one_broken_line_does_not_keep_others_in_reset() {
    let computer = Computer::default()
        .taken(18, "somebody")
        .taken(19, "somebody");
    let gpio = computer.start();
    let (_, log) = failure(
        &gpio,
        &["seq:-gpio:gpiochip0/17,+gpio:gpiochip0/18,+gpio:gpiochip0/19,+gpio:gpiochip0/17"],
    );
    assert_eq!(
        log[1..],
        [
            "17 low by flashwire",
            "17 high by flashwire",
            "17 released by flashwire",
        ]
    );
}

#[test]
fn lines_that_float_when_released_are_released_at_the_end_only() {
    let gpio = Computer::default().released_lines_float().start();
    let log = log(&gpio, &["seq:-gpio:gpiochip0/17,10ms,+gpio:gpiochip0/17"]);
    assert_eq!(
        log[2..],
        [
            "17 high by flashwire",
            "17 input by flashwire",
            "17 released by flashwire"
        ]
    );
    assert_eq!(gpio.level(17), None);
}

#[test]
fn a_line_below_sys_is_exported_driven_and_given_back_as_an_input() {
    let gpio = Computer::default().start();
    assert_eq!(
        log(&gpio, &["-i", "-529,529"]),
        [
            "17 taken by sysfs",
            "17 low by sysfs",
            "17 high by sysfs",
            "17 input by sysfs",
            "17 released by sysfs",
        ]
    );
}

#[test]
fn what_is_wrong_with_a_line_below_sys_is_told() {
    let gpio = Computer::default().taken(18, "somebody").start();
    for (number, why) in [
        ("530", "another program or a driver has it"),
        ("17", "there is no line of this number"),
        ("544", "there is no line of this number"),
    ] {
        let (said, log) = failure(&gpio, &["-i", number]);
        let line = format!("\"gpio:sysfs/{number}\"");
        assert!(said.contains(&line) && said.contains(why), "{said}");
        assert_eq!(log, [""; 0]);
    }
    let gpio = Computer::default().without_sysfs().start();
    let (said, _) = failure(&gpio, &["-i", "529"]);
    assert!(said.contains("name the line as gpio:CHIP/LINE"), "{said}");
}

/// udev gives a line's files to the user's group only after they have appeared.
#[test]
fn the_files_of_a_line_may_take_a_moment_until_they_may_be_used() {
    let gpio = Computer::default()
        .slow_udev(Duration::from_millis(200))
        .start();
    assert_eq!(log(&gpio, &["-i", "529"])[1], "17 high by sysfs");
    // Longer than anybody waits.
    let gpio = Computer::default()
        .slow_udev(Duration::from_secs(60))
        .start();
    let (said, log) = failure(&gpio, &["-i", "529"]);
    assert!(said.contains("ermission denied"), "{said}");
    assert_eq!(log, ["17 taken by sysfs", "17 released by sysfs"]);
}
