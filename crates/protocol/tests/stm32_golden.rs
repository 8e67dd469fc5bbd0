//! Golden bytes of ST's ROM loader protocol: written by hand from AN3155 and checked against the
//! transcripts that public issue trackers hold. Do not change the expected bytes to make a test
//! pass: loaders in ROM do not change either.

use flashwire_protocol::stm32::*;

#[test]
fn every_opcode_is_its_code_and_complement() {
    let golden = [
        (Command::Get, [0x00, 0xFF]),
        (Command::GetVersion, [0x01, 0xFE]),
        (Command::GetId, [0x02, 0xFD]),
        (Command::ReadMemory, [0x11, 0xEE]),
        (Command::Go, [0x21, 0xDE]),
        (Command::WriteMemory, [0x31, 0xCE]),
        (Command::Erase, [0x43, 0xBC]),
        (Command::ExtendedErase, [0x44, 0xBB]),
        (Command::Special, [0x50, 0xAF]),
        (Command::ExtendedSpecial, [0x51, 0xAE]),
        (Command::WriteProtect, [0x63, 0x9C]),
        (Command::WriteUnprotect, [0x73, 0x8C]),
        (Command::ReadoutProtect, [0x82, 0x7D]),
        (Command::ReadoutUnprotect, [0x92, 0x6D]),
        (Command::GetChecksum, [0xA1, 0x5E]),
        (Command::NoStretchWriteMemory, [0x32, 0xCD]),
        (Command::NoStretchErase, [0x45, 0xBA]),
        (Command::NoStretchWriteProtect, [0x64, 0x9B]),
        (Command::NoStretchWriteUnprotect, [0x74, 0x8B]),
        (Command::NoStretchReadoutProtect, [0x83, 0x7C]),
        (Command::NoStretchReadoutUnprotect, [0x93, 0x6C]),
    ];
    assert_eq!(golden.len(), Command::ALL.len());
    for (command, bytes) in golden {
        assert_eq!(command.opcode(), bytes, "{command}");
        assert_eq!(Command::try_from(bytes[0]), Ok(command));
    }
    assert_eq!(Command::try_from(0x03), Err(UnknownCommand(0x03)));
}

#[test]
fn an_address_is_big_endian_and_closed_by_its_xor() {
    assert_eq!(
        Frame::word(0x0800_0000).as_bytes(),
        [0x08, 0x00, 0x00, 0x00, 0x08]
    );
    assert_eq!(
        Frame::word(0x0800_0100).as_bytes(),
        [0x08, 0x00, 0x01, 0x00, 0x09]
    );
    assert_eq!(
        decode_word(&[0x1F, 0xFF, 0xF7, 0xE0, 0xF7]),
        Ok(0x1FFF_F7E0)
    );
    assert_eq!(
        decode_word(&[0x08, 0x00, 0x01, 0x00, 0x08]),
        Err(DecodeError::Checksum)
    );
    assert_eq!(decode_word(&[0x08, 0x08]), Err(DecodeError::Length));
    assert_eq!(decode_word(&[]), Err(DecodeError::Length));
}

#[test]
fn a_read_count_is_one_less_and_its_complement() {
    assert_eq!(Frame::byte_count(256).unwrap().as_bytes(), [0xFF, 0x00]);
    assert_eq!(Frame::byte_count(1).unwrap().as_bytes(), [0x00, 0xFF]);
    assert_eq!(Frame::byte_count(0), None);
    assert_eq!(Frame::byte_count(257), None);
    assert_eq!(decode_byte_count([0x7F, 0x80]), Ok(128));
    assert_eq!(decode_byte_count([0x7F, 0x7F]), Err(DecodeError::Checksum));
}

