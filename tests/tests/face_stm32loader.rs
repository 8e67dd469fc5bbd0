//! `flashwire stm32loader` beside stm32loader 0.7.1 (PyPI): each row is done by both on equal boards,
//! wired as the original wants it (DTR is reset, RTS is BOOT0).

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use flashwire_tests::bench::noise;
use flashwire_tests::board::{self, Board, F103, F407, G071, L152, assert_same_flash};
use flashwire_tests::faces::{Difference, File, Row, Run, STM32LOADER, check_all};
use flashwire_tests::served::{Guard, Served};
use flashwire_tests::{built, desk, judge};

/// Nobody presses a button: only the lines reset this board.
const WIRED: &str = ",wiring=dtr-nrst+rts-boot0,button=none";

/// A job on it. At its end the chip is reset, also where no program is.
const ROW: Row = Row {
    keys: WIRED,
    may_complain: &["crashed:"],
    ..Row::ON_F103
};

/// The same, where the chip is or becomes read protected: that it is so is told from what it refuses,
/// and whoever is refused brings the loader back to its prompt.
const PROTECTED: Row = Row {
    may_complain: &["crashed:", "opcode with a wrong check"],
    ..ROW
};

const IMAGE: &[File] = &[("image.bin", board::image)];

/// The image for parts whose flash is written in double words, with a tail that fills none.
fn odd_image() -> Vec<u8> {
    let mut image = board::image();
    image.truncate(4993);
    image
}

/// Larger than the flash of the board.
fn large() -> Vec<u8> {
    noise((128 << 10) + 100, 5)
}

/// Sixteen bytes as an S-record file.
fn s_record() -> Vec<u8> {
    b"S31508000000001000200101000802030405060708097C\nS70500000000FA\n".to_vec()
}

/// The same as an Intel HEX file that begins at 0x08000000.
fn hex() -> Vec<u8> {
    b":020000040800F2\n:10000000001000200101000802030405060708098A\n:00000001FF\n".to_vec()
}

/// The same as one that begins at zero.
fn hex_from_zero() -> Vec<u8> {
    b":10000000001000200101000802030405060708098A\n:00000001FF\n".to_vec()
}

/// One with a wrong checksum.
fn bad_hex() -> Vec<u8> {
    b":1000000000100020010100080203040506070809FF\n:00000001FF\n".to_vec()
}

/// What the files above hold.
const SIXTEEN: [u8; 16] = [0, 0x10, 0, 0x20, 1, 1, 0, 8, 2, 3, 4, 5, 6, 7, 8, 9];

fn sixteen() -> Vec<u8> {
    SIXTEEN.to_vec()
}

fn sixteen_alone(board: &Board) -> Vec<u8> {
    let mut content = board.blank();
    content[..16].copy_from_slice(&SIXTEEN);
    content
}

/// The old content without its first bytes.
fn without_first(board: &Board, bytes: usize) -> Vec<u8> {
    let mut content = board.old_content();
    content[..bytes].fill(board.erased);
    content
}

fn image_with_odd_tail(board: &Board) -> Vec<u8> {
    let mut content = board.blank();
    let image = odd_image();
    content[..image.len()].copy_from_slice(&image);
    content
}

const WRITING: &[Row] = &[
    Row {
        name: "erase, write, verify and start",
        files: IMAGE,
        runs: &[Run::both("-e -w -v -g 0x08000000 -p port image.bin", 0)],
        both_say: &[
            "Activating bootloader",
            "Chip id: 0x410 (",
            "Verification OK",
        ],
        ..ROW
    },
    Row {
        name: "erase and write, at another address",
        files: IMAGE,
        runs: &[Run::both("-ew -a 0x08001000 -p port image.bin", 0)],
        ..ROW
    },
    Row {
        name: "write a blank chip",
        before: Board::blank,
        files: IMAGE,
        runs: &[Run::both("--write -p port image.bin", 0)],
        ..ROW
    },
    Row {
        name: "write and verify a blank chip",
        board: G071,
        before: Board::blank,
        files: IMAGE,
        runs: &[Run::both("-wv -p port image.bin", 0)],
        ..ROW
    },
    Row {
        name: "two runs on a board without wired lines",
        keys: ",button=none",
        files: IMAGE,
        runs: &[
            Run::both("-e -p port", 0),
            Run::both("-w -v -p port image.bin", 0),
        ],
        ..ROW
    },
    Row {
        name: "write and verify RAM",
        files: &[("small.bin", sixteen)],
        runs: &[Run::both("-w -v -a 0x20000800 -p port small.bin", 0)],
        both_say: &["Verification OK"],
        ..ROW
    },
];

