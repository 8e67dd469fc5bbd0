//! bxCAN: RM0008 rev 21, chapter 24.
//!
//! A controller behind a transceiver on a bus with nobody else: what it sends is acknowledged in loop
//! back mode only, and received there through the filters. In normal mode it tries again and again,
//! error passive at last, as silicon does. Stuff bits take no time. Not here: time-triggered
//! communication, and other nodes.

use crate::time::Time;

use super::Refusal;

/// CAN_MCR: section 24.9.2.
const MCR_INRQ: u32 = 1 << 0;
const MCR_SLEEP: u32 = 1 << 1;
const MCR_TXFP: u32 = 1 << 2;
const MCR_RFLM: u32 = 1 << 3;
const MCR_NART: u32 = 1 << 4;
const MCR_TTCM: u32 = 1 << 7;
const MCR_RESET: u32 = 1 << 15;
const MCR_BITS: u32 = 0x1_00ff;
/// CAN_MSR.
const MSR_INAK: u32 = 1 << 0;
const MSR_SLAK: u32 = 1 << 1;
const MSR_ERRI: u32 = 1 << 2;
const MSR_WKUI: u32 = 1 << 3;
const MSR_SLAKI: u32 = 1 << 4;
const MSR_TXM: u32 = 1 << 8;
/// SAMP and RX: the bus is recessive.
const MSR_RECESSIVE: u32 = 3 << 10;
/// CAN_TSR, for mailbox 0; the others stand 8 and 16 bits higher.
const TSR_RQCP: u32 = 1 << 0;
const TSR_TXOK: u32 = 1 << 1;
const TSR_TERR: u32 = 1 << 3;
const TSR_ABRQ: u32 = 1 << 7;
/// What a 1 in RQCP clears with it.
const TSR_RESULT: u32 = 0xf;
/// CAN_RFxR.
const RFR_FULL: u32 = 1 << 3;
const RFR_FOVR: u32 = 1 << 4;
const RFR_RFOM: u32 = 1 << 5;
/// CAN_IER.
const IER_TMEIE: u32 = 1 << 0;
const IER_EWGIE: u32 = 1 << 8;
const IER_EPVIE: u32 = 1 << 9;
const IER_LECIE: u32 = 1 << 11;
const IER_ERRIE: u32 = 1 << 15;
const IER_WKUIE: u32 = 1 << 16;
const IER_SLKIE: u32 = 1 << 17;
const IER_BITS: u32 = 0x3_8f7f;
/// CAN_ESR.LEC: nobody acknowledged.
const LEC_ACK: u32 = 3 << 4;
/// CAN_BTR.
const BTR_LBKM: u32 = 1 << 30;
const BTR_SILM: u32 = 1 << 31;
const BTR_BITS: u32 = 0xc37f_03ff;
/// CAN_TIxR.
const TIR_TXRQ: u32 = 1 << 0;
const TIR_RTR: u32 = 1 << 1;
const TIR_IDE: u32 = 1 << 2;
/// CAN_FMR.FINIT; the rest of the register is as it comes out of reset.
const FMR_FINIT: u32 = 1 << 0;
const FMR_RESET: u32 = 0x2a1c_0e00;

/// Banks of filters in a part without connectivity line: section 24.7.4.
const BANKS: usize = 14;
const ALL_BANKS: u32 = (1 << BANKS) - 1;
/// Frames that a FIFO holds: section 24.7.3.
const FIFO_FRAMES: usize = 3;
/// Recessive bits after which a node takes part: section 24.4.2.
const SYNCHRONISATION_BITS: u64 = 11;
/// Error counters: ISO 11898-1, and section 24.7.6.
const WARNING: u32 = 96;
const PASSIVE: u32 = 128;
/// What a frame costs the counter that nobody acknowledges.
const FAILURE: u32 = 8;

/// A frame as it stands in a mailbox: identifier, length, data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mailbox {
    identifier: u32,
    length: u32,
    data: [u32; 2],
    /// In which order it was asked for.
    order: u64,
}

