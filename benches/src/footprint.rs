//! What flashwire itself costs: time to start, size of the program, memory.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use flashwire_tests::bench::noise;
use flashwire_tests::built;

/// From the start to the exit of `info` on a bench in virtual time, at most.
const START_MOST: Duration = Duration::from_millis(15);

/// Size of the program, at most, in bytes.
const PROGRAM_MOST_BYTES: u64 = 8_000_000;

/// Memory beside the image, at most, in bytes.
const MEMORY_MOST_BYTES: u64 = 20_000_000;

/// Runs over which the time to start is taken.
const STARTS: usize = 51;

/// Measures and prints the table. Whether all limits were kept.
pub(crate) fn run() -> bool {
    let start = time_to_start();
    let program_bytes = fs::metadata(built::flashwire()).map_or(0, |data| data.len());
    let image_bytes = 1 << 20;
    let memory_bytes = memory_to_write(image_bytes);

    println!("| what flashwire costs | measured | at most |");
    println!("|---|---|---|");
    println!(
        "| `info` on a bench, start to exit, median of {STARTS} | {:.1} ms | {} ms |",
        start.as_secs_f64() * 1e3,
        START_MOST.as_millis()
    );
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "| size of the program | {:.2} MB | {:.0} MB |",
        megabytes(program_bytes),
        megabytes(PROGRAM_MOST_BYTES)
    );
    println!(
        "| memory to write 1 MiB to an F407 bench in the same process | {:.1} MB | {:.1} MB |\n",
        megabytes(memory_bytes),
        megabytes(MEMORY_MOST_BYTES + image_bytes)
    );
    start <= START_MOST
        && program_bytes <= PROGRAM_MOST_BYTES
        && memory_bytes <= MEMORY_MOST_BYTES + image_bytes
}

fn flashwire(arguments: &[&str]) -> Command {
    let mut command = Command::new(built::flashwire());
    command.args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn time_to_start() -> Duration {
    let mut command = flashwire(&["info", "-p", "sim:stm32f103cb"]);
    let mut times: Vec<Duration> = (0..STARTS)
        .map(|_| {
            let begun = Instant::now();
            let status = command.status().expect("flashwire starts");
            assert!(status.success(), "{status}");
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[STARTS / 2]
}

/// Peak of the resident memory, the simulated board included, in bytes.
fn memory_to_write(image_bytes: u64) -> u64 {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let file = folder.path().join("image.bin");
    fs::write(&file, noise(image_bytes as usize, 1)).expect("there is room for an image");
    let mut command = flashwire(&["write", "-p", "sim:stm32f407vg", "--yes"]);
    let mut child = command.arg(&file).spawn().expect("flashwire starts");
    // The high-water mark only grows, so the last look before the end is right.
    let status = format!("/proc/{}/status", child.id());
    let mut peak_bytes = 0;
    while child.try_wait().expect("it is our child").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        peak_bytes = high_water_bytes(&text).unwrap_or(peak_bytes);
        thread::sleep(Duration::from_millis(1));
    }
    peak_bytes
}

/// `VmHWM:     5432 kB`. proc(5).
fn high_water_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}
