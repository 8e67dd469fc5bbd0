//! Every command of the STM32 client, said to the simulated loader of every part.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::stm32::{
    Bootloader, Error, Identity, Options, Parts, Phase, Pipeline, Quirk, Synchronised, Target,
};
use flashwire_plan::{FlashDevice, Mismatch};
use flashwire_protocol::stm32::{Command, FlashCrc, SpecialErase};
use flashwire_sim::stm32::{PARTS, WriteProtection};
use flashwire_tests::bench::{Bench, noise};

/// All benches of this file: every part on every interface that its loader has; a UART with a
/// millisecond to and fro as a good adapter has, an I2C bus whose controller is patient.
fn benches() -> impl Iterator<Item = (String, Bench)> {
    PARTS.iter().flat_map(|part| {
        let uart = format!("{},latency-us=500", part.name);
        let i2c = format!("{},bus=i2c,i2c-hz=400000,hold-limit-ms=60000", part.name);
        let i2c = part.loader.i2c.map(|_| i2c);
        let specs = [Some(uart), i2c].into_iter().flatten();
        specs.map(|spec| (spec.clone(), Bench::open(&spec)))
    })
}

fn greeted(bench: &Bench) -> Bootloader {
    let mut loader = bench.loader(Options::default());
    let greeting = match bench.is_on_i2c() {
        true => Synchronised::Already,
        false => Synchronised::Fresh,
    };
    assert_eq!(loader.synchronise().unwrap(), greeting);
    loader.get().unwrap();
    loader
}

