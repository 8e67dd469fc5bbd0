//! Benches by name.
//!
//! What stands behind `sim:` in a port: a bench's name, then keys: `stm32f103cb,image=board.bin`.

use std::path::PathBuf;
use std::time::Duration;

use flashwire_link::{Fault, ParseFaultError, Settings};

use crate::Complaint;
use crate::stm32::{self, Chip, Memory, Part, Wiring};
use crate::storage::{Storage, StorageError, Stored};
use crate::wire::{Lines, Wire, WireConfig};

/// Speed of the wire where nobody sets one, in baud.
const DEFAULT_BAUD: u32 = 115_200;

/// How long a device may go on with what it was told to do after its host has gone, in its own
/// time: longer than the longest erase.
const SETTLING_TIME: Duration = Duration::from_secs(120);

/// Why there is no such bench.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// No name at all.
    #[error("no bench is named; there are: {}", names())]
    NoName,
    /// A name that no bench has.
    #[error("there is no bench \"{name}\"; there are: {}", names())]
    UnknownBench {
        /// What was asked for.
        name: String,
    },
    /// A key that no bench has.
    #[error("benches have no key \"{key}\"; there are: {}", keys())]
    UnknownKey {
        /// What was given.
        key: String,
    },
    /// A key that is given twice.
    #[error("the key \"{0}\" is given twice")]
    Repeated(String),
    /// A value that the key does not take.
    #[error("\"{value}\" is no value for {key}: {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What it takes.
        expected: String,
    },
    /// The files that keep the bench's content.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A bench that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BenchInfo {
    /// Its name: what stands behind `sim:`.
    pub name: String,
    /// What it is, for people.
    pub title: String,
    /// The method by which a host talks to it, as a port string spells it.
    pub method: &'static str,
}

/// All benches.
pub fn benches() -> Vec<BenchInfo> {
    let stm32 = stm32::PARTS.iter().map(|part| BenchInfo {
        name: part.name.to_owned(),
        title: part.title.to_owned(),
        method: "stm32",
    });
    stm32.collect()
}

fn names() -> String {
    let names: Vec<String> = benches().into_iter().map(|bench| bench.name).collect();
    names.join(", ")
}

/// The keys of all benches: spelling, and what each takes.
const KEYS: [(&str, &str); 12] = [
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
    ("max-baud", "a speed in baud, 1 to 20000000"),
    ("button", "sync or none"),
];

fn keys() -> String {
    let keys: Vec<String> = KEYS
        .iter()
        .map(|(key, takes)| format!("{key} ({takes})"))
        .collect();
    keys.join("; ")
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
    image: Option<PathBuf>,
    baud: u32,
    latency: Duration,
    timer: Duration,
    seed: u64,
    faults: Vec<Fault>,
    pub(crate) realtime: bool,
    boot0: bool,
    wiring: Wiring,
    flash_percent: u32,
    max_baud: Option<u32>,
    pub(crate) button: Button,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            image: None,
            baud: DEFAULT_BAUD,
            latency: Duration::ZERO,
            timer: Duration::ZERO,
            seed: 0,
            faults: Vec::new(),
            realtime: false,
            boot0: true,
            wiring: Wiring::default(),
            flash_percent: 100,
            max_baud: None,
            button: Button::Sync,
        }
    }
}

impl Options {
    /// Whether the port's lines reach the pins of the device.
    #[cfg(feature = "os")]
    pub(crate) fn is_wired(&self) -> bool {
        self.wiring.is_wired()
    }

    fn parse(keys: &str) -> Result<Self, BenchError> {
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
            "baud" => self.baud = number(value, 1..=MAX_BAUD)?,
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
            "max-baud" => self.max_baud = Some(number(value, 1..=MAX_BAUD)?),
            "button" => {
                self.button = match value {
                    "sync" => Button::Sync,
                    "none" => Button::None,
                    _ => return Err(None),
                }
            }
            _ => return Err(None),
        }
        Ok(())
    }
}

/// Fastest speed that the key `baud` takes: beyond what any UART here can do.
const MAX_BAUD: u32 = 20_000_000;

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

