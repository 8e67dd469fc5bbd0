//! The core's own registers, 0xE000_0000 to 0xE00F_FFFF: DDI 0403E, sections B3.2 to B3.4.

use super::Cpu;
use super::instruction::Width;
use super::nvic::{
    BUS_FAULT, FIRST_INTERRUPT, INTERRUPTS, MEM_MANAGE, NMI, PEND_SV, SV_CALL, SYSTICK, USAGE_FAULT,
};

/// Cortex-M3 r1p1: PM0056 rev 6, section 4.4.2.
const CPUID: u32 = 0x411f_c231;

/// VTOR.TBLOFF: PM0056 rev 6, section 4.4.4.
const VECTOR_TABLE_BITS: u32 = 0x3fff_ff80;

/// AIRCR.VECTKEY: what must be written (DDI 0403E, section B3.2.6).
const VECTOR_KEY: u32 = 0x05fa;
/// AIRCR.VECTKEYSTAT: what is read.
const VECTOR_KEY_STATUS: u32 = 0xfa05;

/// Bits of CCR that exist: STKALIGN, BFHFNMIGN, DIV_0_TRP, UNALIGN_TRP, USERSETMPEND,
/// NONBASETHRDENA (DDI 0403E, section B3.2.8).
const CCR_BITS: u32 = 0x031b;
const CCR_NON_BASE_THREAD: u32 = 1 << 0;
const CCR_USER_SET_PEND: u32 = 1 << 1;
const CCR_UNALIGNED_TRAP: u32 = 1 << 3;
const CCR_DIVIDE_TRAP: u32 = 1 << 4;
const CCR_IGNORE_BUS_FAULTS: u32 = 1 << 8;
const CCR_ALIGN_STACK: u32 = 1 << 9;

/// SCR: DDI 0403E, section B3.2.7.
const SCR_SLEEP_ON_EXIT: u32 = 1 << 1;
const SCR_DEEP: u32 = 1 << 2;
const SCR_EVENT_ON_PEND: u32 = 1 << 4;

/// HFSR: DDI 0403E, section B3.2.16.
const HFSR_VECTOR: u32 = 1 << 1;
const HFSR_FORCED: u32 = 1 << 30;
const HFSR_DEBUG: u32 = 1 << 31;

/// The active and pending bits of SHCSR with their exceptions: DDI 0403E, section B3.2.13.
const ACTIVE_BITS: [(u32, u32); 6] = [
    (0, MEM_MANAGE),
    (1, BUS_FAULT),
    (3, USAGE_FAULT),
    (7, SV_CALL),
    (10, PEND_SV),
    (11, SYSTICK),
];
const PENDING_BITS: [(u32, u32); 4] = [
    (12, USAGE_FAULT),
    (13, MEM_MANAGE),
    (14, BUS_FAULT),
    (15, SV_CALL),
];
const ENABLE_BITS: [(u32, u32); 3] = [(16, MEM_MANAGE), (17, BUS_FAULT), (18, USAGE_FAULT)];

/// The state of the system control block that is not in [`Exceptions`](super::nvic::Exceptions).
#[derive(Debug)]
pub(super) struct SystemControl {
    vector_table: u32,
    scr: u32,
    ccr: u32,
    /// CFSR: the three fault status registers.
    faults: u32,
    hard_fault: u32,
    debug_fault: u32,
    mem_manage_address: u32,
    bus_fault_address: u32,
    /// AIRCR.SYSRESETREQ was written.
    pub(super) reset_requested: bool,
}

impl Default for SystemControl {
    fn default() -> Self {
        Self {
            vector_table: 0,
            scr: 0,
            // PM0056 rev 6, section 4.4.7.
            ccr: CCR_ALIGN_STACK,
            faults: 0,
            hard_fault: 0,
            debug_fault: 0,
            mem_manage_address: 0,
            bus_fault_address: 0,
            reset_requested: false,
        }
    }
}

impl SystemControl {
    pub(super) fn set_vector_table(&mut self, address: u32) {
        self.vector_table = address & VECTOR_TABLE_BITS;
    }

    pub(super) fn vector_table(&self) -> u32 {
        self.vector_table
    }

    pub(super) fn aligns_stack(&self) -> bool {
        self.ccr & CCR_ALIGN_STACK != 0
    }

    pub(super) fn traps_unaligned(&self) -> bool {
        self.ccr & CCR_UNALIGNED_TRAP != 0
    }

