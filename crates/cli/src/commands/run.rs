//! `flashwire run` and `flashwire reset`

use flashwire::{Error, Info, Started};

use super::target::Run;
use crate::args::{ResetArgs, RunArgs};
use crate::json::StartObject;
use crate::screen::Screen;

/// Starts the application.
pub(crate) fn run(args: &RunArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    if args.address.is_none() && by_lines(&run)? {
        return show("flashwire/run/1", None, Started::Reset, screen);
    }
    run.with_session(|session, info, _| {
        run.say_target(info);
        show(
            "flashwire/run/1",
            Some(info),
            session.run(args.address)?,
            screen,
        )
    })
}

/// Resets the target into its application.
pub(crate) fn reset(args: &ResetArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    if by_lines(&run)? {
        return show("flashwire/reset/1", None, Started::Reset, screen);
    }
    run.with_session(|session, info, _| {
        run.say_target(info);
        let started = session.reset()?;
        show("flashwire/reset/1", Some(info), started, screen)
    })
}

/// Resets by the lines that the user named: then the bootloader need not answer.
fn by_lines(run: &Run<'_>) -> Result<bool, Error> {
    flashwire::reset_by_lines(&mut run.open_options()?)
}

fn show(
    schema: &'static str,
    info: Option<&Info>,
    started: Started,
    screen: &Screen,
) -> Result<(), Error> {
    say_started(started, screen);
    if !screen.args.json {
        return Ok(());
    }
    let (by, address) = match started {
        Started::Reset => ("reset", None),
        Started::ResetByProgram => ("program", None),
        Started::Left => ("bootloader", None),
        Started::Jumped(address) => ("jump", Some(address)),
    };
    let part = info.map(|info| info.part.clone());
    screen.object(&StartObject {
        schema,
        part,
        by,
        address,
    })
}

/// Says how the application was started.
pub(super) fn say_started(started: Started, screen: &Screen) {
    match started {
        Started::Reset => screen.say("reset into the application"),
        Started::ResetByProgram => {
            screen.say("reset by a program in RAM; what runs now is what BOOT0 says");
        }
        Started::Left => screen.say("the bootloader starts what is in the flash"),
        Started::Jumped(address) => {
            screen.say(&format!("started the application at {address:#010x}"));
        }
    }
}
