//! What a serial port probably is, from the USB ids of the device behind it.
//!
//! A hint for people who look for their board in a list, and nothing else: no port is chosen, and
//! none is refused, because of it.

use flashwire_link::{Port, PortKind, UsbPort};

/// A kind of USB device that shows up as a serial port.
struct Adapter {
    vid: u16,
    /// `None` covers every product of the vendor that has no row of its own.
    pid: Option<u16>,
    what: &'static str,
}

const fn row(vid: u16, pid: u16, what: &'static str) -> Adapter {
    let pid = Some(pid);
    Adapter { vid, pid, what }
}

const fn vendor(vid: u16, what: &'static str) -> Adapter {
    Adapter {
        vid,
        pid: None,
        what,
    }
}

/// Sources of the ids:
/// * FTDI, Silicon Labs, WCH and Prolific: Linux `drivers/usb/serial/ftdi_sio_ids.h`, `cp210x.c`,
///   `ch341.c`, `pl2303.h`
/// * ST: the udev rules of OpenOCD and probe-rs (ST-LINK), ST's USB device library (`0x5740`)
/// * the others: the udev rules of OpenOCD and probe-rs, and the boards' own descriptors
///
/// Rows with a product come before the row of their vendor.
const ADAPTERS: &[Adapter] = &[
    row(0x0403, 0x6001, "FTDI FT232 adapter"),
    row(0x0403, 0x6010, "FTDI FT2232 adapter (two ports)"),
    row(0x0403, 0x6011, "FTDI FT4232 adapter (four ports)"),
    row(0x0403, 0x6014, "FTDI FT232H adapter"),
    row(0x0403, 0x6015, "FTDI FT-X adapter (FT230X, FT231X)"),
    vendor(0x0403, "FTDI adapter"),
    row(
        0x0483,
        0x374b,
        "ST-LINK/V2-1: its virtual port goes to a UART of the board",
    ),
    row(
        0x0483,
        0x3752,
        "ST-LINK/V2-1: its virtual port goes to a UART of the board",
    ),
    row(
        0x0483,
        0x374e,
        "ST-LINK/V3: its virtual port goes to a UART of the board",
    ),
    row(
        0x0483,
        0x374f,
        "ST-LINK/V3: its virtual port goes to a UART of the board",
    ),
    row(
        0x0483,
        0x3753,
        "ST-LINK/V3: its virtual ports go to UARTs of the board",
    ),
    row(
        0x0483,
        0x3754,
        "ST-LINK/V3: its virtual port goes to a UART of the board",
    ),
    row(0x0483, 0x5740, "an STM32 that is a USB serial port itself"),
    row(0x067b, 0x2303, "Prolific PL2303 adapter"),
    vendor(0x067b, "Prolific adapter"),
    row(
        0x0d28,
        0x0204,
        "CMSIS-DAP probe: its virtual port goes to a UART of the board",
    ),
    row(0x10c4, 0xea60, "Silicon Labs CP210x adapter"),
    row(0x10c4, 0xea70, "Silicon Labs CP2105 adapter (two ports)"),
    row(0x10c4, 0xea71, "Silicon Labs CP2108 adapter (four ports)"),
    vendor(0x10c4, "Silicon Labs adapter"),
    vendor(
        0x1366,
        "SEGGER J-Link: its virtual port goes to a UART of the board",
    ),
    row(0x1a86, 0x7523, "WCH CH340 adapter"),
    row(0x1a86, 0x7522, "WCH CH340 adapter"),
    row(0x1a86, 0x5523, "WCH CH341 adapter"),
    row(0x1a86, 0x55d3, "WCH CH343 adapter"),
    row(0x1a86, 0x55d4, "WCH CH9102 adapter"),
    row(0x4348, 0x5523, "WCH CH341 adapter"),
    vendor(0x1a86, "WCH adapter"),
    row(
        0x1d50,
        0x6018,
        "Black Magic Probe: debugger on its first port, UART on its second",
    ),
    row(0x2341, 0x0043, "Arduino Uno"),
    row(0x2341, 0x0001, "Arduino Uno"),
    vendor(0x2341, "Arduino"),
    vendor(0x2a03, "Arduino"),
    row(
        0x2e8a,
        0x000c,
        "Raspberry Pi Debug Probe: its virtual port goes to a UART",
    ),
    vendor(0x2e8a, "Raspberry Pi Pico, or another board with its chip"),
    vendor(0x303a, "Espressif chip that is a USB serial port itself"),
];

/// What `port` probably is, in a few words; `None` if nothing is known.
pub fn describe(port: &Port) -> Option<String> {
    match &port.kind {
        PortKind::Usb(usb) => Some(describe_usb(usb)),
        PortKind::Pci => Some("serial card".to_owned()),
        PortKind::Bluetooth => Some("Bluetooth".to_owned()),
        _ => None,
    }
}

fn known(vid: u16, pid: u16) -> Option<&'static str> {
    let matches = |row: &&Adapter| row.vid == vid && row.pid.is_none_or(|of| of == pid);
    ADAPTERS.iter().find(matches).map(|row| row.what)
}

/// What the USB device with these ids is, if it has a row of its own: that of a vendor says nothing
/// of devices that are no serial ports.
pub(crate) fn product(vid: u16, pid: u16) -> Option<&'static str> {
    let mut rows = ADAPTERS.iter();
    let row = rows.find(|row| (row.vid, row.pid) == (vid, Some(pid)))?;
    Some(row.what)
}

/// All that are known: vendor, product (`None` for all others of the vendor), and what it is.
pub(crate) fn ids() -> impl Iterator<Item = (u16, Option<u16>, &'static str)> {
    ADAPTERS.iter().map(|row| (row.vid, row.pid, row.what))
}

fn describe_usb(usb: &UsbPort) -> String {
    let known = known(usb.vid, usb.pid);
    let named = [usb.manufacturer.as_deref(), usb.product.as_deref()];
    let named: Vec<&str> = named.into_iter().flatten().collect();
    match (known, named.is_empty()) {
        (Some(what), _) => what.to_owned(),
        (None, false) => named.join(" "),
        (None, true) => "USB device".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usb(vid: u16, pid: u16) -> UsbPort {
        UsbPort {
            vid,
            pid,
            ..UsbPort::default()
        }
    }

    #[test]
    fn a_product_is_found_before_its_vendor() {
        assert_eq!(describe_usb(&usb(0x0403, 0x6001)), "FTDI FT232 adapter");
        assert_eq!(describe_usb(&usb(0x0403, 0x0001)), "FTDI adapter");
    }

    #[test]
    fn an_unknown_device_is_called_what_it_calls_itself() {
        let mut device = usb(0xffff, 1);
        assert_eq!(describe_usb(&device), "USB device");
        device.manufacturer = Some("Acme".to_owned());
        device.product = Some("Gadget".to_owned());
        assert_eq!(describe_usb(&device), "Acme Gadget");
    }

    #[test]
    fn no_row_is_hidden_by_one_before_it() {
        for (n, row) in ADAPTERS.iter().enumerate() {
            let hides = |e: &&Adapter| e.vid == row.vid && (e.pid.is_none() || e.pid == row.pid);
            assert!(
                !ADAPTERS[..n].iter().any(|e| hides(&e)),
                "row {n} is never reached"
            );
        }
    }
}
