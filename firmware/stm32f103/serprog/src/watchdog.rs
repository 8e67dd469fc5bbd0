//! The independent watchdog: a program that hangs starts anew. Section 19.

use stm32f1::stm32f103::{IWDG, Peripherals};

/// The watchdog, running.
pub(crate) struct Watchdog(IWDG);

/// IWDG_KR: section 19.4.1.
const ALLOW_ACCESS: u16 = 0x5555;
const FEED: u16 = 0xAAAA;
const START: u16 = 0xCCCC;

/// Periods of 32 cycles of its 40 kHz oscillator (30 to 60 kHz): 1 s (0.7 to 1.3). The slowest thing
/// between two feedings is a packet at the lowest SPI clock, 2 ms.
const PERIODS: u16 = 1250;

impl Watchdog {
    /// Starts it. Nothing but a reset stops it.
    pub(crate) fn start(_: &Peripherals) -> Self {
        // SAFETY: nothing else uses the watchdog.
        let watchdog = unsafe { IWDG::steal() };
        // SAFETY: these are the documented keys, and the period fits the field's twelve bits.
        unsafe {
            watchdog.kr().write(|w| w.bits(ALLOW_ACCESS));
            watchdog.pr().write(|w| w.pr().divide_by32());
            watchdog.rlr().write(|w| w.rl().bits(PERIODS));
            watchdog.kr().write(|w| w.bits(START));
        }
        Self(watchdog)
    }

    /// Says that all is well.
    pub(crate) fn feed(&self) {
        // SAFETY: the documented key.
        unsafe { self.0.kr().write(|w| w.bits(FEED)) };
    }
}
