//! A small job over a wire that damages one byte: every byte, every kind of damage. It never hangs,
//! never reports as right what is wrong, and the next run finds a programmer that works.

use std::ops::{ControlFlow, Range};
use std::time::Duration;

use flashwire_client::serprog;
use flashwire_client::spinor::{self, Chip, Parts};
use flashwire_link::Link;
use flashwire_plan::{Failure, FlashDevice, Mismatch};
use flashwire_tests::bench::{Bench, noise};

/// Longer than any of these jobs takes with all its time-outs and retries.
const LIMIT: Duration = Duration::from_secs(40);

/// Where the job writes: across the end of a page.
const START: usize = 0x1_00F0;

/// How many bytes.
const BYTES: usize = 24;

/// The erase unit that it writes in.
const UNIT: Range<usize> = 0x1_0000..0x1_1000;

/// Size of the chips.
const CHIP_BYTES: usize = 1 << 20;

/// How much of the chip holds something before.
const OLD_BYTES: usize = 0x2_0000;

/// How a job ended that did not reach its end.
#[derive(Debug)]
enum Ended {
    Programmer(serprog::Error),
    Chip(spinor::Error),
    Mismatch(#[expect(dead_code, reason = "shown where a test fails")] Mismatch),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Device(error) => Self::Chip(*error.downcast().unwrap()),
            Failure::Stopped => panic!("nobody asked to stop"),
        }
    }
}

/// A job, and the bench on which it is done.
struct Job {
    bench: &'static str,
    plain: bool,
    has_pin_state: bool,
    parts: Parts,
    data: Vec<u8>,
    /// What the chip holds before, in its lower part.
    old: Vec<u8>,
    /// What all of it holds after.
    wanted: Vec<u8>,
}

impl Job {
    fn new(bench: &'static str, plain: bool) -> Self {
        let data = noise(BYTES, 8);
        let old = noise(OLD_BYTES, 7);
        let mut wanted = old.clone();
        wanted[UNIT].fill(0xFF);
        wanted[START..][..BYTES].copy_from_slice(&data);
        wanted.resize(CHIP_BYTES, 0xFF);
        Self {
            bench,
            plain,
            has_pin_state: bench.starts_with("serprog+"),
            parts: Parts::built_in(),
            data,
            old,
            wanted,
        }
    }

    /// A bench whose wire has these faults.
    fn bench(&self, faults: &str) -> Bench {
        // Few polls make few bytes.
        let bench = Bench::open(&format!("{},flash-percent=1{faults}", self.bench));
        bench.fill_nor(&self.old);
        bench
    }

    /// Finds programmer and chip.
    fn open(&self, bench: &Bench) -> Result<Chip, Ended> {
        let options = serprog::Options {
            plain: self.plain,
            ..serprog::Options::default()
        };
        let client = bench.serprog(options).map_err(Ended::Programmer)?;
        let chip = Chip::open(Box::new(client), &self.parts, spinor::Options::default());
        chip.map_err(Ended::Chip)
    }

    /// Erases a unit, writes something into it and verifies that.
    fn run(&self, bench: &Bench) -> Result<(), Ended> {
        let mut chip = self.open(bench)?;
        let nothing = &mut |_| ControlFlow::Continue(());
        let mut units = chip.geometry().erase_kinds[0].units(0);
        let unit = units.find(|unit| unit.end > START as u64).unwrap();
        drop(units);
        chip.erase(&[unit], nothing)?;
        chip.program(START as u64, &self.data, nothing)?;
        if let Some(mismatch) = chip.compare(START as u64, &self.data, nothing)? {
            return Err(Ended::Mismatch(mismatch));
        }
        chip.close().map_err(Ended::Chip)
    }

    /// Whether the chip holds what it should: the data, and everything else as it was.
    fn is_done(&self, bench: &Bench) -> bool {
        bench.flash() == self.wanted
    }

    /// Runs the job with one fault, and once more after it, and checks all that must hold.
    fn run_with(&self, fault: &str) -> Result<(), Ended> {
        let what = format!("{}, plain {}, {fault}", self.bench, self.plain);
        let bench = self.bench(&format!(",faults={fault}"));
        let first = self.run(&bench);
        let took = bench.now();
        assert!(took < LIMIT, "{what}: {took:?}, {first:?}");
        if first.is_ok() {
            assert!(self.is_done(&bench), "{what}: wrong and reported as right");
        }
        let lost = matches!(&first, Err(error) if is_lost(error));
        if lost && !self.has_pin_state {
            // Other people's firmware may take what it misread for megabytes to come, and has no
            // way back but its plug.
            let now = bench.look().now();
            bench.programmer_mut().power_cycle(now);
        }
        if !fault.starts_with("cut") {
            let second = self.run(&bench);
            assert!(second.is_ok(), "{what}: {first:?}, then {second:?}");
            assert!(bench.now() - took < LIMIT, "{what}: {:?}", bench.now());
            assert!(bench.flash()[START..][..BYTES] == self.data, "{what}");
            let let_go = !bench.programmer().board().outputs();
            assert!(let_go || !self.has_pin_state, "{what}: pins driven");
        }
        first
    }

