//! `flashwire write` and `flashwire verify`

use std::ops::Range;

use flashwire::images;
use flashwire::{
    Backup, BackupOptions, EraseChoice, ErasedKind, Error, Job, Outcome, Plan, PlanOptions,
    Problem, Session, WriteOptions, places,
};

use super::regions::Content;
use super::run::say_started;
use super::target::{Run, would_lift};
use super::{files, stamp};
use crate::args::{ChangeArgs, ContentArgs, EraseKind, VerifyArgs, WriteArgs};
use crate::json::JobObject;
use crate::progress::{ProgressView, bytes, seconds};
use crate::screen::Screen;

/// Writes a file and verifies it.
pub(crate) fn write(args: &WriteArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    let content = load(&args.content, run.config.address)?;
    let options = options(args.erase, &args.change)?;
    let name = content.name();
    run.with_session(|session, info, watcher| {
        run.say_target(info);
        let firmware = content.firmware(session, info, watcher)?;
        let (job, outcome) = change(&run, &args.change, session, watcher, &|session, watcher| {
            session.plan_write(&firmware, name, &options, watcher)
        })?;
        let plan = job.plan();
        let Some(outcome) = outcome else {
            let object = JobObject::new("flashwire/write/1", info, plan, None, false);
            return screen.result(&in_full(&job), &object);
        };
        if args.run {
            let at_start = |&address: &u64| address == info.flash.start;
            let table = job.image().and_then(images::vector_table);
            say_started(
                session.run(table.filter(|address| !at_start(address)))?,
                screen,
            );
        }
        if screen.args.json {
            let object = JobObject::new("flashwire/write/1", info, plan, Some(&outcome), args.run);
            screen.object(&object)?;
        }
        Ok(())
    })
}

/// Makes a plan, and carries it out unless it is only to be shown. What protects the flash is taken
/// away if the user said so.
pub(super) fn change(
    run: &Run<'_>,
    args: &ChangeArgs,
    session: &mut Session,
    watcher: &mut ProgressView,
    plan: &dyn Fn(&mut Session, &mut ProgressView) -> Result<Job, Error>,
) -> Result<(Job, Option<Outcome>), Error> {
    if args.unprotect {
        session.plan_past_protection();
    }
    let mut job = plan(session, watcher)?;
    if args.unprotect && session.protection()?.is_any() {
        if args.dry_run {
            run.screen.say(would_lift(&session.protection()?));
        } else {
            run.unprotect(session, watcher)?;
            job = plan(session, watcher)?;
        }
    }
    if args.dry_run {
        return Ok((job, None));
    }
    run.screen.say(&in_short(&job));
    let outcome = session.execute(&job, watcher)?;
    say_done(&outcome, job.plan(), session.is_simulated(), run.screen);
    Ok((job, Some(outcome)))
}

/// Compares the flash with a file.
pub(crate) fn verify(args: &VerifyArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    let content = load(&args.content, run.config.address)?;
    let name = content.name();
    run.with_session(|session, info, watcher| {
        run.say_target(info);
        let firmware = content.firmware(session, info, watcher)?;
        let job = session.plan_verify(&firmware, name)?;
        let outcome = session.execute(&job, watcher)?;
        let checked = bytes(job.plan().summary().verified_bytes);
        screen.say(&format!(
            "the flash holds {name}: {checked} compared in {}",
            time(&outcome, session.is_simulated())
        ));
        if screen.args.json {
            let object = JobObject::new(
                "flashwire/verify/1",
                info,
                job.plan(),
                Some(&outcome),
                false,
            );
            screen.object(&object)?;
        }
        Ok(())
    })
}

/// Reads the files. The address of the defaults is for raw binaries only, and not for regions: what
/// has addresses does not disagree with it.
fn load(args: &ContentArgs, default_address: Option<u64>) -> Result<Content, Error> {
    let options = files::load_options(args.format, args.address);
    let has_regions = !args.regions.region.is_empty();
    let default_address = default_address.filter(|_| !has_regions);
    Content::load(args.file.as_deref(), &args.regions, |file| {
        let firmware = files::load(file, options)?;
        match default_address {
            Some(address) => {
                let placed = firmware.place(address);
                placed.map_err(|error| Error::from(error).about(files::name(file)))
            }
            None => Ok(firmware),
        }
    })
}

/// How to write, as the command line says it.
pub(super) fn options(erase: EraseKind, args: &ChangeArgs) -> Result<WriteOptions, Error> {
    if args.only_changed && erase == EraseKind::All {
        let what = "--only-changed and --erase all contradict each other";
        return Err(Problem::Usage(what.to_owned()).into());
    }
    let erase = match erase {
        EraseKind::Touched => EraseChoice::Touched,
        EraseKind::All => EraseChoice::All,
        EraseKind::None => EraseChoice::None,
    };
    let plan = PlanOptions {
        erase,
        only_changed: args.only_changed,
        keep_outside: !args.no_keep,
        verify: !args.no_verify,
    };
    let folder = || {
        let stamp = stamp::now();
        places::backup_folder().map(|folder| Backup::Folder { folder, stamp })
    };
    let backup = match &args.backup {
        _ if args.no_backup || args.dry_run => BackupOptions::None,
        Some(Some(file)) => BackupOptions::Everything(Backup::File(file.clone())),
        Some(None) => folder().map_or(BackupOptions::None, BackupOptions::Everything),
        None => folder().map_or(BackupOptions::None, BackupOptions::WhatIsRead),
    };
    Ok(WriteOptions {
        plan,
        backup,
        assume_erased: false,
    })
}

