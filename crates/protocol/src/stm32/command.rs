//! The command codes and the set that a loader lists.

use super::complement;

/// A command of the loader. AN3155, section 3, table 2; those called No-Stretch are for I2C only:
/// AN4221 revision 14, section 2, table 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Command {
    /// Version of the protocol and the commands supported. Section 3.1.
    #[doc(alias = "0x00")]
    Get = 0x00,
    /// Version of the protocol and, on old loaders, read protection status. Section 3.2.
    #[doc(alias = "0x01")]
    GetVersion = 0x01,
    /// The chip's product id. Section 3.3.
    #[doc(alias = "0x02")]
    GetId = 0x02,
    /// Up to 256 bytes from any address the loader allows. Section 3.4.
    #[doc(alias = "0x11")]
    ReadMemory = 0x11,
    /// Jump to the application whose vector table stands at an address. Section 3.5.
    #[doc(alias = "0x21")]
    Go = 0x21,
    /// Up to 256 bytes to flash, RAM or option bytes. Section 3.6.
    #[doc(alias = "0x31")]
    WriteMemory = 0x31,
    /// Erase pages numbered by one byte; loaders before version 3. Section 3.7.
    #[doc(alias = "0x43")]
    Erase = 0x43,
    /// Erase pages numbered by two bytes; loaders from version 3 on. Section 3.8.
    #[doc(alias = "0x44")]
    ExtendedErase = 0x44,
    /// Protect sectors against writing, then reset. Section 3.9.
    #[doc(alias = "0x63")]
    WriteProtect = 0x63,
    /// Remove the write protection of all sectors, then reset. Section 3.10.
    #[doc(alias = "0x73")]
    WriteUnprotect = 0x73,
    /// Protect the flash against reading, then reset. Section 3.11.
    #[doc(alias = "0x82")]
    ReadoutProtect = 0x82,
    /// Remove the read protection, which erases the whole flash, then reset. Section 3.12.
    #[doc(alias = "0x92")]
    ReadoutUnprotect = 0x92,
    /// CRC of a memory range, computed by the loader; protocol version 3.3. Section 3.13.
    #[doc(alias = "0xA1")]
    GetChecksum = 0xA1,
    /// Command of one family, with a payload. Section 3.14.
    #[doc(alias = "0x50")]
    Special = 0x50,
    /// Command of one family, with two payloads. Section 3.15.
    #[doc(alias = "0x51")]
    ExtendedSpecial = 0x51,
    /// Write Memory that answers [`BUSY`](super::BUSY) while it programs. AN4221, section 2.12.
    #[doc(alias = "0x32")]
    NoStretchWriteMemory = 0x32,
    /// Extended Erase that answers [`BUSY`](super::BUSY) while it erases. AN4221, section 2.13.
    #[doc(alias = "0x45")]
    NoStretchErase = 0x45,
    /// Write Protect that answers [`BUSY`](super::BUSY) while it works. AN4221, section 2.16.
    #[doc(alias = "0x64")]
    NoStretchWriteProtect = 0x64,
    /// Write Unprotect that answers [`BUSY`](super::BUSY) while it works. AN4221, section 2.17.
    #[doc(alias = "0x74")]
    NoStretchWriteUnprotect = 0x74,
    /// Readout Protect that answers [`BUSY`](super::BUSY) while it works. AN4221, section 2.18.
    #[doc(alias = "0x83")]
    NoStretchReadoutProtect = 0x83,
    /// Readout Unprotect that answers [`BUSY`](super::BUSY) while it erases. AN4221, section 2.19.
    #[doc(alias = "0x93")]
    NoStretchReadoutUnprotect = 0x93,
}

/// A command code that neither AN3155 nor AN4221 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCommand(pub u8);

impl Command {
    /// Every command, in the order of their codes.
    pub const ALL: [Self; 21] = [
        Self::Get,
        Self::GetVersion,
        Self::GetId,
        Self::ReadMemory,
        Self::Go,
        Self::WriteMemory,
        Self::NoStretchWriteMemory,
        Self::Erase,
        Self::ExtendedErase,
        Self::NoStretchErase,
        Self::Special,
        Self::ExtendedSpecial,
        Self::WriteProtect,
        Self::NoStretchWriteProtect,
        Self::WriteUnprotect,
        Self::NoStretchWriteUnprotect,
        Self::ReadoutProtect,
        Self::NoStretchReadoutProtect,
        Self::ReadoutUnprotect,
        Self::NoStretchReadoutUnprotect,
        Self::GetChecksum,
    ];

