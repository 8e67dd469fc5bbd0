//! Wirings that exist, by name.

use super::{Pin, Wiring};
use crate::Line;

/// A wiring with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What `--reset` calls it.
    pub name: &'static str,
    /// Other names of the same.
    pub aliases: &'static [&'static str],
    /// The wiring.
    pub wiring: Wiring,
    /// Whether `auto` tries it. A wiring of which another one does all, and more, is left out.
    pub in_auto: bool,
    /// Where it is found.
    pub found: &'static str,
}

/// All known wirings; `auto` tries them in this order: the likely ones first.
pub static PRESETS: &[Preset] = &[
    Preset {
        name: "direct",
        aliases: &["stm32loader"],
        wiring: both(DTR, RTS),
        in_auto: true,
        found: "DTR# straight to NRST, RTS# straight to BOOT0: the default of stm32loader",
    },
    Preset {
        name: "one-click",
        aliases: &["flymcu"],
        wiring: both(NOT_DTR, NOT_RTS),
        in_auto: true,
        found: "the two-transistor circuit of boards with a CH340 that FlyMCU serves (\"DTR low \
                resets, RTS high boots\"): BOOT0 is high while RTS is asserted; NRST is low while \
                RTS is asserted and DTR is not",
    },
    Preset {
        name: "swapped",
        aliases: &["ch340x"],
        wiring: both(RTS, DTR),
        in_auto: true,
        found: "RTS# straight to NRST, DTR# straight to BOOT0: stm32loader -s; the CH340X, whose \
                DTR# pin is made for it",
    },
    Preset {
        name: "boot0-inverted",
        aliases: &[],
        wiring: both(DTR, NOT_RTS),
        in_auto: true,
        found: "DTR# straight to NRST, RTS# to BOOT0 through a transistor, so that an idle port \
                starts the application: stm32loader -B",
    },
    Preset {
        name: "swapped-boot0-inverted",
        aliases: &[],
        wiring: both(RTS, NOT_DTR),
        in_auto: true,
        found: "the same with DTR and RTS exchanged: stm32loader -s -B",
    },
    Preset {
        name: "swapped-inverted",
        aliases: &[],
        wiring: both(NOT_RTS, NOT_DTR),
        in_auto: true,
        found: "one-click with DTR and RTS exchanged, or an RS-232 level shifter of transistors: \
                stm32loader -s -R -B",
    },
    Preset {
        name: "reset-inverted",
        aliases: &[],
        wiring: both(NOT_DTR, RTS),
        in_auto: true,
        found: "DTR# to NRST through a transistor, RTS# straight to BOOT0: stm32loader -R",
    },
    Preset {
        name: "swapped-reset-inverted",
        aliases: &[],
        wiring: both(NOT_RTS, DTR),
        in_auto: true,
        found: "the same with DTR and RTS exchanged: stm32loader -s -R",
    },
    Preset {
        name: "dtr-reset",
        aliases: &["arduino", "ftdi"],
        wiring: reset_only(DTR),
        in_auto: false,
        found: "DTR# to NRST, directly or through a capacitor as on Arduino boards and FTDI cables; \
                BOOT0 is a jumper. `direct` resets these too",
    },
    Preset {
        name: "rts-reset",
        aliases: &[],
        wiring: reset_only(RTS),
        in_auto: false,
        found: "the same with RTS#. `swapped` resets these too",
    },
];

const DTR: Pin = pin(Line::Dtr, false);
const NOT_DTR: Pin = pin(Line::Dtr, true);
const RTS: Pin = pin(Line::Rts, false);
const NOT_RTS: Pin = pin(Line::Rts, true);

const fn pin(line: Line, inverted: bool) -> Pin {
    Pin { line, inverted }
}

const fn both(nrst: Pin, boot0: Pin) -> Wiring {
    Wiring {
        nrst: Some(nrst),
        boot0: Some(boot0),
    }
}

const fn reset_only(nrst: Pin) -> Wiring {
    Wiring {
        nrst: Some(nrst),
        boot0: None,
    }
}
