//! Golden bytes of STK500 version 1: written by hand from AVR061 (2525B-AVR-04/03) and from what
//! avrdude 7.1 was seen to send with `-c arduino`. Do not change the expected bytes to make a test
//! pass: the bootloaders out there do not change either.

use flashwire_protocol::stk500::*;

#[test]
fn every_command_ends_as_the_document_says() {
    assert_eq!(Frame::get_sync().as_bytes(), [0x30, 0x20]);
    assert_eq!(Frame::enter_prog_mode().as_bytes(), [0x50, 0x20]);
    assert_eq!(Frame::leave_prog_mode().as_bytes(), [0x51, 0x20]);
    assert_eq!(Frame::read_sign().as_bytes(), [0x75, 0x20]);
    assert_eq!(
        Frame::plain(Command::GetSignOn).unwrap().as_bytes(),
        [0x31, 0x20]
    );
}

#[test]
fn parameters_are_asked_for_by_number() {
    let ask = |parameter| Frame::get_parameter(parameter).as_bytes().to_vec();
    assert_eq!(ask(Parameter::HardwareVersion), [0x41, 0x80, 0x20]);
    assert_eq!(ask(Parameter::SoftwareMajor), [0x41, 0x81, 0x20]);
    assert_eq!(ask(Parameter::SoftwareMinor), [0x41, 0x82, 0x20]);
}

#[test]
fn addresses_have_their_low_byte_first_and_lengths_their_high_byte() {
    // Word 0x3F40 is byte 0x7E80.
    assert_eq!(
        Frame::load_address(0x3F40).as_bytes(),
        [0x55, 0x40, 0x3F, 0x20]
    );
    let data: Vec<u8> = (0..128).collect();
    let frame = Frame::prog_page(Memory::Flash, &data).unwrap();
    assert_eq!(frame.as_bytes()[..6], [0x64, 0x00, 0x80, 0x46, 0, 1]);
    assert_eq!(frame.as_bytes()[130..], [126, 127, 0x20]);
    let frame = Frame::prog_page(Memory::Flash, &[0x5A; 256]).unwrap();
    assert_eq!(frame.as_bytes()[..4], [0x64, 0x01, 0x00, 0x46]);
    assert_eq!(frame.as_bytes().len(), 261);
    assert_eq!(
        Frame::read_page(Memory::Eeprom, 4).unwrap().as_bytes(),
        [0x74, 0x00, 0x04, 0x45, 0x20]
    );
}

#[test]
fn what_cannot_be_sent_cannot_be_built() {
    assert_eq!(Frame::prog_page(Memory::Flash, &[]), None);
    assert_eq!(Frame::prog_page(Memory::Flash, &[0; 257]), None);
    assert_eq!(Frame::read_page(Memory::Flash, 0), None);
    assert_eq!(Frame::read_page(Memory::Flash, 0x1_0001), None);
    assert_eq!(Frame::plain(Command::LoadAddress), None);
}

#[test]
fn every_code_is_read_back_as_its_command_and_no_other_byte_is_one() {
    let codes: [u8; 14] = [
        0x30, 0x31, 0x40, 0x41, 0x42, 0x45, 0x50, 0x51, 0x52, 0x55, 0x56, 0x64, 0x74, 0x75,
    ];
    assert_eq!(Command::ALL.map(Command::code), codes);
    for code in 0..=u8::MAX {
        let known = Command::try_from(code).map(Command::code);
        let expected = codes.contains(&code).then_some(code);
        assert_eq!(known, expected.ok_or(UnknownCommand(code)));
    }
}

#[test]
fn arguments_are_as_long_as_bootloaders_take_them_for() {
    let of = |command: Command| command.argument_bytes();
    assert_eq!(of(Command::SetDevice), 20);
    assert_eq!(of(Command::SetDeviceExt), 5);
    assert_eq!(of(Command::Universal), 4);
    assert_eq!(of(Command::ProgPage), 3);
    assert_eq!(of(Command::LoadAddress), 2);
    assert_eq!(of(Command::GetParameter), 1);
    assert_eq!(of(Command::GetSync), 0);
    assert_eq!(Command::ReadSign.answer_bytes(), SIGNATURE_BYTES);
}

#[test]
fn responses_and_parameters_have_the_numbers_of_the_document() {
    let responses = [0x10, 0x11, 0x12, 0x13, 0x14, 0x15].map(Response::from_code);
    assert_eq!(
        responses.map(Option::unwrap),
        [
            Response::Ok,
            Response::Failed,
            Response::Unknown,
            Response::NoDevice,
            Response::InSync,
            Response::NoSync,
        ]
    );
    for code in 0..=u8::MAX {
        let response = Response::from_code(code);
        assert_eq!(response.map(Response::code).unwrap_or(code), code);
        assert_eq!(response.is_some(), (0x10..=0x15).contains(&code));
        let parameter = Parameter::from_code(code);
        assert_eq!(parameter.map(Parameter::code).unwrap_or(code), code);
        assert_eq!(parameter.is_some(), (0x80..=0x82).contains(&code));
    }
}