    pub(super) fn traps_division_by_zero(&self) -> bool {
        self.ccr & CCR_DIVIDE_TRAP != 0
    }

    pub(super) fn allows_any_return_to_thread(&self) -> bool {
        self.ccr & CCR_NON_BASE_THREAD != 0
    }

    pub(super) fn lets_anyone_trigger(&self) -> bool {
        self.ccr & CCR_USER_SET_PEND != 0
    }

    pub(super) fn sleeps_on_exit(&self) -> bool {
        self.scr & SCR_SLEEP_ON_EXIT != 0
    }

    pub(super) fn sleeps_deeply(&self) -> bool {
        self.scr & SCR_DEEP != 0
    }

    pub(super) fn sends_event_on_pending(&self) -> bool {
        self.scr & SCR_EVENT_ON_PEND != 0
    }

    pub(super) fn record_fault(&mut self, status_bit: u32) {
        self.faults |= status_bit;
    }

    pub(super) fn record_bus_fault_address(&mut self, address: u32) {
        self.bus_fault_address = address;
        // BFSR.BFARVALID.
        self.faults |= 1 << 15;
    }

    pub(super) fn record_forced_hard_fault(&mut self) {
        self.hard_fault |= HFSR_FORCED;
    }

    pub(super) fn record_vector_fault(&mut self) {
        self.hard_fault |= HFSR_VECTOR;
    }

    pub(super) fn record_debug_event(&mut self) {
        self.hard_fault |= HFSR_DEBUG;
        // DFSR.BKPT.
        self.debug_fault |= 1 << 1;
    }
}

/// Why a write to the private peripheral bus was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such register in the model.
    Unknown,
    /// The architecture leaves the result open.
    Unpredictable(&'static str),
}

impl Cpu {
    /// A word of the private peripheral bus; None if it is not in the model.
    pub(super) fn read_system(&mut self, address: u32) -> Option<u32> {
        let exceptions = &self.exceptions;
        let system = &self.system;
        // A group of 32 interrupts in one word.
        let interrupts = |set: u64| {
            let group = address >> 2 & 1;
            (set >> (FIRST_INTERRUPT + 32 * group)) as u32
        };
        Some(match address {
            // ICTR: two groups of 32 lines.
            0xe000_e004 => (INTERRUPTS - 1) / 32,
            // ACTLR came with r2p0: nothing is there.
            0xe000_e008 => 0,
            0xe000_e010 => {
                self.count_systick();
                self.systick.control()
            }
            0xe000_e014 => self.systick.reload(),
            0xe000_e018 => self.systick.value(self.cycles),
            0xe000_e01c => self.systick.calibration(),
            0xe000_e100 | 0xe000_e104 | 0xe000_e180 | 0xe000_e184 => {
                interrupts(exceptions.enabled())
            }
            0xe000_e200 | 0xe000_e204 | 0xe000_e280 | 0xe000_e284 => {
                interrupts(exceptions.pending())
            }
            0xe000_e300 | 0xe000_e304 => interrupts(exceptions.active()),
            // The groups of 32 that this chip does not have.
            0xe000_e108..=0xe000_e11c
            | 0xe000_e188..=0xe000_e19c
            | 0xe000_e208..=0xe000_e21c
            | 0xe000_e288..=0xe000_e29c
            | 0xe000_e308..=0xe000_e31c => 0,
            0xe000_e400..=0xe000_e4ef => self.priorities(address - 0xe000_e400 + FIRST_INTERRUPT),
            0xe000_ed00 => CPUID,
            0xe000_ed04 => self.interrupt_control_state(),
            0xe000_ed08 => system.vector_table,
            0xe000_ed0c => VECTOR_KEY_STATUS << 16 | exceptions.group() << 8,
            0xe000_ed10 => system.scr,
            0xe000_ed14 => system.ccr,
            0xe000_ed18..=0xe000_ed20 => self.priorities(address - 0xe000_ed18 + 4),
            0xe000_ed24 => self.system_handlers(),
            0xe000_ed28 => system.faults,
            0xe000_ed2c => system.hard_fault,
            0xe000_ed30 => system.debug_fault,
            0xe000_ed34 => system.mem_manage_address,
            0xe000_ed38 => system.bus_fault_address,
            // AFSR.
            0xe000_ed3c => 0,
            0xe000_ed40..=0xe000_ed7c => feature_register(address),
            // CPACR: no coprocessors. MPU_TYPE and the rest of it: no regions.
            0xe000_ed88 | 0xe000_ed90..=0xe000_edb8 => 0,
            _ => return self.trace.read(address, self.cycles),
        })
    }

