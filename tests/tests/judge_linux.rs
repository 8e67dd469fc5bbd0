//! A real Linux kernel judges the emulated USB: its stack enumerates a small program of ours, its
//! driver makes a port of it, and what is written to that port comes back.

#![cfg(target_os = "linux")]

use std::path::Path;

use flashwire_tests::bench::noise;
use flashwire_tests::emulated::{Emulated, Way};
use flashwire_tests::linux_guest::Guest;

/// A program that sends back what it receives: `firmware/guests/src/bin/echo.rs`.
const ECHO: &str = "../emulator/tests/guests/echo.hex";

#[test]
#[ignore = "needs QEMU, a Linux kernel and busybox"]
fn a_real_linux_kernel_enumerates_a_port_and_moves_bytes_through_it() {
    let bytes = noise(20_000, 17);
    let echo = Path::new(env!("CARGO_MANIFEST_DIR")).join(ECHO);
    let board = Emulated::start(&echo, "w25q80bv", &[], 100, Way::Redirection);
    let mut guest = Guest::new();
    guest.add("sent", &bytes);
    let script = "tries=0
        while ! [ -e /dev/ttyACM0 ] && [ $tries -lt 200 ]; do sleep 0.1; tries=$((tries+1)); done
        dmesg | grep -E 'cdc_acm|Product|SerialNumber|full-speed'
        stty -F /dev/ttyACM0 raw -echo
        dd if=/dev/ttyACM0 of=/run/back bs=1 count=20000 2>/dev/null &
        cat /sent > /dev/ttyACM0
        wait
        cmp /sent /run/back && echo ALL-OF-IT-CAME-BACK";
    let said = guest.run(board.address(), script).said;
    for part in [
        "new full-speed USB device",
        "Product: echo",
        "SerialNumber: 001",
        "ttyACM0: USB ACM device",
        "ALL-OF-IT-CAME-BACK",
    ] {
        assert!(said.contains(part), "no {part} in: {said}");
    }
    let remains = board.finish();
    assert_eq!(remains.stm32_complaints, [""; 0]);
    assert_eq!((remains.losses, remains.resets), (0, 1));
}
