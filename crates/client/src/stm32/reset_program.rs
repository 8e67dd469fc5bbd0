//! A reset without a line: a few instructions that the loader writes to RAM and jumps to.
//!
//! The loaders have no command for a reset. What they have is Write Memory to RAM and Go, and a
//! program of a dozen Thumb instructions (ARMv6-M, which all STM32 execute) can ask for one. Chips
//! that look whether their flash is empty only at power-on would come back to their loader after
//! it, so for those the program first corrects what they remember. What runs after the reset is
//! decided by BOOT0, as after any other.

use super::bootloader::Parser;
use super::{Bootloader, Error, Family, Identity, Part, Quirk};

/// Where a program goes, and what it consists of: its vector table, code and literals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetProgram {
    /// First address, in RAM that the loader leaves free: where Go is to jump.
    pub address: u32,
    /// Its bytes, whole words.
    pub bytes: Vec<u8>,
}

/// Application interrupt and reset control register. ARMv6-M ARM, section B3.2.6.
const AIRCR: u32 = 0xE000_ED0C;
/// Its key and SYSRESETREQ. ARMv6-M ARM, section B3.2.6.
const SYSTEM_RESET: u32 = 0x05FA_0004;

/// Flash registers of all families here but WB and WL. Memory maps of the reference manuals;
/// ST's `stm32g071xx.h`, `stm32l462xx.h` and others, `FLASH_R_BASE`.
const FLASH_REGISTERS: u32 = 0x4002_2000;
/// Those of WB and WL. ST's `stm32wb55xx.h` and `stm32wle5xx.h`, `FLASH_REG_BASE`.
const FLASH_REGISTERS_WB: u32 = 0x5800_4000;

/// F0: FLASH_KEYR, FLASH_CR with LOCK and OBL_LAUNCH, and the two keys. RM0091, section 3.5.
const KEYR: u8 = 0x04;
const CR: u8 = 0x10;
const LOCK: u8 = 1 << 7;
const OBL_LAUNCH: u32 = 1 << 13;
const KEYS: [u32; 2] = [0x4567_0123, 0xCDEF_89AB];

/// L4 with one bank: FLASH_SR and PEMPTY, which is toggled by writing a one. RM0394, section 3.7.5.
const SR: u8 = 0x10;
const PEMPTY: u32 = 1 << 17;

/// C0, G0, U0, WB, WL: the bit EMPTY of FLASH_ACR, which may be written. RM0444, section 3.7.1;
/// ST's `stm32g0xx_hal_flash_ex.c` clears it so.
const ACR: u8 = 0x00;
const EMPTY: u32 = 1 << 16;

/// The loader of the L476 from which on RAM is written as it should: version 9.2. UM1879.
const RAM_WRITE_REPAIRED: u8 = 0x92;

/// Room for the stack, which nothing here uses, but which has to be RAM: some loaders and every
/// exception look at it.
const STACK_BYTES: u32 = 64;

impl Identity {
    /// The program that resets this chip. `None` where the loader owns all RAM, or nobody knows what
    /// it owns, or writes to RAM do not arrive.
    pub fn reset_program(&self) -> Option<ResetProgram> {
        let part = &self.part;
        let ram = part.ram.as_ref()?;
        let corrupts = part.has(Quirk::RamWriteCorrupt)
            && self.bootloader_id.is_none_or(|id| id < RAM_WRITE_REPAIRED);
        if corrupts {
            return None;
        }
        let bytes = program(part).assemble(ram.start);
        let needed = bytes.len() as u32 + STACK_BYTES;
        (ram.end - ram.start >= needed).then_some(ResetProgram {
            address: ram.start,
            bytes,
        })
    }
}

impl Bootloader {
    /// Writes the program to RAM, looks whether it arrived, and jumps to it. The chip resets; what
    /// runs then is decided by BOOT0.
    ///
    /// # Errors
    /// As [`write_memory`](Self::write_memory) and [`go`](Self::go); [`Error::Damaged`] if RAM does
    /// not hold what was written: nothing was started then.
    pub fn reset_by_program(&mut self, program: &ResetProgram) -> Result<(), Error> {
        let ResetProgram { address, bytes } = program;
        self.persist(|l| l.write_memory(*address, bytes))?;
        let mut found = vec![0; bytes.len()];
        self.persist(|l| l.read_memory(*address, &mut found))?;
        let differs = bytes.iter().zip(&found).position(|(new, old)| new != old);
        if let Some(at) = differs {
            return Err(Error::Damaged {
                address: address + at as u32,
                expected: bytes[at],
                found: found[at],
            });
        }
        self.go(*address)?;
        self.parser = Parser::Away;
        Ok(())
    }
}

