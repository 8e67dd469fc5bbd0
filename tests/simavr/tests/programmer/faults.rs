//! What becomes of a job when a byte is lost, garbled or doubled on its way, or the board is reset:
//! it never reports as right what is wrong, and the next one finds a programmer that works.

use std::ops::{ControlFlow, Range};
use std::thread;
use std::time::Duration;

use flashwire_client::{nfd, serprog, spinor};
use flashwire_link::{
    Deadline, Direction, Fault, FaultKind, Faults, Instant, LineChange, Link, LinkError, Settings,
};
use flashwire_plan::FlashDevice;
use flashwire_sim::nor;
use flashwire_simavr::{Config, Drive, Uno};
use flashwire_tests::bench::noise;

use crate::desk::{Build, CHIP_BYTES, Desk, chip};

/// Longer than any of these jobs takes with all its time-outs and retries.
const LIMIT: Duration = Duration::from_secs(60);

/// Where the jobs write: across the end of a page.
const START: usize = 0x1_00F8;

/// How many bytes.
const BYTES: usize = 16;

/// The erase unit that they write in.
const UNIT: Range<usize> = 0x1_0000..0x1_1000;

/// What the jobs speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Serprog,
    /// Serprog without this project's extensions.
    Plain,
    Nfd,
}

impl Language {
    fn build(self) -> Build {
        match self {
            Self::Serprog | Self::Plain => Build::Baud1M,
            Self::Nfd => Build::Baud115200,
        }
    }

    /// A board with a chip that is hardly ever busy: few polls make few bytes.
    fn desk(self) -> Desk {
        let chip = chip(nor::Pace::Percent(1));
        Desk::with(self.build(), Config::default(), Some(chip))
    }

    /// Finds the chip.
    fn open(self, link: Box<dyn Link>) -> Result<Box<dyn FlashDevice>, String> {
        let parts = spinor::Parts::built_in();
        if self == Self::Nfd {
            let client = nfd::Client::open(link, nfd::Options::default()).map_err(told)?;
            let options = nfd::ChipOptions::default();
            let chip = nfd::Chip::open(client, &parts, &options).map_err(told)?;
            return Ok(Box::new(chip));
        }
        let options = serprog::Options {
            plain: self == Self::Plain,
            ..serprog::Options::default()
        };
        let client = serprog::Client::open(link, options).map_err(told)?;
        let options = spinor::Options::default();
        let chip = spinor::Chip::open(Box::new(client), &parts, options).map_err(told)?;
        Ok(Box::new(chip))
    }

    /// Erases a unit, writes something into it and verifies that.
    fn run(self, link: Box<dyn Link>) -> Result<(), String> {
        let mut chip = self.open(link)?;
        let data = noise(BYTES, 8);
        let nothing = &mut |_| ControlFlow::Continue(());
        let mut units = chip.geometry().erase_kinds[0].units(0);
        let unit = units.find(|unit| unit.end > START as u64).unwrap();
        drop(units);
        chip.erase(&[unit], nothing).map_err(told)?;
        chip.program(START as u64, &data, nothing).map_err(told)?;
        match chip.compare(START as u64, &data, nothing).map_err(told)? {
            Some(mismatch) => Err(told(mismatch)),
            None => Ok(()),
        }
    }
}

