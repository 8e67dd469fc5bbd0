//! `/dev/gpiochipN`: Linux's GPIO character device, uAPI version 2, in front of a simulated
//! computer's lines.
//!
//! Ruled by `include/uapi/linux/gpio.h` of Linux. Here are only its structures; which lines there
//! are, who has them and what moving them does is known at the other end of the socket, which is
//! asked in lines of text.
//!
//! Not here: edges, events and version 1 (`EINVAL`, as from a kernel built without them).

use std::env;
use std::ffi::{c_int, c_ulong, c_void};
use std::fmt::Write;
use std::mem::offset_of;
use std::path::PathBuf;

use crate::bench::ANSWER_WITHIN;
use crate::devices::{self, Device, Socket};
use crate::system::Errno;

/// The environment variable that names the socket.
const VARIABLE: &str = "FLASHWIRE_GPIO";

/// What every chip is called, up to its number.
const PREFIX: &str = "/dev/gpiochip";

/// `GPIO_MAX_NAME_SIZE`: text with its end, in bytes.
const NAME_BYTES: usize = 32;

/// `GPIO_V2_LINES_MAX`.
const MOST_LINES: usize = 64;

/// `GPIO_V2_LINE_NUM_ATTRS_MAX`.
const MOST_ATTRIBUTES: usize = 10;

/// The socket of the simulated computer's lines, if it has any.
pub(crate) fn socket() -> Option<PathBuf> {
    env::var_os(VARIABLE).map(PathBuf::from)
}

/// `struct gpiochip_info`.
#[repr(C)]
struct ChipInfo {
    name: [u8; NAME_BYTES],
    label: [u8; NAME_BYTES],
    lines: u32,
}

/// `struct gpio_v2_line_attribute`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Attribute {
    id: u32,
    padding: u32,
    value: u64,
}

/// `struct gpio_v2_line_config_attribute`.
#[derive(Clone, Copy)]
#[repr(C)]
struct ConfigAttribute {
    attribute: Attribute,
    /// For which of the requested lines it is, bit by bit.
    mask: u64,
}

/// `struct gpio_v2_line_config`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Config {
    flags: u64,
    attribute_count: u32,
    padding: [u32; 5],
    attributes: [ConfigAttribute; MOST_ATTRIBUTES],
}

/// `struct gpio_v2_line_request`.
#[repr(C)]
struct LineRequest {
    offsets: [u32; MOST_LINES],
    consumer: [u8; NAME_BYTES],
    config: Config,
    count: u32,
    event_buffer_size: u32,
    padding: [u32; 5],
    fd: i32,
}

/// `struct gpio_v2_line_info`.
#[repr(C)]
struct LineInfo {
    name: [u8; NAME_BYTES],
    consumer: [u8; NAME_BYTES],
    offset: u32,
    attribute_count: u32,
    flags: u64,
    attributes: [Attribute; MOST_ATTRIBUTES],
    padding: [u32; 4],
}

/// `struct gpio_v2_line_values`.
#[repr(C)]
struct Values {
    bits: u64,
    mask: u64,
}

/// The number of a request of type 0xB4: see `ioctl(2)` and `include/uapi/asm-generic/ioctl.h`.
const fn request(directions: c_ulong, number: c_ulong, size: usize) -> c_ulong {
    directions << 30 | (size as c_ulong) << 16 | 0xB4 << 8 | number
}

/// `_IOC_READ`.
const READ: c_ulong = 2;
/// `_IOC_READ | _IOC_WRITE`.
const BOTH: c_ulong = 3;

const GET_CHIPINFO: c_ulong = request(READ, 0x01, size_of::<ChipInfo>());
const GET_LINEINFO: c_ulong = request(BOTH, 0x05, size_of::<LineInfo>());
const GET_LINE: c_ulong = request(BOTH, 0x07, size_of::<LineRequest>());
const SET_CONFIG: c_ulong = request(BOTH, 0x0D, size_of::<Config>());
const GET_VALUES: c_ulong = request(BOTH, 0x0E, size_of::<Values>());
const SET_VALUES: c_ulong = request(BOTH, 0x0F, size_of::<Values>());

const _: () = assert!(
    GET_CHIPINFO == 0x8044_B401
        && GET_LINEINFO == 0xC100_B405
        && GET_LINE == 0xC250_B407
        && SET_CONFIG == 0xC110_B40D
        && GET_VALUES == 0xC010_B40E
        && offset_of!(LineRequest, config) == 288
        && offset_of!(LineRequest, fd) == 588
        && offset_of!(Config, attributes) == 32
        && offset_of!(LineInfo, flags) == 72,
    "as the kernel has them"
);

