//! Without the hardware's double buffering: the endpoint has two buffers all the same, and at the
//! end of each packet an interrupt writes the other one into the table.

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use cortex_m::peripheral::NVIC;
use stm32f1::stm32f103::{Interrupt, interrupt};

use super::super::PACKET_BYTES;
use super::super::endpoint::{CTR_RX, CTR_TX, Endpoint, Kind, Stat, to_rx_valid, to_tx_valid};
use super::super::packet_memory::{self, Slot};
use super::{IN, IN_START, OUT, OUT_START, buffer, mask};

const CONTROL: Endpoint = Endpoint::new(0);

/// "No packet" where a packet is told by its length.
const NONE: u8 = u8::MAX;

/// Whether it is the second buffer of IN that is being sent, or was at last.
static IN_SENDING: AtomicBool = AtomicBool::new(false);
/// A packet is being sent.
static IN_BUSY: AtomicBool = AtomicBool::new(false);
/// Length of the packet in the other buffer.
static IN_QUEUED: AtomicU8 = AtomicU8::new(NONE);

/// Whether it is the second buffer of OUT that the hardware fills.
static OUT_FILLING: AtomicBool = AtomicBool::new(false);
/// Length of the packet in the other buffer.
static OUT_ARRIVED: AtomicU8 = AtomicU8::new(NONE);
/// The buffer that the hardware had is full too.
static OUT_FULL: AtomicBool = AtomicBool::new(false);

/// Lets the end of a packet interrupt the program, again when it has looked after endpoint 0.
pub(in super::super) fn resume_interrupts() {
    // SAFETY: the handler below is made for it.
    unsafe { NVIC::unmask(Interrupt::USB_LP_CAN_RX0) };
}

/// Runs `action` while no packet's end can interrupt it.
fn undisturbed<T>(action: impl FnOnce() -> T) -> T {
    mask(Interrupt::USB_LP_CAN_RX0);
    let result = action();
    resume_interrupts();
    result
}

/// The end of a packet of any endpoint. The next token comes about three microseconds after it.
#[interrupt]
fn USB_LP_CAN_RX0() {
    let seen = IN.read();
    if seen & CTR_TX != 0 {
        let count = IN_QUEUED.load(Relaxed);
        if count == NONE {
            IN.write(seen, CTR_TX, 0);
            IN_BUSY.store(false, Relaxed);
        } else {
            IN_QUEUED.store(NONE, Relaxed);
            start_sending(seen, !IN_SENDING.load(Relaxed), count.into());
        }
    }
    let seen = OUT.read();
    if seen & CTR_RX != 0 {
        if OUT_ARRIVED.load(Relaxed) == NONE {
            hand_over(seen);
        } else {
            OUT.write(seen, CTR_RX, 0);
            OUT_FULL.store(true, Relaxed);
        }
    }
    if CONTROL.read() & (CTR_RX | CTR_TX) != 0 {
        // That is for the main loop, which lets interrupts come again when it has looked.
        NVIC::mask(Interrupt::USB_LP_CAN_RX0);
    }
}

/// Gives a buffer of IN to the hardware.
#[inline(always)]
fn start_sending(seen: u16, second: bool, count: usize) {
    packet_memory::set_buffer(IN, Slot::Tx, buffer(IN_START, second));
    packet_memory::set_count(IN, Slot::Tx, count);
    IN_SENDING.store(second, Relaxed);
    IN.write(seen, CTR_TX, to_tx_valid(seen));
}

/// Gives the buffer that the hardware has filled to the program, and the other one to the hardware.
#[inline(always)]
fn hand_over(seen: u16) {
    let filled = OUT_FILLING.load(Relaxed);
    let count = packet_memory::count(OUT, Slot::Rx).min(PACKET_BYTES);
    packet_memory::set_buffer(OUT, Slot::Rx, buffer(OUT_START, !filled));
    packet_memory::set_room(OUT, Slot::Rx);
    OUT_FILLING.store(!filled, Relaxed);
    OUT_ARRIVED.store(count as u8, Relaxed);
    OUT.write(seen, CTR_RX, to_rx_valid(seen));
}

/// Packets to the host.
pub(in super::super) struct Input {
    /// The endpoint is one.
    enabled: bool,
    /// The last packet was full, so the host waits for more.
    owes_end: bool,
}

impl Input {
    pub(in super::super) const fn new() -> Self {
        Self {
            enabled: false,
            owes_end: false,
        }
    }

