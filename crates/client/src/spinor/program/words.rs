//! Programming two bytes at a time by auto address increment.
//!
//! A chip that is busy ignores a word, and all words after it would end up at wrong addresses: so
//! each is waited for. Where transactions can be sent ahead, single bytes are faster.

use std::ops::{ControlFlow, Range};

use flashwire_plan::Tick;
use flashwire_protocol::spinor::{Head, instruction, status};

use super::{Pieces, page_patience};
use crate::spinor::probe::read_status;
use crate::spinor::{Chip, Error, Job};

impl Chip {
    /// Programs the pieces, single bytes each, from `pieces.done` on.
    pub(super) fn program_words(
        &mut self,
        pieces: &mut Pieces<'_>,
        tick: &mut Tick<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        while let Some(first) = pieces.ranges.get(pieces.done) {
            let run = words(pieces.start, pieces.bytes, first.start);
            let end = run.end.max(first.start + 1);
            if run.is_empty() {
                self.program_byte(pieces)?;
            } else {
                self.program_run(pieces, run)?;
            }
            let done = pieces.ranges.partition_point(|piece| piece.start < end);
            if pieces.tell(done, tick).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// A byte that has no neighbour to make a word with.
    fn program_byte(&mut self, pieces: &Pieces<'_>) -> Result<(), Error> {
        let address = pieces.address(pieces.done);
        let head = self.head(instruction::PP, address);
        let program = Job::Transfer {
            head: head.as_bytes(),
            data: pieces.data(pieces.done),
            receive_bytes: 0,
        };
        self.controller
            .run(&Job::send(&[instruction::WREN]), &mut [])?;
        self.controller.run(&program, &mut [])?;
        self.wait_for_word(address)
    }

    /// Polls until the chip is ready. Whether the answers are in step is looked at once, at the
    /// end of everything.
    fn wait_for_word(&mut self, address: u64) -> Result<(), Error> {
        let began = self.controller.now();
        loop {
            let waited = self.controller.now() - began;
            let found = read_status(self.controller.as_mut())?;
            if found & status::WIP == 0 {
                return Ok(());
            }
            if waited > page_patience(self.definition()) {
                let what = format!("programming at {address:#010x}");
                return Err(Error::still_busy(found, what, waited));
            }
        }
    }

    /// A run of words.
    fn program_run(&mut self, pieces: &Pieces<'_>, run: Range<usize>) -> Result<(), Error> {
        let start = run.start;
        self.controller
            .run(&Job::send(&[instruction::WREN]), &mut [])?;
        for at in run.step_by(2) {
            let address = pieces.start + at as u64;
            let head = if at == start {
                self.head(instruction::AAI_WORD, address)
            } else {
                Head::of(instruction::AAI_WORD)
            };
            let word = Job::Transfer {
                head: head.as_bytes(),
                data: &pieces.bytes[at..at + 2],
                receive_bytes: 0,
            };
            self.controller.run(&word, &mut [])?;
            self.wait_for_word(address)?;
        }
        self.controller
            .run(&Job::send(&[instruction::WRDI]), &mut [])?;
        Ok(())
    }
}

/// The words from `start` on that are not erased, up to the next erased one; empty if `start` has
/// no even address or no neighbour.
fn words(address: u64, data: &[u8], start: usize) -> Range<usize> {
    if !(address + start as u64).is_multiple_of(2) {
        return start..start;
    }
    let words = data[start..].chunks_exact(2);
    let count = words.take_while(|word| **word != [0xFF, 0xFF]).count();
    start..start + 2 * count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_words_is_even_and_ends_at_an_erased_word() {
        let data = [1, 2, 3, 4, 0xFF, 0xFF, 5, 6];
        assert_eq!(words(0x1000, &data, 0), 0..4);
        assert_eq!(words(0x1000, &data, 6), 6..8);
        assert_eq!(words(0x1001, &data, 0), 0..0, "an odd address");
        assert_eq!(words(0x1001, &data, 1), 1..7, "no word is erased");
        assert_eq!(words(0x1000, &[7], 0), 0..0, "no neighbour");
    }
}
