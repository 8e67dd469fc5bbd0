//! Commands: building them and reading them.

use super::{BusTypes, Opcode, U24, extension};

/// A command without its data: its opcode and fixed fields.
///
/// O_WRITEN, O_SPIOP and some extensions are followed by [`data_bytes`](Self::data_bytes) bytes
/// that are not part of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// [`Opcode::Nop`].
    Nop,
    /// [`Opcode::QIface`].
    QIface,
    /// [`Opcode::QCmdMap`].
    QCmdMap,
    /// [`Opcode::QPgmName`].
    QPgmName,
    /// [`Opcode::QSerBuf`].
    QSerBuf,
    /// [`Opcode::QBusType`].
    QBusType,
    /// [`Opcode::QChipSize`].
    QChipSize,
    /// [`Opcode::QOpBuf`].
    QOpBuf,
    /// [`Opcode::QWrnMaxLen`].
    QWrnMaxLen,
    /// [`Opcode::RByte`].
    RByte {
        /// Where.
        address: U24,
    },
    /// [`Opcode::RNBytes`].
    RNBytes {
        /// Where.
        address: U24,
        /// How many bytes.
        length: U24,
    },
    /// [`Opcode::OInit`].
    OInit,
    /// [`Opcode::OWriteB`].
    OWriteB {
        /// Where.
        address: U24,
        /// What.
        data: u8,
    },
    /// [`Opcode::OWriteN`], followed by `length` bytes.
    OWriteN {
        /// How many bytes. It comes before the address on the wire.
        length: U24,
        /// Where.
        address: U24,
    },
    /// [`Opcode::ODelay`].
    ODelay {
        /// How long, in microseconds.
        delay_us: u32,
    },
    /// [`Opcode::OExec`].
    OExec,
    /// [`Opcode::SyncNop`].
    SyncNop,
    /// [`Opcode::QRdnMaxLen`].
    QRdnMaxLen,
    /// [`Opcode::SBusType`].
    SBusType {
        /// The programmer chooses among them.
        buses: BusTypes,
    },
    /// [`Opcode::OSpiOp`], followed by `send` bytes.
    OSpiOp {
        /// How many bytes to send.
        send: U24,
        /// How many bytes to receive after that.
        receive: U24,
    },
    /// [`Opcode::SSpiFreq`].
    SSpiFreq {
        /// The highest clock wanted, in Hz. 0 is reserved and refused.
        spi_hz: u32,
    },
    /// [`Opcode::SPinState`].
    SPinState {
        /// Drive the pins; else let them go.
        drive: bool,
    },
    /// [`Opcode::SSpiCs`].
    SSpiCs {
        /// Number of the chip select line.
        line: u8,
    },
    /// [`Opcode::SSpiMode`].
    SSpiMode {
        /// 0 half duplex (the default), 1 full duplex.
        mode: u8,
    },
    /// [`Opcode::SCsMode`].
    SCsMode {
        /// 0 automatic (the default), 1 always selected, 2 always deselected.
        mode: u8,
    },
    /// [`Opcode::XQuery`].
    XQuery,
    /// [`Opcode::XCrc`], followed by a head of `head_bytes`.
    XCrc(extension::Range),
    /// [`Opcode::XBlank`], followed by a head of `head_bytes`.
    XBlank(extension::Range),
    /// [`Opcode::XProgram`], followed by head, data and check value.
    XProgram(extension::Program),
}

impl Request {
    /// Length of the longest field block of any command, in bytes.
    pub const LONGEST_FIELDS: usize = 6;

    /// Reads the fixed fields of a command; `fields` begins after the opcode, and what lies beyond
    /// [`Opcode::field_bytes`] is not looked at. `None` if fields are missing.
    pub fn decode(opcode: Opcode, fields: &[u8]) -> Option<Self> {
        let fields = fields.get(..usize::from(opcode.field_bytes()))?;
        let mut longest = [0; Self::LONGEST_FIELDS];
        for (slot, &byte) in longest.iter_mut().zip(fields) {
            *slot = byte;
        }
        Some(Self::from_fields(opcode, &longest))
    }

