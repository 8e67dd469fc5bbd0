//! Ours and other people's machines behind one face.

use flashwire_device::Device;
use flashwire_device::bilingual;
use flashwire_device::serprog::{Config, Programmer};
use flashwire_link::Instant;
use flashwire_protocol::serprog::{ProgrammerName, U24};

use super::board::SELECT_PINS;
use super::models::{Firmware, Model, Port};
use super::{Foreign, Options, Sketch, SpiBoard};
use crate::Complaint;

/// What our firmware for Arduinos answers to nfd's `?`.
const HELP: &str = "SPI Flash programmer v1.0\r\nflashwire\r\n";

/// Longest O_SPIOP of our firmware for Arduinos, in bytes: a page program with what flashrom adds.
const ARDUINO_SEND_BYTES: u32 = 256 + 5;

/// A programmer's firmware on a board.
pub(super) trait Machine: Device + Send {
    fn board(&self) -> &SpiBoard;

    fn board_mut(&mut self) -> &mut SpiBoard;

    /// So many of the bytes that follow came in one packet.
    fn packet_begins(&mut self, length: usize) {
        let _ = length;
    }

    /// The next byte that an interrupt sends, whatever else goes on, and from when on it is there.
    fn interrupt(&mut self) -> Option<(Instant, u8)> {
        None
    }

    /// Power came back.
    fn revive(&mut self) {}

    /// What it holds against its host.
    fn take_complaints(&mut self) -> Vec<Complaint> {
        Vec::new()
    }
}

impl Machine for Programmer<SpiBoard> {
    fn board(&self) -> &SpiBoard {
        self.board()
    }

    fn board_mut(&mut self) -> &mut SpiBoard {
        self.board_mut()
    }
}

impl Machine for bilingual::Programmer<SpiBoard> {
    fn board(&self) -> &SpiBoard {
        self.board()
    }

    fn board_mut(&mut self) -> &mut SpiBoard {
        self.board_mut()
    }
}

/// The firmware of a model on a board.
pub(super) fn build(model: &Model, board: SpiBoard, options: &Options) -> Box<dyn Machine> {
    let serial_buffer_bytes = match model.port {
        Port::Usb { .. } => u16::MAX,
        // What libfrser subtracts, for the bytes that are on their way when the ring is full.
        Port::Uart { ring_bytes, .. } => u16::try_from(ring_bytes - 4).unwrap_or(u16::MAX),
    };
    let config = Config {
        name: ProgrammerName::new(model.programmer_name),
        serial_buffer_bytes,
        max_send_bytes: U24::UNLIMITED,
        max_receive_bytes: U24::UNLIMITED,
        chip_selects: 1,
        spi_hz: model.spi_hz,
        extensions: options.extensions,
    };
    match model.firmware {
        Firmware::Ours => Box::new(Programmer::new(board, config)),
        Firmware::OursOnArduino => {
            let config = Config {
                chip_selects: SELECT_PINS.len() as u8,
                max_send_bytes: ARDUINO_SEND_BYTES,
                ..config
            };
            Box::new(bilingual::Programmer::new(board, config, HELP))
        }
        Firmware::Sketch => Box::new(Sketch::new(board, model.spi_hz, options.sketch)),
        Firmware::Foreign(quirks) => Box::new(Foreign::new(board, model, quirks)),
    }
}
