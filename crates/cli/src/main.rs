//! The command line of flashwire: options in, sentences and exit codes out.
//!
//! Thin by design: what a command does is in the library `flashwire`; here is only what a person
//! types and sees. People read standard error, data goes to standard output.

mod args;
mod commands;
mod faces;
mod json;
mod progress;
mod screen;
mod settings;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::screen::Screen;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(exit) = faces::run(&words) {
        return exit;
    }
    let cli = Cli::parse_from(words);
    if let Some(exit) = faces::run_command(&cli.command) {
        return exit;
    }
    let screen = Screen { args: cli.screen };
    let exit = match commands::run(cli.command, &screen) {
        Ok(exit) => exit,
        Err(error) => {
            screen.error(&error);
            error.exit()
        }
    };
    ExitCode::from(exit as u8)
}
