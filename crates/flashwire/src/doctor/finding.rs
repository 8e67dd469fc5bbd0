//! What the doctor can find: codes, sentences and advice.

use std::fmt;

use flashwire_link::Settings;

use super::advice::{self, System};
use super::computer::{Adapter, Process};
use super::hearing::Sample;
use crate::error::{Error, Exit};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Works, but can make trouble.
    Risky,
    /// A reason why it does not work.
    Wrong,
}

impl Verdict {
    /// Its word, for people and programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Risky => "risky",
            Self::Wrong => "wrong",
        }
    }
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What; a sentence fragment.
    pub text: String,
    /// The command for this system that does it, if one does.
    pub command: Option<String>,
}

/// Why a user may not open a port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// The group that owns the port may, and the user is not in it.
    NotInGroup {
        /// The user's name.
        user: String,
        /// The group's name, or its number if it has none.
        group: String,
    },
    /// The user is in the group, but logged in before that.
    StaleLogin {
        /// The user's name.
        user: String,
        /// The group's name.
        group: String,
    },
    /// Only the owner of the port may, and that is somebody else.
    OwnerOnly {
        /// The access rights, as `ls -l` shows them.
        mode: String,
    },
    /// The rights of the file allow it; something above them does not.
    Policy,
}

/// What was found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Finding {
    /// A port that this user may open.
    Usable {
        /// The port.
        port: String,
        /// What it probably is.
        what: Option<String>,
        /// The driver that serves it.
        driver: Option<String>,
    },
    /// The port was opened.
    Opened {
        /// The port.
        port: String,
    },
    /// A target answers.
    Answers {
        /// What the chip is called.
        part: String,
        /// The link and its settings.
        link: String,
        /// The wiring by which its bootloader was reached, if it did not answer by itself.
        wiring: Option<String>,
    },
    /// The target answers, but refuses to be read and written.
    ReadProtected,
    /// The computer has no serial port.
    NoPorts,
    /// An adapter is plugged in that no driver serves.
    IdleAdapter {
        /// The adapter.
        adapter: Adapter,
        /// What took it instead of a driver for serial ports.
        taken_by: Option<String>,
    },
    /// ModemManager runs and was not told to leave the port alone.
    ModemManager {
        /// The port.
        port: String,
        /// ModemManager.
        process: Process,
        /// How commands are run as root here.
        system: System,
    },
    /// Other programs have the port open.
    Shared {
        /// The port.
        port: String,
        /// The programs.
        holders: Vec<Process>,
    },
    /// There is no such port.
    Missing {
        /// The port.
        port: String,
        /// The ports that there are.
        others: Vec<String>,
    },
    /// There is something of this name, but it is no serial port.
    NotSerial {
        /// The port.
        port: String,
        /// What it is.
        what: String,
    },
    /// The user may not open the port.
    Denied {
        /// The port.
        port: String,
        /// Why not.
        denial: Denial,
        /// What commands look like here.
        system: System,
    },
    /// Another program has locked the port.
    Busy {
        /// The port.
        port: String,
        /// Who, as far as this user may know.
        holders: Vec<Process>,
        /// How commands are run as root here.
        system: System,
    },
    /// The port cannot be opened for another reason.
    Unopened(Error),
    /// Nothing comes back.
    Silence {
        /// Speed and format.
        settings: Settings,
        /// The wirings that were tried.
        wirings: Vec<String>,
    },
    /// What was sent comes back.
    Echo,
    /// The line from the target is low.
    LineLow,
    /// The line from the target shows short pulses only.
    Pulses {
        /// What was heard.
        sample: Sample,
    },
    /// The application runs instead of the bootloader, and talks.
    Application {
        /// What was heard.
        sample: Sample,
        /// Speed and format at which it is text, if any was found.
        settings: Option<Settings>,
    },
    /// A programmer that speaks serprog answers.
    Serprog,
    /// A programmer answers in another protocol than the one asked for.
    OtherProtocol {
        /// The method asked for, as a port spells it.
        asked: &'static str,
        /// The method that it answers to.
        speaks: &'static str,
    },
    /// A loader is there, but at another speed.
    OtherSpeed {
        /// The speed in use, in bits per second.
        baud: u32,
        /// The speed at which it answers, in bits per second.
        answers: u32,
    },
    /// The greeting is answered, and no command is: parity.
    Parity {
        /// Speed and format in use.
        settings: Settings,
        /// The format that works, if one does.
        works: Option<Settings>,
    },
    /// Something answers that makes no sense.
    Garbage {
        /// What was heard.
        sample: Sample,
        /// Speed and format.
        settings: Settings,
    },
    /// The conversation broke off.
    Failed(Error),
}

