//! The system calls that neither `std` nor `serialport` has. The only unsafe code of this crate.

#![expect(unsafe_code, reason = "system calls")]

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
use std::time::Duration;

use serialport::TTYPort;

use crate::serial::Modem;

/// What to wait for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Readiness {
    Readable,
    Writable,
}

/// Waits until `file` is ready, or has failed (the next read or write tells how), or `timeout` has
/// passed. `false` can come early: when a signal arrived.
pub(crate) fn wait(
    file: &impl AsRawFd,
    readiness: Readiness,
    timeout: Duration,
) -> io::Result<bool> {
    let events = match readiness {
        Readiness::Readable => libc::POLLIN,
        Readiness::Writable => libc::POLLOUT,
    };
    Ok(poll(file, events, timeout)? != 0)
}

/// Whether the other end is gone: the peer of a pty closed, the adapter was pulled out.
pub(crate) fn hung_up(file: &File) -> bool {
    poll(file, 0, Duration::ZERO)
        .is_ok_and(|revents| revents & (libc::POLLHUP | libc::POLLERR) != 0)
}

/// Whether the user of this process may read and write the file, without opening it.
pub(crate) fn may_read_and_write(path: &str) -> bool {
    let Ok(path) = CString::new(path) else {
        return false;
    };
    // SAFETY: a string that ends with a zero, alive during the call.
    unsafe { libc::access(path.as_ptr(), libc::R_OK | libc::W_OK) == 0 }
}

/// What has happened on `file`; 0 if nothing has when the time is over or a signal arrived.
fn poll(
    file: &impl AsRawFd,
    events: libc::c_short,
    timeout: Duration,
) -> io::Result<libc::c_short> {
    let mut poll = libc::pollfd {
        fd: file.as_raw_fd(),
        events,
        revents: 0,
    };
    match check(poll_call(&mut poll, timeout)) {
        Ok(()) => Ok(poll.revents),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        Err(error) => Err(error),
    }
}

/// `ppoll`, whose timeout is in nanoseconds.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn poll_call(poll: &mut libc::pollfd, timeout: Duration) -> libc::c_int {
    // A day is as good as for ever, and fits every `time_t`.
    let timeout = timeout.min(Duration::from_secs(86_400));
    // SAFETY: a timespec of zeros is a valid timespec; some targets have private padding in it.
    let mut time: libc::timespec = unsafe { MaybeUninit::zeroed().assume_init() };
    time.tv_sec = timeout.as_secs() as _;
    time.tv_nsec = timeout.subsec_nanos() as _;
    // SAFETY: one pollfd and one timespec, both alive during the call; no signal mask.
    unsafe { libc::ppoll(poll, 1, &time, std::ptr::null()) }
}

/// `poll`, whose timeout is in milliseconds: rounded up, so that a wait never ends early.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn poll_call(poll: &mut libc::pollfd, timeout: Duration) -> libc::c_int {
    let timeout_ms = timeout.as_micros().div_ceil(1000).min(86_400_000);
    // SAFETY: one pollfd, alive during the call.
    unsafe { libc::poll(poll, 1, timeout_ms as libc::c_int) }
}

/// A second handle to the same open port, through which `serialport` sets it up.
pub(crate) fn tty_port(file: &File) -> io::Result<TTYPort> {
    let fd = file.try_clone()?.into_raw_fd();
    // SAFETY: the descriptor is open, and nobody else owns it.
    Ok(unsafe { TTYPort::from_raw_fd(fd) })
}

/// Makes the terminal a plain byte pipe: no echo, no line editing, no translation, no flow control,
/// no interest in the carrier, eight data bits. Speed, parity and stop bits stay.
pub(crate) fn make_raw(file: &File) -> io::Result<()> {
    change_termios(file, |termios| {
        // SAFETY: a valid termios.
        unsafe { libc::cfmakeraw(termios) };
        termios.c_iflag &= !(libc::IXON | libc::IXOFF | libc::IXANY);
        termios.c_cflag &= !libc::CRTSCTS;
        termios.c_cflag |= libc::CREAD | libc::CLOCAL;
        // With a minimum of one byte a read of nothing means the end, never "not yet".
        termios.c_cc[libc::VMIN] = 1;
        termios.c_cc[libc::VTIME] = 0;
    })
}

/// Lets DTR and RTS stay as they are when the port is closed.
pub(crate) fn keep_lines_on_close(file: &File) -> io::Result<()> {
    change_termios(file, |termios| termios.c_cflag &= !libc::HUPCL)
}

fn change_termios(file: &File, change: impl FnOnce(&mut libc::termios)) -> io::Result<()> {
    let mut termios = MaybeUninit::uninit();
    // SAFETY: the pointer is valid for a termios.
    check(unsafe { libc::tcgetattr(file.as_raw_fd(), termios.as_mut_ptr()) })?;
    // SAFETY: tcgetattr succeeded, so that it has filled the termios.
    let mut termios = unsafe { termios.assume_init() };
    change(&mut termios);
    // SAFETY: a valid termios.
    check(unsafe { libc::tcsetattr(file.as_raw_fd(), libc::TCSANOW, &termios) })
}

