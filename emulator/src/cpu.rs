//! The processor: an ARMv7-M core as in a Cortex-M3 r1p1.
//!
//! All integer instructions, exceptions with their stacking, priorities, faults and escalation,
//! NVIC, SysTick, the system control block, bit-banding and the cycle counter. Ruled by DDI 0403E
//! ("ARMv7-M Architecture Reference Manual") and, where that leaves a choice, by PM0056 rev 6
//! ("STM32F10xxx Cortex-M3 programming manual").
//!
//! # Time
//! An instruction takes one cycle, and on top of it: one cycle per word moved by a load or store,
//! one for a taken branch (the pipeline refills), one for a multiply with addition, three for a
//! 64-bit product, one to eleven for a division, the bus's wait cycles for a device, 12 for
//! entering or leaving an exception, and 6 between two exceptions that follow each other. These
//! are the smallest figures of DDI 0337E ("Cortex-M3 Technical Reference Manual"), chapter 18,
//! with the divider's early end approximated. Contention on the bus matrix is not modelled.
//!
//! # Not here
//! The MPU (a STM32F103xB has none), debug by halting, and imprecise bus faults: a store that
//! nothing answers faults at once, as with ACTLR.DISDEFWBUF set.

mod alu;
mod bus;
mod code_cache;
pub mod decode;
mod exceptions;
mod execute;
mod execute_memory;
mod execute_system;
pub mod instruction;
mod memory;
mod nvic;
mod profile;
mod system_control;
mod systick;
mod trace;

use crate::halt::Halt;
use crate::time::Time;

pub use bus::{Access, Bus, BusError, Signals};
use code_cache::{CodeCache, Decoded};
pub use exceptions::Fault;
use exceptions::{Stop, Trap};
use instruction::{Condition, Instruction};
use nvic::Exceptions;
pub use profile::{Latency, Profile, Spent};
use system_control::SystemControl;
use systick::SysTick;
use trace::Trace;

/// Whether and why the core sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sleep {
    Awake,
    /// After WFI: until an interrupt.
    ForInterrupt,
    /// After WFE: until an event or an interrupt.
    ForEvent,
}

/// A sleep with stopped clocks.
#[derive(Clone, Copy, Debug)]
struct DeepSleep {
    /// The cycle in which it began.
    since: u64,
    /// Interrupt lines that end it.
    wakers: u64,
}

/// Why [`Cpu::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The time is up.
    TimeUp,
    /// The program or a watchdog wants the chip reset; [`Cpu::reset_requested`] tells which.
    ResetRequested,
}

/// The special registers of the core and the general ones, for tests and for looking inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// R0 to R12, the stack pointer in use, the link register, and the address of the next
    /// instruction.
    pub r: [u32; 16],
    /// Main stack pointer.
    pub msp: u32,
    /// Process stack pointer.
    pub psp: u32,
    /// Flags, IT state, exception number (DDI 0403E, section B1.4.2).
    pub xpsr: u32,
    /// PRIMASK: everything but faults and NMI is masked.
    pub primask: bool,
    /// FAULTMASK: everything but NMI is masked.
    pub faultmask: bool,
    /// BASEPRI: this priority and all less urgent ones are masked; 0 masks nothing.
    pub basepri: u8,
    /// CONTROL: bit 0 unprivileged, bit 1 process stack.
    pub control: u32,
}

/// An ARMv7-M core.
#[derive(Debug)]
pub struct Cpu {
    /// R13 is the stack pointer in use; R15 is what the instruction under way reads as the program
    /// counter.
    r: [u32; 16],
    /// Address of the next instruction.
    pc: u32,
    /// The stack pointer that is not in use.
    other_sp: u32,
    negative: bool,
    zero: bool,
    carry: bool,
    overflow: bool,
    saturated: bool,
    /// ITSTATE for the next instruction.
    it: u8,
    /// The instruction under way is inside an IT block.
    in_it: bool,
    /// EPSR.T: false after a branch to an even address, which faults.
    thumb: bool,
    /// IPSR: the exception being handled, 0 in Thread mode.
    exception: u32,
    primask: bool,
    faultmask: bool,
    basepri: u8,
    unprivileged: bool,
    process_stack: bool,
    /// The local exclusive monitor. That of a Cortex-M3 remembers no address (DDI 0337E, section
    /// 2.10).
    exclusive: bool,
    /// The event register of WFE.
    event: bool,
    sleep: Sleep,
    /// All clocks stand still: SCR.SLEEPDEEP.
    deep: Option<DeepSleep>,

