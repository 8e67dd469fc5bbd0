//! SPI NOR chips behind a serprog programmer: opening them, what they say of themselves, and the
//! protection in their status registers.

use std::cell::RefCell;
use std::rc::Rc;

use flashwire_client::serprog;
use flashwire_client::spinor::{
    self, Addressing, Chip, Definition, Parts, Programming, SavedStatus, Voltage,
};
use flashwire_link::{Link, Settings};
use flashwire_plan::{EraseKind, FlashDevice};

use super::nfd::PinOutput;
use super::open::{DEFAULT_BAUD, open_place, wrapped};
use super::{Device, OpenOptions, Protection, Session, Speed};
use crate::error::{Error, Problem};
use crate::port::Method;
use crate::watch::Watcher;

/// How to reach a chip behind a SPI programmer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpiOptions {
    /// The part that it is, where several answer alike; also the word of somebody who knows the
    /// supply voltage to be right.
    pub chip: Option<String>,
    /// SPI clock, in Hz: the programmer takes the highest that is not above it. `None` leaves it
    /// as it is.
    pub spi_hz: Option<u32>,
    /// Chip select line; an Arduino's pin behind nfd's sketch. `None` leaves it as it is.
    pub chip_select: Option<u8>,
    /// Whether a chip that nobody knows is taken for one with sectors of 4 KiB and pages of 256 bytes,
    /// behind nfd's sketch; else it can only be read. Other programmers ask the chip.
    pub assumed: bool,
    /// Pins of an Arduino with nfd's sketch that are made outputs. Other programmers have none.
    pub outputs: Vec<PinOutput>,
    /// Everything that is read is read so often, and believed only if it is the same each time; 0
    /// and 1 are once.
    pub repeat_read: u32,
}

/// What only SPI NOR chips and their programmers tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpiInfo {
    /// How the programmer is talked to.
    pub method: Method,
    /// What the programmer calls itself.
    pub programmer: Option<String>,
    /// The SPI clock, in Hz, if it is known.
    pub spi_hz: Option<u32>,
    /// Whether the programmer takes commands ahead of their answers.
    pub ahead: bool,
    /// Whether the programmer has this project's extensions.
    pub extensions: bool,
    /// What the chip answers to RDID, each byte once: most chips begin again after the third. Empty
    /// if it does not know the instruction.
    pub id: Vec<u8>,
    /// The parts that it can be, by vendor and model.
    pub names: Vec<String>,
    /// Whether its figures are its own (SFDP), and not only a table's.
    pub has_sfdp: bool,
    /// Least and most supply voltage, in mV, if a table knows it.
    pub voltage_mv: Option<(u32, u32)>,
    /// Most bytes that one program instruction takes; 1 where there are no pages.
    pub page_bytes: u64,
    /// The ways to erase: what each is called, the size of its unit in bytes (0 where units differ)
    /// and the typical time of one, in milliseconds.
    pub erases: Vec<(String, u64, u64)>,
    /// How the chip is told addresses, in words.
    pub addressing: &'static str,
    /// The tables by which the chip describes itself (SFDP, JESD216), as far as they were read.
    pub sfdp: Vec<u8>,
}

/// The status registers of a chip, as far as they are about protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpiStatus {
    /// Status register 1, without the bits that say what the chip is doing.
    pub sr1: u8,
    /// Status register 2, of chips that are known to have one.
    pub sr2: Option<u8>,
    /// What the chip answers to 15h, where the programmer asks that by itself: status register 3 of
    /// chips that have one.
    pub sr3: Option<u8>,
    /// Whether part of the chip, or all of it, is protected.
    pub is_protected: bool,
}

/// A row of the table of SPI NOR chips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpiPart {
    /// Who makes it.
    pub vendor: String,
    /// What it is called; several that differ in nothing are joined by `/`. `--chip` takes it.
    pub model: String,
    /// Its size, in bytes.
    pub size_bytes: u64,
    /// Most bytes that one program instruction takes; 1 where there are no pages.
    pub page_bytes: u64,
    /// Sizes of its erase units, in bytes, the smallest first, the whole chip left out.
    pub erase_bytes: Vec<u64>,
    /// Least and most supply voltage, in mV.
    pub voltage_mv: (u32, u32),
}

