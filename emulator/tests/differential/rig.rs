//! The two cores side by side on equal memories.

use std::sync::Arc;

use flashwire_emulator::Halt;
use flashwire_emulator::cpu::decode;
use flashwire_emulator::cpu::instruction::{Address, Hint, Instruction, Width};
use flashwire_emulator::cpu::{Bus, Cpu, Registers};
use rsemu::core::space::{AddressSpace, RamStore, Region, RomStore, RomWrite};
use rsemu::cpu::arm::v7m::sys::Sys;
use rsemu::cpu::arm::v7m::{ArmV7m, Config, Regs};

use crate::generate::Case;
use crate::memory::{Memory, RAM_BASE};

pub(crate) const FLASH_BYTES: usize = 0x400;
pub(crate) const RAM_BYTES: usize = 0x1000;

/// Vectors: every handler is a word of its own, from here on.
pub(crate) const HANDLERS: u32 = 0x200;

const PRIORITY_BITS: u8 = 4;

/// What programs write to at random: ISPR0, ICPR0, ISER0, ICSR, STIR.
pub(crate) const PRIVATE_TARGETS: [u32; 5] = [
    0xe000_e200,
    0xe000_e280,
    0xe000_e100,
    0xe000_ed04,
    0xe000_ef00,
];

/// Registers of the core that must agree, and in which bits: ICSR (the oracle leaves VECTACTIVE
/// open), SHCSR, CFSR, HFSR, and the interrupts' active and pending bits.
const SYSTEM: [(u32, u32); 6] = [
    (0xe000_ed04, !0x1ff),
    (0xe000_ed24, !0),
    (0xe000_ed28, !0),
    (0xe000_ed2c, !0),
    (0xe000_e300, !0),
    (0xe000_e200, !0),
];

/// What a comparison came to.
pub(crate) enum Outcome {
    Agreed,
    /// The architecture leaves the result open, or the oracle is known not to follow it.
    Skipped,
    Differed(String),
}

