//! The parts on the bench: one entry each, as its maker describes it.
//!
//! `source` names the datasheet. Where a part has an SFDP table of revision 1.5 or later, its times
//! are those of that table, unless the datasheet's own AC table is named; the tables are published
//! dumps of real chips (`crates/protocol/tests/sfdp/README.md` says where). Clock limits are those
//! of the slowest speed grade.

use super::{
    Busy, Erase, Ewsr, Extent, Features, Identity, Part, Programming, Protection, RegisterBit,
    StatusLayout, StatusRegister,
};
use flashwire_protocol::spinor::instruction as i;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const MHZ: u32 = 1_000_000;

/// All parts.
pub const PARTS: &[Part] = &[
    W25Q80BV,
    W25Q80BL,
    W25Q64JV,
    W25Q128JV,
    W25Q256FV,
    W25Q512JV,
    MX25L3233F,
    MX25L6436E,
    MX25L25635F,
    N25Q256A,
    IS25WP256,
    AT25QL128A,
    M25P80,
    A25L80P,
    SST25VF512,
    SST25VF040B,
    SST25VF016B,
];

/// The part of this name, in any case.
pub fn find(name: &str) -> Option<&'static Part> {
    PARTS
        .iter()
        .find(|part| part.name.eq_ignore_ascii_case(name))
}

const fn uniform(opcode: u8, block: usize, time: Busy) -> Erase {
    Erase {
        opcode,
        extent: Extent::Uniform(block),
        time,
    }
}

const fn uniform_4b(opcode: u8, block: usize, time: Busy) -> Erase {
    Erase {
        opcode,
        extent: Extent::UniformFourByte(block),
        time,
    }
}

const fn chip(opcode: u8, time: Busy) -> Erase {
    Erase {
        opcode,
        extent: Extent::Chip,
        time,
    }
}

const fn page(page: Busy) -> Programming {
    Programming::Page { page }
}

const fn register(read: u8, write: Option<u8>, writable: u8, factory: u8) -> StatusRegister {
    StatusRegister {
        read,
        write,
        writable,
        factory,
    }
}

/// What nearly every chip since 2005 has.
const MODERN: Features = Features::FAST_READ.and(Features::POWER_DOWN);

/// Winbond since W25Q..B: also a unique id.
const WINBOND: Features = MODERN.and(Features::UNIQUE_ID);

const BP3: &[RegisterBit] = &[
    RegisterBit(0, 1 << 2),
    RegisterBit(0, 1 << 3),
    RegisterBit(0, 1 << 4),
];
const BP4: &[RegisterBit] = &[
    RegisterBit(0, 1 << 2),
    RegisterBit(0, 1 << 3),
    RegisterBit(0, 1 << 4),
    RegisterBit(0, 1 << 5),
];

/// Winbond up to 16 MiB: three level bits, TB, SEC, CMP. W25Q64JV, section 7.1.
const fn winbond_protection(smallest_bytes: usize) -> Protection {
    Protection {
        levels: BP3,
        smallest_bytes,
        bottom: Some(RegisterBit(0, 1 << 5)),
        sector: Some(RegisterBit(0, 1 << 6)),
        complement: Some(RegisterBit(1, 1 << 6)),
    }
}

/// Winbond above 16 MiB: four level bits, TB, CMP. W25Q256FV, section 7.1.
const WINBOND_LARGE_PROTECTION: Protection = Protection {
    levels: BP4,
    smallest_bytes: 64 * KIB,
    bottom: Some(RegisterBit(0, 1 << 6)),
    sector: None,
    complement: Some(RegisterBit(1, 1 << 6)),
};

/// Winbond with three registers that are written one by one. W25Q64JV, section 7.1.
const WINBOND_STATUS: StatusLayout = StatusLayout {
    registers: &[
        register(i::RDSR, Some(i::WRSR), 0xFC, 0x00),
        // QE is set as shipped in the IQ variants.
        register(i::RDSR2, Some(i::WRSR2), 0x7B, 0x02),
        register(i::RDSR3, Some(i::WRSR3), 0xE4, 0x60),
    ],
    long_write: 2,
    short_write_clears: false,
    ewsr: Ewsr::MakesVolatile,
    is_volatile: false,
    power_lock: Some(RegisterBit(1, 1 << 0)),
    four_byte_flag: None,
    time: Busy::ms(10, 15),
};

