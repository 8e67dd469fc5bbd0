//! The tool's side of a server: a TCP port, a Unix socket or a pseudo-terminal.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::lines::Event;
use super::{Listen, ServeError, wait};

/// What reading gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// So many bytes.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// The tool has gone.
    End,
}

/// Where tools come in, one after the other: bytes only, for whoever serves something that is no
/// [`Bench`](crate::Bench).
#[derive(Debug)]
pub struct Port(Kind);

#[derive(Debug)]
enum Kind {
    Tcp {
        listener: TcpListener,
        stream: Option<TcpStream>,
    },
    #[cfg(unix)]
    Unix(super::unix::Unix),
    #[cfg(unix)]
    Pty(super::pty::Pty),
}

impl Port {
    /// Listens. A pseudo-terminal begins with the speed `baud`.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn open(listen: &Listen, baud: u32) -> Result<Self, ServeError> {
        match listen {
            Listen::Tcp(address) => {
                let bind = || {
                    let listener = TcpListener::bind(address)?;
                    listener.set_nonblocking(true)?;
                    Ok(listener)
                };
                let listener = bind().map_err(|source| ServeError::Listen {
                    place: listen.to_string(),
                    source,
                })?;
                Ok(Self(Kind::Tcp {
                    listener,
                    stream: None,
                }))
            }
            #[cfg(unix)]
            Listen::Unix(path) => super::unix::Unix::open(path).map(|unix| Self(Kind::Unix(unix))),
            #[cfg(not(unix))]
            Listen::Unix(_) => Err(ServeError::NoUnix),
            #[cfg(unix)]
            Listen::Pty(link) => super::pty::Pty::open(link, baud).map(|pty| Self(Kind::Pty(pty))),
            #[cfg(not(unix))]
            Listen::Pty(_) => {
                let _ = baud;
                Err(ServeError::NoPty)
            }
        }
    }

    /// What a tool is to open: `tcp:ADDRESS:PORT` with the port that the system chose, or the path
    /// of the link.
    pub fn place(&self) -> String {
        match &self.0 {
            Kind::Tcp { listener, .. } => match listener.local_addr() {
                Ok(address) => format!("tcp:{address}"),
                Err(_) => "tcp:".to_owned(),
            },
            #[cfg(unix)]
            Kind::Unix(unix) => format!("unix:{}", unix.path().display()),
            #[cfg(unix)]
            Kind::Pty(pty) => pty.link().display().to_string(),
        }
    }

    /// Sleeps until the tool does something (true) or the time is over. `tool`: whether one is
    /// there. `unread`: whether there is something to write once the tool takes it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn wait(&self, time: Duration, tool: bool, unread: bool) -> io::Result<bool> {
        #[cfg(not(unix))]
        let _ = tool;
        match &self.0 {
            Kind::Tcp { listener, stream } => match stream {
                Some(stream) => wait::any(&[(stream, unread)], time),
                None => wait::any(&[(listener, false)], time),
            },
            #[cfg(unix)]
            Kind::Unix(unix) => wait::any(
                &[(&unix.waiting_for(), unread && tool), (&unix.lines, false)],
                time,
            ),
            #[cfg(unix)]
            Kind::Pty(pty) if tool => {
                wait::any(&[(&pty.master(), unread), (&pty.lines, false)], time)
            }
            // A pty that nobody has open reports that at once and for ever.
            #[cfg(unix)]
            Kind::Pty(pty) => wait::any(&[(&pty.lines, false)], time),
        }
    }

    /// Whether a tool is there; lets the next one in.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn has_tool(&mut self) -> io::Result<bool> {
        match &mut self.0 {
            Kind::Tcp { listener, stream } => {
                if stream.is_none() {
                    match listener.accept() {
                        Ok((accepted, _)) => {
                            accepted.set_nonblocking(true)?;
                            accepted.set_nodelay(true)?;
                            *stream = Some(accepted);
                        }
                        Err(error) if is_passing(&error) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(stream.is_some())
            }
            #[cfg(unix)]
            Kind::Unix(unix) => unix.has_tool(),
            #[cfg(unix)]
            Kind::Pty(pty) => pty.has_tool(),
        }
    }

    /// The speed that the tool has set, where it can set one.
    pub fn baud(&self) -> Option<u32> {
        match &self.0 {
            Kind::Tcp { .. } => None,
            #[cfg(unix)]
            Kind::Unix(_) => None,
            #[cfg(unix)]
            Kind::Pty(pty) => pty.baud(),
        }
    }

    /// Takes what the tool has sent, without waiting for it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Taken> {
        match &mut self.0 {
            Kind::Tcp { stream, .. } => Ok(read_stream(stream, buffer)),
            #[cfg(unix)]
            Kind::Unix(unix) => Ok(read_stream(&mut unix.stream, buffer)),
            #[cfg(unix)]
            Kind::Pty(pty) => pty.read(buffer),
        }
    }

    /// Writes what the tool takes at once; what a tool that has gone does not take counts as
    /// written.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Tcp { stream, .. } => Ok(write_stream(stream, bytes)),
            #[cfg(unix)]
            Kind::Unix(unix) => Ok(write_stream(&mut unix.stream, bytes)),
            #[cfg(unix)]
            Kind::Pty(pty) => pty.write(bytes),
        }
    }

    /// Takes the port away from the tool, as if it were unplugged, and is ready for the next.
    ///
    /// # Errors
    /// [`ServeError`] if there can be no other in its place.
    pub fn hang_up(&mut self) -> Result<(), ServeError> {
        match &mut self.0 {
            Kind::Tcp { stream, .. } => {
                *stream = None;
                Ok(())
            }
            #[cfg(unix)]
            Kind::Unix(unix) => {
                unix.stream = None;
                Ok(())
            }
            #[cfg(unix)]
            Kind::Pty(pty) => pty.hang_up(),
        }
    }

    /// What a tool has told of its port since.
    pub(super) fn next_event(&mut self) -> io::Result<Option<Event>> {
        match &mut self.0 {
            Kind::Tcp { .. } => Ok(None),
            #[cfg(unix)]
            Kind::Unix(unix) => unix.lines.next(),
            #[cfg(unix)]
            Kind::Pty(pty) => pty.lines.next(),
        }
    }

    /// Lets the tool go on that has told something.
    pub(super) fn answer_event(&mut self) {
        match &mut self.0 {
            Kind::Tcp { .. } => {}
            #[cfg(unix)]
            Kind::Unix(unix) => unix.lines.answer(),
            #[cfg(unix)]
            Kind::Pty(pty) => pty.lines.answer(),
        }
    }
}

fn read_stream<S: Read>(stream: &mut Option<S>, buffer: &mut [u8]) -> Taken {
    let Some(open) = stream else {
        return Taken::Nothing;
    };
    match open.read(buffer) {
        Ok(count @ 1..) => Taken::Bytes(count),
        Err(error) if is_passing(&error) => Taken::Nothing,
        // A tool may end without a word.
        Ok(0) | Err(_) => {
            *stream = None;
            Taken::End
        }
    }
}

/// Writes what the tool takes at once; what a tool that has gone does not take counts as written.
fn write_stream<S: Write>(stream: &mut Option<S>, bytes: &[u8]) -> usize {
    let Some(open) = stream else {
        return bytes.len();
    };
    match open.write(bytes) {
        Ok(count) => count,
        Err(error) if is_passing(&error) => 0,
        // The next read says that it has gone.
        Err(_) => bytes.len(),
    }
}

/// Errors that say "not now".
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
    )
}
