//! `flashwire read`

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use flashwire::{Error, Format, Info, Problem, Segment, images};

use super::files::{self, Output};
use super::regions::Regions;
use super::target::Run;
use crate::args::ReadArgs;
use crate::json::ReadObject;
use crate::json::spi::{RegionReadObject, RegionsReadObject};
use crate::progress::{bytes, seconds};
use crate::screen::Screen;

/// Reads flash into a file, or regions into files of their own.
pub(crate) fn read(args: &ReadArgs, screen: &Screen) -> Result<(), Error> {
    let run = Run::new(&args.target, screen)?;
    match (Regions::new(&args.regions)?, &args.file) {
        (Some(regions), file) => read_regions(args, &regions, file.as_deref(), &run),
        (None, Some(file)) => read_range(args, file, &run),
        (None, None) => Err(Problem::Usage("there is no file to read into".to_owned()).into()),
    }
}

/// A file to be made, with its format.
struct Target {
    format: Format,
    output: Output,
    name: String,
}

impl Target {
    fn create(path: &Path, format: Option<Format>, screen: &Screen) -> Result<Self, Error> {
        let format = images::output_format(path, format);
        let is_text = matches!(format, Format::IntelHex | Format::SRecord);
        let output = Output::create(path, is_text, screen)?;
        let name = files::name(path);
        Ok(Self {
            format,
            output,
            name,
        })
    }

    /// Writes what was read; what has no room for addresses begins with the first byte.
    fn finish(self, segments: Vec<Segment>, erased: u8, screen: &Screen) -> Result<(), Error> {
        let content = match (&segments[..], self.format) {
            ([segment], Format::Binary) => segment.data.clone(),
            _ => images::to_bytes(&images::of(segments)?, self.format, erased, &self.name)?,
        };
        self.output.finish(&content, screen)
    }
}

/// Reads one range.
fn read_range(args: &ReadArgs, path: &Path, run: &Run<'_>) -> Result<(), Error> {
    let screen = run.screen;
    let target = Target::create(path, args.format, screen)?;
    run.with_session(|session, info, watcher| {
        run.say_target(info);
        let range = range(info, args.address, args.length)?;
        let began = session.now();
        let data = session.read(range.clone(), watcher)?;
        let took = session.now().saturating_sub(began);
        let length = data.len() as u64;
        let format = target.format;
        let segment = Segment {
            address: range.start,
            data,
        };
        target.finish(vec![segment], info.erased, screen)?;
        let file = path.display().to_string();
        say_read(length, path, took, session.is_simulated(), screen);
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

/// Reads regions: those with a file of their own into it, the others into `file`. A raw binary of
/// one region has its bytes; one of several is as large as the chip, so that `write` takes it again.
fn read_regions(
    args: &ReadArgs,
    regions: &Regions,
    file: Option<&Path>,
    run: &Run<'_>,
) -> Result<(), Error> {
    let screen = run.screen;
    let shared = regions.wanted.iter().filter(|wanted| wanted.file.is_none());
    let shared = shared.count();
    let usage = |what: &str| Err(Problem::Usage(what.to_owned()).into());
    let whole = match (file, shared) {
        (Some(_), 0) => return usage("FILE is not needed: every region has a file of its own"),
        (None, 1..) => return usage("a region has no file: give FILE, or --region NAME:FILE"),
        (Some(file), _) => Some(Target::create(file, args.format, screen)?),
        (None, _) => None,
    };
    let mut own = Vec::new();
    for wanted in &regions.wanted {
        let target = match &wanted.file {
            Some(path) => Some(Target::create(path, None, screen)?),
            None => None,
        };
        own.push((wanted.name.as_str(), target));
    }
    run.with_session(|session, info, watcher| {
        run.say_target(info);
        let began = session.now();
        let mut rows = Vec::new();
        let mut common = Vec::new();
        for (region, wanted) in regions.find(session, watcher)? {
            let data = session.read(region.range.clone(), watcher)?;
            let path = wanted.file.as_deref().or(file);
            let name = path.map_or(String::new(), |path| path.display().to_string());
            screen.say(&format!(
                "region {}: {} from {:#010x} on into {name}",
                region.name,
                bytes(data.len() as u64),
                region.range.start
            ));
            let segment = Segment {
                address: region.range.start,
                data,
            };
            let mut targets = own.iter_mut().filter(|(name, _)| *name == region.name);
            match targets.find_map(|(_, target)| target.take()) {
                Some(target) => target.finish(vec![segment], info.erased, screen)?,
                None => common.push(segment),
            }
            rows.push(RegionReadObject {
                name: region.name,
                range: (&region.range).into(),
                file: name,
            });
        }
        let took = session.now().saturating_sub(began);
        if let Some(target) = whole {
            if target.format == Format::Binary && shared > 1 {
                common = vec![on_the_whole(common, info)];
            }
            target.finish(common, info.erased, screen)?;
        }
        if screen.args.json {
            screen.object(&RegionsReadObject {
                schema: "flashwire/read-regions/1",
                link: info.link.clone(),
                part: info.part.clone(),
                regions: rows,
                elapsed_ms: took.as_millis() as u64,
            })?;
        }
        Ok(())
    })
}

/// Pieces at their places in the content of a chip that is blank elsewhere.
fn on_the_whole(pieces: Vec<Segment>, info: &Info) -> Segment {
    let address = info.flash.start;
    let mut data = vec![info.erased; (info.flash.end - address) as usize];
    for piece in pieces {
        let start = (piece.address - address) as usize;
        data[start..start + piece.data.len()].copy_from_slice(&piece.data);
    }
    Segment { address, data }
}

fn say_read(length: u64, path: &Path, took: Duration, is_simulated: bool, screen: &Screen) {
    let clock = if is_simulated {
        " of simulated time"
    } else {
        ""
    };
    let into = if files::is_stream(path) {
        String::new()
    } else {
        format!(" into {}", path.display())
    };
    screen.say(&format!(
        "read {}{into} in {}{clock}",
        bytes(length),
        seconds(took)
    ));
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
