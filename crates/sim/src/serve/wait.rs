//! Sleeping until a port has something to say.

use std::io;
use std::time::Duration;

/// Sleeps until one of the ports has something to read (or takes something, where that is asked
/// for), or the time is over; whether it was a port.
#[cfg(unix)]
pub(super) fn any(ports: &[(&dyn std::os::fd::AsFd, bool)], time: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut fds: Vec<PollFd<'_>> = ports
        .iter()
        .map(|(port, unread)| {
            let writable = if *unread {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            PollFd::from_borrowed_fd(port.as_fd(), PollFlags::IN | writable)
        })
        .collect();
    let time = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    match poll(&mut fds, Some(&time)) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Sleeps for a part of the time: without poll, ports are looked at every millisecond.
#[cfg(not(unix))]
pub(super) fn any<P>(_ports: &[(&P, bool)], time: Duration) -> io::Result<bool> {
    std::thread::sleep(time.min(Duration::from_millis(1)));
    Ok(true)
}
