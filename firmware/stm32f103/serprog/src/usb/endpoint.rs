//! Endpoint registers: section 23.5.2.
//!
//! A register mixes bits that are written, bits that a one toggles, and flags that a zero clears.
//! All writes go through [`Endpoint::write`], which leaves alone what it is not asked to change.

use stm32f1::stm32f103::USB;

/// A transfer from the host ended.
pub(super) const CTR_RX: u16 = 1 << 15;
/// Toggle of what comes from the host; of a double-buffered IN endpoint, SW_BUF.
pub(super) const DTOG_RX: u16 = 1 << 14;
const STAT_RX: u16 = 0b11 << 12;
/// What came was a SETUP.
pub(super) const SETUP: u16 = 1 << 11;
const EP_TYPE: u16 = 0b11 << 9;
/// DBL_BUF of a bulk endpoint.
const EP_KIND: u16 = 1 << 8;
/// A transfer to the host ended.
pub(super) const CTR_TX: u16 = 1 << 7;
/// Toggle of what goes to the host; of a double-buffered OUT endpoint, SW_BUF.
pub(super) const DTOG_TX: u16 = 1 << 6;
const STAT_TX: u16 = 0b11 << 4;
const EA: u16 = 0b1111;

const FLAGS: u16 = CTR_RX | CTR_TX;
const WRITTEN: u16 = EP_TYPE | EP_KIND | EA;

/// What an endpoint answers to a token.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Stat {
    Disabled,
    Stall,
    Nak,
    Valid,
}

/// What an endpoint is for: EP_TYPE and EP_KIND.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Kind {
    Bulk = 0,
    #[cfg(not(feature = "single-buffered"))]
    DoubleBufferedBulk = EP_KIND,
    Control = 1 << 9,
    Interrupt = 3 << 9,
}

/// An endpoint register, which serves the endpoint of the same number.
#[derive(Clone, Copy)]
pub(super) struct Endpoint(u8);

impl Endpoint {
    pub(super) const fn new(number: u8) -> Self {
        Self(number & 7)
    }

    pub(super) const fn number(self) -> u8 {
        self.0
    }

    fn register(self) -> *mut u32 {
        USB::PTR
            .cast::<u32>()
            .cast_mut()
            .wrapping_add(self.0.into())
    }

    #[inline(always)]
    pub(super) fn read(self) -> u16 {
        // SAFETY: one of the eight endpoint registers, which lie one after the other at the start
        // of the block. Reading has no effect.
        unsafe { self.register().read_volatile() as u16 }
    }

    /// Clears the flags in `clear` and toggles the bits in `toggle`. `seen` is what was read, with
    /// EP_KIND as it shall be.
    #[inline(always)]
    pub(super) fn write(self, seen: u16, clear: u16, toggle: u16) {
        let value = seen & WRITTEN | FLAGS & !clear | toggle;
        // SAFETY: as above. What is written changes what this endpoint does and nothing else.
        unsafe { self.register().write_volatile(value.into()) }
    }

    /// Sets what the endpoint answers to IN tokens.
    pub(super) fn set_tx(self, stat: Stat) {
        let seen = self.read();
        self.write(seen, 0, seen & STAT_TX ^ (stat as u16) << 4);
    }

    /// Sets what the endpoint answers to OUT tokens.
    pub(super) fn set_rx(self, stat: Stat) {
        let seen = self.read();
        self.write(seen, 0, seen & STAT_RX ^ (stat as u16) << 12);
    }

    /// Makes it an endpoint of `kind` that begins with DATA0 and answers as said.
    pub(super) fn begin(self, kind: Kind, tx: Stat, rx: Stat) {
        let seen = self.read();
        let shape = kind as u16 | u16::from(self.0);
        let toggles = seen & (DTOG_RX | DTOG_TX | STAT_RX | STAT_TX);
        // Answers last, when it is known for what.
        self.write(shape, FLAGS, toggles);
        self.set_tx(tx);
        self.set_rx(rx);
    }

    /// Whether it answers STALL, in the one direction that it has.
    pub(super) fn is_halted(self) -> bool {
        let seen = self.read();
        tx_is(seen, Stat::Stall) || rx_is(seen, Stat::Stall)
    }

    /// Makes it answer nothing at all.
    pub(super) fn disable(self) {
        let seen = self.read();
        self.write(seen, FLAGS, seen & (STAT_RX | STAT_TX));
    }

    /// Makes the endpoint double-buffered, or not.
    #[cfg(not(feature = "single-buffered"))]
    pub(super) fn set_double_buffered(self, on: bool) {
        let seen = self.read();
        let shape = if on { seen | EP_KIND } else { seen & !EP_KIND };
        self.write(shape, FLAGS, 0);
    }
}

/// Of what was read: what is answered to IN tokens.
#[inline(always)]
pub(super) const fn tx_is(seen: u16, stat: Stat) -> bool {
    seen & STAT_TX == (stat as u16) << 4
}

/// Of what was read: what is answered to OUT tokens.
#[inline(always)]
pub(super) const fn rx_is(seen: u16, stat: Stat) -> bool {
    seen & STAT_RX == (stat as u16) << 12
}

/// Toggles that lead from what was read to VALID for IN tokens.
#[inline(always)]
pub(super) const fn to_tx_valid(seen: u16) -> u16 {
    seen & STAT_TX ^ (Stat::Valid as u16) << 4
}

/// Toggles that lead from what was read to VALID for OUT tokens.
#[inline(always)]
pub(super) const fn to_rx_valid(seen: u16) -> u16 {
    seen & STAT_RX ^ (Stat::Valid as u16) << 12
}
