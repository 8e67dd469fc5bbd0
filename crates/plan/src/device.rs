//! A flash memory as the executor sees it.

use std::error::Error;
use std::fmt;
use std::ops::ControlFlow;

use crate::{EraseUnit, Geometry};

/// Called by a [`FlashDevice`] whenever a piece of work is done, with the bytes done since the last
/// call. `Break` means: finish what is under way on the target, call it for that too, and return
/// [`Failure::Stopped`]; nothing beyond what it was called for has then been changed.
pub type Tick<'a> = dyn FnMut(u64) -> ControlFlow<()> + 'a;

/// A flash memory behind some protocol. `client` implements it for each kind of target.
///
/// Addresses are in the target's own space; every range lies inside [`Geometry::range`] and outside
/// its holes. Ranges to read and to compare may begin and end anywhere; a device that needs them
/// aligned widens its own reads.
pub trait FlashDevice {
    /// What this memory can do.
    fn geometry(&self) -> &Geometry;

    /// Fills `out` with the content from `address` on.
    ///
    /// # Errors
    /// [`Failure::Stopped`] if `tick` said so, else what the target or the link did.
    fn read(&mut self, address: u64, out: &mut [u8], tick: &mut Tick<'_>) -> Result<(), Failure>;

    /// Erases whole units, in this order; all of them in one call, so that a device can put as many
    /// as it likes into one command. Not proved done by returning: the executor verifies.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn erase(&mut self, units: &[EraseUnit], tick: &mut Tick<'_>) -> Result<(), Failure>;

    /// Programs `data` from `address` on, both whole multiples of
    /// [`Program::unit_bytes`](crate::Program::unit_bytes). It may be many blocks long, so that a
    /// device can keep its pipeline full; [`Program::blocks`](crate::Program::blocks) cuts it into
    /// commands. In order of address, as far as `tick` tells. Not proved done by returning: the
    /// executor verifies.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn program(&mut self, address: u64, data: &[u8], tick: &mut Tick<'_>) -> Result<(), Failure>;

    /// Compares the content from `address` on with `expected`, by the cheapest proof the target
    /// has (a checksum that it computes itself, else reading back). `None` means equal.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn compare(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<Option<Mismatch>, Failure> {
        let mut found = vec![0; expected.len()];
        self.read(address, &mut found, tick)?;
        Ok(Mismatch::between(address, expected, &found))
    }

    /// Whether the content from `address` on is `expected`, by the cheapest proof the target has:
    /// like [`compare`](Self::compare), but a difference need not be located.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn matches(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<bool, Failure> {
        Ok(self.compare(address, expected, tick)?.is_none())
    }
}

/// Why a [`FlashDevice`] operation did not finish.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// [`Tick`] asked to stop; the target is at a clean command boundary.
    #[error("stopped on request")]
    Stopped,
    /// The target or the link failed.
    #[error(transparent)]
    Device(Box<dyn Error + Send + Sync>),
}

/// Where content is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Address of the first differing byte.
    pub address: u64,
    /// What should be there.
    pub expected: u8,
    /// What is there.
    pub found: u8,
    /// How many bytes differ in the whole range compared.
    pub count: u64,
}

impl Mismatch {
    /// Compares two slices of the same length that both start at `address`.
    pub fn between(address: u64, expected: &[u8], found: &[u8]) -> Option<Self> {
        let differs = |(_, (e, f)): &(usize, (&u8, &u8))| e != f;
        let mut pairs = expected.iter().zip(found).enumerate().filter(differs);
        let (offset, (&expected, &found)) = pairs.next()?;
        let count = 1 + pairs.count() as u64;
        Some(Self {
            address: address + offset as u64,
            expected,
            found,
            count,
        })
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            expected,
            found,
            count,
        } = self;
        write!(f, "{count} bytes differ, the first at {address:#010x}: ")?;
        write!(f, "expected {expected:#04x}, found {found:#04x}")
    }
}
