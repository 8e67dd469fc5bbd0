//! Licences of everything that is built: allowed are those that `deny.toml` allows.
//!
//! `cargo deny check licenses` reads the same lists; this rule needs no installation.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::Finding;
use crate::metadata::{Metadata, Package};
use crate::tree::Tree;

/// What may be built, and under which licences.
const RULES: &str = "deny.toml";

/// Ours, every package.
const OUR_LICENCE: &str = "MIT OR Apache-2.0";

pub(super) fn check(metadata: &Metadata, root: &Path, tree: &Tree) -> Result<Vec<Finding>> {
    let rules = tree.text(RULES).context("deny.toml is missing")?;
    let rules = Rules::parse(rules)?;
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let licence = package.license.as_deref().unwrap_or_default();
        if metadata.workspace_members.contains(&package.id) {
            if licence != OUR_LICENCE {
                let manifest = Path::new(&package.manifest_path);
                let inside = manifest.strip_prefix(root).unwrap_or(manifest);
                let what = format!("needs license = \"{OUR_LICENCE}\"");
                findings.push(Finding::file(&inside.to_string_lossy(), what));
            }
        } else if !rules.allow(package) {
            let what = format!(
                "does not allow {} {}, which is \"{licence}\"",
                package.name, package.version
            );
            findings.push(Finding::file(RULES, what));
        }
    }
    Ok(findings)
}

/// The part of deny.toml that is about licences.
#[derive(Debug)]
struct Rules {
    allowed: BTreeSet<String>,
    /// Package and what else it may be under.
    exceptions: Vec<(String, BTreeSet<String>)>,
}

impl Rules {
    fn parse(text: &str) -> Result<Self> {
        let rules: Table = text.parse().context("deny.toml is no TOML")?;
        let licences = rules
            .get("licenses")
            .context("deny.toml has no [licenses]")?;
        let exceptions = licences.get("exceptions").and_then(Value::as_array);
        let exception = |value: &Value| {
            let package = value.get("crate")?.as_str()?.to_owned();
            Some((package, list(value)))
        };
        Ok(Self {
            allowed: list(licences),
            exceptions: exceptions
                .into_iter()
                .flatten()
                .filter_map(exception)
                .collect(),
        })
    }

    fn allow(&self, package: &Package) -> bool {
        let exceptions = self
            .exceptions
            .iter()
            .filter(|(name, _)| *name == package.name);
        let more: BTreeSet<_> = exceptions.flat_map(|(_, list)| list).collect();
        let allowed =
            |licence: &str| self.allowed.contains(licence) || more.contains(&licence.to_owned());
        let expression = package.license.as_deref().unwrap_or_default();
        satisfied(expression, &allowed)
    }
}

/// `allow = [...]` of a table.
fn list(table: &Value) -> BTreeSet<String> {
    let values = table.get("allow").and_then(Value::as_array);
    let texts = values.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// Whether the allowed licences are enough for an SPDX expression (`AND` binds tighter than `OR`;
/// the old `/` means `OR`). A licence `WITH` an exception counts as one name.
fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser {
        words: &words,
        allowed,
    };
    let value = parser.either();
    value && parser.words.is_empty()
}

struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a dyn Fn(&str) -> bool,
}

impl Parser<'_> {
    fn either(&mut self) -> bool {
        let mut value = self.both();
        while self.take("OR") {
            // Not `||`: the words have to be read in any case.
            value |= self.both();
        }
        value
    }

    fn both(&mut self) -> bool {
        let mut value = self.one();
        while self.take("AND") {
            value &= self.one();
        }
        value
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let value = self.either();
            return value & self.take(")");
        }
        let [name, rest @ ..] = self.words else {
            return false;
        };
        self.words = rest;
        let mut licence = (*name).to_owned();
        if self.take("WITH")
            && let [exception, rest @ ..] = self.words
        {
            licence = format!("{licence} WITH {exception}");
            self.words = rest;
        }
        (self.allowed)(&licence)
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words {
            [first, rest @ ..] if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0 WITH LLVM-exception"]
        exceptions = [{ crate = "fuzzer", allow = ["NCSA"] }]
    "#;

    fn metadata(name: &str, licence: &str, member: bool) -> Metadata {
        let members = if member { r#"["it"]"# } else { "[]" };
        let json = format!(
            r#"{{"packages": [{{"id": "it", "name": "{name}", "version": "1.0.0",
                "license": "{licence}", "manifest_path": "/r/a/Cargo.toml", "dependencies": []}}],
                "workspace_members": {members}, "target_directory": "/t", "workspace_default_members": []}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn found(name: &str, licence: &str, member: bool) -> Vec<String> {
        let tree = Tree::of(&[(RULES, DENY)]);
        let findings = check(&metadata(name, licence, member), Path::new("/r"), &tree).unwrap();
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn expressions_are_weighed_as_a_whole() {
        let allowed = |name: &str| matches!(name, "A" | "B" | "A WITH X");
        for good in [
            "A",
            "A OR C",
            "C/A",
            "A AND B",
            "(A OR C) AND B",
            "C OR A AND B",
            "A WITH X",
        ] {
            assert!(satisfied(good, &allowed), "{good}");
        }
        for bad in [
            "",
            "C",
            "A AND C",
            "(A OR B) AND C",
            "A WITH Y",
            "(A",
            "A)",
            "A B",
            "OR",
        ] {
            assert!(!satisfied(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn a_licence_that_is_not_allowed_is_found() {
        assert_eq!(found("x", "MIT OR GPL-3.0", false), [""; 0]);
        assert_eq!(
            found("x", "GPL-3.0", false),
            ["deny.toml: does not allow x 1.0.0, which is \"GPL-3.0\""]
        );
    }

    #[test]
    fn an_exception_holds_for_its_package_only() {
        assert_eq!(found("fuzzer", "MIT AND NCSA", false), [""; 0]);
        assert_eq!(found("other", "MIT AND NCSA", false).len(), 1);
    }

    #[test]
    fn a_package_of_ours_under_another_licence_is_found() {
        assert_eq!(found("ours", "MIT OR Apache-2.0", true), [""; 0]);
        assert_eq!(
            found("ours", "MIT", true),
            ["a/Cargo.toml: needs license = \"MIT OR Apache-2.0\""]
        );
    }

    #[test]
    fn a_tree_without_rules_is_an_error() {
        let metadata = metadata("x", "MIT", false);
        assert!(check(&metadata, Path::new("/r"), &Tree::of(&[])).is_err());
    }
}
