//! Every documented command, as a transcript: `tests/cli/*.trycmd` are at once documentation and
//! test. A file named `X.trycmd` runs in a copy of the folder `X.in`.
//!
//! After a change that is meant, `TRYCMD=overwrite cargo test -p flashwire-tests --test transcripts`
//! writes them anew: look at the difference.

use flashwire_tests::built;

#[test]
fn commands_do_and_say_what_their_transcripts_show() {
    let state = tempfile::tempdir().unwrap();
    let nowhere = state.path().display().to_string();
    trycmd::TestCases::new()
        .register_bin("flashwire", built::flashwire())
        .env("XDG_STATE_HOME", &nowhere)
        .env("XDG_CONFIG_HOME", &nowhere)
        .insert_var("[STATE]", nowhere.clone())
        .unwrap()
        .case("cli/*.trycmd");
}

#[test]
fn the_transcripts_example_is_the_one_of_the_readme() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |path: &str| std::fs::read(format!("{folder}/{path}")).unwrap();
    let copy = read("tests/cli/main-job.in/examples/blinky-f103.hex");
    assert_eq!(copy, read("examples/blinky-f103.hex"));
}
