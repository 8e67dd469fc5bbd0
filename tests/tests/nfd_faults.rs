//! A small job on nfd's sketch over a wire that damages one byte: every byte, every kind of damage, in
//! both directions. It never hangs, never reports as right what is wrong, and the next run repairs
//! whatever the first one left.

use std::ops::{ControlFlow, Range};
use std::time::Duration;

use flashwire_client::nfd::{self, ChipOptions, Client, Options};
use flashwire_client::spinor::{self, Parts};
use flashwire_plan::{Failure, FlashDevice};
use flashwire_tests::bench::{Bench, noise};

/// Longer than the job takes with all its time-outs and retries.
const LIMIT: Duration = Duration::from_secs(40);

/// Where the job writes: across the end of a page.
const START: usize = 0x1_00F0;

/// How many bytes.
const BYTES: usize = 24;

/// The erase unit that it writes in.
const UNIT: Range<usize> = 0x1_0000..0x1_1000;

/// Size of the chip.
const CHIP_BYTES: usize = 1 << 20;

/// How much of the chip holds something before.
const OLD_BYTES: usize = 0x1_2000;

/// How a job ended that did not reach its end.
#[derive(Debug)]
enum Ended {
    Error(nfd::Error),
    /// What was written is not there.
    Mismatch,
}

impl From<nfd::Error> for Ended {
    fn from(error: nfd::Error) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Device(error) => Self::Error(*error.downcast().unwrap()),
            Failure::Stopped => panic!("nobody asked to stop"),
        }
    }
}

/// A job on a bench.
struct Job {
    bench: &'static str,
    parts: Parts,
    data: Vec<u8>,
    /// What the chip holds before, in its lower part.
    old: Vec<u8>,
    /// What all of it holds after.
    wanted: Vec<u8>,
}

impl Job {
    fn new(bench: &'static str) -> Self {
        let (data, old) = (noise(BYTES, 8), noise(OLD_BYTES, 7));
        let mut wanted = old.clone();
        wanted[UNIT].fill(0xFF);
        wanted[START..][..BYTES].copy_from_slice(&data);
        wanted.resize(CHIP_BYTES, 0xFF);
        Self {
            bench,
            parts: Parts::built_in(),
            data,
            old,
            wanted,
        }
    }

    /// A bench whose wire has these faults.
    fn bench(&self, faults: &str) -> Bench {
        let bench = Bench::open(&format!("{},flash-percent=10{faults}", self.bench));
        bench.fill_nor(&self.old);
        bench
    }

    /// Finds programmer and chip, erases a unit, writes something into it and verifies that.
    fn run(&self, bench: &Bench) -> Result<(), Ended> {
        let client = Client::open(bench.link(), Options::default())?;
        let mut chip = nfd::Chip::open(client, &self.parts, &ChipOptions::default())?;
        let nothing = &mut |_| ControlFlow::Continue(());
        let mut units = chip.geometry().erase_kinds[0].units(0);
        let unit = units.find(|unit| unit.end > START as u64).unwrap();
        drop(units);
        chip.erase(&[unit], nothing)?;
        chip.program(START as u64, &self.data, nothing)?;
        match chip.compare(START as u64, &self.data, nothing)? {
            Some(_) => Err(Ended::Mismatch),
            None => Ok(chip.close()?),
        }
    }

    /// Whether the chip holds what it should: the data, and everything else as it was.
    fn is_done(&self, bench: &Bench) -> bool {
        bench.look().bench().flash() == self.wanted
    }

    /// Runs the job with one fault, and once more after one that it did not get over, and checks all
    /// that must hold.
    fn run_with(&self, fault: &str) -> Result<(), Ended> {
        let what = format!("{}, {fault}", self.bench);
        let bench = self.bench(&format!(",faults={fault}"));
        let first = self.run(&bench);
        let took = bench.now();
        assert!(took < LIMIT, "{what}: {took:?}, {first:?}");
        match &first {
            Ok(()) => assert!(self.is_done(&bench), "{what}: wrong and reported as right"),
            Err(_) if fault.starts_with("cut") => {}
            Err(error) => {
                let second = self.run(&bench);
                assert!(second.is_ok(), "{what}: {error:?}, then {second:?}");
                assert!(bench.flash()[START..][..BYTES] == self.data, "{what}");
            }
        }
        first
    }

    /// A fault of each byte, or of each so many, in both directions.
    fn faults(&self, kind: &str, step: usize) -> Vec<String> {
        let bench = self.bench("");
        self.run(&bench).unwrap();
        assert!(self.is_done(&bench));
        let sent = bench.take_sends().iter().map(Vec::len).sum::<usize>();
        let sent = (0..sent)
            .step_by(step)
            .map(|byte| format!("{kind}@{byte}:out"));
        let received = (0..bench.received()).step_by(step);
        sent.chain(received.map(|byte| format!("{kind}@{byte}:in")))
            .collect()
    }

    /// Every byte in both directions; how often the job reached its end, and how it ended where not.
    fn run_with_every(&self, kind: &str) -> (usize, Vec<Ended>) {
        let faults = self.faults(kind, 1);
        let runs = faults.iter().map(|fault| self.run_with(fault));
        let failed: Vec<Ended> = runs.filter_map(Result::err).collect();
        (faults.len() - failed.len(), failed)
    }
}

const SKETCH: &str = "nfd-sketch+w25q80bv,boot-ms=0";

/// What a damaged byte may have made of a change is told as what it is.
fn is_told(ended: &Ended) -> bool {
    matches!(
        ended,
        Ended::Mismatch
            | Ended::Error(nfd::Error::Chip(
                spinor::Error::Damaged { .. } | spinor::Error::Disturbed { .. }
            ))
    )
}

/// A page that has lost a digit is refused by the sketch, and sent again.
#[test]
fn a_lost_byte_is_got_over() {
    let (done, failed) = Job::new(SKETCH).run_with_every("drop");
    assert!(failed.iter().all(is_told), "{failed:?}");
    assert!(failed.len() * 1000 < done, "{done}: {failed:?}");
}

/// Nearly all bytes that go out are the content of pages, which are programmed before their CRC is
/// known to be wrong.
fn reports_what_it_cannot_repair(kind: &str) {
    let (done, failed) = Job::new(SKETCH).run_with_every(kind);
    assert!(failed.iter().all(is_told), "{failed:?}");
    assert!(failed.len() * 3 < done, "{} of {done}", failed.len());
}

#[test]
fn a_garbled_byte_is_got_over_or_reported() {
    reports_what_it_cannot_repair("flip");
}

#[test]
fn a_doubled_byte_is_got_over_or_reported() {
    reports_what_it_cannot_repair("dup");
}

#[test]
fn a_byte_that_comes_late_changes_nothing() {
    let job = Job::new(SKETCH);
    for fault in job.faults("delay", 20) {
        let ended = job.run_with(&fault);
        assert!(ended.is_ok(), "{fault}: {ended:?}");
    }
}

#[test]
fn a_wire_that_is_cut_is_an_error() {
    let job = Job::new(SKETCH);
    for fault in job.faults("cut", 20) {
        let ended = job.run_with(&fault);
        let is_link = matches!(ended, Err(Ended::Error(nfd::Error::Link(_))));
        assert!(is_link, "{fault}: {ended:?}");
    }
}
