//! `flashwire stm32flash` by itself, on benches in virtual time: what the original cannot be asked
//! for (it takes half a minute and gigabytes of memory), and what it has nothing of.

use std::io::{BufReader, Read};
use std::process::{Command, Stdio};

use flashwire_tests::bench::noise;
use flashwire_tests::built;
use flashwire_tests::desk::{self, Desk};

const BOARD: &str = "sim:stm32f103cb,image=board.bin";

fn desk() -> (Desk, Vec<u8>) {
    let desk = Desk::new();
    let old = noise(128 << 10, 2);
    desk.put("board.bin", &old);
    (desk, old)
}

/// Two records of one flash, the upper one first.
const OUT_OF_ORDER: &str = "\
:020000040800F2
:04100000050607 08D2
:0400000001020304F2
:00000001FF
";

#[test]
fn intel_hex_out_of_order_is_written_in_its_places() {
    let (desk, mut flash) = desk();
    desk.put("image.hex", OUT_OF_ORDER.replace(' ', ""));
    desk.run(&["stm32flash", "-v", "-w", "image.hex", BOARD])
        .done();
    for (page, word) in [(0, [1, 2, 3, 4]), (0x1000, [5, 6, 7, 8])] {
        flash[page..page + 1024].fill(0xFF);
        flash[page..page + 4].copy_from_slice(&word);
    }
    assert!(desk.content("board.bin") == flash);
}

#[test]
fn intel_hex_far_beyond_the_flash_is_refused() {
    let (desk, old) = desk();
    let file = ":020000040800F2\n:0400000001020304F2\n:020000042800D2\n:04F8000001020304FA\n\
                :00000001FF\n";
    desk.put("image.hex", file);
    desk.run(&["stm32flash", "-w", "image.hex", BOARD])
        .with(1, "error[out-of-range]");
    assert!(desk.content("board.bin") == old);
}

#[test]
fn read_protection_is_called_by_its_name() {
    let (desk, old) = desk();
    let state =
        "flashwire bench state, version 1\npart: stm32f103cb\noptions: 00 ff ff ff ff ff ff ff\n";
    desk.put("board.bin.state", state);
    desk.put("image.bin", noise(1000, 3));
    for words in [["-w", "image.bin"], ["-r", "out.bin"], ["-o", "-R"]] {
        let job = [&["stm32flash"], &words[..], &[BOARD]].concat();
        desk.run(&job).with(1, "error[read-protected]");
    }
    assert!(desk.content("board.bin") == old);
    assert!(!desk.file("out.bin").exists());
}

#[test]
fn the_help_goes_to_standard_output() {
    let desk = Desk::new();
    for option in ["-h", "--help"] {
        let ended = desk.run(&["stm32flash", option]);
        let help = String::from_utf8(ended.done().out.clone()).unwrap();
        assert!(help.contains("-S ADDRESS[:LENGTH]"), "{help}");
        assert_eq!(ended.err, "");
    }
}

#[cfg(unix)]
#[test]
fn under_the_originals_name_the_options_are_the_originals() {
    let (desk, old) = desk();
    let tool = desk.file("stm32flash");
    std::os::unix::fs::symlink(built::flashwire(), &tool).unwrap();
    let mut command = desk.program(&tool);
    desk::run(command.args(["-S", "0x08000010:16", "-r", "out.bin", BOARD])).done();
    assert_eq!(desk.content("out.bin"), old[0x10..0x20]);
}

#[test]
fn options_of_flashwire_may_stand_before_the_face() {
    let (desk, old) = desk();
    let words = ["--quiet", "stm32flash", "-S", "0x08000000:4", "-r", "-"];
    let ended = desk.run(&[&words[..], &[BOARD]].concat());
    assert_eq!(ended.done().out, old[..4]);
}

/// A first SIGINT, in the middle of a write that takes seconds.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_a_sentence() {
    let (desk, _) = desk();
    desk.put("image.bin", noise(20 << 10, 3));
    let board = format!("{BOARD},realtime");
    let mut command = desk.flashwire(&["stm32flash", "-b", "57600", "-w", "image.bin", &board]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let (mut said, mut byte) = (String::new(), [0]);
    while !said.contains("Wrote address") {
        assert_eq!(out.read(&mut byte).unwrap(), 1, "it ended before:\n{said}");
        said.push(char::from(byte[0]));
    }
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let mut error = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut error)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{error}");
    assert!(error.contains("error[cancelled]"), "{error}");
    assert!(
        error.contains("the flash is written below 0x0800"),
        "{error}"
    );
}
