//! With the hardware's double buffering: section 23.4.3.
//!
//! Such an endpoint has two toggles. DTOG names the buffer that the hardware uses and changes at the
//! end of each transaction; SW_BUF names the program's and changes when the program writes a one to
//! it. While they are equal the endpoint answers NAK: both buffers are the program's.
//!
//! "Are equal" is not what the hardware looks at when a token comes. It keeps a block, which it sets
//! or clears when SW_BUF is written and at the end of each transaction, *except the first one after
//! double buffering was switched on*. So the first packet is not protected, and a program that
//! relies on it sends or loses something else. Both endpoints are therefore started with DTOG equal
//! to SW_BUF and no block (see [`release_both`]): the hardware owns both buffers, and the end of the
//! second transaction, which is not the first any more, sets the block.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use cortex_m::asm;
use cortex_m::peripheral::NVIC;
use stm32f1::stm32f103::{Interrupt, interrupt};

use super::super::PACKET_BYTES;
use super::super::endpoint::{
    CTR_RX, CTR_TX, DTOG_RX, DTOG_TX, Endpoint, Kind, Stat, rx_is, to_rx_valid, to_tx_valid, tx_is,
};
use super::super::packet_memory::{self, Slot};
use super::{IN, IN_START, OUT, OUT_START, buffer, mask};
use crate::clocks::CORE_HZ;

/// Both buffers of IN were given to the hardware at once, and neither packet is known to be out.
static BOTH_SENDING: AtomicBool = AtomicBool::new(false);
/// The program has filled its buffer of IN; it goes out when the hardware is done with the other.
static QUEUED: AtomicBool = AtomicBool::new(false);
/// A first packet has come in.
static OUT_BEGUN: AtomicBool = AtomicBool::new(false);

/// A packet may be under way when its endpoint is told to stop: a full one takes 50 us.
const PACKET_CYCLES: u32 = CORE_HZ / 1_000_000 * 60;

/// Nothing to be done when the program has looked after endpoint 0.
pub(in super::super) fn resume_interrupts() {}

/// Lets the end of a packet interrupt the program. Only while packets are streamed to the host:
/// otherwise both endpoints are polled, which answers sooner.
fn listen() {
    // SAFETY: the handler below is made for it.
    unsafe { NVIC::unmask(Interrupt::USB_HP_CAN_TX) };
}

fn stop_listening() {
    mask(Interrupt::USB_HP_CAN_TX);
}

/// The end of a packet of a double-buffered endpoint. The next token comes about three microseconds
/// after it.
#[interrupt]
fn USB_HP_CAN_TX() {
    let seen = IN.read();
    if seen & CTR_TX != 0 {
        if BOTH_SENDING.load(Relaxed) {
            // One packet of the two is out at least, so the program has a buffer again. The other
            // goes without being told. Section 23.5.2 can be read so that the first transaction
            // leaves NAK behind.
            IN.write(seen, CTR_TX, to_tx_valid(seen));
            BOTH_SENDING.store(false, Relaxed);
        } else if QUEUED.load(Relaxed) {
            IN.write(seen, CTR_TX, DTOG_RX);
            QUEUED.store(false, Relaxed);
        } else {
            IN.write(seen, CTR_TX, 0);
        }
    }
    let seen = OUT.read();
    if seen & CTR_RX != 0 {
        OUT.write(seen, CTR_RX, 0);
        OUT_BEGUN.store(true, Relaxed);
    }
}

/// Gives both buffers of an endpoint that is switched to double buffering to the hardware: DTOG
/// equals SW_BUF, as it was, and there is no block.
fn release_both(endpoint: Endpoint, dtog: u16, sw_buf: u16) {
    let toggle = |bit| endpoint.write(endpoint.read(), 0, bit);
    let seen = endpoint.read();
    if (seen & dtog == 0) == (seen & sw_buf == 0) {
        toggle(sw_buf);
    }
    toggle(dtog);
    // Written while they come to differ: that ends a block.
    toggle(sw_buf);
    // Not looked at, for SW_BUF is not written.
    toggle(dtog);
}

/// What is done with the packets to the host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A packet or none is under way, without double buffering.
    Single,
    /// A full packet waits in the first buffer for another one.
    Holding,
    /// Packets go through both buffers.
    Streaming,
    /// The last packet of a stream is under way.
    Ending,
}

