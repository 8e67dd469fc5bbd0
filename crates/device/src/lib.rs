//! What a device does.
//!
//! Each protocol's device side is a machine that is fed bytes and gives bytes: no heap, no wire, no
//! clock of its own, so that the same object runs in firmware and on the virtual bench. The outside
//! world comes in two small traits: [`Device`] is what the owner of the wire sees of a machine,
//! [`Board`] is what a programmer's machine needs of the hardware around it.
//!
//! Nothing here panics on any input; firmware images prove it.
#![no_std]

pub mod bilingual;
mod board;
pub mod nfd;
pub mod serprog;
mod time;

pub use board::Board;
pub use time::Moment;

/// The device's end of a conversation, as the owner of the wire drives it.
///
/// The owner hands over what has arrived, sends what it is given, and comes back when the machine
/// asks for it:
///
/// ```text
/// loop {
///     arrived bytes  --receive-->  as many as it takes; the rest is offered again
///     transmit  -->  bytes to send, as long as there are any and the wire takes them
///     sleep until bytes arrive, the wire takes more, or wake_up
/// }
/// ```
///
/// A machine that takes fewer bytes than it is offered is busy or has answers that were not
/// fetched: not taking more is how a flow-controlled wire (USB) holds the host up. A wire without
/// flow control (UART) needs a buffer in front, as large as the machine tells the host.
pub trait Device {
    /// Takes bytes that have arrived, from the front; returns how many.
    fn receive(&mut self, now: Moment, bytes: &[u8]) -> usize;

    /// Puts bytes to send into the front of `buffer`; returns how many. As many as are there:
    /// a full buffer means that there may be more, so a wire that carries packets is filled. The
    /// buffer may be empty: then the machine only goes on with work that is under way.
    fn transmit(&mut self, now: Moment, buffer: &mut [u8]) -> usize;

    /// When to call [`transmit`](Self::transmit) again though nothing arrives: work is under way,
    /// or a time is being waited for. A moment in the past means at once; `None` means never.
    fn wake_up(&self) -> Option<Moment>;

    /// Forgets the conversation: the port was closed or opened, the bus was reset. What was under
    /// way is given up.
    fn reset(&mut self, now: Moment);
}
