//! Real hardware recorded once and replayed for ever.
//!
//! A recording is text, one JSON object a line, in the order in which things happened. `at_us` is
//! the time in microseconds since the link was opened; bytes are hexadecimal.
//!
//! ```text
//! {"at_us":0,"event":"open","version":1,"port":"/dev/ttyUSB0","settings":"115200 8E1"}
//! {"at_us":210,"event":"lines","changes":"+dtr -rts"}
//! {"at_us":200500,"event":"send","bytes":"7f"}
//! {"at_us":201702,"event":"recv","bytes":"79"}
//! {"at_us":201800,"event":"configure","settings":"230400 8E1"}
//! {"at_us":201900,"event":"discard"}
//! {"at_us":350000,"event":"closed","at_once":false}
//! ```
//!
//! `at_once` tells whether the call that the line before records failed, or a later wait. Waits that ended in silence and pauses are not in it: they are the times between the others.

mod record;
mod replay;

pub use record::Record;
pub use replay::{RecordingError, Replay};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{LineChange, Settings};

/// The version of the format that is written and read.
const VERSION: u32 = 1;

/// One line of a recording.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    at_us: u64,
    #[serde(flatten)]
    event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    /// The first line: what is recorded.
    Open {
        version: u32,
        port: String,
        settings: String,
    },
    /// The host put bytes on the wire.
    Send { bytes: Hex },
    /// The host took bytes.
    Recv { bytes: Hex },
    /// The host changed speed or format.
    Configure { settings: String },
    /// The host moved lines.
    Lines { changes: String },
    /// The host dropped what had arrived.
    Discard,
    /// The link ended: during what the event before says, or else in a wait after it.
    Closed { at_once: bool },
}

impl Event {
    fn configure(settings: Settings) -> Self {
        Self::Configure {
            settings: settings.to_string(),
        }
    }

    fn lines(changes: &[LineChange]) -> Self {
        let changes: Vec<String> = changes.iter().map(LineChange::to_string).collect();
        Self::Lines {
            changes: changes.join(" "),
        }
    }

    fn send(bytes: &[u8]) -> Self {
        Self::Send {
            bytes: Hex(bytes.to_vec()),
        }
    }
}

impl fmt::Display for Event {
    /// For messages: `send 7f`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { port, .. } => write!(f, "open {port}"),
            Self::Send { bytes } => write!(f, "send {bytes}"),
            Self::Recv { bytes } => write!(f, "recv {bytes}"),
            Self::Configure { settings } => write!(f, "configure {settings}"),
            Self::Lines { changes } => write!(f, "lines {changes}"),
            Self::Discard => f.write_str("discard"),
            Self::Closed { .. } => f.write_str("closed"),
        }
    }
}

/// Bytes, written in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct Hex(Vec<u8>);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<Hex> for String {
    fn from(hex: Hex) -> Self {
        hex.to_string()
    }
}

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
            .collect();
        match digits {
            Some(digits) if digits.len() % 2 == 0 => Ok(Self(
                digits
                    .chunks(2)
                    .map(|pair| pair[0] << 4 | pair[1])
                    .collect(),
            )),
            _ => Err(format!("`{text}` is not bytes in hexadecimal")),
        }
    }
}