const DAMAGE: &[Row] = &[
    Row {
        name: "write over old content",
        board: G071,
        files: IMAGE,
        runs: &[Run::apart("-w -p port image.bin", 0, 1)],
        differs: Some(Difference {
            why: "the flash is not erased: what comes out is neither the old nor the new",
            ours_says: "error[needs-erase]",
            ours_leaves: Board::old_content,
        }),
        ..ROW
    },
    Row {
        name: "a file that is larger than the flash",
        files: &[("large.bin", large)],
        runs: &[Run::both("-e -w -p port large.bin", 1)],
        differs: Some(Difference {
            why: "the original finds it out when the flash is erased and full",
            ours_says: "error[out-of-range]",
            ours_leaves: Board::old_content,
        }),
        ..ROW
    },
    Row {
        name: "a tail that fills no double word",
        board: G071,
        files: &[("odd.bin", odd_image)],
        runs: &[Run::both("-e -w -p port odd.bin", 0)],
        differs: Some(Difference {
            why: "the original sends the tail alone, which the flash acknowledges and drops",
            ours_says: "Chip id: 0x460",
            ours_leaves: image_with_odd_tail,
        }),
        ..ROW
    },
    Row {
        name: "an S-record file",
        files: &[("app.s19", s_record)],
        runs: &[Run::both("-e -w -v -p port app.s19", 0)],
        differs: Some(Difference {
            why: "the original flashes the text of the file and finds it verified",
            ours_says: "Verification OK",
            ours_leaves: sixteen_alone,
        }),
        ..ROW
    },
    Row {
        name: "an Intel HEX file under another name",
        files: &[("app.bin", hex)],
        runs: &[Run::apart("-e -w -v -p port app.bin", 0, 1)],
        differs: Some(Difference {
            why: "the original flashes the text of the file and finds it verified",
            ours_says: "error[format-disagrees]",
            ours_leaves: Board::old_content,
        }),
        ..ROW
    },
    Row {
        name: "an Intel HEX file as toolchains make it",
        files: &[("app.hex", hex)],
        runs: &[Run::apart("-e -w -v -p port app.hex", 1, 0)],
        differs: Some(Difference {
            why: "the original needs another package for it, and then only takes files that begin at 0",
            ours_says: "Verification OK",
            ours_leaves: sixteen_alone,
        }),
        ..ROW
    },
    Row {
        name: "an Intel HEX file that begins at zero",
        files: &[("app.hex", hex_from_zero)],
        runs: &[Run::apart("-e -w -v -p port app.hex", 1, 0)],
        differs: Some(Difference {
            why: "the original needs another package for it; it goes to --address, as with that",
            ours_says: "Verification OK",
            ours_leaves: sixteen_alone,
        }),
        ..ROW
    },
    Row {
        name: "an Intel HEX file with a wrong checksum",
        files: &[("app.hex", bad_hex)],
        runs: &[Run::both("-e -w -p port app.hex", 1)],
        differs: Some(Difference {
            why: "files are read before the board is touched",
            ours_says: "error[image-bad]",
            ours_leaves: Board::old_content,
        }),
        ..ROW
    },
    Row {
        name: "a missing file",
        runs: &[Run::both("-e -w -p port nothing.bin", 1)],
        differs: Some(Difference {
            why: "files are read before the board is touched",
            ours_says: "error[file-missing]",
            ours_leaves: Board::old_content,
        }),
        ..ROW
    },
];

