//! The STM32F103: memories and peripherals around the core.
//!
//! RM0008 rev 21 rules; a part of medium density (8 or B in its name). Every register is either
//! modelled or stops the emulator with its address: nothing is silently ignored. What a program
//! hardly means to do, and what silicon answers with silence, is a [`Complaint`].
//!
//! Nothing here runs by itself: [`Bus::service`] does what is due, and [`Signals::next_event`]
//! tells when.

mod adc;
mod blocks;
mod can;
mod clocks;
mod dma;
mod exti;
mod flash;
mod i2c;
mod parts;
mod pins;
mod requests;
mod rtc;
mod small;
mod sources;
mod spi;
mod timer;
mod usart;
mod usb;
mod watchdogs;
mod wires;

use crate::complaints::{Complaint, Complaints};
use crate::cpu::instruction::Width;
use crate::cpu::{Access, Bus, BusError, Signals};
use crate::halt::{AccessKind, Halt};
use crate::time::Time;

use adc::Adc;
use blocks::Block;
use can::Can;
use clocks::Rcc;
pub use clocks::{Clocks, ResetCause};
use dma::Dma;
use exti::Exti;
use flash::{FLASH_BASE, Flash, OPTIONS_BASE, OPTIONS_BYTES};
use i2c::I2c;
pub use parts::{PARTS, Part, find_part};
use pins::Pins;
pub use pins::{Drive, Pin, Port};
use rtc::Rtc;
use small::{Bkp, Crc, Pwr};
use sources::Source;
use spi::Spi;
use timer::Timer;
use usart::Usart;
pub use usb::DoubleBuffering;
use usb::Usb;
pub(crate) use usb::{InReply, OutReply};
use watchdogs::{Iwdg, Wwdg};
use wires::Wires;
pub use wires::{SpiBus, SpiSlave, Transition};

/// Where the SRAM begins: RM0008 rev 21, section 3.3.
pub const SRAM_BASE: u32 = 0x2000_0000;
/// Its size in every STM32F103x8 and xB: DS5319 rev 18, table 2.
pub const SRAM_BYTES: usize = 20 * 1024;

/// The most flash of a part of medium density: RM0008 rev 21, section 2.2.
const MEDIUM_DENSITY_BYTES: usize = 128 * 1024;

/// ST's boot loader: RM0008 rev 21, section 3.3.3.
const BOOT_LOADER: std::ops::Range<u32> = 0x1fff_f000..0x1fff_f7e0;

