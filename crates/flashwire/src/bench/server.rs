//! Serving a bench to other tools.

use flashwire_link::CancelFlag;
use flashwire_sim::serve::{self, Limits, Listen};

use crate::error::Error;

/// A bench that any tool can talk to, in real time.
pub struct Server(serve::Server);

impl Server {
    /// Puts power on a bench (what stands after `sim:` in a port) and listens at `listen`:
    /// `tcp:ADDRESS:PORT`, `unix:PATH` for a socket, or `pty:LINK` for a symbolic link to a new
    /// terminal.
    ///
    /// # Errors
    /// There is no such bench, or the place cannot be set up.
    pub fn open(bench: &str, listen: &str) -> Result<Self, Error> {
        let listen: Listen = listen.parse()?;
        Ok(Self(serve::Server::open(bench, &listen)?))
    }

    /// What a tool is to open; with the port that the system chose where 0 was asked for.
    pub fn place(&self) -> String {
        self.0.place()
    }

    /// Serves until `stop` is raised, then writes the bench's files.
    ///
    /// # Errors
    /// The place failed, or the files cannot be written.
    pub fn run(mut self, stop: &CancelFlag) -> Result<(), Error> {
        let served = self.0.run(stop, Limits::default());
        self.0.close().map_err(serve::ServeError::Storage)?;
        Ok(served?)
    }
}
