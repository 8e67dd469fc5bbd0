//! Whole programs in the emulator: the guests of `firmware/guests`, as they are committed.

mod echo;
mod listening;

use std::fs;
use std::path::Path;

use flashwire_emulator::chip::{Config, Drive, Pin};
use flashwire_emulator::host::HostConfig;
use flashwire_emulator::{Board, Image, Time};

/// A board that runs a committed image; the path is that from the root of the tree.
fn board(image: &str, chip: Config, host: HostConfig) -> Board {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let bytes = fs::read(root.join(image)).expect("the image is committed");
    let image = Image::parse(&bytes).expect("it is an image");
    Board::new(chip, host, &image).expect("it fits")
}

fn guest(name: &str, chip: Config, host: HostConfig) -> Board {
    board(&format!("emulator/tests/guests/{name}.hex"), chip, host)
}

/// What a program said on USART1.
fn said(board: &mut Board) -> String {
    let frames = board.machine.chip_mut().take_serial_output(0);
    let bytes = frames.iter().map(|frame| (frame.levels >> 1) as u8);
    String::from_utf8(bytes.collect()).expect("it says text")
}

#[test]
fn a_tour_of_other_peoples_start_up_code_goes_well() {
    let mut board = guest("tour", Config::default(), HostConfig::default());
    board.machine.run_for(Time::from_millis(300)).unwrap();
    let said = said(&mut board);
    let steps: Vec<&str> = said.lines().collect();
    assert_eq!(steps.len(), 18, "{said}");
    assert_eq!(steps.last(), Some(&"done"), "{said}");
    assert!(!said.contains("FAILED"), "{said}");
    assert_eq!(board.machine.chip().complaints(), []);
    assert_eq!(board.machine.resets(), 1);
}

#[test]
fn a_program_that_waits_for_a_missing_crystal_waits_for_ever() {
    let chip = Config {
        crystal_hz: None,
        ..Config::default()
    };
    let mut board = guest("tour", chip, HostConfig::default());
    board.machine.run_for(Time::from_millis(300)).unwrap();
    assert_eq!(said(&mut board), "");
    assert_eq!(board.machine.chip().clocks().core_hz, 8_000_000);
}

#[test]
fn a_program_runs_the_same_to_the_cycle_every_time() {
    let run = || {
        let mut board = guest("sums", Config::default(), HostConfig::default());
        board.machine.run_for(Time::from_millis(20)).unwrap();
        let cpu = board.machine.cpu();
        (cpu.now(), cpu.instructions(), cpu.registers())
    };
    let first = run();
    assert!(first.1 > 500_000, "it computes: {}", first.1);
    assert_eq!(run(), first);
}

#[test]
fn the_example_blinks_once_a_second_and_counts() {
    let mut board = board(
        "examples/blinky-f103.hex",
        Config::default(),
        HostConfig::default(),
    );
    let led = Pin::parse("PC13").unwrap();
    board.machine.chip_mut().watch(led, Time::ZERO);
    board.machine.run_for(Time::from_millis(3_100)).unwrap();
    let told = said(&mut board);
    assert_eq!(
        told,
        "flashwire blinky: it runs\r\nblink 1\r\nblink 2\r\nblink 3\r\n"
    );
    let transitions = board.machine.chip().transitions(led);
    let lit: Vec<u64> = transitions
        .iter()
        .filter(|transition| transition.drive == Drive::Push(false))
        .map(|transition| transition.at.as_duration().as_millis() as u64)
        .filter(|&at| at > 100)
        .collect();
    assert_eq!(lit.len(), 3, "{lit:?}");
    for (second, at) in (1..).zip(&lit) {
        assert!((second * 1000..second * 1000 + 10).contains(at), "{lit:?}");
    }
    assert_eq!(board.machine.chip().complaints(), []);
}
