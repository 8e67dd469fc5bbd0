//! Compiles what knows simavr's structures, and links simavr (Debian's `libsimavr-dev`).

fn main() {
    println!("cargo:rerun-if-changed=src/avr/simavr.c");
    cc::Build::new()
        .file("src/avr/simavr.c")
        // simavr's headers leave some parameters unused.
        .flag_if_supported("-Wno-unused-parameter")
        .compile("flashwire_simavr_c");
    println!("cargo:rustc-link-lib=simavr");
}
