//! A line by its number below `/sys/class/gpio`: Linux's interface before the character device,
//! deprecated and left out of many kernels. What stm32flash's `-i` counts by.
//!
//! Ruled by Linux's `Documentation/admin-guide/gpio/sysfs.rst`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long udev may take to give a line's files to the user's group.
const SETTLING: Duration = Duration::from_secs(1);

/// Pause between two looks at them.
const LOOK: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Output {
    folder: PathBuf,
    /// The file by which to give the line back, and what to write there.
    unexport: Option<(PathBuf, String)>,
    /// Whether it was an input before.
    was_input: bool,
}

impl Output {
    /// Makes the line of that number, below `root`, an output with this level.
    pub(super) fn open(root: &Path, number: &str, high: bool) -> Result<Self, String> {
        let number: u32 = number
            .parse()
            .map_err(|_| "sysfs knows lines by number only".to_owned())?;
        if !root.is_dir() {
            return Err(format!(
                "this kernel has no {}; name the line as gpio:CHIP/LINE",
                root.display()
            ));
        }
        let folder = root.join(format!("gpio{number}"));
        let mut unexport = None;
        if !folder.is_dir() {
            put(&root.join("export"), &number.to_string())
                .map_err(|error| not_exported(root, &error))?;
            unexport = Some((root.join("unexport"), number.to_string()));
        }
        let mut output = Self {
            folder,
            unexport,
            was_input: false,
        };
        let before = output.direction()?;
        output.was_input = before.trim() == "in";
        output.set(high)?;
        Ok(output)
    }

    /// What the line is now, as soon as its files may be used.
    fn direction(&self) -> Result<String, String> {
        let path = self.folder.join("direction");
        let begun = Instant::now();
        loop {
            let usable = fs::OpenOptions::new().read(true).write(true).open(&path);
            match usable {
                Ok(_) => return fs::read_to_string(&path).map_err(|error| told(&path, &error)),
                Err(error) if begun.elapsed() > SETTLING => return Err(told(&path, &error)),
                Err(_) => thread::sleep(LOOK),
            }
        }
    }

    /// Both words make it an output that has this level from the first moment.
    pub(super) fn set(&self, high: bool) -> Result<(), String> {
        let level = if high { "high" } else { "low" };
        write(&self.folder.join("direction"), level)
    }
}

impl Drop for Output {
    /// Gives the line back as it was found. Nobody is left to be told of a failure.
    fn drop(&mut self) {
        if self.was_input {
            let _ = write(&self.folder.join("direction"), "in");
        }
        if let Some((file, number)) = &self.unexport {
            let _ = write(file, number);
        }
    }
}

/// What the kernel's refusal to give out a line means: `drivers/gpio/gpiolib-sysfs.c` of Linux.
fn not_exported(root: &Path, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EBUSY) => "another program or a driver has it".to_owned(),
        Some(libc::EINVAL) => "there is no line of this number".to_owned(),
        _ => told(&root.join("export"), error),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    put(path, text).map_err(|error| told(path, &error))
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    // Opened, not made: there is a line or there is none.
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `/sys/class/gpio` of plain files, in which a write replaces only as much as it is long.
    struct Sysfs(PathBuf);

    impl Sysfs {
        fn new(test: &str) -> Self {
            let name = format!("flashwire-gpio-{test}-{}", std::process::id());
            let root = Self(std::env::temp_dir().join(name));
            fs::create_dir_all(&root.0).unwrap();
            root.put("export", "");
            root.put("unexport", "");
            root
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn get(&self, path: &str) -> String {
            fs::read_to_string(self.0.join(path)).unwrap()
        }
    }

    impl Drop for Sysfs {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_exported_line_gets_its_level_with_its_direction_and_stays_exported() {
        let sysfs = Sysfs::new("exported");
        sysfs.put("gpio17/direction", "out");
        let output = Output::open(&sysfs.0, "17", true).unwrap();
        assert_eq!(sysfs.get("gpio17/direction"), "high");
        output.set(false).unwrap();
        assert_eq!(&sysfs.get("gpio17/direction")[..3], "low");
        drop(output);
        assert_eq!(sysfs.get("export"), "");
        assert_eq!(sysfs.get("unexport"), "");
        assert_eq!(&sysfs.get("gpio17/direction")[..3], "low");
    }

    #[test]
    fn an_input_becomes_one_again() {
        let sysfs = Sysfs::new("input");
        sysfs.put("gpio17/direction", "in\n");
        drop(Output::open(&sysfs.0, "17", false).unwrap());
        assert_eq!(&sysfs.get("gpio17/direction")[..2], "in");
    }

    #[test]
    fn a_line_that_nobody_has_is_exported_and_given_back() {
        let sysfs = Sysfs::new("fresh");
        let kernel = {
            let root = sysfs.0.clone();
            thread::spawn(move || {
                // What the kernel does when a number is written to `export`.
                let begun = Instant::now();
                while fs::read_to_string(root.join("export")).unwrap() != "4" {
                    assert!(begun.elapsed() < SETTLING, "nothing was exported");
                    thread::sleep(Duration::from_millis(1));
                }
                fs::create_dir(root.join("gpio4")).unwrap();
                fs::write(root.join("gpio4/direction"), "in\n").unwrap();
            })
        };
        let output = Output::open(&sysfs.0, "4", true).unwrap();
        kernel.join().unwrap();
        assert_eq!(sysfs.get("gpio4/direction"), "high");
        drop(output);
        assert_eq!(sysfs.get("unexport"), "4");
    }

    #[test]
    fn what_is_not_there_is_told() {
        let sysfs = Sysfs::new("missing");
        let error = Output::open(&sysfs.0, "GPIO4", true).unwrap_err();
        assert_eq!(error, "sysfs knows lines by number only");
        let error = Output::open(&sysfs.0.join("none"), "4", true).unwrap_err();
        assert!(error.contains("gpio:CHIP/LINE"), "{error}");
    }
}
