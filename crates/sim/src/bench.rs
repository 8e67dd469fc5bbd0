//! Benches by name.
//!
//! What stands behind `sim:` in a port: a bench's name, then keys: `stm32f103cb,image=board.bin`,
//! `serprog+w25q64jv,seed=3`. With `bus=i2c` the host is on the I2C interface of the loader:
//! `stm32h743zi,bus=i2c`.

use std::path::PathBuf;
use std::time::Duration;

use flashwire_link::{Fault, ParseFaultError, Settings};

use crate::Complaint;
use crate::nor::{self, Pace};
use crate::programmer::{self, Edition, Model, Programmer};
use crate::stm32::{self, Chip, I2cLoader, Memory, Part, Wiring};
use crate::storage::{Storage, StorageError, Stored};
use crate::wire::{BusConfig, Cable, FarEnd, GPIO_LINES, Lines, Wire, WireConfig};

/// The method by which a host talks to a loader on I2C.
const I2C_METHOD: &str = "stm32-i2c";

/// Speed of the wire where nobody sets one, in baud.
const DEFAULT_BAUD: u32 = 115_200;

/// The lines of a serial port that an operating system has just opened.
pub(crate) const OPENED: Lines = Lines {
    dtr: Some(true),
    rts: Some(true),
    brk: false,
    gpio: [None; GPIO_LINES],
};

/// Clock of an I2C bus where nobody sets one, in Hz: Standard-mode (UM10204, section 5).
const DEFAULT_BUS_HZ: u32 = 100_000;

/// Fastest clock of a bus, in Hz: Ultra Fast-mode (UM10204, section 5).
const MAX_BUS_HZ: u32 = 5_000_000;

/// How long the host's controller lets a device hold the clock where nobody says: what Linux gives a
/// controller whose driver does not say otherwise (`drivers/i2c/i2c-core-base.c`).
const DEFAULT_HOLD_LIMIT: Duration = Duration::from_secs(1);

/// How long a device may go on with what it was told to do after its host has gone, in its own
/// time: longer than the longest erase, which is that of a chip of 64 MiB.
const SETTLING_TIME: Duration = Duration::from_secs(3600);

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
    /// What stands on this bench is on no I2C bus.
    #[error("{name} has no boot loader on I2C")]
    NoI2c {
        /// The bench's name.
        name: String,
    },
    /// A fault that the wire of this bench cannot have.
    #[error("\"{0}\" is a fault of another kind of wire")]
    OtherFault(Fault),
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
    let stm32 = stm32::all_parts().map(|part| BenchInfo {
        name: part.name.to_owned(),
        title: part.title.to_owned(),
        method: "stm32",
    });
    let programmers = programmer::MODELS.iter().flat_map(|model| {
        nor::PARTS.iter().map(|part| BenchInfo {
            name: format!("{}+{}", model.name, part.name),
            title: format!("{}, with {}", model.title, part.title),
            method: model.method(),
        })
    });
    stm32.chain(programmers).collect()
}

/// The method by which a host talks to a bench, by what stands behind `sim:` in a port; `None` if
/// there is no such bench.
pub fn method_of(spec: &str) -> Option<&'static str> {
    let (name, keys) = spec.split_once(',').unwrap_or((spec, ""));
    let kind = Kind::find(name)?;
    let on_i2c = Options::parse(keys).is_ok_and(|options| options.i2c);
    Some(if on_i2c { I2C_METHOD } else { kind.method() })
}

/// The names of all benches, programmers and chips apart: each programmer takes each chip.
fn names() -> String {
    let stm32 = stm32::all_parts().map(|part| part.name);
    let programmers = programmer::MODELS.iter().map(|model| model.name);
    let chips = nor::PARTS.iter().map(|part| part.name);
    let list = |names: Vec<&str>| names.join(", ");
    format!(
        "{}; and PROGRAMMER+CHIP, PROGRAMMER one of {}, CHIP one of {}",
        list(stm32.collect()),
        list(programmers.collect()),
        list(chips.collect())
    )
}

