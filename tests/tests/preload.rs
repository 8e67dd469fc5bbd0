//! The preload library: programs that know nothing of it find parity and modem lines at a
//! pseudo-terminal, and nowhere else.

#![cfg(target_os = "linux")]

use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread;

use flashwire_tests::{built, preload};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A pseudo-terminal with somebody who listens for its lines.
struct Bench {
    folder: tempfile::TempDir,
    events: mpsc::Receiver<String>,
    _controller: OwnedFd,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = folder.path().join("port");
        let (controller, terminal) = pseudo_terminal();
        symlink(terminal, &port).unwrap();

        let socket = UnixDatagram::bind(preload::socket(&port)).unwrap();
        let (heard, events) = mpsc::channel();
        thread::spawn(move || {
            let mut event = [0; 100];
            while let Ok((length, sender)) = socket.recv_from(&mut event) {
                let text = String::from_utf8_lossy(&event[..length]).into_owned();
                // The test may have ended.
                let _ = heard.send(text);
                let _ = socket.send_to_addr(b"done", &sender);
            }
        });
        Self {
            folder,
            events,
            _controller: controller,
        }
    }

    fn port(&self) -> PathBuf {
        self.folder.path().join("port")
    }

    /// Runs the program under the preload library.
    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments);
        preload::into(&mut command, &self.port());
        command.output().unwrap()
    }

    /// What was heard so far.
    fn events(&self) -> Vec<String> {
        self.events.try_iter().collect()
    }
}

fn pseudo_terminal() -> (OwnedFd, String) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let terminal = ptsname(&controller, Vec::new()).unwrap();
    (controller, terminal.into_string().unwrap())
}

fn stty(bench: &Bench, arguments: &[&str]) -> String {
    let port = bench.port();
    let mut all = vec!["-F", port.to_str().unwrap()];
    all.extend(arguments);
    let output = bench.run(Path::new("stty"), &all);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "stty {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn parity_is_kept_and_heard() {
    let bench = Bench::new();
    // stty reads the settings back and fails if they are not what it has set.
    stty(&bench, &["115200", "parenb", "-parodd"]);
    stty(&bench, &["57600", "parenb", "parodd", "cstopb"]);
    stty(&bench, &["9600", "-parenb", "-cstopb"]);

    let settings = |event: &String| event.starts_with("settings");
    let heard: Vec<_> = bench.events().into_iter().filter(settings).collect();
    assert_eq!(
        heard,
        [
            "settings 115200 8E1",
            "settings 57600 8O2",
            "settings 9600 8N1"
        ]
    );
}

#[test]
fn lines_and_breaks_are_heard_in_order() {
    let bench = Bench::new();
    let output = bench.run(&built::modem(), &[bench.port().to_str().unwrap()]);
    let (said, failed) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{failed}");
    assert_eq!(
        String::from_utf8(said).unwrap(),
        "dtr on rts on\ndtr off rts on\ndtr on rts on\ndtr off rts on\n"
    );
    assert_eq!(
        bench.events(),
        [
            "lines dtr=1 rts=1",
            "lines dtr=0 rts=1",
            "lines dtr=1 rts=1",
            "lines dtr=0 rts=1",
            "break on",
            "break off",
            "break on",
            "break off",
        ]
    );
}

#[test]
fn our_own_link_has_parity_and_moves_lines_together_on_such_a_port() {
    let bench = Bench::new();
    let port = bench.port();
    let output = bench.run(
        &built::reset_example(),
        &[port.to_str().unwrap(), "one-click"],
    );
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{failed}");
    // It warns of nothing.
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "dtr=!nrst,rts=!boot0: +rts&-dtr,100ms,+dtr,100ms\n\
         back: +rts&-dtr,100ms,-rts,10ms,+dtr\n"
    );
    let events = bench.events();
    // Opening raises both lines, as on a real port.
    assert_eq!(events[0], "lines dtr=1 rts=1");
    let moves = |event: &&String| event.starts_with("lines");
    let first = 1 + events[1..].iter().position(|event| moves(&event)).unwrap();
    assert_eq!(events[first - 1], "settings 115200 8E1");
    assert_eq!(
        events[first..],
        [
            "lines dtr=0 rts=1",
            // Whoever moves lines wants them to stay when the port is closed: HUPCL is cleared.
            "settings 115200 8E1",
            "lines dtr=1 rts=1",
            "lines dtr=0 rts=1",
            "lines dtr=0 rts=0",
            "lines dtr=1 rts=0",
        ]
    );
}

#[test]
fn other_terminals_stay_as_they_are() {
    let bench = Bench::new();
    let (_controller, other) = pseudo_terminal();
    let output = bench.run(&built::modem(), &[&other]);
    assert!(!output.status.success());
    assert_eq!(bench.events(), [""; 0]);
}

#[test]
fn a_bench_that_is_gone_fails_the_call() {
    let bench = Bench::new();
    std::fs::remove_file(preload::socket(&bench.port())).unwrap();
    let output = bench.run(&built::modem(), &[bench.port().to_str().unwrap()]);
    assert!(!output.status.success());
}
