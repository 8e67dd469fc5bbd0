//! flashwire as a program, through a port of the operating system: real link code, real time, 8E1
//! and modem lines by the preload library, or a plain pseudo-terminal or TCP port without either.

#![cfg(target_os = "linux")]

use std::process::Command;

use flashwire_sim::stm32::ChipState;
use flashwire_tests::board::{self, Board, F103, F407, G071, L152, assert_same_flash};
use flashwire_tests::ours::{self, flashwire};
use flashwire_tests::served::Served;
use flashwire_tests::{built, judge};

fn writes_and_starts(board: &Board) {
    let remains = ours::write(board, &["--no-keep"]);
    assert_same_flash(&remains.flash, &board.touched_content());
    assert!(matches!(remains.state, ChipState::Application(_)));
    assert_eq!(remains.complaints, [""; 0]);
}

#[test]
fn an_f103_is_written_and_started() {
    writes_and_starts(&F103);
}

#[test]
fn an_f407_is_written_and_started() {
    writes_and_starts(&F407);
}

#[test]
fn a_g071_is_written_and_started() {
    writes_and_starts(&G071);
}

#[test]
fn an_l152_is_written_and_started() {
    writes_and_starts(&L152);
}

#[test]
fn what_shares_an_erase_unit_with_the_image_is_kept() {
    let remains = ours::write(&F407, &[]);
    let mut expected = F407.old_content();
    expected[..board::image().len()].copy_from_slice(&board::image());
    assert_same_flash(&remains.flash, &expected);
}

/// The port's lines lead into the loader and out of it; nobody presses a button.
#[test]
fn modem_lines_lead_into_the_loader_and_out_of_it() {
    let spec = format!("{},wiring=dtr-nrst+rts-boot0,button=none", F103.bench);
    let bench = Served::open(&spec, &F103.fresh_content());
    let mut program = flashwire(&bench, "verify");
    let file = bench.put("image.bin", &board::image());
    judge::run(program.args(["--reset", "dtr=nrst,rts=boot0"]).arg(&file)).success();
    let mut program = flashwire(&bench, "run");
    judge::run(program.args(["--reset", "dtr=nrst,rts=boot0"])).success();
    assert!(matches!(bench.finish().state, ChipState::Application(_)));
}

/// Without the preload library there are neither parity nor lines: a warning, and it works.
#[test]
fn a_plain_pseudo_terminal_works_with_a_warning() {
    let bench = Served::open(F103.bench, &F103.fresh_content());
    let file = bench.put("image.bin", &board::image());
    let mut program = Command::new(built::flashwire());
    program
        .args(["verify", "--yes", "--port"])
        .arg(bench.port());
    let said = judge::run(program.arg(&file)).success();
    assert!(said.contains("parity"), "{said}");
}
