//! The parts that have a bench.
//!
//! Every figure is the silicon maker's: memory maps and option bytes from the reference manuals
//! (RM), times from the datasheets (DS: typical values; the middle where only a range is given),
//! the loaders' own facts from AN2606 and AN3155. Rows are written from the documents named beside
//! them and never from the client's table: where the two disagree a test fails, and somebody reads
//! the document again.

#![expect(
    clippy::single_range_in_vec_init,
    reason = "lists of memory areas, most of them with one area"
)]

mod without_parity;

use std::time::Duration;

use flashwire_link::Parity;
use flashwire_protocol::stm32::Command;

use super::options::{Cell, OptionLayout, WriteProtection};
use super::part::{Flash, I2cLoader, Loader, Part, ProgramRule, Sectors};

pub use without_parity::PARTS_WITHOUT_PARITY;

/// All parts that have a bench, in the order that lists show them.
pub fn all_parts() -> impl Iterator<Item = &'static Part> {
    PARTS.iter().chain(&PARTS_WITHOUT_PARITY)
}

/// The part whose bench has this name; `stm32` may be left out.
pub fn part(name: &str) -> Option<&'static Part> {
    all_parts().find(|part| part.name == name || part.name.strip_prefix("stm32") == Some(name))
}

/// Commands of the loaders before protocol version 3.0 (AN3155, section 3, table 2).
const COMMANDS_V2: &[Command] = &[
    Command::Get,
    Command::GetVersion,
    Command::GetId,
    Command::ReadMemory,
    Command::Go,
    Command::WriteMemory,
    Command::Erase,
    Command::WriteProtect,
    Command::WriteUnprotect,
    Command::ReadoutProtect,
    Command::ReadoutUnprotect,
];

/// Commands from protocol version 3.0 on: Extended Erase instead of Erase.
const COMMANDS_V3: &[Command] = COMMANDS_V3_3.split_at(11).0;

/// Commands of protocol version 3.3: Get Checksum besides (AN3155, section 3.13).
const COMMANDS_V3_3: &[Command] = &[
    Command::Get,
    Command::GetVersion,
    Command::GetId,
    Command::ReadMemory,
    Command::Go,
    Command::WriteMemory,
    Command::ExtendedErase,
    Command::WriteProtect,
    Command::WriteUnprotect,
    Command::ReadoutProtect,
    Command::ReadoutUnprotect,
    Command::GetChecksum,
];

const KIB: u32 = 1024;

