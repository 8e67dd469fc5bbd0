//! What the command line itself refuses.

use flashwire_tests::board::Board;
use flashwire_tests::faces::{Difference, Row, Run};

use crate::files::IMAGE;

pub(crate) const WRONG: &[Row] = &[
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
