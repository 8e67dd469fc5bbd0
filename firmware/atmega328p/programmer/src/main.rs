//! A SPI flash programmer on an ATmega328P: the Arduino Uno and Nano.
//!
//! It speaks serprog and the protocol of nfd's sketch, whichever the host begins with after a reset;
//! opening the port resets the board. From then on the other one's commands are refused: nfd has a
//! chip erase without arguments, and a byte lost from a serprog transfer must not let a data byte
//! run it.
//!
//! Here are pins, registers and the interrupt; what a programmer does is in `flashwire_device`.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod board;
mod crc;
mod memory;
mod registers;
mod start;
mod uart;

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use flashwire_device::bilingual::Programmer;
use flashwire_device::{Board, Device, serprog};

use board::{CHIP_SELECTS, FASTEST_HZ, Uno};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Answer to nfd's `?`. Short: on an AVR constants lie in RAM.
const HELP: &str = "SPI Flash programmer v1.0\r\nflashwire\r\n";

const CONFIG: serprog::Config = serprog::Config {
    serial_buffer_bytes: uart::SEND_AHEAD_BYTES,
    // A page program and its head, with the five bytes that flashrom adds, flows through; longer
    // ones would be held up by nothing but the ring, and are not needed.
    max_send_bytes: 256 + 5,
    chip_selects: CHIP_SELECTS,
    ..serprog::Config::unlimited("flashwire uno", FASTEST_HZ)
};

/// The programmer. It is too large for the frame of a function: beyond 63 bytes an AVR reaches a
/// variable on the stack by moving the frame pointer there and back.
struct Static(UnsafeCell<MaybeUninit<Programmer<Uno>>>);

// SAFETY: `main` alone touches it, on the only core; no interrupt does.
unsafe impl Sync for Static {}

static PROGRAMMER: Static = Static(UnsafeCell::new(MaybeUninit::uninit()));

extern "C" fn main() -> ! {
    // SAFETY: this runs once, so nothing else refers to the programmer.
    let programmer = unsafe { &mut *PROGRAMMER.0.get() };
    let programmer = programmer.write(Programmer::new(Uno::new(), CONFIG, HELP));
    uart::start();
    // Whether there may be something to send, and whether there surely is more of it.
    let (mut is_due, mut is_streaming) = (false, false);
    loop {
        uart::send_waiting();
        programmer.board_mut().tick();
        let now = programmer.board().now();
        // While an answer streams, what arrives can wait: it has a ring.
        let arrived = uart::arrived();
        if !arrived.is_empty() && !is_streaming {
            uart::consume(programmer.receive(now, arrived));
            is_due = true;
        }
        if is_due {
            let room = uart::wait_for_room();
            let room_bytes = room.len();
            let filled = programmer.transmit(now, room);
            uart::send(filled);
            is_streaming = filled == room_bytes;
            is_due = is_streaming || programmer.wake_up().is_some();
        }
    }
}
