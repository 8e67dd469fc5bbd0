//! The flash of an ATmega328P, as a program in its boot section can write it.

use std::ops::Range;
use std::time::Duration;

use flashwire_link::Instant;

/// Bytes of the flash: 16 Ki words.
pub(crate) const FLASH_BYTES: usize = 0x8000;

/// Bytes of a page: 64 words. Data sheet DS40002061B, "Memory Programming", "Page Size".
pub(crate) const PAGE_BYTES: usize = 128;

/// Where the section begins during whose changes the processor stands still. Data sheet, "Boot Loader
/// Support", "Read-While-Write Limit": page 224.
const NRWW_START: usize = 0x7000;

/// Time to erase or to write a page, each: the longest of 3.7 to 4.5 ms. Data sheet, "Boot Loader
/// Support", "SPM Programming Time".
const SPM_TIME: Duration = Duration::from_micros(4500);

/// What stands for the loader's own code: `rjmp .-2`, which leads nowhere.
const LOADER_CODE: [u8; 2] = [0xFF, 0xCF];

/// What becomes of a page.
#[derive(Debug)]
struct Change {
    start: usize,
    /// Until when it is being erased; `None` before it has begun.
    erased_by: Option<Instant>,
    /// What is written once it is erased.
    content: Option<[u8; PAGE_BYTES]>,
}

/// The flash.
#[derive(Debug)]
pub struct Flash {
    bytes: Vec<u8>,
    boot_start: usize,
    spm_time: Duration,
    change: Option<Change>,
}

impl Flash {
    /// A flash in which nothing is but the loader, from `boot_start` on. Changes take `percent` of
    /// the longest time.
    pub fn new(boot_start: usize, percent: u32) -> Self {
        let mut bytes = vec![0xFF; FLASH_BYTES];
        for word in bytes[boot_start..].chunks_exact_mut(LOADER_CODE.len()) {
            word.copy_from_slice(&LOADER_CODE);
        }
        Self {
            bytes,
            boot_start,
            spm_time: SPM_TIME * percent / 100,
            change: None,
        }
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All of it, to do something to.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Whether there is nothing at the start, where the processor begins.
    pub(super) fn is_blank(&self) -> bool {
        self.bytes[..PAGE_BYTES].iter().all(|&byte| byte == 0xFF)
    }

    /// Whether the lock bits keep programs from writing there: 0x0F on Arduino boards
    /// (`boards.txt`), no SPM in the boot section.
    pub(super) fn is_locked(&self, address: usize) -> bool {
        address >= self.boot_start
    }

    /// Whether the processor goes on while the page there is erased.
    pub(super) fn reads_while_writing(address: usize) -> bool {
        address < NRWW_START
    }

    fn page(address: usize) -> Range<usize> {
        let start = address % FLASH_BYTES / PAGE_BYTES * PAGE_BYTES;
        start..start + PAGE_BYTES
    }

    /// Begins to erase the page of an address.
    pub(super) fn erase(&mut self, address: usize, now: Instant) {
        if self.is_locked(address) {
            return;
        }
        let page = Self::page(address);
        self.bytes[page.clone()].fill(0xFF);
        self.change = Some(Change {
            start: page.start,
            erased_by: Some(now + self.spm_time),
            content: None,
        });
    }

    /// Writes the page of an address, after what is left of its erasing; returns how long that takes.
    /// [`finish`](Self::finish) is called then.
    pub(super) fn write(
        &mut self,
        address: usize,
        content: [u8; PAGE_BYTES],
        now: Instant,
    ) -> Duration {
        if self.is_locked(address) {
            return Duration::ZERO;
        }
        let page = Self::page(address);
        let erased_by = self.change.take().and_then(|change| change.erased_by);
        let erasing = match erased_by {
            Some(by) => by - now,
            None => self.spm_time,
        };
        self.bytes[page.clone()].fill(0xFF);
        self.change = Some(Change {
            start: page.start,
            erased_by,
            content: Some(content),
        });
        erasing + self.spm_time
    }

    /// What was being written is written.
    pub(super) fn finish(&mut self) {
        if let Some(change) = self.change.take()
            && let Some(content) = change.content
        {
            self.bytes[change.start..change.start + PAGE_BYTES].copy_from_slice(&content);
        }
    }

    /// The processor was reset. Returns the page that is erased now and was to be written.
    pub(super) fn interrupt(&mut self) -> Option<usize> {
        self.change.take().map(|change| change.start)
    }
}
