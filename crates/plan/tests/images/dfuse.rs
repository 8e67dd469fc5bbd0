//! DfuSe files, rule by rule.

use flashwire_plan::image::{Format, ImageError, Note, Place};

use crate::{content, parse, parse_as};

/// A target with a name and its elements.
fn target(alternate_setting: u8, name: &str, elements: &[(u32, &[u8])]) -> Vec<u8> {
    let size: usize = elements.iter().map(|(_, data)| data.len() + 8).sum();
    let mut bytes = b"Target".to_vec();
    bytes.push(alternate_setting);
    bytes.extend(u32::from(!name.is_empty()).to_le_bytes());
    bytes.extend(name.as_bytes());
    bytes.resize(266, 0);
    bytes.extend((size as u32).to_le_bytes());
    bytes.extend((elements.len() as u32).to_le_bytes());
    for (address, data) in elements {
        bytes.extend(address.to_le_bytes());
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(*data);
    }
    bytes
}

fn file(targets: &[Vec<u8>]) -> Vec<u8> {
    let size = 11 + targets.iter().map(Vec::len).sum::<usize>();
    let mut bytes = b"DfuSe\x01".to_vec();
    bytes.extend((size as u32).to_le_bytes());
    bytes.push(targets.len() as u8);
    bytes.extend(targets.concat());
    with_suffix(bytes)
}

fn with_suffix(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend([
        0x00, 0x22, 0x11, 0xDF, 0x83, 0x04, 0x1A, 0x01, b'U', b'F', b'D', 16,
    ]);
    bytes.extend(crc(&bytes).to_le_bytes());
    bytes
}

/// Puts the right CRC to bytes that were changed.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 4);
    bytes.extend(crc(&bytes).to_le_bytes());
    bytes
}

/// Bit by bit, unlike the parser's.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    crc
}

#[test]
fn the_crc_of_these_tests_is_the_well_known_one() {
    assert_eq!(!crc(b"123456789"), 0xCBF4_3926);
}

#[test]
fn elements_become_segments() {
    let bytes = file(&[target(
        0,
        "ST...",
        &[(0x0800_0000, &[1, 2]), (0x0800_1000, &[3])],
    )]);
    let image = parse(bytes).unwrap();
    assert_eq!(image.format(), Format::DfuSe);
    assert_eq!(
        content(&image),
        [(0x0800_0000, &[1, 2][..]), (0x0800_1000, &[3][..])]
    );
    assert!(image.notes().is_empty(), "one target is nothing to tell");
}

#[test]
fn all_targets_are_in_the_image_and_told() {
    let bytes = file(&[
        target(0, "Internal Flash", &[(0x0800_0000, &[1])]),
        target(1, "", &[(0x1FFF_F800, &[2, 3])]),
    ]);
    let image = parse(bytes).unwrap();
    assert_eq!(
        content(&image),
        [(0x0800_0000, &[1][..]), (0x1FFF_F800, &[2, 3][..])]
    );
    let notes = [
        Note::Target {
            alternate_setting: 0,
            name: "Internal Flash".into(),
            bytes: 1,
        },
        Note::Target {
            alternate_setting: 1,
            name: String::new(),
            bytes: 2,
        },
    ];
    assert_eq!(image.notes(), notes);
}

#[test]
fn a_wrong_crc_is_an_error() {
    let mut bytes = file(&[target(0, "", &[(0, &[1])])]);
    bytes[11 + 274 + 8] ^= 1;
    let at = bytes.len() as u64 - 4;
    let error = parse(bytes).unwrap_err();
    assert!(
        matches!(error, ImageError::WrongField { offset, what: "the CRC of a DfuSe file", .. } if offset == at),
        "{error:?}"
    );
}

