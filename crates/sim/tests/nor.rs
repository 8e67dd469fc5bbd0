//! SPI NOR chips as a host on their bus sees them.

use std::time::Duration;

use flashwire_link::Instant;
use flashwire_protocol::spinor::sfdp::{Bfpt, Directory, TableId};
use flashwire_protocol::spinor::{instruction as i, status};
use flashwire_sim::nor::{Busy, Chip, Extent, Features, Misuse, Options, PARTS, Pace, Part, find};
use proptest::prelude::*;

/// A bus with one chip, clocked at 8 MHz: a byte a microsecond.
struct Bus {
    chip: Chip,
    now: Instant,
}

impl Bus {
    fn new(name: &str) -> Self {
        Self::with(name, Options::default())
    }

    fn with(name: &str, options: Options) -> Self {
        Self {
            chip: Chip::new(find(name).unwrap(), options),
            now: Instant::default(),
        }
    }

    /// One transaction: sends, then receives.
    fn run(&mut self, sent: &[u8], received: usize) -> Vec<u8> {
        self.chip.select(self.now);
        for &byte in sent {
            self.now = self.now + Duration::from_micros(1);
            self.chip.transfer(self.now, byte);
        }
        let answer = (0..received).map(|_| {
            self.now = self.now + Duration::from_micros(1);
            self.chip.transfer(self.now, 0)
        });
        let answer = answer.collect();
        self.chip.deselect(self.now);
        answer
    }

    fn send(&mut self, sent: &[u8]) {
        self.run(sent, 0);
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn status(&mut self) -> u8 {
        self.run(&[i::RDSR], 1)[0]
    }

    /// Polls until the chip is ready; returns how long that took.
    fn finish(&mut self) -> Duration {
        let start = self.now;
        while self.status() & status::WIP != 0 {
            // Nothing is under way: asleep, or pulled out.
            let Some(until) = self.chip.busy_until() else {
                break;
            };
            self.now = until;
        }
        self.now - start
    }

    /// WREN, the instruction, and the wait for its end.
    fn write(&mut self, sent: &[u8]) {
        self.send(&[i::WREN]);
        self.send(sent);
        self.finish();
    }

    fn misuses(&self) -> Vec<Misuse> {
        self.chip
            .complaints()
            .iter()
            .map(|complaint| complaint.misuse)
            .collect()
    }
}

fn pp(address: u32, data: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = address.to_be_bytes();
    [&[i::PP, a, b, c], data].concat()
}

fn at(instruction: u8, address: u32) -> Vec<u8> {
    let [_, a, b, c] = address.to_be_bytes();
    vec![instruction, a, b, c]
}

fn at_4b(instruction: u8, address: u32) -> Vec<u8> {
    [&[instruction], address.to_be_bytes().as_slice()].concat()
}

#[test]
fn there_are_at_least_twelve_parts_with_different_names() {
    let mut names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), PARTS.len());
    assert!(names.len() >= 12);
    assert_eq!(find("W25Q64JV").map(|part| part.name), Some("w25q64jv"));
    assert!(find("w25q64").is_none());
}

#[test]
fn every_part_says_who_it_is() {
    for part in PARTS {
        let mut bus = Bus::new(part.name);
        let rdid = part.identity.rdid;
        if rdid.is_empty() {
            assert_eq!(bus.run(&[i::RDID], 3), [0xFF; 3], "{}", part.name);
        } else {
            assert_eq!(bus.run(&[i::RDID], rdid.len()), rdid);
        }
        let Some([maker, device]) = part.identity.rems else {
            continue;
        };
        assert_eq!(
            bus.run(&[i::REMS, 0, 0, 0], 4),
            [maker, device, maker, device]
        );
        assert_eq!(bus.run(&[i::REMS, 0, 0, 1], 2), [device, maker]);
        let res = bus.run(&[i::RES, 0, 0, 0], 2);
        assert_eq!(res[0], part.identity.res[0]);
        assert_eq!(bus.misuses(), []);
    }
}