#[test]
fn write_data_carries_its_count_and_the_xor_of_both() {
    let frame = Frame::data(&[0xDE, 0xAD, 0xBE, 0xEF]).unwrap();
    assert_eq!(frame.as_bytes(), [0x03, 0xDE, 0xAD, 0xBE, 0xEF, 0x21]);
    assert_eq!(
        decode_write(frame.as_bytes()),
        Ok(&[0xDE, 0xAD, 0xBE, 0xEF][..])
    );
    assert_eq!(
        decode_write(&[0x03, 0xDE, 0xAD, 0xBE, 0xEF, 0x22]),
        Err(DecodeError::Checksum)
    );
    assert_eq!(
        decode_write(&[0x04, 0xDE, 0xAD, 0xBE, 0xEF, 0x26]),
        Err(DecodeError::Length)
    );
    assert_eq!(Frame::data(&[]), None);
    assert_eq!(Frame::data(&[0; 257]), None);
    assert_eq!(Frame::data(&[0xFF; 256]).unwrap().as_bytes().len(), 258);
}

#[test]
fn erase_names_pages_by_one_byte_each() {
    let frame = Frame::erase(&[0, 1, 2, 3]).unwrap();
    assert_eq!(frame.as_bytes(), [0x03, 0x00, 0x01, 0x02, 0x03, 0x03]);
    assert_eq!(
        decode_erase(frame.as_bytes()),
        Ok(EraseRequest::Pages(&[0, 1, 2, 3]))
    );
    assert_eq!(Frame::global_erase().as_bytes(), [0xFF, 0x00]);
    assert_eq!(
        decode_erase(&[0xFF, 0x00]),
        Ok(EraseRequest::Special(SpecialErase::Mass))
    );
    assert_eq!(decode_erase(&[0xFF, 0xFF]), Err(DecodeError::Checksum));
    assert_eq!(
        Frame::erase(&[0; 256]),
        None,
        "count 0xFF is the global erase"
    );
}

#[test]
fn extended_erase_names_pages_by_two_bytes_each() {
    let frame = Frame::extended_erase(&[2, 3]).unwrap();
    assert_eq!(frame.as_bytes(), [0x00, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00]);
    assert_eq!(
        decode_extended_erase(frame.as_bytes()),
        Ok(EraseRequest::Pages(&[0, 2, 0, 3]))
    );
    let one = Frame::extended_erase(&[0x0102]).unwrap();
    assert_eq!(one.as_bytes(), [0x00, 0x00, 0x01, 0x02, 0x03]);
    assert_eq!(Frame::extended_erase(&[]), None);
    assert_eq!(Frame::extended_erase(&[0; Frame::MAX_ERASE_LIST + 1]), None);
    assert!(Frame::extended_erase(&[0xFFFF; Frame::MAX_ERASE_LIST]).is_some());
}

#[test]
fn special_erases_are_a_code_and_its_xor() {
    let golden = [
        (SpecialErase::Mass, [0xFF, 0xFF, 0x00]),
        (SpecialErase::Bank1, [0xFF, 0xFE, 0x01]),
        (SpecialErase::Bank2, [0xFF, 0xFD, 0x02]),
    ];
    for (erase, bytes) in golden {
        assert_eq!(Frame::special_erase(erase).as_bytes(), bytes);
        assert_eq!(
            decode_extended_erase(&bytes),
            Ok(EraseRequest::Special(erase))
        );
    }
    assert_eq!(
        decode_extended_erase(&[0xFF, 0xF0, 0x0F]),
        Err(DecodeError::Reserved(0xFFF0))
    );
    assert_eq!(
        decode_extended_erase(&[0xFF, 0xFC, 0x03]),
        Err(DecodeError::Reserved(0xFFFC))
    );
}

#[test]
fn write_protect_names_sectors_like_a_data_block() {
    let frame = Frame::sectors(&[0x00, 0x05]).unwrap();
    assert_eq!(frame.as_bytes(), [0x01, 0x00, 0x05, 0x04]);
    assert_eq!(decode_write(frame.as_bytes()), Ok(&[0x00, 0x05][..]));
}