/// Moves DTR and RTS. One call if both go the same way; else the state is read, changed and written
/// as a whole, so that both move at the same moment.
pub(crate) fn set_modem(file: &File, modem: Modem) -> io::Result<()> {
    let mut on: libc::c_int = 0;
    let mut off: libc::c_int = 0;
    for (change, bit) in [(modem.dtr, libc::TIOCM_DTR), (modem.rts, libc::TIOCM_RTS)] {
        match change {
            Some(true) => on |= bit,
            Some(false) => off |= bit,
            None => {}
        }
    }
    let fd = file.as_raw_fd();
    if off == 0 {
        // SAFETY: TIOCMBIS reads one int.
        return check(unsafe { libc::ioctl(fd, libc::TIOCMBIS, &on) });
    }
    if on == 0 {
        // SAFETY: TIOCMBIC reads one int.
        return check(unsafe { libc::ioctl(fd, libc::TIOCMBIC, &off) });
    }
    let mut state: libc::c_int = 0;
    // SAFETY: TIOCMGET writes one int.
    check(unsafe { libc::ioctl(fd, libc::TIOCMGET, &mut state) })?;
    state = (state | on) & !off;
    // SAFETY: TIOCMSET reads one int.
    check(unsafe { libc::ioctl(fd, libc::TIOCMSET, &state) })
}

/// Starts or ends a break.
pub(crate) fn set_break(file: &File, on: bool) -> io::Result<()> {
    let fd = file.as_raw_fd();
    check(if on {
        // SAFETY: TIOCSBRK takes no argument.
        unsafe { libc::ioctl(fd, libc::TIOCSBRK as _) }
    } else {
        // SAFETY: TIOCCBRK takes no argument.
        unsafe { libc::ioctl(fd, libc::TIOCCBRK as _) }
    })
}

/// Asks the driver to hand over what it receives at once. An FTDI adapter otherwise keeps answers
/// back for up to 16 ms. Drivers that have no such mode say so, and need none.
#[cfg(target_os = "linux")]
pub(crate) fn set_low_latency(file: &File) -> io::Result<()> {
    /// `ASYNC_LOW_LATENCY`, bit 13 of `flags`. Linux, `include/uapi/linux/tty_flags.h`.
    const ASYNC_LOW_LATENCY: libc::c_int = 1 << 13;

    let mut serial = MaybeUninit::<SerialStruct>::zeroed();
    let fd = file.as_raw_fd();
    // SAFETY: TIOCGSERIAL writes one serial_struct.
    check(unsafe { libc::ioctl(fd, libc::TIOCGSERIAL, serial.as_mut_ptr()) })?;
    // SAFETY: every pattern of bits is a valid SerialStruct, and it was zeroed.
    let mut serial = unsafe { serial.assume_init() };
    if serial.flags & ASYNC_LOW_LATENCY != 0 {
        return Ok(());
    }
    serial.flags |= ASYNC_LOW_LATENCY;
    // SAFETY: TIOCSSERIAL reads one serial_struct; all but the flag is as the driver gave it.
    check(unsafe { libc::ioctl(fd, libc::TIOCSSERIAL, &serial) })
}

/// The speed at which a terminal sends, in bits per second, whatever it says of the other direction.
#[cfg(target_os = "linux")]
pub(crate) fn output_speed(file: &File) -> io::Result<u32> {
    let mut settings = MaybeUninit::<libc::termios2>::zeroed();
    // SAFETY: TCGETS2 writes one termios2.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TCGETS2 as _, settings.as_mut_ptr()) })?;
    // SAFETY: every pattern of bits is a valid termios2, and it was zeroed.
    Ok(unsafe { settings.assume_init() }.c_ospeed)
}

/// What an I2C controller can do: a sum of `I2C_FUNC_*`. Linux, `include/uapi/linux/i2c-dev.h`.
#[cfg(target_os = "linux")]
pub(crate) fn i2c_functions(bus: &impl AsRawFd) -> io::Result<u64> {
    const I2C_FUNCS: libc::c_ulong = 0x0705;

    let mut functions: libc::c_ulong = 0;
    // SAFETY: I2C_FUNCS writes one unsigned long.
    check(unsafe { libc::ioctl(bus.as_raw_fd(), I2C_FUNCS as _, &mut functions) })?;
    Ok(functions as u64)
}

/// `struct serial_struct` of Linux, `include/uapi/linux/serial.h`.
#[cfg(target_os = "linux")]
#[repr(C)]
struct SerialStruct {
    kind: libc::c_int,
    line: libc::c_int,
    port: libc::c_uint,
    irq: libc::c_int,
    flags: libc::c_int,
    xmit_fifo_size: libc::c_int,
    custom_divisor: libc::c_int,
    baud_base: libc::c_int,
    close_delay: libc::c_ushort,
    io_type: libc::c_char,
    reserved_char: libc::c_char,
    hub6: libc::c_int,
    closing_wait: libc::c_ushort,
    closing_wait2: libc::c_ushort,
    iomem_base: *mut libc::c_uchar,
    iomem_reg_shift: libc::c_ushort,
    port_high: libc::c_uint,
    iomap_base: libc::c_ulong,
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
const _: () = assert!(size_of::<SerialStruct>() == 72, "the kernel's is 72 bytes");

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