pub(crate) struct Rig {
    ours: Cpu,
    memory: Memory,
    theirs: ArmV7m,
    ram: Arc<RamStore>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let flash = vectors();
        let store = Arc::new(RomStore::from_slice(&flash));
        let ram = Arc::new(RamStore::new(RAM_BYTES as u64));
        let space = AddressSpace::new("bus", 32);
        for (name, base) in [("boot", 0), ("flash", 0x0800_0000)] {
            let region = Region::rom(name, Arc::clone(&store), RomWrite::Fault);
            space.topology().map(region, base).expect("no overlap");
        }
        space
            .topology()
            .map(Region::ram("ram", Arc::clone(&ram)), u64::from(RAM_BASE))
            .expect("no overlap");
        let theirs = ArmV7m::new(Config::CORTEX_M3.with_priority_bits(PRIORITY_BITS));
        theirs.attach_space(Arc::new(space));
        let memory = Memory {
            flash,
            ram: vec![0; RAM_BYTES],
            interrupts: 0,
            wakers: 0,
            woken: 0,
        };
        Self {
            ours: Cpu::new(&memory),
            memory,
            theirs,
            ram,
        }
    }

    /// Runs a case on both and compares after every step.
    pub(crate) fn compare(&mut self, case: &Case) -> Outcome {
        self.set_up(case);
        for step in 0..case.steps {
            for &(when, number, level) in &case.lines {
                // A line that rises while its handler runs is pending again for ours (PM0056 rev
                // 6, section 4.3.9), and for the oracle only if it is still high at the end.
                let active = self.ours.read_private(0xe000_e300).unwrap_or(0);
                if when == step && !(level && active >> number & 1 != 0) {
                    self.memory.interrupts =
                        self.memory.interrupts & !(1 << number) | u64::from(level) << number;
                    self.theirs.set_irq(number, level);
                }
            }
            let before = self.ours.registers();
            let (first, instruction) = self.instruction(before.r[15]);
            let mut result = self.ours.run_one(&mut self.memory);
            // The oracle faults in the branch to an even address, ours in front of the next
            // instruction.
            if result.is_ok() && self.ours.registers().xpsr & 1 << 24 == 0 {
                result = self.ours.run_one(&mut self.memory);
            }
            let locked_up = matches!(result, Err(Halt::LockedUp { .. }));
            if result.is_err() && !locked_up {
                return self.stop(step);
            }
            self.theirs.step();
            if self.oracle_deviates(&before, (first, instruction), locked_up) {
                return self.stop(step);
            }
            match (locked_up, self.theirs.is_locked_up()) {
                (false, false) => {}
                (true, true) => return self.stop(step + 1),
                (true, false) => return self.differ(case, &before, step, "only ours locked up"),
                (false, true) => return self.differ(case, &before, step, "only theirs locked up"),
            }
            if let Some(text) = self.difference() {
                return self.differ(case, &before, step, &text);
            }
        }
        self.stop(case.steps)
    }

    /// Whether the step that began at `before` is one in which the oracle is known not to do what
    /// DDI 0403E says. What the manual says is tested in
    /// `tests/architecture`.
    fn oracle_deviates(
        &mut self,
        before: &Registers,
        (first, instruction): (u16, Instruction),
        locked_up: bool,
    ) -> bool {
        let after = self.ours.registers();
        let entered = after.xpsr & 0x1ff != before.xpsr & 0x1ff;
        // It does not stack the IT state (section B1.5.6, PushStack).
        if entered && before.xpsr & 0x0600_fc00 != 0 {
            return true;
        }
        let faults = self.ours.read_private(0xe000_ed28).unwrap_or(0);
        // UFSR.INVPC: it stacks a second frame (section B1.5.8: none). UFSR.INVSTATE: its frame
        // returns to the branch instead of to its target (section A2.3.1). MMFSR.IACCVIOL: it
        // takes a bus fault (table B3-1). BFSR.STKERR, UNSTKERR: it goes on (section B1.5.7).
        if faults & (1 << 18 | 1 << 17 | 1 << 12 | 1 << 11 | 1 << 0) != 0 {
            return true;
        }
        // It has more interrupts than this chip, and STIR can make them pending.
        let beyond = (0xe000_e204..0xe000_e220).step_by(4).any(|address| {
            let pending = self.theirs.with_sys(|sys| sys.read_word(address, true));
            let ours = if address == 0xe000_e204 { 0x7ff } else { 0 };
            pending.unwrap_or(0) & !ours != 0
        });
        if beyond {
            return true;
        }
        // It keeps the two lowest bits of a stack pointer (section B1.4.7: zero), and the bits of
        // BASEPRI that do not exist when they come through BASEPRI_MAX.
        if self.theirs.reg(13) & 3 != 0 || self.theirs.regs().basepri & 0x0f != 0 {
            return true;
        }
        if may_touch_private(before, instruction) {
            return true;
        }
        match instruction {
            // It finds loads, stores and multiplications in holes of tables A5-18 to A5-21 and
            // A5-28 (section A5.1: what is not in a table is UNDEFINED). What is undefined faults
            // in an IT block whatever the condition (implementation defined).
            Instruction::Undefined => {
                first & 0xfe00 == 0xf800
                    || first & 0xff00 == 0xfb00
                    || before.xpsr & 0x0600_fc00 != 0
            }
            // Events are not compared.
            Instruction::Hint(Hint::WaitForEvent | Hint::WaitForInterrupt) => true,
            // Its frame returns behind the breakpoint (section B1.5.6, ReturnAddress).
            Instruction::Breakpoint => true,
            // A call that cannot be taken does not escalate to HardFault (section B1.5.14).
            Instruction::Supervisor => locked_up || after.xpsr & 0x1ff == 3,
            // The base is not restored when one of the words faults (section B1.5.14).
            Instruction::LoadMultiple { .. } | Instruction::StoreMultiple { .. } => entered,
            // Its monitor remembers the address and may refuse what that of a Cortex-M3 grants
            // (DDI 0337E, section 2.10).
            Instruction::StoreExclusive { rd, .. } => after.r[rd.index()] == 0,
            // Its half-word table must be aligned (section A3.2.1).
            Instruction::TableBranch { width, rn, .. } => {
                width == Width::Half && before.r[rn.index()] & 1 != 0
            }
            _ => false,
        }
    }

    /// The instruction at `pc` and its first half-word.
    fn instruction(&self, pc: u32) -> (u16, Instruction) {
        let half = |address| self.memory.fetch(address).unwrap_or(0);
        let first = half(pc);
        let instruction = if decode::is_wide(first) {
            decode::wide(first, half(pc + 2))
        } else {
            decode::narrow(first)
        };
        (first, instruction)
    }

    /// Ends a case of which the first `steps` steps agreed.
    fn stop(&mut self, steps: u32) -> Outcome {
        for number in 0..43 {
            self.theirs.set_irq(number, false);
        }
        self.memory.interrupts = 0;
        if steps == 0 {
            Outcome::Skipped
        } else {
            Outcome::Agreed
        }
    }

    fn set_up(&mut self, case: &Case) {
        self.memory.ram.copy_from_slice(&case.ram);
        self.ram.write_at(0, &case.ram).expect("the RAM fits");
        self.ours.reset(&self.memory);
        self.theirs.request_reset();
        self.theirs
            .with_sys(|sys| *sys = Sys::new(sys.cpuid, PRIORITY_BITS, 0));
        self.theirs.step();
        for &(address, value) in &case.system {
            assert!(self.ours.write_private(address, value), "{address:#x}");
            self.theirs.with_sys(|sys| {
                assert!(sys.write_word(address, value), "{address:#x}");
            });
        }
        let registers = Registers {
            r: case.r,
            msp: case.msp,
            psp: case.psp,
            xpsr: case.flags | 1 << 24,
            primask: case.primask,
            faultmask: case.faultmask,
            basepri: case.basepri,
            control: case.control,
        };
        self.ours.set_registers(&registers);
        self.theirs.set_regs(Regs {
            r: registers.r,
            msp: registers.msp,
            psp: registers.psp,
            xpsr: registers.xpsr,
            primask: registers.primask,
            faultmask: registers.faultmask,
            basepri: registers.basepri,
            control: registers.control,
        });
    }

    /// The first thing in which the two differ.
    fn difference(&mut self) -> Option<String> {
        let ours = self.ours.registers();
        let theirs = self.theirs.regs();
        for index in 0..16 {
            if ours.r[index] != theirs.r[index] {
                return Some(format!(
                    "r{index}: ours {:#010x}, theirs {:#010x}",
                    ours.r[index], theirs.r[index]
                ));
            }
        }
        // In a handler CONTROL.SPSEL is zero (DDI 0403E, section B1.5.6, ExceptionTaken).
        let in_handler = theirs.xpsr & 0x1ff != 0;
        let control = theirs.control & if in_handler { !2 } else { !0 };
        let pairs = [
            ("msp", ours.msp, theirs.msp),
            ("psp", ours.psp, theirs.psp),
            ("xpsr", ours.xpsr, theirs.xpsr),
            ("primask", ours.primask.into(), theirs.primask.into()),
            ("faultmask", ours.faultmask.into(), theirs.faultmask.into()),
            ("basepri", ours.basepri.into(), theirs.basepri.into()),
            ("control", ours.control, control),
        ];
        for (name, ours, theirs) in pairs {
            if ours != theirs {
                return Some(format!("{name}: ours {ours:#010x}, theirs {theirs:#010x}"));
            }
        }
        for (address, mask) in SYSTEM {
            // The oracle looks at the lines between instructions only: after ICPR was written, a
            // line that is high is not pending for a moment.
            let pending = matches!(address, 0xe000_ed04 | 0xe000_e200);
            if pending && self.memory.interrupts != 0 {
                continue;
            }
            let ours = self.ours.read_private(address).unwrap_or(0) & mask;
            let theirs = self.theirs.with_sys(|sys| sys.read_word(address, true));
            let theirs = theirs.unwrap_or(0) & mask;
            if ours != theirs {
                return Some(format!(
                    "register {address:#010x}: ours {ours:#010x}, theirs {theirs:#010x}"
                ));
            }
        }
        let mut ram = vec![0; RAM_BYTES];
        self.ram.read_at(0, &mut ram).expect("the RAM fits");
        let index = (0..RAM_BYTES).find(|&index| ram[index] != self.memory.ram[index])?;
        Some(format!(
            "byte {:#010x}: ours {:#04x}, theirs {:#04x}",
            RAM_BASE + index as u32,
            self.memory.ram[index],
            ram[index]
        ))
    }

    fn differ(&mut self, case: &Case, before: &Registers, step: u32, text: &str) -> Outcome {
        let pc = before.r[15];
        let half = |address| self.memory.fetch(address).unwrap_or(0);
        let text = format!(
            "step {step}, pc {pc:#010x}: {:04x} {:04x}\n  {text}\n  before: {:08x?} xpsr {:08x}\n  start: {:08x?}\n  after: {:08x?}",
            half(pc),
            half(pc + 2),
            before.r,
            before.xpsr,
            case.r,
            self.ours.registers(),
        );
        self.stop(step);
        Outcome::Differed(text)
    }
}

