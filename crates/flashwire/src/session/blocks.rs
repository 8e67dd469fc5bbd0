//! Comparing block by block.

use super::Session;
use crate::error::{Access, Error};
use crate::watch::{Stage, Watcher};

use flashwire_plan::Phase;

impl Session {
    /// Which blocks of `block_bytes` of the flash from `address` on do not hold `expected`: their
    /// addresses, in order. [`plan_verify`](Self::plan_verify) stops at the first.
    ///
    /// # Errors
    /// The range is not all flash, the chip is protected, or the link failed.
    pub fn differing_blocks(
        &mut self,
        address: u64,
        expected: &[u8],
        block_bytes: usize,
        watcher: &mut dyn Watcher,
    ) -> Result<Vec<u64>, Error> {
        self.check_accessible(Access::Read)?;
        let stage = Stage::single(Phase::Verifying);
        let found = self.watched(stage, watcher, |device, on_event| {
            flashwire_plan::differing_blocks(device, address, expected, block_bytes, on_event)
        });
        found.map_err(|error| self.failed(error))
    }
}
