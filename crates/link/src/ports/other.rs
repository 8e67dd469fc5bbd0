//! The list on macOS, Windows and the BSDs, as `serialport` gives it.

use serialport::SerialPortType;

use super::{Port, PortKind, UsbPort};
use crate::LinkError;

/// Lists the ports, unsorted.
pub(super) fn ports() -> Result<Vec<Port>, LinkError> {
    let found = serialport::available_ports().map_err(std::io::Error::from)?;
    let ports = found
        .into_iter()
        // macOS has each port twice; the `tty` one waits for a carrier.
        .filter(|port| !port.port_name.starts_with("/dev/tty."))
        .map(|port| Port {
            name: port.port_name,
            kind: match port.port_type {
                SerialPortType::UsbPort(usb) => PortKind::Usb(UsbPort {
                    vid: usb.vid,
                    pid: usb.pid,
                    manufacturer: usb.manufacturer,
                    product: usb.product,
                    serial_number: usb.serial_number,
                    location: usb.location.map(|location| location.to_string()),
                    interface: usb.interface,
                }),
                SerialPortType::PciPort => PortKind::Pci,
                SerialPortType::BluetoothPort => PortKind::Bluetooth,
                SerialPortType::Unknown => PortKind::Other,
            },
            aliases: Vec::new(),
            driver: None,
        })
        .collect();
    Ok(ports)
}
