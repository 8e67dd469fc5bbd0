//! `flashwire stm32flash` beside stm32flash 0.7 (Debian): each row is done by both on equal boards.

#![cfg(target_os = "linux")]

use flashwire_tests::board::{self, Board};
use flashwire_tests::faces::{File, Row, Run, STM32FLASH, check_all};

const IMAGE: &[File] = &[("image.bin", board::image)];

const WRITING: &[Row] = &[Row {
    name: "write, verify and start",
    files: IMAGE,
    runs: &[Run::both("-b 115200 -w image.bin -v -g 0x0 port", 0)],
    both_say: &[
        "Device ID    : 0x0410 (",
        "Wrote and verified address 0x08001388 (100.00%) Done.",
        "Starting execution at address 0x08000000... done.",
    ],
    ..Row::ON_F103
}];

const READING: &[Row] = &[
    Row {
        name: "read a range",
        before: Board::fresh_content,
        runs: &[Run::both("-b115200 -S 0x08000010:5001 -r out.bin port", 0)],
        both_say: &["Read address 0x08001399 (100.00%) Done."],
        ..Row::ON_F103
    },
    Row {
        name: "read a range to standard output",
        before: Board::fresh_content,
        runs: &[Run::both("-b115200 -S 0x08000010:100 -r - port", 0)],
        prints_data: true,
        ..Row::ON_F103
    },
];

#[test]
#[ignore = "needs stm32flash 0.7"]
fn writing() {
    check_all(STM32FLASH, WRITING);
}

#[test]
#[ignore = "needs stm32flash 0.7"]
fn reading() {
    check_all(STM32FLASH, READING);
}
