//! What a chip does when it is deselected.

use std::ops::Range;

use flashwire_link::Instant;
use flashwire_protocol::spinor::{PAGE_BYTES, instruction, status};

use super::super::{Busy, Ewsr, Features, Misuse, Programming};
use super::instructions::{Action, Plain};
use super::{Chip, Effect, Operation, REGISTERS, Transaction};

impl Chip {
    /// Ends a transaction.
    pub(super) fn finish(&mut self, now: Instant, transaction: Transaction) {
        // EWSR and RSTEN hold for the next instruction only.
        let status_enabled = std::mem::take(&mut self.status_enabled);
        let reset_enabled = std::mem::take(&mut self.reset_enabled);
        match transaction.action {
            Action::Plain(plain) => {
                if self.takes(now, &transaction, 0..=0) {
                    self.act(now, plain, reset_enabled);
                }
            }
            Action::Program => self.program(now, transaction),
            Action::Increment => self.increment(now, transaction),
            Action::Erase(erase) => {
                if self.takes(now, &transaction, 0..=0) {
                    self.erase(now, &transaction, erase);
                }
            }
            Action::WriteStatus(first) => {
                self.write_status(now, transaction, first, status_enabled);
            }
            Action::WriteUpperAddress => {
                if self.takes(now, &transaction, 1..=1) {
                    self.write_upper_address(&transaction);
                }
            }
            // Awake in any case, and asleep no more.
            Action::Signature => self.powered_down = false,
            Action::Instruction
            | Action::Ignored
            | Action::Read
            | Action::Sfdp
            | Action::Id
            | Action::ManufacturerAndDevice
            | Action::UniqueId
            | Action::Status(_)
            | Action::FlagStatus
            | Action::SecurityRegister
            | Action::UpperAddress => {}
        }
    }

    /// Whether address and data are as long as the instruction wants them.
    fn takes(
        &mut self,
        now: Instant,
        transaction: &Transaction,
        data: std::ops::RangeInclusive<usize>,
    ) -> bool {
        let head = 1 + transaction.address_bytes;
        let found = 1 + transaction.count;
        let misuse = if found < head + data.start() {
            Misuse::CutShort {
                needed: head + data.start(),
                found,
            }
        } else if found > head.saturating_add(*data.end()) {
            Misuse::TooLong {
                limit: head + data.end(),
                found,
            }
        } else {
            return true;
        };
        self.complain(now, transaction.instruction, misuse);
        false
    }

    /// Whether WREN came before; an operation that it did not come before is ignored.
    fn is_armed(&mut self) -> bool {
        if !self.write_enabled {
            self.activity.ignored_unarmed += 1;
        }
        self.write_enabled
    }

    fn act(&mut self, now: Instant, plain: Plain, reset_enabled: bool) {
        let needs_wren = self.part.features.has(Features::EN4B_WREN);
        match plain {
            Plain::WriteEnable => self.write_enabled = true,
            Plain::WriteDisable => {
                self.write_enabled = false;
                self.increment = None;
            }
            Plain::StatusEnable => self.status_enabled = true,
            Plain::ClearFlags => self.failures = 0,
            Plain::PowerDown => self.powered_down = true,
            Plain::Enter4Byte | Plain::Exit4Byte => {
                if !needs_wren || self.is_armed() {
                    self.four_byte = plain == Plain::Enter4Byte;
                    self.write_enabled &= !needs_wren;
                }
            }
            Plain::ResetEnable => self.reset_enabled = true,
            Plain::Reset if reset_enabled => {
                self.tear(now, Misuse::ResetWhileBusy);
                self.reset_volatile();
            }
            Plain::Reset => self.activity.ignored_unarmed += 1,
        }
    }

    fn program(&mut self, now: Instant, transaction: Transaction) {
        let (longest, time) = match self.part.programming {
            Programming::Page { page } => (usize::MAX, page),
            Programming::Byte { byte, .. } => (1, byte),
        };
        if !self.takes(now, &transaction, 1..=longest) || !self.is_armed() {
            return;
        }
        let Transaction {
            instruction,
            address,
            data,
            ..
        } = transaction;
        let (page_start, page_bytes) = match self.part.programming {
            Programming::Page { .. } => (address - address % PAGE_BYTES, PAGE_BYTES),
            Programming::Byte { .. } => (address, 1),
        };
        let offset = address - page_start;
        if offset + data.len() > page_bytes {
            let length = data.len();
            self.complain(now, instruction, Misuse::PageWrap { address, length });
        }
        // The page buffer is a ring: of too many bytes the last ones stay.
        let mut bytes = vec![0xFF; page_bytes];
        for (index, byte) in data.into_iter().enumerate() {
            bytes[(offset + index) % page_bytes] = byte;
        }
        self.start_program(now, instruction, page_start, bytes, time);
    }

