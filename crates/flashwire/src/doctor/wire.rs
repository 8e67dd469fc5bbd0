//! What comes back on the wire: listening, greeting, and a few experiments where that fails.
//!
//! Everything that is sent is 0x7F (AN3155, section 2), commands that only ask, and what the session
//! itself sends to a loader that was left in a command. Nothing is read but identification, nothing
//! written.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use flashwire_client::stm32::{self, Bootloader, Parts, Reading};
use flashwire_link::{Link, LinkError, Parity, Settings};

use super::finding::Finding;
use super::hearing::Sample;
use crate::error::{Error, Problem};
use crate::session::OpenOptions;
use crate::session::open::{Entry, close_bench, is_no_loader, open_place, wrapped};
use crate::watch::Watcher;

/// How long to listen before anything is said: a program that talks by itself mostly does so in
/// such a time.
const FIRST_LISTENING: Duration = Duration::from_millis(300);

/// How long to listen at each speed, once it is known that something talks.
const LISTENING: Duration = Duration::from_millis(1200);

/// How long a receiver that was just started takes to notice that its line is low: one character
/// at any speed in use, and what an adapter adds.
const LOW_LINE: Duration = Duration::from_millis(50);

/// Most bytes that are listened to at one go: something that talks without end says enough in them.
const EARFUL_BYTES: usize = 512;

/// How a serprog programmer refuses 0x7F, which is none of its commands (serprog-protocol.txt,
/// "NAK").
const SERPROG_NAK: u8 = 0x15;

/// Speeds at which programs talk, in bits per second, the usual ones first.
const TALKING: [u32; 7] = [115_200, 9600, 57_600, 38_400, 19_200, 230_400, 921_600];

/// Speeds at which a loader may have been greeted by somebody else, in bits per second.
const GREETED: [u32; 7] = [57_600, 9600, 115_200, 38_400, 230_400, 460_800, 19_200];

/// Opens the port, greets a loader and says what came of it.
///
/// # Errors
/// The port cannot be opened, or the bench's files cannot be written.
pub(super) fn look(options: OpenOptions, watcher: &mut dyn Watcher) -> Result<Vec<Finding>, Error> {
    let port = options.port.to_string();
    let settings = options.uart_settings();
    let (clock, bench) = open_place(&options.port.place, settings)?;
    let link = wrapped(&clock, options.log, &options.cancel);
    let mut examination = Examination {
        settings,
        parity_is_given: options.parity.is_some(),
        parts: options.parts,
        heard: Vec::new(),
        entry: Entry {
            loader: Bootloader::new(link, stm32::Options::default()),
            way: None,
            tried: Vec::new(),
            reset: options.reset,
            ask: false,
            patience: options.patience,
            watcher,
        },
    };
    let found = examination.run();
    drop(examination);
    let findings = match found {
        Ok(findings) => findings,
        Err(LinkError::Cancelled) => {
            return Err(Error::from(Problem::Cancelled).on(port, place(&clock)));
        }
        Err(error) => {
            let error = Error::from(error).on(port, place(&clock));
            vec![Finding::Failed(error)]
        }
    };
    drop(clock);
    close_bench(bench)?;
    Ok(findings)
}

/// The link and its settings, for messages.
fn place(link: &Rc<RefCell<dyn Link>>) -> String {
    let link = link.borrow();
    format!("{} ({})", link.name(), link.settings())
}

/// An open port under examination.
struct Examination<'a> {
    /// What was asked for.
    settings: Settings,
    /// Whether the parity was asked for.
    parity_is_given: bool,
    parts: Parts,
    /// What was heard without a word from here.
    heard: Vec<u8>,
    entry: Entry<'a>,
}

