//! The command codes.

use super::SIGNATURE_BYTES;

/// A command, as far as bootloaders have a use for it. Codes: AVR061, "Command Definitions", each
/// under its own heading; the same in optiboot's `stk500.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Command {
    /// Does nothing: sent until it is answered. "Get Synchronization".
    #[doc(alias = "0x30")]
    GetSync = 0x30,
    /// Answered by a name. "Check if Starterkit Present".
    #[doc(alias = "0x31")]
    GetSignOn = 0x31,
    /// Sets a parameter. "Set Parameter Value".
    #[doc(alias = "0x40")]
    SetParameter = 0x40,
    /// Answered by the value of a parameter. "Get Parameter Value".
    #[doc(alias = "0x41")]
    GetParameter = 0x41,
    /// What is to be programmed, in 20 bytes. "Set Device Programming Parameters".
    #[doc(alias = "0x42")]
    SetDevice = 0x42,
    /// More of it. "Set Extended Device Programming Parameters".
    #[doc(alias = "0x45")]
    SetDeviceExt = 0x45,
    /// "Enter Program Mode".
    #[doc(alias = "0x50")]
    EnterProgMode = 0x50,
    /// Bootloaders start the application. "Leave Program Mode".
    #[doc(alias = "0x51")]
    LeaveProgMode = 0x51,
    /// Bootloaders erase nothing: they erase each page before it is programmed. "Chip Erase".
    #[doc(alias = "0x52")]
    ChipErase = 0x52,
    /// Where the next block begins, in words, low byte first. "Load Address".
    #[doc(alias = "0x55")]
    LoadAddress = 0x55,
    /// Four bytes for the target's own programming interface. "Universal Command".
    #[doc(alias = "0x56")]
    Universal = 0x56,
    /// Programs a block. "Program Page".
    #[doc(alias = "0x64")]
    ProgPage = 0x64,
    /// Answered by a block. "Read Page".
    #[doc(alias = "0x74")]
    ReadPage = 0x74,
    /// Answered by the signature. "Read Signature Bytes".
    #[doc(alias = "0x75")]
    ReadSign = 0x75,
}

/// A command code that no bootloader has a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCommand(pub u8);

impl Command {
    /// Every command, in the order of their codes.
    pub const ALL: [Self; 14] = [
        Self::GetSync,
        Self::GetSignOn,
        Self::SetParameter,
        Self::GetParameter,
        Self::SetDevice,
        Self::SetDeviceExt,
        Self::EnterProgMode,
        Self::LeaveProgMode,
        Self::ChipErase,
        Self::LoadAddress,
        Self::Universal,
        Self::ProgPage,
        Self::ReadPage,
        Self::ReadSign,
    ];

    /// The code on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// How many bytes of arguments follow the code. Of [`ProgPage`](Self::ProgPage) those before
    /// the data. [`SetDeviceExt`](Self::SetDeviceExt) begins with its own length, which is 5
    /// wherever it is sent: both bootloaders take it for that.
    pub const fn argument_bytes(self) -> usize {
        match self {
            Self::GetSync
            | Self::GetSignOn
            | Self::EnterProgMode
            | Self::LeaveProgMode
            | Self::ChipErase
            | Self::ReadSign => 0,
            Self::GetParameter => 1,
            Self::SetParameter | Self::LoadAddress => 2,
            // Length, high byte first, and memory.
            Self::ProgPage | Self::ReadPage => 3,
            Self::Universal => 4,
            Self::SetDeviceExt => 5,
            Self::SetDevice => 20,
        }
    }

    /// How many bytes of data a bootloader's answer has between its first and its last byte. Not of
    /// [`ReadPage`](Self::ReadPage), whose own length says it, nor of
    /// [`GetSignOn`](Self::GetSignOn), which not all of them have.
    pub const fn answer_bytes(self) -> usize {
        match self {
            Self::GetParameter | Self::Universal => 1,
            Self::ReadSign => SIGNATURE_BYTES,
            _ => 0,
        }
    }

    /// As AVR061 calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetSync => "Get Synchronization",
            Self::GetSignOn => "Check if Starterkit Present",
            Self::SetParameter => "Set Parameter Value",
            Self::GetParameter => "Get Parameter Value",
            Self::SetDevice => "Set Device Programming Parameters",
            Self::SetDeviceExt => "Set Extended Device Programming Parameters",
            Self::EnterProgMode => "Enter Program Mode",
            Self::LeaveProgMode => "Leave Program Mode",
            Self::ChipErase => "Chip Erase",
            Self::LoadAddress => "Load Address",
            Self::Universal => "Universal Command",
            Self::ProgPage => "Program Page",
            Self::ReadPage => "Read Page",
            Self::ReadSign => "Read Signature Bytes",
        }
    }
}

impl core::fmt::Display for Command {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<u8> for Command {
    type Error = UnknownCommand;

    fn try_from(code: u8) -> Result<Self, UnknownCommand> {
        let known = Self::ALL.into_iter().find(|command| command.code() == code);
        known.ok_or(UnknownCommand(code))
    }
}
