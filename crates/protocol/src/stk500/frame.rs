//! Commands as a host sends them.

use super::{Command, Memory, Parameter, SYNC_CRC_EOP};

/// Most bytes of one block. AVR061, "Program Page" and "Read Page".
pub const MAX_BLOCK_BYTES: usize = 256;

/// A command with its arguments and its end: all that goes over the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Frame {
    /// The longest command is the one that carries a block: code, length, memory, data, end.
    const CAPACITY: usize = 1 + Command::ProgPage.argument_bytes() + MAX_BLOCK_BYTES + 1;

    fn new(command: Command, arguments: &[u8], data: &[u8]) -> Self {
        let mut frame = Self {
            bytes: [0; Self::CAPACITY],
            len: 0,
        };
        for piece in [&[command.code()], arguments, data, &[SYNC_CRC_EOP]] {
            frame.bytes[frame.len..frame.len + piece.len()].copy_from_slice(piece);
            frame.len += piece.len();
        }
        frame
    }

    /// A command without arguments; `None` if it has some.
    pub fn plain(command: Command) -> Option<Self> {
        (command.argument_bytes() == 0).then(|| Self::new(command, &[], &[]))
    }

    /// Get Synchronization.
    pub fn get_sync() -> Self {
        Self::new(Command::GetSync, &[], &[])
    }

    /// Read Signature Bytes.
    pub fn read_sign() -> Self {
        Self::new(Command::ReadSign, &[], &[])
    }

    /// Enter Program Mode.
    pub fn enter_prog_mode() -> Self {
        Self::new(Command::EnterProgMode, &[], &[])
    }

    /// Leave Program Mode.
    pub fn leave_prog_mode() -> Self {
        Self::new(Command::LeaveProgMode, &[], &[])
    }

    /// Get Parameter Value.
    pub fn get_parameter(parameter: Parameter) -> Self {
        Self::new(Command::GetParameter, &[parameter.code()], &[])
    }

    /// Load Address: of flash in words of two bytes, of EEPROM in bytes.
    pub fn load_address(address: u16) -> Self {
        Self::new(Command::LoadAddress, &address.to_le_bytes(), &[])
    }

    /// Program Page, with its data; `None` if that is nothing or more than [`MAX_BLOCK_BYTES`].
    pub fn prog_page(memory: Memory, data: &[u8]) -> Option<Self> {
        let arguments = block(memory, data.len())?;
        Some(Self::new(Command::ProgPage, &arguments, data))
    }

    /// Read Page of so many bytes; `None` if that is nothing or more than [`MAX_BLOCK_BYTES`].
    pub fn read_page(memory: Memory, length: usize) -> Option<Self> {
        let arguments = block(memory, length)?;
        Some(Self::new(Command::ReadPage, &arguments, &[]))
    }

    /// The bytes to send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Length, high byte first, and memory.
fn block(memory: Memory, length: usize) -> Option<[u8; 3]> {
    let length = u16::try_from(length).ok();
    let length = length.filter(|&length| length > 0 && usize::from(length) <= MAX_BLOCK_BYTES)?;
    let [high, low] = length.to_be_bytes();
    Some([high, low, memory.code()])
}

impl core::fmt::Debug for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Frame({:02X?})", self.as_bytes())
    }
}