impl Examination<'_> {
    fn run(&mut self) -> Result<Vec<Finding>, LinkError> {
        self.heard = self.listen(FIRST_LISTENING)?;
        match self.entry.greet() {
            Ok(()) => self.ask(),
            Err(error) if is_no_loader(&error) => self.no_loader(&error).map(|found| vec![found]),
            Err(stm32::Error::Link(error)) => Err(error),
            Err(error) => Ok(vec![Finding::Failed(error.into())]),
        }
    }

    fn link(&mut self) -> &mut dyn Link {
        self.entry.loader.link_mut()
    }

    /// What comes within `time` without a word from here.
    fn listen(&mut self, time: Duration) -> Result<Vec<u8>, LinkError> {
        let mut heard = vec![0; EARFUL_BYTES];
        let deadline = self.link().deadline(time);
        let count = self.link().recv_all(&mut heard, deadline)?;
        heard.truncate(count);
        Ok(heard)
    }

    /// As [`listen`](Self::listen), with other settings.
    fn listen_at(&mut self, settings: Settings, time: Duration) -> Result<Sample, LinkError> {
        self.link().configure(settings)?;
        let heard = self.listen(time)?;
        Ok(Sample::new(&heard))
    }

    /// A loader has answered the greeting: does it answer a command too?
    fn ask(&mut self) -> Result<Vec<Finding>, LinkError> {
        match self.entry.loader.identify(&self.parts) {
            Ok(identity) => {
                let settings = self.link().settings();
                let name = self.link().name().to_owned();
                let mut findings = vec![Finding::Answers {
                    part: identity.part.name.clone(),
                    link: format!("{name} ({settings})"),
                    wiring: self.entry.way.as_ref().map(|way| way.spec.to_string()),
                }];
                if identity.read_protected {
                    findings.push(Finding::ReadProtected);
                }
                self.entry.pass_warnings();
                Ok(findings)
            }
            Err(stm32::Error::Link(error)) => Err(error),
            Err(_) => self.parity(),
        }
    }

    /// 0x7F and its answers have an odd number of ones: their parity bit is high, as the idle line
    /// is, and nobody misses it. Everything else needs it.
    fn parity(&mut self) -> Result<Vec<Finding>, LinkError> {
        self.entry
            .watcher
            .say("the greeting is answered and nothing else; trying the other parity");
        let Settings { baud, parity, .. } = self.settings;
        let other = match parity {
            Parity::None => Settings::even(baud),
            _ => Settings::plain(baud),
        };
        self.link().configure(other)?;
        let works = match self.entry.loader.resume() {
            Ok(()) => Some(other),
            Err(stm32::Error::Link(error)) => return Err(error),
            Err(_) => None,
        };
        if works.is_some() && !self.parity_is_given {
            // A loader that has none (STM32W, BlueNRG): sessions find that out by themselves.
            self.parity_is_given = true;
            return self.ask();
        }
        Ok(vec![Finding::Parity {
            settings: self.settings,
            works,
        }])
    }

    /// No loader answers as asked for: what else is there?
    fn no_loader(&mut self, error: &stm32::Error) -> Result<Finding, LinkError> {
        let answer = match error {
            stm32::Error::WrongAnswer { reading, sample } => Some((*reading, Sample::new(sample))),
            _ => None,
        };
        if matches!(answer, Some((Reading::Echo, _))) {
            return Ok(Finding::Echo);
        }
        if self.line_is_low()? {
            return Ok(Finding::LineLow);
        }
        let unasked = Sample::new(&self.heard);
        if !unasked.is_empty() && !unasked.is_only(0xFF) {
            return self.overhear(unasked);
        }
        let sample = match answer {
            Some((Reading::LineLow, _)) => return Ok(Finding::LineLow),
            // A program that answers only what it is sent.
            Some((Reading::Babble, sample)) if sample.is_text() => {
                let settings = Some(self.settings);
                return Ok(Finding::Application { sample, settings });
            }
            Some((_, sample)) => sample,
            None => Sample::default(),
        };
        if sample.is_only(SERPROG_NAK) {
            return Ok(Finding::Serprog);
        }
        if let Some(answers) = self.other_speed()? {
            let baud = self.settings.baud;
            return Ok(Finding::OtherSpeed { baud, answers });
        }
        if unasked.is_only(0xFF) || sample.is_only(0xFF) {
            let sample = if sample.is_empty() { unasked } else { sample };
            return Ok(Finding::Pulses { sample });
        }
        let settings = self.settings;
        if sample.is_empty() {
            let wirings = self.entry.tried.clone();
            return Ok(Finding::Silence { settings, wirings });
        }
        Ok(Finding::Garbage { sample, settings })
    }

    /// A receiver that is started on a low line hears one long start bit: a zero each time, and
    /// nothing else.
    fn line_is_low(&mut self) -> Result<bool, LinkError> {
        let Settings { baud, .. } = self.settings;
        let mut low = true;
        for settings in [Settings::plain(baud), self.settings] {
            low &= self.listen_at(settings, LOW_LINE)?.is_only(0);
        }
        Ok(low)
    }

    /// Something talks by itself: at which speed can it be read?
    fn overhear(&mut self, unasked: Sample) -> Result<Finding, LinkError> {
        self.entry
            .watcher
            .say("something talks by itself; listening at other speeds");
        for baud in TALKING {
            for settings in [Settings::plain(baud), Settings::even(baud)] {
                let sample = match self.listen_at(settings, LISTENING) {
                    // A port that does not do this speed.
                    Err(LinkError::Unsupported(_)) => continue,
                    heard => heard?,
                };
                if sample.is_text() {
                    let settings = Some(settings);
                    return Ok(Finding::Application { sample, settings });
                }
            }
        }
        Ok(Finding::Application {
            sample: unasked,
            settings: None,
        })
    }

    /// The speed at which a loader answers that was greeted by somebody else.
    fn other_speed(&mut self) -> Result<Option<u32>, LinkError> {
        self.entry
            .watcher
            .say("looking for a bootloader at other speeds");
        let asked = self.settings.baud;
        for baud in GREETED.into_iter().filter(|&baud| baud != asked) {
            let settings = Settings {
                baud,
                ..self.settings
            };
            match self.link().configure(settings) {
                Err(LinkError::Unsupported(_)) => continue,
                done => done?,
            }
            match self.entry.loader.synchronise() {
                Ok(_) => {}
                Err(stm32::Error::Link(error)) => return Err(error),
                Err(_) => continue,
            }
            match self.entry.loader.get_version() {
                Ok(_) => return Ok(Some(baud)),
                Err(stm32::Error::Link(error)) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(None)
    }
}
