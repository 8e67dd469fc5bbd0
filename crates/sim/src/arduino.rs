//! Arduino boards with an ATmega328P: their flash, their bootloader, and the line of the serial port
//! that resets them.
//!
//! The loaders are written from the sources of optiboot 4.4 and ATmegaBOOT, and the flash from the
//! ATmega328P's data sheet (DS40002061B); nothing is executed. What the application's flash holds is
//! kept and not looked at: a board with anything there behaves, once its loader has gone, as our
//! programmer with an empty socket, or is silent. How much a loader's receiver holds while the
//! loader is at something else, and how long each thing takes, is the silicon's.

mod flash;
mod loader;
mod models;
mod state;

use std::collections::VecDeque;
use std::time::Duration;

use flashwire_link::{Instant, Settings};
use flashwire_protocol::stk500::SIGNATURE_BYTES;

pub(crate) use flash::FLASH_BYTES;
pub use flash::Flash;
use loader::{Loader, Turn};
pub use models::{Kind, MODELS, Model, find};
pub use state::StateSyntax;
pub(crate) use state::check as check_state;

use crate::nor;
use crate::programmer::{self, Programmer};
use crate::wire::{FarEnd, Format, Heard, Lines, Listening};
use crate::{Complaint, ComplaintKind};

/// Characters that wait where nobody takes them: two in the receive buffer and one in the shift
/// register. Data sheet, "USART0", "Data OverRun Flag".
const WAITING_BYTES: usize = 3;

/// Characters that the transmitter takes before the program has to wait: one in the shift register
/// and one in the buffer. Data sheet, "USART0", "Data Transmission".
const SENDING_BYTES: u32 = 2;

/// A board at the far end of a wire.
pub struct Board {
    model: &'static Model,
    signature: [u8; SIGNATURE_BYTES],
    flash: Flash,
    /// The program that answers; `None` while the application runs.
    loader: Option<Loader>,
    /// Whether the loader waits for the watchdog and listens to nobody.
    hung: bool,
    /// When the loader gives up, if nothing comes.
    gives_up_at: Instant,
    waiting: VecDeque<Heard>,
    /// Until when the loader is at something else.
    busy_until: Instant,
    /// What it will have done and will say then.
    then: Option<Turn>,
    /// When the transmitter has sent everything.
    sent_by: Instant,
    now: Instant,
    dtr: Option<bool>,
    /// The speed of the programmer that the application is, in baud; `None` for a silent one.
    application_baud: Option<u32>,
    /// The application, while it runs and says something.
    application: Option<Box<Programmer>>,
    /// How many of its complaints are among the board's.
    passed_on: usize,
    complaints: Vec<Complaint>,
}

impl Board {
    /// A board of this model with this flash, under power; its application runs, for loaders let
    /// only the reset line in.
    pub fn new(model: &'static Model, flash: Flash) -> Self {
        Self {
            model,
            signature: models::ATMEGA328P,
            flash,
            loader: None,
            hung: false,
            gives_up_at: Instant::default(),
            waiting: VecDeque::new(),
            busy_until: Instant::default(),
            then: None,
            sent_by: Instant::default(),
            now: Instant::default(),
            dtr: None,
            application_baud: None,
            application: None,
            passed_on: 0,
            complaints: Vec::new(),
        }
    }

    /// The loader says that it is on another chip.
    pub fn set_signature(&mut self, signature: [u8; SIGNATURE_BYTES]) {
        self.signature = signature;
    }

    /// The application is our programmer, built for this speed in baud; `None` is a silent one, as of
    /// a new board.
    pub fn set_application(&mut self, baud: Option<u32>) {
        self.application_baud = baud;
    }

