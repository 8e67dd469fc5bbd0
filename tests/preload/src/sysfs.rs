//! `/sys/class/gpio`: Linux's older interface to GPIO lines, in files.
//!
//! Ruled by `Documentation/admin-guide/gpio/sysfs.rst` of Linux. What is in the files, and which there
//! are, is known at the other end of the socket that [`gpio`](crate::gpio) uses too.

use std::ffi::{c_int, c_ulong, c_void};
use std::path::PathBuf;

use crate::bench::ANSWER_WITHIN;
use crate::devices::{self, Device, Socket};
use crate::gpio;
use crate::system::Errno;

/// Where all of it lies.
const ROOT: &str = "/sys/class/gpio";

/// A path at or below it.
#[derive(Debug)]
pub(crate) struct Place {
    /// From `/sys/class/gpio` on: `export`, `gpio17/value`, or nothing.
    path: String,
    socket: PathBuf,
}

impl Place {
    /// The place of that path, if that is where it is and the computer is a simulated one.
    pub(crate) fn find(path: &str) -> Option<Self> {
        let below = path.strip_prefix(ROOT)?;
        let below = match below.strip_prefix('/') {
            Some(below) => below.trim_end_matches('/'),
            None if below.is_empty() => "",
            None => return None,
        };
        Some(Self {
            path: below.to_owned(),
            socket: gpio::socket()?,
        })
    }

    /// What is there: the mode as `stat(2)` tells it.
    pub(crate) fn mode(&self) -> Result<u32, Errno> {
        let stream = devices::connect(&self.socket, ANSWER_WITHIN)?;
        let answer = Socket::of(&stream).ask(&format!("sysfs stat /{}", self.path))?;
        u32::from_str_radix(&answer, 8).map_err(|_| libc::EIO)
    }

    /// Opens it: what `open(2)` returns.
    pub(crate) fn open(self, flags: c_int) -> Result<c_int, Errno> {
        let access = match flags & libc::O_ACCMODE {
            libc::O_RDONLY => "r",
            libc::O_WRONLY => "w",
            _ => "rw",
        };
        let stream = devices::connect(&self.socket, ANSWER_WITHIN)?;
        let question = format!("sysfs open {access} /{}", self.path);
        Socket::of(&stream).ask(&question)?;
        devices::hand_out(stream, File { read: 0 })
    }
}

/// An open file.
#[derive(Debug)]
struct File {
    /// How much of it has been read, in bytes.
    read: usize,
}

impl Device for File {
    unsafe fn ioctl(&mut self, _: Socket, _: c_ulong, _: *mut c_void) -> Result<c_int, Errno> {
        Err(libc::ENOTTY)
    }

    fn read(&mut self, socket: Socket, buffer: &mut [u8]) -> Result<usize, Errno> {
        let content = socket.ask("read")? + "\n";
        let rest = content.as_bytes().get(self.read..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        Ok(count)
    }

    fn write(&mut self, socket: Socket, bytes: &[u8]) -> Result<usize, Errno> {
        let text = String::from_utf8_lossy(bytes);
        socket.ask(&format!("write {}", text.trim_end_matches('\n')))?;
        Ok(bytes.len())
    }
}
