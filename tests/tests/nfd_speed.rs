//! The speed of jobs through nfd's sketch at 115200 baud, in simulated time: exact, the same on every
//! machine and in every run.
//!
//! A change that makes a job slower or faster shows as a difference to `tests/speed/nfd.md`. If it is
//! meant, write the table anew and look at the difference before it is committed:
//! `FLASHWIRE_SPEED=write cargo test -p flashwire-tests --test nfd_speed`.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::nfd::{Chip, ChipOptions, Client, Options};
use flashwire_client::spinor::Parts;
use flashwire_plan::{FlashDevice, Options as PlanOptions};
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::socket::{read, write};
use flashwire_tests::table::compare;

/// What is read, erased, programmed and verified, in bytes.
const BYTES: usize = 64 << 10;

/// Bench, and what its wire is like. The last two are the worst of USB: an adapter that holds back what
/// it has received for 16 ms, and as much both ways.
const BENCHES: [(&str, &str); 8] = [
    ("nfd-sketch+w25q80bv", ""),
    ("nfd-sketch+w25q64jv", ""),
    ("nfd-sketch+w25q80bv", ",latency-us=500"),
    ("nfd-sketch+w25q80bv", ",timer-us=1000"),
    ("nfd-sketch+w25q80bv", ",timer-us=16000"),
    ("nfd-sketch+w25q80bv", ",latency-us=16000"),
    ("uno+w25q80bv", ""),
    ("uno+w25q80bv", ",timer-us=16000"),
];

/// Times of the jobs, in order.
struct Times {
    open: Duration,
    read: Duration,
    /// Erasing sector by sector, and programming.
    write: Duration,
    verify: Duration,
    /// Looking, erasing, programming, verifying: other content.
    replace: Duration,
    /// The same content once more, by somebody who has not seen it.
    same: Duration,
}

fn find(bench: &Bench) -> Chip {
    let client = Client::open(bench.link(), Options::default()).unwrap();
    Chip::open(client, &Parts::built_in(), &ChipOptions::default()).unwrap()
}

fn measure(name: &str) -> Times {
    let bench = Bench::open(name);
    bench.fill_nor(&noise(BYTES, 1));
    let mut last = Duration::ZERO;
    let mut lap = || {
        let now = bench.now();
        now - std::mem::replace(&mut last, now)
    };
    let mut chip = find(&bench);
    let open = lap();
    assert!(read(&mut chip, 0..BYTES as u64) == noise(BYTES, 1));
    let reading = lap();
    let nothing = &mut |_| ControlFlow::Continue(());
    let sectors = BYTES / 4096;
    let units: Vec<_> = chip.geometry().erase_kinds[0]
        .units(0)
        .take(sectors)
        .collect();
    chip.erase(&units, nothing).unwrap();
    chip.program(0, &noise(BYTES, 2), nothing).unwrap();
    let writing = lap();
    let found = chip.compare(0, &noise(BYTES, 2), nothing).unwrap();
    assert_eq!(found, None);
    let verify = lap();
    let options = PlanOptions {
        only_changed: true,
        ..PlanOptions::default()
    };
    write(&mut chip, 0, &noise(BYTES, 3), &options).unwrap();
    let replace = lap();
    assert!(bench.flash()[..BYTES] == noise(BYTES, 3));
    drop(chip);
    let mut chip = find(&bench);
    lap();
    write(&mut chip, 0, &noise(BYTES, 3), &options).unwrap();
    let same = lap();
    // Nothing has overrun the sketch's ring.
    assert_eq!(bench.complaints(), [""; 0], "{name}");
    Times {
        open,
        read: reading,
        write: writing,
        verify,
        replace,
        same,
    }
}

/// In KiB/s.
fn rate(time: Duration) -> f64 {
    BYTES as f64 / 1024.0 / time.as_secs_f64()
}

fn table() -> String {
    let mut table = String::from(
        "# Jobs through nfd's protocol\n\n64 KiB at 115200 baud, in KiB/s of simulated time; \
         the times of finding the programmer and of a write that finds everything there already \
         are in ms.\nWritten by `tests/tests/nfd_speed.rs`.\n\n\
         | bench | found | read | erase and write | verify | replace | nothing to do |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    for (name, keys) in BENCHES {
        let times = measure(&format!("{name}{keys}"));
        if name.starts_with("nfd-sketch") && keys.is_empty() {
            check(name, &times);
        }
        writeln!(
            table,
            "| {name}{keys} | {} | {:.2} | {:.2} | {:.1} | {:.2} | {} |",
            times.open.as_millis(),
            rate(times.read),
            rate(times.write),
            rate(times.verify),
            rate(times.replace),
            times.same.as_millis(),
        )
        .unwrap();
    }
    table
}

/// What has to be reached, whatever the table says. The original client: 4.8, 0.96 and 30 KiB/s.
fn check(name: &str, times: &Times) {
    assert!(rate(times.read) >= 5.2, "{name}: {}", rate(times.read));
    assert!(rate(times.write) >= 3.6, "{name}: {}", rate(times.write));
    assert!(
        rate(times.replace) >= 3.6,
        "{name}: {}",
        rate(times.replace)
    );
    assert!(rate(times.verify) >= 55.0, "{name}: {}", rate(times.verify));
}

#[test]
fn every_job_takes_the_time_that_the_table_says() {
    compare("speed/nfd.md", &table());
}
