//! The JSON objects: one struct a schema. A field is never renamed and never changes its meaning;
//! when that cannot be kept, the number at the end of the schema goes up.

pub(crate) mod spi;

use flashwire::{Error, Info, OptionBytes, Outcome, Plan, Progress, Protection};
use serde::Serialize;

/// `object` as one line of JSON.
pub(crate) fn line(object: &impl Serialize) -> String {
    // Our own structs of strings and numbers: nothing in them can fail.
    let mut line = serde_json::to_string(object).unwrap_or_else(|_| "{}".to_owned());
    line.push('\n');
    line
}

/// An error.
#[derive(Serialize)]
pub(crate) struct ErrorObject {
    schema: &'static str,
    code: &'static str,
    exit: u8,
    message: String,
    facts: Vec<String>,
    likely: String,
    #[serde(rename = "try")]
    remedy: String,
    flash: Option<FlashState>,
}

/// In which state a job that ended early left the flash.
#[derive(Serialize)]
struct FlashState {
    touched: bool,
    erased_units: usize,
    planned_units: usize,
    programmed_to: Option<u64>,
    all_written: bool,
    not_written_back: Vec<Range>,
    backup: Option<String>,
}

/// A range of addresses; `end` is the first one behind it.
#[derive(Clone, Serialize)]
pub(crate) struct Range {
    start: u64,
    end: u64,
}

impl From<&std::ops::Range<u64>> for Range {
    fn from(range: &std::ops::Range<u64>) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }
}

impl ErrorObject {
    pub(crate) fn new(error: &Error) -> Self {
        let flash = error.aftermath().map(|aftermath| FlashState {
            touched: aftermath.state.touched,
            erased_units: aftermath.state.erased.len(),
            planned_units: aftermath.planned_units,
            programmed_to: aftermath.state.programmed_to,
            all_written: aftermath.state.all_written,
            not_written_back: aftermath.state.kept_lost.iter().map(Range::from).collect(),
            backup: aftermath.kept.file().map(|file| file.display().to_string()),
        });
        Self {
            schema: "flashwire/error/1",
            code: error.hint().code,
            exit: error.exit() as u8,
            message: error.to_string(),
            facts: error.facts(),
            likely: error.likely(),
            remedy: error.remedy(),
            flash,
        }
    }
}

/// An event of `--progress json`.
#[derive(Serialize)]
pub(crate) struct ProgressObject {
    schema: &'static str,
    phase: String,
    done_bytes: u64,
    total_bytes: u64,
    /// Of the whole stage, from 0 to 1.
    fraction: f64,
    elapsed_ms: u64,
    remaining_ms: Option<u64>,
}

impl ProgressObject {
    pub(crate) fn new(progress: &Progress) -> Self {
        Self {
            schema: "flashwire/progress/1",
            phase: progress.phase.to_string(),
            done_bytes: progress.done_bytes,
            total_bytes: progress.total_bytes,
            fraction: progress.fraction,
            elapsed_ms: progress.elapsed.as_millis() as u64,
            remaining_ms: progress.remaining.map(|left| left.as_millis() as u64),
        }
    }
}

/// What is at the other end.
#[derive(Serialize)]
pub(crate) struct InfoObject {
    schema: &'static str,
    link: String,
    part: String,
    known: bool,
    flash: Range,
    /// Nothing where the size is not known.
    flash_bytes: Option<u64>,
    erase_units: Vec<EraseUnits>,
    program_unit_bytes: u64,
    erased_value: u8,
    unique_id: Option<String>,
    read_protected: bool,
    /// Nothing where nobody can tell.
    write_protected: Option<Vec<Range>>,
    stm32: Option<Stm32>,
    spi: Option<spi::SpiObject>,
    arduino: Option<Arduino>,
}