impl Mailbox {
    /// Bits on the wire without stuff bits, the pause behind it included: ISO 11898-1.
    fn bits(&self) -> u64 {
        let overhead = if self.identifier & TIR_IDE != 0 {
            67
        } else {
            47
        };
        let bytes = if self.identifier & TIR_RTR != 0 {
            0
        } else {
            u64::from(self.length & 15).min(8)
        };
        overhead + 8 * bytes
    }

    /// Its rank in the arbitration: the lowest wins, and a standard frame wins over an extended one
    /// with the same first bits.
    fn rank(&self) -> u32 {
        self.identifier & !TIR_TXRQ
    }
}

/// A frame being sent.
#[derive(Clone, Copy, Debug)]
struct Transmission {
    mailbox: usize,
    done: Time,
}

/// A queue of frames that were received.
#[derive(Debug, Default)]
struct Fifo {
    frames: Vec<Mailbox>,
    overrun: bool,
    full_flag: bool,
}

impl Fifo {
    fn status(&self) -> u32 {
        let flag = |condition: bool, bit: u32| if condition { bit } else { 0 };
        self.frames.len() as u32 | flag(self.full_flag, RFR_FULL) | flag(self.overrun, RFR_FOVR)
    }

    fn write(&mut self, value: u32) {
        if value & RFR_FULL != 0 {
            self.full_flag = false;
        }
        if value & RFR_FOVR != 0 {
            self.overrun = false;
        }
        if value & RFR_RFOM != 0 && !self.frames.is_empty() {
            self.frames.remove(0);
        }
    }

    /// Section 24.7.3: a full FIFO keeps what it has if it is locked, and else loses the last.
    fn receive(&mut self, frame: Mailbox, locked: bool) {
        if self.frames.len() < FIFO_FRAMES {
            self.frames.push(frame);
        } else {
            self.overrun = true;
            if !locked && let Some(last) = self.frames.last_mut() {
                *last = frame;
            }
        }
        self.full_flag |= self.frames.len() == FIFO_FRAMES;
    }
}

/// The banks of filters.
#[derive(Debug, Default)]
struct Filters {
    initialised: bool,
    /// CAN_FM1R: a list instead of a mask.
    list: u32,
    /// CAN_FS1R: 32 bits instead of twice 16.
    wide: u32,
    /// CAN_FFA1R: the second FIFO.
    second: u32,
    active: u32,
    banks: [[u32; 2]; BANKS],
}

impl Filters {
    /// The FIFO that a frame goes to, and the number of the filter that lets it through: sections
    /// 24.7.4, "Filter match index" and "Filter priority rules".
    fn place(&self, identifier: u32) -> Option<(usize, u32)> {
        let mut numbers = [0; 2];
        let mut best: Option<((bool, bool), usize, u32)> = None;
        for (index, &[first, second]) in self.banks.iter().enumerate() {
            let is = |register: u32| register >> index & 1 != 0;
            let fifo = usize::from(is(self.second));
            let passes = match (is(self.wide), is(self.list)) {
                (true, false) => vec![(identifier ^ first) & second & !1 == 0],
                (true, true) => vec![
                    (identifier ^ first) & !1 == 0,
                    (identifier ^ second) & !1 == 0,
                ],
                (false, false) => [first, second]
                    .map(|word| (short(identifier) ^ word) & word >> 16 & 0xffff == 0)
                    .to_vec(),
                (false, true) => [first, first >> 16, second, second >> 16]
                    .map(|half| short(identifier) == half & 0xffff)
                    .to_vec(),
            };
            for passed in passes {
                let rank = (!is(self.wide), !is(self.list));
                if passed && is(self.active) && best.is_none_or(|(other, ..)| rank < other) {
                    best = Some((rank, fifo, numbers[fifo]));
                }
                numbers[fifo] += 1;
            }
        }
        best.map(|(_, fifo, number)| (fifo, number))
    }
}

/// An identifier as filters of 16 bits see it: STID, RTR, IDE, EXID 17 to 15.
fn short(identifier: u32) -> u32 {
    identifier >> 21 << 5
        | (identifier >> 1 & 1) << 4
        | (identifier >> 2 & 1) << 3
        | identifier >> 18 & 7
}

