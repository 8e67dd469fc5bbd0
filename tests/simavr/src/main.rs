//! The board as a program: runs an image, and lets other programs open its serial port.
//!
//! What a tool needs to know (where to connect) goes to stdout, everything for people to stderr.

mod args;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use flashwire_link::CancelFlag;
use flashwire_sim::nor;
use flashwire_simavr::bridge::{Bridge, BridgeError, Limits};
use flashwire_simavr::{Config, Machine};

use args::Args;

/// The program crashed, or the port failed.
const FAILED: u8 = 1;
/// The port cannot be opened.
const NO_PORT: u8 = 6;
/// The image or the content of the chip is bad.
const BAD_INPUT: u8 = 7;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, text)) => {
            eprintln!("error: {text}");
            ExitCode::from(code)
        }
    }
}

fn bad(path: &Path, error: &dyn std::fmt::Display) -> (u8, String) {
    (BAD_INPUT, format!("{}: {error}", path.display()))
}

fn told(error: BridgeError) -> (u8, String) {
    let code = match error {
        BridgeError::Place(_) => NO_PORT,
        _ => FAILED,
    };
    (code, error.to_string())
}

fn run(args: &Args) -> Result<(), (u8, String)> {
    let image = fs::read(&args.image).map_err(|error| bad(&args.image, &error))?;
    let config = Config {
        chip_select: args.cs,
        boot: Duration::from_millis(args.boot_ms),
        baud: args.baud,
        ..Config::default()
    };
    let chip = chip(args)?;
    let machine = Machine::new(&image, config, chip).map_err(|error| bad(&args.image, &error))?;
    let limits = Limits {
        tools: if args.once { Some(1) } else { args.tools },
        time: args.deadline.map(Duration::from_secs_f64),
        stop: CancelFlag::new(),
    };
    let stop = limits.stop.clone();
    if let Err(error) = ctrlc::set_handler(move || stop.raise()) {
        eprintln!("warning: Ctrl-C ends this without a report: {error}");
    }
    let begun = Instant::now();
    let mut bridge = Bridge::listen(machine, &args.listen, args.pace.into()).map_err(told)?;
    println!("listening on {}", bridge.place());
    let result = bridge.run(&limits);
    report(bridge.machine(), begun);
    if let (Some(path), Some(chip)) = (&args.content, bridge.machine().chip()) {
        fs::write(path, chip.memory()).map_err(|error| bad(path, &error))?;
    }
    result.map_err(told)
}

fn chip(args: &Args) -> Result<Option<nor::Chip>, (u8, String)> {
    let Some(part) = args.chip else {
        return Ok(None);
    };
    let pace = args
        .busy_percent
        .map_or(nor::Pace::Typical, nor::Pace::Percent);
    let seed = args.seed;
    let mut chip = nor::Chip::new(part, nor::Options { pace, seed });
    if let Some(path) = &args.content
        && path.exists()
    {
        let content = fs::read(path).map_err(|error| bad(path, &error))?;
        let memory = chip.memory_mut().get_mut(..content.len());
        let memory = memory.ok_or_else(|| bad(path, &"it is larger than the chip"))?;
        memory.copy_from_slice(&content);
    }
    Ok(Some(chip))
}

/// What there is to say at the end.
fn report(machine: &Machine, begun: Instant) {
    let report = machine.report();
    eprintln!(
        "{:.3} s of the board in {:.3} s, {} cycles, {} resets by DTR, {} by the watchdog",
        machine.now().as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        report.cycles,
        report.pulses,
        report.watchdog_resets,
    );
    let traffic = report.traffic;
    eprintln!(
        "serial line: {} bytes read, {} sent, {} lost to overruns, {} garbled, {} missed",
        traffic.read, traffic.sent, traffic.overruns, traffic.framing_errors, traffic.missed,
    );
    eprintln!(
        "stack: {} bytes at its deepest, {} bytes of SRAM untouched",
        report.stack_bytes, report.untouched_bytes,
    );
    for complaint in &report.complaints {
        eprintln!(
            "complaint: {} ({} times, first in cycle {})",
            complaint.text, complaint.count, complaint.cycle,
        );
    }
    if let Some(chip) = machine.chip() {
        let activity = chip.activity();
        eprintln!(
            "{}: {} transactions, {} programs, {} erases, {} polls",
            chip.part().name,
            activity.transactions,
            activity.programs,
            activity.erases,
            activity.polls,
        );
    }
    for complaint in &report.chip_complaints {
        eprintln!("complaint: {complaint}");
    }
}
