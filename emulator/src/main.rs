//! The emulator as a program: runs an image, and lets other programs use its USB device.
//!
//! What a tool needs to know (where to connect) goes to stdout, everything for people to stderr.

mod args;

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use flashwire_emulator::bridge::{BridgeError, Limits, Redirection, Stream};
use flashwire_emulator::chip::Config;
use flashwire_emulator::cpu::Profile;
use flashwire_emulator::host::HostConfig;
use flashwire_emulator::{Board, Functions, Image, SharedNor, Time, cost_table};
use flashwire_link::CancelFlag;
use flashwire_sim::nor;

use args::{Args, Task};

/// The chip did something that the emulator does not know, or its USB does not work.
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

fn run(args: &Args) -> Result<(), (u8, String)> {
    let bad = |path: &std::path::Path, error: &dyn std::fmt::Display| {
        (BAD_INPUT, format!("{}: {error}", path.display()))
    };
    let bytes = fs::read(&args.image).map_err(|error| bad(&args.image, &error))?;
    let image = match args.at {
        Some(address) => Image::parse_binary(&bytes, address),
        None => Image::parse(&bytes),
    };
    let image = image.map_err(|error| bad(&args.image, &error))?;
    let chip = Config {
        flash_bytes: args.flash.unwrap_or(args.part.flash_bytes),
        sram_bytes: args.ram.unwrap_or(args.part.sram_bytes),
        crystal_hz: (args.crystal_hz > 0).then_some(args.crystal_hz),
        apb_wait_cycles: args.apb_wait,
        double_buffering: args.double_buffering.into(),
        usb_pull_up: args.pull_up,
        ..Config::default()
    };
    image
        .check_vectors(chip.sram_bytes)
        .map_err(|error| bad(&args.image, &error))?;
    let host = HostConfig {
        nak_gap_bits: args.nak_gap,
        ..HostConfig::default()
    };
    let mut board = Board::new(chip, host, &image).map_err(|error| bad(&args.image, &error))?;

    let flash = match &args.chip {
        Some(part) => {
            let options = nor::Options {
                pace: args
                    .busy_percent
                    .map_or(nor::Pace::Typical, nor::Pace::Percent),
                seed: args.seed,
            };
            let mut chip = nor::Chip::new(part, options);
            if let Some(path) = &args.content
                && path.exists()
            {
                let content = fs::read(path).map_err(|error| bad(path, &error))?;
                let memory = chip.memory_mut();
                let slot = memory
                    .get_mut(..content.len())
                    .ok_or_else(|| bad(path, &"it is larger than the chip"))?;
                slot.copy_from_slice(&content);
            }
            Some(board.clip_to(args.spi.into(), args.cs(), chip))
        }
        None => None,
    };

    if args.profile.is_some() {
        board.machine.cpu_mut().start_profile();
    }

    let limits = Limits {
        tools: args.tools(),
        time: args.deadline.map(Duration::from_secs_f64),
        stop: CancelFlag::new(),
    };
    let stop = limits.stop.clone();
    if let Err(error) = ctrlc::set_handler(move || stop.raise()) {
        eprintln!("warning: Ctrl-C ends this without a report: {error}");
    }

    let begun = Instant::now();
    let (result, profile) = match args.task() {
        Task::Run(time) => {
            let result = run_alone(&mut board, time, &limits.stop);
            report(&board, begun);
            (result, board.machine.cpu_mut().take_profile())
        }
        Task::Listen(place) => match board.plug_in(Stream::PATIENCE) {
            Ok((_, line)) => {
                let bridge = Stream::listen(board, line, place, args.pace.into());
                let mut bridge = bridge.map_err(told)?;
                println!("listening on {}", bridge.place());
                let result = bridge.run(&limits);
                report(bridge.board(), begun);
                (result, bridge.board_mut().machine.cpu_mut().take_profile())
            }
            Err(error) => {
                report(&board, begun);
                let profile = board.machine.cpu_mut().take_profile();
                (Err(error.into()), profile)
            }
        },
        Task::Redirect(address) => {
            let mut bridge = Redirection::listen(board, address, args.pace.into()).map_err(told)?;
            println!("listening on {}", bridge.place());
            let result = bridge.run(&limits);
            report(bridge.board(), begun);
            (result, bridge.board_mut().machine.cpu_mut().take_profile())
        }
    };
    if let (Some(path), Some(profile)) = (&args.profile, profile) {
        let text = profile_text(&profile, Functions::parse(&bytes).ok().as_ref());
        fs::write(path, text).map_err(|error| bad(path, &error))?;
    }
    if let Some(flash) = flash {
        report_flash(&flash);
        if let Some(path) = &args.content {
            fs::write(path, flash.chip().memory()).map_err(|error| bad(path, &error))?;
        }
    }
    result.map_err(told)
}

/// Runs the program with nobody at its USB.
fn run_alone(board: &mut Board, time: Time, stop: &CancelFlag) -> Result<(), BridgeError> {
    let end = board.machine.now() + time;
    while board.machine.now() < end && !stop.is_raised() {
        let step = Time::from_millis(10).min(end - board.machine.now());
        board.machine.run_for(step)?;
    }
    Ok(())
}

fn told(error: BridgeError) -> (u8, String) {
    let code = match error {
        BridgeError::Place(_) => NO_PORT,
        _ => FAILED,
    };
    (code, error.to_string())
}

/// What there is to say about the chip at the end.
fn report(board: &Board, begun: Instant) {
    let (cpu, real) = (board.machine.cpu(), begun.elapsed().as_secs_f64());
    let emulated = board.machine.now().as_seconds();
    let traffic = board.host.traffic();
    eprintln!(
        "{emulated:.3} s emulated in {real:.3} s, {} instructions, {} resets, now at pc {:#010x}",
        cpu.instructions(),
        board.machine.resets(),
        cpu.pc(),
    );
    eprintln!(
        "USB: {} packets in, {} NAKs; {} packets out, {} NAKs; {} repeated",
        traffic.in_packets,
        traffic.in_naks,
        traffic.out_packets,
        traffic.out_naks,
        traffic.repeated,
    );
    for complaint in board.machine.chip().complaints() {
        eprintln!("complaint: {complaint}");
    }
}

/// Where the cycles went: docs/emulator.md.
fn profile_text(profile: &Profile, functions: Option<&Functions<'_>>) -> String {
    let all = cost_table(profile.executed(), functions, 1);
    let mut text = format!("{} cycles\n{all}", profile.cycles());
    let latency = profile.latency();
    if let Some(mean) = latency.cycles.checked_div(latency.answers) {
        let (answers, most) = (latency.answers, latency.most_cycles);
        let each = cost_table(profile.while_waited_for(), functions, answers);
        text += &format!("\n{answers} answers, after {mean} cycles each, {most} at most:\n{each}");
    }
    text
}

fn report_flash(flash: &SharedNor) {
    let chip = flash.chip();
    let activity = chip.activity();
    eprintln!(
        "{}: {} transactions, {} programs, {} erases, {} polls",
        chip.part().name,
        activity.transactions,
        activity.programs,
        activity.erases,
        activity.polls,
    );
    for complaint in chip.complaints() {
        eprintln!("complaint: {complaint}");
    }
}
