//! Whole jobs through the protocol of nfd's sketch: on the sketch of every year and on our own
//! programmer, in virtual time.

use flashwire_client::nfd::{self, ChipOptions, Client};
use flashwire_client::spinor::Parts;
use flashwire_plan::Options;
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::socket::{read, write};

/// Finds programmer and chip.
fn open(bench: &Bench, name: Option<&str>) -> Result<nfd::Chip, nfd::Error> {
    let client = Client::open(bench.link(), nfd::Options::default())?;
    let options = ChipOptions {
        name: name.map(str::to_owned),
        ..ChipOptions::default()
    };
    nfd::Chip::open(client, &Parts::built_in(), &options)
}

const BENCHES: [(&str, Option<&str>); 4] = [
    ("nfd-sketch+w25q80bv,sketch=2018", Some("W25Q80BV")),
    ("nfd-sketch+w25q80bv,sketch=2019", None),
    ("nfd-sketch+w25q80bv,sketch=2024", None),
    ("uno+w25q80bv", None),
];

#[test]
fn every_sketch_writes_and_keeps_what_is_around() {
    for (name, part) in BENCHES {
        let bench = Bench::open(name);
        bench.fill_nor(&noise(0x8000, 1));
        let mut chip = open(&bench, part).unwrap();
        let data = noise(6000, 2);
        let mut wanted = bench.flash();
        wanted[0x1080..][..data.len()].copy_from_slice(&data);
        let report = write(&mut chip, 0x1080, &data, &Options::default()).unwrap();
        assert!(report.verified, "{report:?}");
        assert!(bench.flash() == wanted, "{name}");
        assert!(read(&mut chip, 0x1080..0x1080 + 6000) == data);
        chip.close().unwrap();
        assert_eq!(bench.complaints(), [""; 0], "{name}");
    }
}