fn nothing(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn every_part_is_identified_with_its_real_size_and_unique_id() {
    for (name, bench) in benches() {
        let mut loader = bench.loader(Options::default());
        loader.synchronise().unwrap();
        let identity = loader.identify(&Parts::built_in()).unwrap();
        let chip = bench.chip();
        let part = chip.part();
        assert!(identity.known, "{name}");
        assert_eq!(identity.product_id, part.product_id, "{name}");
        let on_i2c = part.loader.i2c.filter(|_| bench.is_on_i2c());
        let version = on_i2c.map_or(part.loader.version, |i2c| i2c.version);
        assert_eq!(identity.version, version, "{name}");
        assert!(!identity.read_protected, "{name}");
        let kib = part.flash.bytes() / 1024;
        assert_eq!(identity.flash_kib, Some(kib), "{name}");
        let expected: Vec<u8> = part
            .uid_words
            .iter()
            .flat_map(|offset| (0..4).map(move |byte| part.uid_address + offset + byte))
            .map(|address| chip.memory().byte(address).unwrap())
            .collect();
        assert_eq!(identity.unique_id.unwrap().0[..], expected, "{name}");
        assert_eq!(bench.complaints(), [""; 0], "{name}");
    }
}

#[test]
fn what_the_tables_say_is_what_the_silicon_does() {
    for (name, bench) in benches() {
        let target = bench.target(Options::default());
        let chip = bench.chip();
        let part = chip.part();
        let (identity, geometry) = (target.identity(), target.geometry());
        assert_eq!(geometry.check(), Ok(()), "{name}");
        assert_eq!(geometry.range.start, u64::from(part.flash.start), "{name}");
        assert_eq!(
            geometry.range.end,
            u64::from(part.flash.addresses().end),
            "{name}"
        );
        assert_eq!(geometry.erased, part.flash.erased, "{name}");
        let unit = part.flash.program_bytes.max(4) as u64;
        assert_eq!(geometry.program.unit_bytes, unit, "{name}");
        let theirs: Vec<(u64, u64)> = part
            .flash
            .units()
            .map(|unit| {
                let start = geometry.range.start + u64::from(unit.offset);
                (start, start + u64::from(unit.bytes))
            })
            .collect();
        let ours: Vec<(u64, u64)> = geometry.erase_kinds[0]
            .units(0)
            .map(|unit| (unit.start, unit.end))
            .collect();
        assert_eq!(ours, theirs, "{name}");
        let whole = geometry.erase_kinds.iter().any(|kind| kind.whole);
        assert_eq!(whole, part.flash.mass_erase.is_some(), "{name}");
        for unit in part.flash.units() {
            let (typical, most) = identity.part.family.erase_time(u64::from(unit.bytes));
            assert!(unit.erase <= most, "{name}: {:?} > {most:?}", unit.erase);
            assert!(
                typical <= unit.erase * 2 && unit.erase <= typical * 2,
                "{name}"
            );
        }
        let ram = identity.part.ram.clone().unwrap();
        let free = part.ram[0].start + part.loader.ram_bytes;
        assert!(ram.start >= free, "{name}: 0x{:X} < 0x{free:X}", ram.start);
        assert_eq!(
            identity.part.has(Quirk::AlignedSystemReads),
            part.loader.reads_system_in_blocks,
            "{name}"
        );
    }
}

#[test]
fn the_bootloader_id_is_read_where_there_is_one() {
    for (name, bench) in benches() {
        let mut loader = greeted(&bench);
        let part = Parts::built_in()
            .find(bench.chip().part().product_id, None)
            .unwrap();
        let id = loader.bootloader_id(&part).unwrap();
        assert_eq!(
            id,
            bench.chip().part().loader.id.map(|(_, id)| id),
            "{name}"
        );
        if let Some(id) = id {
            assert!(part.bootloader_ids.contains(&id), "{name}: 0x{id:02X}");
        }
    }
}

#[test]
fn get_version_answers_as_get_does() {
    for (name, bench) in benches() {
        let mut loader = greeted(&bench);
        let answer = loader.get_version().unwrap();
        assert_eq!(answer.version, loader.get().unwrap().version, "{name}");
        assert_eq!(answer.options, [0, 0], "{name}");
    }
}

#[test]
fn memory_is_read_at_any_address_and_length() {
    let bench = Bench::open("stm32f103c8");
    let content = noise(0x1000, 1);
    bench.fill_flash(&content);
    let mut loader = greeted(&bench);
    for (offset, len) in [
        (0, 1),
        (0, 256),
        (3, 7),
        (0xFF, 2),
        (0x101, 255),
        (0xFFF, 1),
    ] {
        let mut found = vec![0; len];
        loader
            .read_memory(0x0800_0000 + offset as u32, &mut found)
            .unwrap();
        assert_eq!(found, content[offset..offset + len]);
    }
    assert_eq!(bench.complaints(), [""; 0]);
}

#[test]
fn blocks_of_impossible_sizes_are_refused_before_anything_is_sent() {
    let bench = Bench::open("stm32f103c8");
    let mut loader = greeted(&bench);
    let before = bench.now();
    for bytes in [0, 257] {
        let error = loader
            .read_memory(0x0800_0000, &mut vec![0; bytes])
            .unwrap_err();
        assert!(matches!(
            error,
            Error::BlockSize {
                command: Command::ReadMemory,
                ..
            }
        ));
    }
    for bytes in [0, 3, 6, 260] {
        let error = loader
            .write_memory(0x0800_0000, &vec![0; bytes])
            .unwrap_err();
        assert!(matches!(
            error,
            Error::BlockSize {
                command: Command::WriteMemory,
                ..
            }
        ));
    }
    assert_eq!(bench.now(), before);
}

#[test]
fn go_starts_the_application() {
    let bench = Bench::open("stm32f103c8");
    bench.fill_flash(&[
        0x00, 0x50, 0x00, 0x20, 0x09, 0x00, 0x00, 0x08, 0xFE, 0xE7, 0xFE, 0xE7,
    ]);
    let mut loader = greeted(&bench);
    loader.go(0x0800_0000).unwrap();
    bench
        .change()
        .bench_mut()
        .wire_mut()
        .settle(Duration::from_millis(10));
    let state = bench.chip().state();
    assert!(
        matches!(state, flashwire_sim::stm32::ChipState::Application(_)),
        "{state:?}"
    );
    assert!(matches!(loader.get().unwrap_err(), Error::NotSynchronised));
}

#[test]
fn go_to_nowhere_is_refused_and_the_loader_stays() {
    let bench = Bench::open("stm32f103c8");
    let mut loader = greeted(&bench);
    let error = loader.go(0x4000_0000).unwrap_err();
    let Error::Nack { step } = error else {
        panic!("{error}")
    };
    assert_eq!(step.phase, Phase::Address);
    assert_eq!(step.address, Some(0x4000_0000));
    loader.get().unwrap();
}

#[test]
fn erase_lists_are_split_and_every_page_is_erased() {
    // More pages than one list takes, on a part that has no erase of everything.
    for name in ["stm32l152rb", "stm32f103ve", "stm32g0b1re"] {
        let bench = Bench::open(name);
        let len = bench.flash().len();
        bench.fill_flash(&noise(len, 2));
        let mut target = bench.target(Options::default());
        let erased = target.geometry().erased;
        let units: Vec<_> = target.geometry().erase_kinds[0].units(0).collect();
        let mut ticks = 0;
        let mut done = 0;
        target
            .erase(&units, &mut |bytes| {
                ticks += 1;
                done += bytes;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(bench.flash().iter().all(|&byte| byte == erased), "{name}");
        assert_eq!(done, len as u64, "{name}");
        assert!(ticks > 1, "{name}: {ticks}");
        assert_eq!(bench.complaints(), [""; 0], "{name}");
    }
}

#[test]
fn the_longest_erase_list_is_one_command() {
    for name in ["stm32l152rb", "stm32f103ve"] {
        let bench = Bench::open(name);
        let content = noise(bench.flash().len(), 3);
        bench.fill_flash(&content);
        let mut loader = greeted(&bench);
        let most = loader.erase_list_pages();
        let pages: Vec<u16> = (0..most as u16).collect();
        loader.erase(&pages, Duration::from_secs(60)).unwrap();
        let unit = content.len() / bench.chip().part().flash.units().count();
        assert_eq!(
            bench.flash()[most * unit..],
            content[most * unit..],
            "{name}"
        );
        assert_ne!(
            bench.flash()[(most - 1) * unit..][..unit],
            content[(most - 1) * unit..][..unit]
        );
        let longer: Vec<u16> = (0..=most as u16).collect();
        let error = loader.erase(&longer, Duration::ZERO).unwrap_err();
        assert!(matches!(error, Error::BadList { .. }), "{error}");
        let error = loader.erase(&[], Duration::ZERO).unwrap_err();
        assert!(matches!(error, Error::BadList { pages: 0, .. }), "{error}");
        assert_eq!(bench.complaints(), [""; 0]);
    }
}

#[test]
fn a_page_number_that_erase_cannot_carry_is_refused_before_anything_is_sent() {
    let bench = Bench::open("stm32f103ve");
    let mut loader = greeted(&bench);
    let before = bench.now();
    let error = loader.erase(&[256], Duration::ZERO).unwrap_err();
    assert!(matches!(
        error,
        Error::BadPage {
            command: Command::Erase,
            page: 256
        }
    ));
    assert_eq!(bench.now(), before);
}

#[test]
fn everything_is_erased_at_once_where_the_loader_can() {
    for (name, bench) in benches() {
        let len = bench.flash().len();
        bench.fill_flash(&noise(len, 4));
        let mut target = bench.target(Options::default());
        let geometry = target.geometry().clone();
        let Some(kind) = geometry.erase_kinds.iter().position(|kind| kind.whole) else {
            assert!(target.identity().part.has(Quirk::NoMassErase), "{name}");
            continue;
        };
        let units: Vec<_> = geometry.erase_kinds[kind].units(kind).collect();
        target.erase(&units, &mut nothing).unwrap();
        assert!(
            bench.flash().iter().all(|&byte| byte == geometry.erased),
            "{name}"
        );
        assert_eq!(bench.complaints(), [""; 0], "{name}");
    }
}

#[test]
fn an_erase_of_everything_that_is_refused_is_done_page_by_page() {
    let text = "product_id,family,name,layout,flash_kib,flash_size_at,program_unit,erased\n\
                0x416,L1,L1 that claims a mass erase,256*,128,0x1FF8004C,4,0x00\n";
    let bench = Bench::open("stm32l152rb");
    bench.fill_flash(&noise(128 * 1024, 5));
    let mut loader = bench.loader(Options::default());
    loader.synchronise().unwrap();
    let identity = loader.identify(&Parts::with_file(text).unwrap()).unwrap();
    let mut target = Target::new(loader, identity);
    let geometry = target.geometry().clone();
    let kind = geometry
        .erase_kinds
        .iter()
        .position(|kind| kind.whole)
        .unwrap();
    let units: Vec<_> = geometry.erase_kinds[kind].units(kind).collect();
    target.erase(&units, &mut nothing).unwrap();
    assert!(bench.flash().iter().all(|&byte| byte == 0));
}

#[test]
fn one_bank_is_erased_where_there_are_two() {
    let bench = Bench::open("stm32g0b1re");
    let content = noise(512 * 1024, 6);
    bench.fill_flash(&content);
    let mut loader = greeted(&bench);
    let most = Duration::from_secs(60);
    loader.special_erase(SpecialErase::Bank2, most).unwrap();
    assert_eq!(bench.flash()[..256 * 1024], content[..256 * 1024]);
    assert!(bench.flash()[256 * 1024..].iter().all(|&byte| byte == 0xFF));
    let mut old = greeted(&Bench::open("stm32f103c8"));
    let error = old.special_erase(SpecialErase::Bank2, most).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }));
}

