//! Power that fails in the middle of a job: at every moment at which the host says something, and
//! between two of them, on a board whose state lasts. Whatever is left, what the first run says of it
//! is true, the next run names it rightly, and the same job with `--unprotect` ends well.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;

use flashwire::images::{self, Firmware};
use flashwire::{
    Error, Exit, OpenOptions, Segment, Session, Unwatched, WriteOptions, WriteProtect,
};
use flashwire_tests::bench::noise;

/// A board on a desk: its flash and option bytes lie in files.
struct Board {
    folder: tempfile::TempDir,
    bench: &'static str,
}

/// What is done to a board.
type Job = fn(&mut Session) -> Result<(), Error>;

impl Board {
    fn new(bench: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, bench }
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("board.bin")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("board.bin.state")
    }

    fn options(&self, keys: &str) -> OpenOptions {
        let image = self.image();
        let port = format!("sim:{},image={}{keys}", self.bench, image.display());
        OpenOptions::new(port.parse().unwrap())
    }

    /// Does a job in a session of its own, and puts the board away.
    fn run(
        &self,
        options: OpenOptions,
        job: impl FnOnce(&mut Session) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut session = Session::open(options, &mut Unwatched)?;
        let done = job(&mut session);
        session.close().unwrap();
        done
    }

    /// What the files say: the level of the read protection, and the content.
    fn truth(&self) -> (bool, Vec<u8>) {
        let state = fs::read_to_string(self.state()).unwrap();
        let level = state
            .lines()
            .find_map(|line| line.split("read protection level ").nth(1));
        let protected = !level.unwrap().starts_with('0');
        (protected, fs::read(self.image()).unwrap())
    }
}

/// A log that can be looked at while it is written.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The moments at which something was sent, in microseconds.
    fn moments(&self) -> BTreeSet<u64> {
        let log = String::from_utf8(self.0.borrow().clone()).unwrap();
        let moment = |line: &str| {
            let mut words = line.split_whitespace();
            let time: f64 = words.next()?.parse().ok()?;
            (words.next()? == ">").then_some((time * 1e6) as u64)
        };
        log.lines().filter_map(moment).collect()
    }
}

/// What is written: a little more than a page, so that there are pages before and behind it.
fn firmware() -> Firmware {
    let segment = Segment {
        address: 0x0800_0400,
        data: noise(1500, 5),
    };
    Firmware::One(images::of(vec![segment]).unwrap())
}

fn write(session: &mut Session) -> Result<(), Error> {
    let firmware = firmware();
    let plan = |session: &mut Session| {
        session.plan_write(
            &firmware,
            "app.bin",
            &WriteOptions::default(),
            &mut Unwatched,
        )
    };
    let mut job = plan(session);
    if matches!(&job, Err(error) if error.exit() == Exit::Refused) {
        session.unprotect(&mut Unwatched)?;
        job = plan(session);
    }
    session.execute(&job?, &mut Unwatched).map(drop)
}

fn write_and_start(session: &mut Session) -> Result<(), Error> {
    write(session)?;
    session.run(Some(0x0800_0400)).map(drop)
}

fn erase(session: &mut Session) -> Result<(), Error> {
    let job = session.plan_erase(None, true)?;
    session.execute(&job, &mut Unwatched).map(drop)
}

fn protect(session: &mut Session) -> Result<(), Error> {
    session.readout_protect(&mut Unwatched)
}

fn write_protect(session: &mut Session) -> Result<(), Error> {
    let what = WriteProtect::All;
    session.write_protect(&what, &mut Unwatched).map(drop)
}

fn set_option(session: &mut Session) -> Result<(), Error> {
    let changes = [("nRST_STOP".to_owned(), 0)];
    session.set_option_bytes(&changes, &mut Unwatched).map(drop)
}

fn nothing(_: &mut Session) -> Result<(), Error> {
    Ok(())
}

