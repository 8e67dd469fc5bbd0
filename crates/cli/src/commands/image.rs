//! `flashwire image`

use std::path::Path;

use flashwire::images::{self, LoadOptions};
use flashwire::{Error, Format, Image, Problem, families, number};

use super::files::{self, Output};
use crate::args::{ImageConvertArgs, ImageInfoArgs, ImageMergeArgs, OutputArgs};
use crate::json::{ImageObject, ImagesObject, MadeObject, SegmentObject};
use crate::progress::bytes;
use crate::screen::Screen;

/// What fills the gaps of a raw binary: what erased flash reads as on most parts.
const FILL: u8 = 0xFF;

/// What `convert` and `merge` print.
const SCHEMA: &str = "flashwire/image/1";

/// Shows what is in firmware files.
pub(crate) fn info(args: &ImageInfoArgs, screen: &Screen) -> Result<(), Error> {
    let options = LoadOptions {
        format: args.format,
        ..LoadOptions::default()
    };
    let mut images = Vec::new();
    for file in &args.files {
        for image in files::load_all(file, options)? {
            images.push(describe(files::name(file), &image));
        }
    }
    let text: Vec<String> = images.iter().map(text).collect();
    let object = ImagesObject {
        schema: "flashwire/image-info/1",
        images,
    };
    screen.result(&text.join("\n"), &object)
}

/// Writes a firmware file in another format.
pub(crate) fn convert(args: &ImageConvertArgs, screen: &Screen) -> Result<(), Error> {
    let options = files::load_options(args.file.format, args.file.address);
    let images = files::load_all(&args.file.file, options)?;
    let image = images::merge(&images, &files::name(&args.file.file))?;
    make(SCHEMA, &image, &args.output, screen)
}

/// Joins firmware files into one.
pub(crate) fn merge(args: &ImageMergeArgs, screen: &Screen) -> Result<(), Error> {
    let mut images = Vec::new();
    for file in &args.files {
        let (path, address) = at_address(file)?;
        let options = LoadOptions {
            address,
            ..LoadOptions::default()
        };
        images.extend(files::load_all(path, options)?);
    }
    let name = args.files.join(" + ");
    make(
        SCHEMA,
        &images::merge(&images, &name)?,
        &args.output,
        screen,
    )
}

/// `FILE@ADDRESS`; a file whose own name looks like that is taken as it is.
fn at_address(text: &str) -> Result<(&Path, Option<u64>), Error> {
    let whole = Path::new(text);
    match text.rsplit_once('@') {
        Some((path, address)) if !whole.exists() => {
            let address = number::parse(address);
            let wrong = |error| Problem::Usage(format!("{text}: {error}"));
            Ok((Path::new(path), Some(address.map_err(wrong)?)))
        }
        _ => Ok((whole, None)),
    }
}

/// Writes an image file, and says so.
pub(super) fn make(
    schema: &'static str,
    image: &Image,
    args: &OutputArgs,
    screen: &Screen,
) -> Result<(), Error> {
    let format = images::output_format(&args.output, args.to);
    if !image.is_placed() && format != Format::Binary {
        let what = "a raw binary has no addresses, and this format needs them: give --address";
        return Err(Problem::Usage(what.to_owned()).into());
    }
    let is_text = matches!(format, Format::IntelHex | Format::SRecord);
    let output = Output::create(&args.output, is_text, screen)?;
    let file = args.output.display().to_string();
    let content = images::to_bytes(image, format, FILL, &file)?;
    output.finish(&content, screen)?;
    if !files::is_stream(&args.output) {
        screen.say(&format!("{file}: {format}, {}", bytes(image.total_bytes())));
    }
    if screen.args.json {
        let bytes = image.total_bytes();
        screen.object(&MadeObject {
            schema,
            file,
            format: format.id(),
            bytes,
        })?;
    }
    Ok(())
}

fn describe(file: String, image: &Image) -> ImageObject {
    let segments = image.segments().iter().map(|segment| SegmentObject {
        address: segment.address,
        bytes: segment.data.len() as u64,
    });
    ImageObject {
        file,
        format: image.format().id(),
        bytes: image.total_bytes(),
        placed: image.is_placed(),
        segments: segments.collect(),
        entry: image.entry(),
        families: image
            .families()
            .iter()
            .map(|&id| families::name(id))
            .collect(),
        notes: image.notes().iter().map(ToString::to_string).collect(),
    }
}

fn text(image: &ImageObject) -> String {
    let format = Format::from_id(image.format).map_or(image.format.to_owned(), |f| f.to_string());
    let mut text = format!("{}: {format}, {}\n", image.file, bytes(image.bytes));
    for segment in &image.segments {
        let end = segment.address + segment.bytes;
        let size = bytes(segment.bytes);
        text.push_str(&match image.placed {
            true => format!("  {:#010x}..{end:#010x}  {size}\n", segment.address),
            false => "  no addresses of its own\n".to_owned(),
        });
    }
    if let Some(entry) = image.entry {
        text.push_str(&format!("  starts at {entry:#010x}\n"));
    }
    if !image.families.is_empty() {
        text.push_str(&format!("  for {}\n", image.families.join(", ")));
    }
    for note in &image.notes {
        text.push_str(&format!("  note: {note}\n"));
    }
    text
}
