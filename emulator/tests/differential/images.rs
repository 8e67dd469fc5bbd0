//! The instructions that stand in firmware images, found by following the program from its vector
//! table: both ways of every branch, calls, jump tables, and addresses of code in literals.
//!
//! A *form* is an instruction without its numbers: what the core has to do, not with what.

use std::collections::{BTreeMap, BTreeSet};

use flashwire_emulator::Image;
use flashwire_emulator::cpu::decode;
use flashwire_emulator::cpu::instruction::{Address, Instruction, Operand, Reg, Width};

/// Exceptions and interrupts of the chip: RM0008 rev 21, table 63.
const VECTORS: u32 = 16 + 43;

/// A form, and the encodings of it that were met.
pub(crate) type Forms = BTreeMap<String, BTreeSet<[u16; 2]>>;

/// Adds the instructions of an image.
pub(crate) fn collect(image: &Image, forms: &mut Forms) {
    let mut program = Program {
        image,
        waiting: Vec::new(),
        seen: BTreeSet::new(),
    };
    let table = image.vector_table();
    for number in 1..VECTORS {
        match program.word(table + 4 * number) {
            // What is not an odd address is no vector, and the table has ended.
            Some(entry) if entry & 1 != 0 => program.waiting.push(entry & !1),
            Some(0) => {}
            _ => break,
        }
    }
    while let Some(address) = program.waiting.pop() {
        program.follow(address, forms);
    }
}

struct Program<'a> {
    image: &'a Image,
    waiting: Vec<u32>,
    seen: BTreeSet<u32>,
}

impl Program<'_> {
    fn half(&self, address: u32) -> Option<u16> {
        self.image.segments().iter().find_map(|segment| {
            let offset = address.checked_sub(segment.address)? as usize;
            let bytes = segment.bytes.get(offset..offset + 2)?;
            Some(u16::from_le_bytes([bytes[0], bytes[1]]))
        })
    }

    fn word(&self, address: u32) -> Option<u32> {
        let (low, high) = (self.half(address)?, self.half(address.wrapping_add(2))?);
        Some(u32::from(high) << 16 | u32::from(low))
    }

    /// Takes a number that may be the address of a function.
    fn consider(&mut self, value: u32) {
        if value & 1 != 0 && self.half(value & !1).is_some() {
            self.waiting.push(value & !1);
        }
    }

    /// Goes through the code at `address` until it goes elsewhere.
    fn follow(&mut self, mut address: u32, forms: &mut Forms) {
        // Instructions of an IT block that are still to come, and may be skipped.
        let mut conditional = 0;
        while self.seen.insert(address) {
            let Some(first) = self.half(address) else {
                return;
            };
            let wide = decode::is_wide(first);
            let second = if wide {
                self.half(address + 2).unwrap_or(0)
            } else {
                0
            };
            let instruction = if wide {
                decode::wide(first, second)
            } else {
                decode::narrow(first)
            };
            // What stands behind a call that never returns is data.
            if matches!(
                instruction,
                Instruction::Unpredictable | Instruction::Coprocessor
            ) {
                return;
            }
            let name = form(wide, instruction);
            forms.entry(name).or_default().insert([first, second]);
            let next = address + if wide { 4 } else { 2 };
            let goes_on = self.go_on(instruction, address);
            let may_be_skipped = conditional > 0;
            conditional = match instruction {
                Instruction::IfThen { state } => 4 - (state & 15).trailing_zeros(),
                _ => conditional.saturating_sub(1),
            };
            if !goes_on && !may_be_skipped {
                return;
            }
            address = next;
        }
    }

    /// Notes where else the program goes; whether it goes on behind the instruction.
    fn go_on(&mut self, instruction: Instruction, address: u32) -> bool {
        let pc = address + 4;
        match instruction {
            Instruction::Branch { offset } => {
                self.waiting.push(pc.wrapping_add_signed(offset));
                return false;
            }
            Instruction::BranchIf { offset, .. } | Instruction::BranchLink { offset } => {
                self.waiting.push(pc.wrapping_add_signed(offset));
            }
            Instruction::CompareBranch { offset, .. } => {
                self.waiting.push(pc + u32::from(offset));
            }
            Instruction::TableBranch {
                width, rn: Reg::PC, ..
            } => {
                self.table(pc, width);
                return false;
            }
            Instruction::BranchExchange { .. }
            | Instruction::MoveToPc { .. }
            | Instruction::AddToPc { .. }
            | Instruction::TableBranch { .. }
            | Instruction::Undefined => return false,
            Instruction::LoadMultiple { list, .. } => return list >> 15 == 0,
            Instruction::Load { rt: Reg::PC, .. } => return false,
            Instruction::Load {
                width: Width::Word,
                address:
                    Address::Offset {
                        rn: Reg::PC,
                        offset,
                    },
                ..
            } => {
                let literal = (pc & !3).wrapping_add_signed(i32::from(offset));
                if let Some(value) = self.word(literal) {
                    self.consider(value);
                }
            }
            // A constant in two halves: the one before the upper half has the lower one.
            Instruction::MoveTop { value, .. } => {
                if let (Some(low_first), Some(low_second)) =
                    (self.half(address.wrapping_sub(4)), self.half(address - 2))
                    && let Instruction::Move { operand, .. } = decode::wide(low_first, low_second)
                    && let Operand::Immediate { value: low, .. } = operand
                {
                    self.consider(u32::from(value) << 16 | low);
                }
            }
            _ => {}
        }
        true
    }

    /// A jump table behind its instruction ends where its first target begins.
    fn table(&mut self, pc: u32, width: Width) {
        let bytes = width.bytes();
        let mut end = u32::MAX;
        let mut place = pc;
        while place < end && place < pc + 512 {
            let Some(half) = self.half(place & !1) else {
                return;
            };
            let entry = match width {
                Width::Byte => half >> (8 * (place & 1)) & 0xff,
                _ => half,
            };
            let target = pc + 2 * u32::from(entry);
            // An entry of zero pads a table of bytes.
            if target > place {
                self.waiting.push(target);
                end = end.min(target);
            }
            place += bytes;
        }
    }
}

/// The instruction without its numbers; which of the special registers it names stays.
pub(crate) fn form(wide: bool, instruction: Instruction) -> String {
    let mut text = format!("{instruction:?}");
    for (register, name) in [(Reg::SP, "sp"), (Reg::LR, "lr"), (Reg::PC, "pc")] {
        text = text.replace(&format!("{register:?}"), name);
    }
    let mut name = String::from(if wide { "32 " } else { "16 " });
    let mut in_number = false;
    for letter in text.chars() {
        let digit = letter.is_ascii_digit();
        if digit && !in_number {
            if name.ends_with('-') {
                name.pop();
            }
            name.push('#');
        }
        if !digit {
            name.push(letter);
        }
        in_number = digit;
    }
    name.replace("Reg(#)", "r")
}
