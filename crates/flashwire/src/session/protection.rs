//! Protections: which there are, setting them, and taking them away.
//!
//! Each change of a protection ends in a reset of the chip (AN3155, sections 3.9 to 3.12), so each
//! ends here with the bootloader greeted and the chip identified anew: what the caller planned
//! before does not count any more.

use std::ops::Range;
use std::time::Duration;

use flashwire_client::stm32::{self, SectorsError};
use flashwire_plan::PlanError;

use super::{Device, Session};
use crate::error::{Access, Error, Problem};
use crate::watch::Watcher;

/// What of a target is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Whether the flash refuses to be read, erased and written (RDP level 1).
    pub read: bool,
    /// The parts of the flash that cannot be erased and written, in order of address. `None` where
    /// nobody can tell: the flash is read protected, or this part does not show its option bytes.
    pub write: Option<Vec<Range<u64>>>,
}

impl Protection {
    /// Whether anything is known to be protected.
    pub fn is_any(&self) -> bool {
        self.read || self.write.as_ref().is_some_and(|ranges| !ranges.is_empty())
    }

    /// What of `ranges` is write protected, in order of address.
    pub fn of(&self, ranges: impl IntoIterator<Item = Range<u64>>) -> Vec<Range<u64>> {
        let protected = self.write.as_deref().unwrap_or_default();
        let mut hit: Vec<Range<u64>> = Vec::new();
        for range in ranges {
            for area in protected {
                let both = range.start.max(area.start)..range.end.min(area.end);
                match hit.last_mut() {
                    _ if both.is_empty() => {}
                    Some(last) if last.end == both.start => last.end = both.end,
                    _ => hit.push(both),
                }
            }
        }
        hit
    }
}

/// What to protect against writing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteProtect {
    /// The whole flash.
    All,
    /// These addresses, which have to be whole sectors, beside what is protected already.
    Ranges(Vec<Range<u64>>),
    /// What these codes of the Write Protect command stand for on this part, and nothing else:
    /// numbers of sectors, or pairs of first and last page. AN3155, section 3.9.
    Codes(Vec<u8>),
}

/// How long a chip takes at most to come back after it has reset itself: the slowest loaders look
/// for a crystal and a USB host for up to a second (AN2606).
pub(super) const COMES_BACK: Duration = Duration::from_secs(3);

/// A flash is not erased in less: whoever acknowledges sooner has not begun. The shortest mass erase
/// of any family is 20 ms (DS5319, table 28).
const SHORTEST_WIPE: Duration = Duration::from_millis(15);

impl Session {
    /// What is protected. Asked of the chip once, and again after every change.
    ///
    /// # Errors
    /// The link failed.
    pub fn protection(&mut self) -> Result<Protection, Error> {
        if let Some(known) = &self.protection {
            return Ok(known.clone());
        }
        if let Device::Spi(_) | Device::Nfd(_) = &self.device {
            let protection = self.ask_spi_protection()?;
            self.protection = Some(protection.clone());
            return Ok(protection);
        }
        if let Device::Arduino(_) = &self.device {
            // Its lock bits are about the bootloader, which nobody here writes.
            return Ok(Protection {
                read: false,
                write: Some(Vec::new()),
            });
        }
        let target = self.stm32()?;
        let identity = target.identity().clone();
        let protection = if identity.read_protected {
            Protection {
                read: true,
                write: None,
            }
        } else {
            let write = target.loader_mut().write_protected(&identity);
            Protection {
                read: false,
                write: write.map_err(|error| self.on_port(error))?,
            }
        };
        self.protection = Some(protection.clone());
        Ok(protection)
    }

    /// Protects the flash against reading (RDP level 1): from now on the bootloader only says what
    /// the chip is, and taking the protection away erases the flash.
    ///
    /// # Errors
    /// It is protected already, the chip did not come back, or the link failed.
    pub fn readout_protect(&mut self, watcher: &mut dyn Watcher) -> Result<(), Error> {
        self.check_accessible(Access::Write)?;
        let done = self.stm32()?.loader_mut().readout_protect();
        done.map_err(|error| self.interrupted(error, "the read protection may be set or not"))?;
        self.come_back(COMES_BACK, "the flash is read protected", watcher)?;
        let took = self.protection()?.read;
        self.check_took(took, "read protection")
    }

