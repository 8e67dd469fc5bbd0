//! Benches by name.
//!
//! What stands behind `sim:` in a port: a bench's name, then keys: `stm32f103cb,image=board.bin`,
//! `serprog+w25q64jv,seed=3`. With `bus=i2c` the host is on the I2C interface of the loader:
//! `stm32h743zi,bus=i2c`.

mod nearest;
mod options;

use std::time::Duration;

use flashwire_link::{Fault, Settings};

use nearest::nearest;
#[cfg(feature = "os")]
pub(crate) use options::Button;
use options::meant_key;
pub(crate) use options::{MAX_BAUD, Options};

use crate::Complaint;
use crate::arduino::{self, Board, Flash};
use crate::nor;
use crate::programmer::{self, Model, Programmer};
use crate::stm32::{self, Chip, I2cLoader, Memory, Part};
use crate::storage::{Storage, StorageError, Stored};
use crate::wire::{BusConfig, FarEnd, GPIO_LINES, Lines, Wire, WireConfig};

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

/// How long a device may go on with what it was told to do after its host has gone, in its own
/// time: longer than the longest erase, which is that of a chip of 64 MiB.
const SETTLING_TIME: Duration = Duration::from_secs(3600);

/// Why there is no such bench.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// No name at all.
    #[error("no bench is named; there are: {}", names_of_all())]
    NoName,
    /// A name that no bench has.
    #[error("there is no bench \"{name}\"; {}", meant(name))]
    UnknownBench {
        /// What was asked for.
        name: String,
    },
    /// A key that no bench has.
    #[error("benches have no key \"{key}\"; {}", meant_key(key))]
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
    let boards = arduino::MODELS.iter().map(|model| BenchInfo {
        name: model.name.to_owned(),
        title: model.title.to_owned(),
        method: "stk500",
    });
    stm32.chain(boards).chain(programmers).collect()
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
fn names_of_all() -> String {
    let stm32 = stm32::all_parts().map(|part| part.name);
    let boards = arduino::MODELS.iter().map(|model| model.name);
    let programmers = programmer::MODELS.iter().map(|model| model.name);
    let chips = nor::PARTS.iter().map(|part| part.name);
    let list = |names: Vec<&str>| names.join(", ");
    format!(
        "{}, {}; and PROGRAMMER+CHIP, PROGRAMMER one of {}, CHIP one of {}",
        list(stm32.collect()),
        list(boards.collect()),
        list(programmers.collect()),
        list(chips.collect())
    )
}

/// The bench that somebody meant who wrote `name`, or all there are.
fn meant(name: &str) -> String {
    let benches = benches();
    let names = benches.iter().map(|bench| bench.name.as_str());
    match nearest(name, names) {
        Some(near) => format!("there is {near}"),
        None => format!("there are: {}", names_of_all()),
    }
}

/// What stands at the far end of a bench's wire.
enum Kind {
    /// An STM32 in its boot loader.
    Stm32(&'static Part),
    /// An Arduino in its bootloader.
    Arduino(&'static arduino::Model),
    /// A programmer with a chip.
    Programmer(&'static Model, &'static nor::Part),
}

impl Kind {
    fn find(name: &str) -> Option<Self> {
        let programmer =
            || programmer::find(name).map(|(model, part)| Self::Programmer(model, part));
        let board = || arduino::find(name).map(Self::Arduino);
        let stm32 = stm32::part(name).map(Self::Stm32);
        stm32.or_else(board).or_else(programmer)
    }

    /// The size of its flash, in bytes.
    fn flash_bytes(&self) -> usize {
        match self {
            Self::Stm32(part) => part.flash.bytes() as usize,
            Self::Arduino(_) => arduino::FLASH_BYTES,
            Self::Programmer(_, part) => part.size_bytes,
        }
    }

    /// The method by which a host talks to it on a UART.
    fn method(&self) -> &'static str {
        match self {
            Self::Stm32(_) => "stm32",
            Self::Arduino(_) => "stk500",
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
            Self::Arduino(model) => (model.name, None),
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
            Self::Arduino(_) | Self::Programmer(..) => Settings::plain(baud),
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
            Self::Arduino(model) => Box::new(board(model, options, stored, storage)?),
            Self::Programmer(model, part) => {
                Box::new(programmer(model, part, options, stored, storage)?)
            }
        })
    }
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

    /// The board, on an Arduino's bench.
    pub fn board(&self) -> Option<&Board> {
        let far: &dyn std::any::Any = self.wire.far();
        far.downcast_ref()
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

/// An Arduino with the content of its files.
fn board(
    model: &'static arduino::Model,
    options: &Options,
    stored: &Stored,
    storage: Option<&Storage>,
) -> Result<Board, BenchError> {
    let mut flash = Flash::new(model.boot_start, options.flash_percent);
    if let Some(image) = &stored.image {
        flash.bytes_mut()[..image.len()].copy_from_slice(image);
    }
    if let (Some(state), Some(storage)) = (&stored.state, storage) {
        arduino::check_state(model, state).map_err(|error| storage.damaged(error))?;
    }
    let mut board = Board::new(model, flash);
    board.set_application(options.application.then_some(options.says_baud));
    if let Some(signature) = options.signature {
        board.set_signature(signature);
    }
    Ok(board)
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
