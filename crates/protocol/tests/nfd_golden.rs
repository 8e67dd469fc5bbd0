//! Golden bytes of nfd's protocol, as the original sketch and its client exchange them. Do not
//! change the expected bytes: the sketches out there do not change either.

use flashwire_protocol::nfd::*;

#[test]
fn page_commands_carry_the_page_number_in_eight_lower_case_digits() {
    assert_eq!(Request::read_page(0xABC).as_bytes(), b"r00000abc");
    assert_eq!(Request::program_page(0xFFFF).as_bytes(), b"w0000ffff");
    assert_eq!(
        Request::erase_sector(0x0FFF).unwrap().as_bytes(),
        b"k00000fff"
    );
    assert_eq!(
        Request::erase_sector(0x1000),
        None,
        "the sketch would erase sector 0"
    );
}

#[test]
fn commands_without_arguments_are_one_letter() {
    assert_eq!(Request::plain(Command::Hello).unwrap().as_bytes(), b">");
    assert_eq!(Request::plain(Command::EraseChip).unwrap().as_bytes(), b"n");
    assert_eq!(Request::plain(Command::ReadPage), None);
}

#[test]
fn pins_are_written_as_the_original_client_does() {
    assert_eq!(Request::chip_select(10).as_bytes(), b"*0a");
    assert_eq!(Request::output(9, None).as_bytes(), b"o0900");
    assert_eq!(Request::output(9, Some(false)).as_bytes(), b"o0910");
    assert_eq!(Request::output(9, Some(true)).as_bytes(), b"o0911");
}

#[test]
fn filling_the_buffer_takes_two_digits_a_byte() {
    let mut page = [0; PAGE_BYTES];
    page[..4].copy_from_slice(&RESET_PATTERN);
    let fill = Request::fill(&page);
    assert_eq!(fill.len(), 513);
    assert_eq!(&fill[..11], b"sdeadbeef00");
}

#[test]
fn every_letter_is_read_back_as_its_command_and_no_other_byte_is_one() {
    for command in Command::ALL {
        assert_eq!(Command::from_letter(command.letter()), Some(command));
    }
    let letters = Command::ALL.map(Command::letter);
    for byte in 0..=u8::MAX {
        assert_eq!(
            Command::from_letter(byte).is_some(),
            letters.contains(&byte),
            "{byte:#04x}"
        );
    }
    assert_eq!(
        Start::of(b'R'),
        Start::Nothing,
        "letters are case-sensitive"
    );
    assert_eq!(Start::of(b'\r'), Start::Nothing);
    assert_eq!(Start::of(b'l'), Start::Complete(Command::Dump));
    assert_eq!(Start::of(b's'), Start::Argument(Command::Fill));
}

#[test]
fn an_argument_is_read_in_either_case_and_ends_by_itself() {
    let mut reader = ArgumentReader::new(Command::Output);
    let fed = b"0Aff".map(|byte| reader.feed(byte));
    assert_eq!(
        fed,
        [Fed::More, Fed::Byte(0x0A), Fed::More, Fed::Last(0xFF)]
    );
}

#[test]
fn a_bad_digit_is_reported_where_it_stands() {
    let mut reader = ArgumentReader::new(Command::ReadPage);
    assert_eq!(reader.feed(b'1'), Fed::More);
    assert_eq!(reader.feed(b'\n'), Fed::Bad);
    assert_eq!(parse_u32(b"08A89683"), Ok(0x08A8_9683));
    assert_eq!(
        parse_u32(b"08a8g683"),
        Err(HexError {
            index: 4,
            byte: b'g'
        })
    );
    assert_eq!(
        parse_u32(b"123456789"),
        Err(HexError {
            index: 8,
            byte: b'9'
        })
    );
}

#[test]
fn protection_is_judged_from_the_three_status_registers() {
    let judge = |status| {
        let Protection { registers, memory } = Protection::judge(status);
        [registers, memory]
    };
    assert_eq!(judge([0x00, 0x00, 0x00]), [0, 0]);
    assert_eq!(judge([0x1C, 0x00, 0x00]), [0, 2], "BP = 7");
    assert_eq!(judge([0x04, 0x00, 0x00]), [0, 1], "BP = 1");
    assert_eq!(judge([0x00, 0x40, 0x00]), [0, 2], "CMP turns BP = 0 round");
    assert_eq!(judge([0x1C, 0x40, 0x00]), [0, 0], "CMP turns BP = 7 round");
    assert_eq!(
        judge([0x00, 0x00, 0x04]),
        [0, 1],
        "WPS: locks of single blocks"
    );
    assert_eq!(judge([0x00, 0x01, 0x00]), [2, 0], "SRL");
}

#[test]
fn answers_have_the_length_that_the_sketch_gives_them() {
    let bytes = |letter| Command::from_letter(letter).unwrap().answer_bytes();
    assert_eq!(bytes(b'r'), Some("r08A89683".len()));
    assert_eq!(bytes(b's'), Some("s08A89683".len()));
    assert_eq!(bytes(b'h'), Some("h08A89683\r\n".len()));
    assert_eq!(bytes(b'l'), Some(515));
    assert_eq!(bytes(b'i'), Some("i03EF4017".len()));
    assert_eq!(bytes(b'y'), Some("y03000000".len()));
    assert_eq!(bytes(b'x'), Some("x0002".len()));
    for letter in *b"wknpu*o" {
        assert_eq!(bytes(letter), Some(1), "{}", char::from(letter));
    }
    assert_eq!(bytes(b'>'), None);
    assert_eq!(bytes(b'?'), None);
}

#[test]
fn bytes_are_read_in_either_case_and_only_if_all_are_there() {
    let mut bytes = [0; 2];
    assert_eq!(parse_bytes(b"eF40", &mut bytes), Ok(()));
    assert_eq!(bytes, [0xEF, 0x40]);
    let wrong = |text: &[u8]| parse_bytes(text, &mut [0; 2]).unwrap_err().index;
    assert_eq!(wrong(b"EF4"), 3);
    assert_eq!(wrong(b"EF401"), 4);
    assert_eq!(wrong(b"EFx0"), 2);
}
