//! Get Checksum: the loader computes a CRC over its memory.
//!
//! Few loaders have it, and what is publicly known of its form on a UART is thin: AN3155 (section
//! 3.13) has the host send address, size, polynomial and initial value; stm32flash 0.7 sends only
//! the first two, as AN4221 has it for I2C; and whether one more ACK precedes the result is not
//! told alike. So the form is found out once a session on a range whose content is known, and a
//! loader whose results are not right has no Get Checksum as far as this client is concerned.

use std::ops::Range;
use std::time::Duration;

use flashwire_protocol::stm32::{ACK, CHECKSUM_ALIGN_BYTES, Command, FlashCrc, Frame, xor};

use super::bootloader::malformed;
use super::{Bootloader, Error, Phase, Step};

/// How a loader says Get Checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Not found out yet.
    #[default]
    Unknown,
    /// It does not have it, or its results are not right.
    None,
    /// Found out.
    Known(Form),
}

/// The form of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether it wants polynomial and initial value.
    parameters: bool,
    /// Whether one more ACK precedes the result.
    extra_ack: bool,
}

impl Form {
    /// On I2C: address and size, BUSY while it computes, an ACK, the result. AN4221, section 2.20.
    pub(super) const I2C: Self = Self {
        parameters: false,
        extra_ack: true,
    };
}

/// Length of the result in bytes: the CRC and its XOR.
const RESULT_BYTES: usize = 5;

/// How long a loader that wants no parameters may take, beyond the round trip, before its result
/// for one block begins: a CRC bit by bit takes an 8 MHz CPU about 2 ms.
const PROBE_PAUSE: Duration = Duration::from_millis(10);

/// Longest time that a loader computes per KiB: bit by bit at 8 MHz, doubled.
const MOST_PER_KIB: Duration = Duration::from_millis(20);

const COMMAND: Command = Command::GetChecksum;

