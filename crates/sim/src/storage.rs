//! The files of a bench: the content of its flash, and what else outlives power.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// First line of a state file. Another version gets another line.
const STATE_HEADER: &str = "flashwire bench state, version 1";

/// Longest state file read, in bytes; no bench writes more than a tenth of it.
const MAX_STATE_BYTES: u64 = 64 * 1024;

/// Why the files of a bench cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The operating system's word.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A directory, a pipe, a device.
    #[error("{} is no regular file", .0.display())]
    NotAFile(PathBuf),
    /// More content than the chip has flash.
    #[error("{} has {bytes} bytes, more than the {capacity} bytes of the chip's flash", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size, in bytes.
        bytes: u64,
        /// The size of the flash, in bytes.
        capacity: usize,
    },
    /// The state file is no state file of this bench.
    #[error("{} is damaged: {why}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// What the files of a bench held when it was opened; nothing where a file does not exist yet.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) image: Option<Vec<u8>>,
    pub(crate) state: Option<String>,
}

/// The two files of a bench: the image, and `.state` beside it.
#[derive(Debug)]
pub(crate) struct Storage {
    image: PathBuf,
    state: PathBuf,
    /// What the files hold, as far as that is all that the device is.
    saved: Option<(Vec<u8>, String)>,
}

impl Storage {
    /// The files of the bench whose image is this. A link is followed, so that writing back
    /// replaces what it points to and not the link.
    pub(crate) fn new(image: &Path) -> Self {
        let image = fs::canonicalize(image).unwrap_or_else(|_| image.to_owned());
        let mut state = image.clone().into_os_string();
        state.push(".state");
        Self {
            image,
            state: state.into(),
            saved: None,
        }
    }

    /// Reads both files, and makes sure that they can be written back later.
    pub(crate) fn read(&mut self, capacity: usize) -> Result<Stored, StorageError> {
        let beside = beside(&self.image);
        let probe = File::create(&beside).and_then(|_| fs::remove_file(&beside));
        probe.map_err(at(&self.image))?;
        let image = read_if_there(&self.image, |bytes| {
            if bytes > capacity as u64 {
                return Err(StorageError::TooLarge {
                    path: self.image.clone(),
                    bytes,
                    capacity,
                });
            }
            Ok(())
        })?;
        let state = read_if_there(&self.state, |bytes| {
            if bytes > MAX_STATE_BYTES {
                return Err(self.damaged(format!("it has {bytes} bytes")));
            }
            Ok(())
        })?;
        let state = match state {
            Some(bytes) => Some(self.without_header(bytes)?),
            None => None,
        };
        if let (Some(image), Some(state)) = (&image, &state)
            && image.len() == capacity
        {
            self.saved = Some((image.clone(), state.clone()));
        }
        Ok(Stored { image, state })
    }

    fn without_header(&self, bytes: Vec<u8>) -> Result<String, StorageError> {
        let text = String::from_utf8(bytes).map_err(|_| self.damaged("it is no text"))?;
        match text.split_once('\n') {
            Some((STATE_HEADER, rest)) => Ok(rest.to_owned()),
            _ => Err(self.damaged(format!("its first line is not \"{STATE_HEADER}\""))),
        }
    }

    /// The error that says what is wrong with the state file.
    pub(crate) fn damaged(&self, why: impl ToString) -> StorageError {
        StorageError::State {
            path: self.state.clone(),
            why: why.to_string(),
        }
    }

    /// Writes both files, each as a whole or not at all. Does nothing if nothing changed since.
    pub(crate) fn write(&mut self, image: &[u8], state: &str) -> Result<(), StorageError> {
        let unchanged = self
            .saved
            .as_ref()
            .is_some_and(|(old_image, old_state)| old_image == image && old_state == state);
        if unchanged {
            return Ok(());
        }
        replace(&self.image, image)?;
        replace(&self.state, format!("{STATE_HEADER}\n{state}").as_bytes())?;
        self.saved = Some((image.to_owned(), state.to_owned()));
        Ok(())
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> StorageError + '_ {
    |source| StorageError::Io {
        path: path.to_owned(),
        source,
    }
}

/// The content of a file that may not exist yet.
fn read_if_there(
    path: &Path,
    check: impl Fn(u64) -> Result<(), StorageError>,
) -> Result<Option<Vec<u8>>, StorageError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(StorageError::NotAFile(path.to_owned())),
        Ok(metadata) => check(metadata.len())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path)(error)),
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(at(path))?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes).map_err(at(path))?;
    Ok(Some(bytes))
}

/// Where the new content of a file is written first.
fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    beside.into()
}

/// Puts new content in the place of a file: written beside it, then renamed over it.
fn replace(path: &Path, content: &[u8]) -> Result<(), StorageError> {
    let beside = beside(path);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(content)?;
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        drop(file);
        fs::rename(&beside, path)
    };
    write().map_err(|error| {
        // What is left of the attempt is of no use, and the first error is the one to report.
        let _ = fs::remove_file(&beside);
        at(path)(error)
    })
}
