//! What an STM32's bootloader can do beside reading, erasing and writing flash: memory of other
//! kinds, checksums, single pages.

use std::ops::{ControlFlow, Range};
use std::rc::Rc;

use flashwire_client::stm32::Target;
use flashwire_plan::{Event, Failure, Phase, PlanError};

use super::spi::not_for;
use super::{Device, Job, Session};
use crate::error::{Access, Error, Problem};
use crate::watch::{Reporter, Stage, Watcher};

/// A checksum of a range of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// The CRC as the chips' CRC unit computes it: polynomial 0x04C11DB7, initial value 0xFFFFFFFF,
    /// little-endian words of 32 bits, not reflected, not inverted (RM0008 rev 21, section 4).
    pub crc: u32,
    /// Whether the chip computed it; else its memory was read.
    pub on_chip: bool,
}

impl Session {
    /// The STM32 at the other end.
    ///
    /// # Errors
    /// What is there is none: the operation does not exist for it.
    pub(super) fn stm32(&mut self) -> Result<&mut Target, Error> {
        match &mut self.device {
            Device::Stm32(target) => Ok(target),
            Device::Spi(_) | Device::Nfd(_) => Err(not_for("a SPI NOR chip", "microcontrollers")),
            Device::Arduino(_) => Err(not_for("an Arduino", "STM32 bootloaders")),
        }
    }

    /// The CRC of `range`: computed on the chip where its bootloader can (Get Checksum), else from
    /// what is read; the same value both ways. What is missing in the last word of 32 bits counts as
    /// erased.
    ///
    /// # Errors
    /// The chip is read protected, the bootloader refuses the range, or the link failed.
    pub fn crc(&mut self, range: Range<u64>, watcher: &mut dyn Watcher) -> Result<Checksum, Error> {
        self.check_accessible(Access::Read)?;
        let range = addresses(&range)?;
        let bytes = range.len() as u64;
        self.on_memory(Phase::Reading, bytes, watcher, |target, tick| {
            let (crc, on_chip) = target.crc(range, tick)?;
            Ok(Checksum { crc, on_chip })
        })
    }

    /// Reads memory of any kind that the bootloader lets one read: flash, RAM, option bytes, system
    /// memory. [`read`](Self::read) is for flash, and checks that it is.
    ///
    /// # Errors
    /// The chip is read protected, the bootloader refuses the address, or the link failed.
    pub fn read_memory(
        &mut self,
        range: Range<u64>,
        watcher: &mut dyn Watcher,
    ) -> Result<Vec<u8>, Error> {
        self.check_accessible(Access::Read)?;
        let range = addresses(&range)?;
        let mut content = vec![0; range.len()];
        self.on_memory(
            Phase::Reading,
            content.len() as u64,
            watcher,
            |target, tick| target.read_memory(range.start, &mut content, tick),
        )?;
        Ok(content)
    }

    /// Writes memory that needs no erase: RAM, or flash that is erased. A multiple of four bytes;
    /// not verified. A program in RAM is started by [`run`](Self::run).
    ///
    /// # Errors
    /// The chip is read protected, the bootloader refuses the address, or the link failed.
    pub fn write_memory(
        &mut self,
        address: u64,
        data: &[u8],
        watcher: &mut dyn Watcher,
    ) -> Result<(), Error> {
        self.check_accessible(Access::Write)?;
        let range = addresses(&(address..address.saturating_add(data.len() as u64)))?;
        self.on_memory(
            Phase::Writing,
            data.len() as u64,
            watcher,
            |target, tick| target.write_memory(range.start, data, tick),
        )
    }

    /// Plans the erasing of `count` erase units from the number `first` on, as the bootloader counts
    /// them: pages, or sectors where the part has those.
    ///
    /// # Errors
    /// There are not so many, or they are protected; as [`plan_erase`](Self::plan_erase).
    pub fn plan_erase_pages(&mut self, first: u64, count: u64, verify: bool) -> Result<Job, Error> {
        self.check_writable(false)?;
        let geometry = self.device.flash().geometry().clone();
        let kind = geometry.erase_kinds.iter().position(|kind| !kind.whole);
        // `check_writable` has seen to it that there is one.
        let kind = kind.unwrap_or(0);
        let in_all = geometry.erase_kinds[kind]
            .runs
            .iter()
            .map(|run| run.count)
            .sum();
        let last = first.checked_add(count).filter(|&end| end <= in_all);
        if last.is_none() || count == 0 {
            let problem = Problem::NoSuchPage {
                first,
                count,
                in_all,
            };
            return Err(self.on_port(problem));
        }
        let edge = |number: u64| geometry.erase_kinds[kind].units(kind).nth(number as usize);
        let start = edge(first).map_or(0, |unit| unit.start);
        let end = edge(first + count - 1).map_or(start, |unit| unit.end);
        self.plan_erase(Some(start..end), verify)
    }

    /// Version of the bootloader's protocol and the two option bytes that go with it, which only
    /// the oldest bootloaders fill. AN3155, section 3.2.
    ///
    /// # Errors
    /// The link failed.
    pub fn bootloader_version(&mut self) -> Result<(u8, [u8; 2]), Error> {
        let answer = self.stm32()?.loader_mut().get_version();
        let answer = answer.map_err(|error| self.on_port(error))?;
        Ok((answer.version, answer.options))
    }

    /// Does something with memory, telling how far it is.
    fn on_memory<T>(
        &mut self,
        phase: Phase,
        total_bytes: u64,
        watcher: &mut dyn Watcher,
        work: impl FnOnce(&mut Target, &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let clock = Rc::clone(&self.clock);
        let now = || clock.borrow().now().since_open();
        let cancel = self.cancel.clone();
        let mut reporter = Reporter::new(Stage::single(phase), watcher, &now);
        let mut event = Event {
            phase,
            done_bytes: 0,
            total_bytes,
        };
        reporter.tell(&event);
        let done = work(self.stm32()?, &mut |bytes| {
            event.done_bytes += bytes;
            reporter.tell(&event);
            if cancel.is_raised() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        self.pass_on_warnings(watcher);
        done.map_err(|failure| {
            let problem = match failure {
                Failure::Stopped => Problem::Cancelled,
                Failure::Device(error) => error.into(),
            };
            self.on_port(problem).during(phase.to_string())
        })
    }
}

/// A range of addresses that an STM32 has.
fn addresses(range: &Range<u64>) -> Result<Range<u32>, Error> {
    let narrow = |address: u64| u32::try_from(address).ok();
    match (narrow(range.start), narrow(range.end)) {
        (Some(start), Some(end)) if start < end => Ok(start..end),
        _ if range.is_empty() => Err(Problem::from(PlanError::EmptyRange {
            range: range.clone(),
        })
        .into()),
        _ => {
            let what = format!("{:#x} is beyond what an STM32 has", range.end);
            Err(Problem::Usage(what).into())
        }
    }
}