    /// Writes to the private peripheral bus.
    ///
    /// Only the priority registers and CFSR take less than a word (DDI 0403E, section B3.1.1).
    pub(super) fn write_system(
        &mut self,
        address: u32,
        width: Width,
        value: u32,
    ) -> Result<(), Refusal> {
        match address {
            0xe000_e400..=0xe000_e4ef => {
                self.set_priorities(address - 0xe000_e400 + FIRST_INTERRUPT, width, value);
                return Ok(());
            }
            0xe000_ed18..=0xe000_ed23 => {
                self.set_priorities(address - 0xe000_ed18 + 4, width, value);
                return Ok(());
            }
            0xe000_ed28..=0xe000_ed2b => {
                self.system.faults &= !(value << (8 * (address & 3)));
                return Ok(());
            }
            // ITM's stimulus ports take what they are given.
            0xe000_0000..=0xe000_007f => return Ok(()),
            _ if width != Width::Word => {
                return Err(Refusal::Unpredictable(
                    "a part of a register is written that takes whole words only",
                ));
            }
            _ => {}
        }
        match address {
            0xe000_e008 => {}
            0xe000_e010 => {
                self.count_systick();
                self.systick.set_control(value, self.cycles);
            }
            0xe000_e014 => {
                self.count_systick();
                self.systick.set_reload(value, self.cycles);
            }
            0xe000_e018 => self.systick.clear(self.cycles),
            0xe000_e100 | 0xe000_e104 => self.each(address, value, |cpu, number| {
                cpu.exceptions.enable(number, true);
            }),
            0xe000_e180 | 0xe000_e184 => self.each(address, value, |cpu, number| {
                cpu.exceptions.enable(number, false);
            }),
            0xe000_e200 | 0xe000_e204 => self.each(address, value, Self::pend),
            0xe000_e280 | 0xe000_e284 => self.each(address, value, |cpu, number| {
                cpu.exceptions.unpend(number);
            }),
            0xe000_e108..=0xe000_e11c
            | 0xe000_e188..=0xe000_e19c
            | 0xe000_e208..=0xe000_e21c
            | 0xe000_e288..=0xe000_e29c => {}
            0xe000_ed04 => return self.set_interrupt_control_state(value),
            // TBLOFF and TBLBASE: DDI 0337E, section 8.2.2 (bits 29 to 7).
            0xe000_ed08 => self.system.vector_table = value & VECTOR_TABLE_BITS,
            0xe000_ed0c => self.set_interrupt_control(value),
            0xe000_ed10 => {
                self.system.scr = value & (SCR_SLEEP_ON_EXIT | SCR_DEEP | SCR_EVENT_ON_PEND);
            }
            0xe000_ed14 if value & CCR_IGNORE_BUS_FAULTS != 0 => return Err(Refusal::Unknown),
            0xe000_ed14 => self.system.ccr = value & CCR_BITS,
            0xe000_ed24 => self.set_system_handlers(value),
            0xe000_ed2c => self.system.hard_fault &= !value,
            0xe000_ed30 => self.system.debug_fault &= !value,
            0xe000_ed34 => self.system.mem_manage_address = value,
            0xe000_ed38 => self.system.bus_fault_address = value,
            0xe000_ed3c | 0xe000_ed88 | 0xe000_ed94..=0xe000_edb8 => {}
            // STIR.
            0xe000_ef00 => self.pend(FIRST_INTERRUPT + (value & 0x1ff)),
            _ if self.trace.write(address, value, self.cycles) => {}
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    /// Calls `act` with the exception number of each bit of `value`.
    fn each(&mut self, address: u32, value: u32, act: fn(&mut Self, u32)) {
        let first = FIRST_INTERRUPT + 32 * (address >> 2 & 1);
        for index in 0..32 {
            let number = first + index;
            if value >> index & 1 != 0 && number < FIRST_INTERRUPT + INTERRUPTS {
                act(self, number);
            }
        }
    }

    /// Makes an interrupt pending.
    fn pend(&mut self, number: u32) {
        if number >= FIRST_INTERRUPT + INTERRUPTS {
            return;
        }
        if !self.exceptions.is_pending(number) && self.system.sends_event_on_pending() {
            self.event = true;
        }
        self.exceptions.pend(number);
    }

    /// Four priority bytes from exception `first` on.
    fn priorities(&self, first: u32) -> u32 {
        (0..4).rev().fold(0, |word, index| {
            let number = first + index;
            let byte = if number < 64 {
                self.exceptions.priority_byte(number)
            } else {
                0
            };
            word << 8 | u32::from(byte)
        })
    }

    fn set_priorities(&mut self, first: u32, width: Width, value: u32) {
        for index in 0..width.bytes() {
            let number = first + index;
            if number < 64 {
                self.exceptions
                    .set_priority_byte(number, (value >> (8 * index)) as u8);
            }
        }
    }

    /// ICSR: DDI 0403E, section B3.2.4.
    fn interrupt_control_state(&self) -> u32 {
        let exceptions = &self.exceptions;
        let others = exceptions.active() & !(1 << self.exception);
        let interrupts = exceptions.pending() >> FIRST_INTERRUPT != 0;
        u32::from(exceptions.is_pending(NMI)) << 31
            | u32::from(exceptions.is_pending(PEND_SV)) << 28
            | u32::from(exceptions.is_pending(SYSTICK)) << 26
            | u32::from(interrupts) << 22
            | exceptions.most_urgent_pending() << 12
            // RETTOBASE: no exception but the present one is active.
            | u32::from(others == 0) << 11
            | self.exception
    }

    fn set_interrupt_control_state(&mut self, value: u32) -> Result<(), Refusal> {
        if value & value << 1 & (1 << 28 | 1 << 26) != 0 {
            return Err(Refusal::Unpredictable(
                "ICSR is told to set and to clear the same pending bit",
            ));
        }
        if value >> 31 & 1 != 0 {
            self.exceptions.pend(NMI);
        }
        for (set, clear, number) in [(28, 27, PEND_SV), (26, 25, SYSTICK)] {
            if value >> set & 1 != 0 {
                self.exceptions.pend(number);
            } else if value >> clear & 1 != 0 {
                self.exceptions.unpend(number);
            }
        }
        Ok(())
    }

    /// AIRCR: DDI 0403E, section B3.2.6. Without the key nothing happens.
    fn set_interrupt_control(&mut self, value: u32) {
        if value >> 16 != VECTOR_KEY {
            return;
        }
        self.exceptions.set_group(value >> 8);
        // SYSRESETREQ.
        if value & 1 << 2 != 0 {
            self.system.reset_requested = true;
        }
    }

    /// SHCSR: DDI 0403E, section B3.2.13.
    fn system_handlers(&self) -> u32 {
        let exceptions = &self.exceptions;
        let collect = |bits: &[(u32, u32)], test: &dyn Fn(u32) -> bool| {
            bits.iter()
                .filter(|&&(_, number)| test(number))
                .fold(0, |word, &(bit, _)| word | 1 << bit)
        };
        collect(&ACTIVE_BITS, &|number| exceptions.is_active(number))
            | collect(&PENDING_BITS, &|number| exceptions.is_pending(number))
            | collect(&ENABLE_BITS, &|number| exceptions.is_enabled(number))
    }

    fn set_system_handlers(&mut self, value: u32) {
        let is_set = |bit: u32| value >> bit & 1 != 0;
        for (bit, number) in ACTIVE_BITS {
            self.exceptions.set_active(number, is_set(bit));
        }
        for (bit, number) in PENDING_BITS {
            if is_set(bit) {
                self.exceptions.pend(number);
            } else {
                self.exceptions.unpend(number);
            }
        }
        for (bit, number) in ENABLE_BITS {
            self.exceptions.enable(number, is_set(bit));
        }
    }
}

/// The feature registers of a Cortex-M3: DDI 0337E, table 3-2 (ID_PFR0 to ID_ISAR4).
fn feature_register(address: u32) -> u32 {
    match address {
        0xe000_ed40 => 0x0000_0030,
        0xe000_ed44 => 0x0000_0200,
        0xe000_ed48 => 0x0010_0000,
        0xe000_ed50 => 0x0000_0030,
        0xe000_ed60 => 0x0110_1110,
        0xe000_ed64 => 0x0211_1000,
        0xe000_ed68 => 0x2111_2231,
        0xe000_ed6c => 0x0111_1110,
        0xe000_ed70 => 0x0131_0132,
        _ => 0,
    }
}
