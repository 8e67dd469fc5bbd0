//! Firmware files in and out.

use std::path::Path;

use flashwire_plan::image::WriteOptions;
use flashwire_plan::{Format, Image, ImageError, ParseOptions, Segment};

use crate::error::Error;
use crate::files;

/// What the user says about a file beyond its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Its format, whatever name and content look like.
    pub format: Option<Format>,
    /// Where it goes, if it is a raw binary.
    pub address: Option<u64>,
    /// Which image is meant, if it is a UF2 file with images for several families of chips.
    pub family: Option<u32>,
}

/// A firmware file that was read.
#[derive(Clone, Debug)]
pub enum Firmware {
    /// One image.
    One(Image),
    /// A UF2 file with images for several families of chips.
    Several {
        /// Their ids.
        families: Vec<u32>,
        /// The file.
        content: Vec<u8>,
    },
}

impl Firmware {
    /// The image for the family that `wanted` says yes to, if there is one.
    ///
    /// # Errors
    /// The part of the file that is for that family is not a good image.
    pub fn image_for(&self, wanted: impl Fn(u32) -> bool) -> Result<Option<Image>, ImageError> {
        match self {
            Self::One(image) => Ok(Some(image.clone())),
            Self::Several { families, content } => {
                let Some(family) = families.iter().copied().find(|&family| wanted(family)) else {
                    return Ok(None);
                };
                let format = Some(Format::Uf2);
                let family = Some(family);
                let options = ParseOptions {
                    format,
                    family,
                    ..ParseOptions::default()
                };
                Image::parse(&content[..], &options).map(Some)
            }
        }
    }

    /// The families of chips that it says it is for; none if it says nothing.
    pub fn families(&self) -> &[u32] {
        match self {
            Self::One(image) => image.families(),
            Self::Several { families, .. } => families,
        }
    }

    /// Gives a raw binary that has no address one; leaves everything else as it is.
    ///
    /// # Errors
    /// It would go beyond the address space.
    pub fn place(self, address: u64) -> Result<Self, ImageError> {
        match self {
            Self::One(image) => Ok(Self::One(image.place(address)?)),
            several => Ok(several),
        }
    }

    /// All its images.
    ///
    /// # Errors
    /// One of them is not good.
    pub fn images(&self) -> Result<Vec<Image>, ImageError> {
        match self {
            Self::One(image) => Ok(vec![image.clone()]),
            Self::Several { families, .. } => {
                let images = families
                    .iter()
                    .map(|&family| self.image_for(|id| id == family));
                images.filter_map(Result::transpose).collect()
            }
        }
    }
}

/// Reads a firmware file. Its name's extension must agree with its content, unless the format is
/// given.
///
/// # Errors
/// The file cannot be read, or is not a good image.
pub fn load(path: &Path, options: LoadOptions) -> Result<Firmware, Error> {
    let content = files::read(path)?;
    let name = path.file_name().and_then(|name| name.to_str());
    parse(content, &path.display().to_string(), name, options)
}

/// Reads a firmware file from a stream: standard input, called `name` in errors.
///
/// # Errors
/// As [`load`].
pub fn load_stream(
    stream: impl std::io::Read,
    name: &str,
    options: LoadOptions,
) -> Result<Firmware, Error> {
    let content = files::read_stream(stream, name)?;
    parse(content, name, None, options)
}

fn parse(
    content: Vec<u8>,
    name: &str,
    file_name: Option<&str>,
    options: LoadOptions,
) -> Result<Firmware, Error> {
    let LoadOptions {
        format,
        address,
        family,
    } = options;
    let parse_options = ParseOptions {
        format,
        file_name,
        address,
        family,
    };
    if !content.starts_with(UF2_MAGIC) {
        return Ok(Firmware::One(named(
            Image::parse(content, &parse_options),
            name,
        )?));
    }
    match Image::parse(&content[..], &parse_options) {
        Err(ImageError::SeveralFamilies { families }) => {
            Ok(Firmware::Several { families, content })
        }
        image => Ok(Firmware::One(named(image, name)?)),
    }
}

/// How UF2 files begin, and no others: github.com/microsoft/uf2, "File format".
const UF2_MAGIC: &[u8] = b"UF2\n";

/// The format of a file to be made: the one given, else the extension's, else raw binary.
pub fn output_format(path: &Path, given: Option<Format>) -> Format {
    let by_extension = || Format::from_id(path.extension()?.to_str()?);
    given.or_else(by_extension).unwrap_or(Format::Binary)
}

/// The content of a file in `format` that holds `image`; the gaps of a raw binary are filled with
/// `fill`.
///
/// # Errors
/// The format cannot hold it; `name` is the file's, for the message.
pub fn to_bytes(image: &Image, format: Format, fill: u8, name: &str) -> Result<Vec<u8>, Error> {
    let options = WriteOptions {
        fill,
        ..WriteOptions::default()
    };
    let bytes = image.to_bytes(format, &options);
    bytes.map_err(|error| Error::from(error).about(name))
}

/// The image of these pieces.
///
/// # Errors
/// They overlap, or there is nothing in them.
pub fn of(segments: Vec<Segment>) -> Result<Image, Error> {
    named(
        Image::from_segments(Format::Binary, segments),
        "the content",
    )
}

/// One image of several. They may overlap where they agree; `name` is for messages.
///
/// # Errors
/// They disagree, or a raw binary among them has no address.
pub fn merge(images: &[Image], name: &str) -> Result<Image, Error> {
    if let [only] = images {
        return Ok(only.clone());
    }
    named(Image::merge(images), name)
}

fn named(image: Result<Image, ImageError>, file: &str) -> Result<Image, Error> {
    image.map_err(|error| Error::from(error).about(file))
}

/// Where an ARM program in `image` has its vector table, if that can be told: the first piece whose
/// first two words are a stack pointer in RAM and a Thumb address within the image (ARMv7-M
/// Architecture Reference Manual, B1.5.3).
pub fn vector_table(image: &Image) -> Option<u64> {
    const RAM: std::ops::Range<u32> = 0x1000_0000..0x4000_0000;
    let word =
        |data: &[u8], at: usize| Some(u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?));
    let range = image.range();
    let has_one = |segment: &&Segment| {
        let (stack, entry) = (word(&segment.data, 0), word(&segment.data, 4));
        let entry_inside = |entry: u32| entry & 1 == 1 && range.contains(&u64::from(entry));
        stack.is_some_and(|stack| RAM.contains(&stack)) && entry.is_some_and(entry_inside)
    };
    image
        .segments()
        .iter()
        .find(has_one)
        .map(|segment| segment.address)
}
