//! Read Memory and Write Memory.

use std::time::Duration;

use flashwire_protocol::stm32::{Command, Frame, NACK, WRITE_ALIGN_BYTES, complement};

use super::{Bootloader, Error, Phase, Step};

impl Bootloader {
    /// Read Memory: fills `out`, 1 to 256 bytes, from `address` on. AN3155, section 3.4; AN4221,
    /// section 2.4. The data
    /// has no checksum: a disturbed line shows only where bytes are missing.
    ///
    /// # Errors
    /// [`Error::Nack`] at the opcode where the flash is read protected, at the address where the
    /// loader does not want to read there. [`Error::Timeout`], [`Error::Unexpected`],
    /// [`Error::BlockSize`].
    pub fn read_memory(&mut self, address: u32, out: &mut [u8]) -> Result<(), Error> {
        const COMMAND: Command = Command::ReadMemory;
        let count = Frame::byte_count(out.len()).ok_or(Error::BlockSize {
            command: COMMAND,
            bytes: out.len(),
        })?;
        let place = Frame::word(address);
        let steps = [Phase::Opcode, Phase::Address, Phase::Count]
            .map(|phase| Step::at(COMMAND, phase, address));
        self.begin()?;

        let opcode = COMMAND.opcode();
        let frames = [&opcode[..], place.as_bytes(), count.as_bytes()];
        if self.may_coalesce(address, &frames) {
            self.put(steps[0], &frames)?;
            let sent = self.in_flight.len();
            let read = self.collect(&steps, out, sent, Duration::ZERO);
            self.or_fall_back(read)?;
        } else {
            self.opcode(COMMAND)?;
            self.phase(steps[1], &place)?;
            self.put(steps[2], &[count.as_bytes()])?;
            self.collect(&steps[2..], out, 2, Duration::ZERO)?;
        }
        self.finish();
        Ok(())
    }

    /// Reads memory in pieces that fit into the adapter's frames.
    pub(super) fn read_pieces(&mut self, address: u32, out: &mut [u8]) -> Result<(), Error> {
        let most = self.options.frame.read_bytes();
        let mut at = address;
        for piece in out.chunks_mut(most) {
            self.read_memory(at, piece)?;
            at += piece.len() as u32;
        }
        Ok(())
    }

    /// Write Memory: 4 to 256 bytes, a multiple of four, to `address`. AN3155, section 3.6; AN4221,
    /// sections 2.6 and 2.12. An ACK
    /// is no proof: write-protected flash takes the data and drops it, and so does flash that
    /// programs larger pieces ([`Part::program_unit`](super::Part::program_unit)).
    ///
    /// # Errors
    /// [`Error::Nack`] at the opcode where the flash is read protected, at the address where the
    /// loader does not want to write, at the data where its checksum came out wrong or the flash
    /// refused it. [`Error::Timeout`], [`Error::Unexpected`], [`Error::BlockSize`].
    pub fn write_memory(&mut self, address: u32, data: &[u8]) -> Result<(), Error> {
        let command = self.gentle(Command::WriteMemory);
        let block = Frame::data(data)
            .filter(|_| data.len().is_multiple_of(WRITE_ALIGN_BYTES))
            .ok_or(Error::BlockSize {
                command,
                bytes: data.len(),
            })?;
        let place = Frame::word(address);
        let steps = [Phase::Opcode, Phase::Address, Phase::Data]
            .map(|phase| Step::at(command, phase, address));
        self.begin()?;

        let opcode = command.opcode();
        let frames = [&opcode[..], place.as_bytes(), block.as_bytes()];
        let (opening, whole) = (&frames[..2], &frames[..]);
        if self.may_coalesce_data(address) && self.may_coalesce(address, whole) {
            self.put(steps[0], whole)?;
            let sent = self.in_flight.len();
            let written = self.collect(&steps, &mut [], sent, WRITE_MOST);
            self.or_fall_back(written)?;
        } else {
            if self.may_coalesce(address, opening) {
                self.put(steps[0], opening)?;
                let sent = self.in_flight.len();
                let opened = self.collect(&steps[..2], &mut [], sent, Duration::ZERO);
                self.or_fall_back(opened)?;
            } else {
                self.opcode(command)?;
                self.phase(steps[1], &place)?;
            }
            self.put_watchfully(steps[2], &block)?;
            self.collect(&steps[2..], &mut [], block.as_bytes().len(), WRITE_MOST)?;
        }
        self.finish();
        Ok(())
    }

    /// Sends data, with a look before each pair of bytes that would be a command which acts at
    /// once. If the count went astray on the way (lost, or a byte doubled before it), the loader
    /// takes part of the data for the whole, refuses it, and takes the rest for commands: its
    /// refusal is seen here before the first that could do harm is out. On a bus it cannot: there a
    /// frame has an end that does not depend on its content.
    fn put_watchfully(&mut self, step: Step, block: &Frame) -> Result<(), Error> {
        let bytes = block.as_bytes();
        if self.options.interface.framed {
            return self.put(step, &[bytes]);
        }
        self.note(bytes);
        let mut sent = 0;
        for at in commands_that_act_at_once(bytes) {
            self.link.send(&bytes[sent..at])?;
            let wire = self.link.settings().wire_time(at - sent + 1);
            let wait = wire + self.round_trip.unwrap_or_default() + WATCH;
            let deadline = self.link.deadline(wait);
            let mut answer = [0];
            if self.link.recv(&mut answer, deadline)? > 0 {
                let [byte] = answer;
                return Err(match byte {
                    NACK => Error::Nack { step },
                    byte => Error::Unexpected { step, byte },
                });
            }
            sent = at;
        }
        self.link.send(&bytes[sent..])?;
        Ok(())
    }

    /// Ends pipelining if something said in one go came to grief.
    pub(super) fn or_fall_back(&mut self, done: Result<(), Error>) -> Result<(), Error> {
        if done.as_ref().is_err_and(Error::may_pass) {
            self.fall_back();
        }
        done
    }
}

/// How long to look for a refusal, beyond wire and round trip: a loader's own time.
const WATCH: Duration = Duration::from_millis(2);

/// Where the data holds what would be a command that does harm by its opcode alone, or an erase of
/// everything. All others need frames with checksums after them.
fn commands_that_act_at_once(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.windows(3).enumerate().filter_map(|(at, window)| {
        let &[code, check, next] = window else {
            return None;
        };
        let acts = match Command::try_from(code) {
            Ok(Command::WriteUnprotect | Command::ReadoutProtect | Command::ReadoutUnprotect) => {
                true
            }
            Ok(Command::Erase | Command::ExtendedErase) => next == 0xFF,
            _ => false,
        };
        (acts && check == complement(code)).then_some(at)
    })
}

/// Longest time that programming one block is waited for, on top of the answer timeout: the slowest
/// known, an L0 that programs word by word, takes 252 ms (STM32L053 datasheet, "Memory
/// characteristics").
const WRITE_MOST: Duration = Duration::from_millis(252);