impl Bootloader {
    /// Whether Get Checksum can be relied on: the loader lists it and gave right results for
    /// `block`, which is what it holds from `address` on. Asked once a session.
    ///
    /// # Errors
    /// Only those of the link: whatever else goes wrong means no.
    pub fn prove_checksum(&mut self, address: u32, block: &[u8]) -> Result<bool, Error> {
        if self.dialect == Dialect::Unknown {
            self.dialect = Dialect::None;
            if self.commands.contains(Command::GetChecksum) {
                match self.learn_dialect(address, block) {
                    Ok(dialect) => self.dialect = dialect,
                    Err(error) if error.may_pass() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(self.has_checksum())
    }

    /// Whether [`prove_checksum`](Self::prove_checksum) said yes.
    pub fn has_checksum(&self) -> bool {
        matches!(self.dialect, Dialect::Known(_))
    }

    /// A result of Get Checksum was found to be wrong: it is not used again in this session.
    pub fn distrust_checksum(&mut self) {
        self.dialect = Dialect::None;
    }

    /// Get Checksum: the CRC of a range, both ends multiples of four, as [`FlashCrc`] computes it.
    /// AN3155, section 3.13.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before [`prove_checksum`](Self::prove_checksum) said yes,
    /// [`Error::BlockSize`] for an unaligned range, [`Error::Nack`], [`Error::Timeout`],
    /// [`Error::Unexpected`], [`Error::Malformed`].
    pub fn checksum(&mut self, range: Range<u32>) -> Result<u32, Error> {
        let Dialect::Known(form) = self.dialect else {
            return Err(Error::Unsupported {
                command: Command::GetChecksum,
            });
        };
        if !(range.start | range.end).is_multiple_of(CHECKSUM_ALIGN_BYTES) || range.is_empty() {
            return Err(Error::BlockSize {
                command: COMMAND,
                bytes: range.len(),
            });
        }
        self.begin()?;
        self.ask_range(&range)?;
        if form.parameters {
            self.send_parameters(range.start)?;
        }
        let kib = (range.end - range.start).div_ceil(1024);
        let step = Step::at(COMMAND, Phase::Answer, range.start);
        let most = MOST_PER_KIB * kib;
        let mut result = [0; RESULT_BYTES];
        if form.extra_ack {
            self.collect(&[step], &mut result, 0, most)?;
        } else {
            self.receive_late(step, &mut result, most)?;
        }
        let crc = crc_of(&result).ok_or_else(|| malformed(COMMAND, &result))?;
        self.finish();
        Ok(crc)
    }

    /// Opcode, address and size.
    fn ask_range(&mut self, range: &Range<u32>) -> Result<(), Error> {
        let opcode = COMMAND.opcode();
        let place = Frame::word(range.start);
        let opening = [&opcode[..], place.as_bytes()];
        let steps =
            [Phase::Opcode, Phase::Address].map(|phase| Step::at(COMMAND, phase, range.start));
        if self.may_coalesce(range.start, &opening) {
            self.put(steps[0], &opening)?;
            let sent = self.in_flight.len();
            let asked = self.collect(&steps, &mut [], sent, Duration::ZERO);
            self.or_fall_back(asked)?;
        } else {
            self.opcode(COMMAND)?;
            self.phase(steps[1], &place)?;
        }
        let step = Step::at(COMMAND, Phase::Size, range.start);
        self.phase(step, &Frame::word(range.end - range.start))
    }

    /// Polynomial and initial value: those of the CRC unit after a reset.
    fn send_parameters(&mut self, address: u32) -> Result<(), Error> {
        let step = Step::at(COMMAND, Phase::Polynomial, address);
        self.phase(step, &Frame::word(FlashCrc::POLYNOMIAL))?;
        let step = Step::at(COMMAND, Phase::InitialValue, address);
        self.phase(step, &Frame::word(FlashCrc::INITIAL))
    }

    /// Finds out the form, and whether the result is right.
    fn learn_dialect(&mut self, address: u32, block: &[u8]) -> Result<Dialect, Error> {
        let range = address..address + block.len() as u32;
        let mut expected = FlashCrc::default();
        expected.update_bytes(block, 0xFF);
        if let Some(form) = self.options.interface.checksum {
            self.dialect = Dialect::Known(form);
            let found = self.checksum(range);
            self.dialect = Dialect::None;
            return Ok(match found? == expected.value() {
                true => Dialect::Known(form),
                false => Dialect::None,
            });
        }
        let pause = PROBE_PAUSE + self.round_trip.unwrap_or_default();
        self.begin()?;
        self.ask_range(&range)?;
        let mut answer = [0; RESULT_BYTES + 1];
        // A loader that wants no parameters answers now.
        let mut filled = self.hear(&mut answer, pause)?;
        let parameters = filled == 0;
        if parameters {
            self.send_parameters(address)?;
        }
        if filled < RESULT_BYTES {
            let step = Step::at(COMMAND, Phase::Answer, address);
            self.receive(step, &mut answer[filled..RESULT_BYTES])?;
            filled = RESULT_BYTES + self.hear(&mut answer[RESULT_BYTES..], pause)?;
        }
        let extra_ack = filled > RESULT_BYTES;
        let result = if extra_ack {
            &answer[1..]
        } else {
            &answer[..filled]
        };
        if extra_ack && answer[0] != ACK || crc_of(result) != Some(expected.value()) {
            return Ok(Dialect::None);
        }
        self.finish();
        Ok(Dialect::Known(Form {
            parameters,
            extra_ack,
        }))
    }

    /// Takes what arrives before `pause` is over, at most `bytes.len()`.
    fn hear(&mut self, bytes: &mut [u8], pause: Duration) -> Result<usize, Error> {
        let wait = self.link.settings().wire_time(bytes.len()) + pause;
        let deadline = self.link.deadline(wait);
        Ok(self.link.recv_all(bytes, deadline)?)
    }
}

/// The CRC in a result whose XOR is right.
fn crc_of(result: &[u8]) -> Option<u32> {
    let (crc, [sum]) = result.split_first_chunk::<4>()? else {
        return None;
    };
    (xor(crc) == *sum).then(|| u32::from_be_bytes(*crc))
}
