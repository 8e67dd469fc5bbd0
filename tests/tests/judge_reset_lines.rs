//! stm32flash 0.7 (Debian), unmodified, shows what its `-i` strings do to the lines of a board: ours
//! do the same, in the same order and with the same waits.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flashwire_sim::stm32::ChipState;
use flashwire_tests::board::F103;
use flashwire_tests::gpio::{Computer, Gpio};
use flashwire_tests::judge::Outcome;
use flashwire_tests::overheard::{Change, Overheard};
use flashwire_tests::served::Served;
use flashwire_tests::{built, judge};

/// A board with a program, BOOT0 low, and nobody at its button. The computer's line 17 (number 529) is
/// its NRST, line 18 (number 530) its BOOT0.
const BOARD: &str = "stm32f103cb,boot0=low,wiring=gpio17-nrst+gpio18-boot0,button=none";

/// What a busy machine may add to a wait: less than a comma.
const OVERSHOOT: Duration = Duration::from_millis(95);

struct Desk {
    bench: Served,
    overheard: Overheard,
    gpio: Gpio,
}

impl Desk {
    fn new() -> Self {
        let bench = Served::open(BOARD, &F103.fresh_content());
        let overheard = Overheard::new(&bench);
        let gpio = Computer::default().wired_to(&overheard.port()).start();
        Self {
            bench,
            overheard,
            gpio,
        }
    }

    fn program(&self, program: &Path) -> Command {
        let mut command = self.overheard.program(program);
        self.gpio.attach(&mut command);
        command
    }

    fn stm32flash(&self, string: &str) -> Outcome {
        let mut program = self.program(&judge::stm32flash());
        program.args(["-b", "115200", "-i", string]);
        judge::run(program.arg(self.overheard.port()))
    }

    fn face(&self, string: &str) -> Outcome {
        let mut program = self.program(&built::flashwire());
        program.args(["stm32flash", "-b", "115200", "-i", string]);
        judge::run(program.arg(self.overheard.port()))
    }

    fn ours(&self, string: &str) -> Outcome {
        let mut program = self.program(&built::reset_example());
        program.arg(self.overheard.port());
        judge::run(program.args(["-i", string]))
    }

    /// What was done to the lines from the opening of the port on, but for lines that were given back.
    fn changes(&self) -> Vec<Change> {
        let mut changes = self.overheard.take_changes();
        // Linux raises both.
        assert_eq!(changes.remove(0).what, "dtr=1 rts=1");
        changes.retain(|change| !change.what.ends_with("=-"));
        changes
    }

    fn state(self) -> ChipState {
        self.bench.finish().state
    }
}

/// Whether these are the changes, each with the milliseconds since the one before it; `None` where
/// the waits are not the string's.
#[track_caller]
fn assert_changes(who: &str, found: &[Change], expected: &[(Option<u64>, &str)]) {
    let whats: Vec<&str> = found.iter().map(|change| change.what.as_str()).collect();
    let expected_whats: Vec<&str> = expected.iter().map(|(_, what)| *what).collect();
    assert_eq!(whats, expected_whats, "{who}");
    for (change, (after, _)) in found.iter().zip(expected) {
        if let Some(least) = after.map(Duration::from_millis) {
            let range = least..least + OVERSHOOT;
            assert!(range.contains(&change.after), "{who}: {change:?}");
        }
    }
}