    exceptions: Exceptions,
    system: SystemControl,
    systick: SysTick,
    trace: Trace,
    code: CodeCache,
    profile: Option<Box<Profile>>,

    now: Time,
    cycles: u64,
    instructions: u64,
    /// Cycles of the instruction under way.
    cost: u32,
    /// [`run`](Self::run) is to end here.
    until: Time,
    /// Something is to be looked at here: end of the run, the chip's next event, SysTick.
    deadline: Time,
    signals: Signals,
    /// Something out of the ordinary is to be looked at before the next instruction: an exception
    /// that may be due, sleep, a stalled bus, an invalid state.
    attention: bool,
}

impl Cpu {
    /// A core just out of reset: it has fetched its stack pointer and program counter.
    pub fn new<B: Bus>(bus: &B) -> Self {
        let mut cpu = Self {
            r: [0; 16],
            pc: 0,
            other_sp: 0,
            negative: false,
            zero: false,
            carry: false,
            overflow: false,
            saturated: false,
            it: 0,
            in_it: false,
            thumb: true,
            exception: 0,
            primask: false,
            faultmask: false,
            basepri: 0,
            unprivileged: false,
            process_stack: false,
            exclusive: false,
            event: false,
            sleep: Sleep::Awake,
            deep: None,
            exceptions: Exceptions::default(),
            system: SystemControl::default(),
            systick: SysTick::default(),
            trace: Trace::default(),
            code: CodeCache::new(bus.code_capacity()),
            profile: None,
            now: Time::ZERO,
            cycles: 0,
            instructions: 0,
            cost: 0,
            until: Time::ZERO,
            deadline: Time::ZERO,
            signals: bus.signals(),
            attention: false,
        };
        cpu.reset(bus);
        cpu
    }

    /// `TakeReset`: DDI 0403E, section B1.5.5. Time goes on.
    pub fn reset<B: Bus>(&mut self, bus: &B) {
        self.r = [0; 16];
        self.other_sp = 0;
        (self.negative, self.zero, self.carry) = (false, false, false);
        (self.overflow, self.saturated) = (false, false);
        self.it = 0;
        self.exception = 0;
        (self.primask, self.faultmask, self.basepri) = (false, false, 0);
        (self.unprivileged, self.process_stack) = (false, false);
        (self.exclusive, self.event) = (false, false);
        self.sleep = Sleep::Awake;
        self.deep = None;
        self.exceptions = Exceptions::default();
        self.system = SystemControl::default();
        self.systick = SysTick::default();
        self.trace = Trace::default();
        self.signals = bus.signals();
        self.exceptions.set_lines(self.signals.interrupts);
        self.r[14] = 0xffff_ffff;
        self.start_at(bus, 0);
    }

    /// Goes to a program as a boot loader does: stack pointer and entry from the vector table at
    /// `table`, and VTOR there.
    pub fn start_at<B: Bus>(&mut self, bus: &B, table: u32) {
        let word = |address| memory::code_word(bus, address);
        self.r[13] = word(table) & !3;
        let entry = word(table.wrapping_add(4));
        self.pc = entry & !1;
        self.thumb = entry & 1 != 0;
        self.system.set_vector_table(table);
        self.attention = true;
    }

    /// Moment up to which everything has happened.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Instructions executed so far.
    pub fn instructions(&self) -> u64 {
        self.instructions
    }

    /// Address of the next instruction.
    pub fn pc(&self) -> u32 {
        self.pc
    }

    /// Counts from now on where the cycles go; what was counted before is dropped.
    pub fn start_profile(&mut self) {
        self.profile = Some(Box::new(Profile::new(self.cycles)));
    }

    /// Ends the count. None if there was none.
    pub fn take_profile(&mut self) -> Option<Profile> {
        let mut profile = self.profile.take()?;
        profile.close(self.cycles);
        Some(*profile)
    }

    /// Whether the core sleeps in WFI or WFE.
    pub fn is_asleep(&self) -> bool {
        self.sleep != Sleep::Awake
    }

    /// Whether the program asked for a reset of the chip (AIRCR.SYSRESETREQ).
    pub fn reset_requested(&self) -> bool {
        self.system.reset_requested
    }

