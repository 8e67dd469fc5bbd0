//! Numbers as people type them: addresses, lengths, speeds.

/// Why a text is not a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not of the form that [`parse`] takes.
    #[error("`{0}` is not a number: write 4096, 0x1000, 4k or 1M")]
    Syntax(String),
    /// A number, but more than can be meant: more than 64 bits hold, or a frequency more than 32.
    #[error("`{0}` is too large a number")]
    TooLarge(String),
}

/// Reads a number: decimal, or hexadecimal after `0x`, then optionally `k` or `M` for 1024 and
/// 1024 x 1024. Underscores between digits are skipped (`0x0800_0000`).
///
/// # Errors
/// [`NumberError::Syntax`] for anything else, [`NumberError::TooLarge`] above 64 bits.
pub fn parse(text: &str) -> Result<u64, NumberError> {
    let syntax = || NumberError::Syntax(text.to_owned());
    let too_large = || NumberError::TooLarge(text.to_owned());
    let (body, factor) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'M') => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    let (digits, radix) = match body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (body, 10),
    };
    if digits.starts_with('_') || digits.ends_with('_') {
        return Err(syntax());
    }
    let mut value: Option<u64> = None;
    for character in digits.chars().filter(|&c| c != '_') {
        let digit = u64::from(character.to_digit(radix).ok_or_else(syntax)?);
        let shifted = value.unwrap_or(0).checked_mul(u64::from(radix));
        value = Some(
            shifted
                .and_then(|v| v.checked_add(digit))
                .ok_or_else(too_large)?,
        );
    }
    value
        .ok_or_else(syntax)?
        .checked_mul(factor)
        .ok_or_else(too_large)
}

/// Reads a frequency in Hz: decimal, then optionally `k` or `M` for 1000 and 1000 x 1000, as
/// frequencies have it. Not 0.
///
/// # Errors
/// [`NumberError::Syntax`] for anything else, [`NumberError::TooLarge`] above 32 bits.
pub fn parse_hz(text: &str) -> Result<u32, NumberError> {
    let syntax = || NumberError::Syntax(text.to_owned());
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1000),
        Some(b'M') => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number {
        return Err(syntax());
    }
    let hz: Option<u32> = digits.parse().ok();
    let hz = hz.and_then(|hz| hz.checked_mul(factor));
    match hz.ok_or_else(|| NumberError::TooLarge(text.to_owned()))? {
        0 => Err(syntax()),
        hz => Ok(hz),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_documented_spelling_is_read() {
        let cases = [
            ("0", 0),
            ("4096", 4096),
            ("0x1000", 4096),
            ("0X1000", 4096),
            ("4k", 4096),
            ("4K", 4096),
            ("1M", 1 << 20),
            ("0x10k", 16 << 10),
            ("0x0800_0000", 0x0800_0000),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, value) in cases {
            assert_eq!(parse(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_named_in_the_error() {
        for text in [
            "", "k", "0x", "-1", "+1", "1 ", " 1", "1.5k", "0b1", "12m", "1kk", "_1", "1_", "0xk",
            "ä",
        ] {
            assert_eq!(
                parse(text),
                Err(NumberError::Syntax(text.to_owned())),
                "{text}"
            );
        }
        for text in [
            "18446744073709551616",
            "0x1_0000_0000_0000_0000",
            "18446744073709551615k",
        ] {
            assert_eq!(
                parse(text),
                Err(NumberError::TooLarge(text.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn frequencies_count_in_thousands() {
        let cases = [
            ("1", 1),
            ("500k", 500_000),
            ("8M", 8_000_000),
            ("18000000", 18_000_000),
        ];
        for (text, hz) in cases {
            assert_eq!(parse_hz(text), Ok(hz), "{text}");
        }
        for text in [
            "", "0", "0M", "k", "M", "+1", "-1", "1.5M", "0x10", "1G", "8 M",
        ] {
            let syntax = Err(NumberError::Syntax(text.to_owned()));
            assert_eq!(parse_hz(text), syntax, "{text}");
        }
        for text in ["4294967296", "5000M", "99999999999999999999"] {
            let large = Err(NumberError::TooLarge(text.to_owned()));
            assert_eq!(parse_hz(text), large, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_read_back_in_both_bases(value: u64) {
            prop_assert_eq!(parse(&value.to_string()), Ok(value));
            prop_assert_eq!(parse(&format!("{value:#x}")), Ok(value));
        }

        #[test]
        fn no_text_panics(text in ".{0,24}") {
            let _ = parse(&text);
        }
    }
}
