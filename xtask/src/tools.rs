//! What the tests need besides cargo, how to tell whether it is there, and how to install it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run;

/// Python packages that the tests need, with their versions.
const PYTHON_PACKAGES: &str = "tests/requirements.txt";

/// Compilation targets besides the machine's own.
const TARGETS: [&str; 2] = ["thumbv7m-none-eabi", "wasm32-unknown-unknown"];

/// What compiles for AVR. No stable toolchain does: there is no `core` for it, and interrupt handlers
/// have an ABI of their own. The date stands in [`AVR_FOLDER`] too.
const AVR_TOOLCHAIN: &str = "nightly-2026-05-20";

/// Where it is used, from the root.
const AVR_FOLDER: &str = "firmware/atmega328p";

/// A program that the tests run, and the Debian package that it comes in.
struct Program {
    name: &'static str,
    package: &'static str,
}

const PROGRAMS: &[Program] = &[
    // The judge of the simulated boot ROMs.
    Program {
        name: "stm32flash",
        package: "stm32flash",
    },
    // The judge of the simulated serprog programmers and SPI flash chips.
    Program {
        name: "flashrom",
        package: "flashrom",
    },
    // The Linux that judges the emulated programmer runs in it.
    Program {
        name: "qemu-system-x86_64",
        package: "qemu-system-x86",
    },
    // All the programs of that Linux but flashrom; without libraries.
    Program {
        name: "busybox",
        package: "busybox-static",
    },
    // The linker of the ATmega328P's image.
    Program {
        name: "avr-gcc",
        package: "gcc-avr",
    },
    // The judge of the simulated Arduino boards.
    Program {
        name: "avrdude",
        package: "avrdude",
    },
    // The judge of the I2C buses that the preload library stands for.
    Program {
        name: "i2cdetect",
        package: "i2c-tools",
    },
    // libFuzzer is C++.
    Program {
        name: "c++",
        package: "g++",
    },
    // Drops root for the tests of forbidden ports.
    Program {
        name: "setpriv",
        package: "util-linux",
    },
    // Sets up terminals, as people do by hand.
    Program {
        name: "stty",
        package: "coreutils",
    },
];

/// What a test tool is linked with or given: a file of it, and the Debian package that it comes in.
const LIBRARIES: &[Program] = &[
    // Executes the ATmega328P's image.
    Program {
        name: "/usr/include/simavr/sim_avr.h",
        package: "libsimavr-dev",
    },
    // Bootloaders of Arduino boards, to be executed.
    Program {
        name: "/usr/share/arduino/hardware/arduino/avr/bootloaders/optiboot/optiboot_atmega328.hex",
        package: "arduino-core-avr",
    },
];

/// Gets the kernel that Debian's `linux-image-amd64` stands for, with its modules, and unpacks it
/// without installing it. The one for clouds has no USB.
const UNPACK_KERNEL: &str = "rm -rf target/kernel target/kernel.new && mkdir -p target/kernel.new && \
    cd target/kernel.new && apt-get download $(apt-cache depends linux-image-amd64 | \
    sed -n 's/.*Depends: \\(linux-image-[0-9].*\\)/\\1/p') && dpkg -x linux-image-*.deb . && \
    rm linux-image-*.deb && mv ../kernel.new ../kernel";

/// What is missing on this machine.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Debian packages.
    packages: Vec<&'static str>,
    /// Compilation targets.
    targets: Vec<&'static str>,
    /// [`AVR_TOOLCHAIN`], or the sources of `core` in it.
    avr_toolchain: bool,
    /// There is no kernel in [`kernel_folder`].
    kernel: bool,
    /// The folder of Python packages is not as [`PYTHON_PACKAGES`] wants it.
    python: bool,
}

/// Where the tests look for a kernel.
fn kernel_folder(root: &Path) -> PathBuf {
    root.join("target").join("kernel")
}

/// Where the tests look for Python tools.
fn python_folder(root: &Path) -> PathBuf {
    root.join("target").join("python")
}

impl Missing {
    /// Looks at this machine.
    pub(crate) fn find(root: &Path) -> Result<Self> {
        let mut packages: Vec<_> = PROGRAMS
            .iter()
            .filter(|program| !in_path(program.name))
            .map(|program| program.package)
            .collect();
        let libraries = LIBRARIES.iter();
        let libraries = libraries.filter(|library| !Path::new(library.name).is_file());
        packages.extend(libraries.map(|library| library.package));
        // Debian ships the module without the part that fills a new environment.
        let mut venv = run::command("python3", root);
        if run::output(venv.args(["-c", "import ensurepip, venv"])).is_err() {
            packages.push("python3-venv");
        }
        let mut targets = Vec::new();
        for target in TARGETS {
            if !has_target(root, target)? {
                targets.push(target);
            }
        }
        Ok(Self {
            packages,
            targets,
            avr_toolchain: !has_avr_toolchain(root),
            kernel: !kernel_folder(root).join("boot").is_dir(),
            python: !python_is_complete(root),
        })
    }

    /// Whether nothing is.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The line for a shell that would install it all.
    pub(crate) fn line(&self, root: &Path) -> String {
        let mut steps = Vec::new();
        for command in self.commands(root) {
            steps.push(run::shown(&command));
        }
        steps.join(" && ")
    }