/// Both do this with the string.
#[track_caller]
fn both_do(string: &str, expected: &[(Option<u64>, &str)]) {
    let desk = Desk::new();
    desk.stm32flash(string);
    assert_changes("stm32flash", &desk.changes(), expected);

    let desk = Desk::new();
    desk.ours(string).success();
    assert_changes("ours", &desk.changes(), expected);

    let desk = Desk::new();
    desk.face(string);
    assert_changes("our face", &desk.changes(), expected);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn a_comma_waits_and_an_ampersand_does_not() {
    both_do(
        "530&-529,529,,-530",
        &[
            (None, "gpio 18=1"),
            (Some(0), "gpio 17=0"),
            (Some(100), "gpio 17=1"),
            (Some(200), "gpio 18=0"),
        ],
    );
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn the_example_of_the_manual_page_leads_in_and_out() {
    both_do(
        "530,-529,529,:-530,-529,529",
        &[
            (None, "gpio 18=1"),
            (Some(100), "gpio 17=0"),
            (Some(100), "gpio 17=1"),
            (None, "gpio 18=0"),
            (Some(100), "gpio 17=0"),
            (Some(100), "gpio 17=1"),
        ],
    );
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn lines_of_the_port_and_of_the_computer_go_together() {
    both_do(
        "-rts&-dtr,-529,529,dtr:rts,,-dtr",
        &[
            (None, "dtr=1 rts=0"),
            (Some(0), "dtr=0 rts=0"),
            (Some(100), "gpio 17=0"),
            (Some(100), "gpio 17=1"),
            (Some(100), "dtr=1 rts=0"),
            (None, "dtr=1 rts=1"),
            (Some(200), "dtr=0 rts=1"),
        ],
    );
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn a_break_ends_by_itself_and_its_negation_is_nothing() {
    both_do(
        "-brk,brk,-brk,-dtr",
        &[
            (None, "break on"),
            (Some(250), "break off"),
            (Some(200), "dtr=0 rts=1"),
        ],
    );
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn signals_need_no_delimiter() {
    both_do(
        "530-529-dtr529",
        &[
            (None, "gpio 18=1"),
            (Some(0), "gpio 17=0"),
            (Some(0), "dtr=0 rts=1"),
            (Some(0), "gpio 17=1"),
        ],
    );
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn commas_alone_wait() {
    both_do(",,,-dtr", &[(Some(300), "dtr=0 rts=1")]);
}

/// The board goes where the string leads it, by their hands and by ours.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn the_board_enters_its_loader_and_runs_its_program_again() {
    let enter = "530,-529,529,";
    let desk = Desk::new();
    desk.stm32flash(enter).success();
    let state = desk.state();
    assert!(matches!(state, ChipState::Loader { .. }), "{state:?}");
    let desk = Desk::new();
    desk.ours(enter).success();
    let state = desk.state();
    assert_eq!(state, ChipState::LoaderUnsynchronised);

    let there_and_back = "530,-529,529,:-530,-529,529";
    let desk = Desk::new();
    desk.stm32flash(there_and_back).success();
    let state = desk.state();
    assert!(matches!(state, ChipState::Application(_)), "{state:?}");
    let desk = Desk::new();
    desk.ours(there_and_back).success();
    let state = desk.state();
    assert!(matches!(state, ChipState::Application(_)), "{state:?}");
}

/// What differs on purpose. stm32flash gives lines back after each half of its string, so that BOOT0
/// floats while it works; here they are held to the end.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn lines_are_held_between_entry_and_exit_where_stm32flash_lets_them_go() {
    let string = "530:-530";
    let desk = Desk::new();
    desk.stm32flash(string);
    let half = [
        "18 taken by sysfs",
        "18 high by sysfs",
        "18 input by sysfs",
        "18 released by sysfs",
        "18 taken by sysfs",
        "18 low by sysfs",
        "18 input by sysfs",
        "18 released by sysfs",
    ];
    assert_eq!(desk.gpio.take_log(), half);

    let desk = Desk::new();
    desk.ours(string).success();
    assert_eq!(
        desk.gpio.take_log(),
        [
            "18 taken by sysfs",
            "18 high by sysfs",
            "18 low by sysfs",
            "18 input by sysfs",
            "18 released by sysfs",
        ]
    );
}

/// By its manual page the entry may be missing; stm32flash then fails, after it has run the exit.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn an_exit_alone_is_no_failure_here() {
    let expected = [(None, "gpio 18=0")];
    let desk = Desk::new();
    let outcome = desk.stm32flash(":-530");
    assert_eq!(outcome.code, 1);
    let why = "Failed to send boot enter sequence";
    assert!(outcome.said.contains(why), "{}", outcome.said);
    assert_changes("stm32flash", &desk.changes(), &expected);

    let desk = Desk::new();
    desk.ours(":-530").success();
    assert_changes("ours", &desk.changes(), &expected);
}

/// stm32flash notices when it comes to it, with the target in reset; here nothing has moved.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn a_mistake_in_the_string_is_found_before_anything_moves() {
    let desk = Desk::new();
    let outcome = desk.stm32flash("-529,led");
    assert_eq!(outcome.code, 1);
    assert_changes("stm32flash", &desk.changes(), &[(None, "gpio 17=0")]);

    let desk = Desk::new();
    let outcome = desk.ours("-529,led");
    assert_eq!(outcome.code, 1);
    assert!(outcome.said.contains("led"), "{}", outcome.said);
    assert_eq!(desk.overheard.take_changes(), []);
    assert_eq!(desk.gpio.take_log(), [""; 0]);
}
