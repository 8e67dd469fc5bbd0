//! The device over i2c-dev. What its errors mean: `Documentation/i2c/fault-codes.rst` of Linux.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;

use i2cdev::core::I2CDevice;
use i2cdev::linux::{LinuxI2CDevice, LinuxI2CError};

use super::Address;
use crate::sys;
use crate::{BusFault, LinkError};

/// Longest transfer that i2c-dev does not cut, in bytes. Linux, `drivers/i2c/i2c-dev.c`.
const LONGEST: usize = 8192;

#[derive(Debug)]
pub(super) struct Device {
    device: LinuxI2CDevice,
    address: Address,
    /// What the controller can do: `I2C_FUNC_*` of `include/uapi/linux/i2c.h`.
    functions: u64,
}

impl Device {
    pub(super) fn open(path: &str, address: Address) -> Result<Self, LinkError> {
        /// Plain transfers of any length.
        const FUNC_I2C: u64 = 0x0000_0001;

        // Opening alone can have effects: a watchdog starts to run.
        if !fs::metadata(path)
            .map_err(not_opened)?
            .file_type()
            .is_char_device()
        {
            return Err(LinkError::NotABus("it is no device".to_owned()));
        }
        let device = LinuxI2CDevice::new(path, u16::from(address.get()))
            .map_err(|error| not_opened(error.into()))?;
        let functions = sys::i2c_functions(&device).map_err(not_opened)?;
        if functions & FUNC_I2C == 0 {
            return Err(LinkError::NotABus(
                "its controller does SMBus only, and no plain I2C transfers".to_owned(),
            ));
        }
        Ok(Self {
            device,
            address,
            functions,
        })
    }

    /// One write transfer.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        check_length(bytes.len())?;
        self.device.write(bytes).map_err(failed)
    }

    /// One read transfer that fills the buffer; `false` if nobody acknowledged the address.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<bool, LinkError> {
        check_length(buffer.len())?;
        answered(self.device.read(buffer))
    }

    /// Whether the address is acknowledged.
    pub(super) fn is_there(&mut self) -> Result<bool, LinkError> {
        const FUNC_SMBUS_QUICK: u64 = 0x0001_0000;
        // Where the usual EEPROMs are, some of which take an empty write for the beginning of one:
        // i2cdetect(8).
        let may_be_eeprom = matches!(self.address.get(), 0x30..=0x37 | 0x50..=0x5F);
        if may_be_eeprom || self.functions & FUNC_SMBUS_QUICK == 0 {
            return answered(self.device.smbus_read_byte().map(drop));
        }
        answered(self.device.smbus_write_quick(false))
    }
}

fn check_length(bytes: usize) -> Result<(), LinkError> {
    if bytes > LONGEST {
        return Err(LinkError::Unsupported(format!(
            "{bytes} bytes in one transfer (at most {LONGEST})"
        )));
    }
    Ok(())
}

/// Whether the address was acknowledged. In a read only the address can be refused.
fn answered(done: Result<(), LinuxI2CError>) -> Result<bool, LinkError> {
    match done.map_err(failed) {
        Ok(()) => Ok(true),
        Err(LinkError::Bus(BusFault::NoDevice | BusFault::NotAcknowledged)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What an error while opening means.
fn not_opened(error: io::Error) -> LinkError {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR | libc::ENXIO | libc::ENODEV) => LinkError::NotFound,
        Some(libc::EBUSY) => LinkError::Busy,
        Some(libc::EACCES | libc::EPERM) => LinkError::Denied,
        Some(libc::ENOTTY | libc::EINVAL) => {
            LinkError::NotABus("it is a device of another kind".to_owned())
        }
        _ => LinkError::Io(error),
    }
}

/// What an error of a transfer means.
fn failed(error: LinuxI2CError) -> LinkError {
    let error = io::Error::from(error);
    match error.raw_os_error() {
        Some(libc::ENXIO) => BusFault::NoDevice.into(),
        // Many drivers tell the address from the bytes behind it no better than that.
        Some(libc::EREMOTEIO) => BusFault::NotAcknowledged.into(),
        Some(libc::EAGAIN) => BusFault::ArbitrationLost.into(),
        Some(libc::ETIMEDOUT | libc::EBUSY) => BusFault::ClockHeld.into(),
        Some(libc::EIO | libc::EPROTO | libc::EBADMSG | libc::EOVERFLOW) => {
            BusFault::Controller.into()
        }
        Some(libc::ENODEV | libc::ESHUTDOWN) => LinkError::Closed,
        _ => LinkError::Io(error),
    }
}
