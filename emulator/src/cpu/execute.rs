//! Carrying out instructions: the dispatch, data processing and branches. DDI 0403E, section A7.7.

use super::alu::{add_with_carry, saturate_signed, saturate_unsigned, shift};
use super::exceptions::{Fault, Trap};
use super::instruction::{
    Alu, Compare, Flags, ImmediateCarry, Instruction, Operand, Reg, Reverse, Shift, Width,
};
use super::{Bus, Cpu};
use crate::halt::Halt;

impl Cpu {
    /// Carries out one instruction. The program counter already stands behind it.
    #[inline]
    pub(super) fn execute<B: Bus>(
        &mut self,
        bus: &mut B,
        instruction: Instruction,
    ) -> Result<(), Trap> {
        match instruction {
            Instruction::Alu {
                op,
                flags,
                rd,
                rn,
                operand,
            } => self.alu(op, flags, rd, rn, operand),
            Instruction::Move {
                flags,
                rd,
                operand,
                invert,
            } => {
                let (value, carry) = self.operand(operand);
                let value = if invert { !value } else { value };
                self.write(rd, value);
                if self.sets(flags) {
                    self.set_nz(value);
                    self.carry = carry;
                }
            }
            Instruction::MoveTop { rd, value } => {
                let low = self.read(rd) & 0xffff;
                self.write(rd, u32::from(value) << 16 | low);
            }
            Instruction::AddressOf { rd, offset } => {
                let base = self.read(Reg::PC) & !3;
                self.write(rd, base.wrapping_add_signed(i32::from(offset)));
            }
            Instruction::Compare { op, rn, operand } => self.compare(op, rn, operand),
            Instruction::Load {
                width,
                signed,
                rt,
                address,
            } => return self.load_register(bus, width, signed, rt, address),
            Instruction::Store { width, rt, address } => {
                return self.store_register(bus, width, rt, address);
            }
            Instruction::Branch { offset } => return self.branch_by(offset),
            Instruction::BranchIf { condition, offset } => {
                if self.in_it {
                    return Err(self.unpredictable("a conditional branch inside an IT block"));
                }
                if self.holds(condition) {
                    return self.branch_by(offset);
                }
            }
            Instruction::CompareBranch {
                nonzero,
                rn,
                offset,
            } => {
                if self.in_it {
                    return Err(self.unpredictable("CBZ inside an IT block"));
                }
                if (self.read(rn) != 0) == nonzero {
                    return self.branch_by(i32::from(offset));
                }
            }
            Instruction::ShiftByRegister {
                shift: kind,
                flags,
                rd,
                rn,
                rm,
            } => {
                let amount = self.read(rm) & 0xff;
                let (value, carry) = shift(kind, self.read(rn), amount, self.carry);
                self.write(rd, value);
                if self.sets(flags) {
                    self.set_nz(value);
                    self.carry = carry;
                }
            }
            Instruction::Extend {
                width,
                signed,
                rd,
                rm,
                rotate,
            } => {
                let rotated = self.read(rm).rotate_right(u32::from(rotate));
                self.write(rd, extend(rotated, width, signed));
            }
            Instruction::BranchLink { offset } => {
                self.write(Reg::LR, self.pc | 1);
                return self.branch_by(offset);
            }
            Instruction::BranchExchange { rm } => {
                let target = self.read(rm);
                return self.branch_exchange(bus, target);
            }
            Instruction::BranchLinkExchange { rm } => {
                let target = self.read(rm);
                self.write(Reg::LR, self.pc | 1);
                self.jump_exchange(target)?;
            }
            Instruction::IfThen { state } => {
                if self.in_it {
                    return Err(self.unpredictable("IT inside an IT block"));
                }
                self.it = state;
            }
            Instruction::LoadMultiple {
                rn,
                list,
                write_back,
                before,
            } => return self.load_multiple(bus, rn, list, write_back, before),
            Instruction::StoreMultiple {
                rn,
                list,
                write_back,
                before,
            } => return self.store_multiple(bus, rn, list, write_back, before),
            Instruction::Multiply { flags, rd, rn, rm } => {
                let product = self.read(rn).wrapping_mul(self.read(rm));
                self.write(rd, product);
                if self.sets(flags) {
                    self.set_nz(product);
                }
            }
            _ => return self.execute_rarely(bus, instruction),
        }
        Ok(())
    }

