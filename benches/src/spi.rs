//! Writing a SPI NOR chip through a serprog programmer: flashwire and flashrom 1.3.
//!
//! Both talk over TCP to the same bench in real time: our STM32F103 programmer's firmware at
//! 1.15 MB/s with a W25Q64JV that takes its typical times, behind a delay line for the latency of
//! USB (0.125 ms one way) or of a hub or a virtual machine (0.5 ms). What is under way does not
//! block what follows. The SPI clock is 18 MHz for both, as fast as a STM32F103 may. flashrom uses plain
//! serprog; so does flashwire, but in the rows that say otherwise.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flashwire_tests::bench::noise;
use flashwire_tests::clipped::Clipped;
use flashwire_tests::{built, judge};

/// Size of a W25Q64JV, in bytes.
const CHIP_BYTES: usize = 8 << 20;

/// What flashrom calls it.
const FLASHROM_NAME: &str = "W25Q64JV-.Q";

/// What the jobs change, where they change little: a sector in the middle.
const SECTOR: std::ops::Range<usize> = 0x40_0000..0x40_1000;

/// SPI clock of all runs, in Hz.
const SPI_HZ: &str = "18000000";

/// From the start to the exit of `info`, at most.
const PROBE_MOST: Duration = Duration::from_millis(60);

/// One job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Job {
    /// Every byte of the chip becomes another one.
    Everything,
    /// An image of the whole chip that differs in a sector.
    FullImage,
    /// A file of 4 KiB to an address.
    File,
}

/// A way to do it.
struct Row {
    /// What flashwire has besides plain serprog.
    extensions: bool,
    /// At most this much of flashrom's time, at 0.125 and at 0.5 ms.
    most: [f64; 2],
}

/// One-way latencies, in microseconds.
const LATENCIES_US: [u32; 2] = [125, 500];

/// The limits are those that the project set itself.
const JOBS: [(Job, &str, [Row; 2]); 3] = [
    (
        Job::Everything,
        "replace 8 MiB of random content",
        [plain([0.40, 0.30]), extended([0.33, 0.25])],
    ),
    (
        Job::FullImage,
        "8 MiB image that differs in 4 KiB",
        [plain([0.55, 0.55]), extended([0.30, 0.30])],
    ),
    (
        Job::File,
        "4 KiB file by `--address`",
        [plain([0.05, 0.05]), extended([0.05, 0.05])],
    ),
];

const fn plain(most: [f64; 2]) -> Row {
    Row {
        extensions: false,
        most,
    }
}

const fn extended(most: [f64; 2]) -> Row {
    Row {
        extensions: true,
        most,
    }
}

/// Runs all jobs that are named so, and prints the tables. Whether all limits were kept.
pub(crate) fn run(part: &str) -> bool {
    let mut all_kept = probes();
    println!("Write and verify a W25Q64JV, in seconds of real time:\n");
    println!("| job | one-way latency | flashrom | flashwire | ratio | at most |");
    println!("|---|---|---|---|---|---|");
    for (n, latency_us) in LATENCIES_US.into_iter().enumerate() {
        for (job, name, rows) in &JOBS {
            let latency = format!("{} ms", f64::from(latency_us) / 1000.0);
            if !format!("{name}, {latency}").contains(part) {
                continue;
            }
            let theirs = time(*job, latency_us, false, |bench, image, layout| {
                flashrom(bench, *job, image, layout)
            });
            for row in rows {
                let ours = time(*job, latency_us, row.extensions, |bench, image, _| {
                    flashwire(bench, *job, image)
                });
                let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
                let kept = ratio <= row.most[n];
                all_kept &= kept;
                println!(
                    "| {name}{} | {latency} | {:.2} | {:.2} | {ratio:.3} | {:.2}{} |",
                    if row.extensions {
                        ", with extensions"
                    } else {
                        ""
                    },
                    theirs.as_secs_f64(),
                    ours.as_secs_f64(),
                    row.most[n],
                    if kept { "" } else { " **missed**" },
                );
            }
        }
    }
    println!();
    all_kept
}

