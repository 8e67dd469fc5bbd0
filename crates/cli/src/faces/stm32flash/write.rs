//! `-w`: what is erased, what is written where, and what is compared.
//!
//! The original erases the pages that the file covers (with a gap in the middle the gap's too), or
//! what `-S`, `-s` and `-e` name; from standard input, whose length it does not know, everything up
//! to the end. Here pages that nothing is written to are kept, unless the options name them.

use std::ops::Range;

use flashwire::images::{self, Firmware};
use flashwire::{EraseChoice, Error, Format, Image, Job, PlanOptions, Segment, WriteOptions};

use super::arguments::{Action, Place};
use super::job::{Work, usage};
use super::place;
use crate::commands::files;

/// Writes a file.
pub(super) fn write(work: &mut Work<'_>, firmware: Firmware, name: &str) -> Result<(), Error> {
    work.talk.line("Write to memory");
    let range = work.range()?;
    let firmware = placed(work, firmware, &range, name)?;
    let Firmware::One(image) = &firmware else {
        return write_flash(work, &firmware, range, name);
    };
    let start = image.range().start;
    if work.arguments.no_erase && work.arguments.verify && work.in_flash(start) {
        write_over(work, &firmware, name)
    } else if work.in_flash(start) || !work.info.size_known {
        write_flash(work, &firmware, range, name)
    } else {
        write_other(work, image)
    }
}

/// The file where the options want it, and as much of it.
fn placed(
    work: &mut Work<'_>,
    firmware: Firmware,
    range: &Range<u64>,
    name: &str,
) -> Result<Firmware, Error> {
    let Firmware::One(image) = firmware else {
        return match work.arguments.place {
            Place::Unsaid => Ok(firmware),
            _ => Err(usage(&format!("{name} says itself where it goes"))),
        };
    };
    let image = match work.arguments.place {
        Place::Unsaid => image.place(range.start)?,
        Place::Pages { .. } | Place::Addresses { .. } => moved(image, range.start, name)?,
    };
    let image = match work.arguments.place {
        Place::Addresses {
            length: Some(length),
            ..
        } => shortened(work, image, range.start + u64::from(length))?,
        _ => image,
    };
    let Place::Pages { count: Some(_), .. } = work.arguments.place else {
        return Ok(Firmware::One(image));
    };
    // From standard input the original writes what fits and drops the rest.
    if is_stream(work) && image.range().end > range.end {
        let bytes = image.total_bytes();
        return Err(usage(&format!(
            "{name} holds {bytes} bytes, more than the pages of -e"
        )));
    }
    Ok(Firmware::One(image))
}

/// The image with its first byte at `start`: `-S` is obeyed whatever addresses a file has.
fn moved(image: Image, start: u64, name: &str) -> Result<Image, Error> {
    if !image.is_placed() {
        return Ok(image.place(start)?);
    }
    let first = image.range().start;
    if first == start {
        return Ok(image);
    }
    if !matches!(image.format(), Format::IntelHex | Format::SRecord) {
        let what = format!("{name} belongs at {first:#010x}, and cannot be moved to {start:#010x}");
        return Err(usage(&what));
    }
    let segments = image.segments().iter().map(|segment| Segment {
        address: segment.address - first + start,
        data: segment.data.clone(),
    });
    images::of(segments.collect())
}

/// The image up to `end`, where the length of `-S` ends it.
fn shortened(work: &mut Work<'_>, image: Image, end: u64) -> Result<Image, Error> {
    let all = image.total_bytes();
    if image.range().end <= end {
        return Ok(image);
    }
    let segments = image.segments().iter().filter_map(|segment| {
        let room = usize::try_from(end.checked_sub(segment.address)?).ok()?;
        let data: Vec<u8> = segment.data.iter().copied().take(room).collect();
        (!data.is_empty()).then_some(Segment {
            address: segment.address,
            data,
        })
    });
    let image = images::of(segments.collect())?;
    let left = image.total_bytes();
    work.talk
        .warning(&format!("only {left} of {all} bytes, as -S says"));
    Ok(image)
}

