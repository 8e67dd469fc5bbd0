//! A question on the terminal.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{io, thread};

use flashwire::CancelFlag;

/// How often a wait for an answer looks whether the user gave up instead.
const SLICE: Duration = Duration::from_millis(50);

/// The next line of standard input; `None` if there is none, or the user gave up.
pub(super) fn line(cancel: &CancelFlag) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    // Reading a terminal cannot be interrupted: whoever waits has to be another thread.
    thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        // Nobody may be waiting any more.
        let _ = sender.send(read.ok().filter(|&count| count > 0).map(|_| line));
    });
    loop {
        match receiver.recv_timeout(SLICE) {
            Ok(line) => return line,
            Err(RecvTimeoutError::Timeout) if !cancel.is_raised() => {}
            Err(_) => return None,
        }
    }
}
