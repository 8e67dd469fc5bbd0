//! Jobs on SPI NOR chips through the library and the program: regions, protection, backups, wiring
//! that is not to be trusted, and everything that is refused before anything is erased.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use flashwire::images::{self, Firmware, LoadOptions};
use flashwire::{
    Backup, BackupOptions, CancelFlag, Error, Image, Layout, OpenOptions, Problem, Progress,
    RegionContent, Session, Unwatched, Watcher, WriteOptions, image_of_regions,
};
use flashwire_sim::nor;
use flashwire_tests::bench::noise;
use flashwire_tests::clipped::Clipped;
use flashwire_tests::desk::Desk;

const MIB: usize = 1 << 20;

/// A chip of 1 MiB that takes a hundredth of its time.
const CHIP: &str = "serprog+w25q80bl,flash-percent=1";

/// The same without our extensions.
const PLAIN: &str = "serprog+w25q80bl,flash-percent=1,extensions=off";

fn options(port: &str) -> OpenOptions {
    OpenOptions::new(port.parse().unwrap())
}

fn open(bench: &Clipped) -> Session {
    let port = format!("serprog:ip={}", bench.address());
    Session::open(options(&port), &mut Unwatched).unwrap()
}

fn raw(content: &[u8]) -> Firmware {
    Firmware::One(Image::from_binary(content.to_vec(), None).unwrap())
}

fn at(address: u64, content: &[u8]) -> Firmware {
    Firmware::One(Image::from_binary(content.to_vec(), Some(address)).unwrap())
}

fn write(session: &mut Session, firmware: &Firmware, options: &WriteOptions) -> Result<(), Error> {
    let job = session.plan_write(firmware, "new.bin", options, &mut Unwatched)?;
    session.execute(&job, &mut Unwatched).map(drop)
}

/// An Intel flash descriptor: descriptor, network, management engine, BIOS, in 1 MiB.
fn descriptor() -> Vec<u8> {
    let mut bytes = vec![0xFF; 4096];
    let mut put = |at: usize, word: u32| bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    put(0x10, 0x0FF0_A55A);
    put(0x14, 0x0004_0003);
    put(0x18, 0x0010_0006);
    let regions = [0, 0x00FF_0080, 0x007F_0003, 0x0002_0001, 0x7FFF, 0, 0, 0];
    for (n, register) in regions.into_iter().enumerate() {
        put(0x40 + 4 * n, register);
    }
    bytes
}

/// A flash map of these areas in 1 MiB.
fn fmap(areas: &[(&str, u32, u32)]) -> Vec<u8> {
    let name = |name: &str| {
        let mut field = [0; 32];
        field[..name.len()].copy_from_slice(name.as_bytes());
        field
    };
    let mut bytes = b"__FMAP__\x01\x01".to_vec();
    bytes.extend([0; 8]);
    bytes.extend((MIB as u32).to_le_bytes());
    bytes.extend(name("FLASH"));
    bytes.extend((areas.len() as u16).to_le_bytes());
    for (area, start, size) in areas {
        bytes.extend(start.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend(name(area));
        bytes.extend([0; 2]);
    }
    bytes
}

fn put(content: &mut [u8], start: usize, bytes: &[u8]) {
    content[start..start + bytes.len()].copy_from_slice(bytes);
}

/// Writes `new` into a region and leaves the rest alone.
fn write_region(session: &mut Session, layout: &Layout, name: &str, new: &[u8]) {
    let region = layout.select(&[name]).unwrap().remove(0);
    let content = Image::from_binary(new.to_vec(), None).unwrap();
    let content = RegionContent::File(content, "region.bin".to_owned());
    let image = image_of_regions(&[(region, content)], None, MIB as u64).unwrap();
    write(session, &Firmware::One(image), &WriteOptions::default()).unwrap();
}

#[test]
fn a_region_of_the_descriptor_on_the_chip_is_written_alone() {
    let mut old = noise(MIB, 1);
    put(&mut old, 0, &descriptor());
    let bench = Clipped::open(CHIP, &old);
    let mut session = open(&bench);
    let layout = session.descriptor_layout(&mut Unwatched).unwrap();
    let names: Vec<&str> = layout.regions().iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["fd", "bios", "me", "gbe"]);
    let new = noise(0x2000, 2);
    write_region(&mut session, &layout, "gbe", &new);
    session.close().unwrap();

    put(&mut old, 0x1000, &new);
    let remains = bench.finish();
    assert!(remains.flash == old);
    assert_eq!(remains.complaints, [""; 0]);
}

#[test]
fn a_flash_map_at_the_start_of_a_block_is_found_without_reading_the_chip() {
    let mut old = noise(MIB, 3);
    let map = fmap(&[("BOOT", 0, 0x8_0000), ("DATA", 0x8_0000, 0x1000)]);
    put(&mut old, 0xC_3000, &map);
    let desk = Desk::new();
    let chip = desk.put("chip.bin", old);
    // Simulated time: the whole chip would take 0.9 s.
    let port = format!("sim:serprog+w25q80bl,image={}", chip.display());
    let mut session = Session::open(options(&port), &mut Unwatched).unwrap();
    let began = session.now();
    let layout = session.fmap_layout(&mut Unwatched).unwrap();
    let took = session.now() - began;
    assert_eq!(layout.regions().len(), 2);
    assert!(took < Duration::from_millis(200), "{took:?}");
    session.close().unwrap();
}

