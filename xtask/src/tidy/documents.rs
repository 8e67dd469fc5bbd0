//! Rules about texts: links that lead somewhere, and nothing that ties the project to a machine.

use super::Finding;
use crate::tree::Tree;

/// This file names what no other may.
const THIS_FILE: &str = "xtask/src/tidy/documents.rs";

/// Hosts of package registries, which are everybody's own business (mirrors, offline machines),
/// and absolute paths that exist on one machine only. The path beginnings count only where a path
/// can begin.
const TIES: &[&str] = &[
    "index.crates.io",
    "static.crates.io",
    "static.rust-lang.org",
    "pypi.org",
    "files.pythonhosted.org",
    "deb.debian.org",
    "artifactory",
    "/home/",
    "/root/",
    "/work/",
    "/Users/",
    "C:\\Users\\",
];

/// Where the releases' users look for what changed.
const CHANGELOG: &str = "CHANGELOG.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = changelog(tree);
    for (path, text) in tree.texts() {
        if path != THIS_FILE {
            findings.extend(ties(path, text));
        }
    }
    for (path, text) in tree.texts_ending(".md") {
        findings.extend(links(tree, path, text));
    }
    findings
}

/// Nothing names a registry's host or a path of somebody's machine.
fn ties(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(tie) = TIES.iter().find(|tie| names(line, tie)) {
            let what = format!("{tie} ties the project to a machine or a registry");
            findings.push(Finding::line(path, index + 1, what));
        }
    }
    findings
}

/// Whether the line names the tie: a path only where it is not the middle of a longer one.
fn names(line: &str, tie: &str) -> bool {
    let inside_path = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '}');
    line.match_indices(tie).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !tie.starts_with('/') || !before.is_some_and(inside_path)
    })
}

/// There is a place for the next change.
fn changelog(tree: &Tree) -> Vec<Finding> {
    let heading = |line: &str| matches!(line.trim(), "## Unreleased" | "## [Unreleased]");
    match tree.text(CHANGELOG) {
        Some(text) if text.lines().any(heading) => Vec::new(),
        Some(_) => vec![Finding::file(CHANGELOG, "needs a section `## Unreleased`")],
        None => vec![Finding::file(CHANGELOG, "is missing")],
    }
}

/// Relative links lead to files of the tree, and anchors to headings.
fn links(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, target) in link_targets(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = if file.is_empty() {
            path.to_owned()
        } else {
            beside(path, file)
        };
        if !tree.has(&file) {
            let what = format!("link to {target}: there is no {file}");
            findings.push(Finding::line(path, line, what));
        } else if !anchor.is_empty()
            && let Some(linked) = tree.text(&file)
            && file.ends_with(".md")
            && !headings(linked).any(|heading| heading == anchor)
        {
            let what = format!("link to {target}: {file} has no such heading");
            findings.push(Finding::line(path, line, what));
        }
    }
    findings
}

/// `[text](target)` and `[name]: target`, outside of code blocks, with their lines.
fn link_targets(text: &str) -> Vec<(usize, &str)> {
    let mut targets = Vec::new();
    for (index, line) in prose(text) {
        let inline = line
            .match_indices("](")
            .map(|(start, _)| &line[start + 2..]);
        let ends = inline.filter_map(|rest| rest.split_once(')'));
        targets.extend(ends.map(|(target, _)| (index + 1, target)));
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            targets.push((index + 1, target.trim()));
        }
    }
    targets
}

/// The lines that are not in a code block.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        !in_block && !fence
    })
}

/// The anchors of a document: its headings in lower case, punctuation gone, blanks as hyphens.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let heading = |(_, line): (usize, &str)| {
        let title = line
            .strip_prefix('#')?
            .trim_start_matches('#')
            .strip_prefix(' ')?;
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let lower = title.trim().to_lowercase();
        Some(
            lower
                .chars()
                .filter(kept)
                .map(|c| if c == ' ' { '-' } else { c })
                .collect(),
        )
    };
    prose(text).filter_map(heading)
}

/// The path that `link` means in the file `from`.
fn beside(from: &str, link: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = vec![(CHANGELOG, "## Unreleased\n")];
        all.extend(files);
        check(&Tree::of(&all))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn each_tie_is_found() {
        for tie in TIES {
            let text = format!("first\nsee {tie}x\n");
            let found = found(&[("a.toml", &text)]);
            assert_eq!(found.len(), 1, "{tie}");
            assert!(found[0].starts_with("a.toml:2: "), "{found:?}");
        }
    }

    #[test]
    fn the_middle_of_a_path_is_no_tie() {
        assert_eq!(
            found(&[("a.md", "target/work/x and ~/home/y, $HOME")]),
            [""; 0]
        );
    }

    #[test]
    fn a_changelog_without_a_place_for_the_next_change_is_found() {
        assert_eq!(changelog(&Tree::of(&[])).len(), 1);
        assert_eq!(changelog(&Tree::of(&[(CHANGELOG, "## 0.1.0\n")])).len(), 1);
        assert_eq!(
            changelog(&Tree::of(&[(CHANGELOG, "## [Unreleased]\n")])).len(),
            0
        );
    }

    #[test]
    fn links_to_files_folders_headings_and_the_web_pass() {
        let text = "\
# Set-up: a `list`
[a](docs/b.md) [c](docs) [d](docs/b.md#two-words) [e](#set-up-a-list) [f](https://x.example/y)

[named]: docs/b.md

```text
[not a link](nowhere.md)
```
";
        let other = "## Two words\n[up](../README.md)\n";
        assert_eq!(found(&[("README.md", text), ("docs/b.md", other)]), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "[a](nowhere.md)\n[b](docs/b.md#three)\n[c](#four)\n[named]: ../up.md\n";
        let found = found(&[("README.md", text), ("docs/b.md", "## Two\n")]);
        let lines: Vec<_> = found
            .iter()
            .map(|f| f.split(": ").next().unwrap())
            .collect();
        assert_eq!(
            lines,
            ["README.md:1", "README.md:2", "README.md:3", "README.md:4"],
            "{found:?}"
        );
    }
}