/// From the start to the exit of a program that only looks what is there.
fn probes() -> bool {
    println!("| what is there? | one-way latency | flashrom | flashwire | at most |");
    println!("|---|---|---|---|---|");
    let mut all_kept = true;
    for latency_us in LATENCIES_US {
        let bench = open(latency_us, false, &[]);
        let mut theirs = Command::new(judge::flashrom());
        theirs.args(["-p", &format!("serprog:ip={}", bench.address())]);
        theirs.args(["-c", FLASHROM_NAME]);
        let theirs = run_to_end(&mut theirs);
        let mut ours: Vec<Duration> = (0..9)
            .map(|_| {
                run_to_end(Command::new(built::flashwire()).args(["info", "-p", &port(&bench)]))
            })
            .collect();
        ours.sort();
        let ours = ours[ours.len() / 2];
        all_kept &= ours <= PROBE_MOST;
        println!(
            "| probe | {} ms | {:.0} ms | {:.0} ms | {} ms |",
            f64::from(latency_us) / 1000.0,
            theirs.as_secs_f64() * 1e3,
            ours.as_secs_f64() * 1e3,
            PROBE_MOST.as_millis()
        );
    }
    println!();
    all_kept
}

fn open(latency_us: u32, extensions: bool, content: &[u8]) -> Clipped {
    let extensions = if extensions { "on" } else { "off" };
    let spec = format!("serprog+w25q64jv,latency-us={latency_us},extensions={extensions}");
    Clipped::open(&spec, content)
}

fn port(bench: &Clipped) -> String {
    format!("serprog:tcp:{}", bench.address())
}

/// How long a tool takes for a job on a fresh bench.
fn time(
    job: Job,
    latency_us: u32,
    extensions: bool,
    tool: impl Fn(&Clipped, &Path, &Path) -> Command,
) -> Duration {
    let old = noise(CHIP_BYTES, 1);
    let mut new = match job {
        Job::Everything => noise(CHIP_BYTES, 2),
        Job::FullImage | Job::File => old.clone(),
    };
    new[SECTOR].copy_from_slice(&noise(SECTOR.len(), 3));
    let bench = open(latency_us, extensions, &old);
    let image = bench.put("new.bin", &new);
    bench.put("sector.bin", &new[SECTOR]);
    let lines = format!("{:08x}:{:08x} part\n", SECTOR.start, SECTOR.end - 1);
    let layout = bench.put("layout", lines.as_bytes());
    let mut command = tool(&bench, &image, &layout);
    let took = run_to_end(&mut command);
    assert!(bench.finish().flash == new, "{command:?} wrote nonsense");
    took
}

fn flashrom(bench: &Clipped, job: Job, image: &Path, layout: &Path) -> Command {
    let mut command = Command::new(judge::flashrom());
    let address = bench.address();
    command.args(["-p", &format!("serprog:ip={address},spispeed={SPI_HZ}")]);
    command.args(["-c", FLASHROM_NAME]);
    if job == Job::File {
        command.args(["-i", "part", "-l"]).arg(layout);
    }
    command.arg("-w").arg(image);
    command
}

fn flashwire(bench: &Clipped, job: Job, image: &Path) -> Command {
    let mut command = Command::new(built::flashwire());
    command.args(["write", "--progress", "none", "--spi-hz", SPI_HZ]);
    command.args(["-p", &port(bench)]);
    // What it keeps of old content goes with the bench, and what its user has set up stays out.
    command.env("XDG_STATE_HOME", bench.file("state"));
    command.env("XDG_CONFIG_HOME", bench.file("config"));
    if job == Job::File {
        command.args(["--no-backup", "--address", &SECTOR.start.to_string()]);
        command.arg(bench.file("sector.bin"));
    } else {
        command.arg(image);
    }
    command
}

/// Runs a program to its end, which may take minutes.
fn run_to_end(command: &mut Command) -> Duration {
    command.stdin(Stdio::null());
    let begun = Instant::now();
    let output = command.output().expect("the program starts");
    let took = begun.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    took
}
