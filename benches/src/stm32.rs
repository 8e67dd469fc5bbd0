//! Writing and verifying an STM32 over a UART: flashwire, stm32flash 0.7 and stm32loader 0.7.1.

use std::process::Command;
use std::time::{Duration, Instant};

use flashwire_tests::bench::noise;
use flashwire_tests::served::Served;
use flashwire_tests::{judge, ours};

/// Size of every image, in bytes.
const IMAGE_BYTES: usize = 64 << 10;

/// One job on one bench.
struct Case {
    /// What it is, for people.
    job: &'static str,
    bench: &'static str,
    /// What stm32loader calls the part's family.
    family: &'static str,
    /// What the image holds.
    image: fn() -> Vec<u8>,
    /// What the flash holds before; nothing if empty.
    before: fn() -> Vec<u8>,
    /// What flashwire is told besides.
    options: &'static [&'static str],
    /// At most this much of either peer's time.
    most: f64,
    /// Whether stm32loader erases more than the image covers, so that its time is no limit for
    /// a tool that keeps the rest.
    loader_wipes: bool,
}

/// A job, to be filled in.
const WRITE: Case = Case {
    job: "",
    bench: "",
    family: "",
    image: random,
    before: nothing,
    options: &[],
    most: 1.0,
    loader_wipes: false,
};

/// The limits are those that the project set itself. "1 ms": a UART adapter that needs 1 ms for a
/// round trip, as USB full speed does. "16 ms timer": one that also holds back what it has received
/// for 16 ms, FTDI's default.
///
/// On the F103CB the image covers half of the flash: stm32loader erases all of it at once, which
/// takes the time of a single page, while the others erase 64 pages and leave the rest alone.
const CASES: &[Case] = &[
    Case {
        job: "F103C8, 1 ms",
        bench: "stm32f103c8,latency-us=500",
        family: "F1",
        most: 0.97,
        ..WRITE
    },
    Case {
        job: "F103C8, 1 ms, `--pipeline full`",
        bench: "stm32f103c8,latency-us=500",
        family: "F1",
        options: &["--pipeline", "full"],
        most: 0.95,
        ..WRITE
    },
    Case {
        job: "F103C8, 16 ms timer",
        bench: "stm32f103c8,latency-us=500,timer-us=16000",
        family: "F1",
        most: 0.72,
        ..WRITE
    },
    Case {
        job: "F103C8, 16 ms timer, `--pipeline full`",
        bench: "stm32f103c8,latency-us=500,timer-us=16000",
        family: "F1",
        options: &["--pipeline", "full"],
        most: 0.62,
        ..WRITE
    },
    Case {
        job: "F103C8, 1 ms, half-blank image",
        bench: "stm32f103c8,latency-us=500",
        family: "F1",
        image: half_blank,
        most: 0.75,
        ..WRITE
    },
    Case {
        job: "F103CB, 1 ms",
        bench: "stm32f103cb,latency-us=500",
        family: "F1",
        most: 0.97,
        loader_wipes: true,
        ..WRITE
    },
    Case {
        job: "F103CB, 1 ms, `--pipeline full`",
        bench: "stm32f103cb,latency-us=500",
        family: "F1",
        options: &["--pipeline", "full"],
        most: 0.95,
        loader_wipes: true,
        ..WRITE
    },
    Case {
        job: "F103CB, 1 ms, `--erase all`",
        bench: "stm32f103cb,latency-us=500",
        family: "F1",
        options: &["--erase", "all"],
        most: 0.97,
        ..WRITE
    },
    Case {
        job: "F103CB, 1 ms, half-blank image",
        bench: "stm32f103cb,latency-us=500",
        family: "F1",
        image: half_blank,
        most: 0.75,
        ..WRITE
    },
    Case {
        job: "G0B1, 1 ms",
        bench: "stm32g0b1re,latency-us=500",
        family: "G0",
        most: 0.60,
        ..WRITE
    },
    Case {
        job: "G0B1, 16 ms timer",
        bench: "stm32g0b1re,latency-us=500,timer-us=16000",
        family: "G0",
        most: 0.45,
        ..WRITE
    },
    Case {
        job: "G0B1, 1 ms, half-blank image",
        bench: "stm32g0b1re,latency-us=500",
        family: "G0",
        image: half_blank,
        most: 0.35,
        ..WRITE
    },
    Case {
        job: "G0B1, 1 ms, one page of 32 changed, `--only-changed`",
        bench: "stm32g0b1re,latency-us=500",
        family: "G0",
        before: one_page_different,
        options: &["--only-changed"],
        most: 0.05,
        ..WRITE
    },
];

