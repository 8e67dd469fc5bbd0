//! What can go wrong, as values; and which row of the table each problem is.

use std::error::Error as StdError;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use flashwire_client::stm32::{self, OptionsError, PartsError, Reading, SectorsError};
use flashwire_client::{nfd as nfd_client, serprog, spinor, stk500};
use flashwire_link::reset::ResetError;
use flashwire_link::{BusFault, LinkError};
use flashwire_plan::image::WriteError;
use flashwire_plan::{Cause, ImageError, LayoutError, Mismatch, PlanError};
#[cfg(feature = "os")]
use flashwire_sim::serve::ServeError;
use flashwire_sim::{BenchError, StorageError};

use super::Error;
use super::hint::{self, Hint};
use super::{arduino, firmware, i2c, input, nfd, spi};
use crate::config::ConfigError;
use crate::files::FileError;
use crate::port::PortError;
use crate::session::Differing;

/// What is wanted of a flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To know what is in it.
    Read,
    /// To change it, or its protection.
    Write,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Options that make no sense together.
    #[error("{0}")]
    Usage(String),
    /// Nobody said where the target is.
    #[error("no port was given")]
    NoPort,
    /// Not a port string.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Not a bench, or one whose files cannot be used.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// Not a reset wiring.
    #[error("--reset: {0}")]
    Reset(#[from] ResetError),
    /// A file of defaults is wrong.
    #[error("{}, {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ConfigError,
    },
    /// A table of parts is wrong.
    #[error("{}, {source}", path.display())]
    Parts {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PartsError,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not a good image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An image cannot be written in the format that was asked for.
    #[error("{0}")]
    Inexpressible(#[from] WriteError),
    /// Standard output cannot be written.
    #[error("standard output cannot be written: {0}")]
    StandardOutput(#[source] io::Error),
    /// The port cannot be opened.
    #[error("{}", open_sentence(link, source))]
    Open {
        /// The port, as the user named it.
        link: String,
        /// Why not.
        source: LinkError,
    },
    /// The bus cannot be opened.
    #[error("{}", i2c::bus_sentence(link, source))]
    OpenBus {
        /// The bus and the address on it, as the user named them.
        link: String,
        /// Why not.
        source: LinkError,
    },
    /// A bench cannot be served.
    #[cfg(feature = "os")]
    #[error(transparent)]
    Serve(ServeError),
    /// The port failed while it was in use.
    #[error("{}", link_sentence(.0))]
    Link(#[from] LinkError),
    /// The STM32 bootloader did not do what it should.
    #[error("{}", stm32_sentence(.0))]
    Stm32(#[source] stm32::Error),
    /// The bootloader of an Arduino board did not do what it should.
    #[error("{}", arduino::sentence(.0))]
    Stk500(#[source] stk500::Error),
    /// What is to be written reaches to where a board's bootloader may be.
    #[error("the file reaches to {end:#06x}: the bootloader may begin at {flash_end:#06x}")]
    BootSection {
        /// End of the file, exclusive.
        end: u64,
        /// End of what may be written, exclusive.
        flash_end: u64,
    },
    /// The serprog programmer did not do what it should.
    #[error("{}", spi::serprog_sentence(.0))]
    Serprog(#[source] serprog::Error),
    /// The programmer with nfd's sketch did not do what it should.
    #[error("{}", nfd::sentence(.0))]
    Nfd(#[source] nfd_client::Error),
    /// A question to a chip that its programmer has no way to ask.
    #[error("this programmer cannot ask the chip how it describes itself")]
    NoRawSpi,
    /// The SPI NOR chip did not do what it should, or it is not known what it is.
    #[error("{}", spi::chip_sentence(.0))]
    Chip(#[source] spinor::Error),
    /// Something is no layout, or not one for this memory.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A raw binary of another size than the chip, and nobody said where it goes.
    #[error("the image has {image_bytes} bytes, and the chip {flash_bytes}")]
    ImageSize {
        /// The size of the image.
        image_bytes: u64,
        /// The size of the chip.
        flash_bytes: u64,
    },
    /// A file of another size than the region that it is for.
    #[error("the file has {file_bytes} bytes, and the region {region} {region_bytes}")]
    RegionSize {
        /// What the region is called.
        region: String,
        /// Where it begins.
        address: u64,
        /// Its size.
        region_bytes: u64,
        /// The size of the file.
        file_bytes: u64,
    },
    /// A chip for a lower voltage than programmers drive.
    #[error("{part} runs on {volts}, and ordinary programmers drive 3.3 V")]
    LowVoltage {
        /// What the chip is called.
        part: String,
        /// Its supply, from and to.
        volts: String,
        /// What `--chip` would take.
        model: String,
    },
    /// The protection bits of a SPI NOR chip are set.
    #[error("the chip is write protected by its status register")]
    ChipProtected,
    /// What was read several times was not the same each time.
    #[error("{} bytes are not the same each time they are read", differing.bytes)]
    Unsteady {
        /// Which.
        differing: Differing,
        /// How often everything was read.
        times: u32,
    },
    /// What was asked for does not fit the target.
    #[error("{}", plan_sentence(.0))]
    Plan(#[from] PlanError),
    /// The chip refuses to be read, written and erased.
    #[error("the chip is read protected (RDP): it can neither be read nor written")]
    ReadProtected {
        /// What was wanted of it.
        access: Access,
    },
    /// Something that cannot be undone was asked for, and nobody said yes.
    #[error("{what}, and nobody agreed to that")]
    NoConsent {
        /// What would happen.
        what: String,
    },
    /// Some of what was to be changed is protected.
    #[error("{} write protected (WRP)", are(ranges))]
    WriteProtected {
        /// What of it, in order of address.
        ranges: Vec<Range<u64>>,
    },
    /// The chip acknowledged a change of its protection, and it is not there.
    #[error("the chip acknowledged it, but {what} did not take effect")]
    NotTaken {
        /// What was to be changed.
        what: &'static str,
    },
    /// The chip reset itself, as it should, and its bootloader does not answer any more.
    #[error("{done}, but the chip did not come back to its bootloader")]
    NotBack {
        /// What was done before.
        done: String,
        /// What it was greeted with.
        source: stm32::Error,
    },
    /// There is no bootloader to be taken up without a greeting.
    #[error("there is no bootloader that was greeted before")]
    NotResumed {
        /// What was found instead.
        source: stm32::Error,
    },
    /// The sectors that can be write protected are not known, or not enough.
    #[error("{part}: {source}")]
    Sectors {
        /// What the chip is called.
        part: String,
        /// Why.
        source: SectorsError,
    },
    /// Option bytes that this part does not show.
    #[error("the option bytes of {part} cannot be read through its bootloader")]
    OptionsUnknown {
        /// What the chip is called.
        part: String,
    },
    /// Option bytes that cannot be changed so.
    #[error("{0}")]
    Options(#[from] OptionsError),
    /// Pages that the chip does not have.
    #[error("there are no {count} pages from page {first} on: this flash has {in_all}")]
    NoSuchPage {
        /// The first page.
        first: u64,
        /// How many were named.
        count: u64,
        /// How many there are.
        in_all: u64,
    },
    /// Nothing is known that resets the chip.
    #[error("no line is known to reset the chip")]
    NoResetLine,
    /// The port lacks a line that the wiring names.
    #[error("{0}")]
    NoLine(String),
    /// A chip whose erase units are not known.
    #[error("the erase units of this chip are not known: {part}")]
    UnknownPart {
        /// What the chip is called.
        part: String,
    },
    /// No image that flashwire brings along.
    #[error("there is no firmware called {name}")]
    FirmwareUnknown {
        /// What was asked for.
        name: String,
    },
    /// A port through which an image cannot be installed.
    #[error("{name} cannot be installed through {port}")]
    FirmwarePort {
        /// The image.
        name: String,
        /// The port, as one would give it again.
        port: String,
    },
    /// An image for another chip.
    #[error("{name} is for an {chip}, and this is an {part}")]
    FirmwareChip {
        /// The image.
        name: String,
        /// The chip that it is for.
        chip: &'static str,
        /// What the chip is called.
        part: String,
    },
    /// An image that needs more than the chip has.
    #[error("{name} needs {needed} bytes of {memory}, and this {part} has {there}")]
    FirmwareSpace {
        /// The image.
        name: String,
        /// What the chip is called.
        part: String,
        /// Which memory: `flash` or `RAM`.
        memory: &'static str,
        /// How much of it the image needs, in bytes.
        needed: u64,
        /// How much there is, in bytes.
        there: u64,
    },
    /// An image was installed and started, and does not answer.
    #[error("{name} is in the board's flash, and does not answer at {baud} baud: {source}")]
    FirmwareSilent {
        /// The image.
        name: String,
        /// The speed that it speaks at, in bits per second.
        baud: u32,
        /// What asking it brought.
        source: serprog::Error,
    },
    /// An ELF file for another processor.
    #[error("the code is for {machine}, and this is an ARM")]
    WrongMachine {
        /// What its `e_machine` says, in words or as a number.
        machine: String,
    },
    /// A UF2 file for other chips.
    #[error("the file is for {families}, and this is an {part}")]
    WrongFamily {
        /// The families that it is for.
        families: String,
        /// What the chip is called.
        part: String,
    },
    /// An address that cuts a program unit.
    #[error("address {address:#010x} is not a multiple of {unit_bytes}, as this flash needs it")]
    UnalignedAddress {
        /// The address that was given.
        address: u64,
        /// The flash's program unit, in bytes.
        unit_bytes: u64,
    },
    /// The flash does not hold what it should.
    #[error("{}", if *written { "verification failed" } else { "the flash holds something else" })]
    Mismatch {
        /// Where, and how.
        mismatch: Mismatch,
        /// Whether it had just been written.
        written: bool,
    },
    /// The user gave up.
    #[error("cancelled")]
    Cancelled,
    /// A defect of this program.
    #[error("this should be impossible: {0}")]
    Defect(#[source] Box<dyn StdError + Send + Sync>),
}

/// `0x08000000..0x08001000 is`, `... and ... are`.
fn are(ranges: &[Range<u64>]) -> String {
    let spans: Vec<String> = ranges
        .iter()
        .map(|range| format!("{:#010x}..{:#010x}", range.start, range.end))
        .collect();
    let verb = if spans.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", spans.join(" and "))
}

pub(super) fn open_sentence(link: &str, source: &LinkError) -> String {
    match source {
        LinkError::NotFound if link.starts_with("tcp:") => format!("there is no such host: {link}"),
        LinkError::NotFound => format!("there is no port {link}"),
        LinkError::Busy => format!("{link} is in use by another program"),
        LinkError::Denied => format!("you may not open {link}"),
        LinkError::NotAPort(what) => format!("{link} is not a serial port: {what}"),
        LinkError::Unsupported(what) => format!("{link} does not support {what}"),
        other => format!("{link} cannot be opened: {other}"),
    }
}

fn link_sentence(source: &LinkError) -> String {
    match source {
        LinkError::Closed => "the port has gone away".to_owned(),
        LinkError::Stalled => "the port takes no more data".to_owned(),
        LinkError::Line { .. } => source.to_string(),
        LinkError::Unsupported(what) => format!("the port does not support {what}"),
        other => format!("the port failed: {other}"),
    }
}

fn plan_sentence(error: &PlanError) -> String {
    match error {
        PlanError::OutOfRange {
            range,
            misfit_bytes,
            memory,
        } => format!(
            "{misfit_bytes} bytes from {:#010x} on lie outside of the flash, which is \
             {:#010x}..{:#010x}",
            range.start, memory.start, memory.end
        ),
        _ => error.to_string(),
    }
}

fn stm32_sentence(error: &stm32::Error) -> String {
    match error {
        stm32::Error::NoAnswer { .. } | stm32::Error::NoDevice { .. } => {
            "the STM32 bootloader did not answer".to_owned()
        }
        stm32::Error::WrongAnswer { reading, .. } => match reading {
            Reading::Echo => "no chip answered: what was sent came back",
            Reading::LineLow => "no chip answered: the line from it is held low",
            Reading::Babble => "what answered is not the STM32 bootloader: a program is talking",
            _ => "what answered makes no sense",
        }
        .to_owned(),
        _ => error.to_string(),
    }
}

impl From<stm32::Error> for Problem {
    /// A link that failed during a conversation is a failed link.
    fn from(error: stm32::Error) -> Self {
        match error {
            stm32::Error::Link(LinkError::Cancelled) => Self::Cancelled,
            stm32::Error::Link(error) => Self::Link(error),
            error => Self::Stm32(error),
        }
    }
}

#[cfg(feature = "os")]
impl From<ServeError> for Problem {
    /// A bench that cannot be opened is the same problem whoever opens it.
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Bench(error) => Self::Bench(error),
            ServeError::Storage(error) => Self::Bench(error.into()),
            error => Self::Serve(error),
        }
    }
}

impl From<Box<dyn StdError + Send + Sync>> for Problem {
    /// What a [`FlashDevice`](flashwire_plan::FlashDevice) failed with: an error of its client.
    fn from(error: Box<dyn StdError + Send + Sync>) -> Self {
        match error.downcast::<stm32::Error>() {
            Ok(error) => (*error).into(),
            Err(error) => match error.downcast::<stk500::Error>() {
                Ok(error) => (*error).into(),
                Err(error) => spi::of_device(error),
            },
        }
    }
}

impl Problem {
    /// What ended a run. `written` says whether it had written what it compared.
    pub(crate) fn from_cause(cause: Cause, written: bool) -> Self {
        match cause {
            Cause::Stopped => Self::Cancelled,
            Cause::Device(error) => error.into(),
            Cause::Mismatch(mismatch) => Self::Mismatch { mismatch, written },
            Cause::Refused(error) => Self::Plan(error),
            other => Self::Defect(Box::new(other)),
        }
    }

    /// Which row of the table this is.
    pub fn hint(&self) -> &'static Hint {
        match self {
            Self::Usage(_) => &hint::USAGE,
            Self::NoPort => &hint::NO_PORT,
            Self::Port(_) => &hint::PORT_SYNTAX,
            Self::Bench(error) => bench_hint(error),
            Self::Reset(_) => &hint::RESET_SYNTAX,
            Self::Config { .. } => &hint::CONFIG_BAD,
            Self::Parts { .. } => &input::PARTS_BAD,
            Self::File(error) => file_hint(error),
            Self::Image(error) => image_hint(error),
            Self::Inexpressible(_) => &hint::INEXPRESSIBLE,
            Self::StandardOutput(_) => &hint::OUTPUT_UNWRITABLE,
            Self::Open { link, source } => open_hint(link, source),
            Self::OpenBus { source, .. } => i2c::bus_hint(source),
            #[cfg(feature = "os")]
            Self::Serve(_) => &hint::LISTEN_FAILED,
            Self::Link(error) => link_hint(error),
            Self::Stm32(error) => stm32_hint(error),
            Self::Stk500(error) => arduino::hint_of(error),
            Self::BootSection { .. } => &arduino::BOOT_SECTION,
            Self::Serprog(error) => spi::serprog_hint(error),
            Self::Nfd(error) => nfd::hint_of(error),
            Self::NoRawSpi => &nfd::NO_RAW_SPI,
            Self::Chip(error) => spi::chip_hint(error),
            Self::Layout(error) => spi::layout_hint(error),
            Self::ImageSize { .. } => &spi::IMAGE_SIZE,
            Self::RegionSize { .. } => &spi::REGION_SIZE,
            Self::LowVoltage { .. } => &spi::CHIP_VOLTAGE,
            Self::ChipProtected => &spi::CHIP_PROTECTED,
            Self::Unsteady { .. } => &spi::READ_UNSTEADY,
            Self::Plan(error) => plan_hint(error),
            Self::ReadProtected { .. } => &hint::READ_PROTECTED,
            Self::NoConsent { .. } => &hint::NO_CONSENT,
            Self::WriteProtected { .. } => &hint::WRITE_PROTECTED,
            Self::NotTaken { .. } => &hint::PROTECTION_FAILED,
            Self::NotBack { .. } => &hint::STM32_NOT_BACK,
            Self::NotResumed { .. } => &hint::STM32_NOT_RESUMED,
            Self::Sectors {
                source: SectorsError::Unaligned { .. },
                ..
            } => &hint::UNALIGNED,
            Self::Sectors { .. } => &hint::SECTORS_UNKNOWN,
            Self::NoSuchPage { .. } => &hint::OUT_OF_RANGE,
            Self::OptionsUnknown { .. } => &hint::OPTIONS_UNKNOWN,
            Self::Options(OptionsError::ReadProtection) => &hint::OPTIONS_PROTECTED,
            Self::Options(_) => &hint::USAGE,
            Self::NoResetLine => &hint::NO_RESET_LINE,
            Self::NoLine(_) => &hint::NO_LINE,
            Self::UnknownPart { .. } => &hint::PART_UNKNOWN,
            Self::FirmwareUnknown { .. } => &firmware::FIRMWARE_UNKNOWN,
            Self::FirmwarePort { .. } => &firmware::FIRMWARE_PORT,
            Self::FirmwareChip { .. } => &firmware::FIRMWARE_CHIP,
            Self::FirmwareSilent { .. } => &firmware::FIRMWARE_SILENT,
            Self::FirmwareSpace { .. } => &firmware::FIRMWARE_SPACE,
            Self::WrongMachine { .. } => &hint::WRONG_MACHINE,
            Self::WrongFamily { .. } => &hint::WRONG_FAMILY,
            Self::UnalignedAddress { .. } => &hint::UNALIGNED,
            Self::Mismatch { .. } => &hint::VERIFY_MISMATCH,
            Self::Cancelled => &hint::CANCELLED,
            Self::Defect(_) => &hint::DEFECT,
        }
    }

    /// What is known beyond the sentence.
    pub(super) fn fact(&self) -> Option<String> {
        match self {
            Self::Stm32(
                error @ (stm32::Error::NoAnswer { .. } | stm32::Error::NoDevice { .. }),
            ) => Some(error.to_string()),
            Self::Stm32(stm32::Error::WrongAnswer { sample, .. }) => {
                let bytes: Vec<String> = sample.iter().map(|b| format!("{b:02X}")).collect();
                Some(format!("sent 0x7F, received {}", bytes.join(" ")))
            }
            Self::Mismatch {
                mismatch:
                    Mismatch {
                        address,
                        expected,
                        found,
                        count,
                    },
                ..
            } => {
                let bytes = if *count == 1 {
                    "byte differs"
                } else {
                    "bytes differ"
                };
                Some(format!(
                    "at {address:#010x}: expected {expected:#04x}, found {found:#04x}; \
                     {count} {bytes} from there on"
                ))
            }
            Self::Nfd(error) => nfd::fact(error),
            Self::Stk500(error) => arduino::fact(error),
            _ => spi::fact(self),
        }
    }

    /// Whether it says that no programmer is there, or none that can be understood.
    #[cfg(feature = "os")]
    pub(crate) fn means_no_programmer(&self) -> bool {
        matches!(
            self,
            Self::Serprog(serprog::Error::NoAnswer { .. } | serprog::Error::WrongAnswer { .. })
                | Self::Nfd(
                    nfd_client::Error::NoAnswer { .. } | nfd_client::Error::WrongAnswer { .. }
                )
        )
    }

    /// The port that the problem is about, where it is not the session's.
    pub(super) fn port(&self) -> Option<&str> {
        match self {
            Self::Open { link, .. } | Self::OpenBus { link, .. } => Some(link),
            _ => None,
        }
    }

    /// Why it probably happened: the table's text, but for what differs within one code.
    pub(super) fn likely(&self) -> &'static str {
        match self {
            Self::Mismatch { written: true, .. } => {
                "some of the flash is write protected or worn out, or the supply is too weak"
            }
            _ => self.hint().likely,
        }
    }

    /// What to try: the table's text, or something made of the problem's own values.
    pub(super) fn remedy(&self, error: &Error) -> String {
        match self {
            Self::Plan(PlanError::Unaligned { aligned, .. })
            | Self::Sectors {
                source: SectorsError::Unaligned { aligned, .. },
                ..
            } => format!(
                "--address {:#010x} --length {:#x}",
                aligned.start,
                aligned.end - aligned.start
            ),
            Self::UnalignedAddress {
                address,
                unit_bytes,
            } => {
                format!("--address {:#010x}", address / unit_bytes * unit_bytes)
            }
            Self::ReadProtected {
                access: Access::Read,
            } => error.fill(
                "`flashwire stm32 unprotect -p {port}` makes it usable again, and erases the whole \
                 flash: its content cannot be had",
            ),
            Self::NoSuchPage { in_all, .. } => {
                format!("pages from 0 to {}", in_all.saturating_sub(1))
            }
            _ => spi::remedy(self).unwrap_or_else(|| error.fill(self.hint().remedy)),
        }
    }

    /// Whether the sentence needs to say on which link.
    pub(super) fn happened_on_the_link(&self) -> bool {
        if let Self::Chip(spinor::Error::NoSuchPart { .. }) = self {
            return false;
        }
        if let Self::Nfd(nfd_client::Error::PinTaken { .. }) = self {
            return false;
        }
        // A line of the computer is on no port.
        if let Self::Link(LinkError::Line { .. }) = self {
            return false;
        }
        matches!(
            self,
            Self::Link(_)
                | Self::Stm32(_)
                | Self::Stk500(_)
                | Self::Serprog(_)
                | Self::Nfd(_)
                | Self::NoRawSpi
                | Self::Chip(_)
                | Self::Unsteady { .. }
                | Self::Mismatch { .. }
                | Self::Cancelled
        )
    }
}

fn bench_hint(error: &BenchError) -> &'static Hint {
    match error {
        BenchError::Storage(StorageError::Io { .. }) => &hint::OUTPUT_UNWRITABLE,
        BenchError::Storage(_) => &input::BENCH_FILE_BAD,
        _ => &hint::BENCH_UNKNOWN,
    }
}

fn file_hint(error: &FileError) -> &'static Hint {
    match error {
        FileError::Missing { .. } => &input::FILE_MISSING,
        FileError::NotAFile { .. } => &input::NOT_A_FILE,
        FileError::TooLarge { .. } => &input::FILE_TOO_LARGE,
        FileError::Unreadable { .. } => &input::FILE_UNREADABLE,
        FileError::Unwritable { .. } => &hint::OUTPUT_UNWRITABLE,
    }
}

fn image_hint(error: &ImageError) -> &'static Hint {
    match error {
        ImageError::Empty | ImageError::NoData { .. } => &input::FILE_EMPTY,
        ImageError::NotFirmware { .. } => &input::NOT_FIRMWARE,
        ImageError::NameDisagrees { .. } | ImageError::NotThisFormat { .. } => {
            &input::FORMAT_DISAGREES
        }
        ImageError::HasAddresses { .. } => &hint::HAS_ADDRESSES,
        _ => &input::IMAGE_BAD,
    }
}

fn open_hint(link: &str, error: &LinkError) -> &'static Hint {
    match error {
        LinkError::Cancelled => &hint::CANCELLED,
        _ if link.starts_with("tcp:") => &hint::CONNECT_FAILED,
        LinkError::NotFound => &hint::PORT_NOT_FOUND,
        LinkError::Busy => &hint::PORT_BUSY,
        LinkError::Denied => &hint::PORT_DENIED,
        LinkError::NotAPort(_) => &hint::PORT_NOT_SERIAL,
        LinkError::Unsupported(_) => &hint::PORT_UNSUPPORTED,
        _ => &hint::PORT_FAILED,
    }
}

pub(super) fn link_hint(error: &LinkError) -> &'static Hint {
    match error {
        LinkError::Closed => &hint::LINK_LOST,
        LinkError::Stalled => &hint::LINK_STALLED,
        LinkError::Unsupported(_) => &hint::PORT_UNSUPPORTED,
        LinkError::Line { .. } => &hint::GPIO_LINE,
        LinkError::Cancelled => &hint::CANCELLED,
        _ => &hint::LINK_FAILED,
    }
}

fn stm32_hint(error: &stm32::Error) -> &'static Hint {
    match error {
        stm32::Error::NoAnswer { .. } => &hint::STM32_NO_ANSWER,
        stm32::Error::NoDevice { .. } => &i2c::I2C_NO_ANSWER,
        stm32::Error::Bus {
            fault: BusFault::ClockHeld,
            ..
        } => &i2c::I2C_HELD,
        stm32::Error::Bus { .. } => &i2c::I2C_FAULT,
        stm32::Error::Unresponsive { last, .. } => match **last {
            stm32::Error::Bus {
                fault: BusFault::ClockHeld,
                ..
            } => &i2c::I2C_HELD,
            _ => &hint::STM32_SILENT,
        },
        stm32::Error::Busy { .. } => &hint::STM32_BUSY,
        stm32::Error::WrongAnswer { reading, .. } => match reading {
            Reading::Echo => &hint::STM32_ECHO,
            Reading::LineLow => &hint::STM32_LINE_LOW,
            _ => &hint::STM32_BABBLE,
        },
        stm32::Error::Nack { .. } | stm32::Error::Unsupported { .. } => &hint::STM32_NACK,
        stm32::Error::Timeout { .. } | stm32::Error::LostSync { .. } => &hint::STM32_SILENT,
        stm32::Error::Unexpected { .. }
        | stm32::Error::Malformed { .. }
        | stm32::Error::Unsteady { .. } => &hint::STM32_NONSENSE,
        stm32::Error::ReadProtected { .. } => &hint::READ_PROTECTED,
        stm32::Error::Damaged { .. } | stm32::Error::Undecided { .. } => &hint::WRITE_FAILED,
        stm32::Error::NoSpeed => &hint::NO_SPEED,
        stm32::Error::Link(error) => link_hint(error),
        _ => &hint::DEFECT,
    }
}

fn plan_hint(error: &PlanError) -> &'static Hint {
    match error {
        PlanError::OutOfRange { .. } | PlanError::InHole { .. } => &hint::OUT_OF_RANGE,
        PlanError::Unaligned { .. } => &hint::UNALIGNED,
        PlanError::NotErasable { .. } => &hint::NOT_ERASABLE,
        PlanError::NeedsErase { .. } => &hint::NEEDS_ERASE,
        PlanError::EmptyRange { .. } | PlanError::AllIsChanged => &hint::USAGE,
        _ => &hint::DEFECT,
    }
}
