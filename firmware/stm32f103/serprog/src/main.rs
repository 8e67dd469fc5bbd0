//! The STM32F103 programmer: a USB serial port that speaks serprog to SPI flash chips.
//!
//! What it does with the chips is [`flashwire_device::serprog`]. Here are the clocks, pins and
//! registers, and this loop, which carries bytes between the port and that machine. One interrupt
//! hands packets to the USB hardware, so that no token of the host finds it unprepared; everything
//! else is polled.
//!
//! Section numbers are those of RM0008 (STM32F10xxx reference manual), rev 21.

#![no_std]
#![no_main]

mod clocks;
mod leds;
mod spi_board;
mod stop;
mod usb;
mod watchdog;

use cortex_m_rt::entry;
use flashwire_device::serprog::{Config, Programmer};
use flashwire_device::{Board, Device};
use stm32f1::stm32f103::Peripherals;

use clocks::Micros;
use leds::Leds;
use spi_board::{CHIP_SELECTS, DEFAULT_SPI_HZ, SpiBoard};
use usb::{PACKET_BYTES, SerialPort};
use watchdog::Watchdog;

/// How it introduces itself: Q_PGMNAME, 16 characters at most.
const NAME: &str = "flashwire-f103";

#[entry]
fn main() -> ! {
    // SAFETY: this is the only place that makes them, and it is run once.
    let (core, peripherals) = unsafe { (cortex_m::Peripherals::steal(), Peripherals::steal()) };
    let mut leds = Leds::new(&peripherals);
    if !clocks::run_from_crystal(&peripherals) {
        stop::no_crystal();
    }
    let watchdog = Watchdog::start(&peripherals);
    let micros = Micros::start(core.SYST);
    let mut port = SerialPort::attach(&peripherals, &watchdog);
    let board = SpiBoard::new(&peripherals, micros);
    let mut programmer = Programmer::new(
        board,
        Config {
            chip_selects: CHIP_SELECTS,
            ..Config::unlimited(NAME, DEFAULT_SPI_HZ)
        },
    );
    serve(&mut port, &mut programmer, &mut leds, &watchdog)
}

/// Carries bytes between the port and the programmer, for ever.
fn serve(
    port: &mut SerialPort,
    programmer: &mut Programmer<SpiBoard>,
    leds: &mut Leds,
    watchdog: &Watchdog,
) -> ! {
    let mut answer = [0; PACKET_BYTES];
    let mut now = programmer.board().now();
    loop {
        // What has arrived goes straight through: the host waits for its answer.
        let arrived = port.arrived();
        if !arrived.is_empty() {
            let taken = programmer.receive_packet(now, arrived);
            port.drop_arrived(taken);
        }
        let mut quiet = false;
        if port.is_closed() {
            // Nobody is there to hear it.
            programmer.transmit(now, &mut answer);
        } else if port.takes_packet() {
            let answers = programmer.take_answers();
            if answers.is_empty() {
                let filled = programmer.transmit(now, &mut answer);
                port.send(answer.get(..filled).unwrap_or_default());
                quiet = filled == 0 && programmer.wake_up().is_none();
            } else {
                port.send(answers);
            }
        } else {
            // Work goes on while the host does not fetch.
            programmer.transmit(now, &mut []);
        }
        if port.poll() {
            programmer.reset(now);
        }
        if port.is_closed() && port.nothing_arrived() {
            // All that the last owner sent has been done; what it left half-done is given up.
            programmer.reset(now);
            port.forget_owner();
        }
        leds.show(port.is_configured(), programmer.is_busy());
        watchdog.feed();
        now = programmer.board().now();
        if quiet {
            port.wait_for_news();
        }
    }
}
