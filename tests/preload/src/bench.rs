//! Telling the bench what the program did.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process;
use std::time::Duration;

/// How long a bench may take to answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The environment variable that names the bench's socket.
const VARIABLE: &str = "FLASHWIRE_PTY_LINES";

/// What the socket's path has more than the port's.
const SUFFIX: &str = ".lines";

/// The path of the bench's port.
pub(crate) fn port() -> Option<PathBuf> {
    let socket = env::var(VARIABLE).ok()?;
    Some(socket.strip_suffix(SUFFIX)?.into())
}

/// Sends one event and waits until it has taken effect.
pub(crate) fn tell(event: &str) -> io::Result<()> {
    let path = env::var(VARIABLE).map_err(io::Error::other)?;
    // A name of its own, so that the bench can answer; gone when this function ends.
    let name = format!("flashwire-preload-{}-{event}", process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    socket.connect(path)?;
    socket.set_read_timeout(Some(ANSWER_WITHIN))?;
    socket.send(event.as_bytes())?;
    socket.recv(&mut [0; 64])?;
    Ok(())
}
