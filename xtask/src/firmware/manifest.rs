//! The list of the images that flashwire brings along: what each is for, how large it is, its hash,
//! and the hash of all that it is made of.
//!
//! `flashwire firmware list` reads it; here it is written, and compared with the tree.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{FIRMWARE, Firmware, sources};
use crate::hash::sha256_hex;
use crate::tree::Tree;

/// Where it lies, from the root.
pub(super) const PATH: &str = "crates/flashwire/images/manifest.csv";

const HEAD: &str = "\
# Written by `cargo xtask firmware`; compared by `cargo xtask tidy` and `cargo xtask firmware --check`.
name,chip,bytes,sha256,source_sha256
";

/// The whole manifest, of the lines that [`line()`] gave.
pub(super) fn whole(lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("{HEAD}{lines}")
}

/// The line for an image with this content; nothing for one that flashwire does not bring along.
///
/// # Errors
/// Something that it is made of is missing.
pub(super) fn line(
    root: &Path,
    tree: &Tree,
    firmware: &Firmware,
    image: &[u8],
) -> Result<Option<String>> {
    let Some(bundled) = &firmware.bundled else {
        return Ok(None);
    };
    let (name, chip, bytes) = (firmware.name(), bundled.chip, image.len());
    let image = sha256_hex(image);
    let sources = sources::hash(root, tree, firmware)?;
    Ok(Some(format!("{name},{chip},{bytes},{image},{sources}")))
}

/// What is wrong with the images and the manifest as they are in the tree, without building
/// anything: path and sentence fragment.
///
/// # Errors
/// Something that an image is made of is missing.
pub(crate) fn stale(root: &Path, tree: &Tree) -> Result<Vec<(String, &'static str)>> {
    let committed = tree.text(PATH).unwrap_or_default();
    let mut findings = Vec::new();
    let mut lines = Vec::new();
    for firmware in FIRMWARE {
        let content = fs::read(root.join(firmware.image));
        let content = content.with_context(|| format!("no {}", firmware.image))?;
        let Some(line) = line(root, tree, firmware, &content)? else {
            continue;
        };
        if let Some(what) = difference(committed, firmware.name(), &line) {
            findings.push((firmware.image.to_owned(), what));
        }
        lines.push(line);
    }
    if findings.is_empty() && committed != whole(&lines) {
        let what = "is not as `cargo xtask firmware` writes it";
        findings.push((PATH.to_owned(), what));
    }
    Ok(findings)
}

/// How the line that is committed for an image differs from the one that would be right.
fn difference(committed: &str, name: &str, right: &str) -> Option<&'static str> {
    let is_its = |line: &&str| line.split(',').next() == Some(name);
    let Some(found) = committed.lines().find(is_its) else {
        return Some("is not in the manifest: run `cargo xtask firmware`");
    };
    let last = |line: &str| line.rsplit(',').next().map(str::to_owned);
    if found == right {
        None
    } else if last(found) != last(right) {
        Some("is older than what it is made of: run `cargo xtask firmware`")
    } else {
        Some("is not the image that the manifest names: run `cargo xtask firmware`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_told_apart_from_its_line() {
        let committed = whole(&["blink,chip,4,aa,bb".to_owned()]);
        let says = |right| difference(&committed, "blink", right).unwrap_or("nothing");
        assert_eq!(says("blink,chip,4,aa,bb"), "nothing");
        assert!(says("blink,chip,4,aa,cc").contains("older"));
        assert!(says("blink,chip,5,dd,bb").contains("not the image"));
        let other = difference(&committed, "blink-fast", "blink-fast,chip,4,aa,bb");
        assert!(other.unwrap_or("nothing").contains("not in the manifest"));
    }
}
