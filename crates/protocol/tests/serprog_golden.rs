//! Golden bytes of serprog: written by hand from flashrom's protocol specification and from what
//! flashrom 1.3 was seen to send. Do not change the expected bytes to make a test pass: programmers
//! in the field do not change either.

use flashwire_protocol::crc32::Crc32;
use flashwire_protocol::serprog::extension::{Capabilities, Program, Range};
use flashwire_protocol::serprog::*;

fn u24(value: u32) -> U24 {
    U24::new(value).unwrap()
}

/// Every command with fields that show their order, and its bytes.
fn golden() -> Vec<(Request, Vec<u8>)> {
    let plain = |request, code| (request, vec![code]);
    vec![
        plain(Request::Nop, 0x00),
        plain(Request::QIface, 0x01),
        plain(Request::QCmdMap, 0x02),
        plain(Request::QPgmName, 0x03),
        plain(Request::QSerBuf, 0x04),
        plain(Request::QBusType, 0x05),
        plain(Request::QChipSize, 0x06),
        plain(Request::QOpBuf, 0x07),
        plain(Request::QWrnMaxLen, 0x08),
        (
            Request::RByte {
                address: u24(0xF1_F2F3),
            },
            vec![0x09, 0xF3, 0xF2, 0xF1],
        ),
        (
            Request::RNBytes {
                address: u24(0x01_0203),
                length: u24(0x0A_0B0C),
            },
            vec![0x0A, 0x03, 0x02, 0x01, 0x0C, 0x0B, 0x0A],
        ),
        plain(Request::OInit, 0x0B),
        (
            Request::OWriteB {
                address: u24(0x01_0203),
                data: 0x55,
            },
            vec![0x0C, 0x03, 0x02, 0x01, 0x55],
        ),
        // The length comes first here, the address second.
        (
            Request::OWriteN {
                length: u24(0x0A_0B0C),
                address: u24(0x01_0203),
            },
            vec![0x0D, 0x0C, 0x0B, 0x0A, 0x03, 0x02, 0x01],
        ),
        (
            Request::ODelay {
                delay_us: 0x1234_5678,
            },
            vec![0x0E, 0x78, 0x56, 0x34, 0x12],
        ),
        plain(Request::OExec, 0x0F),
        plain(Request::SyncNop, 0x10),
        plain(Request::QRdnMaxLen, 0x11),
        (
            Request::SBusType {
                buses: BusTypes::SPI,
            },
            vec![0x12, 0x08],
        ),
        // A page program with three address bytes as flashrom sends it: 260 bytes, no answer.
        (
            Request::OSpiOp {
                send: u24(260),
                receive: u24(0),
            },
            vec![0x13, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00],
        ),
        (
            Request::OSpiOp {
                send: u24(4),
                receive: u24(0x01_0000),
            },
            vec![0x13, 0x04, 0x00, 0x00, 0x00, 0x00, 0x01],
        ),
        (
            Request::SSpiFreq { spi_hz: 9_000_000 },
            vec![0x14, 0x40, 0x54, 0x89, 0x00],
        ),
        (Request::SPinState { drive: true }, vec![0x15, 0x01]),
        (Request::SPinState { drive: false }, vec![0x15, 0x00]),
        (Request::SSpiCs { line: 3 }, vec![0x16, 0x03]),
        (Request::SSpiMode { mode: 1 }, vec![0x17, 0x01]),
        (Request::SCsMode { mode: 2 }, vec![0x18, 0x02]),
        plain(Request::XQuery, 0x80),
        (
            Request::XCrc(Range {
                head_bytes: 4,
                length: u24(0x01_0000),
            }),
            vec![0x81, 0x04, 0x00, 0x00, 0x01],
        ),
        (
            Request::XBlank(Range {
                head_bytes: 5,
                length: u24(0x12_3456),
            }),
            vec![0x82, 0x05, 0x56, 0x34, 0x12],
        ),
        (
            Request::XProgram(Program {
                wait_ms: 0x0203,
                head_bytes: 4,
                data_bytes: 256,
            }),
            vec![0x83, 0x03, 0x02, 0x04, 0x00, 0x01],
        ),
    ]
}