#[test]
fn a_page_is_programmed_after_wren_and_takes_its_time() {
    let mut bus = Bus::new("w25q64jv");
    bus.send(&[i::WREN]);
    assert_eq!(bus.status(), status::WEL);
    bus.send(&pp(0x1000, &[1, 2, 3]));
    assert_eq!(bus.status(), status::WIP | status::WEL);
    assert_eq!(bus.chip.memory()[0x1000], 0xFF, "it is not done yet");
    let took = bus.finish();
    assert!(
        took.abs_diff(Duration::from_micros(400)) < Duration::from_micros(10),
        "{took:?}"
    );
    assert_eq!(bus.status(), 0);
    assert_eq!(bus.run(&at(i::READ, 0xFFF), 5), [0xFF, 1, 2, 3, 0xFF]);
    assert_eq!(bus.run(&[i::FAST_READ, 0, 0x10, 0, 0], 3), [1, 2, 3]);
    assert_eq!(bus.misuses(), []);
}

#[test]
fn without_wren_nothing_is_written() {
    let mut bus = Bus::new("w25q64jv");
    bus.send(&pp(0, &[0]));
    bus.send(&at(i::SE, 0));
    bus.send(&[i::CE]);
    bus.send(&[i::WRSR, 0x1C]);
    assert_eq!(bus.status(), 0);
    assert_eq!(bus.chip.activity().ignored_unarmed, 4);
    bus.send(&[i::WREN]);
    bus.send(&[i::WRDI]);
    bus.send(&pp(0, &[0]));
    assert_eq!(bus.chip.memory()[0], 0xFF);
    // Sending ahead of a busy chip ends this way on purpose: it is counted, not held against.
    assert_eq!(bus.misuses(), []);
}

#[test]
fn a_busy_chip_ignores_everything_but_status() {
    let mut bus = Bus::new("w25q64jv");
    bus.send(&[i::WREN]);
    bus.send(&pp(0, &[0xA5; 256]));
    bus.send(&[i::WREN]);
    bus.send(&pp(256, &[0x5A; 16]));
    assert_eq!(bus.run(&at(i::READ, 0), 2), [0xFF, 0xFF]);
    assert_eq!(bus.run(&[i::RDID], 3), [0xFF; 3]);
    assert_eq!(bus.run(&[i::RDSR2], 1), [0x02]);
    assert_eq!(bus.chip.activity().ignored_while_busy, 4);
    bus.finish();
    assert_eq!(bus.chip.memory()[255..258], [0xA5, 0xFF, 0xFF]);
    // The latch went with the page, and the ignored WREN did not set it again.
    bus.send(&pp(256, &[0x5A; 16]));
    assert_eq!(bus.chip.activity().ignored_unarmed, 1);
    assert_eq!(bus.misuses(), []);
}

#[test]
fn a_program_past_the_end_of_its_page_goes_on_at_its_start() {
    let mut bus = Bus::new("w25q64jv");
    bus.write(&pp(0x1FE, &[1, 2, 3, 4]));
    assert_eq!(bus.chip.memory()[0x1FE..0x202], [1, 2, 0xFF, 0xFF]);
    assert_eq!(bus.chip.memory()[0x100..0x103], [3, 4, 0xFF]);
    assert_eq!(
        bus.misuses(),
        [Misuse::PageWrap {
            address: 0x1FE,
            length: 4
        }]
    );
    // Of more than a page the last 256 bytes count.
    let mut bus = Bus::new("w25q64jv");
    let data: Vec<u8> = (0..300u16).map(|n| n as u8).collect();
    bus.write(&pp(0, &data));
    assert_eq!(
        bus.chip.memory()[..46],
        data[256..][..44]
            .iter()
            .copied()
            .chain([44, 45])
            .collect::<Vec<_>>()
    );
    assert_eq!(bus.misuses().len(), 1);
}

#[test]
fn programming_only_clears_bits_and_asking_for_more_is_held_against() {
    let mut bus = Bus::new("w25q64jv");
    bus.write(&pp(0, &[0xF0, 0x0F]));
    // Again the same, fewer bits, and 0xFF over anything: all of it is what careful hosts do.
    bus.write(&pp(0, &[0xF0, 0x0F]));
    bus.write(&pp(0, &[0xC0, 0xFF]));
    assert_eq!(bus.chip.memory()[..2], [0xC0, 0x0F]);
    assert_eq!(bus.misuses(), []);
    bus.write(&pp(0, &[0xC0, 0x1F]));
    assert_eq!(bus.chip.memory()[..2], [0xC0, 0x0F]);
    assert_eq!(
        bus.misuses(),
        [Misuse::NotErased {
            address: 1,
            found: 0x0F,
            wanted: 0x1F
        }]
    );
}

