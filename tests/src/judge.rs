//! Foreign tools that judge our simulators and our client.
//!
//! They run as installed, unmodified. A tool that is missing, or of another version than the one
//! that was measured, fails its test: `cargo xtask test --install` installs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longest that any run of a tool may take.
const LIMIT: Duration = Duration::from_secs(180);

/// How a tool's run ended.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code.
    pub code: i32,
    /// All that it printed, stdout first.
    pub said: String,
}

impl Outcome {
    /// # Panics
    /// With all that the tool said, if it did not succeed.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, 0, "{}", self.said);
        self.said
    }
}

/// Where stm32flash is.
pub fn stm32flash() -> PathBuf {
    in_path("stm32flash")
}

/// Where stm32loader is: the one that was installed for the tests.
///
/// # Panics
/// If it is not installed.
pub fn stm32loader() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let installed = root.join("target/python/bin/stm32loader");
    assert!(
        installed.is_file(),
        "stm32loader is not installed: cargo xtask test --install"
    );
    installed
}

/// Where flashrom is: outside of an ordinary user's PATH on Debian.
pub fn flashrom() -> PathBuf {
    let debian = Path::new("/usr/sbin/flashrom");
    if debian.is_file() {
        debian.to_owned()
    } else {
        in_path("flashrom")
    }
}

fn in_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: cargo xtask test --install"))
}

/// Runs a tool to its end.
///
/// # Panics
/// If it cannot be started, takes longer than three minutes, or is killed.
#[track_caller]
pub fn run(command: &mut Command) -> Outcome {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let id = child.id();
    let collected = thread::spawn(move || child.wait_with_output());
    let begun = Instant::now();
    while !collected.is_finished() {
        if begun.elapsed() > LIMIT {
            // Ours, and still running: its output is still open.
            let _ = Command::new("kill").arg(id.to_string()).status();
            panic!("{command:?} did not end within {LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = collected
        .join()
        .expect("collecting output does not panic")
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    Outcome {
        code: output
            .status
            .code()
            .unwrap_or_else(|| panic!("{command:?} was killed")),
        said: String::from_utf8_lossy(&said).into_owned(),
    }
}
