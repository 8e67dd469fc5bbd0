//! Motorola S-records, rule by rule.

use flashwire_plan::image::{Format, Image, ImageError, Note, Place};

use crate::{content, parse};

const END: &str = "S9030000FC\n";

/// A record with a right count and checksum; `body` is address and data.
fn record(kind: u8, body: &[u8]) -> String {
    let mut bytes = vec![body.len() as u8 + 1];
    bytes.extend(body);
    let sum: u8 = bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte));
    bytes.push(!sum);
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("S{kind}{digits}\n")
}

#[test]
fn a_file_with_header_count_and_start_is_read() {
    // The example of the manual's appendix C, in its order.
    let file = "S00600004844521B\n\
                S1130000285F245F2212226A000424290008237C2A\n\
                S11300100002000800082629001853812341001813\n\
                S113002041E900084E42234300182342000824A952\n\
                S107003000144ED492\n\
                S5030004F8\n\
                S9030000FC\n";
    let image = parse(file).unwrap();
    assert_eq!(image.format(), Format::SRecord);
    assert_eq!(image.range(), 0..0x34);
    assert_eq!(image.segments()[0].data[0x30..], [0x00, 0x14, 0x4E, 0xD4]);
    assert_eq!(image.notes(), [Note::Header { text: "HDR".into() }]);
    assert_eq!(image.entry(), None);
}

#[test]
fn all_address_sizes_and_all_starts_are_read() {
    for (data, end, start) in [
        (1, 9, vec![0x12, 0x34]),
        (2, 8, vec![1, 2, 3]),
        (3, 7, vec![8, 0, 1, 9]),
    ] {
        let mut body = vec![0; start.len()];
        body.extend([0xAA, 0xBB]);
        let image = parse([record(data, &body), record(end, &start)].concat()).unwrap();
        let entry = start
            .iter()
            .fold(0, |value, &byte| value << 8 | u64::from(byte));
        assert_eq!(content(&image), [(0, &[0xAA, 0xBB][..])]);
        assert_eq!(image.entry(), Some(entry));
    }
}

#[test]
fn addresses_of_all_four_bytes_count() {
    let file = [
        record(3, &[0x08, 0x01, 0x02, 0x03, 0x77]),
        record(7, &[0, 0, 0, 0]),
    ]
    .concat();
    assert_eq!(content(&parse(file).unwrap()), [(0x0801_0203, &[0x77][..])]);
}

#[test]
fn records_out_of_order_and_far_apart_are_segments() {
    let file = [
        record(3, &[0x20, 0, 0, 0, 9]),
        record(3, &[0x08, 0, 0, 1, 2]),
        record(3, &[0x08, 0, 0, 0, 1]),
        record(7, &[0, 0, 0, 0]),
    ]
    .concat();
    let image = parse(file).unwrap();
    assert_eq!(
        content(&image),
        [(0x0800_0000, &[1, 2][..]), (0x2000_0000, &[9][..])]
    );
}

