//! Files become images, or say what is wrong with them and where.

mod damage;
mod detection;
mod dfuse;
mod elf;
mod intel_hex;
mod joining;
mod srecord;
mod uf2;
mod writing;

use flashwire_plan::image::{Format, Image, ImageError, ParseOptions};

/// Parses as what it looks like.
fn parse(bytes: impl AsRef<[u8]>) -> Result<Image, ImageError> {
    Image::parse(bytes.as_ref(), &ParseOptions::default())
}

/// Parses as what the caller says.
fn parse_as(format: Format, bytes: impl AsRef<[u8]>) -> Result<Image, ImageError> {
    let options = ParseOptions {
        format: Some(format),
        ..ParseOptions::default()
    };
    Image::parse(bytes.as_ref(), &options)
}

/// Parses as a file of this name.
fn parse_named(file_name: &str, bytes: impl AsRef<[u8]>) -> Result<Image, ImageError> {
    let options = ParseOptions {
        file_name: Some(file_name),
        ..ParseOptions::default()
    };
    Image::parse(bytes.as_ref(), &options)
}

/// Addresses and bytes of all segments.
fn content(image: &Image) -> Vec<(u64, &[u8])> {
    image
        .segments()
        .iter()
        .map(|segment| (segment.address, &segment.data[..]))
        .collect()
}
