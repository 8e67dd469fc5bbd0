//! Every option of stm32flash 0.7 that takes time, done by it and by flashwire's face of it.

use flashwire_tests::bench::noise;
use flashwire_tests::board::{Board, F103, G071};
use flashwire_tests::faces::{Row, Run, STM32FLASH};
use flashwire_tests::served::Guard;

/// Size of the image, in bytes.
const IMAGE_BYTES: usize = 16 << 10;

/// How often each row is run; the median counts.
const TIMES: usize = 3;

/// How much longer ours may take for what it asks and the original does not, in seconds: the chip's own
/// size and identity, everything twice, for no answer has a checksum; and after a protection has
/// changed and the chip has reset itself, whether it is so now.
const ASKING_S: f64 = 0.35;

/// A board with flash that takes its typical times, behind an adapter that needs 1 ms for a round
/// trip.
const SLOW_F103: Board = Board {
    bench: "stm32f103cb,latency-us=500",
    ..F103
};

const SLOW_G071: Board = Board {
    bench: "stm32g071rb,latency-us=500",
    ..G071
};

const JOB: Row = Row {
    board: SLOW_F103,
    before: Board::blank,
    files: &[("image.bin", image)],
    ..Row::ON_F103
};

/// What the flash begins with where something is to be read or started.
fn full(board: &Board) -> Vec<u8> {
    let mut content = flashwire_tests::board::image();
    content.resize(board.flash_bytes, board.erased);
    content
}

fn image() -> Vec<u8> {
    noise(IMAGE_BYTES, 1)
}

/// Half of the flash of an F103CB: what is asked of the chip once weighs less.
fn large() -> Vec<u8> {
    noise(64 << 10, 1)
}

const ROWS: &[Row] = &[
    Row {
        name: "no action",
        runs: &[Run::both("-b 115200 port", 0)],
        ..JOB
    },
    Row {
        name: "`-w`",
        runs: &[Run::both("-b 115200 -w image.bin port", 0)],
        ..JOB
    },
    Row {
        name: "`-w -v`",
        runs: &[Run::both("-b 115200 -v -w image.bin port", 0)],
        ..JOB
    },
    Row {
        name: "`-w -v`, G071",
        board: SLOW_G071,
        runs: &[Run::both("-b 115200 -v -w image.bin port", 0)],
        ..JOB
    },
    Row {
        name: "`-w -v -n 0`",
        runs: &[Run::both("-b 115200 -v -n 0 -w image.bin port", 0)],
        ..JOB
    },
    Row {
        name: "`-w -v -g`",
        runs: &[Run::both("-b 115200 -v -w image.bin -g 0 port", 0)],
        ..JOB
    },
    Row {
        name: "`-w -v -S`",
        runs: &[Run::both("-b 115200 -v -S 0x08004000 -w image.bin port", 0)],
        ..JOB
    },
    Row {
        name: "`-w -v -f`",
        runs: &[Run::both("-b 115200 -v -f -w image.bin port", 0)],
        ..JOB
    },
    Row {
        name: "`-w -v -F 128:130`",
        runs: &[Run::both("-b 115200 -v -F 128:130 -w image.bin port", 0)],
        ..JOB
    },
    Row {
        name: "`-w -`",
        runs: &[Run::both("-b 115200 -w - port", 0).fed(image)],
        ..JOB
    },
    Row {
        name: "`-w -v -e 0`",
        runs: &[Run::both("-b 115200 -v -e 0 -w image.bin port", 0)],
        ..JOB
    },
    Row {
        name: "`-w -e 0` (reads before it writes)",
        runs: &[Run::both("-b 115200 -e 0 -w image.bin port", 0)],
        ..JOB
    },
    Row {
        name: "`-w`, 64 KiB",
        files: &[("large.bin", large)],
        runs: &[Run::both("-b 115200 -w large.bin port", 0)],
        ..JOB
    },
    Row {
        name: "`-w -`, 64 KiB",
        runs: &[Run::both("-b 115200 -w - port", 0).fed(large)],
        ..JOB
    },
    Row {
        name: "`-r`",
        runs: &[Run::both(
            "-b 115200 -S 0x08000000:16384 -r out.bin port",
            0,
        )],
        ..JOB
    },
    Row {
        name: "`-r -s -e`",
        runs: &[Run::both("-b 115200 -s 4 -e 16 -r out.bin port", 0)],
        ..JOB
    },
    Row {
        name: "`-C`",
        runs: &[Run::both("-b 115200 -C -S 0x08000000:16384 port", 0)],
        ..JOB
    },
    Row {
        name: "`-o`",
        runs: &[Run::both("-b 115200 -o port", 0)],
        ..JOB
    },
    Row {
        name: "`-o -s -e`",
        runs: &[Run::both("-b 115200 -o -s 4 -e 16 port", 0)],
        ..JOB
    },
    Row {
        name: "`-k`",
        guard: Guard::Reading,
        runs: &[Run::both("-b 115200 -k port", 0)],
        ..JOB
    },
    Row {
        name: "`-j`",
        runs: &[Run::both("-b 115200 -j port", 0)],
        ..JOB
    },
    Row {
        name: "`-u`",
        guard: Guard::Writing(&[0]),
        runs: &[Run::both("-b 115200 -u port", 0)],
        ..JOB
    },
    Row {
        name: "`-g`",
        before: full,
        runs: &[Run::both("-b 115200 -g 0 port", 0)],
        ..JOB
    },
    Row {
        name: "`-R`",
        before: full,
        runs: &[Run::both("-b 115200 -R port", 0)],
        ..JOB
    },
    Row {
        name: "`-c`",
        runs: &[
            Run::both("-b 115200 port", 0),
            Run::both("-b 115200 -c port", 0),
        ],
        ..JOB
    },
    Row {
        name: "`-i`",
        keys: ",wiring=dtr-nrst+rts-boot0,button=none",
        before: full,
        runs: &[Run::both(
            "-b 115200 -i -rts&dtr,-dtr,:rts&dtr,-dtr port",
            0,
        )],
        ..JOB
    },
];

/// Runs all rows whose name has this in it, and prints the table. Whether ours was never slower.
pub(crate) fn run(part: &str) -> bool {
    println!(
        "stm32flash and its face, {} KiB at 115200 baud 8E1, median of {TIMES}, in seconds of real \
         time:\n",
        IMAGE_BYTES >> 10
    );
    println!("| options | stm32flash | flashwire stm32flash | ratio |");
    println!("|---|---|---|---|");
    let mut all_kept = true;
    for row in ROWS.iter().filter(|row| row.name.contains(part)) {
        let times: Vec<(f64, f64)> = (0..TIMES)
            .map(|_| row.time(STM32FLASH))
            .map(|(original, ours)| (original.as_secs_f64(), ours.as_secs_f64()))
            .collect();
        let original = median(times.iter().map(|(original, _)| *original));
        let ours = median(times.iter().map(|(_, ours)| *ours));
        let ratio = ours / original;
        // Who the chip is costs ours more, once: see docs/performance.md.
        all_kept &= ours <= original + ASKING_S;
        println!("| {} | {original:.3} | {ours:.3} | {ratio:.3} |", row.name);
    }
    println!();
    all_kept
}

fn median(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
