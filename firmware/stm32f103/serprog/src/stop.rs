//! What is left to do when nothing can be done.

use core::panic::PanicInfo;

use cortex_m_rt::exception;

use crate::leds;

/// No crystal, no USB: blinks slowly, at the 8 MHz that the core starts with.
pub(crate) fn no_crystal() -> ! {
    /// Half a second at least: the delay loop takes longer where flash is slow.
    const HALF_BLINK_CYCLES: u32 = 4_000_000;
    loop {
        leds::set(true);
        cortex_m::asm::delay(HALF_BLINK_CYCLES);
        leds::set(false);
        cortex_m::asm::delay(HALF_BLINK_CYCLES);
    }
}

/// A fault of the core. There should be none; the watchdog starts the program anew.
#[exception]
unsafe fn HardFault(_: &cortex_m_rt::ExceptionFrame) -> ! {
    halt()
}

/// An interrupt that nobody enabled.
#[exception]
unsafe fn DefaultHandler(_: i16) -> ! {
    halt()
}

/// No path leads here: "cargo xtask firmware" shows that the image has no panic in it.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    halt()
}

/// BUSY, until the watchdog resets the chip.
fn halt() -> ! {
    leds::set(true);
    loop {
        core::hint::spin_loop();
    }
}
