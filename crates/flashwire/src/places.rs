//! Where this user's files lie: backups and defaults.
//!
//! Follows the XDG base directory specification on Linux and the systems' own habits elsewhere.
//! Folders are named here, never made.

use std::env;
use std::path::PathBuf;

/// Where backups go: `flashwire/backups` in the user's state directory. `None` if this user has no
/// home.
pub fn backup_folder() -> Option<PathBuf> {
    let state = if cfg!(windows) {
        folder_in("LOCALAPPDATA", &[])
    } else if cfg!(target_os = "macos") {
        folder_in("HOME", &["Library", "Application Support"])
    } else {
        folder_in("XDG_STATE_HOME", &[]).or_else(|| folder_in("HOME", &[".local", "state"]))
    };
    Some(state?.join("flashwire").join("backups"))
}

/// The user's own defaults: `flashwire/flashwire.toml` in the configuration directory. `None` if
/// this user has no home.
pub fn user_config() -> Option<PathBuf> {
    let config = if cfg!(windows) {
        folder_in("APPDATA", &[])
    } else if cfg!(target_os = "macos") {
        folder_in("HOME", &["Library", "Application Support"])
    } else {
        folder_in("XDG_CONFIG_HOME", &[]).or_else(|| folder_in("HOME", &[".config"]))
    };
    Some(config?.join("flashwire").join(PROJECT_CONFIG))
}

/// Name of the file that holds the defaults of a project.
pub const PROJECT_CONFIG: &str = "flashwire.toml";

/// The project's defaults: [`PROJECT_CONFIG`] in the working directory, or in a folder above it up
/// to the root of the repository. Outside of a repository only the working directory counts: a file
/// that somebody left in `/tmp` decides nothing below it.
pub fn project_config() -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    let in_repository = here
        .ancestors()
        .position(|folder| folder.join(".git").exists());
    let levels = in_repository.map_or(1, |depth| depth + 1);
    let mut files = here
        .ancestors()
        .take(levels)
        .map(|folder| folder.join(PROJECT_CONFIG));
    files.find(|file| file.is_file())
}

/// A folder below the one that an environment variable names; relative values do not count (XDG
/// base directory specification, "Basics").
fn folder_in(variable: &str, below: &[&str]) -> Option<PathBuf> {
    let base = PathBuf::from(env::var_os(variable)?);
    base.is_absolute()
        .then(|| base.join(below.iter().collect::<PathBuf>()))
}
