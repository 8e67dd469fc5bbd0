//! `flashwire stm32loader`: the command line of stm32loader 0.7.1.

mod arguments;
mod job;

use std::ffi::OsString;
use std::process::ExitCode;

use arguments::{Asked, Defaults};

/// The version of the original whose options these are.
const VERSION: &str = "0.7.1";

/// Exit code of the original for a command line that it does not understand.
const MISUSED: u8 = 2;

/// Does what `words` ask for; `name` is what usage texts call this program.
pub(super) fn run(name: &str, words: &[OsString]) -> ExitCode {
    let defaults = Defaults {
        port: std::env::var("STM32LOADER_SERIAL_PORT").ok(),
        family: std::env::var("STM32LOADER_FAMILY").ok(),
    };
    let exit = match arguments::parse(words, defaults) {
        Asked::Job(arguments) => job::run(&arguments),
        Asked::Help => {
            print!("{}", arguments::help(name));
            0
        }
        Asked::Version => {
            println!("{VERSION}");
            0
        }
        Asked::Wrong(what) => {
            eprintln!("usage: {name} [options] -p PORT [FILE.BIN]\n{name}: error: {what}");
            eprintln!(
                "{name}: note: STM32LOADER_SERIAL_PORT can name the port; -h shows the options"
            );
            MISUSED
        }
    };
    ExitCode::from(exit)
}
