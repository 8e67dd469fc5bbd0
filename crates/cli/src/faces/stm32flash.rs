//! `flashwire stm32flash`: the command line of stm32flash 0.7.

mod arguments;
mod job;
mod place;
mod talk;
mod write;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Asked;
use talk::Talk;

/// The original's only exit code but 0.
const FAILED: u8 = 1;

/// Does what `words` ask for; `name` is what usage texts call this program.
pub(super) fn run(name: &str, words: &[OsString]) -> ExitCode {
    let posix = std::env::var_os("POSIXLY_CORRECT").is_some();
    let arguments = match arguments::parse(words, posix) {
        Asked::Job(arguments) => arguments,
        Asked::Help => {
            // Who does not want to read it to its end may stop.
            let _ = io::stdout().write_all(arguments::help(name).as_bytes());
            return ExitCode::SUCCESS;
        }
        Asked::Wrong(what) => {
            eprintln!("{name}: {what}");
            return ExitCode::from(FAILED);
        }
        Asked::Nothing(what) => {
            eprint!("{name}: {what}\n\n{}", arguments::help(name));
            return ExitCode::from(FAILED);
        }
    };
    let mut talk = Talk::new(arguments.data_on_output());
    match job::run(&arguments, &mut talk) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            talk.error(&error);
            ExitCode::from(FAILED)
        }
    }
}
