//! A CDC-ACM port on the USB full-speed device: section 23.
//!
//! | endpoint | |
//! |---|---|
//! | 0 | control, see [`control`] |
//! | 1 OUT | bytes from the host |
//! | 2 IN | bytes to the host |
//! | 3 IN | notifications, of which there are none |
//!
//! The bulk endpoints are in [`bulk`].

mod bulk;
mod control;
mod descriptors;
mod endpoint;
mod packet_memory;

use core::ops::Range;

use cortex_m::asm;
use stm32f1::stm32f103::{GPIOA, Peripherals, USB};

use crate::clocks::CORE_HZ;
use crate::watchdog::Watchdog;
use bulk::{Input, Output};
use control::{Control, Outcome};
use endpoint::{Endpoint, Kind, Stat};
use packet_memory::Slot;

/// A full packet of the bulk endpoints, in bytes: the most that full speed has.
pub(crate) const PACKET_BYTES: usize = 64;

/// USB_BTABLE: the table begins the packet memory.
const TABLE_START: u16 = 0;

const NOTIFICATIONS: Endpoint = Endpoint::new(3);
const NOTIFICATION_START: u16 = 448;

/// The port.
pub(crate) struct SerialPort {
    usb: USB,
    control: Control,
    input: Input,
    output: Output,
    /// The last packet that arrived, and what of it was not taken yet.
    packet: [u8; PACKET_BYTES],
    untaken: Range<usize>,
    configured: bool,
    /// The program that had the port open is gone. What it sent is still worked through; its answers
    /// are dropped.
    closed: bool,
}

impl SerialPort {
    /// Shows the host that something was plugged in, and waits for it to ask.
    pub(crate) fn attach(peripherals: &Peripherals, watchdog: &Watchdog) -> Self {
        pretend_to_be_unplugged(peripherals);
        watchdog.feed();
        peripherals.RCC.apb1enr().modify(|_, w| w.usben().set_bit());
        // SAFETY: nothing else uses the USB registers but the interrupt, which keeps to its endpoints.
        let usb = unsafe { USB::steal() };
        // Section 23.4.2: power first, and 1 us (datasheet DS5319, tSTARTUP) before the end of the
        // reset.
        usb.cntr().write(|w| w.pdwn().clear_bit().fres().set_bit());
        asm::delay(CORE_HZ / 1_000_000);
        // SAFETY: the table's offset is a multiple of eight.
        usb.btable()
            .write(|w| unsafe { w.bits(TABLE_START.into()) });
        usb.cntr()
            .write(|w| w.pdwn().clear_bit().fres().clear_bit());
        // SAFETY: all flags may be cleared.
        usb.istr().write(|w| unsafe { w.bits(0) });
        usb.cntr()
            .write(|w| w.pdwn().clear_bit().fres().clear_bit().ctrm().enabled());
        bulk::resume_interrupts();
        Self {
            usb,
            control: Control::new(),
            input: Input::new(),
            output: Output::new(),
            packet: [0; PACKET_BYTES],
            untaken: 0..0,
            configured: false,
            closed: false,
        }
    }

    /// Looks after everything but the bytes. Has to be called all the time. Tells whether a
    /// conversation that was under way is over: the port was opened anew, the bus was reset, or the
    /// host took the configuration away.
    pub(crate) fn poll(&mut self) -> bool {
        let flags = self.usb.istr().read();
        if flags.reset().bit_is_set() {
            self.clear_flags(ISTR_RESET);
            self.begin();
            return true;
        }
        if flags.wkup().bit_is_set() {
            self.clear_flags(ISTR_WKUP);
            self.usb.cntr().modify(|_, w| w.fsusp().clear_bit());
        }
        if flags.susp().bit_is_set() {
            // The clocks go on, so that what the host left half-done can go on too.
            self.clear_flags(ISTR_SUSP);
            self.usb
                .cntr()
                .modify(|_, w| w.fsusp().set_bit().lpmode().set_bit());
        }
        if flags.ctr().bit_is_clear() {
            return false;
        }
        let outcome = self.control.poll(&self.usb);
        bulk::resume_interrupts();
        match outcome {
            None => return false,
            Some(Outcome::Configured(true)) => {
                self.configure();
                return false;
            }
            Some(Outcome::Configured(false)) => self.begin_unconfigured(),
            Some(Outcome::Halted { address, halted }) => return self.halt(address, halted),
            Some(Outcome::InterfaceSet(0)) => {
                self.begin_notifications();
                return false;
            }
            Some(Outcome::InterfaceSet(_)) => self.begin_bulk(),
            Some(Outcome::Ready(true)) => {
                self.closed = false;
                self.discard_arrived();
                self.input.discard();
            }
            Some(Outcome::Ready(false)) => {
                self.closed = true;
                return false;
            }
        }
        true
    }

    /// Waits until there is something to be done for the host, or for a short time: about a
    /// millisecond. A loop that does nothing else finds a packet soonest.
    #[inline(always)]
    pub(crate) fn wait_for_news(&self) {
        const LOOKS: u32 = 4000;
        if !self.input.is_idle() {
            return;
        }
        for _ in 0..LOOKS {
            if self.output.has_packet() || self.has_news() {
                return;
            }
        }
    }

