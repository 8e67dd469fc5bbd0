//! stm32flash 0.7 (Debian), unmodified, judges the simulated boot loaders on I2C, through i2c-dev: it
//! tells, flashes, verifies, reads, erases, sums up, protects and starts them.
//!
//! What it says of a loader and what AN4221 (revision 14) says of it agree; where a job fails here, it
//! would on silicon, and the test says why.

#![cfg(target_os = "linux")]

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use flashwire_protocol::stm32::FlashCrc;
use flashwire_sim::stm32::ChipState;
use flashwire_tests::board::assert_same_flash;
use flashwire_tests::gpio::Computer;
use flashwire_tests::judge::{self, Outcome};
use flashwire_tests::loaders::{F072, F407, G071, H743, IMAGE_BYTES, L476, LOADERS, Loader, image};
use flashwire_tests::served::{Guard, Remains, Served};

/// Longer than any of these loaders takes from a reset until it listens.
const START_UP: Duration = Duration::from_millis(500);

/// stm32flash at the loader's address on the bench.
fn stm32flash(loader: &Loader, bench: &Served) -> Command {
    let mut command = bench.program(&judge::stm32flash());
    command.args(["-a", loader.address]);
    command
}

/// stm32flash with these words.
fn run(loader: &Loader, bench: &Served, words: &[&str]) -> Outcome {
    judge::run(stm32flash(loader, bench).args(words).arg(bench.port()))
}