    /// The instructions that compilers use less often.
    #[inline(never)]
    fn execute_rarely<B: Bus>(
        &mut self,
        bus: &mut B,
        instruction: Instruction,
    ) -> Result<(), Trap> {
        match instruction {
            Instruction::Reverse { op, rd, rm } => self.write(rd, reverse(op, self.read(rm))),
            Instruction::CountLeadingZeros { rd, rm } => {
                self.write(rd, self.read(rm).leading_zeros());
            }
            Instruction::Saturate {
                signed,
                rd,
                rn,
                bits,
                shift: kind,
                amount,
            } => self.saturate(signed, rd, rn, bits, (kind, amount)),
            Instruction::BitFieldExtract {
                signed,
                rd,
                rn,
                lsb,
                width,
            } => {
                let left = self.read(rn) << (32 - lsb - width);
                let right = 32 - width;
                let value = if signed {
                    ((left as i32) >> right) as u32
                } else {
                    left >> right
                };
                self.write(rd, value);
            }
            Instruction::BitFieldInsert { rd, rn, lsb, width } => {
                let mask = u32::MAX >> (32 - width) << lsb;
                let field = rn.map_or(0, |rn| self.read(rn) << lsb);
                self.write(rd, self.read(rd) & !mask | field & mask);
            }
            Instruction::MultiplyAdd {
                subtract,
                rd,
                rn,
                rm,
                ra,
            } => {
                let product = self.read(rn).wrapping_mul(self.read(rm));
                let addend = self.read(ra);
                let value = if subtract {
                    addend.wrapping_sub(product)
                } else {
                    addend.wrapping_add(product)
                };
                self.write(rd, value);
                self.cost += 1;
            }
            Instruction::MultiplyLong {
                signed,
                accumulate,
                lo,
                hi,
                rn,
                rm,
            } => self.multiply_long(signed, accumulate, (lo, hi), rn, rm),
            Instruction::Divide { signed, rd, rn, rm } => {
                return self.divide(signed, rd, rn, rm);
            }
            Instruction::MoveToPc { rm } => {
                self.check_last_in_it()?;
                let target = self.read(rm);
                self.jump(target);
            }
            Instruction::AddToPc { rm } => {
                self.check_last_in_it()?;
                let target = self.read(Reg::PC).wrapping_add(self.read(rm));
                self.jump(target);
            }
            Instruction::TableBranch { width, rn, rm } => {
                self.check_last_in_it()?;
                let index = self.read(rm) << u32::from(width == Width::Half);
                let entry = self.load(bus, self.read(rn).wrapping_add(index), width)?;
                let target = self.read(Reg::PC).wrapping_add(2 * entry);
                self.jump(target);
            }
            Instruction::Undefined => return Err(Fault::UndefinedInstruction.into()),
            Instruction::Coprocessor => return Err(Fault::NoCoprocessor.into()),
            Instruction::Unpredictable => {
                let pc = self.r[15].wrapping_sub(4);
                let half = |address| u32::from(bus.fetch(address).unwrap_or(0));
                let code = match self.pc.wrapping_sub(pc) {
                    2 => half(pc),
                    _ => half(pc) << 16 | half(pc.wrapping_add(2)),
                };
                return Err(Halt::UnpredictableInstruction { pc, code }.into());
            }
            memory_or_system => return self.execute_memory_or_system(bus, memory_or_system),
        }
        Ok(())
    }

