//! Gives a program the hardware that a machine of the tests lacks: a serial port with parity and
//! modem lines (a pseudo-terminal has neither), I2C buses and GPIO lines.
//!
//! Loaded with `LD_PRELOAD` into a program that believes to talk to such hardware, on Linux with the
//! GNU C library. It replaces the functions by which programs do that. They behave as always, except
//! where an environment variable names something that a bench stands for.
//!
//! # A serial port
//!
//! One pseudo-terminal, the bench's port, is more than the others:
//!
//! * Linux drops `PARENB` on pseudo-terminals; here it is kept, and reported when asked for.
//! * `TIOCMGET`, `TIOCMSET`, `TIOCMBIS` and `TIOCMBIC` fail there; here they move DTR and RTS, and
//!   CTS, DSR and DCD are on. As on a real port, the first use raises DTR and RTS.
//! * A break is no error there, and nothing happens; here it is one.
//!
//! # What the bench hears
//!
//! `FLASHWIRE_PTY_LINES` names a Unix datagram socket, and the port is the same path without its
//! `.lines`. Each event is one datagram of text, sent in the order in which the program acts:
//!
//! | text | when |
//! |---|---|
//! | `settings 115200 8E1` | speed or format were set |
//! | `lines dtr=1 rts=0` | DTR or RTS were set; 1 is asserted |
//! | `break on`, `break off` | a break began, or ended |
//!
//! The bench answers each with one datagram of any content once the event has taken effect, and
//! the program goes on. Without an answer within [`ANSWER_WITHIN`] its call fails with `EIO`, which
//! no test can overlook. Without the variable every call goes straight to the system.
//!
//! # Devices that are not there
//!
//! Two more variables give the program devices that the machine lacks. Opening, reading, writing,
//! `ioctl`, `stat` and `realpath` then find:
//!
//! | variable | files | module |
//! |---|---|---|
//! | `FLASHWIRE_I2C` | `/dev/i2c-N` | `i2c` |
//! | `FLASHWIRE_GPIO` | `/dev/gpiochipN`, `/sys/class/gpio/...` | `gpio`, `sysfs` |
//!
//! `FLASHWIRE_I2C` is a list of buses, `;` between them: `1=/tmp/bus,driver-at=0x50`. In front is the
//! bus's number and the path of the Unix socket that the bench serves; behind it come keys:
//!
//! | key | meaning | unless given |
//! |---|---|---|
//! | `functions=N` | what the controller can do, a sum of `I2C_FUNC_*` | plain transfers, and SMBus by them |
//! | `driver-at=N` | the address at which the kernel has a driver (`EBUSY`) | none |
//! | `nak=N` | the error number for everything that is not acknowledged | `ENXIO` for an address, `EREMOTEIO` for a byte |
//! | `open=N` | the error number with which opening fails | it does not |
//!
//! On that socket the program's transfers are frames: one byte kind (0 write, 1 read), one byte
//! address, two bytes length (low byte first), then the bytes of a write. The answer is one byte: 0
//! done, 1 the address was not acknowledged, 2 a byte was not, with two bytes behind it that say
//! which; 3 arbitration lost, 4 the clock was held for too long. Behind the 0 of a read come its bytes.
//!
//! `FLASHWIRE_GPIO` is the path of a Unix socket that speaks lines of text: see `gpio` of the tests,
//! which serves it.

#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "it stands between a program and its C library")]

mod bench;
mod devices;
mod files;
mod gpio;
mod i2c;
mod sysfs;
mod system;
mod terminal;

use std::ffi::{c_int, c_ulong, c_void};

pub use bench::ANSWER_WITHIN;
pub use files::{lstat, open, open64, openat, openat64, read, realpath, stat, statx, write};
use terminal::Flags;

