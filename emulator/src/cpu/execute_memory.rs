//! Carrying out loads and stores: DDI 0403E, section A7.7.
//!
//! A base register is written back only after the last access succeeded, so that a fault leaves
//! the instruction to be done again.

use super::exceptions::{Fault, Trap};
use super::execute::extend;
use super::instruction::{Address, Reg, Width};
use super::{Bus, Cpu};

/// The private peripheral bus is closed to unprivileged accesses: DDI 0403E, section B3.1.
const PRIVATE_BUS: u32 = 0xe000_0000;

impl Cpu {
    /// The address of an access, and what the base register becomes if it changes.
    #[inline]
    fn address(&self, address: Address) -> (u32, Option<(Reg, u32)>) {
        match address {
            Address::Offset { rn, offset } => {
                let base = if rn == Reg::PC {
                    self.r[15] & !3
                } else {
                    self.read(rn)
                };
                (base.wrapping_add_signed(i32::from(offset)), None)
            }
            Address::Register { rn, rm, shift } => {
                let index = self.read(rm) << (shift & 3);
                (self.read(rn).wrapping_add(index), None)
            }
            Address::PreIndexed { rn, offset } => {
                let moved = self.read(rn).wrapping_add_signed(i32::from(offset));
                (moved, Some((rn, moved)))
            }
            Address::PostIndexed { rn, offset } => {
                let base = self.read(rn);
                (
                    base,
                    Some((rn, base.wrapping_add_signed(i32::from(offset)))),
                )
            }
        }
    }

    #[inline]
    fn write_back(&mut self, base: Option<(Reg, u32)>) {
        if let Some((rn, value)) = base {
            self.write(rn, value);
        }
    }

    #[inline]
    pub(super) fn load_register<B: Bus>(
        &mut self,
        bus: &mut B,
        width: Width,
        signed: bool,
        rt: Reg,
        address: Address,
    ) -> Result<(), Trap> {
        let (from, base) = self.address(address);
        if rt == Reg::PC {
            let target = self.load(bus, from, width)?;
            if from & 3 != 0 {
                return Err(self.unpredictable("the program counter is loaded from an odd place"));
            }
            self.write_back(base);
            return self.branch_exchange(bus, target);
        }
        let value = self.load(bus, from, width)?;
        self.write_back(base);
        self.write(rt, extend(value, width, signed));
        Ok(())
    }

    #[inline]
    pub(super) fn store_register<B: Bus>(
        &mut self,
        bus: &mut B,
        width: Width,
        rt: Reg,
        address: Address,
    ) -> Result<(), Trap> {
        let (to, base) = self.address(address);
        self.store(bus, to, width, self.read(rt))?;
        self.write_back(base);
        Ok(())
    }

    pub(super) fn load_dual<B: Bus>(
        &mut self,
        bus: &mut B,
        (rt, rt2): (Reg, Reg),
        address: Address,
    ) -> Result<(), Trap> {
        let (from, base) = self.address(address);
        let first = self.load_aligned(bus, from, Width::Word)?;
        let second = self.load(bus, from.wrapping_add(4), Width::Word)?;
        self.write_back(base);
        self.write(rt, first);
        self.write(rt2, second);
        Ok(())
    }

    pub(super) fn store_dual<B: Bus>(
        &mut self,
        bus: &mut B,
        (rt, rt2): (Reg, Reg),
        address: Address,
    ) -> Result<(), Trap> {
        let (to, base) = self.address(address);
        self.store_aligned(bus, to, Width::Word, self.read(rt))?;
        self.store(bus, to.wrapping_add(4), Width::Word, self.read(rt2))?;
        self.write_back(base);
        Ok(())
    }

    /// The lowest address of a multiple access, and where the base moves to.
    fn multiple(&self, rn: Reg, list: u16, before: bool) -> (u32, u32) {
        let base = self.read(rn);
        let bytes = 4 * list.count_ones();
        if before {
            let start = base.wrapping_sub(bytes);
            (start, start)
        } else {
            (base, base.wrapping_add(bytes))
        }
    }

    pub(super) fn load_multiple<B: Bus>(
        &mut self,
        bus: &mut B,
        rn: Reg,
        list: u16,
        write_back: bool,
        before: bool,
    ) -> Result<(), Trap> {
        let (mut address, end) = self.multiple(rn, list, before);
        check_words(address)?;
        let mut values = [0; 16];
        for register in Registers(list) {
            values[register.index()] = self.load(bus, address, Width::Word)?;
            address = address.wrapping_add(4);
        }
        if write_back {
            self.write(rn, end);
        }
        for register in Registers(list & 0x7fff) {
            self.write(register, values[register.index()]);
        }
        if list & 0x8000 != 0 {
            return self.branch_exchange(bus, values[15]);
        }
        Ok(())
    }

    pub(super) fn store_multiple<B: Bus>(
        &mut self,
        bus: &mut B,
        rn: Reg,
        list: u16,
        write_back: bool,
        before: bool,
    ) -> Result<(), Trap> {
        let (mut address, end) = self.multiple(rn, list, before);
        check_words(address)?;
        for register in Registers(list) {
            self.store(bus, address, Width::Word, self.read(register))?;
            address = address.wrapping_add(4);
        }
        if write_back {
            self.write(rn, end);
        }
        Ok(())
    }

    pub(super) fn load_exclusive<B: Bus>(
        &mut self,
        bus: &mut B,
        width: Width,
        rt: Reg,
        address: u32,
    ) -> Result<(), Trap> {
        let value = self.load_aligned(bus, address, width)?;
        self.exclusive = true;
        self.write(rt, value);
        Ok(())
    }

    pub(super) fn store_exclusive<B: Bus>(
        &mut self,
        bus: &mut B,
        width: Width,
        rd: Reg,
        rt: Reg,
        address: u32,
    ) -> Result<(), Trap> {
        check_aligned(address, width)?;
        let granted = self.exclusive;
        if granted {
            self.store(bus, address, width, self.read(rt))?;
            self.exclusive = false;
        }
        self.write(rd, u32::from(!granted));
        Ok(())
    }

    pub(super) fn load_unprivileged<B: Bus>(
        &mut self,
        bus: &mut B,
        width: Width,
        signed: bool,
        rt: Reg,
        address: u32,
    ) -> Result<(), Trap> {
        check_unprivileged(address)?;
        let value = self.load(bus, address, width)?;
        self.write(rt, extend(value, width, signed));
        Ok(())
    }

    pub(super) fn store_unprivileged<B: Bus>(
        &mut self,
        bus: &mut B,
        width: Width,
        rt: Reg,
        address: u32,
    ) -> Result<(), Trap> {
        check_unprivileged(address)?;
        self.store(bus, address, width, self.read(rt))
    }
}

fn check_words(address: u32) -> Result<(), Trap> {
    check_aligned(address, Width::Word)
}

fn check_aligned(address: u32, width: Width) -> Result<(), Trap> {
    if address & (width.bytes() - 1) == 0 {
        Ok(())
    } else {
        Err(Fault::Unaligned.into())
    }
}

fn check_unprivileged(address: u32) -> Result<(), Trap> {
    if address >> 20 == PRIVATE_BUS >> 20 {
        Err(Fault::NoAnswer(address).into())
    } else {
        Ok(())
    }
}

/// The registers of a list, lowest first.
struct Registers(u16);

impl Iterator for Registers {
    type Item = Reg;

    #[inline]
    fn next(&mut self) -> Option<Reg> {
        if self.0 == 0 {
            return None;
        }
        let index = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(Reg::new(index))
    }
}
