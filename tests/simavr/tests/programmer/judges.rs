//! flashrom, which takes the board for hardware: over TCP, and over a pseudo-terminal whose speed it
//! sets. Opening either resets the board.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flashwire_link::CancelFlag;
use flashwire_sim::nor::{self, Activity};
use flashwire_sim::serve::Listen;
use flashwire_simavr::bridge::{Bridge, Limits, Pace};
use flashwire_simavr::{Config, Machine, Report};
use flashwire_tests::bench::noise;
use flashwire_tests::judge;
use tempfile::TempDir;

use crate::desk::{Build, CHIP_BYTES, STACK_BYTES, chip};

/// The longest that any bridge is open.
const LONGEST: Duration = Duration::from_secs(240);

/// How long the chip is busy, in percent of its typical times: flashrom's own sleeps are what takes
/// time here.
const BUSY: nor::Pace = nor::Pace::Percent(5);

/// A board that programs can open until [`finish`](Self::finish).
struct Opened {
    place: String,
    folder: TempDir,
    stop: CancelFlag,
    thread: Option<JoinHandle<Remains>>,
}

/// What was there at the end.
struct Remains {
    flash: Vec<u8>,
    activity: Activity,
    report: Report,
}

/// How programs reach the board.
#[derive(Clone, Copy)]
enum Way {
    Tcp,
    Terminal,
}

impl Opened {
    /// A board with that build, and a W25Q80BV that holds noise.
    fn new(build: Build, way: Way) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = match way {
            Way::Tcp => Listen::Tcp("127.0.0.1:0".to_owned()),
            Way::Terminal => Listen::Pty(folder.path().join("tty")),
        };
        let stop = CancelFlag::new();
        let limits = Limits {
            time: Some(LONGEST),
            stop: stop.clone(),
            ..Limits::default()
        };
        let (ready, is_ready) = mpsc::channel();
        // The board lives in its thread; what is left of it comes back as data.
        let thread = thread::spawn(move || {
            let config = Config {
                baud: build.baud(),
                ..Config::default()
            };
            let image = fs::read(build.image()).expect("the image is committed");
            let machine = Machine::new(&image, config, Some(chip(BUSY))).expect("it fits");
            let mut bridge = Bridge::listen(machine, &listen, Pace::Fast).expect("a port");
            ready.send(bridge.place()).expect("the test waits");
            bridge.run(&limits).expect("the program holds");
            let machine = bridge.machine();
            let chip = machine.chip().expect("there is a chip");
            Remains {
                flash: chip.memory().to_vec(),
                activity: chip.activity(),
                report: machine.report(),
            }
        });
        let place = is_ready.recv().expect("the board starts");
        let programmer = match place.strip_prefix("tcp:") {
            Some(address) => format!("serprog:ip={address}"),
            None => format!("serprog:dev={place}:{}", build.baud()),
        };
        Self {
            place: programmer,
            folder,
            stop,
            thread: Some(thread),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs flashrom, which has to succeed.
    fn flashrom(&self, job: &[&str], file: Option<&Path>) -> String {
        let mut command = Command::new(judge::flashrom());
        command.args(["-p", &self.place]).args(job).args(file);
        judge::run(&mut command).success()
    }

    fn finish(mut self) -> Remains {
        self.stop.raise();
        let thread = self.thread.take().expect("it is finished once");
        thread.join().expect("the program held until its end")
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.stop.raise();
    }
}

/// Nothing but the content is worth a word.
#[track_caller]
fn is_flawless(remains: &Remains, content: &[u8]) {
    assert!(remains.flash == content, "the content differs");
    let report = &remains.report;
    assert_eq!(report.complaints, []);
    assert_eq!(report.chip_complaints, [""; 0]);
    let traffic = report.traffic;
    assert_eq!((traffic.overruns, traffic.framing_errors), (0, 0));
    assert_eq!(report.watchdog_resets, 0);
    assert!(
        report.stack_bytes <= STACK_BYTES,
        "{} bytes",
        report.stack_bytes
    );
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn flashrom_finds_the_chip_at_every_speed_of_the_line() {
    for build in Build::ALL {
        for way in [Way::Tcp, Way::Terminal] {
            let board = Opened::new(build, way);
            let said = board.flashrom(&[], None);
            let found = "\"W25Q80.V\" (1024 kB, SPI) on serprog";
            assert!(said.contains(found), "{build:?}: {said}");
            is_flawless(&board.finish(), &noise(CHIP_BYTES, 1));
        }
    }
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn flashrom_reads_all_of_a_chip_and_writes_what_has_changed() {
    for way in [Way::Tcp, Way::Terminal] {
        let board = Opened::new(Build::Baud2M, way);
        let (read, new) = (board.path("read"), board.path("new"));
        board.flashrom(&["-c", "W25Q80.V", "-r"], Some(&read));
        assert!(
            fs::read(&read).unwrap() == noise(CHIP_BYTES, 1),
            "what was read differs"
        );

        let mut content = noise(CHIP_BYTES, 1);
        content[0x4_0000..0x5_0000].copy_from_slice(&noise(0x1_0000, 2));
        fs::write(&new, &content).unwrap();
        let said = board.flashrom(&["-c", "W25Q80.V", "-w"], Some(&new));
        assert!(said.contains("VERIFIED"), "{said}");
        let remains = board.finish();
        is_flawless(&remains, &content);
        let Activity {
            programs, erases, ..
        } = remains.activity;
        assert_eq!((programs, erases), (256, 16), "64 KiB and no more");
    }
}
