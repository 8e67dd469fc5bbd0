//! The program in RAM that resets a chip: executed by the emulator's core for every part that gets
//! one, and judged by the bench, where it has to bring a chip from its loader into its application.

use std::collections::BTreeMap;
use std::time::Duration;

use flashwire_client::stm32::{CommandSet, Family, Identity, Options, Part, Parts, ResetProgram};
use flashwire_emulator::cpu::instruction::Width;
use flashwire_emulator::cpu::{Access, Bus, BusError, Cpu, Exit, Registers, Signals};
use flashwire_emulator::{Halt, Time};
use flashwire_link::Link;
use flashwire_sim::stm32::ChipState;
use flashwire_tests::bench::Bench;

/// FLASH_ACR with EMPTY, FLASH_KEYR, FLASH_SR with PEMPTY, FLASH_CR: see the program's own sources.
const ACR: u32 = 0x4002_2000;
const KEYR: u32 = 0x4002_2004;
const SR_OR_CR: u32 = 0x4002_2010;
const EMPTY: u32 = 1 << 16;
const PEMPTY: u32 = 1 << 17;
const LOCK: u32 = 1 << 7;
const OBL_LAUNCH: u32 = 1 << 13;

/// RAM, the first word of flash, and registers that remember what is written.
struct Chip {
    ram_start: u32,
    ram: Vec<u8>,
    flash_start: u32,
    first_word: u32,
    registers: BTreeMap<u32, u32>,
    writes: Vec<(u32, u32)>,
    reset: bool,
}

impl Chip {
    /// A chip whose loader has written the program, and jumps to it.
    fn with(part: &Part, program: &ResetProgram) -> Self {
        let ram = part.ram.clone().unwrap();
        let mut content = vec![0xA5; ram.len()];
        let at = (program.address - ram.start) as usize;
        content[at..at + program.bytes.len()].copy_from_slice(&program.bytes);
        Self {
            ram_start: ram.start,
            ram: content,
            flash_start: part.flash_start,
            first_word: 0x2000_1000,
            registers: BTreeMap::new(),
            writes: Vec::new(),
            reset: false,
        }
    }

    /// Runs until the chip is reset; false if that does not come within a millisecond.
    fn resets(&mut self, program: &ResetProgram) -> bool {
        let word = |at: usize| u32::from_le_bytes(program.bytes[at..at + 4].try_into().unwrap());
        let (stack, entry) = (word(0), word(4));
        assert_eq!(entry & 1, 1, "Thumb code only");
        let mut cpu = Cpu::new(&*self);
        let mut registers: Registers = cpu.registers();
        // Whatever the loader leaves behind.
        registers.r = [0x5555_5555; 16];
        registers.r[13] = stack;
        registers.msp = stack;
        registers.r[15] = entry & !1;
        registers.xpsr = 1 << 24;
        cpu.set_registers(&registers);
        let exit = cpu.run(self, Time::from_millis(1)).unwrap();
        exit == Exit::ResetRequested
    }
}

impl Bus for Chip {
    fn load(&self, address: u32, width: Width) -> Option<u32> {
        if address == self.flash_start && width == Width::Word {
            return Some(self.first_word);
        }
        let at = address.checked_sub(self.ram_start)? as usize;
        let bytes = self.ram.get(at..at + width.bytes() as usize)?;
        let word = |value, (n, byte): (usize, &u8)| value | u32::from(*byte) << (8 * n);
        Some(bytes.iter().enumerate().fold(0, word))
    }

    fn store(&mut self, _: u32, _: Width, _: u32) -> bool {
        false
    }

    fn read(&mut self, access: Access) -> Result<u32, BusError> {
        assert_eq!(access.width, Width::Word, "registers are words");
        Ok(self.registers.get(&access.address).copied().unwrap_or(0))
    }

    fn write(&mut self, access: Access, value: u32) -> Result<(), BusError> {
        assert_eq!(access.width, Width::Word, "registers are words");
        self.writes.push((access.address, value));
        self.reset |= access.address == SR_OR_CR && value & OBL_LAUNCH != 0;
        Ok(())
    }

    fn fetch(&self, address: u32) -> Option<u16> {
        self.load(address, Width::Half).map(|half| half as u16)
    }

    fn code_index(&self, _: u32) -> Option<usize> {
        None
    }

    fn code_capacity(&self) -> usize {
        0
    }

    fn code_version(&self) -> u32 {
        0
    }

    fn wait_cycles(&self, _: u32) -> u32 {
        0
    }

    fn signals(&self) -> Signals {
        Signals {
            interrupts: 0,
            next_event: Time::NEVER,
            cycle: Time::period_of(8_000_000),
            stalled_until: Time::ZERO,
            reset: self.reset,
            events: 0,
        }
    }

    fn signals_changed(&mut self) -> bool {
        true
    }

    fn service(&mut self, _: Time) -> Result<(), Halt> {
        Ok(())
    }

    fn stop(&mut self, pc: u32) -> Result<u64, Halt> {
        panic!("at {pc:#x}: these programs never stop the clocks");
    }

    fn wake(&mut self, _: Time) {}

    fn complain(&mut self, _: Time, pc: u32, text: &str) {
        panic!("at {pc:#x}: {text}");
    }
}

fn identity(part: Part) -> Identity {
    Identity {
        product_id: part.product_id,
        known: true,
        version: 0x31,
        commands: CommandSet::new(),
        bootloader_id: part.bootloader_ids.last().copied(),
        flash_kib: None,
        unique_id: None,
        read_protected: false,
        part,
    }
}

