//! What the bytes mean.
//!
//! One module per wire protocol, for both ends of the wire. Modules do not know each other, nothing
//! here does I/O or knows the time, and a hexadecimal opcode appears here and nowhere else.
#![no_std]

pub mod crc32;
pub mod nfd;
pub mod serprog;
pub mod spinor;
pub mod stk500;
pub mod stm32;
