//! What DDI 0403E says and an oracle does not show: each test is one sentence of the manual.

mod exceptions;
mod instructions;
#[path = "../bare/memory.rs"]
mod memory;

use flashwire_emulator::cpu::{Bus, Cpu};

use memory::{Memory, RAM_BASE};

/// Where the program of a test stands.
const CODE: u32 = RAM_BASE + 0x100;
/// Its stack.
const STACK: u32 = RAM_BASE + 0x800;
/// The handler of exception `n` is at `HANDLERS + 16 * n` and is `BX LR` unless a test says
/// otherwise.
const HANDLERS: u32 = 0x200;

const NMI: u32 = 2;
const HARD_FAULT: u32 = 3;
const BUS_FAULT: u32 = 5;
const USAGE_FAULT: u32 = 6;
const SV_CALL: u32 = 11;
const PEND_SV: u32 = 14;

const CFSR: u32 = 0xe000_ed28;
const HFSR: u32 = 0xe000_ed2c;
const SHCSR: u32 = 0xe000_ed24;
const CCR: u32 = 0xe000_ed14;
const ICSR: u32 = 0xe000_ed04;

const NOP: u16 = 0xbf00;
const SVC: u16 = 0xdf00;
const UDF: u16 = 0xde00;
const BX_LR: u16 = 0x4770;

/// A core with a program.
struct Machine {
    cpu: Cpu,
    memory: Memory,
}

impl Machine {
    fn new(code: &[u16]) -> Self {
        let mut memory = Memory {
            flash: vec![0; 0x800],
            ram: vec![0; 0x1000],
            interrupts: 0,
            wakers: 0,
            woken: 0,
        };
        let mut word = |address: u32, value: u32| {
            memory.flash[address as usize..][..4].copy_from_slice(&value.to_le_bytes());
        };
        word(0, STACK);
        word(4, CODE | 1);
        for number in 2..59 {
            let handler = HANDLERS + 16 * number;
            word(4 * number, handler | 1);
            word(handler, u32::from(BX_LR));
        }
        let mut machine = Self {
            cpu: Cpu::new(&memory),
            memory,
        };
        machine.place(CODE, code);
        machine
    }

    /// Puts code into RAM or flash.
    fn place(&mut self, address: u32, code: &[u16]) {
        let bytes = code.iter().flat_map(|half| half.to_le_bytes());
        let (memory, start) = if address < RAM_BASE {
            (&mut self.memory.flash, address)
        } else {
            (&mut self.memory.ram, address - RAM_BASE)
        };
        for (slot, byte) in memory[start as usize..].iter_mut().zip(bytes) {
            *slot = byte;
        }
    }

    fn steps(&mut self, count: u32) {
        for _ in 0..count {
            self.cpu.run_one(&mut self.memory).expect("goes on");
        }
    }

    fn set(&mut self, index: usize, value: u32) {
        let mut registers = self.cpu.registers();
        registers.r[index] = value;
        if index == 13 {
            registers.msp = value;
        }
        self.cpu.set_registers(&registers);
    }

    fn r(&self, index: usize) -> u32 {
        self.cpu.registers().r[index]
    }

    /// The exception being handled.
    fn exception(&self) -> u32 {
        self.cpu.registers().xpsr & 0x1ff
    }

    fn word(&self, address: u32) -> u32 {
        use flashwire_emulator::cpu::instruction::Width;
        self.memory.load(address, Width::Word).expect("in memory")
    }

    fn system(&mut self, address: u32) -> u32 {
        self.cpu.read_private(address).expect("a register")
    }

    fn set_system(&mut self, address: u32, value: u32) {
        assert!(self.cpu.write_private(address, value), "{address:#x}");
    }

    /// The return address in the frame on top of the stack.
    fn stacked_pc(&self) -> u32 {
        self.word(self.r(13) + 24)
    }

    /// The xPSR in the frame on top of the stack.
    fn stacked_psr(&self) -> u32 {
        self.word(self.r(13) + 28)
    }
}

/// A handler's address.
const fn handler(number: u32) -> u32 {
    HANDLERS + 16 * number
}
