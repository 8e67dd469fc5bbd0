//! Names and sizes of files.

use super::Finding;
use crate::tree::Tree;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "util", "utils", "common", "core", "misc", "manager", "helper", "helpers",
];

/// Longest source file, in lines. Beyond that nobody reads it whole.
const LONGEST_FILE_LINES: usize = 800;

/// Files that may be longer, because they are tables: one row after the other, no logic.
const TABLES: [&str; 1] = ["crates/flashwire/src/error/hint.rs"];

/// What ends the names of files that people write and read.
const SOURCE_ENDS: [&str; 5] = [".rs", ".py", ".sh", ".toml", ".yml"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    names(tree).chain(sizes(tree)).collect()
}

/// No file, folder or module is named after nothing in particular.
fn names(tree: &Tree) -> impl Iterator<Item = Finding> {
    tree.paths()
        .filter(|path| {
            path.split('/')
                .map(|part| part.split('.').next().unwrap_or(part))
                .any(|name| EMPTY_NAMES.contains(&name))
        })
        .map(|path| {
            Finding::file(
                path,
                "a name that says nothing: name it after what it holds",
            )
        })
}

/// No source file is too long to be read.
fn sizes(tree: &Tree) -> impl Iterator<Item = Finding> {
    tree.texts()
        .filter(|(path, _)| SOURCE_ENDS.iter().any(|end| path.ends_with(end)))
        .filter(|(path, _)| !TABLES.contains(path))
        .filter_map(|(path, text)| {
            let lines = text.lines().count();
            let what = format!("{lines} lines, more than {LONGEST_FILE_LINES}: split it");
            (lines > LONGEST_FILE_LINES).then(|| Finding::file(path, what))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_found_as_files_and_folders() {
        let tree = Tree::of(&[
            ("crates/a/src/util.rs", ""),
            ("crates/a/src/helpers/b.rs", ""),
            ("crates/core/src/lib.rs", ""),
            ("crates/a/src/commonplace.rs", ""),
            ("crates/a/src/score.rs", ""),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|f| f.path).collect();
        assert_eq!(
            found,
            [
                "crates/a/src/helpers/b.rs",
                "crates/a/src/util.rs",
                "crates/core/src/lib.rs"
            ]
        );
    }

    #[test]
    fn a_file_one_line_too_long_is_found() {
        let longest = "\n".repeat(LONGEST_FILE_LINES);
        let too_long = format!("{longest}\n");
        let tree = Tree::of(&[
            ("a.rs", &longest),
            ("b.rs", &too_long),
            ("c.csv", &too_long),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|f| f.path).collect();
        assert_eq!(found, ["b.rs"]);
    }
}
