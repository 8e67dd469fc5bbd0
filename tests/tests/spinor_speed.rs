//! The speed of jobs on a SPI NOR chip, in simulated milliseconds: exact, the same on every machine
//! and in every run.
//!
//! A change that makes a job slower or faster shows as a difference to `tests/speed/spi-nor.md`. If
//! it is meant, write the table anew and look at the difference before it is committed:
//! `FLASHWIRE_SPEED=write cargo test -p flashwire-tests --test spinor_speed`.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::serprog;
use flashwire_client::spinor::{self, Chip, Parts};
use flashwire_plan::{FlashDevice, Options};
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::socket::{read, write};
use flashwire_tests::table::compare;

/// What is read, erased, programmed and verified, in bytes: four blocks.
const BYTES: usize = 256 << 10;

/// Pages in that.
const PAGES: u32 = BYTES as u32 / 256;

/// One-way latencies of the wire, in microseconds: a USB port, and one behind hubs or in a virtual
/// machine.
const LATENCIES_US: [u64; 2] = [125, 500];

/// Programmer and chip, keys, whether it is to do without extensions, SPI clock in Hz.
const BENCHES: [(&str, &str, bool, Option<u32>); 6] = [
    ("serprog+w25q64jv", "", true, None),
    ("serprog+w25q64jv", ",chip-times=spread", true, None),
    ("serprog+w25q64jv", "", true, Some(18_000_000)),
    ("serprog+w25q64jv", "", false, None),
    ("serprog+w25q64jv", "", false, Some(18_000_000)),
    ("stm32vcp+w25q64jv", "", true, None),
];

/// Times of the jobs, in order.
struct Times {
    probe: Duration,
    read: Duration,
    erase: Duration,
    program: Duration,
    verify: Duration,
    replace: Duration,
}

fn measure(name: &str, keys: &str, plain: bool, spi_hz: Option<u32>, latency_us: u64) -> Times {
    let bench = Bench::open(&format!("{name},latency-us={latency_us}{keys}"));
    bench.fill_nor(&noise(BYTES, 1));
    let mut last = Duration::ZERO;
    let mut lap = || {
        let now = bench.now();
        now - std::mem::replace(&mut last, now)
    };
    let options = serprog::Options {
        plain,
        spi_hz,
        ..serprog::Options::default()
    };
    let client = bench.serprog(options).unwrap();
    let options = spinor::Options::default();
    let mut chip = Chip::open(Box::new(client), &Parts::built_in(), options).unwrap();
    let probe = lap();
    assert!(read(&mut chip, 0..BYTES as u64) == noise(BYTES, 1));
    let reading = lap();
    let kinds = &chip.geometry().erase_kinds;
    let blocks = kinds
        .iter()
        .position(|kind| kind.runs[0].unit_bytes == 64 << 10);
    let blocks = blocks.unwrap();
    let units: Vec<_> = kinds[blocks].units(blocks).take(BYTES >> 16).collect();
    let nothing = &mut |_| ControlFlow::Continue(());
    chip.erase(&units, nothing).unwrap();
    let erase = lap();
    chip.program(0, &noise(BYTES, 2), nothing).unwrap();
    let program = lap();
    assert_eq!(chip.compare(0, &noise(BYTES, 2), nothing).unwrap(), None);
    let verify = lap();
    write(&mut chip, 0, &noise(BYTES, 3), &Options::default()).unwrap();
    let replace = lap();
    assert!(bench.flash()[..BYTES] == noise(BYTES, 3));
    Times {
        probe,
        read: reading,
        erase,
        program,
        verify,
        replace,
    }
}

fn table() -> String {
    let mut table = String::from(
        "| bench | commands | SPI clock | one-way latency | probe | read | erase | program | \
         a page | verify | replace |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (name, keys, plain, spi_hz) in BENCHES {
        for latency_us in LATENCIES_US {
            let times = measure(name, keys, plain, spi_hz, latency_us);
            let page = times.program / PAGES;
            check(name, keys, plain, &times);
            let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
            writeln!(
                table,
                "| {name}{keys} | {} | {} | {latency_us} us | {} | {} | {} | {} | {} us | {} | {} |",
                if plain { "plain" } else { "extensions" },
                spi_hz.map_or("as it is".to_owned(), |hz| format!("{} MHz", hz / 1_000_000)),
                ms(times.probe),
                ms(times.read),
                ms(times.erase),
                ms(times.program),
                page.as_micros(),
                ms(times.verify),
                ms(times.replace),
            )
            .unwrap();
        }
    }
    table
}

/// What has to be reached, whatever the table says.
fn check(name: &str, keys: &str, plain: bool, times: &Times) {
    let what = format!("{name}{keys}, plain {plain}");
    assert!(times.probe < Duration::from_millis(60), "{what}");
    if name.starts_with("serprog+") && keys.is_empty() {
        // The page time of a W25Q64JV, and 267 bytes at 1.15 MB/s.
        let shift = Duration::from_secs(267) / 1_150_000;
        let most = (Duration::from_micros(400) + shift) * 5 / 4;
        assert!(times.program / PAGES < most, "{what}");
        // What the wire and the chip need at the very least.
        let wire = Duration::from_secs(BYTES as u64) / 1_150_000;
        assert!(times.read < wire * 21 / 20, "{what}: {:?}", times.read);
        let blocks = Duration::from_millis(150) * (BYTES >> 16) as u32;
        assert!(times.erase < blocks * 21 / 20, "{what}: {:?}", times.erase);
    }
}

#[test]
fn every_job_takes_the_time_that_the_table_says() {
    compare("speed/spi-nor.md", &table());
}