/// A chip that there is.
#[derive(Debug)]
pub(crate) struct Chip {
    /// `gpiochip0`.
    name: String,
    number: u32,
    socket: PathBuf,
}

impl Chip {
    /// The chip at that path, if there is one.
    pub(crate) fn find(path: &str) -> Option<Self> {
        let number = path.strip_prefix(PREFIX)?.parse().ok()?;
        let socket = socket()?;
        let name = path.strip_prefix("/dev/")?.to_owned();
        let stream = devices::connect(&socket, ANSWER_WITHIN).ok()?;
        Socket::of(&stream).ask(&format!("chip {name}")).ok()?;
        Some(Self {
            name,
            number,
            socket,
        })
    }

    /// The numbers of the device. Its major number is given out at run time; this is a usual one.
    pub(crate) fn device_numbers(&self) -> (u32, u32) {
        (254, self.number)
    }

    /// Opens it: what `open(2)` returns.
    pub(crate) fn open(self) -> Result<c_int, Errno> {
        let stream = devices::connect(&self.socket, ANSWER_WITHIN)?;
        Socket::of(&stream).ask(&format!("open {}", self.name))?;
        devices::hand_out(stream, self)
    }

    /// `GPIO_GET_CHIPINFO_IOCTL`
    fn info(&self, socket: Socket) -> Result<ChipInfo, Errno> {
        let answer = socket.ask(&format!("chip {}", self.name))?;
        let (label, lines) = answer.split_once(' ').ok_or(libc::EIO)?;
        Ok(ChipInfo {
            name: name(&self.name),
            label: name(label),
            lines: lines.parse().map_err(|_| libc::EIO)?,
        })
    }

    /// `GPIO_V2_GET_LINEINFO_IOCTL`
    fn line_info(&self, socket: Socket, offset: u32) -> Result<LineInfo, Errno> {
        let answer = socket.ask(&format!("line {} {offset}", self.name))?;
        let fields: Vec<&str> = answer.split('\t').collect();
        let [flags, line, consumer] = fields[..] else {
            return Err(libc::EIO);
        };
        Ok(LineInfo {
            name: name(line),
            consumer: name(consumer),
            offset,
            attribute_count: 0,
            flags: flags.parse().map_err(|_| libc::EIO)?,
            attributes: [Attribute {
                id: 0,
                padding: 0,
                value: 0,
            }; MOST_ATTRIBUTES],
            padding: [0; 4],
        })
    }

    /// `GPIO_V2_GET_LINE_IOCTL`: the descriptor of the request.
    fn request(&self, wanted: &LineRequest) -> Result<c_int, Errno> {
        let count = usize::try_from(wanted.count).map_err(|_| libc::EINVAL)?;
        let offsets = wanted.offsets.get(..count).ok_or(libc::EINVAL)?;
        let padding = wanted.padding.iter().chain(&wanted.config.padding);
        if offsets.is_empty() || padding.into_iter().any(|word| *word != 0) {
            return Err(libc::EINVAL);
        }
        let consumer = text(&wanted.consumer);
        let mut question = format!("request {}\t{consumer}", self.name);
        question.push_str(&wanted.config.told(offsets)?);
        let stream = devices::connect(&self.socket, ANSWER_WITHIN)?;
        Socket::of(&stream).ask(&question)?;
        devices::hand_out(
            stream,
            Lines {
                offsets: offsets.to_vec(),
            },
        )
    }
}

impl Config {
    /// The lines as they are wanted: a tab, the flags and the first level of each.
    fn told(&self, offsets: &[u32]) -> Result<String, Errno> {
        /// `GPIO_V2_LINE_ATTR_ID_FLAGS`
        const FLAGS: u32 = 1;
        /// `GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES`
        const OUTPUT_VALUES: u32 = 2;

        let count = usize::try_from(self.attribute_count).map_err(|_| libc::EINVAL)?;
        let attributes = self.attributes.get(..count).ok_or(libc::EINVAL)?;
        let mut told = String::new();
        for (index, offset) in offsets.iter().enumerate() {
            let bit = 1_u64 << index;
            let (mut flags, mut level) = (self.flags, false);
            for ConfigAttribute { attribute, mask } in attributes {
                match attribute.id {
                    _ if mask & bit == 0 => {}
                    FLAGS => flags = attribute.value,
                    OUTPUT_VALUES => level = attribute.value & bit != 0,
                    _ => return Err(libc::EINVAL),
                }
            }
            write!(told, "\t{offset} {flags} {}", u8::from(level)).map_err(|_| libc::EIO)?;
        }
        Ok(told)
    }
}