const ERASING: &[Row] = &[
    Row {
        name: "erase everything",
        runs: &[Run::both("--erase --port port", 0)],
        ..ROW
    },
    Row {
        name: "erase by pages, counted from zero",
        runs: &[Run::both("-e -a 0x400 -l 2048 -f F1 -p port", 0)],
        ..ROW
    },
    Row {
        name: "erase by address",
        runs: &[Run::apart("-e -a 0x08000000 -l 2048 -p port", 1, 0)],
        differs: Some(Difference {
            why: "the original takes the address for a page number that does not exist",
            ours_says: "Chip id: 0x410",
            ours_leaves: |board| without_first(board, 2048),
        }),
        ..ROW
    },
    Row {
        name: "erase half a page",
        runs: &[Run::both("-e -a 0 -l 0x200 -p port", 1)],
        ..ROW
    },
    Row {
        name: "erase a piece of a sector",
        board: F407,
        runs: &[Run::apart("-e -a 0 -l 1024 -f F4 -p port", 0, 1)],
        differs: Some(Difference {
            why: "the original erases a whole sector of 16 KiB",
            ours_says: "error[unaligned]",
            ours_leaves: Board::old_content,
        }),
        ..ROW
    },
    Row {
        name: "erase one page of 2 KiB",
        board: G071,
        runs: &[Run::both("-e -a 0 -l 2048 -f G0 -p port", 0)],
        differs: Some(Difference {
            why: "the original takes pages for 1 KiB, and erases twice as much",
            ours_says: "Chip id: 0x460",
            ours_leaves: |board| without_first(board, 2048),
        }),
        ..ROW
    },
    Row {
        name: "erase a part without mass erase",
        board: L152,
        runs: &[Run::apart("-e -p port", 1, 0)],
        differs: Some(Difference {
            why: "the original sends a mass erase, which an L1 refuses",
            ours_says: "Chip id: 0x",
            ours_leaves: Board::blank,
        }),
        ..ROW
    },
];

/// A chip that erases four times slower than is typical.
const SLOW: Board = Board {
    bench: "stm32f407vg,flash-percent=400",
    ..F407
};

const PATIENCE: &[Row] = &[Row {
    name: "an erase of more than half a minute",
    board: SLOW,
    runs: &[Run::apart("-e -p port", 1, 0)],
    differs: Some(Difference {
        why: "the original waits for 30 seconds, whatever the size of the flash",
        ours_says: "Chip id: 0x413",
        ours_leaves: Board::blank,
    }),
    ..ROW
}];

const READING: &[Row] = &[
    Row {
        name: "read",
        before: Board::fresh_content,
        runs: &[Run::both("-r -a 0x08000010 -l 5001 -p port out.bin", 0)],
        ..ROW
    },
    Row {
        name: "read what is no flash",
        runs: &[Run::both(
            "--read --address=0x1FFFF7E8 --length=12 -p port out.bin",
            0,
        )],
        ..ROW
    },
    Row {
        name: "read nothing",
        runs: &[Run::both("-r -a 0x08000000 -l 0 -p port out.bin", 0)],
        ..ROW
    },
    Row {
        name: "read behind the end",
        runs: &[Run::both("-r -a 0x0801FF00 -l 1024 -p port out.bin", 1)],
        ..ROW
    },
    Row {
        name: "verify",
        before: Board::fresh_content,
        files: IMAGE,
        runs: &[Run::both("-v -p port image.bin", 0)],
        both_say: &["Verification OK"],
        ..ROW
    },
    Row {
        name: "verify finds a difference",
        files: IMAGE,
        runs: &[Run::both("--verify -p port image.bin", 1)],
        ..ROW
    },
    Row {
        name: "start only",
        before: Board::fresh_content,
        runs: &[Run::both("--go-address 0x08000000 -p port", 0)],
        ..ROW
    },
];

const PROTECTING: &[Row] = &[
    Row {
        name: "protect",
        runs: &[Run::both("-x -p port", 0)],
        ..PROTECTED
    },
    Row {
        name: "protect what is protected",
        guard: Guard::Reading,
        runs: &[Run::both("--protect -p port", 1)],
        ..PROTECTED
    },
    Row {
        name: "erase what is read protected",
        guard: Guard::Reading,
        runs: &[Run::both("-e -p port", 1)],
        both_say: &[
            "Erase failed -- probably due to readout protection.",
            "Consider using the --unprotect option.",
        ],
        ..PROTECTED
    },
    Row {
        name: "read what is read protected",
        guard: Guard::Reading,
        runs: &[Run::both("-r -a 0x08000000 -l 16 -p port out.bin", 1)],
        ..PROTECTED
    },
    Row {
        name: "write what is write protected",
        guard: Guard::Writing(&[0]),
        files: IMAGE,
        runs: &[Run::apart("-e -w -p port image.bin", 0, 1)],
        differs: Some(Difference {
            why: "the original erases the rest, and takes the acknowledgements for done",
            ours_says: "error[write-protected]",
            ours_leaves: Board::old_content,
        }),
        ..PROTECTED
    },
];

