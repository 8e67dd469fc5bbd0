//! Facts about this computer, read from its files: who the user is, whom a port belongs to, who has
//! it open, and what udev was told about it.
//!
//! On Linux these are `/proc`, `/sys`, `/etc` and `/run` (proc(5), sysfs(5), group(5), and the
//! database of systemd-udevd). Elsewhere, or where a file is missing, a fact is simply not known.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::advice::{GroupTool, System};
use crate::adapters;

/// What ModemManager's process is called.
pub(super) const MODEM_MANAGER: &str = "ModemManager";

/// A computer, as its files describe it.
#[derive(Clone, Debug)]
pub struct Computer {
    root: PathBuf,
}

/// A user, as this process is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Number of the user.
    pub uid: u32,
    /// Its name, or its number if it has none.
    pub name: String,
    /// The groups that this process belongs to: those of the login that it comes from.
    pub groups: BTreeSet<u32>,
}

/// A group, as the files of the computer have it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The users in it, but for those whose own group it is.
    pub members: Vec<String>,
    /// Whether it stands in `/usr/lib/group` only, where tools that change groups do not look.
    pub in_usr_lib: bool,
}

/// The node of a device in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its access rights: the nine lowest bits of the mode.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// A running program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// A USB device that should be a serial port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Vendor id.
    pub vid: u16,
    /// Product id.
    pub pid: u16,
    /// What it is.
    pub what: String,
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:04x}:{:04x})", self.what, self.vid, self.pid)
    }
}

impl Computer {
    /// This one.
    pub fn here() -> Self {
        Self::at("/")
    }

    /// One whose files lie below `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name.trim_start_matches('/'))
    }

    fn read(&self, name: &str) -> Option<String> {
        let text = fs::read(self.path(name)).ok()?;
        Some(String::from_utf8_lossy(&text).trim().to_owned())
    }

    fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// The user of this process. proc(5), `/proc/pid/status`: real, effective, saved and file system
    /// ids, then all supplementary groups.
    pub fn account(&self) -> Option<Account> {
        let status = self.read("proc/self/status")?;
        let numbers = |field: &str| -> Option<Vec<u32>> {
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            Some(
                line.split_whitespace()
                    .filter_map(|n| n.parse().ok())
                    .collect(),
            )
        };
        let uid = *numbers("Uid:")?.get(1)?;
        let mut groups: BTreeSet<u32> = numbers("Groups:")?.into_iter().collect();
        groups.extend(numbers("Gid:")?.get(1));
        let name = self
            .users()
            .into_iter()
            .find_map(|(name, number, _)| (number == uid).then_some(name));
        let name = name.unwrap_or_else(|| uid.to_string());
        Some(Account { uid, name, groups })
    }

    /// Name, number and own group of all users. passwd(5).
    fn users(&self) -> Vec<(String, u32, u32)> {
        let text = self.read("etc/passwd").unwrap_or_default();
        let user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some((name, uid, gid))
        };
        text.lines().filter_map(user).collect()
    }

    /// The group with this number. group(5).
    pub fn group(&self, gid: u32) -> Option<Group> {
        let find = |file: &str, in_usr_lib| {
            let text = self.read(file)?;
            text.lines().find_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                let [name, _, number, members] = fields[..] else {
                    return None;
                };
                (number.parse() == Ok(gid)).then(|| Group {
                    name: name.to_owned(),
                    members: members
                        .split(',')
                        .filter(|member| !member.is_empty())
                        .map(str::to_owned)
                        .collect(),
                    in_usr_lib,
                })
            })
        };
        find("etc/group", false).or_else(|| find("usr/lib/group", true))
    }

    /// Whether the files of the computer say that this user is in the group.
    pub fn is_member(&self, user: &str, gid: u32) -> bool {
        let listed = |group: Group| group.members.iter().any(|member| member == user);
        let own = self
            .users()
            .iter()
            .any(|(name, _, own)| name == user && *own == gid);
        own || self.group(gid).is_some_and(listed)
    }

    /// The node of a port.
    #[cfg(unix)]
    pub fn node(&self, port: &str) -> Option<Node> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(self.path(port)).ok()?;
        Some(Node {
            mode: metadata.mode() & 0o777,
            uid: metadata.uid(),
            gid: metadata.gid(),
        })
    }

    /// The node of a port: nothing is known here.
    #[cfg(not(unix))]
    pub fn node(&self, port: &str) -> Option<Node> {
        let _ = port;
        None
    }

    /// The path of a port with all symbolic links followed, as seen from inside the computer.
    fn device(&self, port: &str) -> PathBuf {
        let Ok(real) = fs::canonicalize(self.path(port)) else {
            return PathBuf::from(port);
        };
        let root = fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        match real.strip_prefix(&root) {
            Ok(inside) => Path::new("/").join(inside),
            Err(_) => real,
        }
    }

    /// All running programs but this one.
    fn processes(&self) -> Vec<(Process, PathBuf)> {
        let own = self.read("proc/self/status").and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("Pid:"))?;
            line.trim().parse::<u32>().ok()
        });
        let Ok(entries) = fs::read_dir(self.path("proc")) else {
            return Vec::new();
        };
        let process = |entry: fs::DirEntry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let folder = entry.path();
            let name = fs::read_to_string(folder.join("comm")).ok()?;
            let name = name.trim().to_owned();
            Some((Process { pid, name }, folder))
        };
        let mut all: Vec<_> = entries.flatten().filter_map(process).collect();
        all.retain(|(process, _)| Some(process.pid) != own);
        all.sort();
        all
    }

    /// The programs that have the port open, as far as this user may know: those of others are
    /// hidden from everybody but root.
    pub fn holders(&self, port: &str) -> Vec<Process> {
        let device = self.device(port);
        let holds = |folder: &Path| {
            let Ok(files) = fs::read_dir(folder.join("fd")) else {
                return false;
            };
            files
                .flatten()
                .any(|file| fs::read_link(file.path()).is_ok_and(|target| target == device))
        };
        self.processes()
            .into_iter()
            .filter(|(_, folder)| holds(folder))
            .map(|(process, _)| process)
            .collect()
    }

    /// ModemManager, if it runs and looks at more ports than those it was told to.
    pub fn modem_manager(&self) -> Option<Process> {
        let (process, folder) = self
            .processes()
            .into_iter()
            .find(|(process, _)| process.name == MODEM_MANAGER)?;
        let line = fs::read(folder.join("cmdline")).unwrap_or_default();
        // ModemManager(8): with this policy it touches only what udev rules name.
        let only_named = String::from_utf8_lossy(&line).contains("whitelist-only");
        (!only_named).then_some(process)
    }

    /// Whether ModemManager would look at this port at all: a USB one, which no udev rule tells it
    /// to leave alone. The rules' words are ModemManager's API documentation, "Common udev tags".
    pub fn is_open_to_modem_manager(&self, port: &str) -> bool {
        let device = self.device(port);
        let Some(name) = device.file_name().and_then(OsStr::to_str) else {
            return false;
        };
        let class = self.path("sys/class/tty").join(name);
        let Ok(hardware) = fs::canonicalize(class.join("device")) else {
            return false;
        };
        let mut folders: Vec<PathBuf> = vec![class];
        folders.extend(hardware.ancestors().map(Path::to_owned));
        let on_usb = folders
            .iter()
            .any(|folder| subsystem(folder).is_some_and(|name| name == "usb"));
        let ignored = |folder: &PathBuf| {
            let entry = udev_entry(folder)?;
            let properties = self.read(&format!("run/udev/data/{entry}"))?;
            let told =
                |line: &str| matches!(line, "E:ID_MM_DEVICE_IGNORE=1" | "E:ID_MM_PORT_IGNORE=1");
            properties.lines().any(told).then_some(())
        };
        on_usb && folders.iter().find_map(ignored).is_none()
    }

    /// USB devices that are known as serial adapters, and have no serial port; with what has taken
    /// them instead.
    pub fn idle_adapters(&self) -> Vec<(Adapter, Option<String>)> {
        let Ok(devices) = fs::read_dir(self.path("sys/bus/usb/devices")) else {
            return Vec::new();
        };
        let mut folders: Vec<PathBuf> = devices.flatten().map(|entry| entry.path()).collect();
        folders.sort();
        folders.iter().filter_map(|folder| idle(folder)).collect()
    }

    /// What commands look like here; `gid` is the group that a user is to get into.
    pub fn system(&self, gid: Option<u32>) -> System {
        let root = self.account().is_some_and(|account| account.uid == 0);
        let elevate = if root {
            Some("")
        } else if self.has("usr/bin/sudo") || self.has("bin/sudo") {
            Some("sudo")
        } else if self.has("usr/bin/doas") {
            Some("doas")
        } else {
            None
        };
        let usermod = ["usr/sbin/usermod", "usr/bin/usermod", "sbin/usermod"];
        let copied = gid
            .and_then(|gid| self.group(gid))
            .is_some_and(|group| group.in_usr_lib);
        let groups = if self.has("etc/NIXOS") {
            GroupTool::Nix
        } else if copied {
            GroupTool::CopyFirst
        } else if usermod.iter().any(|tool| self.has(tool)) {
            GroupTool::Usermod
        } else {
            GroupTool::Addgroup
        };
        System {
            elevate,
            groups,
            container: self.has(".dockerenv") || self.has("run/.containerenv"),
        }
    }
}

