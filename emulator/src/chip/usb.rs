//! The USB full-speed device: RM0008 rev 21, chapter 23.
//!
//! Registers, packet memory, endpoints with their toggles, double-buffered bulk endpoints, bus
//! reset, suspend and resume. The other end of the cable calls the functions of
//! [`transactions`]. Not here: isochronous endpoints.

mod endpoint;
mod packet_memory;
mod transactions;

use crate::time::Time;

use super::Refusal;
use endpoint::{Direction, Endpoint, Stat};
use packet_memory::PacketMemory;
pub(crate) use transactions::{InReply, OutReply};

/// Endpoint registers.
const ENDPOINTS: usize = 8;

/// USB_CNTR: section 23.5.1.
const CNTR_FRES: u16 = 1 << 0;
const CNTR_PDWN: u16 = 1 << 1;
const CNTR_LPMODE: u16 = 1 << 2;
const CNTR_FSUSP: u16 = 1 << 3;
const CNTR_RESUME: u16 = 1 << 4;
const CNTR_BITS: u16 = 0xff1f;

/// USB_ISTR: section 23.5.1.
const ISTR_DIR: u16 = 1 << 4;
const ISTR_ESOF: u16 = 1 << 8;
const ISTR_SOF: u16 = 1 << 9;
const ISTR_RESET: u16 = 1 << 10;
const ISTR_SUSP: u16 = 1 << 11;
const ISTR_WKUP: u16 = 1 << 12;
const ISTR_ERR: u16 = 1 << 13;
const ISTR_CTR: u16 = 1 << 15;
/// Flags that are cleared by writing 0.
const ISTR_FLAGS: u16 = 0x7f00;

/// USB_DADDR.EF.
const DADDR_EF: u16 = 1 << 7;

/// USB_FNR.LCK: section 23.5.1.
const FNR_LCK: u16 = 1 << 13;

/// A frame: USB 2.0, section 8.4.3.
const FRAME: Time = Time::MILLISECOND;

/// How the manual's sentences on double-buffered bulk endpoints are read.
///
/// Section 23.4.3 says that the end of the *first* transaction after DBL_BUF was set triggers the
/// special flow control, so the first packet is not protected by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DoubleBuffering {
    /// A conflict (DTOG equals SW_BUF) is latched when SW_BUF is written, and at the end of every
    /// transaction but the first; it is released by writing SW_BUF so that it differs from DTOG.
    #[default]
    Latched,
    /// As [`Latched`](Self::Latched), and STAT becomes NAK after the first transaction: "unlike
    /// common transactions, *and the first one*, STAT is not affected".
    FirstNaks,
    /// A conflict is whether DTOG equals SW_BUF when the token comes. Wrong on silicon; programs
    /// that only work with this hang there.
    Unlatched,
}

/// State of the two wires as the receiver sees it: USB_FNR.RXDP and RXDM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wires {
    /// Idle, or packets.
    J,
    /// Reset, or nothing there.
    Se0,
    /// Resume.
    K,
}

/// The device.
#[derive(Debug)]
pub(crate) struct Usb {
    endpoints: [Endpoint; ENDPOINTS],
    control: u16,
    status: u16,
    frame: u16,
    address: u16,
    buffer_table: u16,
    pub(in crate::chip) memory: PacketMemory,
    double_buffering: DoubleBuffering,
    wires: Wires,
    /// When the next start of frame should have come at the latest.
    expected_frame: Time,
    lost_frames: u16,
    frames_in_a_row: u32,
    /// SETUPs that were dropped because the one before was not looked at yet.
    dropped_setups: u64,
    /// Packets that came from the host on any endpoint but 0.
    requests: u64,
    /// Nothing was put up for the host since the last of them.
    unanswered: bool,
}

impl Usb {
    pub(super) fn new(double_buffering: DoubleBuffering) -> Self {
        Self {
            endpoints: [Endpoint::default(); ENDPOINTS],
            control: CNTR_FRES | CNTR_PDWN,
            status: 0,
            frame: 0,
            address: 0,
            buffer_table: 0,
            memory: PacketMemory::default(),
            double_buffering,
            wires: Wires::Se0,
            expected_frame: Time::NEVER,
            lost_frames: 0,
            frames_in_a_row: 0,
            dropped_setups: 0,
            requests: 0,
            unanswered: false,
        }
    }

