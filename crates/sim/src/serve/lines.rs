//! What a tool with the preload library tells of its port, and a computer of its GPIO lines.
//!
//! One datagram of text for each event, on a Unix socket beside the port's link or socket:
//! `settings 115200 8E1`, `lines dtr=1 rts=0`, `break on`, `break off`, `gpio 17=1` (`-` for a line that
//! nobody drives). Each is answered by one datagram once it has taken effect; the tool waits for that.

use flashwire_link::Settings;

use crate::wire::GPIO_LINES;

/// What a tool did to its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(unix),
    expect(dead_code, reason = "only a pseudo-terminal has the socket")
)]
pub(super) enum Event {
    /// It set speed and format.
    Settings(Settings),
    /// It moved DTR or RTS; asserted or not.
    Lines { dtr: bool, rts: bool },
    /// It began or ended a break.
    Break(bool),
    /// A GPIO line of the computer is high, or low, or not driven.
    Gpio { line: usize, level: Option<bool> },
    /// Something that this server does not know.
    Unknown,
}

#[cfg(unix)]
pub(super) use socket::LinesSocket;

#[cfg(unix)]
mod socket {
    use std::fs;
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::path::PathBuf;

    use super::{Event, GPIO_LINES};

    impl Event {
        /// Reads one datagram.
        fn parse(text: &str) -> Self {
            let parse = || match text.trim_end().split_once(' ')? {
                ("settings", settings) => settings.parse().ok().map(Self::Settings),
                ("lines", lines) => {
                    let (dtr, rts) = lines.split_once(' ')?;
                    Some(Self::Lines {
                        dtr: asserted(dtr.strip_prefix("dtr=")?)?,
                        rts: asserted(rts.strip_prefix("rts=")?)?,
                    })
                }
                ("gpio", change) => {
                    let (line, level) = change.split_once('=')?;
                    let level = match level {
                        "-" => None,
                        level => Some(asserted(level)?),
                    };
                    let line = line.parse().ok().filter(|line| *line < GPIO_LINES)?;
                    Some(Self::Gpio { line, level })
                }
                ("break", "on") => Some(Self::Break(true)),
                ("break", "off") => Some(Self::Break(false)),
                _ => None,
            };
            parse().unwrap_or(Self::Unknown)
        }
    }

    fn asserted(digit: &str) -> Option<bool> {
        match digit {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        }
    }

    /// Longest event, in bytes.
    const MAX_EVENT_BYTES: usize = 256;

    /// The socket beside a port.
    #[derive(Debug)]
    pub(in crate::serve) struct LinesSocket {
        socket: UnixDatagram,
        path: PathBuf,
        /// Who waits for an answer.
        waiting: Option<SocketAddr>,
    }

    impl LinesSocket {
        /// Binds the socket; what an earlier server left there goes.
        pub(in crate::serve) fn bind(path: PathBuf) -> io::Result<Self> {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let socket = UnixDatagram::bind(&path)?;
            socket.set_nonblocking(true)?;
            Ok(Self {
                socket,
                path,
                waiting: None,
            })
        }

        /// The next event that a tool has told of.
        pub(in crate::serve) fn next(&mut self) -> io::Result<Option<Event>> {
            let mut buffer = [0; MAX_EVENT_BYTES];
            match self.socket.recv_from(&mut buffer) {
                Ok((count, from)) => {
                    self.waiting = Some(from);
                    let text = String::from_utf8_lossy(&buffer[..count]);
                    Ok(Some(Event::parse(&text)))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(error),
            }
        }

        /// Lets the tool go on.
        pub(in crate::serve) fn answer(&mut self) {
            if let Some(to) = self.waiting.take() {
                // A tool that has died meanwhile needs no answer.
                let _ = self.socket.send_to_addr(b"ok", &to);
            }
        }
    }

    impl AsFd for LinesSocket {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.socket.as_fd()
        }
    }

    impl Drop for LinesSocket {
        fn drop(&mut self) {
            // Nobody is left to tell, and the next server removes it too.
            let _ = fs::remove_file(&self.path);
        }
    }
}