/// The instructions for a part.
fn program(part: &Part) -> Assembler {
    let mut code = Assembler::default();
    match part.family {
        Family::F0 if part.has(Quirk::OblLaunch) => launch_options(&mut code),
        Family::L4 if part.has(Quirk::EmptyCheck) || part.has(Quirk::Pempty) => {
            mark_programmed(&mut code, part, FLASH_REGISTERS, SR, PEMPTY, How::Toggle);
        }
        Family::C0 | Family::G0 | Family::U0 => {
            mark_programmed(&mut code, part, FLASH_REGISTERS, ACR, EMPTY, How::Clear);
        }
        Family::WB | Family::WL => {
            mark_programmed(&mut code, part, FLASH_REGISTERS_WB, ACR, EMPTY, How::Clear);
        }
        _ => {}
    }
    // The reset itself.
    code.load(R0, AIRCR); // r0 = address of AIRCR
    code.load(R1, SYSTEM_RESET); // r1 = key and SYSRESETREQ
    code.store(R1, R0, 0); // ask for it
    code.data_barrier(); // the store is out before the loop begins
    code.spin(); // it comes within a few cycles
    code
}

/// Loads the option bytes anew, which resets the chip as power-on does.
fn launch_options(code: &mut Assembler) {
    code.load(R0, FLASH_REGISTERS); // r0 = flash registers
    code.load_from(R1, R0, CR); // r1 = FLASH_CR
    code.set(R2, LOCK); // r2 = LOCK
    code.test(R1, R2); // unlocked already?
    let unlocked = code.skip_if_zero(); // then no keys: a key too many locks it for good
    for key in KEYS {
        code.load(R3, key); // r3 = key
        code.store(R3, R0, KEYR); // into FLASH_KEYR
    }
    code.land(unlocked);
    code.load(R1, OBL_LAUNCH); // r1 = OBL_LAUNCH
    code.store(R1, R0, CR); // the chip resets here
}

/// How a bit that says "empty" is made to say "programmed".
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// By writing a zero over it.
    Clear,
    /// By writing a one over it.
    Toggle,
}

/// Where flash holds a program, sees to it that the chip does not take it for empty.
fn mark_programmed(code: &mut Assembler, part: &Part, registers: u32, at: u8, bit: u32, how: How) {
    code.load(R0, part.flash_start); // r0 = flash
    code.load_from(R0, R0, 0); // r0 = its first word
    code.add(R0, 1); // all ones become zero
    let empty = code.skip_if_zero(); // nothing to start: leave it be
    code.load(R0, registers); // r0 = flash registers
    code.load_from(R1, R0, at); // r1 = the register
    code.load(R2, bit); // r2 = the bit
    code.test(R1, R2); // does it say "empty"?
    let programmed = code.skip_if_zero(); // it does not
    if how == How::Clear {
        code.clear(R1, R2); // r1 = the register without it
        code.store(R1, R0, at);
    } else {
        code.store(R2, R0, at); // writing a one toggles it
    }
    code.land(programmed);
    code.land(empty);
}

/// A low register.
#[derive(Clone, Copy)]
struct Register(u16);

const R0: Register = Register(0);
const R1: Register = Register(1);
const R2: Register = Register(2);
const R3: Register = Register(3);

/// A branch whose target is not known yet.
struct Branch(usize);

/// Puts Thumb instructions one behind the other. Encodings: ARMv6-M ARM, section A6.7.
#[derive(Default)]
struct Assembler {
    code: Vec<u16>,
    /// Literals: which instruction loads which value.
    literals: Vec<(usize, u32)>,
}

impl Assembler {
    /// `LDR Rt, =value`: LDR (literal), T1; the offset is filled in at the end.
    fn load(&mut self, to: Register, value: u32) {
        self.literals.push((self.code.len(), value));
        self.code.push(0x4800 | to.0 << 8);
    }

    /// `LDR Rt, [Rn, #offset]`: LDR (immediate), T1.
    fn load_from(&mut self, to: Register, base: Register, offset: u8) {
        self.code
            .push(0x6800 | u16::from(offset / 4) << 6 | base.0 << 3 | to.0);
    }

    /// `STR Rt, [Rn, #offset]`: STR (immediate), T1.
    fn store(&mut self, from: Register, base: Register, offset: u8) {
        self.code
            .push(0x6000 | u16::from(offset / 4) << 6 | base.0 << 3 | from.0);
    }

    /// `MOVS Rd, #value`: MOV (immediate), T1.
    fn set(&mut self, to: Register, value: u8) {
        self.code.push(0x2000 | to.0 << 8 | u16::from(value));
    }

    /// `ADDS Rd, #value`: ADD (immediate), T2.
    fn add(&mut self, to: Register, value: u8) {
        self.code.push(0x3000 | to.0 << 8 | u16::from(value));
    }

