//! An STM32 on a board: pins, reset, the processor's time, its UART.
//!
//! What matters to a host is when the loader's processor is busy. It polls one receive register:
//! while it sends it waits for its own last bit, while it programs or erases it stands still, and
//! of what arrives meanwhile the register keeps one byte. Everything else is lost. That is what
//! punishes a host that sends too early, and what lets frames be sent back to back where it is
//! safe.

use std::collections::VecDeque;
use std::time::Duration;

use flashwire_link::{Instant, Settings, StopBits};
use flashwire_protocol::stm32::{ACK, NACK};

use super::i2c::Interface;
use super::memory::{Memory, Programmed, Region};
use super::options::ReadProtection;
use super::part::{I2cLoader, Part};
use super::rom::{Outcome, Phase, Rom, Step};
use super::state;
use super::stub::{self, Ending};
use super::talk::Talk;
use super::wiring::{Pins, Wiring};
use crate::wire::{BusTarget, FarEnd, Format, Heard, Lines, Listening};
use crate::{Complaint, ComplaintKind};

/// What programming an option byte area takes, its erase included: as a page erase and a few
/// words, 20 to 40 ms on most families (DS5319, table 28; DS12232, table 46).
const OPTIONS_TIME: Duration = Duration::from_millis(30);

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// Complaints kept; a host at the wrong speed earns one with every byte.
const MAX_COMPLAINTS: usize = 1000;

/// A chip on a board.
#[derive(Debug)]
pub struct Chip {
    part: &'static Part,
    memory: Memory,
    wiring: Wiring,
    boot0_jumper: bool,
    pins: Pins,
    /// Whether flash was empty when power came on: see [`Part::empty_check`].
    found_empty: bool,
    pub(super) running: Running,
    flash_percent: u32,
    /// When the supply fails for good, if it does.
    power_ends: Option<Instant>,
    /// Whether it has.
    dead: bool,
    max_baud: u32,
    /// The interface that its host is on, if that is the loader's I2C.
    i2c: Option<I2cLoader>,
    /// Whether No-Stretch commands hold the clock all the same.
    pub(super) stretches_always: bool,
    /// Whether flash operations never end.
    stuck: bool,
    /// What the application says, if it talks.
    talk: Option<Talk>,
    complaints: Vec<Complaint>,
}

/// What the processor runs.
#[derive(Debug)]
pub(super) enum Running {
    /// Nothing: NRST is low.
    Reset,
    Loader(Box<LoaderState>),
    Application(Application),
    /// It went where no program is.
    Crashed,
}

/// A program that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Application {
    /// Where its vector table stands.
    pub vector_table: u32,
    /// Where it began: its reset vector, without the Thumb bit.
    pub entry: u32,
}

/// What can be told of the chip from outside its UART.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChipState {
    /// Held in reset.
    Reset,
    /// The loader runs, and waits for 0x7F.
    LoaderUnsynchronised,
    /// The loader runs and has been synchronised at this speed; the phase it is in, and how many
    /// bytes of its frame have arrived.
    Loader {
        /// Speed, in baud; on I2C the highest clock, in Hz.
        baud: u32,
        /// Where the parser is.
        phase: Phase,
        /// Bytes of the frame so far.
        taken: usize,
        /// Whether the processor is busy.
        busy: bool,
    },
    /// A program runs.
    Application(Application),
    /// The processor went where no program is.
    Crashed,
}

/// The loader while it runs.
#[derive(Debug)]
pub(super) struct LoaderState {
    pub(super) rom: Rom,
    /// When it has started up.
    listens_from: Instant,
    /// Whether it has.
    pub(super) awake: bool,
    /// Its interface, if that is I2C.
    pub(super) i2c: Option<Interface>,
    settings: Option<Settings>,
    /// Whether it failed to measure the speed: deaf until the next reset.
    lost: bool,
    /// The receive register.
    received: Option<u8>,
    /// Whether bytes were lost since it was filled.
    overrun: bool,
    pub(super) steps: VecDeque<Step>,
    pub(super) current: Option<Work>,
}

