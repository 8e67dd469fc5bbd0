//! A port on Linux, macOS and the BSDs: a non-blocking file for the bytes, and a second handle to it
//! through which `serialport` sets it up.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use serialport::{ClearBuffer, SerialPort, TTYPort};

use super::Modem;
use crate::sys::{self, Readiness};
use crate::{LinkError, Parity, Settings, StopBits};

#[derive(Debug)]
pub(super) struct Port {
    file: File,
    tty: TTYPort,
    has_speed: bool,
    keeps_lines_on_close: bool,
}

impl Port {
    pub(super) fn open(name: &str) -> Result<Self, LinkError> {
        let path = Path::new(name);
        refuse_what_is_no_port(&path.metadata().map_err(not_opened)?)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            // Without O_NONBLOCK the call waits for a carrier.
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
            .open(path)
            .map_err(not_opened)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LinkError::Busy),
            Err(TryLockError::Error(error)) => return Err(not_opened(error)),
        }
        sys::make_raw(&file).map_err(not_opened)?;
        #[cfg(target_os = "linux")]
        // Best effort: what has no such mode (ptys, CDC devices) has no such delay either.
        let _ = sys::set_low_latency(&file);
        Ok(Self {
            // Sets TIOCEXCL as well.
            tty: sys::tty_port(&file).map_err(not_opened)?,
            file,
            has_speed: !is_macos_pty(path),
            keeps_lines_on_close: false,
        })
    }

    /// What has arrived: at least one byte, or 0 if nothing did within `wait` or a signal came.
    pub(super) fn read(&mut self, buffer: &mut [u8], wait: Duration) -> Result<usize, LinkError> {
        if !sys::wait(&self.file, Readiness::Readable, wait).map_err(broken)? {
            return Ok(0);
        }
        match self.file.read(buffer) {
            Ok(0) => Err(LinkError::Closed),
            Ok(count) => Ok(count),
            Err(error) if is_passing(&error) => Ok(0),
            Err(error) => Err(broken(error)),
        }
    }

    /// How many bytes the port took; 0 if none within `wait` or a signal came.
    pub(super) fn write(&mut self, bytes: &[u8], wait: Duration) -> Result<usize, LinkError> {
        match self.file.write(bytes) {
            Ok(count) => Ok(count),
            Err(error) if is_passing(&error) => {
                sys::wait(&self.file, Readiness::Writable, wait).map_err(broken)?;
                Ok(0)
            }
            Err(error) => Err(broken(error)),
        }
    }

    /// Sets what of `settings` is not `known` to be in force.
    pub(super) fn configure(
        &mut self,
        settings: Settings,
        known: Option<Settings>,
    ) -> Result<(), LinkError> {
        let parity = match settings.parity {
            Parity::None => serialport::Parity::None,
            Parity::Even => serialport::Parity::Even,
            Parity::Odd => serialport::Parity::Odd,
        };
        let stop_bits = match settings.stop_bits {
            StopBits::One => serialport::StopBits::One,
            StopBits::Two => serialport::StopBits::Two,
        };
        // What became of the format is read back; some drivers refuse what they cannot do, others
        // take it and leave it.
        if known.map(|known| known.parity) != Some(settings.parity) {
            let _ = self.tty.set_parity(parity);
        }
        if known.map(|known| known.stop_bits) != Some(settings.stop_bits) {
            let _ = self.tty.set_stop_bits(stop_bits);
        }
        if self.has_speed
            && known.map(|known| known.baud) != Some(settings.baud)
            && let Err(error) = self.tty.set_baud_rate(settings.baud)
        {
            self.check_alive()?;
            return Err(LinkError::Unsupported(format!(
                "{} baud ({error})",
                settings.baud
            )));
        }
        self.check_alive()
    }

    /// The parity in force, if the port tells.
    pub(super) fn parity(&self) -> Option<Parity> {
        self.tty.parity().ok().map(|parity| match parity {
            serialport::Parity::None => Parity::None,
            serialport::Parity::Even => Parity::Even,
            serialport::Parity::Odd => Parity::Odd,
        })
    }

    /// The speed in force, if the port tells.
    pub(super) fn baud(&self) -> Option<u32> {
        self.tty.baud_rate().ok().filter(|_| self.has_speed)
    }

    /// The speed in force before anybody sets one, if the port tells.
    pub(super) fn speed_before(&self) -> Option<u32> {
        // A terminal whose speed nobody has ever set says none for the way in.
        #[cfg(target_os = "linux")]
        let speed = sys::output_speed(&self.file).ok();
        #[cfg(not(target_os = "linux"))]
        let speed = self.baud();
        speed.filter(|speed| *speed > 0)
    }

    /// Bytes that were sent and wait in the computer for the wire.
    pub(super) fn queued(&self) -> Result<usize, LinkError> {
        match self.tty.bytes_to_write() {
            Ok(count) => Ok(count as usize),
            // A port that cannot count has nothing to wait for.
            Err(_) => self.check_alive().map(|()| 0),
        }
    }

    /// Waits until the port's own buffer has left too.
    pub(super) fn drain(&mut self) -> Result<(), LinkError> {
        match self.tty.flush() {
            Ok(()) => Ok(()),
            Err(_) => self.check_alive(),
        }
    }

    /// `false` if the port has no such lines.
    pub(super) fn set_modem(&mut self, modem: Modem) -> Result<bool, LinkError> {
        let moved = is_supported(sys::set_modem(&self.file, modem))?;
        if moved && !self.keeps_lines_on_close {
            self.keeps_lines_on_close = true;
            // Best effort: then the lines drop on closing, as with any other program.
            let _ = sys::keep_lines_on_close(&self.file);
            if cfg!(target_os = "macos") {
                // There, tcsetattr undoes a speed that is not one of the classic ones.
                let _ = self
                    .tty
                    .baud_rate()
                    .map(|baud| self.tty.set_baud_rate(baud));
            }
        }
        Ok(moved)
    }

    /// `false` if the port cannot.
    pub(super) fn set_break(&mut self, on: bool) -> Result<bool, LinkError> {
        is_supported(sys::set_break(&self.file, on))
    }

    pub(super) fn discard_input(&mut self) -> Result<(), LinkError> {
        match self.tty.clear(ClearBuffer::Input) {
            Ok(()) => Ok(()),
            Err(_) => self.check_alive(),
        }
    }

    fn check_alive(&self) -> Result<(), LinkError> {
        if sys::hung_up(&self.file) {
            Err(LinkError::Closed)
        } else {
            Ok(())
        }
    }
}