    /// As [`decode`](Self::decode), of fields that are all there, at the front.
    pub const fn from_fields(opcode: Opcode, fields: &[u8; Self::LONGEST_FIELDS]) -> Self {
        // Whole words from the front and from the third byte on: an AVR has to shift what is put
        // together of bytes.
        let [a, .., d, _, _] = *fields;
        let (front, back) = (word(fields), word(fields.split_at(2).1));
        let (first, second) = (U24::truncated(front), U24::truncated(back >> 8));
        match opcode {
            Opcode::Nop => Self::Nop,
            Opcode::QIface => Self::QIface,
            Opcode::QCmdMap => Self::QCmdMap,
            Opcode::QPgmName => Self::QPgmName,
            Opcode::QSerBuf => Self::QSerBuf,
            Opcode::QBusType => Self::QBusType,
            Opcode::QChipSize => Self::QChipSize,
            Opcode::QOpBuf => Self::QOpBuf,
            Opcode::QWrnMaxLen => Self::QWrnMaxLen,
            Opcode::RByte => Self::RByte { address: first },
            Opcode::RNBytes => Self::RNBytes {
                address: first,
                length: second,
            },
            Opcode::OInit => Self::OInit,
            Opcode::OWriteB => Self::OWriteB {
                address: first,
                data: d,
            },
            Opcode::OWriteN => Self::OWriteN {
                length: first,
                address: second,
            },
            Opcode::ODelay => Self::ODelay { delay_us: front },
            Opcode::OExec => Self::OExec,
            Opcode::SyncNop => Self::SyncNop,
            Opcode::QRdnMaxLen => Self::QRdnMaxLen,
            Opcode::SBusType => Self::SBusType {
                buses: BusTypes::from_bits(a),
            },
            Opcode::OSpiOp => Self::OSpiOp {
                send: first,
                receive: second,
            },
            Opcode::SSpiFreq => Self::SSpiFreq { spi_hz: front },
            Opcode::SPinState => Self::SPinState { drive: a != 0 },
            Opcode::SSpiCs => Self::SSpiCs { line: a },
            Opcode::SSpiMode => Self::SSpiMode { mode: a },
            Opcode::SCsMode => Self::SCsMode { mode: a },
            Opcode::XQuery => Self::XQuery,
            Opcode::XCrc | Opcode::XBlank => {
                let range = extension::Range {
                    head_bytes: a,
                    length: U24::truncated(front >> 8),
                };
                if matches!(opcode, Opcode::XCrc) {
                    Self::XCrc(range)
                } else {
                    Self::XBlank(range)
                }
            }
            Opcode::XProgram => Self::XProgram(extension::Program {
                wait_ms: front as u16,
                head_bytes: back as u8,
                data_bytes: (back >> 8) as u16,
            }),
        }
    }

    /// Opcode and fields as sent.
    pub fn encode(&self) -> Header {
        let header = Header::of(self.opcode());
        match *self {
            Self::Nop
            | Self::QIface
            | Self::QCmdMap
            | Self::QPgmName
            | Self::QSerBuf
            | Self::QBusType
            | Self::QChipSize
            | Self::QOpBuf
            | Self::QWrnMaxLen
            | Self::OInit
            | Self::OExec
            | Self::SyncNop
            | Self::QRdnMaxLen
            | Self::XQuery => header,
            Self::RByte { address } => header.then(&address.to_le_bytes()),
            Self::RNBytes { address, length } => header
                .then(&address.to_le_bytes())
                .then(&length.to_le_bytes()),
            Self::OWriteB { address, data } => header.then(&address.to_le_bytes()).then(&[data]),
            Self::OWriteN { length, address } => header
                .then(&length.to_le_bytes())
                .then(&address.to_le_bytes()),
            Self::ODelay { delay_us } => header.then(&delay_us.to_le_bytes()),
            Self::SBusType { buses } => header.then(&[buses.bits()]),
            Self::OSpiOp { send, receive } => header
                .then(&send.to_le_bytes())
                .then(&receive.to_le_bytes()),
            Self::SSpiFreq { spi_hz } => header.then(&spi_hz.to_le_bytes()),
            Self::SPinState { drive } => header.then(&[u8::from(drive)]),
            Self::SSpiCs { line } => header.then(&[line]),
            Self::SSpiMode { mode } | Self::SCsMode { mode } => header.then(&[mode]),
            Self::XCrc(range) | Self::XBlank(range) => header
                .then(&[range.head_bytes])
                .then(&range.length.to_le_bytes()),
            Self::XProgram(program) => header
                .then(&program.wait_ms.to_le_bytes())
                .then(&[program.head_bytes])
                .then(&program.data_bytes.to_le_bytes()),
        }
    }

