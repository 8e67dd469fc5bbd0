//! Files that a job reads and writes.
//!
//! Reading refuses, before a byte is read, whatever can hang, never end or eat the memory; writing
//! goes to a file beside the wanted one and takes its name only when it is complete, so that a
//! failed job leaves the old file as it was.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Largest input file that is read, in bytes: four times the largest flash that a target of any
/// method has (256 MiB), which is what its content takes as Intel HEX text.
pub const INPUT_LIMIT_BYTES: u64 = 1 << 30;

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is no such file.
    #[error("there is no file {}", path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// Something that is not a file: reading it could hang or never end.
    #[error("{} is {what}, not a file", path.display())]
    NotAFile {
        /// Which one.
        path: PathBuf,
        /// What it is: `a directory`, `a pipe`, `a device`, `a socket`.
        what: &'static str,
    },
    /// More than [`INPUT_LIMIT_BYTES`].
    #[error("{name} holds {} bytes, more than any chip", size_text(*.bytes))]
    TooLarge {
        /// The file, or `standard input`.
        name: String,
        /// Its size as far as known, in bytes.
        bytes: Option<u64>,
    },
    /// The system would not let us read it.
    #[error("{name} cannot be read: {source}")]
    Unreadable {
        /// The file, or `standard input`.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system would not let us write it.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn size_text(bytes: Option<u64>) -> String {
    match bytes {
        Some(bytes) => bytes.to_string(),
        None => format!("more than {INPUT_LIMIT_BYTES}"),
    }
}

/// The content of a file.
///
/// # Errors
/// Anything but a regular file of at most [`INPUT_LIMIT_BYTES`] is refused unread.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let name = || path.display().to_string();
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => FileError::Missing {
            path: path.to_owned(),
        },
        _ => FileError::Unreadable {
            name: name(),
            source,
        },
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if let Some(what) = not_a_file(metadata.file_type()) {
        return Err(FileError::NotAFile {
            path: path.to_owned(),
            what,
        });
    }
    if metadata.len() > INPUT_LIMIT_BYTES {
        return Err(FileError::TooLarge {
            name: name(),
            bytes: Some(metadata.len()),
        });
    }
    let file = File::open(path).map_err(unreadable)?;
    read_bounded(file, &name(), metadata.len())
}

/// Everything that `stream` still has, for example standard input; `name` is what errors call it.
///
/// # Errors
/// More than [`INPUT_LIMIT_BYTES`], or whatever the system said.
pub fn read_stream(stream: impl Read, name: &str) -> Result<Vec<u8>, FileError> {
    read_bounded(stream, name, 0)
}

fn read_bounded(stream: impl Read, name: &str, expected_bytes: u64) -> Result<Vec<u8>, FileError> {
    let name = name.to_owned();
    let mut content = Vec::with_capacity(usize::try_from(expected_bytes).unwrap_or(0));
    match stream.take(INPUT_LIMIT_BYTES + 1).read_to_end(&mut content) {
        Err(source) => Err(FileError::Unreadable { name, source }),
        Ok(_) if content.len() as u64 > INPUT_LIMIT_BYTES => {
            Err(FileError::TooLarge { name, bytes: None })
        }
        Ok(_) => Ok(content),
    }
}

/// What something is that is not a regular file.
fn not_a_file(kind: fs::FileType) -> Option<&'static str> {
    if kind.is_file() {
        return None;
    }
    if kind.is_dir() {
        return Some("a directory");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some("a pipe");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
    }
    Some("a device")
}

/// A file that is being made: it has its name only after [`commit`](Self::commit), and leaves
/// nothing behind if it is dropped before that.
///
/// What is no regular file (`/dev/null`, a pipe) is written in place: there is nothing to preserve.
#[derive(Debug)]
pub struct NewFile {
    wanted: PathBuf,
    /// Where the bytes go until then; `None` if they go to `wanted` itself.
    beside: Option<PathBuf>,
    file: Option<File>,
}

