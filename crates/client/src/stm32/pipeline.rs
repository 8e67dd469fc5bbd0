//! Saying more than one phase before the first is answered.
//!
//! Not documented by ST, so every use has its rules (the analysis in short: a loader takes one
//! character into its receive register while it sends an ACK, and is back before the next one is
//! complete):
//!
//! * Opcode and address go together only for addresses that end in 00: if the opcode is refused,
//!   the address's bytes are taken as opcodes, and `08 00`, `xx 00` are none but Get at the most.
//!   For Read Memory the count may follow if it is 256, whose `FF 00` is no opcode either.
//! * Data follows ([`Pipeline::Full`]) only after a block of the same flash was acknowledged in
//!   lock-step, so that protection or a wrong address do not turn data into commands.
//! * Nothing is sent in one go if any two neighbouring bytes of it are the opcode of a command that
//!   does more than answer.
//! * Nothing ever follows data before its ACK: the CPU stands still while the flash is programmed.
//! * Before the first use coalesced reads, and a write to RAM for data, are compared with what
//!   lock-step reads. The first anomaly ends all pipelining for the rest of the session.
//! * Nothing of this on a bus: there each frame is a transfer, and the loader holds the clock until
//!   it comes to take it.
//! * Slow loaders (8 MHz RC oscillator) have too few instructions per character for it above
//!   230,400 baud.

use std::ops::Range;

use flashwire_protocol::stm32::{BLOCK_BYTES, Command, CommandSet, complement};

use super::{Bootloader, Error, Part, Quirk};

/// How much is sent before an answer has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pipeline {
    /// Nothing: each phase waits for its ACK, as the document has it.
    Off,
    /// Opcode and address, and the count of a full read.
    #[default]
    Address,
    /// The data of a write too.
    Full,
}

/// What is pipelined right now, and why not more.
#[derive(Clone, Debug, Default)]
pub(super) struct Pipelining {
    /// What has been proved to work.
    proved: Option<Pipeline>,
    /// The flash in which a block has been acknowledged in lock-step.
    data_region: Option<Range<u32>>,
    /// Whether an anomaly has ended it.
    fell_back: bool,
}

/// Fastest line on which a slow loader is trusted, in baud.
const SLOW_LOADER_MOST_BAUD: u32 = 230_400;

/// Length of the reads and writes of the self-test, in bytes: the phases are what is tested. Its
/// count pair, 0F F0, is no opcode.
const TEST_BYTES: usize = 16;

/// What the self-test writes to RAM: counts up and down, and has no opcode pairs.
const TEST_PATTERN: [u8; TEST_BYTES] = [
    0x00, 0x10, 0x20, 0x30, 0x41, 0x51, 0x61, 0x71, 0x5A, 0x66, 0x55, 0x3C, 0x01, 0x80, 0x7E, 0x18,
];

impl Bootloader {
    /// What is pipelined from here on: nothing before [`prove_pipeline`](Self::prove_pipeline), and
    /// nothing after an anomaly.
    pub fn pipeline(&self) -> Pipeline {
        self.pipelining.proved.unwrap_or(Pipeline::Off)
    }

    /// Whether an anomaly has ended the pipelining of this session.
    pub fn pipeline_fell_back(&self) -> bool {
        self.pipelining.fell_back
    }

    /// Tries out as much pipelining as the options allow, once a session: compares coalesced reads
    /// of the flash's first bytes with lock-step ones and, for [`Pipeline::Full`], has a coalesced
    /// write to free RAM read back. What does not work is left off and is no error.
    ///
    /// # Errors
    /// Those of the lock-step reads.
    pub fn prove_pipeline(&mut self, part: &Part) -> Result<(), Error> {
        let unwanted = self.options.pipeline == Pipeline::Off || self.options.interface.framed;
        if self.pipelining.proved.is_some() || unwanted {
            return Ok(());
        }
        self.pipelining.proved = Some(Pipeline::Off);
        let slow = part.family.slow_loader();
        if slow && self.link.settings().baud > SLOW_LOADER_MOST_BAUD {
            return Ok(());
        }
        let mut expected = [0; TEST_BYTES];
        if !self.persist(|l| l.readable(part.flash_start, &mut expected))? {
            return Ok(());
        }
        self.pipelining.proved = Some(Pipeline::Address);
        let mut found = [0; TEST_BYTES];
        match self.read_memory(part.flash_start, &mut found) {
            Ok(()) if found == expected => {}
            Ok(()) => self.fall_back(),
            Err(error) if error.may_pass() => {}
            Err(error) => return Err(error),
        }
        if self.pipeline() == Pipeline::Address && self.options.pipeline == Pipeline::Full {
            self.prove_data(part)?;
        }
        Ok(())
    }