/// What is going to happen, in a line or two.
fn in_short(job: &Job) -> String {
    let plan = job.plan();
    let summary = plan.summary();
    let mut parts = Vec::new();
    for kind in &summary.erased {
        parts.push(format!("erase {}", units(kind)));
    }
    if summary.programmed_bytes > 0 {
        parts.push(format!("write {}", bytes(summary.programmed_bytes)));
    }
    if summary.verified_bytes > 0 {
        parts.push(format!("verify {}", bytes(summary.verified_bytes)));
    }
    let mut text = job.name().to_owned();
    if let Some(image) = job.image() {
        text.push_str(&format!(
            ": {}, {}",
            image.format(),
            bytes(image.total_bytes())
        ));
    }
    if plan.changes_nothing() {
        text.push_str("; the flash holds it already, nothing to write");
    }
    if !parts.is_empty() {
        text.push_str(&format!(
            "\n{}: about {}",
            parts.join(", "),
            seconds(plan.estimate())
        ));
    }
    if !summary.kept.is_empty() {
        text.push_str(&format!(
            "\nkeeping {} beside the file",
            bytes(total(&summary.kept))
        ));
    }
    if !summary.dropped.is_empty() {
        text.push_str(&format!(
            "\ndropping {} beside the file",
            bytes(total(&summary.dropped))
        ));
    }
    text
}

/// `12 KiB (12 pages)`.
pub(super) fn units(kind: &ErasedKind) -> String {
    format!("{} ({})", bytes(kind.bytes), count(kind.units, &kind.name))
}

/// `1 page`, `12 pages`, `2 x 4K sector`.
fn count(units: u64, name: &str) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("{units} x {name}");
    }
    let plural = if units == 1 { "" } else { "s" };
    format!("{units} {name}{plural}")
}

fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

/// The whole plan, a line a step.
pub(super) fn in_full(job: &Job) -> String {
    let plan = job.plan();
    let summary = plan.summary();
    let mut text = String::new();
    let mut add = |line: String| text.push_str(&(line + "\n"));
    for kind in &summary.erased {
        let size = bytes(kind.bytes);
        add(format!(
            "erase   {size:>9}  {}",
            count(kind.units, &kind.name)
        ));
    }
    let erased: Vec<Range<u64>> = plan.erase_units().iter().map(|unit| unit.range()).collect();
    joined(erased).iter().for_each(|range| add(span(range)));
    if summary.programmed_bytes > 0 {
        add(format!("write   {:>9}", bytes(summary.programmed_bytes)));
    }
    plan.programs().iter().for_each(|range| add(span(range)));
    let dropped = job.image().map_or(0, |_| total(&summary.dropped));
    let extras = [
        (
            "keep",
            total(&summary.kept),
            "beside the file, read and written back",
        ),
        ("drop", dropped, "beside the file, lost"),
        (
            "skip",
            summary.blank_bytes,
            "of the file that are blank after the erase",
        ),
        (
            "skip",
            summary.unchanged_bytes,
            "of the file that are there already",
        ),
        ("verify", summary.verified_bytes, "at the end"),
    ];
    for (what, count, why) in extras {
        if count > 0 {
            add(format!("{what:<7} {:>9}  {why}", bytes(count)));
        }
    }
    add(format!("time    {:>9}", seconds(plan.estimate())));
    text
}

fn span(range: &Range<u64>) -> String {
    let size = bytes(range.end - range.start);
    format!("        {:#010x}..{:#010x}  {size}", range.start, range.end)
}

/// Neighbouring ranges as one.
fn joined(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => joined.push(range),
        }
    }
    joined
}

/// Says what was done, and how fast.
pub(super) fn say_done(outcome: &Outcome, plan: &Plan, simulated: bool, screen: &Screen) {
    let done = match (
        plan.changes_nothing(),
        plan.programs().is_empty(),
        outcome.report.verified,
    ) {
        (true, _, true) => "verified",
        (true, _, false) => "nothing done",
        (false, true, true) => "erased and verified",
        (false, true, false) => "erased, not verified",
        (false, false, true) => "written and verified",
        (false, false, false) => "written, not verified",
    };
    screen.say(&format!("{done} in {}", time(outcome, simulated)));
    if let Some(backup) = &outcome.backup {
        screen.say(&format!("what was there before is in {}", backup.display()));
    }
}

/// How long a job took; on a bench it took no real time.
pub(super) fn time(outcome: &Outcome, simulated: bool) -> String {
    let clock = if simulated { " of simulated time" } else { "" };
    format!("{}{clock}", seconds(outcome.took))
}
