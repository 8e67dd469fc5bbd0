//! `cargo xtask test`: everything that CI runs, in stages.
//!
//! All stages run, even after one has failed, and the last line counts what passed and failed:
//! every test by itself, and every other stage as one.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::firmware;
use crate::fuzz;
use crate::metadata::Metadata;
use crate::run;
use crate::tidy;
use crate::tools::Missing;

/// What was looked at and how it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Score {
    passed: u64,
    failed: u64,
}

impl Score {
    fn of(passed: bool) -> Self {
        Self {
            passed: passed.into(),
            failed: (!passed).into(),
        }
    }

    fn add(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
    }
}

/// A step that is reported by itself.
struct Stage {
    name: &'static str,
    what: &'static str,
    run: fn(&Path) -> Result<Score>,
}

const STAGES: &[Stage] = &[
    Stage {
        name: "format",
        what: "every workspace is formatted",
        run: format,
    },
    Stage {
        name: "tidy",
        what: "the rules of the house",
        run: |root| Ok(Score::of(tidy::run(root)? == ExitCode::SUCCESS)),
    },
    Stage {
        name: "lints",
        what: "clippy has nothing to say about any workspace",
        run: lints,
    },
    Stage {
        name: "tests",
        what: "all tests that need nothing installed",
        run: |root| run_tests(cargo(root, "test").args(["--workspace", "--no-fail-fast"])),
    },
    Stage {
        name: "judges",
        what: "all tests that need foreign tools",
        run: judges,
    },
    Stage {
        name: "simavr",
        what: "the image of the ATmega328P, executed",
        run: simavr,
    },
    Stage {
        name: "wasm",
        what: "everything below the command line builds without an operating system",
        run: wasm,
    },
    Stage {
        name: "docs",
        what: "the documentation builds, and its links lead somewhere",
        run: docs,
    },
    Stage {
        name: "firmware",
        what: "the committed images are what their sources give",
        run: |root| {
            let passed = firmware::check(root)?;
            Ok(Score { passed, failed: 0 })
        },
    },
    Stage {
        name: "release",
        what: "the first command of the README, and the size of the program",
        run: release,
    },
    Stage {
        name: "fuzz",
        what: "a few seconds of fuzzing for each target",
        run: fuzz,
    },
];

/// Stages that take a sentence to ask for.
const INSTALL: &str = "--install";

