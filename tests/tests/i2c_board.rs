//! flashwire as a program and loaders on an I2C bus, over its own system calls.

#![cfg(target_os = "linux")]

use std::process::Command;

use flashwire_sim::stm32::ChipState;
use flashwire_tests::board::assert_same_flash;
use flashwire_tests::gpio::Computer;
use flashwire_tests::judge::{self, Outcome};
use flashwire_tests::loaders::{F072, G071, H743, IMAGE_BYTES, Loader, image};
use flashwire_tests::served::Served;

fn run(command: &mut Command, words: &[&str]) -> Outcome {
    judge::run(command.args(words))
}

/// Each of the three versions of the protocol: with clocks that are held, with BUSY, with a checksum.
/// What shares an erase unit is not kept: to read it over this bus takes its time.
#[test]
fn every_version_of_the_protocol_writes_verifies_reads_and_starts() {
    for loader in [F072, H743, G071] {
        let bench = loader.open();
        let file = bench.put("image.bin", &image());
        let mut write = loader.flashwire(&bench, "write");
        run(write.arg(&file), &["--no-keep", "--run"]).success();
        let read = bench.file("read.bin");
        let length = IMAGE_BYTES.to_string();
        let mut program = loader.flashwire(&bench, "read");
        let range = ["--address", "0x08000000", "--length", &length];
        run(program.arg(&read), &range).success();
        assert_same_flash(&std::fs::read(&read).unwrap(), &image());

        let remains = bench.finish();
        assert_same_flash(&remains.flash, &loader.written());
        assert_eq!(remains.complaints, [""; 0]);
    }
}

#[test]
fn what_keeps_flashwire_from_a_loader_is_told_apart() {
    for (address, keys, code, said) in [
        ("0x51", ",open=13", 6, "error[i2c-denied]"),
        ("0x51", ",open=2", 6, "error[i2c-not-found]"),
        ("0x51", ",driver-at=0x51", 6, "error[i2c-busy]"),
        ("0x51", ",functions=0x0eff0008", 6, "error[i2c-unsupported]"),
        // Nobody there, by drivers of either kind.
        ("0x52", "", 5, "error[i2c-no-answer]"),
        ("0x52", ",nak=121", 5, "error[i2c-no-answer]"),
    ] {
        let bench = G071.open();
        let elsewhere = Loader { address, ..G071 };
        let mut program = elsewhere.flashwire(&bench, "info");
        bench.attach_with(&mut program, keys);
        let outcome = run(&mut program, &[]);
        assert_eq!(outcome.code, code, "{keys}: {}", outcome.said);
        assert!(outcome.said.contains(said), "{keys}: {}", outcome.said);
    }
}

/// An I2C bus has no lines; the computer beside it may have some.
#[test]
fn gpio_lines_beside_the_bus_lead_into_the_loader_and_out_of_it() {
    let wired = "boot0=low,wiring=gpio17-nrst+gpio18-boot0,button=none";
    let bench = Served::open(&format!("{},{wired}", G071.bench()), &G071.old_content());
    let gpio = Computer::default().wired_to(&bench.place()).start();
    let file = bench.put("image.bin", &image());
    let mut program = G071.flashwire(&bench, "write");
    gpio.attach(&mut program);
    let wiring = "gpio:gpiochip0/17=nrst,gpio:gpiochip0/18=boot0";
    run(program.arg(&file), &["--reset", wiring, "--run"]).success();
    let state = bench.finish().state;
    assert!(matches!(state, ChipState::Application(_)), "{state:?}");
}