#[test]
fn slow_flash_is_waited_for() {
    // Twice as slow as the datasheet's typical figure, which is its maximum.
    for name in ["stm32f407vg", "stm32f103c8", "stm32h743zi"] {
        let bench = Bench::open(&format!("{name},flash-percent=200"));
        let len = bench.flash().len();
        bench.fill_flash(&noise(len, 7));
        let mut target = bench.target(Options::default());
        let geometry = target.geometry().clone();
        let last = geometry.erase_kinds[0].units(0).last().unwrap();
        target.erase(&[last], &mut nothing).unwrap();
        let kind = geometry
            .erase_kinds
            .iter()
            .position(|kind| kind.whole)
            .unwrap();
        let units: Vec<_> = geometry.erase_kinds[kind].units(kind).collect();
        target.erase(&units, &mut nothing).unwrap();
        assert!(bench.flash().iter().all(|&byte| byte == 0xFF), "{name}");
    }
}

#[test]
fn write_protection_is_set_and_taken_away() {
    for (name, bench) in benches() {
        let mut loader = greeted(&bench);
        loader.write_protect(&[0, 1]).unwrap();
        assert!(
            matches!(loader.get().unwrap_err(), Error::NotSynchronised),
            "{name}"
        );
        let protected = |bench: &Bench| {
            let chip = bench.chip();
            let part = chip.part();
            chip.memory()
                .options
                .is_write_protected(&part.options, &part.flash, 0)
        };
        assert!(protected(&bench), "{name}");
        loader.synchronise_within(Duration::from_secs(5)).unwrap();
        loader.write_unprotect().unwrap();
        loader.synchronise_within(Duration::from_secs(5)).unwrap();
        assert!(!protected(&bench), "{name}");
        loader.get().unwrap();
    }
}

