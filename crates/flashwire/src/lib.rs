//! Flash chips over a serial wire: open, plan, run.
//!
//! This is the API boundary: what the command line and the window are made of. Below it are the
//! floors that do the work; above it nothing but looks.
//!
//! ```text
//! port string --Session::open--> Session --plan_write(image)--> Job --execute--> Outcome
//! ```
//!
//! A [`Session`] is an opened target. What changes it goes through a [`Job`], which can be shown
//! before it is [executed](Session::execute). What happens meanwhile is told to a [`Watcher`]; what
//! goes wrong is an [`Error`] with a stable code, a sentence, and what to try. Nothing here prints,
//! draws or ends the process.

#[cfg(feature = "os")]
pub mod adapters;
pub mod bench;
pub mod config;
#[cfg(feature = "os")]
pub mod doctor;
pub mod error;
pub mod families;
pub mod files;
pub mod firmware;
pub mod i2c;
pub mod images;
pub mod number;
pub mod parts;
pub mod places;
pub mod port;
mod session;
mod shared;
mod watch;

pub use error::{Error, Exit, Hint, Problem};
pub use flashwire_client::stm32::{
    FrameLimits, OptionBlock, OptionBytes, OptionField, Parts, Pipeline,
};
pub use flashwire_link::reset::ResetSpec;
pub use flashwire_link::{CancelFlag, Parity};
#[cfg(feature = "os")]
pub use flashwire_link::{Port as SerialPort, PortKind};
pub use flashwire_plan::image::Note;
pub use flashwire_plan::{
    EraseChoice, ErasedKind, Format, Image, Layout, LayoutError, Mismatch, Options as PlanOptions,
    Phase, Plan, Region, Segment, Summary,
};
pub use port::Port;
pub use session::{
    ArduinoInfo, Backup, BackupOptions, Checksum, Differing, Info, Job, OpenOptions, Outcome,
    PinOutput, Protection, RegionContent, Session, Speed, SpiInfo, SpiOptions, SpiPart, SpiStatus,
    Started, Stm32Info, WriteOptions, WriteProtect, image_of_regions, parse_pin_output,
    reset_by_lines, spi_parts,
};
pub use watch::{Progress, Unwatched, Watcher};

/// The serial ports of this computer. Nothing is opened.
///
/// # Errors
/// The system gives no list.
#[cfg(feature = "os")]
pub fn serial_ports() -> Result<Vec<SerialPort>, Error> {
    Ok(flashwire_link::ports()?)
}
