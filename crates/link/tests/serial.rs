//! Serial ports, on ptys: what a port has to do that is no hardware.
#![cfg(all(unix, feature = "os"))]

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use flashwire_link::{Link, Settings, serial};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

const SETTINGS: Settings = Settings::plain(115_200);

/// A pty: the end that plays the device, and the path that is opened as a port.
struct Pty {
    device: File,
    path: String,
}

fn pty() -> Pty {
    let device = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&device).unwrap();
    unlockpt(&device).unwrap();
    let path = ptsname(&device, Vec::new()).unwrap().into_string().unwrap();
    Pty {
        device: device.into(),
        path,
    }
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn bytes_pass_unchanged_in_both_directions() {
    let mut pty = pty();
    let mut link = serial::open(&pty.path, SETTINGS).unwrap();
    let all: Vec<u8> = (0..=255).collect();

    link.send(&all).unwrap();
    let mut got = [0; 256];
    pty.device.read_exact(&mut got).unwrap();
    assert_eq!(got[..], all);

    pty.device.write_all(&all).unwrap();
    let deadline = link.deadline(ms(500));
    assert_eq!(link.recv_all(&mut got, deadline).unwrap(), 256);
    assert_eq!(got[..], all);
}