#[test]
fn every_erase_of_every_part_erases_its_extent_in_its_time() {
    for part in PARTS {
        for erase in part.erases {
            let mut bus = Bus::new(part.name);
            unprotect(&mut bus);
            let size = part.size_bytes;
            let address = size / 2 + 0x1234;
            let (start, end) = erase.extent.around(address, size);
            bus.chip.memory_mut()[start.saturating_sub(16)..(end + 16).min(size)].fill(0);
            let instruction = match erase.extent {
                Extent::Chip => vec![erase.opcode],
                Extent::UniformFourByte(_) => at_4b(erase.opcode, address as u32),
                Extent::Uniform(_) | Extent::Runs(_) if size > 1 << 24 => {
                    bus.chip.set_four_byte(true);
                    at_4b(erase.opcode, address as u32)
                }
                Extent::Uniform(_) | Extent::Runs(_) => at(erase.opcode, address as u32),
            };
            bus.send(&[i::WREN]);
            bus.send(&instruction);
            let took = bus.finish();
            let close = took.abs_diff(erase.time.typical) < Duration::from_micros(10);
            assert!(close, "{} {:02X}: {took:?}", part.name, erase.opcode);
            let memory = bus.chip.memory();
            assert!(memory[start..end].iter().all(|&byte| byte == 0xFF));
            assert!(start == 0 || memory[start - 1] == 0, "{}", part.name);
            assert!(end == size || memory[end] == 0, "{}", part.name);
            assert_eq!(bus.misuses(), [], "{} {:02X}", part.name, erase.opcode);
        }
    }
}

/// SST parts come up protected.
fn unprotect(bus: &mut Bus) {
    bus.send(&[i::EWSR]);
    bus.send(&[i::WRSR, 0]);
    bus.send(&[i::WREN]);
    bus.send(&[i::WRSR, 0]);
    bus.finish();
    assert_eq!(bus.status() & 0x1C, 0);
}

#[test]
fn a_part_with_boot_sectors_erases_each_by_its_own_size() {
    let part = find("a25l80p").unwrap();
    let extent = part.erases[0].extent;
    let around = |address| extent.around(address, part.size_bytes);
    assert_eq!(around(0x0FFF), (0x0000, 0x1000));
    assert_eq!(around(0x1000), (0x1000, 0x2000));
    assert_eq!(around(0x2000), (0x2000, 0x4000));
    assert_eq!(around(0x7FFF), (0x4000, 0x8000));
    assert_eq!(around(0x8000), (0x8000, 0x1_0000));
    assert_eq!(around(0x1_0000), (0x1_0000, 0x2_0000));
    assert_eq!(around(0xF_FFFF), (0xF_0000, 0x10_0000));
}

#[test]
fn protected_blocks_are_neither_programmed_nor_erased() {
    let mut bus = Bus::new("w25q64jv");
    // TB and BP0: the lowest 128 KiB.
    bus.write(&[i::WRSR, 0x24]);
    assert_eq!(bus.status(), 0x24);
    bus.write(&pp(0x1_FF00, &[0; 16]));
    bus.write(&at(i::SE, 0));
    bus.write(&[i::CE]);
    assert_eq!(
        bus.misuses(),
        [0x1_FF00, 0, 0].map(|address| Misuse::Protected { address })
    );
    bus.write(&pp(0x2_0000, &[0; 16]));
    assert_eq!(bus.chip.memory()[0x1_FF00], 0xFF);
    assert_eq!(bus.chip.memory()[0x2_0000], 0);
    // CMP turns it round.
    bus.write(&[i::WRSR2, 0x40]);
    bus.write(&pp(0x1_FF00, &[0; 16]));
    assert_eq!(bus.chip.memory()[0x1_FF00], 0);
    bus.write(&[i::WRSR, 0x00, 0x00]);
    assert_eq!(bus.run(&[i::RDSR2], 1), [0x00]);
    bus.write(&[i::CE]);
    assert_eq!(bus.chip.memory()[0x2_0000], 0xFF);
    assert_eq!(bus.misuses().len(), 3);
}

