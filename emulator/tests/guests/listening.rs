//! When the emulator as a program says where tools can connect.

use std::process::Command;
use std::{env, fs, process};

#[test]
fn nothing_listens_for_a_program_that_is_no_usb_device() {
    // The vector table, then WFI and a jump back to it. The stack is the last byte of the RAM.
    let words = [0x2000_4fff_u32, 0x0800_0009, 0xe7fd_bf30];
    let image = env::temp_dir().join(format!("flashwire-asleep-{}.bin", process::id()));
    fs::write(&image, words.map(u32::to_le_bytes).concat()).expect("there is a place for it");
    let run = Command::new(env!("CARGO_BIN_EXE_flashwire-emulator"))
        .arg(&image)
        .args(["--listen", "tcp:127.0.0.1:0", "--deadline", "60"])
        .output();
    fs::remove_file(&image).expect("it is there");
    let output = run.expect("it was built");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(output.stdout, b"", "no place to connect to");
    // The report comes all the same: it is what tells why.
    assert!(said.contains(" s emulated in "), "{said}");
    assert!(said.contains("the USB device does not work"), "{said}");
}
