//! Entering and leaving exceptions, faults and their escalation: DDI 0403E, section B1.5.

use super::instruction::Width;
use super::nvic::{BUS_FAULT, HARD_FAULT, MEM_MANAGE, NMI, SV_CALL, USAGE_FAULT};
use super::{Bus, Cpu, Sleep};
use crate::halt::Halt;

/// Cycles to stack a frame and fetch the vector, and to unstack it: DDI 0337E, section 5.8.
const ENTRY_CYCLES: u64 = 12;
/// Cycles from one handler to the next without unstacking: DDI 0337E, section 5.8.
const TAIL_CHAIN_CYCLES: u64 = 6;

/// Bytes of a stack frame: R0 to R3, R12, LR, return address, xPSR (DDI 0403E, section B1.5.6).
const FRAME_BYTES: u32 = 32;

/// Something that an instruction did wrong, or asked for, and that an exception answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Code was to be fetched from where nothing may be executed (MMFSR.IACCVIOL).
    FetchFromExecuteNever,
    /// Code was to be fetched from where nothing is (BFSR.IBUSERR).
    FetchFromNowhere,
    /// Nothing answered at this data address (BFSR.PRECISERR).
    NoAnswer(u32),
    /// Writing the frame of an exception failed (BFSR.STKERR).
    Stacking,
    /// Reading the frame of an exception failed (BFSR.UNSTKERR).
    Unstacking,
    /// The instruction is undefined (UFSR.UNDEFINSTR).
    UndefinedInstruction,
    /// Execution in ARM state, which does not exist (UFSR.INVSTATE).
    InvalidState,
    /// An exception return that does not fit the state (UFSR.INVPC).
    InvalidReturn,
    /// An instruction of a coprocessor that is not there (UFSR.NOCP).
    NoCoprocessor,
    /// An access that must be aligned is not (UFSR.UNALIGNED).
    Unaligned,
    /// A division by zero while CCR.DIV_0_TRP is set (UFSR.DIVBYZERO).
    DivideByZero,
    /// SVC.
    SupervisorCall,
    /// BKPT, and no debugger is there.
    Breakpoint,
}

impl Fault {
    /// The exception that answers it.
    const fn exception(self) -> u32 {
        match self {
            Self::FetchFromExecuteNever => MEM_MANAGE,
            Self::FetchFromNowhere | Self::NoAnswer(_) | Self::Stacking | Self::Unstacking => {
                BUS_FAULT
            }
            Self::UndefinedInstruction
            | Self::InvalidState
            | Self::InvalidReturn
            | Self::NoCoprocessor
            | Self::Unaligned
            | Self::DivideByZero => USAGE_FAULT,
            Self::SupervisorCall => SV_CALL,
            Self::Breakpoint => HARD_FAULT,
        }
    }

    /// Its bit in CFSR: DDI 0403E, section B3.2.15.
    const fn status_bit(self) -> u32 {
        match self {
            Self::FetchFromExecuteNever => 1 << 0,
            Self::FetchFromNowhere => 1 << 8,
            Self::NoAnswer(_) => 1 << 9,
            Self::Unstacking => 1 << 11,
            Self::Stacking => 1 << 12,
            Self::UndefinedInstruction => 1 << 16,
            Self::InvalidState => 1 << 17,
            Self::InvalidReturn => 1 << 18,
            Self::NoCoprocessor => 1 << 19,
            Self::Unaligned => 1 << 24,
            Self::DivideByZero => 1 << 25,
            Self::SupervisorCall | Self::Breakpoint => 0,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FetchFromExecuteNever => f.write_str("code in a region that holds no code"),
            Self::FetchFromNowhere => f.write_str("code where there is no memory"),
            Self::NoAnswer(address) => write!(f, "nothing answers at {address:#010x}"),
            Self::Stacking => f.write_str("stacking for an exception failed"),
            Self::Unstacking => f.write_str("unstacking after an exception failed"),
            Self::UndefinedInstruction => f.write_str("undefined instruction"),
            Self::InvalidState => f.write_str("branch to an even address"),
            Self::InvalidReturn => f.write_str("invalid exception return"),
            Self::NoCoprocessor => f.write_str("coprocessor instruction"),
            Self::Unaligned => f.write_str("unaligned access"),
            Self::DivideByZero => f.write_str("division by zero"),
            Self::SupervisorCall => f.write_str("supervisor call"),
            Self::Breakpoint => f.write_str("breakpoint without a debugger"),
        }
    }
}

