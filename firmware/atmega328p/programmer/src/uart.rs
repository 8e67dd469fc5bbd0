//! The line to the host: an interrupt fills a ring, the main loop empties it and sends.

use core::cell::UnsafeCell;

use crate::registers::{UBRR0H, UBRR0L, UCSR0A, UCSR0B, UCSR0C, UDR0};

/// How many bytes the ring holds.
const RING_BYTES: usize = 256;

/// How much a host may send ahead, in bytes: the ring, less what tells full from empty and some
/// room for a host that counts differently.
pub(crate) const SEND_AHEAD_BYTES: u16 = RING_BYTES as u16 - 4;

/// UBRR for 16 MHz with U2X: the clock divided by eight and this and one. DS40002061B, table 20-1.
#[cfg(not(any(feature = "baud500k", feature = "baud1m", feature = "baud2m")))]
const UBRR: u8 = 16; // 117647 baud: 2.1 % above 115200
#[cfg(feature = "baud500k")]
const UBRR: u8 = 3;
#[cfg(feature = "baud1m")]
const UBRR: u8 = 1;
#[cfg(feature = "baud2m")]
const UBRR: u8 = 0;

/// Bytes that have arrived. The interrupt alone writes `bytes` and `head`, the main loop alone
/// `tail`; indexes of eight bits wrap round by themselves.
struct Ring {
    bytes: UnsafeCell<[u8; RING_BYTES]>,
    head: UnsafeCell<u8>,
    tail: UnsafeCell<u8>,
}

// SAFETY: one producer and one consumer, each index written by one of them only and read as a whole
// (one byte), on one core.
unsafe impl Sync for Ring {}

static RING: Ring = Ring {
    bytes: UnsafeCell::new([0; RING_BYTES]),
    head: UnsafeCell::new(0),
    tail: UnsafeCell::new(0),
};

/// USART_RX, "Rx complete". DS40002061B, table 12-6: vector 19.
pub(crate) extern "avr-interrupt" fn received() {
    let byte = UDR0.read();
    // SAFETY: nothing else writes `head` or `bytes`, and `head` is an index of eight bits into 256
    // bytes. A host that overruns the ring loses what was in it; nothing else suffers.
    unsafe {
        let head = RING.head.get().read_volatile();
        RING.bytes
            .get()
            .cast::<u8>()
            .add(head.into())
            .write_volatile(byte);
        RING.head.get().write_volatile(head.wrapping_add(1));
    }
}

/// Sets speed and format and lets bytes in.
pub(crate) fn start() {
    const U2X0: u8 = 1 << 1;
    const UCSZ_8: u8 = 0b110;
    const RXCIE_RXEN_TXEN: u8 = 1 << 7 | 1 << 4 | 1 << 3;
    UCSR0A.write(U2X0);
    UBRR0H.write(0);
    UBRR0L.write(UBRR);
    UCSR0C.write(UCSZ_8);
    UCSR0B.write(RXCIE_RXEN_TXEN);
}

/// The bytes that have arrived, up to where the ring wraps round.
#[inline(always)]
pub(crate) fn arrived() -> &'static [u8] {
    // SAFETY: the bytes from `tail` to `head` are not written until `consume` has moved `tail`, and
    // the slice ends at the ring's end.
    unsafe {
        let (head, tail) = (RING.head.get().read_volatile(), *RING.tail.get());
        let end = if head >= tail {
            usize::from(head)
        } else {
            RING_BYTES
        };
        let first = RING.bytes.get().cast::<u8>().add(tail.into());
        core::slice::from_raw_parts(first, end - usize::from(tail))
    }
}

/// Makes room: the first `count` bytes of [`arrived`] are done with.
#[inline(always)]
pub(crate) fn consume(count: usize) {
    // SAFETY: the main loop alone calls it.
    unsafe {
        let tail = RING.tail.get();
        *tail = (*tail).wrapping_add(count as u8);
    }
}

/// Whether a byte to send is taken at once.
#[inline(always)]
pub(crate) fn is_ready() -> bool {
    const UDRE0: u8 = 1 << 5;
    UCSR0A.read() & UDRE0 != 0
}

/// Sends a byte. [`is_ready`] has said yes.
#[inline(always)]
pub(crate) fn send(byte: u8) {
    UDR0.write(byte);
}
