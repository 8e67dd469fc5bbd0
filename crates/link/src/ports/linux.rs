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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A system of directories and links, gone at the end of the test.
    struct System(PathBuf);

    impl System {
        fn new(test: &str) -> Self {
            let name = format!("flashwire-ports-{test}-{}", std::process::id());
            // The directory for temporary files can itself be behind a link.
            let system = Self(std::env::temp_dir().canonicalize().unwrap().join(name));
            system.directory("sys/class/tty");
            system.directory("dev");
            system
        }

        fn directory(&self, path: &str) {
            fs::create_dir_all(self.0.join(path)).unwrap();
        }

        fn file(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        /// `link` leads to `target`, which is made if it is not there.
        fn link(&self, link: &str, target: &str) {
            self.directory(target);
            let link = self.0.join(link);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(self.0.join(target), link).unwrap();
        }

        /// A terminal `name` on `device`, which belongs to `subsystem` and has `driver`.
        fn tty(&self, name: &str, device: &str, subsystem: &str, driver: &str) {
            self.directory(device);
            self.link(
                &format!("{device}/subsystem"),
                &format!("sys/bus/{subsystem}"),
            );
            self.link(
                &format!("{device}/driver"),
                &format!("sys/drivers/{driver}"),
            );
            self.link(&format!("sys/class/tty/{name}/device"), device);
            self.file(&format!("dev/{name}"), "");
        }

        fn usb_device(&self, path: &str, facts: &[(&str, &str)]) {
            for (name, text) in facts {
                self.file(&format!("{path}/{name}"), &format!("{text}\n"));
            }
        }

        fn ports(&self) -> Vec<Port> {
            let mut ports = ports(&self.0).unwrap();
            ports.sort_by(|a, b| a.name.cmp(&b.name));
            ports
        }
    }

    impl Drop for System {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_usb_adapter_is_listed_with_all_that_it_tells() {
        let system = System::new("adapter");
        let device = "sys/devices/pci0/usb1/1-2/1-2.4";
        system.usb_device(
            device,
            &[
                ("idVendor", "0403"),
                ("idProduct", "6010"),
                ("manufacturer", "FTDI"),
                ("product", "Dual RS232-HS"),
                ("serial", "FT1234"),
                ("busnum", "1"),
                ("devpath", "2.4"),
                ("1-2.4:1.1/bInterfaceNumber", "01"),
            ],
        );
        system.tty(
            "ttyUSB1",
            &format!("{device}/1-2.4:1.1/ttyUSB1"),
            "usb-serial",
            "ftdi_sio",
        );
        system.directory("dev/serial/by-id");
        system.directory("dev/serial/by-path");
        for alias in [
            "by-path/pci-usb-0:2.4:1.1-port0",
            "by-id/usb-FTDI_FT1234-if01-port0",
        ] {
            symlink("../../ttyUSB1", system.0.join("dev/serial").join(alias)).unwrap();
        }

        assert_eq!(
            system.ports(),
            [Port {
                name: "/dev/ttyUSB1".to_owned(),
                kind: PortKind::Usb(UsbPort {
                    vid: 0x0403,
                    pid: 0x6010,
                    manufacturer: Some("FTDI".to_owned()),
                    product: Some("Dual RS232-HS".to_owned()),
                    serial_number: Some("FT1234".to_owned()),
                    location: Some("1-2.4".to_owned()),
                    interface: Some(1),
                }),
                aliases: vec![
                    "/dev/serial/by-id/usb-FTDI_FT1234-if01-port0".to_owned(),
                    "/dev/serial/by-path/pci-usb-0:2.4:1.1-port0".to_owned(),
                ],
                driver: Some("ftdi_sio".to_owned()),
            }]
        );
    }

    #[test]
    fn a_device_that_is_its_own_port_may_tell_only_its_ids() {
        let system = System::new("cdc");
        let device = "sys/devices/pci0/usb1/1-1";
        system.usb_device(
            device,
            &[("idVendor", "0483"), ("idProduct", "5740"), ("product", "")],
        );
        system.tty("ttyACM0", &format!("{device}/1-1:1.0"), "usb", "cdc_acm");
        let ports = system.ports();
        assert_eq!(ports.len(), 1);
        assert_eq!(
            ports[0].kind,
            PortKind::Usb(UsbPort {
                vid: 0x0483,
                pid: 0x5740,
                ..UsbPort::default()
            })
        );
        assert_eq!(ports[0].driver.as_deref(), Some("cdc_acm"));
    }

    #[test]
    fn ports_of_the_computer_itself_are_listed_by_what_they_hang_on() {
        let system = System::new("onboard");
        system.tty("ttyAMA0", "sys/devices/soc/serial0", "amba", "uart-pl011");
        system.tty("ttyS4", "sys/devices/pci0/0000:05", "pci", "serial");
        system.file("sys/class/tty/ttyS4/type", "4\n");
        // As Linux 6.5 and later show it: the hardware is two nodes up.
        system.tty(
            "ttyS0",
            "sys/devices/pnp0/00:00/00:00:0/00:00:0.0",
            "serial-base",
            "port",
        );
        system.link(
            "sys/devices/pnp0/00:00/00:00:0/subsystem",
            "sys/bus/serial-base",
        );
        system.link("sys/devices/pnp0/00:00/subsystem", "sys/bus/pnp");
        system.link("sys/devices/pnp0/00:00/driver", "sys/drivers/serial");
        // No device, as its name says.
        system.file("sys/class/tty/rfcomm0/dev", "216:0");
        system.file("dev/rfcomm0", "");

        let found: Vec<_> = system
            .ports()
            .into_iter()
            .map(|port| (port.name, port.kind, port.driver))
            .collect();
        assert_eq!(
            found,
            [
                ("/dev/rfcomm0".to_owned(), PortKind::Bluetooth, None),
                (
                    "/dev/ttyAMA0".to_owned(),
                    PortKind::Other,
                    Some("uart-pl011".to_owned())
                ),
                (
                    "/dev/ttyS0".to_owned(),
                    PortKind::Other,
                    Some("serial".to_owned())
                ),
                (
                    "/dev/ttyS4".to_owned(),
                    PortKind::Pci,
                    Some("serial".to_owned())
                ),
            ]
        );
    }

    #[test]
    fn what_is_no_serial_port_is_not_listed() {
        let system = System::new("others");
        // A console.
        system.file("sys/class/tty/tty1/dev", "4:1");
        system.file("dev/tty1", "");
        // A number that the 8250 driver keeps free.
        system.tty(
            "ttyS9",
            "sys/devices/platform/serial8250",
            "platform",
            "serial8250",
        );
        system.file("sys/class/tty/ttyS9/type", "0\n");
        // Known to the kernel, but with no node to open, as in a container.
        system.tty("ttyUSB0", "sys/devices/x", "pci", "y");
        fs::remove_file(system.0.join("dev/ttyUSB0")).unwrap();
        assert_eq!(system.ports(), []);
    }

    #[test]
    fn a_system_without_sys_has_no_ports() {
        let system = System::new("bare");
        fs::remove_dir_all(system.0.join("sys")).unwrap();
        assert_eq!(system.ports(), []);
    }
}
