//! Intel HEX, rule by rule.

use flashwire_plan::image::{Format, Image, ImageError, Note, Place};

use crate::{content, parse, parse_as};

const END: &str = ":00000001FF\n";

/// A record with a right length and checksum.
fn record(offset: u16, kind: u8, data: &[u8]) -> String {
    let mut bytes = vec![data.len() as u8];
    bytes.extend(offset.to_be_bytes());
    bytes.push(kind);
    bytes.extend(data);
    let sum: u8 = bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte));
    bytes.push(sum.wrapping_neg());
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!(":{digits}\n")
}

#[test]
fn toolchain_output_at_0x08000000_is_read() {
    // As GNU objcopy writes it for an STM32: upper address, data, start address, end.
    let file = ":020000040800F2\n\
                :100000000050002009010008110100081301000838\n\
                :080010001501000817010008AA\n\
                :0400000508000109E5\n\
                :00000001FF\n";
    let image = parse(file).unwrap();
    assert_eq!(image.format(), Format::IntelHex);
    assert_eq!(image.range(), 0x0800_0000..0x0800_0018);
    assert_eq!(image.segments().len(), 1);
    assert_eq!(
        image.segments()[0].data[..8],
        [0x00, 0x50, 0x00, 0x20, 0x09, 0x01, 0x00, 0x08]
    );
    assert_eq!(image.entry(), Some(0x0800_0109));
    assert_eq!(image.total_bytes(), 24);
    assert!(image.notes().is_empty());
}

#[test]
fn records_out_of_order_are_sorted_and_joined() {
    let file = [
        record(4, 0, &[5, 6]),
        record(0, 0, &[1, 2, 3, 4]),
        END.into(),
    ]
    .concat();
    assert_eq!(
        content(&parse(file).unwrap()),
        [(0, &[1, 2, 3, 4, 5, 6][..])]
    );
}

#[test]
fn a_far_record_is_a_second_segment_and_no_gap_is_filled() {
    let file = [
        record(0, 4, &[0x08, 0x00]),
        record(0, 0, &[1]),
        record(0, 4, &[0x1F, 0xFF]),
        record(0xF800, 0, &[2]),
        END.into(),
    ]
    .concat();
    let image = parse(file).unwrap();
    assert_eq!(
        content(&image),
        [(0x0800_0000, &[1][..]), (0x1FFF_F800, &[2][..])]
    );
    assert_eq!(image.total_bytes(), 2);
}

#[test]
fn a_linear_record_may_cross_64_kib() {
    let file = [
        record(0, 4, &[0x08, 0x00]),
        record(0xFFFF, 0, &[1, 2]),
        END.into(),
    ]
    .concat();
    assert_eq!(content(&parse(file).unwrap()), [(0x0800_FFFF, &[1, 2][..])]);
}

#[test]
fn segment_addresses_and_segment_start_are_understood() {
    let file = [
        record(0, 2, &[0x12, 0x34]),
        record(0x0010, 0, &[7]),
        record(0, 3, &[0x12, 0x34, 0x00, 0x10]),
        END.into(),
    ]
    .concat();
    let image = parse(file).unwrap();
    assert_eq!(content(&image), [(0x12350, &[7][..])]);
    assert_eq!(image.entry(), Some(0x12350));
}

