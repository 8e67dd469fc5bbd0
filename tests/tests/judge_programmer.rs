//! Our programmer's firmware, executed instruction by instruction, judged by programs that take it
//! for hardware: flashrom 1.3 over TCP, and a real Linux kernel whose USB stack enumerates it.
//!
//! Chip times are scaled down to 5 %: flashrom's own sleeps are what takes time here.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flashwire_tests::bench::noise;
use flashwire_tests::emulated::{Emulated, Remains, Way};
use flashwire_tests::judge;
use flashwire_tests::linux_guest::Guest;
use tempfile::TempDir;

const BUSY_PERCENT: u32 = 5;

/// The image that `flashwire firmware install` has.
fn firmware() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/flashwire/images/serprog-stm32f103.bin")
}

/// A board with our firmware, and flashrom with it.
struct Desk {
    board: Emulated,
    name: &'static str,
    folder: TempDir,
}

impl Desk {
    /// A chip, what flashrom calls it, and what it holds.
    fn new(part: &str, name: &'static str, content: &[u8]) -> Self {
        let image = firmware();
        Self {
            board: Emulated::start(&image, part, content, BUSY_PERCENT, Way::Stream),
            name,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn flashrom(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(judge::flashrom());
        command.args(["-p", &format!("serprog:ip={}", self.board.address())]);
        judge::run(command.args(["-c", self.name]).args(arguments)).success()
    }

    fn put(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn read(&self) -> Vec<u8> {
        let path = self.put("read", &[]);
        self.flashrom(&["-r", &path]);
        fs::read(path).unwrap()
    }

    fn write(&self, content: &[u8]) {
        let path = self.put("write", content);
        let said = self.flashrom(&["-w", &path]);
        assert!(said.contains("VERIFIED"), "{said}");
    }
}

/// Nothing but the content is worth a word.
#[track_caller]
fn is_flawless(remains: &Remains, content: &[u8]) {
    assert!(remains.flash == content, "the content differs");
    assert_eq!(remains.complaints, [""; 0]);
    assert_eq!(remains.stm32_complaints, [""; 0]);
    assert_eq!((remains.losses, remains.resets), (0, 1));
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn flashrom_finds_a_chip_behind_the_emulated_programmer() {
    let image = firmware();
    let board = Emulated::start(&image, "w25q80bv", &[], BUSY_PERCENT, Way::Stream);
    let mut command = Command::new(judge::flashrom());
    command.args(["-p", &format!("serprog:ip={}", board.address())]);
    let said = judge::run(&mut command).success();
    assert!(
        said.contains("\"W25Q80.V\" (1024 kB, SPI) on serprog"),
        "{said}"
    );
    is_flawless(&board.finish(), &[0xff; 1 << 20]);
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn flashrom_reads_writes_and_erases_all_of_a_small_chip() {
    const SIZE: usize = 1 << 20;

    let (old, new) = (noise(SIZE, 11), noise(SIZE, 12));
    let desk = Desk::new("w25q80bv", "W25Q80.V", &old);
    assert!(desk.read() == old, "what was read differs");
    desk.write(&new);
    assert!(desk.read() == new, "what was written differs");
    desk.flashrom(&["-E"]);
    is_flawless(&desk.board.finish(), &[0xff; SIZE]);
}

#[test]
#[ignore = "needs flashrom 1.3"]
fn flashrom_writes_what_differs_of_a_large_chip() {
    const SIZE: usize = 8 << 20;

    let mut old = vec![0xff; SIZE];
    old[1 << 20..2 << 20].copy_from_slice(&noise(1 << 20, 13));
    let mut new = old.clone();
    new[(3 << 19)..(5 << 19)].copy_from_slice(&noise(1 << 20, 14));
    let desk = Desk::new("w25q64jv", "W25Q64JV-.Q", &old);
    desk.write(&new);
    is_flawless(&desk.board.finish(), &new);
}

#[test]
#[ignore = "needs flashrom 1.3, QEMU, a Linux kernel and busybox"]
fn a_real_linux_kernel_enumerates_it_and_flashrom_in_there_reads_and_writes() {
    const SIZE: usize = 1 << 20;

    let old = noise(SIZE, 15);
    let mut new = old.clone();
    new[0x4_0000..0x6_0000].copy_from_slice(&noise(0x2_0000, 16));
    let image = firmware();
    let board = Emulated::start(&image, "w25q80bv", &old, BUSY_PERCENT, Way::Redirection);
    let mut guest = Guest::new();
    guest.add_program(&judge::flashrom());
    guest.add("old.bin", &old);
    guest.add("new.bin", &new);
    let script = "tries=0
        while ! [ -e /dev/ttyACM0 ] && [ $tries -lt 200 ]; do sleep 0.1; tries=$((tries+1)); done
        dmesg | grep -E 'cdc_acm|Product|SerialNumber|full-speed'
        programmer='flashrom -p serprog:dev=/dev/ttyACM0:4000000 -c W25Q80.V'
        $programmer -r /run/read.bin >/run/said 2>&1 && cmp /run/read.bin /old.bin && echo READ-IS-RIGHT
        $programmer -w /new.bin >>/run/said 2>&1 && echo WRITE-IS-VERIFIED
        $programmer -r /run/read.bin >>/run/said 2>&1 && cmp /run/read.bin /new.bin && echo READ-BACK-IS-RIGHT
        tail -n 5 /run/said";
    let outcome = guest.run(board.address(), script);
    let said = &outcome.said;
    for part in [
        "new full-speed USB device",
        "ttyACM0: USB ACM device",
        "READ-IS-RIGHT",
        "WRITE-IS-VERIFIED",
        "READ-BACK-IS-RIGHT",
    ] {
        assert!(said.contains(part), "no {part} in: {said}");
    }
    is_flawless(&board.finish(), &new);
}