impl LoaderState {
    /// When it resets the chip if its host does not go on: only on I2C.
    fn gives_up(&self) -> Option<Instant> {
        self.i2c.as_ref()?.gives_up
    }
}

/// A step under way.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) step: Step,
    since: Instant,
    until: Instant,
}

impl Chip {
    /// A chip whose board puts power on with these lines; its memory is filled before that.
    pub fn new(part: &'static Part, memory: Memory, wiring: Wiring, boot0_jumper: bool) -> Self {
        let pins = wiring.pins(Lines::default(), boot0_jumper);
        let mut chip = Self {
            part,
            memory,
            wiring,
            boot0_jumper,
            pins,
            found_empty: false,
            running: Running::Reset,
            flash_percent: 100,
            power_ends: None,
            dead: false,
            max_baud: part.loader.max_baud,
            i2c: None,
            stretches_always: false,
            stuck: false,
            talk: None,
            complaints: Vec::new(),
        };
        chip.power_on(Instant::default());
        chip
    }

    /// The same chip with its host on the I2C interface of its loader instead of its UART.
    pub fn on_i2c(mut self, loader: I2cLoader) -> Self {
        self.i2c = Some(loader);
        self.complaints.clear();
        self.power_on(Instant::default());
        self
    }

    /// Lets No-Stretch commands hold the clock like the others, as the loader of the STM32G05x and
    /// G06x does in version 5.1 (AN2606, table 114).
    pub fn set_stretches_always(&mut self, on: bool) {
        self.stretches_always = on;
    }

    /// Lets flash operations begun from now on never end.
    pub fn set_stuck(&mut self, on: bool) {
        self.stuck = on;
    }

    /// Scales the time of flash operations; 100 is what the datasheet calls typical.
    pub fn set_flash_percent(&mut self, percent: u32) {
        self.flash_percent = percent;
    }

    /// The supply fails at this moment, for good: what was being erased or programmed stays half
    /// done.
    pub fn set_power_off(&mut self, at: Instant) {
        self.power_ends = Some(at);
    }

    /// Changes the highest speed at which the loader synchronises: boards differ.
    pub fn set_max_baud(&mut self, baud: u32) {
        self.max_baud = baud;
    }

    /// Lets the application say a line again and again, at this speed without parity. It hears
    /// nothing.
    pub fn set_talk(&mut self, text: &str, baud: u32) {
        self.talk = Some(Talk::new(text, baud));
    }

