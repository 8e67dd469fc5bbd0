//! `cargo xtask tidy`: the rules of the house that a program can check.
//!
//! A rule is a function from the tree (or from what cargo says about it) to [`Finding`]s, and each
//! has a test that shows it fail. What the rules are for is in `ARCHITECTURE.md`; here is only how
//! they are checked. Style that a compiler lint can check is a lint in `Cargo.toml` and not here.

mod code;
mod documents;
mod files;
mod imports;
mod licences;
mod manifests;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::firmware;
use crate::metadata::Metadata;
use crate::tree::Tree;

/// A broken rule: where, and what is wrong.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Path from the root.
    path: String,
    /// Counted from 1; nothing if the whole file is meant.
    line: Option<usize>,
    /// A sentence fragment that says what to do instead.
    what: String,
}

impl Finding {
    fn file(path: &str, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            what: what.into(),
        }
    }

    fn line(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::file(path, what)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.what),
            None => write!(f, "{}: {}", self.path, self.what),
        }
    }
}

/// Checks every rule and prints what is broken.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let tree = Tree::read(root)?;
    let mut findings = tree_findings(&tree);
    let stale = firmware::stale(root, &tree)?.into_iter();
    findings.extend(stale.map(|(path, what)| Finding::file(&path, what)));
    for folder in manifests::workspaces(&tree) {
        let metadata = Metadata::read(&root.join(folder))?;
        findings.extend(imports::check(&metadata, root));
        findings.extend(manifests::default_members(&metadata, root, folder));
        findings.extend(licences::check(&metadata, root, &tree)?);
    }
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings.dedup();

    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {} files, no findings", tree.paths().count());
        Ok(ExitCode::SUCCESS)
    } else {
        println!("tidy: {} findings", findings.len());
        Ok(ExitCode::FAILURE)
    }
}

/// Folders of all workspaces of the tree, from the root; the root's own is the empty path.
pub(crate) fn workspaces(root: &Path) -> Result<Vec<String>> {
    let tree = Tree::read(root)?;
    let folders = manifests::workspaces(&tree).into_iter();
    Ok(folders.map(str::to_owned).collect())
}

/// What the files alone show.
fn tree_findings(tree: &Tree) -> Vec<Finding> {
    let rules: [fn(&Tree) -> Vec<Finding>; 4] = [
        files::check,
        code::check,
        documents::check,
        manifests::check,
    ];
    rules.iter().flat_map(|rule| rule(tree)).collect()
}
