//! The bench's SPI flash chips on the emulated bus.

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

use flashwire_link::Instant;
use flashwire_sim::nor::Chip;

use crate::chip::SpiSlave;
use crate::time::Time;

/// A flash chip that is on a bus and in somebody's hands at the same time.
#[derive(Clone)]
pub struct SharedNor(Rc<RefCell<Chip>>);

impl SharedNor {
    /// Makes a chip ready to be wired and looked at.
    pub fn new(chip: Chip) -> Self {
        Self(Rc::new(RefCell::new(chip)))
    }

    /// The chip, to look at.
    ///
    /// # Panics
    /// If it is borrowed for changes at the same time, which no safe use does across calls of the
    /// machine.
    pub fn chip(&self) -> Ref<'_, Chip> {
        self.0.borrow()
    }

    /// The chip, to change something.
    ///
    /// # Panics
    /// If it is borrowed at the same time, which no safe use does across calls of the machine.
    pub fn chip_mut(&self) -> RefMut<'_, Chip> {
        self.0.borrow_mut()
    }
}

/// The same moment on the chip's clock.
fn instant(now: Time) -> Instant {
    Instant::from_open(now.as_duration())
}

impl SpiSlave for SharedNor {
    fn select(&mut self, now: Time) {
        self.chip_mut().select(instant(now));
    }

    fn transfer(&mut self, byte: u8, clock_hz: u64, now: Time) -> u8 {
        let mut chip = self.chip_mut();
        chip.set_clock(u32::try_from(clock_hz).unwrap_or(u32::MAX));
        chip.transfer(instant(now), byte)
    }

    fn deselect(&mut self, now: Time) {
        self.chip_mut().deselect(instant(now));
    }
}
