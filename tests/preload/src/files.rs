//! The functions by which a program finds, opens, reads and writes files, for files that are not
//! there.
//!
//! The C library declares `open` with a variable number of arguments; what is said of that at
//! [`ioctl`](crate::ioctl) holds here too.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};

use libc::{mode_t, size_t, ssize_t};

use crate::system::{self, Errno};
use crate::{devices, gpio, i2c, sysfs};

/// A file that is simulated.
enum Simulated {
    Bus(i2c::Bus),
    Chip(gpio::Chip),
    Sysfs(sysfs::Place),
}

/// What `stat(2)` tells of a file, as far as anybody asks.
struct Facts {
    mode: u32,
    /// Major and minor number of a device.
    device: (u32, u32),
}

impl Simulated {
    /// The simulated file of that path, if it is one.
    ///
    /// # Safety
    /// `path` is null or a path.
    unsafe fn find(path: *const c_char) -> Option<Self> {
        if path.is_null() {
            return None;
        }
        // SAFETY: the caller's promise.
        let path = unsafe { CStr::from_ptr(path) }.to_str().ok()?;
        // Almost everything that programs open is nowhere there.
        if path.starts_with("/dev/") {
            let bus = i2c::Bus::find(path).map(Self::Bus);
            bus.or_else(|| gpio::Chip::find(path).map(Self::Chip))
        } else {
            sysfs::Place::find(path).map(Self::Sysfs)
        }
    }

    fn open(self, flags: c_int) -> Result<c_int, Errno> {
        match self {
            Self::Bus(bus) => bus.open(),
            Self::Chip(chip) => chip.open(),
            Self::Sysfs(place) => place.open(flags),
        }
    }

    fn facts(&self) -> Result<Facts, Errno> {
        const DEVICE: u32 = libc::S_IFCHR | 0o660;

        Ok(match self {
            Self::Bus(bus) => Facts {
                mode: DEVICE,
                device: bus.device_numbers(),
            },
            Self::Chip(chip) => Facts {
                mode: DEVICE,
                device: chip.device_numbers(),
            },
            Self::Sysfs(place) => Facts {
                mode: place.mode()?,
                device: (0, 0),
            },
        })
    }
}

/// Opens a file: see `open(2)`.
///
/// # Safety
/// `path` is a path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    // SAFETY: the caller's promise is passed on.
    match unsafe { Simulated::find(path) } {
        Some(file) => file.open(flags).unwrap_or_else(system::fail),
        // SAFETY: as above.
        None => unsafe { system::openat(folder, path, flags, mode) },
    }
}

/// Opens a file: see `open(2)`.
///
/// # Safety
/// `path` is a path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's promise is passed on.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// As [`open`], for programs that were built for large files.
///
/// # Safety
/// `path` is a path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's promise is passed on.
    unsafe { openat(libc::AT_FDCWD, path, flags | libc::O_LARGEFILE, mode) }
}

/// As [`openat`], for programs that were built for large files.
///
/// # Safety
/// `path` is a path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    // SAFETY: the caller's promise is passed on.
    unsafe { openat(folder, path, flags | libc::O_LARGEFILE, mode) }
}

/// Reads: see `read(2)`.
///
/// # Safety
/// `buffer` has room for `count` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t {
    let simulated = devices::with(fd, |device, socket| {
        let room = if count == 0 {
            &mut []
        } else {
            // SAFETY: the caller's promise.
            unsafe { std::slice::from_raw_parts_mut(buffer.cast(), count) }
        };
        device.read(socket, room)
    });
    match simulated {
        Some(done) => system::count(done),
        // SAFETY: the caller's promise is passed on.
        None => unsafe { system::read(fd, buffer, count) },
    }
}

