//! The hardware around a programmer.

use flashwire_protocol::crc32::Crc32;

use crate::Moment;

/// A SPI bus with chips on it, and a clock: what a programmer's machine needs of its board.
///
/// A transaction is `select`, any number of `write`, at most one `start_read` with its
/// `finish_read`s, `deselect`. SPI mode 0, eight bits, most significant bit first.
///
/// Two of the methods may run ahead of their caller, so that the bus is never idle while bytes
/// travel on the wire to the host: `write` may return before its bytes have left, and `start_read`
/// lets the board clock in as much as it has room for. Every other method first waits until what
/// was written has left.
pub trait Board {
    /// The time now.
    fn now(&self) -> Moment;

    /// Pulls chip select `line` low. Lines are counted from 0.
    fn select(&mut self, line: u8);

    /// Lets chip select go high, after the last written byte has left. A read that was not
    /// finished is given up. Nothing happens if no line was low.
    fn deselect(&mut self);

    /// Sends bytes and drops what comes in meanwhile. May return as soon as it needs `bytes` no
    /// more.
    fn write(&mut self, bytes: &[u8]);

    /// Says that `count` bytes will be read until `deselect`; from now on the board may clock them
    /// in as far as it has room.
    fn start_read(&mut self, count: u32);

    /// Fills `out` with the next bytes of what `start_read` announced, waiting for them where it
    /// must. The machine never asks for more than was announced, and for at most what its own
    /// caller gave it room for.
    fn finish_read(&mut self, out: &mut [u8]);

    /// Sets the SPI clock to the highest that is not above `hz`, else to the lowest; returns the
    /// clock that is now set, in Hz.
    fn set_clock(&mut self, hz: u32) -> u32;

    /// Drives the pins of the bus, or lets all of them go so that the board they are clipped to can
    /// use its chip itself. After power-up they are let go.
    fn set_outputs(&mut self, driven: bool);

    /// Takes bytes into a CRC. A board may have its own code for it: where a UART brings a byte
    /// every 80 cycles, what a compiler makes of this for an AVR is too slow.
    fn sum_up(&self, crc: &mut Crc32, bytes: &[u8]) {
        crc.update(bytes);
    }
}
