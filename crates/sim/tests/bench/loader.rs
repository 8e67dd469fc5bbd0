//! The loader answers what AN3155 says it answers, byte for byte.

use std::time::Duration;

use flashwire_link::Link;
use flashwire_protocol::stm32::{Command, FlashCrc, Frame, SpecialErase};
use flashwire_sim::ComplaintKind;
use flashwire_sim::stm32::{ChipState, PARTS, Phase};

use crate::host::{ACK, Host, NACK};

const FLASH: u32 = 0x0800_0000;

#[test]
fn it_synchronises_and_says_who_it_is() {
    let mut host = Host::open("stm32f103cb");
    host.exchange(&[0x7F], &[ACK]);
    // AN3155, section 3.1: the number of bytes that follow less one, version, codes.
    host.exchange(
        &[0x00, 0xFF],
        &[
            ACK, 11, 0x22, 0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x43, 0x63, 0x73, 0x82, 0x92, ACK,
        ],
    );
    host.exchange(&[0x01, 0xFE], &[ACK, 0x22, 0x00, 0x00, ACK]);
    host.exchange(&[0x02, 0xFD], &[ACK, 0x01, 0x04, 0x10, ACK]);
    host.no_complaints();
}

#[test]
fn newer_loaders_list_extended_erase_and_the_newest_get_checksum() {
    let mut host = Host::synchronised("stm32f407vg");
    host.exchange(
        &[0x00, 0xFF],
        &[
            ACK, 11, 0x31, 0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92, ACK,
        ],
    );
    host.exchange(&[0x02, 0xFD], &[ACK, 0x01, 0x04, 0x13, ACK]);
    let mut host = Host::synchronised("stm32g0b1re");
    host.exchange(
        &[0x00, 0xFF],
        &[
            ACK, 12, 0x33, 0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92, 0xA1,
            ACK,
        ],
    );
    host.exchange(&[0x02, 0xFD], &[ACK, 0x01, 0x04, 0x67, ACK]);
}

#[test]
fn what_is_written_is_read_back_until_it_is_erased() {
    let mut host = Host::synchronised("stm32f103cb");
    host.exchange(&[0x31, 0xCE], &[ACK]);
    host.exchange(&[0x08, 0x00, 0x00, 0x00, 0x08], &[ACK]);
    host.exchange(&[0x03, 0xDE, 0xAD, 0xBE, 0xEF, 0x21], &[ACK]);
    host.exchange(&[0x11, 0xEE], &[ACK]);
    host.exchange(&[0x08, 0x00, 0x00, 0x00, 0x08], &[ACK]);
    host.exchange(
        &[0x07, 0xF8],
        &[ACK, 0xDE, 0xAD, 0xBE, 0xEF, 0xFF, 0xFF, 0xFF, 0xFF],
    );
    host.exchange(&[0x43, 0xBC], &[ACK]);
    host.exchange(&[0x00, 0x00, 0x00], &[ACK]);
    assert_eq!(host.read(FLASH, 4), Some(vec![0xFF; 4]));
    host.no_complaints();
}

#[test]
fn every_part_takes_and_gives_a_whole_block() {
    for part in &PARTS {
        let mut host = Host::synchronised(part.name);
        let block: Vec<u8> = (0..=255).collect();
        assert_eq!(host.write(FLASH + 0x100, &block), ACK, "{}", part.name);
        assert_eq!(host.read(FLASH + 0x100, 256), Some(block), "{}", part.name);
        let erased = Some(vec![part.flash.erased; 256]);
        assert_eq!(host.read(FLASH, 256), erased, "{}", part.name);
        assert_eq!(host.erase(&[0]), ACK, "{}", part.name);
        assert_eq!(host.read(FLASH + 0x100, 256), {
            let first = part.flash.units().next().expect("a unit");
            let gone = first.bytes > 0x100;
            Some(if gone {
                vec![part.flash.erased; 256]
            } else {
                (0..=255).collect()
            })
        });
        host.no_complaints();
    }
}

#[test]
fn a_second_sync_byte_is_half_a_command_and_a_third_makes_it_a_wrong_one() {
    let mut host = Host::synchronised("stm32f103cb");
    host.exchange(&[0x7F], &[]);
    host.exchange(&[0x7F], &[NACK]);
    host.exchange(&[0x02, 0xFD], &[ACK, 0x01, 0x04, 0x10, ACK]);
    host.no_complaints();
}

