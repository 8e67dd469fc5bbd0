//! What a chip can be told: the first byte of a transaction.
//!
//! Named as in most datasheets. The comments say what follows: *address* is three bytes, or four in
//! the chip's 4-byte mode, or always four where it says so. Where no document is named, the
//! datasheets of Winbond W25Q64JV (revision K, section 8), Macronix MX25L6436E, Micron N25Q256A and
//! Microchip SST25VF016B agree, as far as they have the instruction.

/// Write Enable: sets WEL. Alone.
#[doc(alias = "write enable")]
pub const WREN: u8 = 0x06;
/// Write Disable: clears WEL, ends AAI programming. Alone.
#[doc(alias = "write disable")]
pub const WRDI: u8 = 0x04;
/// Write Enable for Volatile Status Register; on SST parts Enable Write Status Register. Alone.
#[doc(alias = "write enable volatile")]
pub const EWSR: u8 = 0x50;

/// Read Status Register (1): the chip sends it for as long as it is clocked, busy or not.
pub const RDSR: u8 = 0x05;
/// Read Status Register 2.
pub const RDSR2: u8 = 0x35;
/// Read Status Register 3; on Macronix parts Read Configuration Register.
#[doc(alias = "RDCR")]
pub const RDSR3: u8 = 0x15;
/// Write Status Register 1, and on most chips 2 as a second byte.
pub const WRSR: u8 = 0x01;
/// Write Status Register 2.
pub const WRSR2: u8 = 0x31;
/// Write Status Register 3.
pub const WRSR3: u8 = 0x11;
/// Read Flag Status Register of Micron parts; bit 7 is set when the chip is ready.
pub const RDFSR: u8 = 0x70;
/// Clear Flag Status Register of Micron parts.
pub const CLFSR: u8 = 0x50;
/// Read Security Register of Macronix parts.
pub const RDSCUR: u8 = 0x2B;

/// Read Identification: manufacturer, type, capacity.
#[doc(alias = "JEDEC ID")]
pub const RDID: u8 = 0x9F;
/// Read Electronic Manufacturer and Device Identification: three bytes of address, of which the
/// lowest bit swaps the two bytes that are answered.
pub const REMS: u8 = 0x90;
/// Read Electronic Signature and Release from Deep Power-down: three dummy bytes, then one byte;
/// without them it only releases.
#[doc(alias = "RDP")]
pub const RES: u8 = 0xAB;
/// Deep Power-down. Alone.
pub const DP: u8 = 0xB9;
/// Read SFDP: three address bytes in every mode of the chip, one dummy byte. JESD216, section 6.1.
pub const RDSFDP: u8 = 0x5A;
/// Read Unique ID of Winbond parts: four dummy bytes (five in 4-byte mode), then eight bytes.
pub const RDUID: u8 = 0x4B;

/// Read: address, then data for as long as it is clocked. Slower than [`FAST_READ`] on every chip.
pub const READ: u8 = 0x03;
/// Fast Read: address, one dummy byte, then data.
pub const FAST_READ: u8 = 0x0B;
/// Read with four address bytes in every mode.
#[doc(alias = "READ4B")]
pub const READ_4B: u8 = 0x13;
/// Fast Read with four address bytes in every mode, one dummy byte.
pub const FAST_READ_4B: u8 = 0x0C;

/// Page Program: address, up to a page of data.
pub const PP: u8 = 0x02;
/// Page Program with four address bytes in every mode.
#[doc(alias = "PP4B")]
pub const PP_4B: u8 = 0x12;
/// Auto Address Increment word program of SST25VF parts: address and two bytes at first, then two
/// bytes each.
#[doc(alias = "AAI")]
pub const AAI_WORD: u8 = 0xAD;
/// Auto Address Increment byte program of older SST25VF parts: address and one byte at first, then
/// one byte each.
pub const AAI_BYTE: u8 = 0xAF;

/// Sector Erase, nearly always 4 KiB: address.
#[doc(alias = "20h")]
pub const SE: u8 = 0x20;
/// Block Erase, nearly always 32 KiB: address.
#[doc(alias = "52h")]
pub const BE32: u8 = 0x52;
/// Block Erase, nearly always 64 KiB: address.
#[doc(alias = "D8h")]
pub const BE: u8 = 0xD8;
/// Sector Erase with four address bytes in every mode.
pub const SE_4B: u8 = 0x21;
/// Block Erase 32 KiB with four address bytes in every mode.
pub const BE32_4B: u8 = 0x5C;
/// Block Erase 64 KiB with four address bytes in every mode.
pub const BE_4B: u8 = 0xDC;
/// Chip Erase. Alone.
pub const CE: u8 = 0xC7;
/// Chip Erase, the other code: most chips take both. Alone.
#[doc(alias = "60h")]
pub const CE_60: u8 = 0x60;

/// Enter 4-byte Mode. Alone; some chips want WREN before it.
pub const EN4B: u8 = 0xB7;
/// Exit 4-byte Mode. Alone; some chips want WREN before it.
pub const EX4B: u8 = 0xE9;
/// Write Extended Address Register: one byte, address bits 31 to 24 of 3-byte instructions.
pub const WREAR: u8 = 0xC5;
/// Read Extended Address Register.
pub const RDEAR: u8 = 0xC8;
/// Bank Register Write of Spansion parts: one byte, as [`WREAR`], with bit 7 for 4-byte mode.
pub const BRWR: u8 = 0x17;
/// Bank Register Read of Spansion parts.
pub const BRRD: u8 = 0x16;

/// Reset Enable. Alone, right before [`RST`].
pub const RSTEN: u8 = 0x66;
/// Reset: all volatile state to power-on. Alone.
pub const RST: u8 = 0x99;
/// Global Block Unlock of chips with a lock for each block. Alone.
pub const ULBPR: u8 = 0x98;