const UNPROTECTING: &[Row] = &[
    Row {
        name: "unprotect, erase, write and verify",
        guard: Guard::Reading,
        files: IMAGE,
        runs: &[Run::both("-u -e -w -v -p port image.bin", 0)],
        ..PROTECTED
    },
    Row {
        name: "unprotect what is not protected",
        runs: &[Run::both("--unprotect -p port", 0)],
        ..PROTECTED
    },
];

const LINES: &[Row] = &[
    Row {
        name: "RTS is reset",
        keys: ",wiring=rts-nrst+dtr-boot0,button=none",
        runs: &[Run::both("-s -e -p port", 0)],
        ..ROW
    },
    Row {
        name: "reset is inverted",
        keys: ",wiring=dtr-!nrst+rts-boot0,button=none",
        runs: &[Run::both("-R -e -p port", 0)],
        ..ROW
    },
    Row {
        name: "BOOT0 is inverted",
        keys: ",wiring=dtr-nrst+rts-!boot0,button=none",
        runs: &[Run::both("-B -e -p port", 0)],
        ..ROW
    },
    Row {
        name: "all lines are different",
        keys: ",wiring=rts-!nrst+dtr-!boot0,button=none",
        runs: &[Run::both(
            "--swap-rts-dtr --reset-active-high --boot0-active-low -e -p port",
            0,
        )],
        ..ROW
    },
];

const TALKING: &[Row] = &[
    Row {
        name: "another speed",
        runs: &[Run::both("-b 57600 -e -p port", 0)],
        ..ROW
    },
    Row {
        name: "quiet",
        runs: &[Run::both("-q -e -p port", 0)],
        both_say: &["Chip id: 0x410 ("],
        ..ROW
    },
    Row {
        name: "verbose",
        runs: &[Run::both("--verbose -e -p port", 0)],
        ..ROW
    },
    Row {
        name: "without progress",
        files: IMAGE,
        runs: &[Run::both("--no-progress -e -w -p port image.bin", 0)],
        ..ROW
    },
    Row {
        name: "the family, for size and unique id",
        runs: &[Run::both("-f F1 -p port", 0)],
        both_say: &[
            "Bootloader version: 0x22",
            "Device UID: ",
            "Flash size: 128 KiB",
        ],
        ..ROW
    },
    Row {
        name: "size and unique id of an F4",
        board: F407,
        runs: &[Run::both("-f F4 -p port", 0)],
        both_say: &["Chip id: 0x413 (", "Device UID: ", "Flash size: 1024 KiB"],
        ..ROW
    },
    Row {
        name: "no parity, on a chip that has it",
        runs: &[Run::both("-P none -e -p port", 1)],
        ..ROW
    },
    Row {
        name: "port and family from the environment",
        runs: &[Run::script(
            "STM32LOADER_SERIAL_PORT=port STM32LOADER_FAMILY=F1 stm32loader -e",
        )],
        both_say: &["Flash size: 128 KiB"],
        ..ROW
    },
];

const MISUSE: &[Row] = &[
    Row {
        name: "help and version",
        runs: &[
            Run::both("-h", 0),
            Run::both("--help -p port", 0),
            Run::both("--version", 0),
        ],
        both_say: &["0.7.1"],
        ..ROW
    },
    Row {
        name: "command lines that are wrong",
        runs: &[
            Run::both("", 2),
            Run::both("-e", 2),
            Run::both("-p port -w", 2),
            Run::both("-p port -r -l 16 out.bin", 2),
            Run::both("-p port -r -a 0 out.bin", 2),
            Run::both("-p port -b fast", 2),
            Run::both("-p port -l 010", 2),
            Run::both("-p port -P odd", 2),
            Run::both("-p port --ver", 2),
            Run::both("-p port --nonsense", 2),
            Run::both("-p port -e one.bin two.bin", 2),
        ],
        ..ROW
    },
    Row {
        name: "ports that cannot be opened",
        runs: &[
            Run::both("-e -p nowhere", 1),
            Run::both("-e -p /dev/null", 1),
        ],
        ..ROW
    },
];

