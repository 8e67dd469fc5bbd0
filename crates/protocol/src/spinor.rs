//! The command set of SPI NOR flash chips, for both ends of the bus.
//!
//! There is no one document. [`instruction`] and [`status`] hold what the vendors' datasheets agree
//! on, named as there, and say so where they do not; [`sfdp`] reads the tables by which a chip
//! describes itself (JESD216). Which chip has which of it is data of the client's parts table and
//! of the simulator's, each on its own.
//!
//! A transaction is one selection of the chip: a [`Head`] goes out (instruction, address, dummy
//! bytes), then data goes out or comes in. Bytes travel most significant bit first, addresses most
//! significant byte first.

pub mod instruction;
pub mod sfdp;
pub mod status;

/// Most bytes that one page program takes, on nearly every chip: the page buffer is this long and
/// more bytes wrap round in it.
pub const PAGE_BYTES: usize = 256;

/// How much three address bytes reach, in bytes: 16 MiB.
pub const THREE_BYTE_REACH: u64 = 1 << 24;

/// How many address bytes an instruction takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressWidth {
    /// Three: up to 16 MiB.
    Three,
    /// Four: up to 4 GiB.
    Four,
}

impl AddressWidth {
    /// The number of bytes.
    pub const fn bytes(self) -> u8 {
        match self {
            Self::Three => 3,
            Self::Four => 4,
        }
    }
}

/// What a transaction begins with: instruction, address, dummy bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Head {
    bytes: [u8; Self::CAPACITY],
    len: u8,
}

impl Head {
    /// Room for the longest head built here, in bytes: instruction, four address bytes and three
    /// dummy bytes.
    pub const CAPACITY: usize = 8;

    /// An instruction alone.
    pub const fn of(instruction: u8) -> Self {
        let mut bytes = [0; Self::CAPACITY];
        bytes[0] = instruction;
        Self { bytes, len: 1 }
    }

    /// An instruction and its address. Three bytes carry the low 24 bits.
    pub const fn at(instruction: u8, address: u32, width: AddressWidth) -> Self {
        let [a, b, c, d] = address.to_be_bytes();
        let (bytes, len) = match width {
            AddressWidth::Three => ([instruction, b, c, d, 0, 0, 0, 0], 4),
            AddressWidth::Four => ([instruction, a, b, c, d, 0, 0, 0], 5),
        };
        Self { bytes, len }
    }

    /// This head and `count` dummy bytes of zeros, as far as there is room.
    pub const fn with_dummy(self, count: u8) -> Self {
        let Self { bytes, len } = self;
        let room = Self::CAPACITY as u8 - len;
        let len = len + if count < room { count } else { room };
        Self { bytes, len }
    }

    /// The bytes to send.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl core::fmt::Debug for Head {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Head({:02X?})", self.as_bytes())
    }
}

/// The three bytes that RDID answers: who made the chip and which it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JedecId(pub [u8; 3]);

impl JedecId {
    /// Says that the manufacturer's code is in the next bank of JEP106, and that another byte
    /// follows: RDID then has to be read on.
    pub const CONTINUATION: u8 = 0x7F;

    /// The manufacturer's code. JEP106.
    pub const fn manufacturer(self) -> u8 {
        self.0[0]
    }

    /// Memory type and capacity: what the manufacturer made of them.
    pub const fn device(self) -> u16 {
        u16::from_be_bytes([self.0[1], self.0[2]])
    }

    /// All bits are the same: nobody drove the line.
    pub fn is_silence(self) -> bool {
        self.0 == [0x00; 3] || self.0 == [0xFF; 3]
    }
}

impl core::fmt::Display for JedecId {
    /// As datasheets write it: `EF 40 17`.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let [manufacturer, kind, capacity] = self.0;
        write!(f, "{manufacturer:02X} {kind:02X} {capacity:02X}")
    }
}

impl core::fmt::Debug for JedecId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "JedecId({self})")
    }
}