#[derive(Serialize)]
struct EraseUnits {
    count: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Stm32 {
    product_id: u16,
    family: String,
    protocol: String,
    bootloader_id: Option<u8>,
    size_from_chip: bool,
    commands: Vec<String>,
    reset: Option<String>,
}

#[derive(Serialize)]
struct Arduino {
    bootloader: String,
    signature: [u8; 3],
}

impl InfoObject {
    pub(crate) fn new(info: &Info, protection: &Protection) -> Self {
        let units = info
            .erase_units
            .iter()
            .map(|&(count, bytes)| EraseUnits { count, bytes });
        let stm32 = info.stm32.as_ref().map(|stm32| Stm32 {
            product_id: stm32.product_id,
            family: stm32.family.clone(),
            protocol: stm32.version.clone(),
            bootloader_id: stm32.bootloader_id,
            size_from_chip: stm32.size_from_chip,
            commands: stm32.commands.clone(),
            reset: stm32.wiring.clone(),
        });
        Self {
            schema: "flashwire/info/1",
            link: info.link.clone(),
            part: info.part.clone(),
            known: info.known,
            flash: Range::from(&info.flash),
            flash_bytes: info.size_known.then_some(info.flash.end - info.flash.start),
            erase_units: units.collect(),
            program_unit_bytes: info.program_unit_bytes,
            erased_value: info.erased,
            unique_id: info.unique_id.clone(),
            read_protected: protection.read,
            write_protected: ranges(protection),
            stm32,
            spi: info.spi.as_ref().map(spi::SpiObject::new),
            arduino: info.arduino.as_ref().map(|arduino| Arduino {
                bootloader: arduino.loader.clone(),
                signature: arduino.signature,
            }),
        }
    }
}

/// What is write protected, if that can be told.
fn ranges(protection: &Protection) -> Option<Vec<Range>> {
    let ranges = protection.write.as_ref()?;
    Some(ranges.iter().map(Range::from).collect())
}

/// What is protected after a change of it.
#[derive(Serialize)]
pub(crate) struct ProtectionObject {
    schema: &'static str,
    link: String,
    part: String,
    read_protected: bool,
    /// Nothing where nobody can tell.
    write_protected: Option<Vec<Range>>,
    /// Whether the flash was erased by it.
    erased: bool,
}

impl ProtectionObject {
    pub(crate) fn new(
        schema: &'static str,
        info: &Info,
        protection: &Protection,
        erased: bool,
    ) -> Self {
        Self {
            schema,
            link: info.link.clone(),
            part: info.part.clone(),
            read_protected: protection.read,
            write_protected: ranges(protection),
            erased,
        }
    }
}

/// Option bytes.
#[derive(Serialize)]
pub(crate) struct OptionsObject {
    schema: &'static str,
    link: String,
    part: String,
    /// Whether they were written just now.
    written: bool,
    areas: Vec<OptionArea>,
    fields: Vec<OptionValue>,
}

#[derive(Serialize)]
struct OptionArea {
    address: u32,
    /// Two hexadecimal digits a byte.
    bytes: String,
}

#[derive(Serialize)]
struct OptionValue {
    name: &'static str,
    value: u32,
    bits: u32,
}

impl OptionsObject {
    pub(crate) fn new(info: &Info, options: &OptionBytes, written: bool) -> Self {
        let areas = options.blocks.iter().map(|block| OptionArea {
            address: block.address,
            bytes: block
                .bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        });
        let fields = options.fields.iter().map(|field| OptionValue {
            name: field.name,
            value: field.value,
            bits: field.bits,
        });
        Self {
            schema: "flashwire/stm32-options/1",
            link: info.link.clone(),
            part: info.part.clone(),
            written,
            areas: areas.collect(),
            fields: fields.collect(),
        }
    }
}

/// A checksum.
#[derive(Serialize)]
pub(crate) struct CrcObject {
    pub(crate) schema: &'static str,
    pub(crate) link: String,
    pub(crate) part: String,
    pub(crate) range: Range,
    pub(crate) crc: u32,
    pub(crate) on_chip: bool,
}

/// A plan, carried out or not.
#[derive(Serialize)]
pub(crate) struct JobObject {
    schema: &'static str,
    link: String,
    part: String,
    /// False for a `--dry-run`.
    done: bool,
    erased: Vec<Erased>,
    programmed_bytes: u64,
    blank_bytes: u64,
    unchanged_bytes: u64,
    verified_bytes: u64,
    kept: Vec<Range>,
    dropped: Vec<Range>,
    estimate_ms: u64,
    elapsed_ms: Option<u64>,
    backup: Option<String>,
    started: bool,
}

#[derive(Serialize)]
struct Erased {
    kind: String,
    units: u64,
    bytes: u64,
}

impl JobObject {
    pub(crate) fn new(
        schema: &'static str,
        info: &Info,
        plan: &Plan,
        outcome: Option<&Outcome>,
        started: bool,
    ) -> Self {
        let summary = plan.summary();
        let erased = summary.erased.iter().map(|kind| Erased {
            kind: kind.name.clone(),
            units: kind.units,
            bytes: kind.bytes,
        });
        let backup = outcome.and_then(|outcome| outcome.backup.as_deref());
        Self {
            schema,
            link: info.link.clone(),
            part: info.part.clone(),
            done: outcome.is_some(),
            erased: erased.collect(),
            programmed_bytes: summary.programmed_bytes,
            blank_bytes: summary.blank_bytes,
            unchanged_bytes: summary.unchanged_bytes,
            verified_bytes: summary.verified_bytes,
            kept: summary.kept.iter().map(Range::from).collect(),
            dropped: summary.dropped.iter().map(Range::from).collect(),
            estimate_ms: plan.estimate().as_millis() as u64,
            elapsed_ms: outcome.map(|outcome| outcome.took.as_millis() as u64),
            backup: backup.map(|file| file.display().to_string()),
            started,
        }
    }
}

/// What `read` read.
#[derive(Serialize)]
pub(crate) struct ReadObject {
    pub(crate) schema: &'static str,
    pub(crate) link: String,
    pub(crate) part: String,
    pub(crate) file: String,
    pub(crate) format: &'static str,
    pub(crate) range: Range,
    pub(crate) bytes: u64,
    pub(crate) elapsed_ms: u64,
}

/// What `run` and `reset` did.
#[derive(Serialize)]
pub(crate) struct StartObject {
    pub(crate) schema: &'static str,
    /// Nothing if the chip was not asked.
    pub(crate) part: Option<String>,
    /// `reset` through the lines, `program` in RAM that asked for it, or `jump` of the bootloader.
    pub(crate) by: &'static str,
    pub(crate) address: Option<u64>,
}

/// The ports of this computer, and the benches.
#[derive(Serialize)]
pub(crate) struct ListObject {
    pub(crate) schema: &'static str,
    pub(crate) ports: Vec<PortObject>,
    pub(crate) i2c_buses: Vec<I2cBusObject>,
    /// Who is on the bus that was to be scanned, as ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) i2c_devices: Option<Vec<String>>,
    pub(crate) benches: Vec<BenchObject>,
}

#[derive(Serialize)]
pub(crate) struct PortObject {
    pub(crate) port: String,
    pub(crate) what: Option<String>,
    pub(crate) driver: Option<String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) usb: Option<UsbObject>,
}