fn told(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

/// What the chip holds when a job is done.
fn wanted() -> Vec<u8> {
    let mut wanted = noise(CHIP_BYTES, 1);
    wanted[UNIT].fill(0xFF);
    wanted[START..][..BYTES].copy_from_slice(&noise(BYTES, 8));
    wanted
}

/// Runs a job with one fault, and once more after it, and checks all that must hold. Whether the
/// first reached its end.
fn run_with(language: Language, what: &str, damaged: impl FnOnce(&Desk) -> Box<dyn Link>) -> bool {
    let what = format!("{language:?}, {what}");
    let desk = language.desk();
    let first = language.run(damaged(&desk));
    let took = desk.uno.machine().now();
    assert!(took < LIMIT, "{what}: {took:?}, {first:?}");
    if first.is_ok() {
        assert!(
            desk.memory() == wanted(),
            "{what}: wrong and reported as right"
        );
    }
    let second = language.run(desk.open());
    assert!(second.is_ok(), "{what}: {first:?}, then {second:?}");
    assert!(desk.memory()[START..][..BYTES] == noise(BYTES, 8), "{what}");
    let report = desk.uno.machine().report();
    assert_eq!(
        (report.watchdog_resets, report.traffic.overruns),
        (0, 0),
        "{what}"
    );
    assert_eq!(report.complaints, [], "{what}");
    first.is_ok()
}

/// How many bytes a job sends and receives that nothing happens to.
fn length(language: Language) -> [u64; 2] {
    let desk = language.desk();
    let link = Box::new(Faults::new(
        desk.uno.open(language.build().baud()),
        Vec::new(),
    ));
    language.run(link).unwrap();
    assert!(desk.memory() == wanted());
    let traffic = desk.uno.machine().report().traffic;
    [traffic.read + traffic.missed, traffic.sent]
}

/// One byte in `every` that the host sends and one in sixteen that it receives, one after the other,
/// on two threads: the same machine takes every fault at every byte in the bench's own time. The job
/// has to reach its end in so many percent of the cases at least: what cannot be repaired is told.
fn run_with_one_in(every: usize, language: Language, kind: FaultKind, least_percent: usize) {
    let [sent, received] = length(language);
    let faults: Vec<Fault> = (0..sent)
        .step_by(every)
        .map(|byte| (byte, Direction::Out))
        .chain((0..received).step_by(16).map(|byte| (byte, Direction::In)))
        .map(|(byte, direction)| Fault {
            kind,
            byte,
            direction: Some(direction),
        })
        .collect();
    let run = |fault: &Fault| {
        run_with(language, &fault.to_string(), |desk| {
            let link = desk.uno.open(language.build().baud());
            Box::new(Faults::new(link, vec![*fault]))
        })
    };
    let done: usize = thread::scope(|scope| {
        let halves = faults.chunks(faults.len().div_ceil(2));
        let threads: Vec<_> = halves
            .map(|half| scope.spawn(move || half.iter().filter(|fault| run(fault)).count()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    println!(
        "{language:?}, {kind:?}: {done} of {} were got over",
        faults.len()
    );
    assert!(
        done * 100 >= faults.len() * least_percent,
        "{done} of {}",
        faults.len()
    );
}

#[test]
fn our_extensions_get_over_a_byte_that_is_lost() {
    run_with_one_in(1, Language::Serprog, FaultKind::Drop, 90);
}

#[test]
fn our_extensions_get_over_a_byte_that_is_doubled() {
    run_with_one_in(8, Language::Serprog, FaultKind::Double, 90);
}

#[test]
fn our_extensions_or_the_verify_see_a_byte_that_is_garbled() {
    run_with_one_in(8, Language::Serprog, FaultKind::Flip, 80);
}

/// At how many places of a job the board is reset.
const RESETS: usize = 8;

/// A cable whose board is reset after so many bytes of the host have left.
struct Shaken {
    link: Box<dyn Link>,
    uno: Uno,
    /// Bytes until then.
    left: Option<u64>,
}

impl Link for Shaken {
    fn name(&self) -> &str {
        self.link.name()
    }

    fn now(&self) -> Instant {
        self.link.now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        match self.left {
            Some(left) if left < bytes.len() as u64 => {
                let (before, after) = bytes.split_at(left as usize);
                self.link.send(before)?;
                let sent_by = self.uno.machine().sent_by();
                let now = self.uno.machine().now();
                self.link.pause(sent_by.saturating_sub(now))?;
                self.uno.machine_mut().reset();
                self.left = None;
                self.link.send(after)
            }
            left => {
                self.left = left.map(|left| left - bytes.len() as u64);
                self.link.send(bytes)
            }
        }
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        self.link.recv(buffer, deadline)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.link.pause(duration)
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.link.configure(settings)
    }

    fn settings(&self) -> Settings {
        self.link.settings()
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        self.link.lines(changes)
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.link.discard_input()
    }

    fn real_time(&self) -> bool {
        false
    }
}

#[test]
fn a_reset_in_the_middle_of_a_job_is_got_over_or_told() {
    for language in [Language::Serprog, Language::Plain, Language::Nfd] {
        let [sent, _] = length(language);
        let mut done = 0;
        let places = (0..sent).step_by((sent as usize / RESETS).max(1));
        for left in places {
            let what = format!("reset after {left} bytes");
            done += u64::from(run_with(language, &what, |desk| {
                Box::new(Shaken {
                    link: desk.open(),
                    uno: desk.uno.clone(),
                    left: Some(left),
                })
            }));
        }
        println!("{language:?}: {done} resets were got over");
    }
}

/// A page program in plain serprog whose data is nothing but the letter that erases the chip in
/// nfd's protocol.
fn page_of_erases() -> Vec<u8> {
    const O_SPIOP: u8 = 0x13;
    let head = [O_SPIOP, 4, 1, 0, 0, 0, 0, 0x02, 0x00, 0x10, 0x00];
    [&head[..], &[b'n'; 256]].concat()
}

/// A board whose host has begun with serprog, and has sent WREN.
fn armed(desk: &Desk) -> Box<dyn Link> {
    let mut link = desk.open();
    link.pause(Duration::from_millis(50)).unwrap();
    // SYNCNOP, S_PIN_STATE 1, O_SPIOP of WREN.
    link.send(&[0x10, 0x15, 1, 0x13, 1, 0, 0, 0, 0, 0, 0x06])
        .unwrap();
    let mut answer = [0; 4];
    let deadline = link.deadline(Duration::from_millis(100));
    assert_eq!(link.recv_all(&mut answer, deadline).unwrap(), 4);
    assert_eq!(answer, [0x15, 0x06, 0x06, 0x06]);
    link
}

/// Nothing was erased, and nothing but the page was touched.
#[track_caller]
fn nothing_is_erased(desk: &Desk, what: &str) {
    let machine = desk.uno.machine();
    let chip = machine.chip().unwrap();
    assert_eq!(chip.activity().erases, 0, "{what}");
    let old = noise(CHIP_BYTES, 1);
    assert!(chip.memory()[..0x1000] == old[..0x1000], "{what}");
    assert!(chip.memory()[0x1100..] == old[0x1100..], "{what}");
}

#[test]
fn a_byte_lost_from_a_page_of_n_never_erases_the_chip() {
    let page = page_of_erases();
    for lost in 0..page.len() {
        let desk = Desk::new(Build::Baud2M);
        let mut link = armed(&desk);
        let bytes = [&page[..lost], &page[lost + 1..]].concat();
        link.send(&bytes).unwrap();
        link.pause(Duration::from_millis(20)).unwrap();
        // Whatever it waits for, it gets: more of the letter.
        link.send(&[b'n'; 64]).unwrap();
        link.pause(Duration::from_millis(20)).unwrap();
        nothing_is_erased(&desk, &format!("byte {lost} lost"));
    }
}

#[test]
fn a_board_that_is_reset_in_a_page_of_n_never_erases_the_chip() {
    let page = page_of_erases();
    for sent in (0..page.len()).step_by(7) {
        let desk = Desk::new(Build::Baud2M);
        let mut link = armed(&desk);
        link.send(&page[..sent]).unwrap();
        link.pause(Duration::from_micros(sent as u64 * 5)).unwrap();
        desk.uno.machine_mut().reset();
        link.send(&page[sent..]).unwrap();
        link.pause(Duration::from_millis(30)).unwrap();
        nothing_is_erased(&desk, &format!("reset after {sent} bytes"));
    }
}

#[test]
fn the_letter_erases_the_chip_of_a_host_that_begins_with_it() {
    // What the two tests above would see.
    let desk = Language::Nfd.desk();
    let mut link = desk.open();
    link.pause(Duration::from_millis(50)).unwrap();
    link.send(b"n").unwrap();
    link.pause(Duration::from_millis(100)).unwrap();
    assert_eq!(desk.uno.machine().chip().unwrap().activity().erases, 1);
}

#[test]
fn without_a_chip_both_clients_say_so() {
    for language in [Language::Serprog, Language::Plain, Language::Nfd] {
        let desk = Desk::with(language.build(), Config::default(), None);
        let error = language.run(desk.open()).unwrap_err();
        assert!(error.contains("AllOnes"), "{language:?}: {error}");
        desk.is_flawless();
    }
}

#[test]
fn a_protected_chip_is_never_reported_as_written() {
    for language in [Language::Serprog, Language::Plain, Language::Nfd] {
        let desk = language.desk();
        desk.uno
            .machine_mut()
            .chip_mut()
            .unwrap()
            .set_register(0, 0x1C);
        let old = desk.memory();
        let error = language.run(desk.open()).unwrap_err();
        println!("{language:?}: {error}");
        assert!(desk.memory() == old, "{language:?}");
    }
}

#[test]
fn both_clients_do_their_jobs_and_leave_the_pins_alone() {
    for language in [Language::Serprog, Language::Plain, Language::Nfd] {
        let desk = language.desk();
        language.run(desk.open()).unwrap();
        assert!(desk.memory() == wanted(), "{language:?}");
        if language != Language::Nfd {
            let pins = [10, 11, 13].map(|pin| desk.uno.machine().drive(pin));
            assert_eq!(pins, [Drive::Released; 3], "{language:?}");
        }
        desk.is_flawless();
    }
}
