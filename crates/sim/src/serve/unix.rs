//! A Unix socket, for tools on the same computer.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::ServeError;
use super::lines::LinesSocket;
use super::port::is_passing;

/// A socket with a path, the tool that has connected to it, and the socket beside it for the lines of
/// the computer.
#[derive(Debug)]
pub(super) struct Unix {
    listener: UnixListener,
    path: PathBuf,
    pub(super) stream: Option<UnixStream>,
    pub(super) lines: LinesSocket,
}

impl Unix {
    /// Listens at a path. A socket that an earlier server left there goes; anything else stays.
    pub(super) fn open(path: &Path) -> Result<Self, ServeError> {
        let failed = |source: io::Error| ServeError::Listen {
            place: format!("unix:{}", path.display()),
            source,
        };
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.file_type().is_socket() => {
                fs::remove_file(path).map_err(failed)?;
            }
            Ok(_) => return Err(ServeError::NoSocket(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lines");
        let lines = LinesSocket::bind(beside.into()).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            stream: None,
            lines,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What has something to say next: the tool, or the door while there is none.
    pub(super) fn waiting_for(&self) -> &dyn AsFd {
        match &self.stream {
            Some(stream) => stream,
            None => &self.listener,
        }
    }

    /// Whether a tool is there; lets the next one in.
    pub(super) fn has_tool(&mut self) -> io::Result<bool> {
        if self.stream.is_none() {
            match self.listener.accept() {
                Ok((accepted, _)) => {
                    accepted.set_nonblocking(true)?;
                    self.stream = Some(accepted);
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.stream.is_some())
    }
}

impl Drop for Unix {
    fn drop(&mut self) {
        // Nobody is left to tell, and the next server removes it too.
        let _ = fs::remove_file(&self.path);
    }
}