#[test]
fn a_short_status_write_clears_the_second_register_of_old_winbond_parts_only() {
    let mut old = Bus::new("w25q80bv");
    old.write(&[i::WRSR, 0x04, 0x42]);
    assert_eq!((old.status(), old.run(&[i::RDSR2], 1)), (0x04, vec![0x42]));
    old.write(&[i::WRSR, 0x00]);
    assert_eq!(old.run(&[i::RDSR2], 1), [0x00]);
    // And they have no instruction to write it alone.
    old.write(&[i::WRSR2, 0x02]);
    assert_eq!(old.run(&[i::RDSR2], 1), [0x00]);

    let mut new = Bus::new("w25q64jv");
    new.write(&[i::WRSR, 0x04, 0x42]);
    new.write(&[i::WRSR, 0x00]);
    assert_eq!(new.run(&[i::RDSR2], 1), [0x42]);
}

#[test]
fn reserved_and_read_only_status_bits_cannot_be_written() {
    let mut bus = Bus::new("w25q64jv");
    bus.write(&[i::WRSR, 0xFF, 0xFE]);
    assert_eq!(bus.status(), 0xFC);
    assert_eq!(bus.run(&[i::RDSR2], 1), [0x7A]);
    bus.write(&[i::WRSR3, 0xFF]);
    assert_eq!(bus.run(&[i::RDSR3], 1), [0xE4]);
}

#[test]
fn a_volatile_status_write_is_at_once_and_gone_with_the_power() {
    let mut bus = Bus::new("w25q64jv");
    bus.write(&[i::WRSR, 0x04]);
    bus.send(&[i::EWSR]);
    bus.send(&[i::WRSR, 0x00]);
    assert_eq!(bus.status(), 0x00);
    bus.chip.power_cycle(bus.now);
    assert_eq!(bus.status(), 0x04);
    // It holds for the next instruction only.
    bus.send(&[i::EWSR]);
    bus.send(&[i::RDID]);
    bus.send(&[i::WRSR, 0x00]);
    assert_eq!(bus.status(), 0x04);
}

#[test]
fn a_locked_status_register_is_locked_until_the_power_goes() {
    let mut bus = Bus::new("w25q64jv");
    bus.chip.set_register(1, 0x01);
    bus.chip.power_cycle(bus.now);
    bus.write(&[i::WRSR, 0x04]);
    assert_eq!(bus.status() & 0x04, 0);
    assert_eq!(bus.misuses(), [Misuse::StatusLocked]);
}

#[test]
fn every_sfdp_area_describes_its_part() {
    let mut with_sfdp = 0;
    for part in PARTS {
        let mut bus = Bus::new(part.name);
        let area = bus.run(&[i::RDSFDP, 0, 0, 0, 0], 300);
        let Ok(directory) = Directory::parse(&area) else {
            assert!(part.sfdp.is_none(), "{}", part.name);
            assert_eq!(area, [0xFF; 300]);
            continue;
        };
        with_sfdp += 1;
        let table = directory.find(TableId::BFPT).unwrap().slice(&area);
        let table = Bfpt::parse(table).unwrap();
        assert_eq!(table.size_bytes(), part.size_bytes as u64, "{}", part.name);
        for erase in table.erase_types().into_iter().flatten() {
            let known = part.erases.iter().any(|own| {
                own.opcode == erase.opcode
                    && own.extent == Extent::Uniform(erase.size_bytes as usize)
            });
            assert!(known, "{} {:02X}", part.name, erase.opcode);
        }
        // The area can be read from anywhere in it.
        assert_eq!(bus.run(&[i::RDSFDP, 0, 0, 3, 0], 2), [0x50, area[4]]);
    }
    assert!(with_sfdp >= 8 && with_sfdp < PARTS.len());
}

