//! flashwire as a program among the things that only Unix has: FIFOs, users, signals, pseudo-
//! terminals that are no serial ports to speak of.

#![cfg(target_os = "linux")]

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use flashwire_link::{Settings, serial};
use flashwire_tests::bench::noise;
use flashwire_tests::built;
use flashwire_tests::desk::{self, Desk};
use rustix::pty;

const BOARD: &str = "sim:stm32f103cb,image=board.bin";

/// A pseudo-terminal: the end that a program drives, and the name that flashwire opens.
fn terminal() -> (File, String) {
    let flags = pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY;
    let controller = pty::openpt(flags).unwrap();
    pty::grantpt(&controller).unwrap();
    pty::unlockpt(&controller).unwrap();
    let name = pty::ptsname(&controller, Vec::new()).unwrap();
    (File::from(controller), name.into_string().unwrap())
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([name, &id])
            .status()
            .unwrap()
            .success()
    );
}

/// A program as a user who owns nothing here: root may read everything.
fn as_nobody(desk: &Desk, words: &[&str]) -> Command {
    let copy = desk.file("flashwire");
    fs::copy(built::flashwire(), &copy).unwrap();
    fs::set_permissions(desk.path(), Permissions::from_mode(0o755)).unwrap();
    let id = Command::new("id").arg("-u").output().unwrap();
    let mut command = if id.stdout == b"0\n" {
        let mut setpriv = desk.program("setpriv");
        setpriv
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(copy);
        setpriv
    } else {
        desk.program(copy)
    };
    command.args(words);
    command
}

#[test]
fn a_fifo_is_refused_and_does_not_hang() {
    let desk = Desk::new();
    let made = Command::new("mkfifo")
        .arg(desk.file("fifo"))
        .status()
        .unwrap();
    assert!(made.success());
    desk.run(&["write", "fifo", "-p", BOARD])
        .with(7, "error[not-a-file]: fifo is a pipe");
    desk.run(&["info", "-p", "./fifo"])
        .with(6, "error[port-not-serial]");
    desk.run(&["info", "-p", "sim:stm32f103cb,image=fifo"])
        .with(7, "error[bench-file-bad]");
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let desk = Desk::new();
    let path = desk.put("secret.bin", "x");
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    let mut write = as_nobody(&desk, &["write", "secret.bin", "-p", "sim:stm32f103cb"]);
    desk::run(&mut write)
        .with(7, "error[file-unreadable]")
        .with(7, "Permission denied");
}

#[test]
fn a_port_that_may_not_be_opened_says_how_to_be_let_in() {
    let desk = Desk::new();
    let (_controller, port) = terminal();
    fs::set_permissions(&port, Permissions::from_mode(0o000)).unwrap();
    let mut info = as_nobody(&desk, &["info", "-p", &port]);
    desk::run(&mut info)
        .with(6, "error[port-denied]")
        .with(6, &format!("`flashwire doctor -p {port}`"));

    let mut doctor = as_nobody(&desk, &["doctor", "-p", &port]);
    let ended = desk::run(&mut doctor);
    let said = String::from_utf8_lossy(&ended.out);
    assert_eq!(ended.code, Some(6), "{said}");
    assert!(
        said.contains("wrong[owner-only]") && said.contains("---------"),
        "{said}"
    );
}

/// Whoever is not in the port's group is told so with the names of this system. Only root can put a stranger before a port; for others it is their own.
#[test]
fn a_port_of_a_group_says_how_to_join_it() {
    let desk = Desk::new();
    let (_controller, port) = terminal();
    fs::set_permissions(&port, Permissions::from_mode(0o660)).unwrap();
    // Serial ports belong to this group on Debian; only root may give it the port.
    let given = Command::new("chgrp").args(["dialout", &port]).status();
    let mut doctor = as_nobody(&desk, &["doctor", "-p", &port, "--timeout", "0"]);
    let given = given.is_ok_and(|status| status.success());
    let is_stranger = given && doctor.get_program() == "setpriv";
    let ended = desk::run(&mut doctor);
    let said = String::from_utf8_lossy(&ended.out);
    if is_stranger {
        assert_eq!(ended.code, Some(6), "{said}");
        let sentence = format!("{port} belongs to the group dialout, and nobody is not in it");
        assert!(said.contains(&sentence), "{said}");
    } else {
        assert!(said.contains(&format!("{port} can be opened")), "{said}");
    }
}

