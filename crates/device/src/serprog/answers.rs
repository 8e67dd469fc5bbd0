//! Answers that wait to be sent.

/// A ring of answer bytes.
///
/// It lets a run of pipelined commands be answered into one packet. Who pushes has asked for room
/// before.
pub(super) struct Answers {
    bytes: [u8; Self::CAPACITY as usize],
    start: u8,
    len: u8,
}

impl Answers {
    /// Room for a packet of USB full speed, which is what is to be filled, and so for the longest
    /// answer, in bytes. A power of two.
    const CAPACITY: u8 = 64;

    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; Self::CAPACITY as usize],
            start: 0,
            len: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// How many bytes fit.
    pub(super) const fn room(&self) -> u8 {
        Self::CAPACITY - self.len
    }

    pub(super) fn push(&mut self, byte: u8) {
        if self.room() == 0 {
            return;
        }
        let end = self.start.wrapping_add(self.len) % Self::CAPACITY;
        if let Some(slot) = self.bytes.get_mut(usize::from(end)) {
            *slot = byte;
            self.len += 1;
        }
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.push(byte);
        }
    }

    /// Moves as much as there is and fits to the front of `buffer`; returns how many bytes.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> usize {
        let mut taken = 0;
        for slot in buffer.iter_mut().take(usize::from(self.len)) {
            if let Some(&byte) = self.bytes.get(usize::from(self.start)) {
                *slot = byte;
            }
            self.start = self.start.wrapping_add(1) % Self::CAPACITY;
            self.len -= 1;
            taken += 1;
        }
        taken
    }
}