#[test]
fn a_command_that_get_does_not_list_is_refused_with_a_complaint() {
    let mut host = Host::synchronised("stm32f103cb");
    host.exchange(&[0x44, 0xBB], &[NACK]);
    assert_eq!(host.complaints(), [ComplaintKind::Unsupported]);
}

#[test]
fn every_wrong_check_is_refused_and_leaves_the_loader_idle() {
    let address = Frame::word(FLASH);
    let phases: [(&[&[u8]], &[u8]); 6] = [
        (&[], &[0x02, 0xFC]),
        (&[&[0x11, 0xEE]], &[0x08, 0x00, 0x00, 0x00, 0x09]),
        (&[&[0x11, 0xEE], address.as_bytes()], &[0x03, 0xFD]),
        (&[&[0x31, 0xCE], address.as_bytes()], &[0, 1, 0xFF]),
        (&[&[0x43, 0xBC]], &[0x00, 0x05, 0x06]),
        (&[&[0x43, 0xBC]], &[0xFF, 0x01]),
    ];
    for (before, wrong) in phases {
        let mut host = Host::synchronised("stm32f103cb");
        for frame in before {
            host.exchange(frame, &[ACK]);
        }
        host.exchange(wrong, &[NACK]);
        assert_eq!(host.complaints(), [ComplaintKind::Checksum], "{wrong:02X?}");
        host.exchange(&[0x02, 0xFD], &[ACK, 0x01, 0x04, 0x10, ACK]);
        assert!(host.link.bench().flash().iter().all(|byte| *byte == 0xFF));
    }
}

#[test]
fn half_a_frame_is_waited_for_for_ever() {
    let mut host = Host::synchronised("stm32f103cb");
    host.command(Command::WriteMemory);
    host.exchange(&[0x08, 0x00], &[]);
    host.pause(Duration::from_secs(100_000));
    assert!(matches!(
        host.state(),
        ChipState::Loader {
            phase: Phase::Address(Command::WriteMemory),
            taken: 2,
            ..
        }
    ));
    host.exchange(&[0x00, 0x00, 0x08], &[ACK]);
    host.no_complaints();
}

#[test]
fn addresses_where_nothing_is_are_refused() {
    let mut host = Host::synchronised("stm32f103c8");
    // The last word of flash, then the first behind it.
    assert!(host.read(FLASH + 0xFFFC, 4).is_some());
    assert_eq!(host.read(FLASH + 0x1_0000, 4), None);
    assert_eq!(host.read(0x4000_0000, 4), None);
    assert_eq!(host.complaints(), [ComplaintKind::OutOfRange; 2]);
}

#[test]
fn a_block_that_runs_past_the_end_is_only_checked_at_its_start() {
    let mut host = Host::synchronised("stm32f103c8");
    assert_eq!(host.write(FLASH + 0xFFFC, &[1, 2, 3, 4, 5, 6, 7, 8]), ACK);
    let read = host.read(FLASH + 0xFFFC, 8);
    assert_eq!(read, Some(vec![1, 2, 3, 4, 0xFF, 0xFF, 0xFF, 0xFF]));
    assert_eq!(host.complaints(), [ComplaintKind::OutOfRange; 2]);
}

#[test]
fn half_words_that_are_not_erased_stay_and_the_f1_says_so() {
    let mut host = Host::synchronised("stm32f103cb");
    assert_eq!(host.write(FLASH, &[0x12, 0x34, 0xFF, 0xFF]), ACK);
    // The second half-word is blank, the first is not.
    assert_eq!(host.write(FLASH, &[0x10, 0x30, 0x56, 0x78]), NACK);
    assert_eq!(host.read(FLASH, 4), Some(vec![0x12, 0x34, 0x56, 0x78]));
    assert_eq!(host.complaints(), [ComplaintKind::NotErased]);
    // Zero may be programmed over anything (PM0075, section 2.3.3).
    assert_eq!(host.write(FLASH, &[0, 0, 0x56, 0x78]), NACK);
    assert_eq!(host.read(FLASH, 4), Some(vec![0, 0, 0x56, 0x78]));
}

