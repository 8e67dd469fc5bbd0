//! stm32loader 0.7.1 (PyPI), unmodified, judges the simulated boot loaders: it flashes, verifies,
//! reads, erases and starts them at 8E1 through a pseudo-terminal, and resets them through DTR and
//! RTS as it always does.

#![cfg(target_os = "linux")]

use std::process::Command;

use flashwire_sim::stm32::ChipState;
use flashwire_tests::board::{self, Board, F103, F407, G071, L152, assert_same_flash};
use flashwire_tests::served::Served;
use flashwire_tests::{judge, ours};

/// A bench wired as stm32loader wants it: asserted DTR is reset, asserted RTS is BOOT0 low. Nobody
/// presses a button.
fn wired(board: &Board, content: &[u8]) -> Served {
    let spec = format!("{},wiring=dtr-nrst+rts-boot0,button=none", board.bench);
    Served::open(&spec, content)
}

/// stm32loader on the bench, for a board of its family.
fn stm32loader(bench: &Served, board: &Board) -> Command {
    let mut command = bench.program(&judge::stm32loader());
    command.args(["--no-progress", "--port"]).arg(bench.port());
    if let Some(family) = board.family {
        command.args(["--family", family]);
    }
    command
}

/// All jobs on one board, one after the other.
fn does_its_jobs(board: &Board) {
    let image = board::image();
    let bench = wired(board, &board.old_content());
    let file = bench.put("image.bin", &image);
    let read = bench.file("read.bin");

    let write = ["--erase", "--write", "--verify", "--go", "0x08000000"];
    let said = judge::run(stm32loader(&bench, board).args(write).arg(&file)).success();
    assert!(said.contains("Verification OK"), "{said}");

    let length = image.len().to_string();
    judge::run(
        stm32loader(&bench, board)
            .args(["--read", "--address", "0x08000000", "--length", &length])
            .arg(&read),
    )
    .success();
    assert_same_flash(&std::fs::read(&read).unwrap(), &image);

    let said = judge::run(stm32loader(&bench, board).arg("--verify").arg(&file)).success();
    assert!(said.contains("Verification OK"), "{said}");

    let remains = bench.finish();
    assert_same_flash(&remains.flash, &board.fresh_content());
    assert_same_flash(
        &remains.flash,
        &ours::write(board, &["--erase", "all"]).flash,
    );
    // It leaves the chip running: BOOT0 low, then reset.
    let state = remains.state;
    assert!(matches!(state, ChipState::Application(_)), "{state:?}");
    assert_eq!(remains.complaints, [""; 0]);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn its_version_is_the_one_that_was_measured() {
    let mut command = Command::new(judge::stm32loader());
    assert_eq!(
        judge::run(command.arg("--version")).success().trim(),
        "0.7.1"
    );
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn an_f103_is_flashed_verified_read_and_started() {
    does_its_jobs(&F103);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn an_f407_is_flashed_verified_read_and_started() {
    does_its_jobs(&F407);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn a_g071_is_flashed_verified_read_and_started() {
    does_its_jobs(&G071);
}

/// Its `--erase` sends the mass erase that an L1 refuses, as on silicon: it says so and changes
/// nothing. flashwire erases the same chip. A blank L1 it writes.
#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn an_l152_is_flashed_but_not_erased() {
    let bench = wired(&L152, &L152.old_content());
    let refused = judge::run(stm32loader(&bench, &L152).arg("--erase"));
    assert_eq!(refused.code, 1, "{}", refused.said);
    assert!(refused.said.contains("Erase failed"), "{}", refused.said);
    assert_same_flash(&bench.finish().flash, &L152.old_content());
    let ours = ours::write(&L152, &["--erase", "all"]);
    assert_same_flash(&ours.flash, &L152.fresh_content());

    let bench = wired(&L152, &L152.blank());
    let file = bench.put("image.bin", &board::image());
    let write = ["--write", "--verify", "--go", "0x08000000"];
    let said = judge::run(stm32loader(&bench, &L152).args(write).arg(&file)).success();
    assert!(said.contains("Verification OK"), "{said}");
    let remains = bench.finish();
    assert_same_flash(&remains.flash, &L152.fresh_content());
    let state = remains.state;
    assert!(matches!(state, ChipState::Application(_)), "{state:?}");
}
