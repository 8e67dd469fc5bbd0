//! What is done: a command of the original as a session of flashwire.
//!
//! What the original prints for a person or a script to find goes to standard output in the same
//! words, progress and errors to standard error. Files are read before the port is opened, and a
//! file that is read into has its name only when it is complete.

use std::ops::Range;

use flashwire::images::{self, Firmware};
use flashwire::{
    CancelFlag, EraseChoice, Error, Exit, OpenOptions, PinOutput, PlanOptions, Port, Problem,
    Segment, Session, Speed, WriteOptions, files, serial_ports,
};

use super::arguments::{Arguments, Command, Length, PAGE_BYTES, SECTOR_BYTES};
use super::registers;
use crate::args::{ProgressKind, ScreenArgs};
use crate::commands::files::Output;
use crate::progress::ProgressView;
use crate::screen::Screen;
use crate::signals;

/// What Ctrl-C is answered with.
const STOPPING: &str = "stopping after the command under way; Ctrl-C again ends at once";

/// How much of an id is shown: maker and two bytes, as the sketch asks for them.
const ID_BYTES: usize = 3;

/// Does what the arguments ask for.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let screen = Screen {
        args: ScreenArgs {
            json: false,
            progress: ProgressKind::Auto,
            quiet: false,
            verbose: arguments.is_verbose,
        },
    };
    let mut job = Job {
        arguments,
        view: ProgressView::new(&screen, false),
        screen,
        cancel: CancelFlag::new(),
    };
    match job.run() {
        Ok(exit) => exit,
        Err(error) => {
            job.screen.error(&error);
            if let Some(advice) = advice(&error) {
                job.screen.always(&format!("  here:   {advice}"));
            }
            error.exit()
        }
    }
}

/// What to try with the options of this face, where those that errors name are flashwire's.
fn advice(error: &Error) -> Option<&'static str> {
    Some(match error.hint().code {
        "chip-protected" => "disable-protection lifts it",
        "out-of-range" => "-l -1 ends at the end of the chip",
        _ => return None,
    })
}

/// A run, and where it is seen.
struct Job<'a> {
    arguments: &'a Arguments,
    screen: Screen,
    view: ProgressView,
    cancel: CancelFlag,
}

