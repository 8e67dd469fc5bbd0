//! The functions that this library replaces, as they were.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};
use std::sync::OnceLock;

use libc::{mode_t, size_t, ssize_t, termios};

/// An error number of the system: see `errno(3)`.
pub(crate) type Errno = c_int;

/// # Safety
/// `argument` is what the request asks for.
pub(crate) unsafe fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    // SAFETY: the system call itself, with the caller's promise.
    let result: c_long = unsafe { libc::syscall(libc::SYS_ioctl, fd, request, argument) };
    // What ioctl returns is an int.
    result as c_int
}

/// # Safety
/// `path` is a path.
pub(crate) unsafe fn openat(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    // SAFETY: the system call itself, with the caller's promise.
    unsafe { libc::syscall(libc::SYS_openat, folder, path, flags, mode) as c_int }
}

/// # Safety
/// `buffer` has room for `count` bytes.
pub(crate) unsafe fn read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t {
    // SAFETY: the system call itself, with the caller's promise.
    unsafe { libc::syscall(libc::SYS_read, fd, buffer, count) as ssize_t }
}

/// # Safety
/// `buffer` holds `count` bytes.
pub(crate) unsafe fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    // SAFETY: the system call itself, with the caller's promise.
    unsafe { libc::syscall(libc::SYS_write, fd, buffer, count) as ssize_t }
}

/// # Safety
/// `path` is a path, and `found` has room for what the system knows of it.
pub(crate) unsafe fn fstatat(path: *const c_char, found: *mut libc::stat, flags: c_int) -> c_int {
    // SAFETY: the caller's promise is passed on.
    unsafe { libc::fstatat(libc::AT_FDCWD, path, found, flags) }
}

/// # Safety
/// `path` is a path, and `found` has room for what the system knows of it.
pub(crate) unsafe fn statx(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mask: c_uint,
    found: *mut libc::statx,
) -> c_int {
    // SAFETY: the system call itself, with the caller's promise.
    unsafe { libc::syscall(libc::SYS_statx, folder, path, flags, mask, found) as c_int }
}

/// # Safety
/// `path` is a path, and `resolved` is null or has room for one.
pub(crate) unsafe fn realpath(path: *const c_char, resolved: *mut c_char) -> *mut c_char {
    type Function = unsafe extern "C" fn(*const c_char, *mut c_char) -> *mut c_char;
    static NEXT: OnceLock<Function> = OnceLock::new();
    // SAFETY: the C library declares it so.
    let next = NEXT.get_or_init(|| unsafe { std::mem::transmute(next(c"realpath")) });
    // SAFETY: the caller's promise is passed on.
    unsafe { next(path, resolved) }
}

/// # Safety
/// `settings` points to a `termios`.
pub(crate) unsafe fn tcgetattr(fd: c_int, settings: *mut termios) -> c_int {
    type Function = unsafe extern "C" fn(c_int, *mut termios) -> c_int;
    static NEXT: OnceLock<Function> = OnceLock::new();
    // SAFETY: the C library declares it so.
    let next = NEXT.get_or_init(|| unsafe { std::mem::transmute(next(c"tcgetattr")) });
    // SAFETY: the caller's promise is passed on.
    unsafe { next(fd, settings) }
}

/// # Safety
/// `settings` points to a `termios`.
pub(crate) unsafe fn tcsetattr(fd: c_int, when: c_int, settings: *const termios) -> c_int {
    type Function = unsafe extern "C" fn(c_int, c_int, *const termios) -> c_int;
    static NEXT: OnceLock<Function> = OnceLock::new();
    // SAFETY: the C library declares it so.
    let next = NEXT.get_or_init(|| unsafe { std::mem::transmute(next(c"tcsetattr")) });
    // SAFETY: the caller's promise is passed on.
    unsafe { next(fd, when, settings) }
}

/// # Safety
/// None needed.
pub(crate) unsafe fn tcsendbreak(fd: c_int, duration: c_int) -> c_int {
    type Function = unsafe extern "C" fn(c_int, c_int) -> c_int;
    static NEXT: OnceLock<Function> = OnceLock::new();
    // SAFETY: the C library declares it so.
    let next = NEXT.get_or_init(|| unsafe { std::mem::transmute(next(c"tcsendbreak")) });
    // SAFETY: it takes only numbers.
    unsafe { next(fd, duration) }
}

/// The function of that name in the library behind this one. Ends the program if there is none:
/// then this is no C library that the preload library could stand in front of.
fn next(name: &CStr) -> *mut c_void {
    // SAFETY: both arguments are what dlsym asks for.
    let function = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    assert!(!function.is_null(), "the C library has no {name:?}");
    function
}

/// Fails the call that is being answered, as the C library does it.
pub(crate) fn fail(error: Errno) -> c_int {
    // SAFETY: errno of this thread may always be written.
    unsafe { *libc::__errno_location() = error };
    -1
}

/// What a call returns that counts something.
pub(crate) fn count(done: Result<usize, Errno>) -> ssize_t {
    match done {
        // What is counted fits a buffer, and no buffer is longer than that.
        Ok(count) => count as ssize_t,
        Err(error) => fail(error) as ssize_t,
    }
}
