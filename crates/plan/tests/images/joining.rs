//! Placing raw binaries, joining segments, merging images.

use flashwire_plan::image::{Format, Image, ImageError, Note, ParseOptions, Place, Segment};

use crate::content;

const HEX: &str = ":020000040800F2\n:0100000001FE\n:00000001FF\n";

fn segment(address: u64, data: &[u8]) -> Segment {
    Segment {
        address,
        data: data.to_vec(),
    }
}

fn image(segments: &[(u64, &[u8])]) -> Image {
    let segments = segments
        .iter()
        .map(|(address, data)| segment(*address, data))
        .collect();
    Image::from_segments(Format::IntelHex, segments).unwrap()
}

fn parse_at(bytes: &[u8], address: u64) -> Result<Image, ImageError> {
    let options = ParseOptions {
        address: Some(address),
        ..ParseOptions::default()
    };
    Image::parse(bytes, &options)
}

#[test]
fn a_binary_goes_where_the_caller_says() {
    let image = parse_at(&[1, 2, 3], 0x0800_1000).unwrap();
    assert!(image.is_placed());
    assert_eq!(content(&image), [(0x0800_1000, &[1, 2, 3][..])]);
}

#[test]
fn a_binary_without_an_address_can_be_placed_once() {
    let image = Image::parse(vec![1, 2, 3], &ParseOptions::default()).unwrap();
    assert!(!image.is_placed());
    let placed = image.place(0x0800_0000).unwrap();
    assert!(placed.is_placed());
    assert_eq!(content(&placed), [(0x0800_0000, &[1, 2, 3][..])]);
    assert_eq!(placed.clone().place(0x100).unwrap(), placed);
}

#[test]
fn a_clone_stays_where_it_is_when_the_other_is_placed() {
    let image = Image::from_binary(vec![1], None).unwrap();
    let placed = image.clone().place(16).unwrap();
    assert_eq!((image.range(), placed.range()), (0..1, 16..17));
}

#[test]
fn a_binary_that_would_leave_the_address_space_is_refused() {
    let error = ImageError::AddressOverflow {
        place: Place::Offset(0),
        address: u64::MAX - 1,
        bytes: 2,
    };
    assert_eq!(parse_at(&[1, 2], u64::MAX - 1), Err(error.clone()));
    let unplaced = Image::from_binary(vec![1, 2], None).unwrap();
    assert_eq!(unplaced.place(u64::MAX - 1), Err(error));
}

#[test]
fn an_address_for_a_file_with_addresses_is_refused_unless_it_is_the_files_own() {
    let expected = ImageError::HasAddresses {
        format: Format::IntelHex,
        own: 0x0800_0000,
        given: 0x0800_4000,
    };
    assert_eq!(parse_at(HEX.as_bytes(), 0x0800_4000), Err(expected));
    assert_eq!(
        parse_at(HEX.as_bytes(), 0x0800_0000).unwrap().total_bytes(),
        1
    );
}

#[test]
fn segments_are_sorted_joined_and_rid_of_empty_ones() {
    let image = image(&[(10, &[3]), (5, &[]), (8, &[1, 2]), (20, &[4])]);
    assert_eq!(content(&image), [(8, &[1, 2, 3][..]), (20, &[4][..])]);
    assert_eq!(image.range(), 8..21);
    assert_eq!(image.total_bytes(), 4);
}

#[test]
fn a_segment_inside_another_must_agree_with_it() {
    let image = image(&[(0, &[1, 2, 3, 4]), (1, &[2, 3]), (4, &[5])]);
    assert_eq!(content(&image), [(0, &[1, 2, 3, 4, 5][..])]);
    assert_eq!(image.notes(), [Note::Repeated { bytes: 2 }]);

    let segments = vec![segment(0, &[1, 2, 3, 4]), segment(1, &[2, 9])];
    let expected = ImageError::Overlap {
        place: Place::Segment(1),
        earlier: Place::Segment(0),
        address: 2,
    };
    assert_eq!(
        Image::from_segments(Format::Binary, segments),
        Err(expected)
    );
}

#[test]
fn a_slice_is_given_only_where_one_segment_has_all_of_it() {
    let image = image(&[(8, &[1, 2, 3]), (20, &[4])]);
    assert_eq!(image.slice(&(9..11)), Some(&[2, 3][..]));
    assert_eq!(image.slice(&(20..21)), Some(&[4][..]));
    for missing in [7..9, 10..12, 11..12, 19..21, 20..22, 30..31] {
        assert_eq!(image.slice(&missing), None, "{missing:?}");
    }
}

#[test]
fn merging_keeps_everything_and_the_first_entry() {
    let boot = Image::parse(
        ":020000040800F2\n:0100000001FE\n:040000050800010DE1\n:00000001FF\n".as_bytes(),
        &ParseOptions::default(),
    )
    .unwrap();
    let app = image(&[(0x0800_4000, &[7, 8])]);
    let merged = Image::merge(&[app, boot]).unwrap();
    assert_eq!(
        content(&merged),
        [(0x0800_0000, &[1][..]), (0x0800_4000, &[7, 8][..])]
    );
    assert_eq!(merged.entry(), Some(0x0800_010D));
}

#[test]
fn merging_images_that_contradict_each_other_names_both() {
    let images = [
        image(&[(0, &[1, 2])]),
        image(&[(8, &[1])]),
        image(&[(1, &[3])]),
    ];
    let expected = ImageError::Overlap {
        place: Place::Image(2),
        earlier: Place::Image(0),
        address: 1,
    };
    assert_eq!(Image::merge(&images), Err(expected));
}

#[test]
fn merging_a_binary_without_an_address_is_refused() {
    let images = [
        image(&[(0, &[1])]),
        Image::from_binary(vec![1], None).unwrap(),
    ];
    let expected = ImageError::NoAddress {
        place: Place::Image(1),
    };
    assert_eq!(Image::merge(&images), Err(expected));
}