#[test]
fn four_byte_mode_takes_four_address_bytes() {
    for name in ["w25q256fv", "mx25l25635f", "is25wp256", "n25q256a"] {
        let mut bus = Bus::new(name);
        bus.chip.memory_mut()[0x0123_4567] = 0x42;
        bus.chip.memory_mut()[0x0023_4567] = 0x24;
        assert_eq!(bus.run(&at(i::READ, 0x23_4567), 1), [0x24], "{name}");
        assert_eq!(
            bus.run(&at_4b(i::READ_4B, 0x0123_4567), 1),
            [0x42],
            "{name}"
        );
        let needs_wren = bus.chip.part().features.has(Features::EN4B_WREN);
        bus.send(&[i::EN4B]);
        assert_eq!(bus.chip.is_four_byte(), !needs_wren, "{name}");
        bus.send(&[i::WREN]);
        bus.send(&[i::EN4B]);
        assert!(bus.chip.is_four_byte());
        assert_eq!(bus.run(&at_4b(i::READ, 0x0123_4567), 1), [0x42], "{name}");
        bus.send(&[i::WREN]);
        bus.send(&[i::EX4B]);
        assert_eq!(bus.run(&at(i::READ, 0x23_4567), 1), [0x24], "{name}");
        assert_eq!(bus.misuses(), []);
    }
}

#[test]
fn the_four_byte_mode_shows_where_the_datasheet_says() {
    let shown = |name: &str, read: u8, mask: u8| {
        let mut bus = Bus::new(name);
        let before = bus.run(&[read], 1)[0] & mask;
        bus.chip.set_four_byte(true);
        (before, bus.run(&[read], 1)[0] & mask)
    };
    assert_eq!(
        shown("w25q256fv", i::RDSR3, status::winbond::ADS),
        (0, 0x01)
    );
    assert_eq!(
        shown("mx25l25635f", i::RDSR3, status::macronix::FOUR_BYTE),
        (0, 0x20)
    );
    assert_eq!(
        shown("n25q256a", i::RDFSR, status::micron::FOUR_BYTE),
        (0, 0x01)
    );
    assert_eq!(
        shown("is25wp256", i::BRRD, status::BANK_FOUR_BYTE),
        (0, 0x80)
    );
}

#[test]
fn the_extended_address_register_moves_three_byte_instructions() {
    let mut bus = Bus::new("w25q256fv");
    bus.chip.memory_mut()[0x0123_4567] = 0x42;
    bus.send(&[i::WREAR, 1]);
    assert_eq!(bus.run(&[i::RDEAR], 1), [0], "it needs WREN");
    bus.send(&[i::WREN]);
    bus.send(&[i::WREAR, 1]);
    assert_eq!(bus.run(&[i::RDEAR], 1), [1]);
    assert_eq!(bus.status() & status::WEL, 0);
    assert_eq!(bus.run(&at(i::READ, 0x23_4567), 1), [0x42]);
    bus.write(&pp(0x45_0000, &[7]));
    assert_eq!(bus.chip.memory()[0x0145_0000], 7);

    let mut bus = Bus::new("is25wp256");
    bus.chip.memory_mut()[0x0123_4567] = 0x42;
    bus.send(&[i::BRWR, 1]);
    assert_eq!(bus.run(&at(i::READ, 0x23_4567), 1), [0x42]);
    bus.send(&[i::BRWR, 0x80]);
    assert!(bus.chip.is_four_byte());
}

#[test]
fn native_instructions_program_and_erase_above_16_mib() {
    let mut bus = Bus::new("w25q512jv");
    let program = [at_4b(i::PP_4B, 0x0300_0100), vec![1, 2, 3]].concat();
    bus.write(&program);
    assert_eq!(bus.chip.memory()[0x0300_0100..0x0300_0103], [1, 2, 3]);
    bus.write(&at_4b(i::SE_4B, 0x0300_0FFF));
    assert_eq!(bus.chip.memory()[0x0300_0100], 0xFF);
    // This one can only read so.
    let mut bus = Bus::new("w25q256fv");
    bus.write(&program);
    assert_eq!(bus.chip.activity().programs, 0);
    assert_eq!(bus.chip.activity().ignored_unknown, 1);
}

