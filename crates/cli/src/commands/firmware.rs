//! `flashwire firmware`

use std::env::consts::OS;
use std::path::PathBuf;

use flashwire::firmware::{self, Bundled, Way};
use flashwire::{BackupOptions, Error};
use serde::Serialize;

use super::run::say_started;
use super::target::Run;
use super::{image, write};
use crate::args::firmware::{FirmwareCommand, FirmwareExtractArgs, FirmwareInstallArgs};
use crate::args::{EraseKind, OutputArgs};
use crate::json::JobObject;
use crate::progress::bytes;
use crate::screen::Screen;

/// Does what was asked for with the images that flashwire brings along.
pub(crate) fn run(command: &FirmwareCommand, screen: &Screen) -> Result<(), Error> {
    match command {
        FirmwareCommand::List => list(screen),
        FirmwareCommand::Install(args) => install(firmware::find(&args.name)?, args, screen),
        FirmwareCommand::Extract(args) => extract(args, screen),
    }
}

/// Shows what there is.
fn list(screen: &Screen) -> Result<(), Error> {
    let width = firmware::ALL.iter().map(|image| image.name.len()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for image in &firmware::ALL {
        let Bundled { name, what, .. } = image;
        let (chip, size) = (image.chip.name(), bytes(image.content.len() as u64));
        text.push_str(&format!("{name:<width$}  {chip}  {size:>9}  {what}\n"));
    }
    let images = firmware::ALL.iter().map(ImageObject::new);
    let object = ListObject {
        schema: "flashwire/firmware-list/1",
        images: images.collect(),
    };
    screen.result(&text, &object)?;
    screen.say("into a board: flashwire firmware install NAME -p PORT");
    Ok(())
}

/// Writes an image through the bootloader of its chip, starts it, and asks it who it is.
fn install(image: &Bundled, args: &FirmwareInstallArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    let mut open = run.open_options()?;
    open.port = image.reach(open.port)?;
    let port = open.port.clone();
    // Most people do this once: they are told what to press, and waited for.
    open.ask = open.patience.is_none();
    let mut options = write::options(EraseKind::Touched, &args.change)?;
    if image.chip.way() == Way::ArduinoBootloader {
        // The sketch that is lost is kept whole, so that it can be put back.
        options.backup = match options.backup {
            BackupOptions::WhatIsRead(place) => BackupOptions::Everything(place),
            other => other,
        };
    }
    let (name, chip) = (image.name, image.chip.name());
    screen.say(&format!("{name} for an {chip}: {}", image.what));
    say_steps("before", image.before(), screen);
    let installed = run.with_opened(open, |session, info, watcher| {
        run.say_target(info);
        let (job, outcome) =
            write::change(&run, &args.change, session, watcher, &|session, watcher| {
                session.plan_install(image, &options, watcher)
            })?;
        let mut next = Vec::new();
        let mut answers = None;
        if outcome.is_some() {
            let started = session.run(None)?;
            say_started(started, screen);
            answers = session.check_installed(image)?;
            if let Some(name) = &answers {
                screen.say(&format!("the board answers: {name}"));
            }
            next = image.after(started, &port, OS);
            say_steps("now", &next, screen);
        }
        let schema = "flashwire/firmware-install/1";
        let done = outcome.is_some();
        let object = InstallObject {
            job: JobObject::new(schema, info, job.plan(), outcome.as_ref(), done),
            name,
            answers,
            next,
        };
        match done {
            true if screen.args.json => screen.object(&object),
            true => Ok(()),
            false => screen.result(&write::in_full(&job), &object),
        }
    });
    installed.map_err(|error| image.advise(error))
}

/// Steps for hands, numbered.
fn say_steps(when: &str, steps: &[impl AsRef<str>], screen: &Screen) {
    screen.say(&format!("{when}:"));
    for (number, step) in (1..).zip(steps) {
        screen.say(&format!("  {number}. {}", step.as_ref()));
    }
}

/// Puts an image into a file.
fn extract(args: &FirmwareExtractArgs, screen: &Screen) -> Result<(), Error> {
    let image = firmware::find(&args.name)?;
    let default = || PathBuf::from(format!("{}.hex", image.name));
    let output = OutputArgs {
        output: args.file.clone().unwrap_or_else(default),
        to: args.to,
    };
    let schema = "flashwire/firmware-extract/1";
    image::make(schema, &image.image()?, &output, screen)
}

/// The images that there are.
#[derive(Serialize)]
struct ListObject {
    schema: &'static str,
    images: Vec<ImageObject>,
}

#[derive(Serialize)]
struct ImageObject {
    name: &'static str,
    what: &'static str,
    chip: &'static str,
    way: &'static str,
    bytes: usize,
    /// Nothing where the manifest does not have it.
    sha256: Option<&'static str>,
    source_sha256: Option<&'static str>,
}

impl ImageObject {
    fn new(image: &Bundled) -> Self {
        let record = image.record();
        Self {
            name: image.name,
            what: image.what,
            chip: image.chip.id(),
            way: image.chip.way().id(),
            bytes: image.content.len(),
            sha256: record.map(|record| record.sha256),
            source_sha256: record.map(|record| record.source_sha256),
        }
    }
}

/// A plan that was carried out or not, and what hands have to do next.
#[derive(Serialize)]
struct InstallObject {
    #[serde(flatten)]
    job: JobObject,
    name: &'static str,
    /// What it calls itself, if it could be asked.
    answers: Option<String>,
    next: Vec<String>,
}