#[test]
fn the_f4_clears_bits_over_whatever_was_there() {
    let mut host = Host::synchronised("stm32f407vg");
    assert_eq!(host.write(FLASH, &[0xF0, 0xFF, 0x0F, 0xFF]), ACK);
    assert_eq!(host.write(FLASH, &[0x3C, 0xFF, 0x3C, 0xFF]), ACK);
    assert_eq!(host.read(FLASH, 4), Some(vec![0x30, 0xFF, 0x0C, 0xFF]));
    assert_eq!(host.complaints(), [ComplaintKind::NotErased]);
}

#[test]
fn the_newer_loaders_acknowledge_what_they_did_not_program() {
    let mut host = Host::synchronised("stm32g071rb");
    assert_eq!(host.write(FLASH, &[1; 8]), ACK);
    assert_eq!(host.write(FLASH, &[2; 16]), ACK);
    assert_eq!(host.read(FLASH, 16), Some([[1; 8], [2; 8]].concat()));
    assert_eq!(host.complaints(), [ComplaintKind::NotErased]);
}

#[test]
fn what_does_not_fill_a_program_unit_is_acknowledged_and_lost() {
    for (part, unit) in [
        ("stm32g071rb", 8),
        ("stm32g0b1re", 8),
        ("stm32l476rg", 8),
        ("stm32u575zi", 16),
        ("stm32h743zi", 32),
    ] {
        let mut host = Host::synchronised(part);
        // A start between two units: all of it.
        assert_eq!(host.write(FLASH + 4, &[0xA5; 64]), ACK);
        assert_eq!(host.read(FLASH, 128), Some(vec![0xFF; 128]), "{part}");
        // An end between two units: the rest.
        assert_eq!(host.write(FLASH, &vec![0xA5; unit + 4]), ACK);
        let mut expected = vec![0xFF; 2 * unit];
        expected[..unit].fill(0xA5);
        assert_eq!(host.read(FLASH, 2 * unit), Some(expected), "{part}");
        assert_eq!(host.complaints(), [ComplaintKind::Misaligned; 2], "{part}");
    }
}

#[test]
fn erase_takes_the_pages_it_is_given_and_no_others() {
    let mut host = Host::synchronised("stm32f407vg");
    // One byte in each of the first six sectors: 16, 16, 16, 16, 64, 128 KiB (RM0090, table 5).
    let starts = [0, 0x4000, 0x8000, 0xC000, 0x1_0000, 0x2_0000];
    for offset in starts {
        assert_eq!(host.write(FLASH + offset, &[0; 4]), ACK);
    }
    assert_eq!(host.erase(&[1, 4]), ACK);
    let left = starts.map(|offset| host.link.bench().flash()[offset as usize]);
    assert_eq!(left, [0, 0xFF, 0, 0, 0xFF, 0]);
    host.no_complaints();
}

#[test]
fn a_page_that_is_not_there_is_acknowledged_with_a_complaint() {
    let mut host = Host::synchronised("stm32f407vg");
    assert_eq!(host.erase(&[12]), ACK);
    assert_eq!(host.complaints(), [ComplaintKind::OutOfRange]);
}

#[test]
fn global_erase_takes_everything() {
    let mut host = Host::synchronised("stm32f103cb");
    for offset in [0, 0x1_FFFC] {
        assert_eq!(host.write(FLASH + offset, &[0; 4]), ACK);
    }
    host.exchange(&[0x43, 0xBC], &[ACK]);
    host.exchange(&[0xFF, 0x00], &[ACK]);
    assert!(host.link.bench().flash().iter().all(|byte| *byte == 0xFF));
    host.no_complaints();
}

#[test]
fn bank_erase_takes_one_bank_where_there_are_two() {
    let mut host = Host::synchronised("stm32g0b1re");
    for offset in [0, 0x4_0000] {
        assert_eq!(host.write(FLASH + offset, &[0; 8]), ACK);
    }
    host.command(Command::ExtendedErase);
    host.exchange(&[0xFF, 0xFD, 0x02], &[ACK]);
    let flash = host.link.bench().flash();
    assert_eq!((flash[0], flash[0x4_0000]), (0, 0xFF));
    host.command(Command::ExtendedErase);
    host.exchange(&[0xFF, 0xFE, 0x01], &[ACK]);
    assert_eq!(host.link.bench().flash()[0], 0xFF);
    host.no_complaints();
    let mut single = Host::synchronised("stm32g071rb");
    single.command(Command::ExtendedErase);
    single.exchange(&[0xFF, 0xFE, 0x01], &[NACK]);
}