#[test]
fn micron_tells_the_end_and_the_failure_of_an_operation_by_its_flags() {
    let mut bus = Bus::new("n25q256a");
    assert_eq!(bus.run(&[i::RDFSR], 1), [0x80]);
    bus.send(&[i::WREN]);
    bus.send(&at(i::SE, 0));
    assert_eq!(bus.run(&[i::RDFSR], 1), [0x00]);
    bus.wait(Duration::from_millis(250));
    assert_eq!(bus.run(&[i::RDFSR], 1), [0x80]);
    bus.write(&[i::WRSR, 0x5C]);
    bus.write(&at(i::SE, 0));
    assert_eq!(bus.run(&[i::RDFSR], 1), [0xA2]);
    bus.send(&[i::CLFSR]);
    assert_eq!(bus.run(&[i::RDFSR], 1), [0x80]);
}

#[test]
fn sst_parts_come_up_protected_and_program_bytes_and_words() {
    let mut bus = Bus::new("sst25vf040b");
    assert_eq!(bus.status(), 0x1C);
    bus.write(&pp(0, &[0]));
    assert_eq!(bus.misuses(), [Misuse::Protected { address: 0 }]);
    bus.send(&[i::EWSR]);
    bus.send(&[i::WRSR, 0]);
    assert_eq!(bus.status(), 0);
    bus.write(&pp(0, &[0x11]));
    assert_eq!(bus.chip.memory()[0], 0x11);

    bus.send(&[i::WREN]);
    bus.send(&[i::AAI_WORD, 0, 0, 2, 0xA1, 0xA2]);
    assert_eq!(bus.status(), status::WIP | status::WEL | status::sst::AAI);
    bus.finish();
    bus.send(&[i::AAI_WORD, 0xA3, 0xA4]);
    bus.finish();
    assert_eq!(bus.status(), status::WEL | status::sst::AAI);
    bus.send(&[i::WRDI]);
    assert_eq!(bus.status(), 0);
    assert_eq!(
        bus.chip.memory()[..7],
        [0x11, 0xFF, 0xA1, 0xA2, 0xA3, 0xA4, 0xFF]
    );
    assert_eq!(bus.misuses().len(), 1);

    bus.chip.power_cycle(bus.now);
    assert_eq!(bus.status(), 0x1C);
}

#[test]
fn auto_address_increment_takes_nothing_else_begins_even_and_ends_at_the_end() {
    let mut bus = Bus::new("sst25vf040b");
    unprotect(&mut bus);
    bus.send(&[i::WREN]);
    bus.send(&[i::AAI_WORD, 0, 0, 3, 1, 2]);
    assert_eq!(bus.misuses(), [Misuse::OddAddress { address: 3 }]);
    bus.send(&[i::AAI_WORD, 0, 0, 4, 1, 2]);
    bus.finish();
    assert_eq!(bus.run(&at(i::READ, 4), 2), [0xFF, 0xFF]);
    assert_eq!(bus.misuses()[1], Misuse::InAutoIncrement);
    bus.send(&[i::WRDI]);
    assert_eq!(bus.run(&at(i::READ, 4), 2), [1, 2]);

    bus.send(&[i::WREN]);
    bus.send(&[i::AAI_WORD, 0x07, 0xFF, 0xFE, 3, 4]);
    bus.finish();
    assert_eq!(bus.status(), 0);
    assert_eq!(bus.chip.memory()[0x7_FFFE..], [3, 4]);
}

#[test]
fn the_oldest_sst_part_programs_single_bytes() {
    let mut bus = Bus::new("sst25vf512");
    unprotect(&mut bus);
    bus.write(&pp(0x100, &[1, 2]));
    assert_eq!(bus.misuses(), [Misuse::TooLong { limit: 5, found: 6 }]);
    bus.send(&[i::WREN]);
    bus.send(&[i::AAI_BYTE, 0, 1, 1, 0x55]);
    bus.finish();
    bus.send(&[i::AAI_BYTE, 0x66]);
    bus.finish();
    bus.send(&[i::WRDI]);
    assert_eq!(bus.chip.memory()[0x100..0x104], [0xFF, 0x55, 0x66, 0xFF]);
}