impl Finding {
    /// The stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Usable { .. } => "usable",
            Self::Opened { .. } => "opened",
            Self::Answers { .. } => "answers",
            Self::ReadProtected => "read-protected",
            Self::NoPorts => "no-ports",
            Self::IdleAdapter { .. } => "no-driver",
            Self::ModemManager { .. } => "modem-manager",
            Self::Shared { .. } => "shared",
            Self::Missing { .. } => "missing",
            Self::NotSerial { .. } => "not-serial",
            Self::Denied { denial, .. } => match denial {
                Denial::NotInGroup { .. } => "not-in-group",
                Denial::StaleLogin { .. } => "stale-login",
                Denial::OwnerOnly { .. } => "owner-only",
                Denial::Policy => "forbidden",
            },
            Self::Busy { .. } => "busy",
            Self::Unopened(_) => "unopened",
            Self::Silence { .. } => "silence",
            Self::Echo => "echo",
            Self::LineLow => "line-low",
            Self::Pulses { .. } => "pulses",
            Self::Application { .. } => "application",
            Self::Serprog => "serprog",
            Self::OtherProtocol { .. } => "other-protocol",
            Self::OtherSpeed { .. } => "other-speed",
            Self::Parity { .. } => "parity",
            Self::Garbage { .. } => "garbage",
            Self::Failed(_) => "failed",
        }
    }

    /// How bad it is.
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Usable { .. } | Self::Opened { .. } | Self::Answers { .. } => Verdict::Fine,
            Self::ReadProtected | Self::ModemManager { .. } | Self::Shared { .. } => Verdict::Risky,
            _ => Verdict::Wrong,
        }
    }

    /// The exit status of a process that can do nothing because of this.
    pub fn exit(&self) -> Exit {
        match self {
            _ if self.verdict() != Verdict::Wrong => Exit::Done,
            Self::Unopened(error) | Self::Failed(error) => error.exit(),
            Self::Silence { .. }
            | Self::Echo
            | Self::LineLow
            | Self::Pulses { .. }
            | Self::Application { .. }
            | Self::Serprog
            | Self::OtherProtocol { .. }
            | Self::OtherSpeed { .. }
            | Self::Parity { .. }
            | Self::Garbage { .. } => Exit::Silent,
            _ => Exit::Port,
        }
    }

    pub(super) const fn is_about_modem_manager(&self) -> bool {
        matches!(self, Self::ModemManager { .. })
    }

    /// What is known beyond the sentence; a fragment each.
    pub fn facts(&self) -> Vec<String> {
        match self {
            Self::IdleAdapter {
                taken_by: Some(taker),
                ..
            } => vec![format!("`{taker}` has taken it")],
            Self::ModemManager { process, .. } => vec![format!("it runs as {process}")],
            Self::Shared { holders, .. } | Self::Busy { holders, .. } => holders
                .iter()
                .map(|holder| format!("{holder} has it open"))
                .collect(),
            Self::Missing { others, .. } if !others.is_empty() => {
                vec![format!("there are {}", others.join(", "))]
            }
            Self::Denied {
                denial: Denial::OwnerOnly { mode },
                ..
            } => vec![format!("its access rights are {mode}")],
            Self::Silence { wirings, .. } if !wirings.is_empty() => {
                vec![format!("tried the reset wirings {}", wirings.join("; "))]
            }
            Self::Application {
                sample,
                settings: Some(settings),
            } => vec![format!("at {settings} it says: {}", sample.text())],
            Self::Application { sample, .. }
            | Self::Pulses { sample }
            | Self::Garbage { sample, .. } => {
                vec![format!("heard {}", sample.hex())]
            }
            Self::Unopened(error) | Self::Failed(error) => error.facts(),
            _ => Vec::new(),
        }
    }

    /// What to do, the likeliest first.
    pub fn advice(&self) -> Vec<Advice> {
        advice::of(self)
    }
}

