//! Where content is not what it should be, block by block.

use crate::meter::{Meter, OnEvent, Phase};
use crate::survey::check;
use crate::{Cause, FlashDevice, RunError};

/// Which blocks of the memory from `address` on do not hold `expected`: their addresses, in order.
/// Blocks have `block_bytes`, the last one what is left; 0 counts as 1.
///
/// Whole ranges are compared by the cheapest proof that the device has, and halved where they are
/// not right. Nothing is changed.
///
/// # Errors
/// [`Cause::Refused`] if not all of it is memory or there is nothing to compare, else what the device did.
pub fn differing_blocks(
    device: &mut dyn FlashDevice,
    address: u64,
    expected: &[u8],
    block_bytes: usize,
    on_event: &mut OnEvent<'_>,
) -> Result<Vec<u64>, RunError> {
    let mut meter = Meter::new(on_event);
    let mut differing = Vec::new();
    let range = address..address.saturating_add(expected.len() as u64);
    let mut look = || {
        check(device.geometry(), &[&range])?;
        meter.begin(Phase::Verifying, expected.len() as u64)?;
        let mut search = Search {
            device,
            block_bytes: block_bytes.max(1),
            meter: &mut meter,
            differing: &mut differing,
        };
        search.look_at(address, expected)
    };
    look().map_err(|cause| RunError::untouched(Phase::Verifying, cause))?;
    Ok(differing)
}

struct Search<'a, 'b, 'c> {
    device: &'a mut dyn FlashDevice,
    block_bytes: usize,
    meter: &'a mut Meter<'b, 'c>,
    differing: &'a mut Vec<u64>,
}

impl Search<'_, '_, '_> {
    fn look_at(&mut self, address: u64, expected: &[u8]) -> Result<(), Cause> {
        let Self { device, meter, .. } = self;
        let is_right = meter.watch(|tick| device.matches(address, expected, tick))?;
        let blocks = expected.len().div_ceil(self.block_bytes);
        if is_right || blocks == 1 {
            if !is_right {
                self.differing.push(address);
            }
            self.meter.advance(expected.len() as u64);
            return Ok(());
        }
        let (first, second) = expected.split_at(blocks / 2 * self.block_bytes);
        self.look_at(address, first)?;
        self.look_at(address + first.len() as u64, second)
    }
}