/// Ends a bench that has nothing to say against its host.
#[track_caller]
fn content(bench: Served) -> Remains {
    let remains = bench.finish();
    assert_eq!(remains.complaints, [""; 0]);
    remains
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn every_loader_tells_its_version_and_chip() {
    for loader in LOADERS {
        let bench = loader.open();
        let said = run(&loader, &bench, &[]).success();
        let version = format!("Version      : {}\n", loader.version);
        let id = format!("Device ID    : {} ", loader.id);
        assert!(said.contains(&version) && said.contains(&id), "{said}");
        content(bench);
    }
}

/// The loader answers as it should; it is its table that ends.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn a_chip_that_stm32flash_does_not_know_tells_its_id() {
    let bench = Served::open("stm32u575zi,bus=i2c", &[]);
    let mut program = bench.program(&judge::stm32flash());
    let outcome = judge::run(program.args(["-a", "0x5a"]).arg(bench.port()));
    assert_eq!(outcome.code, 1);
    let told = "Unknown/unsupported device (Device ID: 0x482)";
    assert!(outcome.said.contains(told), "{}", outcome.said);
    content(bench);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn every_board_is_flashed_verified_read_and_started() {
    for loader in LOADERS {
        let bench = loader.open();
        let file = bench.put("image.bin", &image());
        let read = bench.file("read.bin");

        let mut write = stm32flash(&loader, &bench);
        let said = judge::run(write.args(["-v", "-w"]).args([&file, &bench.port()])).success();
        assert!(said.contains("Wrote and verified"), "{said}");

        let range = format!("0x08000000:{IMAGE_BYTES}");
        let mut program = stm32flash(&loader, &bench);
        program.args(["-S", &range, "-r"]);
        judge::run(program.args([&read, &bench.port()])).success();
        assert_same_flash(&std::fs::read(&read).unwrap(), &image());

        run(&loader, &bench, &["-g", "0"]).success();
        let remains = content(bench);
        assert_same_flash(&remains.flash, &loader.written());
        let ChipState::Application(application) = remains.state else {
            panic!("{}: nothing runs: {:?}", loader.name, remains.state);
        };
        assert_eq!(application.entry, 0x0800_0100);

        // It loses what shares an erase unit with the image, which flashwire would keep.
        let bench = loader.open();
        let file = bench.put("image.bin", &image());
        let mut ours = loader.flashwire(&bench, "write");
        judge::run(ours.args(["--no-keep", "--run"]).arg(&file)).success();
        let ours = content(bench);
        assert_same_flash(&remains.flash, &ours.flash);
        assert_eq!(remains.options, ours.options);
        assert!(matches!(ours.state, ChipState::Application(_)));
    }
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn every_board_is_erased() {
    for loader in LOADERS {
        let bench = loader.open();
        run(&loader, &bench, &["-o"]).success();
        assert_same_flash(&content(bench).flash, &loader.blank());
    }
}

/// Page by page, as the two messages of AN4221, sections 2.7 and 2.13.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn some_pages_are_erased() {
    for loader in LOADERS {
        let bench = loader.open();
        let range = format!(
            "0x{:08x}:{}",
            0x0800_0000 + loader.unit_bytes,
            loader.unit_bytes
        );
        run(&loader, &bench, &["-o", "-S", &range]).success();
        let mut expected = loader.old_content();
        expected[loader.unit_bytes..2 * loader.unit_bytes].fill(0xFF);
        assert_same_flash(&content(bench).flash, &expected);
    }
}

/// A chip that is protected against reading refuses that, and loses everything when it is freed.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn read_protection_comes_and_goes() {
    for loader in LOADERS {
        let factory = content(loader.open()).options;

        let bench = loader.open();
        run(&loader, &bench, &["-j"]).success();
        // It resets itself.
        sleep(START_UP);
        let outcome = run(&loader, &bench, &["-r", "/dev/null"]);
        assert_eq!(outcome.code, 1, "{}", outcome.said);
        assert!(outcome.said.contains("0x11"), "{}", outcome.said);
        let remains = content(bench);
        assert_same_flash(&remains.flash, &loader.old_content());
        assert_ne!(remains.options, factory, "{}", loader.name);

        let bench = Served::open_guarded(&loader.bench(), &loader.old_content(), Guard::Reading);
        run(&loader, &bench, &["-k"]).success();
        let remains = content(bench);
        assert_same_flash(&remains.flash, &loader.blank());
        assert_eq!(remains.options, factory, "{}", loader.name);
    }
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn write_protection_goes() {
    for loader in LOADERS {
        let factory = content(loader.open()).options;
        let bench = Served::open_guarded(
            &loader.bench(),
            &loader.old_content(),
            Guard::Writing(&[0, 1]),
        );
        run(&loader, &bench, &["-u"]).success();
        let remains = content(bench);
        assert_eq!(remains.options, factory, "{}", loader.name);
        assert_same_flash(&remains.flash, &loader.old_content());
    }
}

/// On the chip where the loader can (protocol 1.2), from what was read where it cannot: the same sum.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn a_checksum_is_that_of_the_content_wherever_it_is_computed() {
    for loader in LOADERS {
        let bench = loader.open();
        let said = run(&loader, &bench, &["-C", "-S", "0x08000000:4096"]).success();
        let mut crc = FlashCrc::default();
        crc.update_bytes(&loader.old_content()[..4096], 0xFF);
        let sum = format!("CRC(0x08000000-0x08001000) = 0x{:08x}", crc.value());
        assert!(said.contains(&sum), "{sum}: {said}");
        content(bench);
    }
}

/// By a program in RAM.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn every_board_is_reset_into_what_its_boot_pin_says() {
    for loader in LOADERS {
        let bench = loader.open();
        run(&loader, &bench, &["-R"]).success();
        let state = content(bench).state;
        assert!(matches!(state, ChipState::Loader { .. }), "{state:?}");
    }
}

/// 128 bytes are whole program units of every part.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn short_frames_carry_the_same_content() {
    for loader in LOADERS {
        let bench = loader.open();
        let file = bench.put("image.bin", &image());
        let mut write = stm32flash(&loader, &bench);
        write.args(["-F", "100:130", "-v", "-w"]);
        judge::run(write.args([&file, &bench.port()])).success();
        assert_same_flash(&content(bench).flash, &loader.written());
    }
}

