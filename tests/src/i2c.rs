//! A bus of an I2C controller that is not there, with a device that answers as it is told, for
//! programs that run under the preload library.
//!
//! Benches with a real loader on their bus are served by [`served`](crate::served).

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::built;

/// The bus that programs find.
pub const BUS: &str = "/dev/i2c-1";

/// How a transfer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A write is taken; a read gets these bytes, and zeros when there are too few.
    Done(&'static [u8]),
    /// Nobody acknowledges the address.
    NoDevice,
    /// The byte at this index is not acknowledged.
    NotAcknowledged(u16),
    /// Another controller has the bus.
    ArbitrationLost,
    /// The clock is held for too long.
    ClockHeld,
    /// The controller fails.
    Failed,
}

/// A bus, until it is dropped.
#[derive(Debug)]
pub struct Bus {
    folder: tempfile::TempDir,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    answers: VecDeque<Answer>,
    transfers: Vec<String>,
}

/// Lets the program find the bench whose socket this is at [`BUS`]. `keys` say what is special about
/// the controller, as the preload library spells it: `,nak=121`.
///
/// # Panics
/// If the preload library does not build.
pub fn attach(program: &mut Command, socket: &Path, keys: &str) {
    program
        .env("LD_PRELOAD", built::preload_library())
        .env("FLASHWIRE_I2C", format!("1={}{keys}", socket.display()));
}

impl Bus {
    /// A bus on which one transfer after the other ends so; after the last nobody answers.
    ///
    /// # Panics
    /// If there is no room for a socket.
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let listener = UnixListener::bind(folder.path().join("bus")).expect("the name is free");
        let shared = Arc::new(Mutex::new(Shared {
            answers: answers.into_iter().collect(),
            transfers: Vec::new(),
        }));
        let served = Arc::clone(&shared);
        // It ends with the process: nobody connects when the path is gone.
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A program may end in the middle of a transfer.
                let _ = stream.and_then(|stream| serve(stream, &served));
            }
        });
        Self { folder, shared }
    }

    /// Lets the program find this bus at [`BUS`]; keys as those of [`attach`].
    ///
    /// # Panics
    /// If the preload library does not build.
    pub fn attach(&self, program: &mut Command, keys: &str) {
        attach(program, &self.socket(), keys);
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("bus")
    }

    /// What went over the bus since this was last asked: `w 39 01fe`, `r 39 3`.
    pub fn take_transfers(&self) -> Vec<String> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut shared.transfers)
    }
}

/// Answers one program until it closes the bus.
fn serve(mut stream: UnixStream, shared: &Mutex<Shared>) -> io::Result<()> {
    loop {
        let mut header = [0; 4];
        stream.read_exact(&mut header)?;
        let [kind, address, low, high] = header;
        let count = usize::from(u16::from_le_bytes([low, high]));
        let is_write = kind == 0;
        let transfer = if is_write {
            let mut bytes = vec![0; count];
            stream.read_exact(&mut bytes)?;
            let bytes: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("w {address:02x} {bytes}")
        } else {
            format!("r {address:02x} {count}")
        };
        let answer = {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.transfers.push(transfer.trim_end().to_owned());
            shared.answers.pop_front().unwrap_or(Answer::NoDevice)
        };
        let answer = match answer {
            Answer::Done(_) if is_write => vec![0],
            Answer::Done(bytes) => {
                let mut answer = [&[0], bytes].concat();
                answer.resize(1 + count, 0);
                answer
            }
            Answer::NoDevice => vec![1],
            Answer::NotAcknowledged(index) => {
                let [low, high] = index.to_le_bytes();
                vec![2, low, high]
            }
            Answer::ArbitrationLost => vec![3],
            Answer::ClockHeld => vec![4],
            Answer::Failed => vec![5],
        };
        stream.write_all(&answer)?;
    }
}
