//! Status registers and what they protect.

use std::time::Duration;

use flashwire_protocol::spinor::{Head, instruction, status};

use super::definition::StatusWrite;
use super::probe::{ask_all, wait_until_ready};
use super::{Chip, Error, Job};

/// How long a status write may take: 15 ms on most chips, 1 s and more on the oldest.
const LONGEST_WRITE: Duration = Duration::from_secs(5);

/// Manufacturer code of Micron, Numonyx and ST: their fourth protection bit is where others have
/// QE or SEC. JEP106.
const MICRON: u8 = 0x20;

/// Manufacturer codes of Winbond and GigaDevice: their parts have a second status register, and 35h
/// does nothing on those that have none. JEP106.
pub(crate) const WITH_SR2: [u8; 2] = [0xEF, 0xC8];

/// Manufacturer codes of Macronix, ISSI and Eon: with 35h their chips enter a mode of four data lines
/// and hear nothing else any more. What WRSR writes second on Macronix parts is their configuration
/// register, which a short write leaves alone. JEP106; MX25L25635F section 9, "EQIO"; IS25LP256
/// section 8, "QPIEN".
pub(crate) const WITHOUT_SR2: [u8; 3] = [0xC2, 0x9D, 0x1C];

/// What the status registers of a chip say about protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// Status register 1, without WIP and WEL.
    pub sr1: u8,
    /// Status register 2, of chips that are known to have one.
    pub sr2: Option<u8>,
    mask: u8,
}

impl Protection {
    /// Whether part of the chip, or all of it, is protected.
    pub fn is_on(&self) -> bool {
        let complement = self.sr2.is_some_and(|sr2| sr2 & status::winbond::CMP != 0);
        self.sr1 & self.mask != 0 || complement
    }
}

/// Status registers as they were, to be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedStatus(Protection);

impl Chip {
    /// What the status registers say about protection now.
    ///
    /// # Errors
    /// What the controller did.
    pub fn protection(&mut self) -> Result<Protection, Error> {
        let sr1 = Head::of(instruction::RDSR);
        let [found] = ask_all(self.controller.as_mut(), &[(sr1, 1)])?;
        let sr1 = found.first().copied().unwrap_or_default();
        let maker = self.identity().answers.rdid.first().copied();
        let by_table = self.definition().status_write != StatusWrite::One;
        // Nobody else is asked: with 35h others enter a mode of four data lines.
        let mut sr2 = None;
        let is_one_of = |makers: &[u8]| maker.is_some_and(|maker| makers.contains(&maker));
        if is_one_of(&WITH_SR2) || by_table && !is_one_of(&WITHOUT_SR2) {
            let question = Head::of(instruction::RDSR2);
            let [found] = ask_all(self.controller.as_mut(), &[(question, 1)])?;
            // Old parts of these makers have none; the line floats.
            sr2 = found.first().copied().filter(|&byte| byte != 0xFF);
        }
        let mut mask = status::BP0 | status::BP1 | status::BP2 | status::BP3;
        if maker == Some(MICRON) {
            mask |= status::winbond::SEC;
        }
        Ok(Protection {
            sr1: sr1 & !(status::WIP | status::WEL),
            sr2,
            mask,
        })
    }

    /// Lifts the protection of all blocks, and leaves everything else in the status registers as it
    /// is. `None` if there was none.
    ///
    /// # Errors
    /// [`Error::StatusLocked`] if the registers do not change.
    pub fn unprotect(&mut self) -> Result<Option<SavedStatus>, Error> {
        let before = self.protection()?;
        if !before.is_on() {
            return Ok(None);
        }
        let after = Protection {
            sr1: before.sr1 & !before.mask,
            sr2: before.sr2.map(|sr2| sr2 & !status::winbond::CMP),
            ..before
        };
        self.write_status(after)?;
        Ok(Some(SavedStatus(before)))
    }

    /// Lifts the protection of all blocks until [`close`](Chip::close), which puts the registers
    /// back; so does dropping the chip, whatever has gone wrong until then. Returns whether there
    /// was any.
    ///
    /// # Errors
    /// [`Error::StatusLocked`] if the registers do not change.
    pub fn unprotect_until_closed(&mut self) -> Result<bool, Error> {
        let saved = self.unprotect()?;
        let lifted = saved.is_some();
        self.restored_at_end = self.restored_at_end.take().or(saved);
        Ok(lifted)
    }

    /// Puts back what [`unprotect_until_closed`](Self::unprotect_until_closed) has lifted.
    pub(super) fn restore_at_end(&mut self) -> Result<(), Error> {
        let Some(saved) = self.restored_at_end.take() else {
            return Ok(());
        };
        if self.controller.outstanding() > 0 {
            self.controller.recover()?;
        }
        // An operation that was not waited for keeps the registers as they are.
        let longest = self
            .definition()
            .erases
            .iter()
            .map(|erase| erase.time.maximum);
        let longest = longest.max().unwrap_or_default();
        wait_until_ready(self.controller.as_mut(), "it was left", longest)?;
        self.restore_status(saved)
    }

    /// Protects all blocks, by all protection bits; everything else in the status registers stays
    /// as it is.
    ///
    /// # Errors
    /// [`Error::StatusLocked`] if the registers do not change.
    pub fn protect(&mut self) -> Result<(), Error> {
        let before = self.protection()?;
        // Of a bit that is none of the level on this part, Top/Bottom, it does not matter: with all
        // levels set everything is protected.
        self.write_status(Protection {
            sr1: before.sr1 | before.mask,
            sr2: before.sr2.map(|sr2| sr2 & !status::winbond::CMP),
            ..before
        })
    }

    /// Puts the status registers back.
    ///
    /// # Errors
    /// [`Error::StatusLocked`] if the registers do not change.
    pub fn restore_status(&mut self, saved: SavedStatus) -> Result<(), Error> {
        self.write_status(saved.0)
    }

    /// Writes registers and looks whether they took it.
    fn write_status(&mut self, wanted: Protection) -> Result<(), Error> {
        let status_write = self.definition().status_write;
        let short = [instruction::WRSR, wanted.sr1];
        match wanted.sr2 {
            None => self.write_register(&short)?,
            Some(sr2) => {
                let long = [instruction::WRSR, wanted.sr1, sr2];
                if status_write == StatusWrite::Two {
                    self.write_register(&long)?;
                } else {
                    self.write_register(&short)?;
                }
                // Twins differ in how the second one is written, and in whether a short write clears
                // it. One of the ways works.
                for way in [&[instruction::WRSR2, sr2][..], &long] {
                    if self.protection()?.sr2 == Some(sr2) {
                        break;
                    }
                    self.write_register(way)?;
                }
            }
        }
        let found = self.protection()?;
        // Small parts do not have all bits of the level.
        let levels = status::BP0 | status::BP1 | status::BP2;
        let is_right = found.sr1 & levels == wanted.sr1 & levels
            && found.sr1 & wanted.mask & !wanted.sr1 == 0
            && found.is_on() == wanted.is_on();
        if !is_right {
            return Err(Error::StatusLocked {
                wanted: wanted.sr1,
                found: found.sr1,
            });
        }
        Ok(())
    }

    fn write_register(&mut self, write: &[u8]) -> Result<(), Error> {
        let enable = if self.definition().ewsr {
            instruction::EWSR
        } else {
            instruction::WREN
        };
        let controller = self.controller.as_mut();
        controller.run(&Job::send(&[enable]), &mut [])?;
        controller.run(&Job::send(write), &mut [])?;
        wait_until_ready(controller, "a status write", LONGEST_WRITE)
    }
}
