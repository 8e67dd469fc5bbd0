//! What is done: the options of the original, in its order, as a session of flashwire.
//!
//! Files are read before the board is touched. However a job ends, the board is reset into its
//! application at the end, by the lines, as the original does it.

use std::ops::Range;

use flashwire::images::{self, Firmware, LoadOptions};
use flashwire::{
    CancelFlag, EraseChoice, Error, Exit, Format, Image, Info, Mismatch, OpenOptions, Parity,
    PlanOptions, Port, Problem, Segment, Session, Speed, WriteOptions,
};

use super::arguments::{Arguments, Verbosity};
use crate::args::{ProgressKind, ScreenArgs};
use crate::commands::files::{self, Output};
use crate::progress::ProgressView;
use crate::screen::Screen;
use crate::signals;

/// The original's exit code for everything that goes wrong.
const FAILED: u8 = 1;

/// Where the flash of an STM32 begins: the original's default address.
const FLASH_START: u64 = 0x0800_0000;

/// What Ctrl-C is answered with.
const STOPPING: &str = "stopping after the command under way; Ctrl-C again ends at once";

/// Does what the arguments ask for; returns the exit code.
pub(super) fn run(arguments: &Arguments) -> u8 {
    let screen = Screen {
        args: ScreenArgs {
            json: false,
            progress: match arguments.no_progress || arguments.talk == Verbosity::Quiet {
                true => ProgressKind::None,
                false => ProgressKind::Auto,
            },
            quiet: arguments.talk == Verbosity::Quiet,
            verbose: arguments.talk == Verbosity::Verbose,
        },
    };
    let cancel = CancelFlag::new();
    let mut job = Job {
        arguments,
        view: ProgressView::new(&screen, false),
        screen,
        cancel,
    };
    match job.run() {
        Ok(()) => 0,
        Err(error) => {
            job.screen.error(&error);
            if let Some(advice) = advice(&error) {
                job.screen.always(&format!("  here:   {advice}"));
            }
            match error.exit() {
                Exit::Cancelled => Exit::Cancelled as u8,
                _ => FAILED,
            }
        }
    }
}