    /// All registers.
    pub fn registers(&self) -> Registers {
        let mut r = self.r;
        r[15] = self.pc;
        let (msp, psp) = if self.uses_process_stack() {
            (self.other_sp, self.r[13])
        } else {
            (self.r[13], self.other_sp)
        };
        Registers {
            r,
            msp,
            psp,
            xpsr: self.xpsr(),
            primask: self.primask,
            faultmask: self.faultmask,
            basepri: self.basepri,
            control: self.control(),
        }
    }

    /// A register of the core's private peripherals as privileged code would read it, side effects
    /// included; None if there is none at `address`.
    pub fn read_private(&mut self, address: u32) -> Option<u32> {
        self.read_system(address)
    }

    /// Writes a word to a register of the core's private peripherals as privileged code would;
    /// false if there is none at `address`.
    pub fn write_private(&mut self, address: u32, value: u32) -> bool {
        self.attention = true;
        self.write_system(address, instruction::Width::Word, value)
            .is_ok()
    }

    /// Replaces all registers; of the stack pointers only `msp` and `psp` count.
    pub fn set_registers(&mut self, registers: &Registers) {
        self.r = registers.r;
        self.pc = registers.r[15];
        self.set_xpsr(registers.xpsr);
        self.exception = registers.xpsr & 0x1ff;
        self.primask = registers.primask;
        self.faultmask = registers.faultmask;
        self.basepri = registers.basepri & nvic::PRIORITY_MASK;
        self.unprivileged = registers.control & 1 != 0;
        self.process_stack = registers.control & 2 != 0;
        (self.r[13], self.other_sp) = if self.uses_process_stack() {
            (registers.psp, registers.msp)
        } else {
            (registers.msp, registers.psp)
        };
        self.attention = true;
    }

    /// Runs up to `until`; the last instruction may end a little later.
    ///
    /// # Errors
    /// [`Halt`] where the emulator does not know what the chip would do.
    pub fn run<B: Bus>(&mut self, bus: &mut B, until: Time) -> Result<Exit, Halt> {
        self.run_on(bus, until).map_err(|stop| *stop)
    }

    fn run_on<B: Bus>(&mut self, bus: &mut B, until: Time) -> Result<Exit, Stop> {
        self.until = until;
        self.observe(bus);
        loop {
            if self.now >= self.signals.next_event {
                bus.service(self.now)?;
                self.observe(bus);
            }
            self.count_systick();
            self.plan_deadline();
            if self.signals.reset || self.system.reset_requested {
                return Ok(Exit::ResetRequested);
            }
            if self.now >= until {
                return Ok(Exit::TimeUp);
            }
            if self.attention {
                self.attend(bus)?;
            }
            self.run_undisturbed(bus)?;
        }
    }

    /// Executes instructions until something is to be looked at.
    fn run_undisturbed<B: Bus>(&mut self, bus: &mut B) -> Result<(), Stop> {
        if self.profile.is_some() {
            return self.run_counted(bus);
        }
        while self.now < self.deadline && !self.attention {
            self.step(bus)?;
        }
        Ok(())
    }

    /// The same, and every instruction is noted.
    #[inline(never)]
    fn run_counted<B: Bus>(&mut self, bus: &mut B) -> Result<(), Stop> {
        while self.now < self.deadline && !self.attention {
            self.step_once(bus)?;
        }
        Ok(())
    }

    /// Executes exactly one instruction, or enters one exception, or waits for one event.
    ///
    /// # Errors
    /// [`Halt`] where the emulator does not know what the chip would do.
    pub fn run_one<B: Bus>(&mut self, bus: &mut B) -> Result<(), Halt> {
        self.run_one_on(bus).map_err(|stop| *stop)
    }

    fn run_one_on<B: Bus>(&mut self, bus: &mut B) -> Result<(), Stop> {
        self.until = Time::NEVER;
        if self.now >= self.signals.next_event {
            bus.service(self.now)?;
        }
        self.observe(bus);
        self.count_systick();
        self.plan_deadline();
        let before = (self.exception, self.pc, self.cycles);
        if self.attention {
            self.attend(bus)?;
        }
        if before == (self.exception, self.pc, self.cycles) {
            self.step_once(bus)?;
        }
        Ok(())
    }

    /// One instruction, where speed does not matter.
    #[inline(never)]
    fn step_once<B: Bus>(&mut self, bus: &mut B) -> Result<(), Stop> {
        let (pc, before) = (self.pc, self.cycles);
        self.step(bus)?;
        if let Some(profile) = &mut self.profile {
            profile.note(pc, before, self.cycles, bus.request());
        }
        Ok(())
    }