/// Refuses everything that cannot be a serial port before it is opened: opening alone has effects
/// (a FIFO waits for its other end, a watchdog starts to run).
fn refuse_what_is_no_port(metadata: &Metadata) -> Result<(), LinkError> {
    let kind = metadata.file_type();
    let what = if kind.is_dir() {
        "it is a directory"
    } else if kind.is_file() {
        "it is a regular file"
    } else if kind.is_fifo() {
        "it is a FIFO"
    } else if kind.is_socket() {
        "it is a socket"
    } else if kind.is_block_device() {
        "it is a block device"
    } else if is_own_terminal(metadata) {
        "it is the terminal that this program runs in"
    } else {
        return refuse_other_devices(metadata);
    };
    Err(LinkError::NotAPort(what.to_owned()))
}

/// Whether somebody is typing there: what we would set up as a port is not usable afterwards.
fn is_own_terminal(device: &Metadata) -> bool {
    is_open_as(device, &io::stdin())
        || is_open_as(device, &io::stdout())
        || is_open_as(device, &io::stderr())
}

/// Whether `stream` is a terminal, and that device.
fn is_open_as(device: &Metadata, stream: &(impl AsFd + IsTerminal)) -> bool {
    let open = stream.as_fd().try_clone_to_owned().map(File::from);
    stream.is_terminal()
        && open
            .and_then(|file| file.metadata())
            .is_ok_and(|open| open.rdev() == device.rdev())
}

