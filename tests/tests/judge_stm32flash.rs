//! stm32flash 0.7 (Debian), unmodified, judges the simulated boot loaders: it flashes, verifies,
//! reads, erases and starts them at 8E1 through a pseudo-terminal.

#![cfg(target_os = "linux")]

use std::process::Command;

use flashwire_sim::stm32::ChipState;
use flashwire_tests::board::{self, Board, F103, F407, G071, L152, assert_same_flash};
use flashwire_tests::served::Served;
use flashwire_tests::{judge, ours};

/// stm32flash on the bench, at the speed of the bench.
fn stm32flash(bench: &Served) -> Command {
    let mut command = bench.program(&judge::stm32flash());
    command.args(["-b", "115200"]);
    command
}

/// All jobs on one board, one after the other, with nobody but the bench's reset button between.
fn does_its_jobs(board: &Board) {
    let image = board::image();
    let bench = Served::open(board.bench, &board.old_content());
    let file = bench.put("image.bin", &image);
    let read = bench.file("read.bin");

    let said = judge::run(
        stm32flash(&bench)
            .args(["-v", "-g", "0", "-w"])
            .args([&file, &bench.port()]),
    )
    .success();
    assert!(said.starts_with("stm32flash 0.7\n"), "{said}");
    assert!(said.contains("115200 8E1"), "{said}");
    assert!(said.contains("Wrote and verified"), "{said}");

    let range = format!("0x08000000:{}", image.len());
    judge::run(
        stm32flash(&bench)
            .args(["-S", &range, "-r"])
            .args([&read, &bench.port()]),
    )
    .success();
    assert_same_flash(&std::fs::read(&read).unwrap(), &image);

    let remains = bench.finish();
    assert_same_flash(&remains.flash, &board.touched_content());
    // It loses what shares an erase unit with the image, which flashwire would keep.
    let ours = ours::write(board, &["--no-keep"]);
    assert_same_flash(&remains.flash, &ours.flash);
    assert_eq!(remains.complaints, [""; 0]);
}

fn erases(board: &Board) {
    let bench = Served::open(board.bench, &board.old_content());
    judge::run(stm32flash(&bench).arg("-o").arg(bench.port())).success();
    let remains = bench.finish();
    assert_same_flash(&remains.flash, &board.blank());
    assert_eq!(remains.complaints, [""; 0]);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn an_f103_is_flashed_verified_and_read() {
    does_its_jobs(&F103);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn an_f407_is_flashed_verified_and_read() {
    does_its_jobs(&F407);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn a_g071_is_flashed_verified_and_read() {
    does_its_jobs(&G071);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn an_l152_is_flashed_verified_and_read() {
    does_its_jobs(&L152);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn every_board_is_erased() {
    for board in [F103, F407, G071, L152] {
        erases(&board);
    }
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn a_program_that_is_there_is_started() {
    let bench = Served::open(F103.bench, &F103.fresh_content());
    judge::run(stm32flash(&bench).args(["-g", "0"]).arg(bench.port())).success();
    let ChipState::Application(application) = bench.finish().state else {
        panic!("nothing runs");
    };
    assert_eq!(application.entry, 0x0800_0100);
}

/// The lines of the port as its `-i` drives them: asserted DTR is reset, asserted RTS is BOOT0
/// low. Nobody presses a button.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn modem_lines_lead_into_the_loader_and_out_of_it() {
    let spec = format!("{},wiring=dtr-nrst+rts-boot0,button=none", F103.bench);
    let bench = Served::open(&spec, &F103.fresh_content());

    // Opening the port asserts DTR: the chip is held in reset.
    let alone = judge::run(stm32flash(&bench).arg(bench.port()));
    assert_eq!(alone.code, 1, "{}", alone.said);
    assert!(
        alone.said.contains("Failed to init device"),
        "{}",
        alone.said
    );

    // The last comma of the entry gives the loader its time to start.
    let lines = "-rts&dtr,-dtr,:rts&dtr,-dtr";
    judge::run(stm32flash(&bench).args(["-i", lines]).arg(bench.port())).success();
    let state = bench.finish().state;
    assert!(matches!(state, ChipState::Application(_)), "{state:?}");
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn without_parity_nothing_answers() {
    let bench = Served::open(F103.bench, &F103.fresh_content());
    let outcome = judge::run(stm32flash(&bench).args(["-m", "8n1"]).arg(bench.port()));
    assert_eq!(outcome.code, 1, "{}", outcome.said);
    assert!(!bench.finish().complaints.is_empty());
}
