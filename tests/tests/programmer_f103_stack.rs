//! How deep the stack of the STM32F103 programmer gets: what follows from its code, and what is seen
//! when it works hard.

use std::collections::BTreeMap;

use flashwire_emulator::chip::{Config, Pin, Port as Gpio, SRAM_BASE};
use flashwire_emulator::host::HostConfig;
use flashwire_emulator::stack::{Code, bound};
use flashwire_emulator::{Board, Time};
use flashwire_sim::nor;
use flashwire_tests::programmer::{Build, Programmer};

/// What no program writes everywhere.
const PAINT: u8 = 0xA5;

/// Below the stack's beginning, this much is looked at: more than it may take, and no variables.
const WATCHED: usize = 4096;

fn painted(build: Build) -> Programmer {
    let part = nor::find("w25q80bv").expect("a part of the bench");
    let chip = nor::Chip::new(part, nor::Options::default());
    let image = build.image();
    let mut board =
        Board::new(Config::default(), HostConfig::default(), &image).expect("the image fits");
    board.machine.chip_mut().sram_mut().fill(PAINT);
    let chip = board.clip(Pin::new(Gpio::A, 4), chip);
    let (device, port) = board
        .plug_in(Time::from_millis(3000))
        .expect("it enumerates");
    Programmer {
        board,
        chip,
        device,
        port,
    }
}

/// Something of everything, at lengths that interrupt and are interrupted.
fn works_hard(programmer: &mut Programmer) {
    programmer.set_spi_hz(18_000_000);
    for length in [1, 63, 64, 65, 300, 5000] {
        programmer.spi(&[0x03, 0, 0, 0], length);
    }
    programmer.spi(&[0x06], 0);
    programmer.spi(&[[0x02, 0, 0, 0].as_slice(), &[0x5A; 256]].concat(), 0);
    while programmer.spi(&[0x05], 1)[0] & 1 != 0 {}
    // CRC and blank check of 1 KiB from 0 on, where 256 bytes are written now.
    for measure in [0x81, 0x82] {
        let command = [measure, 4, 0, 4, 0, 0x03, 0, 0, 0];
        let answer = programmer.exchange(&command, 5).expect("it is answered");
        assert_eq!(answer[0], 0x06);
    }
    let board = &mut programmer.board;
    let (_, port) = board.plug_in(Time::from_millis(3000)).expect("it is back");
    programmer.port = port;
    programmer.spi(&[0x9F], 3);
}

#[test]
fn it_stays_within_what_follows_from_the_code_and_comes_near_it() {
    for build in [Build::DoubleBuffered, Build::SingleBuffered] {
        let bound = bound(&Code::new(&build.image()), &BTreeMap::new()).expect("it has a bound");
        let mut programmer = painted(build);
        works_hard(&mut programmer);
        let sram = programmer.board.machine.chip().sram();
        let top = (bound.top - SRAM_BASE) as usize;
        let watched = &sram[top - WATCHED..top];
        let untouched = watched.iter().take_while(|&&byte| byte == PAINT).count();
        let measured = WATCHED - untouched;
        let bytes = bound.bytes() as usize;
        println!("{build:?}: {measured} bytes seen, at most {bytes}");
        assert!(measured <= bytes, "{build:?}: {measured} > {bytes}");
        assert!(
            measured * 4 >= bytes * 3,
            "{build:?}: {measured} of {bytes}"
        );
    }
}
