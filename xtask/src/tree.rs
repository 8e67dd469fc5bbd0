//! The files of the working tree, as the rules see them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::run;

/// The files that are, or would be, committed: path from the root (with `/`) and content.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Content>,
}

#[derive(Debug)]
enum Content {
    Text(String),
    Binary,
}

impl Tree {
    /// Reads every file that git tracks, or would track if it were added.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let listed = [
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ];
        let paths = run::output(run::command("git", root).args(listed))
            .context("the files of the tree are listed by git")?;
        let mut tree = Self::default();
        for path in paths.split_terminator('\0') {
            let absolute = root.join(path);
            // Deleted but not yet committed, or a link to a folder.
            if !absolute.is_file() {
                continue;
            }
            let bytes = std::fs::read(&absolute).with_context(|| format!("cannot read {path}"))?;
            let content = String::from_utf8(bytes).map_or(Content::Binary, Content::Text);
            tree.files.insert(path.to_owned(), content);
        }
        Ok(tree)
    }

    /// A tree made of the given texts.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let entry =
            |&(path, text): &(&str, &str)| (path.to_owned(), Content::Text(text.to_owned()));
        Self {
            files: files.iter().map(entry).collect(),
        }
    }

    /// All paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// All text files with their content.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|(path, content)| match content {
                Content::Text(text) => Some((path.as_str(), text.as_str())),
                Content::Binary => None,
            })
    }

    /// All text files whose name ends so.
    pub(crate) fn texts_ending(&self, end: &str) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(move |(path, _)| path.ends_with(end))
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        match self.files.get(path)? {
            Content::Text(text) => Some(text),
            Content::Binary => None,
        }
    }

    /// Whether there is such a file, or a folder with files in it.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files.contains_key(path) || self.paths().any(|file| file.starts_with(&folder))
    }
}
