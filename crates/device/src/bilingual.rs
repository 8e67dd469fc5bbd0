//! A programmer that speaks serprog and the protocol of nfd's sketch: one of them, the one that its
//! host begins with.
//!
//! After a reset nothing is said; the first byte that begins a command of either protocol decides,
//! until the next reset. Opening the port resets an Arduino, so every host begins anew. The two
//! alphabets do not overlap, and could be understood side by side, but must not be: in nfd's
//! protocol the letter `n` alone erases the chip, and one byte lost from a serprog transfer makes a
//! command of the data that follows. A programmer that was begun with serprog refuses letters.
//!
//! A board that is reset while its host goes on sending hears the rest of a page. So nothing counts
//! before the line has been silent for [`SILENCE_MS`] once.

use flashwire_protocol::nfd::Command;

use crate::nfd::{self, Pins};
use crate::serprog::{self, Config};
use crate::{Board, Device, Moment};

/// How long the line has to be silent after a reset before anything is listened to, in
/// milliseconds: several frames of USB, in which an adapter gets its bytes, and little against the
/// time that an Arduino's boot loader takes before.
pub const SILENCE_MS: u16 = 10;

/// What a host can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// [`flashwire_protocol::serprog`].
    Serprog,
    /// [`flashwire_protocol::nfd`].
    Nfd,
}

/// What is known about the host.
#[derive(Clone, Copy)]
enum Host {
    /// Somebody may be sending since before the reset; the last byte of that came then.
    Unsettled { heard: Moment },
    /// It has not said anything.
    Silent,
    /// It speaks this.
    Speaks(Language),
}

/// A programmer for SPI chips.
pub struct Programmer<B> {
    /// This one owns the board and a page of memory; the other one borrows them.
    serprog: serprog::Programmer<B>,
    nfd: nfd::Machine,
    host: Host,
}

impl<B: Board + Pins> Programmer<B> {
    /// A programmer fresh from reset, which sets the SPI clock and lets the pins go until the first
    /// command. `config` is what it says of itself in serprog, `help` as in
    /// [`nfd::Programmer::new`].
    pub fn new(board: B, config: Config, help: &'static str) -> Self {
        let serprog = serprog::Programmer::new(board, config);
        let now = serprog.board().now();
        Self {
            serprog,
            nfd: nfd::Machine::new(help),
            host: Host::Unsettled { heard: now },
        }
    }

    /// The board.
    pub fn board(&self) -> &B {
        self.serprog.board()
    }

    /// The board, for its owner's own use between calls.
    pub fn board_mut(&mut self) -> &mut B {
        self.serprog.board_mut()
    }

    /// What its host speaks, if that is known.
    pub fn language(&self) -> Option<Language> {
        match self.host {
            Host::Speaks(language) => Some(language),
            Host::Unsettled { .. } | Host::Silent => None,
        }
    }

    /// Ends the wait for silence when it has lasted long enough.
    fn settle(&mut self, now: Moment) {
        if let Host::Unsettled { heard } = self.host
            && now.has_reached(heard.plus_millis(SILENCE_MS))
        {
            self.host = Host::Silent;
        }
    }

    /// Finds out from bytes what the host speaks; returns how many of them say nothing.
    fn listen(&mut self, now: Moment, bytes: &[u8]) -> usize {
        self.settle(now);
        let mut said_nothing = 0;
        for &byte in bytes {
            match &mut self.host {
                Host::Unsettled { heard } => *heard = now,
                Host::Silent => self.try_begin(byte),
                Host::Speaks(_) => {}
            }
            if let Host::Speaks(_) = self.host {
                break;
            }
            said_nothing += 1;
        }
        said_nothing
    }

    /// Takes the language that has a command which begins with this byte. Line ends begin none:
    /// hosts send them to get out of a half-sent argument.
    fn try_begin(&mut self, byte: u8) {
        if self.serprog.begins_command(byte) {
            self.host = Host::Speaks(Language::Serprog);
        } else if Command::from_letter(byte).is_some() {
            self.host = Host::Speaks(Language::Nfd);
            let (board, page) = self.serprog.board_and_page();
            nfd::fill_afresh(page);
            // The sketch drives its bus from the start.
            board.set_outputs(true);
        }
    }
}

impl<B: Board + Pins> Device for Programmer<B> {
    fn receive(&mut self, now: Moment, bytes: &[u8]) -> usize {
        let passed_over = self.listen(now, bytes);
        let bytes = bytes.get(passed_over..).unwrap_or_default();
        let (serprog, nfd) = (&mut self.serprog, &mut self.nfd);
        passed_over
            + match self.host {
                Host::Unsettled { .. } | Host::Silent => 0,
                Host::Speaks(Language::Serprog) => serprog.receive(now, bytes),
                Host::Speaks(Language::Nfd) => {
                    let (board, page) = serprog.board_and_page();
                    nfd.receive(board, page, bytes)
                }
            }
    }

    fn transmit(&mut self, now: Moment, buffer: &mut [u8]) -> usize {
        let (serprog, nfd) = (&mut self.serprog, &mut self.nfd);
        match self.host {
            Host::Unsettled { .. } => {
                self.settle(now);
                0
            }
            Host::Silent => 0,
            Host::Speaks(Language::Serprog) => serprog.transmit(now, buffer),
            Host::Speaks(Language::Nfd) => {
                let (board, page) = serprog.board_and_page();
                nfd.transmit(board, page, buffer)
            }
        }
    }

    fn wake_up(&self) -> Option<Moment> {
        match self.host {
            Host::Unsettled { heard } => Some(heard.plus_millis(SILENCE_MS)),
            Host::Silent => None,
            Host::Speaks(Language::Serprog) => self.serprog.wake_up(),
            Host::Speaks(Language::Nfd) => self.nfd.is_working().then(|| self.board().now()),
        }
    }

    fn reset(&mut self, now: Moment) {
        self.serprog.reset(now);
        self.nfd.reset();
        self.board_mut().set_outputs(false);
        self.host = Host::Unsettled { heard: now };
    }
}
