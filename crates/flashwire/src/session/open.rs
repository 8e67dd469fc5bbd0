//! Opening a session: the link, the wrappers around it, and the way into the bootloader.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use flashwire_client::stm32::{
    self, Bootloader, FrameLimits, Interface, Parts, Pipeline, Reading, SPEEDS, Synchronised,
    Target,
};
#[cfg(feature = "os")]
use flashwire_link::WithGpio;
use flashwire_link::reset::{self, ResetSpec, Way};
use flashwire_link::{CancelFlag, Interruptible, Link, LinkError, Parity, Settings, Trace};
use flashwire_sim::{BenchError, SimLink};

use super::{Device, Session, SpiOptions};
use crate::bench::method_of;
use crate::error::{Error, Problem};
use crate::port::{Method, Place, Port, PortError};
use crate::shared::Shared;
use crate::watch::Watcher;

/// How to reach a target.
pub struct OpenOptions {
    /// Where it is.
    pub port: Port,
    /// How fast to talk.
    pub speed: Speed,
    /// How the lines of the port reach the chip. `None` touches them only after the chip did not
    /// answer as it is.
    pub reset: Option<ResetSpec>,
    /// Whether the user is [asked](Watcher::ask_for_bootloader) to start the bootloader of a chip that
    /// no line could; with [`ResetSpec::None`] they always are.
    pub ask: bool,
    /// How far commands run ahead of their answers.
    pub pipeline: Pipeline,
    /// Parity of the line. `None` is what the bootloaders speak: even; and none if one greets so
    /// and then cannot be understood, as those of STM32W and BlueNRG.
    pub parity: Option<Parity>,
    /// Whether the bootloader was greeted before: it is taken up without 0x7F, in whatever command
    /// it was left, and no line is touched but to leave it.
    pub resume: bool,
    /// The longest transfers that the port's adapter does.
    pub frame: FrameLimits,
    /// How often what failed in passing is tried again.
    pub retries: u32,
    /// What is known of parts.
    pub parts: Parts,
    /// How to reach a chip behind a SPI programmer.
    pub spi: SpiOptions,
    /// How long to go on trying to reach the target. `None` tries each way once.
    pub patience: Option<Duration>,
    /// Where every byte on the wire is logged.
    pub log: Option<Box<dyn Write>>,
    /// Ends the session's waits when it is raised.
    pub cancel: CancelFlag,
}

impl OpenOptions {
    /// Everything but the port as it is by default: 115200 baud, lines only if needed.
    ///
    /// What the port says by itself (flashrom's spelling) is taken.
    pub fn new(port: Port) -> Self {
        let said = port.said;
        Self {
            port,
            speed: said.baud.map_or_else(Speed::default, Speed::Baud),
            spi: SpiOptions {
                spi_hz: said.spi_hz,
                chip_select: said.chip_select,
                ..SpiOptions::default()
            },
            reset: None,
            ask: false,
            pipeline: Pipeline::default(),
            parity: None,
            resume: false,
            frame: FrameLimits::default(),
            retries: stm32::Options::default().retries,
            parts: Parts::built_in(),
            patience: None,
            log: None,
            cancel: CancelFlag::new(),
        }
    }

    /// What a serial port is set to for a UART loader, before anything faster is tried.
    pub(crate) fn uart_settings(&self) -> Settings {
        Settings {
            parity: self.parity.unwrap_or(Parity::Even),
            ..Settings::even(self.speed.first_baud())
        }
    }
}

/// How fast to talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// At this many bits per second; 0 is the speed that a serial port has been given before.
    Baud(u32),
    /// As fast as works, found out by trying. Needs lines that reset the chip.
    Max,
}

impl Speed {
    /// The speed to begin with, in bits per second.
    pub(crate) const fn first_baud(self) -> u32 {
        match self {
            Self::Baud(baud) => baud,
            Self::Max => DEFAULT_BAUD,
        }
    }
}

/// Line speed where nobody says otherwise, in bits per second: the highest that ST promises
/// (AN3155, section 2.2).
pub(crate) const DEFAULT_BAUD: u32 = 115_200;

impl Default for Speed {
    fn default() -> Self {
        Self::Baud(DEFAULT_BAUD)
    }
}

