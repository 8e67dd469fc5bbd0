//! `flashwire doctor`

use flashwire::doctor::{self, Computer, Finding};
use flashwire::{Error, Exit};
use serde::Serialize;

use super::target::Run;
use crate::args::DoctorArgs;
use crate::screen::Screen;

/// Looks at the port, or at all of the computer, and says what is wrong.
pub(crate) fn doctor(args: &DoctorArgs, screen: &Screen) -> Result<Exit, Error> {
    if args.udev_rules {
        screen.data(doctor::udev_rules().as_bytes())?;
        return Ok(Exit::Done);
    }
    let run = Run::new(&args.target, screen)?;
    let computer = Computer::here();
    let findings = if run.named_port().is_some() {
        let options = run.open_options()?;
        doctor::look_at_port(&computer, options, &mut run.watcher())?
    } else {
        doctor::look_at_computer(&computer)?
    };
    let exit = doctor::exit(&findings);
    let port = run.named_port().unwrap_or("PORT");
    let findings: Vec<FindingObject> = findings
        .iter()
        .map(|finding| FindingObject::new(finding, port))
        .collect();
    let text: String = findings.iter().map(text).collect();
    let object = DoctorObject {
        schema: "flashwire/doctor/1",
        exit: exit as u8,
        findings,
    };
    screen.result(&text, &object)?;
    Ok(exit)
}

/// What was found.
#[derive(Serialize)]
struct DoctorObject {
    schema: &'static str,
    /// The exit status that the process ends with.
    exit: u8,
    findings: Vec<FindingObject>,
}

/// One finding; `verdict` is `fine`, `risky` or `wrong`.
#[derive(Serialize)]
struct FindingObject {
    code: &'static str,
    verdict: &'static str,
    message: String,
    facts: Vec<String>,
    #[serde(rename = "try")]
    advice: Vec<AdviceObject>,
}

#[derive(Serialize)]
struct AdviceObject {
    text: String,
    /// The command that does it, where there is one.
    command: Option<String>,
}

impl FindingObject {
    /// `port` stands for the port in commands.
    fn new(finding: &Finding, port: &str) -> Self {
        let advice = finding.advice().into_iter();
        Self {
            code: finding.code(),
            verdict: finding.verdict().word(),
            message: finding.to_string(),
            facts: finding.facts(),
            advice: advice
                .map(|advice| AdviceObject {
                    text: advice.text,
                    command: advice.command.map(|line| line.replace("PORT", port)),
                })
                .collect(),
        }
    }
}

/// A finding for people: the sentence, what is known, what to do.
fn text(finding: &FindingObject) -> String {
    let FindingObject {
        code,
        verdict,
        message,
        ..
    } = finding;
    let mut text = match finding.advice.is_empty() {
        true => format!("{verdict}: {message}\n"),
        false => format!("{verdict}[{code}]: {message}\n"),
    };
    for fact in &finding.facts {
        text.push_str(&format!("  {fact}\n"));
    }
    for (n, advice) in finding.advice.iter().enumerate() {
        let label = if n == 0 { "try:" } else { "" };
        text.push_str(&format!("  {label:<4} {}\n", advice.text));
        if let Some(command) = &advice.command {
            text.push_str(&format!("         {command}\n"));
        }
    }
    text
}
