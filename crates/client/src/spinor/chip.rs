//! A chip, as the planner and the executor want it.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_plan::{Costs, EraseUnit, Failure, FlashDevice, Geometry, Mismatch, Tick};
use flashwire_protocol::crc32::Crc32;
use flashwire_protocol::spinor::{AddressWidth, Head, THREE_BYTE_REACH, instruction};

use super::addressing::{self, Addressing};
use super::parts::PowerUp;
use super::probe::wait_until_ready;
use super::{
    ControllerError, Definition, Erase, Error, Identity, Job, Parts, Programming, SavedStatus,
    SpiController,
};

/// Most that is read in one transaction, in bytes: progress and cancelling stay lively, and what
/// has to be read again after a fault is little.
const READ_BYTES: usize = 64 * 1024;

/// What one read may take on the wire: the same for slow wires.
const READ_TIME: Duration = Duration::from_millis(250);

/// The least that a read is cut down to for a programmer that refuses long ones, in bytes.
const LEAST_READ_BYTES: usize = 64;

/// Above this clock READ is too fast for some chips, and Fast Read is used.
const READ_HZ: u32 = 20_000_000;

/// A clock that nobody tells, for estimates: serprog-stm32vcp starts with it.
const USUAL_HZ: u32 = 9_000_000;

/// How often the same piece is tried again after a fault that may pass.
const TRIES: u32 = 3;

/// What a host can choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The part that it is, where several have one id.
    pub name: Option<String>,
    /// Read everything so often and believe it only if it is the same each time; 0 and 1 are once.
    pub repeat_read: u32,
}

/// A chip on a SPI bus.
///
/// Dropping it leaves the chip as it was met, 4-byte mode and protection included;
/// [`close`](Self::close) does the same and tells whether it worked.
pub struct Chip {
    pub(super) controller: Box<dyn SpiController>,
    identity: Identity,
    geometry: Geometry,
    options: Options,
    /// Most bytes of one read, as the controller has let it.
    read_bytes: usize,
    /// Whether this has put the chip into 4-byte mode.
    in_four_byte: bool,
    /// What the extended address register holds.
    bank: u8,
    writable: bool,
    pub(super) restored_at_end: Option<SavedStatus>,
    pub(super) polls: super::program::Polls,
}

impl Chip {
    /// Finds out what is on the bus.
    ///
    /// # Errors
    /// As [`Identity::find`].
    pub fn open(
        mut controller: Box<dyn SpiController>,
        parts: &Parts,
        options: Options,
    ) -> Result<Self, Error> {
        let identity = Identity::find(controller.as_mut(), parts, options.name.as_deref())?;
        let definition = &identity.definition;
        let limits = controller.limits();
        let byte_time = controller.byte_time();
        let by_time = READ_TIME.as_nanos() / byte_time.as_nanos().max(1);
        let by_time = usize::try_from(by_time).unwrap_or(usize::MAX);
        let read_bytes = READ_BYTES
            .min(limits.receive_bytes)
            .min(by_time.next_power_of_two())
            .max(LEAST_READ_BYTES);
        let geometry = definition.geometry(costs(definition, controller.as_ref()));
        let mut chip = Self {
            controller,
            geometry,
            options,
            read_bytes,
            in_four_byte: false,
            bank: 0,
            writable: false,
            restored_at_end: None,
            polls: super::program::Polls::default(),
            identity,
        };
        chip.set_addressing()?;
        Ok(chip)
    }

    /// What is known of the chip.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What is known of the part.
    pub fn definition(&self) -> &Definition {
        &self.identity.definition
    }

    /// The bus, for everything that is not the chip's.
    pub fn controller_mut(&mut self) -> &mut dyn SpiController {
        self.controller.as_mut()
    }

    /// Puts protection back that was lifted for the time being, leaves 4-byte mode, if this has
    /// entered it, and lets the bus go.
    ///
    /// # Errors
    /// What the controller did.
    pub fn close(mut self) -> Result<(), Error> {
        let left = self.leave();
        self.controller.release()?;
        left
    }