    /// The part.
    pub fn part(&self) -> &'static Part {
        self.part
    }

    /// The memories.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The memories, to fill them.
    pub fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// What it does.
    pub fn state(&self) -> ChipState {
        match &self.running {
            Running::Reset => ChipState::Reset,
            Running::Application(application) => ChipState::Application(*application),
            Running::Crashed => ChipState::Crashed,
            Running::Loader(loader) => match loader.settings {
                None => ChipState::LoaderUnsynchronised,
                Some(settings) => {
                    let (phase, taken) = loader.rom.phase();
                    ChipState::Loader {
                        baud: settings.baud,
                        phase,
                        taken,
                        busy: loader.current.is_some(),
                    }
                }
            },
        }
    }

    /// Puts power off and on. The loader listens at once: the board had power long before anybody
    /// opened its port.
    pub fn power_on(&mut self, now: Instant) {
        self.found_empty = self.memory.flash()[..4]
            .iter()
            .all(|byte| *byte == self.part.flash.erased);
        self.stop_work(now);
        self.start(now, now);
    }

    /// Presses and releases the reset button.
    pub fn reset(&mut self, now: Instant) {
        self.stop_work(now);
        self.start(now, now + self.part.loader.start_up);
    }

    /// Starts what the pins say.
    fn start(&mut self, now: Instant, listens_from: Instant) {
        if !self.pins.nrst || self.dead {
            self.running = Running::Reset;
            return;
        }
        let level = self.memory.options.read_protection(&self.part.options);
        let empty = self.part.empty_check && self.found_empty;
        let loader = (self.pins.boot0 || empty) && level != ReadProtection::Level2;
        if loader {
            self.running = Running::Loader(Box::new(LoaderState {
                rom: Rom::new(self.part, self.i2c),
                listens_from,
                awake: listens_from <= now,
                i2c: self.i2c.map(Interface::new),
                // There is no speed to be measured on a bus.
                settings: self.i2c.map(|i2c| Settings::plain(i2c.max_hz)),
                lost: false,
                received: None,
                overrun: false,
                steps: VecDeque::new(),
                current: None,
            }));
        } else {
            self.jump(now, self.part.flash.start);
        }
    }

    /// Runs the program whose vector table stands at an address.
    fn jump(&mut self, now: Instant, vector_table: u32) {
        let vectors = (
            self.memory.word(vector_table),
            self.memory.word(vector_table.wrapping_add(4)),
        );
        let (Some(stack), Some(reset)) = vectors else {
            return self.crash(now, format!("no vector table at 0x{vector_table:08X}"));
        };
        let entry = reset & !1;
        let code = self.memory.region(entry);
        let in_ram = matches!(code, Some(Region::Ram { .. }));
        if reset & 1 == 0 || !(in_ram || code == Some(Region::Flash)) {
            let detail = format!("reset vector 0x{reset:08X} at 0x{vector_table:08X}");
            return self.crash(now, detail);
        }
        // The first push goes below it.
        let top = self.memory.region(stack.wrapping_sub(4));
        if !matches!(top, Some(Region::Ram { .. })) {
            let detail = format!("stack pointer 0x{stack:08X} at 0x{vector_table:08X}");
            return self.crash(now, detail);
        }
        let application = Application {
            vector_table,
            entry,
        };
        self.running = Running::Application(application);
        if in_ram {
            let empty = self.part.empty_check.then_some(&mut self.found_empty);
            match stub::run(entry, &self.memory, empty) {
                Ending::Runs => {}
                Ending::SystemReset => self.reset(now),
                Ending::OptionLoad => self.power_on(now),
            }
        }
    }

    fn crash(&mut self, now: Instant, why: String) {
        self.complain(now, ComplaintKind::Crashed, format!("crashed: {why}"));
        self.running = Running::Crashed;
    }

    pub(super) fn complain(&mut self, at: Instant, kind: ComplaintKind, detail: String) {
        if self.complaints.len() < MAX_COMPLAINTS {
            self.complaints.push(Complaint { at, kind, detail });
        }
    }

    /// A reset or a power cut in the middle of a flash operation leaves it half done.
    fn stop_work(&mut self, now: Instant) {
        let Running::Loader(loader) = &mut self.running else {
            return;
        };
        let Some(work) = loader.current.take() else {
            return;
        };
        let whole = work.until - work.since;
        let done = now - work.since;
        match work.step {
            Step::Program { address, data } => {
                let pieces = data.len() / self.part.flash.program_bytes;
                let done = done.as_nanos() * pieces as u128 / whole.as_nanos().max(1);
                self.memory.program(address, &data, done as usize);
            }
            Step::Erase(units) => {
                if let Some(unit) = units.front() {
                    self.memory.tear(*unit, now.since_open().as_nanos() as u64);
                }
            }
            Step::EraseBanks(banks) => {
                if let Some(bank) = banks.first() {
                    let units = self.part.flash.bank_units();
                    for unit in bank * units..(bank + 1) * units {
                        self.memory.tear(unit, now.since_open().as_nanos() as u64);
                    }
                }
            }
            Step::ReadoutProtect(false) => {
                // The flash goes first, the protection last.
                for unit in 0..self.part.flash.bank_units() * self.part.flash.banks {
                    self.memory.tear(unit, now.since_open().as_nanos() as u64);
                }
            }
            // They are erased as a whole before they are programmed.
            Step::ProgramOptions { .. } | Step::WriteProtect(_) | Step::ReadoutProtect(true)
                if 2 * done >= whole =>
            {
                self.memory.options.tear(&self.part.options);
            }
            _ => {}
        }
    }

    /// What a step takes.
    fn duration(&self, step: &Step, settings: Settings) -> Duration {
        let flash = &self.part.flash;
        let scaled = |time: Duration| match self.stuck {
            true => FOR_EVER,
            false => time * self.flash_percent / 100,
        };
        match step {
            Step::Send(bytes) => settings.wire_time(bytes.len()),
            Step::Wait(time) | Step::Compute(time) => *time,
            Step::Program { data, .. } => scaled(self.memory.program_time(data.len())),
            Step::Erase(units) => scaled(
                units
                    .front()
                    .and_then(|unit| flash.units().nth(*unit as usize))
                    .map_or(Duration::ZERO, |unit| unit.erase),
            ),
            Step::EraseBanks(_) => scaled(flash.mass_erase.unwrap_or_default()),
            Step::ReadoutProtect(false) => scaled(self.wipe_time() + OPTIONS_TIME),
            Step::ProgramOptions { .. } | Step::WriteProtect(_) | Step::ReadoutProtect(true) => {
                scaled(OPTIONS_TIME)
            }
            Step::WriteRam { .. } | Step::Reset | Step::Go(_) => Duration::ZERO,
        }
    }

    /// What erasing everything takes: the mass erase of each bank, or all units where there is
    /// none.
    fn wipe_time(&self) -> Duration {
        let flash = &self.part.flash;
        match flash.mass_erase {
            Some(bank) => bank * flash.banks,
            None => flash.units().map(|unit| unit.erase).sum(),
        }
    }
}

