//! Reading more than once, for wiring that is not to be trusted.

use std::ops::{ControlFlow, Range};

use flashwire_plan::{EraseUnit, Failure, FlashDevice, Geometry, Tick};

/// Most places of differing bytes that are remembered, in ranges: a wire that is this bad is bad.
const MOST_PLACES: usize = 16;

/// A flash whose content is read several times and compared. Differences are collected, not fatal:
/// where they are says more about a wire than that there is one.
pub(super) struct Repeated<'a> {
    device: &'a mut dyn FlashDevice,
    times: u32,
    pub(super) differing: Differing,
}

/// Bytes that were not the same each time they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differing {
    /// Where the first of them are.
    pub places: Vec<Range<u64>>,
    /// How many there are in all.
    pub bytes: u64,
}

impl<'a> Repeated<'a> {
    pub(super) fn new(device: &'a mut dyn FlashDevice, times: u32) -> Self {
        Self {
            device,
            times,
            differing: Differing::default(),
        }
    }
}

impl Differing {
    fn add(&mut self, address: u64) {
        self.bytes += 1;
        let is_full = self.places.len() == MOST_PLACES;
        match self.places.last_mut() {
            Some(last) if last.end == address => last.end += 1,
            _ if is_full => {}
            _ => self.places.push(address..address + 1),
        }
    }
}

impl FlashDevice for Repeated<'_> {
    fn geometry(&self) -> &Geometry {
        self.device.geometry()
    }

    fn read(&mut self, address: u64, out: &mut [u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.device.read(address, out, tick)?;
        let mut again = vec![0; out.len()];
        let mut differs = vec![false; out.len()];
        for _ in 1..self.times {
            // What has been told of the first time is not told again.
            let mut stopped = ControlFlow::Continue(());
            self.device.read(address, &mut again, &mut |_| {
                stopped = tick(0);
                stopped
            })?;
            for (differs, (first, again)) in differs.iter_mut().zip(out.iter().zip(&again)) {
                *differs |= first != again;
            }
        }
        let places = differs
            .iter()
            .zip(address..)
            .filter(|(differs, _)| **differs);
        places.for_each(|(_, address)| self.differing.add(address));
        Ok(())
    }

    fn erase(&mut self, units: &[EraseUnit], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.device.erase(units, tick)
    }

    fn program(&mut self, address: u64, data: &[u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.device.program(address, data, tick)
    }
}