/// Writes: see `write(2)`.
///
/// # Safety
/// `buffer` holds `count` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    let simulated = devices::with(fd, |device, socket| {
        let bytes = if count == 0 {
            &[]
        } else {
            // SAFETY: the caller's promise.
            unsafe { std::slice::from_raw_parts(buffer.cast(), count) }
        };
        device.write(socket, bytes)
    });
    match simulated {
        Some(done) => system::count(done),
        // SAFETY: the caller's promise is passed on.
        None => unsafe { system::write(fd, buffer, count) },
    }
}

/// Tells of a file: see `stat(2)`.
///
/// # Safety
/// `path` is a path, and `found` has room for what is told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stat(path: *const c_char, found: *mut libc::stat) -> c_int {
    // SAFETY: the caller's promise is passed on.
    unsafe { tell(path, found, 0) }
}

/// Tells of a file, or of the link that it is: see `stat(2)`.
///
/// # Safety
/// `path` is a path, and `found` has room for what is told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lstat(path: *const c_char, found: *mut libc::stat) -> c_int {
    // SAFETY: the caller's promise is passed on.
    unsafe { tell(path, found, libc::AT_SYMLINK_NOFOLLOW) }
}

/// # Safety
/// `path` is a path, and `found` has room for what is told.
unsafe fn tell(path: *const c_char, found: *mut libc::stat, flags: c_int) -> c_int {
    // SAFETY: the caller's promise is passed on.
    let Some(file) = (unsafe { Simulated::find(path) }) else {
        // SAFETY: as above.
        return unsafe { system::fstatat(path, found, flags) };
    };
    match file.facts() {
        Ok(Facts { mode, device }) => {
            // SAFETY: all-zero is a valid value of this plain structure.
            let mut facts: libc::stat = unsafe { std::mem::zeroed() };
            facts.st_mode = mode;
            facts.st_rdev = libc::makedev(device.0, device.1);
            // SAFETY: the caller's promise.
            unsafe { found.write(facts) };
            0
        }
        Err(error) => system::fail(error),
    }
}

/// Tells of a file: see `statx(2)`.
///
/// # Safety
/// `path` is a path, and `found` has room for what is told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn statx(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mask: c_uint,
    found: *mut libc::statx,
) -> c_int {
    // SAFETY: the caller's promise is passed on.
    let Some(file) = (unsafe { Simulated::find(path) }) else {
        // SAFETY: as above.
        return unsafe { system::statx(folder, path, flags, mask, found) };
    };
    match file.facts() {
        Ok(Facts { mode, device }) => {
            // SAFETY: all-zero is a valid value of this plain structure.
            let mut facts: libc::statx = unsafe { std::mem::zeroed() };
            facts.stx_mask = libc::STATX_TYPE | libc::STATX_MODE;
            // The field holds sixteen bits, as many as modes have.
            facts.stx_mode = mode as u16;
            (facts.stx_rdev_major, facts.stx_rdev_minor) = device;
            // SAFETY: the caller's promise.
            unsafe { found.write(facts) };
            0
        }
        Err(error) => system::fail(error),
    }
}

/// A path without links: see `realpath(3)`.
///
/// # Safety
/// `path` is a path, and `resolved` is null or has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realpath(path: *const c_char, resolved: *mut c_char) -> *mut c_char {
    // SAFETY: the caller's promise is passed on.
    let is_device = matches!(
        unsafe { Simulated::find(path) },
        Some(Simulated::Bus(_) | Simulated::Chip(_))
    );
    if !is_device {
        // SAFETY: as above.
        return unsafe { system::realpath(path, resolved) };
    }
    // SAFETY: the caller's promise: it is a path.
    let whole = CString::from(unsafe { CStr::from_ptr(path) });
    if resolved.is_null() {
        // SAFETY: it is text with an end; whoever asked frees it.
        unsafe { libc::strdup(whole.as_ptr()) }
    } else {
        // SAFETY: the caller's promise: there is room for a path, and this one is short.
        unsafe { libc::strcpy(resolved, whole.as_ptr()) }
    }
}
