//! What has arrived and was not taken yet.

use std::fmt;

/// Bytes taken from the operating system at once: all that a Linux terminal buffers (N_TTY_BUF_SIZE
/// of the kernel's `drivers/tty/n_tty.c`).
const INPUT_SIZE: usize = 4096;

/// What the operating system has handed over and nobody has taken yet. With it a reader that takes
/// single bytes costs one system call a burst, not one a byte.
pub(crate) struct Input {
    bytes: Box<[u8; INPUT_SIZE]>,
    start: usize,
    end: usize,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Input({:02x?})", &self.bytes[self.start..self.end])
    }
}

impl Default for Input {
    fn default() -> Self {
        Self {
            bytes: Box::new([0; INPUT_SIZE]),
            start: 0,
            end: 0,
        }
    }
}

impl Input {
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Room for the next read; only while nothing is left to take.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.bytes[..]
    }

    pub(crate) fn filled(&mut self, count: usize) {
        self.start = 0;
        self.end = count;
    }

    pub(crate) fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.len());
        buffer[..count].copy_from_slice(&self.bytes[self.start..self.start + count]);
        self.start += count;
        count
    }
}
