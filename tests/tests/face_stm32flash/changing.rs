//! Erasing, protecting, starting: everything that changes a chip and is no writing.

use flashwire_tests::board::{Board, F407, L152};
use flashwire_tests::faces::{Difference, Row, Run};
use flashwire_tests::served::Guard;

use crate::files::IMAGE;

pub(crate) const ERASING: &[Row] = &[
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

pub(crate) const PROTECTING: &[Row] = &[
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

pub(crate) const STARTING: &[Row] = &[
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