    /// Installs it all.
    pub(crate) fn install(&self, root: &Path) -> Result<()> {
        for mut command in self.commands(root) {
            println!("install: {}", run::shown(&command));
            let installed = command.status().is_ok_and(|status| status.success());
            if !installed && is_apt(&command) {
                // The lists of a fresh machine are empty, and those of an old one name what is gone.
                run::status(apt_get(root).arg("update"))?;
                run::status(&mut command)?;
            } else {
                ensure!(installed, "`{}` failed", run::shown(&command));
            }
        }
        if self.python {
            fs::copy(root.join(PYTHON_PACKAGES), installed_packages(root))?;
        }
        Ok(())
    }

    fn commands(&self, root: &Path) -> Vec<Command> {
        let mut commands = Vec::new();
        if !self.packages.is_empty() {
            let mut install = apt_get(root);
            install.args(["install", "-y", "--no-install-recommends"]);
            install.args(&self.packages);
            commands.push(install);
        }
        if !self.targets.is_empty() {
            let mut add = run::command("rustup", root);
            add.args(["target", "add"]).args(&self.targets);
            commands.push(add);
        }
        if self.avr_toolchain {
            let mut install = run::command("rustup", root);
            install.args(["toolchain", "install", AVR_TOOLCHAIN]);
            install.args(["--profile", "minimal", "--component", "rust-src"]);
            commands.push(install);
        }
        if self.kernel {
            let mut unpack = run::command("sh", root);
            unpack.args(["-c", UNPACK_KERNEL]);
            commands.push(unpack);
        }
        if self.python {
            let folder = python_folder(root);
            let mut create = run::command("python3", root);
            create.args(["-m", "venv", "--clear"]).arg(&folder);
            let pip = folder.join("bin").join("pip");
            let mut fill = run::command(&pip.to_string_lossy(), root);
            fill.args(["install", "--quiet", "--requirement", PYTHON_PACKAGES]);
            commands.extend([create, fill]);
        }
        commands
    }
}

/// `apt-get`, by whoever may run it.
fn apt_get(root: &Path) -> Command {
    let user = run::output(run::command("id", root).arg("-u")).unwrap_or_default();
    if user.trim() == "0" {
        let mut command = run::command("apt-get", root);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    } else {
        let mut command = run::command("sudo", root);
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    }
}

fn is_apt(command: &Command) -> bool {
    run::shown(command).contains("apt-get ")
}

/// Whether a program of that name can be run. `/usr/sbin` counts: Debian keeps some tools there,
/// out of the path of those who are not root.
fn in_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .any(|folder| folder.join(name).is_file())
}

/// Whether the toolchain of the tree can compile for that target, whoever installed it.
fn has_target(root: &Path, target: &str) -> Result<bool> {
    let mut rustc = run::command("rustc", root);
    rustc.args(["--print", "target-libdir", "--target", target]);
    let folder = run::output(&mut rustc).context("the compiler is missing")?;
    Ok(Path::new(folder.trim()).is_dir())
}

fn has_avr_toolchain(root: &Path) -> bool {
    let mut rustc = run::command("rustc", &root.join(AVR_FOLDER));
    let Ok(sysroot) = run::output(rustc.args(["--print", "sysroot"])) else {
        return false;
    };
    let core = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
    core.is_dir()
}

/// A copy of [`PYTHON_PACKAGES`] as it was when they were installed: written last.
fn installed_packages(root: &Path) -> PathBuf {
    python_folder(root).join("requirements.txt")
}

fn python_is_complete(root: &Path) -> bool {
    let wanted = fs::read(root.join(PYTHON_PACKAGES));
    let installed = fs::read(installed_packages(root));
    matches!((wanted, installed), (Ok(wanted), Ok(installed)) if wanted == installed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_installs_all_that_is_missing_and_nothing_else() {
        let root = Path::new("/r");
        let missing = Missing {
            packages: vec!["g++", "stm32flash"],
            targets: vec!["thumbv7m-none-eabi"],
            avr_toolchain: true,
            kernel: true,
            python: true,
        };
        let line = missing.line(root);
        for part in [
            "apt-get install -y --no-install-recommends g++ stm32flash",
            "rustup target add thumbv7m-none-eabi",
            "rustup toolchain install nightly-2026-05-20 --profile minimal --component rust-src",
            "apt-get download $(apt-cache depends linux-image-amd64",
            "python3 -m venv --clear /r/target/python",
            "/r/target/python/bin/pip install --quiet --requirement tests/requirements.txt",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert_eq!(line.matches(" && ").count(), 11);
        assert_eq!(Missing::default().line(root), "");
    }

    #[test]
    fn the_toolchain_for_avr_is_the_one_of_its_folder() {
        let file = crate::root().join(AVR_FOLDER).join("rust-toolchain.toml");
        let channel = format!("channel = {AVR_TOOLCHAIN:?}");
        assert!(fs::read_to_string(file).unwrap().contains(&channel));
    }

    #[test]
    fn programs_are_found_by_their_files() {
        assert!(in_path("sh"));
        assert!(!in_path("no-program-is-named-like-this"));
    }

    #[test]
    fn a_target_that_is_not_installed_is_missing() {
        let root = crate::root();
        let host = run::output(run::command("rustc", &root).args(["--print", "host-tuple"]));
        assert!(has_target(&root, host.unwrap().trim()).unwrap());
        // A target that rustc knows and nobody has installed for this.
        assert!(!has_target(&root, "msp430-none-elf").unwrap());
    }
}