/// What stands at the far end of a bench's wire.
enum Kind {
    /// An STM32 in its boot loader.
    Stm32(&'static Part),
    /// A programmer with a chip.
    Programmer(&'static Model, &'static nor::Part),
}

impl Kind {
    fn find(name: &str) -> Option<Self> {
        let programmer =
            || programmer::find(name).map(|(model, part)| Self::Programmer(model, part));
        stm32::part(name).map(Self::Stm32).or_else(programmer)
    }

    /// The size of its flash, in bytes.
    fn flash_bytes(&self) -> usize {
        match self {
            Self::Stm32(part) => part.flash.bytes() as usize,
            Self::Programmer(_, part) => part.size_bytes,
        }
    }

    /// The method by which a host talks to it on a UART.
    fn method(&self) -> &'static str {
        match self {
            Self::Stm32(_) => "stm32",
            Self::Programmer(model, _) => model.method(),
        }
    }

    /// The loader's interface that the keys ask for, if that is I2C.
    fn i2c(&self, options: &Options) -> Result<Option<I2cLoader>, BenchError> {
        if !options.i2c {
            return Ok(None);
        }
        let (part, loader) = match self {
            Self::Stm32(part) => (part.name, part.loader.i2c),
            Self::Programmer(model, _) => (model.name, None),
        };
        let mut loader = loader.ok_or_else(|| BenchError::NoI2c {
            name: part.to_owned(),
        })?;
        if let Some(version) = options.i2c_version {
            loader.version = version;
        }
        Ok(Some(loader))
    }

    /// Speed and format that a host begins with.
    fn host(&self, baud: u32) -> Settings {
        match self {
            Self::Stm32(part) => Settings {
                parity: part.loader.parity,
                ..Settings::even(baud)
            },
            Self::Programmer(..) => Settings::plain(baud),
        }
    }

    /// The device under power, with the content of its files.
    fn build(
        &self,
        options: &Options,
        stored: &Stored,
        storage: Option<&Storage>,
        i2c: Option<I2cLoader>,
    ) -> Result<Box<dyn FarEnd>, BenchError> {
        Ok(match self {
            Self::Stm32(part) => {
                let chip = chip(part, options, stored, storage)?;
                Box::new(match i2c {
                    Some(loader) => chip.on_i2c(loader),
                    None => chip,
                })
            }
            Self::Programmer(model, part) => {
                Box::new(programmer(model, part, options, stored, storage)?)
            }
        })
    }
}

