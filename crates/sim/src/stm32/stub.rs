//! A look at what a small program in RAM does.
//!
//! Hosts that want a system reset write a few instructions to RAM that store to one register, and
//! jump there. This runs the plain Thumb instructions that such programs are made of (ARMv6-M
//! Architecture Reference Manual, section A5) until they reset the chip, loop for ever, or do
//! something that is more than a stub.

use super::memory::Memory;

/// What became of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It runs on: it is more than a stub, or loops.
    Runs,
    /// It asked for a system reset.
    SystemReset,
    /// It had the option bytes loaded anew, which resets the chip like switching it off.
    OptionLoad,
}

/// Application interrupt and reset control register, and the value that asks for a reset: key and
/// SYSRESETREQ (ARMv6-M ARM, section B3.2.6).
const AIRCR: u32 = 0xE000_ED0C;
const SYSTEM_RESET: u32 = 0x05FA_0004;
/// FLASH_CR of F0 and F3, and its bit OBL_LAUNCH (RM0091, section 3.5.5).
const FLASH_CR: u32 = 0x4002_2010;
const OBL_LAUNCH: u32 = 1 << 13;

/// FLASH_ACR of C0, G0 and U0, and its bit EMPTY, which a program may write (RM0444, section 3.7.1).
const FLASH_ACR: u32 = 0x4002_2000;
const EMPTY: u32 = 1 << 16;

/// Instructions looked at: stubs have fewer than 30.
const MAX_INSTRUCTIONS: usize = 1000;

/// Runs the program at `entry`. `empty` is what the chip remembers of its flash on parts that look at
/// that at power-on only; the program may correct it.
pub(super) fn run(entry: u32, memory: &Memory, empty: Option<&mut bool>) -> Ending {
    let mut flag = empty;
    let mut cpu = Cpu {
        empty: flag.as_deref().copied(),
        registers: [0; 16],
        pc: entry,
        negative: false,
        zero: false,
        carry: false,
    };
    let mut ending = Ending::Runs;
    for _ in 0..MAX_INSTRUCTIONS {
        match cpu.step(memory) {
            Some(None) => {}
            Some(Some(end)) => {
                ending = end;
                break;
            }
            None => break,
        }
    }
    if let (Some(flag), Some(now)) = (&mut flag, cpu.empty) {
        **flag = now;
    }
    ending
}

struct Cpu {
    /// The bit EMPTY, on parts that have it.
    empty: Option<bool>,
    registers: [u32; 16],
    pc: u32,
    negative: bool,
    zero: bool,
    carry: bool,
}

impl Cpu {
    /// Executes one instruction. `None` if this is no instruction of a stub.
    fn step(&mut self, memory: &Memory) -> Option<Option<Ending>> {
        let at = self.pc;
        let low = memory.byte(at)?;
        let high = memory.byte(at.wrapping_add(1))?;
        let code = u16::from_le_bytes([low, high]);
        let field = |shift: u32, bits: u32| (code >> shift & ((1 << bits) - 1)) as usize;
        let (rd, rn) = (field(0, 3), field(3, 3));
        let rd8 = field(8, 3);
        let imm5 = field(6, 5) as u32;
        let imm8 = u32::from(low);
        self.pc = at.wrapping_add(2);
        // What an instruction reads as PC is four ahead of it.
        let pc = at.wrapping_add(4);
        match code >> 11 {
            0b00000 => self.set(rd, self.registers[rn] << imm5),
            0b00001 => self.set(rd, self.registers[rn].checked_shr(imm5).unwrap_or(0)),
            0b00011 => {
                let operand = match code >> 10 & 1 {
                    0 => self.registers[field(6, 3)],
                    _ => field(6, 3) as u32,
                };
                let left = self.registers[rn];
                let subtract = code >> 9 & 1 == 1;
                let value = if subtract {
                    self.compare(left, operand)
                } else {
                    left.wrapping_add(operand)
                };
                self.set(rd, value);
            }
            0b00100 => self.set(rd8, imm8),
            0b00101 => {
                self.compare(self.registers[rd8], imm8);
            }
            0b00110 => self.set(rd8, self.registers[rd8].wrapping_add(imm8)),
            0b00111 => {
                let value = self.compare(self.registers[rd8], imm8);
                self.set(rd8, value);
            }
            0b01000 if code >> 10 == 0b010000 => self.data_processing(field(6, 4), rd, rn)?,
            0b01001 => self.registers[rd8] = memory.word((pc & !3).wrapping_add(4 * imm8))?,
            0b01100 => {
                let address = self.registers[rn].wrapping_add(4 * imm5);
                let value = self.registers[rd];
                if address == FLASH_ACR && self.empty.is_some() {
                    self.empty = Some(value & EMPTY != 0);
                }
                return Some(store(address, value));
            }
            0b01101 => {
                let address = self.registers[rn].wrapping_add(4 * imm5);
                // Other peripheral registers read 0.
                self.registers[rd] = match self.empty {
                    Some(true) if address == FLASH_ACR => EMPTY,
                    _ => memory.word(address).unwrap_or(0),
                };
            }
            0b10111 if code == 0xBF00 => {}
            0b11010 | 0b11011 => {
                if self.condition(field(8, 4))? {
                    let offset = i32::from(low as i8) * 2;
                    self.pc = pc.wrapping_add_signed(offset);
                }
            }
            0b11100 => {
                let offset = i32::from((code << 5) as i16 >> 4);
                self.pc = pc.wrapping_add_signed(offset);
            }
            // DSB, DMB, ISB: the only 32-bit instructions of ARMv6-M that stubs use.
            0b11110 if code == 0xF3BF => self.pc = pc,
            _ => return None,
        }
        Some(None)
    }

    fn data_processing(&mut self, operation: usize, rd: usize, rm: usize) -> Option<()> {
        let (left, right) = (self.registers[rd], self.registers[rm]);
        match operation {
            0x0 => self.set(rd, left & right),
            0x1 => self.set(rd, left ^ right),
            0x8 => self.flags(left & right),
            0xA => {
                self.compare(left, right);
            }
            0xC => self.set(rd, left | right),
            0xE => self.set(rd, left & !right),
            0xF => self.set(rd, !right),
            _ => return None,
        }
        Some(())
    }

    fn set(&mut self, register: usize, value: u32) {
        self.registers[register] = value;
        self.flags(value);
    }

    fn flags(&mut self, value: u32) {
        self.negative = value >> 31 == 1;
        self.zero = value == 0;
    }

    fn compare(&mut self, left: u32, right: u32) -> u32 {
        let difference = left.wrapping_sub(right);
        self.flags(difference);
        self.carry = left >= right;
        difference
    }

    /// The conditions that need no overflow flag, which nothing here computes.
    fn condition(&self, condition: usize) -> Option<bool> {
        Some(match condition {
            0x0 => self.zero,
            0x1 => !self.zero,
            0x2 => self.carry,
            0x3 => !self.carry,
            0x4 => self.negative,
            0x5 => !self.negative,
            _ => return None,
        })
    }
}

fn store(address: u32, value: u32) -> Option<Ending> {
    match address {
        AIRCR if value == SYSTEM_RESET => Some(Ending::SystemReset),
        FLASH_CR if value & OBL_LAUNCH != 0 => Some(Ending::OptionLoad),
        _ => None,
    }
}
