//! Which line drives which pin, and what follows from it.

use std::fmt;
use std::time::Duration;

use super::{ResetSpec, Sequence, Step, Way};
use crate::{Line, LineChange};

/// How long NRST is held low. The chips need microseconds; boards have a capacitor there.
/// stm32loader 0.7.1 and stm32flash 0.7 (a comma of its `-i`) hold it as long.
const RESET_TIME: Duration = Duration::from_millis(100);

/// How long BOOT0 is low before NRST is released: ten time constants of 10 kOhm and 100 nF.
const SETTLE_TIME: Duration = Duration::from_millis(10);

/// How long a bootloader needs from reset until it listens. 50 to 100 ms are enough for most; the
/// few that look for a crystal first need up to a second, and get it by asking twice.
const START_TIME: Duration = Duration::from_millis(100);

/// A pin of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Reset, active low.
    Nrst,
    /// Selects the bootloader when high while NRST rises.
    Boot0,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nrst => "nrst",
            Self::Boot0 => "boot0",
        })
    }
}

/// What drives a pin of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The line.
    pub line: Line,
    /// Whether an inverter is between the two.
    pub inverted: bool,
}

impl Pin {
    /// The change that makes the pin of the target high or low.
    pub fn level(&self, high: bool) -> LineChange {
        let on = match self.line {
            // An asserted modem line, and a break, drive their wire low.
            Line::Dtr | Line::Rts | Line::Break => !high,
            Line::Gpio { .. } => high,
        };
        LineChange::new(self.line.clone(), on != self.inverted)
    }
}

/// Which lines drive the pins of the target. A pin without a line is a jumper or a button that the
/// user has to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// What drives NRST.
    pub nrst: Option<Pin>,
    /// What drives BOOT0.
    pub boot0: Option<Pin>,
}

impl Wiring {
    /// Restarts the target into its bootloader: BOOT0 high, a pulse on NRST, time to start. BOOT0
    /// stays high, because some commands reset the chip and it has to come back.
    pub fn enter(&self) -> Sequence {
        let mut steps = vec![Step::Set(self.levels(Some(false), Some(true)))];
        if self.nrst.is_some() {
            steps.push(Step::Wait(RESET_TIME));
            steps.push(Step::Set(self.levels(Some(true), None)));
            steps.push(Step::Wait(START_TIME));
        }
        Sequence::new(steps)
    }

    /// Restarts the target into its application: BOOT0 low, a pulse on NRST.
    ///
    /// BOOT0 goes low *during* the pulse, not before it: the usual two-transistor circuit
    /// ([`one-click`](super::PRESETS)) can pull NRST low only while its BOOT0 is high, and releases
    /// NRST when BOOT0 goes low.
    pub fn leave(&self) -> Sequence {
        let mut steps = Vec::new();
        if self.nrst.is_some() {
            steps.push(Step::Set(self.levels(Some(false), Some(true))));
            steps.push(Step::Wait(RESET_TIME));
        }
        if self.boot0.is_some() {
            steps.push(Step::Set(self.levels(None, Some(false))));
        }
        if self.nrst.is_some() {
            if self.boot0.is_some() {
                steps.push(Step::Wait(SETTLE_TIME));
            }
            steps.push(Step::Set(self.levels(Some(true), None)));
        }
        Sequence::new(steps)
    }

    /// Both ways.
    pub(super) fn way(&self) -> Way {
        Way {
            spec: ResetSpec::Wiring(self.clone()),
            enter: self.enter(),
            leave: Some(self.leave()),
        }
    }

    /// The changes that give the wired pins these levels.
    fn levels(&self, nrst: Option<bool>, boot0: Option<bool>) -> Vec<LineChange> {
        let pins = [(&self.boot0, boot0), (&self.nrst, nrst)];
        pins.into_iter()
            .filter_map(|(pin, level)| Some(pin.as_ref()?.level(level?)))
            .collect()
    }
}

impl fmt::Display for Wiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pins = [(&self.nrst, Signal::Nrst), (&self.boot0, Signal::Boot0)];
        let wired = pins
            .iter()
            .filter_map(|(pin, signal)| Some((pin.as_ref()?, signal)));
        for (index, (pin, signal)) in wired.enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let inverter = if pin.inverted { "!" } else { "" };
            write!(f, "{comma}{}={inverter}{signal}", pin.line)?;
        }
        Ok(())
    }
}
