//! What optiboot and ATmegaBOOT do with each byte, as their sources have it.

use std::time::Duration;

use flashwire_link::Instant;
use flashwire_protocol::stk500::{
    Command, MAX_BLOCK_BYTES, Memory, Parameter, Response, SIGNATURE_BYTES, SYNC_CRC_EOP,
};

use super::flash::{FLASH_BYTES, PAGE_BYTES};
use super::{Flash, Kind};
use crate::ComplaintKind;
use crate::wire::Heard;

/// What optiboot's watchdog is set to when the application is to start: `WATCHDOG_16MS`.
const LEAVING_TIME: Duration = Duration::from_millis(16);

/// After so many things that it does not understand ATmegaBOOT starts the application:
/// `MAX_ERROR_COUNT`.
const MOST_ERRORS: u32 = 5;

/// What optiboot answers to parameters that it does not know.
const OPTIBOOT_PARAMETER: u8 = 0x03;

/// Versions: `OPTIBOOT_MAJVER`, `OPTIBOOT_MINVER`; `HW_VER`, `SW_MAJOR`, `SW_MINOR`.
const OPTIBOOT_VERSION: (u8, u8) = (4, 4);
const ATMEGABOOT_VERSION: (u8, u8, u8) = (2, 1, 0x10);

/// What ATmegaBOOT calls itself.
const ATMEGABOOT_SIGN_ON: &[u8] = b"AVR ISP";

/// What a byte makes a loader do.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// What it says at once.
    pub(super) says: Vec<u8>,
    /// How long it is at something after that.
    pub(super) takes: Duration,
    /// What it does when that is over.
    pub(super) then: Option<Box<Turn>>,
    /// Whether it waits for the watchdog and does nothing any more.
    pub(super) hangs: bool,
    /// How long it waits for the next byte; `None` leaves that as it is.
    pub(super) gives_up_after: Option<Duration>,
    /// Whether it jumps to the application.
    pub(super) starts_application: bool,
    /// What it holds against the host.
    pub(super) complaints: Vec<(ComplaintKind, String)>,
}

impl Turn {
    fn complain(&mut self, kind: ComplaintKind, detail: impl Into<String>) {
        self.complaints.push((kind, detail.into()));
    }
}

/// What a loader expects next.
#[derive(Debug)]
enum Expects {
    Command,
    /// So many more bytes of arguments.
    Arguments(usize),
    /// So many more bytes of a block.
    Data(usize),
    End,
}

/// A loader that runs.
#[derive(Debug)]
pub(super) struct Loader {
    kind: Kind,
    signature: [u8; SIGNATURE_BYTES],
    expects: Expects,
    /// The byte that began the command.
    code: u8,
    arguments: Vec<u8>,
    data: Vec<u8>,
    /// Where the next block is, in bytes.
    address: usize,
    errors: u32,
    /// Optiboot's watchdog.
    patience: Duration,
}

impl Loader {
    pub(super) fn new(kind: Kind, signature: [u8; SIGNATURE_BYTES]) -> Self {
        Self {
            kind,
            signature,
            expects: Expects::Command,
            code: 0,
            arguments: Vec::new(),
            data: Vec::new(),
            address: 0,
            errors: 0,
            patience: kind.patience(),
        }
    }

    /// Takes a byte.
    pub(super) fn feed(&mut self, heard: Heard, now: Instant, flash: &mut Flash) -> Turn {
        let mut turn = match self.expects {
            Expects::Command => self.begin(heard.byte),
            Expects::Arguments(left) => self.argument(heard.byte, left, now, flash),
            Expects::Data(left) => {
                self.data.push(heard.byte);
                self.expects = match left {
                    0 | 1 => Expects::End,
                    more => Expects::Data(more - 1),
                };
                Turn::default()
            }
            Expects::End => self.end(heard.byte, now, flash),
        };
        // Optiboot takes a character without a stop bit for one that is meant for the application.
        let counts = heard.stop_seen || self.kind == Kind::AtmegaBoot;
        if counts && turn.gives_up_after.is_none() {
            turn.gives_up_after = Some(turn.takes + self.patience);
        }
        turn
    }

