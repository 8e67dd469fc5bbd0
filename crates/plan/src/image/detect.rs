//! What a file is.

use super::{Format, ImageError, ParseOptions, Place};

/// The format to read `bytes` as.
pub(super) fn format_of(bytes: &[u8], options: &ParseOptions<'_>) -> Result<Format, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    if let Some(format) = options.format {
        return Ok(format);
    }
    let content = if bytes[0] == b':' {
        Format::IntelHex
    } else {
        Format::Binary
    };
    let extension = options
        .file_name
        .and_then(|name| name.rsplit_once('.'))
        .map(|(_, e)| e);
    match extension.and_then(format_of_extension) {
        Some(named) if named != content && content == Format::Binary => {
            Err(ImageError::NotThisFormat {
                format: named,
                place: Place::Offset(0),
            })
        }
        Some(named) if named != content => Err(ImageError::NameDisagrees { named, content }),
        _ => Ok(content),
    }
}

/// What a file name extension, or a format's id, stands for.
pub(super) fn format_of_extension(extension: &str) -> Option<Format> {
    Some(match extension.to_ascii_lowercase().as_str() {
        "bin" => Format::Binary,
        "hex" | "ihex" | "ihx" | "h86" => Format::IntelHex,
        "srec" | "s19" | "s28" | "s37" | "mot" | "mhx" => Format::SRecord,
        "elf" | "axf" => Format::Elf,
        "uf2" => Format::Uf2,
        "dfu" | "dfuse" => Format::DfuSe,
        _ => return None,
    })
}
