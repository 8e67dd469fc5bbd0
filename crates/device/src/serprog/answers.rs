//! Answers that wait to be sent.

use super::copy;

/// A queue of answer bytes.
///
/// It lets a run of pipelined commands be answered into one packet. Who puts something in has asked
/// for room before. The bytes lie in one piece, so that what a chip says is read straight into it.
pub(super) struct Answers {
    bytes: [u8; Self::CAPACITY as usize],
    /// What waits lies from here...
    start: u8,
    /// ... to here.
    end: u8,
}

impl Answers {
    /// Room for a packet of USB full speed, which is what is to be filled, and so for the longest
    /// answer, in bytes.
    const CAPACITY: u8 = 64;

    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; Self::CAPACITY as usize],
            start: 0,
            end: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// How many bytes fit.
    #[inline]
    pub(super) const fn room(&self) -> u8 {
        Self::CAPACITY - (self.end - self.start)
    }

    pub(super) fn push(&mut self, byte: u8) {
        if self.end == Self::CAPACITY {
            self.move_to_front();
        }
        if let Some(slot) = self.bytes.get_mut(usize::from(self.end)) {
            *slot = byte;
            self.end += 1;
        }
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.push(byte);
        }
    }

    /// Puts `count` bytes in that are to be overwritten: returns where they are. None if there is no
    /// room for them.
    #[inline]
    pub(super) fn append(&mut self, count: u32) -> Option<&mut [u8]> {
        // A `usize` has 16 bits on an AVR.
        let count = usize::try_from(count).ok()?;
        if count > usize::from(Self::CAPACITY) - usize::from(self.end) {
            self.move_to_front();
        }
        let start = usize::from(self.end);
        let slots = self.bytes.get_mut(start..)?.get_mut(..count)?;
        self.end += count as u8;
        Some(slots)
    }

    /// Makes one piece of the room. Only where answers are taken in smaller pieces than packets, or
    /// not at all.
    #[cold]
    #[inline(never)]
    fn move_to_front(&mut self) {
        let mut index = 0;
        while self.start < self.end {
            let byte = self.bytes.get(usize::from(self.start)).copied();
            if let Some(slot) = self.bytes.get_mut(index) {
                *slot = byte.unwrap_or_default();
            }
            self.start += 1;
            index += 1;
        }
        (self.start, self.end) = (0, index as u8);
    }

    /// Moves as much as there is and fits to the front of `buffer`; returns how many bytes.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> usize {
        let waiting = usize::from(self.start)..usize::from(self.end);
        let taken = waiting.len().min(buffer.len());
        copy(buffer, self.bytes.get(waiting).unwrap_or_default());
        self.start += taken as u8;
        if self.start == self.end {
            self.clear();
        }
        taken
    }

    /// All that waits. It is not there any more afterwards.
    #[inline]
    pub(super) fn take_all(&mut self) -> &[u8] {
        let (start, len) = (self.start, self.end - self.start);
        self.clear();
        self.bytes
            .get(start.into()..)
            .and_then(|waiting| waiting.get(..len.into()))
            .unwrap_or_default()
    }
}
