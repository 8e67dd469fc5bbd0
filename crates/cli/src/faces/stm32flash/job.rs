//! What is done: the options of the original, as a session of flashwire.

use std::path::Path;

use flashwire::images::{Firmware, LoadOptions};
use flashwire::{
    CancelFlag, Error, Format, Info, OpenOptions, Parity, Port, Problem, ResetSpec, Session, Speed,
};

use super::arguments::{self, Action, Arguments, Place};
use super::place;
use super::talk::{self, Talk};
use super::write;
use crate::commands::files::{self, Output};
use crate::signals;

/// What Ctrl-C is answered with.
const STOPPING: &str = "stopping after the command under way; Ctrl-C again ends at once";

/// Does what the arguments ask for.
pub(super) fn run(arguments: &Arguments, talk: &mut Talk) -> Result<(), Error> {
    talk.line(concat!("flashwire stm32flash ", env!("CARGO_PKG_VERSION")));
    talk.line("");
    for what in &arguments.ignored {
        talk.warning(what);
    }
    let cancel = CancelFlag::new();
    signals::raise_on_signals(&cancel, &talk::screen(), STOPPING);
    let files = Files::open(arguments)?;
    let mut session = Session::open(open_options(arguments, &cancel)?, talk)?;
    let info = session.info();
    let mut work = Work {
        arguments,
        info,
        session: &mut session,
        talk,
        reset: arguments.reset,
    };
    let acted = work.act(files);
    let started = acted.and_then(|()| work.start());
    let left = work.leave();
    let closed = session.close();
    started.and(left).and(closed)
}

/// The files of a job, opened before anything else happens.
enum Files {
    None,
    In(Firmware),
    Out(Output),
}

impl Files {
    fn open(arguments: &Arguments) -> Result<Self, Error> {
        match &arguments.action {
            Action::Read(path) => Ok(Self::Out(Output::create(path, false, &talk::screen())?)),
            Action::Write(path) => Ok(Self::In(load(path, arguments)?)),
            _ => Ok(Self::None),
        }
    }
}

/// Reads the file to be written. Standard input is raw binary, as the original has it.
fn load(path: &Path, arguments: &Arguments) -> Result<Firmware, Error> {
    let binary = arguments.binary || files::is_stream(path);
    let options = LoadOptions {
        format: binary.then_some(Format::Binary),
        ..LoadOptions::default()
    };
    files::load(path, options)
}

/// How to reach the chip.
fn open_options(arguments: &Arguments, cancel: &CancelFlag) -> Result<OpenOptions, Error> {
    let mut options = OpenOptions::new(port(arguments)?);
    if !is_bus(&arguments.port) {
        options.speed = Speed::Baud(arguments.baud);
        options.parity = Some(match arguments.parity {
            arguments::Parity::Even => Parity::Even,
            arguments::Parity::Odd => Parity::Odd,
            arguments::Parity::None => Parity::None,
        });
    }
    options.retries = arguments.retries;
    options.frame = arguments.frame;
    options.resume = arguments.resume;
    // Lines that nobody named are not touched.
    options.reset = Some(arguments.lines.clone().unwrap_or(ResetSpec::None));
    options.cancel = cancel.clone();
    Ok(options)
}

/// Whether this is how Linux calls an I2C bus: it has neither speed nor parity to set.
fn is_bus(port: &str) -> bool {
    port.starts_with("/dev/i2c-")
}

/// The port as flashwire calls it: an I2C bus goes with the loader's address on it.
fn port(arguments: &Arguments) -> Result<Port, Error> {
    let name = &arguments.port;
    if !is_bus(name) {
        return Ok(name.parse().map_err(Problem::from)?);
    }
    let Some(address) = arguments.bus_address else {
        let what = format!("{name} is an I2C bus: -a ADDRESS says where on it the loader is");
        return Err(Problem::Usage(what).into());
    };
    let port = format!("stm32-i2c:{name}@{address:#x}");
    Ok(port.parse().map_err(Problem::from)?)
}

/// Whether `-i` says the way out of the loader.
fn leaves_by_lines(arguments: &Arguments) -> bool {
    let lines = arguments.lines.as_ref();
    lines.is_some_and(|spec| spec.ways().iter().any(|way| way.leave.is_some()))
}

/// One run on an opened session.
pub(super) struct Work<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) info: Info,
    pub(super) session: &'a mut Session,
    pub(super) talk: &'a mut Talk,
    /// Whether the chip is still to be reset at the end.
    reset: bool,
}