/// The controller.
#[derive(Debug)]
pub(super) struct Can {
    mcr: u32,
    msr: u32,
    /// RQCP and the results; what is free is computed.
    tsr: u32,
    ier: u32,
    last_error: u32,
    transmit_errors: u32,
    btr: u32,
    mailboxes: [Mailbox; 3],
    fifos: [Fifo; 2],
    filters: Filters,
    transmission: Option<Transmission>,
    /// When it takes part in the bus.
    joins: Option<Time>,
    order: u64,
}

impl Default for Can {
    /// Out of reset it sleeps: section 24.4.3.
    fn default() -> Self {
        Self {
            mcr: 1 << 16 | MCR_SLEEP,
            msr: MSR_SLAK | MSR_RECESSIVE,
            tsr: 0,
            ier: 0,
            last_error: 0,
            transmit_errors: 0,
            btr: 0x0123_0000,
            mailboxes: Default::default(),
            fifos: Default::default(),
            filters: Filters::default(),
            transmission: None,
            joins: None,
            order: 0,
        }
    }
}

impl Can {
    /// Section 24.7.7.
    fn bit_time(&self, clock: Time) -> Time {
        let quanta = 3 + (self.btr >> 16 & 15) + (self.btr >> 20 & 7);
        clock * u64::from(((self.btr & 0x3ff) + 1) * quanta)
    }

    fn is_pending(&self, mailbox: usize) -> bool {
        self.mailboxes[mailbox].identifier & TIR_TXRQ != 0
    }

    /// CAN_TSR: section 24.9.2.
    fn transmit_status(&self) -> u32 {
        let free = (0..3).filter(|&mailbox| !self.is_pending(mailbox));
        let empty = free.clone().fold(0, |word, mailbox| word | 1 << mailbox);
        let pending = (0..3).filter(|&mailbox| self.is_pending(mailbox));
        let last = pending.max_by_key(|&mailbox| self.mailboxes[mailbox].rank());
        let waiting = empty != 0b111 && (0..3).filter(|&m| self.is_pending(m)).count() > 1;
        // CODE is the next free one, or the one of lowest priority if none is.
        let code = free.min().or(last).unwrap_or(0) as u32;
        let lowest = match last {
            Some(mailbox) if waiting => 1 << mailbox,
            _ => 0,
        };
        self.tsr | code << 24 | empty << 26 | lowest << 29
    }

