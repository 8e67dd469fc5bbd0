//! Listening in on what programs do to the lines of a bench: DTR, RTS, break and GPIO lines in one
//! log, in order and with their times, while the bench hears them too.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::preload;
use crate::served::Served;

/// How long a bench may take to hear of something.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A bench with somebody between it and its lines.
#[derive(Debug)]
pub struct Overheard {
    folder: tempfile::TempDir,
    events: Receiver<(Instant, String)>,
}

/// What was done to the lines: what each is from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Time since the change before it.
    pub after: Duration,
    /// `dtr=1 rts=0`, `break on`, `gpio 17=1` (`-` for an input).
    pub what: String,
}

impl Overheard {
    /// Listens in on this bench from here on, to whoever opens [`port`](Self::port).
    ///
    /// # Panics
    /// If there is no room for sockets.
    pub fn new(bench: &Served) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let port = folder.path().join("port");
        symlink(bench.place(), &port).expect("the name is free");
        let ear = UnixDatagram::bind(preload::socket(&port)).expect("the name is free");
        let mouth = nameless();
        mouth
            .connect(preload::socket(&bench.place()))
            .expect("the bench listens");
        mouth
            .set_read_timeout(Some(ANSWER_WITHIN))
            .expect("sockets have time-outs");
        let (heard, events) = channel();
        // It ends with the process, or when the bench is gone.
        thread::spawn(move || pass_on(&ear, &mouth, &heard));
        Self { folder, events }
    }

    /// The bench's port, as programs are to open it.
    pub fn port(&self) -> PathBuf {
        self.folder.path().join("port")
    }

    /// A program that finds a serial port with parity and modem lines at [`port`](Self::port).
    ///
    /// # Panics
    /// If the preload library does not build.
    pub fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        preload::into(&mut command, &self.port());
        command
    }

    /// What changed at the lines since this was last asked. What only says again what is so already is
    /// left out, and so are speed and format.
    pub fn take_changes(&self) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        let mut last: Option<Instant> = None;
        let mut known: Vec<(String, String)> = Vec::new();
        for (at, event) in self.events.try_iter() {
            let Some((line, state)) = event.split_once([' ', '=']) else {
                continue;
            };
            let (line, what) = match line {
                "settings" => continue,
                // Which of them it is, is part of what is known.
                "gpio" => (state.split('=').next().unwrap_or_default(), event.as_str()),
                "lines" => (line, state),
                _ => (line, event.as_str()),
            };
            let now = (line.to_owned(), what.to_owned());
            if known.contains(&now) {
                continue;
            }
            known.retain(|(other, _)| *other != now.0);
            let gap = last.replace(at).map_or(Duration::ZERO, |last| at - last);
            changes.push(Change {
                after: gap,
                what: now.1.clone(),
            });
            known.push(now);
        }
        changes
    }
}

fn pass_on(ear: &UnixDatagram, mouth: &UnixDatagram, heard: &Sender<(Instant, String)>) {
    let mut event = [0; 256];
    while let Ok((length, from)) = ear.recv_from(&mut event) {
        let at = Instant::now();
        // The test may have ended.
        let _ = heard.send((at, String::from_utf8_lossy(&event[..length]).into_owned()));
        let told = mouth
            .send(&event[..length])
            .and_then(|_| mouth.recv(&mut [0; 64]));
        if told.is_err() {
            return;
        }
        let _ = ear.send_to_addr(b"ok", &from);
    }
}

/// A socket that can be answered, with a name that nobody else has.
fn nameless() -> UnixDatagram {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("flashwire-overheard-{}-{count}", std::process::id());
    let name = SocketAddr::from_abstract_name(name).expect("the name is short");
    UnixDatagram::bind_addr(&name).expect("nobody else has it")
}
