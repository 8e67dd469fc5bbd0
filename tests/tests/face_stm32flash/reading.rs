//! `-r`, `-C`, and no action at all.

use flashwire_tests::board::Board;
use flashwire_tests::faces::{Row, Run};

pub(crate) const READING: &[Row] = &[
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
