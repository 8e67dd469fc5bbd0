//! What a file is taken for.

use flashwire_plan::image::{Format, Image, ImageError, ParseOptions, Place};

use crate::{parse, parse_as, parse_named};

const HEX: &str = ":0100000001FE\n:00000001FF\n";
const SREC: &str = "S104000001FA\nS9030000FC\n";
/// How an STM32 image begins: stack pointer, reset vector.
const VECTORS: [u8; 8] = [0x00, 0x50, 0x00, 0x20, 0x01, 0x01, 0x00, 0x08];

#[test]
fn content_decides_where_the_name_says_nothing() {
    for name in ["app", "app.img", "dir.hex/app", "dir.hex\\app", "app.", "-"] {
        assert_eq!(
            parse_named(name, HEX).unwrap().format(),
            Format::IntelHex,
            "{name}"
        );
        assert_eq!(
            parse_named(name, SREC).unwrap().format(),
            Format::SRecord,
            "{name}"
        );
        assert_eq!(
            parse_named(name, VECTORS).unwrap().format(),
            Format::Binary,
            "{name}"
        );
    }
    assert_eq!(parse(HEX).unwrap().format(), Format::IntelHex);
}

#[test]
fn a_name_that_agrees_is_fine_in_any_case() {
    for name in ["a.hex", "A.HEX", "b.ihex", "/x/y.z/c.ihx"] {
        assert_eq!(
            parse_named(name, HEX).unwrap().format(),
            Format::IntelHex,
            "{name}"
        );
    }
    for name in ["a.srec", "a.s19", "a.S37", "a.mot"] {
        assert_eq!(
            parse_named(name, SREC).unwrap().format(),
            Format::SRecord,
            "{name}"
        );
    }
    assert_eq!(
        parse_named("a.bin", VECTORS).unwrap().format(),
        Format::Binary
    );
}

#[test]
fn a_name_that_disagrees_is_an_error() {
    let disagrees = |named, content| Err(ImageError::NameDisagrees { named, content });
    assert_eq!(
        parse_named("a.bin", HEX),
        disagrees(Format::Binary, Format::IntelHex)
    );
    assert_eq!(
        parse_named("a.bin", SREC),
        disagrees(Format::Binary, Format::SRecord)
    );
    assert_eq!(
        parse_named("a.hex", SREC),
        disagrees(Format::IntelHex, Format::SRecord)
    );
    assert_eq!(
        parse_named("a.srec", HEX),
        disagrees(Format::SRecord, Format::IntelHex)
    );
    assert_eq!(
        parse_named("a.hex", b"\x7FELF..."),
        disagrees(Format::IntelHex, Format::Elf)
    );
    assert_eq!(
        parse_named("a.bin", b"\x7FELF..."),
        disagrees(Format::Binary, Format::Elf)
    );
    assert_eq!(
        parse_named("a.bin", b"DfuSe\x01"),
        disagrees(Format::Binary, Format::DfuSe)
    );
    let uf2 = [0x55, 0x46, 0x32, 0x0A, 0x57, 0x51, 0x5D, 0x9E];
    assert_eq!(
        parse_named("a.bin", uf2),
        disagrees(Format::Binary, Format::Uf2)
    );
}

#[test]
fn a_format_that_is_given_settles_it() {
    let options = ParseOptions {
        format: Some(Format::Binary),
        file_name: Some("a.hex"),
        ..ParseOptions::default()
    };
    let image = Image::parse(HEX.as_bytes(), &options).unwrap();
    assert_eq!(image.format(), Format::Binary);
    assert_eq!(image.total_bytes(), HEX.len() as u64);
}

#[test]
fn a_file_named_like_a_format_never_becomes_raw_binary() {
    for (name, format, place) in [
        ("a.hex", Format::IntelHex, Place::Line(1)),
        ("a.s19", Format::SRecord, Place::Line(1)),
        ("a.elf", Format::Elf, Place::Offset(0)),
        ("a.uf2", Format::Uf2, Place::Offset(0)),
        ("a.dfu", Format::DfuSe, Place::Offset(0)),
    ] {
        let expected = ImageError::NotThisFormat { format, place };
        assert_eq!(parse_named(name, VECTORS), Err(expected), "{name}");
    }
}

#[test]
fn one_damaged_line_does_not_make_a_hex_file_binary() {
    // Whether the first line or a later one, and whatever the name.
    for damaged in [
        HEX.replacen("FE", "FD", 1),
        HEX.replacen(":01", ":0X", 1),
        HEX.replacen(":", "", 1),
        HEX.replacen(":0100000001FE", ":01", 1),
        format!("garbage\n{HEX}"),
        SREC.replacen("FA", "FB", 1),
        SREC.replacen("S1", "", 1),
        SREC.replacen("S104000001FA", "S1", 1),
    ] {
        for name in ["app", "app.img", "app.bin", "app.hex", "app.s19"] {
            let result = parse_named(name, &damaged);
            assert!(result.is_err(), "{name}: {damaged:?} became {result:?}");
        }
    }
}

#[test]
fn binary_that_begins_like_a_record_and_goes_on_as_binary_is_binary() {
    let mut bytes = b":00".to_vec();
    bytes.extend(VECTORS);
    assert_eq!(parse(&bytes).unwrap().format(), Format::Binary);
    assert_eq!(
        parse(b"S1mple text, of no format").unwrap().format(),
        Format::Binary
    );
    assert_eq!(parse(b": and a colon").unwrap().format(), Format::Binary);
}

#[test]
fn archives_and_compressed_files_are_not_flashed_unless_named_or_said_to_be_binary() {
    let starts: [&[u8]; 6] = [
        b"PK\x03\x04....",
        b"\x1F\x8B\x08.....",
        b"\xFD7zXZ\0...",
        b"BZh91AY",
        b"\x28\xB5\x2F\xFD...",
        b"7z\xBC\xAF\x27\x1C...",
    ];
    for start in starts {
        assert!(
            matches!(parse(start), Err(ImageError::NotFirmware { .. })),
            "{start:?}"
        );
        assert_eq!(
            parse_named("a.bin", start).unwrap().format(),
            Format::Binary
        );
        assert_eq!(
            parse_as(Format::Binary, start).unwrap().format(),
            Format::Binary
        );
    }
}

#[test]
fn a_web_page_saved_under_a_firmwares_name_is_not_flashed() {
    for page in [
        "<!DOCTYPE html>\n<html>",
        "\n\n<!doctype HTML>",
        "<html lang=\"en\">",
    ] {
        let expected = Err(ImageError::NotFirmware { what: "a web page" });
        assert_eq!(parse_named("firmware.bin", page), expected);
        assert_eq!(parse_named("firmware", page), expected);
        assert!(parse_named("firmware.hex", page).is_err());
    }
}

#[test]
fn hexadecimal_text_of_other_kinds_is_not_flashed_as_text() {
    let verilog = "@08000000\n00 50 00 20\n";
    assert!(matches!(
        parse(verilog),
        Err(ImageError::NotFirmware { .. })
    ));
}

#[test]
fn an_empty_file_is_an_error_whatever_it_is_called() {
    for name in ["app", "app.bin", "app.hex", "app.elf"] {
        assert_eq!(parse_named(name, ""), Err(ImageError::Empty));
    }
    for format in Format::ALL {
        assert_eq!(parse_as(format, ""), Err(ImageError::Empty));
    }
}

#[test]
fn every_format_is_found_by_its_id() {
    for format in Format::ALL {
        assert_eq!(Format::from_id(format.id()), Some(format));
    }
    assert_eq!(Format::from_id("exe"), None);
}