    /// CAN_ESR: section 24.9.2.
    fn error_status(&self) -> u32 {
        let errors = self.transmit_errors;
        u32::from(errors >= WARNING)
            | u32::from(errors >= PASSIVE) << 1
            | self.last_error
            | errors << 16
    }

    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        let index = (offset >> 4 & 15) as usize;
        Some(match offset {
            0x00 => self.mcr,
            0x04 => {
                self.msr
                    | if self.transmission.is_some() {
                        MSR_TXM
                    } else {
                        0
                    }
            }
            0x08 => self.transmit_status(),
            0x0c => self.fifos[0].status(),
            0x10 => self.fifos[1].status(),
            0x14 => self.ier,
            0x18 => self.error_status(),
            0x1c => self.btr,
            0x180..0x1b0 => field(&self.mailboxes[index - 8], offset),
            0x1b0..0x1d0 => match self.fifos[index - 11].frames.first() {
                Some(frame) => field(frame, offset),
                None => 0,
            },
            0x200 => FMR_RESET | u32::from(!self.filters.initialised),
            0x204 => self.filters.list,
            0x20c => self.filters.wide,
            0x214 => self.filters.second,
            0x21c => self.filters.active,
            0x240..0x2b0 => {
                let word = (offset as usize - 0x240) / 4;
                self.filters.banks[word / 2][word % 2]
            }
            _ => return None,
        })
    }

    /// Writes a register. `clock` is the period of PCLK1.
    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Time,
        clock: Time,
    ) -> Result<(), Refusal> {
        let is_initialising = self.msr & MSR_INAK != 0;
        match offset {
            0x00 if value & MCR_RESET != 0 => *self = Self::default(),
            0x00 => self.write_master(value, now, clock)?,
            0x04 => self.msr &= !(value & (MSR_ERRI | MSR_WKUI | MSR_SLAKI)),
            0x08 => self.write_transmit_status(value),
            0x0c => self.fifos[0].write(value),
            0x10 => self.fifos[1].write(value),
            0x14 => self.ier = value & IER_BITS,
            // LEC can be set by software.
            0x18 => self.last_error = value & 0x70,
            0x1c if is_initialising => self.btr = value & BTR_BITS,
            0x1c => {
                return Err(Refusal::Mistake(
                    "CAN_BTR was written outside initialisation mode",
                ));
            }
            0x180..0x1b0 => self.write_mailbox(offset, value),
            0x1b0..0x1d0 => {}
            0x200 => self.filters.initialised = value & FMR_FINIT == 0,
            0x204 | 0x20c if self.filters.initialised => {
                return Err(Refusal::Mistake(
                    "a CAN filter was configured while FMR.FINIT was clear",
                ));
            }
            0x204 => self.filters.list = value & ALL_BANKS,
            0x20c => self.filters.wide = value & ALL_BANKS,
            0x214 => self.filters.second = value & ALL_BANKS,
            0x21c => self.filters.active = value & ALL_BANKS,
            0x240..0x2b0 => {
                let word = (offset as usize - 0x240) / 4;
                self.filters.banks[word / 2][word % 2] = value;
            }
            _ => return Err(Refusal::Unknown),
        }
        self.start(now, clock);
        Ok(())
    }

    /// The modes: section 24.4, figure 225.
    fn write_master(&mut self, value: u32, now: Time, clock: Time) -> Result<(), Refusal> {
        if value & MCR_TTCM != 0 {
            return Err(Refusal::NotModelled("time-triggered CAN"));
        }
        self.mcr = value & MCR_BITS;
        self.joins = None;
        if value & MCR_SLEEP != 0 {
            if self.msr & MSR_SLAK == 0 {
                self.msr |= MSR_SLAKI;
            }
            self.msr = self.msr & !MSR_INAK | MSR_SLAK;
            self.transmission = None;
        } else if value & MCR_INRQ != 0 {
            self.msr = self.msr & !MSR_SLAK | MSR_INAK;
            self.transmission = None;
        } else if self.msr & (MSR_INAK | MSR_SLAK) != 0 {
            self.joins = Some(now + self.bit_time(clock) * SYNCHRONISATION_BITS);
        }
        Ok(())
    }

    fn write_transmit_status(&mut self, value: u32) {
        for mailbox in 0..3 {
            let shift = 8 * mailbox;
            if value >> shift & TSR_RQCP != 0 {
                self.tsr &= !(TSR_RESULT << shift);
            }
            // A frame on the wire is finished first: section 24.7.1, "Abort".
            let is_under_way = self
                .transmission
                .is_some_and(|sent| sent.mailbox == mailbox);
            if value >> shift & TSR_ABRQ != 0 && self.is_pending(mailbox) && !is_under_way {
                self.mailboxes[mailbox].identifier &= !TIR_TXRQ;
                self.tsr = self.tsr & !(TSR_RESULT << shift) | TSR_RQCP << shift;
            }
        }
    }

    fn write_mailbox(&mut self, offset: u32, value: u32) {
        let index = (offset >> 4 & 15) as usize - 8;
        // Section 24.9.3: write-protected while it is to be sent.
        if self.is_pending(index) {
            return;
        }
        self.order += 1;
        let mailbox = &mut self.mailboxes[index];
        match offset & 0xc {
            0x0 => {
                mailbox.identifier = value;
                mailbox.order = self.order;
                if value & TIR_TXRQ != 0 {
                    self.tsr &= !(TSR_RESULT << (8 * index));
                }
            }
            0x4 => mailbox.length = value & 0xffff_010f,
            0x8 => mailbox.data[0] = value,
            _ => mailbox.data[1] = value,
        }
    }

    /// Begins to send what is to be sent, if anything is and the bus is free.
    fn start(&mut self, now: Time, clock: Time) {
        if self.transmission.is_some() || self.msr & (MSR_INAK | MSR_SLAK) != 0 {
            return;
        }
        let pending = (0..3).filter(|&mailbox| self.is_pending(mailbox));
        let by_order = self.mcr & MCR_TXFP != 0;
        let next = pending.min_by_key(|&index| {
            let mailbox = &self.mailboxes[index];
            if by_order {
                (mailbox.order, 0)
            } else {
                (u64::from(mailbox.rank()), index)
            }
        });
        self.transmission = next.map(|mailbox| Transmission {
            mailbox,
            done: now + self.bit_time(clock) * self.mailboxes[mailbox].bits(),
        });
    }

    pub(super) fn next_event(&self) -> Time {
        let sent = self.transmission.map_or(Time::NEVER, |sent| sent.done);
        sent.min(self.joins.unwrap_or(Time::NEVER))
    }

    /// Does what is due at `now`.
    pub(super) fn service(&mut self, now: Time, clock: Time) {
        if let Some(joined) = self.joins.filter(|&joins| joins <= now) {
            self.joins = None;
            self.msr &= !(MSR_INAK | MSR_SLAK);
            self.start(joined, clock);
        }
        // A frame takes time, so this ends.
        while let Some(sent) = self.transmission.filter(|sent| sent.done <= now) {
            self.transmission = None;
            self.end(sent.mailbox);
            self.start(sent.done, clock);
        }
    }

    /// A frame is through.
    fn end(&mut self, mailbox: usize) {
        let shift = 8 * mailbox;
        let done = if self.btr & BTR_LBKM != 0 {
            self.last_error = 0;
            self.transmit_errors = self.transmit_errors.saturating_sub(1);
            self.receive(self.mailboxes[mailbox]);
            TSR_RQCP | TSR_TXOK
        } else {
            self.fail();
            if self.mcr & MCR_NART == 0 {
                return;
            }
            TSR_RQCP | TSR_TERR
        };
        self.mailboxes[mailbox].identifier &= !TIR_TXRQ;
        self.tsr |= done << shift;
    }

    /// Nobody acknowledged: alone on the bus a node becomes error passive and stays so (ISO 11898-1,
    /// exception 1 of the rules of error confinement).
    fn fail(&mut self) {
        let before = self.error_status();
        // In silent mode not even the frame reaches the bus.
        if self.btr & BTR_SILM == 0 && self.transmit_errors < PASSIVE {
            self.transmit_errors += FAILURE;
        }
        self.last_error = LEC_ACK;
        let risen = self.error_status() & !before;
        let told = (risen & 1 != 0 && self.ier & IER_EWGIE != 0)
            || (risen & 2 != 0 && self.ier & IER_EPVIE != 0)
            || self.ier & IER_LECIE != 0;
        if told {
            self.msr |= MSR_ERRI;
        }
    }

    /// A frame arrives: section 24.7.3.
    fn receive(&mut self, frame: Mailbox) {
        let identifier = frame.identifier & !TIR_TXRQ;
        if !self.filters.initialised {
            return;
        }
        if let Some((fifo, number)) = self.filters.place(identifier) {
            let received = Mailbox {
                identifier,
                length: frame.length & 15 | number << 8,
                ..frame
            };
            self.fifos[fifo].receive(received, self.mcr & MCR_RFLM != 0);
        }
    }

    /// Levels of its four interrupt lines: transmission, both FIFOs, status and errors (section 24.8).
    pub(super) fn interrupts(&self) -> [bool; 4] {
        let completed = self.tsr & 0x0001_0101 != 0;
        let fifo = |index: usize| {
            let enabled = self.ier >> (1 + 3 * index);
            let fifo = &self.fifos[index];
            enabled & 1 != 0 && !fifo.frames.is_empty()
                || enabled & 2 != 0 && fifo.full_flag
                || enabled & 4 != 0 && fifo.overrun
        };
        let status = [
            (MSR_ERRI, IER_ERRIE),
            (MSR_WKUI, IER_WKUIE),
            (MSR_SLAKI, IER_SLKIE),
        ];
        let tells = |&(flag, enable): &(u32, u32)| self.msr & flag != 0 && self.ier & enable != 0;
        [
            completed && self.ier & IER_TMEIE != 0,
            fifo(0),
            fifo(1),
            status.iter().any(tells),
        ]
    }
}

