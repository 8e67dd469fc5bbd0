//! `flashwire erase`

use flashwire::{Error, Problem, Session};

use super::regions::{self, Regions};
use super::target::{Run, would_lift};
use super::write::{in_full, say_done, units};
use crate::args::EraseArgs;
use crate::json::JobObject;
use crate::progress::seconds;
use crate::screen::Screen;

/// Erases the flash, or a part of it.
pub(crate) fn erase(args: &EraseArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    let range = match (args.address, args.length) {
        (Some(address), Some(length)) => {
            let beyond = || Problem::Usage("--address and --length go beyond 64 bits".to_owned());
            Some(address..address.checked_add(length).ok_or_else(beyond)?)
        }
        _ => None,
    };
    let regions = Regions::new(&args.regions)?;
    run.with_session(|session, info, watcher| {
        run.say_target(info);
        let range = match &regions {
            Some(regions) => Some(regions::only(regions, session, watcher)?),
            None => range,
        };
        let plan = |session: &mut Session| match args.page {
            Some(first) => {
                session.plan_erase_pages(first, args.pages.unwrap_or(1), !args.no_verify)
            }
            None => session.plan_erase(range.clone(), !args.no_verify),
        };
        if args.unprotect {
            session.plan_past_protection();
        }
        let mut job = plan(session)?;
        if args.unprotect && session.protection()?.is_any() {
            if args.dry_run {
                screen.say(would_lift(&session.protection()?));
            } else {
                run.unprotect(session, watcher)?;
                job = plan(session)?;
            }
        }
        let plan = job.plan();
        if args.dry_run {
            let object = JobObject::new("flashwire/erase/1", info, plan, None, false);
            return screen.result(&in_full(&job), &object);
        }
        for kind in &plan.summary().erased {
            screen.say(&format!(
                "erase {}: about {}",
                units(kind),
                seconds(plan.estimate())
            ));
        }
        let outcome = session.execute(&job, watcher)?;
        say_done(&outcome, plan, session.is_simulated(), screen);
        if screen.args.json {
            let object = JobObject::new("flashwire/erase/1", info, plan, Some(&outcome), false);
            screen.object(&object)?;
        }
        Ok(())
    })
}
