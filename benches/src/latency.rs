//! How long the STM32F103 programmer takes to answer, and where the cycles go.
//!
//! Emulated time: the figures repeat to the cycle. What is timed is flashrom's way of programming
//! pages, whose commands are short and each waited for.

use std::fs;
use std::path::Path;

use flashwire_emulator::chip::Config;
use flashwire_emulator::cpu::Latency;
use flashwire_emulator::host::HostConfig;
use flashwire_emulator::{Board, Functions, Image, cost_table};
use flashwire_sim::nor;
use flashwire_tests::programmer::{Build, Programmer};

const SPI_HZ: u32 = 36_000_000;
const PAGES: u32 = 16;

/// Wait cycles of an access to a peripheral, and bit times that the host waits after a NAK.
const WORLDS: [(u32, u64); 2] = [(0, 10), (4, 200)];

/// Prints the tables. With an ELF file of the firmware they name its functions, without one the
/// committed image is looked at.
pub(crate) fn run(elf: Option<&Path>) -> bool {
    let elf = elf.map(|path| fs::read(path).expect("the ELF file can be read"));
    let functions = elf
        .as_deref()
        .map(|elf| Functions::parse(elf).expect("it is an ELF file with symbols"));
    let image = match &elf {
        Some(elf) => Image::parse(elf).expect("it is an image"),
        None => Build::DoubleBuffered.image(),
    };
    for (wait, gap) in WORLDS {
        let config = Config {
            apb_wait_cycles: wait,
            ..Config::default()
        };
        let host = HostConfig {
            nak_gap_bits: gap,
            ..HostConfig::default()
        };
        let part = nor::find("w25q80bv").expect("a part of the bench");
        let chip = nor::Chip::new(part, nor::Options::default());
        let board = Board::new(config, host, &image).expect("the image fits");
        let mut programmer = Programmer::of(board, chip);
        programmer.set_spi_hz(SPI_HZ);
        println!("WAIT {wait}, GAP {gap}: cycles from the end of a packet until its answer is up");
        println!("| command | mean | most |");
        println!("|---|---|---|");
        for (name, send, receive) in [
            ("WREN", &[0x06][..], 0),
            ("RDSR", &[0x05], 2),
            ("RDID", &[0x9F], 3),
        ] {
            let latency = measured(&mut programmer, |programmer| {
                for _ in 0..PAGES {
                    programmer.spi(send, receive);
                }
            });
            print_row(name, latency);
        }
        programmer.board.machine.cpu_mut().start_profile();
        programmer.program_pages(&[0xA5; 256], PAGES);
        let profile = programmer.board.machine.cpu_mut().take_profile();
        let profile = profile.expect("it was started");
        print_row("pages", profile.latency());
        let answers = profile.latency().answers;
        let table = cost_table(profile.while_waited_for(), functions.as_ref(), answers);
        println!("\nPer answer:\n{table}");
    }
    true
}

fn measured(programmer: &mut Programmer, action: impl FnOnce(&mut Programmer)) -> Latency {
    programmer.board.machine.cpu_mut().start_profile();
    action(programmer);
    let profile = programmer.board.machine.cpu_mut().take_profile();
    profile.expect("it was started").latency()
}

fn print_row(name: &str, latency: Latency) {
    let mean = latency.cycles as f64 / latency.answers.max(1) as f64;
    println!("| {name} | {mean:.0} | {} |", latency.most_cycles);
}