/// stm32flash takes any multiple of four; on a part with larger program units the loader acknowledges
/// and loses what does not fill one.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn frames_that_cut_program_units_lose_data_on_the_chip() {
    for (loader, is_well) in [
        (F072, true),
        (F407, true),
        (G071, false),
        (H743, false),
        (L476, false),
    ] {
        let bench = loader.open();
        let file = bench.put("image.bin", &image());
        let mut write = stm32flash(&loader, &bench);
        write.args(["-F", "20:30", "-v", "-w"]);
        let outcome = judge::run(write.args([&file, &bench.port()]));
        assert_eq!(
            outcome.code == 0,
            is_well,
            "{}: {}",
            loader.name,
            outcome.said
        );
        let complaints = bench.finish().complaints;
        let lost = |complaint: &String| complaint.contains("do not fill whole program units");
        assert_eq!(complaints.iter().any(lost), !is_well, "{complaints:?}");
    }
}

/// A loader of protocol 1.0 holds the clock as long as it erases: 8 s on this chip, where most
/// controllers of Linux wait one. The chip goes on; its host cannot know.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn a_clock_that_is_held_for_too_long_fails_the_job_and_the_chip_erases_all_the_same() {
    let spec = "stm32f407vg,bus=i2c,i2c-hz=400000,flash-percent=15";
    let bench = Served::open(spec, &F407.old_content());
    let outcome = run(&F407, &bench, &["-o"]);
    assert_eq!(outcome.code, 1, "{}", outcome.said);
    assert!(
        outcome.said.contains("Failed to read ACK byte"),
        "{}",
        outcome.said
    );
    // Until the chip is done.
    sleep(Duration::from_secs(1));
    assert_same_flash(&bench.finish().flash, &F407.blank());
}

/// The computer's lines beside the bus, by their numbers; of DTR and RTS a bus has none, and stm32flash
/// takes them all the same.
#[test]
#[ignore = "needs stm32flash 0.7"]
fn lines_of_the_computer_lead_into_the_loader_and_out_of_it() {
    let wired = "boot0=low,wiring=gpio17-nrst+gpio18-boot0,button=none";
    let mut content = G071.blank();
    content[..IMAGE_BYTES].copy_from_slice(&image());
    let bench = Served::open(&format!("{},{wired}", G071.bench()), &content);
    let gpio = Computer::default().wired_to(&bench.place()).start();

    let mut alone = stm32flash(&G071, &bench);
    gpio.attach(&mut alone);
    let outcome = judge::run(alone.arg(bench.port()));
    assert_eq!(outcome.code, 1, "a program runs: {}", outcome.said);

    let mut program = stm32flash(&G071, &bench);
    gpio.attach(&mut program);
    program.args(["-i", "rts,530,-529,529,:-530,-529,529"]);
    judge::run(program.arg(bench.port())).success();
    let state = bench.finish().state;
    assert!(matches!(state, ChipState::Application(_)), "{state:?}");
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn what_keeps_it_from_a_loader_is_what_linux_tells() {
    // Nobody at this address.
    let bench = G071.open();
    let mut program = bench.program(&judge::stm32flash());
    let outcome = judge::run(program.args(["-a", "0x52"]).arg(bench.port()));
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.said.contains("Failed to send command"),
        "{}",
        outcome.said
    );
    content(bench);

    // A driver has it; and a controller that no loader can be reached by.
    for (keys, why) in [
        (",driver-at=0x51", "I2C ioctl(slave) error 16"),
        (",functions=0x0eff0008", "controller is not I2C, only SMBUS"),
    ] {
        let bench = G071.open();
        let mut program = stm32flash(&G071, &bench);
        bench.attach_with(&mut program, keys);
        let outcome = judge::run(program.arg(bench.port()));
        assert_eq!(outcome.code, 1);
        assert!(outcome.said.contains(why), "{}", outcome.said);
        content(bench);
    }
}