const fn us(count: u64) -> Duration {
    Duration::from_micros(count)
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// From reset until the loader listens, as AN2606 (section on bootloader timing) tells it for F1,
/// F40x loaders 9.x and L1.
const START_UP_F1: Duration = us(1227);
const START_UP_F4: Duration = ms(74);
const START_UP_L1: Duration = us(542);
/// The same for a loader that only looks at its UART and buses; an assumption.
const START_UP: Duration = ms(5);
/// The same for a loader that also looks for a crystal and a USB host; an assumption between the
/// figures above.
const START_UP_USB: Duration = ms(40);

/// F1 option bytes: RDP, USER, Data0, Data1, WRP0 to WRP3 (PM0075, section 2.5, table 5).
const fn options_f1(pages_per_bit: u32) -> OptionLayout {
    OptionLayout {
        blocks: &[(0x1FFF_F800, 8)],
        cell: Cell::Byte,
        factory: &[0xA5, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        read_protection: (0, 0),
        level_0: 0xA5,
        level_2: None,
        write_protection: WriteProtection::Bits {
            first_cell: 4,
            bits_per_cell: 8,
            bits: 32,
            protects: false,
            units_per_bit: pages_per_bit,
        },
        // The loader erases all option bytes to get rid of RDP.
        wiped_by_unprotect: true,
    }
}

/// F0 option bytes (RM0091, section 4): as F1, with three levels of read protection.
const OPTIONS_F0: OptionLayout = OptionLayout {
    factory: &[0xAA, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    level_0: 0xAA,
    level_2: Some(0xCC),
    // F07x: one bit for each 4 KiB, which is two pages.
    write_protection: WriteProtection::Bits {
        first_cell: 4,
        bits_per_cell: 8,
        bits: 32,
        protects: false,
        units_per_bit: 2,
    },
    ..options_f1(2)
};

/// F405/407 option bytes (RM0090, section 3.6.1, table 8): USER and RDP in the first word, nWRP in
/// the third.
const OPTIONS_F4: OptionLayout = OptionLayout {
    blocks: &[(0x1FFF_C000, 4)],
    cell: Cell::Bare,
    factory: &[0xFFFF_AAEF, 0xFFFF_FFFF, 0xFFFF_0FFF, 0xFFFF_FFFF],
    read_protection: (0, 8),
    level_0: 0xAA,
    level_2: Some(0xCC),
    write_protection: WriteProtection::Bits {
        first_cell: 2,
        bits_per_cell: 12,
        bits: 12,
        protects: false,
        units_per_bit: 1,
    },
    wiped_by_unprotect: false,
};

/// L1 option bytes (RM0038, section 3.8, table 18): RDP, USER, then WRP bits of 4 KiB each, which
/// protect where they are 1.
const OPTIONS_L1_CAT1: OptionLayout = OptionLayout {
    blocks: &[(0x1FF8_0000, 8)],
    cell: Cell::HalfWord,
    factory: &[0x00AA, 0x00F8, 0, 0, 0, 0, 0, 0],
    read_protection: (0, 0),
    level_0: 0xAA,
    level_2: Some(0xCC),
    write_protection: WriteProtection::Bits {
        first_cell: 2,
        bits_per_cell: 16,
        bits: 32,
        protects: true,
        units_per_bit: 16,
    },
    wiped_by_unprotect: false,
};

/// L1 category 5: six words of WRP, then WRP4 at 0x1FF80080 (RM0038, section 3.8, table 18). The
/// loader's bits are numbered through both.
const OPTIONS_L1_CAT5: OptionLayout = OptionLayout {
    blocks: &[(0x1FF8_0000, 8), (0x1FF8_0080, 2)],
    factory: &[0x00AA, 0x00F8, 0, 0, 0, 0, 0, 0, 0, 0],
    write_protection: WriteProtection::Bits {
        first_cell: 2,
        bits_per_cell: 16,
        bits: 128,
        protects: true,
        units_per_bit: 16,
    },
    ..OPTIONS_L1_CAT1
};

/// G0 option bytes with one bank (RM0444, section 3.4, table 21): OPTR, PCROP1A start and end,
/// WRP1A, WRP1B.
const OPTIONS_G0: OptionLayout = OptionLayout {
    blocks: &[(0x1FFF_7800, 5)],
    cell: Cell::Word,
    factory: &[0xDFFF_E1AA, 0x0000_01FF, 0, 0x0000_007F, 0x0000_007F],
    read_protection: (0, 0),
    level_0: 0xAA,
    level_2: Some(0xCC),
    write_protection: WriteProtection::Areas {
        cells: &[3, 4],
        mask: 0x7F,
    },
    wiped_by_unprotect: false,
};

/// G0B1 option bytes: the second bank's PCROP and WRP areas follow those of the first (RM0444,
/// section 3.4, table 21).
const OPTIONS_G0B1: OptionLayout = OptionLayout {
    blocks: &[(0x1FFF_7800, 12)],
    factory: &[
        0xDFFF_E1AA,
        0x0000_01FF,
        0,
        0x0000_007F,
        0x0000_007F,
        0x0000_01FF,
        0,
        0x0000_01FF,
        0,
        0x0000_007F,
        0x0000_007F,
        0x0000_01FF,
    ],
    write_protection: WriteProtection::Areas {
        cells: &[3, 4, 9, 10],
        mask: 0x7F,
    },
    ..OPTIONS_G0
};

/// L47x option bytes (RM0351, section 3.4, table 13): OPTR, PCROP1SR, PCROP1ER, WRP1AR, WRP1BR,
/// and the second bank's in a block of its own.
const OPTIONS_L4: OptionLayout = OptionLayout {
    blocks: &[(0x1FFF_7800, 5), (0x1FFF_F808, 4)],
    cell: Cell::Word,
    factory: &[
        0xFFEF_F8AA,
        0xFFFF_FFFF,
        0,
        0x0000_00FF,
        0x0000_00FF,
        0xFFFF_FFFF,
        0,
        0x0000_00FF,
        0x0000_00FF,
    ],
    read_protection: (0, 0),
    level_0: 0xAA,
    level_2: Some(0xCC),
    write_protection: WriteProtection::Areas {
        cells: &[3, 4, 7, 8],
        mask: 0xFF,
    },
    wiped_by_unprotect: false,
};

/// H74x: option registers only (RM0433, sections 4.9.8 and 4.9.13): RDP in OPTSR, then WPSN of
/// bank 1 and bank 2, whose bits protect where they are 0.
const OPTIONS_H7: OptionLayout = OptionLayout {
    blocks: &[],
    cell: Cell::Bare,
    factory: &[0x0000_AA00, 0xFF, 0xFF],
    read_protection: (0, 8),
    level_0: 0xAA,
    level_2: Some(0xCC),
    write_protection: WriteProtection::Bits {
        first_cell: 1,
        bits_per_cell: 8,
        bits: 16,
        protects: false,
        units_per_bit: 1,
    },
    wiped_by_unprotect: false,
};

/// U57x: option registers only (RM0456, section 7.9): RDP in OPTR, then WRP1AR, WRP1BR, WRP2AR,
/// WRP2BR.
const OPTIONS_U5: OptionLayout = OptionLayout {
    blocks: &[],
    cell: Cell::Bare,
    factory: &[
        0x1FEF_F8AA,
        0x0000_007F,
        0x0000_007F,
        0x0000_007F,
        0x0000_007F,
    ],
    read_protection: (0, 0),
    level_0: 0xAA,
    level_2: Some(0xCC),
    write_protection: WriteProtection::Areas {
        cells: &[1, 2, 3, 4],
        mask: 0x7F,
    },
    wiped_by_unprotect: false,
};

/// An I2C interface. All parts here reset themselves after 1000 ms (AN2606, table 230).
const fn i2c(address: u8, version: u8, max_hz: u32, stretch: Duration) -> I2cLoader {
    I2cLoader {
        address,
        version,
        max_hz,
        stretch,
        timeout: ms(1000),
    }
}

/// F1 loader 2.2 (AN2606, sections on STM32F10xxx; GET answer in AN3155, section 3.1): ROM and
/// flash share one module, HSI at 8 MHz.
const LOADER_F1: Loader = Loader {
    version: 0x22,
    commands: COMMANDS_V2,
    id: None,
    ram_bytes: 0x200,
    clock_hz: 8_000_000,
    max_baud: 460_800,
    start_up: START_UP_F1,
    reads_system_in_blocks: false,
    reports_program_errors: true,
    acks_unprotect_first: false,
    parity: Parity::Even,
    long_id: None,
    i2c: None,
};

/// F1 flash (DS5319 rev 18, table 28, and DS5792, table 46: t_prog 52.5 us, t_ERASE 20 to 40 ms,
/// t_ME 20 to 40 ms); half-words must read 0xFFFF or become 0 (PM0075, section 2.3.3).
const fn flash_f1(sectors: &'static [Sectors]) -> Flash {
    Flash {
        start: 0x0800_0000,
        banks: 1,
        sectors,
        mass_erase: Some(ms(30)),
        program_bytes: 2,
        program: Duration::from_nanos(52_500),
        program_block: 2,
        erased: 0xFF,
        rule: ProgramRule::BlankOrToZero,
    }
}

const fn pages(count: u32, bytes: u32, erase: Duration) -> Sectors {
    Sectors {
        count,
        bytes,
        erase,
    }
}

/// F103 parts differ in size only (RM0008, section 3.3, tables 4 to 6; DS5319, DS5792).
const fn f103(
    name: &'static str,
    title: &'static str,
    product_id: u16,
    sectors: &'static [Sectors],
    ram: &'static [std::ops::Range<u32>],
    options: OptionLayout,
) -> Part {
    Part {
        name,
        title,
        product_id,
        loader: LOADER_F1,
        flash: flash_f1(sectors),
        ram,
        system: &[0x1FFF_F000..0x1FFF_F800],
        size_address: 0x1FFF_F7E0,
        uid_address: 0x1FFF_F7E8,
        uid_words: [0, 4, 8],
        options,
        empty_check: false,
    }
}

/// The parts of the main lineages.
pub static PARTS: [Part; 13] = [
    f103(
        "stm32f103c8",
        "STM32F103C8, 64 KiB flash, 20 KiB RAM",
        0x410,
        &[pages(64, KIB, ms(30))],
        &[0x2000_0000..0x2000_5000],
        options_f1(4),
    ),
    f103(
        "stm32f103cb",
        "STM32F103CB, 128 KiB flash, 20 KiB RAM",
        0x410,
        &[pages(128, KIB, ms(30))],
        &[0x2000_0000..0x2000_5000],
        options_f1(4),
    ),
    f103(
        "stm32f103rc",
        "STM32F103RC, 256 KiB flash, 48 KiB RAM",
        0x414,
        &[pages(128, 2 * KIB, ms(30))],
        &[0x2000_0000..0x2000_C000],
        options_f1(2),
    ),
    f103(
        "stm32f103ve",
        "STM32F103VE, 512 KiB flash, 64 KiB RAM",
        0x414,
        &[pages(256, 2 * KIB, ms(30))],
        &[0x2000_0000..0x2001_0000],
        options_f1(2),
    ),
    // RM0091, section 3.2; DS9826, table 46 (t_prog 53.5 us, t_ERASE and t_ME 20 to 40 ms);
    // AN2606, section on STM32F071xx/072xx.
    Part {
        name: "stm32f072rb",
        title: "STM32F072RB, 128 KiB flash, 16 KiB RAM",
        product_id: 0x448,
        loader: Loader {
            version: 0x31,
            commands: COMMANDS_V3,
            id: Some((0x1FFF_F6A6, 0xA1)),
            ram_bytes: 0x1800,
            clock_hz: 48_000_000,
            max_baud: 921_600,
            start_up: START_UP_USB,
            reads_system_in_blocks: false,
            reports_program_errors: true,
            acks_unprotect_first: false,
            parity: Parity::Even,
            long_id: None,
            i2c: Some(i2c(0x3B, 0x10, 400_000, Duration::from_nanos(2_500))),
        },
        flash: Flash {
            program: Duration::from_nanos(53_500),
            ..flash_f1(&[pages(64, 2 * KIB, ms(30))])
        },
        ram: &[0x2000_0000..0x2000_4000],
        system: &[0x1FFF_C800..0x1FFF_F800],
        size_address: 0x1FFF_F7CC,
        uid_address: 0x1FFF_F7AC,
        uid_words: [0, 4, 8],
        options: OPTIONS_F0,
        empty_check: false,
    },
    // RM0090, section 3.3, table 5; DS8626, table 40 (x32: 16 us, 250 ms for 16 KiB, 550 ms for
    // 64 KiB, 1 s for 128 KiB, 8 s in all); AN2606, section on STM32F40xxx/41xxx.
    Part {
        name: "stm32f407vg",
        title: "STM32F407VG, 1 MiB flash, 192 KiB RAM",
        product_id: 0x413,
        loader: Loader {
            version: 0x31,
            commands: COMMANDS_V3,
            id: Some((0x1FFF_77DE, 0x91)),
            ram_bytes: 0x3000,
            clock_hz: 60_000_000,
            max_baud: 1_000_000,
            start_up: START_UP_F4,
            reads_system_in_blocks: true,
            reports_program_errors: true,
            acks_unprotect_first: false,
            parity: Parity::Even,
            long_id: None,
            i2c: Some(i2c(0x3A, 0x10, 400_000, Duration::from_nanos(2_200))),
        },
        flash: Flash {
            start: 0x0800_0000,
            banks: 1,
            sectors: &[
                pages(4, 16 * KIB, ms(250)),
                pages(1, 64 * KIB, ms(550)),
                pages(7, 128 * KIB, ms(1000)),
            ],
            mass_erase: Some(ms(8000)),
            program_bytes: 4,
            program: us(16),
            program_block: 4,
            erased: 0xFF,
            rule: ProgramRule::ClearsBits,
        },
        ram: &[0x2000_0000..0x2002_0000, 0x1000_0000..0x1001_0000],
        // Up to the end of the block in which size and unique id stand: stm32loader reads it whole
        // on these parts (its issues 25, 43 and 45).
        system: &[0x1FFF_0000..0x1FFF_7B00],
        size_address: 0x1FFF_7A22,
        uid_address: 0x1FFF_7A10,
        uid_words: [0, 4, 8],
        options: OPTIONS_F4,
        empty_check: false,
    },
    // RM0444, section 3.3.1, table 8; DS12232, table 46 (t_prog 85 us, t_ERASE 22 ms, t_ME
    // 22.1 ms); AN2606, section on STM32G07xxx/08xxx.
    Part {
        name: "stm32g071rb",
        title: "STM32G071RB, 128 KiB flash, 36 KiB RAM",
        product_id: 0x460,
        loader: Loader {
            version: 0x31,
            commands: COMMANDS_V3,
            id: Some((0x1FFF_6FFE, 0xB3)),
            ram_bytes: 0x2700,
            parity: Parity::Even,
            long_id: None,
            i2c: Some(i2c(0x51, 0x12, 1_000_000, us(2))),
            ..LOADER_G0
        },
        flash: flash_g0(1, &[pages(64, 2 * KIB, ms(22))]),
        ram: &[0x2000_0000..0x2000_9000],
        system: &[0x1FFF_0000..0x1FFF_7800],
        size_address: 0x1FFF_75E0,
        uid_address: 0x1FFF_7590,
        uid_words: [0, 4, 8],
        options: OPTIONS_G0,
        empty_check: true,
    },
    // RM0444, section 3.3.1, table 9; DS13560, table 50 (as G071); AN2606, section on
    // STM32G0B1xx/0C1xx.
    Part {
        name: "stm32g0b1re",
        title: "STM32G0B1RE, 512 KiB flash in two banks, 144 KiB RAM",
        product_id: 0x467,
        loader: Loader {
            version: 0x33,
            commands: COMMANDS_V3_3,
            id: Some((0x1FFF_9FFE, 0x92)),
            ram_bytes: 0x4000,
            start_up: START_UP_USB,
            parity: Parity::Even,
            long_id: None,
            i2c: Some(i2c(0x5D, 0x12, 1_000_000, us(2))),
            ..LOADER_G0
        },
        flash: flash_g0(2, &[pages(128, 2 * KIB, ms(22))]),
        ram: &[0x2000_0000..0x2002_4000],
        system: &[0x1FFF_0000..0x1FFF_A000],
        size_address: 0x1FFF_75E0,
        uid_address: 0x1FFF_7590,
        uid_words: [0, 4, 8],
        options: OPTIONS_G0B1,
        empty_check: true,
    },
    l152(
        "stm32l152rb",
        "STM32L152RB, 128 KiB flash, 16 KiB RAM",
        0x416,
        Signature {
            loader_id: (0x1FF0_0FFE, 0x20),
            loader_ram: 0x800,
            size_address: 0x1FF8_004C,
            uid_address: 0x1FF8_0050,
            system: &[0x1FF0_0000..0x1FF0_1000, 0x1FF8_0000..0x1FF8_0100],
        },
        1,
        &[pages(512, 256, L1_PAGE)],
        &[0x2000_0000..0x2000_4000],
        OPTIONS_L1_CAT1,
    ),
    l152(
        "stm32l152re",
        "STM32L152RE, 512 KiB flash in two banks, 80 KiB RAM",
        0x437,
        Signature {
            loader_id: (0x1FF0_1FFE, 0x40),
            loader_ram: 0x1000,
            size_address: 0x1FF8_00CC,
            uid_address: 0x1FF8_00D0,
            system: &[0x1FF0_0000..0x1FF0_2000, 0x1FF8_0000..0x1FF8_0100],
        },
        2,
        &[pages(1024, 256, L1_PAGE)],
        &[0x2000_0000..0x2001_4000],
        OPTIONS_L1_CAT5,
    ),
    // RM0351, section 3.3.1, table 8; DS10198, table 62 (t_prog 81.69 us, t_ERASE 22.02 ms, t_ME
    // 22.13 ms); AN2606, section on STM32L476xx/486xx, loader 9.2.
    Part {
        name: "stm32l476rg",
        title: "STM32L476RG, 1 MiB flash in two banks, 128 KiB RAM",
        product_id: 0x415,
        loader: Loader {
            version: 0x31,
            commands: COMMANDS_V3,
            id: Some((0x1FFF_6FFE, 0x92)),
            ram_bytes: 0x3100,
            clock_hz: 72_000_000,
            max_baud: 1_000_000,
            start_up: START_UP_USB,
            reads_system_in_blocks: false,
            reports_program_errors: false,
            acks_unprotect_first: false,
            parity: Parity::Even,
            long_id: None,
            i2c: Some(i2c(0x43, 0x12, 400_000, us(2))),
        },
        flash: Flash {
            program: Duration::from_nanos(81_690),
            mass_erase: Some(us(22_130)),
            ..flash_g0(2, &[pages(256, 2 * KIB, us(22_020))])
        },
        ram: &[0x2000_0000..0x2001_8000, 0x1000_0000..0x1000_8000],
        system: &[0x1FFF_0000..0x1FFF_7800],
        size_address: 0x1FFF_75E0,
        uid_address: 0x1FFF_7590,
        uid_words: [0, 4, 8],
        options: OPTIONS_L4,
        empty_check: false,
    },
    // RM0433, section 4.3.9, table 15; DS12110, table 53 (x64: 100 us for 256 bits, 1 s for a
    // sector, 5 s for a bank); AN2606, section on STM32H74xxx/75xxx.
    Part {
        name: "stm32h743zi",
        title: "STM32H743ZI, 2 MiB flash in two banks, 128 KiB DTCM and 512 KiB AXI RAM",
        product_id: 0x450,
        loader: Loader {
            version: 0x31,
            commands: COMMANDS_V3,
            id: Some((0x1FF1_E7FE, 0x91)),
            ram_bytes: 0x4100,
            clock_hz: 66_000_000,
            max_baud: 2_000_000,
            start_up: START_UP_USB,
            reads_system_in_blocks: false,
            reports_program_errors: false,
            acks_unprotect_first: false,
            parity: Parity::Even,
            long_id: None,
            i2c: Some(i2c(0x4E, 0x11, 400_000, us(50))),
        },
        flash: Flash {
            start: 0x0800_0000,
            banks: 2,
            sectors: &[pages(8, 128 * KIB, ms(1000))],
            mass_erase: Some(ms(5000)),
            program_bytes: 32,
            program: us(100),
            program_block: 32,
            erased: 0xFF,
            rule: ProgramRule::ClearsBits,
        },
        ram: &[0x2000_0000..0x2002_0000, 0x2400_0000..0x2408_0000],
        system: &[0x1FF0_0000..0x1FF1_E890],
        size_address: 0x1FF1_E880,
        uid_address: 0x1FF1_E800,
        uid_words: [0, 4, 8],
        options: OPTIONS_H7,
        empty_check: false,
    },
    // RM0456, section 7.3.1, table 51; DS13737, table 76 (t_prog 118 us for 128 bits, t_ERASE
    // 1.5 ms a page, 195 ms a bank); AN2606, section on STM32U575xx/585xx; ST's Open Bootloader
    // for the early acknowledge.
    Part {
        name: "stm32u575zi",
        title: "STM32U575ZI, 2 MiB flash in two banks, 768 KiB RAM",
        product_id: 0x482,
        loader: Loader {
            version: 0x31,
            commands: COMMANDS_V3,
            id: Some((0x0BF9_9EFE, 0x92)),
            ram_bytes: 0x4000,
            clock_hz: 60_000_000,
            max_baud: 2_000_000,
            start_up: START_UP_USB,
            reads_system_in_blocks: false,
            reports_program_errors: false,
            acks_unprotect_first: true,
            parity: Parity::Even,
            long_id: None,
            i2c: Some(i2c(0x5A, 0x12, 1_000_000, us(2))),
        },
        flash: Flash {
            start: 0x0800_0000,
            banks: 2,
            sectors: &[pages(128, 8 * KIB, us(1500))],
            mass_erase: Some(ms(195)),
            program_bytes: 16,
            program: us(118),
            program_block: 16,
            erased: 0xFF,
            rule: ProgramRule::Blank,
        },
        ram: &[0x2000_0000..0x200C_0000],
        system: &[0x0BF9_0000..0x0BFA_1000],
        size_address: 0x0BFA_07A0,
        uid_address: 0x0BFA_0700,
        uid_words: [0, 4, 8],
        options: OPTIONS_U5,
        empty_check: false,
    },
];

/// What the G0 loaders share (AN2606, sections on STM32G0): HSI at 24 MHz.
const LOADER_G0: Loader = Loader {
    version: 0x31,
    commands: COMMANDS_V3,
    id: None,
    ram_bytes: 0,
    clock_hz: 24_000_000,
    max_baud: 1_000_000,
    start_up: START_UP,
    reads_system_in_blocks: false,
    reports_program_errors: false,
    acks_unprotect_first: false,
    parity: Parity::Even,
    long_id: None,
    i2c: None,
};

/// Flash of 64-bit words with ECC: a word must be blank, or becomes 0 (RM0444, section 3.3.8;
/// RM0351, section 3.3.7).
const fn flash_g0(banks: u32, sectors: &'static [Sectors]) -> Flash {
    Flash {
        start: 0x0800_0000,
        banks,
        sectors,
        mass_erase: Some(us(22_100)),
        program_bytes: 8,
        program: us(85),
        program_block: 8,
        erased: 0xFF,
        rule: ProgramRule::BlankOrToZero,
    }
}

/// L1 page erase, and programming of a word or of half a page alike (DS6876, table 43).
const L1_PAGE: Duration = us(3280);

/// Where the L1 categories differ beside their sizes.
struct Signature {
    loader_id: (u32, u8),
    loader_ram: u32,
    size_address: u32,
    uid_address: u32,
    system: &'static [std::ops::Range<u32>],
}

/// L1 parts (RM0038, sections 3.2 and 30; DS6876; AN2606, sections on STM32L1xxx): erased flash
/// reads 0, the loader knows no mass erase, and programs half pages of 128 bytes.
#[expect(
    clippy::too_many_arguments,
    reason = "a table row whose columns are the arguments"
)]
const fn l152(
    name: &'static str,
    title: &'static str,
    product_id: u16,
    signature: Signature,
    banks: u32,
    sectors: &'static [Sectors],
    ram: &'static [std::ops::Range<u32>],
    options: OptionLayout,
) -> Part {
    Part {
        name,
        title,
        product_id,
        loader: Loader {
            version: 0x30,
            commands: COMMANDS_V3,
            id: Some(signature.loader_id),
            ram_bytes: signature.loader_ram,
            clock_hz: 16_000_000,
            max_baud: 460_800,
            start_up: START_UP_L1,
            reads_system_in_blocks: false,
            reports_program_errors: true,
            parity: Parity::Even,
            long_id: None,
            i2c: None,
            acks_unprotect_first: false,
        },
        flash: Flash {
            start: 0x0800_0000,
            banks,
            sectors,
            mass_erase: None,
            program_bytes: 4,
            program: L1_PAGE,
            program_block: 128,
            erased: 0x00,
            rule: ProgramRule::Blank,
        },
        ram,
        system: signature.system,
        size_address: signature.size_address,
        uid_address: signature.uid_address,
        uid_words: [0, 4, 0x14],
        options,
        empty_check: false,
    }
}