#[test]
fn an_l1_refuses_a_mass_erase_and_erases_to_zero() {
    let mut host = Host::synchronised("stm32l152rb");
    assert_eq!(host.write(FLASH, &[0xFF; 4]), ACK);
    host.command(Command::ExtendedErase);
    let mass = Frame::special_erase(SpecialErase::Mass);
    assert_eq!(host.frame(mass.as_bytes()), NACK);
    assert_eq!(host.read(FLASH, 4), Some(vec![0xFF; 4]));
    assert_eq!(host.erase(&[0]), ACK);
    assert_eq!(host.read(FLASH, 4), Some(vec![0x00; 4]));
    host.no_complaints();
}

#[test]
fn reserved_erase_codes_are_refused() {
    let mut host = Host::synchronised("stm32f407vg");
    host.command(Command::ExtendedErase);
    host.exchange(&[0xFF, 0xF0, 0x0F], &[NACK]);
    assert_eq!(host.complaints(), [ComplaintKind::Unsupported]);
}

#[test]
fn an_erase_list_longer_than_the_loaders_memory_is_acknowledged_and_forgotten() {
    let mut host = Host::synchronised("stm32l152rb");
    let last = FLASH + 511 * 256;
    assert_eq!(host.write(last, &[0xFF; 4]), ACK);
    // 600 pages, the last of them page 511.
    let mut list: Vec<u8> = vec![0x02, 0x57];
    list.extend([0x00; 2 * 599]);
    list.extend([0x01, 0xFF]);
    list.push(list.iter().fold(0, |sum, byte| sum ^ byte));
    host.command(Command::ExtendedErase);
    host.exchange(&list, &[ACK]);
    assert_eq!(host.read(last, 4), Some(vec![0xFF; 4]));
    assert_eq!(host.complaints(), [ComplaintKind::Limit]);
}

#[test]
fn get_checksum_sums_little_endian_words() {
    let mut host = Host::synchronised("stm32g0b1re");
    let data: Vec<u8> = (0..64).collect();
    assert_eq!(host.write(FLASH, &data), ACK);
    let mut crc = FlashCrc::default();
    crc.update_bytes(&data, 0xFF);
    host.command(Command::GetChecksum);
    assert_eq!(host.frame(Frame::word(FLASH).as_bytes()), ACK);
    assert_eq!(host.frame(Frame::word(64).as_bytes()), ACK);
    assert_eq!(
        host.frame(Frame::word(FlashCrc::POLYNOMIAL).as_bytes()),
        ACK
    );
    let sum = crc.value().to_be_bytes();
    let check = sum.iter().fold(0, |sum, byte| sum ^ byte);
    let mut answer = vec![ACK, ACK];
    answer.extend(sum);
    answer.push(check);
    host.exchange(Frame::word(FlashCrc::INITIAL).as_bytes(), &answer);
    host.no_complaints();
}

#[test]
fn get_checksum_refuses_what_is_not_flash_or_not_whole_words() {
    let mut host = Host::synchronised("stm32g0b1re");
    for address in [0x2000_4000, FLASH + 2] {
        host.command(Command::GetChecksum);
        assert_eq!(host.frame(Frame::word(address).as_bytes()), NACK);
    }
    for bytes in [0, 6, 0x8_0004, u32::MAX - 3] {
        host.command(Command::GetChecksum);
        assert_eq!(host.frame(Frame::word(FLASH).as_bytes()), ACK);
        assert_eq!(host.frame(Frame::word(bytes).as_bytes()), NACK);
    }
}