/// As above with the 4-byte bits. W25Q256FV, section 7.1.
const WINBOND_LARGE_STATUS: StatusLayout = StatusLayout {
    registers: &[
        register(i::RDSR, Some(i::WRSR), 0xFC, 0x00),
        register(i::RDSR2, Some(i::WRSR2), 0x7B, 0x02),
        register(i::RDSR3, Some(i::WRSR3), 0xE6, 0x60),
    ],
    four_byte_flag: Some(RegisterBit(2, 1 << 0)),
    ..WINBOND_STATUS
};

/// Winbond's older two registers, written together: a short write clears the second. W25Q80BV,
/// section 7.2.9.
const WINBOND_OLD_STATUS: StatusLayout = StatusLayout {
    registers: &[
        register(i::RDSR, Some(i::WRSR), 0xFC, 0x00),
        register(i::RDSR2, None, 0x7B, 0x00),
    ],
    short_write_clears: true,
    ..WINBOND_STATUS
};

const W25Q80BV: Part = Part {
    name: "w25q80bv",
    title: "Winbond W25Q80BV, 1 MiB, of a date code before 1124: no SFDP",
    source: "Winbond W25Q80BV datasheet, sections 7.2 and 8.6",
    size_bytes: MIB,
    identity: Identity {
        rdid: &[0xEF, 0x40, 0x14],
        rems: Some([0xEF, 0x13]),
        res: &[0x13],
    },
    programming: page(Busy::us(700, 3000)),
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(30, 400)),
        uniform(i::BE32, 32 * KIB, Busy::ms(120, 800)),
        uniform(i::BE, 64 * KIB, Busy::ms(150, 1000)),
        chip(i::CE, Busy::ms(2000, 6000)),
        chip(i::CE_60, Busy::ms(2000, 6000)),
    ],
    status: WINBOND_OLD_STATUS,
    protection: winbond_protection(64 * KIB),
    features: WINBOND,
    sfdp: None,
    read_hz: 50 * MHZ,
    max_hz: 80 * MHZ,
};

const W25Q80BL: Part = Part {
    name: "w25q80bl",
    title: "Winbond W25Q80BL, 1 MiB, 2.5 V",
    source: "SFDP as published with QEMU, hw/block/m25p80_sfdp.c; Winbond W25Q80BL datasheet",
    programming: page(Busy::us(832, 3328)),
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(48, 384)),
        uniform(i::BE32, 32 * KIB, Busy::ms(128, 1024)),
        uniform(i::BE, 64 * KIB, Busy::ms(160, 1280)),
        chip(i::CE, Busy::ms(2048, 16384)),
        chip(i::CE_60, Busy::ms(2048, 16384)),
    ],
    sfdp: Some(
        "53464450050100ff00050110800000ff ff*112
         e520f1ffffff7f0044eb086b083b42bbeeffffffffff0000ffff00000c200f5210d80000
         2302a600816c14a7ed6176337a757a75f7a2d55c00f71dffe930c080 ff*64",
    ),
    ..W25Q80BV
};

const W25Q64JV: Part = Part {
    name: "w25q64jv",
    title: "Winbond W25Q64JV, 8 MiB",
    source: "Winbond W25Q64JV datasheet, sections 7.1, 8 and 9.6; SFDP as read from two boards",
    size_bytes: 8 * MIB,
    identity: Identity {
        rdid: &[0xEF, 0x40, 0x17],
        rems: Some([0xEF, 0x16]),
        res: &[0x16],
    },
    programming: page(Busy::us(400, 3000)),
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(45, 400)),
        uniform(i::BE32, 32 * KIB, Busy::ms(120, 1600)),
        uniform(i::BE, 64 * KIB, Busy::ms(150, 2000)),
        chip(i::CE, Busy::ms(20_000, 100_000)),
        chip(i::CE_60, Busy::ms(20_000, 100_000)),
    ],
    status: WINBOND_STATUS,
    protection: winbond_protection(128 * KIB),
    features: WINBOND.and(Features::SOFT_RESET),
    sfdp: Some(
        "53464450050100ff00050110800000ff ff*112
         e520f9ffffffff0344eb086b083b42bbfeffffffffff0000ffff40eb0c200f5210d80000
         3602a60082ea14c4e96376337a757a75f7a2d55c19f74dffe930f880 ff*64",
    ),
    read_hz: 50 * MHZ,
    max_hz: 133 * MHZ,
};

