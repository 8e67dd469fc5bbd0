//! The answer that is being sent.

use flashwire_protocol::nfd::{Command, LINE_END, digits};

/// An answer and how much of it is sent. Digits are made as they go: there is no room for 515 bytes
/// beside the page buffer.
pub(super) struct Answer {
    content: Content,
    letter: u8,
    bytes: [u8; Self::BYTES],
    text: &'static str,
    /// Whether a line end follows.
    is_line: bool,
    sent: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Nothing at all.
    None,
    /// The text.
    Text,
    /// The letter, and so many of the bytes in digits.
    Bytes(u8),
    /// The letter and the page buffer in digits.
    Page,
}

impl Answer {
    /// Most bytes that follow a letter in digits, but for the page buffer.
    const BYTES: usize = 4;

    /// Nothing.
    pub(super) const fn new() -> Self {
        Self {
            content: Content::None,
            letter: 0,
            bytes: [0; Self::BYTES],
            text: "",
            is_line: false,
            sent: 0,
        }
    }

    /// Forgets what is not sent.
    pub(super) fn clear(&mut self) {
        self.content = Content::None;
    }

    #[inline(never)]
    fn start(&mut self, letter: u8, content: Content, is_line: bool) {
        self.content = content;
        self.letter = letter;
        self.is_line = is_line;
        self.sent = 0;
    }

    /// A letter alone.
    pub(super) fn letter(&mut self, letter: u8) {
        self.start(letter, Content::Bytes(0), false);
    }

    /// A letter and the first `len` of `bytes` in digits.
    pub(super) fn bytes(&mut self, letter: u8, bytes: [u8; Self::BYTES], len: u8) {
        self.bytes = bytes;
        self.start(letter, Content::Bytes(len), false);
    }

    /// A letter and a CRC.
    pub(super) fn crc(&mut self, command: Command, crc: u32) {
        self.bytes(command.letter(), crc.to_be_bytes(), 4);
        self.is_line = matches!(command, Command::BufferCrc);
    }

    pub(super) fn text(&mut self, text: &'static str) {
        self.text = text;
        self.start(0, Content::Text, false);
    }

    pub(super) fn dump(&mut self) {
        self.start(Command::Dump.letter(), Content::Page, true);
    }

    /// Whether nothing of it is left.
    pub(super) fn is_sent(&self) -> bool {
        self.content == Content::None
    }

    /// Moves as much as fits to the front of `out`; returns how many bytes.
    pub(super) fn take(&mut self, page: &[u8], out: &mut [u8]) -> usize {
        let mut taken = 0;
        for slot in out {
            let Some(byte) = self.peek(page) else { break };
            *slot = byte;
            self.sent += 1;
            taken += 1;
        }
        if self.peek(page).is_none() {
            self.clear();
        }
        taken
    }

    /// The byte to send next.
    #[inline(never)]
    fn peek(&self, page: &[u8]) -> Option<u8> {
        let bytes = match self.content {
            Content::None => return None,
            Content::Text => return self.text.as_bytes().get(usize::from(self.sent)).copied(),
            Content::Bytes(len) => self.bytes.get(..usize::from(len)).unwrap_or_default(),
            Content::Page => page,
        };
        let Some(digit) = usize::from(self.sent).checked_sub(1) else {
            return Some(self.letter);
        };
        if let Some(&byte) = bytes.get(digit / 2) {
            let [high, low] = digits(byte);
            return Some(if digit % 2 == 0 { high } else { low });
        }
        let end = if self.is_line { LINE_END } else { "" };
        end.as_bytes().get(digit - 2 * bytes.len()).copied()
    }
}
