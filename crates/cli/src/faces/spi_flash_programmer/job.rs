//! What is done: a command of the original as a session of flashwire.
//!
//! What the original prints for a person or a script to find goes to standard output in the same
//! words, progress and errors to standard error. Files are read before the port is opened, and a
//! file that is read into has its name only when it is complete.

use std::ops::Range;

use flashwire::images::{self, Firmware};
use flashwire::{
    CancelFlag, EraseChoice, Error, Exit, OpenOptions, PinOutput, PlanOptions, Port, Problem,
    Segment, Session, Speed, SpiOptions, WriteOptions, files, serial_ports,
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
                return Ok(Exit::Done);
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
            file,
            length,
            file_offset,
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
        Ok(content.to_vec())
    }

    fn is_about_pins(&self) -> bool {
        matches!(
            self.arguments.command,
            Command::SetCsIo | Command::SetOutput
        )
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
        options.spi = match (command, *io) {
            (Command::SetOutput, Some(pin)) => SpiOptions {
                outputs: vec![PinOutput { pin, level: *value }],
                ..SpiOptions::default()
            },
            (_, chip_select) => SpiOptions {
                chip_select,
                ..SpiOptions::default()
            },
        };
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
                let id = session.info().spi.map(|spi| spi.id).unwrap_or_default();
                if id.is_empty() {
                    let what =
                        "this programmer cannot ask for the id: its sketch is older than 2019";
                    return Err(Problem::Usage(what.to_owned()).into());
                }
                self.print(&registers::dump(&id))?;
                Ok(Exit::Done)
            }
            Command::Ports | Command::SetCsIo | Command::SetOutput => Ok(Exit::Done),
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
        let range = self.range(session);
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
        let range = self.range(session);
        if range.is_empty() {
            return self.done();
        }
        let everything = range == session.flash_range();
        let job = session.plan_erase((!everything).then_some(range), true)?;
        let erased = session.execute(&job, &mut self.view);
        if erased.is_err() {
            self.print("Aborting")?;
        }
        erased?;
        self.done()
    }

    /// The addresses that are read or erased.
    fn range(&self, session: &mut Session) -> Range<u64> {
        let start = self.arguments.flash_offset;
        let end = match self.arguments.length {
            Length::Bytes(bytes) => start.saturating_add(bytes),
            Length::All => session.flash_range().end.max(start),
        };
        start..end
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
