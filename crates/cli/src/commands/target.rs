//! What all commands that talk to a target have in common.

use std::io::{self, IsTerminal};
use std::ops::Range;

use flashwire::config::Config;
use flashwire::{CancelFlag, Error, Info, OpenOptions, Problem, Protection, Session};

use super::ask;
use crate::args::TargetArgs;
use crate::progress::{ProgressView, bytes};
use crate::screen::{self, Screen};
use crate::{settings, signals};

/// What the first Ctrl-C is answered with.
const STOPPING: &str = "stopping after the command under way; Ctrl-C again ends at once";

/// What a dry run says of a protection that `--unprotect` would remove.
pub(super) fn would_lift(protection: &Protection) -> &'static str {
    if protection.read {
        "the read protection would be removed first, and the chip would erase its whole flash"
    } else {
        "the write protection would be removed first"
    }
}

/// The defaults and the means of one run.
pub(crate) struct Run<'a> {
    pub(crate) screen: &'a Screen,
    pub(crate) config: Config,
    pub(crate) cancel: CancelFlag,
    args: &'a TargetArgs,
}

impl<'a> Run<'a> {
    /// Reads the defaults.
    pub(crate) fn new(args: &'a TargetArgs, screen: &'a Screen) -> Result<Self, Error> {
        let config = settings::config()?;
        let cancel = CancelFlag::new();
        Ok(Self {
            screen,
            config,
            cancel,
            args,
        })
    }

    /// The port that is named anywhere, as it stands there.
    pub(crate) fn named_port(&self) -> Option<&str> {
        let named = self.args.port.as_ref().filter(|port| !port.is_empty());
        named.or(self.config.port.as_ref()).map(String::as_str)
    }

    /// What shows progress and answers questions.
    pub(crate) fn watcher(&self) -> ProgressView {
        ProgressView::new(self.screen, !self.args.yes)
    }

    /// How to reach the target; from here on signals cancel the run.
    pub(crate) fn open_options(&self) -> Result<OpenOptions, Error> {
        signals::raise_on_signals(&self.cancel, self.screen, STOPPING);
        settings::open_options(self.args, &self.config, &self.cancel)
    }

    /// Opens the target, does `work` with it, and ends the session whatever came of it.
    pub(crate) fn with_session<T>(
        &self,
        work: impl FnOnce(&mut Session, &Info, &mut ProgressView) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.with_opened(self.open_options()?, work)
    }

    /// The same, reaching the target as `options` say.
    pub(crate) fn with_opened<T>(
        &self,
        options: OpenOptions,
        work: impl FnOnce(&mut Session, &Info, &mut ProgressView) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut watcher = self.watcher();
        let mut session = Session::open(options, &mut watcher)?;
        let info = session.info();
        let worked = work(&mut session, &info, &mut watcher);
        let closed = session.close();
        let result = worked?;
        closed?;
        Ok(result)
    }

    /// Makes sure that the user means it: by `--yes`, or by asking on a terminal. `what` is what is
    /// going to happen.
    ///
    /// # Errors
    /// There is nobody to ask, or they said no.
    pub(crate) fn consent(&self, what: &str) -> Result<(), Error> {
        let no = || Problem::NoConsent {
            what: what.to_owned(),
        };
        if self.args.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !screen::error_is_terminal() {
            return Err(no().into());
        }
        self.screen.ask(&format!("{what}. Go on? [y/N] "));
        match ask::line(&self.cancel) {
            Some(answer) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
            _ => Err(no().into()),
        }
    }

    /// Takes away the protection that stands in the way of what was planned.
    ///
    /// # Errors
    /// There is nobody to ask whether everything may be erased, or they said no; the chip did not do
    /// it.
    pub(crate) fn unprotect(
        &self,
        session: &mut Session,
        watcher: &mut ProgressView,
    ) -> Result<(), Error> {
        if session.protection()?.read {
            self.consent(super::stm32::WIPES)?;
        }
        session.unprotect(watcher)
    }

    /// Says what answered.
    pub(crate) fn say_target(&self, info: &Info) {
        let size = match info.size_known {
            true => bytes(info.flash.end - info.flash.start),
            false => "unknown size of".to_owned(),
        };
        let Info { part, link, .. } = info;
        self.screen.say(&format!("{part}, {size} flash, on {link}"));
    }
}

/// `0x08000000..0x08001000, 0x08004000..0x08005000`.
pub(super) fn joined_spans(ranges: &[Range<u64>]) -> String {
    let spans = ranges
        .iter()
        .map(|range| format!("{:#010x}..{:#010x}", range.start, range.end));
    spans.collect::<Vec<_>>().join(", ")
}