#[test]
fn a_wrong_checksum_names_line_and_both_values() {
    let file = format!("{}S1040001F50F\n{END}", record(1, &[0, 0, 1]));
    let expected = ImageError::Checksum {
        line: 2,
        computed: 0x05,
        found: 0x0F,
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn a_wrong_count_of_bytes_is_an_error() {
    let file = format!("{}S10600010203F6\n{END}", record(1, &[0, 0, 1]));
    assert_eq!(
        parse(file),
        Err(ImageError::WrongLength {
            line: 2,
            said: 6,
            found: 5
        })
    );
}

#[test]
fn a_character_that_is_no_digit_names_line_and_column() {
    let file = format!("{}S104000X02FC\n{END}", record(1, &[0, 0, 1]));
    let expected = ImageError::BadDigit {
        line: 2,
        column: 8,
        found: b'X',
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn an_odd_number_of_digits_is_an_error() {
    let file = format!("{}S10400010203F\n{END}", record(1, &[0, 0, 1]));
    assert_eq!(parse(file), Err(ImageError::OddDigits { line: 2 }));
}

#[test]
fn a_count_record_must_be_right() {
    for count in [record(5, &[0, 3]), record(6, &[0, 0, 1])] {
        let file = [
            record(1, &[0, 0, 1]),
            record(1, &[0, 1, 2]),
            count.clone(),
            END.into(),
        ];
        let said = if count.starts_with("S5") { 3 } else { 1 };
        let expected = ImageError::RecordCount {
            line: 3,
            said,
            found: 2,
        };
        assert_eq!(parse(file.concat()), Err(expected));
    }
    let right = [
        record(1, &[0, 0, 1]),
        record(1, &[0, 1, 2]),
        record(6, &[0, 0, 2]),
        END.into(),
    ];
    assert_eq!(content(&parse(right.concat()).unwrap()), [(0, &[1, 2][..])]);
}

#[test]
fn a_missing_end_record_is_an_error() {
    let file = [record(0, &[0, 0, b'x']), record(1, &[0, 0, 1])].concat();
    let expected = ImageError::NoEnd {
        format: Format::SRecord,
        line: 2,
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn data_after_the_end_record_is_an_error() {
    let file = [record(1, &[0, 0, 1]), END.into(), record(1, &[0, 1, 1])].concat();
    assert_eq!(parse(file), Err(ImageError::AfterEnd { line: 3, end: 2 }));
}

#[test]
fn the_reserved_type_is_an_error() {
    let file = [record(1, &[0, 0, 1]), record(4, &[0, 0]), END.into()].concat();
    let expected = ImageError::RecordType {
        line: 2,
        format: Format::SRecord,
        kind: "S4".into(),
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn records_too_short_for_their_address_and_ends_with_data_are_errors() {
    let short = [record(3, &[0, 0, 1]), END.into()].concat();
    let expected = ImageError::RecordSize {
        line: 1,
        kind: "S3".into(),
        found: 3,
    };
    assert_eq!(parse(short), Err(expected));
    let empty = format!("{}S100\n{END}", record(1, &[0, 0, 1]));
    let expected = ImageError::RecordSize {
        line: 2,
        kind: "S1".into(),
        found: 0,
    };
    assert_eq!(parse(empty), Err(expected));
    let end = [record(1, &[0, 0, 1]), record(9, &[0, 0, 1])].concat();
    let expected = ImageError::RecordSize {
        line: 2,
        kind: "S9".into(),
        found: 1,
    };
    assert_eq!(parse(end), Err(expected));
}

#[test]
fn a_record_past_what_its_address_reaches_is_refused() {
    let file = [record(1, &[0xFF, 0xFF, 1, 2]), END.into()].concat();
    let expected = ImageError::AddressOverflow {
        place: Place::Line(1),
        address: 0xFFFF,
        bytes: 2,
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn overlapping_data_that_differs_names_both_lines() {
    let file = [record(1, &[0, 0, 1, 2]), record(1, &[0, 1, 3]), END.into()].concat();
    let expected = ImageError::Overlap {
        place: Place::Line(2),
        earlier: Place::Line(1),
        address: 1,
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn headers_and_ends_alone_are_no_image() {
    let file = [record(0, &[0, 0, b'x']), END.into()].concat();
    assert_eq!(
        parse(file),
        Err(ImageError::NoData {
            format: Format::SRecord
        })
    );
}

#[test]
fn the_crate_srec_reads_the_same_from_what_we_write() {
    for start in [0, 0xF_FF03, 0x0800_0005] {
        let data: Vec<u8> = (0..5000_u32).map(|n| (n * 13 + n / 256) as u8).collect();
        let image = Image::from_binary(data, Some(start)).unwrap();
        let file = image
            .to_bytes(Format::SRecord, &Default::default())
            .unwrap();
        let mut next = start;
        let mut ended = false;
        for record in srec::read_records(str::from_utf8(&file).unwrap()) {
            let (address, data) = match record.unwrap() {
                srec::Record::S1(data) => (u64::from(u32::from(data.address)), data.data),
                srec::Record::S2(data) => (u64::from(u32::from(data.address)), data.data),
                srec::Record::S3(data) => (u64::from(u32::from(data.address)), data.data),
                srec::Record::S7(_) | srec::Record::S8(_) | srec::Record::S9(_) => {
                    ended = true;
                    continue;
                }
                _ => continue,
            };
            assert_eq!(address, next);
            let range = next..next + data.len() as u64;
            assert_eq!(image.slice(&range), Some(&data[..]));
            next = range.end;
        }
        assert!(ended);
        assert_eq!(next, image.range().end);
    }
}
