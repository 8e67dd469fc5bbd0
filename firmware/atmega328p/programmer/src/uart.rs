//! The line to the host: an interrupt fills a ring, the main loop empties it. What is to be sent
//! waits in another ring and is sent whenever the main loop or a transfer on the bus has a moment.

use core::arch::asm;
use core::cell::UnsafeCell;

use crate::registers::{GPIOR1, GPIOR2, UBRR0H, UBRR0L, UCSR0A, UCSR0B, UCSR0C, UDR0};

/// How many bytes may wait to be read: two pages as X_PROGRAM sends them, 270 bytes each, so that one
/// travels while the other is programmed. The interrupt uses it too: see [`crate::start`].
pub(crate) const RECEIVED_BYTES: u16 = 560;

unsafe extern "C" {
    /// Where they wait.
    static received_bytes: [UnsafeCell<u8>; RECEIVED_BYTES as usize];
}

/// How much a host may send ahead, in bytes: the ring, less what tells full from empty and some
/// room for a host that counts differently.
pub(crate) const SEND_AHEAD_BYTES: u16 = RECEIVED_BYTES - 4;

/// How many bytes may wait to be sent. A power of two.
const TO_SEND_BYTES: u8 = 128;

/// UBRR for 16 MHz with U2X: the clock divided by eight and this and one. DS40002061B, table 20-1.
#[cfg(not(any(feature = "baud500k", feature = "baud1m", feature = "baud2m")))]
const UBRR: u8 = 16; // 117647 baud: 2.1 % above 115200
#[cfg(feature = "baud500k")]
const UBRR: u8 = 3;
#[cfg(feature = "baud1m")]
const UBRR: u8 = 1;
#[cfg(feature = "baud2m")]
const UBRR: u8 = 0;

/// The main loop's end of both rings. Indexes run on and are cut where they are used.
struct Rings {
    /// Address of the oldest byte that was received.
    tail: u16,
    to_send: [u8; TO_SEND_BYTES as usize],
    /// How many bytes were queued, and how many of them sent.
    queued: u8,
    sent: u8,
}

struct Line(UnsafeCell<Rings>);

// SAFETY: no interrupt touches it, and there is one core.
unsafe impl Sync for Line {}

static LINE: Line = Line(UnsafeCell::new(Rings {
    tail: 0,
    to_send: [0; TO_SEND_BYTES as usize],
    queued: 0,
    sent: 0,
}));

#[inline(always)]
fn rings() -> &'static mut Rings {
    // SAFETY: every function here takes the reference once and lets it go before it returns or
    // calls another of them; none of them is called by an interrupt.
    unsafe { &mut *LINE.0.get() }
}

/// Sets speed and format and lets bytes in.
pub(crate) fn start() {
    const U2X0: u8 = 1 << 1;
    const UCSZ_8: u8 = 0b110;
    const RXCIE_RXEN_TXEN: u8 = 1 << 7 | 1 << 4 | 1 << 3;
    set_head(first());
    rings().tail = first();
    UCSR0A.write(U2X0);
    UBRR0H.write(0);
    UBRR0L.write(UBRR);
    UCSR0C.write(UCSZ_8);
    UCSR0B.write(RXCIE_RXEN_TXEN);
    // SAFETY: the handler touches the ring and its own registers alone, which are in place.
    unsafe { asm!("sei") };
}

/// Address of the first byte of the ring.
#[inline(always)]
fn first() -> u16 {
    // Data memory has addresses of sixteen bits.
    (&raw const received_bytes).addr() as u16
}

/// Where the interrupt puts the next byte. Before interrupts are enabled.
fn set_head(address: u16) {
    let [low, high] = address.to_le_bytes();
    GPIOR1.write(low);
    GPIOR2.write(high);
}

#[inline(always)]
fn head() -> u16 {
    // SAFETY: interrupts are enabled whenever this is called; a byte that comes in between waits
    // for two instructions.
    unsafe { asm!("cli") };
    let bytes = [GPIOR1.read(), GPIOR2.read()];
    // SAFETY: as above.
    unsafe { asm!("sei") };
    u16::from_le_bytes(bytes)
}

/// The bytes that have arrived, up to where the ring wraps round.
#[inline(always)]
pub(crate) fn arrived() -> &'static [u8] {
    let (head, tail) = (head(), rings().tail);
    let end = if head >= tail {
        head
    } else {
        first() + RECEIVED_BYTES
    };
    // SAFETY: the bytes from `tail` to `head` lie in the ring, which nothing else uses, and are not
    // written until `consume` has moved `tail`. A host that sends more than it may overwrites them,
    // with other bytes, between two reads of this program.
    unsafe { core::slice::from_raw_parts(usize::from(tail) as *const u8, usize::from(end - tail)) }
}

/// Makes room: the first `count` bytes of [`arrived`] are done with.
#[inline(always)]
pub(crate) fn consume(count: usize) {
    let tail = &mut rings().tail;
    *tail += count as u16;
    if *tail >= first() + RECEIVED_BYTES {
        *tail = first();
    }
}

/// Sends the oldest byte that waits, if the line takes one.
#[inline(always)]
pub(crate) fn send_waiting() {
    const UDRE0: u8 = 1 << 5;
    let rings = rings();
    if rings.queued != rings.sent && UCSR0A.read() & UDRE0 != 0 {
        let index = usize::from(rings.sent % TO_SEND_BYTES);
        UDR0.write(rings.to_send[index]);
        rings.sent = rings.sent.wrapping_add(1);
    }
}

/// Where bytes to send may be put, from the front: up to the end of the ring or half of it. Waits
/// until half of the ring is empty, which the line bounds.
#[inline(always)]
pub(crate) fn wait_for_room() -> &'static mut [u8] {
    while rings().queued.wrapping_sub(rings().sent) > TO_SEND_BYTES / 2 {
        send_waiting();
    }
    send_waiting();
    let rings = rings();
    let start = usize::from(rings.queued % TO_SEND_BYTES);
    let room = rings.to_send.get_mut(start..).unwrap_or_default();
    let count = room.len().min(usize::from(TO_SEND_BYTES / 2));
    room.get_mut(..count).unwrap_or_default()
}

/// Sends what was put into the first `count` bytes of [`room`].
#[inline(always)]
pub(crate) fn send(count: usize) {
    let rings = rings();
    rings.queued = rings.queued.wrapping_add(count as u8);
}