#[test]
fn the_answer_of_an_f1_loader_to_get_is_read_whole() {
    let answer = [
        0x0B, 0x22, 0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x43, 0x63, 0x73, 0x82, 0x92,
    ];
    assert_eq!(GetAnswer::body_bytes(answer[0]), answer.len() - 1);
    let get = GetAnswer::decode(&answer[1..]).unwrap();
    assert_eq!(get.version, 0x22);
    assert!(get.commands.contains(Command::Erase));
    assert!(!get.commands.contains(Command::ExtendedErase));
    assert!(!get.commands.contains(Command::GetChecksum));
    assert!(get.commands.codes().eq(answer[2..].iter().copied()));
    assert_eq!(GetAnswer::decode(&[]), Err(DecodeError::Length));
}

#[test]
fn ids_of_two_and_of_four_bytes_give_the_product() {
    assert_eq!(
        GetIdAnswer::decode(&[0x04, 0x10]).unwrap().product_id(),
        0x410
    );
    assert_eq!(
        GetIdAnswer::decode(&[0x00, 0x00, 0x03, 0x1F])
            .unwrap()
            .product_id(),
        0x03
    );
    assert_eq!(GetIdAnswer::decode(&[]), Err(DecodeError::Length));
    assert_eq!(GetIdAnswer::decode(&[0; 9]), Err(DecodeError::Length));
}

#[test]
fn get_version_has_two_option_bytes() {
    let answer = GetVersionAnswer::decode([0x31, 0x00, 0x00]);
    assert_eq!(
        answer,
        GetVersionAnswer {
            version: 0x31,
            options: [0, 0]
        }
    );
    assert_eq!(answer.encode(), [0x31, 0x00, 0x00]);
}

#[test]
fn the_flash_crc_is_crc32_mpeg2_over_swapped_words() {
    // CRC-32/MPEG-2 of "123456789" is 0x0376E6E7 (the catalogue's check value). Whole words of it,
    // each turned round, must give the CRC of "12345678".
    let mut mpeg2 = FlashCrc::default();
    mpeg2.update_bytes(b"43218765", 0xFF);
    let mut by_bytes = 0xFFFF_FFFF_u32;
    for byte in *b"12345678" {
        by_bytes ^= u32::from(byte) << 24;
        for _ in 0..8 {
            by_bytes = (by_bytes << 1) ^ if by_bytes >> 31 == 1 { 0x04C1_1DB7 } else { 0 };
        }
    }
    assert_eq!(mpeg2.value(), by_bytes);
    by_bytes ^= u32::from(b'9') << 24;
    for _ in 0..8 {
        by_bytes = (by_bytes << 1) ^ if by_bytes >> 31 == 1 { 0x04C1_1DB7 } else { 0 };
    }
    assert_eq!(
        by_bytes, 0x0376_E6E7,
        "the reference itself is CRC-32/MPEG-2"
    );
}

#[test]
fn the_crc_unit_of_a_fresh_chip_gives_the_known_value_of_one_zero_word() {
    // CRC-32/MPEG-2 of four zero bytes, as the CRC unit gives it: 0xC704DD7B.
    let mut crc = FlashCrc::default();
    crc.update(0);
    assert_eq!(crc.value(), 0xC704_DD7B);
}

#[test]
fn only_questions_and_unprotecting_work_under_read_protection() {
    let allowed: [Command; 5] = [
        Command::Get,
        Command::GetVersion,
        Command::GetId,
        Command::ReadoutUnprotect,
        Command::NoStretchReadoutUnprotect,
    ];
    for command in Command::ALL {
        assert_eq!(
            command.works_under_read_protection(),
            allowed.contains(&command),
            "{command}"
        );
    }
}

// I2C: AN4221.

/// The answer of an STM32H7 loader with I2C protocol 1.2, as a public transcript has it; the same as
/// the list of AN4221, section 2.1.
const H7_GET: [u8; 20] = [
    0x12, 0x12, 0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92, 0x32, 0x45, 0x64,
    0x74, 0x83, 0x93, 0xA1,
];

