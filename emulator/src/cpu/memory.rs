//! Loads and stores: plain memory, bit-band aliases, the core's own registers, devices.

use super::exceptions::{Fault, Trap};
use super::instruction::Width;
use super::system_control::Refusal;
use super::{Access, Bus, BusError, Cpu};
use crate::halt::{AccessKind, Halt};

/// The private peripheral bus: DDI 0403E, table B3-1.
const PRIVATE: std::ops::RangeInclusive<u32> = 0xe000_0000..=0xe00f_ffff;

/// The part of it that belongs to the chip and not to the core: DBGMCU (RM0008 rev 21, section
/// 31.16.3).
const CHIP_DEBUG: std::ops::RangeInclusive<u32> = 0xe004_2000..=0xe004_23ff;

/// A word of the vector table as the core reads it out of reset; all ones where nothing is.
pub(super) fn code_word<B: Bus>(bus: &B, address: u32) -> u32 {
    match (bus.fetch(address), bus.fetch(address + 2)) {
        (Some(low), Some(high)) => u32::from(high) << 16 | u32::from(low),
        _ => u32::MAX,
    }
}

/// The bit that an address in an alias region stands for: DDI 0337E, section 4.2.
struct Alias {
    /// The word that holds it.
    address: u32,
    bit: u32,
}

impl Alias {
    fn of(address: u32) -> Option<Self> {
        let base = match address >> 25 {
            // 0x2200_0000 to 0x23ff_ffff: the first MiB of SRAM.
            0x11 => 0x2000_0000,
            // 0x4200_0000 to 0x43ff_ffff: the first MiB of peripherals.
            0x21 => 0x4000_0000,
            _ => return None,
        };
        let byte = (address & 0x01ff_ffff) >> 5;
        Some(Self {
            address: base + (byte & !3),
            bit: (byte & 3) * 8 + (address >> 2 & 7),
        })
    }
}

impl Cpu {
    /// Reads `width` at `address`, in pieces if it is not aligned.
    #[inline]
    pub(super) fn load<B: Bus>(
        &mut self,
        bus: &mut B,
        address: u32,
        width: Width,
    ) -> Result<u32, Trap> {
        self.cost += 1;
        if address & (width.bytes() - 1) == 0
            && let Some(value) = bus.load(address, width)
        {
            return Ok(value);
        }
        self.load_slowly(bus, address, width)
    }

    /// Writes the low `width` of `value` to `address`, in pieces if it is not aligned.
    #[inline]
    pub(super) fn store<B: Bus>(
        &mut self,
        bus: &mut B,
        address: u32,
        width: Width,
        value: u32,
    ) -> Result<(), Trap> {
        self.cost += 1;
        let value = value & width.mask();
        if address & (width.bytes() - 1) == 0 && bus.store(address, width, value) {
            return Ok(());
        }
        self.store_slowly(bus, address, width, value)
    }

    /// Reads `width` at `address`, which must be aligned whatever CCR says.
    pub(super) fn load_aligned<B: Bus>(
        &mut self,
        bus: &mut B,
        address: u32,
        width: Width,
    ) -> Result<u32, Trap> {
        check_aligned(address, width)?;
        self.load(bus, address, width)
    }

    /// Writes `value` to `address`, which must be aligned whatever CCR says.
    pub(super) fn store_aligned<B: Bus>(
        &mut self,
        bus: &mut B,
        address: u32,
        width: Width,
        value: u32,
    ) -> Result<(), Trap> {
        check_aligned(address, width)?;
        self.store(bus, address, width, value)
    }

    #[cold]
    fn load_unaligned<B: Bus>(
        &mut self,
        bus: &mut B,
        address: u32,
        width: Width,
    ) -> Result<u32, Trap> {
        self.check_unaligned(address)?;
        let mut value = 0;
        for index in (0..width.bytes()).rev() {
            let byte = self.load(bus, address.wrapping_add(index), Width::Byte)?;
            value = value << 8 | byte;
        }
        Ok(value)
    }

    #[cold]
    fn store_unaligned<B: Bus>(
        &mut self,
        bus: &mut B,
        address: u32,
        width: Width,
        value: u32,
    ) -> Result<(), Trap> {
        self.check_unaligned(address)?;
        for index in 0..width.bytes() {
            let byte = value >> (8 * index) & 0xff;
            self.store(bus, address.wrapping_add(index), Width::Byte, byte)?;
        }
        Ok(())
    }