const W25Q128JV: Part = Part {
    name: "w25q128jv",
    title: "Winbond W25Q128JV, 16 MiB",
    source: "Winbond W25Q128JV datasheet, sections 7.1, 8 and 9.6; SFDP as in Linux 83e824a4a595",
    size_bytes: 16 * MIB,
    identity: Identity {
        rdid: &[0xEF, 0x40, 0x18],
        rems: Some([0xEF, 0x17]),
        res: &[0x17],
    },
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(45, 400)),
        uniform(i::BE32, 32 * KIB, Busy::ms(120, 1600)),
        uniform(i::BE, 64 * KIB, Busy::ms(150, 2000)),
        chip(i::CE, Busy::ms(40_000, 200_000)),
        chip(i::CE_60, Busy::ms(40_000, 200_000)),
    ],
    protection: winbond_protection(256 * KIB),
    sfdp: Some(
        "53464450050100ff00050110800000ff ff*112
         e520f9ffffffff0744eb086b083b42bbfeffffffffff0000ffff40eb0c200f5210d80000
         3602a60082ea14c9e96376337a757a75f7a2d55c19f74dffe930f880 ff*64",
    ),
    ..W25Q64JV
};

const W25Q256FV: Part = Part {
    name: "w25q256fv",
    title: "Winbond W25Q256FV, 32 MiB",
    source: "Winbond W25Q256FV datasheet, sections 7.1, 8 and 9.6; SFDP as in QEMU",
    size_bytes: 32 * MIB,
    identity: Identity {
        rdid: &[0xEF, 0x40, 0x19],
        rems: Some([0xEF, 0x18]),
        res: &[0x18],
    },
    programming: page(Busy::us(700, 3000)),
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(45, 400)),
        uniform(i::BE32, 32 * KIB, Busy::ms(120, 1600)),
        uniform(i::BE, 64 * KIB, Busy::ms(150, 2000)),
        chip(i::CE, Busy::ms(80_000, 400_000)),
        chip(i::CE_60, Busy::ms(80_000, 400_000)),
    ],
    status: WINBOND_LARGE_STATUS,
    protection: WINBOND_LARGE_PROTECTION,
    // It reads with four address bytes, but does not program or erase so.
    features: WINBOND
        .and(Features::SOFT_RESET)
        .and(Features::READ_4B)
        .and(Features::EN4B)
        .and(Features::EXTENDED_ADDRESS),
    sfdp: Some(
        "53464450000100ff00000109800000ff ff*112
         e520f3ffffffff0f44eb086b083b42bbfeffffffffff0000ffff21eb0c200f5210d80000 ff*92",
    ),
    read_hz: 50 * MHZ,
    max_hz: 104 * MHZ,
};

const W25Q512JV: Part = Part {
    name: "w25q512jv",
    title: "Winbond W25Q512JV, 64 MiB",
    source: "SFDP as in QEMU; Winbond W25Q512JV datasheet, sections 7.1 and 8",
    size_bytes: 64 * MIB,
    identity: Identity {
        rdid: &[0xEF, 0x40, 0x20],
        rems: Some([0xEF, 0x19]),
        res: &[0x19],
    },
    programming: page(Busy::us(704, 4224)),
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(64, 896)),
        uniform_4b(i::SE_4B, 4 * KIB, Busy::ms(64, 896)),
        uniform(i::BE32, 32 * KIB, Busy::ms(128, 1792)),
        uniform(i::BE, 64 * KIB, Busy::ms(160, 2240)),
        uniform_4b(i::BE_4B, 64 * KIB, Busy::ms(160, 2240)),
        chip(i::CE, Busy::ms(192_000, 2_688_000)),
        chip(i::CE_60, Busy::ms(192_000, 2_688_000)),
    ],
    features: W25Q256FV.features.and(Features::PROGRAM_4B),
    sfdp: Some(
        "53464450060101ff00060110800000ff84000102d00000ff03000102f00000ff ff*96
         e520fbffffffff1f44eb086b083b42bbfeffffffffff0000ffff40eb0c200f5210d80000
         3602a60082ea14e2e96376337a757a75f7a2d55c19f74dffe970f9a5 ff*16
         ff0af0ff21ffdcff ff*40",
    ),
    max_hz: 133 * MHZ,
    ..W25Q256FV
};