#[test]
fn deep_power_down_hears_only_release() {
    let mut bus = Bus::new("w25q64jv");
    bus.send(&[i::DP]);
    assert_eq!(bus.run(&[i::RDID], 3), [0xFF; 3]);
    assert_eq!(bus.run(&[i::RDSR], 1), [0xFF]);
    assert_eq!(bus.run(&[i::RES, 0, 0, 0], 1), [0x16]);
    assert_eq!(bus.run(&[i::RDID], 3), [0xEF, 0x40, 0x17]);
    bus.send(&[i::DP]);
    bus.send(&[i::RES]);
    assert_eq!(bus.run(&[i::RDID], 3), [0xEF, 0x40, 0x17]);
}

#[test]
fn reset_needs_its_two_instructions_right_after_each_other() {
    let mut bus = Bus::new("w25q256fv");
    bus.chip.set_four_byte(true);
    bus.send(&[i::RST]);
    bus.send(&[i::RSTEN]);
    bus.send(&[i::WREN]);
    bus.send(&[i::RST]);
    assert!(bus.chip.is_four_byte());
    bus.send(&[i::RSTEN]);
    bus.send(&[i::RST]);
    assert!(!bus.chip.is_four_byte());
    assert_eq!(bus.status(), 0);
    assert_eq!(bus.misuses(), []);
}

#[test]
fn a_reset_or_a_power_cut_tears_what_is_under_way() {
    for power in [false, true] {
        let mut bus = Bus::new("w25q64jv");
        bus.chip.memory_mut()[..0x2000].fill(0);
        bus.send(&[i::WREN]);
        bus.send(&at(i::SE, 0));
        bus.wait(Duration::from_millis(10));
        if power {
            bus.chip.power_cycle(bus.now);
        } else {
            bus.send(&[i::RSTEN]);
            bus.send(&[i::RST]);
        }
        assert_eq!(bus.status(), 0);
        let misuse = if power {
            Misuse::PowerLost
        } else {
            Misuse::ResetWhileBusy
        };
        assert_eq!(bus.misuses(), [misuse]);
        let (torn, rest) = bus.chip.memory()[..0x2000].split_at(0x1000);
        assert!(torn.iter().any(|&byte| byte != 0) && torn.iter().any(|&byte| byte != 0xFF));
        assert!(rest.iter().all(|&byte| byte == 0));
    }
}

#[test]
fn incomplete_and_overlong_instructions_do_nothing_and_are_held_against() {
    let mut bus = Bus::new("w25q64jv");
    for sent in [
        vec![i::WREN, 0],
        vec![i::SE, 0, 0],
        vec![i::SE, 0, 0, 0, 0],
        vec![i::CE, 0],
        vec![i::PP, 0, 0, 0],
        vec![i::WRSR],
        vec![i::WRSR, 0, 0, 0],
    ] {
        if sent[0] != i::WREN {
            bus.send(&[i::WREN]);
        }
        bus.send(&sent);
        let misuse = bus.misuses().pop();
        let held = matches!(
            misuse,
            Some(Misuse::CutShort { .. } | Misuse::TooLong { .. })
        );
        assert!(held, "{sent:02X?}: {misuse:?}");
        assert!(!bus.chip.is_busy(bus.now), "{sent:02X?}");
    }
    assert_eq!(bus.misuses().len(), 7);
}

#[test]
fn a_clock_beyond_the_parts_limit_is_held_against() {
    let mut bus = Bus::new("m25p80");
    bus.chip.set_clock(36_000_000);
    bus.run(&[i::RDID], 3);
    assert_eq!(bus.misuses(), []);
    bus.run(&at(i::READ, 0), 1);
    assert_eq!(
        bus.misuses(),
        [Misuse::TooFast {
            spi_hz: 36_000_000,
            limit_hz: 33_000_000
        }]
    );
    bus.run(&[i::FAST_READ, 0, 0, 0, 0], 1);
    assert_eq!(bus.misuses().len(), 1);
}

#[test]
fn reading_past_the_end_wraps_and_is_held_against() {
    let mut bus = Bus::new("w25q80bv");
    bus.chip.memory_mut()[0xF_FFFF] = 1;
    bus.chip.memory_mut()[0] = 2;
    assert_eq!(bus.run(&at(i::READ, 0xF_FFFF), 2), [1, 2]);
    assert_eq!(bus.misuses(), [Misuse::BeyondEnd { address: 0x10_0000 }]);
    assert_eq!(bus.run(&at(i::READ, 0x10_0000), 1), [2]);
    assert_eq!(bus.misuses().len(), 2);
}

