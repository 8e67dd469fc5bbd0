//! The list on Linux, read from `/sys` as the kernel's documentation of sysfs describes it, without
//! libudev.
//!
//! `serialport` reads it too, but panics where `/sys` is not mounted, leaves out the UARTs of most
//! boards, and lists the thirty-odd ports that the 8250 driver only reserves.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Port, PortKind, UsbPort};
use crate::LinkError;

/// Lists the ports of the system whose root directory is `root`, unsorted.
pub(super) fn ports(root: &Path) -> Result<Vec<Port>, LinkError> {
    let class = match fs::read_dir(root.join("sys/class/tty")) {
        Ok(class) => class,
        // A container without /sys, or a kernel without terminals.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LinkError::Io(error)),
    };
    let mut aliases = aliases(root);
    let mut ports = Vec::new();
    for entry in class {
        let entry = entry?;
        let device = root.join("dev").join(entry.file_name());
        let Some((kind, driver)) = identify(&entry.path()).filter(|_| device.exists()) else {
            continue;
        };
        ports.push(Port {
            name: shown(root, &device),
            kind,
            aliases: aliases.remove(&device).unwrap_or_default(),
            driver,
        });
    }
    Ok(ports)
}

/// What the terminal `tty` (a directory of `/sys/class/tty`) is and which driver serves it, if it is
/// a serial port.
fn identify(tty: &Path) -> Option<(PortKind, Option<String>)> {
    if tty.file_name()?.to_string_lossy().starts_with("rfcomm") {
        return Some((PortKind::Bluetooth, None));
    }
    // `PORT_UNKNOWN` of `include/uapi/linux/serial_core.h`: a number that the 8250 driver keeps
    // free, without hardware.
    if read(tty, "type").is_some_and(|kind| kind == "0") {
        return None;
    }
    // Consoles and ptys have no device.
    let mut device = fs::canonicalize(tty.join("device")).ok()?;
    let mut subsystem = link_name(&device.join("subsystem"))?;
    // Since Linux 6.5 a port of the serial core hangs below two nodes of its own.
    while subsystem == "serial-base" {
        device = device.parent()?.to_owned();
        subsystem = link_name(&device.join("subsystem"))?;
    }
    let kind = match subsystem.as_str() {
        "usb" => usb(&device)?,
        "usb-serial" => usb(device.parent()?)?,
        "pci" => PortKind::Pci,
        _ => PortKind::Other,
    };
    Some((kind, link_name(&device.join("driver"))))
}

/// Facts about the USB device that `interface` belongs to.
fn usb(interface: &Path) -> Option<PortKind> {
    let device = interface.parent()?;
    let hex = |name| u16::from_str_radix(&read(device, name)?, 16).ok();
    Some(PortKind::Usb(UsbPort {
        vid: hex("idVendor")?,
        pid: hex("idProduct")?,
        manufacturer: read(device, "manufacturer"),
        product: read(device, "product"),
        serial_number: read(device, "serial"),
        location: read(device, "busnum")
            .zip(read(device, "devpath"))
            .map(|(bus, ports)| format!("{bus}-{ports}")),
        interface: read(interface, "bInterfaceNumber")
            .and_then(|number| u8::from_str_radix(&number, 16).ok()),
    }))
}

/// The symbolic links below `/dev/serial`, by the device they lead to.
fn aliases(root: &Path) -> BTreeMap<PathBuf, Vec<String>> {
    let mut aliases: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for directory in ["dev/serial/by-id", "dev/serial/by-path"] {
        let Ok(links) = fs::read_dir(root.join(directory)) else {
            continue;
        };
        for link in links.flatten() {
            if let Ok(device) = fs::canonicalize(link.path()) {
                aliases
                    .entry(device)
                    .or_default()
                    .push(shown(root, &link.path()));
            }
        }
    }
    for names in aliases.values_mut() {
        names.sort();
    }
    aliases
}

/// A path below `root` as it is called from inside.
fn shown(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    Path::new("/").join(inside).to_string_lossy().into_owned()
}

/// The last part of what a symbolic link leads to.
fn link_name(link: &Path) -> Option<String> {
    let target = fs::read_link(link).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}

/// The text in an attribute file, if there is any.
fn read(directory: &Path, attribute: &str) -> Option<String> {
    let text = fs::read_to_string(directory.join(attribute)).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
