//! Boards of single rows.

use flashwire_tests::board::Board;

/// STM32H743ZI: 16 sectors of 128 KiB in two banks (RM0433, section 4.3.5, table 15).
pub(crate) const H743: Board = Board {
    bench: "stm32h743zi,flash-percent=10",
    family: None,
    unit_bytes: 128 << 10,
    flash_bytes: 2 << 20,
    erased: 0xFF,
};

/// STM32G0B1RE: 256 pages of 2 KiB (RM0444, section 3.3.1, table 10). Its loader has Get Checksum.
pub(crate) const G0B1: Board = Board {
    bench: "stm32g0b1re,flash-percent=10",
    family: Some("G0"),
    unit_bytes: 2048,
    flash_bytes: 512 << 10,
    erased: 0xFF,
};

/// STM32F103C8: half of what its product id stands for (DS5319, table 2).
pub(crate) const F103C8: Board = Board {
    bench: "stm32f103c8,flash-percent=10",
    family: Some("F1"),
    unit_bytes: 1024,
    flash_bytes: 64 << 10,
    erased: 0xFF,
};

/// A board whose lines reach the pins; nobody presses a button.
pub(crate) const WIRED: &str = ",wiring=dtr-nrst+rts-boot0,button=none";