#[test]
fn size_and_unique_id_stand_where_the_reference_manuals_say() {
    let mut host = Host::synchronised("stm32f103cb");
    assert_eq!(host.read(0x1FFF_F7E0, 2), Some(vec![128, 0]));
    let uid = host.chip().memory().uid();
    assert_eq!(host.read(0x1FFF_F7E8, 12), Some(uid.to_vec()));
    // L1: the third word stands apart (RM0038, section 30.2).
    let mut host = Host::synchronised("stm32l152rb");
    let uid = host.chip().memory().uid();
    let area = host.read(0x1FF8_0050, 24).expect("readable");
    assert_eq!(area[..8], uid[..8]);
    assert_eq!(area[0x14..], uid[8..]);
    assert_eq!(host.read(0x1FF8_004C, 2), Some(vec![128, 0]));
}

#[test]
fn the_f4_reads_system_memory_in_blocks_only() {
    let mut host = Host::synchronised("stm32f407vg");
    assert_eq!(host.read(0x1FFF_7A22, 2), None);
    let block = host.read(0x1FFF_7A00, 256).expect("a block");
    assert_eq!(block[0x22..0x24], [0x00, 0x04]);
    host.no_complaints();
}

#[test]
fn a_write_to_the_loaders_ram_crashes_it() {
    let mut host = Host::synchronised("stm32f103cb");
    assert_eq!(host.write(0x2000_0200, &[1, 2, 3, 4]), ACK);
    assert_eq!(host.read(0x2000_0200, 4), Some(vec![1, 2, 3, 4]));
    host.command(Command::WriteMemory);
    assert_eq!(host.frame(Frame::word(0x2000_01FC).as_bytes()), ACK);
    host.exchange(Frame::data(&[0; 4]).expect("a block").as_bytes(), &[]);
    assert_eq!(host.state(), ChipState::Crashed);
    assert_eq!(host.complaints(), [ComplaintKind::Reserved]);
    host.exchange(&[0x02, 0xFD], &[]);
}

#[test]
fn go_starts_a_program_and_the_loader_is_gone() {
    let mut host = Host::synchronised("stm32f103cb");
    // Initial stack pointer and reset vector.
    let vectors = [0x00, 0x50, 0x00, 0x20, 0x41, 0x01, 0x00, 0x08];
    assert_eq!(host.write(FLASH, &vectors), ACK);
    host.command(Command::Go);
    assert_eq!(host.frame(Frame::word(FLASH).as_bytes()), ACK);
    let ChipState::Application(application) = host.state() else {
        panic!("{:?}", host.state());
    };
    assert_eq!(application.vector_table, FLASH);
    assert_eq!(application.entry, FLASH + 0x140);
    host.exchange(&[0x02, 0xFD], &[]);
    host.no_complaints();
}

#[test]
fn go_where_no_program_is_crashes_the_chip() {
    let mut host = Host::synchronised("stm32f103cb");
    host.command(Command::Go);
    assert_eq!(host.frame(Frame::word(FLASH).as_bytes()), ACK);
    assert_eq!(host.state(), ChipState::Crashed);
    assert_eq!(host.complaints(), [ComplaintKind::Crashed]);
    // Neither flash nor RAM: refused.
    let mut host = Host::synchronised("stm32f103cb");
    host.command(Command::Go);
    assert_eq!(host.frame(Frame::word(0x1FFF_F000).as_bytes()), NACK);
}

#[test]
fn one_speed_is_measured_and_kept_until_the_next_reset() {
    let mut host = Host::open("stm32f103cb");
    host.link
        .configure(flashwire_link::Settings::even(57_600))
        .expect("configured");
    host.exchange(&[0x7F], &[ACK]);
    assert!(matches!(
        host.state(),
        ChipState::Loader { baud: 57_600, .. }
    ));
    host.link
        .configure(flashwire_link::Settings::even(115_200))
        .expect("configured");
    host.link.send(&[0x02, 0xFD]).expect("sent");
    let answer = host.answer(1);
    assert_ne!(answer.first(), Some(&ACK));
}

#[test]
fn a_speed_beyond_the_loader_leaves_it_deaf() {
    let mut host = Host::open("stm32f103cb");
    for (baud, answer) in [(921_600, &[][..]), (115_200, &[][..])] {
        host.link
            .configure(flashwire_link::Settings::even(baud))
            .expect("configured");
        host.exchange(&[0x7F], answer);
    }
    let mut host = Host::open("stm32f103cb,max-baud=921600");
    host.link
        .configure(flashwire_link::Settings::even(921_600))
        .expect("configured");
    host.exchange(&[0x7F], &[ACK]);
}