    /// The registers forget; the packet memory keeps its content, and the wires are the world's.
    pub(super) fn reset(&mut self) {
        *self = Self {
            memory: std::mem::take(&mut self.memory),
            wires: self.wires,
            dropped_setups: self.dropped_setups,
            requests: self.requests,
            ..Self::new(self.double_buffering)
        };
    }

    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        Some(u32::from(match offset {
            0x00..=0x1c => self.endpoints[offset as usize / 4].bits(),
            0x40 => self.control,
            0x44 => self.status(),
            0x48 => {
                let (dp, dm) = match self.wires {
                    Wires::J => (1, 0),
                    Wires::Se0 => (0, 0),
                    Wires::K => (0, 1),
                };
                let locked = if self.frames_in_a_row >= 2 {
                    FNR_LCK
                } else {
                    0
                };
                dp << 15 | dm << 14 | locked | self.lost_frames << 11 | self.frame
            }
            0x4c => self.address,
            0x50 => self.buffer_table,
            _ => return None,
        }))
    }

    pub(super) fn write(&mut self, offset: u32, value: u32, now: Time) -> Result<(), Refusal> {
        let value = value as u16;
        match offset {
            0x00..=0x1c => {
                let endpoint = &mut self.endpoints[offset as usize / 4];
                endpoint.write(value, self.double_buffering);
                if offset > 0 && endpoint.stat(Direction::In) == Stat::Valid {
                    self.unanswered = false;
                }
                if endpoint.is_isochronous() && endpoint.is_enabled() {
                    return Err(Refusal::NotModelled("an isochronous endpoint"));
                }
            }
            0x40 => {
                let was_suspended = self.control & CNTR_FSUSP != 0;
                self.control = value & CNTR_BITS;
                if value & CNTR_FRES != 0 {
                    self.reset_protocol(now);
                }
                // The check for lost frames goes on after a suspend (section 23.4.5).
                if was_suspended && value & CNTR_FSUSP == 0 {
                    self.expected_frame = now + FRAME;
                    self.lost_frames = 0;
                }
            }
            0x44 => self.status &= value | !ISTR_FLAGS,
            // FNR is read-only.
            0x48 => {}
            0x4c => self.address = value & 0xff,
            0x50 => self.buffer_table = value & 0xfff8,
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    /// Whether the transceiver is switched on: only then it has anything to do with the wires.
    pub(super) fn is_powered(&self) -> bool {
        self.control & CNTR_PDWN == 0
    }

    /// Whether the function answers anything.
    fn is_enabled(&self) -> bool {
        self.control & (CNTR_PDWN | CNTR_FRES) == 0
            && self.address & DADDR_EF != 0
            && self.status & ISTR_RESET == 0
            && self.wires == Wires::J
    }

    /// What a reset on the bus, or FRES, does: section 23.4.2 and the notes at USB_EPnR.
    fn reset_protocol(&mut self, now: Time) {
        for endpoint in &mut self.endpoints {
            endpoint.reset();
        }
        self.address = 0;
        self.status |= ISTR_RESET;
        self.lost_frames = 0;
        self.frames_in_a_row = 0;
        self.expected_frame = now + FRAME;
    }

    /// USB_ISTR: of several endpoints, double-buffered and isochronous ones come first, then the
    /// lowest register.
    fn status(&self) -> u16 {
        let waiting = |special: bool| {
            self.endpoints
                .iter()
                .position(|endpoint| endpoint.is_served_first() == special && endpoint.is_waiting())
        };
        let Some(index) = waiting(true).or_else(|| waiting(false)) else {
            return self.status;
        };
        let direction = if self.endpoints[index].has_received() {
            ISTR_DIR
        } else {
            0
        };
        self.status | ISTR_CTR | direction | index as u16
    }

    /// The interrupt lines of high (19) and low priority (20): section 23.4.1.
    pub(super) fn interrupts(&self) -> (bool, bool) {
        let high = self
            .endpoints
            .iter()
            .any(|endpoint| endpoint.is_served_first() && endpoint.is_waiting());
        // The masks stand in USB_CNTR where the flags stand in USB_ISTR.
        let low = self.status() & self.control & 0xff00 != 0;
        (high, low)
    }

    /// The line to EXTI 18: activity while suspended.
    pub(super) fn wakes(&self) -> bool {
        self.status & ISTR_WKUP != 0
    }

    /// When a start of frame will be missed.
    pub(super) fn next_event(&self) -> Time {
        let watches = self.is_powered() && self.control & (CNTR_FRES | CNTR_FSUSP) == 0;
        if watches && self.wires == Wires::J {
            self.expected_frame
        } else {
            Time::NEVER
        }
    }

    /// Misses a start of frame if it is due: section 23.5.1, ESOF and SUSP.
    pub(super) fn service(&mut self, now: Time) {
        while self.next_event() <= now {
            self.expected_frame += FRAME;
            self.status |= ISTR_ESOF;
            self.frames_in_a_row = 0;
            if self.lost_frames < 3 {
                self.lost_frames += 1;
                if self.lost_frames == 3 {
                    self.status |= ISTR_SUSP;
                }
            }
        }
    }

    /// SETUPs that were dropped so far because the one before was still waiting.
    pub(super) fn dropped_setups(&self) -> u64 {
        self.dropped_setups
    }

    /// Number of the last packet that came on any endpoint but 0, if no endpoint has been made
    /// ready to send since.
    pub(super) fn request(&self) -> Option<u64> {
        self.unanswered.then_some(self.requests)
    }

    /// The address that the function answers to, once it is enabled.
    #[cfg(test)]
    fn function_address(&self) -> u8 {
        (self.address & 0x7f) as u8
    }
}

#[cfg(test)]
mod tests;
