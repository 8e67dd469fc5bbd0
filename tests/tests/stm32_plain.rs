//! Loaders that speak without parity: STM32W and the BlueNRG lineage, whose flash, ids and commands
//! differ too.

use flashwire::images::{self, Firmware};
use flashwire::{Error, OpenOptions, Parity, Segment, Session, Unwatched, WriteOptions};
use flashwire_tests::bench::noise;

/// The benches, where their flash begins, and what `info` calls them.
const BENCHES: [(&str, u64, u16, &str); 2] = [
    ("stm32w108cb", 0x0800_0000, 0x9A8, "STM32W-128K"),
    ("bluenrg-1", 0x1004_0000, 0x003, "BlueNRG-1"),
];

fn open(bench: &str, parity: Option<Parity>) -> Result<Session, Error> {
    let mut options = OpenOptions::new(format!("sim:{bench}").parse().unwrap());
    options.parity = parity;
    Session::open(options, &mut Unwatched)
}

#[test]
fn a_loader_without_parity_is_found_out_by_itself() {
    for (bench, start, id, name) in BENCHES {
        let mut session = open(bench, None).unwrap();
        let info = session.info();
        assert_eq!(info.part, name);
        assert_eq!(info.flash.start, start, "{bench}");
        assert_eq!(info.stm32.unwrap().product_id, id, "{bench}");
        assert!(
            session.link().ends_with("(115200 8N1)"),
            "{}",
            session.link()
        );
        session.close().unwrap();
    }
}

#[test]
fn a_parity_that_was_asked_for_is_not_changed() {
    let mut session = open("bluenrg-1", Some(Parity::None)).unwrap();
    assert_eq!(session.info().part, "BlueNRG-1");
    session.close().unwrap();
    // Even parity by order: what does not work then is said.
    let error = open("bluenrg-1", Some(Parity::Even)).err();
    assert!(error.is_some_and(|error| error.to_string().contains("8E1")));
}

#[test]
fn files_are_written_verified_and_read_where_their_flash_is() {
    for (bench, start, _, _) in BENCHES {
        let mut session = open(bench, None).unwrap();
        let data = noise(5000, 3);
        let address = start + 0x800;
        let segment = Segment {
            address,
            data: data.clone(),
        };
        let firmware = Firmware::One(images::of(vec![segment]).unwrap());
        let options = WriteOptions::default();
        let job = session.plan_write(&firmware, "app.bin", &options, &mut Unwatched);
        let done = session.execute(&job.unwrap(), &mut Unwatched).unwrap();
        assert!(done.report.verified, "{bench}");
        let found = session
            .read(address..address + 5000, &mut Unwatched)
            .unwrap();
        assert_eq!(found, data, "{bench}");
        let below = session.read(start..address, &mut Unwatched).unwrap();
        assert!(below.iter().all(|&byte| byte == 0xFF), "{bench}");
        session.close().unwrap();
    }
}

#[test]
fn the_read_protection_is_set_and_taken_away() {
    for (bench, _, _, _) in BENCHES {
        let mut session = open(bench, None).unwrap();
        session.readout_protect(&mut Unwatched).unwrap();
        assert!(session.protection().unwrap().read, "{bench}");
        session.unprotect(&mut Unwatched).unwrap();
        assert!(!session.protection().unwrap().read, "{bench}");
        session.close().unwrap();
    }
}