/// The table of SPI NOR chips: for parts that do not describe themselves, and for names.
pub fn spi_parts() -> Vec<SpiPart> {
    let table = Parts::built_in();
    let row = |part: &spinor::Part| {
        let units = part.erases.iter().filter(|erase| !erase.is_chip);
        let mut erase_bytes: Vec<u64> = units
            .flat_map(|erase| erase.runs.iter().map(|(_, unit_bytes, _)| *unit_bytes))
            .collect();
        erase_bytes.sort_unstable();
        erase_bytes.dedup();
        SpiPart {
            vendor: part.vendor.clone(),
            model: part.model.clone(),
            size_bytes: part.size_bytes,
            page_bytes: match part.programming {
                Programming::Pages { bytes } => bytes as u64,
                Programming::Bytes | Programming::Words => 1,
            },
            erase_bytes,
            voltage_mv: (part.voltage.min_mv, part.voltage.max_mv),
        }
    };
    table.iter().map(row).collect()
}

/// A chip behind a programmer, and what was said and done about it.
pub(super) struct Spi {
    pub(super) chip: Chip,
    programmer: serprog::Identity,
    /// Whether the user named the part.
    is_named: bool,
    pub(super) repeat_read: u32,
    /// Status registers to be put back at the end.
    saved: Option<SavedStatus>,
}

/// Below this supply a chip suffers from the 3.3 V of ordinary programmers, in mV: 3.3 V less ten
/// percent.
const PROGRAMMER_LEAST_MV: u32 = 2970;

impl Spi {
    fn definition(&self) -> &Definition {
        self.chip.definition()
    }

    /// What the chip is called, in a few words.
    pub(super) fn part(&self) -> String {
        part_name(&self.definition().names, self.id())
    }

    pub(super) fn file_name(&self) -> String {
        file_name(&self.definition().names, self.id())
    }

    fn id(&self) -> &[u8] {
        id_of(&self.chip.identity().answers.rdid)
    }

    fn low_voltage(&self) -> Option<Voltage> {
        low_voltage(self.definition().voltage)
    }

    pub(super) fn info(&self) -> SpiInfo {
        let definition = self.definition();
        let voltage = definition.voltage;
        let kinds = &FlashDevice::geometry(&self.chip).erase_kinds;
        SpiInfo {
            method: Method::Serprog,
            programmer: self
                .programmer
                .name
                .as_ref()
                .map(|name| name.as_str().to_owned()),
            spi_hz: self.programmer.spi_hz,
            ahead: self.programmer.pipelined,
            extensions: self.programmer.extensions.is_some(),
            id: self.id().to_vec(),
            names: definition.names.clone(),
            has_sfdp: definition.has_sfdp,
            voltage_mv: voltage.map(|voltage| (voltage.min_mv, voltage.max_mv)),
            page_bytes: definition.page_bytes() as u64,
            erases: erases_of(kinds),
            addressing: match definition.addressing {
                Addressing::Three => "three bytes",
                Addressing::Four => "four bytes",
                Addressing::Dedicated => "four bytes, by instructions of their own",
                Addressing::Mode { .. } => "four bytes, in a mode that is left at the end",
                Addressing::Register { .. } => "three bytes, the fourth in a register",
            },
            sfdp: match definition.has_sfdp {
                true => self.chip.identity().answers.sfdp.clone(),
                false => Vec::new(),
            },
        }
    }

    fn status(&mut self) -> Result<SpiStatus, spinor::Error> {
        let protection = self.chip.protection()?;
        Ok(SpiStatus {
            sr1: protection.sr1,
            sr2: protection.sr2,
            sr3: None,
            is_protected: protection.is_on(),
        })
    }

    fn is_protected(&mut self) -> Result<bool, spinor::Error> {
        // These lock themselves whenever power comes; nobody decided it.
        Ok(!self.definition().is_protected_by_birth && self.chip.protection()?.is_on())
    }

    /// Lifts the protection until the session is closed.
    fn lift_protection(&mut self) -> Result<(), Problem> {
        let saved = self.chip.unprotect()?;
        self.saved = self.saved.take().or(saved);
        Ok(())
    }

    /// Puts back what was changed for the session, and lets the chip and the pins go.
    pub(super) fn close(mut self) -> Result<(), Problem> {
        let restored = match self.saved.take() {
            Some(saved) => self.chip.restore_status(saved),
            None => Ok(()),
        };
        let closed = self.chip.close();
        Ok(restored.and(closed)?)
    }
}

