//! The chores of the project: everything that its people and its CI run, as one program without
//! shell scripts.
//!
//! `cargo xtask` prints what there is. Each chore lives in the module of its name and is a plain
//! list of steps; what it takes to run other programs is in [`run`].

mod firmware;
mod fuzz;
mod hash;
mod metadata;
mod run;
mod test;
mod tidy;
mod tools;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

const HELP: &str = "\
The chores of flashwire. Usage: cargo xtask CHORE

  test [--install] [STAGE...]   everything that CI runs; --install gets what is missing first
  tidy                          the rules of the house that a program can check
  firmware [--check]            builds the committed images anew, or compares them with new ones
  fuzz [SECONDS] [TARGET...]    looks for inputs that break a decoder, 60 s a target if not said
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match chore(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the chore that the words of the command line ask for.
fn chore(words: &[&str]) -> Result<ExitCode> {
    match words {
        ["test", words @ ..] => test::run(&root(), words),
        ["tidy"] => tidy::run(&root()),
        ["firmware"] => firmware::build(&root()).map(|()| ExitCode::SUCCESS),
        ["firmware", "--check"] => firmware::check(&root()).map(|_| ExitCode::SUCCESS),
        ["fuzz", words @ ..] => {
            let seconds = words.first().and_then(|word| word.parse().ok());
            let targets = if seconds.is_some() {
                &words[1..]
            } else {
                words
            };
            fuzz::run(&root(), targets, seconds.unwrap_or(60))?;
            Ok(ExitCode::SUCCESS)
        }
        [] | ["help" | "-h" | "--help"] => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("xtask: no such chore: {}\n\n{HELP}", words.join(" "));
            Ok(ExitCode::from(2))
        }
    }
}

/// The root of the working tree.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in a folder of the root")
        .to_owned()
}
