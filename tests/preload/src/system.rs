//! The functions that this library replaces, as they were.

use std::ffi::{CStr, c_int, c_long, c_ulong, c_void};
use std::sync::OnceLock;

use libc::termios;

/// # Safety
/// `argument` is what the request asks for.
pub(crate) unsafe fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    // SAFETY: the system call itself, with the caller's promise.
    let result: c_long = unsafe { libc::syscall(libc::SYS_ioctl, fd, request, argument) };
    // What ioctl returns is an int.
    result as c_int
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
pub(crate) fn fail(error: c_int) -> c_int {
    // SAFETY: errno of this thread may always be written.
    unsafe { *libc::__errno_location() = error };
    -1
}
