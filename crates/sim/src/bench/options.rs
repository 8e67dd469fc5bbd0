//! The keys of a bench: what each takes, and what they say.

use std::path::PathBuf;
use std::time::Duration;

use flashwire_link::{Fault, ParseFaultError};

use super::nearest::nearest;
use super::{BenchError, DEFAULT_BAUD};
use crate::nor::Pace;
use crate::programmer::{self, Edition};
use crate::stm32::{self, Wiring};
use crate::wire::Cable;

/// Fastest clock of a bus, in Hz: Ultra Fast-mode (UM10204, section 5).
const MAX_BUS_HZ: u32 = 5_000_000;

/// How long the host's controller lets a device hold the clock where nobody says: what Linux gives a
/// controller whose driver does not say otherwise (`drivers/i2c/i2c-core-base.c`).
const DEFAULT_HOLD_LIMIT: Duration = Duration::from_secs(1);

/// The keys of all benches: spelling, and what each takes.
const KEYS: [(&str, &str); 29] = [
    ("image", "a file"),
    ("baud", "a speed in baud, 1 to 20000000"),
    ("latency-us", "microseconds, at most 10000000"),
    ("timer-us", "microseconds, at most 10000000"),
    ("seed", "a number"),
    ("faults", "KIND@BYTE[:in|out], joined by +"),
    ("realtime", "nothing"),
    ("boot0", "high or low"),
    ("wiring", "LINE=PIN, joined by +"),
    (
        "flash-percent",
        "percent of the typical time, at most 10000",
    ),
    ("power-off-us", "microseconds from the opening on"),
    ("max-baud", "a speed in baud, 1 to 20000000"),
    ("button", "sync or none"),
    ("chip-times", "typical, longest or spread"),
    ("extensions", "on or off"),
    ("socket", "chip or empty"),
    ("sketch", "2018, 2019 or 2024"),
    ("boot-ms", "milliseconds, at most 100000"),
    ("select-pin", "the number of an Arduino pin, at most 19"),
    ("bus", "uart or i2c"),
    ("i2c-hz", "the clock of an I2C bus in Hz, 1 to 5000000"),
    ("address", "a 7-bit address, 3 to 119 or 0x03 to 0x77"),
    ("i2c-version", "1.0, 1.1, 1.2 or 2.0"),
    ("hold-limit-ms", "milliseconds, at most 100000"),
    ("cable", "good, loop, low, open or plain"),
    ("says", "what the application says all the time"),
    ("says-baud", "a speed in baud, 1 to 20000000"),
    ("application", "programmer or none"),
    (
        "signature",
        "what an Arduino's chip says it is: six hexadecimal digits",
    ),
];

/// The key that somebody meant who wrote `word`, or all there are, with what they take.
pub(super) fn meant_key(word: &str) -> String {
    let with_what_it_takes = |(key, takes): &(&str, &str)| format!("{key} ({takes})");
    let near = nearest(word, KEYS.iter().map(|&(key, _)| key));
    match KEYS.iter().find(|&&(key, _)| Some(key) == near) {
        Some(key) => format!("there is {}", with_what_it_takes(key)),
        None => {
            let keys: Vec<String> = KEYS.iter().map(with_what_it_takes).collect();
            format!("there are: {}", keys.join("; "))
        }
    }
}

/// Who resets a served bench between connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Button {
    /// A person's finger: pressed when the first byte of a connection is 0x7F, by which a tool asks
    /// for a loader fresh from reset. A tool that resumes begins with another byte.
    #[default]
    Sync,
    /// Nobody: only the lines of the port reset the chip.
    None,
}

