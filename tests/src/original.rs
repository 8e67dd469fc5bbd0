//! A client of the protocol of nfd's sketch that does what the original client does: the same bytes,
//! the same waits, the same patience. Written from what the original was seen to do
//! (nfd/spi-flash-programmer, bca76ea of 2024), to judge programmers that have to satisfy it.
//!
//! It is no example to follow: it does not know `!`, reads pages twice and sleeps for 200 ms a page.

use std::time::Duration;

use flashwire_link::{Link, LinkError};
use flashwire_protocol::crc32::Crc32;
use flashwire_protocol::nfd::{PAGE_BYTES, SECTOR_BYTES};

/// Wait after the port was opened, for the board to start.
const START: Duration = Duration::from_secs(2);

/// How long one read of the port waits, and how many in a row may come back empty.
const READ_WAIT: Duration = Duration::from_secs(1);
const EMPTY_READS: usize = 3;

/// How many other bytes are skipped on the way to the one that is waited for.
const SKIPPED_BYTES: usize = 100;

/// How often a page or a sector is tried.
const TRIES: usize = 3;

/// Where the original gives up.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// No greeting.
    NoHello,
    /// This page could not be read.
    Read {
        /// Its number.
        page: u32,
    },
    /// This page could not be written.
    Write {
        /// Its number.
        page: u32,
    },
    /// This sector could not be erased.
    Erase {
        /// Its number.
        sector: u32,
    },
    /// A command was not answered as it should be.
    Answer {
        /// Its letter.
        command: char,
    },
}

/// A client at an open port.
pub struct Original {
    link: Box<dyn Link>,
    /// The text between the greetings, without blanks around it.
    hello: String,
    /// How long it sleeps after each page that it writes.
    pub page_sleep: Duration,
}

impl Original {
    /// Waits until the board has started, and greets it.
    pub fn open(mut link: Box<dyn Link>) -> Result<Self, Failure> {
        link.pause(START).unwrap();
        let mut client = Self {
            link,
            hello: String::new(),
            page_sleep: Duration::from_millis(200),
        };
        client.send(b">");
        client.wait_for(b'>').ok_or(Failure::NoHello)?;
        let mut text = Vec::new();
        for _ in 0..SKIPPED_BYTES {
            match client.next_byte() {
                None => break,
                Some(b'>') => {
                    client.hello = String::from_utf8_lossy(&text).trim().to_owned();
                    return Ok(client);
                }
                Some(byte) => text.push(byte),
            }
        }
        Err(Failure::NoHello)
    }

    /// What it is connected to.
    pub fn hello(&self) -> &str {
        &self.hello
    }

    /// The link, for what the original does not do.
    pub fn link(&mut self) -> &mut dyn Link {
        self.link.as_mut()
    }

    /// Ends the conversation.
    pub fn into_link(self) -> Box<dyn Link> {
        self.link
    }

    /// Reads whole pages. Each is read until a CRC has come twice, dumped, and compared.
    pub fn read(&mut self, offset_bytes: u32, length_bytes: u32) -> Result<Vec<u8>, Failure> {
        let pages = pages(offset_bytes, length_bytes);
        let mut content = Vec::new();
        for page in pages {
            let crc = self.page_crc(page).ok_or(Failure::Read { page })?;
            let mut dumps = (0..TRIES).filter_map(|_| self.dump());
            let bytes = dumps.find(|bytes| Crc32::of(bytes) == crc);
            content.extend(bytes.ok_or(Failure::Read { page })?);
        }
        Ok(content)
    }

    /// Erases and writes whole sectors. A page that is not right afterwards begins its sector again;
    /// the third one ends it.
    pub fn write(&mut self, offset_bytes: u32, content: &[u8]) -> Result<(), Failure> {
        assert_eq!(offset_bytes as usize % SECTOR_BYTES, 0);
        assert_eq!(content.len() % SECTOR_BYTES, 0);
        let first = offset_bytes / SECTOR_BYTES as u32;
        let mut bad_pages = 0;
        for (sector, content) in (first..).zip(content.chunks(SECTOR_BYTES)) {
            loop {
                self.erase_sector(sector)?;
                let first = sector * (SECTOR_BYTES / PAGE_BYTES) as u32;
                let mut pages = (first..).zip(content.chunks(PAGE_BYTES));
                let bad = pages.find(|(page, content)| !self.write_page(*page, content));
                let Some((page, _)) = bad else { break };
                bad_pages += 1;
                if bad_pages >= TRIES {
                    return Err(Failure::Write { page });
                }
            }
        }
        Ok(())
    }

    /// Compares whole pages by their CRCs: which of them are right.
    pub fn verify(&mut self, offset_bytes: u32, content: &[u8]) -> Vec<bool> {
        pages(offset_bytes, content.len() as u32)
            .zip(content.chunks(PAGE_BYTES))
            .map(|(page, content)| self.page_crc(page) == Some(Crc32::of(content)))
            .collect()
    }

    /// Erases whole sectors.
    pub fn erase(&mut self, offset_bytes: u32, length_bytes: u32) -> Result<(), Failure> {
        let size = SECTOR_BYTES as u32;
        assert_eq!((offset_bytes % size, length_bytes % size), (0, 0));
        let first = offset_bytes / size;
        (first..first + length_bytes / size).try_for_each(|sector| self.erase_sector(sector))
    }

