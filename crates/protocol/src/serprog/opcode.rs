//! Which commands there are.

/// What a command asks for, spelled as in the specification.
///
/// Section "Command list"; 0x16 to 0x18 as of flashrom 1.4. The ones that begin with `X` are this
/// project's own, see [`extension`](super::extension).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Opcode {
    /// Nothing.
    #[doc(alias = "NOP")]
    Nop = 0x00,
    /// Query the interface version.
    #[doc(alias = "Q_IFACE")]
    QIface = 0x01,
    /// Query which commands there are.
    #[doc(alias = "Q_CMDMAP")]
    QCmdMap = 0x02,
    /// Query the programmer's name.
    #[doc(alias = "Q_PGMNAME")]
    QPgmName = 0x03,
    /// Query the size of the serial buffer, in bytes.
    #[doc(alias = "Q_SERBUF")]
    QSerBuf = 0x04,
    /// Query the buses.
    #[doc(alias = "Q_BUSTYPE")]
    QBusType = 0x05,
    /// Query how many address lines a parallel chip has.
    #[doc(alias = "Q_CHIPSIZE")]
    QChipSize = 0x06,
    /// Query the size of the operation buffer, in bytes.
    #[doc(alias = "Q_OPBUF")]
    QOpBuf = 0x07,
    /// Query the longest O_WRITEN, and for SPI the most bytes that one O_SPIOP sends.
    #[doc(alias = "Q_WRNMAXLEN")]
    QWrnMaxLen = 0x08,
    /// Read a byte from a bus that is not SPI.
    #[doc(alias = "R_BYTE")]
    RByte = 0x09,
    /// Read bytes from a bus that is not SPI.
    #[doc(alias = "R_NBYTES")]
    RNBytes = 0x0A,
    /// Clear the operation buffer.
    #[doc(alias = "O_INIT")]
    OInit = 0x0B,
    /// Put a byte write into the operation buffer.
    #[doc(alias = "O_WRITEB")]
    OWriteB = 0x0C,
    /// Put a write of several bytes into the operation buffer.
    #[doc(alias = "O_WRITEN")]
    OWriteN = 0x0D,
    /// Put a delay into the operation buffer.
    #[doc(alias = "O_DELAY")]
    ODelay = 0x0E,
    /// Run and clear the operation buffer.
    #[doc(alias = "O_EXEC")]
    OExec = 0x0F,
    /// Nothing, with [an answer](super::SYNC_ANSWER) that no other command gives.
    #[doc(alias = "SYNCNOP")]
    SyncNop = 0x10,
    /// Query the longest R_NBYTES, and for SPI the most bytes that one O_SPIOP receives.
    #[doc(alias = "Q_RDNMAXLEN")]
    QRdnMaxLen = 0x11,
    /// Set the bus.
    #[doc(alias = "S_BUSTYPE")]
    SBusType = 0x12,
    /// Run one SPI transaction: select, send, receive, deselect.
    #[doc(alias = "O_SPIOP")]
    OSpiOp = 0x13,
    /// Set the SPI clock.
    #[doc(alias = "S_SPI_FREQ")]
    SSpiFreq = 0x14,
    /// Drive the pins or let them go.
    #[doc(alias = "S_PIN_STATE")]
    SPinState = 0x15,
    /// Set the chip select line.
    #[doc(alias = "S_SPI_CS")]
    SSpiCs = 0x16,
    /// Set half or full duplex.
    #[doc(alias = "S_SPI_MODE")]
    SSpiMode = 0x17,
    /// Set what chip select does between operations.
    #[doc(alias = "S_CS_MODE")]
    SCsMode = 0x18,
    /// Query whether the extensions are this project's.
    #[doc(alias = "X_QUERY")]
    XQuery = 0x80,
    /// CRC-32 of what an SPI read answers.
    #[doc(alias = "X_CRC")]
    XCrc = 0x81,
    /// How much of what an SPI read answers is blank.
    #[doc(alias = "X_BLANK")]
    XBlank = 0x82,
    /// Program a page when the chip is ready for it.
    #[doc(alias = "X_PROGRAM")]
    XProgram = 0x83,
}

impl Opcode {
    /// All of them, in order of their codes.
    pub const ALL: [Self; 29] = [
        Self::Nop,
        Self::QIface,
        Self::QCmdMap,
        Self::QPgmName,
        Self::QSerBuf,
        Self::QBusType,
        Self::QChipSize,
        Self::QOpBuf,
        Self::QWrnMaxLen,
        Self::RByte,
        Self::RNBytes,
        Self::OInit,
        Self::OWriteB,
        Self::OWriteN,
        Self::ODelay,
        Self::OExec,
        Self::SyncNop,
        Self::QRdnMaxLen,
        Self::SBusType,
        Self::OSpiOp,
        Self::SSpiFreq,
        Self::SPinState,
        Self::SSpiCs,
        Self::SSpiMode,
        Self::SCsMode,
        Self::XQuery,
        Self::XCrc,
        Self::XBlank,
        Self::XProgram,
    ];

