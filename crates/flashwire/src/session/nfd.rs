//! SPI NOR chips behind a programmer that speaks the protocol of nfd's sketch.

use flashwire_client::nfd::{self, Chip, ChipOptions, Client, Command, Error as NfdError};
use flashwire_client::spinor::{Definition, Parts, Voltage};
use flashwire_link::Settings;
use flashwire_plan::{FlashDevice, PlanError};

use super::open::{open_place, wrapped};
use super::spi::{
    SpiInfo, SpiOptions, SpiStatus, erases_of, file_name, low_voltage, part_name, place,
    warn_of_voltage,
};
use super::{Device, OpenOptions, Session, Speed};
use crate::error::{Error, Problem};
use crate::number;
use crate::port::Method;
use crate::watch::Watcher;

pub use flashwire_client::nfd::Output as PinOutput;

/// Understands `PIN=high`, `PIN=low` and `PIN=out`: an output whose level stays as it is.
///
/// # Errors
/// What it should have been.
pub fn parse_pin_output(text: &str) -> Result<PinOutput, String> {
    let wrong = || format!("`{text}` is not of the form PIN=high, PIN=low or PIN=out");
    let (pin, level) = text.split_once('=').ok_or_else(wrong)?;
    let pin = number::parse(pin)
        .ok()
        .and_then(|pin| u8::try_from(pin).ok());
    let level = match level {
        "high" => Some(true),
        "low" => Some(false),
        "out" => None,
        _ => return Err(wrong()),
    };
    let pin = pin.ok_or_else(wrong)?;
    Ok(PinOutput { pin, level })
}

/// A chip behind such a programmer, and what was said about it.
pub(super) struct Nfd {
    pub(super) chip: Chip,
    /// What the programmer calls itself.
    programmer: String,
    /// Whether the user named the part.
    pub(super) is_named: bool,
    pub(super) repeat_read: u32,
}

impl Nfd {
    pub(super) fn definition(&self) -> Option<&Definition> {
        self.chip.identity().definition.as_ref()
    }

    pub(super) fn names(&self) -> &[String] {
        self.definition().map_or(&[], |known| &known.names)
    }

    fn id(&self) -> &[u8] {
        self.chip.identity().id.as_ref().map_or(&[], |id| id)
    }

    /// The chip's id, if the firmware can ask for it.
    pub(super) fn asked_id(&self) -> Result<Vec<u8>, NfdError> {
        let id = self.chip.identity().id.map(Vec::from);
        id.ok_or(NfdError::Unsupported {
            command: Command::JedecId,
        })
    }

    /// What the chip is called, in a few words.
    pub(super) fn part(&self) -> String {
        part_name(self.names(), self.id())
    }

    pub(super) fn file_name(&self) -> String {
        file_name(self.names(), self.id())
    }

    pub(super) fn low_voltage(&self) -> Option<Voltage> {
        low_voltage(self.definition()?.voltage)
    }

    pub(super) fn info(&self) -> SpiInfo {
        let known = self.definition();
        let voltage = known.and_then(|known| known.voltage);
        let kinds = &FlashDevice::geometry(&self.chip).erase_kinds;
        let size_bytes = known.map_or(0, |known| known.size_bytes);
        SpiInfo {
            method: Method::Nfd,
            programmer: Some(self.programmer.clone()),
            spi_hz: None,
            ahead: true,
            extensions: false,
            id: self.id().to_vec(),
            names: self.names().to_vec(),
            has_sfdp: false,
            voltage_mv: voltage.map(|voltage| (voltage.min_mv, voltage.max_mv)),
            page_bytes: known.map_or(0, |known| known.page_bytes() as u64),
            erases: erases_of(kinds),
            addressing: match size_bytes > nfd::ADDRESS_END {
                true => "three bytes: the first 16 MiB of the chip can be reached",
                false => "three bytes",
            },
            sfdp: Vec::new(),
        }
    }

    /// Refuses to change a chip of which too little is known, or all of one that is not reached
    /// whole.
    pub(super) fn check_changeable(&self, everything: bool) -> Result<(), NfdError> {
        self.chip.check_changeable()?;
        let hole = FlashDevice::geometry(&self.chip).holes.first();
        match hole.filter(|_| everything) {
            Some(hole) => Err(NfdError::BeyondReach {
                address: hole.start,
            }),
            None => Ok(()),
        }
    }

    /// Refuses what needs the size of a chip that is not known.
    pub(super) fn check_known(&self) -> Result<(), NfdError> {
        match self.definition() {
            Some(_) => Ok(()),
            None => Err(NfdError::UnknownChip {
                id: self.chip.identity().id,
            }),
        }
    }

