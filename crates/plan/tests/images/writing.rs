//! Images become files, and come back the same.

use flashwire_plan::image::{
    Format, Image, MOST_GAP_BYTES, ParseOptions, Segment, WriteError, WriteOptions,
};
use proptest::prelude::*;

use crate::content;

fn image(segments: &[(u64, &[u8])]) -> Image {
    let segments = segments
        .iter()
        .map(|(address, data)| Segment {
            address: *address,
            data: data.to_vec(),
        })
        .collect();
    Image::from_segments(Format::Elf, segments).unwrap()
}

fn write(image: &Image, format: Format) -> Result<Vec<u8>, WriteError> {
    image.to_bytes(format, &WriteOptions::default())
}

#[test]
fn a_binary_has_its_gaps_filled() {
    let image = image(&[(0x0800_0002, &[1, 2]), (0x0800_0006, &[3])]);
    assert_eq!(
        write(&image, Format::Binary).unwrap(),
        [1, 2, 0xFF, 0xFF, 3]
    );
    let options = WriteOptions {
        fill: 0,
        ..WriteOptions::default()
    };
    assert_eq!(
        image.to_bytes(Format::Binary, &options).unwrap(),
        [1, 2, 0, 0, 3]
    );
}

#[test]
fn a_binary_with_an_absurd_gap_is_refused() {
    let far = image(&[(0x0800_0000, &[1]), (0x1FFF_F800, &[2])]);
    let gap_bytes = 0x17FF_F7FF;
    let expected = WriteError::Gaps {
        gap_bytes,
        data_bytes: 2,
    };
    assert_eq!(write(&far, Format::Binary), Err(expected.clone()));
    let most = image(&[(0, &[1]), (MOST_GAP_BYTES + 1, &[2])]);
    assert_eq!(
        write(&most, Format::Binary).unwrap().len() as u64,
        MOST_GAP_BYTES + 2
    );
    let more = image(&[(0, &[1]), (MOST_GAP_BYTES + 2, &[2])]);
    assert!(write(&more, Format::Binary).is_err());
}

#[test]
fn intel_hex_is_written_as_everybody_writes_it() {
    let image = image(&[(0x0800_0000, &[1, 2, 3]), (0x0801_FFFF, &[4, 5])]);
    let expected = ":020000040800F2\n\
                    :03000000010203F7\n\
                    :020000040801F1\n\
                    :01FFFF0004FD\n\
                    :020000040802F0\n\
                    :0100000005FA\n\
                    :00000001FF\n";
    assert_eq!(
        String::from_utf8(write(&image, Format::IntelHex).unwrap()).unwrap(),
        expected
    );
}

#[test]
fn s_records_are_as_wide_as_they_must_be() {
    for (address, data_kind, end) in [
        (0xFFFF, "S1", "S9030000FC\n"),
        (0x1_0000, "S2", "S804000000FB\n"),
        (0xFF_FFFF, "S2", "S804000000FB\n"),
        (0x100_0000, "S3", "S70500000000FA\n"),
    ] {
        let file = write(&image(&[(address, &[7])]), Format::SRecord).unwrap();
        let file = String::from_utf8(file).unwrap();
        assert!(file.contains(&format!("\n{data_kind}")), "{file}");
        assert!(file.ends_with(end), "{file}");
        assert!(file.contains("S5030001FB\n"), "{file}");
    }
}

#[test]
fn uf2_is_written_with_the_wanted_or_the_own_family() {
    let options = WriteOptions {
        family: Some(0x5EE2_1072),
        ..WriteOptions::default()
    };
    let file = image(&[(0x0800_0080, &[1; 256])])
        .to_bytes(Format::Uf2, &options)
        .unwrap();
    assert_eq!(
        file.len(),
        1024,
        "two blocks: the loader's pages begin at multiples of 256"
    );
    let read = Image::parse(file, &ParseOptions::default()).unwrap();
    assert_eq!(read.families(), [0x5EE2_1072]);
    let again = Image::parse(write(&read, Format::Uf2).unwrap(), &ParseOptions::default()).unwrap();
    assert_eq!(again, read);
}

#[test]
fn addresses_beyond_32_bits_are_refused_where_the_format_has_none() {
    let image = image(&[(0xFFFF_FFFF, &[1, 2])]);
    for format in [
        Format::IntelHex,
        Format::SRecord,
        Format::Uf2,
        Format::DfuSe,
    ] {
        let expected = WriteError::Address {
            format,
            address: 0x1_0000_0000,
        };
        assert_eq!(write(&image, format), Err(expected));
    }
    assert_eq!(write(&image, Format::Binary).unwrap(), [1, 2]);
}

#[test]
fn elf_is_not_written() {
    let expected = WriteError::Format {
        format: Format::Elf,
    };
    assert_eq!(write(&image(&[(0, &[1])]), Format::Elf), Err(expected));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_the_same(
        pieces in prop::collection::vec(
            (0_u64..0xFFFF_0000, prop::collection::vec(any::<u8>(), 1..700)), 1..6,
        ),
        entry in prop::option::of(1_u32..),
    ) {
        let pieces = pieces.into_iter().map(|(address, data)| Segment { address, data }).collect();
        // Pieces that happen to overlap and to differ are no image.
        let Ok(plain) = Image::from_segments(Format::Binary, pieces) else { return Ok(()) };
        let with_entry = |format| {
            let mut file = plain.to_bytes(format, &WriteOptions::default()).unwrap();
            if let (Format::IntelHex, Some(entry)) = (format, entry) {
                let record = ihex::Record::StartLinearAddress(entry).to_record_string().unwrap();
                file.splice(0..0, format!("{record}\n").into_bytes());
            }
            Image::parse(file, &ParseOptions::default()).unwrap()
        };
        for format in [Format::IntelHex, Format::SRecord, Format::Uf2, Format::DfuSe] {
            let read = with_entry(format);
            prop_assert_eq!(read.format(), format);
            prop_assert_eq!(content(&read), content(&plain));
            let file = read.to_bytes(format, &WriteOptions::default()).unwrap();
            prop_assert_eq!(Image::parse(file, &ParseOptions::default()).unwrap(), read);
        }
    }
}
