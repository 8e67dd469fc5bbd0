//! Clocks, and the time.

use core::cell::Cell;

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use flashwire_device::Moment;
use stm32f1::stm32f103::Peripherals;

/// Clock of the core, of DMA and of the bus with the pins and SPI1, in Hz: nine times the 8 MHz
/// crystal.
pub(crate) const CORE_HZ: u32 = 72_000_000;

/// How often the crystal is asked whether it swings, at 8 MHz and about ten cycles a look: 0.1 s.
/// Datasheet DS5319, table 22: 2 ms are typical.
const CRYSTAL_LOOKS: u32 = 80_000;

/// Runs core and buses from the crystal: 72 MHz, 36 MHz for APB1, 48 MHz for USB. Section 7.2.
/// Tells whether there is a crystal that swings; if not, nothing is changed.
pub(crate) fn run_from_crystal(peripherals: &Peripherals) -> bool {
    let rcc = &peripherals.RCC;
    // As after a reset: a boot loader may have started the program with a clock of its own, and a PLL
    // that runs cannot be set (section 7.3.2).
    rcc.cr().modify(|_, w| w.hsion().set_bit());
    rcc.cfgr().reset();
    while !rcc.cfgr().read().sws().is_hsi() {}
    rcc.cr().modify(|_, w| w.pllon().clear_bit());
    rcc.cr().modify(|_, w| w.hseon().set_bit());
    if !(0..CRYSTAL_LOOKS).any(|_| rcc.cr().read().hserdy().bit_is_set()) {
        return false;
    }
    // Section 3.3.3: two wait states above 48 MHz.
    peripherals
        .FLASH
        .acr()
        .modify(|_, w| w.latency().ws2().prftbe().set_bit());
    // USB gets the PLL's clock divided by 1.5, which is what `usbpre` is after a reset.
    rcc.cfgr()
        .modify(|_, w| w.pllsrc().hse_div_prediv().pllmul().mul9().ppre1().div2());
    rcc.cr().modify(|_, w| w.pllon().set_bit());
    while rcc.cr().read().pllrdy().bit_is_clear() {}
    rcc.cfgr().modify(|_, w| w.sw().pll());
    while !rcc.cfgr().read().sws().is_pll() {}
    true
}

/// Microseconds since the start, counted by SysTick.
pub(crate) struct Micros {
    /// What the timer read the last time.
    last_ticks: Cell<u32>,
    /// Ticks that do not make a microsecond yet.
    rest: Cell<u32>,
    micros: Cell<u32>,
}

impl Micros {
    /// SysTick counts an eighth of the core's clock (section 10.1).
    const TICKS_PER_MICRO: u32 = CORE_HZ / 8 / 1_000_000;
    /// It counts down from here and begins anew: every 1.86 s.
    const LAST_TICK: u32 = 0x00FF_FFFF;

    /// Starts the timer.
    pub(crate) fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::External);
        timer.set_reload(Self::LAST_TICK);
        timer.clear_current();
        timer.enable_counter();
        Self {
            last_ticks: Cell::new(0),
            rest: Cell::new(0),
            micros: Cell::new(0),
        }
    }

    /// The time now. Has to be asked at least once a second.
    pub(crate) fn now(&self) -> Moment {
        let ticks = SYST::get_current();
        let passed = self.last_ticks.replace(ticks).wrapping_sub(ticks) & Self::LAST_TICK;
        let sum = self.rest.get() + passed;
        self.rest.set(sum % Self::TICKS_PER_MICRO);
        let micros = self.micros.get().wrapping_add(sum / Self::TICKS_PER_MICRO);
        self.micros.set(micros);
        Moment::from_micros(micros)
    }
}
