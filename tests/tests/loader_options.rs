//! The options that only STM32 loaders have, on the command line: resuming, retries, parity, a table
//! of parts, and the question before everything is erased.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};

use flashwire_tests::bench::noise;
use flashwire_tests::board::F103;
use flashwire_tests::desk::Desk;
use flashwire_tests::judge;
use flashwire_tests::ours::flashwire;
use flashwire_tests::served::Served;
use rustix::pty;

const BOARD: &str = "sim:stm32f103cb,image=board.bin";

#[test]
fn a_loader_that_was_greeted_before_is_taken_up_without_a_greeting() {
    // The button is pressed for a tool that begins with 0x7F, and for no other.
    let bench = Served::open(F103.bench, &F103.fresh_content());
    judge::run(&mut flashwire(&bench, "info")).success();
    let mut resumed = flashwire(&bench, "info");
    resumed.arg("--resume").arg("--log").arg(bench.file("log"));
    judge::run(&mut resumed).success();
    let log = std::fs::read_to_string(bench.file("log")).unwrap();
    assert!(!log.contains("> 1: 7f"), "{log}");
    // What brings the parser back is noise to it, and nothing else.
    let remains = bench.finish();
    let noise = |complaint: &String| complaint.contains("opcode with a wrong check");
    assert!(
        remains.complaints.iter().all(noise),
        "{:?}",
        remains.complaints
    );
    assert_eq!(remains.flash, F103.fresh_content());
}

#[test]
fn resuming_a_chip_fresh_from_reset_says_that_there_is_nothing_to_resume() {
    let desk = Desk::new();
    desk.run(&["info", "-p", "sim:stm32f103cb", "--resume"])
        .with(5, "error[stm32-not-resumed]");
}

#[test]
fn what_fails_in_passing_is_tried_again_as_often_as_one_likes() {
    let desk = Desk::new();
    let broken = "sim:stm32f103cb,faults=drop@700:in";
    desk.run(&["read", "a.bin", "--length", "4k", "-p", broken])
        .done();
    desk.run(&[
        "read",
        "b.bin",
        "--length",
        "4k",
        "-p",
        broken,
        "--retries",
        "0",
    ])
    .with(1, "error[stm32-silent]");
}

#[test]
fn a_table_of_ones_own_names_the_chip_and_its_pages() {
    let desk = Desk::new();
    let table = "# mine\nproduct_id,name,flash_kib,layout,program_unit\n0x410,My clone,64,4K*,8\n";
    desk.put("parts.csv", table);
    let ended = desk.run(&["info", "-p", "sim:stm32f103cb", "--parts", "parts.csv"]);
    let shown = String::from_utf8(ended.done().out.clone()).unwrap();
    for line in ["My clone", "16 x 4 KiB", "write unit        8 bytes"] {
        assert!(shown.contains(line), "{shown}");
    }
    desk.put("wrong.csv", "product_id,layout\n\n0x410,2Q*\n");
    desk.run(&["info", "-p", "sim:stm32f103cb", "--parts", "wrong.csv"])
        .with(7, "error[parts-bad]: wrong.csv, line 3: layout");
    desk.run(&["info", "-p", "sim:stm32f103cb", "--parts", "none.csv"])
        .with(7, "error[file-missing]");
}

/// A write that takes the read protection away, on a terminal where somebody types this.
fn asked(desk: &Desk, answer: &str) -> (Child, String) {
    let flags = pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY;
    let controller = pty::openpt(flags).unwrap();
    pty::grantpt(&controller).unwrap();
    pty::unlockpt(&controller).unwrap();
    let name = pty::ptsname(&controller, Vec::new()).unwrap();
    let terminal = File::options()
        .read(true)
        .write(true)
        .open(name.into_string().unwrap())
        .unwrap();
    let mut screen = File::from(controller);
    let mut write = desk.flashwire(&["write", "app.bin", "-p", BOARD, "--unprotect"]);
    write.stdin(terminal.try_clone().unwrap());
    write.stdout(Stdio::null()).stderr(terminal);
    let child = write.spawn().unwrap();
    drop(write);
    screen.write_all(answer.as_bytes()).unwrap();
    let mut said = Vec::new();
    // Ends with an error when the last one has closed the terminal.
    let _ = screen.read_to_end(&mut said);
    (child, String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn erasing_everything_is_asked_about_and_only_yes_means_yes() {
    let desk = Desk::new();
    let old = noise(131_072, 6);
    let app = noise(2048, 7);
    desk.put("board.bin", &old);
    desk.put("app.bin", &app);
    desk.run(&["stm32", "protect", "-p", BOARD]).done();
    for no in ["n\n", "\n", "maybe\n"] {
        let (mut child, said) = asked(&desk, no);
        assert_eq!(child.wait().unwrap().code(), Some(4), "{said}");
        assert!(
            said.contains("erases its whole flash. Go on? [y/N]"),
            "{said}"
        );
        assert!(said.contains("error[no-consent]"), "{said}");
        assert_eq!(desk.content("board.bin"), old);
    }
    let (mut child, said) = asked(&desk, "y\n");
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    let flash = desk.content("board.bin");
    assert_eq!(flash[..2048], app);
    assert!(flash[2048..].iter().all(|&byte| byte == 0xFF));
}
