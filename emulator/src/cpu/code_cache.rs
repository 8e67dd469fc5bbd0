//! Decoded instructions of the flash, so that each is decoded once.

use super::instruction::Instruction;

/// An instruction and its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoded {
    pub(super) instruction: Instruction,
    /// Bytes: 2 or 4; 0 marks an empty entry.
    pub(super) size: u8,
}

const EMPTY: Decoded = Decoded {
    instruction: Instruction::Unpredictable,
    size: 0,
};

#[derive(Debug)]
pub(super) struct CodeCache {
    entries: Box<[Decoded]>,
    version: u32,
}

impl CodeCache {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: vec![EMPTY; capacity].into_boxed_slice(),
            version: 0,
        }
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<Decoded> {
        let entry = *self.entries.get(index)?;
        (entry.size != 0).then_some(entry)
    }

    pub(super) fn set(&mut self, index: usize, decoded: Decoded) {
        if let Some(entry) = self.entries.get_mut(index) {
            *entry = decoded;
        }
    }

    /// Forgets everything if the code is not the one that was decoded.
    pub(super) fn follow(&mut self, version: u32) {
        if version != self.version {
            self.version = version;
            self.entries.fill(EMPTY);
        }
    }
}
