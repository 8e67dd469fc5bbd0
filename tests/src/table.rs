//! Tables that are committed: a change of what they say shows as a difference.

use std::fs;
use std::path::Path;

/// Compares a table of speeds with the committed one, or replaces that.
///
/// # Panics
/// If they differ.
#[track_caller]
pub fn compare(file: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var("FLASHWIRE_SPEED").is_ok_and(|value| value == "write") {
        fs::write(&path, now).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let differ: Vec<String> = committed
        .lines()
        .zip(now.lines())
        .filter(|(then, now)| then != now)
        .map(|(then, now)| format!("- {then}\n+ {now}"))
        .collect();
    assert!(
        differ.is_empty() && committed.lines().count() == now.lines().count(),
        "speed has changed (FLASHWIRE_SPEED=write writes the table anew):\n{}",
        differ.join("\n")
    );
}
