//! Rules about `Cargo.toml` files.

use std::path::Path;

use toml::Table;

use super::Finding;
use crate::metadata::Metadata;
use crate::tree::Tree;

/// Packages that plain `cargo run` and `cargo test` leave out: chores, what has a binary of its
/// own (`cargo run` runs the one binary), and what only tests load.
const NOT_DEFAULT: [&str; 5] = [
    "xtask",
    "emulator",
    "crates/gui",
    "benches",
    "tests/preload",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in manifests(tree) {
        match text.parse::<Table>() {
            Ok(manifest) => {
                findings.extend(lints(path, &manifest));
                findings.extend(lock(tree, path, &manifest));
                findings.extend(reasons(path, text));
            }
            Err(error) => findings.push(Finding::file(path, error.message())),
        }
    }
    findings
}

/// Folders of all workspaces of the tree; the root's is the empty path.
pub(super) fn workspaces(tree: &Tree) -> Vec<&str> {
    let is_workspace = |text: &str| {
        let manifest = text.parse::<Table>();
        manifest.is_ok_and(|manifest| manifest.contains_key("workspace"))
    };
    let found = manifests(tree).filter(|(_, text)| is_workspace(text));
    found.map(|(path, _)| folder_of(path)).collect()
}

/// Plain `cargo test` tests everything that needs nothing, and `cargo run` knows what to run.
pub(super) fn default_members(metadata: &Metadata, root: &Path, folder: &str) -> Vec<Finding> {
    if !folder.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for package in metadata.members() {
        let manifest = Path::new(&package.manifest_path);
        let member = manifest.strip_prefix(root).unwrap_or(manifest);
        let member = folder_of(member.to_str().unwrap_or_default()).to_owned();
        let is_default = metadata.workspace_default_members.contains(&package.id);
        let what = match (is_default, NOT_DEFAULT.contains(&member.as_str())) {
            (true, true) => format!("{member} must not be one of default-members"),
            (false, false) => format!("{member} must be one of default-members"),
            _ => continue,
        };
        findings.push(Finding::file("Cargo.toml", what));
    }
    findings
}

fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    let is_manifest = |path: &str| path == "Cargo.toml" || path.ends_with("/Cargo.toml");
    tree.texts().filter(move |(path, _)| is_manifest(path))
}

fn folder_of(manifest: &str) -> &str {
    manifest
        .strip_suffix("Cargo.toml")
        .unwrap_or(manifest)
        .trim_end_matches('/')
}

/// A package of the root's workspace takes the workspace's lints.
fn lints(path: &str, manifest: &Table) -> Option<Finding> {
    if manifest.contains_key("workspace") || !manifest.contains_key("package") {
        return None;
    }
    let lints = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"));
    let inherits = lints.and_then(toml::Value::as_bool) == Some(true);
    (!inherits).then(|| Finding::file(path, "needs `[lints] workspace = true`"))
}

/// A workspace is built from the versions that it was tested with.
fn lock(tree: &Tree, path: &str, manifest: &Table) -> Option<Finding> {
    let lock = path.replace("Cargo.toml", "Cargo.lock");
    let missing = manifest.contains_key("workspace") && !tree.has(&lock);
    missing.then(|| Finding::file(path, "its Cargo.lock is not committed"))
}

/// Each foreign dependency says in a comment above what it is for; neighbours may share one.
fn reasons(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_dependencies = false;
    let mut has_reason = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
            has_reason = false;
        } else if line.is_empty() || is_ours(line) {
            has_reason = false;
        } else if line.starts_with('#') {
            has_reason = true;
        } else if in_dependencies && !has_reason {
            let what = "say in a comment above what this dependency is for";
            findings.push(Finding::line(path, index + 1, what));
        }
    }
    findings
}

/// Whether a line of a dependency section names a package of ours, or one whose reason stands
/// where its version does.
fn is_ours(line: &str) -> bool {
    line.contains("workspace = true") || line.contains("path = ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let findings = check(&Tree::of(files));
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_package_without_the_workspaces_lints_is_found() {
        let found = found(&[
            (
                "a/Cargo.toml",
                "[package]\nname = 'a'\n[lints]\nworkspace = true\n",
            ),
            ("b/Cargo.toml", "[package]\nname = 'b'\n"),
        ]);
        assert_eq!(found, ["b/Cargo.toml: needs `[lints] workspace = true`"]);
    }

    #[test]
    fn a_workspace_without_its_lock_is_found() {
        let found = found(&[
            ("Cargo.toml", "[workspace]\n"),
            ("Cargo.lock", ""),
            ("fuzz/Cargo.toml", "[workspace]\n"),
        ]);
        assert_eq!(found, ["fuzz/Cargo.toml: its Cargo.lock is not committed"]);
    }

    #[test]
    fn a_manifest_that_is_no_toml_is_found() {
        assert_eq!(found(&[("a/Cargo.toml", "[package\n")]).len(), 1);
    }

    #[test]
    fn a_foreign_dependency_without_a_reason_is_found() {
        let manifest = "\
[workspace]
[dependencies]
flashwire-plan.workspace = true
bare = \"1.0\"
# What both are for.
first = \"1.0\"
second = { version = \"1.0\" }
ours = { path = \"../ours\" }
late = \"1.0\"
";
        let found = found(&[("Cargo.toml", manifest), ("Cargo.lock", "")]);
        let lines: Vec<_> = found
            .iter()
            .map(|f| f.split(": ").next().unwrap())
            .collect();
        assert_eq!(lines, ["Cargo.toml:4", "Cargo.toml:9"]);
    }

    #[test]
    fn workspaces_are_found_by_their_manifests() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\n"),
            ("crates/a/Cargo.toml", "[package]\n"),
            ("fuzz/Cargo.toml", "[package]\n[workspace]\n"),
        ]);
        assert_eq!(workspaces(&tree), ["", "fuzz"]);
    }

    #[test]
    fn default_members_are_all_but_the_exceptions() {
        let package = |folder: &str| {
            format!(
                r#"{{"id": "{folder}", "name": "x", "version": "1.0.0", "license": null,
                "manifest_path": "/r/{folder}/Cargo.toml", "dependencies": []}}"#
            )
        };
        let json = format!(
            r#"{{"packages": [{}, {}, {}, {}],
            "workspace_members": ["crates/a", "crates/b", "benches", "xtask"],
            "target_directory": "/t", "workspace_default_members": ["crates/a", "benches"]}}"#,
            package("crates/a"),
            package("crates/b"),
            package("benches"),
            package("xtask"),
        );
        let metadata = serde_json::from_str(&json).unwrap();
        let found: Vec<_> = default_members(&metadata, Path::new("/r"), "")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "Cargo.toml: crates/b must be one of default-members",
                "Cargo.toml: benches must not be one of default-members",
            ]
        );
    }
}