#[test]
fn a_flash_map_anywhere_is_found_and_its_region_written_alone() {
    let mut old = noise(MIB, 4);
    let map = fmap(&[("ALL", 0, MIB as u32), ("DATA", 0x8_0800, 0x1000)]);
    put(&mut old, 0x1_2345, &map);
    let bench = Clipped::open(CHIP, &old);
    let mut session = open(&bench);
    let layout = session.fmap_layout(&mut Unwatched).unwrap();
    let new = noise(0x1000, 5);
    write_region(&mut session, &layout, "DATA", &new);
    session.close().unwrap();
    put(&mut old, 0x8_0800, &new);
    let remains = bench.finish();
    assert!(remains.flash == old, "what shares its sectors is kept");
    assert_eq!(remains.complaints, [""; 0]);
}

#[test]
fn only_what_differs_is_erased_and_written() {
    for spec in [CHIP, PLAIN] {
        let old = noise(MIB, 6);
        let mut new = old.clone();
        new[0x5_4321] ^= 0xFF;
        let bench = Clipped::open(spec, &old);
        let mut session = open(&bench);
        write(&mut session, &raw(&new), &WriteOptions::default()).unwrap();
        session.close().unwrap();
        let remains = bench.finish();
        assert!(remains.flash == new, "{spec}");
        assert_eq!(remains.activity.erases, 1, "{spec}");
        assert!(remains.activity.programs <= 64, "{spec}: resent at most");
        assert!(!remains.outputs, "the pins are let go");
        assert_eq!(remains.complaints, [""; 0], "{spec}");
    }
}

#[test]
fn what_had_to_be_read_is_kept_and_restores_the_chip() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (noise(MIB, 7), noise(MIB, 8));
    let bench = Clipped::open(PLAIN, &old);
    let mut session = open(&bench);
    let options = WriteOptions {
        backup: BackupOptions::WhatIsRead(Backup::Folder {
            folder: folder.path().to_owned(),
            stamp: "now".to_owned(),
        }),
        ..WriteOptions::default()
    };
    write(&mut session, &raw(&new), &options).unwrap();

    let files: Vec<PathBuf> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [backup] = &files[..] else {
        panic!("{files:?}");
    };
    let kept = images::load(backup, LoadOptions::default()).unwrap();
    write(&mut session, &kept, &WriteOptions::default()).unwrap();
    session.close().unwrap();
    assert!(bench.finish().flash == old);
}

/// What a command is refused with: words, files, exit status, code.
type Refusal = (&'static [&'static str], i32, &'static str);

const REFUSALS: [Refusal; 12] = [
    (&["write", "small.bin"], 4, "image-size"),
    (&["write", "large.bin"], 4, "image-size"),
    (&["verify", "small.bin"], 4, "image-size"),
    (
        &["write", "small.bin", "--address", "0xFF800"],
        4,
        "out-of-range",
    ),
    (
        &["write", "small.bin", "--address", "0x100000"],
        4,
        "out-of-range",
    ),
    (
        &["erase", "--address", "0x800", "--length", "0x1000"],
        4,
        "unaligned",
    ),
    (
        &["erase", "--address", "0x1000", "--length", "0x800"],
        4,
        "unaligned",
    ),
    (
        &[
            "write",
            "--layout",
            "outside.txt",
            "--region",
            "in:small.bin",
        ],
        4,
        "layout-outside",
    ),
    (
        &["write", "--layout", "odd.txt", "--region", "a:small.bin"],
        7,
        "layout-bad",
    ),
    (
        &["write", "--layout", "good.txt", "--region", "b:small.bin"],
        4,
        "region-size",
    ),
    (
        &[
            "write",
            "whole.bin",
            "--layout",
            "good.txt",
            "--region",
            "a",
            "--region",
            "c",
        ],
        2,
        "region-unknown",
    ),
    (
        &["write", "whole.bin", "--chip", "W25Q64JV-.Q"],
        4,
        "chip-other",
    ),
];

#[test]
fn bad_input_is_refused_before_anything_is_erased() {
    let old = noise(MIB, 9);
    let bench = Clipped::open(CHIP, &old);
    let desk = Desk::new();
    desk.put("small.bin", noise(0x1000, 10));
    desk.put("large.bin", noise(MIB + 1, 11));
    desk.put("whole.bin", noise(MIB, 12));
    desk.put("outside.txt", "0:fff in\n1000:100fff out\n");
    desk.put("odd.txt", "0:fff a\n1000-1fff b\n");
    desk.put("good.txt", "0:fff a\n1000:1ffff b\n800:17ff c\n");
    let port = format!("serprog:tcp:{}", bench.address());
    for (words, exit, code) in REFUSALS {
        let words = [words, &["-p", &port]].concat();
        desk.run(&words).with(exit, &format!("error[{code}]"));
    }
    let remains = bench.finish();
    assert_eq!((remains.activity.erases, remains.activity.programs), (0, 0));
    assert!(remains.flash == old);
}

