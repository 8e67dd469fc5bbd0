//! flashrom 1.3 (Debian), unmodified, judges the simulated programmers and chips over TCP: it finds
//! every chip, and reads, writes, erases and verifies it: chips up to 1 MiB as a whole, of larger
//! ones 64 KiB. And it judges flashwire: after the same job on an equal bench the chips hold the
//! same, and what one of them wrote the other one finds.
//!
//! Chip times are scaled down to 1 %: flashrom's own sleeps are what takes time here.

#![cfg(target_os = "linux")]

use std::fs;
use std::ops::Range;
use std::process::Command;

use flashwire_sim::nor;
use flashwire_tests::bench::noise;
use flashwire_tests::clipped::Clipped;
use flashwire_tests::desk::Desk;
use flashwire_tests::judge::{self, Outcome};

/// Every chip of the bench, and what flashrom calls it.
const CHIPS: [(&str, &str); 17] = [
    ("w25q80bv", "W25Q80.V"),
    ("w25q80bl", "W25Q80.V"),
    ("w25q64jv", "W25Q64JV-.Q"),
    ("w25q128jv", "W25Q128.V"),
    ("w25q256fv", "W25Q256FV"),
    ("w25q512jv", "W25Q512JV"),
    ("mx25l3233f", "MX25L3233F/MX25L3273E"),
    (
        "mx25l6436e",
        "MX25L6436E/MX25L6445E/MX25L6465E/MX25L6473E/MX25L6473F",
    ),
    ("mx25l25635f", "MX25L25635F/MX25L25645G"),
    ("n25q256a", "N25Q256..3E"),
    ("is25wp256", "IS25WP256"),
    ("at25ql128a", "AT25SL128A"),
    ("m25p80", "M25P80"),
    ("a25l80p", "A25L80P"),
    ("sst25vf512", "SST25VF512(A)"),
    ("sst25vf040b", "SST25VF040B"),
    ("sst25vf016b", "SST25VF016B"),
];

fn size_of(chip: &str) -> usize {
    nor::find(chip).unwrap().size_bytes
}

fn flashrom_name(chip: &str) -> &'static str {
    CHIPS.iter().find(|(name, _)| *name == chip).unwrap().1
}

/// A run of flashrom on the bench.
fn flashrom(bench: &Clipped, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(judge::flashrom());
    command.args(["-p", &format!("serprog:ip={}", bench.address())]);
    judge::run(command.args(arguments))
}