/// Macronix with status and configuration register. MX25L3233F and MX25L25635F, section "Status
/// Register".
const MACRONIX_STATUS: StatusLayout = StatusLayout {
    registers: &[
        register(i::RDSR, Some(i::WRSR), 0xFC, 0x00),
        register(i::RDSR3, None, 0xCF, 0x00),
    ],
    long_write: 2,
    short_write_clears: false,
    ewsr: Ewsr::Absent,
    is_volatile: false,
    power_lock: None,
    four_byte_flag: None,
    time: Busy::ms(40, 100),
};

const MACRONIX_PROTECTION: Protection = Protection {
    levels: BP4,
    smallest_bytes: 64 * KIB,
    bottom: Some(RegisterBit(1, 1 << 3)),
    sector: None,
    complement: None,
};

const MACRONIX: Features = MODERN.and(Features::SECURITY_REGISTER);

const MX25L3233F: Part = Part {
    name: "mx25l3233f",
    title: "Macronix MX25L3233F, 4 MiB",
    source: "Macronix MX25L3233F datasheet, features and AC table; SFDP as published on linux-mtd",
    size_bytes: 4 * MIB,
    identity: Identity {
        rdid: &[0xC2, 0x20, 0x16],
        rems: Some([0xC2, 0x15]),
        res: &[0x15],
    },
    programming: page(Busy::us(330, 1200)),
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(25, 200)),
        uniform(i::BE32, 32 * KIB, Busy::ms(140, 600)),
        uniform(i::BE, 64 * KIB, Busy::ms(250, 1000)),
        chip(i::CE, Busy::ms(10_000, 30_000)),
        chip(i::CE_60, Busy::ms(10_000, 30_000)),
    ],
    status: MACRONIX_STATUS,
    protection: MACRONIX_PROTECTION,
    features: MACRONIX.and(Features::SOFT_RESET),
    sfdp: Some(
        "53464450000101ff00000109300000ffc2000104600000ff ff*24
         e520f1ffffffff0144eb086b083b04bbeeffffffffff00ffffff00ff0c200f5210d800ff ff*12
         003650269ef97764fecfffffffffffff",
    ),
    read_hz: 50 * MHZ,
    max_hz: 104 * MHZ,
};

const MX25L6436E: Part = Part {
    name: "mx25l6436e",
    title: "Macronix MX25L6436E, 8 MiB",
    source: "Macronix MX25L6436E datasheet revision 1.8, SFDP and AC tables",
    size_bytes: 8 * MIB,
    identity: Identity {
        rdid: &[0xC2, 0x20, 0x17],
        rems: Some([0xC2, 0x16]),
        res: &[0x16],
    },
    programming: page(Busy::us(1400, 5000)),
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(60, 300)),
        uniform(i::BE32, 32 * KIB, Busy::ms(500, 2000)),
        uniform(i::BE, 64 * KIB, Busy::ms(700, 2000)),
        chip(i::CE, Busy::ms(50_000, 80_000)),
        chip(i::CE_60, Busy::ms(50_000, 80_000)),
    ],
    status: StatusLayout {
        registers: &[register(i::RDSR, Some(i::WRSR), 0xFC, 0x00)],
        long_write: 1,
        ..MACRONIX_STATUS
    },
    protection: Protection {
        bottom: None,
        ..MACRONIX_PROTECTION
    },
    features: MACRONIX,
    sfdp: Some(
        "53464450000101ff00000109 1c0000ffc2000104480000ffffffffff
         e520c9ffffffff0300ff086b083b00ffeeffffffffff0000ffff00ff0c200f5210d800ff",
    ),
    read_hz: 50 * MHZ,
    max_hz: 104 * MHZ,
};