/// A register of a mailbox.
fn field(mailbox: &Mailbox, offset: u32) -> u32 {
    match offset & 0xc {
        0x0 => mailbox.identifier,
        0x4 => mailbox.length,
        0x8 => mailbox.data[0],
        _ => mailbox.data[1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MCR: u32 = 0x00;
    const MSR: u32 = 0x04;
    const TSR: u32 = 0x08;
    const RF0R: u32 = 0x0c;
    const RF1R: u32 = 0x10;
    const IER: u32 = 0x14;
    const ESR: u32 = 0x18;
    const BTR: u32 = 0x1c;
    const FMR: u32 = 0x200;
    const FM1R: u32 = 0x204;
    const FS1R: u32 = 0x20c;
    const FFA1R: u32 = 0x214;
    const FA1R: u32 = 0x21c;

    /// 36 MHz; with [`TIMING`] a bit takes a microsecond.
    const CLOCK: Time = Time::period_of(36_000_000);
    /// BRP 3, TS1 4, TS2 2: 9 quanta of 4 periods.
    const TIMING: u32 = 3 | 4 << 16 | 2 << 20;

    struct Rig {
        can: Can,
        now: Time,
    }

    impl Rig {
        /// Initialised, all frames into FIFO 0, on the bus.
        fn new(mode: u32, master: u32) -> Self {
            let mut rig = Self {
                can: Can::default(),
                now: Time::ZERO,
            };
            rig.write(MCR, MCR_INRQ | master);
            assert_eq!(rig.read(MSR) & 3, MSR_INAK);
            rig.write(BTR, mode | TIMING);
            rig.write(FMR, 1);
            rig.write(FS1R, 1);
            rig.write(FA1R, 1);
            rig.write(FMR, 0);
            rig.write(MCR, master);
            rig.pass(11);
            assert_eq!(rig.read(MSR) & 3, 0, "it takes part");
            rig
        }

        fn write(&mut self, offset: u32, value: u32) {
            self.can.write(offset, value, self.now, CLOCK).unwrap();
        }

        fn read(&self, offset: u32) -> u32 {
            self.can.read(offset).unwrap()
        }

        fn pass(&mut self, bits: u64) {
            self.now += Time::MICROSECOND * bits;
            self.can.service(self.now, CLOCK);
        }

        /// A standard frame with one byte.
        fn send(&mut self, mailbox: u32, identifier: u32, byte: u32) {
            let base = 0x180 + 0x10 * mailbox;
            self.write(base + 4, 1);
            self.write(base + 8, byte);
            self.write(base, identifier << 21 | TIR_TXRQ);
        }
    }

    #[test]
    fn it_sleeps_out_of_reset() {
        let can = Can::default();
        assert_eq!(can.read(MCR), Some(0x0001_0002));
        assert_eq!(can.read(MSR), Some(0x0000_0c02));
        assert_eq!(can.read(TSR), Some(0x1c00_0000));
        assert_eq!(can.read(FMR), Some(0x2a1c_0e01));
    }

    #[test]
    fn a_frame_comes_back_in_loop_back_mode() {
        let mut rig = Rig::new(BTR_LBKM, 0);
        rig.write(IER, IER_TMEIE | 2);
        rig.send(0, 0x123, 0xab);
        rig.pass(54);
        assert_eq!(rig.read(RF0R), 0, "one bit too early");
        assert_eq!(rig.can.interrupts(), [false; 4]);
        rig.pass(1);
        assert_eq!(rig.read(TSR) & 0xff, TSR_RQCP | TSR_TXOK);
        assert_eq!(rig.read(RF0R), 1);
        let frame = [0, 4, 8].map(|field| rig.read(0x1b0 + field));
        assert_eq!(frame, [0x123 << 21, 1, 0xab]);
        assert_eq!(rig.can.interrupts(), [true, true, false, false]);
        rig.write(RF0R, RFR_RFOM);
        rig.write(TSR, TSR_RQCP);
        assert_eq!((rig.read(RF0R), rig.read(TSR)), (0, 0x1c00_0000));
    }

    #[test]
    fn the_lowest_identifier_goes_first_unless_the_order_counts() {
        for (master, expected) in [
            (0, [0x300, 0x100, 0x200]),
            (MCR_TXFP, [0x300, 0x200, 0x100]),
        ] {
            let mut rig = Rig::new(BTR_LBKM, master);
            for (mailbox, identifier) in [(0, 0x300), (1, 0x200), (2, 0x100)] {
                rig.send(mailbox, identifier, 0);
            }
            // The first was on the wire before the others came.
            rig.pass(3 * 55);
            let received = expected.map(|_| {
                let identifier = rig.read(0x1b0) >> 21;
                rig.write(RF0R, RFR_RFOM);
                identifier
            });
            assert_eq!(received, expected);
        }
    }

    #[test]
    fn nobody_acknowledges_on_an_empty_bus() {
        let mut rig = Rig::new(0, 0);
        rig.send(1, 0x42, 0);
        rig.pass(55 * 12);
        // Twelve tries cost 96: warning. It goes on.
        assert_eq!(rig.read(ESR), 96 << 16 | LEC_ACK | 1);
        assert_eq!(rig.read(TSR) >> 8 & 0xff, 0);
        rig.pass(55 * 100);
        assert_eq!(
            rig.read(ESR),
            128 << 16 | LEC_ACK | 3,
            "passive, not bus-off"
        );
        let mut once = Rig::new(0, MCR_NART);
        once.send(1, 0x42, 0);
        once.pass(55);
        assert_eq!(once.read(TSR) >> 8 & 0xff, TSR_RQCP | TSR_TERR);
    }

    #[test]
    fn a_full_fifo_loses_the_last_frame_or_the_new_one() {
        for (master, third) in [(0, 4), (MCR_RFLM, 3)] {
            let mut rig = Rig::new(BTR_LBKM, master);
            for byte in 1..=4 {
                rig.send(0, 0x10, byte);
                rig.pass(55);
                rig.write(TSR, TSR_RQCP);
            }
            assert_eq!(rig.read(RF0R), 3 | RFR_FULL | RFR_FOVR);
            rig.write(RF0R, RFR_RFOM);
            rig.write(RF0R, RFR_RFOM);
            assert_eq!(rig.read(0x1b8), third);
        }
    }

    #[test]
    fn filters_choose_the_fifo_and_say_which_they_are() {
        let mut rig = Rig::new(BTR_LBKM, 0);
        rig.write(FMR, 1);
        // Bank 0: a list of four of 16 bits into FIFO 0; bank 1: a mask of 32 into FIFO 1.
        rig.write(FM1R, 1);
        rig.write(FS1R, 2);
        rig.write(FFA1R, 2);
        rig.write(FA1R, 3);
        rig.write(0x240, 0x101 << 5 | 0x102 << 21);
        rig.write(0x244, 0x103 << 5 | 0x104 << 21);
        rig.write(0x248, 0x200 << 21);
        rig.write(0x24c, 0x700 << 21 | TIR_IDE);
        rig.write(FMR, 0);
        for (identifier, fifo, number) in [(0x103, RF0R, 2), (0x2ff, RF1R, 0), (0x102, RF0R, 1)] {
            rig.send(0, identifier, 0);
            rig.pass(55);
            rig.write(TSR, TSR_RQCP);
            assert_eq!(rig.read(fifo), 1, "{identifier:#x}");
            let frame = if fifo == RF0R { 0x1b4 } else { 0x1c4 };
            assert_eq!(rig.read(frame) >> 8 & 0xff, number, "{identifier:#x}");
            rig.write(fifo, RFR_RFOM);
        }
        rig.send(0, 0x105, 0);
        rig.pass(55);
        assert_eq!(
            (rig.read(RF0R), rig.read(RF1R)),
            (0, 0),
            "no filter lets it through"
        );
    }

    #[test]
    fn timing_is_set_in_initialisation_only() {
        let mut rig = Rig::new(0, 0);
        let refused = rig.can.write(BTR, 0, rig.now, CLOCK);
        assert!(matches!(refused, Err(Refusal::Mistake(_))));
        assert_eq!(rig.read(BTR), TIMING);
    }
}