    /// `TST Rn, Rm`: TST (register), T1.
    fn test(&mut self, left: Register, right: Register) {
        self.code.push(0x4200 | right.0 << 3 | left.0);
    }

    /// `BICS Rd, Rm`: BIC (register), T1.
    fn clear(&mut self, of: Register, bits: Register) {
        self.code.push(0x4380 | bits.0 << 3 | of.0);
    }

    /// `BEQ` forward, to where [`land`](Self::land) says: B, T1.
    fn skip_if_zero(&mut self) -> Branch {
        self.code.push(0xD000);
        Branch(self.code.len() - 1)
    }

    /// Where a branch goes: the next instruction. What an instruction reads as PC is four bytes
    /// ahead of it.
    fn land(&mut self, branch: Branch) {
        let offset = self.code.len() - branch.0 - 2;
        self.code[branch.0] |= offset as u16;
    }

    /// `DSB`: T1, two half-words.
    fn data_barrier(&mut self) {
        self.code.extend([0xF3BF, 0x8F4F]);
    }

    /// `B .`: B, T2, to itself.
    fn spin(&mut self) {
        self.code.push(0xE7FE);
    }

    /// Vector table, code and literals, as they stand at `address`.
    fn assemble(mut self, address: u32) -> Vec<u8> {
        /// Stack pointer and reset vector.
        const VECTORS: usize = 8;
        if !self.code.len().is_multiple_of(2) {
            // NOP: literals stand at whole words.
            self.code.push(0xBF00);
        }
        let pool = VECTORS + 2 * self.code.len();
        let mut values: Vec<u32> = Vec::new();
        for &(at, value) in &self.literals {
            let known = values.iter().position(|&known| known == value);
            let index = known.unwrap_or_else(|| {
                values.push(value);
                values.len() - 1
            });
            // PC counts in whole words here.
            let pc = (VECTORS + 2 * at + 4) / 4 * 4;
            self.code[at] |= ((pool + 4 * index - pc) / 4) as u16;
        }
        let end = address + (pool + 4 * values.len()) as u32;
        // A stack grows down, from a multiple of eight (AAPCS, section 6.2.1).
        let stack = (end + STACK_BYTES) / 8 * 8;
        let entry = (address + VECTORS as u32) | 1;
        let words = [stack, entry].into_iter().flat_map(u32::to_le_bytes);
        let code = self.code.iter().flat_map(|half| half.to_le_bytes());
        let pool = values.into_iter().flat_map(u32::to_le_bytes);
        words.chain(code).chain(pool).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stm32::Parts;
    use flashwire_protocol::stm32::CommandSet;

    fn identity(product_id: u16, bootloader_id: Option<u8>) -> Identity {
        let part = Parts::built_in().find(product_id, bootloader_id).unwrap();
        Identity {
            product_id,
            part,
            known: true,
            version: 0x31,
            commands: CommandSet::new(),
            bootloader_id,
            flash_kib: None,
            unique_id: None,
            read_protected: false,
        }
    }

    #[test]
    fn the_plain_reset_is_what_an_assembler_makes_of_it() {
        let program = identity(0x410, None).reset_program().unwrap();
        assert_eq!(program.address, 0x2000_0200);
        let expected = [
            // Stack pointer and entry.
            0x2000_0258_u32,
            0x2000_0209,
            // ldr r0, [pc, #8]; ldr r1, [pc, #12]
            0x4903_4802,
            // str r1, [r0]; dsb (first half)
            0xF3BF_6001,
            // dsb (second half); b .
            0xE7FE_8F4F,
            AIRCR,
            SYSTEM_RESET,
        ];
        let expected: Vec<u8> = expected.into_iter().flat_map(u32::to_le_bytes).collect();
        assert_eq!(program.bytes, expected);
    }

    #[test]
    fn the_stack_is_within_the_smallest_ram() {
        for part in Parts::built_in().all() {
            let id = part.bootloader_ids.first().copied();
            let Some(program) = identity(part.product_id, id).reset_program() else {
                continue;
            };
            let stack = u32::from_le_bytes(program.bytes[..4].try_into().unwrap());
            let ram = part.ram.unwrap();
            assert!(stack > program.address && stack <= ram.end, "{}", part.name);
            assert!(program.bytes.len() <= 256, "{}: one block", part.name);
            assert!(program.bytes.len().is_multiple_of(4), "{}", part.name);
        }
    }

    #[test]
    fn a_loader_that_owns_all_ram_or_damages_it_gets_no_program() {
        for id in [0x445, 0x457] {
            assert_eq!(identity(id, None).reset_program(), None, "{id:#x}");
        }
        assert_eq!(identity(0x415, Some(0x90)).reset_program(), None);
        assert_eq!(identity(0x415, None).reset_program(), None);
        assert!(identity(0x415, Some(0x92)).reset_program().is_some());
    }
}