/// How long to wait for a TCP connection.
#[cfg(feature = "os")]
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long a user may take to press two buttons.
pub(super) const USER_TIME: Duration = Duration::from_secs(300);

impl Session {
    /// Opens the port, finds a way into the bootloader, and asks the chip what it is.
    ///
    /// # Errors
    /// The port cannot be opened, nothing answers, or what answers is no bootloader.
    pub fn open(options: OpenOptions, watcher: &mut dyn Watcher) -> Result<Self, Error> {
        match method(&options.port)? {
            Method::Stm32 => Self::open_stm32(options, Interface::UART, watcher),
            Method::Stm32I2c => Self::open_stm32(options, Interface::I2C, watcher),
            Method::Serprog => Self::open_spi(options, watcher),
            Method::Nfd => Self::open_nfd(options, watcher),
            Method::Stk500 => Self::open_arduino(options, watcher),
        }
    }

    fn open_stm32(
        mut options: OpenOptions,
        interface: Interface,
        watcher: &mut dyn Watcher,
    ) -> Result<Self, Error> {
        let port = options.port.to_string();
        let on_i2c = interface == Interface::I2C;
        if on_i2c {
            refuse_uart_settings(&options)?;
        }
        let settings = options.uart_settings();
        let (clock, bench) = open_place(&options.port.place, settings)?;
        let link = wrapped(&clock, options.log.take(), &options.cancel);

        let talk = stm32::Options {
            pipeline: options.pipeline,
            retries: options.retries,
            frame: options.frame,
            interface,
            ..stm32::Options::default()
        };
        let mut entry = Entry {
            loader: Bootloader::new(link, talk),
            way: None,
            tried: Vec::new(),
            reset: options.reset.clone(),
            ask: options.ask,
            patience: options.patience,
            watcher,
        };
        let place = |settings: Settings| match on_i2c {
            true => clock.borrow().name().to_owned(),
            false => format!("{} ({settings})", clock.borrow().name()),
        };
        let on_port = |error: stm32::Error| {
            let problem = match error {
                source @ (stm32::Error::LostSync { .. } | stm32::Error::Unresponsive { .. })
                    if options.resume =>
                {
                    Problem::NotResumed { source }
                }
                error => error.into(),
            };
            Error::from(problem).on(port.clone(), place(clock.borrow().settings()))
        };
        let named = entry.reset.as_ref().and_then(named_way);
        let identity = match entry.identify(&options) {
            Ok(identity) => identity,
            Err(error) => {
                // A board that the lines have led somewhere is led back, whatever it is doing.
                if let Some(leave) = named.and_then(|way| way.leave) {
                    let _ = reset::run(entry.loader.link_mut(), &leave);
                }
                return Err(on_port(error));
            }
        };
        let Entry {
            mut loader, way, ..
        } = entry;
        // Who resumes has come in by the lines before.
        let way = way.or(named.filter(|_| options.resume));
        let link = place(loader.link_mut().settings());
        let device = Device::Stm32(Box::new(Target::new(loader, identity)));
        Ok(Self {
            port,
            link,
            clock,
            bench,
            device,
            way,
            parts: options.parts,
            protection: None,
            past_protection: false,
            cancel: options.cancel,
            told_of_fall_back: false,
        })
    }
}

/// How to talk over a port: as it says, or as its link is talked to.
pub(crate) fn method(port: &Port) -> Result<Method, Error> {
    let bench = match (&port.place, port.method) {
        (Place::Bench(bench), _) => bench,
        (Place::I2c { .. }, None) => return Ok(Method::Stm32I2c),
        (_, method) => return Ok(method.unwrap_or_default()),
    };
    let Some(word) = method_of(bench) else {
        // Opening it will say what is wrong with it.
        return Ok(Method::default());
    };
    let known = Method::ALL.into_iter().find(|method| method.word() == word);
    if let Some(method) = port.method.filter(|&method| Some(method) != known) {
        // A programmer's wire is the same for both protocols; what it answers is its affair.
        if method.is_of_a_programmer() && known.is_some_and(Method::is_of_a_programmer) {
            return Ok(method);
        }
        return Err(PortError::Elsewhere {
            method: method.word(),
            place: port.place.to_string(),
        }
        .into());
    }
    known.ok_or_else(|| {
        let word = word.to_owned();
        PortError::Reserved { word }.into()
    })
}