#[test]
fn write_protection_is_found_where_option_bytes_tell() {
    for (name, bench) in benches() {
        let mut loader = greeted(&bench);
        let identity = loader.identify(&Parts::built_in()).unwrap();
        let readable = !bench.chip().part().options.blocks.is_empty();
        let before = loader.write_protected(&identity).unwrap();
        assert_eq!(before, readable.then(Vec::new), "{name}");
        // Sectors 0, 3, 4 and 7; or, on the parts that take areas, pages 0 to 3 and 4 to 7, of
        // both banks where there are two.
        let codes: &[u8] = match bench.chip().part().options.write_protection {
            WriteProtection::Bits { .. } => &[0, 3, 4, 7],
            WriteProtection::Areas { cells, .. } => &[0, 3, 5, 7, 1, 2, 9, 9][..2 * cells.len()],
        };
        loader.write_protect(codes).unwrap();
        loader.synchronise_within(Duration::from_secs(5)).unwrap();
        let found = loader.write_protected(&identity).unwrap();
        let found = found.unwrap_or_default();
        let chip = bench.chip();
        let part = chip.part();
        for (n, unit) in part.flash.units().enumerate() {
            let protected =
                chip.memory()
                    .options
                    .is_write_protected(&part.options, &part.flash, n as u32);
            let start = u64::from(part.flash.start + unit.offset);
            let told = found.iter().any(|range| range.contains(&start));
            assert_eq!(told, protected && readable, "{name}, unit {n}: {found:X?}");
        }
        assert_eq!(found.is_empty(), !readable, "{name}");
        drop(chip);
        assert_eq!(bench.complaints(), [""; 0], "{name}");
    }
}