    /// Leaves the chip as it was met.
    fn leave(&mut self) -> Result<(), Error> {
        let restored = self.restore_at_end();
        self.leave_four_byte()?;
        restored
    }

    /// Makes addresses of the whole chip possible.
    fn set_addressing(&mut self) -> Result<(), Error> {
        let big = self.geometry.range.end > THREE_BYTE_REACH;
        match self.definition().addressing {
            // A board's own firmware may have left it in 4-byte mode; most chips have none.
            Addressing::Three | Addressing::Four => Ok(()),
            // Chips of this size can be in 4-byte mode; three-byte instructions are not used.
            Addressing::Dedicated => Ok(()),
            Addressing::Mode { wren } => {
                self.switch_mode(instruction::EN4B, wren)?;
                self.in_four_byte = true;
                Ok(())
            }
            Addressing::Register { .. } if big => {
                self.switch_mode(instruction::EX4B, true)?;
                self.select_bank(0, true)
            }
            Addressing::Register { .. } => Ok(()),
        }
    }

    fn switch_mode(&mut self, switch: u8, wren: bool) -> Result<(), Error> {
        if wren {
            self.run(&[instruction::WREN])?;
        }
        self.run(&[switch])?;
        if wren {
            self.run(&[instruction::WRDI])?;
        }
        Ok(())
    }