/// Speed and parity are those of a UART.
fn refuse_uart_settings(options: &OpenOptions) -> Result<(), Error> {
    if options.speed != Speed::default() || options.parity.is_some() {
        let what = "an I2C bus has no speed or parity to set: the system sets its clock";
        return Err(Problem::Usage(what.to_owned()).into());
    }
    Ok(())
}

/// Resets a target into its application by the lines that the user named, without a word to it.
/// False, and nothing done, if no lines are named or they do not say the way there.
///
/// # Errors
/// The port cannot be opened, or has no such lines.
pub fn reset_by_lines(options: &mut OpenOptions) -> Result<bool, Error> {
    let Some(leave) = options
        .reset
        .as_ref()
        .and_then(named_way)
        .and_then(|way| way.leave)
    else {
        return Ok(false);
    };
    let settings = Settings::even(options.speed.first_baud());
    let (clock, bench) = open_place(&options.port.place, settings)?;
    let mut link = wrapped(&clock, options.log.take(), &options.cancel);
    let done = reset::run(&mut *link, &leave);
    let missing = link.take_warnings();
    let name = link.name().to_owned();
    drop((link, clock));
    close_bench(bench)?;
    done.map_err(|error| Error::from(error).on(options.port.to_string(), name))?;
    match missing.into_iter().next() {
        Some(missing) => Err(Problem::NoLine(missing).into()),
        None => Ok(true),
    }
}

/// The way that a reset string names, if it names one.
fn named_way(spec: &ResetSpec) -> Option<Way> {
    match spec {
        ResetSpec::Wiring(_) | ResetSpec::Sequence { .. } => spec.ways().into_iter().next(),
        _ => None,
    }
}

/// The link with a log and an end to its waits.
pub(crate) fn wrapped(
    link: &Rc<RefCell<dyn Link>>,
    log: Option<Box<dyn Write>>,
    cancel: &CancelFlag,
) -> Box<dyn Link> {
    let link: Box<dyn Link> = Box::new(Shared::new(Rc::clone(link)));
    let link: Box<dyn Link> = match log {
        Some(log) => Box::new(Trace::new(link, log)),
        None => link,
    };
    Box::new(Interruptible::new(link, cancel.clone()))
}

/// Ends a bench and writes its files.
pub(crate) fn close_bench(bench: Option<Rc<RefCell<SimLink>>>) -> Result<(), Error> {
    match bench.and_then(Rc::into_inner) {
        Some(bench) => Ok(bench.into_inner().close().map_err(BenchError::Storage)?),
        None => Ok(()),
    }
}

/// A link that was opened, and the bench behind it if it is simulated.
pub(crate) type Opened = (Rc<RefCell<dyn Link>>, Option<Rc<RefCell<SimLink>>>);

pub(crate) fn open_place(place: &Place, settings: Settings) -> Result<Opened, Error> {
    let name = place.to_string();
    let failed = |source: LinkError| {
        Error::from(Problem::Open {
            link: name.clone(),
            source,
        })
    };
    let settings = match (settings.baud, place) {
        // Only a serial port has one before.
        (0, Place::Tcp { .. } | Place::Bench(_)) => Settings {
            baud: DEFAULT_BAUD,
            ..settings
        },
        _ => settings,
    };
    match place {
        #[cfg(feature = "os")]
        Place::Serial(path) => {
            let link = flashwire_link::serial::open(path, settings).map_err(failed)?;
            Ok((Rc::new(RefCell::new(WithGpio::new(link))), None))
        }
        #[cfg(feature = "os")]
        Place::Tcp { .. } => {
            let address = name.strip_prefix("tcp:").unwrap_or(&name);
            let link = flashwire_link::tcp::connect(address, settings, CONNECT_TIME);
            let link = WithGpio::new(link.map_err(failed)?);
            Ok((Rc::new(RefCell::new(link)), None))
        }
        #[cfg(feature = "os")]
        Place::I2c { bus, address } => {
            let failed = |source| Problem::OpenBus {
                link: name.clone(),
                source,
            };
            let link = flashwire_link::i2c::Address::new(*address)
                .ok_or(LinkError::NotFound)
                .and_then(|address| flashwire_link::i2c::open(bus, address))
                .map_err(failed)?;
            Ok((Rc::new(RefCell::new(WithGpio::new(link))), None))
        }
        #[cfg(not(feature = "os"))]
        Place::Serial(_) | Place::Tcp { .. } | Place::I2c { .. } => Err(failed(
            LinkError::NotAPort("this build has benches only".into()),
        )),
        Place::Bench(bench) => {
            let mut link = SimLink::open(bench)?;
            if link.bench().address().is_none() {
                link.configure(settings).map_err(failed)?;
            }
            let link = Rc::new(RefCell::new(link));
            Ok((Rc::clone(&link) as Rc<RefCell<dyn Link>>, Some(link)))
        }
    }
}

