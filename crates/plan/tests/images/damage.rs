//! Whatever a file holds, parsing ends, without a panic and without memory beyond the file's size.

use flashwire_plan::image::{Format, Image, ParseOptions, Segment, WriteOptions};
use proptest::prelude::*;

/// A small file of each format that is written, and a minimal ELF.
fn good_files() -> Vec<Vec<u8>> {
    let segments = vec![
        Segment {
            address: 0x0800_0000,
            data: (0..=255).collect(),
        },
        Segment {
            address: 0x0801_FFF0,
            data: vec![0x5A; 40],
        },
    ];
    let image = Image::from_segments(Format::Binary, segments).unwrap();
    let formats = [
        Format::IntelHex,
        Format::SRecord,
        Format::Uf2,
        Format::DfuSe,
    ];
    let options = WriteOptions::default();
    let mut files: Vec<_> = formats
        .iter()
        .map(|format| image.to_bytes(*format, &options).unwrap())
        .collect();
    files.push(minimal_elf());
    files
}

/// One header, one segment of four bytes, 32 bits, little endian.
fn minimal_elf() -> Vec<u8> {
    let mut file = vec![0x7F, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend([2, 0, 40, 0, 1, 0, 0, 0]);
    file.extend(
        [0x0800_0001_u32, 52, 0, 0]
            .iter()
            .flat_map(|word| word.to_le_bytes()),
    );
    file.extend(
        [52_u16, 32, 1, 40, 0, 0]
            .iter()
            .flat_map(|half| half.to_le_bytes()),
    );
    let segment = [1_u32, 84, 0x0800_0000, 0x0800_0000, 4, 4, 5, 4];
    file.extend(segment.iter().flat_map(|word| word.to_le_bytes()));
    file.extend([1, 2, 3, 4]);
    file
}

/// Parses as itself and as every format; whatever comes out obeys an image's own rules.
fn parse_every_way(bytes: &[u8]) {
    let formats = Format::ALL.into_iter().map(Some).chain([None]);
    for format in formats {
        let options = ParseOptions {
            format,
            ..ParseOptions::default()
        };
        let Ok(image) = Image::parse(bytes, &options) else {
            continue;
        };
        assert!(image.total_bytes() <= bytes.len() as u64);
        let mut end = None;
        for segment in image.segments() {
            assert!(!segment.data.is_empty());
            assert!(
                end.is_none_or(|end| end < segment.address),
                "not disjoint and joined"
            );
            end = Some(segment.range().end);
        }
    }
}

#[test]
fn good_files_are_good() {
    for file in good_files() {
        Image::parse(file, &ParseOptions::default()).unwrap();
    }
}

#[test]
fn a_file_cut_short_anywhere_is_never_taken_for_a_whole_one() {
    for file in good_files() {
        let whole = Image::parse(&file, &ParseOptions::default()).unwrap();
        let options = ParseOptions {
            format: Some(whole.format()),
            ..ParseOptions::default()
        };
        // The line end of the last line is the only thing that a text file can do without.
        let text = matches!(whole.format(), Format::IntelHex | Format::SRecord);
        for len in 0..file.len() - usize::from(text) {
            let cut = Image::parse(&file[..len], &options);
            assert!(
                cut.is_err(),
                "{:?} cut to {len} of {}",
                whole.format(),
                file.len()
            );
        }
    }
}

#[test]
fn a_text_file_with_any_digit_changed_is_an_error_or_still_the_same_image() {
    // Still the same: an S5 record (a count) that has become an S0 (a remark).
    for file in &good_files()[..2] {
        let whole = Image::parse(file, &ParseOptions::default()).unwrap();
        for at in 0..file.len() {
            if !file[at].is_ascii_hexdigit() {
                continue;
            }
            let mut damaged = file.clone();
            damaged[at] = if file[at] == b'0' { b'1' } else { b'0' };
            if let Ok(image) = Image::parse(&damaged, &ParseOptions::default()) {
                assert_eq!(image.segments(), whole.segments(), "changed at {at}");
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        parse_every_way(&bytes);
    }

    #[test]
    fn random_lines_never_panic(text in "([:S][0-9A-F]{0,24}\r?\n?){0,20}") {
        parse_every_way(text.as_bytes());
    }

    #[test]
    fn damaged_files_never_panic(
        which in 0_usize..5,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        whole: bool,
    ) {
        let mut file = good_files().swap_remove(which);
        for (at, value) in changes {
            let at = at.index(file.len());
            file[at] = value;
        }
        if !whole {
            file.truncate(cut.index(file.len()));
        }
        parse_every_way(&file);
    }
}
