//! Says why nothing answers: looks at the computer, at the port, and at what comes back on the wire.
//!
//! What is found is data: [`Finding`]s, each with a stable code, a sentence, what is known and what
//! to do, with the command for this very system where there is one. Nothing is changed: commands
//! are told, not run. Ports that nobody named are neither opened nor written to.
//!
//! The facts about the computer come from files ([`Computer`]); what a port says is heard over the
//! same links that sessions use.

mod access;
mod advice;
mod computer;
mod finding;
mod hearing;
mod udev;
mod wire;

use crate::error::{Error, Exit, Problem};
use crate::port::{Method, Place};
use crate::session::open::method;
use crate::session::{OpenOptions, Session};
use crate::watch::Watcher;

pub use advice::{GroupTool, System};
pub use computer::{Account, Adapter, Computer, Group, Node, Process};
pub use finding::{Advice, Denial, Finding, Verdict};
pub use hearing::Sample;
pub use udev::{INSTALLATION as UDEV_INSTALLATION, RULES_FILE as UDEV_RULES_FILE, udev_rules};

/// The exit status that a process ends with after these findings: that of the first thing that is
/// wrong, or [`Exit::Done`].
pub fn exit(findings: &[Finding]) -> Exit {
    findings
        .iter()
        .find(|finding| finding.verdict() == Verdict::Wrong)
        .map_or(Exit::Done, Finding::exit)
}

/// Looks at the computer and at all its serial ports, without opening any.
///
/// # Errors
/// The system gives no list of its ports.
pub fn look_at_computer(computer: &Computer) -> Result<Vec<Finding>, Error> {
    let ports = flashwire_link::ports()?;
    let mut findings = Vec::new();
    for port in &ports {
        let allowed = flashwire_link::serial::is_allowed(&port.name);
        let around = access::around(computer, &port.name);
        findings.push(match allowed {
            true => access::usable(port),
            false => access::denied(computer, &port.name),
        });
        findings.extend(around);
    }
    findings.extend(access::idle_adapters(computer));
    if ports.is_empty() {
        findings.insert(0, Finding::NoPorts);
    }
    Ok(findings)
}

/// Looks at one port: whether it can be opened, who else has it, and what comes back when a loader
/// is greeted on it. Nothing is written to the flash. A target that answers ends the list.
///
/// # Errors
/// The options make no sense. That a port cannot be opened or that nothing answers is no error here,
/// but a finding.
pub fn look_at_port(
    computer: &Computer,
    options: OpenOptions,
    watcher: &mut dyn Watcher,
) -> Result<Vec<Finding>, Error> {
    let look = match method(&options.port)? {
        Method::Stm32 => wire::look,
        Method::Serprog | Method::Nfd => look_at_programmer,
        _ => open_session,
    };
    let name = match &options.port.place {
        Place::Serial(name) => name.clone(),
        Place::I2c { bus, .. } => bus.clone(),
        _ => {
            return match look(options, watcher) {
                Err(error) => unopened(error).map(|finding| vec![finding]),
                found => found,
            };
        }
    };
    // Before it is opened: from then on it is this program that has it.
    let around = access::around(computer, &name);
    match look(options, watcher) {
        Ok(found) => {
            let opened = access::opened(&name);
            Ok([vec![opened], around, found]
                .into_iter()
                .flatten()
                .collect())
        }
        Err(error) => {
            let refused = access::refused(computer, &name, error)?;
            let mut findings = vec![refused];
            // Of a port that is there, and may be had later.
            if matches!(findings[0], Finding::Busy { .. }) {
                findings.extend(around.into_iter().filter(Finding::is_about_modem_manager));
            }
            Ok(findings)
        }
    }
}

/// Opens a target that says by itself what is wrong: one that is not reached over a UART that could
/// be wired wrongly.
fn open_session(options: OpenOptions, watcher: &mut dyn Watcher) -> Result<Vec<Finding>, Error> {
    let mut session = match Session::open(options, watcher) {
        Ok(session) => session,
        Err(error) if matches!(error.problem(), Problem::Open { .. }) => return Err(error),
        Err(error) => return Ok(vec![Finding::Failed(error)]),
    };
    let info = session.info();
    session.close()?;
    let answers = Finding::Answers {
        part: info.part,
        link: info.link,
        wiring: None,
    };
    let protected = info.read_protected.then_some(Finding::ReadProtected);
    Ok([answers].into_iter().chain(protected).collect())
}

/// Opens a programmer, and where it does not answer as asked for, in the other protocol that
/// programmers speak.
fn look_at_programmer(
    options: OpenOptions,
    watcher: &mut dyn Watcher,
) -> Result<Vec<Finding>, Error> {
    let asked = method(&options.port)?;
    let speaks = match asked {
        Method::Nfd => Method::Serprog,
        _ => Method::Nfd,
    };
    let mut other = options.port.clone();
    other.method = Some(speaks);
    let mut other = OpenOptions::new(other);
    other.speed = options.speed;
    other.cancel = options.cancel.clone();
    let findings = open_session(options, watcher)?;
    let is_no_answer = |finding: &Finding| match finding {
        Finding::Failed(error) => error.problem().means_no_programmer(),
        _ => false,
    };
    if !findings.iter().all(is_no_answer) {
        return Ok(findings);
    }
    watcher.say("no answer as asked for; trying the other protocol of programmers");
    let answers = match Session::open(other, watcher) {
        Ok(session) => session.close().map(|()| true)?,
        // Whoever has something to say of a chip is a programmer.
        Err(error) => matches!(error.problem(), Problem::Chip(_)),
    };
    Ok(match answers {
        true => vec![Finding::OtherProtocol {
            asked: asked.word(),
            speaks: speaks.word(),
        }],
        false => findings,
    })
}

/// A port without a node in the file system that cannot be opened.
fn unopened(error: Error) -> Result<Finding, Error> {
    match error.problem() {
        Problem::Open { .. } => Ok(Finding::Unopened(error)),
        _ => Err(error),
    }
}
