//! Parts of other lineages, whose loaders speak without parity.

#![expect(
    clippy::single_range_in_vec_init,
    reason = "lists of memory areas, most of them with one area"
)]

use flashwire_link::Parity;
use flashwire_protocol::stm32::Command;

use super::super::options::OptionLayout;
use super::super::part::{Flash, Loader, Part};
use super::{KIB, LOADER_F1, flash_f1, ms, options_f1, pages, us};

/// Commands of the BlueNRG loaders: they cannot protect against writing (AN4872).
const COMMANDS_NRG: &[Command] = &[
    Command::Get,
    Command::GetVersion,
    Command::GetId,
    Command::ReadMemory,
    Command::Go,
    Command::WriteMemory,
    Command::Erase,
    Command::ReadoutProtect,
    Command::ReadoutUnprotect,
];

/// The address of something that a part does not have.
const NOWHERE: u32 = 0xFFFF_FF00;

/// STM32W108 and BlueNRG-1.
pub static PARTS_WITHOUT_PARITY: [Part; 2] = [
    // STM32W108: an early part of another house, whose loader stands behind its flash and speaks
    // without parity (stm32flash 0.7, its table of devices and `F_...` notes). Times as F1, from
    // memory of its datasheet; option bytes in the form of the F1 behind the loader.
    Part {
        name: "stm32w108cb",
        title: "STM32W108CB, 128 KiB flash, 8 KiB RAM, 8N1",
        product_id: 0x9A8,
        loader: Loader {
            parity: Parity::None,
            ..LOADER_F1
        },
        flash: flash_f1(&[pages(128, KIB, ms(30))]),
        ram: &[0x2000_0000..0x2000_2000],
        system: &[0x0804_0000..0x0804_0800],
        size_address: NOWHERE,
        uid_address: NOWHERE,
        uid_words: [0, 4, 8],
        options: OptionLayout {
            blocks: &[(0x0804_0800, 8)],
            ..options_f1(4)
        },
        empty_check: false,
    },
    // BlueNRG-1 (AN4872 as stm32loader reads it: 8N1, three bytes of id with the product last, no
    // reads of system memory). Times and the RAM of its loader are assumptions.
    Part {
        name: "bluenrg-1",
        title: "BlueNRG-1, 160 KiB flash, 24 KiB RAM, 8N1",
        product_id: 0x003,
        loader: Loader {
            version: 0x10,
            commands: COMMANDS_NRG,
            ram_bytes: 0,
            clock_hz: 16_000_000,
            parity: Parity::None,
            long_id: Some(&[0x00, 0x0F, 0x03]),
            ..LOADER_F1
        },
        flash: Flash {
            start: 0x1004_0000,
            program_bytes: 4,
            program: us(40),
            program_block: 4,
            ..flash_f1(&[pages(80, 2 * KIB, ms(22))])
        },
        ram: &[0x2000_0000..0x2000_6000],
        system: &[],
        size_address: NOWHERE,
        uid_address: NOWHERE,
        uid_words: [0, 4, 8],
        options: OptionLayout {
            blocks: &[],
            ..options_f1(4)
        },
        empty_check: false,
    },
];
