//! flashrom 1.3 (Debian), unmodified, judges the simulated programmers and chips over TCP: it finds
//! every chip, and reads, writes, erases and verifies it.
//!
//! Chip times are scaled down to 1 %: flashrom's own sleeps are what takes time here.

#![cfg(target_os = "linux")]

use std::fs;
use std::ops::Range;
use std::process::Command;

use flashwire_sim::nor;
use flashwire_tests::bench::noise;
use flashwire_tests::clipped::Clipped;
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
    flashrom(&bench, &["-c", name, "-v", image]).success();
    flashrom(&bench, &["-c", name, "-r", read_as]).success();
    assert!(
        fs::read(&read).unwrap() == new,
        "{chip}: what was read differs"
    );
    flashrom(&bench, &["-c", name, "-E"]).success();

    let remains = bench.finish();
    assert!(remains.flash == vec![0xFF; size], "{chip} is not erased");
    assert_eq!(remains.complaints, [""; 0], "{chip}");
}

/// Writes a region over what is there and leaves the rest alone.
fn writes_a_region(chip: &str, region: Range<usize>) {
    let size = size_of(chip);
    let old = noise(size, 3);
    let mut new = old.clone();
    new[region.clone()].copy_from_slice(&noise(region.len(), 4));
    let bench = bench("serprog", chip, &old);
    let image = bench.put("new.bin", &new);
    let layout = format!("{:08x}:{:08x} part\n", region.start, region.end - 1);
    let layout = bench.put("layout", layout.as_bytes());
    let arguments = [
        "-c",
        flashrom_name(chip),
        "-l",
        layout.to_str().unwrap(),
        "-i",
        "part",
        "-N",
        "-w",
        image.to_str().unwrap(),
    ];
    let said = flashrom(&bench, &arguments).success();
    assert!(said.contains("VERIFIED"), "{said}");
    let remains = bench.finish();
    assert!(remains.flash == new, "{chip}: the content differs");
    assert_eq!(remains.complaints, [""; 0], "{chip}");
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
fn a_region_of_each_larger_chip_is_written() {
    for (chip, _) in CHIPS {
        let size = size_of(chip);
        if (2 << 20..=16 << 20).contains(&size) {
            writes_a_region(chip, size / 2..size / 2 + (64 << 10));
        }
    }
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn a_region_beyond_16_mib_is_written() {
    for (chip, _) in CHIPS {
        let size = size_of(chip);
        if size > 16 << 20 {
            writes_a_region(chip, size - (64 << 10)..size);
        }
    }
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn words_by_auto_address_increment_are_written() {
    writes_a_region("sst25vf040b", 0x1_0000..0x1_8000);
}