/// Packets to the host.
pub(in super::super) struct Input {
    mode: Mode,
}

impl Input {
    pub(in super::super) const fn new() -> Self {
        Self { mode: Mode::Single }
    }

    /// Begins with DATA0 and nothing to send.
    pub(in super::super) fn begin(&mut self) {
        stop_listening();
        self.mode = Mode::Single;
        BOTH_SENDING.store(false, Relaxed);
        QUEUED.store(false, Relaxed);
        for slot in [Slot::Tx, Slot::Rx] {
            packet_memory::set_buffer(IN, slot, buffer(IN_START, slot == Slot::Rx));
        }
        IN.begin(Kind::Bulk, Stat::Nak, Stat::Disabled);
    }

    /// Takes no packets any more.
    pub(in super::super) fn disable(&mut self) {
        stop_listening();
        self.mode = Mode::Single;
        IN.disable();
    }

    /// Answers STALL, and drops what was not fetched.
    pub(in super::super) fn halt(&mut self) {
        self.discard();
        IN.set_tx(Stat::Stall);
    }

    /// Drops what was not fetched.
    pub(in super::super) fn discard(&mut self) {
        if IN.is_halted() {
            return;
        }
        if self.mode != Mode::Holding {
            stop_listening();
            IN.set_tx(Stat::Nak);
            asm::delay(PACKET_CYCLES);
            BOTH_SENDING.store(false, Relaxed);
            QUEUED.store(false, Relaxed);
            self.end_stream();
        }
        self.mode = Mode::Single;
    }

    /// Whether nothing has to be done but when there is something to send.
    pub(in super::super) fn is_idle(&self) -> bool {
        self.mode == Mode::Single
    }

    /// Whether a packet can be sent, or put behind the one that is being sent.
    #[inline(always)]
    pub(in super::super) fn takes_packet(&mut self) -> bool {
        if self.mode == Mode::Single {
            return tx_is(IN.read(), Stat::Nak);
        }
        self.stream_takes_packet()
    }

    fn stream_takes_packet(&mut self) -> bool {
        match self.mode {
            Mode::Single => false,
            Mode::Holding => true,
            Mode::Streaming => !BOTH_SENDING.load(Relaxed) && !QUEUED.load(Relaxed),
            Mode::Ending => {
                let seen = IN.read();
                let all_sent =
                    !BOTH_SENDING.load(Relaxed) && !QUEUED.load(Relaxed) && is_blocked(seen);
                if all_sent {
                    self.end_stream();
                    self.mode = Mode::Single;
                }
                all_sent
            }
        }
    }

    /// Sends a packet. Only when [`takes_packet`](Self::takes_packet) says so.
    #[inline(always)]
    pub(in super::super) fn send(&mut self, bytes: &[u8]) {
        if self.mode != Mode::Single || bytes.len() >= PACKET_BYTES {
            self.send_in_stream(bytes);
        } else if !bytes.is_empty() {
            put(Slot::Tx, bytes);
            let seen = IN.read();
            IN.write(seen, CTR_TX, to_tx_valid(seen));
        }
    }

    /// Sends a packet that is not the only one, or perhaps not.
    #[inline(never)]
    fn send_in_stream(&mut self, bytes: &[u8]) {
        let full = bytes.len() >= PACKET_BYTES;
        match self.mode {
            Mode::Single => {
                put(Slot::of(IN.read() & DTOG_TX != 0), bytes);
                self.mode = Mode::Holding;
            }
            Mode::Holding => {
                put(Slot::of(IN.read() & DTOG_TX == 0), bytes);
                self.begin_stream();
                self.mode = if full { Mode::Streaming } else { Mode::Ending };
            }
            Mode::Streaming => {
                put(Slot::of(IN.read() & DTOG_RX != 0), bytes);
                stop_listening();
                let seen = IN.read();
                if is_blocked(seen) {
                    IN.write(seen, CTR_TX, DTOG_RX);
                } else {
                    QUEUED.store(true, Relaxed);
                }
                listen();
                if !full {
                    self.mode = Mode::Ending;
                }
            }
            Mode::Ending => {}
        }
    }