const MX25L25635F: Part = Part {
    name: "mx25l25635f",
    title: "Macronix MX25L25635F, 32 MiB",
    source: "Macronix MX25L25635F datasheet, features and AC table; SFDP as in QEMU",
    size_bytes: 32 * MIB,
    identity: Identity {
        rdid: &[0xC2, 0x20, 0x19],
        rems: Some([0xC2, 0x18]),
        res: &[0x18],
    },
    programming: page(Busy::us(600, 3000)),
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(43, 200)),
        uniform_4b(i::SE_4B, 4 * KIB, Busy::ms(43, 200)),
        uniform(i::BE32, 32 * KIB, Busy::ms(190, 1000)),
        uniform_4b(i::BE32_4B, 32 * KIB, Busy::ms(190, 1000)),
        uniform(i::BE, 64 * KIB, Busy::ms(340, 2000)),
        uniform_4b(i::BE_4B, 64 * KIB, Busy::ms(340, 2000)),
        chip(i::CE, Busy::ms(160_000, 400_000)),
        chip(i::CE_60, Busy::ms(160_000, 400_000)),
    ],
    status: StatusLayout {
        four_byte_flag: Some(RegisterBit(1, 1 << 5)),
        ..MACRONIX_STATUS
    },
    features: MACRONIX
        .and(Features::SOFT_RESET)
        .and(Features::READ_4B)
        .and(Features::PROGRAM_4B)
        .and(Features::EN4B)
        .and(Features::EXTENDED_ADDRESS),
    sfdp: Some(
        "53464450000101ff00000109300000ffc2000104600000ff ff*24
         e520f3ffffffff0f44eb086b083b04bbfeffffffffff00ffffff44eb0c200f5210d800ff ff*12
         003600279df9c06485cbffffffffffff",
    ),
    ..MX25L3233F
};

const N25Q256A: Part = Part {
    name: "n25q256a",
    title: "Micron N25Q256A, 32 MiB",
    source: "Micron N25Q256A 3 V datasheet, command set and AC table; SFDP as in QEMU",
    size_bytes: 32 * MIB,
    identity: Identity {
        // After the three bytes: how many follow, and a device code.
        rdid: &[0x20, 0xBA, 0x19, 0x10, 0x00],
        rems: None,
        res: &[],
    },
    programming: page(Busy::us(500, 5000)),
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(250, 800)),
        uniform_4b(i::SE_4B, 4 * KIB, Busy::ms(250, 800)),
        uniform(i::BE, 64 * KIB, Busy::ms(700, 3000)),
        uniform_4b(i::BE_4B, 64 * KIB, Busy::ms(700, 3000)),
        chip(i::CE, Busy::ms(240_000, 480_000)),
    ],
    status: StatusLayout {
        registers: &[register(i::RDSR, Some(i::WRSR), 0xFC, 0x00)],
        long_write: 1,
        short_write_clears: false,
        ewsr: Ewsr::Absent,
        is_volatile: false,
        power_lock: None,
        four_byte_flag: None,
        time: Busy::us(1300, 8000),
    },
    protection: Protection {
        levels: &[
            RegisterBit(0, 1 << 2),
            RegisterBit(0, 1 << 3),
            RegisterBit(0, 1 << 4),
            RegisterBit(0, 1 << 6),
        ],
        smallest_bytes: 64 * KIB,
        bottom: Some(RegisterBit(0, 1 << 5)),
        sector: None,
        complement: None,
    },
    features: Features::FAST_READ
        .and(Features::SOFT_RESET)
        .and(Features::READ_4B)
        .and(Features::PROGRAM_4B)
        .and(Features::EN4B)
        .and(Features::EN4B_WREN)
        .and(Features::EXTENDED_ADDRESS)
        .and(Features::FLAG_STATUS),
    sfdp: Some(
        "53464450000100ff00000109300000ff ff*32
         e520fbffffffff0f29eb276b083b27bbffffffffffff27bbffff29eb0c2010d800000000",
    ),
    read_hz: 54 * MHZ,
    max_hz: 108 * MHZ,
};

const IS25WP256: Part = Part {
    name: "is25wp256",
    title: "ISSI IS25WP256, 32 MiB, 1.8 V",
    source: "SFDP as published on linux-mtd; ISSI IS25WP256 datasheet, sections 6 and 8",
    size_bytes: 32 * MIB,
    identity: Identity {
        rdid: &[0x9D, 0x70, 0x19],
        rems: Some([0x9D, 0x18]),
        res: &[0x18],
    },
    programming: page(Busy::us(200, 1200)),
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(48, 384)),
        uniform_4b(i::SE_4B, 4 * KIB, Busy::ms(48, 384)),
        uniform(i::BE32, 32 * KIB, Busy::ms(160, 1280)),
        uniform_4b(i::BE32_4B, 32 * KIB, Busy::ms(160, 1280)),
        uniform(i::BE, 64 * KIB, Busy::ms(304, 2432)),
        uniform_4b(i::BE_4B, 64 * KIB, Busy::ms(304, 2432)),
        chip(i::CE, Busy::ms(60_000, 480_000)),
        chip(i::CE_60, Busy::ms(60_000, 480_000)),
    ],
    status: StatusLayout {
        registers: &[register(i::RDSR, Some(i::WRSR), 0xFC, 0x00)],
        long_write: 1,
        short_write_clears: false,
        ewsr: Ewsr::Absent,
        is_volatile: false,
        power_lock: None,
        four_byte_flag: None,
        time: Busy::ms(2, 15),
    },
    protection: Protection {
        bottom: None,
        ..MACRONIX_PROTECTION
    },
    features: WINBOND
        .and(Features::SOFT_RESET)
        .and(Features::READ_4B)
        .and(Features::PROGRAM_4B)
        .and(Features::EN4B)
        .and(Features::BANK_REGISTER),
    sfdp: Some(
        "53464450060101ff00060110300000ff9d05010380000002 ff*24
         e520f9ffffffff0f44eb086b083b80bbfeffffffffff00ffffff44eb0c200f5210d800ff
         234ac90082d811cecccd68467a757a75f7aed55c4a422cfff030faa9 ff*16
         501950169ff9c0648fefffff",
    ),
    read_hz: 50 * MHZ,
    max_hz: 104 * MHZ,
};

