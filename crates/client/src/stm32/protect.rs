//! Write and read protection. Each of these commands ends in a reset of the chip: afterwards the
//! loader has to be greeted again, if BOOT0 is still high.

use std::time::Duration;

use flashwire_protocol::stm32::{Command, Frame};

use super::bootloader::Parser;
use super::{Bootloader, Error, Phase, Step};

/// Longest time that changing the option bytes takes: erase and program one page. Far beyond any
/// datasheet's figure.
const OPTION_BYTES_MOST: Duration = Duration::from_secs(2);

impl Bootloader {
    /// Write Protect: protects sectors, 1 to 256, in addition to none that were: the list replaces
    /// the old protection. What a code means is the part's own business (sector numbers, or pairs
    /// of first and last page). AN3155, section 3.9.
    ///
    /// # Errors
    /// [`Error::Nack`] where the flash is read protected, [`Error::Timeout`],
    /// [`Error::Unexpected`], [`Error::BlockSize`].
    pub fn write_protect(&mut self, sectors: &[u8]) -> Result<(), Error> {
        let command = self.gentle(Command::WriteProtect);
        let too_long = || Error::BlockSize {
            command,
            bytes: sectors.len(),
        };
        let mut count = None;
        let list = if self.options.interface.announces_lists {
            count = Some(Frame::sector_count(sectors.len()).ok_or_else(too_long)?);
            Frame::sector_list(sectors)
        } else {
            Frame::sectors(sectors)
        };
        let list = list.ok_or_else(too_long)?;
        self.begin()?;
        self.opcode(command)?;
        if let Some(count) = count {
            self.phase(Step::of(command, Phase::Count), &count)?;
        }
        self.work(Step::of(command, Phase::Sectors), &list, OPTION_BYTES_MOST)?;
        self.parser = Parser::Away;
        Ok(())
    }

    /// Write Unprotect: removes the write protection of all sectors. AN3155, section 3.10.
    ///
    /// # Errors
    /// [`Error::Nack`] where the flash is read protected, [`Error::Timeout`],
    /// [`Error::Unexpected`].
    pub fn write_unprotect(&mut self) -> Result<(), Error> {
        self.option_change(Command::WriteUnprotect, OPTION_BYTES_MOST)
            .map(drop)
    }

    /// Readout Protect: from now on the loader only identifies itself. AN3155, section 3.11.
    ///
    /// # Errors
    /// [`Error::Nack`] where that is so already, [`Error::Timeout`], [`Error::Unexpected`].
    pub fn readout_protect(&mut self) -> Result<(), Error> {
        self.option_change(Command::ReadoutProtect, OPTION_BYTES_MOST)
            .map(drop)
    }

    /// Readout Unprotect: removes the read protection and erases the flash, which takes `most` at
    /// most. AN3155, section 3.12. Returns the time from one acknowledgement to the other.
    ///
    /// Old loaders acknowledge when it is done, newer ones before they begin (they lose their RAM
    /// in it), so that after the return the erase may still be under way:
    /// [`synchronise_within`](Self::synchronise_within) the same time. The time tells: no flash is
    /// erased within a few milliseconds.
    ///
    /// # Errors
    /// [`Error::Nack`], [`Error::Timeout`], [`Error::Unexpected`].
    pub fn readout_unprotect(&mut self, most: Duration) -> Result<Duration, Error> {
        self.option_change(Command::ReadoutUnprotect, most)
    }

    /// A command that is acknowledged twice: when it is understood and when it is done. Returns the
    /// time between the two.
    fn option_change(&mut self, command: Command, most: Duration) -> Result<Duration, Error> {
        let command = self.gentle(command);
        self.begin()?;
        self.opcode(command)?;
        let understood = self.link.now();
        let done = Step::of(command, Phase::Completion);
        self.collect(&[done], &mut [], 0, most)?;
        self.parser = Parser::Away;
        Ok(self.link.now() - understood)
    }
}
