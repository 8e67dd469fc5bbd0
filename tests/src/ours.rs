//! flashwire as a program, on the benches that foreign tools are tried on.

use std::process::Command;

use crate::board::{self, Board};
use crate::built;
use crate::judge;
use crate::served::{Remains, Served};

/// flashwire doing one of its commands on the bench, asking nobody.
pub fn flashwire(bench: &Served, command: &str) -> Command {
    let mut program = bench.program(&built::flashwire());
    program.args([command, "--yes", "--progress", "none", "--port"]);
    program.arg(bench.port());
    // What it keeps of old content goes with the bench, and what its user has set up stays out.
    program.env("XDG_STATE_HOME", bench.file("state"));
    program.env("XDG_CONFIG_HOME", bench.file("config"));
    program
}

/// What is left after flashwire has written the test image over the board's old content, at the
/// bench's speed, and started it.
///
/// # Panics
/// If it fails.
#[track_caller]
pub fn write(board: &Board, options: &[&str]) -> Remains {
    let bench = Served::open(board.bench, &board.old_content());
    let file = bench.put("image.bin", &board::image());
    let mut program = flashwire(&bench, "write");
    judge::run(program.args(options).arg("--run").arg(&file)).success();
    bench.finish()
}
