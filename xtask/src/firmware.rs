//! `cargo xtask firmware`: builds the images that are committed, or checks that they are what their
//! sources give.
//!
//! An image must not depend on who builds it: each is built in its own workspace with the toolchain
//! of its folder, variables of an outer cargo are taken away (see [`run::command`]), and the
//! absolute path of the tree is mapped to nothing.
//!
//! Those that flashwire brings along stand in a [`manifest`] with the hash of all that they are made
//! of, so that a forgotten build is noticed where nobody can compile for the chip.

mod manifest;
mod sources;
mod stack;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flashwire_plan::image::{Format, Image, ParseOptions, WriteOptions};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

pub(crate) use manifest::stale;

use crate::run;
use crate::tree::Tree;

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
    /// If flashwire brings it along; examples and guests it does not.
    bundled: Option<Bundled>,
}

/// What flashwire brings along has to say for itself.
struct Bundled {
    /// The chip that it is for, in small letters.
    chip: &'static str,
    /// What it may take of that.
    budget: Budget,
}

/// What a chip can spare for a program.
struct Budget {
    /// Code and constants, in bytes.
    flash_bytes: u64,
    /// Variables, in bytes; the stack comes on top.
    ram_bytes: u64,
    /// The deepest that the stack can get, in bytes.
    stack_bytes: u64,
}

/// Of the smallest STM32F103 with USB that is sold as a Blue Pill, a quarter.
const STM32F103: Bundled = Bundled {
    chip: "stm32f103",
    budget: Budget {
        flash_bytes: 16 * 1024,
        ram_bytes: 8 * 1024,
        stack_bytes: 2 * 1024,
    },
};

/// Of an Arduino Uno or Nano. It has 32 KiB of flash and 2 KiB of RAM.
const ATMEGA328P: Bundled = Bundled {
    chip: "atmega328p",
    budget: Budget {
        flash_bytes: 8 * 1024,
        ram_bytes: 1536,
        stack_bytes: 256,
    },
};

const FIRMWARE: &[Firmware] = &[
    Firmware {
        folder: "examples/blinky-f103",
        program: "blinky-f103",
        features: "",
        target: "thumbv7m-none-eabi",
        image: "examples/blinky-f103.hex",
        format: Format::IntelHex,
        bundled: None,
    },
    // What the emulator is tested with.
    Firmware {
        folder: "firmware/guests",
        program: "echo",
        features: "",
        target: "thumbv7m-none-eabi",
        image: "emulator/tests/guests/echo.hex",
        format: Format::IntelHex,
        bundled: None,
    },
    Firmware {
        folder: "firmware/guests",
        program: "loops",
        features: "",
        target: "thumbv7m-none-eabi",
        image: "emulator/tests/guests/loops.hex",
        format: Format::IntelHex,
        bundled: None,
    },
    Firmware {
        folder: "firmware/guests",
        program: "sums",
        features: "",
        target: "thumbv7m-none-eabi",
        image: "emulator/tests/guests/sums.hex",
        format: Format::IntelHex,
        bundled: None,
    },
    Firmware {
        folder: "firmware/guests",
        program: "tour",
        features: "",
        target: "thumbv7m-none-eabi",
        image: "emulator/tests/guests/tour.hex",
        format: Format::IntelHex,
        bundled: None,
    },
    Firmware {
        folder: "firmware/stm32f103",
        program: "serprog-stm32f103",
        features: "",
        target: "thumbv7m-none-eabi",
        image: "crates/flashwire/images/serprog-stm32f103.bin",
        format: Format::Binary,
        bundled: Some(STM32F103),
    },
    Firmware {
        folder: "firmware/stm32f103",
        program: "serprog-stm32f103",
        features: "single-buffered",
        target: "thumbv7m-none-eabi",
        image: "crates/flashwire/images/serprog-stm32f103-single-buffered.bin",
        format: Format::Binary,
        bundled: Some(STM32F103),
    },
    Firmware {
        folder: "firmware/atmega328p",
        program: "programmer-atmega328p",
        features: "",
        target: "avr-none",
        image: "crates/flashwire/images/programmer-atmega328p.bin",
        format: Format::Binary,
        bundled: Some(ATMEGA328P),
    },
    Firmware {
        folder: "firmware/atmega328p",
        program: "programmer-atmega328p",
        features: "baud500k",
        target: "avr-none",
        image: "crates/flashwire/images/programmer-atmega328p-500k.bin",
        format: Format::Binary,
        bundled: Some(ATMEGA328P),
    },
    Firmware {
        folder: "firmware/atmega328p",
        program: "programmer-atmega328p",
        features: "baud1m",
        target: "avr-none",
        image: "crates/flashwire/images/programmer-atmega328p-1m.bin",
        format: Format::Binary,
        bundled: Some(ATMEGA328P),
    },
    Firmware {
        folder: "firmware/atmega328p",
        program: "programmer-atmega328p",
        features: "baud2m",
        target: "avr-none",
        image: "crates/flashwire/images/programmer-atmega328p-2m.bin",
        format: Format::Binary,
        bundled: Some(ATMEGA328P),
    },
];