    /// Begins with DATA0 and nothing to send.
    pub(in super::super) fn begin(&mut self) {
        undisturbed(|| {
            self.forget();
            IN.begin(Kind::Bulk, Stat::Nak, Stat::Disabled);
        });
        self.enabled = true;
    }

    /// Takes no packets any more.
    pub(in super::super) fn disable(&mut self) {
        self.enabled = false;
        undisturbed(|| {
            IN.disable();
            self.forget();
        });
    }

    /// Answers STALL, and drops what was not fetched.
    pub(in super::super) fn halt(&mut self) {
        self.enabled = false;
        undisturbed(|| {
            IN.set_tx(Stat::Stall);
            self.forget();
        });
    }

    /// Drops what was not fetched.
    pub(in super::super) fn discard(&mut self) {
        if IN.is_halted() {
            return;
        }
        undisturbed(|| {
            IN.set_tx(Stat::Nak);
            self.forget();
        });
    }

    fn forget(&mut self) {
        self.owes_end = false;
        IN_BUSY.store(false, Relaxed);
        IN_QUEUED.store(NONE, Relaxed);
    }

    /// Whether nothing has to be done but when there is something to send.
    pub(in super::super) fn is_idle(&self) -> bool {
        !self.owes_end
    }

    /// Whether a packet can be sent, or put behind the one that is being sent.
    pub(in super::super) fn takes_packet(&mut self) -> bool {
        self.enabled && IN_QUEUED.load(Relaxed) == NONE
    }

    /// Sends a packet. Only when [`takes_packet`](Self::takes_packet) says so.
    pub(in super::super) fn send(&mut self, bytes: &[u8]) {
        if bytes.is_empty() && !self.owes_end {
            return;
        }
        self.owes_end = bytes.len() >= PACKET_BYTES;
        // Not the one that is being sent; that does not change while none is queued.
        let second = !IN_SENDING.load(Relaxed);
        packet_memory::write(buffer(IN_START, second), bytes);
        undisturbed(|| {
            if IN_BUSY.load(Relaxed) {
                IN_QUEUED.store(bytes.len() as u8, Relaxed);
            } else {
                IN_BUSY.store(true, Relaxed);
                start_sending(IN.read(), second, bytes.len());
            }
        });
    }
}

fn forget_arrived() {
    OUT_ARRIVED.store(NONE, Relaxed);
    OUT_FULL.store(false, Relaxed);
}

/// Packets from the host.
pub(in super::super) struct Output;

impl Output {
    pub(in super::super) const fn new() -> Self {
        Self
    }

    /// Begins with DATA0, ready for packets.
    pub(in super::super) fn begin(&mut self) {
        undisturbed(|| {
            forget_arrived();
            OUT_FILLING.store(false, Relaxed);
            packet_memory::set_buffer(OUT, Slot::Rx, OUT_START);
            packet_memory::set_room(OUT, Slot::Rx);
            OUT.begin(Kind::Bulk, Stat::Disabled, Stat::Valid);
        });
    }

    /// Answers STALL, and drops what has come.
    pub(in super::super) fn halt(&mut self) {
        undisturbed(|| {
            OUT.set_rx(Stat::Stall);
            OUT.write(OUT.read(), CTR_RX, 0);
            forget_arrived();
        });
    }

    /// Has no packets any more.
    pub(in super::super) fn disable(&mut self) {
        undisturbed(|| {
            OUT.disable();
            forget_arrived();
        });
    }

    /// Whether a packet waits.
    pub(in super::super) fn has_packet(&self) -> bool {
        OUT_ARRIVED.load(Relaxed) != NONE
    }

    /// Takes a packet out of its buffer; returns how many bytes it has. 0 if there is none.
    pub(in super::super) fn receive(&mut self, into: &mut [u8; PACKET_BYTES]) -> usize {
        let count = OUT_ARRIVED.load(Relaxed);
        if count == NONE {
            return 0;
        }
        let count = usize::from(count);
        let second = !OUT_FILLING.load(Relaxed);
        packet_memory::read(buffer(OUT_START, second), into, count);
        undisturbed(|| {
            if OUT_FULL.load(Relaxed) {
                OUT_FULL.store(false, Relaxed);
                hand_over(OUT.read());
            } else {
                OUT_ARRIVED.store(NONE, Relaxed);
            }
        });
        count
    }
}
