//! Hands the linker its map of the chip.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where the package lies");
    println!("cargo::rustc-link-arg-bins=-T{folder}/chip.ld");
    println!("cargo::rerun-if-changed=chip.ld");
}
