//! Layout files of flashrom: flashrom(8), option `-l`.

use super::{Layout, LayoutError, MOST_REGIONS, Region};

/// What a line should be.
const FORM: &str = "START:END NAME, both addresses hexadecimal";

pub(super) fn parse(bytes: &[u8]) -> Result<Layout, LayoutError> {
    let mut regions = Vec::new();
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        let wrong = |what: String| LayoutError::Line { line: number, what };
        let Ok(text) = std::str::from_utf8(line) else {
            return Err(wrong("this is no text".to_owned()));
        };
        // Some editors begin a file with a byte order mark.
        let text = text.trim_start_matches('\u{FEFF}').trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if regions.len() == MOST_REGIONS {
            return Err(LayoutError::TooMany { most: MOST_REGIONS });
        }
        regions.push(region(text).map_err(wrong)?);
    }
    Layout::of(regions)
}

/// One line that says something.
fn region(text: &str) -> Result<Region, String> {
    let mut words = text.split_ascii_whitespace();
    let (Some(range), Some(name), None) = (words.next(), words.next(), words.next()) else {
        return Err(format!("\"{}\" is not {FORM}", shown(text)));
    };
    let (start, last) = range
        .split_once(':')
        .ok_or_else(|| format!("\"{}\" is not {FORM}", shown(text)))?;
    let (start, last) = (address(start)?, address(last)?);
    if last < start {
        return Err(format!(
            "the region {} ends at {last:#x}, before it begins at {start:#x}",
            shown(name)
        ));
    }
    Ok(Region {
        name: name.to_owned(),
        range: start..last + 1,
    })
}

/// Hexadecimal, with or without `0x`. At most 2^48: what is beyond is a typing mistake, and sums of
/// such addresses cannot overflow.
fn address(text: &str) -> Result<u64, String> {
    const MOST: u64 = 1 << 48;
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    let is_hex = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let address = is_hex.then(|| u64::from_str_radix(digits, 16).ok());
    let address = address.flatten().filter(|&address| address < MOST);
    address.ok_or_else(|| format!("\"{}\" is no address", shown(text)))
}

/// At most so much of a text as a message bears, and nothing that moves the cursor.
fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let plain = |c: char| if c.is_control() { '?' } else { c };
    let mut shown: String = text.chars().take(MOST).map(plain).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(String, u64, u64)> {
        let layout = parse(text.as_bytes()).unwrap();
        let rows = layout.regions().iter();
        rows.map(|region| (region.name.clone(), region.range.start, region.range.end))
            .collect()
    }

    fn error(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_end_of_a_line_is_the_last_byte_of_the_region() {
        // The example of flashrom(8).
        let text = "\
            00000000:00008fff gfxrom\n\
            00009000:0003ffff normal\n\
            00040000:0007ffff fallback\n";
        assert_eq!(
            lines(text),
            [
                ("gfxrom".to_owned(), 0, 0x9000),
                ("normal".to_owned(), 0x9000, 0x4_0000),
                ("fallback".to_owned(), 0x4_0000, 0x8_0000),
            ]
        );
    }

    #[test]
    fn comments_blank_lines_prefixes_and_line_ends_of_windows_are_taken() {
        let text = "\u{FEFF}# what is where\r\n\r\n  0x0:0XFFF\tfd \r\n";
        assert_eq!(lines(text), [("fd".to_owned(), 0, 0x1000)]);
    }

    #[test]
    fn regions_of_one_byte_and_in_each_other_are_regions() {
        assert_eq!(
            lines("5:5 one\n0:f around"),
            [("one".to_owned(), 5, 6), ("around".to_owned(), 0, 16)]
        );
    }

    #[test]
    fn an_odd_line_is_named_with_its_number() {
        let odd = |line: &str| format!("line 2: {line}");
        let error = |second: &str| error(&format!("0:f a\n{second}\n"));
        assert_eq!(
            error("10-1f b"),
            odd("\"10-1f b\" is not START:END NAME, both addresses hexadecimal")
        );
        assert_eq!(
            error("10:1f"),
            odd("\"10:1f\" is not START:END NAME, both addresses hexadecimal")
        );
        assert_eq!(
            error("10:1f a b"),
            odd("\"10:1f a b\" is not START:END NAME, both addresses hexadecimal")
        );
        assert_eq!(error("10:1g b"), odd("\"1g\" is no address"));
        assert_eq!(error("10: b"), odd("\"\" is no address"));
        assert_eq!(error("+1:2 b"), odd("\"+1\" is no address"));
        assert_eq!(
            error("0:1000000000000 b"),
            odd("\"1000000000000\" is no address")
        );
        assert_eq!(
            error("20:1f b"),
            odd("the region b ends at 0x1f, before it begins at 0x20")
        );
    }

    #[test]
    fn what_is_no_layout_is_no_layout() {
        assert_eq!(parse(b""), Err(LayoutError::NoRegions));
        assert_eq!(parse(b"# nothing\n"), Err(LayoutError::NoRegions));
        assert_eq!(
            parse(b"0:1 a\n\xFF\xFE").unwrap_err().to_string(),
            "line 2: this is no text"
        );
        assert_eq!(error("0:1 a\n2:3 a\n"), "two regions are called a");
    }

    #[test]
    fn nobody_names_more_than_so_many_regions() {
        let many: String = (0..=MOST_REGIONS).map(|n| format!("0:1 r{n}\n")).collect();
        assert_eq!(
            parse(many.as_bytes()),
            Err(LayoutError::TooMany { most: MOST_REGIONS })
        );
    }
}
