//! `/dev/i2c-N`: Linux's i2c-dev, in front of a simulated bus.
//!
//! Ruled by `Documentation/i2c/dev-interface.rst` and `fault-codes.rst` of Linux, by its
//! `include/uapi/linux/i2c.h` and `i2c-dev.h`, and, for what it refuses, by `drivers/i2c/i2c-dev.c`
//! and `i2c-core-smbus.c`.
//!
//! Not here: transfers that are joined by a repeated START, which the sockets of benches do not
//! carry (`EOPNOTSUPP`), and addresses of ten bits.

use std::env;
use std::ffi::{c_int, c_ulong, c_void};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::devices::{self, Device, Socket};
use crate::system::Errno;

/// The environment variable that says which buses there are.
const VARIABLE: &str = "FLASHWIRE_I2C";

/// What every bus is called, up to its number.
const PREFIX: &str = "/dev/i2c-";

/// How long a transfer may take: longer than any controller lets a device hold the clock.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Longest transfer by `read` and `write`, in bytes; what is longer is cut. `drivers/i2c/i2c-dev.c`.
const LONGEST: usize = 8192;

/// `include/uapi/linux/i2c.h`.
mod functions {
    pub(super) const I2C: c_ulong = 0x0000_0001;
    pub(super) const SMBUS_QUICK: c_ulong = 0x0001_0000;
    pub(super) const SMBUS_READ_BYTE: c_ulong = 0x0002_0000;
    pub(super) const SMBUS_WRITE_BYTE: c_ulong = 0x0004_0000;
    /// Plain transfers, and all of SMBus that is made of them: `I2C_FUNC_SMBUS_EMUL`.
    pub(super) const USUAL: c_ulong = I2C | 0x0EFF_0008;

    use std::ffi::c_ulong;
}

/// Requests of `include/uapi/linux/i2c-dev.h`.
mod request {
    use std::ffi::c_ulong;

    pub(super) const RETRIES: c_ulong = 0x0701;
    pub(super) const TIMEOUT: c_ulong = 0x0702;
    pub(super) const SLAVE: c_ulong = 0x0703;
    pub(super) const TENBIT: c_ulong = 0x0704;
    pub(super) const FUNCS: c_ulong = 0x0705;
    pub(super) const SLAVE_FORCE: c_ulong = 0x0706;
    pub(super) const RDWR: c_ulong = 0x0707;
    pub(super) const PEC: c_ulong = 0x0708;
    pub(super) const SMBUS: c_ulong = 0x0720;
}

/// A bus that the variable names.
#[derive(Clone, Debug)]
pub(crate) struct Bus {
    number: u32,
    socket: PathBuf,
    /// What its controller can do: a sum of `I2C_FUNC_*`.
    functions: c_ulong,
    /// The address at which the kernel has a driver of its own.
    driver_at: Option<c_ulong>,
    /// What the controller says of an address that nobody acknowledges, and of a byte.
    nak: (Errno, Errno),
    /// What opening it fails with.
    open: Option<Errno>,
}

impl Bus {
    /// The bus at that path, if the variable names it.
    ///
    /// # Panics
    /// If the variable says something that this does not understand: no test is to overlook that.
    pub(crate) fn find(path: &str) -> Option<Self> {
        let number: u32 = path.strip_prefix(PREFIX)?.parse().ok()?;
        let buses = env::var(VARIABLE).ok()?;
        let mut all = buses.split(';').map(|text| {
            Self::parse(text).unwrap_or_else(|| panic!("{VARIABLE}: {text:?} is no bus"))
        });
        all.find(|bus| bus.number == number)
    }

    /// Reads `1=/tmp/bus,driver-at=0x50`.
    fn parse(text: &str) -> Option<Self> {
        let (bus, keys) = text.split_once(',').unwrap_or((text, ""));
        let (number, socket) = bus.split_once('=')?;
        let mut bus = Self {
            number: number.parse().ok()?,
            socket: socket.into(),
            functions: functions::USUAL,
            driver_at: None,
            nak: (libc::ENXIO, libc::EREMOTEIO),
            open: None,
        };
        for key in keys.split(',').filter(|key| !key.is_empty()) {
            let (key, value) = key.split_once('=')?;
            match key {
                "functions" => bus.functions = number_of(value)?,
                "driver-at" => bus.driver_at = Some(number_of(value)?),
                "nak" => bus.nak = [value.parse().ok()?; 2].into(),
                "open" => bus.open = Some(value.parse().ok()?),
                _ => return None,
            }
        }
        Some(bus)
    }