    fn begin(&mut self, code: u8) -> Turn {
        self.code = code;
        self.arguments.clear();
        self.data.clear();
        let mut turn = Turn::default();
        let known = Command::try_from(code).ok();
        let count = match (self.kind, known) {
            (_, None) => {
                turn.complain(
                    ComplaintKind::Unsupported,
                    format!("{code:#04x} is no command"),
                );
                if self.kind == Kind::AtmegaBoot {
                    self.count_error(&mut turn);
                    return turn;
                }
                0
            }
            // Not among those that optiboot knows: no arguments, an end.
            (Kind::Optiboot, Some(Command::SetParameter)) => 0,
            // The second of two arguments is taken after it has seen the first.
            (Kind::AtmegaBoot, Some(Command::SetParameter)) => 1,
            (_, Some(command)) => command.argument_bytes(),
        };
        self.expects = match count {
            0 => Expects::End,
            count => Expects::Arguments(count),
        };
        if self.kind == Kind::Optiboot && known == Some(Command::LeaveProgMode) {
            self.patience = LEAVING_TIME;
        }
        turn
    }

    fn argument(&mut self, byte: u8, left: usize, now: Instant, flash: &mut Flash) -> Turn {
        /// Above this ATmegaBOOT takes a value behind the number of a parameter.
        const LAST_WITHOUT_VALUE: u8 = 0x85;
        let mut turn = Turn::default();
        self.arguments.push(byte);
        let is_set = self.command() == Some(Command::SetParameter);
        let has_value = is_set && self.arguments.len() == 1 && byte > LAST_WITHOUT_VALUE;
        self.expects = match left + usize::from(has_value) - 1 {
            0 => Expects::End,
            more => Expects::Arguments(more),
        };
        let is_last = matches!(self.expects, Expects::End);
        if is_last && self.command() == Some(Command::ProgPage) {
            self.expects = match self.block_bytes() {
                0 => Expects::End,
                bytes => Expects::Data(bytes),
            };
            self.check_block(flash, &mut turn);
            let erases_now = self.kind == Kind::Optiboot;
            if erases_now && Flash::reads_while_writing(self.address) {
                flash.erase(self.address, now);
            }
        }
        turn
    }

    fn end(&mut self, byte: u8, now: Instant, flash: &mut Flash) -> Turn {
        self.expects = Expects::Command;
        let mut turn = Turn::default();
        if byte != SYNC_CRC_EOP {
            turn.complain(
                ComplaintKind::Malformed,
                format!("{byte:#04x} instead of the end of {:#04x}", self.code),
            );
            match self.kind {
                Kind::Optiboot => {
                    turn.hangs = true;
                    turn.gives_up_after = Some(LEAVING_TIME);
                }
                // It forgets a Read Page without counting it.
                Kind::AtmegaBoot if self.command() == Some(Command::ReadPage) => {}
                Kind::AtmegaBoot => self.count_error(&mut turn),
            }
            return turn;
        }
        turn.says.push(Response::InSync.code());
        match self.command() {
            Some(Command::ProgPage) => return self.program(turn, now, flash),
            Some(Command::ReadPage) => self.read(&mut turn, flash),
            Some(Command::LoadAddress) => {
                let [low, high] = [self.arguments[0], self.arguments[1]];
                self.address = usize::from(u16::from_le_bytes([low, high])) * 2;
            }
            Some(Command::ReadSign) => turn.says.extend(self.signature),
            Some(Command::GetParameter) => turn.says.push(self.parameter()),
            Some(Command::Universal) => turn.says.push(self.universal()),
            Some(Command::GetSignOn) if self.kind == Kind::AtmegaBoot => {
                turn.says.extend(ATMEGABOOT_SIGN_ON);
            }
            _ => {}
        }
        turn.says.push(Response::Ok.code());
        turn
    }

    /// What is wrong with a block that is to be programmed.
    fn check_block(&self, flash: &Flash, turn: &mut Turn) {
        let Self {
            address, arguments, ..
        } = self;
        if arguments[2] != Memory::Flash.code() {
            let detail = format!("memory {:#04x} is not kept on this bench", arguments[2]);
            turn.complain(ComplaintKind::Unsupported, detail);
        }
        if *address >= FLASH_BYTES {
            let detail = format!("a page at {address:#07x} is beyond the flash");
            turn.complain(ComplaintKind::OutOfRange, detail);
        } else if flash.is_locked(*address) {
            let detail = format!("a page at {address:#06x} is in the bootloader");
            turn.complain(ComplaintKind::Reserved, detail);
        }
        if self.block_bytes() > MAX_BLOCK_BYTES {
            let detail = format!("a block of {} bytes has no room", self.block_bytes());
            turn.complain(ComplaintKind::Limit, detail);
        }
        let is_whole = match self.kind {
            Kind::Optiboot => self.block_bytes() == PAGE_BYTES,
            Kind::AtmegaBoot => self.block_bytes().is_multiple_of(PAGE_BYTES),
        };
        if !is_whole || !address.is_multiple_of(PAGE_BYTES) {
            let bytes = self.block_bytes();
            let detail = format!("{bytes} bytes at {address:#06x} are no whole page");
            turn.complain(ComplaintKind::Misaligned, detail);
        }
    }

