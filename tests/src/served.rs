//! A bench on a pseudo-terminal, in real time, for programs that know nothing of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use flashwire_link::CancelFlag;
use flashwire_sim::serve::{Limits, Listen, Server};
use flashwire_sim::stm32::ChipState;
use tempfile::TempDir;

use crate::preload;

/// A bench that is served until [`finish`](Self::finish).
#[derive(Debug)]
pub struct Served {
    folder: TempDir,
    stop: CancelFlag,
    server: Option<JoinHandle<Remains>>,
}

/// What was on the bench when its server ended.
#[derive(Debug)]
pub struct Remains {
    /// The content of the whole flash.
    pub flash: Vec<u8>,
    /// What the chip was doing.
    pub state: ChipState,
    /// What the chip held against its hosts.
    pub complaints: Vec<String>,
}

impl Served {
    /// Serves the bench that stands behind `sim:` in a port. Its flash begins with `content`.
    ///
    /// # Panics
    /// If there is no such bench.
    pub fn open(spec: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let image = folder.path().join("board.bin");
        fs::write(&image, content).expect("there is room for the board's content");
        let spec = format!("{spec},image={}", image.display());
        let listen = Listen::Pty(folder.path().join("port"));
        let stop = CancelFlag::new();

        // The bench lives in its thread; what is left of it comes back as data.
        let (ready, is_ready) = mpsc::channel();
        let flag = stop.clone();
        let server = thread::spawn(move || {
            let mut server = Server::open(&spec, &listen).expect("the bench can be served");
            ready.send(()).expect("the test waits for it");
            server
                .run(&flag, Limits::default())
                .expect("the port holds");
            let bench = server.bench();
            let chip = bench.chip().expect("it is an STM32 bench");
            Remains {
                flash: bench.flash().to_vec(),
                state: chip.state(),
                complaints: bench.complaints().iter().map(ToString::to_string).collect(),
            }
        });
        is_ready.recv().expect("the bench can be served");
        Self {
            folder,
            stop,
            server: Some(server),
        }
    }

    /// What a program opens.
    pub fn port(&self) -> PathBuf {
        self.folder.path().join("port")
    }

    /// A path for a file of the test, gone with the bench.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the test.
    ///
    /// # Panics
    /// If that is not possible.
    pub fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, content).expect("there is room for the test's files");
        path
    }

    /// A program that finds a serial port with parity and modem lines where the bench is.
    pub fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        preload::into(&mut command, &self.port());
        command
    }

    /// Ends the server.
    ///
    /// # Panics
    /// If the server had failed.
    pub fn finish(mut self) -> Remains {
        self.stop.raise();
        let server = self.server.take().expect("it is finished once");
        server.join().expect("the server held until its end")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.raise();
    }
}
