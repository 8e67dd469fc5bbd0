//! avrdude 7.1 (Debian), unmodified, judges the simulated Arduino boards on a pseudo-terminal: it
//! writes, reads and verifies both of them. And it judges flashwire: what one of them wrote the other
//! one finds.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use flashwire_link::CancelFlag;
use flashwire_sim::serve::{Limits, Listen, Server};
use flashwire_tests::bench::noise;
use flashwire_tests::desk::Desk;
use flashwire_tests::judge;

/// Each board, and the speed of its loader.
const BOARDS: [(&str, u32); 2] = [("arduino-uno", 115_200), ("arduino-nano-old", 57_600)];

/// A board on a pseudo-terminal.
struct Board {
    folder: tempfile::TempDir,
    stop: CancelFlag,
    server: Option<JoinHandle<Vec<String>>>,
}

impl Board {
    fn open(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let spec = format!("{name},image={}", folder.path().join("board.bin").display());
        let listen = Listen::Pty(folder.path().join("port"));
        let stop = CancelFlag::new();
        let flag = stop.clone();
        let (ready, is_ready) = mpsc::channel();
        let server = thread::spawn(move || {
            let mut server = Server::open(&spec, &listen).expect("the bench can be served");
            ready.send(()).expect("the test waits for it");
            server.run(&flag, Limits::default()).expect("it is served");
            let complaints = server.bench().complaints().iter();
            let complaints = complaints.map(ToString::to_string).collect();
            server.close().expect("its file can be written");
            complaints
        });
        is_ready.recv().expect("the server is there");
        Self {
            folder,
            stop,
            server: Some(server),
        }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// A run of avrdude with what is asked of the flash.
    fn avrdude(&self, baud: u32, job: &str, file: &Path) {
        let mut command = Command::new("avrdude");
        command.args(["-c", "arduino", "-p", "m328p", "-b", &baud.to_string()]);
        command.arg("-P").arg(self.file("port"));
        let job = format!("flash:{job}:{}:r", file.display());
        judge::run(command.args(["-U", &job])).success();
    }

    /// Ends the server. Returns its flash, and what it held against its hosts.
    fn finish(mut self) -> (Vec<u8>, Vec<String>) {
        self.stop.raise();
        let server = self.server.take().expect("it runs until here");
        let complaints = server.join().expect("the server ends well");
        let flash = fs::read(self.file("board.bin")).expect("its content");
        (flash, complaints)
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.stop.raise();
    }
}

#[test]
#[ignore = "needs avrdude"]
fn avrdude_writes_verifies_and_reads_both_boards() {
    for (name, baud) in BOARDS {
        let board = Board::open(name);
        let content = noise(5000, 9);
        let sketch = board.file("sketch.bin");
        fs::write(&sketch, &content).expect("there is room");
        // It verifies by itself.
        board.avrdude(baud, "w", &sketch);
        let copy = board.file("copy.bin");
        board.avrdude(baud, "r", &copy);
        let copy = fs::read(copy).expect("avrdude wrote it");
        let (flash, complaints) = board.finish();
        assert_eq!(flash[..5000], content, "{name}");
        assert_eq!(copy[..5000], content, "{name}");
        // What it reads of the loader's section is what stands for a loader.
        assert_eq!(flash[0x7FFE..], [0xFF, 0xCF]);
        assert_eq!(complaints, [""; 0], "{name}");
    }
}

#[test]
#[ignore = "needs avrdude"]
fn what_flashwire_writes_avrdude_finds_and_the_other_way_round() {
    for (name, baud) in BOARDS {
        let board = Board::open(name);
        let desk = Desk::new();
        let content = noise(3000, 4);
        let sketch = desk.put("sketch.bin", &content);
        let port = format!("stk500:{}", board.file("port").display());
        // A pseudo-terminal has no line that resets: only the first speed that is tried has a chance.
        let speed = baud.to_string();
        let how = ["sketch.bin", "-p", &port, "-b", &speed];
        desk.run(&[&["write", "--no-backup"], &how[..]].concat())
            .done();
        board.avrdude(baud, "v", &sketch);

        let other = noise(4000, 5);
        fs::write(&sketch, &other).expect("there is room");
        board.avrdude(baud, "w", &sketch);
        desk.run(&[&["verify"], &how[..]].concat()).done();
        let (flash, complaints) = board.finish();
        assert_eq!(flash[..4000], other, "{name}");
        assert_eq!(complaints, [""; 0], "{name}");
    }
}