    /// The byte that stands for it.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether it is this project's own: codes from 0x80 up.
    pub const fn is_extension(self) -> bool {
        self.code() >= Self::XQuery.code()
    }

    /// Length of the fixed fields that follow the opcode, in bytes.
    pub const fn field_bytes(self) -> u8 {
        self.lengths().0
    }

    /// Length of the answer after its [`ACK`](super::ACK) where it does not depend on the fields,
    /// in bytes; for SYNCNOP what follows its first byte.
    pub const fn answer_bytes(self) -> u8 {
        self.lengths().1
    }

    const fn lengths(self) -> (u8, u8) {
        let code = self.code();
        let index = if self.is_extension() {
            code - Self::XQuery.code() + Self::SCsMode.code() + 1
        } else {
            code
        };
        if (index as usize) < LENGTHS.len() {
            LENGTHS[index as usize]
        } else {
            (0, 0)
        }
    }
}

/// [`Opcode::field_bytes`] and [`Opcode::answer_bytes`] of each command, in order of the codes. A
/// table, because comparing with each code takes an AVR three times the space.
const LENGTHS: [(u8, u8); Opcode::ALL.len()] = [
    (0, 0),                                           // NOP
    (0, 2),                                           // Q_IFACE
    (0, super::CommandMap::BYTES as u8),              // Q_CMDMAP
    (0, super::ProgrammerName::BYTES as u8),          // Q_PGMNAME
    (0, 2),                                           // Q_SERBUF
    (0, 1),                                           // Q_BUSTYPE
    (0, 1),                                           // Q_CHIPSIZE
    (0, 2),                                           // Q_OPBUF
    (0, 3),                                           // Q_WRNMAXLEN
    (3, 1),                                           // R_BYTE
    (6, 0),                                           // R_NBYTES
    (0, 0),                                           // O_INIT
    (4, 0),                                           // O_WRITEB
    (6, 0),                                           // O_WRITEN
    (4, 0),                                           // O_DELAY
    (0, 0),                                           // O_EXEC
    (0, 1),                                           // SYNCNOP
    (0, 3),                                           // Q_RDNMAXLEN
    (1, 0),                                           // S_BUSTYPE
    (6, 0),                                           // O_SPIOP
    (4, 4),                                           // S_SPI_FREQ
    (1, 0),                                           // S_PIN_STATE
    (1, 0),                                           // S_SPI_CS
    (1, 0),                                           // S_SPI_MODE
    (1, 0),                                           // S_CS_MODE
    (0, super::extension::Capabilities::BYTES as u8), // X_QUERY
    (4, 4),                                           // X_CRC
    (4, 4),                                           // X_BLANK
    (5, 0),                                           // X_PROGRAM
];

impl TryFrom<u8> for Opcode {
    type Error = UnknownOpcode;

    fn try_from(code: u8) -> Result<Self, UnknownOpcode> {
        Ok(match code {
            0x00 => Self::Nop,
            0x01 => Self::QIface,
            0x02 => Self::QCmdMap,
            0x03 => Self::QPgmName,
            0x04 => Self::QSerBuf,
            0x05 => Self::QBusType,
            0x06 => Self::QChipSize,
            0x07 => Self::QOpBuf,
            0x08 => Self::QWrnMaxLen,
            0x09 => Self::RByte,
            0x0A => Self::RNBytes,
            0x0B => Self::OInit,
            0x0C => Self::OWriteB,
            0x0D => Self::OWriteN,
            0x0E => Self::ODelay,
            0x0F => Self::OExec,
            0x10 => Self::SyncNop,
            0x11 => Self::QRdnMaxLen,
            0x12 => Self::SBusType,
            0x13 => Self::OSpiOp,
            0x14 => Self::SSpiFreq,
            0x15 => Self::SPinState,
            0x16 => Self::SSpiCs,
            0x17 => Self::SSpiMode,
            0x18 => Self::SCsMode,
            0x80 => Self::XQuery,
            0x81 => Self::XCrc,
            0x82 => Self::XBlank,
            0x83 => Self::XProgram,
            _ => return Err(UnknownOpcode(code)),
        })
    }
}

/// A byte that stands for no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownOpcode(pub u8);
