//! The loader as one talks to it: one method for each command.

use flashwire_link::Link;
use flashwire_link::reset::Sequence;
use flashwire_protocol::stk500::{Command, Frame, Memory, Parameter, SIGNATURE_BYTES};

use super::greet::{Greeter, auto_reset};
use super::talk::Talk;
use super::{Error, PAGE_BYTES, Part, Signature};

/// How to talk to a board.
#[derive(Clone, Debug)]
pub struct Options {
    /// Line speed, in bits per second; `None` tries those that the loaders have.
    pub baud: Option<u32>,
    /// How the board is reset into its loader; no steps touch no line.
    pub reset: Sequence,
    /// How often what failed in passing is tried again.
    pub retries: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            baud: None,
            reset: auto_reset(),
            retries: 3,
        }
    }
}

/// Which program answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loader {
    /// optiboot, which has its version for an answer from 4.4 on; before, all its parameters are 3.
    Optiboot {
        /// Before the point.
        major: u8,
        /// Behind the point.
        minor: u8,
    },
    /// ATmegaBOOT, the older one.
    AtmegaBoot,
    /// Another one.
    Other {
        /// Before the point.
        major: u8,
        /// Behind the point.
        minor: u8,
    },
}

impl std::fmt::Display for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Optiboot { major: 3, minor: 3 } => f.write_str("optiboot before 4.4"),
            Self::Optiboot { major, minor } => write!(f, "optiboot {major}.{minor}"),
            Self::AtmegaBoot => f.write_str("ATmegaBOOT"),
            Self::Other { major, minor } => write!(f, "an STK500 bootloader {major}.{minor}"),
        }
    }
}

impl Loader {
    /// Reads a version. Optiboot 4.4 to 8 answer with it, those before with 3 whatever is asked;
    /// ATmegaBOOT says 1.16 (`SW_MAJOR`, `SW_MINOR`).
    fn of(major: u8, minor: u8) -> Self {
        match (major, minor) {
            (1, 0x10) => Self::AtmegaBoot,
            (3, 3) | (4..=8, _) => Self::Optiboot { major, minor },
            _ => Self::Other { major, minor },
        }
    }
}

/// What the sketch ArduinoISP says for its version: 1.18 (`SWMAJ`, `SWMIN` of the example sketch).
const ARDUINO_ISP: (u8, u8) = (1, 18);

/// What is known of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its chip.
    pub part: &'static Part,
    /// The program that answers.
    pub loader: Loader,
    /// The speed that it was found at, in bits per second.
    pub baud: u32,
}

/// A bootloader at the other end of a link.
///
/// It stays for a second after each command and then starts the application; all methods find the
/// way back into it by resetting the board, where the port can.
pub struct Bootloader {
    talk: Talk,
    identity: Identity,
}

impl Bootloader {
    /// Resets the board, finds its loader and the speed of it, and asks what chip it is on.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] and [`Error::WrongAnswer`] if there is no loader; [`Error::OtherPart`]
    /// and [`Error::Isp`] if it is not one to write with.
    pub fn connect(mut link: Box<dyn Link>, options: Options) -> Result<Self, Error> {
        let baud = Greeter::new(&mut *link, &options.reset).find(options.baud)?;
        let mut talk = Talk {
            heard_at: Some(link.now()),
            link,
            options,
            baud,
        };
        let identity = talk.persistently(identify)?;
        Ok(Self { talk, identity })
    }

    /// What is known of the board.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The link.
    pub fn link_mut(&mut self) -> &mut dyn Link {
        &mut *self.talk.link
    }

    /// Reads flash from a byte address on that is even: Load Address and Read Page in one.
    ///
    /// # Errors
    /// [`Error::Timeout`] and [`Error::Malformed`] after all retries, [`Error::Link`].
    ///
    /// # Panics
    /// More than a page, nothing, an odd address, or one beyond 64 Ki words: the caller's defect.
    pub fn read_page(&mut self, address: u32, page: &mut [u8]) -> Result<(), Error> {
        assert!(page.len() <= PAGE_BYTES, "more than a page");
        let request = Frame::read_page(Memory::Flash, page.len()).expect("a page is a block");
        self.talk.persistently(|talk| {
            let answer = talk.at_address(address, &request, page.len())?;
            page.copy_from_slice(&answer);
            Ok(())
        })
    }

    /// Erases and programs the page at a byte address. Not verified.
    ///
    /// # Errors
    /// [`Error::BootSection`], and nothing done, for a page that the loader may be in; else as
    /// [`read_page`](Self::read_page).
    ///
    /// # Panics
    /// An address inside a page: the caller's defect.
    pub fn program_page(&mut self, address: u32, page: &[u8; PAGE_BYTES]) -> Result<(), Error> {
        let end = self.identity.part.application.end;
        if address >= end {
            return Err(Error::BootSection { address, end });
        }
        assert!(
            (address as usize).is_multiple_of(PAGE_BYTES),
            "{address:#x}"
        );
        let request = Frame::prog_page(Memory::Flash, page).expect("a page is a block");
        self.talk
            .persistently(|talk| talk.at_address(address, &request, 0).map(drop))
    }

    /// Leave Program Mode: starts the application, as the loader does by itself after a second.
    ///
    /// # Errors
    /// As [`read_page`](Self::read_page).
    pub fn leave(&mut self) -> Result<(), Error> {
        if self.talk.is_waiting() {
            let request = Frame::leave_prog_mode();
            self.talk.exchange(&request, Command::LeaveProgMode, 0)?;
        }
        self.talk.heard_at = None;
        Ok(())
    }
}

/// Asks version and signature, and begins to program.
fn identify(talk: &mut Talk) -> Result<Identity, Error> {
    let major = parameter(talk, Parameter::SoftwareMajor)?;
    let minor = parameter(talk, Parameter::SoftwareMinor)?;
    if (major, minor) == ARDUINO_ISP {
        return Err(Error::Isp);
    }
    let mut signature = ask_signature(talk)?;
    if Part::of(signature).is_none() {
        // A chip is not refused for what one garbled byte says.
        signature = ask_signature(talk)?;
    }
    let part = Part::of(signature).ok_or(Error::OtherPart { signature })?;
    talk.exchange(&Frame::enter_prog_mode(), Command::EnterProgMode, 0)?;
    Ok(Identity {
        part,
        loader: Loader::of(major, minor),
        baud: talk.baud,
    })
}

fn parameter(talk: &mut Talk, parameter: Parameter) -> Result<u8, Error> {
    let request = Frame::get_parameter(parameter);
    let answer = talk.exchange(&request, Command::GetParameter, 1)?;
    Ok(answer[0])
}

fn ask_signature(talk: &mut Talk) -> Result<Signature, Error> {
    let answer = talk.exchange(&Frame::read_sign(), Command::ReadSign, SIGNATURE_BYTES)?;
    Ok(Signature([answer[0], answer[1], answer[2]]))
}
