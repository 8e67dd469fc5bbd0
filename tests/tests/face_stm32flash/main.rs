//! `flashwire stm32flash` beside stm32flash 0.7 (Debian): each row is done by both on equal boards.
//!
//! `docs/stm32flash.md` names the rows of every option.

#![cfg(target_os = "linux")]

mod boards;
mod changing;
mod files;
mod reading;
mod refusals;
mod scripts;
mod wires;
mod writing;
mod wrong;

use std::path::Path;
use std::process::Command;

use flashwire_tests::faces::{Job, Row, Run, STM32FLASH, check_all};
use flashwire_tests::judge;

use changing::{ERASING, PROTECTING, STARTING};
use reading::READING;
use refusals::REFUSALS;
use scripts::SCRIPTS;
use wires::{I2C, LINES};
use writing::WRITING;
use wrong::WRONG;

/// All rows.
const ALL: [&[Row]; 10] = [
    WRITING, REFUSALS, READING, ERASING, PROTECTING, STARTING, LINES, I2C, SCRIPTS, WRONG,
];

/// The options that the original's help lists, and its manual page where it is installed.
fn options() -> Vec<char> {
    let help = judge::run(Command::new(judge::stm32flash()).arg("-h")).success();
    let page = Path::new("/usr/share/man/man1/stm32flash.1.gz");
    let page = if page.is_file() {
        judge::run(Command::new("zcat").arg(page)).success()
    } else {
        String::new()
    };
    let in_help = help.lines().filter_map(|line| line.strip_prefix("\t-"));
    // `.BI "\-a" " bus_address"`
    let in_page = page.lines().filter_map(|line| {
        let heading = line.strip_prefix(".B")?;
        heading
            .trim_start_matches(['I', ' ', '"'])
            .strip_prefix("\\-")
    });
    let mut letters: Vec<char> = in_help
        .chain(in_page)
        .filter_map(|rest| rest.chars().next().filter(char::is_ascii_alphabetic))
        .collect();
    letters.sort_unstable();
    letters.dedup();
    letters
}

/// The cells of a table's row.
fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split(" | ").map(str::trim).collect()
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn every_option_of_the_original_is_documented_and_shown() {
    let letters = options();
    assert!(letters.len() >= 22, "{letters:?}");
    let document = include_str!("../../../docs/stm32flash.md");
    for letter in letters {
        let begins = format!("| `-{letter}");
        let told = document.lines().find(|line| {
            let rest = line.strip_prefix(&begins);
            rest.is_some_and(|rest| rest.starts_with(['`', ' ', '[']))
        });
        let told = told.unwrap_or_else(|| panic!("-{letter} is missing in the document"));
        let shown = *cells(told).last().expect("a row has cells");
        for name in shown.split("; ") {
            let row = ALL
                .iter()
                .flat_map(|rows| rows.iter())
                .find(|row| row.name == name);
            let row = row.unwrap_or_else(|| panic!("-{letter}: there is no row {name:?}"));
            let uses = |run: &Run| match run.job {
                Job::Words(words) => words
                    .split_whitespace()
                    .any(|word| word.starts_with(&format!("-{letter}"))),
                Job::Script(_) => false,
            };
            // What is so by default is shown by leaving the option out.
            assert!(
                row.runs.iter().any(uses) || name.ends_with("by default"),
                "row {name:?} does without -{letter}"
            );
        }
    }
}

#[test]
fn what_the_document_refers_to_is_there() {
    let document = include_str!("../../../docs/stm32flash.md");
    let section = |begin: &str, end: &str| {
        let rest = document.split_once(begin).expect("the section is there").1;
        rest.split_once(end).map_or(rest, |(section, _)| section)
    };
    let is_row = |name: &str| {
        ALL.iter()
            .flat_map(|rows| rows.iter())
            .any(|r| r.name == name)
    };
    let differences = section("## What is different", "\nBesides:");
    let rows: Vec<&str> = differences
        .lines()
        .filter(|l| l.starts_with("| "))
        .skip(1)
        .collect();
    assert!(rows.len() > 15);
    for line in rows {
        let shown = *cells(line).last().expect("a row has cells");
        for name in shown.split("; ").filter(|name| !name.starts_with('`')) {
            assert!(is_row(name), "{name:?} is no row");
        }
    }
    // `FILE.rs: TEST`, wherever it stands.
    let mut tests = 0;
    for span in document.split('`').skip(1).step_by(2) {
        let Some((file, name)) = span.split_once(".rs: ") else {
            continue;
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/{file}.rs"));
        let source = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(source.contains(&format!("fn {name}(")), "{span}");
        tests += 1;
    }
    assert!(tests > 10);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn files_are_written_alike() {
    check_all(STM32FLASH, WRITING);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn what_the_original_damages_is_refused_or_done_right() {
    check_all(STM32FLASH, REFUSALS);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn memory_is_read_alike() {
    check_all(STM32FLASH, READING);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn flash_is_erased_alike() {
    check_all(STM32FLASH, ERASING);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn protections_are_changed_alike() {
    check_all(STM32FLASH, PROTECTING);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn programs_are_started_alike() {
    check_all(STM32FLASH, STARTING);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn lines_move_alike() {
    check_all(STM32FLASH, LINES);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn buses_are_used_alike() {
    check_all(STM32FLASH, I2C);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn scripts_run_as_they_are() {
    check_all(STM32FLASH, SCRIPTS);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn wrong_use_ends_alike() {
    check_all(STM32FLASH, WRONG);
}