const AT25QL128A: Part = Part {
    name: "at25ql128a",
    title: "Renesas AT25QL128A, 16 MiB, 1.8 V",
    source: "SFDP as published on linux-renesas-soc; Adesto AT25QL128A datasheet",
    size_bytes: 16 * MIB,
    identity: Identity {
        rdid: &[0x1F, 0x42, 0x18],
        rems: Some([0x1F, 0x17]),
        res: &[0x17],
    },
    programming: page(Busy::us(640, 6400)),
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(64, 512)),
        uniform(i::BE32, 32 * KIB, Busy::ms(208, 1664)),
        uniform(i::BE, 64 * KIB, Busy::ms(352, 2816)),
        chip(i::CE, Busy::ms(60_000, 480_000)),
        chip(i::CE_60, Busy::ms(60_000, 480_000)),
    ],
    status: StatusLayout {
        registers: &[
            register(i::RDSR, Some(i::WRSR), 0xFC, 0x00),
            register(i::RDSR2, Some(i::WRSR2), 0x7B, 0x00),
        ],
        ..WINBOND_STATUS
    },
    protection: winbond_protection(256 * KIB),
    features: WINBOND.and(Features::SOFT_RESET),
    sfdp: Some(
        "53464450060101ff00060110300000ff1f00010280000001 ff*24
         e520f1ffffffff0744eb086b083b80bbfeffffffffff00ffffff42eb0c200f5210d800ff
         3362d500842901ceeca1073d7a757a75f7a2d55c19f61cffe810c080 ff*16
         501650190000ffff",
    ),
    read_hz: 55 * MHZ,
    max_hz: 133 * MHZ,
};

/// One register with three protection bits and SRWD. M25P80, section "Read Status Register".
const M25P_STATUS: StatusLayout = StatusLayout {
    registers: &[register(i::RDSR, Some(i::WRSR), 0x9C, 0x00)],
    long_write: 1,
    short_write_clears: false,
    ewsr: Ewsr::Absent,
    is_volatile: false,
    power_lock: None,
    four_byte_flag: None,
    time: Busy::us(1300, 15_000),
};

const M25P80: Part = Part {
    name: "m25p80",
    title: "Micron M25P80, 1 MiB: no SFDP, no 4 KiB erase",
    source: "Micron M25P80 datasheet revision I, features, protection and AC tables",
    size_bytes: MIB,
    identity: Identity {
        rdid: &[0x20, 0x20, 0x14],
        rems: None,
        res: &[0x13],
    },
    programming: page(Busy::us(640, 5000)),
    erases: &[
        uniform(i::BE, 64 * KIB, Busy::ms(600, 3000)),
        chip(i::CE, Busy::ms(8000, 20_000)),
    ],
    status: M25P_STATUS,
    protection: Protection {
        levels: BP3,
        smallest_bytes: 64 * KIB,
        bottom: None,
        sector: None,
        complement: None,
    },
    features: MODERN,
    sfdp: None,
    read_hz: 33 * MHZ,
    max_hz: 75 * MHZ,
};