    /// Status registers 1 to 3.
    pub fn status(&mut self) -> Result<Vec<u8>, Failure> {
        self.counted(b'y')
    }

    /// The JEDEC id.
    pub fn id(&mut self) -> Result<Vec<u8>, Failure> {
        self.counted(b'i')
    }

    /// Lock of the registers and protection of the memory.
    pub fn protection(&mut self) -> Result<[u8; 2], Failure> {
        self.send(b"x");
        let read = |client: &mut Self| {
            client.wait_for(b'x')?;
            client.bytes(2)?.try_into().ok()
        };
        read(self).ok_or(Failure::Answer { command: 'x' })
    }

    /// Sets or clears the block protection.
    pub fn protect(&mut self, protected: bool) -> Result<(), Failure> {
        self.run(if protected { b"p" } else { b"u" })
    }

    /// Chooses the chip select.
    pub fn set_chip_select(&mut self, pin: u8) -> Result<(), Failure> {
        self.run(format!("*{pin:02x}").as_bytes())
    }

    /// Makes a pin an output, and drives it if there is a level.
    pub fn set_output(&mut self, pin: u8, level: Option<bool>) -> Result<(), Failure> {
        let drive = match level {
            None => "00",
            Some(false) => "10",
            Some(true) => "11",
        };
        self.run(format!("o{pin:02x}{drive}").as_bytes())
    }

    fn send(&mut self, bytes: &[u8]) {
        self.link.send(bytes).unwrap();
    }

    /// One read of the port.
    fn next_byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        let deadline = self.link.deadline(READ_WAIT);
        match self.link.recv(&mut byte, deadline) {
            Ok(1) => Some(byte[0]),
            Ok(_) | Err(LinkError::Closed) => None,
            Err(error) => panic!("the port failed: {error}"),
        }
    }

    /// Skips what comes before this byte.
    fn wait_for(&mut self, wanted: u8) -> Option<()> {
        let mut empty_reads = 0;
        let mut skipped = 0;
        while empty_reads < EMPTY_READS && skipped < SKIPPED_BYTES {
            match self.next_byte() {
                Some(byte) if byte == wanted => return Some(()),
                Some(_) => skipped += 1,
                None => empty_reads += 1,
            }
        }
        None
    }

    /// So many bytes in hexadecimal digits.
    fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut empty_reads = 0;
        let mut digit = || loop {
            match self.next_byte() {
                Some(byte) => return char::from(byte).to_digit(16),
                None => empty_reads += 1,
            }
            if empty_reads == EMPTY_READS {
                return None;
            }
        };
        (0..count)
            .map(|_| Some((digit()? << 4 | digit()?) as u8))
            .collect()
    }

    fn crc(&mut self, letter: u8) -> Option<u32> {
        self.wait_for(letter)?;
        let bytes = self.bytes(4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    }

    /// Reads a page into the programmer's buffer until a CRC has come twice.
    fn page_crc(&mut self, page: u32) -> Option<u32> {
        let mut seen = Vec::new();
        let mut failures = 0;
        while failures < TRIES {
            self.send(format!("r{page:08x}").as_bytes());
            let Some(crc) = self.crc(b'r') else {
                failures += 1;
                continue;
            };
            if seen.contains(&crc) {
                return Some(crc);
            }
            failures += usize::from(!seen.is_empty());
            seen.push(crc);
        }
        None
    }

    fn dump(&mut self) -> Option<Vec<u8>> {
        self.send(b"l");
        self.wait_for(b'l')?;
        self.bytes(PAGE_BYTES)
    }

    fn erase_sector(&mut self, sector: u32) -> Result<(), Failure> {
        let erased = (0..TRIES).any(|_| {
            self.send(format!("k{sector:08x}").as_bytes());
            self.wait_for(b'k').is_some()
        });
        erased.then_some(()).ok_or(Failure::Erase { sector })
    }

    /// Whether the page holds this afterwards.
    fn write_page(&mut self, page: u32, content: &[u8]) -> bool {
        let crc = Crc32::of(content);
        let digits: String = content.iter().map(|byte| format!("{byte:02x}")).collect();
        self.send(format!("s{digits}").as_bytes());
        if self.crc(b's') != Some(crc) {
            return false;
        }
        self.send(format!("w{page:08x}").as_bytes());
        self.link.pause(self.page_sleep).unwrap();
        self.wait_for(b'w').is_some() && self.page_crc(page) == Some(crc)
    }

    fn counted(&mut self, letter: u8) -> Result<Vec<u8>, Failure> {
        self.send(&[letter]);
        let read = |client: &mut Self| {
            client.wait_for(letter)?;
            let count = client.bytes(1)?[0];
            client.bytes(count.into())
        };
        read(self).ok_or(Failure::Answer {
            command: letter.into(),
        })
    }

    /// A command that is answered by its letter.
    fn run(&mut self, command: &[u8]) -> Result<(), Failure> {
        self.send(command);
        self.wait_for(command[0]).ok_or(Failure::Answer {
            command: command[0].into(),
        })
    }
}

/// The numbers of the pages of a range.
fn pages(offset_bytes: u32, length_bytes: u32) -> std::ops::Range<u32> {
    let size = PAGE_BYTES as u32;
    assert_eq!((offset_bytes % size, length_bytes % size), (0, 0));
    offset_bytes / size..(offset_bytes + length_bytes) / size
}