/// What the keys of a bench say.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(super) image: Option<PathBuf>,
    pub(super) baud: Option<u32>,
    pub(super) latency: Duration,
    pub(super) timer: Duration,
    pub(super) seed: u64,
    pub(super) faults: Vec<Fault>,
    pub(crate) realtime: bool,
    pub(super) boot0: bool,
    pub(super) wiring: Wiring,
    pub(super) flash_percent: u32,
    pub(super) power_off: Option<Duration>,
    pub(super) max_baud: Option<u32>,
    pub(crate) button: Button,
    pub(super) chip_times: Pace,
    pub(super) extensions: bool,
    /// Whether there is a chip in the programmer's socket.
    pub(super) has_chip: bool,
    pub(super) sketch: Edition,
    pub(super) boot: Duration,
    pub(super) select_pin: Option<u8>,
    pub(super) i2c: bool,
    pub(super) i2c_hz: Option<u32>,
    /// The address that the host talks to, if not the device's.
    pub(super) address: Option<u8>,
    pub(super) i2c_version: Option<u8>,
    pub(super) hold_limit: Duration,
    pub(super) cable: Cable,
    pub(super) says: Option<String>,
    pub(super) says_baud: u32,
    /// Whether what an Arduino's flash holds is our programmer.
    pub(super) application: bool,
    pub(super) signature: Option<[u8; 3]>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            image: None,
            baud: None,
            latency: Duration::ZERO,
            timer: Duration::ZERO,
            seed: 0,
            faults: Vec::new(),
            realtime: false,
            boot0: true,
            wiring: Wiring::default(),
            flash_percent: 100,
            power_off: None,
            max_baud: None,
            button: Button::Sync,
            chip_times: Pace::Typical,
            extensions: true,
            has_chip: true,
            sketch: Edition::default(),
            boot: programmer::BOOT_TIME,
            select_pin: None,
            i2c: false,
            i2c_hz: None,
            address: None,
            i2c_version: None,
            hold_limit: DEFAULT_HOLD_LIMIT,
            cable: Cable::Good,
            says: None,
            says_baud: DEFAULT_BAUD,
            application: true,
            signature: None,
        }
    }
}

impl Options {
    /// Whether the port's lines reach the pins of the device.
    #[cfg(feature = "os")]
    pub(crate) fn is_wired(&self) -> bool {
        self.wiring.is_wired()
    }

    pub(super) fn parse(keys: &str) -> Result<Self, BenchError> {
        let mut options = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for item in keys.split(',').filter(|item| !item.is_empty()) {
            let (key, value) = item.split_once('=').unwrap_or((item, ""));
            let Some(&(key, expected)) = KEYS.iter().find(|(known, _)| *known == key) else {
                return Err(BenchError::UnknownKey {
                    key: key.to_owned(),
                });
            };
            if seen.contains(&key) {
                return Err(BenchError::Repeated(key.to_owned()));
            }
            seen.push(key);
            options.set(key, value).map_err(|why| BenchError::Value {
                key,
                value: value.to_owned(),
                expected: why.unwrap_or_else(|| expected.to_owned()),
            })?;
        }
        Ok(options)
    }