    #[inline]
    pub(super) fn read(&self, register: Reg) -> u32 {
        self.r[register.index()]
    }

    /// Writes a register; the lowest two bits of the stack pointer are always zero (DDI 0403E,
    /// section B1.4.1).
    #[inline]
    pub(super) fn write(&mut self, register: Reg, value: u32) {
        let value = if register == Reg::SP {
            value & !3
        } else {
            value
        };
        self.r[register.index()] = value;
    }

    #[inline]
    fn sets(&self, flags: Flags) -> bool {
        match flags {
            Flags::Keep => false,
            Flags::Set => true,
            Flags::SetOutsideIt => !self.in_it,
        }
    }

    #[inline]
    fn set_nz(&mut self, value: u32) {
        self.negative = value >> 31 != 0;
        self.zero = value == 0;
    }

    /// The value of a second operand and the carry that a logical operation makes of it.
    #[inline]
    fn operand(&self, operand: Operand) -> (u32, bool) {
        match operand {
            Operand::Immediate {
                value,
                carry: ImmediateCarry::Unchanged,
            } => (value, self.carry),
            Operand::Immediate {
                value,
                carry: ImmediateCarry::TopBit,
            } => (value, value >> 31 != 0),
            Operand::Register {
                rm,
                shift: kind,
                amount,
            } => shift(kind, self.read(rm), u32::from(amount), self.carry),
        }
    }

    #[inline]
    fn alu(&mut self, op: Alu, flags: Flags, rd: Reg, rn: Reg, operand: Operand) {
        let (second, shifted_carry) = self.operand(operand);
        let first = self.read(rn);
        let (value, carry, overflow) = match op {
            Alu::And => (first & second, shifted_carry, self.overflow),
            Alu::Bic => (first & !second, shifted_carry, self.overflow),
            Alu::Orr => (first | second, shifted_carry, self.overflow),
            Alu::Orn => (first | !second, shifted_carry, self.overflow),
            Alu::Eor => (first ^ second, shifted_carry, self.overflow),
            Alu::Add => add_with_carry(first, second, false),
            Alu::Adc => add_with_carry(first, second, self.carry),
            Alu::Sub => add_with_carry(first, !second, true),
            Alu::Sbc => add_with_carry(first, !second, self.carry),
            Alu::Rsb => add_with_carry(!first, second, true),
        };
        self.write(rd, value);
        if self.sets(flags) {
            self.set_nz(value);
            self.carry = carry;
            self.overflow = overflow;
        }
    }

    #[inline]
    fn compare(&mut self, op: Compare, rn: Reg, operand: Operand) {
        let (second, shifted_carry) = self.operand(operand);
        let first = self.read(rn);
        let (value, carry, overflow) = match op {
            Compare::Tst => (first & second, shifted_carry, self.overflow),
            Compare::Teq => (first ^ second, shifted_carry, self.overflow),
            Compare::Cmp => add_with_carry(first, !second, true),
            Compare::Cmn => add_with_carry(first, second, false),
        };
        self.set_nz(value);
        self.carry = carry;
        self.overflow = overflow;
    }

    fn saturate(&mut self, signed: bool, rd: Reg, rn: Reg, bits: u8, by: (Shift, u8)) {
        let (operand, _) = shift(by.0, self.read(rn), u32::from(by.1), self.carry);
        let bits = u32::from(bits);
        let (value, limited) = if signed {
            let (value, limited) = saturate_signed(operand as i32, bits);
            (value as u32, limited)
        } else {
            saturate_unsigned(operand as i32, bits)
        };
        self.write(rd, value);
        self.saturated |= limited;
    }

