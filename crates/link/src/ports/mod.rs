//! The serial ports that this computer has, with what the system knows about them.

use std::cmp::Ordering;

use crate::LinkError;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

/// A serial port of this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The name to open it by: `/dev/ttyUSB0`, `COM5`.
    pub name: String,
    /// What it is.
    pub kind: PortKind,
    /// Other names of the same port that stay the same wherever it is plugged in, or whatever is
    /// plugged in there: `/dev/serial/by-id/...`, `/dev/serial/by-path/...`. Only on Linux.
    pub aliases: Vec<String>,
    /// The driver that serves it (`ftdi_sio`, `cdc_acm`). Only on Linux.
    pub driver: Option<String>,
}

/// What a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PortKind {
    /// A USB adapter, or a device that is its own.
    Usb(UsbPort),
    /// A card in the computer.
    Pci,
    /// A serial profile of a Bluetooth device.
    Bluetooth,
    /// Part of the mainboard or the chip, or unknown.
    Other,
}

/// What a USB device tells about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsbPort {
    /// Vendor id.
    pub vid: u16,
    /// Product id.
    pub pid: u16,
    /// Name of the manufacturer.
    pub manufacturer: Option<String>,
    /// Name of the product.
    pub product: Option<String>,
    /// Serial number: any text.
    pub serial_number: Option<String>,
    /// Where it is plugged in: bus, then the port of each hub (`1-2.4`).
    pub location: Option<String>,
    /// Which interface of the device this port is: an adapter can have several.
    pub interface: Option<u8>,
}

/// Lists the serial ports, sorted by name with numbers by value (`ttyUSB2` before `ttyUSB10`).
/// Nothing is opened.
///
/// # Errors
/// [`LinkError::Io`] if the system gives no list. A system without serial ports is an empty list.
pub fn ports() -> Result<Vec<Port>, LinkError> {
    #[cfg(target_os = "linux")]
    let mut ports = linux::ports(std::path::Path::new("/"))?;
    #[cfg(not(target_os = "linux"))]
    let mut ports = other::ports()?;
    ports.sort_by(|a, b| natural_order(&a.name, &b.name));
    Ok(ports)
}

/// Compares names with the numbers in them by value.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    loop {
        let (text_a, number_a, next_a) = split_number(rest_a);
        let (text_b, number_b, next_b) = split_number(rest_b);
        let order = text_a.cmp(text_b).then(number_a.cmp(&number_b));
        if order.is_ne() || (next_a.is_empty() && next_b.is_empty()) {
            // Equal by value, `tty01` and `tty1` still differ.
            return order.then_with(|| a.cmp(b));
        }
        (rest_a, rest_b) = (next_a, next_b);
    }
}

/// Splits off what comes before the first number, and that number.
fn split_number(text: &str) -> (&str, u64, &str) {
    let start = text
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(text.len());
    let (before, rest) = text.split_at(start);
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    (before, digits.parse().unwrap_or(0), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_sorted_with_their_numbers_by_value() {
        let mut names = [
            "COM10", "ttyUSB10", "COM9", "ttyUSB2", "ttyACM0", "ttyS", "ttyS0", "tty01",
        ];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(
            names,
            [
                "COM9", "COM10", "tty01", "ttyACM0", "ttyS", "ttyS0", "ttyUSB2", "ttyUSB10"
            ]
        );
    }

    #[test]
    fn the_list_of_this_computer_can_be_made() {
        let first = ports().unwrap();
        let second = ports().unwrap();
        assert_eq!(first, second);
        assert!(first.iter().all(|port| !port.name.is_empty()));
    }
}
