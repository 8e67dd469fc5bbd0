//! Whole jobs on every programmer and every chip, in virtual time.

use flashwire_client::spinor::Chip;
use flashwire_plan::{FlashDevice, Options};
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::socket::{all_benches, read, write};

/// Where something is written that begins and ends within erase units, in bytes.
const START: u64 = 0x2_1080;

/// Reads, replaces 12 KiB in the middle of old content, and looks at all of it.
fn replace(bench: &Bench, chip: &mut Chip, data: &[u8]) {
    let size = chip.geometry().range.end;
    let start = START % size;
    let mut wanted = bench.flash();
    wanted[start as usize..][..data.len()].copy_from_slice(data);
    let report = write(chip, start, data, &Options::default()).unwrap();
    assert!(report.verified, "{report:?}");
    assert!(bench.flash() == wanted);
    assert!(read(chip, start..start + data.len() as u64) == data);
}

#[test]
fn every_programmer_writes_every_chip_and_keeps_what_is_around() {
    for (programmer, part) in all_benches() {
        let name = format!("{programmer}+{}", part.name);
        println!("{name}");
        let bench = Bench::open(&name);
        bench.fill_nor(&noise(0x3_0000.min(part.size_bytes), 1));
        let mut chip = bench.nor();
        assert_eq!(chip.geometry().range.end, part.size_bytes as u64, "{name}");
        let bytes = if part.size_bytes < 1 << 20 {
            600
        } else {
            12_000
        };
        replace(&bench, &mut chip, &noise(bytes, 2));
        chip.close().unwrap();
        assert_eq!(bench.complaints(), [""; 0], "{name}");
    }
}
