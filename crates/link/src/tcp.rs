//! A byte stream over TCP: a simulated bench, or a terminal server in raw mode.
//!
//! Speed and character format do not travel over it: whoever is at the other end has set them.
//! [`Link::configure`] keeps them, so that wire times are still computed from them. Lines do not
//! travel either, and are reported by [`Link::take_warnings`].

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

use crate::clock::Clock;
use crate::input::Input;
use crate::warnings::Warnings;
use crate::{Deadline, Instant, LineChange, Link, LinkError, Settings};

/// Connects to `address`, `HOST:PORT`: a name, an IPv4 address or an IPv6 address in brackets.
/// `timeout` bounds the whole call, the look-up of the name included.
///
/// # Errors
/// [`LinkError::NotFound`] if there is no host of that name; else [`LinkError::Io`] with what the
/// operating system said: refused, unreachable, timed out.
pub fn connect(address: &str, settings: Settings, timeout: Duration) -> Result<TcpLink, LinkError> {
    let clock = Clock::start();
    let hosts = resolve(address, timeout)?;
    let mut last_error = io::Error::from(io::ErrorKind::TimedOut);
    for (tried, host) in hosts.iter().enumerate() {
        // Each address gets an equal share of what is left.
        let left = timeout.saturating_sub(clock.now().since_open());
        let share = left / (hosts.len() - tried) as u32;
        if share.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(host, share) {
            Ok(stream) => return TcpLink::new(format!("tcp:{address}"), stream, settings),
            Err(error) => last_error = error,
        }
    }
    Err(LinkError::Io(last_error))
}

/// The addresses that `address` stands for. The operating system's look-up has no time limit, so
/// that a thread waits for it.
fn resolve(address: &str, timeout: Duration) -> Result<Vec<SocketAddr>, LinkError> {
    if let Ok(host) = address.parse() {
        return Ok(vec![host]);
    }
    let (sender, receiver) = mpsc::channel();
    let name = address.to_owned();
    std::thread::spawn(move || {
        let found = name.to_socket_addrs().map(Vec::from_iter);
        // Nobody listens any more if it took too long.
        let _ = sender.send(found);
    });
    match receiver.recv_timeout(timeout) {
        Ok(Ok(hosts)) if !hosts.is_empty() => Ok(hosts),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidInput => Err(LinkError::Io(error)),
        Ok(_) => Err(LinkError::NotFound),
        Err(_) => Err(LinkError::Io(io::ErrorKind::TimedOut.into())),
    }
}

/// An open TCP connection. Made by [`connect`].
#[derive(Debug)]
pub struct TcpLink {
    name: String,
    stream: TcpStream,
    clock: Clock,
    settings: Settings,
    input: Input,
    warnings: Warnings,
}

impl TcpLink {
    fn new(name: String, stream: TcpStream, settings: Settings) -> Result<Self, LinkError> {
        // A request of a few bytes must not wait for the answer to the one before it.
        stream.set_nodelay(true)?;
        stream.set_nonblocking(cfg!(unix))?;
        Ok(Self {
            name,
            stream,
            clock: Clock::start(),
            settings,
            input: Input::default(),
            warnings: Warnings::default(),
        })
    }

    /// Waits for something to arrive and takes it into the empty input buffer; whether there is
    /// anything.
    fn fill(&mut self, wait: Duration) -> Result<bool, LinkError> {
        match read(&mut self.stream, self.input.space(), wait) {
            Ok(Some(0)) => Err(LinkError::Closed),
            Ok(Some(count)) => {
                self.input.filled(count);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => Err(broken(error)),
        }
    }
}

impl Link for TcpLink {
    fn name(&self) -> &str {
        &self.name
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let limit = self.deadline(self.settings.send_limit(bytes.len()));
        let mut rest = bytes;
        while !rest.is_empty() {
            let wait = limit.remaining(self.clock.now());
            match write(&mut self.stream, rest, wait).map_err(broken)? {
                0 if wait.is_zero() => return Err(LinkError::Stalled),
                count => rest = &rest[count..],
            }
        }
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        while self.input.is_empty() && !buffer.is_empty() {
            let wait = deadline.remaining(self.clock.now());
            if !self.fill(wait)? && wait.is_zero() {
                break;
            }
        }
        Ok(self.input.take(buffer))
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.clock.pause(duration);
        Ok(())
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.settings = settings;
        Ok(())
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        for change in changes {
            self.warnings.add_line(&change.line);
        }
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        // A peer that never stops must not keep us here.
        const MOST: usize = 1 << 20;

        let mut dropped = 0;
        self.input.clear();
        while dropped < MOST && self.fill(Duration::ZERO)? {
            dropped += self.input.len();
            self.input.clear();
        }
        Ok(())
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.warnings.take()
    }
}

/// Reads what arrives within `wait`: `None` if nothing does, 0 bytes if the peer closed.
#[cfg(unix)]
fn read(stream: &mut TcpStream, buffer: &mut [u8], wait: Duration) -> io::Result<Option<usize>> {
    use crate::sys::{self, Readiness};

    if !sys::wait(stream, Readiness::Readable, wait)? {
        return Ok(None);
    }
    passing_is_none(stream.read(buffer))
}

/// Writes what the connection takes within `wait`.
#[cfg(unix)]
fn write(stream: &mut TcpStream, bytes: &[u8], wait: Duration) -> io::Result<usize> {
    use crate::sys::{self, Readiness};

    match passing_is_none(stream.write(bytes))? {
        Some(count) => Ok(count),
        None => sys::wait(stream, Readiness::Writable, wait).map(|_| 0),
    }
}

/// Reads what arrives within `wait`: `None` if nothing does, 0 bytes if the peer closed.
#[cfg(not(unix))]
fn read(stream: &mut TcpStream, buffer: &mut [u8], wait: Duration) -> io::Result<Option<usize>> {
    // No time at all would mean for ever.
    stream.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
    passing_is_none(stream.read(buffer))
}

/// Writes what the connection takes within `wait`.
#[cfg(not(unix))]
fn write(stream: &mut TcpStream, bytes: &[u8], wait: Duration) -> io::Result<usize> {
    stream.set_write_timeout(Some(wait.max(Duration::from_millis(1))))?;
    passing_is_none(stream.write(bytes)).map(Option::unwrap_or_default)
}

/// Nothing yet, or a signal: worth another try.
fn passing_is_none(result: io::Result<usize>) -> io::Result<Option<usize>> {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};

    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), WouldBlock | Interrupted | TimedOut) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an error while reading or writing means.
fn broken(error: io::Error) -> LinkError {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};

    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected => LinkError::Closed,
        _ => LinkError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_request_does_not_wait_for_the_answer_to_the_one_before() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let settings = Settings::plain(9600);
        let link = connect(&address, settings, Duration::from_secs(2)).unwrap();
        assert!(link.stream.nodelay().unwrap());
    }
}