#[test]
fn a_chip_pulled_out_leaves_the_line_floating_and_comes_back_powered_up() {
    let mut bus = Bus::new("w25q64jv");
    bus.send(&[i::WREN]);
    bus.chip.set_connected(bus.now, false);
    assert_eq!(bus.run(&[i::RDID], 3), [0xFF; 3]);
    assert_eq!(bus.status(), 0xFF);
    bus.chip.set_connected(bus.now, true);
    assert_eq!(bus.run(&[i::RDID], 3), [0xEF, 0x40, 0x17]);
    assert_eq!(bus.status(), 0);
}

/// The times of `count` page programs.
fn program_times(pace: Pace, seed: u64, count: usize) -> Vec<Duration> {
    let mut bus = Bus::with("w25q64jv", Options { pace, seed });
    let mut times = Vec::new();
    for _ in 0..count {
        bus.send(&[i::WREN]);
        bus.send(&pp(0, &[0xFF]));
        times.push(bus.chip.busy_until().unwrap() - bus.now);
        bus.finish();
    }
    times
}

#[test]
fn the_spread_of_times_is_that_of_chips_and_repeats_with_its_seed() {
    let Busy { typical, maximum } = Busy::us(400, 3000);
    assert_eq!(program_times(Pace::Typical, 1, 3), [typical; 3]);
    assert_eq!(program_times(Pace::Maximum, 1, 3), [maximum; 3]);
    assert_eq!(program_times(Pace::Percent(25), 1, 3), [typical / 4; 3]);
    let times = program_times(Pace::Spread, 7, 4000);
    assert_eq!(times, program_times(Pace::Spread, 7, 4000));
    assert_ne!(times, program_times(Pace::Spread, 8, 4000));
    assert!(
        times
            .iter()
            .all(|&time| time >= typical * 9 / 10 && time <= maximum)
    );
    let slow = times.iter().filter(|&&time| time > typical * 6 / 5).count();
    assert!((5..=40).contains(&slow), "{slow}");
    let sum: Duration = times.iter().sum();
    let mean = sum / 4000;
    assert!(mean > typical && mean < typical * 11 / 10, "{mean:?}");
}

#[test]
fn no_operation_takes_longer_than_the_datasheet_allows() {
    let options = Options {
        pace: Pace::Spread,
        seed: 3,
    };
    let mut bus = Bus::with("sst25vf040b", options);
    unprotect(&mut bus);
    let (typical, maximum) = (Duration::from_millis(18), Duration::from_millis(25));
    let mut slowest = Duration::ZERO;
    for _ in 0..1000 {
        bus.send(&[i::WREN]);
        bus.send(&at(i::SE, 0));
        let took = bus.chip.busy_until().unwrap() - bus.now;
        assert!(took <= maximum && took >= typical * 9 / 10, "{took:?}");
        slowest = slowest.max(took);
        bus.finish();
    }
    assert_eq!(slowest, maximum);
}

#[test]
fn every_part_has_longest_times_that_are_no_shorter_than_the_typical_ones() {
    for part in PARTS {
        let Part { erases, status, .. } = part;
        let times = erases.iter().map(|erase| erase.time).chain([status.time]);
        for time in times {
            assert!(time.typical <= time.maximum, "{}", part.name);
        }
        assert!(part.read_hz <= part.max_hz);
        assert!(part.size_bytes.is_power_of_two());
        assert!(!part.source.is_empty() && !part.title.is_empty());
    }
}

proptest! {
    #[test]
    fn no_transaction_makes_a_chip_panic(
        part in 0..PARTS.len(),
        transactions in proptest::collection::vec(
            (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..12), 0u64..3000),
            0..60,
        ),
    ) {
        // The smaller parts have every behaviour too, and cost less.
        let name = PARTS[part].name;
        prop_assume!(PARTS[part].size_bytes <= 8 << 20);
        let mut bus = Bus::new(name);
        for (instruction, bytes, pause) in transactions {
            bus.wait(Duration::from_micros(pause));
            bus.send(&[&[instruction], bytes.as_slice()].concat());
        }
        bus.finish();
        prop_assert!(bus.chip.activity().transactions > 0);
    }
}
