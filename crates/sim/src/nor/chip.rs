//! A chip on a bus.

mod execute;
mod instructions;

use std::ops::Range;

use flashwire_link::Instant;
use flashwire_protocol::spinor::status;

use super::timing::Stopwatch;
use super::{Complaint, Misuse, Pace, Part};
use instructions::Action;

/// Level of a data line that nobody drives: pulled up.
const FLOATING: u8 = 0xFF;

/// How many status registers a chip can have.
const REGISTERS: usize = 3;

/// What differs between two chips of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How long its operations take.
    pub pace: Pace,
    /// Where its spread, its unique id and what a torn operation leaves come from.
    pub seed: u64,
}

/// How often a chip was made to do what, and how often it ignored its host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Selections in which at least one byte came.
    pub transactions: u64,
    /// Programs that were begun: pages, bytes, or steps of auto address increment.
    pub programs: u64,
    /// Erases that were begun.
    pub erases: u64,
    /// Writes of status registers that were begun.
    pub status_writes: u64,
    /// Status polls.
    pub polls: u64,
    /// Instructions that came while the chip was busy and were ignored.
    pub ignored_while_busy: u64,
    /// Programs, erases and register writes that came without WREN and were ignored.
    pub ignored_unarmed: u64,
    /// Instructions that the chip does not have, or that came in deep power-down.
    pub ignored_unknown: u64,
}

/// A SPI NOR chip: the slave end of a bus.
///
/// The owner of the bus calls [`select`](Self::select), [`transfer`](Self::transfer) for each byte
/// and [`deselect`](Self::deselect), each with the moment at which it happens; moments never go
/// back.
pub struct Chip {
    part: &'static Part,
    sfdp: Vec<u8>,
    memory: Vec<u8>,
    /// Status registers in force, without WIP and WEL.
    registers: [u8; REGISTERS],
    /// Status registers as they will be after the next power-up.
    stored: [u8; REGISTERS],
    write_enabled: bool,
    /// EWSR came right before this instruction.
    status_enabled: bool,
    /// RSTEN came right before this instruction.
    reset_enabled: bool,
    status_locked: bool,
    four_byte: bool,
    /// Extended address or bank register.
    upper_address: u8,
    powered_down: bool,
    /// Next address of auto address increment, if that is on.
    increment: Option<usize>,
    /// Failure bits of the flag status register.
    failures: u8,
    operation: Option<Operation>,
    transaction: Option<Transaction>,
    connected: bool,
    spi_hz: u32,
    stopwatch: Stopwatch,
    unique_id: [u8; 8],
    activity: Activity,
    complaints: Vec<Complaint>,
}

/// What keeps the chip busy.
struct Operation {
    until: Instant,
    instruction: u8,
    effect: Effect,
}

/// What is different once an operation is done.
enum Effect {
    /// Bits are cleared from an address on where these bytes have zeros.
    Program { start: usize, bytes: Vec<u8> },
    /// A range is erased.
    Erase(Range<usize>),
    /// The status registers have these values.
    Status([u8; REGISTERS]),
}

/// What has happened since the chip was selected.
struct Transaction {
    instruction: u8,
    action: Action,
    address_bytes: usize,
    dummy_bytes: usize,
    address: usize,
    /// Bytes after the instruction.
    count: usize,
    /// Data bytes that came in.
    data: Vec<u8>,
}

impl Chip {
    /// A chip as shipped: erased, and under power since the start of time.
    pub fn new(part: &'static Part, options: Options) -> Self {
        let mut stopwatch = Stopwatch::new(options.pace, options.seed);
        let mut factory = [0; REGISTERS];
        for (value, register) in factory.iter_mut().zip(part.status.registers) {
            *value = register.factory;
        }
        Self {
            part,
            sfdp: part.sfdp_bytes(),
            memory: vec![0xFF; part.size_bytes],
            registers: factory,
            stored: factory,
            write_enabled: false,
            status_enabled: false,
            reset_enabled: false,
            status_locked: false,
            four_byte: false,
            upper_address: 0,
            powered_down: false,
            increment: None,
            failures: 0,
            operation: None,
            transaction: None,
            connected: true,
            spi_hz: 0,
            unique_id: stopwatch.next().to_be_bytes(),
            stopwatch,
            activity: Activity::default(),
            complaints: Vec::new(),
        }
    }

