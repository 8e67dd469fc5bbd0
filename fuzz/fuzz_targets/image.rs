//! Firmware files of every format: whatever a file holds, it is read or refused, and what was read
//! survives being written and read again.

#![no_main]

use flashwire_plan::image::{Format, Image, ParseOptions, WriteOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Image::parse(bytes, &ParseOptions::default());
    for format in Format::ALL {
        let options = ParseOptions {
            format: Some(format),
            ..ParseOptions::default()
        };
        if let Ok(image) = Image::parse(bytes, &options) {
            check(&image);
        }
    }
});

fn check(image: &Image) {
    let segments = image.segments();
    assert!(!segments.is_empty());
    assert!(segments.iter().all(|segment| !segment.data.is_empty()));
    let joined = |pair: &[_]| -> bool {
        let [a, b]: &[flashwire_plan::image::Segment; 2] = pair.try_into().unwrap();
        a.range().end >= b.range().start
    };
    assert!(!segments.windows(2).any(joined), "{segments:?}");

    for format in [
        Format::IntelHex,
        Format::SRecord,
        Format::Uf2,
        Format::DfuSe,
    ] {
        let Ok(file) = image.to_bytes(format, &WriteOptions::default()) else {
            continue;
        };
        let again = Image::parse(file, &ParseOptions::default());
        let again = again.unwrap_or_else(|error| panic!("our own {format}: {error}"));
        assert_eq!(again.format(), format);
        if format != Format::Uf2 {
            assert_eq!(again.segments(), segments, "{format}");
        }
    }
}