    /// Whether [`poll`](Self::poll) has something to do.
    #[inline(always)]
    fn has_news(&self) -> bool {
        let flags = self.usb.istr().read();
        let to_control = flags.ctr().bit_is_set() && flags.ep_id().bits() == 0;
        flags.bits() & (ISTR_RESET | ISTR_SUSP | ISTR_WKUP) != 0 || to_control
    }

    /// Whether the host has set the device up.
    pub(crate) fn is_configured(&self) -> bool {
        self.configured
    }

    /// Whether the last owner is gone and left something to be done.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether there is nothing that has arrived and was not taken.
    pub(crate) fn nothing_arrived(&self) -> bool {
        self.untaken.is_empty() && !self.output.has_packet()
    }

    /// The last owner's business is done: what it was to hear is dropped.
    pub(crate) fn forget_owner(&mut self) {
        self.closed = false;
        if self.configured {
            self.input.discard();
        }
    }

    /// What has arrived and was not taken yet.
    #[inline(always)]
    pub(crate) fn arrived(&mut self) -> &[u8] {
        if self.untaken.is_empty() {
            let count = self.output.receive(&mut self.packet);
            self.untaken = 0..count;
            return self.packet.get(..count).unwrap_or_default();
        }
        self.packet.get(self.untaken.clone()).unwrap_or_default()
    }

    /// Takes so many bytes of [`arrived`](Self::arrived).
    #[inline(always)]
    pub(crate) fn drop_arrived(&mut self, count: usize) {
        self.untaken.start += count;
    }

    /// Drops all that has come in and was not taken.
    fn discard_arrived(&mut self) {
        // Both buffers; more would be the next owner's.
        for _ in 0..2 {
            self.output.receive(&mut self.packet);
        }
        self.untaken = 0..0;
    }

    /// Whether [`send`](Self::send) can be called.
    #[inline(always)]
    pub(crate) fn takes_packet(&mut self) -> bool {
        self.input.takes_packet()
    }

    /// Sends a packet. A full one waits for the next: one that is not full, were it empty, tells
    /// the host that this is all for now.
    #[inline(always)]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.input.send(bytes);
    }

    /// The bus was reset: endpoint 0 alone, address 0.
    fn begin(&mut self) {
        self.begin_unconfigured();
        self.control.begin();
        // USB_DADDR.EF
        self.usb.daddr().write(|w| w.ef().enabled());
    }

    fn begin_unconfigured(&mut self) {
        self.configured = false;
        self.closed = false;
        self.untaken = 0..0;
        self.input.disable();
        self.output.disable();
        NOTIFICATIONS.disable();
    }

    fn configure(&mut self) {
        self.begin_bulk();
        self.begin_notifications();
        self.configured = true;
    }

    fn begin_bulk(&mut self) {
        self.input.begin();
        self.begin_output();
    }

    fn begin_output(&mut self) {
        self.untaken = 0..0;
        self.output.begin();
    }

    fn begin_notifications(&mut self) {
        packet_memory::set_buffer(NOTIFICATIONS, Slot::Tx, NOTIFICATION_START);
        NOTIFICATIONS.begin(Kind::Interrupt, Stat::Nak, Stat::Disabled);
    }

    /// Halts an endpoint, or lets it begin with DATA0 again, whether it was halted or not: USB 2.0,
    /// section 9.4.5. Tells whether that ends a conversation.
    fn halt(&mut self, address: u8, halted: bool) -> bool {
        match (address, halted) {
            (0x01, true) => {
                self.untaken = 0..0;
                self.output.halt();
            }
            (0x01, false) => self.begin_output(),
            (0x82, true) => self.input.halt(),
            (0x82, false) => self.input.begin(),
            (_, true) => {
                NOTIFICATIONS.set_tx(Stat::Stall);
                return false;
            }
            (_, false) => {
                self.begin_notifications();
                return false;
            }
        }
        true
    }

    /// Clears flags of USB_ISTR: zeros clear, ones leave.
    fn clear_flags(&self, flags: u32) {
        // SAFETY: the register takes any value.
        self.usb
            .istr()
            .write(|w| unsafe { w.bits(!flags & 0xFFFF) });
    }
}

/// USB_ISTR: section 23.5.1.
const ISTR_SUSP: u32 = 1 << 11;
const ISTR_WKUP: u32 = 1 << 12;
const ISTR_RESET: u32 = 1 << 10;

/// The pull-up of D+ lies on the board and cannot be switched: PA12 holds the line low long enough
/// for the host to see that what was there before the reset is gone (2.5 us, USB 2.0, table 7-13; a
/// hub debounces for 100 ms after it is back).
fn pretend_to_be_unplugged(peripherals: &Peripherals) {
    const HOLD_MS: u32 = 5;
    let port: &GPIOA = &peripherals.GPIOA;
    peripherals
        .RCC
        .apb2enr()
        .modify(|_, w| w.iopaen().set_bit());
    port.bsrr().write(|w| w.br12().set_bit());
    port.crh()
        .modify(|_, w| w.mode12().output2().cnf12().open_drain());
    asm::delay(HOLD_MS * (CORE_HZ / 1000));
    port.crh()
        .modify(|_, w| w.mode12().input().cnf12().open_drain());
}