    /// Switches double buffering on, with a packet in each buffer.
    fn begin_stream(&mut self) {
        IN.set_double_buffered(true);
        release_both(IN, DTOG_TX, DTOG_RX);
        BOTH_SENDING.store(true, Relaxed);
        IN.set_tx(Stat::Valid);
        listen();
    }

    /// Switches it off. A block outlives that, so it is ended first; and before that the endpoint is
    /// told to answer NAK, or a token that comes between the two would fetch the last packet again.
    fn end_stream(&mut self) {
        stop_listening();
        IN.set_tx(Stat::Nak);
        if is_blocked(IN.read()) {
            IN.write(IN.read(), 0, DTOG_RX);
        }
        IN.set_double_buffered(false);
    }
}

/// Of what was read of a double-buffered endpoint: whether DTOG equals SW_BUF, so that both buffers
/// are the program's.
#[inline(always)]
const fn is_blocked(seen: u16) -> bool {
    const APART: u32 = DTOG_RX.trailing_zeros() - DTOG_TX.trailing_zeros();
    (seen ^ seen << APART) & DTOG_RX == 0
}

/// Puts a packet into a buffer of IN.
#[inline(always)]
fn put(slot: Slot, bytes: &[u8]) {
    packet_memory::write(buffer(IN_START, slot == Slot::Rx), bytes);
    packet_memory::set_count(IN, slot, bytes.len());
}

/// Packets from the host.
pub(in super::super) struct Output {
    /// The first packet has been taken: from then on equal toggles mean that one has come.
    steady: bool,
}

impl Output {
    pub(in super::super) const fn new() -> Self {
        Self { steady: false }
    }

    /// Begins with DATA0, ready for packets. Nothing may be streamed meanwhile.
    pub(in super::super) fn begin(&mut self) {
        for slot in [Slot::Tx, Slot::Rx] {
            packet_memory::set_buffer(OUT, slot, buffer(OUT_START, slot == Slot::Rx));
            packet_memory::set_room(OUT, slot);
        }
        *self = Self::new();
        OUT.begin(Kind::DoubleBufferedBulk, Stat::Disabled, Stat::Nak);
        release_both(OUT, DTOG_RX, DTOG_TX);
        OUT_BEGUN.store(false, Relaxed);
        OUT.set_rx(Stat::Valid);
    }

    /// Answers STALL, and drops what has come.
    pub(in super::super) fn halt(&mut self) {
        OUT.set_rx(Stat::Stall);
        OUT.write(OUT.read(), CTR_RX, 0);
        self.forget();
    }

    fn forget(&mut self) {
        OUT_BEGUN.store(false, Relaxed);
        self.steady = false;
    }

    /// Has no packets any more.
    pub(in super::super) fn disable(&mut self) {
        OUT.disable();
        self.forget();
    }

    /// Whether a packet waits.
    pub(in super::super) fn has_packet(&self) -> bool {
        self.has_come(OUT.read())
    }

    /// Of what was read of the endpoint: whether a packet waits.
    #[inline(always)]
    fn has_come(&self, seen: u16) -> bool {
        let has_come = if self.steady {
            is_blocked(seen)
        } else {
            seen & CTR_RX != 0 || OUT_BEGUN.load(Relaxed)
        };
        // A reset of the bus makes the toggles equal too, and leaves the flag.
        has_come && !rx_is(seen, Stat::Disabled)
    }

    /// Takes a packet out of its buffer; returns how many bytes it has. 0 if there is none.
    #[inline(always)]
    pub(in super::super) fn receive(&mut self, into: &mut [u8; PACKET_BYTES]) -> usize {
        let seen = OUT.read();
        if !self.has_come(seen) {
            return 0;
        }
        let sw_buf = seen & DTOG_TX != 0;
        let slot = if self.steady {
            // The hardware gets the buffer that was emptied before, and the program the one that
            // has just been filled.
            OUT.write(seen, CTR_RX, DTOG_TX);
            Slot::of(!sw_buf)
        } else {
            // The first packet came into the program's own buffer. Section 23.5.2 can be read so
            // that the first transaction leaves NAK behind.
            self.steady = true;
            OUT.write(seen, CTR_RX, to_rx_valid(seen));
            Slot::of(sw_buf)
        };
        let count = packet_memory::count(OUT, slot).min(PACKET_BYTES);
        packet_memory::read(buffer(OUT_START, slot == Slot::Rx), into, count);
        count
    }
}
