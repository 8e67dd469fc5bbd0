//! Where the original does harm in silence, or fails where it need not.

use flashwire_tests::board::{self, Board, G071};
use flashwire_tests::faces::{Difference, Row, Run};

use crate::boards::{F103C8, G0B1};
use crate::files::{
    IMAGE, around_the_gap, at_page_4, hex_broken, hex_with_gap, in_the_middle, srec_image, too_long,
};

pub(crate) const REFUSALS: &[Row] = &[
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
