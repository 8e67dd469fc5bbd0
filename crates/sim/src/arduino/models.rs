//! Which boards there are.

use std::time::Duration;

use flashwire_protocol::stk500::{ATMEGABOOT_BAUD, OPTIBOOT_BAUD, SIGNATURE_BYTES};

/// A board.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    /// What a port calls it.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// The loader on it.
    pub kind: Kind,
    /// Where the loader begins: the boot section, which no program can write.
    pub boot_start: usize,
}

/// The loaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// optiboot 4.4, as in Debian's `arduino-core-avr` 1.8.7.
    Optiboot,
    /// ATmegaBOOT, from the same package, as it is on Nanos before 2018.
    AtmegaBoot,
}

impl Kind {
    /// Its line speed, in bits per second.
    pub fn baud(self) -> u32 {
        match self {
            Self::Optiboot => OPTIBOOT_BAUD,
            Self::AtmegaBoot => ATMEGABOOT_BAUD,
        }
    }

    /// How long it blinks after a reset before it looks at what has come: optiboot's `flash_led`,
    /// six times 1/16 s; ATmegaBOOT's, 100 ms on and 100 ms off.
    pub(super) fn blinks_for(self) -> Duration {
        match self {
            Self::Optiboot => Duration::from_millis(375),
            Self::AtmegaBoot => Duration::from_millis(200),
        }
    }

    /// How long it waits for a byte: `WATCHDOG_1S`; a count to F_CPU / 16 in steps of some 17
    /// cycles.
    pub(super) fn patience(self) -> Duration {
        match self {
            Self::Optiboot => Duration::from_secs(1),
            Self::AtmegaBoot => Duration::from_millis(1060),
        }
    }
}

/// Signature of the ATmega328P. Data sheet DS40002061B, "Memory Programming", "Signature Bytes".
pub(crate) const ATMEGA328P: [u8; SIGNATURE_BYTES] = [0x1E, 0x95, 0x0F];

/// All boards. Fuses, and with them the boot sections: `boards.txt` of the same package (high fuse
/// 0xDE, 256 words; 0xDA, 1024 words); data sheet, "Boot Loader Support", "ATmega328/328P Boot Loader
/// Parameters".
pub static MODELS: [Model; 2] = [
    Model {
        name: "arduino-uno",
        title: "Arduino Uno in its bootloader (optiboot, 115200 baud)",
        kind: Kind::Optiboot,
        boot_start: 0x7E00,
    },
    Model {
        name: "arduino-nano-old",
        title: "Arduino Nano from before 2018 in its bootloader (ATmegaBOOT, 57600 baud)",
        kind: Kind::AtmegaBoot,
        boot_start: 0x7800,
    },
];

/// The board of a name.
pub fn find(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == name)
}
