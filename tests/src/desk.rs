//! A folder of its own in which flashwire runs as a person would run it: with that person's files,
//! defaults and environment, and nothing of the real ones.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::built;

/// Longest that a command may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder with files, and what runs in it.
#[derive(Debug)]
pub struct Desk {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: String,
}

impl Ended {
    /// # Panics
    /// If the command ended with another exit code, or did not say this on standard error.
    #[track_caller]
    pub fn with(&self, code: i32, said: &str) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert!(
            self.err.contains(said),
            "{said:?} is missing in:\n{}",
            self.err
        );
        self
    }

    /// # Panics
    /// If the command did not end with exit code 0.
    #[track_caller]
    pub fn done(&self) -> &Self {
        self.with(0, "")
    }
}

impl Desk {
    /// An empty folder.
    ///
    /// # Panics
    /// If there is no room for it.
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        Self { folder }
    }

    /// A file in the folder, whether or not it is there.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders on the way to it.
    ///
    /// # Panics
    /// If that is not possible.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        let folder = path.parent().expect("it lies in the desk's folder");
        fs::create_dir_all(folder).expect("there is room for folders");
        fs::write(&path, content).expect("there is room for the test's files");
        path
    }

    /// The content of a file.
    ///
    /// # Panics
    /// If there is none.
    pub fn content(&self, name: &str) -> Vec<u8> {
        fs::read(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A program that runs here.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path());
        command.env("HOME", self.folder.path());
        for variable in [
            "XDG_STATE_HOME",
            "XDG_CONFIG_HOME",
            "FLASHWIRE_PORT",
            "NO_COLOR",
        ] {
            command.env_remove(variable);
        }
        command
    }

    /// flashwire with these words, to be run here.
    pub fn flashwire(&self, words: &[&str]) -> Command {
        let mut command = self.program(built::flashwire());
        command.args(words);
        command
    }

    /// Runs flashwire with these words to its end.
    ///
    /// # Panics
    /// If it hangs.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Ended {
        run(&mut self.flashwire(words))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Runs a command with nothing on standard input, unless it has something there, to its end.
///
/// # Panics
/// If it hangs.
#[track_caller]
pub fn run(command: &mut Command) -> Ended {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let id = child.id();
    let collected = std::thread::spawn(move || child.wait_with_output());
    let begun = Instant::now();
    while !collected.is_finished() {
        if begun.elapsed() > LIMIT {
            let _ = Command::new("kill")
                .args(["-KILL", &id.to_string()])
                .status();
            panic!("{command:?} did not end within {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = collected.join().expect("the thread only waits");
    let output = output.expect("the program was started");
    Ended {
        code: output.status.code(),
        out: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
