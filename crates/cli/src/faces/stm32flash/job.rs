//! What is done: the options of the original, as a session of flashwire.

use std::ops::Range;
use std::path::Path;

use flashwire::images::{Firmware, LoadOptions};
use flashwire::{
    CancelFlag, EraseChoice, Error, Format, Info, OpenOptions, PlanOptions, Port, Problem,
    ResetSpec, Session, Speed, Started, WriteOptions,
};

use super::arguments::{Action, Arguments, Place};
use super::talk::{self, Talk};
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
    let files = Files::open(arguments)?;
    let mut session = Session::open(open_options(arguments)?, talk)?;
    let info = session.info();
    talk.target(&info);
    let mut work = Work {
        arguments,
        info,
        talk,
    };
    let done = work
        .act(&mut session, files)
        .and_then(|()| work.start(&mut session));
    let closed = session.close();
    done.and(closed)
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
        address: None,
    };
    files::load(path, options)
}

/// How to reach the chip.
fn open_options(arguments: &Arguments) -> Result<OpenOptions, Error> {
    let port: Port = arguments.port.parse().map_err(Problem::from)?;
    let mut options = OpenOptions::new(port);
    options.speed = Speed::Baud(arguments.baud);
    // Lines that nobody named are not touched.
    options.reset = Some(arguments.lines.clone().unwrap_or(ResetSpec::None));
    let cancel = CancelFlag::new();
    signals::raise_on_signals(&cancel, &talk::screen(), STOPPING);
    options.cancel = cancel;
    Ok(options)
}

/// One run on an opened session.
struct Work<'a> {
    arguments: &'a Arguments,
    info: Info,
    talk: &'a mut Talk,
}

impl Work<'_> {
    fn act(&mut self, session: &mut Session, files: Files) -> Result<(), Error> {
        match (&self.arguments.action, files) {
            (Action::Read(_), Files::Out(output)) => self.read(session, output),
            (Action::Write(path), Files::In(firmware)) => self.write(session, firmware, path),
            (Action::Erase, _) => self.erase(session),
            _ => Ok(()),
        }
    }

    /// The addresses that the options name.
    fn range(&self) -> Range<u64> {
        let flash = self.info.flash.clone();
        match self.arguments.place {
            Place::Addresses { start, length } => {
                let start = u64::from(start);
                let end = length.map_or(flash.end, |length| start + u64::from(length));
                start..end.min(flash.end)
            }
            _ => flash,
        }
    }

    fn read(&mut self, session: &mut Session, output: Output) -> Result<(), Error> {
        self.talk.line("Memory read");
        let range = self.range();
        self.talk.start = range.start;
        let data = session.read(range, self.talk)?;
        output.finish(&data, &talk::screen())?;
        self.talk.end_progress("Done.");
        Ok(())
    }

    fn write(
        &mut self,
        session: &mut Session,
        firmware: Firmware,
        path: &Path,
    ) -> Result<(), Error> {
        self.talk.line("Write to memory");
        let options = WriteOptions {
            plan: PlanOptions {
                erase: EraseChoice::Touched,
                only_changed: false,
                keep_outside: false,
                verify: self.arguments.verify,
            },
            ..WriteOptions::default()
        };
        let firmware = firmware.place(self.range().start)?;
        self.talk.start = self.range().start;
        let job = session.plan_write(&firmware, &files::name(path), &options, self.talk)?;
        session.execute(&job, self.talk)?;
        self.talk.end_progress("Done.");
        Ok(())
    }

    fn erase(&mut self, session: &mut Session) -> Result<(), Error> {
        self.talk.line("Erasing flash");
        let range = self.range();
        let whole = range == self.info.flash;
        let job = session.plan_erase((!whole).then_some(range), false)?;
        session.execute(&job, self.talk)?;
        Ok(())
    }

    /// Starts the program, if that was asked for.
    fn start(&mut self, session: &mut Session) -> Result<(), Error> {
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
        let started = session.run(Some(address));
        let word = if started.is_ok() { "done." } else { "failed." };
        self.talk.line(word);
        match started? {
            Started::Reset | Started::Jumped(_) => Ok(()),
        }
    }
}