/// The end of what the emulator knows, in one word: it is handed up for every instruction.
pub(super) type Stop = Box<Halt>;

/// What can interrupt an instruction.
#[derive(Debug)]
pub(super) enum Trap {
    /// An exception of the architecture.
    Fault(Fault),
    /// The end of what the emulator knows.
    Halt(Stop),
}

impl From<Fault> for Trap {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Halt> for Trap {
    fn from(halt: Halt) -> Self {
        Self::Halt(Box::new(halt))
    }
}

impl Cpu {
    /// `ExecutionPriority`: DDI 0403E, section B1.5.4.
    pub(super) fn execution_priority(&self) -> i16 {
        let boosted = if self.faultmask {
            -1
        } else if self.primask {
            0
        } else {
            i16::MAX
        };
        boosted.min(self.masked_priority())
    }

    /// The execution priority without PRIMASK and FAULTMASK: what may wake the core from WFI
    /// (DDI 0403E, section B1.5.19).
    pub(super) fn masked_priority(&self) -> i16 {
        let base = match self.basepri {
            0 => i16::MAX,
            level => self.exceptions.group_of(i16::from(level)),
        };
        base.min(self.exceptions.active_priority())
    }

    /// Handles what interrupted the instruction at `pc`, which began with the IT state `it`.
    #[cold]
    pub(super) fn trap<B: Bus>(
        &mut self,
        bus: &mut B,
        trap: Trap,
        pc: u32,
        it: u8,
    ) -> Result<(), Stop> {
        match trap {
            Trap::Halt(halt) => Err(halt),
            // The call itself is done: it returns behind itself.
            Trap::Fault(Fault::SupervisorCall) => self.raise(bus, Fault::SupervisorCall, self.pc),
            Trap::Fault(fault) => {
                self.it = it;
                self.raise(bus, fault, pc)
            }
        }
    }

    /// Takes the exception that answers `fault`, or the one that it escalates to: DDI 0403E,
    /// sections B1.5.14 and B1.5.15.
    pub(super) fn raise<B: Bus>(
        &mut self,
        bus: &mut B,
        fault: Fault,
        return_address: u32,
    ) -> Result<(), Stop> {
        let current = self.execution_priority();
        if fault != Fault::SupervisorCall {
            bus.complain(self.now, return_address, &fault.to_string());
        }
        self.system.record_fault(fault.status_bit());
        if let Fault::NoAnswer(address) = fault {
            self.system.record_bus_fault_address(address);
        }
        let number = fault.exception();
        let takes = |number| {
            self.exceptions.is_enabled(number) && self.exceptions.group_priority(number) < current
        };
        if fault != Fault::Breakpoint && takes(number) {
            return self.enter(bus, number, return_address);
        }
        if !takes(HARD_FAULT) {
            return Err(Stop::from(Halt::LockedUp {
                pc: return_address,
                why: fault.to_string(),
            }));
        }
        if fault == Fault::Breakpoint {
            self.system.record_debug_event();
        } else {
            self.system.record_forced_hard_fault();
        }
        self.enter(bus, HARD_FAULT, return_address)
    }

