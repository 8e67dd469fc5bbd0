//! `docs/json.md` describes every object that the program prints.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The schemas that a text names: `flashwire/NAME/VERSION`.
fn schemas(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| {
        let part = |text: &str| {
            let end = text.find(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '-'));
            text[..end.unwrap_or(text.len())].to_owned()
        };
        let name = part(rest);
        let version = part(rest.strip_prefix(&name)?.strip_prefix('/')?);
        let known = version.parse::<u32>().is_ok() && !name.is_empty();
        known.then(|| format!("{name}/{version}"))
    };
    text.split("flashwire/").skip(1).filter_map(name).collect()
}

/// All schemas in the sources below a folder.
fn in_sources(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_sources(&path, found);
        } else {
            found.extend(schemas(&fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_schema_is_described_and_every_one_described_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut printed = BTreeSet::new();
    in_sources(&root.join("crates/cli/src"), &mut printed);
    assert!(printed.len() > 15, "{printed:?}");
    let text = fs::read_to_string(root.join("docs/json.md")).unwrap();
    assert_eq!(schemas(&text), printed);
}