#[test]
fn a_port_that_another_program_has_open_is_busy() {
    let desk = Desk::new();
    let (_controller, port) = terminal();
    let _held = serial::open(&port, Settings::even(115_200)).unwrap();
    desk.run(&["info", "-p", &port]).with(6, "error[port-busy]");
}

#[test]
fn a_program_that_talks_by_itself_is_no_bootloader() {
    let desk = Desk::new();
    let (mut controller, port) = terminal();
    let talker = thread::spawn(move || {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(4) {
            if controller.write_all(b"tick\r\n").is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    });
    let info = desk.run(&["info", "-p", &port, "--reset", "none", "--yes"]);
    info.with(5, "error[stm32-babble]")
        .with(5, "a program is talking");
    talker.join().unwrap();
}

#[test]
fn a_port_that_echoes_is_named_as_such() {
    let desk = Desk::new();
    let (controller, port) = terminal();
    let mut writer = controller.try_clone().unwrap();
    let mut reader = controller;
    let echo = thread::spawn(move || {
        let mut byte = [0];
        for _ in 0..2 {
            if reader.read_exact(&mut byte).is_err() {
                break;
            }
            writer.write_all(&byte).unwrap();
        }
        // Held open until the tool has given up.
        thread::sleep(Duration::from_secs(2));
    });
    desk.run(&["info", "-p", &port])
        .with(5, "error[stm32-echo]");
    echo.join().unwrap();
}

#[test]
fn a_silent_port_is_given_up_soon() {
    let desk = Desk::new();
    let (_controller, port) = terminal();
    let begun = Instant::now();
    // Standard error is no terminal here: nobody is asked.
    let info = desk.run(&["info", "-p", &port, "--reset", "none"]);
    info.with(5, "error[stm32-no-answer]")
        .with(5, "received nothing");
    assert!(
        begun.elapsed() < Duration::from_secs(12),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_user_at_a_terminal_is_asked_for_the_buttons_and_waited_for() {
    let desk = Desk::new();
    let mut bench = desk.flashwire(&[
        "sim",
        "stm32f103cb",
        "--listen",
        "tcp:127.0.0.1:0",
        "--json",
    ]);
    let mut bench = bench
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let place = place_of(&mut bench);
    // The cable in between: nothing comes through until somebody has pressed the board's buttons.
    let cable = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("tcp:{}", cable.local_addr().unwrap());
    let (press, pressed) = mpsc::channel();
    let cable = thread::spawn(move || {
        let (mut tool, _) = cable.accept().unwrap();
        let mut lost = [0; 256];
        while pressed.try_recv().is_err() {
            assert_ne!(tool.read(&mut lost).unwrap(), 0, "it did not wait");
        }
        let mut board = TcpStream::connect(place.trim_start_matches("tcp:")).unwrap();
        let (mut from_board, mut to_tool) = (board.try_clone().unwrap(), tool.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from_board, &mut to_tool));
        // Ends when the tool does.
        let _ = std::io::copy(&mut tool, &mut board);
        let _ = board.shutdown(Shutdown::Both);
    });

    let (screen, name) = terminal();
    let mut info = desk.flashwire(&["info", "-p", &port, "--reset", "none"]);
    let shown_on = File::options().write(true).open(name).unwrap();
    let mut info = info.stdout(Stdio::null()).stderr(shown_on).spawn().unwrap();
    let mut lines = BufReader::new(screen);
    let mut text = String::new();
    while !text.contains("set BOOT0 high, then press RESET") {
        assert_ne!(lines.read_line(&mut text).unwrap(), 0, "{text}");
    }
    press.send(()).unwrap();
    assert!(info.wait().unwrap().success());
    cable.join().unwrap();
    signal(&bench, "-INT");
    bench.wait().unwrap();
}

/// Where a bench is served that was started with `--json`.
fn place_of(server: &mut Child) -> String {
    let mut line = String::new();
    let mut out = BufReader::new(server.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let place = line
        .split("\"place\":\"")
        .nth(1)
        .unwrap_or_else(|| panic!("{line}"));
    place.split('"').next().unwrap().to_owned()
}

/// Starts a write that takes seconds on a bench with these keys, and waits until it says this.
fn write_until(
    desk: &Desk,
    keys: &str,
    address: &str,
    said: &str,
) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let board = format!("{BOARD},realtime{keys}");
    let words = ["write", "app.bin", "-p", &board, "--address", address];
    let mut write = desk.flashwire(&words);
    let mut child = write
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains(said) {
        assert_ne!(
            lines.read_line(&mut text).unwrap(),
            0,
            "it ended before:\n{text}"
        );
    }
    (child, lines, text)
}

#[test]
fn a_cancelled_write_says_in_which_state_the_chip_is_and_the_next_run_recovers() {
    let desk = Desk::new();
    let old = noise(131_072, 7);
    let app = noise(20 * 1024, 8);
    desk.put("board.bin", &old);
    desk.put("app.bin", &app);
    for name in ["-INT", "-TERM"] {
        let (mut child, mut lines, mut text) = write_until(&desk, "", "0x08000000", "writing");
        signal(&child, name);
        lines.read_to_string(&mut text).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
        assert!(text.contains("error[cancelled]"), "{text}");
        assert!(text.contains("the flash is written below 0x0800"), "{text}");
        assert!(text.contains("run the same command again"), "{text}");
        let now = desk.content("board.bin");
        assert_ne!(now, old, "the bench has not kept what was done");
        assert_eq!(now[app.len()..], old[app.len()..]);
    }
    desk.run(&["write", "app.bin", "-p", BOARD]).done();
    assert_eq!(desk.content("board.bin")[..app.len()], app);
}

#[test]
fn a_write_cancelled_while_it_erases_says_where_the_rest_of_the_pages_is() {
    let desk = Desk::new();
    let old = noise(131_072, 9);
    let app = noise(20_000, 10);
    desk.put("board.bin", &old);
    desk.put("app.bin", &app);
    // A chip that is ten times slower: there is time to give up.
    let slow = ",flash-percent=1000";
    let (mut child, mut lines, mut text) = write_until(&desk, slow, "0x08000104", "keeping");
    thread::sleep(Duration::from_millis(500));
    signal(&child, "-INT");
    lines.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    assert!(text.contains("while erasing"), "{text}");
    let advice = text
        .split("`flashwire write ")
        .nth(1)
        .unwrap_or_else(|| panic!("{text}"));
    let backup = advice.split('`').next().unwrap();
    // What it advises brings everything back.
    desk.run(&["write", backup, "-p", BOARD, "--no-backup"])
        .done();
    desk.run(&["write", "app.bin", "-p", BOARD, "--address", "0x08000104"])
        .done();
    let mut expected = old;
    expected[0x104..0x104 + app.len()].copy_from_slice(&app);
    assert!(desk.content("board.bin") == expected, "something was lost");
}

#[test]
fn a_wait_for_the_user_ends_with_a_signal() {
    let desk = Desk::new();
    let board = "sim:stm32f103cb,boot0=low,realtime";
    let mut info = desk.flashwire(&["info", "-p", board, "--timeout", "60"]);
    let child = info
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    signal(&child, "-INT");
    let ended = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{text}");
    assert!(text.contains("the flash is as it was"), "{text}");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_served_bench_is_a_port_like_any_other_and_keeps_its_flash() {
    let desk = Desk::new();
    let app = noise(2_000, 11);
    desk.put("app.bin", &app);
    let words = [
        "sim",
        "stm32f103cb,image=board.bin,baud=115200",
        "--listen",
        "tcp:127.0.0.1:0",
        "--json",
    ];
    let mut server = desk.flashwire(&words);
    let mut server = server
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let place = &place_of(&mut server);
    desk.run(&["write", "app.bin", "-p", place, "--progress", "none"])
        .done();
    signal(&server, "-INT");
    assert_eq!(server.wait().unwrap().code(), Some(0));
    assert_eq!(desk.content("board.bin")[..app.len()], app);
}
