//! The answer that is being sent.

use flashwire_protocol::nfd::{Command, LINE_END, PAGE_BYTES, VERSION_TEXT, digits};

/// An answer and how much of it is sent. Long ones are made as they go: there is no room for 515
/// bytes beside the page buffer.
pub(super) enum Answer {
    /// Nothing.
    None,
    /// Letter and digits.
    Short {
        bytes: [u8; Self::SHORT_BYTES],
        len: u8,
        sent: u8,
    },
    /// Greeting, text, line end and again the greeting.
    Hello { sent: u8 },
    /// A text.
    Text { text: &'static str, sent: u16 },
    /// Letter, the page buffer in digits, line end.
    Dump { sent: u16 },
}

impl Answer {
    /// Letter, eight digits, line end.
    const SHORT_BYTES: usize = 11;

    fn short(command: u8, content: &[u8], end: &str) -> Self {
        let mut bytes = [0; Self::SHORT_BYTES];
        let text = content.iter().flat_map(|&byte| digits(byte));
        let whole = core::iter::once(command).chain(text).chain(end.bytes());
        let mut len = 0;
        for (slot, byte) in bytes.iter_mut().zip(whole) {
            *slot = byte;
            len += 1;
        }
        Self::Short {
            bytes,
            len,
            sent: 0,
        }
    }

    /// A letter alone.
    pub(super) fn letter(letter: u8) -> Self {
        Self::short(letter, &[], "")
    }

    /// A letter and up to four bytes in digits.
    pub(super) fn bytes(command: Command, content: &[u8]) -> Self {
        Self::short(command.letter(), content, "")
    }

    /// A letter and a CRC.
    pub(super) fn crc(command: Command, crc: u32) -> Self {
        let end = if matches!(command, Command::BufferCrc) {
            LINE_END
        } else {
            ""
        };
        Self::short(command.letter(), &crc.to_be_bytes(), end)
    }

    pub(super) const fn hello() -> Self {
        Self::Hello { sent: 0 }
    }

    pub(super) const fn text(text: &'static str) -> Self {
        Self::Text { text, sent: 0 }
    }

    pub(super) const fn dump() -> Self {
        Self::Dump { sent: 0 }
    }

    /// Whether nothing of it is left.
    pub(super) const fn is_sent(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Moves as much as fits to the front of `out`; returns how many bytes.
    pub(super) fn take(&mut self, page: &[u8; PAGE_BYTES], out: &mut [u8]) -> usize {
        let mut taken = 0;
        for slot in out {
            let Some(byte) = self.next(page) else { break };
            *slot = byte;
            taken += 1;
        }
        if self.peek(page).is_none() {
            *self = Self::None;
        }
        taken
    }

    fn next(&mut self, page: &[u8; PAGE_BYTES]) -> Option<u8> {
        let byte = self.peek(page)?;
        match self {
            Self::None => {}
            Self::Short { sent, .. } | Self::Hello { sent } => *sent += 1,
            Self::Text { sent, .. } | Self::Dump { sent } => *sent += 1,
        }
        Some(byte)
    }

    /// The byte to send next.
    fn peek(&self, page: &[u8; PAGE_BYTES]) -> Option<u8> {
        match self {
            Self::None => None,
            Self::Short { bytes, len, sent } => {
                if sent < len {
                    bytes.get(usize::from(*sent)).copied()
                } else {
                    None
                }
            }
            Self::Hello { sent } => {
                let greeting = || core::iter::once(Command::Hello.letter());
                let text = VERSION_TEXT.bytes().chain(LINE_END.bytes());
                greeting()
                    .chain(text)
                    .chain(greeting())
                    .nth(usize::from(*sent))
            }
            Self::Text { text, sent } => text.as_bytes().get(usize::from(*sent)).copied(),
            Self::Dump { sent } => {
                let Some(digit) = usize::from(*sent).checked_sub(1) else {
                    return Some(Command::Dump.letter());
                };
                match page.get(digit / 2) {
                    Some(&byte) => digits(byte).get(digit % 2).copied(),
                    None => LINE_END.as_bytes().get(digit - 2 * PAGE_BYTES).copied(),
                }
            }
        }
    }
}
