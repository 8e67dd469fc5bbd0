//! The kinds of values that commands and answers are made of.

/// A 24-bit integer: addresses and lengths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct U24(u32);

impl U24 {
    /// The largest value.
    pub const MAX: Self = Self(0x00FF_FFFF);

    /// What a maximum length of "0" stands for, in bytes: one more than the largest value. Section
    /// "Command list", Q_WRNMAXLEN and Q_RDNMAXLEN.
    pub const UNLIMITED: u32 = 1 << 24;

    /// `value`, if it fits.
    pub const fn new(value: u32) -> Option<Self> {
        if value <= Self::MAX.0 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// The low 24 bits of `value`: how a programmer sees addresses of the 4 GiB space. Section
    /// "Command list", note on addresses.
    pub const fn truncated(value: u32) -> Self {
        Self(value & Self::MAX.0)
    }

    /// The value.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// As sent.
    pub const fn to_le_bytes(self) -> [u8; 3] {
        let [low, middle, high, _] = self.0.to_le_bytes();
        [low, middle, high]
    }

    /// From the wire.
    pub const fn from_le_bytes(bytes: [u8; 3]) -> Self {
        let [low, middle, high] = bytes;
        Self(u32::from_le_bytes([low, middle, high, 0]))
    }

    /// A maximum length as answered: 2^24 and more is sent as 0.
    pub const fn from_limit(limit_bytes: u32) -> Self {
        match Self::new(limit_bytes) {
            Some(limit) => limit,
            None => Self(0),
        }
    }

    /// The maximum length, in bytes, that this answer means: 0 stands for 2^24.
    pub const fn limit_bytes(self) -> u32 {
        match self.0 {
            0 => Self::UNLIMITED,
            limit => limit,
        }
    }
}

impl From<U24> for u32 {
    fn from(value: U24) -> Self {
        value.get()
    }
}

/// A set of buses: what a programmer has, or what it is to use. Section "Command list", Q_BUSTYPE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusTypes(u8);

impl BusTypes {
    /// Parallel flash.
    pub const PARALLEL: Self = Self(1 << 0);
    /// LPC flash.
    pub const LPC: Self = Self(1 << 1);
    /// Firmware hub.
    pub const FWH: Self = Self(1 << 2);
    /// SPI flash.
    pub const SPI: Self = Self(1 << 3);

    /// From the wire; bits without a meaning are kept.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// As sent.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What a programmer calls itself: 16 bytes, filled up with NUL; all 16 may be used. Section
/// "Command list", Q_PGMNAME.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ProgrammerName([u8; Self::BYTES]);

impl ProgrammerName {
    /// Length of the field, in bytes.
    pub const BYTES: usize = 16;

    /// `name`, cut after 16 bytes.
    pub const fn new(name: &str) -> Self {
        let mut bytes = [0; Self::BYTES];
        let (mut field, mut rest) = (bytes.as_mut_slice(), name.as_bytes());
        while let (Some((slot, slots)), Some((&byte, bytes))) =
            (field.split_first_mut(), rest.split_first())
        {
            *slot = byte;
            field = slots;
            rest = bytes;
        }
        Self(bytes)
    }

    /// From the wire.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// As sent.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The name up to its first NUL, as far as it is text.
    pub fn as_str(&self) -> &str {
        let name = self.0.split(|&byte| byte == 0).next().unwrap_or_default();
        match core::str::from_utf8(name) {
            Ok(text) => text,
            Err(error) => name
                .get(..error.valid_up_to())
                .and_then(|valid| core::str::from_utf8(valid).ok())
                .unwrap_or_default(),
        }
    }
}

impl core::fmt::Debug for ProgrammerName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ProgrammerName({:?})", self.as_str())
    }
}