#[test]
fn the_answer_of_an_h7_loader_on_i2c_is_read_whole() {
    let get = GetAnswer::decode(&H7_GET[1..]).unwrap();
    assert_eq!(get.version, 0x12);
    assert_eq!(GetAnswer::i2c_count(get.version), Some(H7_GET[0]));
    assert_eq!(GetAnswer::body_bytes(H7_GET[0]), H7_GET.len() - 1);
    let mut listed = H7_GET[2..].to_vec();
    listed.sort_unstable();
    assert!(get.commands.codes().eq(listed));
    for command in Command::ALL {
        if let Some(twin) = command.no_stretch() {
            assert!(get.commands.contains(command), "{command}");
            assert!(get.commands.contains(twin), "{twin}");
            assert!(twin.answers_busy() && !command.answers_busy());
        }
    }
}

#[test]
fn the_lists_of_the_i2c_versions_are_as_long_as_the_document_says() {
    for (version, count) in [
        (0x10, Some(11)),
        (0x11, Some(17)),
        (0x12, Some(18)),
        (0x20, None),
    ] {
        assert_eq!(GetAnswer::i2c_count(version), count, "0x{version:02X}");
    }
}

/// The examples of AN4221, sections 2.7 and 2.13.
#[test]
fn an_erase_on_i2c_is_two_messages() {
    let golden: [(&[u16], &[u8], &[u8]); 2] = [
        (&[1], &[0x00, 0x00, 0x00], &[0x00, 0x01, 0x01]),
        (
            &[1, 2],
            &[0x00, 0x01, 0x01],
            &[0x00, 0x01, 0x00, 0x02, 0x03],
        ),
    ];
    for (pages, count, list) in golden {
        assert_eq!(Frame::page_count(pages.len()).unwrap().as_bytes(), count);
        assert_eq!(Frame::page_list(pages).unwrap().as_bytes(), list);
        assert_eq!(decode_page_count(count), Ok(PageCount::Pages(pages.len())));
        assert_eq!(check(list), Ok(&list[..list.len() - 1]));
    }
    assert_eq!(
        Frame::page_count(512).unwrap().as_bytes(),
        [0x01, 0xFF, 0xFE]
    );
    assert_eq!(Frame::page_count(0), None);
    assert_eq!(Frame::page_count(Frame::MAX_ERASE_LIST + 1), None);
    assert_eq!(Frame::page_list(&[]), None);
    assert_eq!(Frame::page_list(&[0; Frame::MAX_ERASE_LIST + 1]), None);
}

#[test]
fn a_special_erase_on_i2c_is_the_first_message_only() {
    for (erase, bytes) in [
        (SpecialErase::Mass, [0xFF, 0xFF, 0x00]),
        (SpecialErase::Bank1, [0xFF, 0xFE, 0x01]),
        (SpecialErase::Bank2, [0xFF, 0xFD, 0x02]),
    ] {
        assert_eq!(Frame::special_erase(erase).as_bytes(), bytes);
        assert_eq!(decode_page_count(&bytes), Ok(PageCount::Special(erase)));
    }
    assert_eq!(
        decode_page_count(&[0xFF, 0xF0, 0x0F]),
        Err(DecodeError::Reserved(0xFFF0))
    );
    assert_eq!(
        decode_page_count(&[0x00, 0x01, 0x00]),
        Err(DecodeError::Checksum)
    );
    assert_eq!(decode_page_count(&[0x00, 0x00]), Err(DecodeError::Length));
}

#[test]
fn write_protect_on_i2c_is_a_count_with_its_complement_and_a_list() {
    assert_eq!(Frame::sector_count(2).unwrap().as_bytes(), [0x01, 0xFE]);
    assert_eq!(
        Frame::sector_list(&[0x03, 0x05]).unwrap().as_bytes(),
        [0x03, 0x05, 0x06]
    );
    assert_eq!(Frame::sector_count(257), None);
    assert_eq!(Frame::sector_list(&[]), None);
    assert_eq!(Frame::sector_list(&[0; 257]), None);
}

#[test]
fn busy_is_neither_yes_nor_no() {
    assert_eq!(BUSY, 0x76);
    assert_eq!(GetVersionAnswer::I2C_BYTES, 1);
}