/// What to try with the options of this face, where those that errors name are flashwire's.
fn advice(error: &Error) -> Option<&'static str> {
    Some(match error.hint().code {
        "format-disagrees" => "rename the file, or `flashwire write --format`",
        "needs-erase" => "-e erases everything first; `flashwire write` only what it needs",
        "write-protected" => {
            "`flashwire stm32 write-unprotect` first; --unprotect is about reading"
        }
        "stm32-no-answer" | "stm32-babble" => "-s, -R and -B say how DTR and RTS are wired",
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

/// The files of a job.
struct Files {
    /// What is written or compared.
    firmware: Option<Firmware>,
    /// Where goes what is read.
    output: Option<Output>,
}

impl Job<'_> {
    fn run(&mut self) -> Result<(), Error> {
        let files = self.open_files()?;
        signals::raise_on_signals(&self.cancel, &self.screen, STOPPING);
        let options = self.open_options()?;
        self.screen.data(b"Activating bootloader (select UART)\n")?;
        let mut session = Session::open(options, &mut self.view).inspect_err(|error| {
            if error.exit() == Exit::Silent {
                self.screen.always(
                    "Can't init into bootloader. Ensure that BOOT0 is enabled and reset the device.",
                );
            }
        })?;
        let done = self.act(&mut session, files);
        // A board without such lines stays as it is.
        let _ = session.reset();
        let closed = session.close();
        done.and(closed)
    }

    fn open_files(&self) -> Result<Files, Error> {
        let Arguments {
            file,
            write,
            verify,
            read,
            ..
        } = self.arguments;
        let firmware = match *write || *verify {
            true => Some(self.load()?),
            false => None,
        };
        // The original does not read where it has written.
        let output = match *read && !*write {
            true => Some(Output::create(file, false, &self.screen)?),
            false => None,
        };
        Ok(Files { firmware, output })
    }

    /// Reads the file. A raw binary goes to the address; a file that counts its own from zero is
    /// moved there, as the original wants its Intel HEX files; any other says itself where it goes.
    fn load(&self) -> Result<Firmware, Error> {
        let path = &self.arguments.file;
        let address = self.address()?;
        let firmware = files::load(path, LoadOptions::default())?;
        let Firmware::One(image) = &firmware else {
            return Ok(firmware);
        };
        if image.format() == Format::Binary {
            return Ok(firmware.place(address)?);
        }
        let start = image.range().start;
        if start < FLASH_START && image.machine().is_none() {
            return moved(image, address).map(Firmware::One);
        }
        match self.arguments.address {
            // Says why not: the file has an address of its own.
            Some(_) if address != start => files::load(
                path,
                LoadOptions {
                    address: Some(address),
                    ..LoadOptions::default()
                },
            ),
            _ => Ok(firmware),
        }
    }

    fn address(&self) -> Result<u64, Error> {
        self.arguments
            .address
            .map_or(Ok(FLASH_START), |address| narrow("--address", address))
    }

    fn length(&self) -> Result<Option<u64>, Error> {
        let length = self.arguments.length;
        length.map(|length| narrow("--length", length)).transpose()
    }

    /// How to reach the chip: by the lines, always, as the original does.
    fn open_options(&self) -> Result<OpenOptions, Error> {
        let arguments = self.arguments;
        let port: Port = arguments.port.parse().map_err(Problem::from)?;
        let mut options = OpenOptions::new(port);
        let baud = u32::try_from(arguments.baud).ok().filter(|&baud| baud > 0);
        let what = || Problem::Usage(format!("--baud {}: no such speed", arguments.baud));
        options.speed = Speed::Baud(baud.ok_or_else(what)?);
        options.parity = Some(match arguments.parity {
            true => Parity::Even,
            false => Parity::None,
        });
        let wiring = wiring(arguments).parse().map_err(Problem::from)?;
        options.reset = Some(wiring);
        options.cancel = self.cancel.clone();
        Ok(options)
    }

    /// The operations, in the original's order.
    fn act(&mut self, session: &mut Session, files: Files) -> Result<(), Error> {
        self.say_target(&session.info());
        if self.arguments.unprotect {
            session.readout_unprotect(&mut self.view)?;
        }
        if self.arguments.protect {
            session.readout_protect(&mut self.view)?;
        }
        self.change(session, files.firmware.as_ref())?;
        if let Some(output) = files.output {
            self.read(session, output)?;
        }
        if let Some(address) = self.arguments.go {
            let address = narrow("--go-address", address)?;
            session.run(Some(address))?;
        }
        Ok(())
    }

    /// Erases, writes and verifies. What is erased and written in one run is one plan, so that
    /// nothing is erased for a file that does not fit.
    fn change(&mut self, session: &mut Session, firmware: Option<&Firmware>) -> Result<(), Error> {
        let Arguments {
            erase,
            write,
            verify,
            ..
        } = *self.arguments;
        let length = self.length()?;
        let name = files::name(&self.arguments.file);
        let flash = session.flash_range();
        let in_flash = match firmware {
            Some(Firmware::One(image)) => flash.contains(&image.range().start),
            _ => true,
        };
        let together = erase && write && length.is_none() && in_flash;
        if erase && !together {
            let range = match length {
                Some(length) => Some(self.erased_range(&flash, length)?),
                None => None,
            };
            let job = session.plan_erase(range, false);
            let job = job.map_err(|error| self.erase_failed(error))?;
            session.execute(&job, &mut self.view)?;
        }
        let Some(firmware) = firmware else {
            return Ok(());
        };
        if !in_flash {
            return self.change_memory(session, firmware);
        }
        if write {
            let options = WriteOptions {
                plan: PlanOptions {
                    erase: match together {
                        true => EraseChoice::All,
                        false => EraseChoice::None,
                    },
                    only_changed: false,
                    keep_outside: false,
                    verify,
                },
                // What was not erased is found by the verification; without one, by looking first.
                assume_erased: true,
                ..WriteOptions::default()
            };
            let job = session.plan_write(firmware, &name, &options, &mut self.view);
            let job = job.map_err(|error| self.erase_failed(error))?;
            session.execute(&job, &mut self.view)?;
        } else {
            let job = session.plan_verify(firmware, &name)?;
            session.execute(&job, &mut self.view)?;
        }
        if verify {
            self.screen.always("Verification OK");
        }
        Ok(())
    }

    /// The hint of the original, where it gives it.
    fn erase_failed(&self, error: Error) -> Error {
        if self.arguments.erase && matches!(error.problem(), Problem::ReadProtected { .. }) {
            self.screen.always(
                "Erase failed -- probably due to readout protection.\n\
                 Consider using the --unprotect option.",
            );
        }
        error
    }

    /// Addresses to erase. The original counts pages from address 0, so that people give addresses
    /// below the flash for its beginning.
    fn erased_range(&self, flash: &Range<u64>, length: u64) -> Result<Range<u64>, Error> {
        let address = self.address()?;
        let start = match address < flash.start {
            true => flash.start + address,
            false => address,
        };
        Ok(start..start.saturating_add(length))
    }

    /// Writes and compares what is not flash: RAM, option bytes.
    fn change_memory(&mut self, session: &mut Session, firmware: &Firmware) -> Result<(), Error> {
        let image = firmware.image_for(|_| true)?;
        let segments = image.iter().flat_map(Image::segments);
        for Segment { address, data } in segments {
            let range = *address..address + data.len() as u64;
            if self.arguments.write {
                let mut padded = data.clone();
                padded.resize(data.len().next_multiple_of(4), 0xFF);
                session.write_memory(*address, &padded, &mut self.view)?;
            }
            if self.arguments.verify {
                let found = session.read_memory(range, &mut self.view)?;
                if let Some(mismatch) = mismatch(*address, data, &found) {
                    let written = self.arguments.write;
                    return Err(Problem::Mismatch { mismatch, written }.into());
                }
            }
        }
        if self.arguments.verify {
            self.screen.always("Verification OK");
        }
        Ok(())
    }

    fn read(&mut self, session: &mut Session, output: Output) -> Result<(), Error> {
        let start = self.address()?;
        let length = self.length()?.unwrap_or(0);
        let range = start..start.saturating_add(length);
        let content = if range.is_empty() {
            Vec::new()
        } else if session.flash_range().contains(&start) {
            session.read(range, &mut self.view)?
        } else {
            session.read_memory(range, &mut self.view)?
        };
        output.finish(&content, &self.screen)
    }

    /// Says what answered, in the original's words: scripts look for them.
    fn say_target(&self, info: &Info) {
        let Some(stm32) = &info.stm32 else {
            return;
        };
        let version = stm32.version.replace('.', "");
        self.screen
            .always(&format!("Bootloader version: 0x{version}"));
        let id = stm32.product_id;
        self.screen
            .always(&format!("Chip id: 0x{id:X} ({})", info.part));
        if let Some(id) = info.unique_id.as_deref().and_then(original_id) {
            self.screen.always(&format!("Device UID: {id}"));
        }
        if info.size_known {
            let kib = (info.flash.end - info.flash.start) / 1024;
            self.screen.always(&format!("Flash size: {kib} KiB"));
        }
        match self
            .arguments
            .family
            .as_deref()
            .filter(|name| !name.is_empty())
        {
            Some(family) if family != stm32.family && family != "NRG" => {
                let chip = &stm32.family;
                let what = format!("--family {family}: this is an STM32{chip}, and done as one");
                self.screen.warn(&what);
            }
            _ => {}
        }
    }
}

/// An image whose addresses count from zero, with its zero at `address`.
fn moved(image: &Image, address: u64) -> Result<Image, Error> {
    let segments = image.segments().iter().map(|segment| Segment {
        address: address.saturating_add(segment.address),
        data: segment.data.clone(),
    });
    images::of(segments.collect())
}

/// Where two contents differ, if they do.
fn mismatch(start: u64, expected: &[u8], found: &[u8]) -> Option<Mismatch> {
    let differ = || {
        expected
            .iter()
            .zip(found)
            .enumerate()
            .filter(|(_, (a, b))| a != b)
    };
    let (offset, (&expected, &found)) = differ().next()?;
    Some(Mismatch {
        address: start + offset as u64,
        expected,
        found,
        count: differ().count() as u64,
    })
}

/// A number that an address or a length can be.
fn narrow(option: &str, number: i128) -> Result<u64, Error> {
    let number_32 = u32::try_from(number).map(u64::from);
    number_32.map_err(|_| Problem::Usage(format!("{option} {number}: 0 to 0xffffffff")).into())
}

/// The unique id as the original shows it, with its first word in two halves, the lower one first.
fn original_id(id: &str) -> Option<String> {
    let words: Vec<&str> = id.split('-').collect();
    let [first, second, third] = words[..] else {
        return None;
    };
    let (high, low) = first.split_at_checked(4)?;
    Some(format!("{low}-{high}-{second}-{third}"))
}

/// How the original says that the lines are wired, in flashwire's language. Its DTR and RTS reach
/// the pins without an inverter: `reset active high` is one.
fn wiring(arguments: &Arguments) -> String {
    let (reset, boot0) = match arguments.swap {
        false => ("dtr", "rts"),
        true => ("rts", "dtr"),
    };
    let invert = |on: bool| if on { "!" } else { "" };
    format!(
        "{reset}={}nrst,{boot0}={}boot0",
        invert(arguments.reset_active_high),
        invert(arguments.boot0_active_low)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_wired_as_the_options_say() {
        let wired = |swap, reset_active_high, boot0_active_low| {
            wiring(&Arguments {
                swap,
                reset_active_high,
                boot0_active_low,
                ..Arguments::default()
            })
        };
        assert_eq!(wired(false, false, false), "dtr=nrst,rts=boot0");
        assert_eq!(wired(true, false, false), "rts=nrst,dtr=boot0");
        assert_eq!(wired(false, true, false), "dtr=!nrst,rts=boot0");
        assert_eq!(wired(true, true, true), "rts=!nrst,dtr=!boot0");
    }

    #[test]
    fn the_unique_id_is_in_the_order_of_the_original() {
        let id = original_id("03020100-07060504-0B0A0908");
        assert_eq!(id.as_deref(), Some("0100-0302-07060504-0B0A0908"));
        assert_eq!(original_id("12"), None);
    }
}
