//! What a program does with a serial port's lines, in one go: the tests run it unmodified under the
//! preload library. `modem PORT` prints the modem lines, moves them, and sends breaks.

#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "it makes the system calls that are replaced")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

fn main() -> io::Result<()> {
    let path = std::env::args().nth(1).expect("the port to open");
    let port = File::options().read(true).write(true).open(path)?;
    let fd = port.as_raw_fd();

    println!("{}", lines(fd)?);
    let (dtr, rts) = (libc::TIOCM_DTR, libc::TIOCM_RTS);
    for (request, argument) in [
        (libc::TIOCMBIC, dtr),
        (libc::TIOCMBIS, dtr),
        (libc::TIOCMSET, rts),
    ] {
        // SAFETY: it points to an integer, as these requests want.
        check(unsafe { libc::ioctl(fd, request, &raw const argument) })?;
        println!("{}", lines(fd)?);
    }
    // SAFETY: these take no pointer.
    unsafe {
        check(libc::ioctl(fd, libc::TIOCSBRK))?;
        check(libc::ioctl(fd, libc::TIOCCBRK))?;
        check(libc::tcsendbreak(fd, 0))
    }
}

/// The lines that this end drives.
fn lines(fd: i32) -> io::Result<String> {
    let mut lines = 0;
    // SAFETY: it points to an integer, as the request wants.
    check(unsafe { libc::ioctl(fd, libc::TIOCMGET, &raw mut lines) })?;
    let on = |line| if lines & line == 0 { "off" } else { "on" };
    Ok(format!(
        "dtr {} rts {}",
        on(libc::TIOCM_DTR),
        on(libc::TIOCM_RTS)
    ))
}

fn check(result: i32) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
