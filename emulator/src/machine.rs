//! Core and chip together, under power.

use crate::chip::{Chip, Config, ResetCause};
use crate::cpu::{Cpu, Exit};
use crate::halt::Halt;
use crate::image::{FLASH_BASE, Image, ImageError};
use crate::time::Time;

/// A STM32F103 that runs what is in its flash.
#[derive(Debug)]
pub struct Machine {
    cpu: Cpu,
    chip: Chip,
    resets: u64,
    /// Where a boot loader that is not there would find the program's vector table, if that is not
    /// at the beginning of the flash.
    behind_loader: Option<u32>,
}

impl Machine {
    /// A chip with erased flash. Nothing happens before [`run_until`](Self::run_until).
    pub fn new(config: Config) -> Self {
        let chip = Chip::new(config);
        Self {
            cpu: Cpu::new(&chip),
            chip,
            resets: 0,
            behind_loader: None,
        }
    }

    /// Puts an image into the flash and resets the chip. A program that does not begin where the
    /// flash does is started, at every reset, as its boot loader would.
    ///
    /// # Errors
    /// [`ImageError`] if it does not fit.
    pub fn load(&mut self, image: &Image) -> Result<(), ImageError> {
        image.place(self.chip.flash_mut())?;
        let table = image.vector_table();
        self.behind_loader = (table != FLASH_BASE).then_some(table);
        self.reset(ResetCause::PowerOn);
        Ok(())
    }

    /// Resets the chip. Time, memories and what is wired outside stay.
    pub fn reset(&mut self, cause: ResetCause) {
        self.chip.reset(cause, self.cpu.now());
        self.cpu.reset(&self.chip);
        if let Some(table) = self.behind_loader {
            self.cpu.start_at(&self.chip, table);
        }
        self.resets += 1;
    }

    /// Runs up to `moment`; the last instruction may end a little later.
    ///
    /// # Errors
    /// [`Halt`] where the emulator does not know what the chip would do.
    pub fn run_until(&mut self, moment: Time) -> Result<(), Halt> {
        while self.cpu.run(&mut self.chip, moment)? == Exit::ResetRequested {
            let cause = self.chip.wanted_reset().unwrap_or(ResetCause::Software);
            self.reset(cause);
        }
        Ok(())
    }

    /// Runs for `duration` from now.
    ///
    /// # Errors
    /// As [`run_until`](Self::run_until).
    pub fn run_for(&mut self, duration: Time) -> Result<(), Halt> {
        self.run_until(self.now() + duration)
    }

    /// The moment up to which everything has happened.
    pub fn now(&self) -> Time {
        self.cpu.now()
    }

    /// The core.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// The core, to look and reach into.
    pub fn cpu_mut(&mut self) -> &mut Cpu {
        &mut self.cpu
    }

    /// The rest of the chip.
    pub fn chip(&self) -> &Chip {
        &self.chip
    }

    /// The rest of the chip, to look and reach into.
    pub fn chip_mut(&mut self) -> &mut Chip {
        &mut self.chip
    }

    /// How often the chip was reset since its power came, by the program, a watchdog, or from
    /// outside.
    pub fn resets(&self) -> u64 {
        self.resets
    }
}