/// All rows.
const ROWS: &[&[Row]] = &[
    WRITING,
    DAMAGE,
    ERASING,
    PATIENCE,
    READING,
    PROTECTING,
    UNPROTECTING,
    LINES,
    TALKING,
    MISUSE,
    SILENCE,
];

const SILENCE: &[Row] = &[Row {
    name: "a board that does not answer",
    keys: ",boot0=low,button=none",
    before: Board::fresh_content,
    runs: &[Run::both("-e -p port", 1)],
    both_say: &["Can't init into bootloader. Ensure that BOOT0 is enabled and reset the device."],
    ..ROW
}];

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn writing() {
    check_all(STM32LOADER, WRITING);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn damage() {
    check_all(STM32LOADER, DAMAGE);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn erasing() {
    check_all(STM32LOADER, ERASING);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn reading() {
    check_all(STM32LOADER, READING);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn protecting() {
    check_all(STM32LOADER, PROTECTING);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn unprotecting() {
    check_all(STM32LOADER, UNPROTECTING);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn lines() {
    check_all(STM32LOADER, LINES);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn talking() {
    check_all(STM32LOADER, TALKING);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn misuse() {
    check_all(STM32LOADER, MISUSE);
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn patience() {
    check_all(STM32LOADER, PATIENCE);
}

/// The original ends with a traceback: it cannot do without modem lines.
#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn a_port_without_modem_lines_is_enough() {
    let run_on = |program: &Path, words: &[&str]| {
        let bench = Served::open(F103.bench, &F103.old_content());
        // Without the library that gives the pseudo-terminal lines.
        let mut command = Command::new(program);
        command.args(words).arg("-p").arg(bench.port());
        let ended = desk::run(&mut command);
        (ended, bench.finish().flash)
    };
    let (ended, flash) = run_on(&judge::stm32loader(), &["-P", "none", "-e"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert_same_flash(&flash, &F103.old_content());
    let (ended, flash) = run_on(&built::flashwire(), &["stm32loader", "-e"]);
    ended.done();
    assert_same_flash(&flash, &F103.blank());
}

#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn silence() {
    check_all(STM32LOADER, SILENCE);
}

/// What is said about each option.
const PAPER: &str = include_str!("../../docs/stm32loader.md");

/// The options that a help lists: `-e, --erase`, or one word alone.
fn options(help: &str) -> Vec<String> {
    let lines = help.lines().filter(|line| line.starts_with("  -"));
    let named = |line: &str| {
        let words = line.split([',', ' ']).filter(|word| word.starts_with('-'));
        words
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    lines.map(named).collect()
}

/// The rows that the tables of the paper name, between quotation marks in their last column.
fn named_rows() -> BTreeSet<&'static str> {
    let lines = PAPER.lines().filter(|line| line.starts_with("| "));
    let cells = lines.filter_map(|line| line.trim_end_matches([' ', '|']).rsplit('|').next());
    let names = cells.flat_map(|cell| cell.split('"').skip(1).step_by(2));
    names.collect()
}

#[test]
fn the_paper_names_every_row_and_no_other() {
    let rows = ROWS.iter().flat_map(|rows| rows.iter());
    let rows: BTreeSet<&str> = rows.map(|row| row.name).collect();
    assert_eq!(named_rows(), rows);
}

/// Whatever the installed version offers.
#[test]
#[ignore = "needs stm32loader 0.7.1"]
fn every_option_of_the_installed_help_has_its_row_in_the_paper() {
    let help = judge::run(Command::new(judge::stm32loader()).arg("--help")).success();
    let options = options(&help);
    assert_eq!(options.len(), 21, "{options:?}");
    for option in options {
        let begins = format!("| {option} ");
        let row = PAPER.lines().find(|line| line.starts_with(&begins));
        let row = row.unwrap_or_else(|| panic!("{option} has no row in docs/stm32loader.md"));
        let tested = row.trim_end_matches([' ', '|']).rsplit('|').next();
        assert!(
            tested.is_some_and(|cell| cell.contains('"')),
            "{option} has no test"
        );
    }
}
