//! Benches by name and key.

use flashwire_sim::{Bench, BenchError, benches};

fn refused(spec: &str) -> String {
    Bench::open(spec).expect_err(spec).to_string()
}

#[test]
fn every_listed_bench_opens() {
    let benches = benches();
    assert!(benches.len() >= 13);
    for bench in benches {
        let opened = Bench::open(&bench.name).expect("it opens");
        assert_eq!(opened.name(), bench.name);
        assert!(!bench.title.is_empty());
    }
}

#[test]
fn the_makers_prefix_may_be_left_out() {
    let bench = Bench::open("f407vg").expect("it opens");
    let chip = bench.chip().expect("a chip");
    assert_eq!(chip.part().name, "stm32f407vg");
}

#[test]
fn an_unknown_name_lists_the_names() {
    for spec in ["", ",image=x", "esp32"] {
        let error = refused(spec);
        // Programmers and chips are listed apart: each takes each.
        for name in benches().iter().flat_map(|bench| bench.name.split('+')) {
            assert!(error.contains(name), "{name}: {error}");
        }
    }
    assert!(matches!(Bench::open(""), Err(BenchError::NoName)));
}

#[test]
fn a_misspelt_name_gets_the_one_that_was_meant() {
    for (spec, meant) in [
        ("uno", "uno+w25q80bv"),
        ("stm32f103", "stm32f103c8"),
        ("serprog+w25q46jv", "serprog+w25q64jv"),
    ] {
        let error = refused(spec);
        let words = format!("there is no bench \"{spec}\"; there is {meant}");
        assert_eq!(error, words);
    }
    let error = refused("stm32f103cb,imag=x");
    assert_eq!(
        error,
        "benches have no key \"imag\"; there is image (a file)"
    );
}

#[test]
fn an_unknown_key_lists_the_keys() {
    let error = refused("stm32f103cb,speed=9600");
    assert!(error.starts_with("benches have no key \"speed\"; there are: image (a file); baud ("));
    assert!(error.contains("faults (KIND@BYTE[:in|out], joined by +)"));
}

#[test]
fn a_value_that_means_nothing_says_what_the_key_takes() {
    for (key, value) in [
        ("baud", "0"),
        ("baud", "fast"),
        ("baud", "20000001"),
        ("image", ""),
        ("latency-us", "-1"),
        ("timer-us", "10000001"),
        ("seed", "x"),
        ("faults", "break@3"),
        ("realtime", "yes"),
        ("boot0", "1"),
        ("wiring", "cts=nrst"),
        ("wiring", "dtr=nrst+rts=nrst"),
        ("flash-percent", "10001"),
        ("max-baud", "0"),
        ("button", "red"),
        ("chip-times", "fast"),
        ("extensions", "yes"),
        ("socket", "none"),
        ("sketch", "2020"),
        ("boot-ms", "100001"),
        ("select-pin", "20"),
    ] {
        let error = refused(&format!("stm32f103cb,{key}={value}"));
        let start = format!("\"{value}\" is no value for {key}: ");
        assert!(
            error.starts_with(&start) && error.len() > start.len(),
            "{error}"
        );
    }
    let error = refused("stm32f103cb,baud=1,baud=2");
    assert_eq!(error, "the key \"baud\" is given twice");
}

#[test]
fn the_documentation_has_every_stm32_bench_and_every_key() {
    let page = include_str!("../../../../docs/simulator.md");
    for bench in benches().iter().filter(|bench| bench.method == "stm32") {
        assert!(
            page.contains(&format!("`{}`", bench.name)),
            "{}",
            bench.name
        );
    }
    let error = refused("stm32f103cb,speed=9600");
    let (_, keys) = error.split_once("there are: ").expect("a list");
    for key in keys.split("; ") {
        let (key, _) = key.split_once(' ').expect("a key and what it takes");
        let rows = [format!("\n| `{key}="), format!("\n| `{key}`")];
        assert!(rows.iter().any(|row| page.contains(row)), "{key}");
    }
}