    /// The numbers of the device: those of `Documentation/admin-guide/devices.txt`.
    pub(crate) fn device_numbers(&self) -> (u32, u32) {
        (89, self.number)
    }

    /// Opens it: what `open(2)` returns.
    pub(crate) fn open(self) -> Result<c_int, Errno> {
        if let Some(error) = self.open {
            return Err(error);
        }
        let stream: UnixStream = devices::connect(&self.socket, ANSWER_WITHIN)?;
        devices::hand_out(
            stream,
            Client {
                bus: self,
                address: 0,
                retries: 0,
            },
        )
    }
}

fn number_of(text: &str) -> Option<c_ulong> {
    match text.strip_prefix("0x") {
        Some(digits) => c_ulong::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// What i2c-dev keeps for each opening of a bus.
#[derive(Debug)]
struct Client {
    bus: Bus,
    address: u8,
    /// How often a transfer that lost the bus is begun again.
    retries: c_ulong,
}

/// `struct i2c_msg`.
#[repr(C)]
struct Message {
    address: u16,
    flags: u16,
    length: u16,
    buffer: *mut u8,
}

/// `struct i2c_rdwr_ioctl_data`.
#[repr(C)]
struct Messages {
    messages: *mut Message,
    count: u32,
}

/// `struct i2c_smbus_ioctl_data`.
#[repr(C)]
struct Smbus {
    read: u8,
    command: u8,
    size: u32,
    data: *mut u8,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(
    size_of::<Message>() == 16 && size_of::<Messages>() == 16 && size_of::<Smbus>() == 16,
    "as the kernel has them"
);

impl Client {
    fn needs(&self, functions: c_ulong) -> Result<(), Errno> {
        if self.bus.functions & functions == functions {
            Ok(())
        } else {
            Err(libc::EOPNOTSUPP)
        }
    }

    /// Whether `write`, one transfer to this address; how it ended.
    fn transfer(&self, socket: Socket, address: u8, mut data: Data<'_>) -> Result<(), Errno> {
        // The kernel's `__i2c_transfer` begins again what lost the bus, and nothing else.
        for _ in 0..self.retries {
            match self.transfer_once(socket, address, &mut data) {
                Err(libc::EAGAIN) => {}
                done => return done,
            }
        }
        self.transfer_once(socket, address, &mut data)
    }

    fn transfer_once(&self, socket: Socket, address: u8, data: &mut Data<'_>) -> Result<(), Errno> {
        let (kind, length) = match data {
            Data::Out(bytes) => (0, bytes.len()),
            Data::In(buffer) => (1, buffer.len()),
        };
        let length = u16::try_from(length).map_err(|_| libc::EINVAL)?;
        let [low, high] = length.to_le_bytes();
        let mut question = vec![kind, address, low, high];
        if let Data::Out(bytes) = data {
            question.extend(*bytes);
        }
        socket.send(&question)?;

        let mut status = [0];
        socket.receive(&mut status)?;
        match status[0] {
            0 => match data {
                Data::In(buffer) => socket.receive(buffer),
                Data::Out(_) => Ok(()),
            },
            1 => Err(self.bus.nak.0),
            2 => {
                // How far it came: no controller tells.
                socket.receive(&mut [0; 2])?;
                Err(self.bus.nak.1)
            }
            3 => Err(libc::EAGAIN),
            4 => Err(libc::ETIMEDOUT),
            _ => Err(libc::EIO),
        }
    }

    /// `I2C_RDWR`.
    ///
    /// # Safety
    /// It points to messages whose buffers are as long as they say.
    unsafe fn messages(&self, socket: Socket, messages: *const Messages) -> Result<c_int, Errno> {
        /// `I2C_M_RD`.
        const READ: u16 = 0x0001;

        self.needs(functions::I2C)?;
        // SAFETY: the caller's promise.
        let Messages { messages, count } = unsafe { messages.read() };
        match count {
            0 => return Err(libc::EINVAL),
            1 => {}
            _ => return Err(libc::EOPNOTSUPP),
        }
        // SAFETY: the caller's promise: there is one.
        let message = unsafe { messages.read() };
        let address = u8::try_from(message.address).map_err(|_| libc::EINVAL)?;
        let length = usize::from(message.length);
        if length > LONGEST || message.flags & !READ != 0 {
            return Err(libc::EINVAL);
        }
        let data = if message.flags & READ == 0 {
            // SAFETY: the caller's promise.
            Data::Out(unsafe { bytes(message.buffer, length) })
        } else {
            // SAFETY: the caller's promise.
            Data::In(unsafe { bytes_mut(message.buffer, length) })
        };
        self.transfer(socket, address, data)?;
        Ok(1)
    }

    /// `I2C_SMBUS`, as far as it is one plain transfer.
    ///
    /// # Safety
    /// It points to such a structure, with a byte where it says.
    unsafe fn smbus(&self, socket: Socket, smbus: *const Smbus) -> Result<c_int, Errno> {
        const QUICK: u32 = 0;
        const BYTE: u32 = 1;

        // SAFETY: the caller's promise.
        let smbus = unsafe { smbus.read() };
        match (smbus.size, smbus.read) {
            (QUICK, 0) => {
                self.needs(functions::SMBUS_QUICK)?;
                self.transfer(socket, self.address, Data::Out(&[]))?;
            }
            (QUICK, 1) => {
                self.needs(functions::SMBUS_QUICK)?;
                self.transfer(socket, self.address, Data::In(&mut []))?;
            }
            (BYTE, 0) => {
                self.needs(functions::SMBUS_WRITE_BYTE)?;
                self.transfer(socket, self.address, Data::Out(&[smbus.command]))?;
            }
            (BYTE, 1) => {
                self.needs(functions::SMBUS_READ_BYTE)?;
                // SAFETY: the caller's promise.
                let byte = unsafe { bytes_mut(smbus.data, 1) };
                self.transfer(socket, self.address, Data::In(byte))?;
            }
            _ => return Err(libc::EOPNOTSUPP),
        }
        Ok(0)
    }
}

impl Device for Client {
    unsafe fn ioctl(
        &mut self,
        socket: Socket,
        request: c_ulong,
        argument: *mut c_void,
    ) -> Result<c_int, Errno> {
        let number = argument as c_ulong;
        match request {
            request::SLAVE | request::SLAVE_FORCE => {
                let address = u8::try_from(number).ok().filter(|a| *a <= 0x7F);
                let address = address.ok_or(libc::EINVAL)?;
                if request == request::SLAVE && self.bus.driver_at == Some(number) {
                    return Err(libc::EBUSY);
                }
                self.address = address;
                Ok(0)
            }
            request::FUNCS => {
                // SAFETY: the caller's promise: it points to an unsigned long.
                unsafe { argument.cast::<c_ulong>().write(self.bus.functions) };
                Ok(0)
            }
            // SAFETY: the caller's promise.
            request::RDWR => unsafe { self.messages(socket, argument.cast()) },
            // SAFETY: the caller's promise.
            request::SMBUS => unsafe { self.smbus(socket, argument.cast()) },
            request::RETRIES => {
                self.retries = number;
                Ok(0)
            }
            request::TENBIT if number != 0 => Err(libc::EINVAL),
            request::TENBIT | request::PEC | request::TIMEOUT => Ok(0),
            _ => Err(libc::ENOTTY),
        }
    }

    fn read(&mut self, socket: Socket, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.needs(functions::I2C)?;
        let count = buffer.len().min(LONGEST);
        self.transfer(socket, self.address, Data::In(&mut buffer[..count]))?;
        Ok(count)
    }

    fn write(&mut self, socket: Socket, bytes: &[u8]) -> Result<usize, Errno> {
        self.needs(functions::I2C)?;
        let count = bytes.len().min(LONGEST);
        self.transfer(socket, self.address, Data::Out(&bytes[..count]))?;
        Ok(count)
    }
}

/// What a transfer carries.
enum Data<'a> {
    Out(&'a [u8]),
    In(&'a mut [u8]),
}

/// # Safety
/// So many bytes are there and stay as they are.
unsafe fn bytes<'a>(start: *const u8, length: usize) -> &'a [u8] {
    if length == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(start, length) }
}

/// # Safety
/// So many bytes are there, and nobody else touches them.
unsafe fn bytes_mut<'a>(start: *mut u8, length: usize) -> &'a mut [u8] {
    if length == 0 {
        return &mut [];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts_mut(start, length) }
}
