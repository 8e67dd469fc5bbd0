//! A serprog programmer with a chip clipped to it, on a TCP port in real time, for programs that
//! know nothing of it.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use flashwire_link::CancelFlag;
use flashwire_sim::nor::Activity;
use flashwire_sim::serve::{Limits, Listen, Server};
use tempfile::TempDir;

/// A programmer that is served until [`finish`](Self::finish).
#[derive(Debug)]
pub struct Clipped {
    folder: TempDir,
    address: String,
    stop: CancelFlag,
    server: Option<JoinHandle<Remains>>,
}

/// What was on the bench when its server ended.
#[derive(Debug)]
pub struct Remains {
    /// The content of the chip.
    pub flash: Vec<u8>,
    /// The chip's status registers.
    pub registers: Vec<u8>,
    /// Whether the programmer's pins are driven.
    pub outputs: bool,
    /// What was done to the chip.
    pub activity: Activity,
    /// What chip and programmer held against their hosts.
    pub complaints: Vec<String>,
}

impl Clipped {
    /// Serves the bench that stands behind `sim:` in a port. Its chip begins with `content`.
    ///
    /// # Panics
    /// If there is no such bench.
    pub fn open(spec: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let image = folder.path().join("chip.bin");
        fs::write(&image, content).expect("there is room for the chip's content");
        let spec = format!("{spec},image={}", image.display());
        let listen = Listen::Tcp("127.0.0.1:0".to_owned());
        let stop = CancelFlag::new();

        // The bench lives in its thread; what is left of it comes back as data.
        let (ready, is_ready) = mpsc::channel();
        let flag = stop.clone();
        let server = thread::spawn(move || {
            let mut server = Server::open(&spec, &listen).expect("the bench can be served");
            ready.send(server.place()).expect("the test waits for it");
            server
                .run(&flag, Limits::default())
                .expect("the port holds");
            let bench = server.bench();
            let programmer = bench.programmer().expect("it is a serprog bench");
            Remains {
                flash: bench.flash().to_vec(),
                registers: programmer.chip().registers().to_vec(),
                outputs: programmer.board().outputs(),
                activity: programmer.chip().activity(),
                complaints: bench.complaints().iter().map(ToString::to_string).collect(),
            }
        });
        let place = is_ready.recv().expect("the bench can be served");
        let address = place.strip_prefix("tcp:").expect("it listens on TCP");
        Self {
            folder,
            address: address.to_owned(),
            stop,
            server: Some(server),
        }
    }

    /// Where it listens: `ADDRESS:PORT`.
    pub fn address(&self) -> &str {
        &self.address
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

impl Drop for Clipped {
    fn drop(&mut self) {
        self.stop.raise();
    }
}
