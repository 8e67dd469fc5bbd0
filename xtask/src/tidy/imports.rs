//! Who may import whom: the table of `ARCHITECTURE.md` as data.
//!
//! Normal, dev and build dependencies count alike, so that a floor cannot reach up through its
//! tests. A folder without a row is an error: a new crate gets its place before it gets code.

use std::path::Path;

use super::Finding;
use crate::metadata::{Metadata, Package};

/// What a package of ours may import of ours.
enum May {
    /// Only these, as folders from the root.
    Import(&'static [&'static str]),
    /// Whatever it likes: nothing depends on it.
    ImportAnything,
}

/// Folder of the package (a trailing `/*` stands for everything below), and what it may import.
const TABLE: &[(&str, May)] = &[
    // F0: what the bytes mean; what to write where.
    ("crates/protocol", May::Import(&[])),
    ("crates/plan", May::Import(&[])),
    // F1: the cable and the clock; what a device does.
    ("crates/link", May::Import(&[])),
    ("crates/device", May::Import(&["crates/protocol"])),
    // F2: the two ends of each protocol, which never see each other.
    (
        "crates/client",
        May::Import(&["crates/protocol", "crates/plan", "crates/link"]),
    ),
    (
        "crates/sim",
        May::Import(&["crates/protocol", "crates/device", "crates/link"]),
    ),
    (
        "firmware/*",
        May::Import(&["crates/device", "crates/protocol"]),
    ),
    (
        "emulator",
        May::Import(&["crates/sim", "crates/protocol", "crates/link"]),
    ),
    // F3: the library.
    (
        "crates/flashwire",
        May::Import(&["crates/client", "crates/plan", "crates/link", "crates/sim"]),
    ),
    // F4: what a person sees.
    ("crates/cli", May::Import(&["crates/flashwire"])),
    ("crates/gui", May::Import(&["crates/flashwire"])),
    // Around the house.
    ("examples/*", May::Import(&[])),
    ("tests", May::ImportAnything),
    ("tests/*", May::ImportAnything),
    ("fuzz", May::ImportAnything),
    ("benches", May::ImportAnything),
    ("xtask", May::ImportAnything),
];

/// Foreign crates that belong to one floor: system calls below, pixels and arguments above.
const FENCED: &[(&str, &[&str])] = &[
    ("serialport", &["crates/link"]),
    ("libc", &["crates/link", "tests/*"]),
    ("nix", &["crates/link"]),
    ("rustix", &["crates/link", "crates/sim", "tests"]),
    ("socket2", &["crates/link"]),
    ("i2cdev", &["crates/link"]),
    ("gpiocdev", &["crates/link"]),
    ("windows-sys", &["crates/link"]),
    ("eframe", &["crates/gui"]),
    ("egui", &["crates/gui"]),
    ("clap", &["crates/cli", "emulator", "tests/*"]),
];

/// Checks every edge that leaves a package of ours.
pub(super) fn check(metadata: &Metadata, root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata.members() {
        let folder = folder_of(Path::new(&package.manifest_path).parent(), root);
        let manifest = format!("{folder}/Cargo.toml");
        let Some((_, may)) = TABLE.iter().find(|(row, _)| covers(row, &folder)) else {
            findings.push(Finding::file(
                &manifest,
                "has no row in the import table (xtask/src/tidy/imports.rs)",
            ));
            continue;
        };
        let broken = edges(package, root)
            .filter(|edge| !allowed(may, &folder, edge))
            .map(|edge| Finding::file(&manifest, format!("may not import {}", edge.shown)));
        findings.extend(broken);
    }
    findings
}

/// An edge of the graph.
struct Edge<'a> {
    name: &'a str,
    /// Where it leads, if to a package of ours.
    folder: Option<String>,
    shown: String,
}

fn edges<'a>(package: &'a Package, root: &Path) -> impl Iterator<Item = Edge<'a>> {
    package.dependencies.iter().map(move |dependency| {
        let kind = dependency.kind.as_deref().unwrap_or("normal");
        let path = dependency.path.as_deref().map(Path::new);
        Edge {
            name: &dependency.name,
            folder: path.map(|path| folder_of(Some(path), root)),
            shown: format!("{} ({kind} dependency)", dependency.name),
        }
    })
}

fn allowed(may: &May, from: &str, edge: &Edge<'_>) -> bool {
    match (&edge.folder, may) {
        (Some(folder), May::Import(list)) => list.contains(&folder.as_str()),
        (Some(_), May::ImportAnything) => true,
        (None, _) => FENCED
            .iter()
            .filter(|(fenced, _)| *fenced == edge.name)
            .all(|(_, owners)| owners.iter().any(|owner| covers(owner, from))),
    }
}

/// Whether a row of a table stands for this folder.
fn covers(row: &str, folder: &str) -> bool {
    match row.strip_suffix('*') {
        Some(parent) => folder.starts_with(parent),
        None => folder == row,
    }
}

/// A folder as the tables name it.
fn folder_of(path: Option<&Path>, root: &Path) -> String {
    let path = path.unwrap_or(root);
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace at `/r` of one package with one dependency, as cargo would describe it.
    fn with_edge(folder: &str, dependency: &str) -> Vec<Finding> {
        let json = format!(
            r#"{{"packages": [{{"id": "it", "name": "it", "version": "1.0.0", "license": null,
                "manifest_path": "/r/{folder}/Cargo.toml", "dependencies": [{dependency}]}}],
                "workspace_members": ["it"], "target_directory": "/t", "workspace_default_members": ["it"]}}"#
        );
        check(&serde_json::from_str(&json).unwrap(), Path::new("/r"))
    }

    fn ours(folder: &str, kind: &str) -> String {
        format!(r#"{{"name": "x", "kind": {kind}, "path": "/r/{folder}"}}"#)
    }

    #[test]
    fn an_edge_of_the_table_passes() {
        assert_eq!(with_edge("crates/client", &ours("crates/plan", "null")), []);
        assert_eq!(with_edge("tests", &ours("crates/plan", "null")), []);
        let firmware = "firmware/stm32f103/serprog";
        assert_eq!(with_edge(firmware, &ours("crates/device", "null")), []);
    }

    #[test]
    fn an_edge_that_the_table_lacks_is_found_whatever_its_kind() {
        for kind in ["null", r#""dev""#, r#""build""#] {
            let found = with_edge("crates/client", &ours("crates/sim", kind));
            assert_eq!(found.len(), 1, "{kind}");
        }
        let found = with_edge("crates/client", &ours("crates/sim", r#""dev""#));
        assert_eq!(
            found[0].to_string(),
            "crates/client/Cargo.toml: may not import x (dev dependency)"
        );
    }

    #[test]
    fn a_package_without_a_row_is_found() {
        let found = with_edge("crates/newcomer", "");
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("no row"), "{}", found[0]);
    }

    #[test]
    fn a_fenced_crate_is_found_outside_its_fence() {
        let serialport = r#"{"name": "serialport", "kind": null, "path": null}"#;
        assert_eq!(with_edge("crates/link", serialport), []);
        assert_eq!(with_edge("crates/cli", serialport).len(), 1);
        let thiserror = r#"{"name": "thiserror", "kind": null, "path": null}"#;
        assert_eq!(with_edge("crates/cli", thiserror), []);
    }
}
