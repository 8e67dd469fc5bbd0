//! Status registers and what they protect.
//!
//! The firmware sets BP0 to BP2 (`p`) or clears them (`u`), and clears CMP after either, and that too
//! soon after the first: a chip that is still busy ignores it. What came of it is read back, and it
//! is done again if need be. Everything else in the registers is out of its reach.

use flashwire_protocol::nfd::{Command, REGISTERS};
use flashwire_protocol::spinor::status::{BP0, BP1, BP2, BP3, winbond};

use super::{Chip, Error};
use crate::spinor::{self, WITH_SR2, WITHOUT_SR2};

/// How often the protection is changed until the registers show it.
const TRIES: u32 = 3;

/// The bits that the firmware sets and clears.
const LEVELS: u8 = BP0 | BP1 | BP2;

/// Manufacturer code of Winbond: its parts can have a lock for each block instead. JEP106.
const WINBOND: u8 = 0xEF;

/// What the status registers of a chip say about protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Status registers 1 to 3. What the chip does not have reads as anything.
    pub registers: [u8; REGISTERS],
    /// Whether part of the chip, or all of it, is protected.
    pub is_protected: bool,
    /// Whether all of it is, by BP0 to BP2: the only protection that the firmware can set.
    is_whole: bool,
}

impl Chip {
    /// What the status registers say about protection now. `None` if this chip must not be asked:
    /// the firmware sends 35h with each question, and that puts some makers' chips into a mode in
    /// which they hear nothing else.
    ///
    /// # Errors
    /// [`spinor::Error::AllOnes`] if there is no chip; what the programmer did.
    pub fn protection(&mut self) -> Result<Option<Status>, Error> {
        let maker = self.identity().maker;
        if maker.map_or(!self.is_assumed(), |maker| WITHOUT_SR2.contains(&maker)) {
            return Ok(None);
        }
        let registers = self.client.status_registers()?;
        if registers == [0xFF; REGISTERS] {
            return Err(spinor::Error::AllOnes.into());
        }
        let [sr1, sr2, sr3] = registers;
        let has_sr2 = maker.is_some_and(|maker| WITH_SR2.contains(&maker)) && sr2 != 0xFF;
        // Bit 5 is a fourth level where it is not the end from which blocks are counted.
        let levels = if has_sr2 { LEVELS } else { LEVELS | BP3 };
        let complement = has_sr2 && sr2 & winbond::CMP != 0;
        let has_locks = maker == Some(WINBOND) && sr3 != 0xFF && sr3 & winbond::WPS != 0;
        Ok(Some(Status {
            registers,
            is_protected: sr1 & levels != 0 || complement || has_locks,
            is_whole: sr1 & LEVELS == LEVELS && !complement && !has_locks,
        }))
    }

    /// Lifts the protection of all blocks. Returns what was there before.
    ///
    /// # Errors
    /// [`Error::ProtectionStays`] if the firmware cannot lift it; what the programmer did.
    pub fn unprotect(&mut self) -> Result<Option<Status>, Error> {
        let before = self.protection()?;
        self.change_protection(Command::Unprotect, |status| !status.is_protected)?;
        Ok(before)
    }

    /// Protects all blocks.
    ///
    /// # Errors
    /// As [`unprotect`](Self::unprotect).
    pub fn protect(&mut self) -> Result<(), Error> {
        self.change_protection(Command::Protect, |status| status.is_whole)
    }

    /// Lifts the protection of all blocks until [`close`](Chip::close), which sets it again; so does
    /// dropping the chip. Returns whether that will be possible: only the protection of all blocks
    /// can be set.
    ///
    /// # Errors
    /// As [`unprotect`](Self::unprotect).
    pub fn unprotect_until_closed(&mut self) -> Result<bool, Error> {
        let before = self.unprotect()?;
        let was_on = before.is_some_and(|status| status.is_protected);
        let was_whole = before.is_some_and(|status| status.is_whole);
        self.protected_at_end |= was_whole;
        Ok(was_whole || !was_on)
    }

    /// Sets what [`unprotect_until_closed`](Self::unprotect_until_closed) has lifted.
    pub(super) fn protect_again(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.protected_at_end) {
            return Ok(());
        }
        if self.client.outstanding() > 0 {
            self.client.resynchronise()?;
        }
        self.protect()
    }

    /// Has the firmware change the protection until the registers show it.
    fn change_protection(
        &mut self,
        command: Command,
        is_right: impl Fn(&Status) -> bool,
    ) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            // What cannot be read back cannot be changed surely.
            let status = self.protection()?.ok_or(Error::ProtectionUnknown)?;
            if is_right(&status) {
                return Ok(());
            }
            if tries == TRIES {
                let Status { registers, .. } = status;
                return Err(Error::ProtectionStays { registers });
            }
            tries += 1;
            match self.client.change_protection(command) {
                Err(error) if error.may_pass() => self.client.resynchronise()?,
                done => done?,
            }
        }
    }
}
