//! Drop-in faces: other tools' command lines, done by flashwire.
//!
//! `flashwire stm32flash ARGS`, or flashwire under the name `stm32flash`, takes the options of the
//! original as the original reads them, and ends with its exit codes. A face translates to the
//! library and prints; what is done is the same as behind flashwire's own commands. What differs on
//! purpose is said in `docs/` beside every option.

mod argparse;
mod getopt;
mod spi_flash_programmer;
mod stm32flash;
mod stm32loader;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use crate::args::Command;

/// A face: what the original is called, and what stands in for it.
struct Face {
    name: &'static str,
    /// What its file is called besides, without what stands behind the last point.
    file_stem: &'static str,
    /// Takes the name that usage texts show, and the words after it.
    run: fn(&str, &[OsString]) -> ExitCode,
}

const FACES: &[Face] = &[
    Face {
        name: "stm32flash",
        file_stem: "stm32flash",
        run: stm32flash::run,
    },
    Face {
        name: "stm32loader",
        file_stem: "stm32loader",
        run: stm32loader::run,
    },
    Face {
        name: "spi-flash-programmer",
        file_stem: "spi_flash_programmer_client",
        run: spi_flash_programmer::run,
    },
];

/// Runs the face that the program's name or its first word asks for, if one does.
pub(crate) fn run(words: &[OsString]) -> Option<ExitCode> {
    let (program, words) = words.split_first()?;
    if let Some(face) = named(Path::new(program).file_stem()?) {
        return Some((face.run)(face.name, words));
    }
    let (first, words) = words.split_first()?;
    let face = named(first)?;
    Some((face.run)(&format!("flashwire {}", face.name), words))
}

/// Runs the face that was asked for behind options of flashwire's own: `flashwire -q stm32flash`.
pub(crate) fn run_command(command: &Command) -> Option<ExitCode> {
    match command {
        Command::Stm32flash(face) => Some(stm32flash::run("flashwire stm32flash", &face.words)),
        Command::Stm32loader(face) => Some(stm32loader::run("flashwire stm32loader", &face.words)),
        Command::SpiFlashProgrammer(face) => Some(spi_flash_programmer::run(
            "flashwire spi-flash-programmer",
            &face.words,
        )),
        _ => None,
    }
}

fn named(name: &OsStr) -> Option<&'static Face> {
    FACES
        .iter()
        .find(|face| name == face.name || name == face.file_stem)
}