/// Finding the way into a bootloader.
pub(crate) struct Entry<'a> {
    pub(crate) loader: Bootloader,
    /// The wiring by which it was reached.
    pub(crate) way: Option<Way>,
    /// The wirings that were tried in vain, on a port that has the lines for them.
    pub(crate) tried: Vec<String>,
    pub(crate) reset: Option<ResetSpec>,
    pub(crate) ask: bool,
    pub(crate) patience: Option<Duration>,
    pub(crate) watcher: &'a mut dyn Watcher,
}

impl Entry<'_> {
    /// Finds the way into the bootloader, and asks the chip what it is.
    fn identify(&mut self, options: &OpenOptions) -> Result<stm32::Identity, stm32::Error> {
        let greeted = match options.resume {
            true => self.loader.resume(),
            false => self.greet(),
        };
        self.pass_warnings();
        greeted?;
        if options.speed == Speed::Max {
            self.speed_up()?;
        }
        let is_uart = self.loader.options().interface == Interface::UART;
        match self.loader.identify(&options.parts) {
            Err(error) if options.parity.is_none() && is_uart && is_garbled(&error) => {
                identify_without_parity(&mut self.loader, &options.parts).map_err(|_| error)
            }
            identified => identified,
        }
    }

    /// Gets an answer from the bootloader, again and again while there is patience.
    pub(crate) fn greet(&mut self) -> Result<(), stm32::Error> {
        let patience = self.patience.unwrap_or(Duration::ZERO);
        let end = self.loader.link_mut().deadline(patience).moment();
        let spec = self.reset.clone().unwrap_or(ResetSpec::Auto);
        loop {
            let greeted = match named_way(&spec) {
                Some(way) => self.try_ways(&[way]),
                None => self.greet_unnamed(&spec),
            };
            match greeted {
                Err(error) if is_no_loader(&error) && self.loader.link_mut().now() < end => {}
                done => return done,
            }
        }
    }

    /// As the chip is, by the known wirings, or by the user's own hands.
    fn greet_unnamed(&mut self, spec: &ResetSpec) -> Result<(), stm32::Error> {
        let silence = match self.loader.synchronise() {
            Err(error) if is_no_loader(&error) => error,
            done => return done.map(drop),
        };
        self.pass_warnings();
        let talks = matches!(silence, stm32::Error::WrongAnswer { .. });
        let absent = matches!(silence, stm32::Error::NoDevice { .. });
        if !talks && !absent {
            // Only to what is silent: a program that talks would take it for input.
            self.watcher
                .say("no answer yet; looking for a bootloader that was left in a command");
            match self.loader.resume() {
                Err(error @ stm32::Error::Link(_)) => return Err(error),
                Err(_) => {}
                Ok(()) => return Ok(()),
            }
        }
        let ways = match self.loader.options().interface {
            // A bus has no lines of its own.
            Interface::I2C => Vec::new(),
            _ => spec.ways(),
        };
        if !ways.is_empty() && !is_echo(&silence) {
            self.watcher
                .say("no answer yet; trying the known reset wirings");
            match self.try_ways(&ways) {
                Err(error) if is_no_loader(&error) => {}
                done => return done,
            }
        }
        let name = self.loader.link_mut().name().to_owned();
        let asks = *spec == ResetSpec::None || self.ask && !talks;
        if asks && self.watcher.ask_for_bootloader(&name) {
            return self.loader.synchronise_within(USER_TIME).map(drop);
        }
        Err(silence)
    }

    /// Resets the chip into its bootloader by each of these ways, until one works.
    fn try_ways(&mut self, ways: &[Way]) -> Result<(), stm32::Error> {
        let mut last = stm32::Error::NotSynchronised;
        for way in ways {
            self.watcher.note(&format!("trying --reset {}", way.spec));
            reset::run(self.loader.link_mut(), &way.enter)?;
            let missing = self.loader.link_mut().take_warnings();
            match self.loader.synchronise() {
                // A loader that had been greeted before was not reset by this, but it is there.
                Ok(Synchronised::Already) if ways.len() > 1 => return Ok(()),
                Ok(_) => {
                    let found = format!("--reset {} reached the bootloader", way.spec);
                    self.watcher.note(&found);
                    self.way = Some(way.clone());
                    return Ok(());
                }
                Err(error) if is_no_loader(&error) => last = error,
                Err(error) => return Err(error),
            }
            for warning in &missing {
                // Nobody asked for lines where all ways are tried.
                match ways {
                    [_] => self.watcher.warn(warning),
                    _ => self.watcher.note(warning),
                }
            }
            if !missing.is_empty() {
                // No line, no other way.
                break;
            }
            self.tried.push(way.spec.to_string());
        }
        Err(last)
    }

    /// Finds the highest speed, if there is a way to reset the chip for each try.
    fn speed_up(&mut self) -> Result<(), stm32::Error> {
        if self.way.is_none() && self.reset == Some(ResetSpec::Auto) {
            self.try_ways(&ResetSpec::Auto.ways())?;
        }
        let Some(way) = &self.way else {
            let baud = self.loader.link_mut().settings().baud;
            self.watcher.warn(&format!(
                "other speeds need lines that reset the chip (--reset): staying at {baud} baud"
            ));
            return Ok(());
        };
        let mut reset = |link: &mut dyn Link| reset::run(link, &way.enter);
        let baud = self
            .loader
            .find_highest_speed(&SPEEDS, FLASH_START, &mut reset)?;
        self.watcher
            .say(&format!("{baud} baud is the highest speed that works"));
        Ok(())
    }

    /// Passes on what the port could not do.
    pub(crate) fn pass_warnings(&mut self) {
        for warning in self.loader.link_mut().take_warnings() {
            self.watcher.warn(&warning);
        }
    }
}