#[test]
fn read_protection_is_set_found_and_taken_away() {
    for (name, bench) in benches() {
        let len = bench.flash().len();
        bench.fill_flash(&noise(len, 8));
        let mut loader = greeted(&bench);
        loader.readout_protect().unwrap();
        loader.synchronise_within(Duration::from_secs(5)).unwrap();
        let identity = loader.identify(&Parts::built_in()).unwrap();
        assert!(identity.read_protected, "{name}");
        assert_eq!(identity.flash_kib, None, "{name}");
        assert!(identity.known, "{name}");

        let most = Duration::from_secs(120);
        loader.readout_unprotect(most).unwrap();
        loader.synchronise_within(most).unwrap();
        let identity = loader.identify(&Parts::built_in()).unwrap();
        assert!(!identity.read_protected, "{name}");
        let erased = bench.chip().part().flash.erased;
        assert!(bench.flash().iter().all(|&byte| byte == erased), "{name}");
    }
}

#[test]
fn a_read_protected_flash_is_named_so_by_every_operation() {
    let bench = Bench::open("stm32f103c8");
    let mut loader = greeted(&bench);
    loader.readout_protect().unwrap();
    loader.synchronise_within(Duration::from_secs(5)).unwrap();
    let mut identity: Identity = loader.identify(&Parts::built_in()).unwrap();
    // As if protection came while the session was open.
    identity.read_protected = false;
    let mut target = Target::new(loader, identity);
    let unit = target.geometry().erase_kinds[0].units(0).next().unwrap();
    let protected = |result: Result<(), flashwire_plan::Failure>| match result {
        Err(flashwire_plan::Failure::Device(error)) => {
            let error: &Error = error.downcast_ref().unwrap();
            assert!(matches!(error, Error::ReadProtected { .. }), "{error}");
        }
        other => panic!("{other:?}"),
    };
    protected(target.read(0x0800_0000, &mut [0; 4], &mut nothing));
    protected(target.erase(&[unit], &mut nothing));
    protected(target.program(0x0800_0000, &[0; 4], &mut nothing));
    protected(target.compare(0x0800_0000, &[0; 4], &mut nothing).map(drop));
}

#[test]
fn a_checksum_is_proved_and_then_used() {
    let bench = Bench::open("stm32g0b1re");
    let content = noise(0x4000, 9);
    bench.fill_flash(&content);
    let mut loader = greeted(&bench);
    let error = loader.checksum(0x0800_0000..0x0800_1000).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    assert!(loader.prove_checksum(0x0800_0000, &content[..256]).unwrap());
    let mut crc = FlashCrc::default();
    crc.update_bytes(&content, 0xFF);
    assert_eq!(
        loader.checksum(0x0800_0000..0x0800_4000).unwrap(),
        crc.value()
    );
    let error = loader.checksum(0x0800_0000..0x0800_0003).unwrap_err();
    assert!(matches!(error, Error::BlockSize { .. }), "{error}");
    assert_eq!(bench.complaints(), [""; 0]);
}

#[test]
fn a_checksum_that_is_wrong_is_not_used() {
    let bench = Bench::open("stm32g0b1re");
    let mut loader = greeted(&bench);
    assert!(!loader.prove_checksum(0x0800_0000, &noise(256, 10)).unwrap());
    assert!(!loader.has_checksum());
    loader.get().unwrap();
}

#[test]
fn a_loader_without_a_checksum_is_not_asked_for_one() {
    let bench = Bench::open("stm32f103c8");
    let mut loader = greeted(&bench);
    let before = bench.now();
    assert!(!loader.prove_checksum(0x0800_0000, &[0xFF; 256]).unwrap());
    assert_eq!(bench.now(), before);
}