impl NewFile {
    /// Begins a file. Done before a job starts, so that a folder that cannot be written to is
    /// found before anything happens to the target.
    ///
    /// # Errors
    /// [`FileError::Unwritable`].
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let unwritable = |source| FileError::Unwritable {
            path: path.to_owned(),
            source,
        };
        // A symbolic link stays one: what it points to is replaced.
        let wanted = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let old = fs::metadata(&wanted).ok();
        match &old {
            Some(old) if old.is_dir() => {
                return Err(unwritable(io::ErrorKind::IsADirectory.into()));
            }
            Some(old) if !old.is_file() => {
                let file = File::options()
                    .write(true)
                    .open(&wanted)
                    .map_err(unwritable)?;
                return Ok(Self {
                    wanted,
                    beside: None,
                    file: Some(file),
                });
            }
            Some(old) if old.permissions().readonly() => {
                return Err(unwritable(io::ErrorKind::PermissionDenied.into()));
            }
            _ => {}
        }
        let Some(file_name) = wanted.file_name() else {
            return Err(unwritable(io::ErrorKind::InvalidFilename.into()));
        };
        let mut hidden = OsString::from(".");
        hidden.push(file_name);
        hidden.push(format!(".{}.part", std::process::id()));
        let beside = wanted.with_file_name(hidden);
        let file = File::create(&beside).map_err(unwritable)?;
        let new = Self {
            wanted,
            beside: Some(beside),
            file: Some(file),
        };
        if let (Some(old), Some(file)) = (old, &new.file) {
            file.set_permissions(old.permissions())
                .map_err(unwritable)?;
        }
        Ok(new)
    }

    /// Writes the pieces one after the other, makes sure that they are on the disk, and gives the
    /// file its name.
    ///
    /// # Errors
    /// [`FileError::Unwritable`]; the old file, if there was one, is as it was.
    pub fn commit(mut self, pieces: &[&[u8]]) -> Result<(), FileError> {
        self.write_and_rename(pieces)
            .map_err(|source| FileError::Unwritable {
                path: self.wanted.clone(),
                source,
            })
    }

    fn write_and_rename(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        for piece in pieces {
            file.write_all(piece)?;
        }
        if let Some(beside) = &self.beside {
            file.sync_all()?;
            drop(file);
            fs::rename(beside, &self.wanted)?;
            self.beside = None;
        }
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        drop(self.file.take());
        if let Some(beside) = &self.beside {
            // Nobody is left who could be told that a stray part file stays.
            let _ = fs::remove_file(beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flash.bin");
        fs::write(&path, b"old").unwrap();
        let abandoned = NewFile::create(&path).unwrap();
        drop(abandoned);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        NewFile::create(&path).unwrap().commit(&[b"new"]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "a part file stays"
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_found_before_the_job() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/flash.bin");
        assert!(matches!(
            NewFile::create(&path),
            Err(FileError::Unwritable { .. })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&target, b"old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        NewFile::create(&link).unwrap().commit(&[b"new"]).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn what_is_not_a_file_is_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let read_error = |path: &Path| read(path).unwrap_err().to_string();
        assert!(read_error(folder.path()).ends_with("is a directory, not a file"));
        #[cfg(unix)]
        assert_eq!(
            read_error(Path::new("/dev/zero")),
            "/dev/zero is a device, not a file"
        );
        let missing = folder.path().join("missing");
        assert!(matches!(read(&missing), Err(FileError::Missing { .. })));
    }

    #[test]
    fn a_huge_sparse_file_is_refused_by_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        File::create(&path).unwrap().set_len(4 << 30).unwrap();
        match read(&path) {
            Err(FileError::TooLarge { bytes, .. }) => assert_eq!(bytes, Some(4 << 30)),
            other => panic!("{other:?}"),
        }
    }
}