impl Device for Chip {
    unsafe fn ioctl(
        &mut self,
        socket: Socket,
        request: c_ulong,
        argument: *mut c_void,
    ) -> Result<c_int, Errno> {
        match request {
            GET_CHIPINFO => {
                let info = self.info(socket)?;
                // SAFETY: the caller's promise.
                unsafe { argument.cast::<ChipInfo>().write(info) };
                Ok(0)
            }
            GET_LINEINFO => {
                let place = argument.cast::<LineInfo>();
                // SAFETY: the caller's promise.
                let offset = unsafe { (*place).offset };
                let info = self.line_info(socket, offset)?;
                // SAFETY: as above.
                unsafe { place.write(info) };
                Ok(0)
            }
            GET_LINE => {
                // SAFETY: the caller's promise.
                let wanted = unsafe { &mut *argument.cast::<LineRequest>() };
                wanted.fd = self.request(wanted)?;
                Ok(0)
            }
            _ => Err(libc::EINVAL),
        }
    }

    fn read(&mut self, _: Socket, _: &mut [u8]) -> Result<usize, Errno> {
        Err(libc::EINVAL)
    }

    fn write(&mut self, _: Socket, _: &[u8]) -> Result<usize, Errno> {
        Err(libc::EINVAL)
    }
}

/// Requested lines.
#[derive(Debug)]
struct Lines {
    offsets: Vec<u32>,
}

impl Lines {
    /// The requested lines of a mask, each with its bit.
    fn of(&self, mask: u64) -> Result<impl Iterator<Item = (u32, u64)>, Errno> {
        let bits = (0..).map(|index| 1_u64 << index);
        let chosen: Vec<_> = self.offsets.iter().copied().zip(bits).collect();
        if mask == 0 || chosen.iter().fold(mask, |rest, (_, bit)| rest & !bit) != 0 {
            return Err(libc::EINVAL);
        }
        Ok(chosen.into_iter().filter(move |(_, bit)| mask & bit != 0))
    }
}

impl Device for Lines {
    unsafe fn ioctl(
        &mut self,
        socket: Socket,
        request: c_ulong,
        argument: *mut c_void,
    ) -> Result<c_int, Errno> {
        match request {
            SET_VALUES => {
                // SAFETY: the caller's promise.
                let Values { bits, mask } = unsafe { argument.cast::<Values>().read() };
                let mut question = "set".to_owned();
                for (offset, bit) in self.of(mask)? {
                    let level = u8::from(bits & bit != 0);
                    write!(question, "\t{offset} {level}").map_err(|_| libc::EIO)?;
                }
                socket.ask(&question)?;
            }
            GET_VALUES => {
                // SAFETY: the caller's promise.
                let values = unsafe { &mut *argument.cast::<Values>() };
                let mut bits = 0;
                for (offset, bit) in self.of(values.mask)? {
                    if socket.ask(&format!("get\t{offset}"))? == "1" {
                        bits |= bit;
                    }
                }
                values.bits = bits;
            }
            SET_CONFIG => {
                // SAFETY: the caller's promise.
                let config = unsafe { argument.cast::<Config>().read() };
                let lines = config.told(&self.offsets)?;
                socket.ask(&format!("configure{lines}"))?;
            }
            _ => return Err(libc::EINVAL),
        }
        Ok(0)
    }

    fn read(&mut self, _: Socket, _: &mut [u8]) -> Result<usize, Errno> {
        Err(libc::EINVAL)
    }

    fn write(&mut self, _: Socket, _: &[u8]) -> Result<usize, Errno> {
        Err(libc::EINVAL)
    }
}

/// Text as the structures hold it: cut, and ended by a zero.
fn name(text: &str) -> [u8; NAME_BYTES] {
    let mut name = [0; NAME_BYTES];
    for (place, byte) in name[..NAME_BYTES - 1].iter_mut().zip(text.bytes()) {
        *place = byte;
    }
    name
}

/// What such text says. A tab would end it on its way.
fn text(name: &[u8]) -> String {
    let end = name.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&name[..end.unwrap_or(name.len())]).replace(['\t', '\n'], "?")
}
