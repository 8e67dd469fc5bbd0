//! What is in the files of the rows, and what they leave in a flash.

use flashwire_tests::board::{self, Board};
use flashwire_tests::faces::File;

pub(crate) const IMAGE: File = ("image.bin", board::image);

/// The image as Intel HEX, from `address` on.
fn hex(address: u32, data: &[u8]) -> Vec<u8> {
    let record = |fields: &[u8]| {
        let sum = fields
            .iter()
            .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        let bytes = fields.iter().copied().chain([sum.wrapping_neg()]);
        let digits: String = bytes.map(|byte| format!("{byte:02X}")).collect();
        format!(":{digits}\n")
    };
    let high = |address: u32| record(&[2, 0, 0, 4, (address >> 24) as u8, (address >> 16) as u8]);
    let mut text = high(address);
    for (at, line) in (address..).step_by(16).zip(data.chunks(16)) {
        if at != address && at & 0xFFFF == 0 {
            text += &high(at);
        }
        let mut fields = vec![line.len() as u8, (at >> 8) as u8, at as u8, 0];
        fields.extend(line);
        text += &record(&fields);
    }
    (text + ":00000001FF\n").into_bytes()
}

pub(crate) fn hex_image() -> Vec<u8> {
    hex(0x0800_0000, &board::image())
}

pub(crate) fn hex_elsewhere() -> Vec<u8> {
    hex(0x0800_2000, &board::image())
}

/// A hex file with a digit that was hurt on the way.
pub(crate) fn hex_broken() -> Vec<u8> {
    let mut text = hex_image();
    let digit = &mut text[100];
    *digit = if *digit == b'0' { b'1' } else { b'0' };
    text
}

/// The same as an S-record file: 32-bit addresses, no header.
pub(crate) fn srec_image() -> Vec<u8> {
    let mut text = String::new();
    for (at, line) in (0x0800_0000_u32..)
        .step_by(32)
        .zip(board::image().chunks(32))
    {
        let mut fields = vec![line.len() as u8 + 5];
        fields.extend(at.to_be_bytes());
        fields.extend(line);
        let sum = fields
            .iter()
            .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        fields.push(!sum);
        let digits: String = fields.iter().map(|byte| format!("{byte:02X}")).collect();
        text += &format!("S3{digits}\n");
    }
    (text + "S70500000000FA\n").into_bytes()
}

pub(crate) fn whole_flash() -> Vec<u8> {
    flashwire_tests::bench::noise(128 << 10, 7)
}

pub(crate) fn too_long() -> Vec<u8> {
    flashwire_tests::bench::noise((128 << 10) + 4, 7)
}

/// The image from page 4 of an F103 on, whose pages up to its end were erased.
pub(crate) fn at_page_4(board: &Board) -> Vec<u8> {
    let mut content = board.old_content();
    let end = 0x1000 + board::image().len();
    content.resize(content.len().max(end.next_multiple_of(1024)), board.erased);
    content[0x1000..end.next_multiple_of(1024)].fill(board.erased);
    content[0x1000..end].copy_from_slice(&board::image());
    content
}

/// Two pieces of the image, in pages 0 and 4 of an F103.
pub(crate) fn hex_with_gap() -> Vec<u8> {
    let mut text = hex(0x0800_0000, &board::image()[..512]);
    text.truncate(text.len() - ":00000001FF\n".len());
    text.extend(hex(0x0800_1000, &board::image()[..512]));
    text
}

pub(crate) fn around_the_gap(board: &Board) -> Vec<u8> {
    let mut content = board.old_content();
    for page in [0, 0x1000] {
        content[page..page + 1024].fill(board.erased);
        content[page..page + 512].copy_from_slice(&board::image()[..512]);
    }
    content
}

/// The image from 0x104 on, and everything else as it was.
pub(crate) fn in_the_middle(board: &Board) -> Vec<u8> {
    let mut content = board.old_content();
    content[0x104..0x104 + board::image().len()].copy_from_slice(&board::image());
    content
}