    /// `ExceptionEntry`: stacks a frame and starts the handler. DDI 0403E, section B1.5.6.
    pub(super) fn enter<B: Bus>(
        &mut self,
        bus: &mut B,
        number: u32,
        return_address: u32,
    ) -> Result<(), Stop> {
        let frame_is_whole = self.push_frame(bus, return_address)?;
        let link = if self.exception != 0 {
            0xffff_fff1
        } else if self.process_stack {
            0xffff_fffd
        } else {
            0xffff_fff9
        };
        self.pass(ENTRY_CYCLES);
        let number = if frame_is_whole {
            number
        } else {
            self.derived(bus, number)?
        };
        self.start_handler(bus, number, link)
    }

    /// The exception to take when stacking for `number` failed: DDI 0403E, section B1.5.7.
    fn derived<B: Bus>(&mut self, bus: &mut B, number: u32) -> Result<u32, Stop> {
        bus.complain(self.now, self.pc, &Fault::Stacking.to_string());
        self.system.record_fault(Fault::Stacking.status_bit());
        let priority = self.exceptions.group_priority(number);
        let enabled = self.exceptions.is_enabled(BUS_FAULT);
        if enabled && self.exceptions.group_priority(BUS_FAULT) < priority {
            self.exceptions.pend(number);
            return Ok(BUS_FAULT);
        }
        if enabled {
            self.exceptions.pend(BUS_FAULT);
            return Ok(number);
        }
        if number == HARD_FAULT || number == NMI {
            return Err(Stop::from(Halt::LockedUp {
                pc: self.pc,
                why: Fault::Stacking.to_string(),
            }));
        }
        self.exceptions.pend(number);
        self.system.record_forced_hard_fault();
        Ok(HARD_FAULT)
    }

    /// `PushStack`: DDI 0403E, section B1.5.6. False if a word found no memory.
    fn push_frame<B: Bus>(&mut self, bus: &mut B, return_address: u32) -> Result<bool, Stop> {
        let align = self.system.aligns_stack();
        let sp = self.r[13];
        let padded = align && sp & 4 != 0;
        let frame = sp.wrapping_sub(FRAME_BYTES) & if align { !4 } else { !0 };
        let words = [
            self.r[0],
            self.r[1],
            self.r[2],
            self.r[3],
            self.r[12],
            self.r[14],
            return_address,
            self.xpsr() & !(1 << 9) | u32::from(padded) << 9,
        ];
        self.r[13] = frame;
        let mut whole = true;
        for (index, word) in (0..).zip(words) {
            match self.store(bus, frame.wrapping_add(4 * index), Width::Word, word) {
                Ok(()) => {}
                Err(Trap::Fault(_)) => whole = false,
                Err(Trap::Halt(halt)) => return Err(halt),
            }
        }
        Ok(whole)
    }

    /// `ExceptionTaken`: DDI 0403E, section B1.5.6.
    fn start_handler<B: Bus>(&mut self, bus: &mut B, number: u32, link: u32) -> Result<(), Stop> {
        if self.uses_process_stack() {
            std::mem::swap(&mut self.r[13], &mut self.other_sp);
        }
        self.process_stack = false;
        self.exception = number;
        self.r[14] = link;
        self.it = 0;
        self.exceptions.activate(number);
        self.exclusive = false;
        self.event = true;
        self.sleep = Sleep::Awake;
        self.attention = true;
        let slot = self.system.vector_table().wrapping_add(4 * number);
        match self.load(bus, slot, Width::Word) {
            Ok(vector) => {
                self.pc = vector & !1;
                self.thumb = vector & 1 != 0;
                Ok(())
            }
            Err(Trap::Halt(halt)) => Err(halt),
            Err(Trap::Fault(_)) if number == HARD_FAULT => Err(Stop::from(Halt::LockedUp {
                pc: self.pc,
                why: "the vector of HardFault cannot be read".to_string(),
            })),
            Err(Trap::Fault(_)) => {
                self.system.record_vector_fault();
                self.start_handler(bus, HARD_FAULT, link)
            }
        }
    }