    fn leave_four_byte(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.in_four_byte) {
            return Ok(());
        }
        if self.controller.outstanding() > 0 {
            self.controller.recover()?;
        }
        let wren = matches!(
            self.definition().addressing,
            Addressing::Mode { wren: true }
        );
        self.switch_mode(instruction::EX4B, wren)
    }

    /// One instruction without anything, in lock-step.
    fn run(&mut self, sent: &[u8]) -> Result<(), Error> {
        Ok(self.controller.run(&Job::send(sent), &mut [])?)
    }

    /// Puts the upper byte of an address where three-byte instructions find it.
    fn select_bank(&mut self, bank: u8, anyway: bool) -> Result<(), Error> {
        let Addressing::Register { write, wren } = self.definition().addressing else {
            return Ok(());
        };
        if bank == self.bank && !anyway {
            return Ok(());
        }
        if wren {
            self.run(&[instruction::WREN])?;
        }
        self.run(&[write, bank])?;
        self.bank = bank;
        Ok(())
    }

    /// Instruction and address, as the chip wants them. The upper byte is in its register already.
    pub(super) fn head(&self, opcode: u8, address: u64) -> Head {
        let address = address as u32;
        match self.definition().addressing {
            Addressing::Three | Addressing::Register { .. } => {
                Head::at(opcode, address, AddressWidth::Three)
            }
            Addressing::Four | Addressing::Mode { .. } => {
                Head::at(opcode, address, AddressWidth::Four)
            }
            Addressing::Dedicated => {
                Head::at(addressing::dedicated(opcode), address, AddressWidth::Four)
            }
        }
    }

    fn read_head(&self, address: u64) -> Head {
        let fast = self.controller.spi_hz().is_some_and(|hz| hz > READ_HZ);
        if fast {
            self.head(instruction::FAST_READ, address).with_dummy(1)
        } else {
            self.head(instruction::READ, address)
        }
    }

    /// The end of what three address bytes and the register reach from an address on.
    pub(super) fn reach(&self, address: u64) -> u64 {
        match self.definition().addressing {
            Addressing::Register { .. } => (address / THREE_BYTE_REACH + 1) * THREE_BYTE_REACH,
            _ => u64::MAX,
        }
    }

    /// Prepares the chip for operations up to [`reach`](Self::reach).
    pub(super) fn approach(&mut self, address: u64) -> Result<(), Error> {
        self.select_bank((address / THREE_BYTE_REACH) as u8, false)
    }

    /// Sees to it that a chip which protects itself at power-up can be written.
    pub(super) fn make_writable(&mut self) -> Result<(), Error> {
        if self.writable {
            return Ok(());
        }
        match self.definition().power_up {
            PowerUp::AsLeft => {}
            PowerUp::Protected => drop(self.unprotect()?),
            PowerUp::Locked => {
                self.run(&[instruction::WREN])?;
                self.run(&[instruction::ULBPR])?;
            }
        }
        self.writable = true;
        Ok(())
    }

    /// Brings the controller back after an error that may pass, or gives the error back.
    pub(super) fn recover_from(&mut self, error: ControllerError) -> Result<(), Error> {
        if !self.controller.may_pass(&error) {
            return Err(error.into());
        }
        self.controller.recover()?;
        // If the controller was reset, the chip may have lost its power with it.
        self.set_addressing()
    }

    /// Reads a range, pieces sent ahead. A piece counts only once the answer after it began
    /// cleanly: a byte that was lost in it shows there.
    fn read_range(
        &mut self,
        address: u64,
        out: &mut [u8],
        tick: &mut Tick<'_>,
    ) -> Result<(), Failure> {
        let mut done = 0;
        let mut told = 0;
        let mut tries = 0;
        while done < out.len() {
            let mut sure = done;
            let read = self.read_ahead(address, out, done, &mut sure, &mut told, tick);
            match read {
                Ok(ControlFlow::Continue(())) => done = out.len(),
                Ok(ControlFlow::Break(())) => return Err(Failure::Stopped),
                Err(Error::Controller(error)) => {
                    let refused = self.controller.is_refusal(&error);
                    if sure > done {
                        tries = 0;
                    }
                    done = sure;
                    tries += 1;
                    if refused && tries > 1 && self.read_bytes > LEAST_READ_BYTES {
                        // It may not like so much at once and have no way to say so.
                        self.read_bytes /= 2;
                        tries = 1;
                    }
                    if tries > TRIES {
                        return Err(failure(error.into()));
                    }
                    self.recover_from(error).map_err(failure)?;
                }
                Err(error) => return Err(failure(error)),
            }
        }
        Ok(())
    }

    /// One run of [`read_range`](Self::read_range) from `from` on. `sure` is how far it counts.
    fn read_ahead(
        &mut self,
        address: u64,
        out: &mut [u8],
        from: usize,
        sure: &mut usize,
        told: &mut usize,
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut sent = from;
        let mut pieces = std::collections::VecDeque::new();
        let mut collected = from;
        let mut stopped = false;
        loop {
            while sent < out.len() && !stopped {
                let at = address + sent as u64;
                let reach = self.reach(at);
                let next_bank = pieces.is_empty();
                let count = (out.len() - sent)
                    .min(self.read_bytes)
                    .min(usize::try_from(reach - at).unwrap_or(usize::MAX));
                // The register is changed only between pieces that have all come.
                if self.reach(at) != self.reach(address + collected as u64) && !next_bank {
                    break;
                }
                if next_bank {
                    self.approach(at)?;
                }
                let head = self.read_head(at);
                let job = Job::receive(head.as_bytes(), count);
                if !self.controller.has_room_for(&job) {
                    break;
                }
                self.controller.submit(&job)?;
                pieces.push_back(count);
                sent += count;
            }
            let Some(count) = pieces.pop_front() else {
                break;
            };
            self.controller
                .collect(&mut out[collected..collected + count])?;
            *sure = collected;
            collected += count;
            if collected > *told {
                stopped |= tick((collected - *told) as u64).is_break();
                *told = collected;
            }
        }
        self.controller.confirm()?;
        *sure = collected;
        Ok(if stopped {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    /// Erases one unit, and waits for its end.
    fn erase_unit(&mut self, erase: &Erase, unit: &EraseUnit) -> Result<(), Error> {
        self.approach(unit.start)?;
        let head = if erase.is_chip {
            Head::of(erase.opcode)
        } else {
            self.head(erase.opcode, unit.start)
        };
        self.begin_erase(head).map_err(|error| match error {
            Error::Controller(cause) if self.controller.may_pass(&cause) => Error::Disturbed {
                what: "erased",
                address: unit.start,
                cause,
            },
            error => error,
        })?;
        // Nothing is over before nine tenths of the typical time.
        let wait = erase.time.typical * 9 / 10;
        self.controller
            .pause(wait.saturating_sub(self.controller.round_trip()))?;
        let what = format!("an erase at {:#010x}", unit.start);
        let most = erase.time.maximum * 2 + Duration::from_secs(1);
        wait_until_ready(self.controller.as_mut(), &what, most)
    }

    /// Sends WREN and an erase, and makes sure that they arrived as they were: an erase that lost a
    /// byte of its address is another erase.
    fn begin_erase(&mut self, erase: Head) -> Result<(), Error> {
        let controller = self.controller.as_mut();
        for job in [Job::send(&[instruction::WREN]), Job::send(erase.as_bytes())] {
            if !controller.has_room_for(&job) {
                controller.collect(&mut [])?;
            }
            controller.submit(&job)?;
        }
        while controller.outstanding() > 0 {
            controller.collect(&mut [])?;
        }
        Ok(controller.confirm()?)
    }

    fn erase_for(&self, unit: &EraseUnit) -> Result<Erase, Error> {
        let erase = self.definition().erases.get(unit.kind).cloned();
        erase.ok_or(Error::NoSuchErase {
            start: unit.start,
            end: unit.end,
        })
    }

    /// Compares by the checksum of the controller where it has one; where it differs, and without
    /// one, by reading.
    fn compare_range(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<Option<Mismatch>, Failure> {
        if self.equal_by_checksum(address, expected, tick)? {
            return Ok(None);
        }
        let mut found = vec![0; expected.len()];
        // What was told of the checksum is not told again.
        let mut quiet = |_| ControlFlow::Continue(());
        if self.controller.limits().range_bytes.is_some() {
            self.read_range(address, &mut found, &mut quiet)?;
        } else {
            self.read_range(address, &mut found, tick)?;
        }
        Ok(Mismatch::between(address, expected, &found))
    }

    /// Whether a range has the checksum of `expected`. False also if nobody can tell.
    fn equal_by_checksum(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<bool, Failure> {
        let Some(most) = self.controller.limits().range_bytes else {
            return Ok(false);
        };
        let mut tries = 0;
        loop {
            match self.checksums_match(address, expected, most.min(CHECKSUM_BYTES), tick) {
                Ok(same) => return Ok(same),
                Err(ChecksumError::Stopped) => return Err(Failure::Stopped),
                Err(ChecksumError::Other(Error::Controller(error))) => {
                    tries += 1;
                    if tries > TRIES {
                        return Err(failure(error.into()));
                    }
                    self.recover_from(error).map_err(failure)?;
                }
                Err(ChecksumError::Other(error)) => return Err(failure(error)),
            }
        }
    }

    fn checksums_match(
        &mut self,
        address: u64,
        expected: &[u8],
        piece_bytes: usize,
        tick: &mut Tick<'_>,
    ) -> Result<bool, ChecksumError> {
        let mut sent = 0;
        let mut pieces: std::collections::VecDeque<&[u8]> = std::collections::VecDeque::new();
        let mut same = true;
        let mut stopped = false;
        loop {
            while sent < expected.len() && !stopped && same {
                let at = address + sent as u64;
                let reach = usize::try_from(self.reach(at) - at).unwrap_or(usize::MAX);
                let count = (expected.len() - sent).min(piece_bytes).min(reach);
                if !pieces.is_empty()
                    && matches!(self.definition().addressing, Addressing::Register { .. })
                {
                    break;
                }
                self.approach(at)?;
                let head = self.read_head(at);
                let job = Job::Crc {
                    head: head.as_bytes(),
                    range_bytes: count,
                };
                if !self.controller.has_room_for(&job) {
                    break;
                }
                self.controller.submit(&job).map_err(Error::from)?;
                pieces.push_back(&expected[sent..sent + count]);
                sent += count;
            }
            let Some(piece) = pieces.pop_front() else {
                break;
            };
            let mut crc = [0; 4];
            self.controller.collect(&mut crc).map_err(Error::from)?;
            same &= u32::from_le_bytes(crc) == Crc32::of(piece);
            stopped |= tick(piece.len() as u64).is_break();
        }
        if stopped && sent < expected.len() {
            return Err(ChecksumError::Stopped);
        }
        Ok(same)
    }
}

/// Most bytes that one checksum is asked for: progress and cancelling stay lively.
const CHECKSUM_BYTES: usize = 64 * 1024;

/// Why checksums were not compared to their end.
enum ChecksumError {
    Stopped,
    Other(Error),
}

impl From<Error> for ChecksumError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl FlashDevice for Chip {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn read(&mut self, address: u64, out: &mut [u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.read_range(address, out, tick)?;
        let mut quiet = |_| ControlFlow::Continue(());
        for _ in 1..self.options.repeat_read {
            let mut again = vec![0; out.len()];
            self.read_range(address, &mut again, &mut quiet)?;
            if let Some(at) = out
                .iter()
                .zip(&again)
                .position(|(first, second)| first != second)
            {
                let around = at.saturating_sub(2)..(at + 2).min(out.len());
                return Err(failure(Error::Unstable {
                    first: out[around.clone()].to_vec(),
                    second: again[around].to_vec(),
                }));
            }
        }
        Ok(())
    }

    fn erase(&mut self, units: &[EraseUnit], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.make_writable().map_err(failure)?;
        for unit in units {
            let erase = self.erase_for(unit).map_err(failure)?;
            self.erase_unit(&erase, unit).map_err(failure)?;
            if tick(unit.bytes()).is_break() {
                return Err(Failure::Stopped);
            }
        }
        Ok(())
    }

    fn program(&mut self, address: u64, data: &[u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.make_writable().map_err(failure)?;
        self.program_range(address, data, tick)
    }

    fn compare(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<Option<Mismatch>, Failure> {
        self.compare_range(address, expected, tick)
    }

    fn matches(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<bool, Failure> {
        if self.controller.limits().range_bytes.is_some() {
            return self.equal_by_checksum(address, expected, tick);
        }
        Ok(self.compare_range(address, expected, tick)?.is_none())
    }
}

impl Drop for Chip {
    fn drop(&mut self) {
        // There is nobody left to tell; `close` tells.
        let _ = self.leave();
    }
}

impl std::fmt::Debug for Chip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chip")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

pub(super) fn failure(error: Error) -> Failure {
    Failure::Device(Box::new(error))
}

/// What moving a block costs, for the planner.
fn costs(definition: &Definition, controller: &dyn SpiController) -> Costs {
    let block = definition.block_bytes();
    let bus_hz = controller.spi_hz().unwrap_or(USUAL_HZ).max(1);
    let on_bus = Duration::from_secs(8) * block as u32 / bus_hz;
    let on_wire = controller.byte_time() * block as u32;
    let limits = controller.limits();
    let lock_step = if limits.pipelined {
        Duration::ZERO
    } else {
        controller.round_trip()
    };
    let program_block = match definition.programming {
        Programming::Pages { .. } => {
            let page = definition.program_time.typical + on_bus.max(on_wire);
            page + lock_step * 3
        }
        Programming::Bytes | Programming::Words => {
            let each =
                definition.program_time.typical + controller.byte_time() * 30 + lock_step * 2;
            each * block as u32
        }
    };
    Costs {
        program_block,
        read_block: on_bus.max(on_wire),
        compare_block: if limits.range_bytes.is_some() {
            on_bus
        } else {
            on_bus.max(on_wire)
        },
    }
}
