//! The answer that is being sent.

use flashwire_protocol::nfd::{Command, LINE_END, PAGE_BYTES, digits};

/// An answer and how much of it is sent. Digits are made as they go: there is no room for 515 bytes
/// beside the page buffer.
pub(super) struct Answer {
    content: Content,
    /// Whether a line end follows.
    is_line: bool,
    sent: u16,
}

enum Content {
    /// Nothing at all.
    None,
    /// A text.
    Text(&'static str),
    /// The letter and the first bytes of these in digits.
    Bytes { letter: u8, bytes: [u8; 4], len: u8 },
    /// The letter and the page buffer in digits.
    Page,
}

impl Answer {
    /// Nothing.
    pub(super) const NONE: Self = Self::of(Content::None, false);

    const fn of(content: Content, is_line: bool) -> Self {
        Self {
            content,
            is_line,
            sent: 0,
        }
    }

    /// A letter alone.
    pub(super) fn letter(letter: u8) -> Self {
        let (bytes, len) = ([0; 4], 0);
        Self::of(Content::Bytes { letter, bytes, len }, false)
    }

    /// A letter and the first `len` of `bytes` in digits.
    pub(super) fn bytes(command: Command, bytes: [u8; 4], len: u8) -> Self {
        let letter = command.letter();
        Self::of(Content::Bytes { letter, bytes, len }, false)
    }

    /// A letter and a CRC.
    pub(super) fn crc(command: Command, crc: u32) -> Self {
        let mut answer = Self::bytes(command, crc.to_be_bytes(), 4);
        answer.is_line = matches!(command, Command::BufferCrc);
        answer
    }

    pub(super) const fn text(text: &'static str) -> Self {
        Self::of(Content::Text(text), false)
    }

    pub(super) const fn dump() -> Self {
        Self::of(Content::Page, true)
    }

    /// Whether nothing of it is left.
    pub(super) const fn is_sent(&self) -> bool {
        matches!(self.content, Content::None)
    }

    /// Moves as much as fits to the front of `out`; returns how many bytes.
    pub(super) fn take(&mut self, page: &[u8; PAGE_BYTES], out: &mut [u8]) -> usize {
        let mut taken = 0;
        for slot in out {
            let Some(byte) = self.peek(page) else { break };
            *slot = byte;
            self.sent += 1;
            taken += 1;
        }
        if self.peek(page).is_none() {
            self.content = Content::None;
        }
        taken
    }

    /// The byte to send next.
    fn peek(&self, page: &[u8; PAGE_BYTES]) -> Option<u8> {
        let (letter, bytes) = match &self.content {
            Content::None => return None,
            Content::Text(text) => return text.as_bytes().get(usize::from(self.sent)).copied(),
            Content::Bytes { letter, bytes, len } => {
                (*letter, bytes.get(..usize::from(*len)).unwrap_or_default())
            }
            Content::Page => (Command::Dump.letter(), page.as_slice()),
        };
        let Some(digit) = usize::from(self.sent).checked_sub(1) else {
            return Some(letter);
        };
        if let Some(&byte) = bytes.get(digit / 2) {
            let [high, low] = digits(byte);
            return Some(if digit % 2 == 0 { high } else { low });
        }
        let end = if self.is_line { LINE_END } else { "" };
        end.as_bytes().get(digit - 2 * bytes.len()).copied()
    }
}