    /// What speaks against a plan, in the words of this protocol.
    pub(super) fn explained(&self, error: PlanError) -> Problem {
        let address = match &error {
            PlanError::InHole { hole, .. } => hole.start,
            PlanError::OutOfRange { memory, .. } if self.definition().is_none() => memory.end,
            _ => return Problem::Plan(error),
        };
        NfdError::BeyondReach { address }.into()
    }

    pub(super) fn status(&mut self) -> Result<SpiStatus, NfdError> {
        let status = self.chip.protection()?;
        let status = status.ok_or(NfdError::ProtectionUnknown)?;
        let [sr1, sr2, sr3] = status.registers;
        // Nobody drives the line for a register that the chip has not.
        let known = |register| Some(register).filter(|&register| register != 0xFF);
        Ok(SpiStatus {
            sr1,
            sr2: known(sr2),
            sr3: known(sr3),
            is_protected: status.is_protected,
        })
    }

    /// Whether the chip is protected; `None` if nobody can tell.
    pub(super) fn is_protected(&mut self) -> Result<Option<bool>, NfdError> {
        // These lock themselves whenever power comes; nobody decided it.
        if self
            .definition()
            .is_some_and(|known| known.is_protected_by_birth)
        {
            return Ok(Some(false));
        }
        let status = self.chip.protection()?;
        Ok(status.map(|status| status.is_protected))
    }

    /// Lifts the protection until the session is closed.
    pub(super) fn lift_protection(&mut self, watcher: &mut dyn Watcher) -> Result<(), Problem> {
        if !self.chip.unprotect_until_closed()? {
            watcher.warn(
                "only a part of the chip was protected, and the firmware can protect all or \
                 nothing: it will stay unprotected",
            );
        }
        Ok(())
    }

    /// Puts back what was changed for the session.
    pub(super) fn close(self) -> Result<(), Problem> {
        Ok(self.chip.close()?)
    }
}

impl Session {
    /// Opens a port behind which a programmer of this protocol is, and finds out what chip is on its
    /// bus.
    pub(super) fn open_nfd(options: OpenOptions, watcher: &mut dyn Watcher) -> Result<Self, Error> {
        let port = options.port.to_string();
        let baud = match options.speed {
            Speed::Baud(baud) => baud,
            Speed::Max => {
                watcher.warn("no faster speed is looked for: the firmware has its speed built in");
                nfd::BAUD
            }
        };
        let SpiOptions {
            chip: part,
            spi_hz,
            chip_select,
            assumed,
            outputs,
            repeat_read,
        } = options.spi;
        if spi_hz.is_some() {
            watcher.warn("--spi-hz changes nothing: the firmware has its SPI clock built in");
        }
        let (clock, bench) = open_place(&options.port.place, Settings::plain(baud))?;
        let link = wrapped(&clock, options.log, &options.cancel);
        let name = place(&clock);
        let on_port = |problem: NfdError| Error::from(problem).on(port.clone(), name.clone());

        let talk = nfd::Options {
            chip_select,
            outputs,
        };
        let client = Client::open(link, talk).map_err(on_port);
        for warning in clock.borrow_mut().take_warnings() {
            watcher.warn(&warning);
        }
        let client = client?;
        let programmer = client.name();
        let is_named = part.is_some();
        let choice = ChipOptions {
            name: part,
            assumed,
        };
        let chip = Chip::open(client, &Parts::built_in(), &choice).map_err(on_port)?;
        let nfd = Nfd {
            chip,
            programmer,
            is_named,
            repeat_read,
        };
        if let Some(voltage) = nfd.low_voltage() {
            warn_of_voltage(&nfd.part(), voltage, watcher);
        }
        if nfd.definition().is_none() && assumed {
            watcher.note(
                "it is not known what the chip is: it is taken for one with sectors of 4 KiB",
            );
        } else if nfd.definition().is_none() {
            watcher.warn(
                "it is not known what the chip is: it can be read with --length; --chip NAME says \
                 which part it is",
            );
        }
        Ok(Self {
            port,
            link: name,
            clock,
            bench,
            device: Device::Nfd(Box::new(nfd)),
            way: None,
            parts: options.parts,
            protection: None,
            past_protection: false,
            cancel: options.cancel,
            told_of_fall_back: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_a_pin_and_a_level() {
        let output = |pin, level| Ok(PinOutput { pin, level });
        assert_eq!(parse_pin_output("7=high"), output(7, Some(true)));
        assert_eq!(parse_pin_output("0x0A=low"), output(10, Some(false)));
        assert_eq!(parse_pin_output("7=out"), output(7, None));
        for wrong in ["7", "7=", "=high", "256=low", "7=1", "A7=low"] {
            assert!(parse_pin_output(wrong).is_err(), "{wrong}");
        }
    }
}
