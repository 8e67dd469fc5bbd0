//! A client that does what nfd's original client does, on nfd's sketch as the bench has it, and on
//! our programmer: both satisfy it.

use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::original::{Failure, Original};

const BOARDS: [&str; 2] = ["uno+w25q64jv", "nfd-sketch+w25q64jv"];

#[test]
fn both_boards_do_all_that_the_original_client_asks_for() {
    for name in BOARDS {
        let bench = Bench::open(name);
        let (old, new) = (noise(0x10000, 1), noise(0x3000, 2));
        bench.fill_nor(&old);
        let mut client = Original::open(bench.link()).unwrap();
        assert_eq!(client.hello(), "SPI Flash programmer v1.0", "{name}");

        assert!(client.read(0x1100, 0x900).unwrap() == old[0x1100..0x1A00]);
        client.write(0x2000, &new).unwrap();
        assert!(client.read(0x2000, 0x3000).unwrap() == new, "{name}");
        assert_eq!(client.verify(0x2000, &new), [true; 48], "{name}");
        assert!(!client.verify(0x1F00, &new[..0x300])[0], "{name}");
        client.erase(0x4000, 0x2000).unwrap();
        let mut expected = old.clone();
        expected[0x2000..0x4000].copy_from_slice(&new[..0x2000]);
        expected[0x4000..0x6000].fill(0xFF);
        assert!(bench.flash()[..0x10000] == expected, "{name}");

        assert_eq!(client.id().unwrap(), [0xEF, 0x40, 0x17]);
        assert_eq!(client.protection().unwrap(), [0, 0]);
        client.protect(true).unwrap();
        // Within the three seconds of its patience.
        assert_eq!(client.protection().unwrap(), [0, 2], "{name}");
        assert_eq!(client.status().unwrap()[0], 0x1C, "{name}");
        client.protect(false).unwrap();
        assert_eq!(client.status().unwrap()[0], 0x00, "{name}");
        client.set_output(7, Some(true)).unwrap();
        client.set_chip_select(9).unwrap();
        assert_eq!(client.id().unwrap(), [0xFF; 3], "{name}: the chip is at 10");
        assert_eq!(bench.complaints(), [""; 0], "{name}");
    }
}

#[test]
fn what_a_protected_chip_did_not_take_is_found_by_both() {
    for name in BOARDS {
        let bench = Bench::open(name);
        bench.nor_mut().set_register(0, 0x1C);
        let mut client = Original::open(bench.link()).unwrap();
        client.erase(0, 0x1000).unwrap();
        let failed = client.write(0, &[0x5A; 0x1000]);
        assert_eq!(failed, Err(Failure::Write { page: 0 }), "{name}");
    }
}

#[test]
fn without_a_chip_the_original_client_gives_up_and_ours_answers_it_again() {
    for (name, revives) in [("uno+w25q64jv", true), ("nfd-sketch+w25q64jv", false)] {
        let bench = Bench::open(&format!("{name},socket=empty"));
        let mut client = Original::open(bench.link()).unwrap();
        let failed = client.erase(0, 0x1000);
        assert_eq!(failed, Err(Failure::Erase { sector: 0 }), "{name}");
        let silent = Err(Failure::Answer { command: 'i' });
        let expected = if revives { Ok(vec![0xFF; 3]) } else { silent };
        assert_eq!(client.id(), expected, "{name}");
    }
}