/// What a chip is called, in a few words.
pub(super) fn part_name(names: &[String], id: &[u8]) -> String {
    match names {
        [] if id.is_empty() => "a SPI NOR chip that is not known".to_owned(),
        [] => format!("SPI NOR chip {}", digits(id)),
        [name] => name.clone(),
        [first, second] => format!("{first} or {second}"),
        [first, others @ ..] => format!("{first} or one of {} like it", others.len()),
    }
}

/// What to call a chip in a file name: vendor and model, or vendor and id where several parts have
/// it.
pub(super) fn file_name(names: &[String], id: &[u8]) -> String {
    match names {
        [first, _, ..] => {
            let vendor = first.split(' ').next().unwrap_or(first);
            format!("{vendor} {}", digits(id))
        }
        _ => part_name(names, id),
    }
}

/// The bytes of an id that all tables have.
fn digits(id: &[u8]) -> String {
    id.iter()
        .take(ID_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A supply voltage, if the programmer's own would be too much for it.
pub(super) fn low_voltage(voltage: Option<Voltage>) -> Option<Voltage> {
    voltage.filter(|voltage| voltage.max_mv < PROGRAMMER_LEAST_MV)
}

pub(super) fn warn_of_voltage(part: &str, voltage: Voltage, watcher: &mut dyn Watcher) {
    let Voltage { min_mv, max_mv } = voltage;
    watcher.warn(&format!(
        "{part} runs on {}: the 3.3 V of an ordinary programmer can destroy it",
        volts(min_mv, max_mv)
    ));
}

/// The ways to erase: what each is called, the size of its unit (0 where units differ) and the
/// typical time of one, in milliseconds.
pub(super) fn erases_of(kinds: &[EraseKind]) -> Vec<(String, u64, u64)> {
    let of_kind = |kind: &EraseKind| {
        let mut units: Vec<u64> = kind.runs.iter().map(|run| run.unit_bytes).collect();
        units.dedup();
        let unit_bytes = match units[..] {
            [unit_bytes] => unit_bytes,
            _ => 0,
        };
        let typical_ms = kind
            .runs
            .first()
            .map_or(0, |run| run.time.as_millis() as u64);
        (kind.name.clone(), unit_bytes, typical_ms)
    };
    kinds.iter().map(of_kind).collect()
}

impl Session {
    /// Opens a port behind which a serprog programmer is, and finds out what chip is on its bus.
    pub(super) fn open_spi(options: OpenOptions, watcher: &mut dyn Watcher) -> Result<Self, Error> {
        let port = options.port.to_string();
        let baud = match options.speed {
            Speed::Baud(baud) => baud,
            Speed::Max => {
                watcher.warn("no faster speed is looked for: serprog has no way to change it");
                DEFAULT_BAUD
            }
        };
        let (clock, bench) = open_place(&options.port.place, Settings::plain(baud))?;
        let link = wrapped(&clock, options.log, &options.cancel);
        let name = place(&clock);
        let on_port = |problem: Problem| Error::from(problem).on(port.clone(), name.clone());

        let SpiOptions {
            chip: part,
            spi_hz,
            chip_select,
            assumed: _,
            outputs,
            repeat_read,
        } = options.spi;
        if !outputs.is_empty() {
            let what = "--pin is for Arduinos with nfd's sketch; serprog has no such command";
            return Err(Problem::Usage(what.to_owned()).into());
        }
        let talk = serprog::Options {
            spi_hz,
            chip_select,
            ..serprog::Options::default()
        };
        let client = serprog::Client::open(link, talk).map_err(|error| on_port(error.into()));
        for warning in clock.borrow_mut().take_warnings() {
            watcher.warn(&warning);
        }
        let client = client?;
        let programmer = client.identity().clone();
        let is_named = part.is_some();
        let choice = spinor::Options {
            name: part,
            ..spinor::Options::default()
        };
        let chip = Chip::open(Box::new(client), &Parts::built_in(), choice);
        let chip = chip.map_err(|error| on_port(error.into()))?;
        let spi = Spi {
            chip,
            programmer,
            is_named,
            repeat_read,
            saved: None,
        };
        if let Some(voltage) = spi.low_voltage() {
            warn_of_voltage(&spi.part(), voltage, watcher);
        }
        Ok(Self {
            port,
            link: name,
            clock,
            bench,
            device: Device::Spi(Box::new(spi)),
            way: None,
            parts: options.parts,
            protection: None,
            past_protection: false,
            cancel: options.cancel,
            told_of_fall_back: false,
        })
    }

    /// What the chip behind a programmer is called.
    pub(super) fn chip_part(&self) -> String {
        match &self.device {
            Device::Stm32(target) => target.identity().part.name.clone(),
            Device::Spi(spi) => spi.part(),
            Device::Nfd(nfd) => nfd.part(),
            Device::Arduino(board) => board.loader().identity().part.name.to_owned(),
        }
    }

    /// How the chip describes itself: its SFDP tables, as far as they were read. Empty if it does
    /// not.
    ///
    /// # Errors
    /// There is no such chip, or its programmer cannot ask it.
    pub fn spi_sfdp(&mut self) -> Result<Vec<u8>, Error> {
        match &self.device {
            Device::Spi(spi) => Ok(spi.info().sfdp),
            Device::Nfd(_) => Err(self.on_port(Problem::NoRawSpi)),
            Device::Stm32(_) | Device::Arduino(_) => Err(no_chip()),
        }
    }

    /// What a SPI NOR chip answers to RDID; nothing if that is nothing to it.
    ///
    /// # Errors
    /// There is no such chip, or its programmer's firmware has no way to ask it.
    pub fn spi_id(&self) -> Result<Vec<u8>, Error> {
        match &self.device {
            Device::Spi(spi) => Ok(spi.id().to_vec()),
            Device::Nfd(nfd) => nfd.asked_id().map_err(|error| self.on_port(error)),
            Device::Stm32(_) | Device::Arduino(_) => Err(no_chip()),
        }
    }

    /// The status registers of a SPI NOR chip.
    ///
    /// # Errors
    /// There is no such chip, or the link failed.
    pub fn spi_status(&mut self) -> Result<SpiStatus, Error> {
        let status = match &mut self.device {
            Device::Spi(spi) => spi.status().map_err(Problem::from),
            Device::Nfd(nfd) => nfd.status().map_err(Problem::from),
            Device::Stm32(_) | Device::Arduino(_) => return Err(no_chip()),
        };
        status.map_err(|problem| self.on_port(problem))
    }

    /// Protects all of a SPI NOR chip against erasing and writing. Returns the registers after it.
    ///
    /// # Errors
    /// The chip does not take it, there is no such chip, or the link failed.
    pub fn spi_protect(&mut self) -> Result<SpiStatus, Error> {
        let done = match &mut self.device {
            Device::Spi(spi) => spi.chip.protect().map_err(Problem::from),
            Device::Nfd(nfd) => nfd.chip.protect().map_err(Problem::from),
            Device::Stm32(_) | Device::Arduino(_) => return Err(no_chip()),
        };
        done.map_err(|problem| self.on_port(problem))?;
        self.protection = None;
        self.spi_status()
    }

    /// Lifts the protection of a SPI NOR chip, for good. Returns the registers after it.
    ///
    /// # Errors
    /// As [`spi_protect`](Self::spi_protect).
    pub fn spi_unprotect(&mut self) -> Result<SpiStatus, Error> {
        let done = match &mut self.device {
            Device::Spi(spi) => spi.chip.unprotect().map(drop).map_err(Problem::from),
            Device::Nfd(nfd) => nfd.chip.unprotect().map(drop).map_err(Problem::from),
            Device::Stm32(_) | Device::Arduino(_) => return Err(no_chip()),
        };
        done.map_err(|problem| self.on_port(problem))?;
        self.protection = None;
        self.spi_status()
    }

    /// Lifts the protection until the session is closed.
    pub(super) fn lift_protection(&mut self, watcher: &mut dyn Watcher) -> Result<(), Error> {
        let lifted = match &mut self.device {
            Device::Spi(spi) => spi.lift_protection(),
            Device::Nfd(nfd) => nfd.lift_protection(watcher),
            Device::Stm32(_) | Device::Arduino(_) => return Err(no_chip()),
        };
        lifted.map_err(|problem| self.on_port(problem))?;
        self.protection = None;
        Ok(())
    }

    /// What of the chip is protected: all of it if any is, because nobody says which part the bits
    /// stand for on which chip.
    pub(super) fn ask_spi_protection(&mut self) -> Result<Protection, Error> {
        let all = self.flash_range();
        let is_on = match &mut self.device {
            Device::Spi(spi) => spi.is_protected().map(Some).map_err(Problem::from),
            Device::Nfd(nfd) => nfd.is_protected().map_err(Problem::from),
            Device::Stm32(_) | Device::Arduino(_) => return Err(no_chip()),
        };
        let is_on = is_on.map_err(|problem| self.on_port(problem))?;
        Ok(Protection {
            read: false,
            write: is_on.map(|is_on| is_on.then_some(all).into_iter().collect()),
        })
    }

    /// Refuses to change a chip that the programmer's voltage may destroy, unless the user has said
    /// which part it is.
    pub(super) fn check_voltage(&mut self) -> Result<(), Error> {
        let (voltage, is_named, names) = match &self.device {
            Device::Spi(spi) => (spi.low_voltage(), spi.is_named, &spi.definition().names[..]),
            Device::Nfd(nfd) => (nfd.low_voltage(), nfd.is_named, nfd.names()),
            Device::Stm32(_) | Device::Arduino(_) => return Ok(()),
        };
        match voltage {
            Some(Voltage { min_mv, max_mv }) if !is_named => {
                let part = self.chip_part();
                let models = names.first();
                let model = models.and_then(|name| name.split_once(' '));
                let problem = Problem::LowVoltage {
                    part,
                    volts: volts(min_mv, max_mv),
                    model: model.map_or(String::new(), |(_, model)| model.to_owned()),
                };
                Err(self.on_port(problem))
            }
            _ => Ok(()),
        }
    }
}

/// Length of a JEDEC id without continuation codes: manufacturer, type, capacity. JEP106, JESD216.
const ID_BYTES: usize = 3;

/// What of an answer to RDID is the id.
fn id_of(answer: &[u8]) -> &[u8] {
    let is_silence = answer.iter().all(|byte| [0x00, 0xFF].contains(byte));
    let (id, more) = answer.split_at(ID_BYTES.min(answer.len()));
    match () {
        () if is_silence => &[],
        () if id.starts_with(more) => id,
        () => answer,
    }
}

/// `1.65 to 1.95 V`.
fn volts(min_mv: u32, max_mv: u32) -> String {
    let volts = |mv: u32| {
        let text = format!("{}.{:02}", mv / 1000, mv % 1000 / 10);
        text.strip_suffix('0').unwrap_or(&text).to_owned()
    };
    format!("{} to {} V", volts(min_mv), volts(max_mv))
}

/// The link and its settings, as a person reads them.
pub(super) fn place(link: &Rc<RefCell<dyn Link>>) -> String {
    let link = link.borrow();
    format!("{} ({})", link.name(), link.settings())
}

/// There is no chip behind a programmer.
fn no_chip() -> Error {
    not_for("a microcontroller", "SPI NOR chips behind a programmer")
}

/// Something was asked for that only other targets can do.
pub(super) fn not_for(what: &str, whom: &str) -> Error {
    Problem::Usage(format!("this is {what}; the command is for {whom}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voltages_read_as_datasheets_print_them() {
        assert_eq!(volts(1650, 1950), "1.65 to 1.95 V");
        assert_eq!(volts(2700, 3600), "2.7 to 3.6 V");
    }

    #[test]
    fn an_id_that_begins_again_is_shown_once() {
        assert_eq!(
            id_of(&[0xEF, 0x40, 0x17, 0xEF, 0x40, 0x17]),
            [0xEF, 0x40, 0x17]
        );
        let long = [0x20, 0xBA, 0x19, 0x10, 0x44, 0x00];
        assert_eq!(id_of(&long), long);
        assert_eq!(id_of(&[0xFF; 6]), [0; 0]);
        assert_eq!(id_of(&[]), [0; 0]);
    }

    #[test]
    fn the_table_has_what_a_person_looks_for() {
        let parts = spi_parts();
        let winbond = parts.iter().find(|part| part.model.contains("W25Q64JV"));
        let winbond = winbond.unwrap();
        assert_eq!(winbond.size_bytes, 8 << 20);
        assert_eq!(winbond.page_bytes, 256);
        assert_eq!(winbond.erase_bytes, [4 << 10, 32 << 10, 64 << 10]);
        assert_eq!(winbond.voltage_mv, (2700, 3600));
    }
}
