//! How fast the emulator is: instructions, and emulated time, per second of one processor.
//!
//! Processor time, not the clock on the wall: other work on the machine is no fault of the emulator.

use std::fs;
use std::path::Path;

use flashwire_emulator::chip::Config;
use flashwire_emulator::host::HostConfig;
use flashwire_emulator::{Board, Image, Time};

/// What real time needs.
const REAL_TIME: f64 = 1.0;

/// A program, and what it does.
struct Job {
    image: &'static str,
    what: &'static str,
    run: fn(&mut Board),
}

const JOBS: [Job; 3] = [
    Job {
        image: "sums",
        what: "computes without a pause",
        run: |board| run_for(board, 8),
    },
    Job {
        image: "tour",
        what: "feeds both watchdogs all the time",
        run: |board| run_for(board, 8),
    },
    Job {
        image: "echo",
        what: "sends 1 MiB to and fro over USB",
        run: echo,
    },
];

/// The loops of `loops`, by the number that chooses each.
const LOOPS: [(u32, &str); 11] = [
    (0, "feeds the watchdog all the time"),
    (1, "toggles a pin as fast as it can"),
    (2, "toggles a pin through its bit-band alias"),
    (3, "waits for a pin"),
    (4, "exchanges bytes over SPI at 9 MHz, polled"),
    (5, "waits for a character"),
    (6, "waits by the count of a timer"),
    (7, "waits for a timer's flag, 100000 times a second"),
    (8, "waits for SysTick's flag"),
    (9, "waits for the USB"),
    (10, "sleeps, and is woken 10000 times a second"),
];

fn run_for(board: &mut Board, seconds: u64) {
    board
        .machine
        .run_for(Time::SECOND * seconds)
        .expect("it goes on");
}

fn echo(board: &mut Board) {
    const BYTES: usize = 1 << 20;

    let (_, mut port) = board.plug_in(Time::SECOND).expect("it is a port");
    let bytes: Vec<u8> = (0..BYTES).map(|index| ((index * 31) >> 3) as u8).collect();
    let back = board.exchange(&mut port, &bytes, BYTES, Time::SECOND);
    assert!(back.expect("it echoes") == bytes, "what came back differs");
}

/// Prints the table; whether every job keeps up with real time.
pub(crate) fn run() -> bool {
    println!(
        "| program | emulated s | processor s | million instructions a second | times real time |"
    );
    println!("|---|---|---|---|---|");
    let mut kept = true;
    for job in &JOBS {
        let mut board = board(job.image);
        kept &= measure(job.image, job.what, &mut board, job.run);
    }
    for (number, what) in LOOPS {
        let mut board = board("loops");
        board.machine.chip_mut().sram_mut()[..4].copy_from_slice(&u32::to_le_bytes(number));
        kept &= measure("loops", what, &mut board, |board| run_for(board, 4));
    }
    kept
}

/// Prints a row; whether the job keeps up with real time.
fn measure(image: &str, what: &str, board: &mut Board, run: fn(&mut Board)) -> bool {
    let before = processor_seconds();
    run(board);
    let took = processor_seconds() - before;
    let cpu = board.machine.cpu();
    let emulated = cpu.now().as_seconds();
    let ratio = emulated / took;
    println!(
        "| `{image}`: {what} | {emulated:.2} | {took:.2} | {:.0} | {ratio:.2} |",
        cpu.instructions() as f64 / took / 1e6,
    );
    ratio >= REAL_TIME
}

fn board(name: &str) -> Board {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../emulator/tests/guests");
    let bytes = fs::read(folder.join(format!("{name}.hex"))).expect("the image is committed");
    let image = Image::parse(&bytes).expect("it is an image");
    Board::new(Config::default(), HostConfig::default(), &image).expect("it fits")
}

/// What this process has had of a processor so far: the first number of `schedstat`, nanoseconds
/// (Documentation/scheduler/sched-stats.rst of Linux).
fn processor_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").expect("Linux tells");
    let first = text
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok());
    let nanoseconds: u64 = first.expect("it begins with a number");
    nanoseconds as f64 / 1e9
}