#[test]
fn a_chip_for_a_lower_voltage_is_written_only_by_its_name() {
    let bench = Clipped::open("serprog+at25ql128a,flash-percent=1", &[]);
    let mut session = open(&bench);
    let firmware = at(0, &noise(256, 13));
    let refused = write(&mut session, &firmware, &WriteOptions::default());
    assert_eq!(refused.unwrap_err().hint().code, "chip-voltage");
    let refused = session.plan_erase(None, true);
    assert_eq!(refused.unwrap_err().hint().code, "chip-voltage");
    session.close().unwrap();

    let mut options = options(&format!("serprog:ip={}", bench.address()));
    options.spi.chip = Some("at25sl128a".to_owned());
    let mut session = Session::open(options, &mut Unwatched).unwrap();
    write(&mut session, &firmware, &WriteOptions::default()).unwrap();
    session.close().unwrap();
    let remains = bench.finish();
    assert_eq!(remains.activity.erases, 0, "it was blank");
    assert!(remains.flash[..256] == noise(256, 13));
}

#[test]
fn protection_that_was_lifted_for_a_job_is_put_back() {
    let old = noise(MIB, 14);
    let bench = Clipped::open(CHIP, &old);
    let mut session = open(&bench);
    assert!(session.spi_protect().unwrap().is_protected);
    let before = session.spi_status().unwrap();
    let firmware = at(0x1000, &noise(0x1000, 15));
    let refused = write(&mut session, &firmware, &WriteOptions::default());
    assert_eq!(refused.unwrap_err().hint().code, "chip-protected");

    session.unprotect(&mut Unwatched).unwrap();
    write(&mut session, &firmware, &WriteOptions::default()).unwrap();
    session.close().unwrap();
    let mut session = open(&bench);
    assert_eq!(session.spi_status().unwrap(), before);
    assert!(!session.spi_unprotect().unwrap().is_protected);
    session.close().unwrap();
    let remains = bench.finish();
    assert!(remains.flash[0x1000..0x2000] == noise(0x1000, 15));
    assert_eq!(remains.complaints, [""; 0]);
}

/// Gives up as soon as something is going on.
struct GivesUp(CancelFlag);

impl Watcher for GivesUp {
    fn progress(&mut self, progress: &Progress) {
        if progress.done_bytes > 0 {
            self.0.raise();
        }
    }
}

#[test]
fn a_job_that_was_cancelled_lets_the_pins_go_and_a_second_run_does_the_rest() {
    let (old, new) = (noise(MIB, 16), noise(MIB, 17));
    let bench = Clipped::open(CHIP, &old);
    let mut options = options(&format!("serprog:ip={}", bench.address()));
    let flag = CancelFlag::new();
    options.cancel = flag.clone();
    let mut session = Session::open(options, &mut Unwatched).unwrap();
    let job = session
        .plan_write(
            &raw(&new),
            "new.bin",
            &WriteOptions::default(),
            &mut Unwatched,
        )
        .unwrap();
    let cancelled = session.execute(&job, &mut GivesUp(flag)).unwrap_err();
    assert!(
        matches!(cancelled.problem(), Problem::Cancelled),
        "{cancelled}"
    );
    session.close().unwrap();

    let mut session = open(&bench);
    write(&mut session, &raw(&new), &WriteOptions::default()).unwrap();
    session.close().unwrap();
    let remains = bench.finish();
    assert!(remains.flash == new);
    assert!(!remains.outputs);
}

#[test]
fn bytes_that_are_not_the_same_each_time_are_named() {
    // Nothing but the reading is behind byte 30000 of what the programmer says.
    let mut options = options("sim:serprog+w25q80bl,faults=flip@30000:in");
    options.spi.repeat_read = 3;
    let mut session = Session::open(options, &mut Unwatched).unwrap();
    let error = session.read(0..0x1_0000, &mut Unwatched).unwrap_err();
    let Problem::Unsteady { differing, times } = error.problem() else {
        panic!("{error}");
    };
    assert_eq!((*times, differing.bytes), (3, 1));
    let place = differing.places[0].clone();
    assert_eq!(place.end - place.start, 1);
    assert!((29_000..30_000).contains(&place.start), "{place:?}");
    session.close().unwrap();

    // Once is believed.
    let options = self::options("sim:serprog+w25q80bl,faults=flip@30000:in");
    let mut session = Session::open(options, &mut Unwatched).unwrap();
    let content = session.read(0..0x1_0000, &mut Unwatched).unwrap();
    assert_eq!(content.iter().filter(|&&byte| byte != 0xFF).count(), 1);
    session.close().unwrap();
}

#[test]
fn no_chip_that_is_new_is_taken_for_protected() {
    for part in nor::PARTS {
        let port = format!("sim:serprog+{}", part.name);
        let mut session = Session::open(options(&port), &mut Unwatched).unwrap();
        let protection = session.protection().unwrap();
        assert!(!protection.is_any(), "{}: {protection:?}", part.name);
        session.close().unwrap();
    }
}
