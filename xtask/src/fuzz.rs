//! `cargo xtask fuzz`: lets libFuzzer look for inputs that break a decoder or a device machine.
//!
//! The compiler's coverage instrumentation works on the stable toolchain of the tree; only the
//! address sanitizer, which safe code needs least, would take a nightly one. `cargo fuzz` finds the
//! same targets for those who have it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use toml::{Table, Value};

use crate::run;

/// The workspace of the targets.
const FOLDER: &str = "fuzz";

/// Counts edges and shows comparisons to libFuzzer, as cargo-fuzz would have it.
const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 --cfg fuzzing";

/// What any target may take for one input, in seconds, and in MiB of memory.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=2048"];

/// Fuzzes the targets that are named, or all of them, each for so long. Returns how many there
/// were.
///
/// # Errors
/// If a target breaks; the input that broke it is kept in `fuzz/artifacts`.
pub(crate) fn run(root: &Path, names: &[&str], seconds: u32) -> Result<u64> {
    let folder = root.join(FOLDER);
    let host = run::output(run::command("rustc", root).args(["--print", "host-tuple"]))?;
    let host = host.trim();
    build(&folder, host)?;

    let targets = targets(&folder)?;
    for name in names {
        let known = targets.iter().any(|target| target == name);
        ensure!(
            known,
            "there is no target {name}; there are: {}",
            targets.join(", ")
        );
    }
    let mut count = 0;
    for target in &targets {
        if names.is_empty() || names.contains(&target.as_str()) {
            let program = folder
                .join("target")
                .join(host)
                .join("release")
                .join(target);
            fuzz(&folder, &program, target, seconds)?;
            count += 1;
        }
    }
    Ok(count)
}

/// The targets as the manifest names them.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let manifest: Table = fs::read_to_string(folder.join("Cargo.toml"))?.parse()?;
    let programs = manifest.get("bin").and_then(Value::as_array);
    let names = programs
        .into_iter()
        .flatten()
        .filter_map(|bin| bin.get("name")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

fn build(folder: &Path, host: &str) -> Result<()> {
    let mut cargo = run::command("cargo", folder);
    cargo.args(["build", "--quiet", "--locked", "--release"]);
    // With a target, the flags are for it alone and not for build scripts.
    cargo.args(["--target", host]).env("RUSTFLAGS", COVERAGE);
    run::status(&mut cargo)
}

/// Fuzzes one target, beginning with what is in `seeds` and what earlier runs have found.
fn fuzz(folder: &Path, program: &Path, target: &str, seconds: u32) -> Result<()> {
    let corpus = folder.join("corpus").join(target);
    let artifacts = folder.join("artifacts").join(target);
    let seeds = folder.join("seeds").join(target);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;

    let mut command = Command::new(program);
    command.arg(&corpus);
    if seeds.is_dir() {
        command.arg(&seeds);
    }
    command
        .args(LIMITS)
        .arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;

    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        println!("{log}");
    }
    ensure!(
        output.status.success(),
        "{target} broke: its input is in {}",
        artifacts.display()
    );
    let last = summary(&log);
    println!("{target}: {}", last.unwrap_or_default());
    ensure!(
        last.is_some_and(sees_coverage),
        "{target} was built without coverage, so it fuzzed blindly"
    );
    Ok(())
}

/// libFuzzer's last word: `#1307 DONE cov: 81 ft: 213 corp: 40/1b lim: 17 exec/s: 0 rss: 27Mb`.
fn summary(log: &str) -> Option<&str> {
    log.lines().rfind(|line| line.contains("DONE"))
}

fn sees_coverage(summary: &str) -> bool {
    summary.contains("cov: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blind_run_is_told_from_one_that_sees() {
        let seeing = "INFO: x\n#2\tINITED cov: 3\n#9\tDONE   cov: 81 ft: 213 corp: 1/1b\nbye";
        assert!(sees_coverage(summary(seeing).unwrap()));
        let blind = "#2\tINITED exec/s: 0\n#9\tDONE   corp: 1/1b lim: 98 exec/s: 0";
        assert!(!sees_coverage(summary(blind).unwrap()));
        assert_eq!(summary("crashed"), None);
    }

    #[test]
    fn every_target_of_the_manifest_has_its_file_and_every_file_its_target() {
        let folder = crate::root().join(FOLDER);
        let mut named = targets(&folder).unwrap();
        let files = fs::read_dir(folder.join("fuzz_targets")).unwrap();
        let stem = |file: fs::DirEntry| {
            file.path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        let mut present: Vec<String> = files.map(|file| stem(file.unwrap())).collect();
        named.sort();
        present.sort();
        assert_eq!(named, present);
        assert!(!named.is_empty());
    }
}
