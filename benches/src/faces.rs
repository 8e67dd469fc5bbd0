//! The faces beside their originals: the same words on the same bench.

use std::process::Command;
use std::time::{Duration, Instant};

use flashwire_tests::bench::noise;
use flashwire_tests::faces::{STM32LOADER, Tool};
use flashwire_tests::served::{Guard, Served};
use flashwire_tests::{built, judge};

/// Size of the image, in bytes.
const IMAGE_BYTES: usize = 64 << 10;

/// One command line on one bench.
struct Case {
    tool: Tool,
    /// The words after the tool's name; `PORT`, `IMAGE` and `OUT` stand for what their names say.
    words: &'static str,
    bench: &'static str,
    guard: Guard,
    /// What the flash holds before.
    before: fn() -> Vec<u8>,
    /// Why it may take longer than the original, if it may.
    excuse: Option<&'static str>,
}

/// A board wired as stm32loader wants it, behind an adapter that needs 1 ms for a round trip.
const LOADER: Case = Case {
    tool: STM32LOADER,
    words: "",
    bench: "stm32f103cb,latency-us=500,wiring=dtr-nrst+rts-boot0,button=none",
    guard: Guard::Nothing,
    before: image,
    excuse: None,
};

const CASES: &[Case] = &[
    Case {
        words: "-p PORT -e",
        ..LOADER
    },
    Case {
        words: "-p PORT -e -w IMAGE",
        ..LOADER
    },
    Case {
        words: "-p PORT -e -w -v IMAGE",
        ..LOADER
    },
    Case {
        words: "-p PORT -b 460800 -e -w -v IMAGE",
        ..LOADER
    },
    Case {
        words: "-p PORT -w -v IMAGE",
        before: nothing,
        ..LOADER
    },
    Case {
        words: "-p PORT -w IMAGE",
        before: nothing,
        excuse: Some("it makes sure that the flash is erased"),
        ..LOADER
    },
    Case {
        words: "-p PORT -b 460800 -w IMAGE",
        before: nothing,
        excuse: Some("it makes sure that the flash is erased"),
        ..LOADER
    },
    Case {
        words: "-p PORT -v IMAGE",
        ..LOADER
    },
    Case {
        words: "-p PORT -r -a 0x08000000 -l 65536 OUT",
        ..LOADER
    },
    Case {
        words: "-p PORT -f F1",
        ..LOADER
    },
    Case {
        words: "-p PORT -x",
        ..LOADER
    },
    Case {
        words: "-p PORT -u",
        guard: Guard::Reading,
        ..LOADER
    },
];

fn image() -> Vec<u8> {
    noise(IMAGE_BYTES, 1)
}

fn nothing() -> Vec<u8> {
    Vec::new()
}

/// Runs all cases in whose words this stands, and prints the table. Whether no face was slower than
/// its original without an excuse.
pub(crate) fn run(part: &str) -> bool {
    println!("The same words, {IMAGE_BYTES} bytes, in seconds of real time:\n");
    println!("| command line | original | face | ratio |");
    println!("|---|---|---|---|");
    let mut all_kept = true;
    for case in CASES.iter().filter(|case| case.words.contains(part)) {
        all_kept &= row(case);
    }
    println!();
    all_kept
}

/// Runs one case and prints its row.
fn row(case: &Case) -> bool {
    let original = time(case, |_| Command::new((case.tool.original)()));
    let ours = time(case, |tool| {
        let mut command = Command::new(built::flashwire());
        command.arg(tool.name);
        command
    });
    let ratio = ours.as_secs_f64() / original.as_secs_f64();
    let kept = ratio <= 1.0 || case.excuse.is_some();
    let note = match (ratio <= 1.0, case.excuse) {
        (true, _) => String::new(),
        (false, Some(excuse)) => format!(" ({excuse})"),
        (false, None) => " **slower**".to_owned(),
    };
    println!(
        "| `{} {}` | {:.2} | {:.2} | {ratio:.3}{note} |",
        case.tool.name,
        case.words,
        original.as_secs_f64(),
        ours.as_secs_f64(),
    );
    kept
}

/// How long a side takes on a fresh bench.
fn time(case: &Case, side: impl Fn(Tool) -> Command) -> Duration {
    let bench = Served::open_guarded(case.bench, &(case.before)(), case.guard);
    let file = bench.put("image.bin", &image());
    let out = bench.file("out.bin");
    let program = side(case.tool);
    let mut command = bench.program(program.get_program().as_ref());
    command.args(program.get_args());
    for word in case.words.split(' ') {
        match word {
            "PORT" => command.arg(bench.port()),
            "IMAGE" => command.arg(&file),
            "OUT" => command.arg(&out),
            word => command.arg(word),
        };
    }
    let begun = Instant::now();
    let outcome = judge::run(&mut command);
    let took = begun.elapsed();
    outcome.success();
    let flash = bench.finish().flash;
    let is_written = !case.words.contains("-w") || flash.starts_with(&image());
    assert!(is_written, "{command:?} wrote nonsense");
    took
}