    /// Its opcode.
    pub const fn opcode(&self) -> Opcode {
        match self {
            Self::Nop => Opcode::Nop,
            Self::QIface => Opcode::QIface,
            Self::QCmdMap => Opcode::QCmdMap,
            Self::QPgmName => Opcode::QPgmName,
            Self::QSerBuf => Opcode::QSerBuf,
            Self::QBusType => Opcode::QBusType,
            Self::QChipSize => Opcode::QChipSize,
            Self::QOpBuf => Opcode::QOpBuf,
            Self::QWrnMaxLen => Opcode::QWrnMaxLen,
            Self::RByte { .. } => Opcode::RByte,
            Self::RNBytes { .. } => Opcode::RNBytes,
            Self::OInit => Opcode::OInit,
            Self::OWriteB { .. } => Opcode::OWriteB,
            Self::OWriteN { .. } => Opcode::OWriteN,
            Self::ODelay { .. } => Opcode::ODelay,
            Self::OExec => Opcode::OExec,
            Self::SyncNop => Opcode::SyncNop,
            Self::QRdnMaxLen => Opcode::QRdnMaxLen,
            Self::SBusType { .. } => Opcode::SBusType,
            Self::OSpiOp { .. } => Opcode::OSpiOp,
            Self::SSpiFreq { .. } => Opcode::SSpiFreq,
            Self::SPinState { .. } => Opcode::SPinState,
            Self::SSpiCs { .. } => Opcode::SSpiCs,
            Self::SSpiMode { .. } => Opcode::SSpiMode,
            Self::SCsMode { .. } => Opcode::SCsMode,
            Self::XQuery => Opcode::XQuery,
            Self::XCrc(_) => Opcode::XCrc,
            Self::XBlank(_) => Opcode::XBlank,
            Self::XProgram(_) => Opcode::XProgram,
        }
    }

    /// How many bytes follow the fields.
    pub const fn data_bytes(&self) -> u32 {
        match self {
            Self::OWriteN { length, .. } => length.get(),
            Self::OSpiOp { send, .. } => send.get(),
            Self::XCrc(range) | Self::XBlank(range) => range.head_bytes as u32,
            Self::XProgram(program) => {
                program.head_bytes as u32
                    + program.data_bytes as u32
                    + extension::CHECK_BYTES as u32
            }
            _ => 0,
        }
    }

    /// How many bytes follow the ACK; for SYNCNOP what follows its first byte.
    pub const fn answer_bytes(&self) -> u32 {
        match self {
            Self::RNBytes { length, .. } => length.get(),
            Self::OSpiOp { receive, .. } => receive.get(),
            other => other.opcode().answer_bytes() as u32,
        }
    }
}

/// Opcode and fields of a command, as sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Header {
    const CAPACITY: usize = 1 + Request::LONGEST_FIELDS;

    const fn of(opcode: Opcode) -> Self {
        let mut bytes = [0; Self::CAPACITY];
        bytes[0] = opcode.code();
        Self { bytes, len: 1 }
    }

    fn then(mut self, field: &[u8]) -> Self {
        self.bytes[self.len..self.len + field.len()].copy_from_slice(field);
        self.len += field.len();
        self
    }

    /// The bytes to send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl core::fmt::Debug for Header {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Header({:02X?})", self.as_bytes())
    }
}

/// The first four bytes as an integer; fewer make none.
const fn word(bytes: &[u8]) -> u32 {
    match bytes.first_chunk() {
        Some(bytes) => u32::from_le_bytes(*bytes),
        None => 0,
    }
}