    fn increment(&mut self, now: Instant, transaction: Transaction) {
        let Programming::Byte { byte: time, words } = self.part.programming else {
            return;
        };
        let step = if words { 2 } else { 1 };
        if !self.takes(now, &transaction, step..=step) || !self.is_armed() {
            return;
        }
        let code = transaction.instruction;
        let address = self.increment.unwrap_or(transaction.address);
        if !address.is_multiple_of(step) {
            return self.complain(now, code, Misuse::OddAddress { address });
        }
        if self.start_program(now, code, address, transaction.data, time) {
            // At the end of the memory it ends by itself.
            let next = address + step;
            self.increment = (next < self.memory.len()).then_some(next);
        }
    }

    /// Begins to program cells from `start` on; returns whether it did.
    fn start_program(
        &mut self,
        now: Instant,
        code: u8,
        start: usize,
        bytes: Vec<u8>,
        time: Busy,
    ) -> bool {
        let end = start + bytes.len();
        if self.refuses(now, code, start..end, status::micron::PROGRAM_FAILED) {
            return false;
        }
        let cells = self.memory[start..end].iter().zip(&bytes);
        let not_erased = |(_, (cell, byte)): &(usize, (&u8, &u8))| {
            let (cell, byte) = (**cell, **byte);
            byte != 0xFF && byte & !cell != 0
        };
        if let Some((offset, (&found, &wanted))) = cells.enumerate().find(not_erased) {
            let address = start + offset;
            let misuse = Misuse::NotErased {
                address,
                found,
                wanted,
            };
            self.complain(now, code, misuse);
        }
        self.activity.programs += 1;
        self.start(now, code, Effect::Program { start, bytes }, time);
        true
    }

    fn erase(&mut self, now: Instant, transaction: &Transaction, erase: usize) {
        if !self.is_armed() {
            return;
        }
        let erase = self.part.erases[erase];
        let (start, end) = erase.extent.around(transaction.address, self.memory.len());
        let code = transaction.instruction;
        if !self.refuses(now, code, start..end, status::micron::ERASE_FAILED) {
            self.activity.erases += 1;
            self.start(now, code, Effect::Erase(start..end), erase.time);
        }
    }

    /// Whether a range is protected, at least in part: then nothing of it is done.
    fn refuses(&mut self, now: Instant, code: u8, range: Range<usize>, failure: u8) -> bool {
        let protection = self.part.protection;
        let protected = protection.range(&self.registers, self.memory.len());
        if protected.start.max(range.start) >= protected.end.min(range.end) {
            return false;
        }
        let address = range.start;
        self.complain(now, code, Misuse::Protected { address });
        self.write_enabled = false;
        if self.part.features.has(Features::FLAG_STATUS) {
            self.failures |= failure | status::micron::PROTECTED;
        }
        true
    }

    fn write_status(
        &mut self,
        now: Instant,
        transaction: Transaction,
        first: usize,
        status_enabled: bool,
    ) {
        let code = transaction.instruction;
        let layout = self.part.status;
        let most = if code == instruction::WRSR {
            layout.long_write
        } else {
            1
        };
        if !self.takes(now, &transaction, 1..=most) {
            return;
        }
        if !status_enabled && !self.is_armed() {
            return;
        }
        if self.status_locked {
            return self.complain(now, code, Misuse::StatusLocked);
        }
        let mut values = self.registers;
        let layouts = layout.registers.iter().zip(values.iter_mut()).skip(first);
        for ((register, value), &byte) in layouts.zip(&transaction.data) {
            *value = *value & !register.writable | byte & register.writable;
        }
        if code == instruction::WRSR && transaction.data.len() == 1 && layout.short_write_clears {
            values[1] &= !layout
                .registers
                .get(1)
                .map_or(0, |register| register.writable);
        }
        self.activity.status_writes += 1;
        if status_enabled && layout.ewsr == Ewsr::MakesVolatile {
            self.registers = values;
        } else if layout.is_volatile {
            self.set_registers(values);
        } else {
            self.start(now, code, Effect::Status(values), layout.time);
        }
    }

    /// Registers that are made of latches change at once.
    fn set_registers(&mut self, values: [u8; REGISTERS]) {
        self.registers = values;
        self.write_enabled = false;
    }

    fn write_upper_address(&mut self, transaction: &Transaction) {
        let is_bank = transaction.instruction == instruction::BRWR;
        if !is_bank && !self.is_armed() {
            return;
        }
        let Some(&value) = transaction.data.first() else {
            return;
        };
        if self.part.features.has(Features::BANK_REGISTER) {
            self.four_byte = value & status::BANK_FOUR_BYTE != 0;
            self.upper_address = value & !status::BANK_FOUR_BYTE;
        } else {
            self.upper_address = value;
        }
        if !is_bank {
            self.write_enabled = false;
        }
    }

    fn start(&mut self, now: Instant, instruction: u8, effect: Effect, time: Busy) {
        let until = now + self.stopwatch.draw(time);
        self.operation = Some(Operation {
            until,
            instruction,
            effect,
        });
    }
}
