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
use flashwire_tests::bench::noise;
use flashwire_tests::board::{self, assert_same_flash};
use flashwire_tests::judge::{self, Outcome};
use flashwire_tests::served::{Guard, Remains, Served};

/// A loader on I2C, and what AN2606 says of it: a third statement beside the client's tables and the
/// simulator's.
#[derive(Clone, Copy)]
struct Loader {
    /// The part.
    name: &'static str,
    /// The address that its loader has.
    address: &'static str,
    /// The version of its protocol, as stm32flash writes it.
    version: &'static str,
    /// What stm32flash calls the chip.
    id: &'static str,
    /// Size of its first erase units, in bytes.
    unit_bytes: usize,
    /// Size of its flash, in bytes.
    flash_bytes: usize,
}

const KIB: usize = 1024;

const F072: Loader = Loader {
    name: "stm32f072rb",
    address: "0x3b",
    version: "0x10",
    id: "0x0448",
    unit_bytes: 2 * KIB,
    flash_bytes: 128 * KIB,
};

const F407: Loader = Loader {
    name: "stm32f407vg",
    address: "0x3a",
    version: "0x10",
    id: "0x0413",
    unit_bytes: 16 * KIB,
    flash_bytes: 1024 * KIB,
};

const G071: Loader = Loader {
    name: "stm32g071rb",
    address: "0x51",
    version: "0x12",
    id: "0x0460",
    unit_bytes: 2 * KIB,
    flash_bytes: 128 * KIB,
};

const G0B1: Loader = Loader {
    name: "stm32g0b1re",
    address: "0x5d",
    version: "0x12",
    id: "0x0467",
    unit_bytes: 2 * KIB,
    flash_bytes: 512 * KIB,
};

const H743: Loader = Loader {
    name: "stm32h743zi",
    address: "0x4e",
    version: "0x11",
    id: "0x0450",
    unit_bytes: 128 * KIB,
    flash_bytes: 2048 * KIB,
};

const L476: Loader = Loader {
    name: "stm32l476rg",
    address: "0x43",
    version: "0x12",
    id: "0x0415",
    unit_bytes: 2 * KIB,
    flash_bytes: 1024 * KIB,
};

const LOADERS: [Loader; 6] = [F072, F407, G071, G0B1, H743, L476];

/// How long the images are, in bytes: whole program units of every part (32 bytes on the H7), but
/// neither whole blocks of the protocol nor whole erase units.
const IMAGE_BYTES: usize = 156 * 32;

/// Longer than any of these loaders takes from a reset until it listens.
const START_UP: Duration = Duration::from_millis(500);

fn image() -> Vec<u8> {
    board::image()[..IMAGE_BYTES].to_vec()
}

impl Loader {
    /// The bench. Its bus has Fast-mode's clock, and its flash a tenth of the usual times.
    fn bench(&self) -> String {
        format!("{},bus=i2c,i2c-hz=400000,flash-percent=10", self.name)
    }

    /// What the flash holds before: noise, to the end of the erase unit behind the image's.
    fn old_content(&self) -> Vec<u8> {
        let mut content = noise(self.touched_bytes() + self.unit_bytes, 2);
        content.resize(self.flash_bytes, 0xFF);
        content
    }

    /// What it holds when the image was written and the rest of its erase units erased.
    fn written(&self) -> Vec<u8> {
        let mut content = self.old_content();
        content[..self.touched_bytes()].fill(0xFF);
        content[..IMAGE_BYTES].copy_from_slice(&image());
        content
    }

    fn blank(&self) -> Vec<u8> {
        vec![0xFF; self.flash_bytes]
    }

    fn touched_bytes(&self) -> usize {
        IMAGE_BYTES.next_multiple_of(self.unit_bytes)
    }

    fn open(&self) -> Served {
        Served::open(&self.bench(), &self.old_content())
    }

    /// stm32flash at its address on the bench.
    fn stm32flash(&self, bench: &Served) -> Command {
        let mut command = bench.program(&judge::stm32flash());
        command.args(["-a", self.address]);
        command
    }

    /// stm32flash with these words.
    fn run(&self, bench: &Served, words: &[&str]) -> Outcome {
        judge::run(self.stm32flash(bench).args(words).arg(bench.port()))
    }
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
        let said = loader.run(&bench, &[]).success();
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

        let mut write = loader.stm32flash(&bench);
        let said = judge::run(write.args(["-v", "-w"]).args([&file, &bench.port()])).success();
        assert!(said.contains("Wrote and verified"), "{said}");

        let range = format!("0x08000000:{IMAGE_BYTES}");
        let mut program = loader.stm32flash(&bench);
        program.args(["-S", &range, "-r"]);
        judge::run(program.args([&read, &bench.port()])).success();
        assert_same_flash(&std::fs::read(&read).unwrap(), &image());

        loader.run(&bench, &["-g", "0"]).success();
        let remains = content(bench);
        assert_same_flash(&remains.flash, &loader.written());
        let ChipState::Application(application) = remains.state else {
            panic!("{}: nothing runs: {:?}", loader.name, remains.state);
        };
        assert_eq!(application.entry, 0x0800_0100);
    }
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn every_board_is_erased() {
    for loader in LOADERS {
        let bench = loader.open();
        loader.run(&bench, &["-o"]).success();
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
        loader.run(&bench, &["-o", "-S", &range]).success();
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
        loader.run(&bench, &["-j"]).success();
        // It resets itself.
        sleep(START_UP);
        let outcome = loader.run(&bench, &["-r", "/dev/null"]);
        assert_eq!(outcome.code, 1, "{}", outcome.said);
        assert!(outcome.said.contains("0x11"), "{}", outcome.said);
        let remains = content(bench);
        assert_same_flash(&remains.flash, &loader.old_content());
        assert_ne!(remains.options, factory, "{}", loader.name);

        let bench = Served::open_guarded(&loader.bench(), &loader.old_content(), Guard::Reading);
        loader.run(&bench, &["-k"]).success();
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
        loader.run(&bench, &["-u"]).success();
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
        let said = loader
            .run(&bench, &["-C", "-S", "0x08000000:4096"])
            .success();
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
        loader.run(&bench, &["-R"]).success();
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
        let mut write = loader.stm32flash(&bench);
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
        let mut write = loader.stm32flash(&bench);
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
    let outcome = F407.run(&bench, &["-o"]);
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
        let mut program = G071.stm32flash(&bench);
        bench.attach_with(&mut program, keys);
        let outcome = judge::run(program.arg(bench.port()));
        assert_eq!(outcome.code, 1);
        assert!(outcome.said.contains(why), "{}", outcome.said);
        content(bench);
    }
}