#[derive(Serialize)]
pub(crate) struct I2cBusObject {
    pub(crate) bus: String,
    pub(crate) controller: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct UsbObject {
    pub(crate) vid: u16,
    pub(crate) pid: u16,
    pub(crate) manufacturer: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) serial_number: Option<String>,
    pub(crate) location: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct BenchObject {
    pub(crate) port: String,
    pub(crate) what: String,
}

/// What is in firmware files.
#[derive(Serialize)]
pub(crate) struct ImagesObject {
    pub(crate) schema: &'static str,
    pub(crate) images: Vec<ImageObject>,
}

#[derive(Serialize)]
pub(crate) struct ImageObject {
    pub(crate) file: String,
    pub(crate) format: &'static str,
    pub(crate) bytes: u64,
    /// Of the addresses when there are some: a raw binary counts from 0.
    pub(crate) placed: bool,
    pub(crate) segments: Vec<SegmentObject>,
    pub(crate) entry: Option<u64>,
    pub(crate) families: Vec<String>,
    pub(crate) notes: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct SegmentObject {
    pub(crate) address: u64,
    pub(crate) bytes: u64,
}

/// A file that was made.
#[derive(Serialize)]
pub(crate) struct MadeObject {
    pub(crate) schema: &'static str,
    pub(crate) file: String,
    pub(crate) format: &'static str,
    pub(crate) bytes: u64,
}

/// Where a bench is served.
#[derive(Serialize)]
pub(crate) struct ServedObject {
    pub(crate) schema: &'static str,
    pub(crate) place: String,
}

/// Error codes, explained.
#[derive(Serialize)]
pub(crate) struct ExplainObject {
    pub(crate) schema: &'static str,
    pub(crate) errors: Vec<HintObject>,
}

#[derive(Serialize)]
pub(crate) struct HintObject {
    pub(crate) code: &'static str,
    pub(crate) exit: u8,
    pub(crate) likely: String,
    #[serde(rename = "try")]
    pub(crate) remedy: String,
    pub(crate) text: String,
}
