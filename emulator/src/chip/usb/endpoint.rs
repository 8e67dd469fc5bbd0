//! USB_EPnR: RM0008 rev 21, section 23.5.2.

use super::DoubleBuffering;

const CTR_RX: u16 = 1 << 15;
const DTOG_RX: u16 = 1 << 14;
const STAT_RX: u16 = 3 << 12;
const SETUP: u16 = 1 << 11;
const EP_TYPE: u16 = 3 << 9;
const EP_KIND: u16 = 1 << 8;
const CTR_TX: u16 = 1 << 7;
const DTOG_TX: u16 = 1 << 6;
const STAT_TX: u16 = 3 << 4;
const EA: u16 = 15;

/// Bits that a written 1 toggles.
const TOGGLED: u16 = DTOG_RX | STAT_RX | DTOG_TX | STAT_TX;
/// Bits that are simply written.
const WRITTEN: u16 = EP_TYPE | EP_KIND | EA;

const TYPE_BULK: u16 = 0 << 9;
const TYPE_CONTROL: u16 = 1 << 9;
const TYPE_ISOCHRONOUS: u16 = 2 << 9;

/// What an endpoint does with a token: STAT_TX and STAT_RX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stat {
    Disabled,
    Stall,
    Nak,
    Valid,
}

impl Stat {
    const fn from_bits(bits: u16) -> Self {
        match bits & 3 {
            0 => Self::Disabled,
            1 => Self::Stall,
            2 => Self::Nak,
            _ => Self::Valid,
        }
    }
}

/// Whether data goes to the host or comes from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// An endpoint register, and what it remembers about double buffering.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Endpoint {
    bits: u16,
    /// The latched conflict between DTOG and SW_BUF.
    blocked: bool,
    /// No transaction has ended since DBL_BUF was set.
    first: bool,
}

impl Endpoint {
    pub(super) fn bits(self) -> u16 {
        self.bits
    }

    /// A reset on the bus clears everything but the two CTR bits.
    pub(super) fn reset(&mut self) {
        *self = Self {
            bits: self.bits & (CTR_RX | CTR_TX),
            ..Self::default()
        };
    }

    pub(super) fn write(&mut self, value: u16, rules: DoubleBuffering) {
        let old = self.bits;
        let kept = old & value & (CTR_RX | CTR_TX) | old & SETUP;
        let toggled = (old ^ value) & TOGGLED;
        self.bits = kept | toggled | value & WRITTEN;
        let was_double = old & (EP_TYPE | EP_KIND) == TYPE_BULK | EP_KIND;
        if self.is_double_buffered() && !was_double {
            self.first = true;
        }
        let software_buffer = match self.direction() {
            Direction::In => DTOG_RX,
            Direction::Out => DTOG_TX,
        };
        if self.is_double_buffered()
            && value & software_buffer != 0
            && rules != DoubleBuffering::Unlatched
        {
            self.blocked = self.conflicts();
        }
    }

    /// Endpoint address, 0 to 15.
    pub(super) fn address(self) -> u8 {
        (self.bits & EA) as u8
    }

    pub(super) fn is_control(self) -> bool {
        self.bits & EP_TYPE == TYPE_CONTROL
    }

    pub(super) fn is_isochronous(self) -> bool {
        self.bits & EP_TYPE == TYPE_ISOCHRONOUS
    }

    pub(super) fn is_enabled(self) -> bool {
        self.bits & (STAT_RX | STAT_TX) != 0
    }

    pub(super) fn is_double_buffered(self) -> bool {
        self.bits & (EP_TYPE | EP_KIND) == TYPE_BULK | EP_KIND
    }

    /// Its transfers raise the high-priority interrupt.
    pub(super) fn is_served_first(self) -> bool {
        self.is_double_buffered() || self.is_isochronous()
    }

    /// STATUS_OUT: only an empty packet is acknowledged.
    pub(super) fn takes_status_only(self) -> bool {
        self.is_control() && self.bits & EP_KIND != 0
    }

    /// A transfer ended that the program has not cleared yet.
    pub(super) fn is_waiting(self) -> bool {
        self.bits & (CTR_RX | CTR_TX) != 0
    }

    pub(super) fn has_received(self) -> bool {
        self.bits & CTR_RX != 0
    }

    pub(super) fn stat(self, direction: Direction) -> Stat {
        match direction {
            Direction::In => Stat::from_bits(self.bits >> 4),
            Direction::Out => Stat::from_bits(self.bits >> 12),
        }
    }

    /// The toggle of the next packet.
    pub(super) fn toggle(self, direction: Direction) -> bool {
        match direction {
            Direction::In => self.bits & DTOG_TX != 0,
            Direction::Out => self.bits & DTOG_RX != 0,
        }
    }

    /// The direction of a double-buffered endpoint, which has only one (section 23.4.3).
    fn direction(self) -> Direction {
        if self.bits & STAT_TX != 0 {
            Direction::In
        } else {
            Direction::Out
        }
    }

    /// DTOG and SW_BUF, which stand in each other's place for the two directions, are equal.
    fn conflicts(self) -> bool {
        (self.bits & DTOG_TX != 0) == (self.bits & DTOG_RX != 0)
    }

    /// Whether a double-buffered endpoint answers NAK because its buffer is not free.
    pub(super) fn is_blocked(self, rules: DoubleBuffering) -> bool {
        self.is_double_buffered()
            && match rules {
                DoubleBuffering::Unlatched => self.conflicts(),
                DoubleBuffering::Latched | DoubleBuffering::FirstNaks => self.blocked,
            }
    }

    /// A packet went to the host and was acknowledged, or came from it.
    pub(super) fn complete(&mut self, direction: Direction, rules: DoubleBuffering) {
        let (done, toggle, stat, nak) = match direction {
            Direction::In => (CTR_TX, DTOG_TX, STAT_TX, 2 << 4),
            Direction::Out => (CTR_RX, DTOG_RX, STAT_RX, 2 << 12),
        };
        self.bits = (self.bits | done) ^ toggle;
        if direction == Direction::Out && self.is_control() {
            self.bits &= !SETUP;
        }
        if !self.is_double_buffered() {
            self.bits = self.bits & !stat | nak;
            return;
        }
        let first = std::mem::take(&mut self.first);
        match (rules, first) {
            (DoubleBuffering::Unlatched, _) | (DoubleBuffering::Latched, true) => {}
            (DoubleBuffering::FirstNaks, true) => {
                self.bits = self.bits & !stat | nak;
                self.blocked = self.conflicts();
            }
            (_, false) => self.blocked = self.conflicts(),
        }
    }

    /// A SETUP came: both directions answer NAK, the next packets are DATA1 both ways (section
    /// 23.4.2, control transfers).
    pub(super) fn accept_setup(&mut self) {
        let nak = 2 << 12 | 2 << 4;
        self.bits = self.bits & !(STAT_RX | STAT_TX) | nak | DTOG_RX | DTOG_TX | SETUP | CTR_RX;
    }
}
