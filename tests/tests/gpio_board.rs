//! flashwire as a program and a board whose pins hang on GPIO lines of the computer.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use flashwire_sim::stm32::ChipState;
use flashwire_tests::board::{self, F103, assert_same_flash};
use flashwire_tests::gpio::{Computer, Gpio};
use flashwire_tests::judge::{self, Outcome};
use flashwire_tests::served::Served;
use flashwire_tests::{built, ours};

/// A board with BOOT0 low and nobody at its button, on a serial port without lines of its own.
const BOARD: &str =
    "stm32f103cb,flash-percent=10,boot0=low,wiring=gpio17-nrst+gpio18-boot0,button=none";

const WIRING: &str = "gpio:gpiochip0/17=nrst,gpio:gpiochip0/GPIO18=boot0";

fn board(computer: Computer) -> (Served, Gpio) {
    let bench = Served::open(BOARD, &F103.fresh_content());
    let gpio = computer.wired_to(&bench.place()).start();
    (bench, gpio)
}

fn flashwire(bench: &Served, gpio: &Gpio, command: &str, words: &[&str]) -> Outcome {
    let mut program: Command = ours::flashwire(bench, command);
    gpio.attach(&mut program);
    judge::run(program.args(words))
}

#[test]
fn a_wiring_of_gpio_lines_reaches_the_loader_and_holds_boot0_until_the_end() {
    let (bench, gpio) = board(Computer::default());
    flashwire(&bench, &gpio, "info", &["--reset", WIRING]).success();
    assert_eq!(
        gpio.take_log(),
        [
            "18 taken by flashwire",
            "18 high by flashwire",
            "17 taken by flashwire",
            "17 low by flashwire",
            "17 high by flashwire",
            "18 released by flashwire",
            "17 released by flashwire",
        ]
    );
    let state = bench.finish().state;
    assert!(matches!(state, ChipState::Loader { .. }), "{state:?}");
}

/// Also where the driver lets go of every line that is released.
#[test]
fn a_program_is_written_and_started_by_them() {
    let computers = [
        Computer::default(),
        Computer::default().released_lines_float(),
    ];
    for computer in computers {
        let (bench, gpio) = board(computer);
        let image = bench.put("image.bin", &board::image());
        let words = ["--reset", WIRING, "--no-keep", "--run", path(&image)];
        flashwire(&bench, &gpio, "write", &words).success();
        let remains = bench.finish();
        let state = remains.state;
        assert!(matches!(state, ChipState::Application(_)), "{state:?}");
        assert_same_flash(&remains.flash, &F103.fresh_content());
    }
}

#[test]
fn numbers_below_sys_reach_the_loader_too() {
    let (bench, gpio) = board(Computer::default());
    let wiring = "gpio:sysfs/529=nrst,gpio:sysfs/530=boot0";
    flashwire(&bench, &gpio, "info", &["--reset", wiring]).success();
    let state = bench.finish().state;
    assert!(matches!(state, ChipState::Loader { .. }), "{state:?}");
}

#[test]
fn a_line_that_somebody_has_ends_it_with_a_sentence_and_nothing_in_reset() {
    let (bench, gpio) = board(Computer::default().taken(18, "leds"));
    let outcome = flashwire(&bench, &gpio, "info", &["--reset", WIRING]);
    assert_eq!(outcome.code, 6, "{}", outcome.said);
    for said in [
        "error[gpio-line]: gpio:gpiochip0/GPIO18 cannot be driven: leds has it",
        "gpioinfo",
    ] {
        assert!(outcome.said.contains(said), "{}", outcome.said);
    }
    let state = bench.finish().state;
    assert!(matches!(state, ChipState::Application(_)), "{state:?}");
}

/// They are the computer's and not the port's, which drops its own when it is closed.
#[test]
fn lines_stay_as_they_are_when_the_port_is_closed() {
    let (bench, gpio) = board(Computer::default());
    let mut program = bench.program(&built::reset_example());
    gpio.attach(&mut program);
    program.arg(bench.port()).arg("seq:-gpio:gpiochip0/17");
    judge::run(&mut program).success();
    assert_eq!(gpio.level(17), Some(false));
    // As long as a server takes to see that a tool has gone.
    sleep(Duration::from_millis(200));
    assert_eq!(bench.finish().state, ChipState::Reset);
}

/// Ctrl-C while NRST is low.
#[test]
fn who_gives_up_during_a_reset_leaves_no_chip_in_it() {
    let (bench, gpio) = board(Computer::default());
    let mut program = ours::flashwire(&bench, "info");
    gpio.attach(&mut program);
    program.args(["--reset", "seq:-gpio:gpiochip0/17,60s,+gpio:gpiochip0/17"]);
    program.stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = program.spawn().unwrap();
    let begun = Instant::now();
    while gpio.level(17) != Some(false) {
        assert!(begun.elapsed() < Duration::from_secs(30), "no reset");
        sleep(Duration::from_millis(10));
    }
    let id = running.id().to_string();
    let interrupted = Command::new("kill").args(["-INT", &id]).status();
    assert!(interrupted.unwrap().success());

    assert_eq!(running.wait().unwrap().code(), Some(130));
    assert_eq!(
        gpio.take_log()[1..],
        [
            "17 low by flashwire",
            "17 high by flashwire",
            "17 released by flashwire",
        ]
    );
    let state = bench.finish().state;
    assert!(matches!(state, ChipState::Application(_)), "{state:?}");
}

/// Which lines a computer has free nobody knows.
#[test]
fn no_gpio_line_is_touched_unless_it_is_named() {
    let (bench, gpio) = board(Computer::default());
    let outcome = flashwire(&bench, &gpio, "info", &["--reset", "auto"]);
    assert_eq!(outcome.code, 5, "{}", outcome.said);
    assert_eq!(gpio.take_log(), [""; 0]);
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary files have plain names")
}