/// Writes flash.
fn write_flash(
    work: &mut Work<'_>,
    firmware: &Firmware,
    range: Range<u64>,
    name: &str,
) -> Result<(), Error> {
    let arguments = work.arguments;
    let mut around = Vec::new();
    let mut erase = EraseChoice::Touched;
    // What begins in the middle of a page: the original loses what is before it.
    let mut keep_outside = false;
    if let Firmware::One(image) = firmware {
        let image_range = image.range();
        work.talk.begin(image_range.start, "Wrote");
        keep_outside = !place::is_page_edge(image_range.start, &work.info);
        if erases_more(work) {
            if range == work.info.flash {
                erase = EraseChoice::All;
            } else {
                around = beside(work, &image_range, &range);
            }
        }
    }
    if arguments.no_erase {
        erase = EraseChoice::None;
        around.clear();
    }
    let options = WriteOptions {
        plan: PlanOptions {
            erase,
            only_changed: false,
            keep_outside,
            verify: arguments.verify,
        },
        ..WriteOptions::default()
    };
    // Everything is planned, and so checked, before anything is erased.
    let job = work
        .session
        .plan_write(firmware, name, &options, work.talk)?;
    let around: Vec<Job> = around
        .into_iter()
        .map(|pages| work.session.plan_erase(Some(pages), false))
        .collect::<Result<_, _>>()?;
    if !job.plan().erase_units().is_empty() || !around.is_empty() {
        work.talk.line("Erasing memory");
    }
    for pages in &around {
        work.session.execute(pages, work.talk)?;
    }
    work.session.execute(&job, work.talk)?;
    work.talk.end("Done.");
    Ok(())
}

/// `-e 0 -v`: writes over what is there, and lets the comparison say whether it was erased. Nothing is
/// looked at before: who verifies finds out anyway, and has half of the time.
fn write_over(work: &mut Work<'_>, firmware: &Firmware, name: &str) -> Result<(), Error> {
    let compare = work.session.plan_verify(firmware, name)?;
    let Some(image) = compare.image().cloned() else {
        return Ok(());
    };
    let unit = work.info.program_unit_bytes.max(4);
    let erased = work.info.erased;
    let mut bytes = 0;
    for segment in image.segments() {
        // The chip drops what does not fill its program units; erased bytes change nothing.
        let before = segment.address % unit;
        let mut data = vec![erased; before as usize];
        data.extend(&segment.data);
        data.resize(data.len().next_multiple_of(unit as usize), erased);
        work.talk.begin(segment.address, "Wrote");
        let address = segment.address - before;
        work.session.write_memory(address, &data, work.talk)?;
        bytes += segment.data.len();
    }
    if bytes > 0 {
        work.talk.begin(image.range().start, "Wrote");
        work.session.execute(&compare, work.talk)?;
    }
    work.talk.end("Done.");
    Ok(())
}

/// Whether more is erased than the file covers: where the options say how much, or its length is
/// not known.
fn erases_more(work: &Work<'_>) -> bool {
    match work.arguments.place {
        Place::Addresses { length, .. } => length.is_some() || is_stream(work),
        Place::Pages { .. } | Place::Unsaid => is_stream(work),
    }
}

fn is_stream(work: &Work<'_>) -> bool {
    matches!(&work.arguments.action, Action::Write(path) if files::is_stream(path))
}

/// The pages of `range` beside those that the image touches.
fn beside(work: &Work<'_>, image: &Range<u64>, range: &Range<u64>) -> Vec<Range<u64>> {
    let behind = place::page_ceil(image.end, &work.info)..place::page_ceil(range.end, &work.info);
    if behind.is_empty() {
        Vec::new()
    } else {
        vec![behind]
    }
}

/// Writes memory that is no flash: RAM, option bytes. Nothing is erased.
fn write_other(work: &mut Work<'_>, image: &Image) -> Result<(), Error> {
    for segment in image.segments() {
        // The loader writes words; the original fills the last one up with 0xFF.
        let mut data = segment.data.clone();
        data.resize(data.len().next_multiple_of(4), 0xFF);
        work.talk.begin(segment.address, "Wrote");
        work.session
            .write_memory(segment.address, &data, work.talk)?;
        if work.arguments.verify {
            let range = segment.address..segment.address + segment.data.len() as u64;
            work.talk.begin(segment.address, "Wrote and verified");
            let found = work.session.read_memory(range, work.talk)?;
            let differs = found.iter().zip(&segment.data).position(|(a, b)| a != b);
            if let Some(offset) = differs {
                let address = segment.address + offset as u64;
                return Err(usage(&format!(
                    "at {address:#010x} there is {:#04x} instead of {:#04x}",
                    found[offset], segment.data[offset]
                )));
            }
        }
    }
    work.talk.end("Done.");
    Ok(())
}