    /// Takes the read protection away, which erases the whole flash.
    ///
    /// # Errors
    /// The bootloader refused, the chip did not come back, or the link failed.
    pub fn readout_unprotect(&mut self, watcher: &mut dyn Watcher) -> Result<(), Error> {
        watcher.say("removing the read protection; the chip erases its whole flash");
        let target = self.stm32()?;
        let most = target.wipe_most();
        let done = target.loader_mut().readout_unprotect(most);
        let took = done.map_err(|error| {
            let state = "the read protection may be removed or not, and the flash erased in part";
            self.interrupted(error, state)
        })?;
        // Newer loaders acknowledge before they begin, because they lose their RAM in it. A reset
        // by the lines in the middle would only make it begin again, but there is no need for one.
        let wait = if took < SHORTEST_WIPE + self.round_trip() {
            COMES_BACK + most
        } else {
            COMES_BACK
        };
        self.come_back(wait, "the read protection is removed", watcher)?;
        let took = !self.protection()?.read;
        self.check_took(took, "removing the read protection")
    }

    /// Protects parts of the flash against erasing and writing. Returns what is protected now.
    ///
    /// # Errors
    /// The ranges are not whole sectors, this part's sectors are not known, the flash is read
    /// protected, the chip did not come back, or the link failed.
    pub fn write_protect(
        &mut self,
        what: &WriteProtect,
        watcher: &mut dyn Watcher,
    ) -> Result<Protection, Error> {
        self.check_accessible(Access::Write)?;
        let before = self.protection()?.write.unwrap_or_default();
        let flash = self.flash_range();
        let (wanted, codes) = match what {
            WriteProtect::All => (vec![flash], None),
            WriteProtect::Ranges(ranges) => (ranges.iter().cloned().chain(before).collect(), None),
            WriteProtect::Codes(codes) => (Vec::new(), Some(codes.clone())),
        };
        let codes = match codes {
            Some(codes) => codes,
            None => self.write_protect_codes(&wanted)?,
        };
        let done = self.stm32()?.loader_mut().write_protect(&codes);
        done.map_err(|error| self.interrupted(error, "the write protection may be set or not"))?;
        self.come_back(COMES_BACK, "the write protection is set", watcher)?;
        let protection = self.protection()?;
        let bytes = |ranges: &[Range<u64>]| -> u64 {
            ranges.iter().map(|range| range.end - range.start).sum()
        };
        let missing = protection.write.is_some()
            && wanted.iter().any(|range| {
                let hit = protection.of([range.clone()]);
                bytes(&hit) < range.end - range.start
            });
        self.check_took(!missing, "write protection")?;
        Ok(protection)
    }

    /// Takes the write protection of the whole flash away. Nothing is erased.
    ///
    /// # Errors
    /// The flash is read protected, the chip did not come back, or the link failed.
    pub fn write_unprotect(&mut self, watcher: &mut dyn Watcher) -> Result<(), Error> {
        self.check_accessible(Access::Write)?;
        watcher.say("removing the write protection");
        let done = self.stm32()?.loader_mut().write_unprotect();
        done.map_err(|error| self.interrupted(error, "the write protection may be set or not"))?;
        self.come_back(COMES_BACK, "the write protection is removed", watcher)?;
        let took = !self.protection()?.is_any();
        self.check_took(took, "removing the write protection")
    }

    /// From here on, plans are made as if nothing were protected: they show what could be done once
    /// the protection is taken away, and that the file is good, before that is done. They are not
    /// carried out while it is there; after [`unprotect`](Self::unprotect) they are made again.
    pub fn plan_past_protection(&mut self) {
        self.past_protection = true;
    }

    /// Takes away whatever protection is known to be there; see
    /// [`readout_unprotect`](Self::readout_unprotect): that erases everything.
    ///
    /// # Errors
    /// As [`readout_unprotect`](Self::readout_unprotect) and
    /// [`write_unprotect`](Self::write_unprotect).
    pub fn unprotect(&mut self, watcher: &mut dyn Watcher) -> Result<(), Error> {
        if let Device::Spi(_) | Device::Nfd(_) = &self.device {
            return self.lift_protection(watcher);
        }
        if self.protection()?.read {
            self.readout_unprotect(watcher)?;
        }
        if self.protection()?.is_any() {
            self.write_unprotect(watcher)?;
        }
        Ok(())
    }