impl Job<'_> {
    fn run(&mut self) -> Result<Exit, Error> {
        let arguments = self.arguments;
        if arguments.command == Command::Ports {
            return self.ports();
        }
        let content = match arguments.command {
            Command::Write | Command::Verify => Some(self.load()?),
            _ => None,
        };
        let output = match arguments.command {
            Command::Read => Some(Output::create(&arguments.file, false, &self.screen)?),
            _ => None,
        };
        signals::raise_on_signals(&self.cancel, &self.screen, STOPPING);
        let mut session = match Session::open(self.open_options()?, &mut self.view) {
            Ok(session) => session,
            // It is the programmer that has pins, and it has done what it was told.
            Err(error) if self.is_about_pins() && is_about_the_chip(&error) => {
                self.screen.detail(&error.to_string());
                return Ok(self.pins_are_set());
            }
            Err(error) => return Err(error),
        };
        self.say_programmer(&mut session)?;
        let done = self.act(&mut session, content, output);
        let closed = session.close();
        let exit = done?;
        closed?;
        Ok(exit)
    }

    /// Prints a line.
    fn print(&self, line: &str) -> Result<(), Error> {
        self.screen.data(format!("{line}\n").as_bytes())
    }

    fn done(&self) -> Result<Exit, Error> {
        self.print("Done")?;
        Ok(Exit::Done)
    }

    fn ports(&self) -> Result<Exit, Error> {
        self.print("Available COM ports:")?;
        for (number, port) in (1..).zip(serial_ports()?) {
            self.print(&format!("{number}: {}", port.name))?;
        }
        self.done()
    }

    /// What of the file is to be written or compared, byte for byte whatever it looks like, with
    /// what it is padded with.
    fn load(&self) -> Result<Vec<u8>, Error> {
        let Arguments {
            command,
            file,
            length,
            file_offset,
            pad,
            ..
        } = self.arguments;
        let name = file.display().to_string();
        let too_short = |bytes| {
            let problem = Problem::Usage(format!(
                "File is not large enough to read {bytes} bytes from {file_offset} on"
            ));
            Error::from(problem).about(name.clone())
        };
        let content = files::read(file)?;
        let offset = usize::try_from(*file_offset).unwrap_or(usize::MAX);
        let content = content.get(offset..);
        let content = match *length {
            Length::All => content.ok_or_else(|| too_short(0))?,
            Length::Bytes(bytes) => usize::try_from(bytes)
                .ok()
                .and_then(|bytes| content?.get(..bytes))
                .ok_or_else(|| too_short(bytes))?,
        };
        let is_whole = (content.len() as u64).is_multiple_of(SECTOR_BYTES);
        if *command == Command::Write && pad.is_none() && !is_whole {
            let what = format!(
                "file size must be a multiple of the sector size {SECTOR_BYTES}, use --pad"
            );
            return Err(Error::from(Problem::Usage(what)).about(name));
        }
        Ok(content.to_vec())
    }

    fn is_about_pins(&self) -> bool {
        matches!(
            self.arguments.command,
            Command::SetCsIo | Command::SetOutput
        )
    }

    /// The original says nothing here; but it does not last, and people wonder.
    fn pins_are_set(&self) -> Exit {
        self.screen.say(
            "most boards are reset when their port is opened, and forget their pins: with any other \
             command, --io is its chip select",
        );
        Exit::Done
    }

    /// How to reach the chip: by nfd's protocol where the port does not say otherwise.
    fn open_options(&self) -> Result<OpenOptions, Error> {
        let Arguments {
            command,
            device,
            baud,
            io,
            value,
            ..
        } = self.arguments;
        let mut port: Port = device.parse().map_err(Problem::from)?;
        port.method.get_or_insert(flashwire::port::Method::Nfd);
        let mut options = OpenOptions::new(port);
        options.speed = Speed::Baud(*baud);
        // As the original: every chip has sectors of 4 KiB.
        options.spi.assumed = true;
        match (command, *io) {
            (Command::SetOutput, Some(pin)) => {
                options.spi.outputs = vec![PinOutput { pin, level: *value }];
            }
            (_, Some(pin)) => options.spi.chip_select = Some(pin),
            (_, None) => {}
        }
        options.cancel = self.cancel.clone();
        Ok(options)
    }

    /// Says what answered, in the original's words.
    fn say_programmer(&self, session: &mut Session) -> Result<(), Error> {
        let info = session.info();
        let programmer = info.spi.as_ref().and_then(|spi| spi.programmer.as_deref());
        self.print(&format!("Connected to '{}'", programmer.unwrap_or("")))?;
        self.screen.detail(&format!("the chip is {}", info.part));
        Ok(())
    }

    fn act(
        &mut self,
        session: &mut Session,
        content: Option<Vec<u8>>,
        output: Option<Output>,
    ) -> Result<Exit, Error> {
        let content = content.unwrap_or_default();
        match self.arguments.command {
            Command::Write => self.write(session, content),
            Command::Verify => self.verify(session, &content),
            Command::Read => self.read(session, output),
            Command::Erase => self.erase(session),
            Command::EnableProtection => {
                session.spi_protect()?;
                self.done()
            }
            Command::DisableProtection => {
                session.spi_unprotect()?;
                self.done()
            }
            Command::CheckProtection => {
                let status = session.spi_status()?;
                self.print(registers::configuration(&status))?;
                self.print(registers::content(&status))?;
                self.done()
            }
            Command::StatusRegister => {
                let status = session.spi_status()?;
                self.print(&registers::dump(&registers::bytes(&status)))?;
                Ok(Exit::Done)
            }
            Command::IdRegister => {
                let id = session.spi_id()?;
                let id = &id[..id.len().min(ID_BYTES)];
                self.print(&registers::dump(id))?;
                Ok(Exit::Done)
            }
            // They are set at the opening of the port.
            Command::SetCsIo | Command::SetOutput => Ok(self.pins_are_set()),
            Command::Ports => Ok(Exit::Done),
        }
    }

    /// Erases the sectors of the file, writes them and compares them, as one plan.
    fn write(&mut self, session: &mut Session, content: Vec<u8>) -> Result<Exit, Error> {
        let (address, content) = padded(self.arguments, content);
        if content.is_empty() {
            return self.done();
        }
        let image = images::of(vec![Segment {
            address,
            data: content,
        }])?;
        let options = WriteOptions {
            plan: PlanOptions {
                erase: EraseChoice::Touched,
                only_changed: true,
                keep_outside: true,
                verify: true,
            },
            ..WriteOptions::default()
        };
        let name = self.arguments.file.display().to_string();
        let firmware = Firmware::One(image);
        let job = session.plan_write(&firmware, &name, &options, &mut self.view)?;
        let written = session.execute(&job, &mut self.view);
        if written.is_err() {
            self.print("Aborting")?;
        }
        written?;
        self.done()
    }

    fn read(&mut self, session: &mut Session, output: Option<Output>) -> Result<Exit, Error> {
        let range = self.range(session)?;
        let content = match range.is_empty() {
            true => Vec::new(),
            false => session.read(range, &mut self.view)?,
        };
        if let Some(output) = output {
            output.finish(&content, &self.screen)?;
        }
        self.done()
    }

    /// Compares page by page, and says of each how it is.
    fn verify(&mut self, session: &mut Session, content: &[u8]) -> Result<Exit, Error> {
        let address = self.arguments.flash_offset;
        let page_bytes = PAGE_BYTES as usize;
        let invalid = match content.is_empty() {
            true => Vec::new(),
            false => session.differing_blocks(address, content, page_bytes, &mut self.view)?,
        };
        let mut lines = String::new();
        for page in content
            .chunks(page_bytes)
            .zip((address..).step_by(page_bytes))
        {
            let (_, address) = page;
            let how = match invalid.binary_search(&address) {
                Ok(_) => "invalid",
                Err(_) => "OK",
            };
            lines.push_str(&format!("Page {:#010x} {how}\n", address / PAGE_BYTES));
        }
        self.screen.data(lines.as_bytes())?;
        if invalid.is_empty() {
            return self.done();
        }
        let pages = content.len().div_ceil(page_bytes);
        let what = format!(
            "{} of {pages} pages are not what the file holds",
            invalid.len()
        );
        self.screen.always(&what);
        Ok(Exit::Mismatch)
    }

    /// Erases whole sectors, and looks whether they are.
    fn erase(&mut self, session: &mut Session) -> Result<Exit, Error> {
        let range = self.range(session)?;
        if range.is_empty() {
            return self.done();
        }
        let everything = session.info().size_known && range == session.flash_range();
        let job = session.plan_erase((!everything).then_some(range), true)?;
        let erased = session.execute(&job, &mut self.view);
        if erased.is_err() {
            self.print("Aborting")?;
        }
        erased?;
        self.done()
    }

    /// The addresses that are read or erased.
    fn range(&self, session: &mut Session) -> Result<Range<u64>, Error> {
        let start = self.arguments.flash_offset;
        let end = match self.arguments.length {
            Length::Bytes(bytes) => start.saturating_add(bytes),
            Length::All if session.info().size_known => session.flash_range().end.max(start),
            Length::All => {
                let what = "-l -1: it is not known what the chip is, and so how large";
                return Err(Problem::Usage(what.to_owned()).into());
            }
        };
        Ok(start..end)
    }
}

/// Where the content begins, and the content with what fills its sectors up.
fn padded(arguments: &Arguments, content: Vec<u8>) -> (u64, Vec<u8>) {
    let address = arguments.flash_offset;
    let Some(pad) = arguments.pad.filter(|_| !content.is_empty()) else {
        return (address, content);
    };
    let before = address % SECTOR_BYTES;
    let mut sectors = vec![pad; before as usize];
    sectors.extend(content);
    sectors.resize(sectors.len().next_multiple_of(SECTOR_BYTES as usize), pad);
    (address - before, sectors)
}

/// Whether an error is about the chip, so that the programmer has answered.
fn is_about_the_chip(error: &Error) -> bool {
    matches!(error.problem(), Problem::Chip(_))
}
