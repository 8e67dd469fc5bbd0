//! UF2, rule by rule.

use flashwire_plan::image::{Format, Image, ImageError, Note, ParseOptions, Place};

use crate::{content, parse};

/// Families of the STM32F1 and F4 series, from the format's own list.
const STM32F1: u32 = 0x5EE2_1072;
const STM32F4: u32 = 0x5775_5A57;
const FAMILY_PRESENT: u32 = 0x2000;

/// One block, with its fields free to be wrong.
struct Block {
    flags: u32,
    address: u32,
    payload_bytes: u32,
    number: u32,
    count: u32,
    family: u32,
    fill: u8,
}

impl Block {
    fn new(number: u32, count: u32) -> Self {
        let address = 0x0800_0000 + number * 256;
        let fill = number as u8 + 1;
        Self {
            flags: FAMILY_PRESENT,
            address,
            payload_bytes: 256,
            number,
            count,
            family: STM32F1,
            fill,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let head = [
            0x0A32_4655,
            0x9E5D_5157,
            self.flags,
            self.address,
            self.payload_bytes,
            self.number,
            self.count,
            self.family,
        ];
        let mut bytes: Vec<u8> = head
            .iter()
            .flat_map(|word: &u32| word.to_le_bytes())
            .collect();
        bytes.resize(508, self.fill);
        bytes.extend(0x0AB1_6F30_u32.to_le_bytes());
        bytes
    }
}

fn file(blocks: &[Block]) -> Vec<u8> {
    blocks.iter().flat_map(Block::bytes).collect()
}

#[test]
fn blocks_become_an_image_with_its_family() {
    let image = parse(file(&[Block::new(0, 2), Block::new(1, 2)])).unwrap();
    assert_eq!(image.format(), Format::Uf2);
    assert_eq!(image.families(), [STM32F1]);
    assert_eq!(image.range(), 0x0800_0000..0x0800_0200);
    assert_eq!(image.segments()[0].data[255..257], [1, 2]);
}

#[test]
fn blocks_in_any_order_are_fine() {
    let image = parse(file(&[Block::new(1, 2), Block::new(0, 2)])).unwrap();
    assert_eq!(image.segments()[0].data[255..257], [1, 2]);
}

#[test]
fn a_file_without_a_family_is_for_any() {
    let block = Block {
        flags: 0,
        family: 512,
        ..Block::new(0, 1)
    };
    let options = ParseOptions {
        family: Some(STM32F4),
        ..ParseOptions::default()
    };
    let image = Image::parse(block.bytes(), &options).unwrap();
    assert!(image.families().is_empty());
}

#[test]
fn a_file_for_several_families_needs_a_choice() {
    let other = |number| Block {
        family: STM32F4,
        fill: 0x44,
        ..Block::new(number, 2)
    };
    let blocks = [Block::new(0, 1), other(0), other(1)];
    let families = vec![STM32F4, STM32F1];
    assert_eq!(
        parse(file(&blocks)),
        Err(ImageError::SeveralFamilies {
            families: families.clone()
        })
    );

    let choose = |family| {
        let options = ParseOptions {
            family: Some(family),
            ..ParseOptions::default()
        };
        Image::parse(file(&blocks), &options)
    };
    assert_eq!(
        content(&choose(STM32F1).unwrap()),
        [(0x0800_0000, &[1; 256][..])]
    );
    assert_eq!(
        content(&choose(STM32F4).unwrap()),
        [(0x0800_0000, &[0x44; 512][..])]
    );
    assert_eq!(
        choose(1),
        Err(ImageError::NotThisFamily {
            wanted: 1,
            families
        })
    );
}

#[test]
fn a_file_of_the_wrong_family_is_an_error_when_one_is_wanted() {
    let options = ParseOptions {
        family: Some(STM32F4),
        ..ParseOptions::default()
    };
    let expected = ImageError::NotThisFamily {
        wanted: STM32F4,
        families: vec![STM32F1],
    };
    assert_eq!(
        Image::parse(file(&[Block::new(0, 1)]), &options),
        Err(expected)
    );
}

#[test]
fn blocks_not_for_the_main_flash_are_left_out_and_noted() {
    let mut second = Block::new(1, 2);
    second.flags |= 1;
    let image = parse(file(&[Block::new(0, 2), second])).unwrap();
    assert_eq!(content(&image), [(0x0800_0000, &[1; 256][..])]);
    assert_eq!(image.notes(), [Note::NotMainFlash { blocks: 1 }]);
}

#[test]
fn a_file_with_only_such_blocks_holds_no_data() {
    let block = Block {
        flags: 1,
        ..Block::new(0, 1)
    };
    assert_eq!(
        parse(block.bytes()),
        Err(ImageError::NoData {
            format: Format::Uf2
        })
    );
}

#[test]
fn a_file_cut_short_inside_a_block_says_where() {
    let bytes = file(&[Block::new(0, 2), Block::new(1, 2)]);
    let expected = ImageError::Truncated {
        offset: 512,
        what: "a UF2 block",
        needed: 512,
        left: 100,
    };
    assert_eq!(parse(&bytes[..612]), Err(expected));
}

#[test]
fn a_file_cut_short_between_blocks_says_which_is_missing() {
    let bytes = file(&[Block::new(0, 3), Block::new(2, 3)]);
    assert_eq!(
        parse(bytes),
        Err(ImageError::MissingBlocks {
            said: 3,
            found: 2,
            missing: 1
        })
    );
    let bytes = file(&[Block::new(0, 2)]);
    assert_eq!(
        parse(bytes),
        Err(ImageError::MissingBlocks {
            said: 2,
            found: 1,
            missing: 1
        })
    );
}

#[test]
fn a_block_number_twice_is_an_error() {
    let again = Block {
        number: 0,
        ..Block::new(1, 2)
    };
    let error = parse(file(&[Block::new(0, 2), again])).unwrap_err();
    assert!(
        matches!(
            error,
            ImageError::BadField {
                offset: 532,
                found: 0,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_block_number_beyond_the_count_is_an_error() {
    let error = parse(Block::new(1, 1).bytes()).unwrap_err();
    assert!(
        matches!(
            error,
            ImageError::BadField {
                offset: 20,
                found: 1,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn blocks_that_disagree_about_their_count_are_an_error() {
    let error = parse(file(&[Block::new(0, 2), Block::new(1, 3)])).unwrap_err();
    let expected = ImageError::WrongField {
        offset: 536,
        what: "the number of blocks",
        found: 3,
        expected: 2,
    };
    assert_eq!(error, expected);
}

#[test]
fn every_magic_number_of_every_block_counts() {
    for at in [512, 516, 1020] {
        let mut bytes = file(&[Block::new(0, 2), Block::new(1, 2)]);
        bytes[at] ^= 1;
        let error = parse(&bytes).unwrap_err();
        assert!(
            matches!(error, ImageError::WrongField { offset, .. } if offset == at as u64),
            "{error:?}"
        );
    }
}

#[test]
fn a_payload_of_nothing_or_more_than_fits_is_an_error() {
    for payload_bytes in [0, 477, u32::MAX] {
        let error = parse(
            Block {
                payload_bytes,
                ..Block::new(0, 1)
            }
            .bytes(),
        )
        .unwrap_err();
        assert!(
            matches!(error, ImageError::BadField { offset: 16, .. }),
            "{error:?}"
        );
    }
    assert_eq!(
        parse(
            Block {
                payload_bytes: 476,
                ..Block::new(0, 1)
            }
            .bytes()
        )
        .unwrap()
        .total_bytes(),
        476
    );
}

#[test]
fn a_file_container_is_an_error() {
    let error = parse(
        Block {
            flags: 0x1000,
            ..Block::new(0, 1)
        }
        .bytes(),
    )
    .unwrap_err();
    assert!(
        matches!(error, ImageError::BadField { offset: 8, .. }),
        "{error:?}"
    );
}

#[test]
fn a_block_past_4_gib_is_an_error() {
    let block = Block {
        address: 0xFFFF_FF80,
        ..Block::new(0, 1)
    };
    let expected = ImageError::AddressOverflow {
        place: Place::Offset(0),
        address: 0xFFFF_FF80,
        bytes: 256,
    };
    assert_eq!(parse(block.bytes()), Err(expected));
}

#[test]
fn blocks_that_overlap_and_differ_are_an_error() {
    let second = Block {
        address: 0x0800_0080,
        ..Block::new(1, 2)
    };
    let expected = ImageError::Overlap {
        place: Place::Offset(512),
        earlier: Place::Offset(0),
        address: 0x0800_0080,
    };
    assert_eq!(parse(file(&[Block::new(0, 2), second])), Err(expected));
}
