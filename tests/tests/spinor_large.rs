//! Chips above 16 MiB, across the border that three address bytes reach.

use flashwire_client::serprog;
use flashwire_client::spinor::{self, Chip, Parts};
use flashwire_plan::{FlashDevice, Options};
use flashwire_sim::nor::PARTS;
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::socket::{read, write};

const BORDER: u64 = 16 << 20;

/// Writes across the border with and without the programmer's extensions.
fn across_the_border(programmer: &str, name: &str, plain: bool, parts: &Parts) {
    let what = format!("{programmer}+{name}, plain {plain}");
    let bench = Bench::open(&format!("{programmer}+{name}"));
    let old = noise(0x2_0000, 1);
    let before = BORDER as usize - 0x1_0000;
    bench.nor_mut().memory_mut()[before..][..old.len()].copy_from_slice(&old);
    bench.fill_nor(&noise(0x1_0000, 3));
    let options = serprog::Options {
        plain,
        ..serprog::Options::default()
    };
    let client = bench.serprog(options).unwrap();
    let mut chip = Chip::open(Box::new(client), parts, spinor::Options::default()).unwrap();
    assert!(
        read(&mut chip, before as u64..BORDER + 0x1_0000) == old,
        "{what}"
    );

    let start = BORDER - 0x900;
    let data = noise(0x1200, 2);
    let mut wanted = bench.flash();
    wanted[start as usize..][..data.len()].copy_from_slice(&data);
    write(&mut chip, start, &data, &Options::default()).unwrap();
    assert!(bench.flash() == wanted, "{what}");
    assert!(chip.geometry().range.end > BORDER);
    chip.close().unwrap();
    assert!(
        !bench.nor_mut().is_four_byte(),
        "{what}: left in 4-byte mode"
    );
    assert_eq!(bench.complaints(), [""; 0], "{what}");
}

fn large() -> impl Iterator<Item = &'static str> {
    let large = PARTS.iter().filter(|part| part.size_bytes as u64 > BORDER);
    large.map(|part| part.name)
}

#[test]
fn every_large_chip_is_written_across_the_border() {
    for name in large() {
        for plain in [true, false] {
            across_the_border("serprog", name, plain, &Parts::built_in());
        }
        across_the_border("picoprog", name, true, &Parts::built_in());
    }
}

/// A table that knows one way only, for a chip whose SFDP does not say.
#[test]
fn mode_switch_and_extended_address_register_work_too() {
    let row = |features: &str| {
        let table = format!(
            "header\n\
             EF4019,rdid,Winbond,FV,32768,256,20:4096x8192;D8:65536x512;C7:chip,{features},2700,3600\n"
        );
        Parts::parse(&table).unwrap()
    };
    for features in ["en4b", "wren-en4b", "ear"] {
        for plain in [true, false] {
            across_the_border("serprog", "w25q256fv", plain, &row(features));
        }
    }
}