/// Running the loader.
impl Chip {
    /// Does what a finished step was for.
    fn finish(&mut self, step: Step, now: Instant) {
        match step {
            Step::Send(_) | Step::Wait(_) | Step::Compute(_) => {}
            Step::Program { address, data } => {
                let done = self.memory.program(address, &data, usize::MAX);
                self.complain_of_programming(now, address, done);
                let refused = done.flagged && self.part.loader.reports_program_errors;
                self.next(Step::Send(vec![if refused { NACK } else { ACK }]));
            }
            Step::Erase(mut units) => {
                if let Some(unit) = units.pop_front() {
                    self.erase(now, unit);
                }
                if !units.is_empty() {
                    self.next(Step::Erase(units));
                }
            }
            Step::EraseBanks(mut banks) => {
                let units = self.part.flash.bank_units();
                let bank = banks.remove(0);
                for unit in bank * units..(bank + 1) * units {
                    self.erase(now, unit);
                }
                if !banks.is_empty() {
                    self.next(Step::EraseBanks(banks));
                }
            }
            Step::ProgramOptions { cells, data } => {
                let options = &mut self.memory.options;
                options.program(&self.part.options, cells, &data);
            }
            Step::WriteProtect(codes) => {
                let codes = codes.unwrap_or_default();
                let options = &mut self.memory.options;
                let meaningless = options.write_protect(&self.part.options, &codes);
                if !meaningless.is_empty() {
                    let detail = format!("Write Protect with the codes {meaningless:02X?}");
                    self.complain(now, ComplaintKind::OutOfRange, detail);
                }
            }
            Step::ReadoutProtect(on) => {
                if !on {
                    self.memory.wipe();
                }
                let options = &mut self.memory.options;
                options.set_read_protection(&self.part.options, on);
            }
            Step::WriteRam { address, data } => self.write_ram(now, address, &data),
            Step::Reset => self.reset(now),
            Step::Go(address) => self.jump(now, address),
        }
    }

    fn erase(&mut self, now: Instant, unit: u32) {
        if !self.memory.erase(unit) {
            let detail = format!("erase of unit {unit}, which is write protected");
            self.complain(now, ComplaintKind::Protected, detail);
        }
    }

