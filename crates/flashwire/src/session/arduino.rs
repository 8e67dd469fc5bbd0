//! Arduino boards behind their bootloader: opening them, and what may be written to them.

use flashwire_client::stk500::{self, Bootloader, Target, auto_reset};
use flashwire_link::Settings;
use flashwire_link::reset::{ResetSpec, Sequence};
use flashwire_plan::{FlashDevice, Image, ImageError};

use super::open::{DEFAULT_BAUD, open_place, wrapped};
use super::{Device, OpenOptions, Session, Speed, Started};
use crate::error::{Error, Problem};
use crate::families;
use crate::images::Firmware;
use crate::watch::Watcher;

/// What only the bootloader of an Arduino board tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArduinoInfo {
    /// Which bootloader it is: `optiboot 4.4`.
    pub loader: String,
    /// What the chip says it is.
    pub signature: [u8; 3],
}

impl Session {
    /// Opens a port behind which an Arduino board is, and resets it into its bootloader.
    pub(super) fn open_arduino(
        mut options: OpenOptions,
        watcher: &mut dyn Watcher,
    ) -> Result<Self, Error> {
        let port = options.port.to_string();
        let baud = match options.speed {
            Speed::Baud(baud) => baud,
            Speed::Max => {
                watcher.warn("no faster speed is looked for: these bootloaders have one each");
                DEFAULT_BAUD
            }
        };
        let (clock, bench) = open_place(&options.port.place, Settings::plain(baud))?;
        let link = wrapped(&clock, options.log.take(), &options.cancel);
        let talk = stk500::Options {
            // The speed where nobody says one: then each of the loaders is looked for at its own.
            baud: (baud != DEFAULT_BAUD).then_some(baud),
            reset: reset(options.reset.as_ref()),
            retries: options.retries,
        };
        let connected = Bootloader::connect(link, talk);
        let name = {
            let link = clock.borrow();
            format!("{} ({})", link.name(), link.settings())
        };
        for warning in clock.borrow_mut().take_warnings() {
            watcher.warn(&warning);
        }
        let loader = connected
            .map_err(|error| Error::from(Problem::from(error)).on(port.clone(), name.clone()))?;
        Ok(Self {
            port,
            link: name,
            clock,
            bench,
            device: Device::Arduino(Box::new(Target::new(loader))),
            way: None,
            parts: options.parts,
            protection: None,
            past_protection: false,
            cancel: options.cancel,
            told_of_fall_back: false,
        })
    }

    /// Has the bootloader start what is in the flash.
    pub(super) fn start_sketch(&mut self, address: Option<u64>) -> Result<Started, Error> {
        if address.is_some_and(|address| address != 0) {
            let what = "an Arduino starts at address 0 and nowhere else";
            return Err(Problem::Usage(what.to_owned()).into());
        }
        let left = match &mut self.device {
            Device::Arduino(board) => leave(board),
            _ => Ok(()),
        };
        left.map_err(|problem| self.on_port(problem))?;
        Ok(Started::Left)
    }
}

/// How the board is reset: as boards are wired, or as the user says.
fn reset(spec: Option<&ResetSpec>) -> Sequence {
    match spec {
        None | Some(ResetSpec::Auto) => auto_reset(),
        Some(spec) => {
            let way = spec.ways().into_iter().next();
            way.map(|way| way.enter).unwrap_or_default()
        }
    }
}

/// Starts the application, as the loader would by itself in a second.
pub(super) fn leave(board: &mut Target) -> Result<(), Problem> {
    Ok(board.loader_mut().leave()?)
}

/// The image in `firmware` that is for a board, with its addresses: a raw binary without one goes to
/// the start of the flash.
///
/// # Errors
/// It is for another processor, or reaches to where the bootloader may be.
pub(super) fn fitting(board: &Target, firmware: &Firmware) -> Result<Image, Error> {
    let part = board.loader().identity().part;
    let families = firmware.families();
    if !families.is_empty() {
        let families = families.iter().map(|&id| families::name(id));
        return Err(Problem::WrongFamily {
            families: families.collect::<Vec<_>>().join(", "),
            part: part.name.to_owned(),
        }
        .into());
    }
    let Some(image) = firmware.image_for(|_| true)? else {
        return Err(Problem::Image(ImageError::Empty).into());
    };
    if let Some(machine) = image.machine().filter(|&id| id != families::ELF_AVR) {
        let machine = families::machine_name(machine);
        return Err(Problem::WrongMachine { machine }.into());
    }
    let flash = board.geometry().range.clone();
    let image = image.place(flash.start)?;
    let end = image.range().end;
    if end > flash.end {
        let flash_end = flash.end;
        return Err(Problem::BootSection { end, flash_end }.into());
    }
    Ok(image)
}
