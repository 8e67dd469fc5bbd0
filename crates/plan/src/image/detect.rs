//! What a file is: by its content, checked against its name.

use super::{Format, ImageError, ParseOptions, dfuse, text, uf2};

/// The format to read `bytes` as.
///
/// Content decides. A name that promises a format with structure is held to it, so that a broken
/// file of that format is an error of its parser and never becomes raw binary.
pub(super) fn format_of(bytes: &[u8], options: &ParseOptions<'_>) -> Result<Format, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    if let Some(format) = options.format {
        return Ok(format);
    }
    let named = options
        .file_name
        .and_then(extension)
        .and_then(format_of_extension);
    match (named, structured_format(bytes)) {
        (Some(named), Some(content)) if named != content => {
            Err(ImageError::NameDisagrees { named, content })
        }
        (_, Some(content)) => Ok(content),
        (Some(Format::Binary), None) => match not_even_binary(bytes) {
            Some(what) => Err(ImageError::NotFirmware { what }),
            None => Ok(Format::Binary),
        },
        (Some(named), None) => Ok(named),
        (None, None) => match not_even_binary(bytes).or_else(|| packed(bytes)) {
            Some(what) => Err(ImageError::NotFirmware { what }),
            None => Ok(Format::Binary),
        },
    }
}

/// What a file name extension, or a format's id, stands for.
pub(super) fn format_of_extension(extension: &str) -> Option<Format> {
    Some(match extension.to_ascii_lowercase().as_str() {
        "bin" => Format::Binary,
        "hex" | "ihex" | "ihx" | "ihe" | "h86" | "mcs" => Format::IntelHex,
        "srec" | "s19" | "s28" | "s37" | "mot" | "mhx" => Format::SRecord,
        "elf" | "axf" => Format::Elf,
        "uf2" => Format::Uf2,
        "dfu" | "dfuse" => Format::DfuSe,
        _ => return None,
    })
}

fn extension(file_name: &str) -> Option<&str> {
    let name = file_name.rsplit(['/', '\\']).next()?;
    name.rsplit_once('.').map(|(_, extension)| extension)
}

/// The format, if it is not raw binary.
fn structured_format(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(b"\x7FELF") {
        Some(Format::Elf)
    } else if uf2::looks_like(bytes) {
        Some(Format::Uf2)
    } else if dfuse::looks_like(bytes) {
        Some(Format::DfuSe)
    } else {
        text_format(bytes)
    }
}

/// How much of a file is looked at to tell text from binary, in bytes.
const LOOK_BYTES: usize = 4096;
/// How many lines may precede the first that looks like a record.
const LOOK_LINES: usize = 16;

/// Which of the text formats, if the file begins as text and one of its first lines as a record.
///
/// One good line is enough, and it need not be the first: what is wrong with the others is for the
/// parser to say.
fn text_format(bytes: &[u8]) -> Option<Format> {
    let begin = &bytes[..bytes.len().min(LOOK_BYTES)];
    if !is_text(begin) {
        return None;
    }
    text::lines(begin)
        .take(LOOK_LINES)
        .find_map(|(_, _, line)| match line {
            [b':', digits @ ..] if begins_with_digits(digits) => Some(Format::IntelHex),
            [b'S', b'0'..=b'9', digits @ ..] if begins_with_digits(digits) => Some(Format::SRecord),
            _ => None,
        })
}

/// Whether a line's digits are enough, or all it has.
fn begins_with_digits(digits: &[u8]) -> bool {
    const ENOUGH: usize = 8;
    !digits.is_empty() && digits.iter().take(ENOUGH).all(u8::is_ascii_hexdigit)
}

fn is_text(bytes: &[u8]) -> bool {
    let body = bytes.strip_prefix(text::UTF8_BOM).unwrap_or(bytes);
    body.iter()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r'))
}

/// Content that no name ending in `.bin` makes right, only [`ParseOptions::format`].
fn not_even_binary(bytes: &[u8]) -> Option<&'static str> {
    let begin = bytes[..bytes.len().min(LOOK_BYTES)].trim_ascii_start();
    let starts_with = |tag: &[u8]| {
        begin
            .get(..tag.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(tag))
    };
    if starts_with(b"<!DOCTYPE") || starts_with(b"<html") {
        return Some("a web page");
    }
    dfuse::is_plain_dfu(bytes).then_some("a DFU file without addresses")
}

/// Content that has to be unpacked or converted first, unless its name ends in `.bin`: a compressed
/// kernel for a SPI NOR, say.
fn packed(bytes: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 6] = [
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1F\x8B\x08", "compressed with gzip"),
        (b"\xFD7zXZ\0", "compressed with xz"),
        (b"BZh", "compressed with bzip2"),
        (b"\x28\xB5\x2F\xFD", "compressed with zstd"),
        (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"),
    ];
    if bytes[0] == b'@' && is_text(&bytes[..bytes.len().min(LOOK_BYTES)]) {
        return Some("hexadecimal text of a kind that is not supported (Verilog, TI-TXT)");
    }
    kinds
        .iter()
        .find(|(tag, _)| bytes.starts_with(tag))
        .map(|&(_, what)| what)
}
