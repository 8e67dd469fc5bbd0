//! `flashwire stm32`: what only STM32 bootloaders can do.

use std::ops::Range;

use flashwire::{
    Error, Info, OptionBytes, OptionField, Problem, Protection, Session, WriteProtect, number,
};

use super::target::{Run, joined_spans};
use crate::args::stm32::{CrcArgs, OptionsArgs, ProtectArgs, Stm32Command, WriteProtectArgs};
use crate::json::{CrcObject, OptionsObject, ProtectionObject};
use crate::progress::ProgressView;
use crate::screen::Screen;

/// Does one of the commands.
pub(crate) fn run(command: &Stm32Command, screen: &Screen) -> Result<(), Error> {
    match command {
        Stm32Command::Crc(args) => crc(args, screen),
        Stm32Command::Protect(args) => protect(args, screen),
        Stm32Command::Unprotect(args) => unprotect(args, screen),
        Stm32Command::WriteProtect(args) => write_protect(args, screen),
        Stm32Command::WriteUnprotect(args) => write_unprotect(args, screen),
        Stm32Command::Options(args) => options(args, screen),
    }
}

/// What removing the read protection does, as a question.
pub(super) const WIPES: &str =
    "the chip is read protected (RDP); removing that erases its whole flash";

/// Prints a checksum.
fn crc(args: &CrcArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    run.with_session(|session, info, watcher| {
        run.say_target(info);
        let range = super::read::range(info, args.address, args.length)?;
        let checksum = session.crc(range.clone(), watcher)?;
        screen.say(if checksum.on_chip {
            "computed on the chip"
        } else {
            "computed from what was read: this bootloader has no checksum of its own for that"
        });
        let object = CrcObject {
            schema: "flashwire/stm32-crc/1",
            link: info.link.clone(),
            part: info.part.clone(),
            range: (&range).into(),
            crc: checksum.crc,
            on_chip: checksum.on_chip,
        };
        screen.result(&format!("{:#010x}\n", checksum.crc), &object)
    })
}

/// Protects against reading.
fn protect(args: &ProtectArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    change(&run, "flashwire/stm32-protect/1", |session, watcher| {
        if session.protection()?.read {
            screen.say("it is read protected already");
            return Ok(false);
        }
        session.readout_protect(watcher)?;
        Ok(false)
    })
}

/// Removes the read protection.
fn unprotect(args: &ProtectArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    change(&run, "flashwire/stm32-unprotect/1", |session, watcher| {
        if !session.protection()?.read {
            screen.say("it is not read protected: nothing is erased");
            return Ok(false);
        }
        run.consent(WIPES)?;
        session.readout_unprotect(watcher)?;
        Ok(true)
    })
}

/// Protects against writing.
fn write_protect(args: &WriteProtectArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    let what = what_to_protect(args)?;
    change(
        &run,
        "flashwire/stm32-write-protect/1",
        |session, watcher| {
            session.write_protect(&what, watcher)?;
            Ok(false)
        },
    )
}

/// Removes the write protection.
fn write_unprotect(args: &ProtectArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    change(
        &run,
        "flashwire/stm32-write-unprotect/1",
        |session, watcher| {
            session.write_unprotect(watcher)?;
            Ok(false)
        },
    )
}

fn what_to_protect(args: &WriteProtectArgs) -> Result<WriteProtect, Error> {
    Ok(match (args.address, args.length) {
        (Some(start), Some(length)) => {
            let beyond = || Problem::Usage("--address and --length go beyond 64 bits".to_owned());
            let end = start.checked_add(length).ok_or_else(beyond)?;
            WriteProtect::Ranges(Vec::from([Range { start, end }]))
        }
        _ if args.all => WriteProtect::All,
        _ => WriteProtect::Codes(args.sectors.clone()),
    })
}

/// Shows the option bytes, after a change where one is asked for.
fn options(args: &OptionsArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    let changes: Vec<(String, u32)> = args
        .set
        .iter()
        .map(|text| change_of(text))
        .collect::<Result<_, _>>()?;
    run.with_session(|session, info, watcher| {
        run.say_target(info);
        let options = if changes.is_empty() {
            session.option_bytes()?
        } else {
            session.set_option_bytes(&changes, watcher)?
        };
        let object = OptionsObject::new(info, &options, !changes.is_empty());
        screen.result(&options_text(&options), &object)
    })
}

/// `NAME=VALUE`.
fn change_of(text: &str) -> Result<(String, u32), Error> {
    let wrong = || Problem::Usage(format!("--set `{text}`: write NAME=VALUE"));
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let value = number::parse(value).map_err(|_| wrong())?;
    let value = u32::try_from(value).map_err(|_| wrong())?;
    Ok((name.to_owned(), value))
}

/// The areas as they stand in memory, then a field a line.
fn options_text(options: &OptionBytes) -> String {
    const PER_LINE: usize = 16;
    let mut text = String::new();
    for block in &options.blocks {
        for (n, line) in block.bytes.chunks(PER_LINE).enumerate() {
            let bytes: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            let address = block.address + (n * PER_LINE) as u32;
            text.push_str(&format!("{address:#010x}  {}\n", bytes.join(" ")));
        }
    }
    for OptionField { name, value, bits } in &options.fields {
        let value = match bits {
            1 => value.to_string(),
            bits => format!("{value:#0width$x}", width = 2 + bits.div_ceil(4) as usize),
        };
        text.push_str(&format!("{name:<18}{value}\n"));
    }
    text
}

/// Changes a protection and shows what is protected then. `change` says whether it erased the flash.
fn change(
    run: &Run<'_>,
    schema: &'static str,
    change: impl FnOnce(&mut Session, &mut ProgressView) -> Result<bool, Error>,
) -> Result<(), Error> {
    run.with_session(|session, info, watcher| {
        run.say_target(info);
        let erased = change(session, watcher)?;
        let protection = session.protection()?;
        show(run.screen, schema, info, &protection, erased)
    })
}

fn show(
    screen: &Screen,
    schema: &'static str,
    info: &Info,
    protection: &Protection,
    erased: bool,
) -> Result<(), Error> {
    if erased {
        screen.say("the flash is erased");
    }
    screen.say(&format!("read protection: {}", read(protection)));
    screen.say(&format!("write protection: {}", write(protection)));
    if screen.args.json {
        screen.object(&ProtectionObject::new(schema, info, protection, erased))?;
    }
    Ok(())
}

/// `on`, `off`.
pub(super) fn read(protection: &Protection) -> &'static str {
    if protection.read { "on" } else { "off" }
}

/// `off`, the ranges, or that nobody knows.
pub(super) fn write(protection: &Protection) -> String {
    match &protection.write {
        None if protection.read => "hidden by the read protection".to_owned(),
        None => "unknown: this part does not show it".to_owned(),
        Some(ranges) if ranges.is_empty() => "off".to_owned(),
        Some(ranges) => joined_spans(ranges),
    }
}