    fn program(&mut self, mut turn: Turn, now: Instant, flash: &mut Flash) -> Turn {
        let is_flash = self.arguments[2] == Memory::Flash.code();
        let done = Some(Box::new(Turn {
            says: vec![Response::Ok.code()],
            ..Turn::default()
        }));
        match self.kind {
            // It looks at neither memory nor length, and writes the buffer as it is.
            Kind::Optiboot => {
                turn.takes = flash.write(self.address, page(&self.data), now);
                turn.then = done;
            }
            Kind::AtmegaBoot if is_flash => {
                let pages: Vec<_> = self.data.chunks(PAGE_BYTES).map(page).collect();
                // It has said nothing yet: both bytes come when all is done.
                let mut after = done;
                if let Some(after) = &mut after {
                    after.says.insert(0, Response::InSync.code());
                }
                turn.says.clear();
                for (n, content) in pages.into_iter().enumerate() {
                    flash.finish();
                    turn.takes += flash.write(self.address + n * PAGE_BYTES, content, now);
                }
                turn.then = after;
                self.address += self.data.len();
            }
            Kind::AtmegaBoot => turn.says.push(Response::Ok.code()),
        }
        turn
    }

    fn read(&mut self, turn: &mut Turn, flash: &Flash) {
        let bytes = self.block_bytes();
        if self.address + bytes > FLASH_BYTES {
            let detail = format!(
                "{bytes} bytes at {:#06x} end beyond the flash",
                self.address
            );
            turn.complain(ComplaintKind::OutOfRange, detail);
        }
        let content = flash
            .bytes()
            .iter()
            .cycle()
            .skip(self.address % FLASH_BYTES);
        turn.says.extend(content.take(bytes));
        self.address += bytes;
    }

    fn parameter(&self) -> u8 {
        /// Something that AVR Studio 3.56 asks ATmegaBOOT for, and what it gets.
        const STUDIO: (u8, u8) = (0x98, 0x03);
        let parameter = Parameter::from_code(self.arguments[0]);
        match (self.kind, parameter) {
            (Kind::Optiboot, Some(Parameter::SoftwareMajor)) => OPTIBOOT_VERSION.0,
            (Kind::Optiboot, Some(Parameter::SoftwareMinor)) => OPTIBOOT_VERSION.1,
            (Kind::Optiboot, _) => OPTIBOOT_PARAMETER,
            (Kind::AtmegaBoot, Some(Parameter::HardwareVersion)) => ATMEGABOOT_VERSION.0,
            (Kind::AtmegaBoot, Some(Parameter::SoftwareMajor)) => ATMEGABOOT_VERSION.1,
            (Kind::AtmegaBoot, Some(Parameter::SoftwareMinor)) => ATMEGABOOT_VERSION.2,
            (Kind::AtmegaBoot, None) if self.arguments[0] == STUDIO.0 => STUDIO.1,
            (Kind::AtmegaBoot, None) => 0,
        }
    }

    /// Of the chip's own programming instructions ATmegaBOOT knows the one that reads the signature,
    /// optiboot none.
    fn universal(&self) -> u8 {
        /// Read Signature Byte. Data sheet, "Memory Programming", "Serial Programming Instruction Set".
        const READ_SIGNATURE: u8 = 0x30;
        let index = usize::from(self.arguments[2]).min(self.signature.len() - 1);
        match self.kind {
            Kind::AtmegaBoot if self.arguments[0] == READ_SIGNATURE => self.signature[index],
            _ => 0,
        }
    }

    /// How long the block is that the arguments tell of. Optiboot looks at the low byte alone, and
    /// counts down from it.
    fn block_bytes(&self) -> usize {
        let [high, low] = [self.arguments[0], self.arguments[1]];
        match self.kind {
            Kind::Optiboot if low == 0 => MAX_BLOCK_BYTES,
            Kind::Optiboot => low.into(),
            Kind::AtmegaBoot => u16::from_be_bytes([high, low]).into(),
        }
    }

    fn command(&self) -> Option<Command> {
        Command::try_from(self.code).ok()
    }

    fn count_error(&mut self, turn: &mut Turn) {
        self.expects = Expects::Command;
        self.errors += 1;
        turn.starts_application = self.errors == MOST_ERRORS;
    }
}

/// A page whose first bytes are these.
fn page(data: &[u8]) -> [u8; PAGE_BYTES] {
    let mut page = [0xFF; PAGE_BYTES];
    let bytes = data.len().min(PAGE_BYTES);
    page[..bytes].copy_from_slice(&data[..bytes]);
    page
}