impl Work<'_> {
    fn act(&mut self, files: Files) -> Result<(), Error> {
        self.say_target()?;
        match (&self.arguments.action, files) {
            (Action::Read(_), Files::Out(output)) => self.read(output),
            (Action::Write(path), Files::In(firmware)) => {
                write::write(self, firmware, &files::name(path))
            }
            (Action::Crc, _) => self.crc(),
            (Action::Erase, _) => self.erase(),
            (Action::WriteUnprotect, _) => {
                self.protect("Write-unprotecting flash", Session::write_unprotect)
            }
            (Action::ReadProtect, _) => {
                self.protect("Read-Protecting flash", Session::readout_protect)
            }
            (Action::ReadUnprotect, _) => {
                self.protect("Read-UnProtecting flash", Session::readout_unprotect)
            }
            _ => Ok(()),
        }
    }

    /// Says what answered.
    fn say_target(&mut self) -> Result<(), Error> {
        let Info { link, part, .. } = &self.info;
        self.talk.line(&format!("Interface    : {link}"));
        if let Some(stm32) = &self.info.stm32 {
            let version = stm32.version.replace('.', "");
            self.talk.line(&format!("Version      : 0x{version}"));
            let id = stm32.product_id;
            self.talk
                .line(&format!("Device ID    : {id:#06x} ({part})"));
            if let Some(ram) = &stm32.free_ram {
                let (start, end) = (ram.start, ram.end);
                self.talk
                    .line(&format!("- free RAM   : {start:#010x}..{end:#010x}"));
            }
        }
        let flash = &self.info.flash;
        let size = match self.info.size_known {
            true => format!("{} KiB", (flash.end - flash.start) / 1024),
            false => "of unknown size".to_owned(),
        };
        let start = flash.start;
        self.talk
            .line(&format!("- Flash      : {size}, from {start:#010x}"));
        if self.info.read_protected {
            self.talk.line("- protected against reading");
        }
        Ok(())
    }

    fn read(&mut self, output: Output) -> Result<(), Error> {
        self.talk.line("Memory read");
        let range = self.range()?;
        if !self.info.size_known && matches!(self.arguments.place, Place::Unsaid) {
            return Err(usage(
                "the size of this flash is not known: -S ADDRESS:LENGTH",
            ));
        }
        self.talk.begin(range.start, "Read");
        let data = if self.in_flash(range.start) {
            self.session.read(range, self.talk)?
        } else {
            self.session.read_memory(range, self.talk)?
        };
        output.finish(&data, &talk::screen())?;
        self.talk.end("Done.");
        Ok(())
    }

    fn crc(&mut self) -> Result<(), Error> {
        self.talk.line("CRC computation");
        let range = self.range()?;
        if !range.start.is_multiple_of(4) || !range.end.is_multiple_of(4) {
            return Err(usage(
                "the CRC is over words: address and length are multiples of 4",
            ));
        }
        self.talk.begin(range.start, "CRC");
        let crc = self.session.crc(range.clone(), self.talk)?.crc;
        self.talk.end("Done.");
        let (start, end) = (range.start, range.end);
        self.talk
            .line(&format!("CRC({start:#010x}-{end:#010x}) = {crc:#010x}"));
        Ok(())
    }

    fn erase(&mut self) -> Result<(), Error> {
        if self.arguments.no_erase {
            return Err(usage("-o and -e 0: erase, or erase nothing?"));
        }
        self.talk.line("Erasing flash");
        let range = self.range()?;
        if !self.in_flash(range.start) {
            return Err(usage("-o: what is not flash cannot be erased"));
        }
        let whole = range == self.info.flash;
        let job = match self.arguments.place {
            Place::Pages {
                first,
                count: Some(count),
            } if !whole => self
                .session
                .plan_erase_pages(first.into(), count.into(), false)?,
            _ => self.session.plan_erase((!whole).then_some(range), false)?,
        };
        self.session.execute(&job, self.talk)?;
        self.talk.line("Done.");
        Ok(())
    }

    /// Changes a protection. The chip resets itself, so it is not reset at the end; where it then
    /// starts its program instead of the loader, that is nobody's fault.
    fn protect(
        &mut self,
        what: &str,
        change: fn(&mut Session, &mut dyn flashwire::Watcher) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.talk.line(what);
        self.reset = false;
        match change(self.session, self.talk) {
            Err(error) if matches!(error.problem(), Problem::NotBack { .. }) => {
                self.talk
                    .line("the chip has reset itself and left its loader");
            }
            changed => changed?,
        }
        self.talk.line("Done.");
        Ok(())
    }

    /// Starts the program, if that was asked for.
    fn start(&mut self) -> Result<(), Error> {
        let Some(address) = self.arguments.start else {
            return Ok(());
        };
        let address = match address {
            0 => self.info.flash.start,
            address => u64::from(address),
        };
        self.talk.put(&format!(
            "\nStarting execution at address {address:#010x}... "
        ));
        let started = self.session.run(Some(address));
        let word = if started.is_ok() { "done." } else { "failed." };
        self.talk.line(word);
        started?;
        self.reset = false;
        Ok(())
    }

    /// What is to be done at the end, whatever came before: the lines' way out, or else a reset.
    fn leave(&mut self) -> Result<(), Error> {
        if !self.reset {
            return match leaves_by_lines(self.arguments) {
                true => self.session.reset().map(drop),
                false => Ok(()),
            };
        }
        self.talk.line("\nResetting device...");
        let left = self.session.reset().map(drop);
        let word = if left.is_ok() { "done" } else { "failed" };
        self.talk.line(&format!("Reset {word}."));
        left
    }

    /// The addresses that the options name.
    pub(super) fn range(&self) -> Result<std::ops::Range<u64>, Error> {
        place::range(self.arguments, &self.info).map_err(|what| usage(&what))
    }

    pub(super) fn in_flash(&self, address: u64) -> bool {
        self.info.flash.contains(&address)
    }
}

/// What is asked for makes no sense on this chip.
pub(super) fn usage(what: &str) -> Error {
    Problem::Usage(what.to_owned()).into()
}
