//! What an image is made of, as one hash: whoever cannot compile for the chip can still see that an
//! image was not built since its sources changed.

use std::path::Path;

use anyhow::{Context, Result};
use toml::Table;

use super::Firmware;
use crate::hash::sha256_hex;
use crate::tree::Tree;

/// What `crates/*` inherit from.
const ROOT_MANIFEST: &str = "Cargo.toml";

/// What cargo reads in every folder below.
const ROOT_CONFIGURATION: &str = ".cargo/config.toml";

/// Hash of everything that decides what the image is: its workspace with the lock file, the crates
/// that it takes from this tree, what those inherit, the toolchain, and how it is asked for.
///
/// # Errors
/// One of the files is not there or is not what it should be.
pub(super) fn hash(root: &Path, tree: &Tree, firmware: &Firmware) -> Result<String> {
    let mut text = format!(
        "{} {} {}\n",
        firmware.program, firmware.features, firmware.target
    );
    text.push_str(&inherited(tree)?);
    for path in files(tree, firmware)? {
        let content = std::fs::read(root.join(path)).with_context(|| format!("no {path}"))?;
        text.push_str(&format!("{} {path}\n", sha256_hex(&content)));
    }
    Ok(sha256_hex(text.as_bytes()))
}

/// Paths of the files that are hashed, in order.
fn files<'a>(tree: &'a Tree, firmware: &Firmware) -> Result<Vec<&'a str>> {
    let mut folders = vec![format!("{}/", firmware.folder)];
    let mut single = vec![
        ROOT_CONFIGURATION.to_owned(),
        toolchain(tree, firmware.folder)?.to_owned(),
    ];
    for name in crates(tree, firmware.folder)? {
        folders.push(format!("crates/{name}/src/"));
        single.push(format!("crates/{name}/Cargo.toml"));
    }
    let belongs = |path: &&str| {
        folders.iter().any(|folder| path.starts_with(folder)) || single.iter().any(|it| it == path)
    };
    Ok(tree.paths().filter(belongs).collect())
}

/// Folders below `crates/` that the workspace takes packages from: in a lock file these have no
/// source, as its own members.
fn crates(tree: &Tree, folder: &str) -> Result<Vec<String>> {
    let path = format!("{folder}/Cargo.lock");
    let text = tree.text(&path).with_context(|| format!("no {path}"))?;
    let lock: Table = text.parse().with_context(|| path.clone())?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let local = packages
        .with_context(|| format!("{path} lists no packages"))?
        .iter()
        .filter(|package| package.get("source").is_none())
        .filter_map(|package| package.get("name")?.as_str());
    Ok(local
        .filter_map(|name| name.strip_prefix("flashwire-"))
        .map(str::to_owned)
        .collect())
}

/// The file that says which toolchain builds in the folder: the nearest, as rustup finds it.
fn toolchain<'a>(tree: &'a Tree, folder: &str) -> Result<&'a str> {
    let above = Path::new(folder).ancestors();
    let candidates = above.map(|folder| folder.join("rust-toolchain.toml"));
    let of_tree = |candidate: &Path| tree.paths().find(|path| Path::new(path) == candidate);
    candidates
        .into_iter()
        .find_map(|candidate| of_tree(&candidate))
        .with_context(|| format!("no toolchain is pinned for {folder}"))
}

/// What the packages of the root's workspace inherit and an image can depend on: edition, version.
fn inherited(tree: &Tree) -> Result<String> {
    let text = tree.text(ROOT_MANIFEST).context("no root manifest")?;
    let manifest: Table = text.parse().context(ROOT_MANIFEST)?;
    let package = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.as_table())
        .context("the root has no [workspace.package]")?;
    Ok(package
        .iter()
        .filter_map(|(key, value)| Some(format!("{key} = {}\n", value.as_str()?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use flashwire_plan::image::Format;

    use super::*;

    const FIRMWARE: Firmware = Firmware {
        folder: "firmware/chip",
        program: "blink",
        features: "",
        target: "chip-none",
        image: "crates/flashwire/images/blink.bin",
        format: Format::Binary,
        bundled: None,
    };

    const LOCK: &str = r#"
        [[package]]
        name = "blink"
        [[package]]
        name = "flashwire-device"
        [[package]]
        name = "flashwire-foreign"
        source = "registry+https://example.org"
    "#;

    #[test]
    fn an_image_is_made_of_its_workspace_the_crates_that_it_takes_and_the_toolchain() {
        let tree = Tree::of(&[
            (".cargo/config.toml", ""),
            ("Cargo.toml", ""),
            ("crates/device/Cargo.toml", ""),
            ("crates/device/src/lib.rs", ""),
            ("crates/device/tests/board.rs", ""),
            ("crates/foreign/src/lib.rs", ""),
            ("crates/plan/src/lib.rs", ""),
            ("firmware/chip/Cargo.lock", LOCK),
            ("firmware/chip/blink/src/main.rs", ""),
            ("firmware/chips/src/main.rs", ""),
            ("rust-toolchain.toml", ""),
        ]);
        assert_eq!(
            files(&tree, &FIRMWARE).unwrap(),
            [
                ".cargo/config.toml",
                "crates/device/Cargo.toml",
                "crates/device/src/lib.rs",
                "firmware/chip/Cargo.lock",
                "firmware/chip/blink/src/main.rs",
                "rust-toolchain.toml",
            ]
        );
    }

    #[test]
    fn the_nearest_toolchain_counts() {
        let root = ("rust-toolchain.toml", "");
        let own = ("firmware/chip/rust-toolchain.toml", "");
        let found = |files: &[(&str, &str)]| {
            let tree = Tree::of(files);
            toolchain(&tree, "firmware/chip").map(str::to_owned).ok()
        };
        assert_eq!(found(&[root, own]).as_deref(), Some(own.0));
        assert_eq!(found(&[root]).as_deref(), Some(root.0));
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn of_the_root_manifest_only_what_packages_inherit_counts() {
        let text = |edition: &str, profile: &str| {
            let manifest = format!(
                "[workspace.package]\nedition = \"{edition}\"\n[profile.dev]\ndebug = {profile}\n"
            );
            inherited(&Tree::of(&[("Cargo.toml", &manifest)])).unwrap()
        };
        assert_eq!(text("2024", "true"), text("2024", "false"));
        assert_ne!(text("2024", "true"), text("2021", "true"));
    }
}