#[test]
fn a_record_that_would_wrap_in_its_segment_is_refused() {
    let file = [
        record(0, 2, &[0x10, 0x00]),
        record(0xFFFF, 0, &[1, 2]),
        END.into(),
    ]
    .concat();
    let expected = ImageError::AddressOverflow {
        place: Place::Line(2),
        address: 0x1_FFFF,
        bytes: 2,
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn a_record_past_4_gib_is_refused() {
    let file = [
        record(0, 4, &[0xFF, 0xFF]),
        record(0xFFFF, 0, &[1, 2]),
        END.into(),
    ]
    .concat();
    let expected = ImageError::AddressOverflow {
        place: Place::Line(2),
        address: 0xFFFF_FFFF,
        bytes: 2,
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn lower_case_crlf_blank_lines_byte_order_mark_and_trailing_space_are_fine() {
    let file = "\u{FEFF}:01000000aa55\r\n\r\n  :00000001ff\t\r\n\r\n";
    assert_eq!(content(&parse(file).unwrap()), [(0, &[0xAA][..])]);
}

#[test]
fn old_macintosh_line_ends_are_fine() {
    let file = [record(0, 0, &[1]), record(1, 0, &[2]), END.into()]
        .concat()
        .replace('\n', "\r");
    assert_eq!(content(&parse(file).unwrap()), [(0, &[1, 2][..])]);
}

#[test]
fn a_wrong_checksum_names_line_and_both_values() {
    let file = format!("{}:0100010002FD\n{END}", record(0, 0, &[1]));
    let expected = ImageError::Checksum {
        line: 2,
        computed: 0xFC,
        found: 0xFD,
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn a_character_that_is_no_digit_names_line_and_column() {
    let file = format!("{}:01000G0002FC\n{END}", record(0, 0, &[1]));
    let expected = ImageError::BadDigit {
        line: 2,
        column: 7,
        found: b'G',
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn an_odd_number_of_digits_is_an_error() {
    let file = format!("{}:0100010002F\n{END}", record(0, 0, &[1]));
    assert_eq!(parse(file), Err(ImageError::OddDigits { line: 2 }));
}

#[test]
fn a_line_cut_short_says_how_much_is_missing() {
    let file = format!("{}:0400010001020304\n{END}", record(0, 0, &[1]));
    assert_eq!(
        parse(file),
        Err(ImageError::WrongLength {
            line: 2,
            said: 8,
            found: 7
        })
    );
}

#[test]
fn a_line_too_long_is_an_error_whatever_its_length() {
    let file = format!(":01{}\n{END}", "00".repeat(100_000));
    assert_eq!(
        parse(file),
        Err(ImageError::WrongLength {
            line: 1,
            said: 5,
            found: 100_000
        })
    );
}

#[test]
fn a_colon_alone_is_an_error() {
    let file = format!("{}:\n{END}", record(0, 0, &[1]));
    assert_eq!(
        parse(file),
        Err(ImageError::WrongLength {
            line: 2,
            said: 4,
            found: 0
        })
    );
}

#[test]
fn a_missing_end_record_is_an_error() {
    let file = [record(0, 0, &[1]), record(1, 0, &[2])].concat();
    let expected = ImageError::NoEnd {
        format: Format::IntelHex,
        line: 2,
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn data_after_the_end_record_is_an_error() {
    // Two files joined with `cat`.
    let file = [
        record(0, 0, &[1]),
        END.into(),
        record(1, 0, &[2]),
        END.into(),
    ]
    .concat();
    assert_eq!(parse(file), Err(ImageError::AfterEnd { line: 3, end: 2 }));
}

#[test]
fn an_unknown_record_type_is_an_error() {
    let file = [record(0, 0, &[1]), record(0, 6, &[1]), END.into()].concat();
    let expected = ImageError::RecordType {
        line: 2,
        format: Format::IntelHex,
        kind: "06".into(),
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn each_known_type_has_one_size() {
    for (kind, wrong) in [
        (1, 1),
        (2, 1),
        (2, 3),
        (3, 2),
        (4, 0),
        (4, 4),
        (5, 3),
        (5, 5),
    ] {
        let file = [record(0, kind, &vec![0; wrong]), END.into()].concat();
        let expected = ImageError::RecordSize {
            line: 1,
            kind: format!("{kind:02X}"),
            found: wrong,
        };
        assert_eq!(parse(file), Err(expected), "type {kind} with {wrong} bytes");
    }
}

#[test]
fn text_between_records_is_an_error() {
    let file = format!("{}; a comment\n{END}", record(0, 0, &[1]));
    let expected = ImageError::NotThisFormat {
        format: Format::IntelHex,
        place: Place::Line(2),
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn overlapping_data_that_differs_names_both_lines() {
    let file = [
        record(0, 0, &[1, 2, 3, 4]),
        record(4, 0, &[5, 6, 7, 8]),
        record(5, 0, &[6, 0]),
        END.into(),
    ]
    .concat();
    let expected = ImageError::Overlap {
        place: Place::Line(3),
        earlier: Place::Line(2),
        address: 6,
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn a_repeat_that_is_equal_is_accepted_and_noted() {
    let file = [
        record(0, 0, &[1, 2, 3]),
        record(1, 0, &[2, 3, 4]),
        END.into(),
    ]
    .concat();
    let image = parse(file).unwrap();
    assert_eq!(content(&image), [(0, &[1, 2, 3, 4][..])]);
    assert_eq!(image.notes(), [Note::Repeated { bytes: 2 }]);
}

#[test]
fn an_end_record_alone_is_no_image() {
    assert_eq!(
        parse(END),
        Err(ImageError::NoData {
            format: Format::IntelHex
        })
    );
}

#[test]
fn what_is_no_hex_at_all_is_no_hex_even_if_the_caller_says_so() {
    let expected = ImageError::NotThisFormat {
        format: Format::IntelHex,
        place: Place::Line(1),
    };
    assert_eq!(
        parse_as(Format::IntelHex, [0, 0x50, 0, 0x20]),
        Err(expected)
    );
}

#[test]
fn the_crate_ihex_reads_the_same_from_what_we_write() {
    let mut data = Vec::new();
    for n in 0..0x1_2345_u32 {
        data.push((n * 7 + n / 256) as u8);
    }
    let image = Image::from_binary(data, Some(0x0800_FF03)).unwrap();
    let file = image
        .to_bytes(Format::IntelHex, &Default::default())
        .unwrap();

    let mut base = 0;
    let mut next = image.range().start;
    for record in ihex::Reader::new(str::from_utf8(&file).unwrap()) {
        match record.unwrap() {
            ihex::Record::ExtendedLinearAddress(upper) => base = u64::from(upper) << 16,
            ihex::Record::Data { offset, value } => {
                assert_eq!(base + u64::from(offset), next);
                let range = next..next + value.len() as u64;
                assert_eq!(image.slice(&range), Some(&value[..]));
                next = range.end;
            }
            ihex::Record::EndOfFile => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(next, image.range().end);
}

#[test]
fn we_read_what_the_crate_ihex_writes() {
    let records = [
        ihex::Record::ExtendedSegmentAddress(0x1000),
        ihex::Record::Data {
            offset: 0xFFFE,
            value: vec![1, 2],
        },
        ihex::Record::ExtendedLinearAddress(0x0002),
        ihex::Record::Data {
            offset: 0,
            value: (0..=254).collect(),
        },
        ihex::Record::StartLinearAddress(0x1234_5678),
        ihex::Record::EndOfFile,
    ];
    let file = ihex::create_object_file_representation(&records).unwrap();
    let image = parse(file).unwrap();
    let expected: Vec<u8> = [1, 2].into_iter().chain(0..=254).collect();
    assert_eq!(content(&image), [(0x1_FFFE, &expected[..])]);
    assert_eq!(image.entry(), Some(0x1234_5678));
}
