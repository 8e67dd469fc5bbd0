//! Programs and libraries of this workspace that a test runs as they are, in processes of their own.
//!
//! Cargo builds what a test links, not what it runs; so each is built on first use, in the profile
//! of the test. In a build that is up to date that takes a fraction of a second.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

/// The command line of flashwire.
///
/// # Panics
/// If it does not build.
pub fn flashwire() -> PathBuf {
    build(&["--package", "flashwire-cli", "--bin", "flashwire"]);
    folder().join(format!("flashwire{}", env::consts::EXE_SUFFIX))
}

/// The library that gives a program the hardware that this machine lacks.
///
/// # Panics
/// If it does not build.
#[cfg(target_os = "linux")]
pub fn preload_library() -> PathBuf {
    build(&["--package", "flashwire-preload", "--lib"]);
    folder().join("libflashwire_preload.so")
}

/// The program that moves modem lines and sends breaks.
///
/// # Panics
/// If it does not build.
#[cfg(target_os = "linux")]
pub fn modem() -> PathBuf {
    build(&["--package", "flashwire-preload", "--example", "modem"]);
    folder().join("examples").join("modem")
}

/// The program that takes a target through a reset over our own serial link.
///
/// # Panics
/// If it does not build.
pub fn reset_example() -> PathBuf {
    build(&["--package", "flashwire-link", "--example", "reset"]);
    let name = format!("reset{}", env::consts::EXE_SUFFIX);
    folder().join("examples").join(name)
}

/// The program that does transfers with a device over our own I2C link.
///
/// # Panics
/// If it does not build.
pub fn i2c_example() -> PathBuf {
    build(&["--package", "flashwire-link", "--example", "i2c"]);
    let name = format!("i2c{}", env::consts::EXE_SUFFIX);
    folder().join("examples").join(name)
}

/// Where this profile's programs lie: beside this one, or above it if it is a test, which cargo
/// puts in `deps`.
fn folder() -> PathBuf {
    let program = env::current_exe().expect("a program knows where it lies");
    let folder = program.parent().expect("it lies in a folder");
    let above = folder.parent().filter(|_| folder.ends_with("deps"));
    above.unwrap_or(folder).to_owned()
}

/// Builds what the arguments of `cargo build` say, unless this process has done so.
fn build(what: &'static [&'static str]) {
    static BUILT: Mutex<Vec<&[&str]>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().expect("an earlier build failed");
    if built.contains(&what) {
        return;
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked"]).args(what);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = cargo.status().expect("cargo starts");
    assert!(status.success(), "cargo build {what:?}: {status}");
    built.push(what);
}