impl fmt::Display for Finding {
    /// One sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usable { port, what, driver } => {
                write!(f, "{port}: {}", what.as_deref().unwrap_or("a serial port"))?;
                match driver {
                    Some(driver) => write!(f, " (driver {driver})"),
                    None => Ok(()),
                }
            }
            Self::Opened { port } => write!(f, "{port} can be opened"),
            Self::Answers { part, link, wiring } => {
                write!(f, "{part} answers on {link}")?;
                match wiring {
                    Some(wiring) => write!(f, ", reached by --reset {wiring}"),
                    None => Ok(()),
                }
            }
            Self::ReadProtected => {
                f.write_str("the chip is read protected: it can neither be read nor written")
            }
            Self::NoPorts => f.write_str("this computer has no serial port"),
            Self::IdleAdapter { adapter, .. } => {
                write!(
                    f,
                    "{adapter} is plugged in, and no driver makes it a serial port"
                )
            }
            Self::ModemManager { port, .. } => write!(
                f,
                "ModemManager runs and was not told to leave {port} alone: it may talk to new ports"
            ),
            Self::Shared { port, .. } => write!(
                f,
                "another program has {port} open too: it takes its share of the answers"
            ),
            Self::Missing { port, .. } => write!(f, "there is no port {port}"),
            Self::NotSerial { port, what } => write!(f, "{port} is not a serial port: {what}"),
            Self::Denied { port, denial, .. } => match denial {
                Denial::NotInGroup { user, group } => write!(
                    f,
                    "{port} belongs to the group {group}, and {user} is not in it"
                ),
                Denial::StaleLogin { user, group } => write!(
                    f,
                    "{user} is in the group {group}, but logged in before that: {port} stays closed"
                ),
                Denial::OwnerOnly { .. } => write!(f, "nobody but its owner may open {port}"),
                Denial::Policy => write!(
                    f,
                    "the rights of {port} allow it, but the system forbids to open it"
                ),
            },
            Self::Busy { port, .. } => write!(f, "{port} is in use by another program"),
            Self::Unopened(error) | Self::Failed(error) => error.fmt(f),
            Self::Silence { settings, .. } => write!(f, "nothing comes back at {settings}"),
            Self::Echo => f.write_str("what is sent comes back: TX and RX are joined"),
            Self::LineLow => f.write_str("the line from the target is held low"),
            Self::Pulses { .. } => f.write_str(
                "the line from the target shows short pulses only: noise, or a far higher speed",
            ),
            Self::Application { .. } => {
                f.write_str("the application is running and talks, not the bootloader")
            }
            Self::OtherProtocol { asked, speaks } => {
                write!(f, "a programmer answers, and speaks {speaks}, not {asked}")
            }
            Self::Serprog => {
                f.write_str("a programmer that speaks serprog answers, not an STM32 bootloader")
            }
            Self::OtherSpeed { baud, answers } => {
                write!(f, "a bootloader answers at {answers} baud, not at {baud}")
            }
            Self::Parity { settings, works } => {
                write!(
                    f,
                    "the bootloader answers the greeting at {settings}, but no command: wrong parity"
                )?;
                match works {
                    Some(works) => write!(f, "; {works} works"),
                    None => Ok(()),
                }
            }
            Self::Garbage { settings, .. } => {
                write!(f, "something answers, but it makes no sense at {settings}")
            }
        }
    }
}
