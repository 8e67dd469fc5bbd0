//! Bits of the status registers.
//!
//! WIP and WEL are where they are on every chip. The rest is each vendor's own; the names say whose
//! layout it is. A vendor's newer parts move bits as they grow, so a parts table has to say which
//! of these a part follows.

/// Write In Progress: a program, erase or status write runs. Every datasheet. Also BUSY.
#[doc(alias = "BUSY")]
pub const WIP: u8 = 1 << 0;
/// Write Enable Latch. Every datasheet.
pub const WEL: u8 = 1 << 1;
/// Block Protect 0. W25Q64JV section 7.1; MX25L6436E section "Status Register"; SST25VF016B
/// table 4.
pub const BP0: u8 = 1 << 2;
/// Block Protect 1. As [`BP0`].
pub const BP1: u8 = 1 << 3;
/// Block Protect 2. As [`BP0`].
pub const BP2: u8 = 1 << 4;
/// Block Protect 3 of parts with four such bits (MX25L6436E, W25Q256FV, SST25VF016B).
pub const BP3: u8 = 1 << 5;
/// Status register write protect: with the WP pin low the register cannot be written. Every
/// datasheet that has it; SRP0 at Winbond, BPL at SST.
#[doc(alias = "SRP0")]
#[doc(alias = "BPL")]
pub const SRWD: u8 = 1 << 7;

/// Bits of status register 1 of Winbond parts up to 16 MiB. W25Q64JV, section 7.1.
pub mod winbond {
    /// Top/Bottom: protected blocks begin at the bottom.
    pub const TB: u8 = 1 << 5;
    /// Sector/Block: the protection bits count 4 KiB sectors instead of blocks.
    pub const SEC: u8 = 1 << 6;
    /// Top/Bottom of parts with four protection bits, above 16 MiB. W25Q256FV, section 7.1.
    pub const TB_LARGE: u8 = 1 << 6;

    /// Status Register Protect 1, in status register 2. W25Q64JV, section 7.1.
    pub const SRP1: u8 = 1 << 0;
    /// Quad Enable, in status register 2.
    pub const QE: u8 = 1 << 1;
    /// Complement Protect, in status register 2: what would be protected is not, and the other way
    /// round.
    pub const CMP: u8 = 1 << 6;
    /// Suspend Status, in status register 2.
    pub const SUS: u8 = 1 << 7;

    /// Current Address Mode, in status register 3 of parts above 16 MiB: 4-byte mode. W25Q256FV,
    /// section 7.1.
    pub const ADS: u8 = 1 << 0;
    /// Power-up Address Mode, in status register 3 of parts above 16 MiB.
    pub const ADP: u8 = 1 << 1;
    /// Write Protect Selection, in status register 3: a lock for each block instead of the
    /// protection bits.
    pub const WPS: u8 = 1 << 2;
}

/// Bits of Macronix parts. MX25L6436E and MX25L25635F, section "Status Register".
pub mod macronix {
    /// Quad Enable, in the status register.
    pub const QE: u8 = 1 << 6;
    /// Top/Bottom, in the configuration register; can be set only once.
    pub const TB: u8 = 1 << 3;
    /// 4-byte mode, in the configuration register of parts above 16 MiB.
    pub const FOUR_BYTE: u8 = 1 << 5;
}

/// Bits of the status register of SST25VF parts. SST25VF016B, table 4.
pub mod sst {
    /// Auto Address Increment programming is on.
    pub const AAI: u8 = 1 << 6;
}

/// Bits of the flag status register of Micron parts. N25Q256A, table "Flag Status Register".
pub mod micron {
    /// Ready; 0 is busy.
    pub const READY: u8 = 1 << 7;
    /// The last erase failed.
    pub const ERASE_FAILED: u8 = 1 << 5;
    /// The last program failed.
    pub const PROGRAM_FAILED: u8 = 1 << 4;
    /// A program or erase of a protected area was refused.
    pub const PROTECTED: u8 = 1 << 1;
    /// 4-byte mode.
    pub const FOUR_BYTE: u8 = 1 << 0;
}

/// Bit 7 of the bank register of Spansion parts: 4-byte mode. S25FL256S, section "Bank Address
/// Register".
pub const BANK_FOUR_BYTE: u8 = 1 << 7;