    fn multiply_long(
        &mut self,
        signed: bool,
        accumulate: bool,
        (lo, hi): (Reg, Reg),
        rn: Reg,
        rm: Reg,
    ) {
        let (a, b) = (self.read(rn), self.read(rm));
        let product = if signed {
            (i64::from(a as i32) * i64::from(b as i32)) as u64
        } else {
            u64::from(a) * u64::from(b)
        };
        let addend = if accumulate {
            u64::from(self.read(hi)) << 32 | u64::from(self.read(lo))
        } else {
            0
        };
        let value = product.wrapping_add(addend);
        self.write(lo, value as u32);
        self.write(hi, (value >> 32) as u32);
        self.cost += 3;
    }

    fn divide(&mut self, signed: bool, rd: Reg, rn: Reg, rm: Reg) -> Result<(), Trap> {
        let (a, b) = (self.read(rn), self.read(rm));
        if b == 0 && self.system.traps_division_by_zero() {
            return Err(Fault::DivideByZero.into());
        }
        let value = match (signed, b) {
            (_, 0) => 0,
            (true, b) => (a as i32).wrapping_div(b as i32) as u32,
            (false, b) => a / b,
        };
        self.write(rd, value);
        // 2 to 12 cycles: the divider leaves out the quotient's leading zeros, and makes about
        // three bits of it per cycle (DDI 0337E, table 18-1).
        let magnitude = |x: u32| if signed { (x as i32).unsigned_abs() } else { x };
        let quotient_bits = magnitude(b)
            .leading_zeros()
            .saturating_sub(magnitude(a).leading_zeros());
        self.cost += 1 + quotient_bits / 3;
        Ok(())
    }

    #[inline]
    fn branch_by(&mut self, offset: i32) -> Result<(), Trap> {
        self.check_last_in_it()?;
        let target = self.r[15].wrapping_add_signed(offset);
        self.jump(target);
        Ok(())
    }

    /// A branch may stand only at the end of an IT block: then nothing is left of it.
    #[inline]
    fn check_last_in_it(&self) -> Result<(), Trap> {
        if self.it == 0 {
            Ok(())
        } else {
            Err(self.unpredictable("a branch in the middle of an IT block"))
        }
    }

    #[cold]
    pub(super) fn unpredictable(&self, why: &'static str) -> Trap {
        Halt::UnpredictableUse {
            pc: self.r[15].wrapping_sub(4),
            why,
        }
        .into()
    }

    /// `BranchWritePC`: DDI 0403E, section A2.3.1.
    #[inline]
    fn jump(&mut self, target: u32) {
        self.pc = target & !1;
        self.cost += 1;
    }

    /// `BLXWritePC`.
    fn jump_exchange(&mut self, target: u32) -> Result<(), Trap> {
        self.check_last_in_it()?;
        if target & 1 == 0 {
            self.thumb = false;
            self.attention = true;
        }
        self.jump(target);
        Ok(())
    }

    /// `BXWritePC`: in a handler the highest addresses return from the exception.
    pub(super) fn branch_exchange<B: Bus>(&mut self, bus: &mut B, target: u32) -> Result<(), Trap> {
        if self.exception != 0 && target >> 28 == 0xf {
            self.check_last_in_it()?;
            return self.return_from_exception(bus, target).map_err(Trap::Halt);
        }
        self.jump_exchange(target)
    }
}

/// The low `width` bits of `value`, extended to a word.
#[inline]
pub(super) fn extend(value: u32, width: Width, signed: bool) -> u32 {
    match (width, signed) {
        (Width::Byte, false) => value & 0xff,
        (Width::Half, false) => value & 0xffff,
        (Width::Byte, true) => value as i8 as u32,
        (Width::Half, true) => value as i16 as u32,
        (Width::Word, _) => value,
    }
}

fn reverse(op: Reverse, value: u32) -> u32 {
    match op {
        Reverse::Rev => value.swap_bytes(),
        Reverse::Rev16 => value.swap_bytes().rotate_left(16),
        Reverse::Revsh => (value as u16).swap_bytes() as i16 as u32,
        Reverse::Rbit => value.reverse_bits(),
    }
}