    fn write_ram(&mut self, now: Instant, address: u32, data: &[u8]) {
        let addresses = (0..).map(|offset| address.wrapping_add(offset));
        for (address, &byte) in addresses.zip(data) {
            if self.memory.region(address) == Some(Region::Ram { reserved: true }) {
                let detail = format!("Write Memory at 0x{address:08X}, the loader's own RAM");
                self.complain(now, ComplaintKind::Reserved, detail);
                self.running = Running::Crashed;
                return;
            }
            if !self.memory.write_ram(address, byte) {
                let detail = format!("Write Memory at 0x{address:08X}, behind the end of RAM");
                self.complain(now, ComplaintKind::OutOfRange, detail);
                return;
            }
        }
    }

    fn complain_of_programming(&mut self, now: Instant, address: u32, done: Programmed) {
        let troubles = [
            (
                done.misaligned,
                ComplaintKind::Misaligned,
                "do not fill whole program units, and are lost",
            ),
            (
                done.not_erased,
                ComplaintKind::NotErased,
                "were not erased before",
            ),
            (
                done.protected,
                ComplaintKind::Protected,
                "are write protected, and lost",
            ),
            (
                done.outside,
                ComplaintKind::OutOfRange,
                "lie behind the end of flash",
            ),
        ];
        for (bytes, kind, what) in troubles {
            if bytes > 0 {
                let detail = format!("Write Memory at 0x{address:08X}: {bytes} bytes {what}");
                self.complain(now, kind, detail);
            }
        }
    }

    /// Puts a step before all others.
    fn next(&mut self, step: Step) {
        if let Running::Loader(loader) = &mut self.running {
            loader.steps.push_front(step);
        }
    }

    /// What the loader is told to do by a byte.
    pub(super) fn take(&mut self, now: Instant, byte: u8) {
        let Running::Loader(loader) = &mut self.running else {
            return;
        };
        let Outcome { steps, complaints } = loader.rom.take(byte, &self.memory);
        if !steps.is_empty() {
            let turnaround = match &loader.i2c {
                Some(i2c) => i2c.loader.stretch,
                None => self.part.loader.turnaround(),
            };
            loader.steps.push_back(Step::Wait(turnaround));
            loader.steps.extend(steps);
        }
        for (kind, detail) in complaints {
            self.complain(now, kind, detail);
        }
    }

    /// The next thing that the loader's processor has to do at a moment when it is free.
    fn poll(&mut self) -> Option<Task> {
        let Running::Loader(loader) = &mut self.running else {
            return None;
        };
        let settings = loader.settings?;
        if loader.i2c.as_ref().is_some_and(Interface::waits_for_read) {
            return None;
        }
        if let Some(step) = loader.steps.pop_front() {
            return Some(Task::Begin(step, settings));
        }
        loader.received.take().map(Task::Take)
    }

    /// Does what is due up to a moment.
    fn work(&mut self, now: Instant, sent: &mut Vec<u8>) {
        if let (Running::Application(_), Some(talk)) = (&self.running, &mut self.talk) {
            sent.extend(talk.say(now));
        }
        loop {
            let Running::Loader(loader) = &mut self.running else {
                return;
            };
            loader.awake |= loader.listens_from <= now;
            if let Some(at) = loader.gives_up().filter(|at| *at <= now) {
                self.reset(at);
                continue;
            }
            if let Some(work) = loader.current.take_if(|work| work.until <= now) {
                self.finish(work.step, work.until);
                continue;
            }
            if loader.current.is_some() || !loader.awake {
                return;
            }
            match self.poll() {
                Some(Task::Take(byte)) => self.take(now, byte),
                Some(Task::Begin(Step::Send(bytes), _)) if self.i2c.is_some() => {
                    self.offer(now, bytes);
                }
                Some(Task::Begin(step, settings)) => {
                    if let Step::Send(bytes) = &step {
                        sent.extend(bytes);
                    }
                    let until = now + self.duration(&step, settings);
                    if let Running::Loader(loader) = &mut self.running {
                        let since = now;
                        loader.current = Some(Work { step, since, until });
                    }
                    self.answer_waiting_read();
                }
                None => return,
            }
        }
    }