    /// Sets one key; the error says what is wrong where more is to say than what the key takes.
    fn set(&mut self, key: &str, value: &str) -> Result<(), Option<String>> {
        match key {
            "image" if !value.is_empty() => self.image = Some(value.into()),
            "baud" => self.baud = Some(number(value, 1..=MAX_BAUD)?),
            "latency-us" => self.latency = microseconds(value)?,
            "timer-us" => self.timer = microseconds(value)?,
            "seed" => self.seed = number(value, 0..=u64::MAX)?,
            "faults" => {
                self.faults = value
                    .split('+')
                    .map(str::parse)
                    .collect::<Result<_, _>>()
                    .map_err(|error: ParseFaultError| Some(error.to_string()))?;
            }
            "realtime" if value.is_empty() => self.realtime = true,
            "boot0" => {
                self.boot0 = match value {
                    "high" => true,
                    "low" => false,
                    _ => return Err(None),
                }
            }
            "wiring" => {
                let wiring: Result<_, stm32::WiringSyntax> = value.parse();
                self.wiring = wiring.map_err(|error| Some(error.to_string()))?;
            }
            "flash-percent" => self.flash_percent = number(value, 0..=10_000)?,
            "power-off-us" => {
                let micros = number(value, 0..=u64::MAX / 1_000_000)?;
                self.power_off = Some(Duration::from_micros(micros));
            }
            "max-baud" => self.max_baud = Some(number(value, 1..=MAX_BAUD)?),
            "button" => {
                self.button = match value {
                    "sync" => Button::Sync,
                    "none" => Button::None,
                    _ => return Err(None),
                }
            }
            "chip-times" => {
                self.chip_times = match value {
                    "typical" => Pace::Typical,
                    "longest" => Pace::Maximum,
                    "spread" => Pace::Spread,
                    _ => return Err(None),
                }
            }
            "extensions" => {
                self.extensions = match value {
                    "on" => true,
                    "off" => false,
                    _ => return Err(None),
                }
            }
            "socket" => {
                self.has_chip = match value {
                    "chip" => true,
                    "empty" => false,
                    _ => return Err(None),
                }
            }
            "sketch" => {
                self.sketch = match value {
                    "2018" => Edition::Of2018,
                    "2019" => Edition::Of2019,
                    "2024" => Edition::Of2024,
                    _ => return Err(None),
                }
            }
            "boot-ms" => self.boot = Duration::from_millis(number(value, 0..=100_000)?),
            "select-pin" => self.select_pin = Some(number(value, 0..=19)?),
            "bus" => {
                self.i2c = match value {
                    "i2c" => true,
                    "uart" => false,
                    _ => return Err(None),
                }
            }
            "i2c-hz" => self.i2c_hz = Some(number(value, 1..=MAX_BUS_HZ)?),
            "address" => {
                let address = match value.strip_prefix("0x") {
                    Some(digits) => u8::from_str_radix(digits, 16).ok(),
                    None => value.parse().ok(),
                };
                self.address = Some(address.filter(|a| (0x03..=0x77).contains(a)).ok_or(None)?);
            }
            "i2c-version" => {
                self.i2c_version = Some(match value {
                    "1.0" => 0x10,
                    "1.1" => 0x11,
                    "1.2" => 0x12,
                    "2.0" => 0x20,
                    _ => return Err(None),
                });
            }
            "hold-limit-ms" => {
                self.hold_limit = Duration::from_millis(number(value, 0..=100_000)?);
            }
            "cable" => self.cable = value.parse().map_err(|()| None)?,
            "says" if !value.is_empty() => self.says = Some(value.to_owned()),
            "says-baud" => self.says_baud = number(value, 1..=MAX_BAUD)?,
            "application" => {
                self.application = match value {
                    "programmer" => true,
                    "none" => false,
                    _ => return Err(None),
                }
            }
            "signature" if value.len() == 6 && !value.starts_with('+') => {
                let bytes = u32::from_str_radix(value, 16).map_err(|_| None)?;
                let [_, signature @ ..] = bytes.to_be_bytes();
                self.signature = Some(signature);
            }
            _ => return Err(None),
        }
        Ok(())
    }

    /// How long the operations of a SPI NOR chip take.
    pub(super) fn pace(&self) -> Pace {
        match self.chip_times {
            Pace::Typical => Pace::Percent(self.flash_percent),
            other => other,
        }
    }
}

/// Fastest speed of a wire, in baud: beyond what any UART here can do.
pub(crate) const MAX_BAUD: u32 = 20_000_000;

fn number<N>(text: &str, range: std::ops::RangeInclusive<N>) -> Result<N, Option<String>>
where
    N: std::str::FromStr + PartialOrd,
{
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or(None)
}

fn microseconds(text: &str) -> Result<Duration, Option<String>> {
    number(text, 0..=10_000_000).map(Duration::from_micros)
}
