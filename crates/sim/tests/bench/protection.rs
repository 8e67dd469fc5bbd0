//! Read protection, write protection, option bytes, and the resets they end with.

use std::time::Duration;

use flashwire_protocol::stm32::{Command, Frame, SpecialErase};
use flashwire_sim::ComplaintKind;
use flashwire_sim::stm32::{ChipState, PARTS, ReadProtection};

use crate::host::{ACK, Host, NACK};

const FLASH: u32 = 0x0800_0000;

fn level(host: &Host) -> ReadProtection {
    let chip = host.chip();
    chip.memory().options.read_protection(&chip.part().options)
}

fn is_write_protected(host: &Host, unit: u32) -> bool {
    let part = host.chip().part();
    let options = &host.chip().memory().options;
    options.is_write_protected(&part.options, &part.flash, unit)
}

#[test]
fn a_read_protected_part_says_who_it_is_and_nothing_else() {
    for part in &PARTS {
        let mut host = Host::synchronised(part.name);
        host.exchange(&Command::ReadoutProtect.opcode(), &[ACK, ACK]);
        assert_eq!(level(&host), ReadProtection::Level1, "{}", part.name);
        assert_eq!(host.state(), ChipState::LoaderUnsynchronised);
        host.synchronise();
        let id = part.product_id.to_be_bytes();
        host.exchange(&[0x02, 0xFD], &[ACK, 1, id[0], id[1], ACK]);
        for command in part.loader.commands {
            if !command.works_under_read_protection() {
                host.exchange(&command.opcode(), &[NACK]);
            }
        }
        host.no_complaints();
    }
}

#[test]
fn readout_unprotect_erases_everything_then_resets() {
    for part in &PARTS {
        let mut host = Host::synchronised(part.name);
        assert_eq!(host.write(FLASH, &[0x5A; 32]), ACK);
        host.exchange(&Command::ReadoutProtect.opcode(), &[ACK, ACK]);
        host.synchronise();
        host.exchange(&Command::ReadoutUnprotect.opcode(), &[ACK, ACK]);
        // Where the second ACK comes early the erase goes on behind it.
        host.pause(Duration::from_secs(60));
        assert_eq!(level(&host), ReadProtection::Level0, "{}", part.name);
        let erased = part.flash.erased;
        assert!(host.link.bench().flash().iter().all(|byte| *byte == erased));
        host.synchronise();
        assert_eq!(host.write(FLASH, &[0x5A; 32]), ACK);
        host.no_complaints();
    }
}

#[test]
fn the_second_acknowledge_of_unprotect_comes_before_or_after_the_erase() {
    let second_after = |part: &str| {
        let mut host = Host::synchronised(part);
        host.exchange(&Command::ReadoutProtect.opcode(), &[ACK, ACK]);
        host.synchronise();
        let before = host.now();
        host.exchange(&Command::ReadoutUnprotect.opcode(), &[ACK, ACK]);
        host.now() - before
    };
    // Mass erase and option bytes, 30 ms each, and the silence that ends an answer.
    assert!(second_after("stm32f103cb") > Duration::from_millis(160));
    assert!(second_after("stm32u575zi") < Duration::from_millis(110));
}

#[test]
fn a_part_of_level_two_never_enters_its_loader() {
    let mut host = Host::synchronised("stm32f072rb");
    let options = [0xCC, 0x33, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00];
    assert_eq!(host.write(0x1FFF_F800, &options), ACK);
    assert_eq!(level(&host), ReadProtection::Level2);
    host.pause(Duration::from_millis(100));
    host.exchange(&[0x7F], &[]);
}

#[test]
fn protected_sectors_are_neither_written_nor_erased_and_nobody_says_so() {
    for part in &PARTS {
        let mut host = Host::synchronised(part.name);
        let flash = &part.flash;
        let last = flash.units().last().expect("a unit");
        assert_eq!(host.write(FLASH, &[0x5A; 32]), ACK);
        // The first group of sectors, or pages 0 and 1 of the first bank.
        host.command(Command::WriteProtect);
        let codes: &[u8] = match part.name {
            "stm32g071rb" | "stm32g0b1re" | "stm32l476rg" | "stm32u575zi" => &[0, 1],
            _ => &[0],
        };
        let list = Frame::sectors(codes).expect("a list");
        assert_eq!(host.frame(list.as_bytes()), ACK, "{}", part.name);
        assert_eq!(host.state(), ChipState::LoaderUnsynchronised);
        host.synchronise();
        assert!(is_write_protected(&host, 0), "{}", part.name);
        assert_eq!(host.write(FLASH + 0x40, &[0x5A; 32]), ACK);
        assert_eq!(host.write(FLASH + last.offset, &[0x5A; 32]), ACK);
        assert_eq!(host.erase(&[0]), ACK);
        let blank = vec![part.flash.erased; 32];
        assert_eq!(host.read(FLASH, 32), Some(vec![0x5A; 32]), "{}", part.name);
        assert_eq!(host.read(FLASH + 0x40, 32), Some(blank), "{}", part.name);
        let end = host.read(FLASH + last.offset, 32);
        assert_eq!(end, Some(vec![0x5A; 32]), "{}", part.name);
        assert_eq!(host.complaints(), [ComplaintKind::Protected; 2]);
        host.exchange(&Command::WriteUnprotect.opcode(), &[ACK, ACK]);
        host.synchronise();
        assert_eq!(host.erase(&[0]), ACK);
        assert!(!is_write_protected(&host, 0), "{}", part.name);
        assert_eq!(host.read(FLASH, 32), Some(vec![part.flash.erased; 32]));
    }
}

