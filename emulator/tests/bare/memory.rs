//! A chip that is nothing but memory and interrupt lines.

use flashwire_emulator::cpu::instruction::Width;
use flashwire_emulator::cpu::{Access, Bus, BusError, Signals};
use flashwire_emulator::{Halt, Time};

pub(crate) const RAM_BASE: u32 = 0x2000_0000;

/// Flash at 0 and 0x0800_0000, RAM at 0x2000_0000.
pub(crate) struct Memory {
    pub(crate) flash: Vec<u8>,
    pub(crate) ram: Vec<u8>,
    pub(crate) interrupts: u64,
    /// The interrupt lines that end a stop.
    pub(crate) wakers: u64,
    /// How often the core woke from one.
    pub(crate) woken: u32,
}

impl Memory {
    fn find(&self, address: u32, width: Width) -> Option<&[u8]> {
        let (bytes, offset) = match address {
            0..0x1000_0000 => (&self.flash, address & 0x07ff_ffff),
            _ => (&self.ram, address.checked_sub(RAM_BASE)?),
        };
        bytes.get(offset as usize..)?.get(..width.bytes() as usize)
    }
}

impl Bus for Memory {
    fn load(&self, address: u32, width: Width) -> Option<u32> {
        let bytes = self.find(address, width)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u32::from(byte)),
        )
    }

    fn store(&mut self, address: u32, width: Width, value: u32) -> bool {
        let Some(offset) = address.checked_sub(RAM_BASE) else {
            return false;
        };
        let count = width.bytes() as usize;
        let Some(bytes) = self.ram.get_mut(offset as usize..) else {
            return false;
        };
        let Some(bytes) = bytes.get_mut(..count) else {
            return false;
        };
        bytes.copy_from_slice(&value.to_le_bytes()[..count]);
        true
    }

    fn read(&mut self, _: Access) -> Result<u32, BusError> {
        Err(BusError::NoAnswer)
    }

    fn write(&mut self, _: Access, _: u32) -> Result<(), BusError> {
        Err(BusError::NoAnswer)
    }

    fn fetch(&self, address: u32) -> Option<u16> {
        self.load(address, Width::Half).map(|half| half as u16)
    }

    fn code_index(&self, _: u32) -> Option<usize> {
        None
    }

    fn code_capacity(&self) -> usize {
        0
    }

    fn code_version(&self) -> u32 {
        0
    }

    fn wait_cycles(&self, _: u32) -> u32 {
        0
    }

    fn signals(&self) -> Signals {
        Signals {
            interrupts: self.interrupts,
            next_event: Time::NEVER,
            cycle: Time::period_of(72_000_000),
            stalled_until: Time::ZERO,
            reset: false,
            events: 0,
        }
    }

    fn signals_changed(&mut self) -> bool {
        true
    }

    fn stop(&mut self, _: u32) -> Result<u64, Halt> {
        Ok(self.wakers)
    }

    fn wake(&mut self, _: Time) {
        self.woken += 1;
    }

    fn service(&mut self, _: Time) -> Result<(), Halt> {
        Ok(())
    }

    fn complain(&mut self, _: Time, _: u32, _: &str) {}
}