#[test]
fn every_command_is_its_golden_bytes_in_both_directions() {
    let golden = golden();
    for opcode in Opcode::ALL {
        assert!(golden.iter().any(|(request, _)| request.opcode() == opcode));
    }
    for (request, bytes) in golden {
        assert_eq!(request.encode().as_bytes(), bytes, "{request:?}");
        let opcode = Opcode::try_from(bytes[0]).unwrap();
        assert_eq!(Request::decode(opcode, &bytes[1..]), Some(request));
    }
}

#[test]
fn every_command_is_as_long_as_its_opcode_says() {
    for (request, bytes) in golden() {
        let opcode = request.opcode();
        assert_eq!(
            usize::from(opcode.field_bytes()),
            bytes.len() - 1,
            "{opcode:?}"
        );
        assert!(usize::from(opcode.field_bytes()) <= Request::LONGEST_FIELDS);
        for missing in 1..bytes.len() {
            assert_eq!(
                Request::decode(opcode, &bytes[1..bytes.len() - missing]),
                None
            );
        }
    }
}

#[test]
fn data_follows_only_the_commands_that_say_so() {
    let carried = |code| {
        let golden = golden();
        let (request, _) = golden.iter().find(|(_, bytes)| bytes[0] == code).unwrap();
        request.data_bytes()
    };
    assert_eq!(carried(0x0D), 0x0A_0B0C);
    assert_eq!(carried(0x13), 260);
    assert_eq!(carried(0x81), 4);
    assert_eq!(carried(0x83), 4 + 256 + 4);
    for (request, bytes) in golden() {
        if ![0x0D, 0x13, 0x81, 0x82, 0x83].contains(&bytes[0]) {
            assert_eq!(request.data_bytes(), 0, "{request:?}");
        }
    }
}

#[test]
fn answers_are_as_long_as_the_specification_says() {
    let lengths = [
        (0x00, 0),
        (0x01, 2),
        (0x02, 32),
        (0x03, 16),
        (0x04, 2),
        (0x05, 1),
        (0x06, 1),
        (0x07, 2),
        (0x08, 3),
        (0x09, 1),
        (0x0A, 0x0A_0B0C),
        (0x0B, 0),
        (0x0C, 0),
        (0x0D, 0),
        (0x0E, 0),
        (0x0F, 0),
        (0x10, 1),
        (0x11, 3),
        (0x12, 0),
        (0x14, 4),
        (0x15, 0),
        (0x16, 0),
        (0x17, 0),
        (0x18, 0),
        (0x80, 7),
        (0x81, 4),
        (0x82, 4),
        (0x83, 0),
    ];
    for (request, bytes) in golden() {
        if bytes[0] == 0x13 {
            let Request::OSpiOp { receive, .. } = request else {
                panic!("{request:?}")
            };
            assert_eq!(request.answer_bytes(), receive.get());
            continue;
        }
        let (_, expected) = lengths.iter().find(|(code, _)| *code == bytes[0]).unwrap();
        assert_eq!(request.answer_bytes(), *expected, "{request:?}");
    }
    assert_eq!((ACK, NAK, SYNC_ANSWER), (0x06, 0x15, [0x15, 0x06]));
}

#[test]
fn codes_without_a_command_are_refused() {
    for code in (0x19..0x80).chain(0x84..=0xFF) {
        assert_eq!(Opcode::try_from(code), Err(UnknownOpcode(code)));
    }
}