    /// Refuses to touch a flash that is read protected.
    pub(super) fn check_accessible(&self, access: Access) -> Result<(), Error> {
        if self.read_protected() {
            return Err(self.on_port(Problem::ReadProtected { access }));
        }
        Ok(())
    }

    /// Refuses to change what is write protected.
    pub(super) fn check_unprotected(
        &mut self,
        changed: impl IntoIterator<Item = Range<u64>>,
    ) -> Result<(), Error> {
        let ranges = self.protection()?.of(changed);
        if ranges.is_empty() {
            return Ok(());
        }
        Err(self.on_port(match self.device {
            Device::Spi(_) | Device::Nfd(_) => Problem::ChipProtected,
            Device::Stm32(_) | Device::Arduino(_) => Problem::WriteProtected { ranges },
        }))
    }

    /// The codes by which Write Protect protects these ranges.
    fn write_protect_codes(&mut self, ranges: &[Range<u64>]) -> Result<Vec<u8>, Error> {
        let identity = self.stm32()?.identity().clone();
        let codes = identity.write_protect_codes(ranges);
        codes.map_err(|source| {
            let part = identity.part.name.clone();
            let problem = match source {
                SectorsError::Outside { range } => {
                    let memory = self.flash_range();
                    PlanError::OutOfRange {
                        misfit_bytes: range.end - range.start,
                        range,
                        memory,
                    }
                    .into()
                }
                source => Problem::Sectors { part, source },
            };
            self.on_port(problem)
        })
    }

    /// Greets the bootloader after the chip has reset itself, which takes `wait` at most: as it is,
    /// then by the lines, then by the user's own hands. `so_far` is what has been done.
    pub(super) fn come_back(
        &mut self,
        wait: Duration,
        so_far: &str,
        watcher: &mut dyn Watcher,
    ) -> Result<(), Error> {
        self.protection = None;
        let way = self.way.clone();
        let name = self.clock.borrow().name().to_owned();
        let parts = self.parts.clone();
        let target = self.stm32()?;
        let loader = target.loader_mut();
        let mut greeted = loader.synchronise_within(wait).map(drop);
        if let (Err(error), Some(way)) = (&greeted, &way)
            && super::open::is_no_loader(error)
        {
            let reset = flashwire_link::reset::run(loader.link_mut(), &way.enter);
            greeted = reset
                .map_err(stm32::Error::from)
                .and_then(|()| loader.synchronise().map(drop));
        }
        if greeted.as_ref().is_err_and(super::open::is_no_loader)
            && watcher.ask_for_bootloader(&name)
        {
            greeted = loader.synchronise_within(super::open::USER_TIME).map(drop);
        }
        let identified = greeted.and_then(|()| target.identify_again(&parts));
        identified.map_err(|source| match source {
            source if super::open::is_no_loader(&source) => {
                let done = so_far.to_owned();
                self.on_port(Problem::NotBack { done, source })
            }
            source => self.interrupted(source, so_far),
        })
    }

    /// A change of the protection that did not come to its end, and what is known of it. A refusal
    /// changed nothing.
    pub(super) fn interrupted(&mut self, error: stm32::Error, state: &str) -> Error {
        self.protection = None;
        let refused = matches!(error, stm32::Error::Nack { .. });
        let error = self.on_port(error);
        if refused {
            error
        } else {
            error.with_state(state)
        }
    }

    /// Whether the chip took what it acknowledged.
    pub(super) fn check_took(&self, took: bool, what: &'static str) -> Result<(), Error> {
        if took {
            return Ok(());
        }
        Err(self.on_port(Problem::NotTaken { what }))
    }

    /// The shortest round trip seen.
    fn round_trip(&mut self) -> Duration {
        let target = self.stm32();
        target
            .ok()
            .and_then(|target| target.loader_mut().round_trip())
            .unwrap_or_default()
    }
}
