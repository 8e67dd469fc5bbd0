//! Whole jobs through the protocol of nfd's sketch: on the sketch of every year and on our own
//! programmer, in virtual time.

use std::ops::ControlFlow;

use flashwire_client::nfd::{self, ChipOptions, Client};
use flashwire_client::spinor::Parts;
use flashwire_plan::{FlashDevice, Options};
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::socket::{read, write};

/// Finds programmer and chip.
fn open(bench: &Bench, name: Option<&str>) -> Result<nfd::Chip, nfd::Error> {
    let client = Client::open(bench.link(), nfd::Options::default())?;
    let options = ChipOptions {
        name: name.map(str::to_owned),
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
        eprintln!("{name}: open {:?}", bench.now());
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

#[test]
fn speed() {
    for name in [
        "nfd-sketch+w25q80bv",
        "nfd-sketch+w25q80bv,latency-us=500",
        "nfd-sketch+w25q80bv,timer-us=16000",
        "nfd-sketch+w25q80bv,latency-us=16000",
        "uno+w25q80bv",
    ] {
        let bench = Bench::open(name);
        bench.fill_nor(&noise(0x1_0000, 1));
        let mut chip = open(&bench, None).unwrap();
        let t0 = bench.now();
        assert!(read(&mut chip, 0..0x1_0000) == noise(0x1_0000, 1));
        let t1 = bench.now();
        let data = noise(0x1_0000, 2);
        let nothing = &mut |_| ControlFlow::Continue(());
        let units: Vec<_> = chip.geometry().erase_kinds[0].units(0).take(16).collect();
        chip.erase(&units, nothing).unwrap();
        let t2 = bench.now();
        chip.program(0, &data, nothing).unwrap();
        let t3 = bench.now();
        assert_eq!(chip.compare(0, &data, nothing).unwrap(), None);
        let t4 = bench.now();
        let data = noise(0x1_0000, 3);
        write(
            &mut chip,
            0,
            &data,
            &Options {
                only_changed: true,
                ..Options::default()
            },
        )
        .unwrap();
        let t5 = bench.now();
        let rate = |t: std::time::Duration| 64.0 / t.as_secs_f64();
        eprintln!(
            "{name}: open {t0:?} read {:.2} erase {:?} write {:.2} verify {:.2} job {:.2}",
            rate(t1 - t0),
            t2 - t1,
            rate(t3 - t1),
            rate(t4 - t3),
            rate(t5 - t4)
        );
        assert_eq!(bench.complaints(), [""; 0], "{name}");
    }
}