    /// Unaligned accesses are for normal memory (DDI 0403E, sections A3.2.1 and B3.1, table B3-1),
    /// and not for its bit-band alias (DDI 0337E, section 4.2).
    fn check_unaligned(&self, address: u32) -> Result<(), Trap> {
        if self.system.traps_unaligned() {
            return Err(Fault::Unaligned.into());
        }
        match address >> 28 {
            0x4 | 0x5 | 0xa.. => Err(self.unpredictable("an unaligned access to a device")),
            _ if Alias::of(address).is_some() => {
                Err(self.unpredictable("an unaligned access to a bit-band alias"))
            }
            _ => Ok(()),
        }
    }

    #[cold]
    #[inline(never)]
    fn load_slowly<B: Bus>(
        &mut self,
        bus: &mut B,
        address: u32,
        width: Width,
    ) -> Result<u32, Trap> {
        if address & (width.bytes() - 1) != 0 {
            return self.load_unaligned(bus, address, width);
        }
        if let Some(alias) = Alias::of(address) {
            let word = self.load(bus, alias.address, Width::Word)?;
            return Ok(word >> alias.bit & 1);
        }
        if PRIVATE.contains(&address) && !CHIP_DEBUG.contains(&address) {
            return self.load_private(address, width);
        }
        self.wait_for(bus, address);
        let result = bus.read(Access {
            address,
            width,
            now: self.now,
            pc: self.r[15].wrapping_sub(4),
        });
        if bus.signals_changed() {
            self.observe(bus);
        }
        into_trap(result, address)
    }

    #[cold]
    #[inline(never)]
    fn store_slowly<B: Bus>(
        &mut self,
        bus: &mut B,
        address: u32,
        width: Width,
        value: u32,
    ) -> Result<(), Trap> {
        if address & (width.bytes() - 1) != 0 {
            return self.store_unaligned(bus, address, width, value);
        }
        if let Some(alias) = Alias::of(address) {
            let word = self.load(bus, alias.address, Width::Word)?;
            let word = word & !(1 << alias.bit) | (value & 1) << alias.bit;
            return self.store(bus, alias.address, Width::Word, word);
        }
        if PRIVATE.contains(&address) && !CHIP_DEBUG.contains(&address) {
            return self.store_private(address, width, value);
        }
        self.wait_for(bus, address);
        let access = Access {
            address,
            width,
            now: self.now,
            pc: self.r[15].wrapping_sub(4),
        };
        let result = bus.write(access, value);
        if bus.signals_changed() {
            self.observe(bus);
        }
        into_trap(result, address)
    }

    /// Charges what the bus takes: wait cycles, and the rest of a flash operation that the access
    /// has to wait for.
    fn wait_for<B: Bus>(&mut self, bus: &B, address: u32) {
        self.cost += bus.wait_cycles(address);
        if bus.code_index(address).is_some() {
            let stall = self.signals.stalled_until.saturating_sub(self.now);
            self.pass(stall.periods_to_cover(self.signals.cycle));
        }
    }

    /// Reads a register of the core: only privileged code may (DDI 0403E, section B3.1.1).
    fn load_private(&mut self, address: u32, width: Width) -> Result<u32, Trap> {
        if !self.is_privileged() {
            return Err(Fault::NoAnswer(address).into());
        }
        let word = self
            .read_system(address & !3)
            .ok_or_else(|| Trap::from(self.unknown(address, AccessKind::Read)))?;
        Ok(word >> (8 * (address & 3)) & width.mask())
    }

    fn store_private(&mut self, address: u32, width: Width, value: u32) -> Result<(), Trap> {
        let trigger = address == 0xe000_ef00 && self.system.lets_anyone_trigger();
        if !self.is_privileged() && !trigger {
            return Err(Fault::NoAnswer(address).into());
        }
        match self.write_system(address, width, value) {
            Ok(()) => {
                // Masks, priorities, pending bits or the timer may have changed.
                self.attention = true;
                self.plan_deadline();
                Ok(())
            }
            Err(Refusal::Unknown) => Err(self.unknown(address, AccessKind::Write(value)).into()),
            Err(Refusal::Unpredictable(why)) => Err(self.unpredictable(why)),
        }
    }

    fn unknown(&self, address: u32, kind: AccessKind) -> Halt {
        Halt::UnknownRegister {
            pc: self.r[15].wrapping_sub(4),
            address,
            block: "the core's private peripherals",
            kind,
        }
    }
}

fn check_aligned(address: u32, width: Width) -> Result<(), Trap> {
    if address & (width.bytes() - 1) == 0 {
        Ok(())
    } else {
        Err(Fault::Unaligned.into())
    }
}

fn into_trap<T>(result: Result<T, BusError>, address: u32) -> Result<T, Trap> {
    result.map_err(|error| match error {
        BusError::NoAnswer => Trap::Fault(Fault::NoAnswer(address)),
        BusError::Halt(halt) => Trap::Halt(halt),
    })
}