/// The keys of all benches: spelling, and what each takes.
const KEYS: [(&str, &str); 27] = [
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
    baud: Option<u32>,
    latency: Duration,
    timer: Duration,
    seed: u64,
    faults: Vec<Fault>,
    pub(crate) realtime: bool,
    boot0: bool,
    wiring: Wiring,
    flash_percent: u32,
    power_off: Option<Duration>,
    max_baud: Option<u32>,
    pub(crate) button: Button,
    chip_times: Pace,
    extensions: bool,
    /// Whether there is a chip in the programmer's socket.
    has_chip: bool,
    sketch: Edition,
    boot: Duration,
    select_pin: Option<u8>,
    i2c: bool,
    i2c_hz: Option<u32>,
    /// The address that the host talks to, if not the device's.
    address: Option<u8>,
    i2c_version: Option<u8>,
    hold_limit: Duration,
    cable: Cable,
    says: Option<String>,
    says_baud: u32,
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
            _ => return Err(None),
        }
        Ok(())
    }

    /// How long the operations of a SPI NOR chip take.
    fn pace(&self) -> Pace {
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

/// An opened bench: a device with power on, the wire to it, and the files that keep its content.
///
/// Dropping it lets the device end what it was doing and writes its files; an error of that is
/// lost, so call [`close`](Self::close) where it matters.
pub struct Bench {
    name: String,
    method: &'static str,
    address: Option<u8>,
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
        Self::open_with_lines(spec, OPENED)
    }

    /// As [`open`](Self::open), with the lines as the port has them. An I2C bus has none.
    ///
    /// # Errors
    /// All of [`BenchError`].
    pub fn open_with_lines(spec: &str, lines: Lines) -> Result<Self, BenchError> {
        let (name, keys) = spec.split_once(',').unwrap_or((spec, ""));
        if name.is_empty() {
            return Err(BenchError::NoName);
        }
        let kind = Kind::find(name).ok_or_else(|| BenchError::UnknownBench {
            name: name.to_owned(),
        })?;
        let options = Options::parse(keys)?;
        let mut storage = options.image.as_deref().map(Storage::new);
        let stored = match &mut storage {
            Some(storage) => storage.read(kind.flash_bytes())?,
            None => Stored::default(),
        };
        let i2c = kind.i2c(&options)?;
        for fault in &options.faults {
            let possible = match i2c {
                Some(_) => fault.kind.of_a_bus(),
                None => fault.kind.of_a_stream(),
            };
            if !possible {
                return Err(BenchError::OtherFault(*fault));
            }
        }
        let far = kind.build(&options, &stored, storage.as_ref(), i2c)?;
        let bus = i2c.map(|_| BusConfig {
            clock_hz: options.i2c_hz.unwrap_or(DEFAULT_BUS_HZ),
            hold_limit: options.hold_limit,
        });
        let config = WireConfig {
            latency: options.latency,
            timer: options.timer,
            host: match bus {
                Some(bus) => Settings::plain(bus.clock_hz),
                None => kind.host(options.baud.unwrap_or(DEFAULT_BAUD)),
            },
            bus,
            lines: match bus {
                Some(_) => Lines::default(),
                None => lines,
            },
            cable: options.cable,
            faults: options.faults.clone(),
        };
        Ok(Self {
            name: name.to_owned(),
            address: i2c.map(|i2c| options.address.unwrap_or(i2c.address)),
            method: match bus {
                Some(_) => I2C_METHOD,
                None => kind.method(),
            },
            wire: Wire::new(&config, far),
            storage,
            options,
        })
    }

    /// The method by which a host talks to it, as a port string spells it.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// The address that the host of an I2C bench talks to.
    pub fn address(&self) -> Option<u8> {
        self.address
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

    /// The programmer, on a bench with one.
    pub fn programmer(&self) -> Option<&Programmer> {
        let far: &dyn std::any::Any = self.wire.far();
        far.downcast_ref()
    }

    /// The programmer, on a bench with one, to do something to.
    pub fn programmer_mut(&mut self) -> Option<&mut Programmer> {
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
    if let Some(after) = options.power_off {
        chip.set_power_off(flashwire_link::Instant::default() + after);
    }
    if let Some(text) = &options.says {
        chip.set_talk(text, options.says_baud);
    }
    Ok(chip)
}

/// A programmer and its chip with the content of its files.
fn programmer(
    model: &Model,
    part: &'static nor::Part,
    options: &Options,
    stored: &Stored,
    storage: Option<&Storage>,
) -> Result<Programmer, BenchError> {
    let mut chip = nor::Chip::new(
        part,
        nor::Options {
            pace: options.pace(),
            seed: options.seed,
        },
    );
    if let Some(image) = &stored.image {
        chip.memory_mut()[..image.len()].copy_from_slice(image);
    }
    if let (Some(state), Some(storage)) = (&stored.state, storage) {
        nor::restore(&mut chip, state).map_err(|error| storage.damaged(error))?;
    }
    if !options.has_chip {
        chip.set_connected(flashwire_link::Instant::default(), false);
    }
    let usual = programmer::Options::default();
    let options = programmer::Options {
        extensions: options.extensions,
        baud: options.baud.unwrap_or(DEFAULT_BAUD),
        boot: options.boot,
        sketch: options.sketch,
        select_pin: options.select_pin.unwrap_or(usual.select_pin),
    };
    Ok(Programmer::new(model, chip, &options))
}