fn random() -> Vec<u8> {
    noise(IMAGE_BYTES, 1)
}

fn half_blank() -> Vec<u8> {
    let mut image = noise(IMAGE_BYTES / 2, 1);
    image.resize(IMAGE_BYTES, 0xFF);
    image
}

fn nothing() -> Vec<u8> {
    Vec::new()
}

/// As [`random`], but for a page of a G0B1: 2 KiB (RM0444, section 3.3.1).
fn one_page_different() -> Vec<u8> {
    let mut content = random();
    let page = 7 * 2048..8 * 2048;
    content[page].copy_from_slice(&noise(2048, 2));
    content
}

/// Runs all cases whose job is named so, and prints the table. Whether all limits were kept.
pub(crate) fn run(part: &str) -> bool {
    println!("Write and verify {IMAGE_BYTES} bytes at 115200 baud 8E1, in seconds of real time:\n");
    println!("| bench and job | flashwire | stm32flash | ratio | stm32loader | ratio | at most |");
    println!("|---|---|---|---|---|---|---|");
    let mut all_kept = true;
    for case in CASES.iter().filter(|case| case.job.contains(part)) {
        all_kept &= row(case);
    }
    println!();
    all_kept
}

/// Runs one case and prints its row. Whether the limit was kept.
fn row(case: &Case) -> bool {
    let ours = time(case, |bench, file| {
        let mut command = ours::flashwire(bench, "write");
        command.args(case.options).arg(file);
        command
    });
    let stm32flash = time(case, |bench, file| {
        let mut command = bench.program(&judge::stm32flash());
        command
            .args(["-b", "115200", "-v", "-w"])
            .arg(file)
            .arg(bench.port());
        command
    });
    let stm32loader = time(case, |bench, file| {
        let mut command = bench.program(&judge::stm32loader());
        command.args(["-e", "-w", "-v", "-f", case.family, "-p"]);
        command.arg(bench.port()).arg(file);
        command
    });
    let ratio = |theirs: Duration| ours.as_secs_f64() / theirs.as_secs_f64();
    let (flash, loader) = (ratio(stm32flash), ratio(stm32loader));
    let kept = flash <= case.most && (loader <= case.most || case.loader_wipes);
    println!(
        "| {} | {:.2} | {:.2} | {flash:.3} | {:.2} | {loader:.3}{} | {:.2}{} |",
        case.job,
        ours.as_secs_f64(),
        stm32flash.as_secs_f64(),
        stm32loader.as_secs_f64(),
        if case.loader_wipes {
            " (it wipes the rest)"
        } else {
            ""
        },
        case.most,
        if kept { "" } else { " **missed**" },
    );
    kept
}

/// How long the tool takes on a fresh bench.
fn time(case: &Case, tool: impl Fn(&Served, &std::path::Path) -> Command) -> Duration {
    let bench = Served::open(case.bench, &(case.before)());
    let image = (case.image)();
    let file = bench.put("image.bin", &image);
    let mut command = tool(&bench, &file);
    let begun = Instant::now();
    let outcome = judge::run(&mut command);
    let took = begun.elapsed();
    outcome.success();
    assert!(
        bench.finish().flash.starts_with(&image),
        "{command:?} wrote nonsense"
    );
    took
}