/// A programmer with a chip that holds noise.
fn bench(programmer: &str, chip: &str, content: &[u8]) -> Clipped {
    Clipped::open(&format!("{programmer}+{chip},flash-percent=1"), content)
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn every_chip_is_found_under_its_name() {
    assert_eq!(CHIPS.len(), nor::PARTS.len());
    for (chip, name) in CHIPS {
        let bench = bench("serprog", chip, &[]);
        let said = flashrom(&bench, &["-c", name]).success();
        let kib = size_of(chip) / 1024;
        assert!(
            said.contains(&format!("\"{name}\" ({kib} kB, SPI) on serprog")),
            "{said}"
        );
        assert!(
            said.contains("Programmer name is \"flashwire-f103\""),
            "{said}"
        );
        let remains = bench.finish();
        assert_eq!(remains.complaints, [""; 0], "{chip}");
        assert!(!remains.outputs, "the pins are let go at exit");
    }
}

/// flashwire on the bench, as a program.
fn flashwire(bench: &Clipped, chip: &str, words: &[&str]) {
    let port = format!("serprog:ip={}", bench.address());
    let mut words = [words, &["-p", &port, "--no-backup", "--quiet"]].concat();
    if words[0] != "write" {
        words.retain(|word| *word != "--no-backup");
    }
    if LOW_VOLTAGE.contains(&chip) {
        words.extend(["--chip", flashrom_name(chip)]);
    }
    Desk::new().run(&words).done();
}

/// Chips that flashwire writes only when they are named.
const LOW_VOLTAGE: [&str; 2] = ["is25wp256", "at25ql128a"];

/// Reads, writes over what is there, verifies and erases all of a chip.
fn does_all_its_jobs(programmer: &str, chip: &str) {
    let size = size_of(chip);
    let (old, new) = (noise(size, 1), noise(size, 2));
    let bench = bench(programmer, chip, &old);
    let image = bench.put("new.bin", &new);
    let read = bench.file("read.bin");
    let (image, read_as) = (image.to_str().unwrap(), read.to_str().unwrap());
    let name = flashrom_name(chip);

    flashrom(&bench, &["-c", name, "-r", read_as]).success();
    assert!(
        fs::read(&read).unwrap() == old,
        "{chip}: what was read differs"
    );
    let said = flashrom(&bench, &["-c", name, "-w", image]).success();
    assert!(said.contains("VERIFIED"), "{said}");
    flashwire(&bench, chip, &["verify", image]);
    flashrom(&bench, &["-c", name, "-E"]).success();

    // The same jobs by flashwire, on the erased chip and over what is there.
    for content in [&new, &old] {
        let image = bench.put("again.bin", content);
        flashwire(&bench, chip, &["write", image.to_str().unwrap()]);
        let image = image.to_str().unwrap();
        flashrom(&bench, &["-c", name, "-v", image]).success();
    }
    flashwire(&bench, chip, &["read", read_as]);
    assert!(
        fs::read(&read).unwrap() == old,
        "{chip}: what was read differs"
    );
    flashrom(&bench, &["-c", name, "-E"]).success();

    let remains = bench.finish();
    assert!(remains.flash == vec![0xFF; size], "{chip} is not erased");
    assert_eq!(remains.complaints, [""; 0], "{chip}");
}

/// Reads a region, writes it over what is there, erases it, and leaves the rest alone; flashwire
/// does the same on an equal bench.
fn does_its_jobs_on_a_region(chip: &str, region: Range<usize>) {
    let size = size_of(chip);
    let old = noise(size, 3);
    let mut new = old.clone();
    new[region.clone()].copy_from_slice(&noise(region.len(), 4));
    let erased = {
        let mut erased = old.clone();
        erased[region.clone()].fill(0xFF);
        erased
    };
    let lines = format!("{:08x}:{:08x} part\n", region.start, region.end - 1);
    let name = flashrom_name(chip);

    let equal = || bench("serprog", chip, &old);
    let bench = equal();
    let image = bench.put("new.bin", &new);
    let layout = bench.put("layout", lines.as_bytes());
    let read = bench.file("read.bin");
    let place = ["-c", name, "-l", layout.to_str().unwrap(), "-i", "part"];
    let flashrom = |words: &[&str]| flashrom(&bench, &[&place, words].concat()).success();
    flashrom(&["-r", read.to_str().unwrap()]);
    assert!(
        fs::read(&read).unwrap()[region.clone()] == old[region.clone()],
        "{chip}: what was read differs"
    );
    let said = flashrom(&["-N", "-w", image.to_str().unwrap()]);
    assert!(said.contains("VERIFIED"), "{said}");
    flashwire(&bench, chip, &["verify", image.to_str().unwrap()]);
    flashrom(&["-N", "-v", image.to_str().unwrap()]);
    flashrom(&["-E"]);
    let theirs = bench.finish();
    assert!(theirs.flash == erased, "{chip}: the rest is not as it was");
    assert_eq!(theirs.complaints, [""; 0], "{chip}");

    let bench = equal();
    let image = bench.put("new.bin", &new);
    let layout = bench.put("layout", lines.as_bytes());
    let read = bench.file("read.bin");
    let place = ["--layout", layout.to_str().unwrap(), "--region", "part"];
    let job = |words: &[&str]| flashwire(&bench, chip, &[words, &place].concat());
    job(&["write", image.to_str().unwrap()]);
    job(&["verify", image.to_str().unwrap()]);
    job(&["read", read.to_str().unwrap()]);
    assert!(fs::read(&read).unwrap() == new[region.clone()], "{chip}");
    job(&["erase"]);
    let ours = bench.finish();
    assert!(
        ours.flash == theirs.flash,
        "{chip}: not as flashrom left it"
    );
    assert_eq!(ours.complaints, [""; 0], "{chip}");
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn a_chip_without_sfdp_is_read_written_and_erased() {
    does_all_its_jobs("serprog", "w25q80bv");
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn a_chip_with_sfdp_is_read_written_and_erased() {
    does_all_its_jobs("serprog", "w25q80bl");
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn a_chip_of_64_kib_sectors_is_read_written_and_erased() {
    does_all_its_jobs("serprog", "m25p80");
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn a_chip_of_boot_sectors_is_read_written_and_erased() {
    does_all_its_jobs("serprog", "a25l80p");
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn a_chip_of_single_bytes_is_read_written_and_erased() {
    does_all_its_jobs("serprog", "sst25vf512");
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn a_chip_of_words_by_auto_address_increment_is_read_written_and_erased() {
    does_all_its_jobs("serprog", "sst25vf040b");
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn a_region_of_each_larger_chip_is_read_written_verified_and_erased() {
    for (chip, _) in CHIPS {
        let size = size_of(chip);
        if (2 << 20..=16 << 20).contains(&size) {
            does_its_jobs_on_a_region(chip, size / 2..size / 2 + (64 << 10));
        }
    }
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn a_region_beyond_16_mib_is_read_written_verified_and_erased() {
    for (chip, _) in CHIPS {
        let size = size_of(chip);
        if size > 16 << 20 {
            does_its_jobs_on_a_region(chip, size - (64 << 10)..size);
        }
    }
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn both_find_the_same_regions_in_a_descriptor() {
    // Descriptor, network, management engine, BIOS, as on boards of the 5 series of chipsets.
    let mut content = noise(1 << 20, 5);
    content[..4096].fill(0xFF);
    let words = [
        (0x10, 0x0FF0_A55A_u32),
        (0x14, 0x0304_0003),
        (0x18, 0x1010_0206),
        (0x1C, 0x0000_0120),
        (0xEFC, 0x0000_00DF),
        (0x40, 0),
        (0x44, 0x00FF_0080),
        (0x48, 0x007F_0003),
        (0x4C, 0x0002_0001),
        (0x50, 0x0000_7FFF),
    ];
    for (at, word) in words {
        content[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    let bench = bench("serprog", "w25q80bl", &content);
    let name = flashrom_name("w25q80bl");
    let read = bench.file("read.bin");
    for (region, range) in [("gbe", 0x1000..0x3000), ("bios", 0x8_0000..0x10_0000)] {
        let file = read.to_str().unwrap();
        flashrom(&bench, &["-c", name, "--ifd", "-i", region, "-r", file]).success();
        let theirs = fs::read(&read).unwrap()[range.clone()].to_vec();
        flashwire(
            &bench,
            "w25q80bl",
            &["read", file, "--ifd", "--region", region],
        );
        let ours = fs::read(&read).unwrap();
        assert!(ours == theirs && ours == content[range], "{region}");
    }
    assert_eq!(bench.finish().complaints, [""; 0]);
}
