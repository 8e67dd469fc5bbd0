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
#![feature(abi_avr_interrupt, asm_experimental_arch)]

mod board;
mod registers;
mod start;
mod uart;

use core::arch::asm;

use flashwire_device::{Device, nfd, serprog};
use flashwire_protocol::nfd::Start;
use flashwire_protocol::serprog::Opcode;

use board::{CHIP_SELECT_COUNT, FASTEST_HZ, Uno};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Answer to nfd's `?`. Short: on an AVR constants lie in RAM.
const HELP: &str = "SPI Flash programmer v1.0\r\nflashwire: > ? r l h s w k n i y x p u * o\r\n";

const CONFIG: serprog::Config = serprog::Config {
    serial_buffer_bytes: uart::SEND_AHEAD_BYTES,
    // A page program and its head, with the five bytes that flashrom adds, flows through; longer
    // ones would be held up by nothing but the ring, and are not needed.
    max_send_bytes: 256 + 5,
    chip_selects: CHIP_SELECT_COUNT,
    ..serprog::Config::unlimited("flashwire uno", FASTEST_HZ)
};

/// Which protocol the host began with.
#[derive(Clone, Copy)]
enum Protocol {
    Serprog,
    Nfd,
}

/// The first byte that begins a command of either. Line ends are none: hosts send them to get out of
/// a half-sent argument.
fn first_command() -> Protocol {
    loop {
        let Some(&byte) = uart::arrived().first() else {
            continue;
        };
        if !matches!(Start::of(byte), Start::Nothing) {
            return Protocol::Nfd;
        }
        if matches!(
            Opcode::try_from(byte),
            Ok(Opcode::Nop
                | Opcode::QIface
                | Opcode::QCmdMap
                | Opcode::QPgmName
                | Opcode::QSerBuf
                | Opcode::QBusType
                | Opcode::SyncNop
                | Opcode::SBusType
                | Opcode::OSpiOp
                | Opcode::SSpiFreq
                | Opcode::SPinState)
        ) {
            return Protocol::Serprog;
        }
        uart::consume(1);
    }
}

/// A programmer that lives on this board.
trait OnUno: Device {
    fn uno(&mut self) -> &mut Uno;
}

impl OnUno for serprog::Programmer<Uno> {
    #[inline(always)]
    fn uno(&mut self) -> &mut Uno {
        self.board_mut()
    }
}

impl OnUno for nfd::Programmer<Uno> {
    #[inline(always)]
    fn uno(&mut self) -> &mut Uno {
        self.board_mut()
    }
}

fn serve(mut programmer: impl OnUno) -> ! {
    use flashwire_device::Board;
    let mut answer = [0; 16];
    loop {
        programmer.uno().tick();
        let now = programmer.uno().now();
        let arrived = uart::arrived();
        if !arrived.is_empty() {
            let taken = programmer.receive(now, arrived);
            uart::consume(taken);
        }
        let filled = programmer.transmit(now, &mut answer);
        for &byte in answer.iter().take(filled) {
            while !uart::is_ready() {
                programmer.uno().run_ahead();
            }
            uart::send(byte);
        }
    }
}

extern "C" fn main() -> ! {
    uart::start();
    let uno = Uno::new();
    // SAFETY: the handler touches the ring alone, which is in place.
    unsafe { asm!("sei") };
    match first_command() {
        Protocol::Serprog => serve(serprog::Programmer::new(uno, CONFIG)),
        Protocol::Nfd => {
            let mut uno = uno;
            flashwire_device::Board::set_clock(&mut uno, FASTEST_HZ);
            serve(nfd::Programmer::new(uno, HELP))
        }
    }
}
