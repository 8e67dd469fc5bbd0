//! What is known of a target.

use std::ops::Range;

use flashwire_client::stm32::{self, Command};
use flashwire_plan::{FlashDevice, Geometry};

use super::spi::SpiInfo;
use super::{ArduinoInfo, Device, Session};

/// What is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The link and its settings: `/dev/ttyUSB0 (115200 8E1)`.
    pub link: String,
    /// What the chip is called.
    pub part: String,
    /// Whether the tables know it.
    pub known: bool,
    /// All addresses of the flash; where its size is not known, all that it could have.
    pub flash: Range<u64>,
    /// Whether the size of the flash is known.
    pub size_known: bool,
    /// Its erase units, from the start: how many of which size in bytes. Empty if not known.
    pub erase_units: Vec<(u64, u64)>,
    /// Smallest piece that can be written, in bytes.
    pub program_unit_bytes: u64,
    /// Value of an erased byte.
    pub erased: u8,
    /// The id that no other chip has, as text.
    pub unique_id: Option<String>,
    /// Whether the flash refuses to be read.
    pub read_protected: bool,
    /// What only STM32 bootloaders tell.
    pub stm32: Option<Stm32Info>,
    /// What only SPI NOR chips and their programmers tell.
    pub spi: Option<SpiInfo>,
    /// What only bootloaders of Arduino boards tell.
    pub arduino: Option<ArduinoInfo>,
}

/// What an STM32's bootloader tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stm32Info {
    /// The answer to Get ID.
    pub product_id: u16,
    /// The family: `F1`, `L4`.
    pub family: String,
    /// Version of the protocol: `2.2`.
    pub version: String,
    /// Revision of the bootloader, where the chip tells: AN2606, "Bootloader identification".
    pub bootloader_id: Option<u8>,
    /// Whether the flash size is the chip's own figure, and not the largest sold under this id.
    pub size_from_chip: bool,
    /// The RAM that the bootloader leaves free, where that is known.
    pub free_ram: Option<Range<u64>>,
    /// The option bytes, where the part has them in memory.
    pub option_bytes: Option<Range<u64>>,
    /// The memory that the bootloader itself is in.
    pub system_memory: Option<Range<u64>>,
    /// The commands that it lists.
    pub commands: Vec<String>,
    /// The wiring that reached the bootloader, as `--reset` takes it.
    pub wiring: Option<String>,
}

impl Session {
    /// What is known of the target.
    pub fn info(&mut self) -> Info {
        let link = &self.link;
        match &self.device {
            Device::Stm32(target) => {
                let wiring = self.way.as_ref().map(|way| way.spec.to_string());
                of_stm32(link, target, wiring)
            }
            Device::Spi(spi) => {
                let known = !spi.chip.definition().names.is_empty();
                Info {
                    spi: Some(spi.info()),
                    ..of_flash(link, spi.part(), known, spi.chip.geometry())
                }
            }
            Device::Nfd(nfd) => {
                let known = nfd.definition().is_some();
                Info {
                    size_known: known,
                    spi: Some(nfd.info()),
                    ..of_flash(link, nfd.part(), known, nfd.chip.geometry())
                }
            }
            Device::Arduino(board) => {
                let identity = board.loader().identity();
                Info {
                    arduino: Some(ArduinoInfo {
                        loader: identity.loader.to_string(),
                        signature: identity.part.signature.0,
                    }),
                    ..of_flash(link, identity.part.name.to_owned(), true, board.geometry())
                }
            }
        }
    }
}

fn of_stm32(link: &str, target: &stm32::Target, wiring: Option<String>) -> Info {
    let identity = target.identity();
    let version = format!("{}.{}", identity.version >> 4, identity.version & 0xF);
    let part = identity.part.name.clone();
    Info {
        size_known: identity.flash_bytes().is_some(),
        unique_id: identity.unique_id.map(|id| id.to_string()),
        read_protected: identity.read_protected,
        stm32: Some(Stm32Info {
            product_id: identity.product_id,
            family: format!("{:?}", identity.part.family),
            version,
            bootloader_id: identity.bootloader_id,
            size_from_chip: identity.flash_kib.is_some(),
            free_ram: wide(identity.part.ram.as_ref()),
            option_bytes: wide(identity.part.option_bytes.as_ref()),
            system_memory: wide(identity.part.system_memory.as_ref()),
            commands: identity.commands.codes().map(command_name).collect(),
            wiring,
        }),
        ..of_flash(link, part, identity.known, target.geometry())
    }
}

/// What is known of everything that has flash; the caller adds what it is.
fn of_flash(link: &str, part: String, known: bool, geometry: &Geometry) -> Info {
    Info {
        link: link.to_owned(),
        part,
        known,
        flash: geometry.range.clone(),
        size_known: true,
        erase_units: erase_units(geometry),
        program_unit_bytes: geometry.program.unit_bytes,
        erased: geometry.erased,
        unique_id: None,
        read_protected: false,
        stm32: None,
        spi: None,
        arduino: None,
    }
}

/// A range of the chip's addresses as ranges are told here.
fn wide(range: Option<&Range<u32>>) -> Option<Range<u64>> {
    range.map(|range| range.start.into()..range.end.into())
}

/// What a command is called; its code where no document names it.
fn command_name(code: u8) -> String {
    Command::try_from(code).map_or_else(
        |_| format!("{code:#04x}"),
        |command| command.name().to_owned(),
    )
}

/// The finest units, neighbours of one size counted together.
fn erase_units(geometry: &Geometry) -> Vec<(u64, u64)> {
    let fine = geometry.erase_kinds.iter().filter(|kind| !kind.whole);
    let finest = fine.max_by_key(|kind| kind.runs.iter().map(|run| run.count).sum::<u64>());
    let Some(kind) = finest else {
        return Vec::new();
    };
    let mut units: Vec<(u64, u64)> = Vec::new();
    for run in &kind.runs {
        match units.last_mut() {
            Some((count, bytes)) if *bytes == run.unit_bytes => *count += run.count,
            _ => units.push((run.count, run.unit_bytes)),
        }
    }
    units
}
