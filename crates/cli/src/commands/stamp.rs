//! The time of day, as a piece of a file name.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in UTC: `2026-05-01-142233`.
pub(super) fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    text(since.as_secs())
}

/// Seconds since 1970 as date and time of the Gregorian calendar.
fn text(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}-{hour:02}{minute:02}{second:02}")
}

/// Year, month and day of the day that is `days` after 1970-01-01.
fn date(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_fall_where_the_calendar_has_them() {
        // As `date -u -d @N` prints them.
        assert_eq!(text(0), "1970-01-01-000000");
        assert_eq!(text(951_782_399), "2000-02-28-235959");
        assert_eq!(text(951_782_400), "2000-02-29-000000");
        assert_eq!(text(1_709_251_199), "2024-02-29-235959");
        assert_eq!(text(4_107_542_400), "2100-03-01-000000");
    }
}