/// Why a register was not written as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// There is no such register in the model.
    Unknown,
    /// The register is there, what it was asked for is not.
    NotModelled(&'static str),
    /// Silicon does nothing, and hardly any program means that.
    Mistake(&'static str),
    /// Silicon answers with a bus fault.
    BusFault(&'static str),
}

/// How the pull-up resistor of the USB data line D+ is wired: it tells the host that a full-speed
/// device is there. The chip has none inside (RM0008 rev 21, section 23.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsbPullUp {
    /// To the supply, as on most boards.
    Always,
    /// Switched by a pin.
    Switched {
        /// Which pin.
        pin: Pin,
        /// The level that connects it.
        level: bool,
    },
}

/// What differs between two chips and the boards they are on.
#[derive(Clone, Debug)]
pub struct Config {
    /// Flash memory in bytes: 65536 (x8) or 131072 (xB); with more it is a part of high density.
    pub flash_bytes: usize,
    /// SRAM in bytes: 20480 (x8 and xB).
    pub sram_bytes: usize,
    /// Frequency of the crystal, if there is one.
    pub crystal_hz: Option<u64>,
    /// Whether there is a crystal of 32768 Hz.
    pub low_speed_crystal: bool,
    /// The unique id.
    pub unique_id: [u8; 12],
    /// Cycles that the core waits for an access to APB1 or APB2, on top of the one of any load or
    /// store.
    pub apb_wait_cycles: u32,
    /// How the manual is read where it speaks of double-buffered endpoints.
    pub double_buffering: DoubleBuffering,
    /// The pull-up of D+.
    pub usb_pull_up: UsbPullUp,
}

impl Default for Config {
    /// A STM32F103xB on a board with crystals of 8 MHz and of 32768 Hz.
    fn default() -> Self {
        Self {
            flash_bytes: 128 * 1024,
            sram_bytes: SRAM_BYTES,
            crystal_hz: Some(8_000_000),
            low_speed_crystal: true,
            unique_id: *b"FLASHWIRE-01",
            apb_wait_cycles: 0,
            double_buffering: DoubleBuffering::default(),
            usb_pull_up: UsbPullUp::Always,
        }
    }
}

/// The chip without its core, and what is wired to it.
#[derive(Debug)]
pub struct Chip {
    config: Config,
    flash: Flash,
    sram: Vec<u8>,
    rcc: Rcc,
    clocks: Clocks,
    pins: Pins,
    exti: Exti,
    dma: Dma,
    spis: [Spi; 2],
    usarts: [Usart; 3],
    /// TIM1 to TIM4.
    timers: [Timer; 4],
    usb: Usb,
    can: Can,
    i2cs: [I2c; 2],
    adcs: [Adc; 2],
    /// What the world outside sets the inputs of the ADCs to, 0 to 4095.
    analog: [Option<u32>; adc::INPUTS],
    rtc: Rtc,
    iwdg: Iwdg,
    wwdg: Wwdg,
    pwr: Pwr,
    bkp: Bkp,
    crc: Crc,
    wires: Wires,
    complaints: Complaints,
    /// Interrupt lines and next event of each source.
    lines: [u64; Source::COUNT],
    events: [Time; Source::COUNT],
    /// All of `lines`.
    all_lines: u64,
    /// No event comes before this. One that was put off leaves it as it is until then: looking for
    /// nothing once is cheaper than looking for the first event at every access.
    first_event: Time,
    /// The sources that have to be looked at again, one bit each.
    stale: u32,
    signals: Signals,
    signals_changed: bool,
    reset_cause: Option<ResetCause>,
    /// Address of the instruction whose access is under way; 0 in between.
    pc: u32,
    /// What the emulator found in the middle of something that cannot fail.
    pending_halt: Option<Halt>,
}

impl Chip {
    /// A chip with erased flash, its power just switched on.
    pub fn new(config: Config) -> Self {
        let rcc = Rcc::new(config.crystal_hz, config.low_speed_crystal);
        let clocks = rcc.clocks();
        let mut chip = Self {
            flash: Flash::new(config.flash_bytes),
            sram: vec![0; config.sram_bytes],
            clocks,
            pins: Pins::default(),
            exti: Exti::default(),
            dma: Dma::default(),
            spis: Default::default(),
            usarts: Default::default(),
            timers: std::array::from_fn(|_| Timer::new()),
            usb: Usb::new(config.double_buffering),
            can: Can::default(),
            i2cs: Default::default(),
            adcs: Default::default(),
            analog: Default::default(),
            rtc: Rtc::new(Time::ZERO),
            iwdg: Iwdg::default(),
            wwdg: Wwdg::default(),
            pwr: Pwr::default(),
            bkp: Bkp::default(),
            crc: Crc::default(),
            wires: Wires::default(),
            complaints: Complaints::default(),
            lines: [0; Source::COUNT],
            events: [Time::NEVER; Source::COUNT],
            all_lines: 0,
            first_event: Time::NEVER,
            stale: 0,
            signals_changed: true,
            signals: Signals {
                interrupts: 0,
                next_event: Time::NEVER,
                cycle: clocks.core,
                stalled_until: Time::ZERO,
                reset: false,
                events: 0,
            },
            reset_cause: None,
            pc: 0,
            pending_halt: None,
            rcc,
            config,
        };
        chip.refresh_all(Time::ZERO);
        chip
    }

    /// A reset: everything but the memories, the backup domain and what is wired outside.
    pub fn reset(&mut self, cause: ResetCause, now: Time) {
        self.rtc.follow(now, self.rcc.rtc_clock(now));
        self.rcc.reset(cause);
        self.clocks = self.rcc.clocks();
        self.flash.reset();
        for port in [Port::A, Port::B, Port::C, Port::D, Port::E] {
            self.pins.reset_port(port);
        }
        self.exti = Exti::default();
        self.dma = Dma::default();
        self.spis = Default::default();
        for usart in &mut self.usarts {
            usart.reset();
        }
        self.timers = std::array::from_fn(|_| Timer::new());
        self.usb.reset();
        self.can = Can::default();
        self.i2cs = Default::default();
        self.adcs = Default::default();
        self.rtc.reset_bus();
        self.iwdg = Iwdg::default();
        self.wwdg = Wwdg::default();
        self.pwr = Pwr::default();
        self.crc = Crc::default();
        self.reset_cause = None;
        self.pins_changed(now);
        self.refresh_all(now);
    }

    /// What it was built with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Content of the flash memory.
    pub fn flash(&self) -> &[u8] {
        self.flash.memory()
    }

    /// Content of the flash memory, to put something in.
    pub fn flash_mut(&mut self) -> &mut [u8] {
        self.flash.memory_mut()
    }

    /// The option bytes.
    pub fn option_bytes(&self) -> &[u8] {
        self.flash.options()
    }

    /// Content of the SRAM.
    pub fn sram(&self) -> &[u8] {
        &self.sram
    }

    /// Content of the SRAM, to put something in.
    pub fn sram_mut(&mut self) -> &mut [u8] {
        &mut self.sram
    }

    /// The clocks as they are set up now.
    pub fn clocks(&self) -> Clocks {
        self.clocks
    }

    /// What the program did that it hardly meant to do.
    pub fn complaints(&self) -> &[Complaint] {
        self.complaints.list()
    }

    /// Takes what the program did that it hardly meant to do.
    pub fn take_complaints(&mut self) -> Vec<Complaint> {
        self.complaints.take()
    }

    /// Why the chip wants to be reset by itself: a watchdog.
    pub fn wanted_reset(&self) -> Option<ResetCause> {
        self.reset_cause
    }

    /// A word, half-word or byte of memory by its address, as a debugger sees it; None if there is
    /// no memory.
    fn memory(&self, address: u32, width: Width) -> Option<u32> {
        let (bytes, offset) = match address {
            0..0x1000_0000 => (self.flash.memory(), address & (FLASH_BASE - 1)),
            _ => (self.sram.as_slice(), address.wrapping_sub(SRAM_BASE)),
        };
        let bytes = bytes.get(offset as usize..)?;
        Some(match width {
            Width::Byte => u32::from(*bytes.first()?),
            Width::Half => u32::from(u16::from_le_bytes(*bytes.first_chunk()?)),
            Width::Word => u32::from_le_bytes(*bytes.first_chunk()?),
        })
    }

    /// Reads whatever is not SRAM, and the flash while it is busy.
    fn read_anything(&mut self, access: Access) -> Result<u32, BusError> {
        let Access {
            address,
            width,
            now,
            pc,
        } = access;
        let Some((block, offset)) = Block::at(address) else {
            return match self.read_memory(address, width) {
                None if BOOT_LOADER.contains(&address) => Err(Halt::NotModelled {
                    pc,
                    address,
                    value: 0,
                    what: "the boot loader in the system memory",
                }
                .into()),
                read => read.ok_or_else(|| self.nothing_at(address, pc, 0)),
            };
        };
        if !self.rcc.is_enabled(block.gate()) {
            self.complain_of_gate(now, pc, block);
            return Ok(0);
        }
        let changes_state = self.reading_changes_state(block, offset & !3);
        let word = self
            .read_block(block, offset & !3, now)
            .ok_or_else(|| unknown(pc, address, block, AccessKind::Read))?;
        if changes_state {
            self.refresh(block, now);
        }
        Ok(word >> (8 * (address & 3)) & width.mask())
    }

    /// Reads the flash while it is busy, and the system memory.
    fn read_memory(&self, address: u32, width: Width) -> Option<u32> {
        self.memory(address, width).or_else(|| {
            let word = self.system_memory(address & !3)?;
            Some(word >> (8 * (address & 3)) & width.mask())
        })
    }

    /// Writes whatever is not SRAM.
    fn write_anything(&mut self, access: Access, value: u32) -> Result<(), BusError> {
        let Access {
            address,
            width,
            now,
            pc,
        } = access;
        let mut touched = Block::Flash;
        let result = if let Some(offset) = self.flash_offset(address) {
            self.write_flash(offset, width, value, now)
        } else if let Some(offset) = option_offset(address) {
            match width {
                Width::Half => self.flash.program_option(offset, value as u16, now),
                _ => Err(Refusal::BusFault(
                    "an option byte was not written as a half-word",
                )),
            }
        } else {
            let found = Block::at(address);
            let (block, offset) = found.ok_or_else(|| self.nothing_at(address, pc, value))?;
            if !self.rcc.is_enabled(block.gate()) {
                self.complain_of_gate(now, pc, block);
                return Ok(());
            }
            let word = self.widen(block, offset, width, value, now);
            touched = block;
            self.write_block(block, offset & !3, word, now)
        };
        self.refresh(touched, now);
        match result {
            Ok(()) => Ok(()),
            Err(Refusal::Mistake(text)) => {
                self.complaints.add(now, pc, text);
                Ok(())
            }
            Err(Refusal::BusFault(text)) => {
                self.complaints.add(now, pc, text);
                Err(BusError::NoAnswer)
            }
            Err(Refusal::NotModelled(what)) => Err(Halt::NotModelled {
                pc,
                address,
                value,
                what,
            }
            .into()),
            Err(Refusal::Unknown) => {
                let block = Block::at(address).map_or("memory", |(block, _)| block.name());
                Err(Halt::UnknownRegister {
                    pc,
                    address,
                    block,
                    kind: AccessKind::Write(value),
                }
                .into())
            }
        }
    }

    /// PM0075 rev 2, section 2.3.3: half-words only.
    fn write_flash(
        &mut self,
        offset: u32,
        width: Width,
        value: u32,
        now: Time,
    ) -> Result<(), Refusal> {
        match width {
            Width::Half => self.flash.program(offset, value as u16, now),
            _ => Err(Refusal::BusFault("the flash was not written by half-words")),
        }
    }

    /// What a register receives when less than a word is written. The bridges to APB put the byte
    /// or half-word into all lanes (RM0008 rev 21, section 13.3.4); on AHB the other lanes stay.
    fn widen(&mut self, block: Block, offset: u32, width: Width, value: u32, now: Time) -> u32 {
        match width {
            Width::Word => value,
            _ if block.is_on_apb() => match width {
                Width::Byte => value * 0x0101_0101,
                _ => value * 0x0001_0001,
            },
            _ => {
                let shift = 8 * (offset & 3);
                let old = self.read_block(block, offset & !3, now).unwrap_or(0);
                old & !(width.mask() << shift) | value << shift
            }
        }
    }

    /// What an access to no memory and no block leads to: a bus fault, or the end of what the model
    /// knows of this part.
    fn nothing_at(&self, address: u32, pc: u32, value: u32) -> BusError {
        let is_high_density = self.config.flash_bytes > MEDIUM_DENSITY_BYTES;
        match parts::high_density_block(address) {
            Some(what) if is_high_density => Halt::NotModelled {
                pc,
                address,
                value,
                what,
            }
            .into(),
            _ => BusError::NoAnswer,
        }
    }

    fn complain_of_gate(&mut self, now: Time, pc: u32, block: Block) {
        let text = format!("{} was used while its clock was off", block.name());
        self.complaints.add(now, pc, &text);
    }

    /// Offset in the flash memory, through either of its windows.
    #[inline]
    fn flash_offset(&self, address: u32) -> Option<u32> {
        let offset = address & (FLASH_BASE - 1);
        let inside = (offset as usize) < self.config.flash_bytes;
        (address < 0x1000_0000 && inside).then_some(offset)
    }

    /// Option bytes and the electronic signature. The boot loader beside them is not here.
    fn system_memory(&self, address: u32) -> Option<u32> {
        if let Some(offset) = option_offset(address) {
            let bytes = self.flash.options().get(offset as usize..)?;
            return bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        }
        small::signature(address, self.config.flash_bytes, &self.config.unique_id)
    }

    /// Brings up to date what depends on a change in `block`.
    fn refresh(&mut self, block: Block, now: Time) {
        if block == Block::Rcc {
            self.refresh_all(now);
            return;
        }
        if let Some(source) = block.source() {
            self.stale |= 1 << source.index();
        }
        if block.moves_lines() && self.exti.watches_edges() {
            self.stale |= 1 << Source::Exti.index();
        }
        self.serve_dma(now);
        self.update_stale(now);
        self.publish();
    }

    /// Brings everything up to date.
    fn refresh_all(&mut self, now: Time) {
        self.serve_dma(now);
        self.rcc.follow(now);
        let clocks = self.rcc.clocks();
        if clocks != self.clocks {
            self.change_clocks(clocks, now);
        }
        self.stale = (1 << Source::COUNT) - 1;
        self.update_stale(now);
        self.publish();
    }

    /// Makes the signals of the sources those of the chip.
    fn publish(&mut self) {
        let signals = Signals {
            interrupts: self.all_lines,
            next_event: self.first_event,
            cycle: self.clocks.core,
            stalled_until: self.flash.busy_until(),
            reset: self.reset_cause.is_some(),
            events: self.exti.events(),
        };
        self.signals_changed |= signals != self.signals;
        self.signals = signals;
    }

    /// New clocks: what counts them is counted with the old ones up to now.
    fn change_clocks(&mut self, clocks: Clocks, now: Time) {
        for (index, timer) in self.timers.iter_mut().enumerate() {
            let clock = if index == 0 {
                self.clocks.timers2
            } else {
                self.clocks.timers1
            };
            timer.follow(now, clock);
        }
        self.clocks = clocks;
        // PM0075 rev 2, section 3.1: no wait state up to 24 MHz, one up to 48, two above.
        let needed = match clocks.core_hz {
            0..=24_000_000 => 0,
            24_000_001..=48_000_000 => 1,
            _ => 2,
        };
        if self.flash.wait_states() < needed {
            self.complaints.add(
                now,
                0,
                "the core is clocked too fast for the flash's wait states",
            );
        }
        if clocks.core_hz > 72_000_000 || clocks.apb1_hz > 36_000_000 {
            self.complaints
                .add(now, self.pc, "HCLK is above 72 MHz or PCLK1 above 36 MHz");
        }
    }

    fn usart_clock(&self, index: usize) -> Time {
        if index == 0 {
            self.clocks.apb2
        } else {
            self.clocks.apb1
        }
    }

    fn timer_clock(&self, index: usize) -> Time {
        if index == 0 {
            self.clocks.timers2
        } else {
            self.clocks.timers1
        }
    }

    fn spi_clock(&self, index: usize) -> (Time, u64) {
        if index == 0 {
            (self.clocks.apb2, self.clocks.apb2_hz)
        } else {
            (self.clocks.apb1, self.clocks.apb1_hz)
        }
    }

    /// Whether the host at the other end of the USB cable sees a device: D+ is pulled up, and the
    /// program does not pull it down as an ordinary pin.
    pub fn usb_is_attached(&self) -> bool {
        let pulled_up = match self.config.usb_pull_up {
            UsbPullUp::Always => true,
            UsbPullUp::Switched { pin, level } => self.pins.drive(pin) == Drive::Push(level),
        };
        let dp = Pin::new(Port::A, 12);
        pulled_up && (self.usb.is_powered() || self.pins.drive(dp) != Drive::Push(false))
    }

    /// Lets the other end of the USB cable do something at `now`.
    pub(crate) fn usb<T>(&mut self, now: Time, act: impl FnOnce(&mut Usb) -> T) -> T {
        let result = act(&mut self.usb);
        self.refresh(Block::Usb, now);
        result
    }

    /// Sets an input of the ADCs from outside: 0 to 15 are PA0 to PA7, PB0, PB1, PC0 to PC5, 16 is
    /// the temperature sensor and 17 the reference. `level` is 0 to 4095; None lets the pin show
    /// what its digital side shows. Inputs that do not exist are ignored.
    pub fn set_analog(&mut self, input: usize, level: Option<u32>) {
        if let Some(slot) = self.analog.get_mut(input) {
            *slot = level;
        }
    }

    /// SETUP packets that the program was too slow for.
    pub fn dropped_setups(&self) -> u64 {
        self.usb.dropped_setups()
    }
}

fn unknown(pc: u32, address: u32, block: Block, kind: AccessKind) -> Halt {
    Halt::UnknownRegister {
        pc,
        address,
        block: block.name(),
        kind,
    }
}

fn option_offset(address: u32) -> Option<u32> {
    let offset = address.checked_sub(OPTIONS_BASE)?;
    (offset < OPTIONS_BYTES).then_some(offset)
}

impl Bus for Chip {
    #[inline]
    fn load(&self, address: u32, width: Width) -> Option<u32> {
        // While the flash is busy its reads have to wait: the slow way.
        if address < SRAM_BASE && self.signals.stalled_until != Time::ZERO {
            return None;
        }
        self.memory(address, width)
    }

    #[inline]
    fn store(&mut self, address: u32, width: Width, value: u32) -> bool {
        let offset = address.wrapping_sub(SRAM_BASE) as usize;
        let Some(bytes) = self.sram.get_mut(offset..) else {
            return false;
        };
        match width {
            Width::Byte => bytes.first_mut().map(|slot| *slot = value as u8),
            Width::Half => bytes
                .first_chunk_mut()
                .map(|slot| *slot = (value as u16).to_le_bytes()),
            Width::Word => bytes
                .first_chunk_mut()
                .map(|slot| *slot = value.to_le_bytes()),
        }
        .is_some()
    }

    fn read(&mut self, access: Access) -> Result<u32, BusError> {
        self.pc = access.pc;
        let result = self.read_anything(access);
        self.pc = 0;
        result
    }

    fn write(&mut self, access: Access, value: u32) -> Result<(), BusError> {
        self.pc = access.pc;
        let result = self.write_anything(access, value);
        self.pc = 0;
        result
    }

    fn fetch(&self, address: u32) -> Option<u16> {
        self.memory(address, Width::Half).map(|half| half as u16)
    }

    #[inline]
    fn code_index(&self, address: u32) -> Option<usize> {
        self.flash_offset(address).map(|offset| offset as usize / 2)
    }

    fn code_capacity(&self) -> usize {
        self.config.flash_bytes / 2
    }

    fn code_version(&self) -> u32 {
        self.flash.version()
    }

    fn wait_cycles(&self, address: u32) -> u32 {
        // APB1 and APB2: RM0008 rev 21, table 3.
        match address {
            0x4000_0000..=0x4001_7fff => self.config.apb_wait_cycles,
            _ => 0,
        }
    }

    #[inline]
    fn signals(&self) -> Signals {
        self.signals
    }

    fn signals_changed(&mut self) -> bool {
        std::mem::take(&mut self.signals_changed)
    }

    fn service(&mut self, now: Time) -> Result<(), Halt> {
        for source in Source::ALL {
            if self.events[source.index()] <= now {
                self.service_source(source, now);
            }
        }
        self.first_event = self.events.iter().copied().min().unwrap_or(Time::NEVER);
        self.publish();
        match self.pending_halt.take() {
            Some(halt) => Err(halt),
            None => Ok(()),
        }
    }

    fn stop(&mut self, pc: u32) -> Result<u64, Halt> {
        if self.pwr.stands_by() {
            return Err(Halt::NotModelled {
                pc,
                address: 0x4000_7000,
                value: 2,
                what: "standby mode (PWR_CR.PDDS)",
            });
        }
        Ok(exti::INTERRUPTS)
    }

    fn wake(&mut self, now: Time) {
        self.rcc.wake_from_stop();
        self.refresh_all(now);
    }

    fn request(&self) -> Option<u64> {
        self.usb.request()
    }

    fn complain(&mut self, now: Time, pc: u32, text: &str) {
        self.complaints.add(now, pc, text);
    }
}

#[cfg(test)]
mod tests;
