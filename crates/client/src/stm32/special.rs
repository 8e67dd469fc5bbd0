//! Special and Extended Special: commands of one family each, with payloads whose meaning is that
//! family's own business. AN3155, sections 3.14 and 3.15; the order of the fields as ST's Open
//! Bootloader has it (`openbl_usart_cmd.c`, version 6.1.3).

use std::time::Duration;

use flashwire_protocol::stm32::{ACK, Command, Frame};

use super::bootloader::malformed;
use super::{Bootloader, Error, Phase, Step};

/// What a loader answers to [`Bootloader::special`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecialAnswer {
    /// The data that was asked for.
    pub data: Vec<u8>,
    /// How it went; the family's own codes.
    pub status: Vec<u8>,
}

/// Most bytes of an answer that are taken: no loader has a larger buffer (Open Bootloader,
/// `SPECIAL_CMD_SIZE_BUFFER2`). A longer one is a disturbed length.
const MOST_ANSWER: usize = 1024;

impl Bootloader {
    /// Special: `code` with 0 to 128 bytes of data, on which the loader works for `most` at most.
    /// AN3155, section 3.14.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the loader does not list the command, [`Error::BlockSize`],
    /// [`Error::Nack`] for a code that it does not know, [`Error::Timeout`], [`Error::Unexpected`],
    /// [`Error::Malformed`].
    pub fn special(
        &mut self,
        code: u16,
        data: &[u8],
        most: Duration,
    ) -> Result<SpecialAnswer, Error> {
        const COMMAND: Command = Command::Special;
        let block = self.special_block(COMMAND, data)?;
        self.begin_special(COMMAND, code)?;
        self.phase(Step::of(COMMAND, Phase::Data), &block)?;
        let data = self.special_answer(COMMAND, most)?;
        let status = self.special_answer(COMMAND, Duration::ZERO)?;
        self.end_special(COMMAND)?;
        Ok(SpecialAnswer { data, status })
    }

    /// Extended Special: `code` with 0 to 128 bytes of parameters and 0 to 1024 bytes of data, on
    /// which the loader works for `most` at most; its status. AN3155, section 3.15.
    ///
    /// # Errors
    /// As [`special`](Self::special).
    pub fn extended_special(
        &mut self,
        code: u16,
        parameters: &[u8],
        data: &[u8],
        most: Duration,
    ) -> Result<Vec<u8>, Error> {
        const COMMAND: Command = Command::ExtendedSpecial;
        let first = self.special_block(COMMAND, parameters)?;
        let second = Frame::extended_special_data(data).ok_or(Error::BlockSize {
            command: COMMAND,
            bytes: data.len(),
        })?;
        self.begin_special(COMMAND, code)?;
        self.phase(Step::of(COMMAND, Phase::Data), &first)?;
        self.phase(Step::of(COMMAND, Phase::Data), &second)?;
        let status = self.special_answer(COMMAND, most)?;
        self.end_special(COMMAND)?;
        Ok(status)
    }

    fn special_block(&self, command: Command, data: &[u8]) -> Result<Frame, Error> {
        if !self.commands.contains(command) {
            return Err(Error::Unsupported { command });
        }
        Frame::special_data(data).ok_or(Error::BlockSize {
            command,
            bytes: data.len(),
        })
    }

    fn begin_special(&mut self, command: Command, code: u16) -> Result<(), Error> {
        self.begin()?;
        self.opcode(command)?;
        self.phase(Step::of(command, Phase::Code), &Frame::special_code(code))
    }

    /// A length of two bytes, and so many bytes.
    fn special_answer(&mut self, command: Command, most: Duration) -> Result<Vec<u8>, Error> {
        let step = Step::of(command, Phase::Answer);
        let mut length = [0; 2];
        self.receive_late(step, &mut length, most)?;
        let bytes = usize::from(u16::from_be_bytes(length));
        if bytes > MOST_ANSWER {
            return Err(malformed(command, &length));
        }
        let mut answer = vec![0; bytes];
        self.receive(step, &mut answer)?;
        Ok(answer)
    }

    fn end_special(&mut self, command: Command) -> Result<(), Error> {
        let step = Step::of(command, Phase::Completion);
        let mut end = [0];
        self.receive(step, &mut end)?;
        match end {
            [ACK] => {
                self.finish();
                Ok(())
            }
            [byte] => Err(Error::Unexpected { step, byte }),
        }
    }
}