/// Whether a load or store may have gone to the private peripherals, which are those of another core
/// (CPUID, CCR, what is not implemented) and open to unprivileged code (section B3.1: fault). Plain
/// stores to a few of them are meant.
fn may_touch_private(before: &Registers, instruction: Instruction) -> bool {
    let accesses = matches!(
        instruction,
        Instruction::Load { .. }
            | Instruction::Store { .. }
            | Instruction::LoadUnprivileged { .. }
            | Instruction::StoreUnprivileged { .. }
            | Instruction::LoadDual { .. }
            | Instruction::StoreDual { .. }
            | Instruction::LoadMultiple { .. }
            | Instruction::StoreMultiple { .. }
            | Instruction::LoadExclusive { .. }
            | Instruction::TableBranch { .. }
    );
    let is_private = |address: u32| address >> 28 == 0xe;
    let near = |base: u32| is_private(base.wrapping_add(0x1000)) || is_private(base);
    let indexed = |base: u32| {
        before
            .r
            .iter()
            .any(|index| (0..4).any(|shift| is_private(base.wrapping_add(index << shift))))
    };
    let meant = matches!(
        instruction,
        Instruction::Store { width: Width::Word, address: Address::Offset { rn, offset: 0 }, .. }
            if PRIVATE_TARGETS.contains(&before.r[rn.index()])
    );
    accesses && !meant && before.r.iter().any(|&base| near(base) || indexed(base))
}

/// Vector table and handlers: each handler is `BX LR` behind an instruction that leaves a trace.
fn vectors() -> Vec<u8> {
    let mut flash = vec![0; FLASH_BYTES];
    let mut word = |address: u32, value: u32| {
        flash[address as usize..][..4].copy_from_slice(&value.to_le_bytes());
    };
    word(0, RAM_BASE + 0x800);
    for number in 1..64 {
        let handler = HANDLERS + 8 * number;
        word(4 * number, handler | 1);
        // ADDS r3, #number; BX LR
        word(handler, 0x4770_3300 | number);
        word(handler + 4, 0xbf00_bf00);
    }
    flash
}
