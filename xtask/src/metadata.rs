//! What `cargo metadata` says, as far as the rules need it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::run;

/// One workspace: its own packages and everything that they depend on.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// Our packages and foreign ones.
    pub(crate) packages: Vec<Package>,
    /// Ids of our packages.
    pub(crate) workspace_members: Vec<String>,
    /// Where everything that is built goes.
    pub(crate) target_directory: PathBuf,
    /// Ids of what plain `cargo build` builds.
    pub(crate) workspace_default_members: Vec<String>,
}

/// A package, ours or foreign.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Unique in the whole world.
    pub(crate) id: String,
    /// As in `Cargo.toml`.
    pub(crate) name: String,
    /// As in `Cargo.toml`.
    pub(crate) version: String,
    /// An SPDX expression.
    pub(crate) license: Option<String>,
    /// Absolute path of its `Cargo.toml`.
    pub(crate) manifest_path: String,
    /// What it declares, whether or not anything turns it on.
    pub(crate) dependencies: Vec<Dependency>,
}

/// An edge out of a package: normal, dev or build.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The name of the package at the other end.
    pub(crate) name: String,
    /// `dev` or `build`; nothing for a normal dependency.
    pub(crate) kind: Option<String>,
    /// Absolute path of its folder, if it lies in a folder and not in a registry.
    pub(crate) path: Option<String>,
}

impl Metadata {
    /// Asks cargo about the workspace whose `Cargo.toml` lies in `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut command = run::command("cargo", folder);
        command.args(["metadata", "--format-version", "1", "--locked"]);
        let advice = || {
            let folder = folder.display();
            format!("{folder}: if its Cargo.lock is behind, `cargo update --workspace` there")
        };
        let json = run::output(&mut command).with_context(advice)?;
        serde_json::from_str(&json).context("cargo metadata answered what this does not know")
    }

    /// Our packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        let ours = |package: &&Package| self.workspace_members.contains(&package.id);
        self.packages.iter().filter(ours)
    }
}
