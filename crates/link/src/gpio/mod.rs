//! GPIO lines of this computer, beside whatever lines a port has.

#[cfg(target_os = "linux")]
mod chip;
#[cfg(target_os = "linux")]
mod sysfs;

use std::time::Duration;

use crate::{Deadline, Instant, Line, LineChange, Link, LinkError, Settings};

/// The chip name behind which the numbers of `/sys/class/gpio` stand.
#[cfg(target_os = "linux")]
const SYSFS: &str = "sysfs";

/// A link whose [`Line::Gpio`] lines are the computer's: [`lines`](Link::lines) drives them, and
/// passes all others on. Wrap it around any link that is to reach a target's pins by GPIO.
///
/// A line becomes an output when it is first moved, with the level that it is moved to, so that it
/// makes no pulse of its own. It is ours until the link is dropped; then the kernel has it back, and
/// what level it has from then on is its driver's business.
///
/// Lines are on Linux's GPIO character devices (uAPI version 2, Linux 5.10 and later), by their
/// offset or their name: `gpio:gpiochip0/17`, `gpio:gpiochip0/GPIO17`. The chip `sysfs` stands for
/// the older numbers below `/sys/class/gpio`, where a kernel still has those: `gpio:sysfs/529`.
///
/// A line that cannot be driven is [`LinkError::Line`], not a warning: whoever names a GPIO line
/// means that one.
#[derive(Debug)]
pub struct WithGpio<L> {
    link: L,
    outputs: Vec<(Line, Output)>,
}

/// A line that is ours.
#[derive(Debug)]
enum Output {
    #[cfg(target_os = "linux")]
    Chip(chip::Output),
    #[cfg(target_os = "linux")]
    Sysfs(sysfs::Output),
}

impl Output {
    /// Makes a line ours and gives it a level.
    #[cfg(target_os = "linux")]
    fn open(chip: &str, line: &str, high: bool) -> Result<Self, String> {
        if chip == SYSFS {
            sysfs::Output::open(std::path::Path::new("/sys/class/gpio"), line, high)
                .map(Self::Sysfs)
        } else {
            chip::Output::open(chip, line, high).map(Self::Chip)
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open(_: &str, _: &str, _: bool) -> Result<Self, String> {
        Err("GPIO lines are known on Linux only".to_owned())
    }

    /// Gives a line that is ours a level.
    fn set(&mut self, high: bool) -> Result<(), String> {
        #[cfg(not(target_os = "linux"))]
        let _ = high;
        match self {
            #[cfg(target_os = "linux")]
            Self::Chip(output) => output.set(high),
            #[cfg(target_os = "linux")]
            Self::Sysfs(output) => output.set(high),
            #[cfg(not(target_os = "linux"))]
            _ => Ok(()),
        }
    }
}

impl<L: Link> WithGpio<L> {
    /// Adds the computer's GPIO lines to `link`. None is touched yet.
    pub fn new(link: L) -> Self {
        Self {
            link,
            outputs: Vec::new(),
        }
    }

    /// Gives a GPIO line a level.
    fn drive(&mut self, line: &Line, chip: &str, name: &str, high: bool) -> Result<(), LinkError> {
        let driven = match self.outputs.iter_mut().find(|(known, _)| known == line) {
            Some((_, output)) => output.set(high),
            None => Output::open(chip, name, high)
                .map(|output| self.outputs.push((line.clone(), output))),
        };
        driven.map_err(|why| LinkError::Line {
            line: line.to_string(),
            why,
        })
    }
}

impl<L: Link> Link for WithGpio<L> {
    fn name(&self) -> &str {
        self.link.name()
    }

    fn now(&self) -> Instant {
        self.link.now()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.link.send(bytes)
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        self.link.recv(buffer, deadline)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.link.pause(duration)
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.link.configure(settings)
    }

    fn settings(&self) -> Settings {
        self.link.settings()
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        let mut others = Vec::new();
        for change in changes {
            match &change.line {
                line @ Line::Gpio { chip, line: name } => {
                    self.drive(line, chip, name, change.on)?;
                }
                _ => others.push(change.clone()),
            }
        }
        if others.is_empty() {
            return Ok(());
        }
        self.link.lines(&others)
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.link.discard_input()
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.link.take_warnings()
    }

    fn real_time(&self) -> bool {
        self.link.real_time()
    }
}
