//! `-w`, and what goes with it.

use flashwire_tests::board::{self, Board, F407, G071, L152};
use flashwire_tests::faces::{Row, Run};

use crate::files::{IMAGE, hex_elsewhere, hex_image, whole_flash};

pub(crate) const WRITING: &[Row] = &[
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
        name: "-e 0 and -v write what is erased",
        before: Board::blank,
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -e 0 -v -w image.bin port", 0)],
        both_say: &["Wrote and verified address 0x08001388 (100.00%) Done."],
        ..Row::ON_F103
    },
    Row {
        name: "-e 0 and -v on a chip with program units",
        board: G071,
        before: Board::blank,
        files: &[IMAGE],
        runs: &[Run::both(
            "-b230400 -e 0 -S 0x08001000 -v -w image.bin port",
            0,
        )],
        ..Row::ON_F103
    },
    Row {
        name: "-e 0 and -v notice what is not erased",
        files: &[IMAGE],
        runs: &[Run::both("-b230400 -e 0 -v -w image.bin port", 1)],
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