/// Cuts the power of a board that `prepare` has prepared at every moment of `job`.
#[track_caller]
fn cut_everywhere(bench: &'static str, prepare: Job, job: Job) {
    let board = Board::new(bench);
    let old = noise(4096, 9);
    fs::write(board.image(), &old).unwrap();
    board.run(board.options(""), prepare).unwrap();
    let before = (
        fs::read(board.image()).unwrap(),
        fs::read(board.state()).unwrap(),
    );
    let restore = || {
        fs::write(board.image(), &before.0).unwrap();
        fs::write(board.state(), &before.1).unwrap();
    };

    let log = Log::default();
    let mut options = board.options("");
    options.log = Some(Box::new(log.clone()));
    board.run(options, job).unwrap();
    let moments = log.moments();
    assert!(moments.len() > 20, "a job of {} moments", moments.len());
    // At each of them, and half-way to the next.
    let halves = moments.iter().zip(moments.iter().skip(1));
    let halves: Vec<u64> = halves.map(|(one, next)| (one + next) / 2).collect();

    let mut failed = 0;
    for at in moments.iter().copied().chain(halves) {
        restore();
        let cut = board.run(board.options(&format!(",power-off-us={at}")), job);
        let (protected, flash) = board.truth();
        if let Err(error) = &cut {
            failed += 1;
            let code = error.hint().code;
            let silent = [
                "stm32-no-answer",
                "stm32-silent",
                "stm32-not-back",
                "stm32-nonsense",
            ];
            assert!(silent.contains(&code), "{at} us: {code}: {error}");
            let says_untouched = error
                .facts()
                .iter()
                .any(|fact| fact == "the flash is as it was");
            assert!(
                !says_untouched || flash == before.0,
                "{at} us: {error} says that the flash is as it was"
            );
        }

        // The next run sees what is there.
        board
            .run(board.options(""), |session| {
                let protection = session.protection()?;
                assert_eq!(protection.read, protected, "{at} us");
                let read = session.read(0x0800_0000..0x0800_0400, &mut Unwatched);
                match read {
                    Ok(found) => assert_eq!(found, flash[..0x400], "{at} us"),
                    Err(error) => {
                        assert!(protected, "{at} us: {error}");
                        assert_eq!(error.hint().code, "read-protected", "{at} us");
                    }
                }
                Ok(())
            })
            .unwrap();
        // And the one after it mends it.
        board.run(board.options(""), write).unwrap();
        let (protected, flash) = board.truth();
        assert!(!protected, "{at} us");
        let written = noise(1500, 5);
        assert_eq!(flash[0x400..0x400 + 1500], written, "{at} us");
    }
    assert!(failed > 20, "only {failed} cuts were noticed");
}

#[test]
fn a_write_that_removes_the_read_protection_survives_a_cut_at_any_moment() {
    cut_everywhere("stm32f103c8", protect, write);
}

#[test]
fn a_write_that_removes_the_write_protection_survives_a_cut_at_any_moment() {
    cut_everywhere("stm32f103c8", write_protect, write);
    cut_everywhere("stm32g071rb", write_protect, write);
}

#[test]
fn a_plain_write_and_its_start_survive_a_cut_at_any_moment() {
    cut_everywhere("stm32f103c8", nothing, write_and_start);
    cut_everywhere("stm32g071rb", nothing, write_and_start);
}

#[test]
fn an_erase_survives_a_cut_at_any_moment() {
    cut_everywhere("stm32f103c8", nothing, erase);
}

#[test]
fn setting_a_protection_survives_a_cut_at_any_moment() {
    cut_everywhere("stm32f103c8", nothing, protect);
    cut_everywhere("stm32f103c8", nothing, write_protect);
}

#[test]
fn a_change_of_option_bytes_survives_a_cut_at_any_moment() {
    cut_everywhere("stm32f103c8", nothing, set_option);
    cut_everywhere("stm32g071rb", nothing, set_option);
}
