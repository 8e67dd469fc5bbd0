//! `flashwire read`

use std::ops::Range;

use flashwire::{Error, Format, Info, Problem, Segment, images};

use super::files::{self, Output};
use super::target::Run;
use crate::args::ReadArgs;
use crate::json::ReadObject;
use crate::progress::{bytes, seconds};
use crate::screen::Screen;

/// Reads flash into a file.
pub(crate) fn read(args: &ReadArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    let format = images::output_format(&args.file, args.format);
    let is_text = matches!(format, Format::IntelHex | Format::SRecord);
    let output = Output::create(&args.file, is_text, screen)?;
    run.with_session(|session, info, watcher| {
        run.say_target(info);
        let range = range(info, args.address, args.length)?;
        let began = session.now();
        let data = session.read(range.clone(), watcher)?;
        let took = session.now().saturating_sub(began);
        let length = data.len() as u64;
        let content = match format {
            Format::Binary => data,
            format => {
                let segment = Segment {
                    address: range.start,
                    data,
                };
                let name = files::name(&args.file);
                images::to_bytes(&images::of(vec![segment])?, format, info.erased, &name)?
            }
        };
        output.finish(&content, screen)?;
        let clock = if session.is_simulated() {
            " of simulated time"
        } else {
            ""
        };
        let file = args.file.display().to_string();
        let into = if files::is_stream(&args.file) {
            String::new()
        } else {
            format!(" into {file}")
        };
        screen.say(&format!(
            "read {}{into} in {}{clock}",
            bytes(length),
            seconds(took)
        ));
        if screen.args.json {
            screen.object(&ReadObject {
                schema: "flashwire/read/1",
                link: info.link.clone(),
                part: info.part.clone(),
                file,
                format: format.id(),
                range: (&range).into(),
                bytes: length,
                elapsed_ms: took.as_millis() as u64,
            })?;
        }
        Ok(())
    })
}

/// The addresses that the options name, in this flash.
pub(super) fn range(
    info: &Info,
    address: Option<u64>,
    length: Option<u64>,
) -> Result<Range<u64>, Error> {
    let flash = &info.flash;
    if length.is_none() && !info.size_known {
        let what = "the size of this flash is not known: say with --length how much to read";
        return Err(Problem::Usage(what.to_owned()).into());
    }
    let start = address.unwrap_or(flash.start);
    let end = match length {
        Some(length) => start.checked_add(length),
        None => Some(flash.end),
    };
    match end {
        Some(end) if end > start => Ok(start..end),
        Some(_) => {
            Err(Problem::Usage(format!("there is nothing to read from {start:#010x} on")).into())
        }
        None => Err(Problem::Usage("--address and --length go beyond 64 bits".to_owned()).into()),
    }
}
