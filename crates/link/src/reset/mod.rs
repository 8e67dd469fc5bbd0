//! How the lines of a port reach the reset and boot pins of a target, in the words of `--reset`.
//!
//! # The language
//! | text | meaning |
//! |---|---|
//! | `dtr=nrst,rts=boot0` | a wiring: which line drives which pin. Lines: `dtr`, `rts`, `brk`, `gpio:CHIP/LINE` (a line's offset or name); pins: `nrst`, `boot0` |
//! | `rts=!boot0` | the same through an inverter (a transistor) |
//! | `seq:-dtr,+rts,100ms,+dtr` | a sequence of steps: `+LINE`, `-LINE`, a wait (`us`, `ms`, `s`), `brk` (a break of 250 ms); `&` instead of `,` joins changes that happen at the same moment |
//! | `seq:ENTER:LEAVE` | two sequences: into the bootloader, and back to the application |
//! | `brk` | the same as `seq:brk` |
//! | `none` | touch no line |
//! | `auto` | try each known wiring once |
//! | a name | a [preset](PRESETS): `direct`, `one-click`, ... |
//!
//! # The electrical truth
//! `+dtr` *asserts* DTR, which is what operating systems and RS-232 mean by "on". On the TTL side of
//! an adapter the pins are called DTR# and RTS# and are driven **low** when asserted. NRST resets
//! when low; BOOT0 selects the bootloader when high, at the moment at which NRST rises. So:
//!
//! | line | pin of the adapter | as `nrst` | as `!nrst` | as `boot0` | as `!boot0` |
//! |---|---|---|---|---|---|
//! | `+dtr` `+rts` asserted | low | in reset | released | application | bootloader |
//! | `-dtr` `-rts` not asserted | high | released | in reset | bootloader | application |
//! | `+brk` | TX low | in reset | released | application | bootloader |
//! | `-brk` | TX high | released | in reset | bootloader | application |
//! | `+gpio:...` | high | released | in reset | bootloader | application |
//! | `-gpio:...` | low | in reset | released | application | bootloader |
//!
//! What is deliberately not here: what is said on the wire afterwards. Whether the target is in its
//! bootloader now, only its protocol can tell.

mod parse;
mod presets;
mod sequence;
mod stm32flash;
mod wiring;

pub use parse::{ResetError, ResetProblem};
pub use presets::{PRESETS, Preset};
pub use sequence::{Sequence, Step, run};
pub use wiring::{Pin, Signal, Wiring};

use std::fmt;
use std::str::FromStr;

/// What `--reset` says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetSpec {
    /// Touch no line.
    None,
    /// Try each known wiring once.
    Auto,
    /// These lines drive these pins.
    Wiring(Wiring),
    /// Exactly these steps.
    Sequence {
        /// Into the bootloader.
        enter: Sequence,
        /// Back to the application, if the user said how.
        leave: Option<Sequence>,
    },
}

/// One way into the bootloader and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// As the user would give it to `--reset`: `dtr=nrst,rts=boot0`.
    pub spec: ResetSpec,
    /// Restarts the target into its bootloader.
    pub enter: Sequence,
    /// Restarts the target into its application.
    pub leave: Option<Sequence>,
}

impl ResetSpec {
    /// Reads what the user wrote.
    ///
    /// # Errors
    /// [`ResetError`]: what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, ResetError> {
        parse::spec(text)
    }

    /// Reads what stm32flash takes as its `-i`: `-rts&dtr,-dtr:rts,dtr`. `rts` and `dtr` assert the
    /// line, a number makes that GPIO line high (`gpio:sysfs/NUMBER`), a minus before them is the
    /// opposite, `brk` is a break, `,` waits 100 ms, `&` does not; a colon begins the way back.
    ///
    /// # Errors
    /// [`ResetError`]: what is wrong, and where.
    pub fn parse_stm32flash(text: &str) -> Result<Self, ResetError> {
        parse::read(text, stm32flash::sequences)
    }

    /// The ways to try, in order. None for [`ResetSpec::None`].
    pub fn ways(&self) -> Vec<Way> {
        match self {
            Self::None => Vec::new(),
            Self::Auto => PRESETS
                .iter()
                .filter(|preset| preset.in_auto)
                .map(|preset| preset.wiring.way())
                .collect(),
            Self::Wiring(wiring) => vec![wiring.way()],
            Self::Sequence { enter, leave } => vec![Way {
                spec: self.clone(),
                enter: enter.clone(),
                leave: leave.clone(),
            }],
        }
    }
}

impl FromStr for ResetSpec {
    type Err = ResetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for ResetSpec {
    /// In the words of the language; a preset as its wiring.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Auto => f.write_str("auto"),
            Self::Wiring(wiring) => wiring.fmt(f),
            Self::Sequence { enter, leave } => {
                write!(f, "seq:{enter}")?;
                match leave {
                    Some(leave) => write!(f, ":{leave}"),
                    None => Ok(()),
                }
            }
        }
    }
}
