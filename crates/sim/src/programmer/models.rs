//! The programmers on the bench.

use super::Quirks;
use crate::nor;

/// A programmer that people have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name on the bench, before the `+`.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// What it answers to Q_PGMNAME.
    pub programmer_name: &'static str,
    /// How it is connected.
    pub port: Port,
    /// Its SPI clocks, in Hz, fastest first.
    pub spi_clocks: &'static [u32],
    /// The clock that it starts with, in Hz.
    pub spi_hz: u32,
    /// What runs on it.
    pub(super) firmware: Firmware,
}

impl Model {
    /// The method by which a host talks to it, as a port string spells it.
    pub fn method(&self) -> &'static str {
        match self.firmware {
            Firmware::Sketch => "nfd",
            _ => "serprog",
        }
    }
}

/// How a programmer is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// USB at full speed, bulk endpoints.
    Usb {
        /// What the wire carries, headers and gaps taken off.
        bytes_per_second: u32,
    },
    /// A UART without flow control.
    Uart {
        /// How many bytes the ring holds that its interrupt fills.
        ring_bytes: usize,
        /// Whether opening the port resets the board, whose boot loader then waits for a while.
        resets: bool,
    },
}

/// What runs on a programmer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Firmware {
    /// The serprog machine of `flashwire-device`.
    Ours,
    /// The one that speaks nfd's protocol too.
    OursOnArduino,
    /// nfd's sketch.
    Sketch,
    /// Somebody else's.
    Foreign(Quirks),
}

/// What a STM32F103 at 72 MHz makes of its SPI prescalers. RM0008, section 25.5.1 (SPI_CR1, BR).
const STM32F103_CLOCKS: &[u32] = &[
    36_000_000, 18_000_000, 9_000_000, 4_500_000, 2_250_000, 1_125_000, 562_500, 281_250,
];

/// What an ATmega328P at 16 MHz makes of its SPI prescalers. Datasheet DS40002061B, section 18.5.1.
const ATMEGA328P_CLOCKS: &[u32] = &[
    8_000_000, 4_000_000, 2_000_000, 1_000_000, 500_000, 250_000, 125_000,
];

/// What an RP2040 at 125 MHz makes of its SPI clock divider, as far as these programmers use it.
const RP2040_CLOCKS: &[u32] = &[31_250_000, 12_500_000, 10_000_000, 1_000_000];

/// What an STM32F405 makes of its SPI prescalers at 84 MHz. RM0090, section 28.5.1.
const STM32F405_CLOCKS: &[u32] = &[
    42_000_000, 21_000_000, 10_500_000, 5_250_000, 2_625_000, 1_312_500, 656_250, 328_125,
];

/// What our own programmer moves over USB full speed: 18 packets of 64 bytes in each frame of 1 ms.
/// USB 2.0, table 5-9 allows 19.
const FULL_SPEED: u32 = 1_150_000;

/// All programmers. Ours come first.
pub const MODELS: &[Model] = &[
    Model {
        name: "serprog",
        title: "our STM32F103 programmer on USB",
        programmer_name: "flashwire-f103",
        port: Port::Usb {
            bytes_per_second: FULL_SPEED,
        },
        spi_clocks: STM32F103_CLOCKS,
        spi_hz: 9_000_000,
        firmware: Firmware::Ours,
    },
    Model {
        name: "uno",
        title: "our ATmega328P programmer on an Arduino Uno's UART",
        programmer_name: "flashwire uno",
        port: Port::Uart {
            ring_bytes: 256,
            resets: true,
        },
        spi_clocks: ATMEGA328P_CLOCKS,
        spi_hz: 8_000_000,
        firmware: Firmware::OursOnArduino,
    },
    Model {
        name: "nfd-sketch",
        title: "nfd's sketch on an Arduino Uno, as it behaves",
        programmer_name: "",
        // 64, of which the Arduino core keeps one free (HardwareSerial.h, SERIAL_RX_BUFFER_SIZE).
        port: Port::Uart {
            ring_bytes: 63,
            resets: true,
        },
        spi_clocks: ATMEGA328P_CLOCKS,
        spi_hz: 8_000_000,
        firmware: Firmware::Sketch,
    },
    Model {
        name: "stm32vcp",
        title: "serprog-stm32vcp, the original for the STM32F103",
        programmer_name: "serprog-STM32VCP",
        port: Port::Usb {
            bytes_per_second: 870_000,
        },
        spi_clocks: STM32F103_CLOCKS,
        spi_hz: 9_000_000,
        firmware: Firmware::Foreign(Quirks {
            ignores_unknown: true,
            ..Quirks::NONE
        }),
    },
    Model {
        name: "picoprog",
        title: "picoprog on an RP2040: one command a packet",
        programmer_name: "Picoprog",
        port: Port::Usb {
            bytes_per_second: 600_000,
        },
        spi_clocks: RP2040_CLOCKS,
        spi_hz: 12_500_000,
        firmware: Firmware::Foreign(Quirks {
            one_command_a_packet: true,
            spi_bus_only: true,
            limit_bytes: Some(2048),
            has_spi_freq: true,
            ..Quirks::NONE
        }),
    },
    Model {
        name: "hydrafw",
        title: "HydraFW on an STM32F405: NOP unanswered, small buffer",
        programmer_name: "Hydrabus",
        port: Port::Usb {
            bytes_per_second: 900_000,
        },
        spi_clocks: STM32F405_CLOCKS,
        spi_hz: 10_500_000,
        firmware: Firmware::Foreign(Quirks {
            ignores_unknown: true,
            ignores_nop: true,
            refuses_without_draining: true,
            limit_bytes: Some(4096),
            serial_buffer_bytes: Some(16),
            has_spi_freq: true,
            ..Quirks::NONE
        }),
    },
    Model {
        name: "opensensor-pico",
        title: "opensensor's pico-serprog: 256 bytes, and not one more",
        programmer_name: "pico-serprog",
        port: Port::Usb {
            bytes_per_second: 500_000,
        },
        spi_clocks: RP2040_CLOCKS,
        spi_hz: 10_000_000,
        firmware: Firmware::Foreign(Quirks {
            limit_bytes: Some(256),
            crashes_beyond_limit: true,
            serial_buffer_bytes: Some(64),
            has_spi_freq: true,
            ..Quirks::NONE
        }),
    },
    Model {
        name: "frser-duino",
        title: "frser-duino on an Arduino's UART: delays run on the device",
        programmer_name: "frser-duino",
        port: Port::Uart {
            ring_bytes: 1024,
            resets: false,
        },
        spi_clocks: ATMEGA328P_CLOCKS,
        spi_hz: 8_000_000,
        firmware: Firmware::Foreign(Quirks {
            has_delays: true,
            limit_bytes: Some(1024 - 11),
            read_limit_bytes: Some(23_000),
            has_spi_freq: true,
            has_pin_state: true,
            ..Quirks::NONE
        }),
    },
];

/// The programmer and the chip that a bench name stands for: `PROGRAMMER+CHIP`.
pub fn find(bench: &str) -> Option<(&'static Model, &'static nor::Part)> {
    let (programmer, chip) = bench.split_once('+')?;
    let model = MODELS.iter().find(|model| model.name == programmer)?;
    Some((model, nor::find(chip)?))
}