/// Refuses the terminals of the computer itself (numbers: Linux, `admin-guide/devices.txt`), and
/// character devices of which Linux says that they are something else (`/dev/null`: `mem`). Of ptys
/// it says nothing.
#[cfg(target_os = "linux")]
fn refuse_other_devices(metadata: &Metadata) -> Result<(), LinkError> {
    let device = metadata.rdev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let console = match (major, minor) {
        (4, ..64) | (5, 1) => Some("it is a console of this computer"),
        (5, 0) => Some("it is the terminal that this program runs in"),
        (5, 2) => Some("it is where ptys are made, not one of them"),
        _ => None,
    };
    if let Some(console) = console {
        return Err(LinkError::NotAPort(console.to_owned()));
    }
    let link = format!("/sys/dev/char/{major}:{minor}/subsystem");
    match std::fs::read_link(link)
        .ok()
        .as_deref()
        .and_then(Path::file_name)
    {
        Some(class) if class != "tty" => Err(LinkError::NotAPort(format!(
            "it is a device of the class `{}`",
            class.to_string_lossy()
        ))),
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn refuse_other_devices(_: &Metadata) -> Result<(), LinkError> {
    Ok(())
}

/// A pty of macOS refuses every speed; its real ports are named `tty.*` and `cu.*`.
fn is_macos_pty(path: &Path) -> bool {
    cfg!(target_os = "macos")
        && path
            .canonicalize()
            .is_ok_and(|path| path.to_string_lossy().starts_with("/dev/ttys"))
}

/// What an error while opening means.
fn not_opened(error: io::Error) -> LinkError {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR | libc::ENXIO | libc::ENODEV) => LinkError::NotFound,
        Some(libc::EBUSY) => LinkError::Busy,
        Some(libc::EACCES | libc::EPERM) => LinkError::Denied,
        Some(libc::ENOTTY | libc::EINVAL) => {
            LinkError::NotAPort("it is a device, but no terminal".to_owned())
        }
        // What the kernel says of `/dev/ttyS5` where only ttyS0 exists.
        Some(libc::EIO) => LinkError::NotAPort("there is no hardware behind it".to_owned()),
        _ => LinkError::Io(error),
    }
}

/// What an error while reading or writing means.
fn broken(error: io::Error) -> LinkError {
    match error.raw_os_error() {
        Some(libc::EIO | libc::ENXIO | libc::ENODEV | libc::EPIPE) => LinkError::Closed,
        _ => LinkError::Io(error),
    }
}

/// Nothing yet, or a signal: worth another try.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// Tells a request that the port does not know (`false`) from one that failed.
fn is_supported(result: io::Result<()>) -> Result<bool, LinkError> {
    match result {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOTTY | libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP) => Ok(false),
            _ => Err(broken(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    /// A pty and its path; it stays as long as the first of the two.
    fn pty() -> (impl AsFd, String) {
        let device = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&device).unwrap();
        unlockpt(&device).unwrap();
        let path = ptsname(&device, Vec::new()).unwrap();
        (device, path.into_string().unwrap())
    }

    #[test]
    fn a_terminal_that_is_open_as_a_stream_is_recognised() {
        let (_device, path) = pty();
        let (_other_device, other) = pty();
        let stream = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOCTTY)
            .open(&path)
            .unwrap();
        let device = |path: &str| Path::new(path).metadata().unwrap();
        assert!(is_open_as(&device(&path), &stream));
        assert!(!is_open_as(&device(&other), &stream));
        // What is redirected there is nobody's terminal.
        let null = File::open("/dev/null").unwrap();
        assert!(!is_open_as(&device("/dev/null"), &null));
    }
}
