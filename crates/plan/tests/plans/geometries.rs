//! Memories like those of real parts, small where size does not matter.

use std::time::Duration;

use flashwire_plan::{Costs, EraseKind, Geometry, Program, Rewrite, Run};

const KIB: u64 = 1024;

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Units of one kind; each run is start, unit size, count, time of one in milliseconds.
pub(crate) fn kind(name: &str, runs: &[(u64, u64, u64, u64)]) -> EraseKind {
    let run = |&(start, unit_bytes, count, time): &(u64, u64, u64, u64)| Run {
        start,
        unit_bytes,
        count,
        time: ms(time),
    };
    EraseKind {
        name: name.into(),
        runs: runs.iter().map(run).collect(),
        whole: false,
    }
}

/// One unit that is everything.
pub(crate) fn whole(start: u64, bytes: u64, time_ms: u64) -> EraseKind {
    EraseKind {
        whole: true,
        ..kind("all", &[(start, bytes, 1, time_ms)])
    }
}

/// Like an STM32F103x8: 64 pages of 1 KiB, half-words.
pub(crate) fn f103() -> Geometry {
    let start = 0x0800_0000;
    Geometry {
        range: start..start + 64 * KIB,
        holes: Vec::new(),
        erased: 0xFF,
        erase_kinds: vec![
            kind("page", &[(start, KIB, 64, 30)]),
            whole(start, 64 * KIB, 40),
        ],
        program: Program {
            unit_bytes: 2,
            block_bytes: 256,
            rewrite: Rewrite::OnlyToZero,
        },
        costs: Costs {
            program_block: ms(32),
            read_block: ms(26),
            compare_block: ms(26),
        },
    }
}

/// Like an Arduino behind its bootloader: pages of 128 bytes that programming erases.
pub(crate) fn arduino() -> Geometry {
    Geometry {
        range: 0..30 * KIB,
        holes: Vec::new(),
        erased: 0xFF,
        erase_kinds: vec![kind("page", &[(0, 128, 240, 20)])],
        program: Program {
            unit_bytes: 128,
            block_bytes: 128,
            rewrite: Rewrite::Freely,
        },
        costs: Costs {
            program_block: ms(20),
            read_block: ms(12),
            compare_block: ms(12),
        },
    }
}

/// Like an STM32F407xE: sectors of 16, 64 and 128 KiB.
pub(crate) fn f407() -> Geometry {
    let start = 0x0800_0000;
    let sectors = [
        (start, 16 * KIB, 4, 400),
        (start + 64 * KIB, 64 * KIB, 1, 700),
        (start + 128 * KIB, 128 * KIB, 3, 1000),
    ];
    Geometry {
        range: start..start + 512 * KIB,
        holes: Vec::new(),
        erased: 0xFF,
        erase_kinds: vec![kind("sector", &sectors), whole(start, 512 * KIB, 8000)],
        program: Program {
            unit_bytes: 4,
            block_bytes: 256,
            rewrite: Rewrite::ClearBits,
        },
        costs: Costs {
            program_block: ms(27),
            read_block: ms(26),
            compare_block: ms(26),
        },
    }
}

/// Like an STM32G0: pages of 2 KiB, double words that are programmed once.
pub(crate) fn g0() -> Geometry {
    let start = 0x0800_0000;
    Geometry {
        range: start..start + 32 * KIB,
        holes: Vec::new(),
        erased: 0xFF,
        erase_kinds: vec![kind("page", &[(start, 2 * KIB, 16, 22)])],
        program: Program {
            unit_bytes: 8,
            block_bytes: 256,
            rewrite: Rewrite::Once,
        },
        costs: Costs {
            program_block: ms(28),
            read_block: ms(26),
            compare_block: ms(1),
        },
    }
}

/// Like an STM32L1: pages of 256 bytes, erased to zero, no erase of everything.
pub(crate) fn l1() -> Geometry {
    let start = 0x0800_0000;
    Geometry {
        range: start..start + 16 * KIB,
        holes: Vec::new(),
        erased: 0x00,
        erase_kinds: vec![kind("page", &[(start, 256, 64, 3)])],
        program: Program {
            unit_bytes: 4,
            block_bytes: 256,
            rewrite: Rewrite::Once,
        },
        costs: Costs {
            program_block: ms(38),
            read_block: ms(26),
            compare_block: ms(26),
        },
    }
}

/// Like a SPI NOR of 256 KiB, with the typical times of a W25Q64JV.
pub(crate) fn nor() -> Geometry {
    nor_of(256 * KIB)
}

pub(crate) fn nor_of(bytes: u64) -> Geometry {
    Geometry {
        range: 0..bytes,
        holes: Vec::new(),
        erased: 0xFF,
        erase_kinds: vec![
            kind("4K", &[(0, 4 * KIB, bytes / (4 * KIB), 45)]),
            kind("32K", &[(0, 32 * KIB, bytes / (32 * KIB), 120)]),
            kind("64K", &[(0, 64 * KIB, bytes / (64 * KIB), 150)]),
            whole(0, bytes, 150 * bytes / (64 * KIB) + 1),
        ],
        program: Program {
            unit_bytes: 1,
            block_bytes: 256,
            rewrite: Rewrite::ClearBits,
        },
        costs: Costs {
            program_block: Duration::from_micros(700),
            read_block: Duration::from_micros(220),
            compare_block: Duration::from_micros(220),
        },
    }
}

/// Pages of 1 KiB from 0 on, with a hole from 4 to 8 KiB.
pub(crate) fn with_hole() -> Geometry {
    let hole = 4 * KIB..8 * KIB;
    Geometry {
        range: 0..16 * KIB,
        holes: vec![hole],
        erased: 0xFF,
        erase_kinds: vec![
            kind("page", &[(0, KIB, 4, 30), (8 * KIB, KIB, 8, 30)]),
            whole(0, 16 * KIB, 1000),
        ],
        program: Program {
            unit_bytes: 16,
            block_bytes: 128,
            rewrite: Rewrite::Once,
        },
        costs: Costs::default(),
    }
}
