//! The bench's port: what a serial port would remember and a pseudo-terminal does not.

use std::ffi::{c_int, c_void};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use libc::tcflag_t;

use crate::{bench, system};

/// How long tcsendbreak(3) holds a break: between 0.25 and 0.5 s.
const BREAK: Duration = Duration::from_millis(250);

/// The bench's port as this program has set it up.
static PORT: Mutex<State> = Mutex::new(State {
    opened: false,
    parity: 0,
    dtr: false,
    rts: false,
});

struct State {
    opened: bool,
    /// `PARENB` as the program has set it.
    parity: tcflag_t,
    dtr: bool,
    rts: bool,
}

/// The bench's port, while one call of the program is being answered.
pub(crate) struct Port {
    fd: c_int,
    state: MutexGuard<'static, State>,
}

/// The port, if that is what `fd` is.
pub(crate) fn port(fd: c_int) -> Option<Port> {
    // The order matters: what follows makes system calls on other descriptors, which come here too.
    if !is_port(fd) {
        return None;
    }
    let state = PORT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut port = Port { fd, state };
    if !port.state.opened {
        port.state.opened = true;
        // A bench that does not answer is noticed at the next event.
        port.move_lines(!0, libc::TIOCM_DTR | libc::TIOCM_RTS);
    }
    Some(port)
}

/// Whether `fd` is the terminal that the bench's path names.
fn is_port(fd: c_int) -> bool {
    let Some(path) = bench::port() else {
        return false;
    };
    // SAFETY: all-zero is a valid value of this plain structure.
    let mut found: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: it points to such a structure.
    if unsafe { libc::fstat(fd, &mut found) } != 0 {
        return false;
    }
    fs::metadata(path).is_ok_and(|named| {
        let is_device = found.st_mode & libc::S_IFMT == libc::S_IFCHR;
        is_device && found.st_rdev == named.rdev()
    })
}

impl Port {
    /// Puts back what the system has dropped.
    ///
    /// # Safety
    /// `flags` may be read and written.
    pub(crate) unsafe fn show(&self, flags: Flags) {
        // SAFETY: the caller's promise.
        unsafe { flags.write(flags.read() | self.state.parity) };
    }

    /// The program has set these flags, and the system was content.
    pub(crate) fn set(&mut self, flags: tcflag_t) -> c_int {
        self.state.parity = flags & libc::PARENB;
        let parity = match (flags & libc::PARENB != 0, flags & libc::PARODD != 0) {
            (false, _) => 'N',
            (true, false) => 'E',
            (true, true) => 'O',
        };
        let stop = if flags & libc::CSTOPB == 0 { 1 } else { 2 };
        match self.baud() {
            Some(baud) => answer(&format!("settings {baud} 8{parity}{stop}")),
            None => system::fail(libc::EIO),
        }
    }

    /// The speed in force, as a number whatever way it was set.
    fn baud(&self) -> Option<u32> {
        // SAFETY: all-zero is a valid value of this plain structure.
        let mut settings: libc::termios2 = unsafe { std::mem::zeroed() };
        let argument = (&raw mut settings).cast();
        // SAFETY: it points to what the request fills in.
        let result = unsafe { system::ioctl(self.fd, libc::TCGETS2, argument) };
        (result == 0).then_some(settings.c_ospeed)
    }

    /// The modem lines as `TIOCMGET` tells them. Whoever listens is ready for everything.
    pub(crate) fn modem(&self) -> c_int {
        let mut lines = libc::TIOCM_CTS | libc::TIOCM_DSR | libc::TIOCM_CAR;
        if self.state.dtr {
            lines |= libc::TIOCM_DTR;
        }
        if self.state.rts {
            lines |= libc::TIOCM_RTS;
        }
        lines
    }

    /// Gives the lines of `mask` the states that they have in `lines`.
    pub(crate) fn move_lines(&mut self, mask: c_int, lines: c_int) -> c_int {
        if mask & libc::TIOCM_DTR != 0 {
            self.state.dtr = lines & libc::TIOCM_DTR != 0;
        }
        if mask & libc::TIOCM_RTS != 0 {
            self.state.rts = lines & libc::TIOCM_RTS != 0;
        }
        let State { dtr, rts, .. } = *self.state;
        answer(&format!(
            "lines dtr={} rts={}",
            u8::from(dtr),
            u8::from(rts)
        ))
    }

    /// Begins or ends a break.
    pub(crate) fn hold_break(&mut self, on: bool) -> c_int {
        answer(if on { "break on" } else { "break off" })
    }

    /// Sends one whole break.
    pub(crate) fn send_break(&mut self) -> c_int {
        let begun = self.hold_break(true);
        thread::sleep(BREAK);
        let ended = self.hold_break(false);
        begun.min(ended)
    }
}

/// What the call returns after the bench was told.
fn answer(event: &str) -> c_int {
    match bench::tell(event) {
        Ok(()) => 0,
        Err(_) => system::fail(libc::EIO),
    }
}

/// The control flags of a terminal's settings: the third word of every such structure, the C
/// library's and the system's two.
#[derive(Clone, Copy)]
pub(crate) struct Flags(*mut tcflag_t);

impl Flags {
    /// # Safety
    /// `settings` points to a `termios`, the C library's or the system's, or to a `termios2`.
    pub(crate) unsafe fn of(settings: *mut c_void) -> Self {
        // SAFETY: the caller's promise; all of them begin with four such words.
        Self(unsafe { settings.cast::<tcflag_t>().add(2) })
    }

    /// # Safety
    /// The settings may still be read.
    pub(crate) unsafe fn read(self) -> tcflag_t {
        // SAFETY: the caller's promise.
        unsafe { self.0.read() }
    }

    /// # Safety
    /// The settings may be written.
    unsafe fn write(self, flags: tcflag_t) {
        // SAFETY: the caller's promise.
        unsafe { self.0.write(flags) }
    }
}
