//! Running a program on a pseudo-terminal that passes for a serial port.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::built;

/// The socket on which the bench hears of settings and lines of the port at `port`.
pub fn socket(port: &Path) -> PathBuf {
    let mut socket = port.as_os_str().to_owned();
    socket.push(".lines");
    socket.into()
}

/// Lets the program find parity and modem lines at the pseudo-terminal `port`.
///
/// # Panics
/// If the library does not build.
pub fn into(program: &mut Command, port: &Path) {
    program
        .env("LD_PRELOAD", built::preload_library())
        .env("FLASHWIRE_PTY_LINES", socket(port));
}
