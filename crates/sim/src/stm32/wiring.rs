//! Which line of the host's port pulls which pin of the chip.

use std::str::FromStr;

use crate::wire::{GPIO_LINES, Lines};

/// A line of the host's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostLine {
    Dtr,
    Rts,
    Break,
    Gpio(usize),
}

/// A connection between a line and a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Connection {
    line: HostLine,
    inverted: bool,
}

impl Connection {
    /// The level that the line gives the pin; `None` if the port has no such line. A TTL adapter
    /// pulls a line low when it is asserted.
    fn level(self, lines: Lines) -> Option<bool> {
        let high = match self.line {
            HostLine::Dtr => !lines.dtr?,
            HostLine::Rts => !lines.rts?,
            HostLine::Break => !lines.brk,
            HostLine::Gpio(line) => lines.gpio[line]?,
        };
        Some(high != self.inverted)
    }
}

/// Which line of the host's port pulls NRST and BOOT0.
///
/// As text: `LINE=PIN` joined by `+`, LINE one of `dtr`, `rts`, `brk`, `gpio0` to `gpio31` (the
/// lines of a `gpiochip0`), PIN one of `nrst`, `boot0`,
/// `!` before the pin for an inverter between them. `dtr=nrst+rts=boot0` is a TTL adapter's DTR
/// and RTS wired straight to the pins: asserted DTR holds the chip in reset, asserted RTS pulls
/// BOOT0 low. `-` may stand for `=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wiring {
    nrst: Option<Connection>,
    boot0: Option<Connection>,
}

/// The pins of a chip that its wiring decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pins {
    /// Level of NRST: low holds the chip in reset.
    pub(super) nrst: bool,
    /// Level of BOOT0: high starts the loader.
    pub(super) boot0: bool,
}

impl Wiring {
    /// Whether any pin is wired.
    pub fn is_wired(&self) -> bool {
        self.nrst.is_some() || self.boot0.is_some()
    }

    /// The levels of the pins; those not wired have their pull-up (NRST) or jumper (BOOT0).
    pub(super) fn pins(&self, lines: Lines, boot0_jumper: bool) -> Pins {
        let level = |pin: Option<Connection>| pin.and_then(|pin| pin.level(lines));
        Pins {
            nrst: level(self.nrst).unwrap_or(true),
            boot0: level(self.boot0).unwrap_or(boot0_jumper),
        }
    }
}

/// A text that is no [`Wiring`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no wiring: write LINE=PIN joined by +, LINE one of dtr, rts, brk, gpio0 to gpio31, PIN one of nrst, boot0, !nrst, !boot0"
)]
pub struct WiringSyntax(String);

impl FromStr for Wiring {
    type Err = WiringSyntax;

    fn from_str(text: &str) -> Result<Self, WiringSyntax> {
        let mut wiring = Self::default();
        for part in text.split('+') {
            let wrong = || WiringSyntax(text.to_owned());
            let (line, pin) = part.split_once(['=', '-']).ok_or_else(wrong)?;
            let line = match line {
                "dtr" => HostLine::Dtr,
                "rts" => HostLine::Rts,
                "brk" => HostLine::Break,
                gpio => {
                    let number = gpio.strip_prefix("gpio").ok_or_else(wrong)?;
                    let number = number.parse().ok().filter(|n| *n < GPIO_LINES);
                    HostLine::Gpio(number.ok_or_else(wrong)?)
                }
            };
            let (inverted, pin) = match pin.strip_prefix('!') {
                Some(pin) => (true, pin),
                None => (false, pin),
            };
            let place = match pin {
                "nrst" => &mut wiring.nrst,
                "boot0" => &mut wiring.boot0,
                _ => return Err(wrong()),
            };
            if place.replace(Connection { line, inverted }).is_some() {
                return Err(wrong());
            }
        }
        Ok(wiring)
    }
}