/// The part with this id, and its program.
fn known(product_id: u16) -> (Part, ResetProgram) {
    let part = Parts::built_in().find(product_id, None).unwrap();
    let program = identity(part.clone()).reset_program().unwrap();
    (part, program)
}

#[test]
fn every_program_resets_the_chip_and_touches_nothing_else() {
    let mut programs = 0;
    for part in Parts::built_in().all() {
        let Some(program) = identity(part.clone()).reset_program() else {
            continue;
        };
        programs += 1;
        let mut chip = Chip::with(&part, &program);
        assert!(chip.resets(&program), "{}", part.name);
        // Nothing says "empty" here, so there is nothing to correct.
        let launches = chip
            .writes
            .iter()
            .all(|&(at, value)| part.family == Family::F0 && (at, value) == (SR_OR_CR, OBL_LAUNCH));
        assert!(launches, "{}: {:X?}", part.name, chip.writes);
    }
    assert!(programs > 60, "only {programs} parts have a program");
}

#[test]
fn option_bytes_are_launched_with_keys_only_where_the_flash_is_locked() {
    let (part, program) = known(0x442);
    let mut chip = Chip::with(&part, &program);
    chip.registers.insert(SR_OR_CR, LOCK);
    assert!(chip.resets(&program));
    let expected = [
        (KEYR, 0x4567_0123),
        (KEYR, 0xCDEF_89AB),
        (SR_OR_CR, OBL_LAUNCH),
    ];
    assert_eq!(chip.writes, expected);
    // A key too many locks the registers until the next reset.
    let mut chip = Chip::with(&part, &program);
    assert!(chip.resets(&program));
    assert_eq!(chip.writes, [(SR_OR_CR, OBL_LAUNCH)]);
}

#[test]
fn a_chip_that_takes_itself_for_empty_is_corrected_where_it_is_not() {
    // The other bits of FLASH_ACR are wait states and caches, and stay.
    let cases = [
        (0x460, ACR, 0x0004_0601 | EMPTY, (ACR, 0x0004_0601)),
        (0x443, ACR, 0x0000_0200 | EMPTY, (ACR, 0x0000_0200)),
        (0x462, SR_OR_CR, PEMPTY, (SR_OR_CR, PEMPTY)),
        (0x435, SR_OR_CR, PEMPTY | 1, (SR_OR_CR, PEMPTY)),
    ];
    for (id, register, value, write) in cases {
        let (part, program) = known(id);
        let mut chip = Chip::with(&part, &program);
        chip.registers.insert(register, value);
        assert!(chip.resets(&program), "{id:#x}");
        assert_eq!(chip.writes, [write], "{id:#x}");

        let mut empty = Chip::with(&part, &program);
        empty.registers.insert(register, value);
        empty.first_word = u32::MAX;
        assert!(empty.resets(&program), "{id:#x}");
        assert_eq!(empty.writes, [], "{id:#x}: there is nothing to start");
    }
}

/// An application that a bench takes for one: a stack in RAM, and a reset vector into the flash.
fn application(bench: &Bench) -> Vec<u8> {
    let part = bench.chip().part();
    let stack = part.ram[0].end;
    let entry = (part.flash.start + 8) | 1;
    [stack.to_le_bytes(), entry.to_le_bytes()].concat()
}

#[test]
fn every_bench_is_reset_by_its_program() {
    for part in &flashwire_sim::stm32::PARTS {
        let bench = Bench::open(part.name);
        let mut target = bench.target(Options::default());
        let program = target.identity().reset_program().unwrap();
        let loader = target.loader_mut();
        loader.reset_by_program(&program).unwrap();
        bench.change().pause(Duration::from_millis(1)).unwrap();
        assert_eq!(
            bench.chip().state(),
            ChipState::LoaderUnsynchronised,
            "{}: BOOT0 is high",
            part.name
        );
        loader.synchronise_within(Duration::from_secs(2)).unwrap();
        loader.get().unwrap();
        assert_eq!(bench.complaints(), [""; 0], "{}", part.name);
    }
}

#[test]
fn a_chip_that_was_empty_at_power_on_starts_what_was_written() {
    for name in ["stm32g071rb,boot0=low", "stm32g0b1re,boot0=low"] {
        let bench = Bench::open(name);
        let mut target = bench.target(Options::default());
        let application = application(&bench);
        bench.fill_flash(&application);
        let program = target.identity().reset_program().unwrap();
        target.loader_mut().reset_by_program(&program).unwrap();
        bench.change().pause(Duration::from_millis(10)).unwrap();
        assert!(
            matches!(bench.chip().state(), ChipState::Application(_)),
            "{name}: {:?}",
            bench.chip().state()
        );
    }
}

#[test]
fn ram_that_does_not_hold_what_was_written_is_not_jumped_into() {
    // The program would reach past the end of RAM, and the loader drops what does.
    let bench = Bench::open("stm32f103cb");
    let mut target = bench.target(Options::default());
    let program = target.identity().reset_program().unwrap();
    let misplaced = ResetProgram {
        address: 0x2000_4FF0,
        bytes: program.bytes,
    };
    let error = target.loader_mut().reset_by_program(&misplaced);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("at 0x20005000"), "{error}");
    target.loader_mut().get().unwrap();
}
