//! Sizes of pages and sectors.

use std::fmt;
use std::str::FromStr;

/// How a flash is divided: runs of units of one size, of which the last goes on to the end.
///
/// Written `16K x4;64K;128K*`: four sectors of 16 KiB, one of 64 KiB, 128 KiB from there on. A
/// number without K is bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Size and count of each run.
    fixed: Vec<(u64, u64)>,
    /// Size of the units after them.
    rest: Option<u64>,
}

/// A text that is no [`Layout`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no run of pages such as 16K x4, 64K or 2K*")]
pub struct LayoutError(String);

impl Layout {
    /// Units of one size.
    pub const fn uniform(unit_bytes: u64) -> Self {
        Self {
            fixed: Vec::new(),
            rest: Some(unit_bytes),
        }
    }

    /// Size and count of the runs in a flash of `flash_bytes`; what does not fill a whole unit at
    /// its end is in none.
    pub fn runs(&self, flash_bytes: u64) -> Vec<(u64, u64)> {
        let mut left = flash_bytes;
        let rest = self.rest.map(|unit| (unit, u64::MAX));
        let mut runs = Vec::new();
        for (unit, most) in self.fixed.iter().copied().chain(rest) {
            let count = (left / unit).min(most);
            if count > 0 {
                runs.push((unit, count));
                left -= unit * count;
            }
            if count < most {
                break;
            }
        }
        runs
    }
}

impl FromStr for Layout {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        let mut fixed = Vec::new();
        let mut rest = None;
        for run in text.split(';') {
            let wrong = || LayoutError(run.to_owned());
            if rest.is_some() {
                return Err(LayoutError(text.to_owned()));
            }
            if let Some(size) = run.strip_suffix('*') {
                rest = Some(unit_bytes(size).ok_or_else(wrong)?);
                continue;
            }
            let (size, count) = match run.split_once(" x") {
                Some((size, count)) => (size, count.parse().map_err(|_| wrong())?),
                None => (run, 1),
            };
            if count == 0 || count > 1 << 16 {
                return Err(wrong());
            }
            fixed.push((unit_bytes(size).ok_or_else(wrong)?, count));
        }
        Ok(Self { fixed, rest })
    }
}

/// A unit's size in bytes: up to 16 MiB, and a multiple of 4 as every program unit is.
fn unit_bytes(size: &str) -> Option<u64> {
    let (number, factor) = match size.strip_suffix('K') {
        Some(number) => (number, 1024),
        None => (size, 1),
    };
    let bytes = number.parse::<u32>().ok()?.checked_mul(factor)?;
    (bytes > 0 && bytes <= 1 << 24 && bytes.is_multiple_of(4)).then_some(u64::from(bytes))
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |unit: u64| match unit {
            unit if unit.is_multiple_of(1024) => format!("{}K", unit / 1024),
            unit => unit.to_string(),
        };
        let mut runs: Vec<String> = self
            .fixed
            .iter()
            .map(|&(unit, count)| match count {
                1 => size(unit),
                count => format!("{} x{count}", size(unit)),
            })
            .collect();
        runs.extend(self.rest.map(|unit| format!("{}*", size(unit))));
        f.write_str(&runs.join(";"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_ends_with_the_flash() {
        let f4: Layout = "16K x4;64K;128K*".parse().unwrap();
        const K: u64 = 1024;
        assert_eq!(f4.runs(48 * K), [(16 * K, 3)]);
        assert_eq!(f4.runs(128 * K), [(16 * K, 4), (64 * K, 1)]);
        assert_eq!(f4.runs(1024 * K), [(16 * K, 4), (64 * K, 1), (128 * K, 7)]);
        assert_eq!(Layout::uniform(128).runs(K), [(128, 8)]);
        let two: Layout = "1K x2".parse().unwrap();
        assert_eq!(two.runs(16 * K), [(K, 2)], "the rest cannot be erased");
    }

    #[test]
    fn what_is_written_is_read_the_same() {
        for text in [
            "128*",
            "2K*",
            "16K x4;64K;128K x7;16K x4;64K;128K*",
            "1K x2",
        ] {
            assert_eq!(text.parse::<Layout>().unwrap().to_string(), text);
        }
        for text in [
            "", "K", "2K* ", "2K*;1K", "0*", "2Kx4", "2K x0", "-2K", "3*", "9999999K",
        ] {
            assert!(text.parse::<Layout>().is_err(), "{text}");
        }
    }
}