    /// Takes in what the chip tells.
    fn observe<B: Bus>(&mut self, bus: &B) {
        let signals = bus.signals();
        if signals.interrupts != self.signals.interrupts {
            let woke = self.exceptions.set_lines(signals.interrupts);
            if woke && self.system.sends_event_on_pending() {
                self.event = true;
            }
            self.attention = true;
        }
        if signals.events != self.signals.events {
            self.event = true;
            self.attention = true;
        }
        if signals.stalled_until > self.now || signals.reset {
            self.attention = true;
        }
        self.signals = signals;
        self.code.follow(bus.code_version());
        self.plan_deadline();
    }

    /// Decides when to look up next.
    fn plan_deadline(&mut self) {
        let systick = match self.systick.next_interrupt() {
            _ if self.deep.is_some() => Time::NEVER,
            Some(cycle) => self.now + self.signals.cycle * cycle.saturating_sub(self.cycles),
            None => Time::NEVER,
        };
        self.deadline = self.until.min(self.signals.next_event).min(systick);
    }

    /// Lets whole cycles pass until `moment` is reached.
    fn wait_until(&mut self, moment: Time) {
        let cycles = moment
            .saturating_sub(self.now)
            .periods_to_cover(self.signals.cycle);
        self.pass(cycles.max(1));
    }

    /// Lets cycles pass.
    #[inline]
    fn pass(&mut self, cycles: u64) {
        self.cycles += cycles;
        self.now = self.now.after(self.signals.cycle, cycles);
    }

    /// Looks at whatever is out of the ordinary.
    fn attend<B: Bus>(&mut self, bus: &mut B) -> Result<(), Stop> {
        if self.signals.stalled_until > self.now && bus.code_index(self.pc).is_some() {
            self.wait_until(self.deadline.min(self.signals.stalled_until));
            return Ok(());
        }
        self.attention = self.signals.stalled_until > self.now;
        if let Some(deep) = self.deep
            && !self.exceptions.is_any_pending(deep.wakers)
        {
            self.attention = true;
            self.wait_until(self.deadline);
            return Ok(());
        }
        if let Some(number) = self.exceptions.due(self.masked_priority()) {
            // PRIMASK keeps an interrupt from being taken, not from waking the core.
            self.wake(bus);
            if self.exceptions.due(self.execution_priority()).is_some() {
                return self.enter(bus, number, self.pc);
            }
        }
        if self.sleep == Sleep::ForEvent && self.event {
            self.event = false;
            self.wake(bus);
        }
        if self.sleep != Sleep::Awake {
            if self.system.sleeps_deeply() && self.deep.is_none() {
                self.deep = Some(DeepSleep {
                    since: self.cycles,
                    wakers: bus.stop(self.pc)?,
                });
                self.plan_deadline();
            }
            self.attention = true;
            self.wait_until(self.deadline);
            return Ok(());
        }
        if !self.thumb {
            self.cost = 1;
            self.raise(bus, Fault::InvalidState, self.pc)?;
            self.pass(u64::from(self.cost));
        } else if self.attention {
            // A stalled flash does not keep code in RAM from running.
            self.step_once(bus)?;
        }
        Ok(())
    }

    fn wake<B: Bus>(&mut self, bus: &mut B) {
        self.sleep = Sleep::Awake;
        if let Some(deep) = self.deep.take() {
            self.systick.stand_still(self.cycles - deep.since);
            bus.wake(self.now);
            self.observe(bus);
        }
    }

    /// Brings COUNTFLAG and the pending bit of the timer up to date.
    fn count_systick(&mut self) {
        if self.deep.is_none() && self.systick.count_to(self.cycles) {
            self.exceptions.pend(nvic::SYSTICK);
            self.attention = true;
        }
    }

    /// Executes one instruction. Becomes part of the loops that call it: most of the emulator's time
    /// is spent here.
    #[inline(always)]
    fn step<B: Bus>(&mut self, bus: &mut B) -> Result<(), Stop> {
        let pc = self.pc;
        let it = self.it;
        self.cost = 1;
        self.in_it = it != 0;
        let outcome = match self.fetch(bus, pc) {
            Ok(decoded) => {
                self.r[15] = pc.wrapping_add(4);
                self.pc = pc.wrapping_add(u32::from(decoded.size));
                if it == 0 || self.it_allows(it, decoded.instruction) {
                    self.execute(bus, decoded.instruction)
                } else {
                    Ok(())
                }
            }
            Err(trap) => Err(trap),
        };
        if let Err(trap) = outcome {
            self.trap(bus, trap, pc, it)?;
        }
        self.instructions += 1;
        self.pass(u64::from(self.cost));
        Ok(())
    }