#[test]
fn a_second_write_protect_replaces_the_first() {
    let mut host = Host::synchronised("stm32f103cb");
    for codes in [[0, 1], [1, 31]] {
        host.command(Command::WriteProtect);
        let list = Frame::sectors(&codes).expect("a list");
        assert_eq!(host.frame(list.as_bytes()), ACK);
        host.synchronise();
    }
    // Four pages to a bit (PM0075, section 2.5).
    let protected: Vec<u32> = (0..128)
        .filter(|unit| is_write_protected(&host, *unit))
        .collect();
    assert_eq!(protected, [4, 5, 6, 7, 124, 125, 126, 127]);
    host.no_complaints();
}

#[test]
fn the_last_bit_of_a_large_f1_protects_all_the_rest() {
    let mut host = Host::synchronised("stm32f103ve");
    host.command(Command::WriteProtect);
    let list = Frame::sectors(&[31]).expect("a list");
    assert_eq!(host.frame(list.as_bytes()), ACK);
    let protected: Vec<u32> = (0..256)
        .filter(|unit| is_write_protected(&host, *unit))
        .collect();
    assert_eq!(protected, (62..256).collect::<Vec<_>>());
}

#[test]
fn sectors_that_are_not_there_are_not_checked() {
    let mut host = Host::synchronised("stm32f407vg");
    host.command(Command::WriteProtect);
    let list = Frame::sectors(&[12, 200]).expect("a list");
    assert_eq!(host.frame(list.as_bytes()), ACK);
    assert!((0..12).all(|unit| !is_write_protected(&host, unit)));
    assert_eq!(host.complaints(), [ComplaintKind::OutOfRange]);
}

#[test]
fn a_mass_erase_leaves_protected_sectors() {
    let mut host = Host::synchronised("stm32f407vg");
    assert_eq!(host.write(FLASH, &[0; 4]), ACK);
    assert_eq!(host.write(FLASH + 0x4000, &[0; 4]), ACK);
    host.command(Command::WriteProtect);
    assert_eq!(
        host.frame(Frame::sectors(&[0]).expect("a list").as_bytes()),
        ACK
    );
    host.synchronise();
    host.command(Command::ExtendedErase);
    let mass = Frame::special_erase(SpecialErase::Mass);
    assert_eq!(host.frame(mass.as_bytes()), ACK);
    let flash = host.link.bench().flash();
    assert_eq!((flash[0], flash[0x4000]), (0, 0xFF));
}

#[test]
fn option_bytes_show_their_complements_and_are_written_from_the_start_only() {
    let mut host = Host::synchronised("stm32f103cb");
    let delivered = [
        0xA5, 0x5A, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00, 0xFF,
        0x00,
    ];
    assert_eq!(host.read(0x1FFF_F800, 16), Some(delivered.to_vec()));
    host.command(Command::WriteMemory);
    assert_eq!(host.frame(Frame::word(0x1FFF_F804).as_bytes()), NACK);
    // USER and Data0; what is not written stays erased.
    let written = [0xA5, 0x5A, 0xFE, 0x01, 0x42, 0xBD, 0xFF, 0x00];
    assert_eq!(host.write(0x1FFF_F800, &written), ACK);
    assert_eq!(host.state(), ChipState::LoaderUnsynchronised);
    host.synchronise();
    let mut expected = delivered;
    expected[..8].copy_from_slice(&written);
    assert_eq!(host.read(0x1FFF_F800, 16), Some(expected.to_vec()));
    assert_eq!(host.complaints(), [ComplaintKind::OutOfRange]);
}

#[test]
fn taking_the_read_protection_off_an_f1_takes_its_write_protection_too() {
    let mut host = Host::synchronised("stm32f103cb");
    host.command(Command::WriteProtect);
    assert_eq!(
        host.frame(Frame::sectors(&[0]).expect("a list").as_bytes()),
        ACK
    );
    host.synchronise();
    host.exchange(&Command::ReadoutUnprotect.opcode(), &[ACK, ACK]);
    assert!(!is_write_protected(&host, 0));
}