#[test]
fn a_file_cut_short_has_no_suffix() {
    let bytes = file(&[target(0, "", &[(0, &[1; 100])])]);
    let error = parse(&bytes[..bytes.len() - 20]).unwrap_err();
    assert!(matches!(error, ImageError::WrongField { .. }), "{error:?}");
    assert!(error.to_string().contains("cut short"), "{error}");
    let error = parse(&bytes[..8]).unwrap_err();
    assert!(
        matches!(
            error,
            ImageError::Truncated {
                offset: 0,
                left: 8,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn the_size_in_the_prefix_must_be_right() {
    let mut bytes = file(&[target(0, "", &[(0, &[1])])]);
    bytes[6] ^= 1;
    let error = parse(seal(bytes)).unwrap_err();
    assert!(
        matches!(error, ImageError::WrongField { offset: 6, .. }),
        "{error:?}"
    );
}

#[test]
fn an_unknown_version_is_an_error() {
    let mut bytes = file(&[target(0, "", &[(0, &[1])])]);
    bytes[5] = 2;
    let error = parse(seal(bytes)).unwrap_err();
    assert!(
        matches!(
            error,
            ImageError::BadField {
                offset: 5,
                found: 2,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_target_without_its_signature_is_an_error() {
    let mut bytes = file(&[target(0, "", &[(0, &[1])])]);
    bytes[11] = b't';
    let error = parse(seal(bytes)).unwrap_err();
    assert!(
        matches!(error, ImageError::BadField { offset: 11, .. }),
        "{error:?}"
    );
}

#[test]
fn the_size_of_a_target_must_be_right() {
    let mut bytes = file(&[target(0, "", &[(0, &[1])])]);
    bytes[11 + 266] ^= 1;
    let error = parse(seal(bytes)).unwrap_err();
    assert!(
        matches!(error, ImageError::WrongField { offset: 277, .. }),
        "{error:?}"
    );
}

#[test]
fn more_elements_or_targets_than_there_are_is_an_error() {
    let mut bytes = file(&[target(0, "", &[(0, &[1])])]);
    bytes[11 + 270..11 + 274].fill(0xFF);
    let error = parse(seal(bytes)).unwrap_err();
    let head = "the head of a DfuSe element";
    assert!(
        matches!(error, ImageError::Truncated { what, .. } if what == head),
        "{error:?}"
    );

    let mut bytes = file(&[target(0, "", &[(0, &[1])])]);
    bytes[10] = 2;
    let error = parse(seal(bytes)).unwrap_err();
    let head = "the head of a DfuSe target";
    assert!(
        matches!(error, ImageError::Truncated { what, .. } if what == head),
        "{error:?}"
    );
}

#[test]
fn an_element_larger_than_the_file_is_an_error() {
    let mut bytes = file(&[target(0, "", &[(0, &[1])])]);
    bytes[11 + 274 + 4..11 + 274 + 8].fill(0xFF);
    let error = parse(seal(bytes)).unwrap_err();
    let expected = ImageError::Truncated {
        offset: 11 + 274 + 8,
        what: "a DfuSe element",
        needed: 0xFFFF_FFFF,
        left: 1,
    };
    assert_eq!(error, expected);
}

#[test]
fn data_after_the_last_target_is_an_error() {
    let mut bytes = file(&[target(0, "", &[(0, &[1])]), target(0, "", &[(1, &[2])])]);
    bytes[10] = 1;
    let error = parse(seal(bytes)).unwrap_err();
    assert!(
        matches!(error, ImageError::BadField { offset: 294, .. }),
        "{error:?}"
    );
}

#[test]
fn an_element_past_4_gib_is_an_error() {
    let bytes = file(&[target(0, "", &[(0xFFFF_FFFF, &[1, 2])])]);
    let expected = ImageError::AddressOverflow {
        place: Place::Offset(285),
        address: 0xFFFF_FFFF,
        bytes: 2,
    };
    assert_eq!(parse(bytes), Err(expected));
}

#[test]
fn a_plain_dfu_file_is_not_flashed_with_its_suffix() {
    let bytes = with_suffix(vec![0x55; 100]);
    let expected = ImageError::NotFirmware {
        what: "a DFU file without addresses",
    };
    assert_eq!(parse(&bytes), Err(expected));
    let whole = parse_as(Format::Binary, &bytes).unwrap();
    assert_eq!(
        whole.total_bytes(),
        116,
        "unless the caller says that it is binary"
    );
}

#[test]
fn targets_without_elements_hold_no_data() {
    let bytes = file(&[target(0, "", &[])]);
    assert_eq!(
        parse(bytes),
        Err(ImageError::NoData {
            format: Format::DfuSe
        })
    );
}
