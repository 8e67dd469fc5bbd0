//! `-i` and `-a`: lines and buses.

use flashwire_tests::board::{Board, G071};
use flashwire_tests::faces::{Difference, Row, Run};

use crate::boards::H743;
use crate::boards::WIRED;
use crate::files::IMAGE;

pub(crate) const LINES: &[Row] = &[
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

pub(crate) const I2C: &[Row] = &[
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