    /// When something is due next.
    fn next_work(&self) -> Option<Instant> {
        match &self.running {
            Running::Loader(loader) if !loader.awake => Some(loader.listens_from),
            Running::Loader(loader) => {
                let done = loader.current.as_ref().map(|work| work.until);
                [done, loader.gives_up()].into_iter().flatten().min()
            }
            Running::Application(_) => self.talk.as_ref().map(Talk::next),
            _ => None,
        }
    }
}

/// What a free processor has to do.
enum Task {
    Begin(Step, Settings),
    Take(u8),
}

impl FarEnd for Chip {
    fn listening(&self) -> Listening {
        match &self.running {
            Running::Loader(loader) if loader.i2c.is_some() => Listening::Deaf,
            Running::Loader(loader) if loader.awake && !loader.lost => match loader.settings {
                Some(settings) => Listening::As(Format::Uart(settings)),
                None => Listening::Measuring,
            },
            Running::Application(_) => match &self.talk {
                Some(talk) => Listening::As(Format::Uart(talk.settings())),
                None => Listening::Deaf,
            },
            _ => Listening::Deaf,
        }
    }

    fn receive(&mut self, now: Instant, heard: Heard) {
        let Running::Loader(loader) = &mut self.running else {
            return;
        };
        if loader.received.is_none() {
            loader.received = Some(heard.byte);
            loader.overrun = false;
        } else if !loader.overrun {
            loader.overrun = true;
            let doing = loader
                .current
                .as_ref()
                .map_or("it", |work| work.step.doing());
            let detail = format!("bytes lost that came while the loader {doing}");
            self.complain(now, ComplaintKind::Overrun, detail);
        }
        if !heard.parity_right || !heard.stop_seen {
            // Loaders look at no error flag: the byte counts.
            let detail = format!("0x{:02X} with a wrong parity or stop bit", heard.byte);
            self.complain(now, ComplaintKind::LineNoise, detail);
        }
    }

    fn measured(&mut self, _now: Instant, baud: u32) {
        let Running::Loader(loader) = &mut self.running else {
            return;
        };
        if baud > self.max_baud {
            loader.lost = true;
            return;
        }
        let settings = Settings {
            baud,
            parity: self.part.loader.parity,
            stop_bits: StopBits::One,
        };
        loader.settings = Some(settings);
        // The measurement ends with the last data bit; the character has two bits to go.
        let rest = settings.wire_time(1) * 2 / settings.bits_per_character();
        let wait = rest + self.part.loader.turnaround();
        loader.steps.push_back(Step::Wait(wait));
        loader.steps.push_back(Step::Send(vec![ACK]));
    }

    fn lines(&mut self, now: Instant, lines: Lines) {
        let before = self.pins;
        self.pins = self.wiring.pins(lines, self.boot0_jumper);
        if before.nrst && !self.pins.nrst {
            self.stop_work(now);
            self.running = Running::Reset;
        } else if !before.nrst && self.pins.nrst {
            self.start(now, now + self.part.loader.start_up);
        }
    }

    fn advance(&mut self, now: Instant, sent: &mut Vec<u8>) {
        match self.power_ends.filter(|ends| *ends <= now) {
            Some(ends) if !self.dead => {
                self.work(ends, sent);
                self.stop_work(ends);
                self.running = Running::Reset;
                self.dead = true;
            }
            _ => self.work(now, sent),
        }
    }

    fn wake_up(&self) -> Option<Instant> {
        let work = self.next_work();
        let power = self.power_ends.filter(|_| !self.dead);
        [work, power].into_iter().flatten().min()
    }

    fn bus(&mut self) -> Option<&mut dyn BusTarget> {
        Some(self)
    }

    fn complaints(&self) -> &[Complaint] {
        &self.complaints
    }

    fn flash(&self) -> &[u8] {
        self.memory.flash()
    }

    fn state(&self) -> String {
        state::write(self.part, &self.memory.options)
    }
}
