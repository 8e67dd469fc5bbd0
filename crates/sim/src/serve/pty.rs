//! A pseudo-terminal with a link to it.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::ServeError;
use super::lines::LinesSocket;
use super::port::Taken;

/// A pseudo-terminal with a link to it, and the socket beside the link.
#[derive(Debug)]
pub(super) struct Pty {
    link: PathBuf,
    master: OwnedFd,
    slave: PathBuf,
    pub(super) lines: LinesSocket,
    baud: u32,
}

impl Pty {
    /// Makes a pseudo-terminal that passes bytes as they are, and a link to it. A link that an
    /// earlier server left is replaced.
    pub(super) fn open(link: &Path, baud: u32) -> Result<Self, ServeError> {
        let failed = |source: io::Error| ServeError::Listen {
            place: format!("pty:{}", link.display()),
            source,
        };
        let (master, slave) = open_pair(baud).map_err(failed)?;
        make_link(&slave, link)?;
        let mut socket = link.as_os_str().to_owned();
        socket.push(".lines");
        let lines = LinesSocket::bind(socket.into()).map_err(failed)?;
        Ok(Self {
            link: link.to_owned(),
            master,
            slave,
            lines,
            baud,
        })
    }

    pub(super) fn link(&self) -> &Path {
        &self.link
    }

    pub(super) fn master(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }

    /// Whether anybody has the port open.
    pub(super) fn has_tool(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default()))?;
        let events = fds[0].revents();
        // What a tool wrote before it closed the port can still be read.
        Ok(events.contains(PollFlags::IN) || !events.contains(PollFlags::HUP))
    }

    /// The speed that the tool has set.
    pub(super) fn baud(&self) -> Option<u32> {
        let speed = tcgetattr(&self.master).ok()?.output_speed();
        (speed > 0).then_some(speed)
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<Taken> {
        match rustix::io::read(&self.master, buffer) {
            Ok(0) => Ok(Taken::End),
            Ok(count) => Ok(Taken::Bytes(count)),
            Err(rustix::io::Errno::AGAIN) => Ok(Taken::Nothing),
            // The last tool has closed it.
            Err(rustix::io::Errno::IO) => Ok(Taken::End),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::io::write(&self.master, bytes) {
            Ok(count) => Ok(count),
            Err(rustix::io::Errno::AGAIN) => Ok(0),
            Err(rustix::io::Errno::IO) => Ok(bytes.len()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the port away from the tool, and puts another in its place.
    pub(super) fn hang_up(&mut self) -> Result<(), ServeError> {
        let (master, slave) = open_pair(self.baud)?;
        // The link first: a tool may open it again as soon as it sees its port go.
        make_link(&slave, &self.link)?;
        self.slave = slave;
        self.master = master;
        Ok(())
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if fs::read_link(&self.link).is_ok_and(|target| target == self.slave) {
            // Nobody is left to tell, and the next server replaces it too.
            let _ = fs::remove_file(&self.link);
        }
    }
}

/// A master, and the path of its slave, which is raw and hung up: nobody has it open.
fn open_pair(baud: u32) -> io::Result<(OwnedFd, PathBuf)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    fcntl_setfd(&master, FdFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = ptsname(&master, Vec::new())?;
    let slave = PathBuf::from(std::ffi::OsString::from_vec(slave.into_bytes()));
    // Without this the terminal would echo what the device sends back to it.
    let mut settings = tcgetattr(&master)?;
    settings.make_raw();
    settings.set_speed(baud)?;
    tcsetattr(&master, OptionalActions::Now, &settings)?;
    fcntl_setfl(&master, fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
    // Opened and closed once, a pty tells from then on whether anybody has it open.
    drop(fs::File::open(&slave)?);
    Ok((master, slave))
}

fn make_link(slave: &Path, link: &Path) -> Result<(), ServeError> {
    let failed = |source: io::Error| ServeError::Listen {
        place: format!("pty:{}", link.display()),
        source,
    };
    match fs::symlink_metadata(link) {
        Ok(metadata) if metadata.is_symlink() => fs::remove_file(link).map_err(failed)?,
        Ok(_) => return Err(ServeError::InTheWay(link.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    symlink(slave, link).map_err(failed)
}
