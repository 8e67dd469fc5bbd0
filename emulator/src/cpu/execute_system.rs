//! Carrying out system instructions, and the rarer loads and stores: DDI 0403E, sections A7.7 and
//! B5.2.

use super::exceptions::{Fault, Trap};
use super::instruction::{Hint, Instruction};
use super::nvic::PRIORITY_MASK;
use super::{Bus, Cpu, Sleep};

/// Special registers: DDI 0403E, section B5.1.1.
const MSP: u8 = 8;
const PSP: u8 = 9;
const PRIMASK: u8 = 16;
const BASEPRI: u8 = 17;
const BASEPRI_MAX: u8 = 18;
const FAULTMASK: u8 = 19;
const CONTROL: u8 = 20;

impl Cpu {
    /// Everything that [`super::execute`] does not do itself.
    pub(super) fn execute_memory_or_system<B: Bus>(
        &mut self,
        bus: &mut B,
        instruction: Instruction,
    ) -> Result<(), Trap> {
        match instruction {
            Instruction::LoadDual { rt, rt2, address } => {
                return self.load_dual(bus, (rt, rt2), address);
            }
            Instruction::StoreDual { rt, rt2, address } => {
                return self.store_dual(bus, (rt, rt2), address);
            }
            Instruction::LoadUnprivileged {
                width,
                signed,
                rt,
                rn,
                offset,
            } => {
                let address = self.read(rn).wrapping_add(u32::from(offset));
                return self.load_unprivileged(bus, width, signed, rt, address);
            }
            Instruction::StoreUnprivileged {
                width,
                rt,
                rn,
                offset,
            } => {
                let address = self.read(rn).wrapping_add(u32::from(offset));
                return self.store_unprivileged(bus, width, rt, address);
            }
            Instruction::LoadExclusive {
                width,
                rt,
                rn,
                offset,
            } => {
                let address = self.read(rn).wrapping_add(u32::from(offset));
                return self.load_exclusive(bus, width, rt, address);
            }
            Instruction::StoreExclusive {
                width,
                rd,
                rt,
                rn,
                offset,
            } => {
                let address = self.read(rn).wrapping_add(u32::from(offset));
                return self.store_exclusive(bus, width, rd, rt, address);
            }
            Instruction::ClearExclusive => self.exclusive = false,
            Instruction::Supervisor => return Err(Fault::SupervisorCall.into()),
            Instruction::Breakpoint => return Err(Fault::Breakpoint.into()),
            Instruction::ChangeState {
                disable,
                primask,
                faultmask,
            } => {
                if self.in_it {
                    return Err(self.unpredictable("CPS inside an IT block"));
                }
                self.change_state(disable, primask, faultmask);
            }
            Instruction::ReadSpecial { rd, special } => {
                let value = self.read_special(special);
                self.write(rd, value);
            }
            Instruction::WriteSpecial { rn, special } => {
                let value = self.read(rn);
                self.write_special(special, value);
            }
            Instruction::Hint(hint) => return self.hint(hint),
            Instruction::Barrier => {}
            other => unreachable!("{other:?} is carried out elsewhere"),
        }
        Ok(())
    }

    /// CPS: section B5.2.1.
    fn change_state(&mut self, disable: bool, primask: bool, faultmask: bool) {
        if !self.is_privileged() {
            return;
        }
        self.attention = true;
        if primask {
            self.primask = disable;
        }
        if faultmask && (!disable || self.execution_priority() > -1) {
            self.faultmask = disable;
        }
    }

    /// MRS: section B5.2.2. Unprivileged code reads zeros, but for the flags and CONTROL.
    fn read_special(&self, special: u8) -> u32 {
        let privileged = self.is_privileged();
        match special {
            // Combinations of APSR, IPSR and EPSR; EPSR reads as zero.
            0..=7 => {
                let flags = if special & 4 == 0 { self.apsr() } else { 0 };
                let number = if special & 1 != 0 && privileged {
                    self.exception
                } else {
                    0
                };
                flags | number
            }
            CONTROL => self.control(),
            _ if !privileged => 0,
            MSP | PSP => self.stack_pointer(special == PSP),
            PRIMASK => u32::from(self.primask),
            BASEPRI | BASEPRI_MAX => u32::from(self.basepri),
            FAULTMASK => u32::from(self.faultmask),
            _ => 0,
        }
    }

    /// MSR: section B5.2.3. Unprivileged code writes nothing but the flags.
    fn write_special(&mut self, special: u8, value: u32) {
        if special & !3 == 0 {
            self.set_apsr(value);
            return;
        }
        if !self.is_privileged() {
            return;
        }
        self.attention = true;
        let level = value as u8 & PRIORITY_MASK;
        match special {
            MSP | PSP => {
                let in_use = self.uses_process_stack() == (special == PSP);
                let pointer = if in_use {
                    &mut self.r[13]
                } else {
                    &mut self.other_sp
                };
                *pointer = value & !3;
            }
            PRIMASK => self.primask = value & 1 != 0,
            BASEPRI => self.basepri = level,
            BASEPRI_MAX if level != 0 && (level < self.basepri || self.basepri == 0) => {
                self.basepri = level;
            }
            FAULTMASK if value & 1 == 0 => self.faultmask = false,
            FAULTMASK if self.execution_priority() > -1 => self.faultmask = true,
            CONTROL => {
                self.unprivileged = value & 1 != 0;
                let process_stack = value & 2 != 0;
                // A handler cannot change its stack.
                if self.exception == 0 && process_stack != self.process_stack {
                    self.process_stack = process_stack;
                    std::mem::swap(&mut self.r[13], &mut self.other_sp);
                }
            }
            _ => {}
        }
    }

    fn stack_pointer(&self, process: bool) -> u32 {
        if self.uses_process_stack() == process {
            self.r[13]
        } else {
            self.other_sp
        }
    }

    /// WFE, WFI and SEV: sections A7.7.261, A7.7.262 and A7.7.129.
    fn hint(&mut self, hint: Hint) -> Result<(), Trap> {
        let sleep = match hint {
            Hint::Nop => return Ok(()),
            Hint::SendEvent => {
                self.event = true;
                return Ok(());
            }
            Hint::WaitForEvent if self.event => {
                self.event = false;
                return Ok(());
            }
            Hint::WaitForEvent => Sleep::ForEvent,
            Hint::WaitForInterrupt => Sleep::ForInterrupt,
        };
        self.sleep = sleep;
        self.attention = true;
        Ok(())
    }
}
