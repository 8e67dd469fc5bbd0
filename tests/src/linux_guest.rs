//! A Linux of its own, in a virtual machine: the kernel that Debian ships, and nothing else running
//! but one script.
//!
//! `cargo xtask test --install` brings QEMU, busybox and the kernel's package, which is unpacked
//! into `target/kernel` and not installed. There is no hardware acceleration: the processor is
//! interpreted, everywhere alike.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::judge::{self, Outcome};

/// Kernel modules, in the order in which they have to be loaded.
const MODULES: [&str; 5] = ["usb-common", "usbcore", "xhci-hcd", "xhci-pci", "cdc-acm"];

/// A machine that has not been switched on yet.
#[derive(Debug)]
pub struct Guest {
    folder: TempDir,
    files: Archive,
    kernel: PathBuf,
}

impl Guest {
    /// A machine with busybox and the drivers of USB ports.
    ///
    /// # Panics
    /// If kernel or busybox are not there.
    pub fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kernel");
        let missing = "the kernel is missing: cargo xtask test --install";
        let kernel = find(&root.join("boot"), "vmlinuz-").expect(missing);
        let mut files = Archive::default();
        for folder in ["bin", "dev", "proc", "sys", "run", "tmp", "mods"] {
            files.add_folder(folder);
        }
        files.add("bin/busybox", &read("/bin/busybox"), 0o755);
        for module in MODULES {
            let path = find(&root.join("lib/modules"), &format!("{module}.ko")).expect(missing);
            let name = format!("mods/{module}.ko");
            files.add(&name, &fs::read(path).expect("it can be read"), 0o644);
        }
        Self {
            folder: tempfile::tempdir().expect("there is room for temporary files"),
            files,
            kernel,
        }
    }

    /// Puts a file there.
    pub fn add(&mut self, path: &str, content: &[u8]) {
        self.files.add(path, content, 0o644);
    }

    /// Puts a program of this machine there, with the libraries that it needs.
    ///
    /// # Panics
    /// If `ldd` does not know them.
    pub fn add_program(&mut self, program: &Path) {
        let name = program.file_name().expect("a program").to_string_lossy();
        let bytes = fs::read(program).expect("it can be read");
        self.files.add(&format!("bin/{name}"), &bytes, 0o755);
        let libraries = judge::run(Command::new("ldd").arg(program)).success();
        for path in libraries.split_whitespace() {
            if path.starts_with('/') && !self.files.has(&path[1..]) {
                self.files.add(&path[1..], &read(path), 0o755);
            }
        }
    }

    /// Switches it on with its USB port wired to a usbredir at `address`, runs the script when its
    /// drivers are loaded, and switches it off.
    ///
    /// # Panics
    /// If QEMU is not installed, or takes longer than any judge may.
    pub fn run(mut self, address: &str, script: &str) -> Outcome {
        let init = format!(
            "#!/bin/busybox sh\n\
             /bin/busybox --install -s /bin\n\
             export PATH=/bin\n\
             mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev\n\
             for module in {}; do insmod /mods/$module.ko; done\n\
             {script}\n\
             poweroff -f\n",
            MODULES.join(" ")
        );
        self.files.add("init", init.as_bytes(), 0o755);
        let archive = self.folder.path().join("initramfs");
        fs::write(&archive, self.files.finish()).expect("there is room for it");
        let (host, port) = address.rsplit_once(':').expect("an address has a port");
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-machine", "q35,accel=tcg", "-cpu", "max", "-m", "256"]);
        qemu.args(["-nodefaults", "-no-reboot", "-display", "none"]);
        qemu.args(["-serial", "stdio", "-device", "qemu-xhci"]);
        qemu.args([
            "-chardev",
            &format!("socket,id=usb,host={host},port={port}"),
            "-device",
            "usb-redir,chardev=usb",
        ]);
        qemu.arg("-kernel").arg(&self.kernel);
        qemu.arg("-initrd").arg(&archive);
        qemu.args(["-append", "console=ttyS0 quiet loglevel=3 panic=-1"]);
        judge::run(&mut qemu)
    }
}

impl Default for Guest {
    fn default() -> Self {
        Self::new()
    }
}

fn read(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}: cargo xtask test --install"))
}

/// The first file below `folder` whose name begins like that.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort();
    entries.iter().find_map(|path| {
        if path.is_dir() && !path.is_symlink() {
            return find(path, name);
        }
        let matches = path.file_name()?.to_str()?.starts_with(name);
        matches.then(|| path.clone())
    })
}

/// A cpio archive of the new ASCII format, which the kernel unpacks: `initramfs` buffer format, in
/// the kernel's documentation.
#[derive(Debug, Default)]
struct Archive {
    bytes: Vec<u8>,
    names: Vec<String>,
}

impl Archive {
    fn has(&self, path: &str) -> bool {
        self.names.iter().any(|name| name == path)
    }

    fn add_folder(&mut self, path: &str) {
        if !self.has(path) {
            self.entry(path, &[], 0o040_755);
        }
    }

    /// A file, and the folders that it is in.
    fn add(&mut self, path: &str, content: &[u8], mode: u32) {
        for (end, _) in path.match_indices('/') {
            self.add_folder(&path[..end]);
        }
        self.entry(path, content, 0o100_000 | mode);
    }

    fn entry(&mut self, path: &str, content: &[u8], mode: u32) {
        let number = self.names.len() as u32 + 1;
        // Inode, mode, owner, group, links, time, size, four device numbers, length of the name,
        // check sum.
        let fields = [
            number,
            mode,
            0,
            0,
            1,
            0,
            content.len() as u32,
            0,
            0,
            0,
            0,
            path.len() as u32 + 1,
            0,
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(path.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
        self.names.push(path.to_owned());
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }

    fn finish(&mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", &[], 0);
        std::mem::take(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_its_entries_on_multiples_of_four() {
        let mut archive = Archive::default();
        archive.add("bin/a", b"12345", 0o755);
        let bytes = archive.finish();
        assert!(bytes.starts_with(b"070701"));
        let headers: Vec<usize> = bytes
            .windows(6)
            .enumerate()
            .filter(|(_, window)| window == b"070701")
            .map(|(at, _)| at)
            .collect();
        // The folder, the file, the trailer.
        assert_eq!(headers, [0, 116, 240]);
        assert!(bytes[116..].starts_with(b"07070100000002000081ed"));
    }
}
