//! `cargo xtask firmware`: builds the images that are committed, or checks that they are what their
//! sources give.
//!
//! An image must not depend on who builds it: each is built in its own workspace with the toolchain
//! of its folder, variables of an outer cargo are taken away (see [`run::command`]), and the
//! absolute path of the tree is mapped to nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flashwire_plan::image::{Format, Image, ParseOptions, WriteOptions};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

use crate::run;

/// Something that is built for a chip and committed.
struct Firmware {
    /// Its workspace, from the root.
    folder: &'static str,
    /// The program of that workspace.
    program: &'static str,
    /// Features that it is built with.
    features: &'static str,
    target: &'static str,
    /// Where the image is committed, from the root.
    image: &'static str,
    format: Format,
    /// What it may take; examples and guests may take what there is.
    budget: Option<Budget>,
}

/// What a chip can spare for a program.
struct Budget {
    /// Code and constants, in bytes.
    flash_bytes: u64,
    /// Variables, in bytes; the stack comes on top.
    ram_bytes: u64,
}

/// Of the smallest STM32F103 with USB that is sold as a Blue Pill, a quarter.
const STM32F103: Budget = Budget {
    flash_bytes: 16 * 1024,
    ram_bytes: 8 * 1024,
};

const FIRMWARE: &[Firmware] = &[
    Firmware {
        folder: "examples/blinky-f103",
        program: "blinky-f103",
        features: "",
        target: "thumbv7m-none-eabi",
        image: "examples/blinky-f103.hex",
        format: Format::IntelHex,
        budget: None,
    },
    // What the emulator is tested with.
    Firmware {
        folder: "firmware/guests",
        program: "echo",
        features: "",
        target: "thumbv7m-none-eabi",
        image: "emulator/tests/guests/echo.hex",
        format: Format::IntelHex,
        budget: None,
    },
    Firmware {
        folder: "firmware/guests",
        program: "sums",
        features: "",
        target: "thumbv7m-none-eabi",
        image: "emulator/tests/guests/sums.hex",
        format: Format::IntelHex,
        budget: None,
    },
    Firmware {
        folder: "firmware/guests",
        program: "tour",
        features: "",
        target: "thumbv7m-none-eabi",
        image: "emulator/tests/guests/tour.hex",
        format: Format::IntelHex,
        budget: None,
    },
    Firmware {
        folder: "firmware/stm32f103",
        program: "serprog-stm32f103",
        features: "",
        target: "thumbv7m-none-eabi",
        image: "crates/flashwire/images/serprog-stm32f103.bin",
        format: Format::Binary,
        budget: Some(STM32F103),
    },
    Firmware {
        folder: "firmware/stm32f103",
        program: "serprog-stm32f103",
        features: "single-buffered",
        target: "thumbv7m-none-eabi",
        image: "crates/flashwire/images/serprog-stm32f103-single-buffered.bin",
        format: Format::Binary,
        budget: Some(STM32F103),
    },
];

/// Builds every image anew.
pub(crate) fn build(root: &Path) -> Result<()> {
    for firmware in FIRMWARE {
        let image = image_of(root, firmware)?;
        let path = root.join(firmware.image);
        fs::write(&path, &image).with_context(|| format!("cannot write {}", firmware.image))?;
        println!("{}: written, {} bytes", firmware.image, image.len());
    }
    Ok(())
}

/// Builds every image anew and compares it with what is committed. Returns how many there are.
///
/// # Errors
/// If one differs.
pub(crate) fn check(root: &Path) -> Result<u64> {
    let mut stale = Vec::new();
    for firmware in FIRMWARE {
        let fresh = image_of(root, firmware)?;
        let path = root.join(firmware.image);
        let committed = fs::read(&path).with_context(|| format!("no {}", firmware.image))?;
        if fresh == committed {
            println!("{}: as its source gives it", firmware.image);
        } else {
            stale.push(firmware.image);
        }
    }
    if !stale.is_empty() {
        bail!(
            "not what the source gives: {}; build anew with cargo xtask firmware",
            stale.join(", ")
        );
    }
    Ok(FIRMWARE.len() as u64)
}

/// The content that the image's file should have.
fn image_of(root: &Path, firmware: &Firmware) -> Result<Vec<u8>> {
    let program = compile(root, firmware)?;
    let bytes = fs::read(&program).with_context(|| format!("no {}", program.display()))?;
    let tied = find(&bytes, root.to_string_lossy().as_bytes());
    ensure!(
        !tied,
        "{} names the folder it was built in",
        firmware.program
    );
    if let Some(budget) = &firmware.budget {
        keeps_to(&bytes, budget).with_context(|| firmware.image)?;
    }
    let image = Image::parse(bytes, &ParseOptions::default())?;
    Ok(image.to_bytes(firmware.format, &WriteOptions::default())?)
}

/// Checks that a program keeps to its budget and that nothing in it can panic: what cannot be called
/// is not linked, so it is enough that no function of `core::panicking` is there.
fn keeps_to(program: &[u8], budget: &Budget) -> Result<()> {
    let program = object::File::parse(program)?;
    let (mut flash_bytes, mut ram_bytes) = (0, 0);
    for section in program.sections() {
        match section.kind() {
            SectionKind::Text | SectionKind::ReadOnlyData => flash_bytes += section.size(),
            SectionKind::UninitializedData => ram_bytes += section.size(),
            SectionKind::Data => {
                flash_bytes += section.size();
                ram_bytes += section.size();
            }
            _ => {}
        }
    }
    ensure!(
        flash_bytes <= budget.flash_bytes,
        "{flash_bytes} bytes of flash, {} are allowed",
        budget.flash_bytes
    );
    ensure!(
        ram_bytes <= budget.ram_bytes,
        "{ram_bytes} bytes of variables, {} are allowed",
        budget.ram_bytes
    );
    for symbol in program.symbols() {
        let name = symbol.name()?;
        ensure!(!name.contains("panicking"), "it can panic: {name}");
    }
    println!("  {flash_bytes} bytes of flash, {ram_bytes} of variables, no panic");
    Ok(())
}

/// Compiles it and returns where the ELF file is.
fn compile(root: &Path, firmware: &Firmware) -> Result<PathBuf> {
    let folder = root.join(firmware.folder);
    // Ours, whatever the environment says: the program is looked for in it.
    let target_folder = folder.join("target");
    let mut cargo = run::command("cargo", &folder);
    cargo.args(["build", "--quiet", "--release", "--locked"]);
    cargo.args(["--bin", firmware.program, "--features", firmware.features]);
    cargo
        .args(["--target", firmware.target, "--target-dir"])
        .arg(&target_folder);
    // The encoded form: the folder's name may have spaces.
    let remap = format!("--remap-path-prefix={}=", root.display());
    cargo.env("CARGO_ENCODED_RUSTFLAGS", remap);
    run::status(&mut cargo)?;
    let profile = target_folder.join(firmware.target).join("release");
    Ok(profile.join(firmware.program))
}

fn find(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