    /// Advances ITSTATE and tells whether the instruction is to be executed: DDI 0403E, section
    /// A7.3.3. A breakpoint always is (section A7.7.17), and what must not stand in an IT block at
    /// all does not escape notice because of its condition.
    fn it_allows(&mut self, it: u8, instruction: Instruction) -> bool {
        self.it = if it & 0b111 == 0 {
            0
        } else {
            it & 0xe0 | it << 1 & 0x1f
        };
        self.holds(Condition(it >> 4))
            || matches!(
                instruction,
                Instruction::Breakpoint | Instruction::IfThen { .. } | Instruction::Unpredictable
            )
    }

    /// The instruction at `pc`.
    #[inline]
    fn fetch<B: Bus>(&mut self, bus: &B, pc: u32) -> Result<Decoded, Trap> {
        let index = bus.code_index(pc);
        if let Some(index) = index
            && let Some(decoded) = self.code.get(index)
        {
            return Ok(decoded);
        }
        let decoded = Self::fetch_and_decode(bus, pc)?;
        if let Some(index) = index {
            self.code.set(index, decoded);
        }
        Ok(decoded)
    }

    #[cold]
    fn fetch_and_decode<B: Bus>(bus: &B, pc: u32) -> Result<Decoded, Trap> {
        let half = |address: u32| match bus.fetch(address) {
            Some(half) => Ok(half),
            // Peripherals and the system space are never executable, MPU or not (DDI 0403E,
            // section B3.1, table B3-1).
            None if matches!(address >> 29, 2 | 7) => {
                Err(Trap::Fault(Fault::FetchFromExecuteNever))
            }
            None => Err(Trap::Fault(Fault::FetchFromNowhere)),
        };
        let first = half(pc)?;
        Ok(if decode::is_wide(first) {
            Decoded {
                instruction: decode::wide(first, half(pc.wrapping_add(2))?),
                size: 4,
            }
        } else {
            Decoded {
                instruction: decode::narrow(first),
                size: 2,
            }
        })
    }

    /// `ConditionHolds`: DDI 0403E, section A7.3.1.
    #[inline]
    fn holds(&self, condition: Condition) -> bool {
        let base = match condition.0 >> 1 {
            0 => self.zero,
            1 => self.carry,
            2 => self.negative,
            3 => self.overflow,
            4 => self.carry && !self.zero,
            5 => self.negative == self.overflow,
            6 => !self.zero && self.negative == self.overflow,
            _ => return true,
        };
        base != (condition.0 & 1 != 0)
    }

    fn uses_process_stack(&self) -> bool {
        self.process_stack && self.exception == 0
    }

    fn is_privileged(&self) -> bool {
        self.exception != 0 || !self.unprivileged
    }

    fn control(&self) -> u32 {
        u32::from(self.uses_process_stack()) << 1 | u32::from(self.unprivileged)
    }

    /// The flags as APSR shows them: DDI 0403E, section B1.4.2.
    fn apsr(&self) -> u32 {
        u32::from(self.negative) << 31
            | u32::from(self.zero) << 30
            | u32::from(self.carry) << 29
            | u32::from(self.overflow) << 28
            | u32::from(self.saturated) << 27
    }

    fn set_apsr(&mut self, value: u32) {
        self.negative = value >> 31 & 1 != 0;
        self.zero = value >> 30 & 1 != 0;
        self.carry = value >> 29 & 1 != 0;
        self.overflow = value >> 28 & 1 != 0;
        self.saturated = value >> 27 & 1 != 0;
    }

    /// Flags, IT state, T and exception number.
    fn xpsr(&self) -> u32 {
        let it = u32::from(self.it);
        self.apsr()
            | (it & 3) << 25
            | (it >> 2) << 10
            | u32::from(self.thumb) << 24
            | self.exception
    }

    /// All of xPSR but the exception number.
    fn set_xpsr(&mut self, value: u32) {
        self.set_apsr(value);
        self.it = (value >> 25 & 3 | value >> 8 & 0xfc) as u8;
        self.thumb = value >> 24 & 1 != 0;
        self.attention |= !self.thumb;
    }
}
