//! `flashwire spi-flash-programmer`: the command line of nfd's spi_flash_programmer_client.py, as it
//! is since 2024.

mod arguments;
mod job;
mod registers;

use std::ffi::OsString;
use std::process::ExitCode;

use arguments::Asked;
use flashwire::Exit;

/// Does what `words` ask for; `name` is what usage texts call this program.
pub(super) fn run(name: &str, words: &[OsString]) -> ExitCode {
    let exit = match arguments::parse(words) {
        Asked::Job(arguments) => job::run(&arguments),
        Asked::Help => {
            print!("{}", arguments::help(name));
            Exit::Done
        }
        Asked::Wrong(what) => {
            eprintln!("usage: {name} [options] COMMAND\n{name}: error: {what}");
            eprintln!("{name}: note: -h shows commands and options");
            Exit::Usage
        }
    };
    ExitCode::from(exit as u8)
}