#[test]
fn an_unknown_part_is_read_and_erased_as_a_whole() {
    let bench = Bench::open("stm32f103c8");
    let content = noise(64 * 1024, 11);
    bench.fill_flash(&content);
    let mut loader = bench.loader(Options::default());
    loader.synchronise().unwrap();
    // A table in which this chip does not stand.
    let mut identity = loader.identify(&Parts::built_in()).unwrap();
    identity.part = flashwire_client::stm32::Part::generic(identity.product_id);
    identity.known = false;
    identity.flash_kib = None;
    let mut target = Target::new(loader, identity);
    let geometry = target.geometry().clone();
    assert_eq!(geometry.check(), Ok(()));
    assert_eq!(geometry.erase_kinds.len(), 1);
    assert!(geometry.erase_kinds[0].whole);
    assert_eq!(geometry.program.unit_bytes, 256);
    let mut found = vec![0; 0x200];
    target.read(0x0800_0000, &mut found, &mut nothing).unwrap();
    assert_eq!(found, content[..0x200]);
    let whole: Vec<_> = geometry.erase_kinds[0].units(0).collect();
    target.erase(&whole, &mut nothing).unwrap();
    target
        .program(0x0800_0000, &content[..0x200], &mut nothing)
        .unwrap();
    let same = target
        .compare(0x0800_0000, &content[..0x200], &mut nothing)
        .unwrap();
    assert_eq!(same, None);
}

#[test]
fn what_is_written_is_there_and_a_difference_is_found() {
    for (name, bench) in benches() {
        let mut target = bench.target(Options::default());
        let geometry = target.geometry().clone();
        let units: Vec<_> = geometry.erase_kinds[0].units(0).take(2).collect();
        target.erase(&units, &mut nothing).unwrap();
        let unit = geometry.program.unit_bytes as usize;
        let len = (0x1234 / unit) * unit;
        let len = len.min((units[1].end - units[0].start) as usize);
        let mut data = noise(len, 12);
        let start = geometry.range.start;
        let mut done = 0;
        target
            .program(start, &data, &mut |bytes| {
                done += bytes;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(done, len as u64, "{name}");
        assert_eq!(bench.flash()[..len], data, "{name}");
        assert_eq!(
            target.compare(start, &data, &mut nothing).unwrap(),
            None,
            "{name}"
        );
        data[len - 2] ^= 0x40;
        data[7] ^= 0x01;
        let mismatch = target.compare(start, &data, &mut nothing).unwrap();
        let expected = Mismatch {
            address: start + 7,
            expected: data[7],
            found: data[7] ^ 0x01,
            count: 2,
        };
        assert_eq!(mismatch, Some(expected), "{name}");
        let mut found = vec![0; len - 3];
        target.read(start + 3, &mut found, &mut nothing).unwrap();
        assert_eq!(found, bench.flash()[3..len], "{name}");
        assert_eq!(bench.complaints(), [""; 0], "{name}");
    }
}

#[test]
fn work_stops_at_a_clean_boundary_when_asked_to() {
    let bench = Bench::open("stm32f103c8");
    let mut target = bench.target(Options::default());
    let data = noise(0x1000, 13);
    let mut left = 3;
    let stopped = target.program(0x0800_0000, &data, &mut |_| {
        left -= 1;
        if left == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(matches!(stopped, Err(flashwire_plan::Failure::Stopped)));
    assert_eq!(bench.flash()[..0x300], data[..0x300]);
    assert!(bench.flash()[0x300..].iter().all(|&byte| byte == 0xFF));
    target.loader_mut().get().unwrap();
    assert_eq!(bench.complaints(), [""; 0]);
}

#[test]
fn identifying_takes_few_exchanges() {
    // What a start costs is what `info` costs: a dozen round trips and a few dozen bytes.
    let bench = Bench::open("stm32f103c8,latency-us=8000");
    let before = bench.now();
    bench.target(Options {
        pipeline: Pipeline::Off,
        ..Options::default()
    });
    let took = bench.now() - before;
    assert!(took < Duration::from_millis(16 * 11 + 25), "{took:?}");
}