/// Installs what is missing if asked to, then runs the stages that are named, or all of them.
pub(crate) fn run(root: &Path, words: &[&str]) -> Result<ExitCode> {
    let names: Vec<&str> = words.iter().copied().filter(|w| *w != INSTALL).collect();
    if let Some(name) = names
        .iter()
        .find(|name| STAGES.iter().all(|s| s.name != **name))
    {
        let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        bail!("there is no stage {name}; there are: {}", known.join(", "));
    }

    let missing = Missing::find(root)?;
    if !missing.is_empty() {
        if names.len() == words.len() {
            eprintln!("The tests need more than this machine has. This installs it:\n");
            eprintln!("    {}\n", missing.line(root));
            eprintln!("and so does: cargo xtask test --install");
            return Ok(ExitCode::FAILURE);
        }
        missing.install(root)?;
        let left = Missing::find(root)?;
        ensure!(left.is_empty(), "still missing: {}", left.line(root));
    }

    let mut total = Score::default();
    let mut lines = Vec::new();
    for stage in STAGES {
        if !names.is_empty() && !names.contains(&stage.name) {
            continue;
        }
        println!("\n=== {}: {}", stage.name, stage.what);
        let begun = Instant::now();
        let score = (stage.run)(root).unwrap_or_else(|error| {
            println!("{error:#}");
            Score::of(false)
        });
        total.add(score);
        lines.push(line(stage.name, score, begun.elapsed()));
    }

    println!("\n=== summary");
    for line in lines {
        println!("{line}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(ExitCode::from(u8::from(total.failed > 0)))
}

fn line(name: &str, score: Score, took: Duration) -> String {
    let Score { passed, failed } = score;
    let seconds = took.as_secs();
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    format!("{name:10} {verdict:6} {passed:5} passed {failed:3} failed {seconds:5} s")
}

/// Cargo on the root's workspace.
fn cargo(root: &Path, what: &str) -> Command {
    let mut command = run::command("cargo", root);
    command.args([what, "--locked"]);
    command
}

fn format(root: &Path) -> Result<Score> {
    in_each_workspace(root, &["fmt", "--all", "--check"], &["fmt", "--check"])
}

fn lints(root: &Path) -> Result<Score> {
    const DENY: [&str; 3] = ["--", "-D", "warnings"];
    let all = ["clippy", "--locked", "--workspace", "--all-targets"];
    let other = ["clippy", "--locked"];
    in_each_workspace(
        root,
        &[&all[..], &DENY[..]].concat(),
        &[&other[..], &DENY[..]].concat(),
    )
}

/// Runs cargo with the first arguments in the root's workspace and with the second in all others.
fn in_each_workspace(root: &Path, in_root: &[&str], in_others: &[&str]) -> Result<Score> {
    let mut score = Score::default();
    for folder in tidy::workspaces(root)? {
        let arguments = if folder.is_empty() {
            in_root
        } else {
            in_others
        };
        let mut command = run::command("cargo", &root.join(&folder));
        score.add(Score::of(run::status(command.args(arguments)).is_ok()));
    }
    Ok(score)
}

/// The tests that plain `cargo test` leaves out. They wait for real time rather than compute, so
/// more of them run at once than there are processors.
fn judges(root: &Path) -> Result<Score> {
    let mut command = cargo(root, "test");
    command.args([
        "--workspace",
        "--no-fail-fast",
        "--lib",
        "--bins",
        "--tests",
    ]);
    run_tests(command.args(["--", "--ignored", "--test-threads", "8"]))
}

/// The tests of the workspace that links simavr, foreign tools included.
fn simavr(root: &Path) -> Result<Score> {
    let mut command = run::command("cargo", &root.join("tests/simavr"));
    command.args(["test", "--locked", "--no-fail-fast"]);
    run_tests(command.args(["--", "--include-ignored"]))
}

/// The library and all floors below it, with their features for system calls off.
fn wasm(root: &Path) -> Result<Score> {
    let mut command = cargo(root, "check");
    command.args(["--package", "flashwire", "--no-default-features"]);
    command.args(["--target", "wasm32-unknown-unknown"]);
    command.env(
        "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
        "-Dwarnings",
    );
    Ok(Score::of(run::status(&mut command).is_ok()))
}

fn docs(root: &Path) -> Result<Score> {
    let mut command = cargo(root, "doc");
    command.args(["--workspace", "--no-deps"]);
    let passed = run::status(command.env("RUSTDOCFLAGS", "-D warnings")).is_ok();
    Ok(Score::of(passed))
}

/// The main job as a new user runs it, then what else they would do with the same board; and the
/// size of the program that does it.
fn release(root: &Path) -> Result<Score> {
    const MOST_BYTES: u64 = 8_000_000;
    const IMAGE: &str = "examples/blinky-f103.hex";

    let folder = root.join("target").join("main-job");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let board = format!(
        "sim:stm32f103cb,image={}",
        folder.join("board.bin").display()
    );
    let copy = folder.join("copy.hex").display().to_string();
    let jobs: [&[&str]; 5] = [
        &["write", IMAGE],
        &["read", &copy, "--length", "512"],
        &["verify", &copy],
        &["verify", IMAGE],
        &["info"],
    ];
    let mut score = Score::default();
    for job in jobs {
        let mut command = cargo(root, "run");
        command
            .args(["--release", "--"])
            .args(job)
            .args(["-p", &board]);
        score.add(Score::of(run::status(&mut command).is_ok()));
    }

    let program = Metadata::read(root)?
        .target_directory
        .join("release")
        .join("flashwire");
    let bytes = fs::metadata(&program)?.len();
    println!("{}: {bytes} bytes, at most {MOST_BYTES}", program.display());
    score.add(Score::of(bytes <= MOST_BYTES));
    Ok(score)
}

fn fuzz(root: &Path) -> Result<Score> {
    const SECONDS: u32 = 5;

    let passed = fuzz::run(root, &[], SECONDS)?;
    Ok(Score { passed, failed: 0 })
}

/// Runs `cargo test`, shows what it prints, and counts.
fn run_tests(command: &mut Command) -> Result<Score> {
    let shown = run::shown(command);
    println!("{shown}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let mut score = Score::default();
    let output = child.stdout.take().context("it was asked for its output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        if let Some(more) = counted(&line) {
            score.add(more);
        }
    }
    let status = child.wait()?;
    if !status.success() && score.failed == 0 {
        // It did not come to the point of running them all.
        println!("`{shown}`: {status}");
        score.failed = 1;
    }
    Ok(score)
}

/// What one test program says at its end: `test result: ok. 4 passed; 0 failed; 1 ignored; ...`.
fn counted(line: &str) -> Option<Score> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |what: &str| {
        let mut parts = counts.split("; ");
        parts.find_map(|part| part.strip_suffix(what)?.trim().parse().ok())
    };
    Some(Score {
        passed: count("passed")?,
        failed: count("failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Score {
        let mut command = run::command("sh", Path::new("."));
        run_tests(command.args(["-c", script])).unwrap()
    }

    #[test]
    fn tests_are_counted_over_all_programs() {
        let lines = "test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                     test result: FAILED. 10 passed; 3 failed; 0 ignored; 0 measured\n";
        let score = shell(&format!("printf '{lines}'; exit 101"));
        assert_eq!(
            score,
            Score {
                passed: 14,
                failed: 3
            }
        );
    }

    #[test]
    fn a_run_that_does_not_come_to_its_tests_has_failed() {
        assert_eq!(
            shell("exit 101"),
            Score {
                passed: 0,
                failed: 1
            }
        );
        let line = "test result: ok. 4 passed; 0 failed; 0 ignored\n";
        let score = shell(&format!("printf '{line}'; exit 101"));
        assert_eq!(
            score,
            Score {
                passed: 4,
                failed: 1
            }
        );
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in [
            "test a ... ok",
            "test result: ",
            "test result: ok. many passed; 0 failed",
        ] {
            assert_eq!(counted(line), None, "{line}");
        }
    }

    #[test]
    fn a_stage_that_is_not_there_is_an_error() {
        let error = run(Path::new("."), &["docs", "judge"]).unwrap_err();
        assert!(error.to_string().contains("judges"), "{error}");
    }
}
