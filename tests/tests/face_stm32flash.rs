//! `flashwire stm32flash` beside stm32flash 0.7 (Debian): each row is done by both on equal boards.
//!
//! `docs/stm32flash.md` names the row of every option.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;

use flashwire_tests::board::{self, Board, F407, G071, L152};
use flashwire_tests::faces::{Difference, File, Job, Row, Run, STM32FLASH, check_all};
use flashwire_tests::judge;
use flashwire_tests::served::Guard;

const IMAGE: File = ("image.bin", board::image);

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

fn hex_image() -> Vec<u8> {
    hex(0x0800_0000, &board::image())
}

fn hex_elsewhere() -> Vec<u8> {
    hex(0x0800_2000, &board::image())
}

/// A hex file with a digit that was hurt on the way.
fn hex_broken() -> Vec<u8> {
    let mut text = hex_image();
    let digit = &mut text[100];
    *digit = if *digit == b'0' { b'1' } else { b'0' };
    text
}

/// The same as an S-record file: 32-bit addresses, no header.
fn srec_image() -> Vec<u8> {
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

fn whole_flash() -> Vec<u8> {
    flashwire_tests::bench::noise(128 << 10, 7)
}

fn too_long() -> Vec<u8> {
    flashwire_tests::bench::noise((128 << 10) + 4, 7)
}

/// The image from page 4 of an F103 on, whose pages up to its end were erased.
fn at_page_4(board: &Board) -> Vec<u8> {
    let mut content = board.old_content();
    let end = 0x1000 + board::image().len();
    content.resize(content.len().max(end.next_multiple_of(1024)), board.erased);
    content[0x1000..end.next_multiple_of(1024)].fill(board.erased);
    content[0x1000..end].copy_from_slice(&board::image());
    content
}

/// Two pieces of the image, in pages 0 and 4 of an F103.
fn hex_with_gap() -> Vec<u8> {
    let mut text = hex(0x0800_0000, &board::image()[..512]);
    text.truncate(text.len() - ":00000001FF\n".len());
    text.extend(hex(0x0800_1000, &board::image()[..512]));
    text
}

fn around_the_gap(board: &Board) -> Vec<u8> {
    let mut content = board.old_content();
    for page in [0, 0x1000] {
        content[page..page + 1024].fill(board.erased);
        content[page..page + 512].copy_from_slice(&board::image()[..512]);
    }
    content
}

/// The image from 0x104 on, and everything else as it was.
fn in_the_middle(board: &Board) -> Vec<u8> {
    let mut content = board.old_content();
    content[0x104..0x104 + board::image().len()].copy_from_slice(&board::image());
    content
}

const WRITING: &[Row] = &[
    Row {
        name: "write, verify and start",
        files: &[IMAGE],
        runs: &[Run::both("-b 115200 -w image.bin -v -g 0x0 port", 0)],
        both_say: &[
            "Device ID    : 0x0410 (",
            "Wrote and verified address 0x08001388 (100.00%) Done.",
            "Starting execution at address 0x08000000... done.",
        ],
        ..Row::ON_F103
    },
    Row {
        name: "write without verifying",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -w image.bin port", 0)],
        both_say: &["Wrote address 0x08001388 (100.00%) Done."],
        ..Row::ON_F103
    },
    Row {
        name: "write an F4",
        board: F407,
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -w image.bin -v port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "write a G0",
        board: G071,
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -w image.bin -v port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "write an L1",
        board: L152,
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -w image.bin -v port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "write the whole flash",
        files: &[("all.bin", whole_flash)],
        runs: &[Run::both("-b230400 -w all.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "write Intel HEX",
        files: &[("image.hex", hex_elsewhere)],
        runs: &[Run::both("-b230400 -v -w image.hex port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "-S moves Intel HEX",
        files: &[("image.hex", hex_elsewhere)],
        runs: &[Run::both("-b230400 -S 0x08004000 -w image.hex port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "-f takes Intel HEX for binary",
        files: &[("image.hex", hex_image)],
        runs: &[Run::both("-b230400 -f -w image.hex port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "-S says where",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -S 0x08001000 -w image.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "the length of -S cuts the file",
        files: &[IMAGE],
        runs: &[Run::both(
            "-b230400 -S 0x08001000:1024 -w image.bin port",
            0,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "the length of -S is erased",
        files: &[IMAGE],
        runs: &[Run::both(
            "-b230400 -S 0x08001000:8192 -w image.bin port",
            0,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "-e names fewer pages than the file has",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -e 2 -w image.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "-e names more pages than the file has",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -e 9 -w image.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "-e 0 writes what is erased",
        before: Board::blank,
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -e 0 -w image.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "-e 0 with -S",
        before: Board::blank,
        files: &[IMAGE],
        runs: &[Run::both(
            "-b230400 -e 0 -S 0x08001000 -w image.bin port",
            0,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "-e 0 fails on what is not erased",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -e 0 -w image.bin port", 1)],
        ..Row::ON_F103
    },
    Row {
        name: "write standard input",
        runs: &[Run::both("-b230400 -v -w - port", 0).fed(board::image)],
        ..Row::ON_F103
    },
    Row {
        name: "standard input is binary",
        runs: &[Run::both("-b230400 -w - port", 0).fed(hex_image)],
        ..Row::ON_F103
    },
    Row {
        name: "write standard input from a page on",
        runs: &[Run::both("-b230400 -s 4 -w - port", 0).fed(board::image)],
        ..Row::ON_F103
    },
    Row {
        name: "write standard input into so many pages",
        runs: &[Run::both("-b230400 -s 4 -e 9 -w - port", 0).fed(board::image)],
        ..Row::ON_F103
    },
    Row {
        name: "write standard input from an address on",
        runs: &[Run::both("-b230400 -S 0x08001000 -w - port", 0).fed(board::image)],
        ..Row::ON_F103
    },
    Row {
        name: "write so much of standard input",
        runs: &[Run::both("-b230400 -S 0x08001000:2048 -w - port", 0).fed(board::image)],
        ..Row::ON_F103
    },
    Row {
        name: "write RAM and start it",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -v -S 0x20000200 -w image.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "frames are short",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -F 40:46 -v -w image.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "frames are longer than there are",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -F 300:300 -v -w image.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "retries are not needed",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -n 0 -v -w image.bin port", 0)],
        ..Row::ON_F103
    },
];

/// Where the original does harm in silence.
const REFUSALS: &[Row] = &[
    Row {
        name: "a file that does not fit",
        files: &[("long.bin", too_long)],
        runs: &[Run::apart("-b230400 -w long.bin port", 0, 1)],
        differs: Some(Difference {
            why: "the original writes what fits and says it is done",
            ours_says: "error[out-of-range]",
            ours_leaves: Board::old_content,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "Intel HEX with a wrong checksum",
        files: &[("image.hex", hex_broken)],
        runs: &[Run::apart("-b230400 -w image.hex port", 0, 1)],
        differs: Some(Difference {
            why: "the original writes the text of the file",
            ours_says: "checksum",
            ours_leaves: Board::old_content,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "a start in the middle of a page",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -v -S 0x08000104 -w image.bin port", 0)],
        differs: Some(Difference {
            why: "the original loses what is in the page before the start, and behind the end",
            ours_says: "Done.",
            ours_leaves: in_the_middle,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "Intel HEX with a gap",
        files: &[("gap.hex", hex_with_gap)],
        runs: &[Run::both("-b230400 -v -w gap.hex port", 0)],
        differs: Some(Difference {
            why: "the original erases the pages of the gap as well",
            ours_says: "Done.",
            ours_leaves: around_the_gap,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "a part smaller than its product id",
        board: F103C8,
        before: Board::blank,
        files: &[("out.bin", Vec::new)],
        runs: &[Run::apart("-b230400 -r out.bin port", 1, 0)],
        differs: Some(Difference {
            why: "the original reads on behind the end of the flash, and fails there",
            ours_says: "Read address 0x08010000 (100.00%) Done.",
            ours_leaves: Board::blank,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "a checksum that the chip computes",
        board: G0B1,
        before: Board::blank,
        runs: &[Run::apart("-b115200 -C port", 1, 0)],
        differs: Some(Difference {
            why: "the original leaves out what a UART has to be told: polynomial and initial value",
            ours_says: "CRC(0x08000000-0x08080000) = 0x",
            ours_leaves: Board::blank,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "a byte that is hurt on its way to the chip",
        keys: ",faults=flip@3000:out",
        may_complain: &["with a wrong check"],
        files: &[IMAGE],
        runs: &[Run::apart("-b230400 -v -w image.bin port", 1, 0)],
        differs: Some(Difference {
            why: "the original gives up when the loader refuses a block",
            ours_says: "Done.",
            ours_leaves: Board::touched_content,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "frames that hold no whole program units",
        board: G071,
        files: &[IMAGE],
        runs: &[Run::apart("-b230400 -F 254:254 -v -w image.bin port", 1, 0)],
        differs: Some(Difference {
            why: "the original sends 252 bytes, and the chip drops what does not fill 8",
            ours_says: "Done.",
            ours_leaves: Board::touched_content,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "too much on standard input for the pages of -e",
        runs: &[Run::apart("-b230400 -e 2 -w - port", 0, 1).fed(board::image)],
        differs: Some(Difference {
            why: "the original writes what fits and says it is done",
            ours_says: "more than the pages of -e",
            ours_leaves: Board::old_content,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "an S-record file",
        files: &[("image.srec", srec_image)],
        runs: &[Run::both("-b230400 -v -w image.srec port", 0)],
        differs: Some(Difference {
            why: "the original writes the text of the file",
            ours_says: "Wrote and verified address 0x08001388 (100.00%) Done.",
            ours_leaves: Board::touched_content,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "-s with a file",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -s 4 -w image.bin port", 0)],
        differs: Some(Difference {
            why: "the original writes to the start of the flash, whatever -s says",
            ours_says: "Done.",
            ours_leaves: at_page_4,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "-o with -e 0",
        runs: &[Run::apart("-b230400 -o -e 0 port", 0, 1)],
        differs: Some(Difference {
            why: "the original erases the whole flash",
            ours_says: "-o and -e 0",
            ours_leaves: Board::old_content,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "a number that is none",
        before: Board::blank,
        files: &[IMAGE],
        runs: &[Run::apart("-b230400 -e all -w image.bin port", 0, 1)],
        differs: Some(Difference {
            why: "the original takes it for 0, and so does not erase",
            ours_says: "-e all",
            ours_leaves: Board::blank,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "-g to where nothing is",
        runs: &[Run::apart("-b230400 -g 0x08100000 port", 0, 1)],
        differs: Some(Difference {
            why: "the original says that it failed, and ends with 0",
            ours_says: "failed.",
            ours_leaves: Board::old_content,
        }),
        ..Row::ON_F103
    },
];

const READING: &[Row] = &[
    Row {
        name: "look",
        runs: &[Run::both("-b 115200 port", 0)],
        both_say: &["Version      : 0x22", "Device ID    : 0x0410 ("],
        ..Row::ON_F103
    },
    Row {
        name: "the speed by default",
        runs: &[Run::both("port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "the speed that the port has",
        runs: &[
            Run::script("stty -F port 38400 parenb"),
            Run::both("-b 0 -S 0x08000000:4 -r out.bin port", 0),
        ],
        ..Row::ON_F103
    },
    Row {
        name: "read everything",
        before: Board::fresh_content,
        runs: &[Run::both("-b230400 -r out.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "read a range",
        before: Board::fresh_content,
        runs: &[Run::both("-b115200 -S 0x08000010:5001 -r out.bin port", 0)],
        both_say: &["Read address 0x08001399 (100.00%) Done."],
        ..Row::ON_F103
    },
    Row {
        name: "read to the end",
        runs: &[Run::both("-b115200 -S 0x0801FFF0:100 -r out.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "read pages",
        runs: &[Run::both("-b115200 -s 4 -e 2 -r out.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "read from a page on",
        runs: &[Run::both("-b115200 -s 126 -r out.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "read to standard output",
        before: Board::fresh_content,
        runs: &[Run::both("-b115200 -S 0x08000010:100 -r - port", 0)],
        prints_data: true,
        ..Row::ON_F103
    },
    Row {
        name: "read option bytes",
        runs: &[Run::both("-b115200 -S 0x1FFFF800 -r out.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "read system memory",
        runs: &[Run::both("-b115200 -S 0x1FFFF7E0:4 -r out.bin port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "read what is not there",
        files: &[("out.bin", Vec::new)],
        runs: &[Run::both("-b115200 -S 0x40000000 -r out.bin port", 1)],
        ..Row::ON_F103
    },
    Row {
        name: "read where pages end",
        files: &[("out.bin", Vec::new)],
        runs: &[Run::both("-b115200 -s 200 -r out.bin port", 1)],
        ..Row::ON_F103
    },
    Row {
        name: "checksum of everything",
        runs: &[Run::both("-b230400 -C port", 0)],
        both_say: &["CRC(0x08000000-0x08020000) = 0x"],
        ..Row::ON_F103
    },
    Row {
        name: "checksum of pages",
        before: Board::fresh_content,
        runs: &[Run::both("-b115200 -C -s 4 -e 2 port", 0)],
        both_say: &["CRC(0x08001000-0x08001800) = 0x"],
        ..Row::ON_F103
    },
    Row {
        name: "checksum of no words",
        runs: &[
            Run::both("-b115200 -C -S 0x08000000:6 port", 1),
            Run::both("-b115200 -C -S 0x08000002:8 port", 1),
        ],
        ..Row::ON_F103
    },
    Row {
        name: "-m without parity",
        runs: &[Run::both("-b115200 -m 8n1 port", 1)],
        ..Row::ON_F103
    },
    Row {
        name: "-m in capitals",
        runs: &[Run::both("-b115200 -m 8E1 port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "-c resumes",
        runs: &[
            Run::both("-b 115200 port", 0),
            Run::both("-b 115200 -c -S 0x08000000:4 -r out.bin port", 0),
        ],
        ..Row::ON_F103
    },
    Row {
        name: "-c without a beginning",
        runs: &[Run::both("-b 115200 -c port", 1)],
        ..Row::ON_F103
    },
];

const ERASING: &[Row] = &[
    Row {
        name: "erase everything",
        runs: &[Run::both("-b115200 -o port", 0)],
        both_say: &["Erasing flash"],
        ..Row::ON_F103
    },
    Row {
        name: "erase an L1, which cannot do it at once",
        board: L152,
        runs: &[Run::both("-b115200 -o port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "erase pages",
        runs: &[Run::both("-b115200 -o -s 2 -e 3 port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "erase sectors of an F4",
        board: F407,
        runs: &[Run::both("-b115200 -o -s 1 -e 2 port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "erase from a page on",
        runs: &[Run::both("-b115200 -o -s 5 port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "erase more pages than there are",
        runs: &[Run::both("-b115200 -o -e 300 port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "erase beyond the end",
        runs: &[Run::both("-b115200 -o -s 120 -e 20 port", 1)],
        ..Row::ON_F103
    },
    Row {
        name: "erase a range",
        runs: &[Run::both("-b115200 -o -S 0x08000400:2048 port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "erase half a page",
        runs: &[Run::both("-b115200 -o -S 0x08000400:2000 port", 1)],
        ..Row::ON_F103
    },
    Row {
        name: "erase from an address on",
        runs: &[Run::both("-b115200 -o -S 0x08000400 port", 0)],
        ..Row::ON_F103
    },
];

const PROTECTING: &[Row] = &[
    Row {
        name: "protect against reading",
        runs: &[
            Run::both("-b115200 -j port", 0),
            Run::both("-b115200 -r out.bin -S 0x08000000:4 port", 1),
        ],
        both_say: &["Read-Protecting flash", "Done."],
        resets_itself: true,
        files: &[("out.bin", Vec::new)],
        ..Row::ON_F103
    },
    Row {
        name: "remove the read protection",
        guard: Guard::Reading,
        runs: &[Run::both("-b115200 -k port", 0)],
        both_say: &["Read-UnProtecting flash", "Done."],
        resets_itself: true,
        ..Row::ON_F103
    },
    Row {
        name: "remove the write protection",
        guard: Guard::Writing(&[0, 1]),
        runs: &[Run::both("-b115200 -u port", 0)],
        both_say: &["Write-unprotecting flash", "Done."],
        resets_itself: true,
        ..Row::ON_F103
    },
    Row {
        name: "write what is protected against reading",
        guard: Guard::Reading,
        files: &[IMAGE],
        runs: &[Run::both("-b115200 -w image.bin port", 1)],
        ..Row::ON_F103
    },
    Row {
        name: "write what is protected against writing",
        guard: Guard::Writing(&[0]),
        files: &[IMAGE],
        runs: &[Run::apart("-b115200 -w image.bin port", 0, 1)],
        differs: Some(Difference {
            why: "the original is told that it was written, and believes it",
            ours_says: "error[write-protected]",
            ours_leaves: Board::old_content,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "erase what is protected against writing",
        guard: Guard::Writing(&[0]),
        runs: &[Run::apart("-b115200 -o -e 4 port", 0, 1)],
        differs: Some(Difference {
            why: "the original is told that it was erased, and believes it",
            ours_says: "error[write-protected]",
            ours_leaves: Board::old_content,
        }),
        ..Row::ON_F103
    },
];

const STARTING: &[Row] = &[
    Row {
        name: "start the flash",
        before: Board::fresh_content,
        runs: &[Run::both("-b115200 -g 0 port", 0)],
        both_say: &["Starting execution at address 0x08000000... done."],
        ..Row::ON_F103
    },
    Row {
        name: "start an address",
        before: Board::fresh_content,
        runs: &[Run::both("-b115200 -g 0x08000000 port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "reset at the end",
        before: Board::fresh_content,
        runs: &[Run::both("-b115200 -R port", 0)],
        both_say: &["Resetting device...", "Reset done."],
        ..Row::ON_F103
    },
    Row {
        name: "start and reset",
        before: Board::fresh_content,
        runs: &[Run::both("-b115200 -R -g 0 port", 0)],
        ..Row::ON_F103
    },
];

/// A board whose lines reach the pins; nobody presses a button.
const WIRED: &str = ",wiring=dtr-nrst+rts-boot0,button=none";

const LINES: &[Row] = &[
    Row {
        name: "lines lead into the loader and out of it",
        keys: WIRED,
        files: &[IMAGE],
        runs: &[Run::both(
            "-b115200 -i -rts&dtr,-dtr,:rts&dtr,-dtr -v -w image.bin port",
            0,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "lines lead out after a start",
        keys: WIRED,
        before: Board::fresh_content,
        runs: &[Run::both(
            "-b115200 -i -rts&dtr,-dtr,:rts&dtr,-dtr -g 0 port",
            0,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "lines reset instead of the loader",
        keys: WIRED,
        before: Board::fresh_content,
        runs: &[Run::both(
            "-b115200 -R -i -rts&dtr,-dtr,:rts&dtr,-dtr port",
            0,
        )],
        both_say: &["Reset done."],
        ..Row::ON_F103
    },
    Row {
        name: "lines are left as they are wanted when nothing answers",
        keys: WIRED,
        before: Board::fresh_content,
        runs: &[Run::both("-b115200 -i rts&dtr,:-dtr port", 1)],
        ..Row::ON_F103
    },
    Row {
        name: "lines do not lead into a loader that is resumed",
        keys: ",wiring=rts-nrst,button=none",
        before: Board::fresh_content,
        runs: &[
            Run::both("-b115200 -i -rts, port", 0),
            Run::both("-b115200 -c -i -rts, port", 1),
        ],
        ..Row::ON_F103
    },
    Row {
        name: "GPIO lines lead into the loader and out of it",
        keys: ",boot0=low,wiring=gpio17-nrst+gpio18-boot0,button=none",
        gpio: true,
        before: Board::fresh_content,
        runs: &[Run::both(
            "-b115200 -i 530,-529,529,:-530,-529,529 -S 0x08000000:4 -r out.bin port",
            0,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "a break",
        keys: ",wiring=brk-nrst,button=none",
        runs: &[Run::both("-b115200 -i brk, port", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "a word that is no line",
        runs: &[Run::both("-b115200 -i rtsx port", 1)],
        ..Row::ON_F103
    },
];

const I2C: &[Row] = &[
    Row {
        name: "look on an I2C bus",
        board: H743,
        keys: ",bus=i2c",
        runs: &[Run::both("-a 0x4E /dev/i2c-1", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "write on an I2C bus",
        board: G071,
        keys: ",bus=i2c",
        files: &[IMAGE],
        runs: &[Run::both("-a 0x51 -v -w image.bin /dev/i2c-1", 0)],
        ..Row::ON_F103
    },
    Row {
        name: "a file that does not end with a whole program unit",
        board: H743,
        keys: ",bus=i2c",
        before: Board::blank,
        files: &[IMAGE],
        runs: &[Run::apart("-a 0x4E -v -w image.bin /dev/i2c-1", 1, 0)],
        differs: Some(Difference {
            why: "the original fills up words; the chip drops what does not fill its 32 bytes",
            ours_says: "Wrote and verified address 0x080013a0 (100.00%) Done.",
            ours_leaves: Board::fresh_content,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "read on an I2C bus",
        board: H743,
        keys: ",bus=i2c",
        runs: &[Run::both(
            "-a 0x4E -S 0x08000000:1000 -r out.bin /dev/i2c-1",
            0,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "nobody on an I2C bus",
        board: H743,
        keys: ",bus=i2c",
        runs: &[Run::both("-a 0x39 /dev/i2c-1", 1)],
        ..Row::ON_F103
    },
];

/// STM32H743ZI: 16 sectors of 128 KiB in two banks (RM0433, section 4.3.5, table 15).
const H743: Board = Board {
    bench: "stm32h743zi,flash-percent=10",
    family: None,
    unit_bytes: 128 << 10,
    flash_bytes: 2 << 20,
    erased: 0xFF,
};

/// STM32G0B1RE: 256 pages of 2 KiB (RM0444, section 3.3.1, table 10). Its loader has Get Checksum.
const G0B1: Board = Board {
    bench: "stm32g0b1re,flash-percent=10",
    family: Some("G0"),
    unit_bytes: 2048,
    flash_bytes: 512 << 10,
    erased: 0xFF,
};

/// STM32F103C8: half of what its product id stands for (DS5319, table 2).
const F103C8: Board = Board {
    bench: "stm32f103c8,flash-percent=10",
    family: Some("F1"),
    unit_bytes: 1024,
    flash_bytes: 64 << 10,
    erased: 0xFF,
};

/// Scripts as people have them around the original.
const SCRIPTS: &[Row] = &[
    Row {
        name: "a flash target",
        files: &[("app.hex", hex_image)],
        runs: &[Run::script(
            r#"set -e
            PORT=${PORT:-port} BAUD=${BAUD:-230400}
            test -e "$PORT"
            stm32flash -b "$BAUD" -w app.hex -v -g 0x0 "$PORT""#,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "a line of boards",
        keys: WIRED,
        files: &[IMAGE],
        runs: &[Run::script(
            r#"for serial in 1 2 3; do
                if stm32flash -b 115200 -i '-rts&dtr,-dtr,:rts&dtr,-dtr' -R -v -w image.bin port \
                    | grep -q 'Wrote and verified address 0x08001388 (100.00%) Done.'
                then echo "$serial pass" >> tested
                else echo "$serial FAIL" >> tested
                fi
            done"#,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "unlock, then write",
        guard: Guard::Reading,
        files: &[IMAGE],
        runs: &[Run::script(
            "stm32flash -b 115200 -w image.bin port > /dev/null 2>&1 || {
                stm32flash -b 115200 -k port && sleep 1 &&
                stm32flash -b 115200 -v -w image.bin -g 0 port
            }",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "which chip is it?",
        runs: &[Run::script(
            r"id=$(stm32flash port | sed -n 's/^Device ID *: *\(0x[0-9a-fA-F]*\).*/\1/p')
            case $id in
                0x0410) echo F103 > chip ;;
                *) exit 1 ;;
            esac",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "a backup that is compared",
        before: Board::fresh_content,
        files: &[IMAGE],
        runs: &[Run::script(
            "stm32flash -b 230400 -S 0x08000000:5000 -r backup.bin port && cmp backup.bin image.bin",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "data in a pipe",
        before: Board::fresh_content,
        runs: &[Run::script(
            "stm32flash -b 230400 -S 0x08000000:256 -r - port 2> /dev/null | cksum > sum",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "a serial number beside the program",
        before: Board::fresh_content,
        runs: &[Run::script(
            r"printf '\001\002\003\004' |
            stm32flash -b 115200 -e 0 -S 0x0801FC00:4 -v -w - port",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "a checksum that is written down",
        before: Board::fresh_content,
        runs: &[Run::script(
            r"stm32flash -b 230400 -C -S 0x08000000:5000 port 2> /dev/null |
            grep -o 'CRC(.*) = 0x[0-9a-f]*' > crc && test -s crc",
        )],
        ..Row::ON_F103
    },
    Row {
        name: "trying until it answers",
        before: Board::fresh_content,
        runs: &[Run::script(
            "for baud in 12345 57600; do
                stm32flash -b $baud -g 0x08000000 port && exit 0
            done
            exit 1",
        )],
        ..Row::ON_F103
    },
];

/// What the command line itself refuses.
const WRONG: &[Row] = &[
    Row {
        name: "the help",
        runs: &[
            Run::both("-h", 0),
            Run::both("--help", 0),
            Run::both("-vh port", 0),
        ],
        ..Row::ON_F103
    },
    Row {
        name: "no port, and two",
        runs: &[
            Run::both("", 1),
            Run::both("-b 115200", 1),
            Run::both("-b", 1),
            Run::both("port port", 1),
            Run::both("missing", 1),
            Run::both("/dev/null", 1),
        ],
        ..Row::ON_F103
    },
    Row {
        name: "an I2C bus without an address",
        runs: &[
            Run::both("/dev/i2c-77", 1),
            Run::both("-a 0x39 /dev/i2c-77", 1),
        ],
        ..Row::ON_F103
    },
    Row {
        name: "two actions",
        files: &[IMAGE],
        runs: &[
            Run::both("-w image.bin -r out.bin port", 1),
            Run::both("-o -C port", 1),
            Run::both("-j -k port", 1),
            Run::both("-u -u port", 1),
        ],
        ..Row::ON_F103
    },
    Row {
        name: "pages and addresses",
        files: &[IMAGE],
        runs: &[
            Run::both("-S 0x08000000 -e 0 -w image.bin port", 1),
            Run::both("-s 1 -S 0x08000000 -w image.bin port", 1),
            Run::both("-e 1 -S 0x08000000 -w image.bin port", 1),
        ],
        ..Row::ON_F103
    },
    Row {
        name: "values that none can be",
        files: &[IMAGE],
        runs: &[
            Run::both("-b 12345 port", 1),
            Run::both("-m 9e1 port", 1),
            Run::both("-m 8x1 port", 1),
            Run::both("-m 8e3 port", 1),
            Run::both("-m 8e port", 1),
            Run::both("-g 3 port", 1),
            Run::both("-S 0x08000000:0 port", 1),
            Run::both("-S 0x08000000: port", 1),
            Run::both("-F 10 port", 1),
            Run::both("-F 40:5 port", 1),
            Run::both("-e -1 port", 1),
            Run::both("-e 70000 port", 1),
            Run::both("-v port", 1),
        ],
        ..Row::ON_F103
    },
    Row {
        name: "files that cannot be",
        runs: &[
            Run::both("-b115200 -w missing.bin port", 1),
            Run::both("-b115200 -r nowhere/out.bin port", 1),
        ],
        ..Row::ON_F103
    },
    Row {
        name: "a folder as a file",
        runs: &[Run::apart("-b115200 -w . port", 1, 1)],
        differs: Some(Difference {
            why: "the original erases before it notices that there is nothing to write",
            ours_says: "a directory, not a file",
            ours_leaves: Board::old_content,
        }),
        ..Row::ON_F103
    },
    Row {
        name: "letters that are no options",
        runs: &[Run::both("-b115200 -z port", 0)],
        ..Row::ON_F103
    },
];

/// All rows.
const ALL: [&[Row]; 10] = [
    WRITING, REFUSALS, READING, ERASING, PROTECTING, STARTING, LINES, I2C, SCRIPTS, WRONG,
];

/// The options that the original's help lists, and its manual page where it is installed.
fn options() -> Vec<char> {
    let help = judge::run(Command::new(judge::stm32flash()).arg("-h")).success();
    let page = Path::new("/usr/share/man/man1/stm32flash.1.gz");
    let page = if page.is_file() {
        judge::run(Command::new("zcat").arg(page)).success()
    } else {
        String::new()
    };
    let in_help = help.lines().filter_map(|line| line.strip_prefix("\t-"));
    // `.BI "\-a" " bus_address"`
    let in_page = page.lines().filter_map(|line| {
        let heading = line.strip_prefix(".B")?;
        heading
            .trim_start_matches(['I', ' ', '"'])
            .strip_prefix("\\-")
    });
    let mut letters: Vec<char> = in_help
        .chain(in_page)
        .filter_map(|rest| rest.chars().next().filter(char::is_ascii_alphabetic))
        .collect();
    letters.sort_unstable();
    letters.dedup();
    letters
}

/// The cells of a table's row.
fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split(" | ").map(str::trim).collect()
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn every_option_of_the_original_is_documented_and_shown() {
    let letters = options();
    assert!(letters.len() >= 22, "{letters:?}");
    let document = include_str!("../../docs/stm32flash.md");
    for letter in letters {
        let begins = format!("| `-{letter}");
        let told = document.lines().find(|line| {
            let rest = line.strip_prefix(&begins);
            rest.is_some_and(|rest| rest.starts_with(['`', ' ', '[']))
        });
        let told = told.unwrap_or_else(|| panic!("-{letter} is missing in the document"));
        let shown = *cells(told).last().expect("a row has cells");
        for name in shown.split("; ") {
            let row = ALL
                .iter()
                .flat_map(|rows| rows.iter())
                .find(|row| row.name == name);
            let row = row.unwrap_or_else(|| panic!("-{letter}: there is no row {name:?}"));
            let uses = |run: &Run| match run.job {
                Job::Words(words) => words
                    .split_whitespace()
                    .any(|word| word.starts_with(&format!("-{letter}"))),
                Job::Script(_) => false,
            };
            // What is so by default is shown by leaving the option out.
            assert!(
                row.runs.iter().any(uses) || name.ends_with("by default"),
                "row {name:?} does without -{letter}"
            );
        }
    }
}

#[test]
fn what_the_document_refers_to_is_there() {
    let document = include_str!("../../docs/stm32flash.md");
    let section = |begin: &str, end: &str| {
        let rest = document.split_once(begin).expect("the section is there").1;
        rest.split_once(end).map_or(rest, |(section, _)| section)
    };
    let is_row = |name: &str| {
        ALL.iter()
            .flat_map(|rows| rows.iter())
            .any(|r| r.name == name)
    };
    let differences = section("## What is different", "\nBesides:");
    let rows: Vec<&str> = differences
        .lines()
        .filter(|l| l.starts_with("| "))
        .skip(1)
        .collect();
    assert!(rows.len() > 15);
    for line in rows {
        let shown = *cells(line).last().expect("a row has cells");
        for name in shown.split("; ").filter(|name| !name.starts_with('`')) {
            assert!(is_row(name), "{name:?} is no row");
        }
    }
    // `FILE.rs: TEST`, wherever it stands.
    let mut tests = 0;
    for span in document.split('`').skip(1).step_by(2) {
        let Some((file, name)) = span.split_once(".rs: ") else {
            continue;
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/{file}.rs"));
        let source = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(source.contains(&format!("fn {name}(")), "{span}");
        tests += 1;
    }
    assert!(tests > 10);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn files_are_written_alike() {
    check_all(STM32FLASH, WRITING);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn what_the_original_damages_is_refused_or_done_right() {
    check_all(STM32FLASH, REFUSALS);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn memory_is_read_alike() {
    check_all(STM32FLASH, READING);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn flash_is_erased_alike() {
    check_all(STM32FLASH, ERASING);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn protections_are_changed_alike() {
    check_all(STM32FLASH, PROTECTING);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn programs_are_started_alike() {
    check_all(STM32FLASH, STARTING);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn lines_move_alike() {
    check_all(STM32FLASH, LINES);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn buses_are_used_alike() {
    check_all(STM32FLASH, I2C);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn scripts_run_as_they_are() {
    check_all(STM32FLASH, SCRIPTS);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn wrong_use_ends_alike() {
    check_all(STM32FLASH, WRONG);
}