/// The subsystem that a folder of sysfs belongs to.
fn subsystem(folder: &Path) -> Option<String> {
    let link = fs::read_link(folder.join("subsystem")).ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

/// What udev's database calls a device: by its number if it has a node, else by its name
/// (sd-device, `device_get_device_id`).
fn udev_entry(folder: &Path) -> Option<String> {
    if let Ok(number) = fs::read_to_string(folder.join("dev")) {
        return Some(format!("c{}", number.trim()));
    }
    let name = folder.file_name()?.to_string_lossy();
    Some(format!("+{}:{name}", subsystem(folder)?))
}

/// The device, if it is an adapter that no driver for serial ports serves.
fn idle(device: &Path) -> Option<(Adapter, Option<String>)> {
    let hex = |name: &str| {
        let text = fs::read_to_string(device.join(name)).ok()?;
        u16::from_str_radix(text.trim(), 16).ok()
    };
    let (vid, pid) = (hex("idVendor")?, hex("idProduct")?);
    let what = adapters::product(vid, pid)?.to_owned();
    let name = device.file_name()?.to_string_lossy().into_owned();
    let mut takers = Vec::new();
    for entry in fs::read_dir(device).ok()?.flatten() {
        // The interfaces of the device `1-2` are `1-2:1.0`, `1-2:1.1`.
        if !entry
            .file_name()
            .to_string_lossy()
            .starts_with(&format!("{name}:"))
        {
            continue;
        }
        if has_tty(&entry.path()) {
            return None;
        }
        let driver = fs::read_link(entry.path().join("driver")).ok();
        takers
            .extend(driver.and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned())));
    }
    Some((Adapter { vid, pid, what }, takers.into_iter().next()))
}

/// Whether an interface has a serial port: `1-2:1.0/tty/ttyACM0`, or `1-2:1.0/ttyUSB0` with the
/// adapters of the usb-serial core.
fn has_tty(interface: &Path) -> bool {
    let Ok(entries) = fs::read_dir(interface) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("tty"))
}
