//! How fast our client and our programmer are together, in simulated seconds: exact, the same on
//! every machine and in every run. No latency of a USB adapter is in it.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_plan::FlashDevice;
use flashwire_tests::bench::noise;
use flashwire_tests::socket::read;

use crate::desk::{Build, Desk};

/// What is read and programmed, in bytes.
const BYTES: usize = 64 << 10;

/// A page of a W25Q80BV: 256 bytes in typically 0.7 ms.
const CHIP_BYTES_A_SECOND: f64 = 256.0 / 0.7e-3;

/// Characters that a line carries, of ten bits.
fn line_bytes_a_second(build: Build) -> f64 {
    f64::from(build.baud()) / 10.0
}

/// What a job takes.
fn timed(desk: &Desk, job: impl FnOnce()) -> Duration {
    let begun = desk.uno.machine().now();
    job();
    desk.uno.machine().now() - begun
}

fn rate(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64()
}

#[test]
fn chips_are_read_at_the_speed_of_the_line() {
    for (build, share) in [
        (Build::Baud115200, 0.95),
        (Build::Baud500k, 0.95),
        (Build::Baud1M, 0.95),
        (Build::Baud2M, 0.88),
    ] {
        let desk = Desk::new(build);
        let mut chip = desk.chip();
        let time = timed(&desk, || {
            let content = read(&mut chip, 0..BYTES as u64);
            assert!(content == noise(BYTES, 1), "{build:?}: content");
        });
        let line = line_bytes_a_second(build);
        let found = rate(BYTES, time) / line;
        println!(
            "{build:?}: read at {:.1} KiB/s, {found:.3} of the line",
            rate(BYTES, time) / 1024.0
        );
        assert!(
            found >= share,
            "{build:?}: {found:.3} of the line, {share} asked for"
        );
        desk.is_flawless();
    }
}

#[test]
fn pages_are_programmed_at_the_speed_of_line_or_chip() {
    for (build, share) in [
        (Build::Baud115200, 0.85),
        (Build::Baud500k, 0.85),
        (Build::Baud1M, 0.85),
        (Build::Baud2M, 0.6),
    ] {
        let desk = Desk::new(build);
        desk.fill(&[0xFF; BYTES]);
        let mut chip = desk.chip();
        let time = timed(&desk, || {
            let nothing = &mut |_| ControlFlow::Continue(());
            let done = chip.program(0, &noise(BYTES, 2), nothing);
            done.unwrap_or_else(|error| panic!("{error:?}, {:#?}", desk.uno.machine().report()));
        });
        assert!(
            desk.memory()[..BYTES] == noise(BYTES, 2),
            "{build:?}: content"
        );
        let best = line_bytes_a_second(build).min(CHIP_BYTES_A_SECOND);
        let found = rate(BYTES, time) / best;
        println!(
            "{build:?}: programmed at {:.1} KiB/s, {found:.3} of line or chip",
            rate(BYTES, time) / 1024.0
        );
        assert!(
            found >= share,
            "{build:?}: {found:.3} of line or chip, {share} asked for"
        );
        desk.is_flawless();
    }
}
