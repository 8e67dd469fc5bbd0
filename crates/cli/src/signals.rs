//! Ctrl-C and the termination signals.

use std::sync::atomic::{AtomicBool, Ordering};

use flashwire::{CancelFlag, Exit};

use crate::screen::Screen;

/// Whether the user has asked to stop before.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C, SIGTERM and SIGHUP raise `flag`: the job ends at the next clean boundary and says
/// in which state the chip is. The first one is answered with `text`, if it has any; the second one
/// ends the process at once.
///
/// Only the first call in a process does anything.
pub(crate) fn raise_on_signals(flag: &CancelFlag, screen: &Screen, text: &'static str) {
    let flag = flag.clone();
    let said = screen.clone();
    let set = ctrlc::set_handler(move || {
        flag.raise();
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Cancelled as u8));
        }
        if !text.is_empty() {
            said.say(text);
        }
    });
    if let Err(error) = set
        && !matches!(error, ctrlc::Error::MultipleHandlers)
    {
        screen.detail(&format!("signals cannot be caught: {error}"));
    }
}