/// Controls a device: see `ioctl(2)`.
///
/// The C library declares it with a variable number of arguments. All callers in fact pass none or
/// one, and on the architectures that Linux and Rust share the first three arguments of either kind
/// of function travel in the same registers.
///
/// # Safety
/// `argument` is what the request asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    let simulated = devices::with(fd, |device, socket| {
        // SAFETY: the caller's promise is passed on.
        unsafe { device.ioctl(socket, request, argument) }
    });
    if let Some(done) = simulated {
        return done.unwrap_or_else(system::fail);
    }
    // SAFETY: the caller's promise is passed on.
    let to_system = || unsafe { system::ioctl(fd, request, argument) };
    let Some(mut port) = terminal::port(fd) else {
        return to_system();
    };
    // A null pointer or a number where a pointer is due is the system's to refuse.
    let argument_is_pointer = argument as usize > 0xFFF;
    let modem = argument.cast::<c_int>();
    match request {
        libc::TCGETS | libc::TCGETS2 => {
            let result = to_system();
            if result == 0 {
                // SAFETY: the system has just filled it in.
                unsafe { port.show(Flags::of(argument)) };
            }
            result
        }
        libc::TCSETS
        | libc::TCSETSW
        | libc::TCSETSF
        | libc::TCSETS2
        | libc::TCSETSW2
        | libc::TCSETSF2 => {
            let result = to_system();
            if result != 0 {
                return result;
            }
            // SAFETY: the system has just read it.
            let set = unsafe { Flags::of(argument).read() };
            port.set(set)
        }
        libc::TIOCMGET if argument_is_pointer => {
            // SAFETY: the caller's promise: it points to an integer.
            unsafe { modem.write(port.modem()) };
            0
        }
        libc::TIOCMSET if argument_is_pointer => {
            // SAFETY: as above.
            port.move_lines(!0, unsafe { modem.read() })
        }
        libc::TIOCMBIS if argument_is_pointer => {
            // SAFETY: as above.
            let lines = unsafe { modem.read() };
            port.move_lines(lines, lines)
        }
        libc::TIOCMBIC if argument_is_pointer => {
            // SAFETY: as above.
            port.move_lines(unsafe { modem.read() }, 0)
        }
        libc::TIOCSBRK => port.hold_break(true),
        libc::TIOCCBRK => port.hold_break(false),
        // Anything but 0 waits until the output is out: tcdrain(3).
        libc::TCSBRK if argument.is_null() => port.send_break(),
        libc::TCSBRKP => port.send_break(),
        _ => to_system(),
    }
}

/// Asks a terminal for its settings: see `termios(3)`.
///
/// # Safety
/// `settings` points to a `termios`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tcgetattr(fd: c_int, settings: *mut libc::termios) -> c_int {
    // SAFETY: the caller's promise is passed on.
    let result = unsafe { system::tcgetattr(fd, settings) };
    if result == 0
        && let Some(port) = terminal::port(fd)
    {
        // SAFETY: the system has just filled it in.
        unsafe { port.show(Flags::of(settings.cast())) };
    }
    result
}

/// Sets up a terminal: see `termios(3)`.
///
/// # Safety
/// `settings` points to a `termios`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tcsetattr(
    fd: c_int,
    when: c_int,
    settings: *const libc::termios,
) -> c_int {
    let Some(mut port) = terminal::port(fd) else {
        // SAFETY: the caller's promise is passed on.
        return unsafe { system::tcsetattr(fd, when, settings) };
    };
    // With TCSANOW the C library reads back and refuses parity that the terminal has dropped.
    // SAFETY: the caller's promise.
    let mut accepted = unsafe { settings.read() };
    let flags = accepted.c_cflag;
    accepted.c_cflag &= !libc::PARENB;
    // SAFETY: it points to such a structure.
    match unsafe { system::tcsetattr(fd, when, &raw const accepted) } {
        0 => port.set(flags),
        failed => failed,
    }
}

/// Sends a break: see `termios(3)`.
///
/// # Safety
/// None needed; `extern "C"` functions of this name are declared unsafe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tcsendbreak(fd: c_int, duration: c_int) -> c_int {
    match terminal::port(fd) {
        Some(mut port) => port.send_break(),
        // SAFETY: it takes only numbers.
        None => unsafe { system::tcsendbreak(fd, duration) },
    }
}