    /// `ExceptionReturn`: DDI 0403E, section B1.5.8.
    pub(super) fn return_from_exception<B: Bus>(
        &mut self,
        bus: &mut B,
        code: u32,
    ) -> Result<(), Stop> {
        let number = self.exception;
        let nested = self.exceptions.active().count_ones();
        let to_thread_is_fine = nested == 1 || self.system.allows_any_return_to_thread();
        let process_stack = match code & 0xf {
            0b0001 if nested > 1 => Some(false),
            0b1001 if to_thread_is_fine => Some(false),
            0b1101 if to_thread_is_fine => Some(true),
            _ => None,
        };
        let valid = self.exceptions.is_active(number) && code & 0x0fff_fff0 == 0x0fff_fff0;
        self.exceptions.set_active(number, false);
        if number != NMI {
            self.faultmask = false;
        }
        self.attention = true;
        let Some(process_stack) = process_stack.filter(|_| valid) else {
            return self.refuse_return(bus, Fault::InvalidReturn, code);
        };
        // What is due now needs no unstacking before it: tail-chaining, section B1.5.12.
        let to_thread = code & 8 != 0;
        if let Some(next) = self.exceptions.due(self.execution_priority()) {
            self.pass(TAIL_CHAIN_CYCLES);
            return self.start_handler(bus, next, code);
        }
        if process_stack {
            std::mem::swap(&mut self.r[13], &mut self.other_sp);
        }
        self.process_stack = process_stack;
        self.exception = 0;
        let sp = self.r[13];
        let mut frame = [0; 8];
        let mut whole = true;
        for (index, word) in (0..).zip(&mut frame) {
            match self.load(bus, sp.wrapping_add(4 * index), Width::Word) {
                Ok(value) => *word = value,
                Err(Trap::Halt(halt)) => return Err(halt),
                Err(Trap::Fault(_)) => whole = false,
            }
        }
        self.pass(ENTRY_CYCLES);
        if !whole {
            return self.refuse_return(bus, Fault::Unstacking, code);
        }
        let [r0, r1, r2, r3, r12, lr, pc, psr] = frame;
        [self.r[0], self.r[1], self.r[2], self.r[3]] = [r0, r1, r2, r3];
        (self.r[12], self.r[14]) = (r12, lr);
        self.pc = pc & !1;
        let padded = self.system.aligns_stack() && psr & 1 << 9 != 0;
        self.r[13] = sp.wrapping_add(FRAME_BYTES) | u32::from(padded) << 2;
        self.set_xpsr(psr);
        self.exception = psr & 0x1ff;
        if to_thread != (self.exception == 0) {
            // The frame names another mode than the return: it is put back and refused.
            self.push_frame(bus, self.pc)?;
            self.exception = 0;
            return self.refuse_return(bus, Fault::InvalidReturn, code);
        }
        self.exclusive = false;
        self.event = true;
        if to_thread && self.system.sleeps_on_exit() {
            self.sleep = Sleep::ForInterrupt;
        }
        Ok(())
    }

    /// Answers a return that does not fit, without a new frame: DDI 0403E, section B1.5.8.
    fn refuse_return<B: Bus>(&mut self, bus: &mut B, fault: Fault, code: u32) -> Result<(), Stop> {
        bus.complain(self.now, self.pc, &fault.to_string());
        self.system.record_fault(fault.status_bit());
        let current = self.execution_priority();
        let number = fault.exception();
        let takes = |number| {
            self.exceptions.is_enabled(number) && self.exceptions.group_priority(number) < current
        };
        let number = if takes(number) {
            number
        } else if takes(HARD_FAULT) {
            self.system.record_forced_hard_fault();
            HARD_FAULT
        } else {
            return Err(Stop::from(Halt::LockedUp {
                pc: self.pc,
                why: fault.to_string(),
            }));
        };
        self.start_handler(bus, number, 0xf000_0000 | code & 0x0fff_ffff)
    }
}