    /// Which board it is.
    pub fn model(&self) -> &'static Model {
        self.model
    }

    /// Whether the application runs, and not the loader.
    pub fn runs_application(&self) -> bool {
        self.loader.is_none()
    }

    /// The flash, to do something to.
    pub fn flash_mut(&mut self) -> &mut Flash {
        &mut self.flash
    }

    fn settings(&self) -> Settings {
        Settings::plain(self.model.kind.baud())
    }

    fn complain(&mut self, kind: ComplaintKind, detail: String) {
        self.complaints.push(Complaint {
            at: self.now,
            kind,
            detail,
        });
    }

    /// The reset line went low.
    fn reset(&mut self, now: Instant) {
        self.now = now;
        if let Some(page) = self.flash.interrupt() {
            self.complain(
                ComplaintKind::Interrupted,
                format!("a reset while the page at {page:#06x} was erased and not yet written"),
            );
        }
        self.waiting.clear();
        self.then = None;
        self.hung = false;
        self.application = None;
        self.loader = Some(Loader::new(self.model.kind, self.signature));
        self.busy_until = now + self.model.kind.blinks_for();
        self.gives_up_at = self.busy_until + self.model.kind.patience();
    }

    /// The loader has gone.
    fn start_application(&mut self) {
        if let Some(page) = self.flash.interrupt() {
            self.complain(
                ComplaintKind::Interrupted,
                format!("the application began while the page at {page:#06x} was erased"),
            );
        }
        self.loader = None;
        self.waiting.clear();
        self.then = None;
        self.application = match self.application_baud {
            Some(baud) if !self.flash.is_blank() => Some(Box::new(application(baud))),
            _ => None,
        };
        self.passed_on = 0;
        if let Some(application) = &mut self.application {
            application.connected(self.now);
        }
    }

    /// Does what a command makes the loader do at once, and keeps the rest.
    fn take_turn(&mut self, turn: Turn, sent: &mut Vec<u8>) {
        let character = self.settings().wire_time(1);
        if !turn.says.is_empty() {
            let line = self.settings().wire_time(turn.says.len());
            self.sent_by = self.sent_by.max(self.now) + line;
            sent.extend(&turn.says);
            let taken = self.sent_by.since_open();
            let free = taken.saturating_sub(character * SENDING_BYTES);
            self.busy_until = self.busy_until.max(Instant::from_open(free));
        }
        for (kind, detail) in turn.complaints {
            self.complain(kind, detail);
        }
        if turn.takes > Duration::ZERO {
            self.busy_until = self.busy_until.max(self.now) + turn.takes;
        }
        if turn.hangs {
            self.hung = true;
        }
        if let Some(patience) = turn.gives_up_after {
            self.gives_up_at = self.now + patience;
        }
        self.then = turn.then.map(|then| *then);
        if turn.starts_application {
            self.start_application();
        }
    }
}

/// Our programmer without a chip.
fn application(baud: u32) -> Programmer {
    /// What is not in its socket.
    const CHIP: &str = "w25q80bv";
    let (model, part) =
        programmer::find(&format!("uno+{CHIP}")).expect("a programmer and a chip of the bench");
    let mut chip = nor::Chip::new(part, nor::Options::default());
    chip.set_connected(Instant::default(), false);
    let options = programmer::Options {
        baud,
        boot: Duration::ZERO,
        ..programmer::Options::default()
    };
    Programmer::new(model, chip, &options)
}

impl FarEnd for Board {
    fn listening(&self) -> Listening {
        match (&self.loader, &self.application) {
            (Some(_), _) => Listening::As(Format::Uart(self.settings())),
            (None, Some(application)) => application.listening(),
            (None, None) => Listening::Deaf,
        }
    }

    fn receive(&mut self, now: Instant, heard: Heard) {
        self.now = now;
        if let Some(application) = &mut self.application {
            return application.receive(now, heard);
        }
        if self.loader.is_none() || self.hung {
            return;
        }
        if !heard.stop_seen {
            let detail = "a character without a stop bit".to_owned();
            self.complain(ComplaintKind::LineNoise, detail);
        }
        if self.waiting.len() == WAITING_BYTES {
            // What stands in the shift register is overwritten.
            self.waiting.pop_back();
            let detail = format!("byte {:#04X} found the receiver full", heard.byte);
            self.complain(ComplaintKind::Overrun, detail);
        }
        self.waiting.push_back(heard);
    }

    fn connected(&mut self, now: Instant) {
        self.reset(now);
    }

    fn lines(&mut self, now: Instant, lines: Lines) {
        // A capacitor between the two: the edge resets, not the level. The port that is there when
        // power comes has just been opened.
        let asserted = lines.dtr == Some(true) && self.dtr != Some(true);
        self.dtr = lines.dtr;
        if asserted {
            self.reset(now);
        }
    }

    fn advance(&mut self, now: Instant, sent: &mut Vec<u8>) {
        self.now = now;
        while let Some(loader) = &mut self.loader {
            if self.busy_until <= now {
                if let Some(then) = self.then.take() {
                    self.flash.finish();
                    self.take_turn(then, sent);
                    continue;
                }
                if !self.hung
                    && let Some(heard) = self.waiting.pop_front()
                {
                    let turn = loader.feed(heard, now, &mut self.flash);
                    self.take_turn(turn, sent);
                    continue;
                }
                if self.gives_up_at <= now {
                    self.start_application();
                }
            }
            break;
        }
        if let Some(application) = &mut self.application {
            application.advance(now, sent);
            let more = &application.complaints()[self.passed_on..];
            self.complaints.extend_from_slice(more);
            self.passed_on += more.len();
        }
    }

    fn wake_up(&self) -> Option<Instant> {
        if let Some(application) = &self.application {
            return application.wake_up();
        }
        self.loader.as_ref()?;
        let is_due = self.then.is_some() || !self.waiting.is_empty() && !self.hung;
        let next = match is_due {
            true => self.busy_until,
            false => self.gives_up_at.max(self.busy_until),
        };
        Some(next).filter(|at| *at > self.now)
    }

    fn complaints(&self) -> &[Complaint] {
        &self.complaints
    }

    fn flash(&self) -> &[u8] {
        self.flash.bytes()
    }

    fn state(&self) -> String {
        state::write(self.model)
    }
}