#[test]
fn the_command_map_counts_bits_from_the_least_significant_of_its_first_byte() {
    // The map of serprog-stm32vcp: 00 to 05, 10, 12 to 14.
    let map = CommandMap::of(&[
        Opcode::Nop,
        Opcode::QIface,
        Opcode::QCmdMap,
        Opcode::QPgmName,
        Opcode::QSerBuf,
        Opcode::QBusType,
        Opcode::SyncNop,
        Opcode::SBusType,
        Opcode::OSpiOp,
        Opcode::SSpiFreq,
    ]);
    let mut golden = [0; 32];
    golden[..3].copy_from_slice(&[0x3F, 0x00, 0x1D]);
    assert_eq!(map.as_bytes(), &golden);
    assert!(map.has(Opcode::OSpiOp) && !map.has(Opcode::SPinState));

    golden[16] = 0x08;
    let extended = CommandMap::from_bytes(golden);
    assert_eq!(extended, map.with(Opcode::XProgram));
    assert!(extended.has_code(0x83) && !extended.has_code(0x80));
}

#[test]
fn a_maximum_length_of_zero_means_two_to_the_24() {
    assert_eq!(U24::from_limit(1 << 24).to_le_bytes(), [0, 0, 0]);
    assert_eq!(U24::from_limit(u32::MAX).to_le_bytes(), [0, 0, 0]);
    assert_eq!(U24::from_le_bytes([0, 0, 0]).limit_bytes(), 1 << 24);
    assert_eq!(U24::from_limit(256).to_le_bytes(), [0, 1, 0]);
    assert_eq!(U24::from_le_bytes([0, 1, 0]).limit_bytes(), 256);
    assert_eq!(U24::new(1 << 24), None);
    assert_eq!(U24::truncated(0xFFFE_0102).get(), 0xFE_0102);
}

#[test]
fn a_programmer_name_may_use_all_sixteen_bytes() {
    let full = ProgrammerName::new("serprog-STM32VCP");
    assert_eq!(full.as_bytes(), b"serprog-STM32VCP");
    assert_eq!(full.as_str(), "serprog-STM32VCP");
    assert_eq!(
        ProgrammerName::new("a").as_bytes(),
        b"a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    );
    assert_eq!(
        ProgrammerName::new("seventeen letters").as_str(),
        "seventeen letter"
    );
    let broken = ProgrammerName::from_bytes(*b"ab\xFFcdefghijklmno");
    assert_eq!(broken.as_str(), "ab");
}

#[test]
fn a_program_command_is_closed_by_the_crc_of_all_its_bytes() {
    let head = [0x02, 0x01, 0x02, 0x03];
    let data = [0xAA, 0x55];
    let (header, check) = Program::frame(100, &head, &data).unwrap();
    assert_eq!(header.as_bytes(), [0x83, 100, 0, 4, 2, 0]);
    // Computed by an independent implementation (zlib) over 83 64 00 04 02 00 02 01 02 03 AA 55.
    assert_eq!(check, ZLIB_CRC_OF_PROGRAM_COMMAND.to_le_bytes());
    assert!(Program::frame(100, &[0; 256], &[]).is_none());
    assert!(Program::frame(100, &head, &vec![0; 1 << 16]).is_none());
}

const ZLIB_CRC_OF_PROGRAM_COMMAND: u32 = 0x0446_C7C5;

#[test]
fn the_check_value_is_the_crc_32_of_zlib() {
    assert_eq!(Crc32::of(b"123456789"), 0xCBF4_3926);
    assert_eq!(Crc32::of(b""), 0);
    assert_eq!(Crc32::of(&[0xFF; 4]), 0xFFFF_FFFF);
    let mut in_parts = Crc32::new();
    in_parts.update(b"1234");
    in_parts.update(b"56789");
    assert_eq!(in_parts.value(), 0xCBF4_3926);
}

#[test]
fn capabilities_begin_with_the_signature_or_are_somebody_elses() {
    let ours = Capabilities {
        head_bytes: 8,
        data_bytes: 256,
    };
    let bytes = [b'F', b'W', b'X', 1, 8, 0x00, 0x01];
    assert_eq!(ours.to_bytes(), bytes);
    assert_eq!(Capabilities::from_bytes(bytes), Some(ours));
    for index in 0..4 {
        let mut other = bytes;
        other[index] ^= 1;
        assert_eq!(Capabilities::from_bytes(other), None);
    }
}