const A25L80P: Part = Part {
    name: "a25l80p",
    title: "AMIC A25L80P, 1 MiB: sectors of 4 to 64 KiB, bottom boot",
    source: "AMIC A25L80P datasheet version 1.5, features",
    identity: Identity {
        // JEP106 bank 2: a continuation code first.
        rdid: &[0x7F, 0x37, 0x20, 0x14],
        rems: None,
        res: &[0x13],
    },
    programming: page(Busy::us(3000, 5000)),
    erases: &[
        Erase {
            opcode: i::BE,
            extent: Extent::Runs(&[
                (4 * KIB, 2),
                (8 * KIB, 1),
                (16 * KIB, 1),
                (32 * KIB, 1),
                (64 * KIB, 15),
            ]),
            time: Busy::ms(1000, 3000),
        },
        chip(i::CE, Busy::ms(10_000, 20_000)),
    ],
    // Version 1.4: the only choice left is none or all.
    protection: Protection {
        smallest_bytes: MIB,
        ..M25P80.protection
    },
    max_hz: 50 * MHZ,
    ..M25P80
};

/// SST: everything protected at power-up, changed at once, lost with the power. SST25VF016B, table
/// 4.
const fn sst_status(registers: &'static [StatusRegister]) -> StatusLayout {
    StatusLayout {
        registers,
        long_write: 1,
        short_write_clears: false,
        ewsr: Ewsr::Enables,
        is_volatile: true,
        power_lock: None,
        four_byte_flag: None,
        time: Busy::us(0, 0),
    }
}

const SST25VF512: Part = Part {
    name: "sst25vf512",
    title: "SST SST25VF512, 64 KiB: byte by byte, no RDID",
    source: "SST SST25VF512 datasheet S71192, tables 4 to 6 and AC table",
    size_bytes: 64 * KIB,
    identity: Identity {
        rdid: &[],
        rems: Some([0xBF, 0x48]),
        res: &[0xBF, 0x48],
    },
    programming: Programming::Byte {
        byte: Busy::us(14, 20),
        words: false,
    },
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(18, 25)),
        uniform(i::BE32, 32 * KIB, Busy::ms(18, 25)),
        uniform(i::BE, 32 * KIB, Busy::ms(18, 25)),
        chip(i::CE_60, Busy::ms(70, 100)),
        chip(i::CE, Busy::ms(70, 100)),
    ],
    status: sst_status(&[register(i::RDSR, Some(i::WRSR), 0x8C, 0x0C)]),
    protection: Protection {
        levels: &[RegisterBit(0, 1 << 2), RegisterBit(0, 1 << 3)],
        smallest_bytes: 16 * KIB,
        bottom: None,
        sector: None,
        complement: None,
    },
    features: Features::NONE,
    sfdp: None,
    read_hz: 20 * MHZ,
    max_hz: 20 * MHZ,
};

const SST25VF040B: Part = Part {
    name: "sst25vf040b",
    title: "SST SST25VF040B, 512 KiB: words by auto address increment",
    source: "SST SST25VF040B datasheet S71295, tables 4 to 6 and AC table",
    size_bytes: 512 * KIB,
    identity: Identity {
        rdid: &[0xBF, 0x25, 0x8D],
        rems: Some([0xBF, 0x8D]),
        res: &[0xBF, 0x8D],
    },
    programming: Programming::Byte {
        byte: Busy::us(7, 10),
        words: true,
    },
    erases: &[
        uniform(i::SE, 4 * KIB, Busy::ms(18, 25)),
        uniform(i::BE32, 32 * KIB, Busy::ms(18, 25)),
        uniform(i::BE, 64 * KIB, Busy::ms(18, 25)),
        chip(i::CE_60, Busy::ms(35, 50)),
        chip(i::CE, Busy::ms(35, 50)),
    ],
    status: sst_status(&[register(i::RDSR, Some(i::WRSR), 0xBC, 0x1C)]),
    protection: Protection {
        levels: BP3,
        smallest_bytes: 64 * KIB,
        bottom: None,
        sector: None,
        complement: None,
    },
    features: Features::FAST_READ,
    sfdp: None,
    read_hz: 25 * MHZ,
    max_hz: 50 * MHZ,
};

const SST25VF016B: Part = Part {
    name: "sst25vf016b",
    title: "SST SST25VF016B, 2 MiB: words by auto address increment",
    source: "SST SST25VF016B datasheet S71271, tables 4 to 6 and AC table",
    size_bytes: 2 * MIB,
    identity: Identity {
        rdid: &[0xBF, 0x25, 0x41],
        rems: Some([0xBF, 0x41]),
        res: &[0xBF, 0x41],
    },
    ..SST25VF040B
};
