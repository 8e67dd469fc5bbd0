//! `flashwire list`

use flashwire::bench::benches;
use flashwire::{Error, PortKind, SerialPort, adapters, i2c, serial_ports};

use crate::args::ListArgs;
use crate::json::{BenchObject, I2cBusObject, ListObject, PortObject, UsbObject};
use crate::screen::Screen;

/// Shows the serial ports and I2C buses of this computer, and the benches.
pub(crate) fn list(args: &ListArgs, screen: &Screen) -> Result<(), Error> {
    let ports: Vec<PortObject> = serial_ports()?.iter().map(port_object).collect();
    let benches = if args.sim { benches() } else { Vec::new() };
    let benches: Vec<BenchObject> = benches
        .into_iter()
        .map(|bench| BenchObject {
            port: format!("sim:{}", bench.name),
            what: bench.title,
        })
        .collect();
    let i2c_buses = i2c::buses()?
        .into_iter()
        .map(|bus| I2cBusObject {
            bus: bus.name,
            controller: bus.controller,
        })
        .collect();
    let i2c_devices = match &args.i2c_scan {
        Some(bus) => Some(scan(bus, screen)?),
        None => None,
    };
    let object = ListObject {
        schema: "flashwire/list/1",
        ports,
        i2c_buses,
        i2c_devices,
        benches,
    };
    if object.ports.is_empty() {
        screen.say("no serial ports; `flashwire list --sim` shows simulated benches");
    }
    screen.result(&text(&object), &object)
}

/// Who is on a bus, as ports.
fn scan(bus: &str, screen: &Screen) -> Result<Vec<String>, Error> {
    screen.warn(&format!("{bus}: {}", i2c::SCAN_WARNING));
    let addresses = i2c::scan(bus)?;
    let port = |address: &u8| match bus.strip_prefix("sim:") {
        Some(_) => format!("{bus},address=0x{address:02x}"),
        None => format!("stm32-i2c:{bus}@0x{address:02x}"),
    };
    Ok(addresses.iter().map(port).collect())
}

/// A line a port: its name, what it is, and names that stay the same.
fn text(list: &ListObject) -> String {
    let rows = list
        .ports
        .iter()
        .map(|port| (port.port.as_str(), what(port)));
    let benches = short(&list.benches);
    let benches = benches
        .iter()
        .map(|(port, what)| (port.as_str(), what.clone()));
    let buses = list.i2c_buses.iter().map(|bus| {
        let controller = bus.controller.as_deref().unwrap_or_default();
        let what = format!("I2C bus, {controller}");
        (bus.bus.as_str(), what.trim_end_matches(", ").to_owned())
    });
    let devices = list.i2c_devices.iter().flatten();
    let devices = devices.map(|port| (port.as_str(), "a device; maybe a bootloader".to_owned()));
    let rows: Vec<_> = rows.chain(buses).chain(devices).chain(benches).collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows
        .iter()
        .map(|(name, what)| format!("{name:<width$}  {what}"));
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Benches as a person wants to see them. Each programmer takes each chip: they are all shown with
/// the first one, and the others in a line each.
fn short(benches: &[BenchObject]) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut programmers: Vec<&str> = Vec::new();
    for bench in benches {
        let Some((programmer, _)) = bench.port.split_once('+') else {
            rows.push((bench.port.clone(), bench.what.clone()));
            continue;
        };
        let is_new = !programmers.contains(&programmer);
        if is_new {
            programmers.push(programmer);
        }
        if programmers.len() == 1 {
            rows.push((bench.port.clone(), bench.what.clone()));
        } else if is_new {
            let (title, _) = bench
                .what
                .split_once(", with ")
                .unwrap_or((&bench.what, ""));
            let what = format!("{title}, with any of these chips");
            rows.push((format!("{programmer}+CHIP"), what));
        }
    }
    rows
}

fn what(port: &PortObject) -> String {
    let mut what = port.what.clone().unwrap_or_default();
    if let Some(usb) = &port.usb {
        what.push_str(&format!(" ({:04x}:{:04x}", usb.vid, usb.pid));
        if let Some(serial) = &usb.serial_number {
            what.push_str(&format!(", {serial}"));
        }
        what.push(')');
    }
    what
}

fn port_object(port: &SerialPort) -> PortObject {
    let usb = match &port.kind {
        PortKind::Usb(usb) => Some(UsbObject {
            vid: usb.vid,
            pid: usb.pid,
            manufacturer: usb.manufacturer.clone(),
            product: usb.product.clone(),
            serial_number: usb.serial_number.clone(),
            location: usb.location.clone(),
        }),
        _ => None,
    };
    PortObject {
        port: port.name.clone(),
        what: adapters::describe(port),
        driver: port.driver.clone(),
        aliases: port.aliases.clone(),
        usb,
    }
}
