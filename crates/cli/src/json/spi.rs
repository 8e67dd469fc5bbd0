//! JSON objects of SPI NOR chips.

use flashwire::{Info, SpiInfo, SpiPart, SpiStatus};
use serde::Serialize;

/// What only SPI NOR chips and their programmers tell: a part of `info`.
#[derive(Serialize)]
pub(super) struct SpiObject {
    method: &'static str,
    programmer: Option<String>,
    /// Nothing where nobody has set it.
    spi_hz: Option<u32>,
    pipelined: bool,
    extensions: bool,
    id: String,
    names: Vec<String>,
    sfdp: bool,
    voltage_mv: Option<(u32, u32)>,
    page_bytes: u64,
    erases: Vec<EraseObject>,
}

#[derive(Serialize)]
struct EraseObject {
    kind: String,
    /// Nothing where units differ.
    bytes: Option<u64>,
    typical_ms: u64,
}

impl SpiObject {
    pub(super) fn new(spi: &SpiInfo) -> Self {
        let erases = spi
            .erases
            .iter()
            .map(|(kind, bytes, typical_ms)| EraseObject {
                kind: kind.clone(),
                bytes: (*bytes > 0).then_some(*bytes),
                typical_ms: *typical_ms,
            });
        Self {
            method: spi.method.word(),
            programmer: spi.programmer.clone(),
            spi_hz: spi.spi_hz,
            pipelined: spi.ahead,
            extensions: spi.extensions,
            id: hex(&spi.id),
            names: spi.names.clone(),
            sfdp: spi.has_sfdp,
            voltage_mv: spi.voltage_mv,
            page_bytes: spi.page_bytes,
            erases: erases.collect(),
        }
    }
}

/// The table of parts.
#[derive(Serialize)]
pub(crate) struct ChipsObject {
    pub(crate) schema: &'static str,
    pub(crate) chips: Vec<ChipObject>,
}

#[derive(Serialize)]
pub(crate) struct ChipObject {
    vendor: String,
    model: String,
    bytes: u64,
    page_bytes: u64,
    erase_bytes: Vec<u64>,
    voltage_mv: (u32, u32),
}

impl ChipObject {
    pub(crate) fn new(part: &SpiPart) -> Self {
        Self {
            vendor: part.vendor.clone(),
            model: part.model.clone(),
            bytes: part.size_bytes,
            page_bytes: part.page_bytes,
            erase_bytes: part.erase_bytes.clone(),
            voltage_mv: part.voltage_mv,
        }
    }
}

/// How a chip describes itself.
#[derive(Serialize)]
pub(crate) struct SfdpObject {
    schema: &'static str,
    link: String,
    part: String,
    /// Empty if it does not.
    sfdp: String,
}

impl SfdpObject {
    pub(crate) fn new(info: &Info, sfdp: &[u8]) -> Self {
        Self {
            schema: "flashwire/spi-sfdp/1",
            link: info.link.clone(),
            part: info.part.clone(),
            sfdp: hex(sfdp),
        }
    }
}

/// The status registers.
#[derive(Serialize)]
pub(crate) struct StatusObject {
    schema: &'static str,
    link: String,
    part: String,
    sr1: u8,
    sr2: Option<u8>,
    sr3: Option<u8>,
    protected: bool,
}

impl StatusObject {
    pub(crate) fn new(schema: &'static str, info: &Info, status: &SpiStatus) -> Self {
        Self {
            schema,
            link: info.link.clone(),
            part: info.part.clone(),
            sr1: status.sr1,
            sr2: status.sr2,
            sr3: status.sr3,
            protected: status.is_protected,
        }
    }
}

/// What `read` read of regions.
#[derive(Serialize)]
pub(crate) struct RegionsReadObject {
    pub(crate) schema: &'static str,
    pub(crate) link: String,
    pub(crate) part: String,
    pub(crate) regions: Vec<RegionReadObject>,
    pub(crate) elapsed_ms: u64,
}

#[derive(Serialize)]
pub(crate) struct RegionReadObject {
    pub(crate) name: String,
    pub(crate) range: super::Range,
    pub(crate) file: String,
}

fn hex(content: &[u8]) -> String {
    content.iter().map(|byte| format!("{byte:02x}")).collect()
}