    /// The part of the self-test that writes.
    fn prove_data(&mut self, part: &Part) -> Result<(), Error> {
        // Where no RAM is free, the first anomaly in the flash has to do.
        self.pipelining.proved = Some(Pipeline::Full);
        let Some(ram) = part
            .ram
            .clone()
            .filter(|_| !part.has(Quirk::RamWriteCorrupt))
        else {
            return Ok(());
        };
        let at = ram.start.next_multiple_of(BLOCK_BYTES as u32);
        if at + TEST_BYTES as u32 > ram.end {
            return Ok(());
        }
        self.pipelining.data_region = Some(ram);
        let mut found = [0; TEST_BYTES];
        let written = self
            .write_memory(at, &TEST_PATTERN)
            .and_then(|()| self.read_memory(at, &mut found));
        self.pipelining.data_region = None;
        match written {
            Ok(()) if found == TEST_PATTERN => Ok(()),
            Ok(()) => {
                self.fall_back();
                Ok(())
            }
            Err(error) if error.may_pass() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends all pipelining of this session.
    pub(super) fn fall_back(&mut self) {
        self.pipelining.proved = Some(Pipeline::Off);
        self.pipelining.data_region = None;
        self.pipelining.fell_back = true;
    }

    /// A block at `address` was acknowledged in lock-step: in `region` data may follow at once.
    pub(super) fn data_acknowledged(&mut self, region: Range<u32>) {
        self.pipelining.data_region = Some(region);
    }

    /// Whether these frames may go in one write, the address of all of them being `address`.
    pub(super) fn may_coalesce(&self, address: u32, frames: &[&[u8]]) -> bool {
        self.pipeline() >= Pipeline::Address
            && address.is_multiple_of(BLOCK_BYTES as u32)
            && harmless(frames, &self.commands)
    }

    /// Whether a block of data for `address` may follow its opcode and address unasked.
    pub(super) fn may_coalesce_data(&self, address: u32) -> bool {
        let region = self.pipelining.data_region.as_ref();
        self.pipeline() == Pipeline::Full && region.is_some_and(|region| region.contains(&address))
    }
}

/// Whether no two neighbouring bytes behind the opcode that opens `frames` are an opcode that does
/// more than answer: what a loader takes them for that has refused what came before, wherever it
/// begins to read.
fn harmless(frames: &[&[u8]], listed: &CommandSet) -> bool {
    let acts = |code: u8| match Command::try_from(code) {
        Ok(Command::Get | Command::GetVersion | Command::GetId) => false,
        Ok(_) => true,
        Err(_) => listed.contains_code(code),
    };
    let mut bytes = frames
        .iter()
        .flat_map(|frame| frame.iter().copied())
        .skip(1);
    let Some(mut last) = bytes.next() else {
        return true;
    };
    bytes.all(|byte| {
        let opcode = byte == complement(last) && acts(last);
        last = byte;
        !opcode
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flashwire_protocol::stm32::Frame;

    fn write(address: u32, data: &[u8]) -> bool {
        let data = Frame::data(data).unwrap();
        let address = Frame::word(address);
        let opcode = Command::WriteMemory.opcode();
        let listed = [0x99].into_iter().collect();
        harmless(&[&opcode, address.as_bytes(), data.as_bytes()], &listed)
    }

    #[test]
    fn data_that_holds_an_opcode_is_not_sent_unasked_at_either_parity() {
        assert!(write(0x0800_0000, &[0x11, 0x22, 0x33, 0x44]));
        for command in Command::ALL {
            let [code, check] = command.opcode();
            let asks = matches!(command, Command::Get | Command::GetVersion | Command::GetId);
            assert_eq!(
                write(0x0800_0000, &[code, check, 0x77, 0x77]),
                asks,
                "{command}"
            );
            assert_eq!(
                write(0x0800_0000, &[0x77, code, check, 0x77]),
                asks,
                "{command}"
            );
        }
        assert!(!write(0x0800_0000, &[0x99, 0x66, 0x00, 0x00]), "listed");
        assert!(
            write(0x0800_0000, &[0x98, 0x67, 0x00, 0x00]),
            "unknown and not listed"
        );
    }

    #[test]
    fn an_opcode_across_frames_counts_too() {
        // Count 0x92 and the first data byte 0x6D: Readout Unprotect.
        let mut data = [0x77; 0x93];
        data[0] = 0x6D;
        assert!(!write(0x0800_0000, &data));
        data[0] = 0x6C;
        assert!(write(0x0800_0000, &data));
    }

    #[test]
    fn address_phases_of_aligned_blocks_are_harmless_in_flash_and_ram() {
        let none = CommandSet::new();
        for start in [0x0800_0000_u32, 0x1FFF_0000, 0x2000_0000] {
            for block in 0..0x1000 {
                let address = Frame::word(start + block * 256);
                let count = Frame::byte_count(256).unwrap();
                let opcode = Command::ReadMemory.opcode();
                let frames = [&opcode[..], address.as_bytes(), count.as_bytes()];
                assert!(harmless(&frames, &none), "{address:?}");
            }
        }
    }

    #[test]
    fn an_address_that_reads_as_an_opcode_is_found() {
        let opcode = Command::ReadMemory.opcode();
        let address = Frame::word(0x0811_EE00);
        assert!(!harmless(
            &[&opcode, address.as_bytes()],
            &CommandSet::new()
        ));
    }

    #[test]
    fn the_self_tests_pattern_is_harmless() {
        assert!(write(0x2000_0200, &TEST_PATTERN));
    }
}
