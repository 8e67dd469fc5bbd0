//! The lights: serprog-stm32vcp's pair at PA0, and the one of a Blue Pill at PC13.
//!
//! READY lies between PA0 and ground, BUSY between 3.3 V and PA0, so one pin drives both: high
//! while nothing is to be done, low while a command is under way or USB is not set up. What a
//! person sees: READY alone, idle; BUSY alone, not enumerated; BUSY flickering, reading; both by
//! turns, erasing (the host asks again and again); both at once, writing.
//!
//! PC13's light, between 3.3 V and the pin, goes with BUSY.

use stm32f1::stm32f103::{GPIOA, GPIOC, Peripherals};

/// The lights.
pub(crate) struct Leds {
    busy: bool,
}

impl Leds {
    /// BUSY, until there is something else to say.
    pub(crate) fn new(peripherals: &Peripherals) -> Self {
        peripherals
            .RCC
            .apb2enr()
            .modify(|_, w| w.iopaen().set_bit().iopcen().set_bit());
        set(true);
        // Slow edges: nothing else is needed of a light.
        peripherals
            .GPIOA
            .crl()
            .modify(|_, w| w.mode0().output2().cnf0().push_pull());
        peripherals
            .GPIOC
            .crh()
            .modify(|_, w| w.mode13().output2().cnf13().push_pull());
        Self { busy: true }
    }

    /// Shows whether the host has set the device up and whether a command is under way.
    pub(crate) fn show(&mut self, configured: bool, commanded: bool) {
        let busy = !configured || commanded;
        if busy != self.busy {
            self.busy = busy;
            set(busy);
        }
    }
}

/// Lights BUSY or READY. Also for when nothing else works any more.
pub(crate) fn set(busy: bool) {
    // SAFETY: writes to BSRR change no other pin than those named, whoever else writes to it.
    let (port_a, port_c) = unsafe { (GPIOA::steal(), GPIOC::steal()) };
    if busy {
        port_a.bsrr().write(|w| w.br0().set_bit());
        port_c.bsrr().write(|w| w.br13().set_bit());
    } else {
        port_a.bsrr().write(|w| w.bs0().set_bit());
        port_c.bsrr().write(|w| w.bs13().set_bit());
    }
}