/// Where every STM32 has its flash, but for the STM32WB0 lineage (AN2606): what the tries of a
/// speed read.
const FLASH_START: u32 = 0x0800_0000;

/// Whether this says that no bootloader is there, and not that the link failed.
pub(crate) fn is_no_loader(error: &stm32::Error) -> bool {
    error.means_no_loader()
}

/// Whether a bootloader that greeted as it should is not understood.
fn is_garbled(error: &stm32::Error) -> bool {
    matches!(
        error,
        stm32::Error::Nack { .. }
            | stm32::Error::Timeout { .. }
            | stm32::Error::Unexpected { .. }
            | stm32::Error::Malformed { .. }
            | stm32::Error::Unsteady { .. }
            | stm32::Error::LostSync { .. }
    )
}

/// Identifies a bootloader that speaks without parity. Greeting it with parity works: the parity bit
/// of 0x7F, of ACK and of NACK is a one, as a stop bit is. Only what follows goes wrong.
fn identify_without_parity(
    loader: &mut Bootloader,
    parts: &Parts,
) -> Result<stm32::Identity, stm32::Error> {
    let before = loader.settings();
    let settings = Settings {
        parity: Parity::None,
        ..before
    };
    loader.link_mut().configure(settings)?;
    let identified = loader.resume().and_then(|()| loader.identify(parts));
    if identified.is_err() {
        loader.link_mut().configure(before)?;
    }
    identified
}

/// Whether TX and RX are joined: then no reset will help.
fn is_echo(error: &stm32::Error) -> bool {
    matches!(
        error,
        stm32::Error::WrongAnswer {
            reading: Reading::Echo,
            ..
        }
    )
}