impl Firmware {
    /// What people call it: the file's name without its extension.
    fn name(&self) -> &'static str {
        let file = self.image.rsplit('/').next().unwrap_or(self.image);
        file.split('.').next().unwrap_or(file)
    }
}

/// Builds every image anew, and the manifest.
pub(crate) fn build(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let mut lines = Vec::new();
    for firmware in FIRMWARE {
        let image = image_of(root, firmware)?;
        lines.extend(manifest::line(root, &tree, firmware, &image)?);
        write(root, firmware.image, &image)?;
    }
    write(root, manifest::PATH, manifest::whole(&lines).as_bytes())
}

fn write(root: &Path, path: &str, content: &[u8]) -> Result<()> {
    fs::write(root.join(path), content).with_context(|| format!("cannot write {path}"))?;
    println!("{path}: written, {} bytes", content.len());
    Ok(())
}

/// Builds every image anew and compares it with what is committed, and the manifest too. Returns how
/// many were compared.
///
/// # Errors
/// If one differs.
pub(crate) fn check(root: &Path) -> Result<u64> {
    let tree = Tree::read(root)?;
    let mut lines = Vec::new();
    let mut stale = Vec::new();
    let mut compare = |path: &'static str, fresh: &[u8]| -> Result<()> {
        let committed = fs::read(root.join(path)).with_context(|| format!("no {path}"))?;
        if fresh == committed {
            println!("{path}: as its source gives it");
        } else {
            stale.push(path);
        }
        Ok(())
    };
    for firmware in FIRMWARE {
        let fresh = image_of(root, firmware)?;
        lines.extend(manifest::line(root, &tree, firmware, &fresh)?);
        compare(firmware.image, &fresh)?;
    }
    compare(manifest::PATH, manifest::whole(&lines).as_bytes())?;
    if !stale.is_empty() {
        bail!(
            "not what the source gives: {}; build anew with cargo xtask firmware",
            stale.join(", ")
        );
    }
    Ok(FIRMWARE.len() as u64 + 1)
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
    if let Some(bundled) = &firmware.bundled {
        keeps_to(&bytes, &bundled.budget).with_context(|| firmware.image)?;
    }
    let image = Image::parse(bytes, &ParseOptions::default())?;
    Ok(image.to_bytes(firmware.format, &WriteOptions::default())?)
}

/// Checks that a program keeps to its budget and that nothing in it can panic: what cannot be called
/// is not linked, so it is enough that no function of `core::panicking` is there.
fn keeps_to(bytes: &[u8], budget: &Budget) -> Result<()> {
    let program = object::File::parse(bytes)?;
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
    ensure!(
        program.symbols().next().is_some(),
        "it has no symbols, so nobody can tell whether it can panic"
    );
    for symbol in program.symbols() {
        let name = symbol.name()?;
        ensure!(!name.contains("panicking"), "it can panic: {name}");
    }
    println!("  {flash_bytes} bytes of flash, {ram_bytes} of variables, no panic");
    stack::keeps_to(bytes, &program, budget.stack_bytes)
}

/// Compiles it and returns where the ELF file is.
fn compile(root: &Path, firmware: &Firmware) -> Result<PathBuf> {
    let folder = root.join(firmware.folder);
    // Ours, whatever the environment says: the program is looked for in it.
    let target_folder = folder.join("target");
    let mut cargo = run::command("cargo", &folder);
    // By way of the configuration, where it joins the flags that the folder's own asks for. As a
    // JSON text, which TOML reads as well: the root's name may have spaces and worse.
    let remap = serde_json::to_string(&format!("--remap-path-prefix={}=", root.display()))?;
    let target = firmware.target;
    cargo
        .arg("--config")
        .arg(format!("target.{target}.rustflags=[{remap}]"));
    // These would be taken instead.
    cargo.env_remove("RUSTFLAGS");
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.args(["build", "--quiet", "--release", "--locked"]);
    cargo.args(["--bin", firmware.program, "--features", firmware.features]);
    cargo
        .args(["--target", target, "--target-dir"])
        .arg(&target_folder);
    run::status(&mut cargo)?;
    let profile = target_folder.join(target).join("release");
    // Some targets give programs an extension of their own.
    let names = ["", ".elf"].map(|end| profile.join(format!("{}{end}", firmware.program)));
    let program = names.into_iter().find(|program| program.is_file());
    program.with_context(|| format!("no {} in {}", firmware.program, profile.display()))
}

fn find(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
