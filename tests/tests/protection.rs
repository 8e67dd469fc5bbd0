//! Protections through a session, on every bench: what is protected is refused before anything is
//! sent, and what `--unprotect` does brings the job to its end.

use flashwire::images::{self, Firmware};
use flashwire::{Error, Job, OpenOptions, Segment, Session, Unwatched, WriteOptions, WriteProtect};
use flashwire_sim::stm32::PARTS;
use flashwire_tests::bench::noise;

fn open(bench: &str) -> Session {
    let options = OpenOptions::new(format!("sim:{bench}").parse().unwrap());
    Session::open(options, &mut Unwatched).unwrap()
}

/// The writing of 600 bytes at the start of the flash.
fn plan(session: &mut Session) -> Result<Job, Error> {
    let segment = Segment {
        address: session.flash_range().start,
        data: noise(600, 4),
    };
    let firmware = Firmware::One(images::of(vec![segment]).unwrap());
    session.plan_write(
        &firmware,
        "app.bin",
        &WriteOptions::default(),
        &mut Unwatched,
    )
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().map_or("done", |error| error.hint().code)
}

#[test]
fn a_read_protected_chip_is_unprotected_and_written() {
    for part in &PARTS {
        let mut session = open(part.name);
        let job = plan(&mut session).unwrap();
        session.readout_protect(&mut Unwatched).unwrap();
        assert!(session.protection().unwrap().read, "{}", part.name);
        // A plan from before is no way around it.
        let refused = session.execute(&job, &mut Unwatched);
        assert_eq!(code(refused), "read-protected", "{}", part.name);
        assert_eq!(code(plan(&mut session)), "read-protected", "{}", part.name);
        let start = session.flash_range().start;
        let refused = session.crc(start..start + 4, &mut Unwatched);
        assert_eq!(code(refused), "read-protected", "{}", part.name);
        assert_eq!(
            code(session.option_bytes()),
            "read-protected",
            "{}",
            part.name
        );

        session.unprotect(&mut Unwatched).unwrap();
        let job = plan(&mut session).unwrap();
        session.execute(&job, &mut Unwatched).unwrap();
        let found = session.read(start..start + 600, &mut Unwatched).unwrap();
        assert_eq!(found, noise(600, 4), "{}", part.name);
        session.close().unwrap();
    }
}

#[test]
fn write_protected_sectors_are_refused_where_the_chip_shows_them() {
    for part in &PARTS {
        let mut session = open(part.name);
        let range = session.flash_range();
        let protection = session
            .write_protect(&WriteProtect::All, &mut Unwatched)
            .unwrap();
        let shows = !part.options.blocks.is_empty();
        assert_eq!(protection.write.is_some(), shows, "{}", part.name);
        if shows {
            assert_eq!(protection.write, Some(vec![range.clone()]), "{}", part.name);
            assert_eq!(code(plan(&mut session)), "write-protected", "{}", part.name);
            let erase = session.plan_erase(None, true);
            assert_eq!(code(erase), "write-protected", "{}", part.name);
        } else {
            // Nobody can see it beforehand; the verification does.
            let job = plan(&mut session).unwrap();
            let written = session.execute(&job, &mut Unwatched);
            assert_eq!(code(written), "verify-mismatch", "{}", part.name);
        }
        session.write_unprotect(&mut Unwatched).unwrap();
        let job = plan(&mut session).unwrap();
        session.execute(&job, &mut Unwatched).unwrap();
        session.close().unwrap();
    }
}

#[test]
fn protecting_one_sector_more_keeps_the_others() {
    // F1: groups of pages; G0: areas; F4: sectors of different sizes.
    let cases = [
        (
            "stm32f103cb",
            [0x0800_1000..0x0800_2000, 0x0800_4000..0x0800_5000],
        ),
        (
            "stm32g071rb",
            [0x0800_1000..0x0800_2000, 0x0800_4000..0x0800_4800],
        ),
        (
            "stm32f407vg",
            [0x0800_4000..0x0800_8000, 0x0801_0000..0x0802_0000],
        ),
        (
            "stm32g0b1re",
            [0x0800_0000..0x0800_0800, 0x0804_0000..0x0804_1000],
        ),
        (
            "stm32l152re",
            [0x0800_0000..0x0800_1000, 0x0807_F000..0x0808_0000],
        ),
    ];
    for (bench, [first, second]) in cases {
        let mut session = open(bench);
        for range in [&first, &second] {
            let what = WriteProtect::Ranges(vec![range.clone()]);
            session.write_protect(&what, &mut Unwatched).unwrap();
        }
        let protection = session.protection().unwrap();
        assert_eq!(protection.write, Some(vec![first, second]), "{bench}");
        session.close().unwrap();
    }
}

#[test]
fn what_cannot_be_protected_is_said_and_nothing_is_changed() {
    let protect = |bench: &str, ranges: &[std::ops::Range<u64>]| {
        let mut session = open(bench);
        let done = session.write_protect(&WriteProtect::Ranges(ranges.to_vec()), &mut Unwatched);
        let code = code(done);
        let left = session.protection().unwrap().write.unwrap();
        assert_eq!(left, [], "{bench}");
        code
    };
    let part_of_a_sector = 0x0800_0000..0x0800_0400;
    let beyond = 0x0801_F000..0x0802_1000;
    let pages = |at: u64| 0x0800_0000 + at * 0x800..0x0800_0800 + at * 0x800;
    assert_eq!(protect("stm32f103cb", &[part_of_a_sector]), "unaligned");
    assert_eq!(protect("stm32f103cb", &[beyond]), "out-of-range");
    let three = [0, 2, 4].map(pages);
    assert_eq!(protect("stm32g071rb", &three), "sectors-unknown");
}

#[test]
fn the_chip_is_back_after_a_slow_wipe_that_was_acknowledged_early() {
    // Ten times as slow as typical, and the acknowledgement comes before it begins.
    let mut session = open("stm32u575zi,flash-percent=1000");
    session.readout_protect(&mut Unwatched).unwrap();
    session.unprotect(&mut Unwatched).unwrap();
    let job = plan(&mut session).unwrap();
    session.execute(&job, &mut Unwatched).unwrap();
    session.close().unwrap();
}

#[test]
fn a_chip_that_does_not_come_back_leaves_an_error_that_says_how_far_it_came() {
    // Its supply fails while it resets itself after the change.
    let mut codes = std::collections::BTreeSet::new();
    for off in (100_000..400_000).step_by(2_000) {
        let mut session = open(&format!("stm32f103c8,power-off-us={off}"));
        let done = session.readout_protect(&mut Unwatched);
        if let Err(error) = done {
            if error.hint().code == "stm32-not-back" {
                let text = error.to_string();
                assert!(text.starts_with("the flash is read protected"), "{text}");
            }
            codes.insert(error.hint().code);
        }
        session.close().unwrap();
    }
    assert!(codes.contains("stm32-not-back"), "{codes:?}");
}