/// An opened bench: a device with power on, the wire to it, and the files that keep its content.
///
/// Dropping it lets the device end what it was doing and writes its files; an error of that is
/// lost, so call [`close`](Self::close) where it matters.
pub struct Bench {
    name: String,
    wire: Wire,
    storage: Option<Storage>,
    pub(crate) options: Options,
}

impl Bench {
    /// Opens a bench by what stands behind `sim:` in a port, and puts power on. The port that it
    /// is opened for has modem lines, asserted as an operating system asserts them on opening.
    ///
    /// # Errors
    /// All of [`BenchError`].
    pub fn open(spec: &str) -> Result<Self, BenchError> {
        let lines = Lines {
            dtr: Some(true),
            rts: Some(true),
            brk: false,
        };
        Self::open_with_lines(spec, lines)
    }

    /// As [`open`](Self::open), with the lines as the port has them.
    ///
    /// # Errors
    /// All of [`BenchError`].
    pub fn open_with_lines(spec: &str, lines: Lines) -> Result<Self, BenchError> {
        let (name, keys) = spec.split_once(',').unwrap_or((spec, ""));
        if name.is_empty() {
            return Err(BenchError::NoName);
        }
        let part = stm32::part(name).ok_or_else(|| BenchError::UnknownBench {
            name: name.to_owned(),
        })?;
        let options = Options::parse(keys)?;
        let mut storage = options.image.as_deref().map(Storage::new);
        let stored = match &mut storage {
            Some(storage) => storage.read(part.flash.bytes() as usize)?,
            None => Stored::default(),
        };
        let chip = chip(part, &options, &stored, storage.as_ref())?;
        let config = WireConfig {
            latency: options.latency,
            timer: options.timer,
            host: Settings::even(options.baud),
            lines,
            faults: options.faults.clone(),
        };
        Ok(Self {
            name: name.to_owned(),
            wire: Wire::new(&config, Box::new(chip)),
            storage,
            options,
        })
    }

    /// The bench's name, without keys.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The wire, and with it the device.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The wire, to send and to let time pass.
    pub fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// What the device holds against its host.
    pub fn complaints(&self) -> &[Complaint] {
        self.wire.far().complaints()
    }

    /// The content of the device's flash.
    pub fn flash(&self) -> &[u8] {
        self.wire.far().flash()
    }

    /// The chip, on an STM32 bench.
    pub fn chip(&self) -> Option<&Chip> {
        let far: &dyn std::any::Any = self.wire.far();
        far.downcast_ref()
    }

    /// The chip, on an STM32 bench, to do something to.
    pub fn chip_mut(&mut self) -> Option<&mut Chip> {
        let far: &mut dyn std::any::Any = self.wire.far_mut();
        far.downcast_mut()
    }

    /// Writes the files as the device is now. Nothing happens without the key `image`, or if
    /// nothing has changed.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn save(&mut self) -> Result<(), StorageError> {
        match &mut self.storage {
            Some(storage) => storage.write(self.wire.far().flash(), &self.wire.far().state()),
            None => Ok(()),
        }
    }

    /// Lets the device end what it is doing, and writes the files.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn close(mut self) -> Result<(), StorageError> {
        self.wire.settle(SETTLING_TIME);
        self.save()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.wire.settle(SETTLING_TIME);
        // There is nobody left to tell; `close` tells.
        let _ = self.save();
    }
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench")
            .field("name", &self.name)
            .field("now", &self.wire.now())
            .finish_non_exhaustive()
    }
}

/// An STM32 with the content of its files.
fn chip(
    part: &'static Part,
    options: &Options,
    stored: &Stored,
    storage: Option<&Storage>,
) -> Result<Chip, BenchError> {
    let mut memory = Memory::new(part, options.seed);
    if let Some(image) = &stored.image {
        memory.flash_mut()[..image.len()].copy_from_slice(image);
    }
    if let (Some(state), Some(storage)) = (&stored.state, storage) {
        memory.options = stm32::read_state(part, state).map_err(|error| storage.damaged(error))?;
    }
    let mut chip = Chip::new(part, memory, options.wiring, options.boot0);
    chip.set_flash_percent(options.flash_percent);
    if let Some(max_baud) = options.max_baud {
        chip.set_max_baud(max_baud);
    }
    Ok(chip)
}