    /// The command's code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The two bytes that start the command: code and complement.
    pub const fn opcode(self) -> [u8; 2] {
        [self as u8, complement(self as u8)]
    }

    /// The document's name of the command.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "Get",
            Self::GetVersion => "Get Version",
            Self::GetId => "Get ID",
            Self::ReadMemory => "Read Memory",
            Self::Go => "Go",
            Self::WriteMemory => "Write Memory",
            Self::Erase => "Erase",
            Self::ExtendedErase => "Extended Erase",
            Self::Special => "Special",
            Self::ExtendedSpecial => "Extended Special",
            Self::NoStretchWriteMemory => "No-Stretch Write Memory",
            Self::NoStretchErase => "No-Stretch Erase",
            Self::NoStretchWriteProtect => "No-Stretch Write Protect",
            Self::NoStretchWriteUnprotect => "No-Stretch Write Unprotect",
            Self::NoStretchReadoutProtect => "No-Stretch Readout Protect",
            Self::NoStretchReadoutUnprotect => "No-Stretch Readout Unprotect",
            Self::WriteProtect => "Write Protect",
            Self::WriteUnprotect => "Write Unprotect",
            Self::ReadoutProtect => "Readout Protect",
            Self::ReadoutUnprotect => "Readout Unprotect",
            Self::GetChecksum => "Get Checksum",
        }
    }

    /// The command that does the same on I2C without holding the clock meanwhile, if there is one.
    /// AN4221, section 2, table 2.
    pub const fn no_stretch(self) -> Option<Self> {
        match self {
            Self::WriteMemory => Some(Self::NoStretchWriteMemory),
            Self::ExtendedErase => Some(Self::NoStretchErase),
            Self::WriteProtect => Some(Self::NoStretchWriteProtect),
            Self::WriteUnprotect => Some(Self::NoStretchWriteUnprotect),
            Self::ReadoutProtect => Some(Self::NoStretchReadoutProtect),
            Self::ReadoutUnprotect => Some(Self::NoStretchReadoutUnprotect),
            _ => None,
        }
    }

    /// Whether a loader answers [`BUSY`](super::BUSY) while it does what the command asks for,
    /// instead of holding the clock. AN4221, section 2, "No-Stretch commands"; sections 2.12 to 2.20.
    pub const fn answers_busy(self) -> bool {
        matches!(
            self,
            Self::NoStretchWriteMemory
                | Self::NoStretchErase
                | Self::NoStretchWriteProtect
                | Self::NoStretchWriteUnprotect
                | Self::NoStretchReadoutProtect
                | Self::NoStretchReadoutUnprotect
                | Self::GetChecksum
        )
    }

    /// Whether a loader executes it while the flash is read protected. AN3155, section 3, table 2,
    /// note on read protection; AN4221, section 2, table 2, note 2.
    pub const fn works_under_read_protection(self) -> bool {
        matches!(
            self,
            Self::Get
                | Self::GetVersion
                | Self::GetId
                | Self::ReadoutUnprotect
                | Self::NoStretchReadoutUnprotect
        )
    }
}

impl TryFrom<u8> for Command {
    type Error = UnknownCommand;

    fn try_from(code: u8) -> Result<Self, UnknownCommand> {
        Self::ALL
            .into_iter()
            .find(|command| command.code() == code)
            .ok_or(UnknownCommand(code))
    }
}

impl core::fmt::Display for Command {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} (0x{:02X})", self.name(), self.code())
    }
}

/// The commands that a loader lists in its answer to Get: a set over all 256 codes, so that codes
/// unknown here are kept too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandSet([u32; 8]);

impl CommandSet {
    /// No command.
    pub const fn new() -> Self {
        Self([0; 8])
    }

    /// Adds a code.
    pub fn insert(&mut self, code: u8) {
        self.0[usize::from(code / 32)] |= 1 << (code % 32);
    }

    /// Whether the loader lists the command.
    pub const fn contains(&self, command: Command) -> bool {
        self.contains_code(command.code())
    }

    /// Whether the loader lists the code.
    pub const fn contains_code(&self, code: u8) -> bool {
        self.0[(code / 32) as usize] & (1 << (code % 32)) != 0
    }

    /// The codes in the set, in order.
    pub fn codes(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|&code| self.contains_code(code))
    }
}

impl FromIterator<u8> for CommandSet {
    fn from_iter<I: IntoIterator<Item = u8>>(codes: I) -> Self {
        let mut set = Self::new();
        for code in codes {
            set.insert(code);
        }
        set
    }
}
