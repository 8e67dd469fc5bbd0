//! What the core needs of the chip around it.

use crate::halt::Halt;
use crate::time::Time;

use super::instruction::Width;

/// One access of the core to something that is not plain memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where, a multiple of the width.
    pub address: u32,
    /// How many bytes.
    pub width: Width,
    /// When: the start of the instruction.
    pub now: Time,
    /// Address of the instruction.
    pub pc: u32,
}

/// Why an access was not carried out.
#[derive(Debug)]
pub enum BusError {
    /// Nothing answers at that address: the chip raises a bus fault.
    NoAnswer,
    /// The emulator does not know what the chip would do.
    Halt(Box<Halt>),
}

impl From<Halt> for BusError {
    fn from(halt: Halt) -> Self {
        Self::Halt(Box::new(halt))
    }
}

/// What the chip tells the core all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signals {
    /// Levels of the interrupt lines, bit 0 is interrupt 0.
    pub interrupts: u64,
    /// When [`Bus::service`] wants to be called next.
    pub next_event: Time,
    /// Period of the core's clock (HCLK).
    pub cycle: Time,
    /// The core may not go on before this moment: the flash is being written.
    pub stalled_until: Time,
    /// The chip is to be reset.
    pub reset: bool,
    /// How many events the chip has sent so far: each wakes the core from WFE.
    pub events: u32,
}

/// The chip around the core.
///
/// A type parameter of the core's functions and not a trait object: the two memory functions are
/// called for every instruction.
pub trait Bus {
    /// Reads plain memory; `address` is a multiple of the width. None if it is something else that
    /// has to be asked with [`read`](Self::read).
    fn load(&self, address: u32, width: Width) -> Option<u32>;

    /// Writes plain memory; `address` is a multiple of the width. False if it is something else
    /// that has to be told with [`write`](Self::write).
    fn store(&mut self, address: u32, width: Width, value: u32) -> bool;

    /// Reads anything else.
    ///
    /// # Errors
    /// [`BusError`].
    fn read(&mut self, access: Access) -> Result<u32, BusError>;

    /// Writes anything else. Bits of `value` above the width are zero.
    ///
    /// # Errors
    /// [`BusError`].
    fn write(&mut self, access: Access, value: u32) -> Result<(), BusError>;

    /// One half-word of code; None if there is nothing.
    fn fetch(&self, address: u32) -> Option<u16>;

    /// A number for the half-word of code at `address` if its content changes so rarely that its
    /// decoded form may be kept (see [`code_version`](Self::code_version)); below
    /// [`code_capacity`](Self::code_capacity).
    fn code_index(&self, address: u32) -> Option<usize>;

    /// How many half-words [`code_index`](Self::code_index) can name.
    fn code_capacity(&self) -> usize;

    /// Changes whenever any content that [`code_index`](Self::code_index) names does.
    fn code_version(&self) -> u32;

    /// Additional cycles that an access to a device at `address` takes.
    fn wait_cycles(&self, address: u32) -> u32;

    /// What the chip tells the core now.
    fn signals(&self) -> Signals;

    /// Whether [`signals`](Self::signals) may say something else than when this was asked last.
    fn signals_changed(&mut self) -> bool;

    /// Does what is due at `now`.
    ///
    /// # Errors
    /// [`Halt`] if the emulator does not know what the chip would do.
    fn service(&mut self, now: Time) -> Result<(), Halt>;

    /// The core stops all clocks (SCR.SLEEPDEEP) and waits; `pc` is where it will go on. The
    /// interrupt lines that can wake it, bit 0 is interrupt 0.
    ///
    /// # Errors
    /// [`Halt`] if the emulator does not know what the chip would do.
    fn stop(&mut self, pc: u32) -> Result<u64, Halt>;

    /// The core woke from [`stop`](Self::stop).
    fn wake(&mut self, now: Time);

    /// Number of the request of the world outside that the program has not answered yet, for
    /// [`Profile`](super::Profile).
    fn request(&self) -> Option<u64> {
        None
    }

    /// Notes that the program did something that it hardly meant to do.
    fn complain(&mut self, now: Time, pc: u32, text: &str);
}
