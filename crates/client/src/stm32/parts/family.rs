//! What the parts of a family have in common: how fast their flash is, and what may be programmed
//! over what.

use std::time::Duration;

use flashwire_plan::Rewrite;

/// A family of STM32 parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the variants are the families' own names")]
pub enum Family {
    C0,
    F0,
    F1,
    F2,
    F3,
    F4,
    F7,
    G0,
    G4,
    H5,
    H7,
    H7RS,
    L0,
    L1,
    L4,
    L5,
    N6,
    /// The BlueNRG lineage, STM32WB0 and STM32WL3 among it.
    Nrg,
    U0,
    U3,
    U5,
    /// STM32W108, an early one with its own loader.
    W,
    WB,
    WBA,
    WL,
    /// Not in the tables.
    Unknown,
}

/// Times of a flash memory. They decide how long to wait and what to expect; nothing is concluded
/// from an operation that takes shorter or longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Time to program 256 bytes, typically.
    pub block: Duration,
    /// The same at most.
    pub block_most: Duration,
    /// Time to erase everything, per MiB, at most.
    pub mass_most_per_mib: Duration,
}

const fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Family {
    /// The family that a table calls so.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "C0" => Self::C0,
            "F0" => Self::F0,
            "F1" => Self::F1,
            "F2" => Self::F2,
            "F3" => Self::F3,
            "F4" => Self::F4,
            "F7" => Self::F7,
            "G0" => Self::G0,
            "G4" => Self::G4,
            "H5" => Self::H5,
            "H7" => Self::H7,
            "H7RS" => Self::H7RS,
            "L0" => Self::L0,
            "L1" => Self::L1,
            "L4" | "L4+" => Self::L4,
            "L5" => Self::L5,
            "N6" => Self::N6,
            "NRG" => Self::Nrg,
            "U0" => Self::U0,
            "U3" => Self::U3,
            "U5" => Self::U5,
            "W" => Self::W,
            "WB" => Self::WB,
            "WBA" => Self::WBA,
            "WL" => Self::WL,
            _ => Self::Unknown,
        }
    }

    /// Times of programming and of erasing everything.
    pub const fn timing(self) -> Timing {
        match self {
            // 52.5 us a half-word, 70 at most; mass erase 40 ms at most: STM32F103x8/B datasheet,
            // "Memory characteristics". F0 and F3 alike.
            Self::F0 | Self::F1 | Self::F3 | Self::W | Self::Nrg => Timing {
                block: micros(6_720),
                block_most: micros(8_960),
                mass_most_per_mib: millis(100),
            },
            // 16 us a word, 100 at most (here: by bytes, as at low voltage); mass erase of 1 MiB 16 s
            // at most at x32, 32 s at x8: STM32F405 datasheet, "Memory characteristics".
            Self::F2 | Self::F4 | Self::F7 => Timing {
                block: micros(1_024),
                block_most: micros(25_600),
                mass_most_per_mib: millis(32_000),
            },
            // 85 us a double word, 125 at most; bank erase 22 to 40 ms: STM32G071 datasheet,
            // "Memory characteristics". L4, G4 and their kin alike.
            Self::C0
            | Self::G0
            | Self::G4
            | Self::L4
            | Self::L5
            | Self::U0
            | Self::U3
            | Self::WB
            | Self::WL => Timing {
                block: micros(2_720),
                block_most: micros(4_000),
                mass_most_per_mib: millis(200),
            },
            // 3.2 ms a word or a half page, 3.94 at most: STM32L152 and STM32L053 datasheets, "Memory
            // characteristics". Loaders take half pages of 64 bytes; at most, word by word.
            Self::L0 | Self::L1 => Timing {
                block: micros(12_800),
                block_most: micros(252_160),
                mass_most_per_mib: millis(32_000),
            },
            // 118 us a quad word: STM32U575 datasheet, "Memory characteristics". From memory, so the
            // figure at most is far off.
            Self::U5 | Self::H5 | Self::WBA => Timing {
                block: micros(1_888),
                block_most: micros(8_000),
                mass_most_per_mib: millis(2_000),
            },
            // 100 us a flash word of 32 bytes; mass erase of a bank of 1 MiB 10 s, 20 at most at x8:
            // STM32H743 datasheet, "Memory characteristics". From memory, so the figure at most is
            // far off.
            Self::H7 | Self::H7RS => Timing {
                block: micros(800),
                block_most: micros(8_000),
                mass_most_per_mib: millis(20_000),
            },
            // Nothing is known: the slowest of the above.
            Self::N6 | Self::Unknown => Timing {
                block: micros(12_800),
                block_most: micros(252_160),
                mass_most_per_mib: millis(32_000),
            },
        }
    }

    /// Time to erase one page or sector of `unit_bytes`, typically and at most.
    pub const fn erase_time(self, unit_bytes: u64) -> (Duration, Duration) {
        let kib = unit_bytes.div_ceil(1024);
        match self {
            // 20 to 40 ms: STM32F103x8/B datasheet, "Memory characteristics".
            Self::F0 | Self::F1 | Self::F3 | Self::W | Self::Nrg => (millis(30), millis(40)),
            // 16 KiB 250 ms, 500 at most; 64 KiB 550 and 1100; 128 KiB 1 s and 2 at x32, twice that
            // at x8: STM32F405 datasheet, "Memory characteristics". 32 and 256 KiB (F7) by the same
            // measure.
            Self::F2 | Self::F4 | Self::F7 => match kib {
                0..=16 => (millis(250), millis(1_000)),
                17..=32 => (millis(350), millis(1_400)),
                33..=64 => (millis(550), millis(2_200)),
                65..=128 => (millis(1_000), millis(4_000)),
                _ => (millis(2_000), millis(8_000)),
            },
            // 22 ms, 40 at most: STM32G071 datasheet, "Memory characteristics".
            Self::C0
            | Self::G0
            | Self::G4
            | Self::L4
            | Self::L5
            | Self::U0
            | Self::U3
            | Self::WB
            | Self::WL => (millis(22), millis(40)),
            // 3.2 ms, 3.94 at most: STM32L152 datasheet, "Memory characteristics".
            Self::L0 | Self::L1 => (micros(3_280), micros(3_940)),
            // 1.5 ms: STM32U575 datasheet. From memory, so the figure at most is far off.
            Self::U5 | Self::H5 | Self::WBA => (micros(1_500), millis(10)),
            // 128 KiB 1 s at x64, 4 s at most at x8: STM32H743 datasheet; 8 KiB 2 ms: STM32H7A3. From
            // memory, so the figures at most are far off.
            Self::H7 | Self::H7RS => match kib {
                0..=8 => (millis(2), millis(20)),
                _ => (millis(1_000), millis(4_000)),
            },
            Self::N6 | Self::Unknown => (millis(1_000), millis(8_000)),
        }
    }

    /// What may be programmed over what is not erased.
    pub const fn rewrite(self) -> Rewrite {
        match self {
            // A half-word that is not erased takes nothing but zero: PM0075, "Main Flash memory
            // programming". Nothing but an all-zero double word: RM0351 and RM0444, "Flash main memory
            // programming sequences".
            Self::C0
            | Self::F0
            | Self::F1
            | Self::F3
            | Self::G0
            | Self::G4
            | Self::L4
            | Self::L5
            | Self::U0
            | Self::W
            | Self::WB
            | Self::WL => Rewrite::OnlyToZero,
            // Bits can be cleared at any time: RM0090, "Standard programming".
            Self::F2 | Self::F4 | Self::F7 => Rewrite::ClearBits,
            // L0 and L1 flag NOTZEROERR (RM0367, RM0038); H7, U5 and H5 keep an ECC over each flash
            // word; of the others nothing is known.
            Self::H5
            | Self::H7
            | Self::H7RS
            | Self::L0
            | Self::L1
            | Self::N6
            | Self::Nrg
            | Self::U3
            | Self::U5
            | Self::WBA
            | Self::Unknown => Rewrite::Once,
        }
    }

    /// Whether its loader runs from an 8 MHz RC oscillator, so slowly that it has only a few
    /// instructions per character at high speeds. AN2606, "Bootloader configuration" of each.
    pub(crate) const fn slow_loader(self) -> bool {
        matches!(self, Self::F0 | Self::F1 | Self::F3 | Self::W)
    }
}
