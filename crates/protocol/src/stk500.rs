//! STK500, version 1: what the bootloaders of Arduino boards speak.
//!
//! The ruling document is Atmel's application note AVR061, "STK500 Communication Protocol"
//! (2525B-AVR-04/03); its chapters have names and no numbers. Atmel wrote it for a programmer on a
//! desk, and the bootloaders answer to the part of it that avrdude needs: the second source of every
//! number here is the header `stk500.h` of optiboot 4.4 and the source of ATmegaBOOT (2005 to 2009),
//! both in Debian's `arduino-core-avr` 1.8.7.
//!
//! A command is a code, its arguments and [`SYNC_CRC_EOP`]; an answer is [`Response::InSync`], what
//! was asked for, and [`Response::Ok`]. Nothing has a checksum. The line is 8N1.
//!
//! Deliberately not here: version 2 (AVR068), which larger Arduino boards speak, and the fuses and
//! lock bits of version 1, which no bootloader can reach.

mod command;
mod frame;

pub use command::{Command, UnknownCommand};
pub use frame::{Frame, MAX_BLOCK_BYTES};

/// Ends every command. AVR061, "Response Definitions": Resp_STK_INSYNC is sent after it; its value
/// is that of `CRC_EOP` in optiboot's `stk500.h`.
#[doc(alias = "0x20")]
pub const SYNC_CRC_EOP: u8 = 0x20;

/// Line speed of optiboot, in bits per second: the loader of the Uno, and of the Nano since 2018.
/// `boards.txt` of Arduino's AVR boards 1.8.7, `uno.upload.speed`.
pub const OPTIBOOT_BAUD: u32 = 115_200;
/// Line speed of ATmegaBOOT on an ATmega328P at 16 MHz, in bits per second: the loader of Nanos
/// before 2018 and of most copies. `boards.txt`, `nano.menu.cpu.atmega328old.upload.speed`.
pub const ATMEGABOOT_BAUD: u32 = 57_600;

/// Bytes of the signature that [`Command::ReadSign`] is answered with. AVR061, "Read Signature
/// Bytes".
pub const SIGNATURE_BYTES: usize = 3;

/// What a programmer calls itself in its answer to [`Command::GetSignOn`]: AVR061, "Check if
/// Starterkit Present". Bootloaders say `AVR ISP`, as Atmel's AVRISP does.
pub const SIGN_ON: &[u8; 7] = b"AVR STK";

/// A byte of an answer that is not data. AVR061, "Response Definitions"; the values from `stk500.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Response {
    /// Ends the answer to a command that was carried out.
    #[doc(alias = "0x10")]
    Ok = 0x10,
    /// Ends the answer to a command that failed.
    #[doc(alias = "0x11")]
    Failed = 0x11,
    /// The whole answer to a command that nobody knows.
    #[doc(alias = "0x12")]
    Unknown = 0x12,
    /// Programming was to begin before the device was set.
    #[doc(alias = "0x13")]
    NoDevice = 0x13,
    /// Begins every answer: the command and what ends it were received.
    #[doc(alias = "0x14")]
    InSync = 0x14,
    /// The whole answer to a command without its end.
    #[doc(alias = "0x15")]
    NoSync = 0x15,
}

impl Response {
    /// The byte on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The response that a byte is, if it is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x10 => Self::Ok,
            0x11 => Self::Failed,
            0x12 => Self::Unknown,
            0x13 => Self::NoDevice,
            0x14 => Self::InSync,
            0x15 => Self::NoSync,
            _ => return None,
        })
    }
}

/// A parameter that [`Command::GetParameter`] asks for. AVR061, "Parameters"; bootloaders know
/// these, as ATmegaBOOT's source has their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Parameter {
    /// Version of the hardware.
    #[doc(alias = "0x80")]
    HardwareVersion = 0x80,
    /// Version of the software, before the point.
    #[doc(alias = "0x81")]
    SoftwareMajor = 0x81,
    /// Version of the software, behind the point.
    #[doc(alias = "0x82")]
    SoftwareMinor = 0x82,
}

impl Parameter {
    /// The byte on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The parameter of a byte; `None` for those that bootloaders give no meaning.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x80 => Self::HardwareVersion,
            0x81 => Self::SoftwareMajor,
            0x82 => Self::SoftwareMinor,
            _ => return None,
        })
    }
}

/// Which memory a block goes to or comes from: AVR061, "Program Page", field memtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Memory {
    /// The program's: addresses count words of two bytes, data is low byte first.
    Flash = b'F',
    /// The other one: addresses count bytes.
    Eeprom = b'E',
}

impl Memory {
    /// The byte on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }
}
