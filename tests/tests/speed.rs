//! The speed of every job, in simulated seconds: exact, the same on every machine and in every run.
//!
//! A change that makes a job slower or faster shows as a difference to `tests/speed/*.md`. If it is
//! meant, write the table anew and look at the difference before it is committed:
//! `FLASHWIRE_SPEED=write cargo test -p flashwire-tests --test speed`.

use std::fmt::Write as _;
use std::fs;

use flashwire::images::Firmware;
use flashwire::{
    Image, OpenOptions, Pipeline, PlanOptions, Port, Session, Speed, Unwatched, WriteOptions,
};
use flashwire_tests::bench::noise;
use flashwire_tests::table::compare;

/// Size of every image, in bytes.
const IMAGE_BYTES: usize = 64 << 10;

/// Address of every flash.
const START: u64 = 0x0800_0000;

/// The columns: what they are called, keys of the bench, speed.
const WIRES: [(&str, &str, u32); 5] = [
    ("115200, 0.1 ms", "latency-us=50", 115_200),
    ("115200, 1 ms", "latency-us=500", 115_200),
    (
        "115200, 16 ms timer",
        "latency-us=500,timer-us=16000",
        115_200,
    ),
    ("460800, 1 ms", "latency-us=500", 460_800),
    (
        "460800, 16 ms timer",
        "latency-us=500,timer-us=16000",
        460_800,
    ),
];

/// The boards: one for each kind of loader and flash.
const BENCHES: [&str; 7] = [
    "stm32f103cb",
    "stm32f103c8",
    "stm32f407vg",
    "stm32g071rb",
    "stm32g0b1re",
    "stm32l152rb",
    "stm32h743zi",
];

/// The columns of I2C: the clocks that loaders are for, and one behind a USB adapter.
const BUSES: [(&str, &str, u32); 3] = [
    ("100 kHz", "bus=i2c,i2c-hz=100000", DEFAULT_BAUD),
    ("400 kHz", "bus=i2c,i2c-hz=400000", DEFAULT_BAUD),
    (
        "400 kHz, 1 ms",
        "bus=i2c,i2c-hz=400000,latency-us=500",
        DEFAULT_BAUD,
    ),
];

/// What nobody sets: a bus has no speed that could be set.
const DEFAULT_BAUD: u32 = 115_200;

/// The boards on I2C: commands that stretch, that do not, and a checksum.
const BENCHES_ON_I2C: [&str; 6] = [
    "stm32f072rb",
    "stm32f407vg",
    "stm32h743zi",
    "stm32g071rb",
    "stm32l476rg",
    "stm32u575zi",
];

/// What is done on a bench whose flash holds something.
struct Job {
    name: &'static str,
    before: fn() -> Vec<u8>,
    pipeline: Pipeline,
    run: fn(&mut Session),
}

const JOBS: [Job; 8] = [
    Job {
        name: "info",
        before: Vec::new,
        pipeline: Pipeline::Address,
        run: |session| drop(session.info()),
    },
    Job {
        name: "read",
        before: random,
        pipeline: Pipeline::Address,
        run: |session| {
            let range = START..START + IMAGE_BYTES as u64;
            let content = session.read(range, &mut Unwatched).unwrap();
            assert_eq!(content, random());
        },
    },
    Job {
        name: "verify",
        before: random,
        pipeline: Pipeline::Address,
        run: |session| {
            let job = session.plan_verify(&firmware(random()), "image").unwrap();
            session.execute(&job, &mut Unwatched).unwrap();
        },
    },
    Job {
        name: "write",
        before: other,
        pipeline: Pipeline::Address,
        run: |session| write(session, random(), PlanOptions::default()),
    },
    Job {
        name: "write, pipeline off",
        before: other,
        pipeline: Pipeline::Off,
        run: |session| write(session, random(), PlanOptions::default()),
    },
    Job {
        name: "write, pipeline full",
        before: other,
        pipeline: Pipeline::Full,
        run: |session| write(session, random(), PlanOptions::default()),
    },
    Job {
        name: "write, half blank",
        before: other,
        pipeline: Pipeline::Address,
        run: |session| write(session, half_blank(), PlanOptions::default()),
    },
    Job {
        name: "write, 2 KiB changed, only changed",
        before: nearly,
        pipeline: Pipeline::Address,
        run: |session| {
            let options = PlanOptions {
                only_changed: true,
                ..PlanOptions::default()
            };
            write(session, random(), options);
        },
    },
];

fn random() -> Vec<u8> {
    noise(IMAGE_BYTES, 1)
}

fn other() -> Vec<u8> {
    noise(IMAGE_BYTES, 2)
}

fn half_blank() -> Vec<u8> {
    let mut image = noise(IMAGE_BYTES / 2, 1);
    image.resize(IMAGE_BYTES, 0xFF);
    image
}

/// As [`random`] but for 2 KiB.
fn nearly() -> Vec<u8> {
    let mut content = random();
    content[14 << 10..16 << 10].copy_from_slice(&noise(2 << 10, 3));
    content
}

fn firmware(bytes: Vec<u8>) -> Firmware {
    Firmware::One(Image::from_binary(bytes, Some(START)).unwrap())
}

fn write(session: &mut Session, bytes: Vec<u8>, plan: PlanOptions) {
    let options = WriteOptions {
        plan,
        ..WriteOptions::default()
    };
    let job = session
        .plan_write(&firmware(bytes), "image", &options, &mut Unwatched)
        .unwrap();
    session.execute(&job, &mut Unwatched).unwrap();
}

/// How long the job takes from the opening of the port to the end, on the bench's clock.
fn seconds(bench: &str, job: &Job, keys: &str, baud: u32) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let board = folder.path().join("board.bin");
    fs::write(&board, (job.before)()).unwrap();
    let port: Port = format!("sim:{bench},image={},{keys}", board.display())
        .parse()
        .unwrap();
    let mut options = OpenOptions::new(port);
    options.speed = Speed::Baud(baud);
    options.pipeline = job.pipeline;
    let mut session = Session::open(options, &mut Unwatched).unwrap();
    (job.run)(&mut session);
    session.now().as_secs_f64()
}

fn table(benches: &[&str], wires: &[(&str, &str, u32)], jobs: &[&Job]) -> String {
    let mut table = String::from("| board | job |");
    for (name, ..) in wires {
        write!(table, " {name} |").unwrap();
    }
    table.push_str("\n|---|---|");
    table.push_str(&"---:|".repeat(wires.len()));
    table.push('\n');
    for bench in benches {
        for job in jobs {
            write!(table, "| {bench} | {} |", job.name).unwrap();
            for (_, keys, baud) in wires {
                let seconds = seconds(bench, job, keys, *baud);
                write!(table, " {seconds:.2} |").unwrap();
            }
            table.push('\n');
        }
    }
    table
}

#[test]
fn every_job_takes_the_time_that_the_table_says() {
    let jobs: Vec<&Job> = JOBS.iter().collect();
    compare("speed/stm32.md", &table(&BENCHES, &WIRES, &jobs));
}

#[test]
fn every_job_on_i2c_takes_the_time_that_the_table_says() {
    // Nothing runs ahead of its answer on a bus.
    let usual = |job: &&Job| job.pipeline == Pipeline::Address;
    let jobs: Vec<&Job> = JOBS.iter().filter(usual).collect();
    compare("speed/stm32-i2c.md", &table(&BENCHES_ON_I2C, &BUSES, &jobs));
}
