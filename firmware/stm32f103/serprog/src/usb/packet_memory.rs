//! The packet memory: 512 bytes that the core sees as the lower halves of 256 words (section
//! 23.3), and the table of buffers in it (section 23.5.3).

use super::PACKET_BYTES;
use super::endpoint::Endpoint;

/// Where the core sees it: section 3.3, table 3.
const WINDOW: *mut u32 = 0x4000_6000 as *mut u32;

/// Halves of the packet memory.
const HALVES: u16 = 256;

/// One of the two entries that an endpoint has in the table.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Slot {
    /// ADDRn_TX and COUNTn_TX; of a double-buffered endpoint, the buffer of DATA0.
    Tx,
    /// ADDRn_RX and COUNTn_RX; of a double-buffered endpoint, the buffer of DATA1.
    Rx,
}

impl Slot {
    /// The buffer of a double-buffered endpoint that a toggle stands for.
    #[cfg(not(feature = "single-buffered"))]
    pub(super) const fn of(toggle: bool) -> Self {
        if toggle { Self::Rx } else { Self::Tx }
    }
}

/// The word that stands for the half at an offset.
#[inline(always)]
fn half(offset_bytes: u16) -> *mut u32 {
    WINDOW.wrapping_add(usize::from(offset_bytes / 2 % HALVES))
}

#[inline(always)]
fn set_half(offset_bytes: u16, value: u16) {
    // SAFETY: a word of the packet memory: no memory of the program lies there.
    unsafe { half(offset_bytes).write_volatile(value.into()) }
}

#[inline(always)]
fn get_half(offset_bytes: u16) -> u16 {
    // SAFETY: as above.
    unsafe { half(offset_bytes).read_volatile() as u16 }
}

#[inline(always)]
const fn entry(endpoint: Endpoint, slot: Slot) -> u16 {
    endpoint.number() as u16 * 8 + slot as u16 * 4
}

/// Says where a buffer begins.
pub(super) fn set_buffer(endpoint: Endpoint, slot: Slot, start: u16) {
    set_half(entry(endpoint, slot), start);
}

/// Says how many bytes a buffer has to send.
#[inline(always)]
pub(super) fn set_count(endpoint: Endpoint, slot: Slot, count: usize) {
    set_half(entry(endpoint, slot) + 2, count as u16);
}

/// Says that a buffer takes full packets: BL_SIZE 1 counts blocks of 32 bytes, less one.
pub(super) fn set_room(endpoint: Endpoint, slot: Slot) {
    const FULL_PACKET: u16 = 1 << 15 | ((PACKET_BYTES / 32 - 1) as u16) << 10;
    set_half(entry(endpoint, slot) + 2, FULL_PACKET);
}

/// How many bytes a buffer has received.
#[inline(always)]
pub(super) fn count(endpoint: Endpoint, slot: Slot) -> usize {
    const COUNT: u16 = 0x3FF;
    (get_half(entry(endpoint, slot) + 2) & COUNT).into()
}

/// Puts bytes into a buffer.
#[inline(always)]
pub(super) fn write(start: u16, bytes: &[u8]) {
    let mut word = half(start);
    let (pairs, last) = bytes.as_chunks::<2>();
    for &pair in pairs {
        // SAFETY: buffers are full packets within the memory, and no packet is longer.
        unsafe { word.write_volatile(u16::from_le_bytes(pair).into()) };
        word = word.wrapping_add(1);
    }
    if let Some(&byte) = last.first() {
        // SAFETY: as above.
        unsafe { word.write_volatile(byte.into()) };
    }
}

/// Takes bytes out of a buffer: the first `count` are what it has, up to three behind them are
/// anything.
#[inline(always)]
pub(super) fn read(start: u16, into: &mut [u8; PACKET_BYTES], count: usize) {
    let mut word = half(start).cast::<u16>();
    let (quads, _) = into.as_chunks_mut::<4>();
    for quad in quads.get_mut(..count.div_ceil(4)).unwrap_or_default() {
        // SAFETY: as above. Half-words are read: the upper halves of the words are nothing.
        let (low, high) = unsafe { (word.read_volatile(), word.wrapping_add(2).read_volatile()) };
        *quad = (u32::from(low) | u32::from(high) << 16).to_le_bytes();
        word = word.wrapping_add(4);
    }
}