    /// What it is.
    pub fn part(&self) -> &'static Part {
        self.part
    }

    /// Its content, as far as operations are done.
    pub fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// Its content, to put something in.
    pub fn memory_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    /// Its status registers without WIP and WEL, as many as the part has.
    pub fn registers(&self) -> &[u8] {
        &self.registers[..self.part.status.registers.len()]
    }

    /// Sets a status register, counted from 0, as if it had been written before power came.
    pub fn set_register(&mut self, register: usize, value: u8) {
        if let Some(stored) = self.stored.get_mut(register) {
            *stored = value;
        }
        self.registers = self.stored;
    }

    /// What outlives power beside its content, as lines of text.
    pub fn state(&self) -> String {
        let count = self.part.status.registers.len();
        super::state::write(self.part, &self.stored[..count])
    }

    /// Whether it takes four address bytes with instructions that can take three.
    pub fn is_four_byte(&self) -> bool {
        self.four_byte
    }

    /// Puts it into 4-byte mode or out of it, as a board's own firmware may have left it.
    pub fn set_four_byte(&mut self, four_byte: bool) {
        self.four_byte = four_byte;
    }

    /// Whether an operation is under way at `now`.
    pub fn is_busy(&self, now: Instant) -> bool {
        self.busy_until().is_some_and(|until| now < until)
    }

    /// The end of the operation under way, if it is not known to be over.
    pub fn busy_until(&self) -> Option<Instant> {
        self.operation.as_ref().map(|operation| operation.until)
    }

    /// What was done to it.
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// What it holds against its host.
    pub fn complaints(&self) -> &[Complaint] {
        &self.complaints
    }

    /// Takes what it holds against its host.
    pub fn take_complaints(&mut self) -> Vec<Complaint> {
        std::mem::take(&mut self.complaints)
    }

    /// The clock from now on, in Hz: faster than the part allows is a complaint. 0 is not looked
    /// at.
    pub fn set_clock(&mut self, spi_hz: u32) {
        self.spi_hz = spi_hz;
    }

    /// Puts the chip into its socket, or pulls it out: the data line floats. Pulling takes its
    /// power, putting it in powers it up.
    pub fn set_connected(&mut self, now: Instant, connected: bool) {
        if self.connected != connected {
            self.connected = connected;
            self.power_cycle(now);
        }
    }

    /// Whether it is in its socket.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Takes the power away and gives it back: volatile state is lost, an operation under way is
    /// torn.
    pub fn power_cycle(&mut self, now: Instant) {
        self.settle(now);
        self.tear(now, Misuse::PowerLost);
        self.transaction = None;
        self.reset_volatile();
        self.status_locked = false;
        if self.part.status.is_volatile {
            for (value, register) in self.stored.iter_mut().zip(self.part.status.registers) {
                *value = register.factory;
            }
        }
        self.registers = self.stored;
        let lock = self.part.status.power_lock;
        self.status_locked = lock.is_some_and(|bit| bit.is_set(&self.registers));
    }

    /// Pulls chip select low.
    pub fn select(&mut self, now: Instant) {
        self.settle(now);
        self.transaction = Some(Transaction {
            instruction: 0,
            action: Action::Instruction,
            address_bytes: 0,
            dummy_bytes: 0,
            address: 0,
            count: 0,
            data: Vec::new(),
        });
    }

    /// Clocks one byte in and one out.
    pub fn transfer(&mut self, now: Instant, mosi: u8) -> u8 {
        if !self.connected {
            return FLOATING;
        }
        self.settle(now);
        let Some(mut transaction) = self.transaction.take() else {
            return FLOATING;
        };
        let miso = if let Action::Instruction = transaction.action {
            self.begin(now, &mut transaction, mosi);
            FLOATING
        } else {
            self.clock(now, &mut transaction, mosi)
        };
        self.transaction = Some(transaction);
        miso
    }

    /// Lets chip select go high: what writes happens now.
    pub fn deselect(&mut self, now: Instant) {
        self.settle(now);
        if let Some(transaction) = self.transaction.take()
            && self.connected
        {
            self.finish(now, transaction);
        }
    }

    /// Ends the operation under way if its time is over by `now`.
    pub fn settle(&mut self, now: Instant) {
        if let Some(operation) = self.operation.take_if(|operation| operation.until <= now) {
            self.complete(operation.effect);
            // Auto address increment keeps the latch until it is ended.
            self.write_enabled = self.increment.is_some();
        }
    }

    fn complete(&mut self, effect: Effect) {
        match effect {
            Effect::Program { start, bytes } => {
                for (cell, byte) in self.memory[start..].iter_mut().zip(bytes) {
                    *cell &= byte;
                }
            }
            Effect::Erase(range) => self.memory[range].fill(0xFF),
            Effect::Status(registers) => {
                self.stored = registers;
                self.registers = registers;
            }
        }
    }

    /// Stops the operation under way, if there is one, and leaves what it worked on undefined.
    fn tear(&mut self, now: Instant, misuse: Misuse) {
        let Some(operation) = self.operation.take() else {
            return;
        };
        match operation.effect {
            Effect::Program { start, bytes } => {
                for (cell, byte) in self.memory[start..].iter_mut().zip(bytes) {
                    *cell &= byte | self.stopwatch.next() as u8;
                }
            }
            Effect::Erase(range) => {
                for cell in &mut self.memory[range] {
                    *cell |= self.stopwatch.next() as u8;
                }
            }
            Effect::Status(_) => {}
        }
        self.complain(now, operation.instruction, misuse);
    }

    /// Forgets what neither a reset nor the loss of power keeps.
    fn reset_volatile(&mut self) {
        self.write_enabled = false;
        self.status_enabled = false;
        self.reset_enabled = false;
        self.four_byte = false;
        self.upper_address = 0;
        self.powered_down = false;
        self.increment = None;
        self.failures = 0;
        self.registers = self.stored;
    }

    /// A status register as it is read.
    fn status(&self, register: usize) -> u8 {
        let mut value = self.registers.get(register).copied().unwrap_or(0);
        if register == 0 {
            value &= !(status::WIP | status::WEL);
            value |= if self.operation.is_some() {
                status::WIP
            } else {
                0
            };
            value |= if self.write_enabled { status::WEL } else { 0 };
            value |= if self.increment.is_some() {
                status::sst::AAI
            } else {
                0
            };
        }
        if let Some(flag) = self.part.status.four_byte_flag
            && flag.0 == register
            && self.four_byte
        {
            value |= flag.1;
        }
        value
    }

    fn flag_status(&self) -> u8 {
        let ready = if self.operation.is_none() {
            status::micron::READY
        } else {
            0
        };
        let four_byte = if self.four_byte {
            status::micron::FOUR_BYTE
        } else {
            0
        };
        ready | four_byte | self.failures
    }

    fn complain(&mut self, at: Instant, instruction: u8, misuse: Misuse) {
        self.complaints.push(Complaint {
            at,
            instruction,
            misuse,
        });
    }
}

impl std::fmt::Debug for Chip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chip")
            .field("part", &self.part.name)
            .field("registers", &self.registers())
            .field("busy_until", &self.busy_until())
            .finish_non_exhaustive()
    }
}
