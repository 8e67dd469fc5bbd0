//! Devices that are not there: which descriptors of the program stand for one.
//!
//! The descriptor of such a device is a socket to whoever simulates it. So the system itself keeps
//! it: it is closed by whatever closes descriptors, the end of the program included, and whoever is
//! at the other end sees that at once. Here it is told apart by its inode, which no other open file
//! has.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_ulong, c_void};
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::system::Errno;

/// A device that the program has open.
pub(crate) trait Device: Send {
    /// Controls it: see `ioctl(2)`.
    ///
    /// # Safety
    /// `argument` is what the request asks for.
    unsafe fn ioctl(
        &mut self,
        socket: Socket,
        request: c_ulong,
        argument: *mut c_void,
    ) -> Result<c_int, Errno>;

    /// Reads from it: see `read(2)`.
    fn read(&mut self, socket: Socket, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// Writes to it: see `write(2)`.
    fn write(&mut self, socket: Socket, bytes: &[u8]) -> Result<usize, Errno>;
}

type Shared = Arc<Mutex<dyn Device>>;

/// Device and inode of a socket.
type Identity = (libc::dev_t, libc::ino_t);

static OPEN: Mutex<BTreeMap<Identity, Shared>> = Mutex::new(BTreeMap::new());

/// Whether there has ever been anything in [`OPEN`]: in most programs there never is.
static USED: AtomicBool = AtomicBool::new(false);

/// Hands the program a descriptor of this device.
pub(crate) fn hand_out(stream: UnixStream, device: impl Device + 'static) -> Result<c_int, Errno> {
    let identity = identity(stream.as_raw_fd()).ok_or(libc::EIO)?;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.insert(identity, Arc::new(Mutex::new(device)));
    USED.store(true, Ordering::Release);
    Ok(stream.into_raw_fd())
}

/// Lets the device answer for which `fd` stands, if it stands for one.
pub(crate) fn with<T>(fd: c_int, answer: impl FnOnce(&mut dyn Device, Socket) -> T) -> Option<T> {
    if !USED.load(Ordering::Acquire) {
        return None;
    }
    let identity = identity(fd)?;
    let device = {
        let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(open.get(&identity)?)
    };
    let mut device = device.lock().unwrap_or_else(PoisonError::into_inner);
    Some(answer(&mut *device, Socket(fd)))
}

fn identity(fd: c_int) -> Option<Identity> {
    // SAFETY: all-zero is a valid value of this plain structure.
    let mut found: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: it points to such a structure.
    let result = unsafe { libc::fstat(fd, &mut found) };
    let is_socket = found.st_mode & libc::S_IFMT == libc::S_IFSOCK;
    (result == 0 && is_socket).then_some((found.st_dev, found.st_ino))
}

/// Reaches whoever simulates a device; an error is what opening the device then fails with.
pub(crate) fn connect(path: &Path, answer_within: Duration) -> Result<UnixStream, Errno> {
    let connect = || {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(answer_within))?;
        Ok(stream)
    };
    connect().map_err(|error: io::Error| error.raw_os_error().unwrap_or(libc::EIO))
}

/// The program's end of the socket that a descriptor is. The functions of the standard library that
/// read and write would come here again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket(c_int);

impl Socket {
    pub(crate) fn of(stream: &UnixStream) -> Self {
        Self(stream.as_raw_fd())
    }

    /// Sends all bytes.
    pub(crate) fn send(self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            // SAFETY: the buffer is as long as it says.
            let sent = unsafe {
                libc::send(
                    self.0,
                    bytes.as_ptr().cast(),
                    bytes.len(),
                    libc::MSG_NOSIGNAL,
                )
            };
            bytes = &bytes[moved(sent)?.unwrap_or(0)..];
        }
        Ok(())
    }

    /// Fills the buffer.
    pub(crate) fn receive(self, buffer: &mut [u8]) -> Result<(), Errno> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.receive_some(&mut buffer[filled..])? {
                0 => return Err(libc::EIO),
                count => filled += count,
            }
        }
        Ok(())
    }

    /// Sends a line and receives the line that answers it. An answer is `ok`, with what was asked
    /// for behind it, or `error` with an error number.
    pub(crate) fn ask(self, question: &str) -> Result<String, Errno> {
        self.send(format!("{question}\n").as_bytes())?;
        let mut answer = Vec::new();
        let mut some = [0; 256];
        while answer.last() != Some(&b'\n') {
            match self.receive_some(&mut some)? {
                0 => return Err(libc::EIO),
                count => answer.extend(&some[..count]),
            }
        }
        let answer = String::from_utf8_lossy(&answer);
        let answer = answer.trim_end_matches('\n');
        match answer.split_once(' ').unwrap_or((answer, "")) {
            ("ok", what) => Ok(what.to_owned()),
            ("error", number) => Err(number.parse().unwrap_or(libc::EIO)),
            _ => Err(libc::EIO),
        }
    }

    /// Receives what is there, at least a byte; none if the other end is gone.
    fn receive_some(self, buffer: &mut [u8]) -> Result<usize, Errno> {
        loop {
            // SAFETY: the buffer is as long as it says.
            let received =
                unsafe { libc::recv(self.0, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            if let Some(count) = moved(received)? {
                return Ok(count);
            }
        }
    }
}

/// How many bytes a call has moved; `None` if a signal came first. Whatever else went wrong between
/// the two ends is an I/O error to the program, which no test can overlook.
fn moved(result: isize) -> Result<Option<usize>, Errno> {
    match usize::try_from(result) {
        Ok(count) => Ok(Some(count)),
        Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(_) => Err(libc::EIO),
    }
}