    /// Every byte in both directions; how often the job reached its end, and how often not.
    fn run_with_every(&self, kind: &str) -> (usize, Vec<Ended>) {
        self.run_with_each(kind, [0, 0])
    }

    /// The same from where programmer and chip are known.
    fn run_with_every_change(&self, kind: &str) -> (usize, Vec<Ended>) {
        let bench = self.bench("");
        let chip = self.open(&bench).unwrap();
        let from = [sent(&bench), bench.received()];
        drop(chip);
        self.run_with_each(kind, from)
    }

    fn run_with_each(&self, kind: &str, from: [u64; 2]) -> (usize, Vec<Ended>) {
        let bench = self.bench("");
        self.run(&bench).unwrap();
        assert!(self.is_done(&bench));
        let sent = (from[0]..sent(&bench)).map(|byte| format!("{kind}@{byte}:out"));
        let received = (from[1]..bench.received()).map(|byte| format!("{kind}@{byte}:in"));
        let faults: Vec<String> = sent.chain(received).collect();
        let runs = faults.iter().map(|fault| self.run_with(fault));
        let failed: Vec<Ended> = runs.filter_map(Result::err).collect();
        (faults.len() - failed.len(), failed)
    }
}

/// How many bytes went out to a bench.
fn sent(bench: &Bench) -> u64 {
    let sends = bench.take_sends();
    sends.iter().map(|send| send.len() as u64).sum()
}

/// Whether the programmer could not be brought back.
fn is_lost(error: &Ended) -> bool {
    let lost = |error: &serprog::Error| {
        matches!(
            error,
            serprog::Error::LostSync | serprog::Error::NoAnswer { .. }
        )
    };
    match error {
        Ended::Programmer(error) => lost(error),
        Ended::Chip(spinor::Error::Controller(error)) => {
            error.downcast_ref::<serprog::Error>().is_some_and(lost)
        }
        _ => false,
    }
}

/// With a check value on each page, only an erase can be disturbed beyond repair: it has none.
#[test]
fn our_programmer_gets_over_a_byte_that_is_lost_or_doubled() {
    let job = Job::new("serprog+w25q80bv", false);
    for kind in ["drop", "dup"] {
        let (done, failed) = job.run_with_every(kind);
        for error in &failed {
            let erased = matches!(
                error,
                Ended::Chip(spinor::Error::Disturbed { what: "erased", .. })
            );
            assert!(erased, "{kind}: {error:?}");
        }
        assert!(
            failed.len() * 20 < done,
            "{kind}: {} of {done}",
            failed.len()
        );
    }
}

#[test]
fn a_byte_that_is_garbled_is_seen_by_our_programmer_or_by_the_verify() {
    let job = Job::new("serprog+w25q80bv", false);
    let (done, failed) = job.run_with_every("flip");
    assert!(
        failed.len() * 10 < done,
        "{} of {done}: {failed:?}",
        failed.len()
    );
}

/// Plain serprog has no check value: whatever may have become another command is an error.
fn reports_what_it_cannot_repair(job: &Job, kind: &str) {
    let (done, failed) = job.run_with_every_change(kind);
    for error in &failed {
        let told = matches!(
            error,
            Ended::Chip(spinor::Error::Disturbed { .. }) | Ended::Mismatch(_)
        );
        assert!(told || is_lost(error), "{kind}: {error:?}");
    }
    // Polls and the verify are got over.
    assert!(done > 20, "{kind}: {done} of {}", done + failed.len());
}

#[test]
fn plain_serprog_reports_a_lost_byte_that_it_cannot_repair() {
    reports_what_it_cannot_repair(&Job::new("serprog+w25q80bv", true), "drop");
}

#[test]
fn plain_serprog_reports_a_doubled_byte_that_it_cannot_repair() {
    reports_what_it_cannot_repair(&Job::new("serprog+w25q80bv", true), "dup");
}

#[test]
fn plain_serprog_reports_a_garbled_byte_that_it_cannot_repair() {
    reports_what_it_cannot_repair(&Job::new("serprog+w25q80bv", true), "flip");
}

#[test]
fn a_programmer_of_one_command_a_packet_reports_what_it_cannot_repair() {
    reports_what_it_cannot_repair(&Job::new("picoprog+w25q80bl", true), "drop");
}

#[test]
fn a_delay_is_no_fault() {
    let job = Job::new("serprog+w25q80bv", false);
    let (_, failed) = job.run_with_every("delay");
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn a_wire_that_is_cut_is_an_error_and_nothing_is_reported_as_done() {
    let job = Job::new("serprog+w25q80bv", false);
    let (done, failed) = job.run_with_every("cut");
    assert_eq!(done, 0, "{}", failed.len());
}
